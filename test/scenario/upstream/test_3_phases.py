"""Section Q of the security catalogue, rows 328 and 331: each part of the way has its own time and
its own name; and 326, 327, 342: how often, where to, and whose answer it is."""
import collections
import concurrent.futures
import os
import random
import re
import threading
import time

import pytest
import rig
from rig.ports import free_port

OK = rig.http1.response(200, b"ok")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"


@pytest.fixture
def deaf():
    made = []

    def make(*arguments):
        made.append(rig.Deaf(*arguments))
        return made[-1]
    yield make
    for one in made:
        one.close()


def slow(*steps):
    """Takes its time forever."""
    return (*steps, rig.wait(5), rig.close())


def trickle():
    yield HEAD
    while True:
        time.sleep(0.05)
        yield b"x"


BODY = {"method": "POST", "body": b"x" * (8 << 20)}
PHASES = {  # what the service does, times, status, reason, error of Proxy-Status, request
    "refused": (None, {"connect": "300ms"}, 502, "upstream-refused", "connection_refused"),
    "connect": ("deaf", {"connect": "300ms"}, 504, "upstream-connect-timeout",
                "connection_timeout"),
    "response": (slow(), {"response": "300ms"}, 504, "upstream-timeout", "http_response_timeout"),
    "half-a-head": (slow(b"HTTP/1.1 200 OK\r\nX-"), {"response": "300ms"}, 504, "upstream-timeout",
                    "http_response_timeout"),
    "only-100": (slow(b"HTTP/1.1 102 Processing\r\n\r\n"), {"response": "300ms"}, 504,
                 "upstream-timeout", "http_response_timeout"),
    "idle": (slow(HEAD + b"x"), {"idle": "300ms"}, 200, "upstream-stalled", None),
    "drip": ((trickle(),), {"total": "600ms"}, 200, "total-timeout", None),
    "total": (slow(), {"total": "300ms"}, 504, "total-timeout", "http_response_timeout"),
    "cut": ((b"HTTP/1.1 200 OK\r\n", rig.close()), {}, 502, "upstream-cut",
            "http_response_incomplete"),
    "nonsense": ((b"no\r\n\r\n", rig.close()), {}, 502, "upstream-invalid", "http_protocol_error"),
}


@pytest.mark.parametrize("name", PHASES, ids=lambda name: f"Q328-{name}")
def test_each_time_has_its_name(gate, server, deaf, name):
    does, times, status, reason, error = PHASES[name]
    if does is None:
        upstream = f"http://127.0.0.1:{free_port()}"
    else:
        upstream = deaf().url if does == "deaf" else server(does, lenient=True).url
    g = gate(upstream=upstream, policies={"timeout": times, "retry": "off"}, records=False)
    c, watch = g.raw(), rig.Watch()
    c.send(rig.request("GET", "/"))
    answer = c.read(whole=False)
    assert (answer.status, answer.complete) == (status, status != 200)
    assert (0.25 < watch.wall or not times or does is None)
    assert watch.own < 1.5
    record = g.record(answer)
    assert (record.reason, record.status) == (reason, status)
    assert g.metrics().value("gatehouse_requests_total", gatehouse_reason=reason) == 1
    if status != 200:
        assert answer.code == reason and f"error={error}" in answer.header("proxy-status")
    else:
        c.expect_closed()


def test_Q328_a_service_that_takes_no_body_is_given_up(gate, server):
    s = server(manual=True, rcvbuf=4096, keep=False)
    g = gate(upstream=s, policies={"timeout": {"idle": "400ms"}, "retry": "off"}, records=False)
    c = g.raw()
    c.send(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9000000\r\n\r\n")
    sender = threading.Thread(target=lambda: c.try_send(b"x" * 9000000))
    sender.start()
    answer = c.read()
    assert (answer.status, answer.code) == (504, "upstream-stalled")
    sender.join()


def test_Q328_a_kept_connection_is_closed_in_its_time(gate, server):
    s = server()
    g = gate({"apis": {"a": {"path": "/", "upstream": "u"}},
              "upstreams": {"u": {"targets": [s.url], "pool": {"idle": "400ms"}}}})
    assert g.get("/").status == 200
    watch = rig.Watch()
    assert s.connections[0].wait_given_up() == "eof"
    assert 0.3 < watch.wall and watch.own < 1.5


def test_Q328_the_time_of_all_tries_is_one(gate, server):
    """Retries share the deadline."""
    s = server(slow())
    g = gate({"apis": {"a": {"path": "/", "upstream": "u", "policies": {
        "timeout": {"response": "600ms"}, "retry": {"attempts": 5, "on": ["timeout"]}}}},
        "upstreams": {"u": {"targets": [s.url, server(slow()).url]}}}, records=False)
    watch = rig.Watch()
    assert g.get("/").status == 504
    assert watch.own < 1.0


def test_Q331_an_answer_without_end_takes_no_memory(gate, server):
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"

    def endless():
        yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        while True:
            yield piece
    s = server((endless(),))
    g = gate(upstream=s, records=False)
    c, before = g.raw(rcvbuf=8192, keep=False), g.memory()
    c.send(rig.request("GET", "/"))
    c.read_some(1)
    time.sleep(0.5)
    # What the address sanitizer frees it keeps for a while.
    assert g.memory() - before < (8 << 20 if g.is_sanitized else 2 << 20)
    c.reset()
    deadline = time.monotonic() + 3
    while g.metrics().value("http_server_active_requests") and time.monotonic() < deadline:
        time.sleep(0.02)
    assert g.metrics().value("http_server_active_requests") == 0


def test_Q327_a_retry_goes_to_somebody_else(gate, server):
    bad, good = server((rig.reset(),)), [server() for _ in range(3)]
    for balance in ("round_robin", "least_conn", "random", "hash"):
        g = gate({"apis": {"a": {"path": "/", "upstream": "u", "policies": {
            "retry": {"budget": "100%"}}}},
            "upstreams": {"u": {"targets": [bad.url, *(s.url for s in good)], "balance": balance,
                                "hash": "path", "eject": "off", "circuit_breaker": "off"}}})
        seen = len(bad.requests)
        assert [g.get(f"/{i}").status for i in range(40)] == [200] * 40
        assert len(bad.requests) > seen
        ids = [r.id for r in bad.requests]
        assert len(ids) == len(set(ids)), "asked again where it just failed"
        g.finish()


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_Q326_a_fifth_more_at_most_over_all_workers(gate, server):
    """Everything fails, many at once: what waits for its turn counts, too."""
    one, two = server((rig.reset(),), keep=False), server((rig.reset(),), keep=False)
    g = gate({"apis": {"a": {"path": "/", "upstream": "u", "policies": {
        "retry": {"attempts": 4}}}}, "upstreams": {"u": {
            "targets": [one.url, two.url], "eject": "off", "circuit_breaker": "off"}}}, workers=2)
    begin = time.monotonic()

    def many(number):
        with rig.Raw(g.port) as c:
            return [c.get(f"/{number}/{i}").status for i in range(100)]
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        statuses = [status for part in pool.map(many, range(10)) for status in part]
    seconds = time.monotonic() - begin
    assert set(statuses) == {502}
    tries = len(one.requests) + len(two.requests)
    assert 1000 < tries <= 1000 * 1.2 + 2 * 3 * (seconds + 1) + 10


def test_Q326_a_pause_that_the_service_asks_for_is_kept(gate, server):
    busy = rig.http1.response(503, b"", [("Retry-After", "1")])
    s = server([busy, OK])
    g = gate(upstream=s, policies={"retry": {"attempts": 2, "on": [503]}})
    watch = rig.Watch()
    answer = g.get("/")
    assert 0.95 < watch.wall and watch.own < 2.5
    assert (answer.status, len(s.requests)) == (200, 2)
    s.reply = rig.http1.response(503, b"", [("Retry-After", "600")])
    s.requests.clear()
    watch = rig.Watch()
    assert g.get("/").status == 503 and watch.own < 0.5
    assert len(s.requests) == 1


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_Q342_an_answer_never_goes_to_somebody_else(gate, server):
    """Each request has a token, each answer must bear it, whatever is cut, reset or late."""
    def reply(request):
        token, chance = request.target[1:], random.random()
        body = token.encode() * random.randrange(1, 200)
        whole = rig.http1.response(200, body, [("X-Token", token)])
        if chance < 0.08:
            return (whole[:random.randrange(len(whole))], rig.reset())
        if chance < 0.12:
            return (rig.wait(0.3), whole)
        if chance < 0.2:
            return (whole, rig.close())
        if chance < 0.25:
            return (rig.http1.response(200, [body], [("X-Token", token)]),)
        if chance < 0.28:
            return (whole + whole,)
        return whole
    s = server(reply, lenient=True, keep=False)
    g = gate(apis={"a": {"path": "/", "upstream": "u", "policies": {
        "timeout": {"response": "200ms"}, "retry": {"budget": "100%"}}}}, upstreams={
            "u": {"targets": [s.url], "circuit_breaker": "off", "eject": "off"}},
             workers=2, records=False)
    wrong, statuses = [], collections.Counter()

    def many(seed):
        chance = random.Random(seed)
        c = rig.Raw(g.port, keep=False)
        for i in range(400):
            token = f"t-{seed}-{i}-" + os.urandom(4).hex()
            try:
                if chance.random() < 0.1:
                    c.send(rig.request("GET", "/" + token))
                    c.reset()
                    c = rig.Raw(g.port, keep=False)
                    continue
                method = chance.choice(["GET", "POST", "HEAD"])
                c.send(rig.request(method, "/" + token, None, b"b" if method == "POST" else None))
                answer = c.read(method)
            except (OSError, EOFError, rig.ProtocolFault):
                c.close()
                c = rig.Raw(g.port, keep=False)
                continue
            statuses[answer.status] += 1
            if answer.status == 200 and (answer.header("x-token") != token or re.sub(
                    re.escape(token), "", answer.body.decode())):
                wrong.append((token, answer.header("x-token")))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(many, range(8)))
    assert not wrong and statuses[200] > 500 and statuses[504] > 0, (wrong[:3], statuses)
