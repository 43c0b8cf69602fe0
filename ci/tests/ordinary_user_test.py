"""Without root: the same checks and suites pass, where the kernel allows user namespaces; elsewhere, exit code 2."""

import os
import pathlib
import subprocess
import tempfile
import unittest

BUILD = pathlib.Path(os.environ["KNETSIM_BUILD"])
NOBODY = 65534


class OrdinaryUser(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="ordinary-user.")
        self.addCleanup(directory.cleanup)
        self.prefix = pathlib.Path(directory.name) / "prefix"
        subprocess.run(["cmake", "--install", BUILD, "--prefix", self.prefix], check=True, capture_output=True)
        self.home = pathlib.Path(directory.name) / "home"
        self.home.mkdir()
        pathlib.Path(directory.name).chmod(0o755)
        if os.geteuid() == 0:
            os.chown(self.home, NOBODY, NOBODY)

    def run_program(self, says, name, *arguments):
        user = {}
        if os.geteuid() == 0:
            user = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(self.home), "KNETSIM_OUT": str(self.home / "out")}
        ran = subprocess.run([self.prefix / "bin" / name, *arguments], cwd=self.home, env=environment, text=True,
                             stdin=subprocess.DEVNULL, capture_output=True, timeout=280, check=False, **user)
        text = ran.stdout + ran.stderr
        if self.kernel_allows():
            self.assertEqual(ran.returncode, 0, text)
            self.assertIn(says, text)
        else:
            self.assertEqual(ran.returncode, 2, text)
            self.assertIn("remedy: ", text)

    @staticmethod
    def kernel_allows():
        namespaces = ["unshare", "--user", "--map-current-user", "--mount", "--pid", "--net", "--fork", "true"]
        command = namespaces if os.geteuid() else ["setpriv", f"--reuid={NOBODY}", "--clear-groups", *namespaces]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def test_every_check_of_the_readme_holds(self):
        self.run_program("✓", "knetsim", "check")

    def test_the_cni_suite_passes(self):
        self.run_program("[  PASSED  ]", "suite-cni", "--gtest_filter=*builtin*")

    def test_the_vip_suite_passes(self):
        self.run_program("[  PASSED  ]", "suite-vip", "--gtest_filter=*/real")
