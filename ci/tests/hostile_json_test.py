"""JSON that is nested without end, at each place where a program of ours takes JSON from outside: the program says so
in a line of bounded length and ends with the code that it has for bad input. Which deep place it is doesn't matter, so
each program gets several: the whole, a member that nobody knows, a member of another type, one that is passed on."""

import base64
import http.server
import json
import os
import pathlib
import subprocess
import tempfile
import threading
import unittest

BIN = pathlib.Path(os.environ["KNETSIM_BUILD"]) / "bin"
LEVELS = 100_000
DEEP = "[" * LEVELS + "]" * LEVELS
DEEP_OBJECT = '{"a":' * LEVELS + "1" + "}" * LEVELS
LONGEST = 4_000  # of everything that a program says


def wrapped(value, *places):
    """A document with a hole, as many times as there are places: "HOLE" stands where the deep value goes."""
    return [json.dumps({**value, **place}).replace('"HOLE"', deep) for place in places for deep in (DEEP, DEEP_OBJECT)]


class HostileJson(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="hostile-json.")
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def run_on(self, arguments, **more):
        return subprocess.run([str(argument) for argument in arguments], cwd=self.directory, text=True, errors="replace",
                              capture_output=True, timeout=60, check=False, **more)

    def check(self, arguments, code, says, **more):
        ran = self.run_on(arguments, **more)
        text = ran.stdout + ran.stderr
        self.assertEqual(ran.returncode, code, text[:500])
        self.assertIn(says, text[:500])
        self.assertLess(len(text), LONGEST, text[:500])

    def test_topologies(self):
        whole = {"underlay": {"network": "10.0.0.0/8", "switches": [{"name": "s0"}]}, "clusters": []}
        cluster = {"name": "C0", "switch": "s0", "etcd": [{"name": "e1", "address": "10.0.0.1"}],
                   "workers": [{"name": "w1", "address": "10.0.0.3"}]}
        documents = [DEEP, DEEP_OBJECT] + wrapped(
            whole, {"unknown": "HOLE"}, {"underlay": "HOLE"}, {"clusters": ["HOLE"]},
            {"underlay": {"network": "HOLE", "switches": [{"name": "s0"}]}},
            {"clusters": [{**cluster, "flannel": {"config": "HOLE"}}]},
            {"clusters": [{**cluster, "flannel": {"config": {"Network": "11.0.0.0/8", "Backend": "HOLE"}}}]},
            {"clusters": [{**cluster, "containers": [{"name": "c1", "worker": "w1", "command": ["HOLE"]}]}]})
        documents += ["{" * LEVELS, "[" * LEVELS, json.dumps({**whole, "x" * 1_000_000: 1}),
                      json.dumps({**whole, "underlay": {"network": "y" * 1_000_000}})]
        for number, document in enumerate(documents):
            with self.subTest(document=f"{number}: {document[:60]}"):
                (self.directory / "deep.json").write_text(document)
                self.check([BIN / "knetsim", "up", "./deep.json"], 2, "deep.json:", stdin=subprocess.DEVNULL)

    def test_files_without_end(self):
        for command, code in ([BIN / "knetsim", "up", "/dev/zero"], 2), ([BIN / "knetsim-skrouterd", "-c", "/dev/zero"], 1):
            self.check(command, code, "File too large", stdin=subprocess.DEVNULL)

    def test_router_configs(self):
        documents = [DEEP, DEEP_OBJECT, "[" * LEVELS, f'[["router", {DEEP}]]', f'[["router", {{"id": {DEEP}}}]]',
                     f'[["router", {{"id": "a", "unknown": {DEEP_OBJECT}}}]]', f'[{DEEP}]', f'[[{DEEP_OBJECT}, {{}}]]',
                     f'[["router", {{"id": "a", "unknown": {"[" * 62 + "]" * 62}}}]]']
        for document in documents:
            with self.subTest(document=document[:60]):
                (self.directory / "deep.json").write_text(document)
                self.check([BIN / "knetsim-skrouterd", "-c", "deep.json"], 1, "nested deeper than 64 levels",
                           stdin=subprocess.DEVNULL)

    def test_results_of_a_run(self):
        out = self.directory / "out"
        out.mkdir()
        for document in [DEEP, DEEP_OBJECT, f'{{"tests": {DEEP}}}', f'{{"tests": [{{"name": {DEEP}}}]}}']:
            with self.subTest(document=document[:60]):
                (out / "registered.json").write_text(document)
                (out / "ctest.xml").write_text("<testsuite/>")
                ran = self.run_on([BIN / "knetsim-report", "collect", out, "--to", self.directory / "report"])
                self.assertIn(ran.returncode, (1, 2), ran.stderr[:LONGEST])
                self.assertLess(len(ran.stdout + ran.stderr), LONGEST)

    def test_cni_configs(self):
        config = {"cniVersion": "1.0.0", "name": "cbr0", "type": "flannel",
                  "subnetFile": str(self.directory / "subnet.env"), "dataDir": str(self.directory / "data")}
        (self.directory / "subnet.env").write_text(
            "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n")
        call = {"CNI_CONTAINERID": "c1", "CNI_NETNS": "/proc/self/ns/net", "CNI_IFNAME": "eth0", "CNI_PATH": "/nowhere"}
        documents = [DEEP, DEEP_OBJECT, "{" * LEVELS] + wrapped(
            config, {"unknown": "HOLE"}, {"delegate": "HOLE"}, {"delegate": {"unknown": "HOLE"}}, {"ipam": "HOLE"},
            {"prevResult": "HOLE"}, {"runtimeConfig": "HOLE"}, {"cniVersion": "HOLE"}, {"name": "HOLE"})
        for document in documents:
            # VERSION tells what the plugin speaks, whatever the configuration is.
            for command, code, says in (("ADD", 1, '"code":'), ("CHECK", 1, '"code":'), ("DEL", 1, '"code":'),
                                        ("VERSION", 0, '"supportedVersions":')):
                with self.subTest(document=document[:120], command=command):
                    self.check([BIN / "cni" / "flannel"], code, says, input=document,
                               env={**os.environ, **call, "CNI_COMMAND": command})

    def test_scratch_files_of_the_cni_plugin(self):
        (self.directory / "data").mkdir()
        (self.directory / "data" / "c1").write_text(DEEP)
        config = {"cniVersion": "1.0.0", "name": "cbr0", "type": "flannel", "dataDir": str(self.directory / "data")}
        call = {"CNI_CONTAINERID": "c1", "CNI_NETNS": "/proc/self/ns/net", "CNI_IFNAME": "eth0", "CNI_PATH": "/nowhere"}
        # What can't be read can't be taken down either, and must not keep a pod from going.
        for command, code, says in (("CHECK", 1, '"code":'), ("DEL", 0, "can't read the delegate's config")):
            self.check([BIN / "cni" / "flannel"], code, says, input=json.dumps(config),
                       env={**os.environ, **call, "CNI_COMMAND": command})

    def test_answers_of_etcd(self):
        """As the answer itself, and as the network config in one that is etcd's. The daemon waits for a better one."""
        def listing(value):
            key = base64.b64encode(b"/coreos.com/network/config").decode()
            text = base64.b64encode(value.encode()).decode()
            return f'{{"header":{{"revision":"7"}},"kvs":[{{"key":"{key}","value":"{text}"}}],"count":"1"}}'

        answers = [DEEP, DEEP_OBJECT, f'{{"header":{DEEP}}}', f'{{"header":{{"revision":"7"}},"kvs":{DEEP}}}',
                   f'{{"error":{DEEP}}}', listing(DEEP), listing(DEEP_OBJECT), listing(f'{{"Network":{DEEP}}}'),
                   listing(f'{{"Network":"10.0.0.0/8","Backend":{DEEP_OBJECT}}}')]
        for answer in answers:
            with self.subTest(answer=answer[:100]):
                asked = threading.Semaphore(0)

                class Etcd(http.server.BaseHTTPRequestHandler):
                    def do_POST(self, answer=answer, asked=asked):
                        self.rfile.read(int(self.headers["Content-Length"]))
                        self.send_response(200)
                        self.send_header("Content-Length", str(len(answer)))
                        self.end_headers()
                        self.wfile.write(answer.encode())
                        asked.release()

                    def log_message(self, *_):
                        pass

                server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Etcd)
                threading.Thread(target=server.serve_forever, daemon=True).start()
                self.addCleanup(server.server_close)
                self.addCleanup(server.shutdown)
                daemon = subprocess.Popen(
                    [BIN / "knetsim-flanneld", f"-etcd-endpoints=http://127.0.0.1:{server.server_port}"],
                    stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
                try:
                    for _ in range(2):
                        self.assertTrue(asked.acquire(timeout=30), "it doesn't ask again")
                finally:
                    daemon.terminate()
                    log = daemon.communicate(timeout=30)[1].decode(errors="replace")
                self.assertEqual(daemon.returncode, 0, log[:LONGEST])
                self.assertIn("Couldn't fetch network config", log)
                self.assertLess(max(map(len, log.splitlines())), 1_000)


if __name__ == "__main__":
    unittest.main()
