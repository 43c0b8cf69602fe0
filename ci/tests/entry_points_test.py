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
for word; do case "$word" in */ctest.xml) [ -n "$JUNIT" ] && printf '%s' "$JUNIT" >"$word" ;; esac; done
[ -n "$GTEST_FILTER" ] && echo "GTEST_FILTER got through"
echo "100% tests passed, 0 tests failed out of 1"
echo "Total Test time (real) =   0.01 sec"
exit "${CTEST_FAILS:-0}"
"""
LISTING = '{"tests": [{"name": "a", "command": ["a"]}]}'
PASSED = '<testsuite><testcase name="a" status="run"/></testsuite>'
SKIPPED = '<testsuite><testcase name="a" status="notrun"/></testsuite>'


class EntryPoints(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.tree = pathlib.Path(directory.name)
        shutil.copytree(SOURCE / ".ci", self.tree / ".ci")
        (self.tree / "ci").mkdir()
        for name in ("test", "check", "verdict.py"):
            shutil.copy(SOURCE / "ci" / name, self.tree / "ci")
        (self.tree / "ci/allowed-skips.txt").write_text("")
        self.add_program("ci/setup", '#!/bin/sh\necho setup >>"$RECORD"\nexit "${SETUP_FAILS:-0}"\n')
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
        ran = subprocess.run(
            [self.tree / script, *arguments], cwd="/", capture_output=True, text=True, timeout=60, check=False,
            env={**os.environ, "PATH": f"{self.tree}/bin:{os.environ['PATH']}", "RECORD": str(record),
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

    def test_arguments_go_to_ctest(self):
        self.assertEqual(self.run_script("ci/test", "-L", "vip"), 0, self.text)
        self.assertTrue(self.called[-1].endswith(" -L vip"), self.called)

    def test_a_failed_set_up_or_build_or_listing_is_red_and_nothing_runs(self):
        for cause in ("SETUP_FAILS", "BUILD_FAILS", "LISTING_FAILS"):
            self.assertNotEqual(self.run_script("ci/test", **{cause: "3"}), 0, cause)
            self.assertFalse([call for call in self.called if "--output-junit" in call])

    def test_a_failed_test_is_red(self):
        self.assertEqual(self.run_script("ci/test", CTEST_FAILS="8"), 8)

    def test_a_skip_that_nobody_allowed_is_red_although_ctest_is_content(self):
        self.assertEqual(self.run_script("ci/test", JUNIT=SKIPPED), 1)
        self.assertIn("a: didn't run", self.text)

    def test_a_run_that_leaves_no_result_is_red_even_if_an_earlier_one_did(self):
        for arguments in ([], ["-R", "a"]):
            self.assertEqual(self.run_script("ci/test", *arguments), 0)
            self.assertEqual(self.run_script("ci/test", *arguments, JUNIT=""), 1)

    def test_rotten_leave_is_red_unless_only_some_tests_were_asked_for(self):
        (self.tree / "ci/allowed-skips.txt").write_text("gone # why\n")
        self.assertEqual(self.run_script("ci/test"), 1)
        self.assertEqual(self.run_script("ci/test", "-R", "a"), 0, self.text)

    def test_a_filter_of_the_surrounding_shell_does_not_get_through(self):
        self.assertEqual(self.run_script("ci/test", GTEST_FILTER="-*"), 0)
        self.assertNotIn("got through", self.text)

    def test_the_check_is_set_up_built_and_run_with_the_arguments(self):
        self.assertEqual(self.run_script("ci/check", "--only", "vip"), 0, self.text)
        self.assertEqual(self.called, ["setup", "cmake --preset release", "cmake --build --preset release",
                                       "knetsim check --only vip"])

    def test_the_check_s_exit_code_is_that_of_knetsim(self):
        self.assertEqual(self.run_script("ci/check", CHECK_FAILS="1"), 1)

    def test_a_check_that_cannot_be_set_up_or_built_ends_with_two(self):
        self.assertEqual(self.run_script("ci/check", SETUP_FAILS="1"), 2)
        self.assertEqual(self.run_script("ci/check", BUILD_FAILS="1"), 2)
        self.assertFalse([call for call in self.called if call.startswith("knetsim")])
