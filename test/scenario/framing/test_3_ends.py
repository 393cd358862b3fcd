"""Section A of the security catalogue: bodies that nobody reads, that stop, or that wait, and what
comes behind them on the connection."""
import time

import pytest
import rig

KEY = "key-of-acme-0123456789"
KEYED = {"X-API-Key": KEY}
INNER = b"GET /poison HTTP/1.1\r\nHost: a.test\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: a.test\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


def config(url):
    """Each of these places answers itself, before any upstream is asked."""
    return {
        "open": {"path": "/", "upstream": url},
        "moved": {"upstream": url, "policies": {"redirect": "/elsewhere"}},
        "keyed": {"upstream": url, "policies": {"auth": "api_key"}},
        "limited": {"upstream": url, "policies": {"rate_limit": {"rate": "1/h", "burst": 1}}},
        "small": {"upstream": url, "policies": {"body_limit": "4B"}},
        "methods": {"upstream": url, "routes": {"GET /x": {}}},
    }


@pytest.fixture(scope="module")
def door(gates, servers):
    server = servers()
    door = rig.Door(gates, server, apis=config(server.url),
                    consumers={"acme": {"api_key": KEY}},
                    limits={"idle": "400ms", "header_time": "2s"})
    assert door.gate.post("/limited/x").status == 200
    return door


OWN = [("/moved/x", 308), ("/keyed/x", 401), ("/limited/x", 429), ("/methods/y", 404),
       ("/methods/x", 405)]


@pytest.mark.parametrize("target, status", OWN, ids=[f"A22-own-{status}" for _, status in OWN])
@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunked"])
def test_the_body_of_what_the_gate_answers_is_no_request(door, target, status, is_chunked):
    """CL.0: it is read and thrown away, or the connection is closed."""
    seen, mark = door.seen_bytes(), door.gate.mark()
    c = door.gate.raw()
    port = c.local_port
    c.send(rig.request("POST", target, body=[INNER] if is_chunked else INNER))
    answer = c.read()
    assert answer.status == status
    if answer.keep_alive:
        assert door.seen_bytes() == seen
        door.canary(c)
    else:
        c.expect_closed()
        assert door.seen_bytes() == seen
    c.close()
    lines = door.gate.wait_logs(lambda all_: [r for r in all_ if r.port == port], since=mark)
    assert [r.path for r in lines if r.path != "/canary"] == [target]


@pytest.mark.parametrize("target, status", [*OWN, ("/small/x", 413)],
                         ids=lambda v: f"A22-late-{v}" if isinstance(v, int) else "")
def test_a_body_that_comes_behind_the_answer_is_no_request(door, target, status):
    seen = door.seen_bytes()
    c = door.gate.raw()
    c.send(f"POST {target} HTTP/1.1\r\nHost: a.test\r\nContent-Length: {len(INNER)}\r\n\r\n")
    answer = c.read()
    assert answer.status == status
    c.try_send(INNER)
    assert door.seen_bytes() == seen
    if answer.keep_alive:
        door.canary(c)
    else:
        c.expect_closed()
    door.canary()


def test_A34_a_body_cut_off_is_never_whole_upstream(door):
    mark, count = door.gate.mark(), len(door.server.requests)
    c = door.gate.raw()
    c.send(CHUNKED + b"5\r\nhello\r\n")
    time.sleep(0.1)
    c.half_close()
    rest = c.read_all()
    assert not rest.startswith(b"HTTP/1.1 2")
    line, = door.gate.wait_logs(lambda all_: [r for r in all_ if r.port == c.local_port],
                                since=mark)
    assert line.reason == "client-abort"
    for request in door.since(count):
        assert not request.complete
        assert door.server.connections[request.connection].wait_given_up()
    door.canary()


@pytest.mark.parametrize("head", [POST + b"Content-Length: 100\r\n\r\n", CHUNKED + b"64\r\n"],
                         ids=["A38-length", "A38-chunked"])
def test_a_body_that_pauses_too_long_ends_the_connection(door, head):
    """Pause-based desync: what comes later is never a request."""
    count = len(door.server.requests)
    c = door.gate.raw()
    c.send(head + b"x" * 60)
    answer = c.read()
    assert (answer.status, answer.code, answer.keep_alive) == (408, "request-timeout", False)
    c.try_send(INNER)
    c.expect_closed()
    for request in door.since(count):
        assert request.target == "/a" and not request.complete
        assert door.server.connections[request.connection].wait_given_up()
    door.canary()


def test_A39_pipelined_requests_are_each_judged(door):
    mark = door.gate.mark()
    data = (rig.request("GET", "/keyed/1", KEYED) + rig.request("GET", "/keyed/2")
            + rig.request("GET", "/keyed/3", KEYED))
    c = door.gate.raw()
    c.send(data)
    assert [c.read().status for _ in range(3)] == [200, 401, 200]
    door.canary(c)
    lines = door.gate.wait_logs(
        lambda all_: (found := [r for r in all_ if r.port == c.local_port])[3:] and found,
        since=mark)
    assert [(r.path, r.reason, getattr(r, "consumer", None)) for r in lines[:3]] == [
        ("/keyed/1", "done", "acme"), ("/keyed/2", "credentials-missing", None),
        ("/keyed/3", "done", "acme")]


def test_A40_what_stands_behind_an_invalid_request_is_never_one(door):
    count = len(door.server.requests)
    data = (rig.request("GET", "/first") + b"GET /second HTTP/1.1\r\nHost : a.test\r\n\r\n"
            + rig.request("GET", "/third"))
    for name, pieces in rig.door.ways(data).items():
        with rig.Raw(door.gate.port) as c:
            rig.door.send_while_reading(c, pieces)
            assert [c.read().status, c.read().status] == [200, 400], name
            c.expect_closed()
    assert {r.target for r in door.since(count)} == {"/first"}
    door.canary()


EXPECT = "Expect: 100-continue\r\n"


@pytest.mark.parametrize("target, status", [("/keyed/x", 401), ("/small/x", 413),
                                            ("/limited/x", 429)],
                         ids=["A42-401", "A42-413", "A42-429"])
def test_a_refusal_before_the_body_was_asked_for_needs_no_body(door, target, status):
    seen = door.seen_bytes()
    c = door.gate.raw()
    c.send(f"POST {target} HTTP/1.1\r\nHost: a.test\r\n{EXPECT}"
           f"Content-Length: {len(INNER)}\r\n\r\n")
    answer = c.read()
    assert (answer.status, answer.interim) == (status, [])
    c.try_send(INNER)
    if answer.keep_alive:
        door.canary(c)
    else:
        c.expect_closed()
    assert door.seen_bytes() == seen or answer.keep_alive
    door.canary()


def test_A42_a_body_that_was_asked_for_is_waited_for(door):
    c = door.gate.raw()
    c.send(f"POST /a HTTP/1.1\r\nHost: a.test\r\n{EXPECT}Content-Length: 5\r\n\r\n")
    head = c.reader.head(is_request=False)
    assert head.first[0] == 100
    c.send(b"hello")
    assert c.read().status == 200
    door.canary(c)


def test_A43_expect_means_nothing_in_http_1_0(door):
    c = door.gate.raw()
    c.send(f"POST /a HTTP/1.0\r\nHost: a.test\r\n{EXPECT}Content-Length: 5\r\n\r\nhello")
    answer = c.read()
    assert (answer.status, answer.interim) == (200, [])
    assert door.server.requests[-1].header("expect") is None


@pytest.mark.parametrize("value", ["y 100-continue", "100-continue, x", "200-ok", "100-continue;a",
                                   "100-continue, 100-continue", ""],
                         ids=["A44-y", "A44-list", "A44-other", "A44-parameter", "A44-twice",
                              "A44-empty"])
@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
def test_another_expectation_is_not_met(door, method, value):
    door.refused(f"{method} /a HTTP/1.1\r\nHost: a.test\r\nExpect: {value}\r\n"
                 "Content-Length: 0\r\n\r\n", 417)


@pytest.mark.parametrize("lines", ["Expect:\r\n 100-continue\r\n", "Expect: 100-continue\r\n x\r\n",
                                   "Expect: 100-continue\r\nExpect: 100-continue\r\n"],
                         ids=["A44-folded", "A44-folded-behind", "A44-two-lines"])
def test_a_folded_or_doubled_expectation_is_no_field(door, lines):
    door.refused(f"OPTIONS /a HTTP/1.1\r\nHost: a.test\r\n{lines}Content-Length: 0\r\n\r\n")


REFUSAL = rig.http1.response(403, b"no", reason="Forbidden")


def test_A45_an_upstream_that_refuses_without_the_body_is_not_pooled_half_way(gate, server):
    s = server(manual=True)
    g = gate(upstream=s)
    c = g.raw()
    c.send(f"POST /a HTTP/1.1\r\nHost: a.test\r\n{EXPECT}Content-Length: 5\r\n\r\n")
    up = s.accept()
    request = up.begin_request()
    assert request.header("expect").lower() == "100-continue"
    up.send(REFUSAL)
    answer = c.read()
    assert (answer.status, answer.body, answer.interim) == (403, b"no", [])
    assert up.wait_end() is not None
    assert up.reader.rest() == b""
    c.close()


@pytest.mark.parametrize("length", [10, 200000], ids=["A46-small", "A46-large"])
def test_an_early_answer_ends_the_upstream_connection(gate, server, length):
    """0.CL: the gate still owes bytes of the body; the next request must not become these."""
    s = server(manual=True)
    g = gate(upstream=s)
    c = g.raw()
    c.send(f"POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Length: {length}\r\n\r\nx")
    up = s.accept()
    up.begin_request()
    up.send(rig.http1.response(200, b"early"))
    answer = c.read()
    assert (answer.status, answer.body) == (200, b"early")
    c.try_send(b"x" * (length - 1))
    assert up.wait_end() is not None
    if answer.keep_alive:
        c.send(rig.request("GET", "/next"))
        other = s.accept()
        assert other.read_request().target == "/next"
        other.send(rig.http1.response(200, b"next"))
        assert c.read().body == b"next"
    c.close()
