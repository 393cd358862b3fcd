"""Section N of the security catalogue: callers that take their time, vanish, or come in crowds."""
import concurrent.futures
import errno
import os
import random
import threading
import time

import pytest
import rig
from rig import wait_until

IS_RELEASE = "release" in os.environ.get("GATE", "release")
MIB = 1 << 20


def is_at_rest(gate):
    """Nothing under way, no caller's connection left."""
    status = gate.metrics()
    return (status.value("http_server_active_requests") == 0
            and status.value("gatehouse_connections") == 0)


def test_N273_heads_that_trickle_harm_nobody(gate, server):
    g = gate(upstream=server(), limits={"header_time": "1500ms"}, nofile=8192)
    before = g.memory()
    crowd = [g.raw() for _ in range(600)]
    head = b"GET / HTTP/1.1\r\nHost: a.test\r\nX-Slow: "
    watch = rig.Watch()
    for c in crowd:
        c.send(head)
    per_connection = (g.memory() - before) / len(crowd)
    worst = 0
    for _ in range(3):
        for c in crowd:
            c.try_send(b"x")
        for _ in range(5):
            worst = max(worst, g.canary().seconds)
    assert worst < 0.25
    if IS_RELEASE:
        assert per_connection < 16 * 1024
    for c in crowd:
        answer = c.read()
        assert (answer.status, answer.code) == (408, "request-timeout")
    assert watch.own < 6
    for c in crowd:
        c.expect_closed()
        c.close()


def test_N274_a_body_that_trickles_is_timed_out(gate, server):
    s = server()
    g = gate(upstream=s, limits={"idle": "500ms", "body_rate": "1000B/s"})
    with rig.Raw(g.port) as c:
        c.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100000\r\n\r\n")
        for _ in range(60):
            if not c.is_silent(0.05):
                break
            c.try_send(b"x")
        answer = c.read()
        assert (answer.status, answer.code, answer.keep_alive) == (408, "request-timeout", False)
    wait_until(lambda: is_at_rest(g))
    assert not s.requests or not s.requests[0].complete
    g.canary()


def test_N274_a_body_that_is_fast_enough_may_take_long(gate, server):
    g = gate(upstream=server(), limits={"idle": "300ms", "body_rate": "500B/s"})
    with rig.Raw(g.port) as c:
        c.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3000\r\n\r\n")
        for _ in range(15):
            c.send(b"x" * 200)
            time.sleep(0.1)
        assert c.read().status == 200


def test_N274_an_answer_that_nobody_takes_is_given_up(gate, server):
    piece = b"x" * MIB
    s = server(lambda request: ("HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n",
                                iter([piece] * 100)))
    g = gate(upstream=s, limits={"idle": "700ms"})
    before = g.memory()
    with rig.Raw(g.port, rcvbuf=2048, keep=False) as c:
        c.send(rig.request("GET", "/large"))
        c.read_some(1)
        time.sleep(0.3)
        assert g.memory() - before < 3 * MIB
        wait_until(lambda: is_at_rest(g))
        assert s.connections[0].wait_given_up() or s.connections[0].is_closed
    line = g.wait_logs(1)[0]
    assert line.reason == "client-abort" and line.path == "/large"


def test_N274_who_takes_a_little_now_and_then_is_served(gate, server):
    body = os.urandom(3 * MIB)
    g = gate(upstream=server(rig.http1.response(200, body)), limits={"idle": "600ms"})
    with rig.Raw(g.port, rcvbuf=65536) as c:
        c.send(rig.request("GET", "/"))
        got = b""
        while len(got) < len(body):
            piece = c.read_some(1)
            assert piece, f"given up after {len(got)} bytes"
            got += piece
            time.sleep(0.02)
        assert got.endswith(body[-1000:])


ABORTS = 10000 if IS_RELEASE else 1500


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_N276_whoever_vanishes_leaves_nothing_behind(gate, server):
    """Random aborts: in the head, the body, the wait, the answer; with RST and with FIN."""
    def reply(request):
        if request.target.startswith("/slow"):
            return rig.wait(0.02), rig.server.OK
        return rig.http1.response(200, b"x" * int(request.header("x-size", "10")))
    s = server(reply, lenient=True, keep=False)
    asked = {"upstream": s.url, "policies": {"forward_auth": s.url + "/slow"}}
    g = gate({"apis": {"asked": asked}},
             upstream=s, workers=2, records=False, limits={"linger": "200ms"}, nofile=8192)
    for _ in range(20):
        g.canary()
    pids = g.children()
    descriptors = sum(g.descriptors(pid) for pid in pids)

    def one(chance):
        target = chance.choice(["/fast", "/slow", "/asked/x"])
        kind = chance.randrange(3)
        body = None if kind == 0 else b"b" * chance.randrange(20000)
        if kind == 2:
            body = [body[i:i + 4000] for i in range(0, len(body), 4000)]
        data = rig.request("POST" if body else "GET", target, {"X-Size": chance.randrange(200000)},
                           body)
        c = rig.Raw(g.port)
        try:
            c.send(data[:chance.randrange(len(data) + 1)] if chance.random() < 0.7 else data)
            if chance.random() < 0.4:
                c.socket.settimeout(0.01)
                try:
                    c.socket.recv(chance.randrange(1, 5000))
                except TimeoutError:
                    pass
        except OSError:
            pass
        finally:
            c.reset() if chance.random() < 0.8 else c.close()

    def many(seed):
        chance = random.Random(seed)
        for _ in range(ABORTS // 4):
            one(chance)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(many, range(4)))
    wait_until(lambda: is_at_rest(g), 10)
    time.sleep(0.3)
    metrics = g.metrics()
    assert metrics.value("http_client_active_requests") == 0
    assert g.children() == pids, "a process of the gate was replaced"
    idle = metrics.value("http_client_open_connections")
    assert sum(g.descriptors(pid) for pid in pids) <= descriptors + idle + 8
    g.canary()


def test_N277_a_chunked_upload_waits_for_a_slow_upstream(gate, server):
    """Back-pressure: what the upstream has not taken stays with the caller."""
    s = server(manual=True, rcvbuf=8192, keep=False)
    g = gate(upstream=s, policies={"body_limit": "off"})
    before = g.memory()
    c = g.raw()
    c.send("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n")
    c.socket.settimeout(0.3)
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    sent = 0
    with pytest.raises(TimeoutError):
        while sent < 64 * MIB:
            c.socket.sendall(piece)
            sent += 65536
    assert sent < 16 * MIB
    assert g.memory() - before < 2 * MIB
    up = s.accept()
    up.begin_request()
    c.reset()
    assert up.wait_end() is not None


def test_N280_each_event_passes_at_once(gate, server):
    """Server-sent events, and a chunked upload: nothing waits for more to come."""
    events = [b"data: %d\n\n" % i for i in range(5)]
    came = [threading.Event() for _ in events]

    def reply(_):
        yield (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
               b"Transfer-Encoding: chunked\r\n\r\n")
        for i, event in enumerate(events):
            yield b"%x\r\n%s\r\n" % (len(event), event)
            came[i].wait(5)
        yield b"0\r\n\r\n"
    g = gate(upstream=server(lambda request: (reply(request),)))
    c = g.raw()
    c.send(rig.request("GET", "/events"))
    seen, watch = b"", rig.Watch()
    for i, event in enumerate(events):
        while event not in seen:
            piece = c.read_some(1)
            assert piece
            seen += piece
        assert watch.own < 0.1 + 0.05 * (i == 0)
        watch = rig.Watch()
        came[i].set()


def test_N282_without_ports_it_is_a_503_and_no_storm(gate, server, syscalls):
    s = server()
    g = gate(upstream=s, preload=syscalls, policies={"retry": {"attempts": 3}})
    g.canary()
    s.connections[0].socket.shutdown(2)
    time.sleep(0.1)
    for error in (errno.EADDRNOTAVAIL, errno.EAGAIN):
        syscalls.fail("connect", error)
        before = syscalls.hits("connect")
        answer = g.get("/")
        assert (answer.status, answer.code) == (503, "no-target")
        assert syscalls.hits("connect") - before <= 3
        syscalls.heal()
        assert g.record(answer).reason == answer.code
    g.canary()


def test_N284_where_memory_ends_new_requests_are_refused(gate, server, syscalls):
    """Half of 16 MiB: slow readers fill it, probes and what is under way go on. For whom there is
    not even a place as a connection, it is closed."""
    body = os.urandom(8 * MIB)
    large = rig.http1.response(200, body)
    s = server(lambda request: rig.server.OK if request.target == "/canary" else large)
    g = gate(upstream=s, preload=syscalls, environment={"GATE_TEST_PHYS_PAGES": "4096"},
             nofile=8192, records=False)
    slow = []
    status = 200
    while status == 200 and len(slow) < 500:
        c = rig.Raw(g.port, rcvbuf=2048)
        c.send(rig.request("GET", "/large"))
        slow.append(c)
        if len(slow) % 25 == 0:
            time.sleep(0.02)
            try:
                answer = g.get("/canary")
                status = answer.status
            except (OSError, EOFError):
                status = "closed"
    assert status == "closed" or (status, answer.code) == (503, "overloaded"), "it never ended"
    assert g.ask("/livez").status == 200 and g.ask("/metrics").status == 200
    for c in slow[5:]:
        c.reset()
    for c in slow[:5]:
        answer = c.read()
        assert answer.status == 503 or answer.body == body
        c.close()

    def is_served():
        try:
            return g.get("/canary").status == 200
        except (OSError, EOFError):
            return False
    wait_until(is_served)
    g.canary()


def come(gate, count):
    """So many new connections; one that is refused may end before it is there."""
    connections = []
    for _ in range(count):
        try:
            connections.append(gate.raw())
        except ConnectionResetError:
            pass
    return connections


def count_served(connections):
    """How many of these connections were let in."""
    served = 0
    for c in connections:
        try:
            c.send(rig.request("GET", "/"))
            served += c.read().status == 200
        except (OSError, EOFError, rig.ProtocolFault):
            pass
    return served


@pytest.mark.parametrize("workers", [1, 2])
def test_N285_one_address_has_so_many_connections(gate, server, workers):
    g = gate(upstream=server(), limits={"connections_per_ip": 10}, workers=workers)
    connections = come(g, 20)
    time.sleep(0.1)
    assert count_served(connections) == 10
    g.wait_metric(10, "gatehouse_connections_refused_total", limit="connections_per_ip")
    for c in connections:
        c.close()
    wait_until(lambda: is_at_rest(g))
    assert count_served(come(g, 10)) == 10


@pytest.mark.parametrize("workers", [1, 2])
def test_N285_a_listener_has_so_many_connections(gate, server, workers):
    """Busy ones are left alone: beyond the cap a new one is refused."""
    held = threading.Event()
    s = server(lambda request: (rig.hold(held), rig.server.OK))
    g = gate(upstream=s, limits={"connections": 10}, workers=workers)
    connections = come(g, 10)
    for c in connections:
        c.send(rig.request("GET", "/"))
    s.wait_connections(10)
    assert count_served(come(g, 1)) == 0
    g.wait_metric(1, "gatehouse_connections_refused_total", limit="connections")
    held.set()
    assert [c.read().status for c in connections] == [200] * 10


def test_N285_who_rested_longest_makes_room(gate, server):
    g = gate(upstream=server(), limits={"connections": 10})
    connections = come(g, 10)
    assert count_served(connections) == 10
    new = come(g, 4)
    assert count_served(new) == 4
    for c in connections[:4]:
        c.expect_closed()
    assert count_served(connections[4:]) == 6


def test_N285_the_caps_follow_a_reload(gate, server):
    s = server()
    g = gate(upstream=s, limits={"connections_per_ip": 2})
    assert count_served(come(g, 4)) == 2
    g.options["limits"] = {"connections_per_ip": 5}
    g.reload({})
    assert count_served(come(g, 5)) == 3


def cost(gate, data, count=150):
    """CPU seconds of so many of these requests."""
    c = rig.Raw(gate.port)
    for _ in range(10):
        c.send(data)
        assert c.read().status == 200
    before = gate.cpu_seconds()
    for _ in range(count):
        c.send(data)
        c.read()
    c.close()
    return gate.cpu_seconds() - before


def head_of(lines):
    return b"GET / HTTP/1.1\r\nHost: a.test\r\n" + b"".join(lines) + b"\r\n"


AMPLIFIERS = {
    "N286-names-of-one-hash": [b"X-%07d: 1\r\n" % i for i in range(120)],
    "N286-connection-names": [b"Connection: " + b"x-1," * 32 + b"\r\n",
                              *(b"X-%03d: 1\r\n" % i for i in range(120))],
    "N286-connection-of-nothing": [b"Connection: " + b"," * 8000 + b"\r\n" for _ in range(3)],
    "N286-underscores": [b"X_" + b"_" * 200 + b": 1\r\n" for _ in range(120)],
    "N286-accept": [b"Accept: " + b"a/b;q=0.1," * 800 + b"\r\n"],
    "N286-cookies": [b"Cookie: " + b"a=b;" * 2000 + b"\r\n"],
    "N286-via": [b"Via: " + b"1.1 a," * 1300 + b"\r\n" for _ in range(3)],
    "N286-tracestate": [b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n",
                        *(b"tracestate: " + b"a=b," * 30 + b"\r\n" for _ in range(100))],
}


@pytest.mark.parametrize("name", AMPLIFIERS)
def test_a_request_costs_what_its_bytes_cost(gates, servers, request, name):
    """S364: at most 100 times of what a plain request of the same size does; a sanitizer makes
    loops dearer than copies."""
    g = getattr(request.module, "priced", None)
    if g is None:
        g = request.module.priced = gates(upstream=servers(keep=False), records=False)
    odd = head_of(AMPLIFIERS[name])
    size = max(1, (len(odd) - 40) // 8000)
    plain = head_of([b"X-Y: " + b"y" * min(8000, len(odd) - 40) + b"\r\n"] * size)
    assert cost(g, odd) <= (400 if g.is_sanitized else 20) * max(cost(g, plain), 0.02)


@pytest.mark.timeout(60)
def test_N288_a_worker_that_hangs_is_replaced(gate, server, syscalls):
    g = gate(upstream=server(), preload=syscalls, records=False, limits={"connections": 100},
             forgive="turn|watchdog|fatal signal|AddressSanitizer|LeakSanitizer|SUMMARY|ABORT")
    g.canary()
    pids = g.children()
    c, watch = rig.Raw(g.port), rig.Watch()
    syscalls.fail("recv", -20000, count=1)
    c.send(rig.request("GET", "/"))
    wait_until(lambda: g.children() != pids, 8)
    assert watch.wall > 1.5, "it was replaced before it hung"
    wait_until(lambda: "watchdog" in g.stderr() or "turn" in g.stderr())

    def serves():
        try:
            return g.get("/canary").status == 200
        except (OSError, EOFError):
            return False
    wait_until(serves, 5)
    assert watch.own < 8
