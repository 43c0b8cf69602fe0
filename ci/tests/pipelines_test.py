"""The workflows, and the shards of a Job: what can be proven of them without GitHub and without a cluster."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
WORKFLOWS = sorted((SOURCE / ".github/workflows").glob("*.yml"))
REPORT = pathlib.Path(os.environ["KNETSIM_BUILD"]) / "bin/knetsim-report"

# A shard's ci/test: passes its own test, and knows of the other shard's.
TEST = """#!/usr/bin/env python3
import json, os, pathlib, sys
index = int(os.environ["GTEST_SHARD_INDEX"])
report = pathlib.Path("build/release/report")
report.mkdir(parents=True, exist_ok=True)
test = lambda i: f"s:T.{i}"
json.dump({"schema": "knetsim.report/1", "version": "0", "started": "2026-11-01T01:00:00Z", "seconds": 1, "facts": {},
           "tools": {}, "shard": {"index": index, "total": 2}, "problems": [], "figures": [], "coverage": [],
           "tests": [{"test": test(index), "outcome": "passed", "seconds": 1}], "elsewhere": [test(1 - index)]},
          open(report / "results.json", "w"))
sys.exit(int(os.environ.get("TEST_FAILS", 0)))
"""


class Workflows(unittest.TestCase):
    def test_every_action_is_pinned_to_a_commit_with_its_version_beside(self):
        for workflow in WORKFLOWS:
            for line in workflow.read_text().splitlines():
                if "uses:" in line:
                    self.assertRegex(line, r"uses: [a-z-]+/[a-z-]+(/[a-z-]+)?@[0-9a-f]{40} # v[0-9.]+$", workflow)

    def test_every_image_is_pinned_to_a_digest(self):
        images = [line for workflow in WORKFLOWS for line in workflow.read_text().splitlines()
                  if re.search(r"^ +(container|image): [a-z0-9./-]+[:@]", line)]
        images += re.findall(r"^ARG [A-Z_]+_IMAGE=.*$", (SOURCE / "Dockerfile").read_text(), re.MULTILINE)
        self.assertGreaterEqual(len(images), 8)
        for image in images:
            # Those of the router and of Kubernetes' programs are arguments of their own: nothing here could look them up.
            self.assertRegex(image, r"(@sha256:[0-9a-f]{64}|\$\{(SKUPPER_ROUTER|KUBE[A-Z_]*)_DIGEST\})$")

    def test_every_stage_of_the_image_is_made_from_one_of_them(self):
        dockerfile = (SOURCE / "Dockerfile").read_text()
        for stage in re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE):
            self.assertRegex(stage, r"^\$\{[A-Z_]+_IMAGE\}$")

    def test_every_workflow_starts_with_no_more_than_reading(self):
        for workflow in WORKFLOWS:
            self.assertIn("\npermissions:\n  contents: read\n", workflow.read_text(), workflow)

    def test_every_job_has_a_time_limit(self):
        for workflow in WORKFLOWS:
            jobs = workflow.read_text().partition("\njobs:\n")[2]
            names = re.findall(r"^  ([a-z]+):$", jobs, re.MULTILINE)
            self.assertEqual(len(names), jobs.count("\n    timeout-minutes: "), workflow)

    def test_every_script_that_they_run_is_there(self):
        for workflow in WORKFLOWS:
            for script in re.findall(r"run: (\.?ci/[a-z-]+)", workflow.read_text()):
                self.assertTrue(os.access(SOURCE / script, os.X_OK), script)


class Shards(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.tree = pathlib.Path(directory.name) / "tree"
        self.results = pathlib.Path(directory.name) / "results"
        (self.tree / "build/release/bin").mkdir(parents=True)
        (self.tree / "build/release/bin/knetsim-report").symlink_to(REPORT)
        shutil.copytree(SOURCE / "ci/kubernetes", self.tree / "ci/kubernetes")
        (self.tree / "ci/test").write_text(TEST)
        (self.tree / "ci/test").chmod(0o755)

    def run_script(self, name, **environment):
        return subprocess.run([self.tree / "ci/kubernetes" / name, self.results], capture_output=True, text=True,
                              timeout=60, check=False, env={**os.environ, **environment})

    def test_a_shard_leaves_its_report_and_keeps_its_verdict(self):
        self.assertEqual(self.run_script("shard", JOB_COMPLETION_INDEX="1", TEST_FAILS="1").returncode, 1)
        results = json.loads((self.results / "shard-1/report/results.json").read_text())
        self.assertEqual(results["shard"]["index"], 1)

    def test_a_pod_that_is_no_shard_says_so(self):
        ran = self.run_script("shard")
        self.assertNotEqual(ran.returncode, 0)
        self.assertIn("completionMode Indexed", ran.stderr)

    def test_all_shards_together_are_green(self):
        for index in "01":
            self.run_script("shard", JOB_COMPLETION_INDEX=index)
        ran = self.run_script("merge")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertIn("knetsim: green", ran.stdout)
        self.assertTrue((self.results / "report/report.html").exists())

    def test_a_shard_that_is_absent_makes_the_whole_red(self):
        self.run_script("shard", JOB_COMPLETION_INDEX="0")
        ran = self.run_script("merge")
        self.assertEqual(ran.returncode, 1, ran.stderr)
        self.assertIn("shard 1 of 2 is absent", ran.stdout)

    def test_no_shard_at_all_cannot_be_judged(self):
        self.assertEqual(self.run_script("merge").returncode, 2)
