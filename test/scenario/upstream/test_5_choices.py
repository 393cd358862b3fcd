"""Who is chosen, how long connections live, and what is told where no further try can be made."""
import collections
import concurrent.futures
import threading
import time

import pytest
import rig

OK = rig.http1.response(200, b"ok")
CALLERS = 40  # so many that each of three targets has some
KEYS = [f"key-of-somebody-{i:04d}" for i in range(CALLERS)]


def start(gate, upstream, policies=None, **options):
    return gate({"apis": {"a": {"path": "/", "upstream": "u", "policies": policies or {}}},
                 "upstreams": {"u": upstream}}, **options)


def named(server, name):
    return server(rig.http1.response(200, name.encode()))


def test_random_takes_the_better_of_two(gate, server):
    event = threading.Event()
    busy, free = server((rig.hold(event), OK)), named(server, "free")
    g = start(gate, {"targets": [busy.url, free.url], "balance": "random"})
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        while not busy.requests:
            stuck = pool.submit(g.get, "/")
            concurrent.futures.wait([stuck], 0.2)
        c = g.raw()
        assert [c.get("/").body for _ in range(30)] == [b"free"] * 30
        event.set()
        assert stuck.result().status == 200


def test_random_gives_each_its_weight(gate, server):
    a, b = named(server, "a"), named(server, "b")
    g = start(gate, {"targets": [{"url": a.url, "weight": 3}, b.url], "balance": "random"})
    c = g.raw()
    met = collections.Counter(c.get("/").body for _ in range(400))
    assert 240 < met[b"a"] < 360


HASHES = [("ip", lambda i: ("/", {"X-Forwarded-For": f"192.0.2.{i}"})),
          ("consumer", lambda i: ("/", {"X-API-Key": KEYS[i]})),
          ("path", lambda i: (f"/{i}", {})),
          ("header:X-User", lambda i: ("/", {"X-User": str(i)}))]


@pytest.mark.parametrize("by, request_of", HASHES, ids=[row[0] for row in HASHES])
def test_hash_keeps_together_what_is_alike_on_all_workers_and_over_reloads(gate, server, by,
                                                                           request_of):
    servers = [named(server, name) for name in "abc"]
    g = start(gate, {"targets": [s.url for s in servers], "balance": "hash", "hash": by},
              {"auth": "api_key"} if by == "consumer" else {}, workers=2,
              consumers={f"c{i}": {"api_key": key} for i, key in enumerate(KEYS)},
              listeners={"main": {"trusted_proxies": ["127.0.0.1"]}})

    def meet():
        return [bytes(g.get(*request_of(i)).body) for i in range(CALLERS)]
    met = meet()
    assert len(set(met)) == 3
    assert all(meet() == met for _ in range(4))
    g.command("reload")
    assert meet() == met


def test_pool_a_connection_is_kept_so_long_and_no_longer(gate, server):
    s = server()
    g = start(gate, {"targets": [s.url], "pool": {"idle": "300ms", "age": "1s"}})
    c = g.raw()
    assert c.get("/").status == 200 and c.get("/").status == 200
    assert len(s.connections) == 1
    assert s.connections[0].wait_given_up(1.0) == "eof"  # idle
    begin = time.monotonic()
    while time.monotonic() - begin < 1.3:
        assert c.get("/").status == 200
        time.sleep(0.05)
    assert len(s.connections) == 3  # too old in between


def test_pool_no_more_than_max_at_once(gate, server):
    event = threading.Event()
    s = server((rig.hold(event), OK))
    g = start(gate, {"targets": [s.url], "pool": {"max": 2}}, {"retry": "off"})
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        held = [pool.submit(g.get, "/") for _ in range(2)]
        s.wait(2)
        answer = g.get("/")
        assert (answer.status, answer.code) == (503, "overloaded")
        event.set()
        assert [one.result().status for one in held] == [200, 200]
    assert g.get("/").status == 200 and len(s.connections) == 2


def test_what_cannot_be_tried_again_ends_as_it_did(gate, server):
    """The retry finds an open breaker, or no room: that is not why the request failed."""
    one, two = server((rig.reset(),)), server((rig.reset(),))
    g = start(gate, {"targets": [one.url, two.url], "eject": "off", "circuit_breaker": {
        "min_requests": 1, "open": "10s"}})
    first, second = g.get("/"), g.get("/")
    assert (first.status, first.code) == (502, "upstream-cut")
    assert (second.status, second.code) == (503, "no-target")
    assert int(second.header("retry-after")) > 0


def test_an_answer_is_not_given_up_for_a_try_that_cannot_be(gate, server):
    s = server(rig.http1.response(503, b"busy"))
    g = start(gate, {"targets": [s.url], "circuit_breaker": {"min_requests": 1}},
              {"retry": {"attempts": 3, "on": [503]}})
    answer = g.get("/")
    assert (answer.status, bytes(answer.body)) == (503, b"busy")
