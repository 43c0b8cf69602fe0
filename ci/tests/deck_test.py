"""What the documents let people type is typed into a real lab: the deck's console blocks, which show what comes, and the
table for those who come from Mininet."""

import os
import pathlib
import pty
import re
import select
import subprocess
import tempfile
import time
import unittest

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = pathlib.Path(os.environ["KNETSIM_BUILD"]) / "bin"
PROMPT = "knetsim> "
SHELL = "C0w1:~# "  # of a shell on a node; an ordinary user's ends in "$ "
BUDGET = 60


def console_blocks(text):
    return re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands_in(block):
    """(command with its prompt, lines that it shows)..."""
    commands = []
    for line in block.splitlines():
        if line.startswith((PROMPT, SHELL, "$ ")):
            commands.append((line, []))
        else:
            commands[-1][1].append(line)
    return commands


def pattern_of(lines):
    """Blanks may be more in the output, where a table is as wide as its cells."""
    def of_line(line):
        escaped = "[^\n]*".join(re.escape(part) for part in line.split("…"))
        return re.sub(r"(\\ )+", " *", escaped) + " *\n"
    return re.compile("".join("(?:[^\n]*\n)*?" if line == "⋮" else of_line(line) for line in lines))


class Lab:
    """`knetsim up` on a terminal."""

    def __init__(self, arguments, environment):
        self.master, program_side = pty.openpty()
        self.process = subprocess.Popen([BIN / "knetsim", *arguments], stdin=program_side, stdout=program_side,
                                        stderr=program_side, start_new_session=True,
                                        env={**environment, "TERM": "dumb", "NO_COLOR": "1"})
        os.close(program_side)
        self.unread = ""

    def until(self, *endings):
        """What comes up to and with the first of these, and which it was."""
        deadline = time.monotonic() + BUDGET
        while not any(ending in self.unread for ending in endings):
            ready, _, _ = select.select([self.master], [], [], max(0.0, deadline - time.monotonic()))
            data = b""
            if ready:
                try:
                    data = os.read(self.master, 65536)
                except OSError:
                    pass  # the program has ended
            if not data:
                raise AssertionError(f"{endings!r} didn't come; instead:\n{self.unread}")
            self.unread += data.decode(errors="replace").replace("\r", "")
        end, ending = min((self.unread.index(ending) + len(ending), ending) for ending in endings if ending in self.unread)
        text, self.unread = self.unread[:end], self.unread[end:]
        return text.removesuffix(ending)

    def until_prompt(self):
        return self.until(PROMPT, SHELL, SHELL.replace("#", "$"))

    def type(self, line):
        os.write(self.master, line.encode() + b"\n")
        self.until("\n")

    def close(self):
        os.close(self.master)
        self.process.kill()
        self.process.wait()


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
        self.lab = None

    def stand_up(self, command):
        self.lab = Lab(command.split()[2:], self.environment)
        self.addCleanup(self.lab.close)
        return self.lab.until_prompt()

    def run_outside(self, command):
        ran = subprocess.run(command.removeprefix("$ ").split(), capture_output=True, text=True, timeout=BUDGET,
                             check=False, env=self.environment)
        self.assertEqual(ran.returncode, 0, f"{command}\n{ran.stdout}{ran.stderr}")
        return ran.stdout

    def run_at_the_prompt(self, command, shown):
        self.lab.type(command.removeprefix(PROMPT).removeprefix(SHELL))
        output = ""
        if "^C" in shown:
            # What comes before it in the deck has come before the key is pressed here.
            before = shown[shown.index("^C") - 1].split("…")[0]
            output = self.lab.until(before) + before
            os.write(self.lab.master, b"\x03")
        if command == PROMPT + "exit":
            self.assertEqual(self.lab.process.wait(timeout=BUDGET), 0)
            return ""
        return output + self.lab.until_prompt()

    def test_every_line_for_those_who_come_from_mininet_works(self):
        table = (SOURCE / "docs/from-mininet.md").read_text().partition("| outside the prompt")[0]
        lines = re.findall(r"^\|[^|]*\| `([^`]+)` \|", table, re.MULTILINE)
        self.assertGreater(len(lines), 15)
        ran = subprocess.run([BIN / "knetsim", "up", "--strict"], input="\n".join(lines) + "\n", capture_output=True,
                             text=True, timeout=BUDGET, check=False, env=self.environment)
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
        for line in lines:
            self.assertIn(f"{PROMPT}{line}\n", ran.stdout)

    def test_every_command_shows_what_the_deck_says(self):
        count = 0
        for block in console_blocks((SOURCE / "docs/deck.md").read_text()):
            for command, shown in commands_in(block):
                with self.subTest(command):
                    if command.startswith("$ knetsim up"):
                        output = self.stand_up(command)
                    elif command.startswith("$ "):
                        output = self.run_outside(command)
                    else:
                        output = self.run_at_the_prompt(command, shown)
                    self.assertRegex(output + "\n" * (not output.endswith("\n")),
                                     re.compile(r"\A\s*" + pattern_of(shown).pattern + r"\s*\Z"))
                    count += 1
        self.assertGreater(count, 60, "the deck has fewer commands than it should: is its format understood?")
