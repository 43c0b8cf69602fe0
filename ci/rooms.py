#!/usr/bin/env python3
"""The rooms of the house and who includes whom, read from the sources: the diagram in docs/architecture.md.

  ci/rooms.py            prints the diagram
  ci/rooms.py --write    puts it into docs/architecture.md

Exit code 1 if a room includes one that comes after it: the order is that of src/CMakeLists.txt."""

import pathlib
import re
import sys

SOURCE = pathlib.Path(__file__).resolve().parent.parent
PAGE = SOURCE / "docs/architecture.md"
BEGIN, END = "<!-- made by ci/rooms.py -->\n", "<!-- end -->"
NOT_THE_ROOM_S = {"tests", "bench", "selftest"}


def rooms():
    """{room: its directory}, from the ground up."""
    layers = re.findall(r"^add_subdirectory\((\w+)\)", (SOURCE / "src/CMakeLists.txt").read_text(), re.MULTILINE)
    return {layer: SOURCE / "src" / layer for layer in layers} | {
        room: SOURCE / room for room in ("fixtures", "suites", "reports")}


def arrows(directories):
    """{room: the rooms whose headers its sources include}; tests and benches aren't looked at."""
    found = {}
    for room, directory in directories.items():
        sources = [file for pattern in ("*.h", "*.cpp") for file in directory.rglob(pattern)
                   if not NOT_THE_ROOM_S & set(file.relative_to(directory).parts)]
        included = {name for file in sources
                    for name in re.findall(r'^#include "knetsim/(\w+)/', file.read_text(), re.MULTILINE)}
        found[room] = included - {room}
    return found


def upward(included):
    order = list(included)
    return [(room, other) for room in order for other in sorted(included[room])
            if other not in order or order.index(other) > order.index(room)]


def direct(included):
    """The arrows that no longer way through other rooms says already."""
    def reached(room):
        return included[room].union(*(reached(other) for other in included[room]))

    return {room: {other for other in others if not any(other in reached(between) for between in others)}
            for room, others in included.items()}


def diagram(included):
    lines = ["```mermaid", "flowchart TD"]
    for room, others in reversed(direct(included).items()):
        lines += [f"  {room} --> {other}" for other in sorted(others)] or [f"  {room}"]
    lines += ["```", "", "| room | includes |", "|---|---|"]
    lines += [f"| `{room}` | {', '.join(sorted(others)) or '-'} |" for room, others in reversed(included.items())]
    return "\n".join(lines) + "\n"


def page_with(text, made):
    begin = text.index(BEGIN) + len(BEGIN)
    return text[:begin] + made + text[text.index(END, begin):]


def main():
    included = arrows(rooms())
    for room, other in upward(included):
        print(f"ci/rooms.py: {room} includes {other}, which comes after it", file=sys.stderr)
    if upward(included):
        return 1
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page_with(PAGE.read_text(), diagram(included)))
    elif sys.argv[1:]:
        print(__doc__)
        return 2
    else:
        print(diagram(included), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
