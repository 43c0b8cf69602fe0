"""Red is red: programs that fail in every way we know, each run in a ctest of its own through the project's discovery
(ci/cmake/DiscoverTests.cmake) and judged by knetsim-report."""

import html
import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAMS = pathlib.Path(os.environ["KNETSIM_BUILD"]) / "bin"
CTEST = os.environ["KNETSIM_CTEST"]

LISTING = """\
set(program "{program}")
set(labels "selftest")
set(timeout "{timeout}")
set(out "{out}")
include("{source}/ci/cmake/DiscoverTests.cmake")
"""


class InnerRun:
    """One ctest run over some tests of one program."""

    def __init__(self, directory, program, tests, timeout, environment):
        self.directory = pathlib.Path(directory)
        (self.directory / "CTestTestfile.cmake").write_text(
            LISTING.format(program=PROGRAMS / program, timeout=timeout, out=self.directory / "out", source=SOURCE))
        self.environment = {**os.environ, **environment}
        self.select = ["-R", tests]
        listed = self.ctest("--show-only=json-v1", *self.select)
        self.listable = listed.returncode == 0
        (self.directory / "out").mkdir()
        (self.directory / "out/registered.json").write_text(listed.stdout)
        ran = self.ctest("--no-tests=error", "--output-on-failure", "--output-junit", "out/ctest.xml", "--output-log",
                         "out/ctest.log", *self.select)
        self.code = ran.returncode
        self.text = ran.stdout + ran.stderr

    def ctest(self, *arguments):
        return subprocess.run([CTEST, *arguments], cwd=self.directory, env=self.environment, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=90, check=False)

    def statuses(self):
        """Test -> status in ctest's JUnit file: run (passed), fail, notrun."""
        root = ElementTree.parse(self.directory / "out/ctest.xml").getroot()
        return {case.get("name").partition(":")[2]: case.get("status") for case in root.iter("testcase")}

    def verdict(self, allowed=""):
        (self.directory / "allowed.txt").write_text(allowed)
        return subprocess.run(
            [PROGRAMS / "knetsim-report", "collect", "out", "--to", "report", "--allowed-skips", "allowed.txt",
             "--source", SOURCE],
            cwd=self.directory, capture_output=True, text=True, timeout=60, check=False)


class RedIsRed(unittest.TestCase):
    def run_inner(self, tests, program="selftest-red", timeout=60, environment=None):
        directory = tempfile.TemporaryDirectory(prefix="selftest.")
        self.addCleanup(directory.cleanup)
        return InnerRun(directory.name, program, tests, timeout, environment or {})

    def assert_red(self, test, says, **options):
        run = self.run_inner(f":{test}$", **options)
        self.assertNotEqual(run.code, 0, run.text)
        self.assertEqual(run.statuses(), {test: "fail"}, run.text)
        self.assertIn("0% tests passed, 1 tests failed out of 1", run.text)
        self.assertIn(says, run.text)
        self.assertNotIn("did not run", run.text)

    def assert_one_sentence(self, run):
        """Judges the run: each failure has one sentence, and it is the same in every output. Gives the sentences."""
        verdict = run.verdict()
        self.assertEqual(verdict.returncode, 1, run.text)
        report = {path.name: path.read_text() for path in (run.directory / "report").iterdir()}
        messages = {f'{case.get("classname")}:{case.get("name")}': case.find("failure").get("message")
                    for case in ElementTree.fromstring(report["junit.xml"]).iter("testcase")
                    if case.find("failure") is not None}
        failed = [test for test in json.loads(report["results.json"])["tests"] if test["outcome"] == "failed"]
        self.assertTrue(failed)
        for test in failed:
            why = test["why"]
            self.assertRegex(why, r"\A\S[^\n]+\Z")
            self.assertEqual(messages[test["test"]], why)
            self.assertIn(f"`{why}`", report["summary.md"])
            self.assertRegex(report["annotations.txt"], "(?m)^::error [^\n]*::" + re.escape(why) + "(%0A|$)")
            self.assertIn(f"<h3>{html.escape(why)}</h3>", report["report.html"].replace("&#39;", "&#x27;"))
            self.assertIn(f'{test["test"]}: failed: {why}\n', verdict.stderr)
        return [test["why"] for test in failed]

    def assert_no_run(self, program, says):
        run = self.run_inner(".", program=program)
        self.assertFalse(run.listable)
        self.assertNotEqual(run.code, 0, run.text)
        self.assertIn(says, run.text)

    def test_a_failed_expectation_is_red(self):
        self.assert_red("Control.Fails", "Expected equality of these values")

    def test_a_watch_that_tells_other_than_what_happened_is_red(self):
        for fault in ("dropped", "doubled", "reordered"):
            with self.subTest(fault):
                self.assert_red("ApiServerModel.TellsEveryWatcherOfEachChangeOnceAndInOrder", "heard",
                                program="unit-apiserver", environment={"KNETSIM_PLANTED_FAULT": fault})

    def test_an_exception_while_booting_is_red(self):
        self.assert_red("BootThrows.Test", "the topology can't boot")

    def test_a_failed_assertion_while_booting_is_red(self):
        self.assert_red("BootFails.Test", "the topology can't boot")

    def test_a_failed_boot_of_a_whole_suite_is_red(self):
        self.assert_red("SuiteBootFails.Test", "the suite can't boot")

    def test_an_exception_while_a_whole_suite_boots_is_red(self):
        self.assert_red("SuiteBootThrows.Test", "the suite can't boot")

    def test_a_failed_environment_is_red(self):
        self.assert_red("Environment.Test", "the environment can't boot", program="selftest-environment")

    def test_a_failed_tear_down_is_red(self):
        self.assert_red("TearDownFails.Test", "a daemon died unnoticed")

    def test_a_failure_followed_by_a_skip_is_red(self):
        self.assert_red("FailsThenSkips.Test", "the topology can't boot")

    def test_a_failure_that_prints_skipped_is_red(self):
        self.assert_red("Prints.SkippedAndFails", "[  SKIPPED ]")

    def test_a_failure_that_prints_passed_is_red(self):
        self.assert_red("Prints.PassedAndFails", "[  PASSED  ]")

    def test_a_segmentation_fault_is_red_and_named(self):
        self.assert_red("Crashes.BySegmentationFault", "Exception: SegFault")

    def test_an_abort_is_red(self):
        self.assert_red("Crashes.ByAbort", "aborted")

    def test_a_kill_is_red(self):
        self.assert_red("Crashes.ByKill", "Exception")

    def test_a_sanitizer_report_is_red(self):
        self.assert_red("Crashes.LikeASanitizer", "heap-use-after-free")

    def test_a_leak_reported_at_exit_is_red(self):
        self.assert_red("Crashes.LikeALeakAtExit", "detected memory leaks")

    def test_a_hang_is_red(self):
        self.assert_red("Hangs.ForEver", "Timeout", timeout=3)

    def test_a_pass_is_green(self):
        run = self.run_inner(":Control.Passes$")
        self.assertEqual((run.code, run.statuses()), (0, {"Control.Passes": "run"}), run.text)
        self.assertEqual(run.verdict().returncode, 0)

    def test_a_skip_is_reported_as_one_and_red_unless_allowed(self):
        run = self.run_inner(":Control.Skips$")
        self.assertEqual((run.code, run.statuses()), (0, {"Control.Skips": "notrun"}), run.text)
        verdict = run.verdict()
        self.assertEqual(verdict.returncode, 1)
        self.assertIn("selftest-red:Control.Skips: didn't run", verdict.stderr)
        self.assertEqual(run.verdict("selftest-red:Control.Skips  # shown here").returncode, 0)

    def test_a_test_that_leaves_with_code_zero_is_red(self):
        run = self.run_inner(":Leaves.WithCodeZero$")
        verdict = run.verdict()
        self.assertEqual(verdict.returncode, 1, run.text)
        self.assertIn("left no result", verdict.stderr)

    def test_a_test_that_leaves_with_the_code_of_a_skip_is_red_even_if_it_may_skip(self):
        run = self.run_inner(":Leaves.WithTheCodeOfASkip$")
        verdict = run.verdict("selftest-red:*  # shown here")
        self.assertEqual(verdict.returncode, 1, run.text)
        self.assertIn("left no result", verdict.stderr)

    def test_a_test_that_a_filter_of_the_shell_deselects_is_red(self):
        shard = {"GTEST_TOTAL_SHARDS": "64", "GTEST_SHARD_INDEX": "63"}
        run = self.run_inner(":Control.Passes$", environment=shard)
        self.assertEqual(run.statuses(), {"Control.Passes": "fail"}, run.text)

    def test_a_daemon_left_behind_with_the_output_open_does_not_hang_the_run(self):
        run = self.run_inner(":Leaves.ADaemonThatHoldsTheOutput$")
        self.assertEqual((run.code, run.statuses()), (0, {"Leaves.ADaemonThatHoldsTheOutput": "run"}), run.text)

    def test_a_broken_build_is_red_in_every_output_with_the_right_words(self):
        run = self.run_inner("BootThrows.Test$|BySegmentationFault$|ForEver$|Control.Fails$", timeout=3)
        self.assertLessEqual({"the topology can't boot", "1 is not 2"}, set(self.assert_one_sentence(run)))
        for name in ("report.html", "summary.md", "junit.xml", "annotations.txt", "results.json"):
            text = html.unescape((run.directory / "report" / name).read_text())
            for words in ("the topology can't boot", "crashed: SEGFAULT", "hung: it was ended after",
                          "Expected equality of these values"):
                self.assertIn(words, text, name)
        self.assertIn("file=suites/selftest/red.cpp,line=", (run.directory / "report/annotations.txt").read_text())

    def test_a_lost_packet_is_red_with_its_path_marked_and_its_evidence(self):
        run = self.run_inner(":Red.LosesAPacket$", program="selftest-emulation")
        self.assertEqual(run.statuses(), {"Red.LosesAPacket": "fail"}, run.text)
        why, = self.assert_one_sentence(run)
        self.assertEqual(why, "LOST at w2: LINK_DOWN: flannel.100 is down; remedy: w2 ip link set flannel.100 up")
        page = (run.directory / "report/report.html").read_text()
        self.assertIn("The failing path: w1/c1 – w1 – s0 – w2<", page)  # where it was lost
        for words in ("While <b>w1/c1</b>", "flannel.100", "trace.pcapng", "C0: flannel",
                      'data-left="w1" data-right="w2" data-file="links.txt"'):
            self.assertIn(words, page)

    def test_a_program_without_tests_is_red(self):
        self.assert_no_run("selftest-empty", "has no tests")

    def test_a_program_with_a_disabled_test_is_red(self):
        self.assert_no_run("selftest-disabled", "is disabled")

    def test_a_program_that_cannot_tell_its_tests_is_red(self):
        self.assert_no_run("selftest-unlistable", "a library is missing")

    def test_a_program_that_was_not_built_is_red(self):
        run = self.run_inner(".", program="selftest-absent")
        self.assertNotEqual(run.code, 0, run.text)
        self.assertIn("selftest-absent:not-built", run.text)

    def test_a_selection_that_matches_nothing_is_red(self):
        run = self.run_inner(":No.Such$")
        self.assertNotEqual(run.code, 0, run.text)
        self.assertEqual(run.verdict().returncode, 1)

    def test_tests_with_odd_parameters_are_all_found_and_run(self):
        run = self.run_inner(".", program="selftest-listing")
        expected = {f"Odd/Listing.Test/{i}": "run" for i in range(8)} | {f"Typed/{i}.Test": "run" for i in range(2)}
        self.assertEqual((run.code, run.statuses()), (0, expected), run.text)
        self.assertEqual(run.verdict().returncode, 0)
        commands = [test["command"] for test in json.loads((run.directory / "out/registered.json").read_text())["tests"]]
        files = [argument for command in commands for argument in command if "xml:" in argument]
        self.assertEqual(len(set(files)), len(expected), "two tests write the same result file")
