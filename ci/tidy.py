#!/usr/bin/env python3
"""clang-tidy over the sources of a unity build's compilation database, several joined files at a time: most of its time
goes into the headers of others, which joined files share. What preprocesses to the text of its last clean run, with the
same flags and .clang-tidy, isn't looked at again."""

import argparse
import concurrent.futures
import hashlib
import json
import pathlib
import re
import shlex
import subprocess
import sys

# Flags of GCC, or of its precompiled headers, that clang takes for errors.
FOREIGN = {"-fpch-preprocess", "-Winvalid-pch", "-Wno-restrict", "-Wno-subobject-linkage", "-Wno-tsan", "-fconcepts",
           "--coverage"}

# A joined file consists of what this check warns of.
OF_JOINED_FILES = "--checks=-bugprone-suspicious-include"


def clang_arguments(command):
    """The compiler's arguments without launcher, foreign flags and precompiled headers."""
    arguments = shlex.split(command)
    start = next(i for i, argument in enumerate(arguments) if pathlib.PurePath(argument).name in ("c++", "g++", "clang++"))
    kept = []
    skip = False
    for i, argument in enumerate(arguments[start:], start):
        following = arguments[i + 1] if i + 1 < len(arguments) else ""
        if skip:
            skip = False
        elif argument == "-include" and following.endswith("cmake_pch.hxx"):
            skip = True
        elif argument not in FOREIGN:
            kept.append(argument)
    return kept


def fingerprint(entry, settings):
    """Changes with anything that can change the findings; None if the file doesn't even preprocess."""
    arguments = [a for a in entry["arguments"] if a != "-c"]
    if "-o" in arguments:
        at = arguments.index("-o")
        del arguments[at:at + 2]
    ran = subprocess.run([*arguments, "-E", "-o", "-"], cwd=entry["directory"], capture_output=True, check=False)
    if ran.returncode:
        return None
    return hashlib.sha256(b"\0".join([settings, repr(arguments).encode(), ran.stdout])).hexdigest()


def tidy(entry, work, settings):
    """(file, findings or "")."""
    file = entry["file"]
    print_of_file = fingerprint(entry, settings)
    clean = work / "clean" / hashlib.sha256(file.encode()).hexdigest()
    if print_of_file and clean.exists() and clean.read_text() == print_of_file:
        return file, ""
    ran = subprocess.run(["clang-tidy", "--quiet", OF_JOINED_FILES, "-p", work, file], capture_output=True, text=True,
                         check=False)
    if ran.returncode == 0:
        if print_of_file:
            clean.write_text(print_of_file)
        return file, ""
    return file, ran.stdout + ran.stderr


def sources_in(joined):
    """The sources that a file of the database holds: those that it includes if it was made by a unity build, else itself."""
    if "/Unity/" not in joined:
        return {joined}
    included = re.findall(r'^#include "(.*)"$', pathlib.Path(joined).read_text(), re.MULTILINE)
    return {str(pathlib.Path(source).resolve()) for source in included}


def home(path):
    """(layer, whether of its tests): ("src/etcd", False) of src/etcd/include/knetsim/etcd/client.h; None outside the tree
    and for what is generated."""
    here = pathlib.Path.cwd()
    if not pathlib.Path(path).is_relative_to(here):
        return None
    parts = pathlib.Path(path).relative_to(here).parts
    if parts[0] == "build":
        return None
    return "/".join(parts[:2] if parts[0] == "src" else parts[:1]), "tests" in parts


def concerns(joined, files):
    """Whether one of the files is seen through this one: as a source, or as a header beside one of its sources."""
    sources = sources_in(joined)
    if sources & files:
        return True
    headers = {home(file) for file in files if file.endswith(".h")}
    return any(home(source) in headers for source in sources)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("files", nargs="+", help="look only at these, and at what is joined with them")
    arguments = parser.parse_args()

    wanted = {str(pathlib.Path(file).resolve()) for file in arguments.files}
    entries = [
        {"directory": entry["directory"], "file": entry["file"], "arguments": clang_arguments(entry["command"])}
        for entry in json.loads(arguments.database.read_text())
        if concerns(entry["file"], wanted)
    ]
    (arguments.work / "clean").mkdir(parents=True, exist_ok=True)
    (arguments.work / "compile_commands.json").write_text(json.dumps(entries, indent=1))
    settings = pathlib.Path(".clang-tidy").read_bytes()

    red = 0
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        runs = [pool.submit(tidy, entry, arguments.work, settings) for entry in entries]
        for number, run in enumerate(concurrent.futures.as_completed(runs), 1):
            file, findings = run.result()
            red += bool(findings)
            print(f"[{number}/{len(entries)}] {file}{': findings' if findings else ''}\n{findings}", end="", flush=True)
    print(f"ci/lint: clang-tidy has findings in {red} of {len(entries)} joined files" if red
          else f"ci/lint: clang-tidy agrees with {len(entries)} joined files")
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main())
