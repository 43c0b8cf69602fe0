#!/usr/bin/env python3
"""Runs one unittest file, or those of its tests that are named, for ctest: unlike `python3 -m unittest`, no test and a
skipped test are failures too."""

import pathlib
import sys
import unittest

if __name__ == "__main__":
    file = pathlib.Path(sys.argv[1])
    sys.path[:0] = [str(file.parent), str(file.parent.parent)]
    loader = unittest.TestLoader()
    loader.testNamePatterns = [f"*.{name}" for name in sys.argv[2:]] or None
    result = unittest.TextTestRunner(verbosity=2).run(loader.discover(str(file.parent), pattern=file.name))
    sys.exit(0 if result.wasSuccessful() and result.testsRun and not result.skipped else 1)
