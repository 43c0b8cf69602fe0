"""What `knetsim-report collect` calls red, with fabricated results."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

REPORT = pathlib.Path(os.environ["KNETSIM_BUILD"]) / "bin/knetsim-report"

PASSED = '<testcase name="T" status="run" result="completed"/>'
FAILED = '<testcase name="T" status="run" result="completed"><failure message="1 is not 2"/></testcase>'
SKIPPED = '<testcase name="T" status="run" result="skipped"><skipped message="no daemon"/></testcase>'
NOT_RUN = '<testcase name="T" status="notrun" result="suppressed"/>'


def gtest(cases, failures=0):
    return f'<testsuites tests="1" failures="{failures}" errors="0"><testsuite name="S">{cases}</testsuite></testsuites>'


class Verdict(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        (self.directory / "xml").mkdir()
        self.registered = {}
        self.results = []
        self.allowed = ""

    def add(self, name, status, xml=None, gtest_program=True):
        """A registered test, its status in ctest's JUnit file, and what its GoogleTest file holds (None: no file)."""
        file = self.directory / "xml" / f"{len(self.registered)}.xml"
        self.registered[name] = ["program", f"--gtest_filter={name}"]
        if gtest_program:
            self.registered[name].append(f"--gtest_output=xml:{file}")
        if xml is not None:
            file.write_text(xml)
        if status is not None:
            self.results.append(f'<testcase name="{name}" status="{status}"/>')

    def judge(self, *arguments):
        listing = {"tests": [{"name": name, "command": command} for name, command in self.registered.items()]}
        (self.directory / "registered.json").write_text(json.dumps(listing))
        (self.directory / "ctest.xml").write_text(f'<testsuite>{"".join(self.results)}</testsuite>')
        (self.directory / "allowed.txt").write_text(self.allowed)
        return self.run_verdict(*arguments)

    def run_verdict(self, *arguments):
        ran = subprocess.run(
            [REPORT, "collect", self.directory, "--to", self.directory / "report", "--allowed-skips",
             self.directory / "allowed.txt", *arguments],
            capture_output=True, text=True, timeout=60, check=False)
        return ran.returncode, ran.stdout + ran.stderr

    def assert_green(self, *arguments):
        self.assertEqual(self.judge(*arguments), (0, ""))

    def assert_red(self, reason, *arguments):
        code, text = self.judge(*arguments)
        self.assertEqual(code, 1, text)
        self.assertIn(reason, text)

    def test_a_run_in_which_all_agree_is_green_and_silent(self):
        self.add("a", "run", gtest(PASSED))
        self.add("b", "run", gtest_program=False)
        self.assert_green()

    def test_no_test_at_all_is_red(self):
        self.assert_red("no test ran at all")

    def test_a_skip_that_nobody_allowed_is_red(self):
        self.add("a", "run", gtest(PASSED))
        self.add("b", "notrun", gtest(SKIPPED))
        self.assert_red("b: didn't run, and allowed.txt doesn't allow that")

    def test_an_allowed_skip_is_green(self):
        self.add("suite-flannel:Mesh.Forms/real", "notrun", gtest(SKIPPED))
        self.allowed = "# heading\n\nsuite-flannel:*/real  # flanneld isn't a Debian package\n"
        self.assert_green()

    def test_an_allowed_skip_by_exact_name_is_green(self):
        self.add("b", "notrun", gtest(SKIPPED))
        self.allowed = "b # why"
        self.assert_green()

    def test_leave_for_one_name_is_no_leave_for_a_longer_one(self):
        self.add("b", "notrun", gtest(SKIPPED))
        self.add("bb", "notrun", gtest(SKIPPED))
        self.allowed = "b # why"
        self.assert_red("bb: didn't run")

    def test_leave_without_a_reason_is_red(self):
        self.add("b", "notrun", gtest(SKIPPED))
        self.allowed = "b #  "
        self.assert_red('allowed.txt:1: "b" has no reason')

    def test_leave_that_matches_no_test_is_red(self):
        self.add("a", "run", gtest(PASSED))
        self.allowed = "gone:* # why"
        self.assert_red('"gone:*" matches no test')

    def test_leave_that_matches_no_test_is_fine_when_only_some_tests_were_asked_for(self):
        self.add("a", "run", gtest(PASSED))
        self.allowed = "gone:* # why"
        self.assert_green("--partial")

    def test_leave_given_twice_is_red(self):
        self.add("b", "notrun", gtest(SKIPPED))
        self.allowed = "b # why\nb # why again"
        self.assert_red("stands there twice")

    def test_a_disabled_test_is_red(self):
        self.add("a", "disabled", gtest(PASSED))
        self.assert_red("a: didn't run")

    def test_a_test_without_a_status_is_red(self):
        self.add("a", "", gtest(PASSED))
        self.assert_red("a: didn't run")

    def test_a_registered_test_that_ctest_says_nothing_about_is_red(self):
        self.add("a", "run", gtest(PASSED))
        self.add("b", None)
        self.assert_red("b: registered, yet ctest reports nothing about it")

    def test_a_reported_test_that_was_not_registered_is_red(self):
        self.add("a", "run", gtest(PASSED))
        self.results.append('<testcase name="b" status="run"/>')
        self.assert_red("b: ctest reports it, yet it isn't registered")

    def test_a_test_reported_twice_is_red(self):
        self.add("a", "run", gtest(PASSED))
        self.results *= 2
        self.assert_red("a: reported more than once")

    def test_a_pass_without_a_result_file_is_red(self):
        self.add("a", "run")
        self.assert_red("a: passed says ctest, but it left no result in")

    def test_a_pass_with_half_a_result_file_is_red(self):
        self.add("a", "run", gtest(PASSED)[:40])
        self.assert_red("a: passed says ctest, but it left no result in")

    def test_a_pass_whose_result_file_tells_of_a_failure_is_red(self):
        self.add("a", "run", gtest(FAILED, failures=1))
        self.assert_red(": 1 is not 2")

    def test_a_pass_whose_suite_set_up_failed_is_red(self):
        self.add("a", "run", gtest(PASSED, failures=1))
        self.assert_red("failed outside of its test cases")

    def test_a_pass_whose_result_file_tells_of_a_skip_is_red(self):
        self.add("a", "run", gtest(SKIPPED))
        self.assert_red("a: passed says ctest, skipped says")

    def test_a_pass_in_which_no_test_case_ran_is_red(self):
        self.add("a", "run", gtest(NOT_RUN))
        self.assert_red("a: passed says ctest, empty says")

    def test_an_allowed_skip_whose_result_file_tells_of_a_failure_is_red(self):
        self.add("a", "notrun", gtest(FAILED, failures=1))
        self.allowed = "a # why"
        self.assert_red("a: skipped says ctest, failed says")

    def test_an_allowed_skip_of_a_test_that_was_never_started_is_red(self):
        self.add("a", "notrun")
        self.allowed = "a # why"
        self.assert_red("a: skipped says ctest, but it left no result")

    def test_a_crash_needs_no_result_file(self):
        self.add("a", "fail")
        self.assert_red("a: failed: failed without leaving a result")
        self.assertNotIn("that ctest doesn't count", self.run_verdict()[1])

    def test_every_reason_is_told_at_once(self):
        self.add("a", "run")
        self.add("b", "notrun", gtest(SKIPPED))
        code, text = self.judge()
        self.assertEqual(code, 1)
        self.assertIn("2 reasons that ctest doesn't count", text)

    def test_a_missing_ctest_result_cannot_be_judged(self):
        self.judge()
        (self.directory / "ctest.xml").unlink()
        code, text = self.run_verdict()
        self.assertEqual(code, 2)
        self.assertIn("ctest.xml", text)

    def test_half_a_ctest_result_cannot_be_judged(self):
        self.judge()
        (self.directory / "ctest.xml").write_text("<testsuite")
        self.assertEqual(self.run_verdict()[0], 2)

    def test_a_listing_that_is_not_json_cannot_be_judged(self):
        self.judge()
        (self.directory / "registered.json").write_text("")
        self.assertEqual(self.run_verdict()[0], 2)
