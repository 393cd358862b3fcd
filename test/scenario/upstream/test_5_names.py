"""Section O of the security catalogue, rows 291, 292 and 294: name servers that lie, fail or are
gone, and addresses of which one family is broken."""
import concurrent.futures
import http.server
import os
import socket
import struct
import threading
import time

import pytest
import rig
from rig.ports import free_port

OK = rig.http1.response(200, b"ok")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="names are served on port 53")
pytestmark = [pytest.mark.root, needs_root]


def start(gate, names, port, name="up.test", policies=None, **settings):
    return gate({"apis": {"a": {"path": "/", "upstream": "u", "policies": policies or {}}},
                 "upstreams": {"u": {"targets": [f"http://{name}:{port}"], **settings}}},
                names=names)


def record(address, ttl=1, name=b"\xc0\x0c", kind=1):
    data = address if isinstance(address, bytes) else socket.inet_aton(address)
    return name + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data


def answer(query, question, records, flags=0x8180, count=None, number=None):
    head = (query[:2] if number is None else number) + struct.pack(
        ">HHHHH", flags, 1, len(records) if count is None else count, 0, 0)
    return head + question + b"".join(records)


def another(question):
    return b"\x05other\x04test\x00" + question[-4:]


EVIL = "127.0.0.66"
LIES = {  # what comes in place of an answer
    "another-id": lambda q, s: answer(q, s, [record(EVIL)], number=bytes([q[0] ^ 1, q[1]])),
    "another-question": lambda q, s: answer(q, another(s), [record(EVIL)]),
    "another-owner": lambda q, s: answer(q, s, [record(EVIL, name=b"\x04evil\x04test\x00")]),
    "no-question": lambda q, s: q[:2] + struct.pack(">HHHHH", 0x8180, 0, 1, 0, 0) + record(EVIL),
    "empty": lambda q, s: answer(q, s, []),
    "count-without-records": lambda q, s: answer(q, s, [], count=9),
    "cut-record": lambda q, s: answer(q, s, [record(EVIL)])[:-2],
    "cut-head": lambda q, s: q[:7], "one-byte": lambda q, s: b"x",
    "pointer-to-itself": lambda q, s: answer(
        q, s, [record(EVIL, name=struct.pack(">H", 0xc000 + 12 + len(s)))]),
    "pointer-beyond": lambda q, s: answer(q, s, [record(EVIL, name=b"\xff\xff")]),
    "pointer-loop": lambda q, s: answer(q, s, [record(
        EVIL, name=b"\x01a" + struct.pack(">H", 0xc000 + 12 + len(s)))]),
    "long-label": lambda q, s: answer(q, s, [record(EVIL, name=b"\x7f" + b"x" * 127 + b"\0")]),
    "length-beyond": lambda q, s: answer(q, s, [
        b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 1, 65535) + b"\x7f\0\0\x42"]),
    "address-of-3-bytes": lambda q, s: answer(q, s, [record(b"\x7f\0\0")]),
    "address-of-no-bytes": lambda q, s: answer(q, s, [record(b"")]),
    "cname-to-itself": lambda q, s: answer(q, s, [record(b"\xc0\x0c", kind=5)]),
    "cname-ring": lambda q, s: answer(q, s, [
        record(b"\x01a\xc0\x0c", kind=5), record(b"\xc0\x0c", name=b"\x01a\xc0\x0c", kind=5)]),
    "many-counts": lambda q, s: q[:2] + b"\x81\x80" + b"\xff" * 8 + s,
    "refused": lambda q, s: answer(q, s, [], flags=0x8185),
    "format-error": lambda q, s: answer(q, s, [], flags=0x8181),
    "truncated-and-no-tcp": lambda q, s: answer(q, s, [record(EVIL)], flags=0x8380),
    "random": lambda q, s: q[:2] + os.urandom(200),
    "servfail": "servfail", "nxdomain": "nxdomain", "silent": "silent",
}


@pytest.mark.parametrize("name", LIES, ids=lambda name: f"O291-{name}")
def test_what_was_known_serves_whatever_a_name_server_says(gate, server, names, name):
    """No request is lost meanwhile, nor sent where a lie says; the truth is followed again."""
    s = server(host="127.0.0.2")
    server(host=EVIL, port=s.port, never=True)
    ns = names({"up.test": [("127.0.0.2", 1)]})
    g = start(gate, ns, s.port, policies={"retry": "off"})
    pids, c, asked = g.children(), g.raw(), len(ns.queries)
    ns.fail("up.test", LIES[name])
    deadline = time.monotonic() + 5
    while len(ns.queries) < asked + 2:
        assert time.monotonic() < deadline, "nobody asked"
        assert c.get("/").status == 200
        time.sleep(0.01)
    for _ in range(30):
        assert c.get("/").status == 200
        time.sleep(0.01)
    assert g.children() == pids
    moved = server(host="127.0.0.3", port=s.port)
    ns.set("up.test", [("127.0.0.3", 1)])
    deadline = time.monotonic() + 20
    while not moved.requests:
        assert time.monotonic() < deadline, "it is not followed any more"
        assert g.get("/").status == 200
        time.sleep(0.05)


@pytest.mark.parametrize("lie", ["servfail", "nxdomain", "silent", "another-owner", "pointer-loop"])
def test_O291_a_name_that_is_not_known_yet_is_a_503_until_it_is(gate, server, names, lie):
    s = server()
    ns = names()
    ns.fail("up.test", LIES[lie])
    g = start(gate, ns, s.port)
    said = g.get("/")
    assert (said.status, said.code) == (503, "no-target") == (g.record(said).status, said.code)
    ns.set("up.test", [("127.0.0.1", 60)])
    deadline = time.monotonic() + 30
    while g.get("/").status != 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_O291_times_to_live_are_kept_within_bounds(gate, server, names):
    """0 is asked again once a second at most, a year within `max`."""
    s = server(host="127.0.0.2")
    ns = names({"up.test": [("127.0.0.2", 0)]})
    g = start(gate, ns, s.port)
    assert g.get("/").status == 200
    before = len(ns.queries)
    c = g.raw()
    for _ in range(200):
        assert c.get("/").status == 200
        time.sleep(0.01)
    assert 1 <= len(ns.queries) - before <= 8
    g.finish()
    ns.set("up.test", [("127.0.0.2", 31536000)])
    g = start(gate, ns, s.port, dns={"max": "1s"})
    other = server(host="127.0.0.3", port=s.port)
    ns.set("up.test", [("127.0.0.3", 31536000)])
    deadline = time.monotonic() + 5
    while not other.requests:
        assert g.get("/").status == 200 and time.monotonic() < deadline
        time.sleep(0.05)


def test_O291_a_hundred_addresses_are_all_used(gate, server, names):
    s = server(host="127.0.3.1")
    servers = [s, *(server(host=f"127.0.3.{i}", port=s.port) for i in range(2, 26))]
    ns = names({"up.test": [(f"127.0.3.{i}", 60) for i in range(1, 26)]})
    g = start(gate, ns, s.port)
    c = g.raw()
    assert {c.get("/").status for _ in range(100)} == {200}
    assert {len(one.requests) for one in servers} == {4}


def test_O291_an_address_that_left_gets_nothing_new_and_ends_what_it_has(gate, server, names):
    a = server(lambda request: (rig.wait(1.5), OK) if request.target == "/held" else OK,
               host="127.0.0.2")
    b = server(host="127.0.0.3", port=a.port)
    ns = names({"up.test": [("127.0.0.2", 1)]})
    g = start(gate, ns, a.port)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        held = pool.submit(g.get, "/held")
        a.wait_connections(1)
        ns.set("up.test", [("127.0.0.3", 1)])
        deadline = time.monotonic() + 5
        while not b.requests:
            assert g.get("/").status == 200 and time.monotonic() < deadline
            time.sleep(0.05)
        seen = len(a.requests)
        assert [g.get("/").status for _ in range(10)] == [200] * 10
        assert len(a.requests) == seen
        assert held.result().status == 200


@pytest.mark.timeout(90)
def test_O292_name_servers_may_be_gone_for_long(gate, server, names):
    """Nobody waits, nothing fails, the log stays quiet."""
    s = server(host="127.0.0.2", keep=False)
    ns = names({"up.test": [("127.0.0.2", 1)], "quick.test": [("127.0.0.2", 1)]})
    g = start(gate, ns, s.port)
    assert g.get("/").status == 200
    ns.fail("up.test", "silent")
    worst, begin, c = 0, time.monotonic(), g.raw()
    while time.monotonic() - begin < 12:
        said = c.get("/")
        assert said.status == 200
        worst = max(worst, said.seconds)
        time.sleep(0.005)
    assert worst < 0.3
    lines = [line for line in (g.stderr() + g.stdout()).splitlines() if "up.test" in line
             and "gatehouse.reason" not in line]
    assert len(lines) <= 12, lines
    assert g.metrics().value("gatehouse_dns_lookups_total", result="failed") > 0


class OnSix(http.server.ThreadingHTTPServer):
    """A plain server on ::1."""
    address_family = socket.AF_INET6
    daemon_threads = True

    class Ok(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.server.hosts.append(self.headers["Host"])
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_):
            pass

    def __init__(self, port):
        super().__init__(("::1", port), self.Ok)
        self.hosts = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


@pytest.mark.parametrize("broken", ["::1", "127.0.0.1"], ids=lambda b: f"O294-{b}")
def test_a_family_that_is_broken_costs_a_quarter_of_a_second(gate, server, names, broken):
    good = server() if broken == "::1" else None
    port = good.port if good else free_port()
    deaf = rig.Deaf(broken, port)
    six = None if good else OnSix(port)
    try:
        ns = names({"up.test": [("127.0.0.1", 60), ("::1", 60)]})
        g = gate({"apis": {"a": {"path": "/", "upstream": "u"}},
                  "upstreams": {"u": {"targets": [f"http://up.test:{port}"]}}}, names=ns,
                 records=False)
        times = []
        for _ in range(10):
            said = g.get("/")
            assert said.status == 200
            times.append(said.seconds)
        assert times[0] < 0.8 and sorted(times)[5] < 0.1, times
    finally:
        deaf.close()
        if six:
            six.shutdown()


HOSTS = {"[::1]": "[::1]", "127.0.0.1": "127.0.0.1", "localhost": "localhost", "up.test": "up.test"}


@pytest.mark.parametrize("written", HOSTS, ids=lambda h: f"O294-{h}")
def test_the_host_of_a_request_is_what_is_written(gate, server, names, written):
    """An IPv6 address in brackets, with its port; never the address that a name has."""
    s = server()
    six = OnSix(s.port)
    ns = names({"up.test": [("127.0.0.1", 60)]})
    g = gate({"apis": {"a": {"path": "/", "upstream": f"http://{written}:{s.port}"}}}, names=ns,
             records=False)
    assert g.get("/").status == 200
    six.shutdown()
    hosts = [*six.hosts, *(r.header("host") for r in s.requests)]
    assert hosts == [f"{HOSTS[written]}:{s.port}"]
