"""ci/test, ci/check and .ci/run, with cmake, ctest and knetsim replaced: what they call, and with which exit code they end."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent

CMAKE = """#!/bin/sh
echo "cmake $*" >>"$RECORD"
case "$1" in --build) exit "${BUILD_FAILS:-0}" ;; esac
"""
CTEST = """#!/bin/sh
echo "ctest $*" >>"$RECORD"
case " $* " in
  *" --show-only=json-v1 "*) printf '%s' "$LISTING"; exit "${LISTING_FAILS:-0}" ;;
esac
case "$*" in *--rerun-failed*) JUNIT=$RETRIED; CTEST_FAILS=0 ;; esac
for word; do case "$word" in */ctest.xml) [ -n "$JUNIT" ] && printf '%s' "$JUNIT" >"$word" ;; esac; done
[ -n "$GTEST_FILTER" ] && echo "GTEST_FILTER got through"
echo "100% tests passed, 0 tests failed out of 1"
echo "Total Test time (real) =   0.01 sec"
exit "${CTEST_FAILS:-0}"
"""
LISTING = '{"tests": [{"name": "a", "command": ["a"]}]}'
FAILED = '<testsuite><testcase name="a" status="fail"/></testsuite>'
PASSED = '<testsuite><testcase name="a" status="run"/></testsuite>'
SKIPPED = '<testsuite><testcase name="a" status="notrun"/></testsuite>'


class EntryPoints(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.tree = pathlib.Path(directory.name)
        shutil.copytree(SOURCE / ".ci", self.tree / ".ci")
        (self.tree / "ci").mkdir()
        for name in ("test", "check", "facts"):
            shutil.copy(SOURCE / "ci" / name, self.tree / "ci")
        (self.tree / "ci/allowed-skips.txt").write_text("")
        (self.tree / "build/release/bin").mkdir(parents=True)
        (self.tree / "build/release/bin/knetsim-report").symlink_to(
            pathlib.Path(os.environ["KNETSIM_BUILD"]) / "bin/knetsim-report")
        self.add_program("ci/setup", '#!/bin/sh\necho setup${1:+ $1} >>"$RECORD"\nexit "${SETUP_FAILS:-0}"\n')
        self.add_program("bin/cmake", CMAKE)
        self.add_program("bin/ctest", CTEST)
        self.add_program("build/release/bin/knetsim",
                         '#!/bin/sh\necho "knetsim $*" >>"$RECORD"\nexit "${CHECK_FAILS:-0}"\n')

    def add_program(self, name, text):
        path = self.tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def run_script(self, script, *arguments, **environment):
        record = self.tree / "record"
        record.write_text("")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("KNETSIM_")}
        ran = subprocess.run(
            [self.tree / script, *arguments], cwd="/", capture_output=True, text=True, timeout=60, check=False,
            env={**inherited, "PATH": f"{self.tree}/bin:{os.environ['PATH']}", "RECORD": str(record),
                 "LISTING": LISTING, "JUNIT": PASSED, **environment})
        self.called = record.read_text().splitlines()
        self.text = ran.stdout + ran.stderr
        self.out = ran.stdout
        return ran.returncode

    def test_the_tests_are_set_up_built_and_run_and_ctest_has_the_last_word(self):
        for script in ("ci/test", ".ci/run"):
            self.assertEqual(self.run_script(script), 0, self.text)
            self.assertEqual(self.called[:3], ["setup", "cmake --preset release", "cmake --build --preset release"])
            self.assertIn("ctest --preset release -j", self.called[-1])
            self.assertEqual(self.text.splitlines()[-1], "Total Test time (real) =   0.01 sec")

    def test_what_is_for_the_night_runs_only_then_or_when_it_is_named(self):
        for arguments, environment, left_out in (((), {}, True), ((), {"KNETSIM_LONG": "1"}, False), (("-L", "long"), {}, False)):
            self.assertEqual(self.run_script("ci/test", *arguments, **environment), 0, self.text)
            self.assertEqual("-LE ^long$" in self.called[-1], left_out, self.called)

    def test_arguments_go_to_ctest(self):
        self.assertEqual(self.run_script("ci/test", "-L", "vip"), 0, self.text)
        self.assertTrue(self.called[-1].endswith(" -L vip"), self.called)

    def test_a_failed_set_up_or_build_or_listing_is_red_and_nothing_runs(self):
        for cause in ("SETUP_FAILS", "BUILD_FAILS", "LISTING_FAILS"):
            self.assertNotEqual(self.run_script("ci/test", **{cause: "3"}), 0, cause)
            self.assertFalse([call for call in self.called if "--output-junit" in call])

    def test_a_failed_test_is_red(self):
        self.assertEqual(self.run_script("ci/test", CTEST_FAILS="8", JUNIT=FAILED), 1)

    def test_a_failure_that_only_ctest_knows_of_is_red(self):
        self.assertEqual(self.run_script("ci/test", CTEST_FAILS="8"), 8)

    def test_a_run_ends_with_a_report_green_or_red(self):
        for junit, word in ((PASSED, "green"), (FAILED, "red")):
            self.run_script("ci/test", JUNIT=junit)
            self.assertIn(f"<title>knetsim: {word}", (self.tree / "build/release/report/report.html").read_text())

    def test_a_failure_is_run_once_more_if_asked_for_and_then_flaky_not_green(self):
        again = {"CTEST_FAILS": "8", "JUNIT": FAILED, "RETRIED": PASSED}
        self.assertEqual(self.run_script("ci/test", **again), 1)
        self.assertFalse([call for call in self.called if "--rerun-failed" in call])
        self.assertEqual(self.run_script("ci/test", **again, KNETSIM_RETRY="1"), 1)
        self.assertEqual(len([call for call in self.called if "--rerun-failed" in call]), 1)
        self.assertIn("a: flaky", self.text)

    def test_a_shard_runs_its_part_and_says_so(self):
        self.assertEqual(self.run_script("ci/test", GTEST_TOTAL_SHARDS="4", GTEST_SHARD_INDEX="1"), 0, self.text)
        self.assertTrue(self.called[-1].endswith(" -I 2,,4"), self.called)
        self.assertIn("shard 1 of 4", (self.tree / "build/release/report/summary.md").read_text())

    def test_another_preset_is_built_run_and_reported(self):
        (self.tree / "build/asan").symlink_to(self.tree / "build/release")
        self.assertEqual(self.run_script("ci/test", KNETSIM_PRESET="asan"), 0, self.text)
        self.assertEqual(self.called[1:3], ["cmake --preset asan", "cmake --build --preset asan"])
        self.assertIn("ctest --preset asan", self.called[-1])

    def test_a_skip_that_nobody_allowed_is_red_although_ctest_is_content(self):
        self.assertEqual(self.run_script("ci/test", JUNIT=SKIPPED), 1)
        self.assertIn("a: didn't run", self.text)

    def test_a_run_that_leaves_no_result_is_red_even_if_an_earlier_one_did(self):
        for arguments in ([], ["-R", "a"]):
            self.assertEqual(self.run_script("ci/test", *arguments), 0)
            self.assertEqual(self.run_script("ci/test", *arguments, JUNIT=""), 2)

    def test_rotten_leave_is_red_unless_only_some_tests_were_asked_for(self):
        (self.tree / "ci/allowed-skips.txt").write_text("gone # why\n")
        self.assertEqual(self.run_script("ci/test"), 1)
        self.assertEqual(self.run_script("ci/test", "-R", "a"), 0, self.text)

    def test_a_filter_of_the_surrounding_shell_does_not_get_through(self):
        self.assertEqual(self.run_script("ci/test", GTEST_FILTER="-*"), 0)
        self.assertNotIn("got through", self.text)

    def test_the_check_is_set_up_built_and_run_with_the_arguments(self):
        self.assertEqual(self.run_script("ci/check", "--only", "vip"), 0, self.text)
        self.assertEqual(self.called, ["setup --check", "cmake --preset release",
                                       "cmake --build --preset release --target suite-readme", "knetsim check --only vip",
                                       "cmake --build --preset release --target knetsim_programs"])
        self.assertIn("takes some", self.text)

    def test_the_check_s_exit_code_is_that_of_knetsim(self):
        self.assertEqual(self.run_script("ci/check", CHECK_FAILS="1"), 1)

    def test_a_check_that_cannot_be_set_up_or_built_ends_with_two(self):
        self.assertEqual(self.run_script("ci/check", SETUP_FAILS="1"), 2)
        self.assertEqual(self.run_script("ci/check", BUILD_FAILS="1"), 2)
        self.assertFalse([call for call in self.called if call.startswith("knetsim")])
