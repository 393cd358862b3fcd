"""Section Q of the security catalogue: who is asked while services come and go. Rows 332, 333, 334,
336, 337, 340, and 339 for the gate itself."""
import collections
import concurrent.futures
import itertools
import signal
import threading
import time

import pytest
import rig
from rig import wait_until

OK = rig.http1.response(200, b"ok")
RESET = (rig.reset(),)


def config(upstream, policies=None):
    return {"apis": {"a": {"path": "/", "upstream": "u", "policies": policies or {}}},
            "upstreams": {"u": upstream}}


def named(server, name, **options):
    return server(rig.http1.response(200, name.encode()), **options)


def asked(g, count, connection=None):
    c = connection or g.raw()
    return collections.Counter(c.get(f"/{i}").body.decode() for i in range(count))


def test_Q332_all_down_is_said_at_once_and_all_come_back(gate, server):
    """Never out for ever: one that answers again is asked again."""
    servers = [named(server, n) for n in "abc"]
    for s in servers:
        s.reply = RESET
    g = gate(config({"targets": [s.url for s in servers], "circuit_breaker": "off",
                     "eject": {"failures": 2, "time": "500ms", "share": "100%"}}))
    statuses = [g.get("/").status for _ in range(30)]
    assert set(statuses) <= {502, 503} and len(servers[0].requests) < 30
    for s, n in zip(servers, "abc"):
        s.reply = rig.http1.response(200, n.encode())
    wait_until(lambda: g.get("/").status == 200)
    met = collections.Counter()

    def all_are_back():
        met.update(asked(g, 9))
        return len(met) == 3
    wait_until(all_are_back, 15)


def test_Q332_one_good_of_many_serves_all(gate, server):
    good = named(server, "good")
    bad = [server(RESET) for _ in range(9)]
    g = gate(config({"targets": [s.url for s in (*bad, good)], "circuit_breaker": "off",
                     "eject": {"failures": 1, "time": "30s", "share": "100%"}},
                    {"retry": {"attempts": 10, "budget": "100%"}}))
    asked(g, 20)  # those who found them out, and may have been refused
    assert asked(g, 50) == {"good": 50}
    assert all(1 <= len(s.requests) <= 2 for s in bad)


def test_Q332_no_more_than_the_share_is_left_out(gate, server):
    bad = [server(RESET) for _ in range(3)]
    good = named(server, "good")
    g = gate(config({"targets": [s.url for s in (*bad, good)], "circuit_breaker": "off",
                     "eject": {"failures": 1, "time": "30s", "share": "50%"}},
                    {"retry": {"attempts": 4, "budget": "100%"}}))
    assert asked(g, 40) == {"good": 40}
    assert sum(len(s.requests) > 5 for s in bad) == 1


def test_Q332_who_fails_now_and_then_stays_and_is_not_logged_each_time(gate, server):
    flapping = server(lambda request, turn=itertools.count(): RESET if next(turn) % 2 else OK)
    g = gate(config({"targets": [flapping.url, named(server, "b").url],
                     "circuit_breaker": "off", "eject": {"failures": 3}},
                    {"retry": {"budget": "100%"}}))
    for i in range(60):
        assert g.get(f"/{i}").status == 200
    assert len(flapping.requests) > 20
    assert g.stderr().count("a target is left out") == 0


def test_Q333_a_new_target_gets_its_share_slowly(gate, server):
    a, b = named(server, "a"), named(server, "b")
    g = gate(config({"targets": [a.url], "slow_start": "4s"}))
    asked(g, 10)
    g.write(config({"targets": [a.url, b.url], "slow_start": "4s"}))
    g.reload()
    begin, c = time.monotonic(), g.raw()
    early = asked(g, 200, c)
    weight = min(1, (time.monotonic() - begin) / 4 + 0.1)  # at the last of them, at most
    assert early["b"] < 200 * weight / (1 + weight) + 30
    time.sleep(max(0, 4.5 - (time.monotonic() - begin)))
    late = asked(g, 200, c)
    assert 90 <= late["b"] <= 110


@pytest.mark.parametrize("workers", [1, 4])
def test_Q334_reloads_do_not_favour_the_first(gate, server, workers):
    servers = [named(server, n, keep=False) for n in "abcde"]
    wanted = config({"targets": [s.url for s in servers]})
    g = gate(wanted, workers=workers, records=False, telemetry={"logs": "off"})
    total = collections.Counter()
    for i in range(40):
        g.write({**wanted, "drain": f"{i + 1}s"})
        g.reload()
        for _ in range(workers * 2):
            with rig.Raw(g.port) as c:
                total += asked(g, 3, c)
    count = sum(total.values())
    for name in "abcde":
        assert abs(total[name] / count - 0.2) < (0.05 if workers > 1 else 0.1), total


def test_Q336_one_target_more_or_less_moves_only_its_share(gate, server):
    servers = [named(server, n) for n in "abcdefghij"]
    users = [f"user-{i}" for i in range(400)]

    def settings(some):
        return config({"targets": [s.url for s in some], "balance": "hash",
                       "hash": "header:X-User"})

    def map_of(g):
        c = g.raw()
        return {u: c.get("/", {"X-User": u}).body for u in users}
    g = gate(settings(servers))
    before = map_of(g)
    assert min(collections.Counter(before.values()).values()) > 10
    g.write(settings(servers[:-1]))
    g.reload()
    after = map_of(g)
    moved = [u for u in users if before[u] != after[u]]
    assert all(before[u] == b"j" for u in moved) and len(moved) < 80
    again = gate(settings(servers), workers=2)
    assert map_of(again) == before, "another process and more workers, the same map"


WEIGHTS = {  # weights, share of each in 60 requests; None: nobody may be asked
    "zero": ([1, 0], [60, 0]), "all-zero": ([0, 0], None), "one": ([7], [60]),
    "large": ([256, 256], [30, 30]), "uneven": ([4, 1, 1], [40, 10, 10]),
}


@pytest.mark.parametrize("balance", ["round_robin", "least_conn", "random", "hash"])
@pytest.mark.parametrize("name", WEIGHTS, ids=lambda name: f"Q337-{name}")
def test_weights_at_their_edges(gate, server, name, balance):
    weights, shares = WEIGHTS[name]
    servers = [named(server, f"{i}") for i in range(len(weights))]
    g = gate(config({"targets": [{"url": s.url, "weight": w} for s, w in zip(servers, weights)],
                     "balance": balance, "hash": "path"}))
    if shares is None:
        answer = g.get("/")
        assert (answer.status, answer.code) == (503, "no-target")
        return
    met = asked(g, 60)
    assert sum(met.values()) == 60
    for i, share in enumerate(shares):
        if share == 0:
            assert met[f"{i}"] == 0
        elif balance == "round_robin":
            assert met[f"{i}"] == share
        elif len(shares) > 1:
            assert met[f"{i}"] > 0


def test_Q337_the_same_address_twice_is_asked_once_or_twice_but_served(gate, server):
    s = named(server, "a")
    g = gate(config({"targets": [s.url, s.url]}))
    assert asked(g, 20) == {"a": 20}


def test_Q340_after_a_pause_few_may_try(gate, server):
    """Many wait for the moment; the service meets a handful, and all are let in once it answers."""
    s = server(RESET, keep=False)
    g = gate(config({"targets": [s.url], "eject": "off",
                     "circuit_breaker": {"errors": "50%", "min_requests": 5, "open": "1s"}},
                    {"retry": "off"}), workers=2)
    c = g.raw()
    wait_until(lambda: c.get("/").status == 503)
    begin = time.monotonic()
    s.reply = (rig.wait(0.6), OK)
    time.sleep(max(0, begin + 1.1 - time.monotonic()))
    before = len(s.requests)
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda i: g.get(f"/{i}"), range(40)))
    passed = len(s.requests) - before
    assert 1 <= passed <= 12, f"{passed} of 40 passed at once"
    assert collections.Counter(a.status for a in answers)[503] == 40 - passed
    s.reply = OK
    wait_until(lambda: {g.get("/").status for _ in range(5)} == {200})


def test_Q339_a_drain_ends_all_in_order(gate, server):
    """Resting connections, requests under way, an upload and slow readers, while new ones come."""
    go = threading.Event()
    large = rig.http1.response(200, b"y" * 300000)

    def reply(request):
        if request.target == "/held":
            return (rig.hold(go), OK)
        return large if request.target == "/large" else OK
    s = server(reply)
    g = gate({"drain": "8s"}, upstream=s, policies={"body_limit": "off"})
    resting = [g.raw() for _ in range(60)]
    for c in resting:
        assert c.get("/").status == 200
    held = [g.raw() for _ in range(10)]
    for c in held:
        c.send(rig.request("GET", "/held"))
    upload = g.raw().send("POST /up HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100000\r\n\r\n",
                          b"u" * 50000)
    reader = g.raw(rcvbuf=4096)
    reader.send(rig.request("GET", "/large"))
    wait_until(lambda: sum(r.target == "/held" for r in s.requests) == 10
               and any(r.target == "/large" for r in s.requests))
    g.signal(signal.SIGTERM)
    for c in resting:
        c.expect_closed(within=4)
    assert g.process.poll() is None
    upload.send(b"u" * 50000)
    answer = upload.read()
    assert (answer.status, answer.keep_alive) == (200, False)
    assert reader.read().size == 300000
    go.set()
    for c in held:
        answer = c.read()
        assert (answer.status, answer.body, answer.keep_alive) == (200, b"ok", False)
        c.expect_closed()
    assert g.wait_exit(20) == 0
    assert all(r.complete for r in s.requests)


def test_Q339_what_does_not_end_is_ended_and_said(gate, server):
    s = server((rig.wait(30), OK), lenient=True)
    g = gate({"drain": "700ms"}, upstream=s, records=False)
    c = g.raw()
    c.send(rig.request("GET", "/"))
    s.wait_connections(1)
    time.sleep(0.1)
    watch = rig.Watch()
    g.signal(signal.SIGTERM)
    assert g.wait_exit(20) == 0
    assert 0.5 < watch.wall and watch.own < 3
    line, = g.logs()
    assert line.reason == "draining"
