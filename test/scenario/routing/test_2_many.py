"""A hundred thousand routes and a million keys: loaded in two seconds of work, and quick to find.
`gate check` of a file says how long it took; `test/unit/gate/speed.c` measures look-ups alone."""
import http.client
import json
import resource
import socket
import subprocess
import time

import pytest
from rig.gate import binary, is_sanitized

pytestmark = pytest.mark.skipif(is_sanitized(binary()), reason="speed, which this build says not")


class Desk(http.client.HTTPConnection):
    """The socket for commands."""

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.host)


def work_of(*command):
    """Seconds of the processor that it takes: the machine may be busy with other things."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run([binary(), *command], capture_output=True, text=True, timeout=60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert run.returncode == 0, run.stdout[-2000:]
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.timeout(120)
def test_a_hundred_thousand_routes(gate, server, tmp_path):
    s = server()
    apis = {f"api-{a}": {"upstream": s.url, "routes": {
        f"GET /r{r}/{{id}}/items": {"rate_limit": f"{1000 + r}/s"} if r % 2 else {}
        for r in range(1000)}} for a in range(100)}
    file = tmp_path / "gateway.json"
    file.write_text(json.dumps({"apis": apis}, indent=1))
    assert work_of("check", str(file)) < 2.0
    begin = time.monotonic()
    g = gate(apis=apis)
    assert time.monotonic() - begin < 10.0
    assert g.get("/api-99/r999/7/items").status == 200
    assert s.request.target == "/r999/7/items"
    assert g.get("/api-99/r1000/7/items").status == 404
    assert g.request("PUT", "/api-0/r0/7/items", body=b"").status == 405
    c = g.raw()
    before = g.cpu_seconds()
    for i in range(2000):
        assert c.get(f"/api-{i % 100}/r{i * 7919 % 1000}/{i}/nothing").status == 404
    assert g.cpu_seconds() - before < 1.0


@pytest.mark.timeout(180)
def test_a_million_keys_and_one_more(gate, server):
    count = 1000000
    people = {f"c{i}": {"api_key": f"key-number-{i:012d}-x"} for i in range(count)}
    g = gate(upstream=server(), policies={"auth": "api_key"}, workers=2, consumers=people)
    for i in (0, count // 2, count - 1):
        answer = g.get("/", {"X-API-Key": f"key-number-{i:012d}-x"})
        assert answer.status == 200
    assert g.record(answer).consumer == f"c{count - 1}"
    assert g.get("/", {"X-API-Key": f"key-number-{count:012d}-x"}).status == 401
    callers = [g.raw() for _ in range(8)]  # some of each worker
    times = []
    for i in range(20):
        key = f"one-more-key-{i:08d}"
        desk = Desk(str(g.socket))
        desk.connect()
        begin = time.monotonic()
        desk.request("PUT", f"/consumers/c{i}/keys", json.dumps({"key": key}),
                     {"Content-Type": "application/json", "Host": "localhost"})
        assert desk.getresponse().status == 200
        times.append(time.monotonic() - begin)
        assert {c.get("/", {"X-API-Key": key}).status for c in callers} == {200}
        desk.close()
    assert sorted(times)[len(times) // 2] < 0.010, times
