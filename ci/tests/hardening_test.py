"""Every installed program is built the way that Debian builds network daemons, and a mistake ends it."""

import os
import pathlib
import re
import signal
import subprocess
import tempfile
import unittest

BUILD = pathlib.Path(os.environ["KNETSIM_BUILD"])
CACHE = dict(re.findall(r"^(\w+):\w+=(.*)$", (BUILD / "CMakeCache.txt").read_text(), re.MULTILINE))
SANITIZED = bool(CACHE.get("KNETSIM_SANITIZE"))
# The C library checks what is optimized, and leaves sanitizers alone.
FORTIFIED = CACHE["CMAKE_BUILD_TYPE"].startswith("Rel") and not SANITIZED


def look_at(program):
    ran = subprocess.run(["readelf", "--wide", "--file-header", "--program-headers", "--dynamic", "--notes", "--dyn-syms",
                          program], capture_output=True, text=True, check=True)
    return ran.stdout


MARKS = {
    "PIE: lies at an address that nobody knows": r"\(FLAGS_1\).*\bPIE\b",
    "RELRO: tables of functions are write-protected ...": r"\bGNU_RELRO\b",
    "BIND_NOW: ... all of them": r"\(FLAGS(_1)?\).*\b(BIND_)?NOW\b",
    "stack protector": r"\b__stack_chk_fail\b",
    "a stack that runs nothing": r"GNU_STACK(\s+0x\S+){5}\s+RW\s",
    "IBT": r"x86 feature:.*\bIBT\b",
    "SHSTK": r"x86 feature:.*\bSHSTK\b",
    "FORTIFY": r"\b__\w+_chk@",
}


class InstalledPrograms(unittest.TestCase):
    def test_have_every_mark_of_the_hardening(self):
        with tempfile.TemporaryDirectory(prefix="hardening.") as prefix:
            subprocess.run(["cmake", "--install", BUILD, "--prefix", prefix], check=True, capture_output=True)
            found = [path for place in ("bin", "libexec") for path in pathlib.Path(prefix, place).rglob("*")
                     if path.is_file() and path.read_bytes()[:4] == b"\x7fELF"]
            programs = {path.name: look_at(path) for path in found}
        for expected in ("knetsim", "knetsim-flanneld", "knetsim-skrouterd", "knetsim-report", "suite-readme"):
            self.assertIn(expected, programs)
        marks = dict(MARKS)
        if not FORTIFIED:
            del marks["FORTIFY"]
        if "X86-64" not in programs["knetsim"]:
            del marks["IBT"], marks["SHSTK"]
        for mark, looks in marks.items():
            with self.subTest(mark):
                self.assertEqual([name for name, seen in programs.items() if not re.search(looks, seen)], [])


class Mistakes(unittest.TestCase):
    def ends_it(self, mistake, says):
        ran = subprocess.run([BUILD / "bin" / "hardening-probe", mistake], capture_output=True, text=True, check=False)
        self.assertEqual(ran.returncode, -signal.SIGABRT, ran.stdout + ran.stderr)
        self.assertIn(says, ran.stderr)
        self.assertEqual(ran.stdout, "")

    def test_an_index_out_of_range(self):
        if not SANITIZED:
            self.ends_it("an-index-out-of-range", "Assertion '__n < this->size()' failed")

    def test_a_copy_past_the_end(self):
        if FORTIFIED:
            self.ends_it("a-copy-past-the-end", "buffer overflow detected")

    def test_an_overrun_of_the_stack(self):
        if not SANITIZED:
            self.ends_it("an-overrun-of-the-stack", "stack smashing detected")


if __name__ == "__main__":
    unittest.main()
