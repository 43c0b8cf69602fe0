"""ci/setup, with dpkg-query, apt-get and the rest replaced by recorders: what it asks for, and when it refuses."""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
SETUP = SOURCE / "ci/setup"

RECORDER = """#!/bin/sh
echo "$0 $*" >>"$RECORD"
"""
DPKG_QUERY = """#!/bin/sh
for package; do :; done
grep -qx "$package" "$INSTALLED" && printf installed
"""
APT_GET = """#!/bin/sh
echo "apt-get $*" >>"$RECORD"
case " $* " in
  *" -s "*) printf '%s\\n' "$SIMULATION"; exit 0 ;;
  *" install "*)
    ls -l "$POLICY" >>"$RECORD" 2>&1
    [ -n "$APT_FAILS" ] && exit 100
    for word; do echo "$word" >>"$INSTALLED"; done ;;
esac
"""


class Setup(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        self.bin = self.directory / "bin"
        self.bin.mkdir()
        for name, text in {"dpkg-query": DPKG_QUERY, "apt-get": APT_GET, "systemctl": RECORDER,
                           "id": "#!/bin/sh\necho ${USER_ID:-0}\n"}.items():
            self.add_program(name, text)
        for name in ("bash", "env", "grep", "sed", "tr", "tee", "chmod", "rm", "ls", "cat"):
            found = next(pathlib.Path(place) / name for place in ("/usr/bin", "/bin") if (pathlib.Path(place) / name).exists())
            (self.bin / name).symlink_to(found)
        self.policy = self.directory / "policy-rc.d"
        self.packages = subprocess.run([SETUP, "--list"], capture_output=True, text=True, check=True).stdout.split()

    def add_program(self, name, text):
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def run_setup(self, *arguments, missing=(), **environment):
        (self.directory / "installed").write_text("\n".join(p for p in self.packages if p not in missing) + "\n")
        (self.directory / "record").write_text("")
        script = self.directory / "setup"
        script.write_text(SETUP.read_text().replace("/usr/sbin/policy-rc.d", str(self.policy)))
        ran = subprocess.run(
            ["/bin/bash", script, *arguments], capture_output=True, text=True, timeout=60, check=False,
            env={"PATH": str(self.bin), "RECORD": str(self.directory / "record"), "POLICY": str(self.policy),
                 "INSTALLED": str(self.directory / "installed"), "SIMULATION": "", "APT_FAILS": "", **environment})
        self.record = (self.directory / "record").read_text()
        self.text = ran.stdout + ran.stderr
        return ran.returncode

    def test_with_everything_there_apt_is_not_called(self):
        self.assertEqual(self.run_setup(), 0, self.text)
        self.assertEqual(self.record, "")

    def test_only_what_is_missing_is_installed(self):
        self.assertEqual(self.run_setup(missing=["tcpdump", "nftables"]), 0, self.text)
        installs = [line for line in self.record.splitlines() if " install " in line and " -s " not in line]
        self.assertEqual(len(installs), 1, self.record)
        self.assertRegex(installs[0], r"--no-install-recommends .* install nftables tcpdump$")

    def test_running_it_again_changes_nothing(self):
        self.assertEqual(self.run_setup(missing=["tcpdump"]), 0, self.text)
        self.assertEqual(self.run_setup(), 0, self.text)
        self.assertEqual(self.record, "")

    def test_no_service_may_start_meanwhile_and_the_policy_is_gone_afterwards(self):
        self.assertEqual(self.run_setup(missing=["etcd-server"]), 0, self.text)
        self.assertRegex(self.record, rf"-rwxr-xr-x .* {re.escape(str(self.policy))}")
        self.assertFalse(self.policy.exists())
        self.assertIn("systemctl disable --quiet etcd.service", self.record)

    def test_the_policy_is_gone_after_a_failure_too(self):
        self.assertNotEqual(self.run_setup(missing=["etcd-server"], APT_FAILS="yes"), 0)
        self.assertFalse(self.policy.exists())

    def test_a_policy_of_the_machine_s_own_stays_as_it_is(self):
        self.policy.write_text("mine")
        self.assertEqual(self.run_setup(missing=["etcd-server"]), 0, self.text)
        self.assertEqual(self.policy.read_text(), "mine")

    def test_an_etcd_that_was_there_is_not_disabled(self):
        self.assertEqual(self.run_setup(missing=["tcpdump"]), 0, self.text)
        self.assertNotIn("systemctl", self.record)

    def test_it_refuses_to_remove_packages_unless_told_to(self):
        simulation = "Remv libboost1.74-dev [1.74.0]\nInst libboost1.81-dev"
        self.assertEqual(self.run_setup(missing=["libboost1.81-dev"], SIMULATION=simulation), 2)
        self.assertIn("libboost1.74-dev", self.text)
        self.assertEqual(self.run_setup("--allow-removals", missing=["libboost1.81-dev"], SIMULATION=simulation), 0)

    def test_without_root_and_sudo_it_says_what_to_type(self):
        self.assertEqual(self.run_setup(missing=["tcpdump"], USER_ID="1000"), 2)
        self.assertIn("apt-get install --no-install-recommends tcpdump", self.text)

    def test_without_root_it_uses_sudo(self):
        self.add_program("sudo", '#!/bin/sh\necho sudo >>"$RECORD"\nexec "$@"\n')
        self.assertEqual(self.run_setup(missing=["tcpdump"], USER_ID="1000"), 0, self.text)
        self.assertIn("sudo\napt-get", self.record)

    def test_each_release_is_asked_by_the_names_that_it_has(self):
        release = self.directory / "os-release"
        for codename, boost, kubectl in (("bookworm", "1.81", {"kubernetes-client"}), ("trixie", "1.83", {"kubectl"}),
                                         ("noble", "1.83", set()), ("a_later_one", "1.83", {"kubectl"})):
            release.write_text(f'ID=any\nVERSION_CODENAME="{codename}"\n')
            names = subprocess.run([SETUP, "--list"], capture_output=True, text=True, check=True,
                                   env={**os.environ, "KNETSIM_OS_RELEASE": str(release)}).stdout.split()
            self.assertLessEqual({f"libboost{boost}-dev", f"libboost-filesystem{boost}-dev"}, set(names), codename)
            self.assertEqual({"kubernetes-client", "kubectl"} & set(names), kubectl, codename)

    def test_elsewhere_than_on_debian_it_names_what_is_needed(self):
        (self.bin / "dpkg-query").unlink()
        self.assertEqual(self.run_setup(), 2)
        self.assertIn("this isn't Debian", self.text)
        self.assertIn("libnftnl-dev", self.text)

    def test_the_check_does_without_what_tests_and_analysers_need(self):
        self.assertEqual(self.run_setup("--check", missing=["clang-tidy", "iperf3", "tcpdump"]), 0, self.text)
        self.assertRegex(self.record, r" install tcpdump\n")
        self.assertNotRegex(self.record, "clang-tidy|iperf3")

    def test_fuzzing_needs_clang_too(self):
        self.assertEqual(self.run_setup("--fuzz"), 0, self.text)
        self.assertRegex(self.record, r" install .*clang libclang-rt-dev\n")

    def test_an_unknown_argument_is_refused(self):
        self.assertEqual(self.run_setup("--everything"), 2)
        self.assertIn('"--everything"', self.text)
