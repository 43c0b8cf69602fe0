#!/usr/bin/env python3
"""Whether a ctest run may be called green.

ctest's own exit code misses some lies: a skip that nobody allowed, a test that left without running, a test that was
registered and never reported, a result file of GoogleTest that says otherwise. This reads

  * what was registered   ctest --show-only=json-v1
  * what ctest reports    ctest --output-junit
  * what GoogleTest says  the --gtest_output=xml:FILE of each test's command line
  * what may be skipped   ci/allowed-skips.txt: "<name or glob>  # <reason>"

and exits 1 with one line for each contradiction; prints nothing when all is well.
"""

import argparse
import fnmatch
import json
import pathlib
import sys
import xml.etree.ElementTree as ElementTree


class AllowedSkips:
    """Patterns of test names that may be skipped, each with its reason."""

    def __init__(self, text, name):
        self.patterns = []
        self.problems = []
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            pattern, _, reason = line.partition("#")
            pattern = pattern.strip()
            if not reason.strip():
                self.problems.append(f'{name}:{number}: "{pattern}" has no reason; write "{pattern}  # why"')
            if pattern in self.patterns:
                self.problems.append(f'{name}:{number}: "{pattern}" stands there twice')
            self.patterns.append(pattern)
        self.name = name

    def allow(self, test):
        return any(fnmatch.fnmatchcase(test, pattern) for pattern in self.patterns)

    def rotten(self, tests):
        return [
            f'{self.name}: "{pattern}" matches no test; delete the line'
            for pattern in self.patterns
            if not fnmatch.filter(tests, pattern)
        ]


def registered_tests(listing):
    """Name -> GoogleTest result file, None for a test that isn't a GoogleTest one."""
    tests = {}
    for test in listing["tests"]:
        files = [a.removeprefix("--gtest_output=xml:") for a in test.get("command", []) if a.startswith("--gtest_output=xml:")]
        tests[test["name"]] = pathlib.Path(files[0]) if files else None
    return tests


def ctest_results(junit):
    """Name -> passed, failed or skipped. "skipped" is everything that didn't run, whatever the cause."""
    status = {"run": "passed", "fail": "failed"}
    return [(case.get("name"), status.get(case.get("status"), "skipped")) for case in junit.iter("testcase")]


def gtest_result(file):
    """(passed | failed | skipped | empty, first message) of one GoogleTest result file; None if it isn't readable."""
    try:
        root = ElementTree.parse(file).getroot()
    except (OSError, ElementTree.ParseError):
        return None
    cases = [case for case in root.iter("testcase") if case.get("status") == "run"]
    for case in cases:
        failure = case.find("failure")
        if failure is not None:
            return "failed", failure.get("message", "")
    # A failure of a suite's or the environment's set-up belongs to no test case.
    if int(root.get("failures", 0)) or int(root.get("errors", 0)):
        return "failed", "failed outside of its test cases"
    if not cases:
        return "empty", "no test case ran"
    if all(case.get("result") == "skipped" for case in cases):
        return "skipped", ""
    return "passed", ""


def problems_of(registered, results, allowed, partial):
    problems = list(allowed.problems)
    if not results:
        problems.append("no test ran at all")
    names = [name for name, _ in results]
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.append(f"{name}: reported more than once")
    for name in registered:
        if name not in names:
            problems.append(f"{name}: registered, yet ctest reports nothing about it")
    for name, status in results:
        file = registered.get(name)
        if name not in registered:
            problems.append(f"{name}: ctest reports it, yet it isn't registered")
        if status == "skipped" and not allowed.allow(name):
            problems.append(f"{name}: didn't run, and {allowed.name} doesn't allow that")
        # A test that failed may have had no time to write its file, and needs no witness.
        if file is None or status == "failed":
            continue
        said = gtest_result(file)
        if said is None:
            problems.append(f"{name}: {status} says ctest, but it left no result in {file}")
        elif said[0] != status:
            problems.append(f"{name}: {status} says ctest, {said[0]} says {file}" + (f": {said[1]}" if said[1] else ""))
    if not partial:
        problems += allowed.rotten(list(registered))
    return problems


def main():
    parser = argparse.ArgumentParser(description="Decide whether a ctest run may be called green.")
    parser.add_argument("--registered", required=True, type=pathlib.Path, help="ctest --show-only=json-v1")
    parser.add_argument("--junit", required=True, type=pathlib.Path, help="ctest --output-junit")
    parser.add_argument("--allowed-skips", required=True, type=pathlib.Path)
    parser.add_argument("--partial", action="store_true", help="only some tests were asked for")
    arguments = parser.parse_args()

    allowed = AllowedSkips(arguments.allowed_skips.read_text(), arguments.allowed_skips.name)
    try:
        registered = registered_tests(json.loads(arguments.registered.read_text()))
        results = ctest_results(ElementTree.parse(arguments.junit).getroot())
    except (OSError, ValueError, ElementTree.ParseError) as error:
        print(f"ci/test: red, because ctest left no readable result: {error}", file=sys.stderr)
        return 1

    problems = problems_of(registered, results, allowed, arguments.partial)
    if problems:
        print(f"ci/test: red for {len(problems)} reason(s) that ctest doesn't count as failures:", file=sys.stderr)
        for problem in problems:
            print(f"  {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
