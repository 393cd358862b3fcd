"""What is tried again, and what never is: security.md 45, 46, 78, 79, 322, 324, 325, 327."""
import concurrent.futures
import threading
import time

import pytest
import rig
from rig.ports import free_port

OK = rig.http1.response(200, b"ok")
BUSY = rig.http1.response(503, b"busy")


def of(*targets, **settings):
    """Upstream settings with these targets."""
    return {"u": {"targets": [getattr(t, "url", t) for t in targets], **settings}}


def start(gate, *targets, policies=None, **settings):
    return gate({"apis": {"a": {"path": "/", "upstream": "u", "policies": policies or {}}},
                 "upstreams": of(*targets, **settings)})


def closed_port():
    return f"http://127.0.0.1:{free_port()}"


def test_what_cannot_be_reached_is_asked_elsewhere_whatever_the_method(gate, server):
    s = server()
    g = start(gate, closed_port(), s)
    for i in range(6):
        assert g.post(f"/{i}", b"body").status == 200
    assert [bytes(r.body) for r in s.wait(6)] == [b"body"] * 6


def test_what_broke_is_repeated_where_that_does_nothing_twice(gate, server):
    bad, good = server((rig.reset(),)), server()
    g = start(gate, bad, good, eject="off")
    assert [g.get(f"/{i}").status for i in range(6)] == [200] * 6
    answers = sorted(g.post(f"/{i}").status for i in range(6))
    assert answers == [200, 200, 200, 502, 502, 502]
    assert sum(r.method == "POST" for r in bad.requests + good.requests) == 6


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_an_answer_is_an_answer(gate, server, status):
    s, other = server(rig.http1.response(status, b"mine")), server(never=True)
    g = start(gate, s, {"url": other.url, "weight": 0})
    r = g.post("/x", b"body")
    assert (r.status, r.body) == (status, b"mine")
    r = g.get("/x")
    assert (r.status, r.body) == (status, b"mine")
    assert len(s.requests) == 2


def test_a_status_that_is_listed_is_asked_elsewhere(gate, server):
    busy, good = server(BUSY), server()
    g = start(gate, busy, good, policies={"retry": {"on": ["connect", 503]}})
    assert [g.get(f"/{i}").status for i in range(6)] == [200] * 6
    assert sorted(g.post(f"/{i}").status for i in range(4)) == [200, 200, 503, 503]


def test_a_server_that_does_not_answer_in_time_is_not_asked_twice(gate, server):
    event = threading.Event()
    s = server((rig.hold(event), OK))
    g = start(gate, s, policies={"timeout": {"response": "300ms"}})
    watch = rig.Watch()
    assert g.post("/x", b"body").status == 504
    assert 0.25 < watch.wall and watch.own < 2
    event.set()
    assert len(s.requests) == 1


def test_a_body_is_sent_again_whole_or_not_at_all(gate, server):
    bad, good = server((rig.reset(),)), server()
    g = start(gate, bad, good, eject="off")
    small, large = b"s" * 30000, b"l" * 1000000
    for _ in range(4):
        assert g.request("PUT", "/x", body=small).status == 200
    assert all(bytes(r.body) == small for r in good.wait(4))
    seen = len(bad.requests) + len(good.requests)
    answers = [g.request("PUT", "/x", body=large).status for _ in range(4)]
    assert sorted(answers) == [200, 200, 502, 502]
    assert len(bad.requests) + len(good.requests) == seen + 4


def test_a_connection_that_the_server_ended_is_no_fault(gate, server):
    """The server keeps connections for a moment only; requests cross its end again and again."""
    def reply(request):
        return (OK, rig.wait(0.0005 * (request.connection % 8)), rig.close())
    s = server(reply)
    g = start(gate, s, policies={"retry": {"attempts": 1}}, circuit_breaker="off")

    def many(number):
        c = rig.Raw(g.port)
        return [c.get(f"/{number}/{i}").status for i in range(60)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = [status for part in pool.map(many, range(4)) for status in part]
    assert answers == [200] * 240


def test_an_unsafe_request_is_never_seen_twice(gate, server):
    def reply(request):
        return (OK, rig.wait(0.0005 * (request.connection % 8)), rig.close())
    s = server(reply)
    g = start(gate, s, circuit_breaker="off")

    def many(number):
        c = rig.Raw(g.port)
        return [c.post(f"/{number}/{i}", b"x").status for i in range(60)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = [status for part in pool.map(many, range(4)) for status in part]
    targets = [r.target for r in s.requests]
    assert len(targets) == len(set(targets))
    assert set(answers) <= {200, 502}
    assert answers.count(200) > 60


def test_an_answer_before_the_whole_request_ends_the_connection(gate, server):
    s = server(OK, early=True)
    g = start(gate, s)
    c = g.raw()
    c.send(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nhalf")
    assert c.read().status == 200
    assert s.connections[0].wait_given_up() is not None
    assert g.get("/y").status == 200
    assert len(s.connections) == 2


def test_what_comes_unasked_is_nobodys_answer(gate, server):
    s = server(manual=True)
    g = start(gate, s)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        first = pool.submit(g.get, "/1")
        c = s.accept()
        c.read_request()
        c.send(OK + rig.http1.response(200, b"poison"))
        assert first.result().body == b"ok"
        assert c.wait_end() is not None
        second = pool.submit(g.get, "/2")
        c = s.accept()
        c.read_request()
        c.send(rig.http1.response(200, b"two"))
        assert second.result().body == b"two"
        c.send(rig.http1.response(200, b"poison"))
        assert c.wait_end() is not None
        third = pool.submit(g.get, "/3")
        c = s.accept()
        c.read_request()
        c.send(rig.http1.response(200, b"three"))
        assert third.result().body == b"three"


def test_all_that_fails_is_asked_a_fifth_more_often_at_most(gate, server):
    """security.md 326, for one worker: the budget is 20 % and three a second."""
    one, two = server((rig.reset(),)), server((rig.reset(),))
    g = start(gate, one, two, policies={"retry": {"attempts": 3}}, eject="off",
              circuit_breaker="off")
    begin = time.monotonic()
    c = g.raw()
    for i in range(300):
        assert c.get(f"/{i}").status == 502
    seconds = time.monotonic() - begin
    assert 300 < len(one.requests) + len(two.requests) <= 300 * 1.2 + 3 * (seconds + 1) + 5


def test_the_breaker_opens_and_says_when_to_come_again(gate, server):
    s = server((rig.reset(),))
    g = start(gate, s, circuit_breaker={"errors": "50%", "min_requests": 10, "open": "1s"},
              policies={"retry": {"attempts": 1}})
    c = g.raw()
    for i in range(10):
        assert c.get(f"/{i}").status == 502
    r = c.get("/open")
    assert r.status == 503 and r.header("retry-after") in ("1", "2")
    assert len(s.requests) == 10
    s.reply = OK
    time.sleep(1.2)
    assert [c.get(f"/{i}").status for i in range(5)] == [200] * 5
