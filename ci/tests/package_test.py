"""cmake --install and find_package(knetsim), as a stranger's project uses them."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ["KNETSIM_BUILD"])


class Package(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="package.")
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        # Installed in one place and moved to another: nothing may remember the first.
        self.prefix = self.directory / "moved"
        self.run_program("cmake", "--install", BUILD, "--prefix", self.directory / "installed")
        (self.directory / "installed").rename(self.prefix)

    def run_program(self, *command, expect=0, **environment):
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("KNETSIM_")}
        ran = subprocess.run([str(word) for word in command], cwd=self.directory, env={**inherited, **environment},
                             stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=500, check=False)
        text = ran.stdout + ran.stderr
        self.assertEqual(ran.returncode, expect, text)
        return text

    def test_a_stranger_s_project_builds_on_it_and_tests_its_own_daemon(self):
        shutil.copytree(SOURCE / "docs/sample-suite", self.directory / "sample")
        self.run_program("cmake", "-S", "sample", "-B", "build", "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={self.prefix}")
        self.run_program("cmake", "--build", "build")
        told = self.run_program(self.prefix / "bin/knetsim-report", "run", "--", "ctest", "--test-dir", "build",
                                "--no-tests=error", "--output-on-failure")
        self.assertIn("build/report/report.html", told)
        results = json.loads((self.directory / "build/report/results.json").read_text())
        self.assertEqual({test["outcome"] for test in results["tests"]}, {"passed"})
        self.assertGreaterEqual(len(results["tests"]), 5)
        # By hand, without ctest and its environment, the program finds knetsim's own parts as well.
        self.run_program("build/suite-whoami", "--gtest_filter=Whoami.AnswersOverUdp")

    def test_a_debian_package_holds_what_a_first_prompt_needs(self):
        self.run_program("cpack", "--config", BUILD / "CPackConfig.cmake", "-B", self.directory / "packed")
        (package,) = (self.directory / "packed").glob("knetsim_*.deb")
        needs = {need.split()[0] for need in self.run_program("dpkg-deb", "--field", package, "Depends").split(", ")}
        self.assertGreaterEqual(needs, {"etcd-server", "nftables", "iproute2", "libnftnl11", "libc6"})
        self.run_program("dpkg-deb", "--extract", package, "root")
        root = self.directory / "root/usr"
        self.assertIn("✓", self.run_program(root / "bin/knetsim", "check", "--only", "pod-to-pod"))
        manual = (root / "share/man/man1/knetsim.1").read_text()
        commands = re.findall(r"^  ([a-z]+) {2,}[A-Z]", self.run_program(root / "bin/knetsim", "--help"), re.MULTILINE)
        self.assertGreater(len(commands), 10)
        for command in commands:
            self.assertIn(f'.SS "knetsim {command}"', manual)
        self.assertIn("_knetsim", (root / "share/bash-completion/completions/knetsim").read_text())
        self.assertTrue((root / "share/doc/knetsim/README.md").exists())

    def test_the_installed_check_proves_the_network(self):
        text = self.run_program(self.prefix / "bin/knetsim", "check", "--only", "pod-to-pod")
        self.assertIn("✓", text)

    def test_the_package_names_no_path_of_the_tree_it_was_built_in(self):
        for file in self.prefix.rglob("*.cmake"):
            text = file.read_text()
            for tree in (SOURCE, BUILD):
                self.assertNotIn(f"{tree}/", text, file)
