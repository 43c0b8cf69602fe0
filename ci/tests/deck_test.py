"""What the documents let people type is typed into a real lab: the deck's and the first ten minutes' console blocks, which
show what comes, and the table for those who come from Mininet."""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from console import BUDGET, PROMPT, Session, commands_in, console_blocks

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = pathlib.Path(os.environ["KNETSIM_BUILD"]) / "bin"


class Deck(unittest.TestCase):
    def test_every_exercise_has_an_answer_in_the_notes(self):
        exercises = [slide for slide in (SOURCE / "docs/deck.md").read_text().split("\n---\n") if "**Try" in slide]
        self.assertGreater(len(exercises), 3)
        for slide in exercises:
            with self.subTest(slide.strip().splitlines()[0]):
                note = slide.partition("**Try")[2].partition("<!--")[2]
                self.assertRegex(note, r"(?s)```console\n.*```\n-->")

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="deck.")
        self.addCleanup(directory.cleanup)
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": directory.name, "PATH": f"{BIN}:{os.environ['PATH']}"}

    def test_every_line_for_those_who_come_from_mininet_works(self):
        table = (SOURCE / "docs/from-mininet.md").read_text().partition("| outside the prompt")[0]
        lines = re.findall(r"^\|[^|]*\| `([^`]+)` \|", table, re.MULTILINE)
        self.assertGreater(len(lines), 15)
        ran = subprocess.run([BIN / "knetsim", "up", "--strict"], input="\n".join(lines) + "\n", capture_output=True,
                             text=True, timeout=BUDGET, check=False, env=self.environment)
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
        for line in lines:
            self.assertIn(f"{PROMPT}{line}\n", ran.stdout)

    def type_all_of(self, document, at_least):
        session = Session(self.environment)
        self.addCleanup(session.close)
        count = 0
        for block in console_blocks((SOURCE / "docs" / document).read_text()):
            for command, shown in commands_in(block):
                if command.startswith("# "):
                    continue  # the night's: ci/first-ten-minutes installs the package
                with self.subTest(command):
                    session.type(command, shown)
                    count += 1
        self.assertGreater(count, at_least, f"{document} has fewer commands than it should: is its format understood?")

    def test_every_command_shows_what_the_deck_says(self):
        self.type_all_of("deck.md", 60)

    def test_every_command_of_the_first_ten_minutes_shows_what_stands_there(self):
        self.type_all_of("first-ten-minutes.md", 12)
