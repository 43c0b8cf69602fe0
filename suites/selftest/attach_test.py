"""KNETSIM_PAUSE and the README's way to attach to what stands still."""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

PROGRAM = pathlib.Path(os.environ["KNETSIM_BUILD"]) / "bin/suite-readme"
TEST = "Readme.FlannelRunsOnEveryWorker"


def innermost(pid):
    """The only child of the only child ...: the program itself inside its sandbox."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    same_name = [child for child in children
                 if pathlib.Path(f"/proc/{child}/comm").read_text() == pathlib.Path(f"/proc/{pid}/comm").read_text()]
    return innermost(same_name[0]) if same_name else pid


class Attach(unittest.TestCase):
    def start(self, **environment):
        directory = tempfile.TemporaryDirectory(prefix="attach.")
        self.addCleanup(directory.cleanup)
        program = subprocess.Popen(
            [PROGRAM, f"--gtest_filter={TEST}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, env={**os.environ, "KNETSIM_OUT": directory.name, **environment})
        self.addCleanup(program.communicate)
        self.addCleanup(program.kill)
        return program

    def test_a_paused_emulation_can_be_visited_and_goes_on_afterwards(self):
        program = self.start(KNETSIM_PAUSE="boot")
        said = []
        for line in program.stdout:
            said.append(line)
            if "Enter goes on" in line:
                break
        command = re.search(r"^  (nsenter .* bash)$", "".join(said), re.MULTILINE)
        self.assertTrue(command, "".join(said))
        if os.geteuid() == 0:
            # pgrep finds the newest of that name, which may be another test's.
            words = re.sub(r"\$\(pgrep[^)]*\)", str(innermost(program.pid)), command[1]).split()
            visit = subprocess.run([*words[:-1], "ip", "-br", "address"], capture_output=True, text=True, check=False)
            self.assertEqual(visit.returncode, 0, visit.stderr)
            self.assertRegex(visit.stdout, r"eth0@\S+ +UP +10\.0\.0\.1/8")
        output, _ = program.communicate("\n", timeout=60)
        self.assertEqual(program.returncode, 0, output)
        self.assertIn("[  PASSED  ] 1 test.", output)

    def test_a_pause_that_nobody_asked_for_is_not_made(self):
        program = self.start(KNETSIM_PAUSE="failure")
        output = program.stdout.read()
        self.assertEqual(program.wait(), 0, output)
        self.assertNotIn("paused", output)
