"""The course: what its sheets show is typed and compared; its graders tell a lab that is right from one that isn't."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

from console import Session, commands_in, console_blocks

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
COURSE = SOURCE / "docs/course"
BIN = pathlib.Path(os.environ["KNETSIM_BUILD"]) / "bin"
BUDGET = 60


class Course(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="course.")
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": directory.name, "PATH": f"{BIN}:{os.environ['PATH']}"}
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(COURSE)  # the sheets name faults/ and grade/ as they lie there

    def grade(self, sheet, topology, before=()):
        """What the grader of a sheet ends with in a lab in which these lines were typed before."""
        lines = "\n".join([*before, (COURSE / f"grade/{sheet}.knet").read_text()])
        ran = subprocess.run([BIN / "knetsim", "up", topology, "--strict"], input=lines, capture_output=True, text=True,
                             timeout=BUDGET, check=False, env=self.environment)
        return ran.returncode, ran.stdout + ran.stderr

    def type_sheet(self, number):
        [sheet] = COURSE.glob(f"{number}-*.md")
        session = Session(self.environment)
        self.addCleanup(session.close)
        text = sheet.read_text()
        exercises = text.count("\n## ") - text.count("\n## To hand in")
        self.assertGreaterEqual(exercises, 4)
        self.assertEqual(text.count("<details><summary>Answer</summary>"), exercises)
        for block in console_blocks(text):
            for command, shown in commands_in(block):
                session.type(command, shown)
        grader = COURSE / f"grade/{number}.knet"
        if number != 1:  # its grader is for a topology of the student's
            session.type(f"$ knetsim do source {grader.relative_to(COURSE)}", ["⋮"])

    def test_sheet_1_shows_what_comes(self):
        self.type_sheet(1)

    def test_sheet_2_shows_what_comes_and_leaves_a_lab_that_passes(self):
        self.type_sheet(2)

    def test_sheet_3_shows_what_comes_and_leaves_a_lab_that_passes(self):
        self.type_sheet(3)

    def test_sheet_4_shows_what_comes_and_leaves_a_lab_that_passes(self):
        self.type_sheet(4)

    def test_graders_fail_a_lab_that_is_broken(self):
        shop = ["kubectl create deployment shop --image=serve-hostname", "kubectl rollout status deployment/shop",
                "kubectl expose deployment shop --port=80 --target-port=9376"]
        web = [line.replace("shop", "web") for line in shop]
        fault = {number: (COURSE / f"faults/{number}.knet").read_text().splitlines() for number in range(1, 6)}
        for sheet, before in ((1, []), (2, fault[3]), (3, [*web, *fault[5]]), (4, [*shop, *fault[2]])):
            with self.subTest(sheet=sheet, before=before):
                code, output = self.grade(sheet, "pair", before)
                self.assertNotEqual(code, 0, output)

    def test_the_first_grader_passes_a_topology_with_a_third_worker(self):
        topology = json.loads((SOURCE / "fixtures/topologies/pair.json").read_text())
        del topology["$schema"]
        topology["clusters"][0]["workers"].append({"name": "w3", "address": "10.0.0.5"})
        topology["clusters"][0]["containers"].append({"name": "c4", "worker": "w3"})
        mine = self.directory / "mine.json"
        mine.write_text(json.dumps(topology))
        code, output = self.grade(1, mine)
        self.assertEqual(code, 0, output)
