"""A Debian that debootstrap has just made, to work in by chroot: what a stranger's machine looks like."""

import pathlib
import shutil
import subprocess
import sys
import tempfile

# What a machine of its own would have.
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8",
               "DEBIAN_FRONTEND": "noninteractive"}


def add_arguments(parser, release):
    parser.add_argument("--release", default=release, help=f"default: {release}")
    parser.add_argument("--mirror", default="http://deb.debian.org/debian")
    parser.add_argument("--root", type=pathlib.Path, help="a root that debootstrap has made already; it is left, changed")


class BareRoot:
    """`with BareRoot(arguments) as root:` - exits with 2, and says why, where none can be made."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.directory = tempfile.TemporaryDirectory(prefix="bare-root.")
        self.path = (arguments.root or pathlib.Path(self.directory.name) / arguments.release).resolve()

    def __enter__(self):
        try:
            self.make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def make(self):
        if self.arguments.root is None:
            if shutil.which("debootstrap") is None:
                sys.exit("debootstrap is missing: apt-get install debootstrap")
            print(f"making a bare {self.arguments.release}, some two minutes", flush=True)
            must("debootstrap", "--variant=minbase", self.arguments.release, self.path, self.arguments.mirror)
        shutil.copy("/etc/resolv.conf", self.path / "etc/resolv.conf")
        # apt starts nothing in there, as no init runs that could end it.
        policy = self.path / "usr/sbin/policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
        must("mount", "-t", "proc", "-o", "nosuid,nodev,noexec", "proc", self.path / "proc")
        must("mount", "-t", "sysfs", "-o", "nosuid,nodev,noexec,ro", "sysfs", self.path / "sys")
        must("mount", "--rbind", "--make-rslave", "/dev", self.path / "dev")
        must(*self.command("apt-get", "-q", "update"))

    def command(self, *words):
        """A command line that runs it in there."""
        return ["chroot", str(self.path), *(str(word) for word in words)]

    def __exit__(self, *_):
        # Nothing of the machine may be mounted there when the directory is removed.
        places = [line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
        for place in reversed(places):
            if place.startswith(f"{self.path}/"):
                subprocess.run(["umount", "--lazy", place], check=False)
        self.directory.cleanup()


def must(*command):
    words = [str(word) for word in command]
    ran = subprocess.run(words, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    if ran.returncode != 0:
        print(f"{' '.join(words)} ended with {ran.returncode}:\n{(ran.stdout + ran.stderr)[-3000:]}", flush=True)
        sys.exit(2)
