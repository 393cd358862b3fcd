"""Several targets: turns, weights, health, reloads, two families, names."""
import collections
import concurrent.futures
import os
import signal
import socket
import threading
import time

import pytest
import rig

OK = rig.http1.response(200, b"ok")


def start(gate, upstream, policies=None, **options):
    return gate({"apis": {"a": {"path": "/", "upstream": "u", "policies": policies or {}}},
                 "upstreams": {"u": upstream}}, **options)


def named(server, text):
    server.reply = rig.http1.response(200, text.encode())
    return server


def count(g, requests):
    c = g.raw()
    return collections.Counter(c.get(f"/{i}").body.decode() for i in range(requests))


def test_targets_take_turns_by_weight(gate, server):
    a, b, c = (named(server(), name) for name in "abc")
    g = start(gate, {"targets": [{"url": a.url, "weight": 3}, b.url, {"url": c.url, "weight": 0}]})
    assert count(g, 40) == {"a": 30, "b": 10}


def test_who_is_busy_gets_less(gate, server):
    event = threading.Event()
    a, b = server((rig.hold(event), OK)), named(server(), "b")
    g = start(gate, {"targets": [a.url, b.url], "balance": "least_conn"})
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        while not a.requests:
            stuck = pool.submit(g.get, "/")
            concurrent.futures.wait([stuck], 0.2)
        assert count(g, 20) == {"b": 20}
        event.set()
        assert stuck.result().status == 200


def test_the_same_caller_meets_the_same_target(gate, server):
    servers = [named(server(), name) for name in "abc"]
    g = start(gate, {"targets": [s.url for s in servers], "balance": "hash",
                     "hash": "header:X-User"})
    met = {}
    for user in range(40):
        for _ in range(2):
            body = g.get("/", headers={"X-User": str(user)}).body
            assert met.setdefault(user, body) == body
    assert len(set(met.values())) == 3


def test_a_target_that_fails_is_left_out_for_a_while(gate, server):
    a, b = named(server(), "a"), named(server(), "b")
    g = start(gate, {"targets": [a.url, b.url], "eject": {"failures": 3, "time": "1s"},
                     "circuit_breaker": "off"}, policies={"retry": {"budget": "100%"}})
    a.reply = (rig.reset(),)
    assert count(g, 30) == {"b": 30}
    assert len(a.requests) == 3
    named(a, "a")
    time.sleep(4)
    assert count(g, 60)["a"] > 0


def reload(g, config):
    """Gives it the configuration, and it time to take it over."""
    g.write(config)
    g.signal(signal.SIGHUP)
    time.sleep(0.2)


def test_a_reload_moves_traffic_and_breaks_nothing(gate, server):
    servers = [named(server(), name) for name in "ab"]
    g = start(gate, {"targets": [servers[0].url]})
    stop, answers = threading.Event(), []

    def ask():
        c = rig.Raw(g.port)
        while not stop.is_set():
            answers.append(c.get("/").status)
    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    config = {"apis": {"a": {"path": "/", "upstream": "u"}}}
    for i in range(10):
        reload(g, {**config, "upstreams": {"u": {"targets": [servers[i % 2].url]}}})
    stop.set()
    for thread in threads:
        thread.join()
    assert set(answers) == {200} and len(answers) > 50
    assert count(g, 5) == {"b": 5}


def test_a_reload_keeps_connections(gate, server):
    s = server()
    g = start(gate, {"targets": [s.url], "pool": {"idle": "30s"}})
    assert g.get("/").status == 200
    for i in range(5):
        reload(g, {"apis": {"a": {"path": "/", "upstream": "u"}},
                   "upstreams": {"u": {"targets": [s.url], "pool": {"idle": f"{31 + i}s"}}}})
        assert g.get("/").status == 200
    assert len(s.connections) == 1


class OnV6(threading.Thread):
    """A server on ::1 only."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        self.listener.bind(("::1", 0))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            peer, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        while b"\r\n\r\n" in peer.recv(65536):
            peer.sendall(OK)


def test_localhost_is_both_loopback_addresses(gate, server):
    v4 = server()
    g = start(gate, {"targets": [f"http://localhost:{v4.port}"]})
    assert [g.post("/x", b"b").status for _ in range(5)] == [200] * 5
    v6 = OnV6()
    g = start(gate, {"targets": [f"http://localhost:{v6.port}"]}, records=False,
              policies={"retry": {"attempts": 1}})
    assert [g.post("/x", b"b").status for _ in range(5)] == [200] * 5


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="names are served on port 53")


@needs_root
def test_a_name_is_followed_and_the_last_good_addresses_are_kept(gate, server, names):
    a = named(server(host="127.0.0.2"), "a")
    b = named(server(host="127.0.0.3", port=a.port), "b")
    ns = names({"up.test": [("127.0.0.2", 1)]})
    g = start(gate, {"targets": [f"http://up.test:{a.port}"]}, names=ns)
    assert count(g, 4) == {"a": 4}
    ns.set("up.test", [("127.0.0.2", 1), ("127.0.0.3", 1)])
    deadline = time.monotonic() + 10
    while not b.requests and time.monotonic() < deadline:
        count(g, 2)
        time.sleep(0.1)
    assert count(g, 10) == {"a": 5, "b": 5}
    ns.fail("up.test", "servfail")
    time.sleep(2.5)
    assert sum(count(g, 10).values()) == 10
    ns.set("up.test", [("127.0.0.3", 1)])
    deadline = time.monotonic() + 40
    while count(g, 4) != {"b": 4}:
        assert time.monotonic() < deadline
        time.sleep(0.2)
