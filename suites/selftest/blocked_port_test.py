"""A check that fails because somebody has blocked a port says so: node, rule and remedy, wherever its reason is told."""

import html
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import red_is_red_test

BUILD = pathlib.Path(os.environ["KNETSIM_BUILD"])
NOBODY = 65534

# Who runs it by hand in the worker's namespace does the same; there it is at the moment when the network comes up.
FLANNELD = """\
#!/bin/sh
if ip -o -4 address show | grep -q ' 10.0.0.4/'; then
  nft 'add table inet firewall; add chain inet firewall input {{ type filter hook input priority 0; }};
       add rule inet firewall input udp dport 8472 drop'
fi
exec {real} "$@"
"""

REASON = re.compile(r'LOST at C0w2: DROPPED_BY_RULE: a rule drops it: chain inet firewall input, handle (\d+); '
                    r'remedy: C0w2 nft delete rule inet firewall input handle \1')


class BlockedPort(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="blocked-port.")
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        self.directory.chmod(0o755)
        own = self.directory / "own"
        own.mkdir()
        flanneld = own / "knetsim-flanneld"
        flanneld.write_text(FLANNELD.format(real=self.copied() / "knetsim-flanneld"))
        flanneld.chmod(0o755)
        self.environment = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(self.directory),
                            "KNETSIM_BINDIR": str(own), "KNETSIM_FLANNEL": "builtin"}

    def copied(self):
        """What an ordinary user may read, wherever the build lies."""
        there = self.directory / "bin"
        there.mkdir()
        for program in [*BUILD.glob("bin/knetsim*"), BUILD / "bin/suite-readme"]:
            shutil.copy(program, there)
        shutil.copytree(BUILD / "share", self.directory / "share")
        return there

    def check(self, **user):
        out = self.directory / "out"
        out.mkdir()
        if user:
            os.chown(out, NOBODY, NOBODY)
        ran = subprocess.run([self.directory / "bin/knetsim", "check", "--only", "pod-to-pod"], cwd=out, text=True,
                             env={**self.environment, "KNETSIM_OUT": str(out)}, stdin=subprocess.DEVNULL,
                             capture_output=True, timeout=60, check=False, **user)
        text = ran.stdout + ran.stderr
        self.assertEqual(ran.returncode, 1, text)
        _, _, reason = text[text.index("\n✗ pod-to-pod: ") + 1:].splitlines()[:3]
        self.assertRegex(reason, rf"\A    {REASON.pattern}\Z", text)

    def test_is_named_by_the_check_that_it_fails(self):
        self.check()

    def test_is_named_without_root_too(self):
        if os.geteuid() == 0:
            self.check(user=NOBODY, group=NOBODY, extra_groups=[])
        else:
            self.check()

    def test_is_named_in_the_report_and_to_jenkins(self):
        run = red_is_red_test.InnerRun(self.directory, "suite-readme", ":Readme.ContainersReachEachOther$", 60,
                                       self.environment)
        self.assertEqual(run.statuses(), {"Readme.ContainersReachEachOther": "fail"}, run.text)
        self.assertEqual(run.verdict().returncode, 1)
        report = run.directory / "report"
        why = REASON.search(html.unescape((report / "junit.xml").read_text()))
        self.assertTrue(why, run.text)
        for name in ("report.html", "summary.md", "annotations.txt", "results.json"):
            self.assertIn(why[0], html.unescape((report / name).read_text()), name)
        self.assertIn("The failing path: C0w1/c1 – C0w1 – C0s0 – C0w2<", (report / "report.html").read_text())
