"""No program calls it success when what it printed couldn't be written."""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

BIN = pathlib.Path(os.environ["KNETSIM_BUILD"]) / "bin"


class FullDevice(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="output.")
        self.addCleanup(directory.cleanup)
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": directory.name}

    def run_program(self, command, stdout, given="", environment=()):
        return subprocess.run([str(word) for word in command], stdout=stdout, stderr=subprocess.PIPE, text=True,
                              input=given, env={**self.environment, **dict(environment)}, timeout=120, check=False)

    def check(self, command, **given):
        """Prints something into a pipe, and fails with a full device and with a stdout that is closed."""
        closed = ["sh", "-c", 'exec "$@" >&-', "sh"]
        good = self.run_program(command, subprocess.PIPE, **given)
        for prefix in [[], closed]:
            with self.subTest(" ".join(str(word) for word in prefix + command)), open("/dev/full", "w") as full:
                self.assertTrue(good.stdout, good.stderr)
                bad = self.run_program(prefix + command, full, **given)
                self.assertNotEqual(bad.returncode, 0)
                if good.returncode == 0:  # what has failed anyway has more important things to say
                    self.assertIn("stdout", bad.stderr)

    def test_is_no_place_for_help(self):
        programs = [path for path in sorted(BIN.glob("knetsim*")) if path.is_file()]
        self.assertGreater(len(programs), 2)
        for program in programs:
            if self.run_program([program, "--help"], subprocess.PIPE).stdout:  # flanneld's is on stderr
                self.check([program, "--help"])

    def test_is_no_place_for_what_a_command_prints(self):
        listed = self.run_program([BIN / "knetsim", "--help"], subprocess.PIPE).stdout.partition("Subcommands:")[2]
        commands = re.findall(r"^  (\w+) ", listed, re.MULTILINE)
        self.assertIn("up", commands)
        arguments = {"up": ["single"], "check": ["--only", "workers"], "completion": ["bash"], "validate": ["pair"]}
        for command in commands:
            if command not in ("exec", "do", "explain", "kubectl", "inspect", "down"):  # those need a lab
                self.check([BIN / "knetsim", command, *arguments.get(command, [])])
            self.check([BIN / "knetsim", command, "--help"])

    def test_is_no_place_for_a_plugin_s_answer(self):
        self.check([BIN / "cni/flannel"], given='{"cniVersion": "1.0.0"}', environment={"CNI_COMMAND": "VERSION"})

    def test_is_no_place_for_a_list_of_tests(self):
        for suite in sorted(BIN.glob("suite-*"))[:2]:
            self.check([suite, "--gtest_list_tests"])
