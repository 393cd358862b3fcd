"""Section K of the security catalogue, the rows on limits that one gate counts."""
import concurrent.futures
import email.utils
import os
import re
import signal
import time

import pytest
import rig

TRUSTED = {"main": {"trusted_proxies": ["127.0.0.0/8"]}}
KEYS = ["key-of-acme-0123456789", "key-of-acme-9876543210", "key-of-other-0123456789"]
CONSUMERS = {"acme": {"api_key": KEYS[:2]}, "other": {"api_key": KEYS[2]}}


def limited(gate, server, rate, burst, **options):
    policies = {"rate_limit": {"rate": rate, "burst": burst}, **options.pop("policies", {})}
    return gate(upstream=server, policies=policies, **options)


def test_K220_all_workers_together_let_in_as_many_as_it_says(gate, server):
    s = server(keep=False)
    g = limited(gate, s, "10/h per ip", 1000, workers=8)

    def many(_):
        with rig.Raw(g.port) as c:
            return [c.get("/").status for _ in range(101)]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        statuses = [status for part in pool.map(many, range(16)) for status in part]
    assert (statuses.count(200), statuses.count(429)) == (1000, 616)
    assert len(s.requests) == 1000
    assert g.metrics().value("gatehouse_rate_limited_total") == 616


def test_K220_what_was_used_up_stays_used_up_after_reloads_and_a_crash(gate, server):
    g = limited(gate, server(), "5/h per ip", 5, forgive="ended|signal",
                records=False)  # what was on its way to the log goes with the process
    assert [g.get("/").status for _ in range(6)] == [200] * 5 + [429]
    for _ in range(3):
        g.reload()
        assert g.get("/").status == 429
    data, = g.children()
    os.kill(data, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while g.children() in ([], [data]) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert g.get("/").status == 429


def test_K224_a_network_of_ipv6_is_one_caller(gate, server):
    g = limited(gate, server(), "3/h per ip", 3, listeners=TRUSTED)

    def ask(address):
        return g.get("/", {"X-Forwarded-For": address}).status
    assert [ask(f"2001:db8:0:1::{i:x}") for i in range(3)] == [200] * 3
    assert ask("2001:db8:0:1:ffff:ffff:ffff:ffff") == 429
    assert ask("2001:db8:0:2::1") == 200
    assert [ask(f"10.0.0.{i}") for i in range(5)] == [200] * 5
    assert [ask("10.0.1.1"), ask("::ffff:10.0.1.1"), ask("::ffff:0a00:101"), ask("10.0.1.1")] \
        == [200, 200, 200, 429]


EVASIONS = {  # what tries to be somebody else, or something else, each time
    "case-of-host": lambda i: ({}, "/x", ("a.test", "A.TEST", "a.test.", "a.test:80")[i % 4]),
    "other-paths": lambda i: ({}, f"/x/{i}", "a.test"),
    "case-of-path": lambda i: ({}, ("/x", "/X", "/x/", "//x")[i % 4], "a.test"),
    "query": lambda i: ({}, f"/x?{i}", "a.test"),
    "forwarded-for": lambda i: ({"X-Forwarded-For": f"10.0.0.{i}"}, "/x", "a.test"),
    "forwarded": lambda i: ({"Forwarded": f"for=10.0.0.{i}"}, "/x", "a.test"),
    "real-ip": lambda i: ({"X-Real-IP": f"10.0.0.{i}", "True-Client-IP": f"10.0.0.{i}"}, "/x",
                          "a.test"),
    "method": lambda i: ({"X-HTTP-Method-Override": "PUT"}, "/x", "a.test"),
    "keys-that-are-none": lambda i: ({"X-API-Key": f"wrong-{i}"}, "/x", "a.test"),
    "agents": lambda i: ({"User-Agent": f"{i}", "Cookie": f"id={i}"}, "/x", "a.test"),
}


@pytest.mark.parametrize("name", EVASIONS, ids=lambda n: f"K225-{n}")
def test_nobody_gets_around_a_limit(gate, server, name):
    g = limited(gate, server(), "5/h", 5, policies={"rewrite": "/x"})
    statuses = []
    for i in range(12):
        fields, target, host = EVASIONS[name](i)
        statuses.append(g.get(target, fields, host=host).status)
    assert statuses == [200] * 5 + [429] * 7


def test_K225_pipelined_requests_count_each(gate, server):
    g = limited(gate, server(), "5/h", 5)
    c = g.raw()
    c.send(rig.request("GET", "/x") * 10)
    assert [c.read().status for _ in range(10)] == [200] * 5 + [429] * 5


def test_K225_what_was_refused_otherwise_counts_too(gate, server):
    """Guesses at keys are requests like others."""
    g = gate(upstream=server(), consumers=CONSUMERS, policies={
        "auth": "api_key", "rate_limit": {"rate": "5/h per ip", "burst": 5}})
    statuses = [g.get("/", {"X-API-Key": f"guess-{i}"}).status for i in range(8)]
    assert statuses == [401] * 5 + [429] * 3


def test_K225_a_consumer_is_one_whichever_key_and_place_it_uses(gate, server):
    g = gate(upstream=server(), consumers=CONSUMERS, listeners=TRUSTED, workers=2, policies={
        "auth": "api_key", "rate_limit": {"rate": "4/h per consumer", "burst": 4}})
    ways = [{"X-API-Key": KEYS[0]}, {"X-API-Key": KEYS[1]}, {"Authorization": f"Bearer {KEYS[0]}"},
            {"X-API-Key": KEYS[0], "X-Forwarded-For": "10.1.2.3"}]
    assert [g.get("/", fields).status for fields in ways] == [200] * 4
    assert {g.get("/", fields).status for fields in ways} == {429}
    assert g.get("/", {"X-API-Key": KEYS[2]}).status == 200


def test_K226_a_crowd_of_strangers_takes_no_room_of_those_who_are_known(gate, server):
    g = gate({"apis": {
        "own": {"upstream": (s := server(keep=False)).url, "policies": {
            "auth": "api_key", "rate_limit": {"rate": "3/h per consumer", "burst": 3}}},
        "open": {"upstream": s.url, "policies": {
            "rate_limit": {"rate": "3/h per header:X-Tenant", "burst": 3}}}},
        "consumers": CONSUMERS, "limits": {"buckets": 1000}}, records=False,
        telemetry={"logs": "off"})
    key = {"X-API-Key": KEYS[0]}
    assert [g.get("/own", key).status for _ in range(4)] == [200, 200, 200, 429]
    c, before = rig.Raw(g.port, keep=False), None
    for i in range(6000):
        assert c.get("/open", {"X-Tenant": f"tenant-{i}"}).status == 200
        if i == 3000:
            before = g.memory()
    assert g.is_sanitized or g.memory() - before < 1 << 20
    assert g.get("/own", key).status == 429
    metrics = g.metrics()
    assert metrics.value("gatehouse_limit_cells_evicted_total", table="strangers") > 3000
    assert metrics.value("gatehouse_limit_cells_evicted_total", table="known") == 0


ITEM = re.compile(r'"[a-z0-9-]+";r=(\d+);t=(\d+)')


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "DELETE"])
def test_K228_a_refusal_says_when_to_come_again(gate, server, method):
    g = limited(gate, server(), "60/h per ip", 2, policies={"body_limit": "1KiB"})
    c, left = g.raw(), []
    for _ in range(4):
        answer = c.request(method, "/", body=b"x" if method == "POST" else None)
        found = ITEM.fullmatch(answer.header("ratelimit"))
        left.append((answer.status, int(found[1])))
        if answer.status == 429:
            wait = int(answer.header("retry-after"))
            assert 0 < wait <= 60 and wait == int(found[2])
            assert answer.keep_alive and (method != "HEAD" or answer.body == b"")
        else:
            assert answer.header("retry-after") is None
    assert left == [(200, 1), (200, 0), (429, 0), (429, 0)]


def test_K228_who_waits_as_told_is_let_in_and_who_does_not_loses_nothing(gate, server):
    g = limited(gate, server(), "60/min per ip", 1)
    assert g.get("/").status == 200
    for _ in range(3):
        answer = g.get("/")
        assert answer.status == 429 and answer.header("retry-after") == "1"
    time.sleep(1.05)
    assert g.get("/").status == 200


def test_K228_of_two_limits_the_one_that_refuses_takes_nothing_of_the_other(gate, server):
    g = gate({"enforce": {"rate_limit": {"rate": "4/h per ip", "burst": 4}}}, upstream=server(),
             policies={"rate_limit": {"rate": "1/h per header:X-Tenant", "burst": 1}})
    tenants = "aaaaaabcde"
    assert [g.get("/", {"X-Tenant": t}).status for t in tenants] \
        == [200] + [429] * 5 + [200] * 3 + [429]


def test_K228_no_body_comes_with_what_has_none(gate, server):
    g = limited(gate, server(), "1/h per ip", 1)
    g.get("/")
    c = g.raw()
    c.send(rig.request("HEAD", "/") + rig.request("GET", "/"))
    head, full = c.read("HEAD"), c.read("GET")
    assert (head.status, full.status) == (429, 429) and head.body == b""
    assert full.code == "rate-limited"


STEPS = [-3600, 3600, 86400 * 366, -86400 * 366 * 30]


@pytest.mark.parametrize("step", STEPS, ids=lambda s: f"K223-{s}s")
def test_a_clock_that_is_set_neither_gives_nor_takes(gate, server, syscalls, step):
    g = limited(gate, server(), "5/h per ip", 5, preload=syscalls)
    assert [g.get("/").status for _ in range(3)] == [200] * 3
    syscalls.set_clock(step)
    time.sleep(0.4)  # the calendar is looked at four times a second
    answers = [g.get("/") for _ in range(4)]
    assert [a.status for a in answers] == [200, 200, 429, 429]
    assert 0 < int(answers[-1].header("retry-after")) <= 720
    told = email.utils.parsedate_to_datetime(answers[-1].header("date")).timestamp()
    assert abs(told - time.time() - step) < 10, "the step was not seen at all"
    syscalls.set_clock(0)
    assert g.get("/").status == 429
    g.reload()
    assert g.get("/").status == 429
