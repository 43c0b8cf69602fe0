"""What no compiler sees, since it looks at one translation unit at a time."""

import collections
import fnmatch
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOISE = re.compile(r"//[^\n]*|\"(?:\\.|[^\"\\\n])*\"")
TOKEN = re.compile(r"namespace\s+(?P<namespace>[\w:]+)?\s*{"
                   r"|\b(?:class|struct)\s+(?P<type>\w+)(?:\s+final)?\s*(?::(?!:)[^{;]*)?{"
                   r"|(?P<open>{)|(?P<close>})")


def types_of(text):
    """The names of the types that a file defines in namespaces that others can see."""
    around = []  # for each open brace: its namespace's name, or None
    for token in TOKEN.finditer(NOISE.sub("", text)):
        if token["close"]:
            if around:
                around.pop()
        elif token["open"]:
            around.append(None)
        elif token["type"]:
            if None not in around:
                yield "::".join([*around, token["type"]])
            around.append(None)
        else:
            around.append(token["namespace"])  # an unnamed one: None


class Sources(unittest.TestCase):
    def test_a_type_has_one_definition(self):
        places = collections.defaultdict(list)
        for top in ("src", "fixtures", "suites", "reports"):
            for file in [*ROOT.glob(f"{top}/**/*.h"), *ROOT.glob(f"{top}/**/*.cpp")]:
                for found in types_of(file.read_text()):
                    places[found].append(str(file.relative_to(ROOT)))
        self.assertGreater(len(places), 300, "the sources were read")
        self.assertEqual({name: where for name, where in places.items() if len(where) > 1}, {})

    def test_what_is_a_definition(self):
        text = 'namespace a {\nclass B;\nstruct C final : D {\n struct E {};\n};\nnamespace {\nstruct F {};\n}\n' \
               'struct C::G {};  // struct H {\nnamespace b::c {\nclass I {};\nvoid f() { struct J {}; }\n}\n}\n'
        self.assertEqual(list(types_of(text)), ["a::C", "a::b::c::I"])

    def test_a_source_is_found_from_a_header(self):
        """One of its stem in its room, or one that names it, as "in verbs_*.cpp". Programs need none."""
        rooms = [ROOT / "fixtures", *(path for path in (ROOT / "src").iterdir() if path.is_dir())]
        self.assertGreater(len(rooms), 10, "the rooms were found")
        stale, lost = [], []
        for room in rooms:
            own = [path for path in room.rglob("*") if "tests" not in path.relative_to(room).parts]
            headers = [path for path in own if path.suffix == ".h"]
            sources = [path for path in own if path.suffix == ".cpp"]
            named = {name for path in headers for name in re.findall(r"[\w*]+\.cpp\b", path.read_text())}
            stale += [f"{room.name}: {name}" for name in named if not fnmatch.filter([path.name for path in sources], name)]
            found = named | {path.stem + ".cpp" for path in headers}
            lost += [str(path.relative_to(ROOT)) for path in sources
                     if not any(fnmatch.fnmatch(path.name, name) for name in found)
                     and not re.search(r"^int main\(", path.read_text(), re.MULTILINE)]
        self.assertEqual(stale, [], "named in a header of that room, and not there")
        self.assertEqual(lost, [], "name them in the headers of what they define")

    def test_processes_are_started_in_one_room(self):
        for top in ("src", "fixtures", "suites", "reports"):
            for file in ROOT.glob(f"{top}/**/*.cpp"):
                if {"sys", "tests", "selftest"} & set(file.relative_to(ROOT).parts):
                    continue
                found = re.findall(r"(?<![\w.>])(?:v?fork|posix_spawnp?|system|popen)\(", NOISE.sub("", file.read_text()))
                self.assertEqual(found, [], f"{file}: knetsim/sys/child.h starts programs")
