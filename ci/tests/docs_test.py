"""What the documentation refers to is there."""

import os
import pathlib
import re
import subprocess
import unittest

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
DOCUMENTS = [*sorted(SOURCE.glob("*.md")), *sorted((SOURCE / "docs").rglob("*.md"))]
CODE = [file for folder in ("src", "fixtures", "suites", "reports", "ci") for file in sorted((SOURCE / folder).rglob("*"))
        if file.suffix in (".h", ".cpp", ".cmake", ".in", ".txt", ".py") or file.parent == SOURCE / "ci"]


class Docs(unittest.TestCase):
    def test_every_relative_link_leads_somewhere(self):
        for document in DOCUMENTS:
            for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text()):
                if "://" not in target:
                    self.assertTrue((document.parent / target).exists(), f"{document}: {target}")

    def test_every_document_that_the_code_names_is_there(self):
        for file in CODE:
            if not file.is_file() or file == pathlib.Path(__file__):
                continue
            for target in re.findall(r"(?<![\w/])docs/[A-Za-z0-9_/-]+(?:\.[a-z]+)?", file.read_text()):
                self.assertTrue((SOURCE / target).exists(), f"{file}: {target}")

    def test_the_architecture_page_shows_the_rooms_as_they_are(self):
        drawn = subprocess.run([SOURCE / "ci/rooms.py"], capture_output=True, text=True, check=True).stdout
        self.assertIn(drawn, (SOURCE / "docs/architecture.md").read_text(), "ci/rooms.py --write mends it")

    def test_the_architecture_page_names_files_that_are_there(self):
        files = {str(file.relative_to(SOURCE)) for file in CODE}
        for name in re.findall(r"`([\w/.]+\.(?:h|cpp|py))`", (SOURCE / "docs/architecture.md").read_text()):
            self.assertTrue(any(file.endswith("/" + name) or file == name for file in files), name)

    def test_every_decision_has_a_status_and_a_date(self):
        for decision in (SOURCE / "docs/decisions").glob("0*.md"):
            self.assertRegex(decision.read_text().splitlines()[2],
                             r"^Status: (accepted|superseded by \d+), \d{4}-\d\d-\d\d\.( Amends [\d, ]+\.)?$",
                             str(decision))

    def test_every_variable_that_is_read_is_on_the_page_of_variables(self):
        """Strings of the programs; in scripts what the environment is asked for, by any of its ways."""
        reads = r'"(KNETSIM_[A-Z_]+)"'
        asks = r"""(?:\$\{?|environ(?:\.get\()?\W*|process\.env\.)(KNETSIM_[A-Z_]+)"""
        own = {"KNETSIM_PLANTED_FAULT", "KNETSIM_MARK", "KNETSIM_OF_A_TEST"}  # of tests alone
        read = set()
        for file in CODE:
            if not file.is_file() or "tests" in file.parts[len(SOURCE.parts):-1] or "cmake" in file.parts or \
                    file.name == "CMakeLists.txt":
                continue
            read |= set(re.findall(reads if file.suffix in (".h", ".cpp") else asks, file.read_text()))
        read |= set(re.findall(asks, (SOURCE / ".ci/run").read_text()))
        read |= set(re.findall(asks, (SOURCE / "ci/page/check.mjs").read_text()))
        told = set(re.findall(r"`(KNETSIM_[A-Z_]+)`", (SOURCE / "docs/variables.md").read_text()))
        self.assertEqual(read - own - told, set(), "read, and not in docs/variables.md")
        known = read | {"KNETSIM_BUILD", "KNETSIM_CTEST"}
        self.assertEqual(told - known, set(), "in docs/variables.md, and read by nobody")

    def test_the_readme_s_commands_and_labels_exist(self):
        text = (SOURCE / "README.md").read_text()
        for script in re.findall(r"\bci/[a-z]+[a-z.-]*", text):
            self.assertTrue((SOURCE / script.rstrip(".")).exists(), script)
        said = re.search(r"one family: (.*?)\nci/test", text, re.DOTALL).group(1)
        known = subprocess.run([os.environ["KNETSIM_CTEST"], "--print-labels"], cwd=os.environ["KNETSIM_BUILD"],
                               capture_output=True, text=True, check=True).stdout
        self.assertEqual(set(re.findall(r"[a-z-]+", said)), set(re.findall(r"^  ([a-z-]+)$", known, re.MULTILINE)))
        checks = set(re.findall(r"^\| `([a-z-]+)` \|", text, re.MULTILINE))
        proven = {check for suite in (SOURCE / "suites").glob("readme*_suite.cpp")
                  for check in re.findall(r'KNETSIM_CHECK\(\s*\w+, \w+, "([a-z-]+)"', suite.read_text())}
        self.assertEqual(checks, proven, "the README's table and the checks of the suite differ")
