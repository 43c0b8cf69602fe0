"""Every topology that is shipped or shown is valid by the schema that is shipped."""

import json
import pathlib
import re
import unittest

import jsonschema

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
SCHEMA = json.loads((SOURCE / "fixtures/topology.schema.json").read_text())


class Schema(unittest.TestCase):
    def setUp(self):
        self.validator = jsonschema.Draft202012Validator(SCHEMA)

    def test_it_is_a_schema(self):
        jsonschema.Draft202012Validator.check_schema(SCHEMA)

    def test_shipped_topologies_are_valid(self):
        files = [*(SOURCE / "fixtures/topologies").glob("*.json"), *(SOURCE / "docs").rglob("*topolog*.json")]
        self.assertGreaterEqual(len(files), 3)
        for file in files:
            topology = json.loads(file.read_text())
            self.assertEqual([f"{file}: {error.message}" for error in self.validator.iter_errors(topology)], [])
            if "$schema" in topology:
                self.assertTrue((file.parent / topology["$schema"]).exists(), file)

    def test_examples_in_documents_are_valid(self):
        examples = [(document, json.loads(block)) for document in (SOURCE / "docs").rglob("*.md")
                    for block in re.findall(r"^```json\n(.*?)^```$", document.read_text(), re.MULTILINE | re.DOTALL)
                    if '"underlay"' in block]
        self.assertTrue(examples)
        for document, topology in examples:
            self.assertEqual([f"{document}: {error.message}" for error in self.validator.iter_errors(topology)], [])

    def test_it_refuses_what_the_reader_refuses(self):
        good = json.loads((SOURCE / "fixtures/topologies/pair.json").read_text())
        for place, value in {("clusters",): [], ("clusters", 0, "workers", 0, "name"): "../x",
                             ("underlay", "mtu"): "1500", ("clusters", 0, "wrokers"): [],
                             ("clusters", 0, "containers", 0, "command"): []}.items():
            bad = json.loads(json.dumps(good))
            *way, last = place
            target = bad
            for step in way:
                target = target[step]
            target[last] = value
            self.assertFalse(self.validator.is_valid(bad), place)
