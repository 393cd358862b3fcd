"""The access log: one line for each request, in the form that was asked for, whatever comes."""
import json
import os
import re
import signal
import subprocess
import time

import jsonschema
import pytest
import rig
from rig.gate import binary

SECRET = "s3cr3t-value"


def lines(g, count, within=3.0):
    """The lines of the log, once there are that many."""
    deadline = time.monotonic() + within
    while True:
        found = g.stdout().split("\n")[:-1]
        if len(found) >= count:
            return found
        assert time.monotonic() < deadline, f"{len(found)} lines, not {count}: {g.stdout()[-500:]}"
        time.sleep(0.01)


def log_lines(path, count, within=3.0):
    deadline = time.monotonic() + within
    while True:
        found = path.read_text().split("\n")[:-1] if path.exists() else []
        if len(found) >= count:
            return found
        assert time.monotonic() < deadline, f"{len(found)} lines in {path.name}, not {count}"
        time.sleep(0.01)


def test_a_line_says_who_what_and_how_it_ended(gate, server):
    s = server(rig.http1.response(201, b"made"))
    g = gate(apis={"orders": {"upstream": s.url, "routes": {"POST /{id}": {}}}})
    r = g.post("/orders/42?page=1&limit=9", b"12345",
               {"Content-Type": "application/json; charset=utf-8", "User-Agent": "test/1"})
    record = g.record(r)
    found = record["attributes"]
    assert record["severity_text"] == "INFO"
    assert record["body"] == "POST /orders/{id} 201"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["timestamp"])
    assert re.fullmatch("[0-9a-f]{32}", record["trace_id"])
    assert found["http.request.method"] == "POST" and found["http.route"] == "/orders/{id}"
    assert found["url.path"] == "/orders/42" and found["gatehouse.query"] == "page,limit"
    assert found["http.response.status_code"] == 201 and found["gatehouse.reason"] == "done"
    assert found["http.request.body.size"] == 5 and found["http.response.body.size"] == 4
    assert found["http.request.media_type"] == "application/json"
    assert found["client.address"] == "127.0.0.1" and found["user_agent.original"] == "test/1"
    assert found["gatehouse.api"] == "orders" and found["gatehouse.tries"] == 1
    assert 0 < found["gatehouse.upstream.duration"] <= found["http.server.request.duration"] < 5
    assert found["gatehouse.trail"].startswith("route request(")


def test_every_line_has_the_form_of_the_schema(gate, server):
    schema = json.loads(subprocess.run([str(binary()), "schema", "log"], check=True,
                                       capture_output=True).stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    g = gate(apis={"a": {"path": "/", "upstream": server().url, "routes": {"GET /x": {}}},
                   "down": {"upstream": "http://127.0.0.1:9"}})
    g.get("/x")
    g.post("/x", b"")
    g.get("/down/1")
    g.get("/%6e%00")
    g.request("BREW", "/x")
    g.raw().send("nonsense\r\n\r\n").read()
    for line in lines(g, 6):
        validator.validate(json.loads(line))


def test_secrets_are_in_no_line(gate, server):
    g = gate(upstream=server())
    g.get(f"/x?api_key={SECRET}&token={SECRET}",
          {"Authorization": f"Bearer {SECRET}", "X-API-Key": SECRET, "Cookie": f"id={SECRET}"})
    g.get("/", {"Authorization": f"Basic {SECRET}"})
    lines(g, 2)
    assert SECRET not in g.stdout() and SECRET not in g.stderr()


@pytest.mark.parametrize("style", ["json", "text", "clf"])
def test_what_callers_send_cannot_leave_its_place(gate, server, style):
    g = gate(upstream=server(), telemetry={"logs": style}, records=False)
    hostile = ['"},{"x":"', "\\", "\x7f" * 3, "é\x9b31m".encode().decode("latin-1"),
               "=cmd|' /C calc'!A0", "' OR 1=1 --", "%1b[2J", "x" * 7000]
    for value in hostile:
        g.get("/" + "".join(f"%{byte:02x}" for byte in value.encode("latin-1")[:200]
                            if byte not in (0x5c, 0x25)),
              {"User-Agent": value.encode("latin-1")})
    for line in lines(g, len(hostile)):
        assert len(line) < 9000
        assert not re.search("[\x00-\x1f\x7f-\x9f]", line), line
        if style == "json":
            assert set(json.loads(line)) <= {"timestamp", "severity_text", "body", "trace_id",
                                             "span_id", "attributes"}
    assert len(lines(g, len(hostile))) == len(hostile)


def test_the_combined_format_is_what_old_tools_read(gate, server):
    g = gate(upstream=server(rig.http1.response(200, b"hello")), telemetry={"logs": "clf"},
             records=False)
    g.get("/a", {"User-Agent": "test/1"})
    line, = lines(g, 1)
    assert re.fullmatch(r'127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\] '
                        r'"GET /a HTTP/1\.1" 200 5 "-" "test/1"', line)


def test_people_get_columns(gate, server):
    g = gate(upstream=server(), telemetry={"logs": "text"}, records=False)
    g.get("/a?page=1")
    line, = lines(g, 1)
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} 200 GET    /a\?page +[\d.]+(us|ms|s) a from "
                        r"127\.0\.0\.1", line)


def test_off_is_off(gate, server):
    g = gate(upstream=server(), telemetry={"logs": "off"}, records=False)
    g.canary()
    time.sleep(0.3)
    assert g.stdout() == ""


def test_a_rotated_file_is_made_anew_and_loses_nothing(gate, server):
    g = gate(upstream=server(), telemetry={"logs": "json", "file": "access.log"}, records=False)
    log = next(path for path in (g.directory / "access.log",) if path)
    for i in range(10):
        g.get(f"/{i}")
    log_lines(log, 10)
    log.rename(g.directory / "access.log.1")
    g.signal(signal.SIGUSR1)
    for i in range(10):
        g.get(f"/{i}")
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        total = sum(len((g.directory / name).read_text().split("\n")) - 1
                    for name in ("access.log", "access.log.1") if (g.directory / name).exists())
        if total == 20 and log.exists():
            break
        time.sleep(0.02)
    assert total == 20 and log.exists()


def test_a_log_that_nobody_reads_stops_nothing(gate, server):
    read, write = os.pipe()
    try:
        s = server()
        g = gate(upstream=s, telemetry={"logs": "json"}, records=False, stdout=write)
        with g.raw() as connection:
            for i in range(300):
                connection.request("GET", "/" + "x" * 1500)
        g.canary()
        metrics = g.metrics()
        assert metrics.value("gatehouse_log_dropped_total") == 0  # a queue of a MiB holds these
        with g.raw() as connection:
            for i in range(1500):
                connection.request("GET", "/" + "x" * 1500)
        g.canary()
        deadline = time.monotonic() + 5
        while g.metrics().value("gatehouse_log_dropped_total") == 0:
            assert time.monotonic() < deadline, "nothing was dropped"
            time.sleep(0.05)
    finally:
        os.close(read)
        os.close(write)


def test_a_full_disk_stops_nothing_and_is_counted(gate, server):
    g = gate(upstream=server(), telemetry={"logs": "json", "file": "/dev/full"}, records=False)
    with g.raw() as connection:
        for i in range(1200):  # more than the queue holds meanwhile
            connection.request("GET", "/" + "x" * 1500)
    g.canary()
    deadline = time.monotonic() + 5
    while g.metrics().value("gatehouse_log_dropped_total", why="target") == 0:
        assert time.monotonic() < deadline, "nothing was dropped"
        time.sleep(0.05)


def test_a_flood_of_bad_heads_is_summed_up(gate, server):
    g = gate(upstream=server())
    for i in range(400):
        with g.raw() as connection:
            connection.send("nonsense\r\n\r\n").read()
    g.canary()
    deadline = time.monotonic() + 5
    while True:
        refused = [r for r in g.logs() if r.get("attributes", {}).get("gatehouse.reason") ==
                   "bad-request"]
        told = len(refused) + sum(r["attributes"].get("gatehouse.suppressed", 0) for r in refused)
        if told == 400:
            break
        assert time.monotonic() < deadline, f"{len(refused)} lines tell of {told}"
        time.sleep(0.05)
    metrics = g.metrics()
    assert metrics.value("gatehouse_heads_refused_total") == 400
    assert metrics.value("gatehouse_requests_total", gatehouse_reason="bad-request") == 400
