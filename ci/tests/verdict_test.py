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
OTHER = '<testcase name="T" classname="Other" status="run" result="completed"/>'
LAUGHS = ('<!DOCTYPE lolz [<!ENTITY a0 "T">' + "".join(f'<!ENTITY a{i + 1} "{f"&a{i};" * 10}">' for i in range(9)) + "]>")
NOT_RUN = '<testcase name="T" status="notrun" result="suppressed"/>'


def gtest(cases, failures=0, head=""):
    return head + f'<testsuites tests="1" failures="{failures}" errors="0"><testsuite name="S">{cases}</testsuite></testsuites>'


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
        self.registered[name] = ["/build/bin/program", "--gtest_filter=S.T"]
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

    def test_a_result_of_another_test_proves_nothing(self):
        cases = {"another suite": OTHER,
                 "another test": PASSED.replace('"T"', '"U"'),
                 "another parameter": PASSED.replace('"T"', '"T/builtin"'),
                 "another parameterised suite": PASSED.replace('"T"', '"T" classname="Flavours/S"'),
                 "its own and another": PASSED + OTHER,
                 "its own, twice": PASSED * 2,
                 "another program": PASSED.replace("/>", '><properties><property name="program" value="suite-x"/>'
                                                         "</properties></testcase>"),
                 "a name of a billion laughs": PASSED.replace('"T"', '"&a9;"')}
        for kind, case in cases.items():
            with self.subTest(kind):
                self.registered, self.results = {}, []
                self.add("a", "run", gtest(case, head=LAUGHS if "laughs" in kind else ""))
                self.assert_red("a: passed says ctest, but ")
                self.registered, self.results = {}, []
                self.add("a", "notrun", gtest(SKIPPED + case))
                self.allowed = "a # why"
                self.assert_red("a: skipped says ctest, but ")
                self.allowed = ""

    def test_two_tests_registered_under_one_name_are_red(self):
        self.add("a", "run", gtest(PASSED))
        self.judge()
        listing = json.loads((self.directory / "registered.json").read_text())
        listing["tests"] *= 2
        (self.directory / "registered.json").write_text(json.dumps(listing))
        code, text = self.run_verdict()
        self.assertEqual(code, 1)
        self.assertIn("a: registered more than once", text)

    def test_without_a_file_of_allowed_skips_the_reason_says_so(self):
        self.add("a", "notrun", gtest(SKIPPED))
        self.judge()
        ran = subprocess.run([REPORT, "collect", self.directory, "--to", self.directory / "report"],
                             capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(ran.returncode, 1)
        self.assertIn("a: didn't run, and no file of allowed skips was given (--allowed-skips): no daemon", ran.stderr)

    def test_tests_that_failed_for_one_reason_are_one_entry(self):
        for number in range(11):
            failed = FAILED.replace("1 is not 2", f"a.cpp:1&#x0A;w1 can't ping 11.{number}.0.2: 1 sent, 0 received")
            self.add(f"t{number}", "fail", gtest(failed, failures=1))
        code, text = self.judge()
        self.assertEqual(code, 1)
        self.assertEqual(text.count("can't ping"), 1, text)
        self.assertIn("11 tests failed: w1 can't ping 11.0.0.2: 1 sent, 0 received", text)
        for number in range(11):
            self.assertIn(f"    t{number}\n", text)

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
