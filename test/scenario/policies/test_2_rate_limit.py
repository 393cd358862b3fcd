"""rate_limit: who is counted together, what is told, and that the count is exact."""
import concurrent.futures
import time

import pytest
import rig

KEY, OTHER = "key-of-acme-0123456789", "key-of-beta-0123456789"
PEOPLE = {"acme": {"api_key": [KEY, "second-key-of-acme-42"]}, "beta": {"api_key": OTHER}}


def behind():
    """Listeners that believe us who calls."""
    return {"main": {"trusted_proxies": ["127.0.0.0/8"]}}


def statuses(g, times, *fields, target="/x"):
    with g.raw() as c:
        return [c.get(target, list(fields)).status for _ in range(times)]


def admitted(g, *fields, times=5, target="/x"):
    """How many of so many requests pass; the others are all 429."""
    all_ = statuses(g, times, *fields, target=target)
    assert set(all_) <= {200, 429} and all_ == sorted(all_)
    return all_.count(200)


def start(gate, server, rate, auth="none", **options):
    return gate(upstream=server(), policies={"auth": auth, "rate_limit": rate}, consumers=PEOPLE,
                listeners=behind(), **options)


def key(k):
    return ("X-API-Key", k)


def address(ip):
    return ("X-Forwarded-For", ip)


def test_a_consumer_is_counted_wherever_it_calls_from_and_by_whatever_key(gate, server):
    for rate in ("3/h per consumer", "3/h"):
        g = start(gate, server, rate, "api_key")
        assert admitted(g, key(KEY), address("192.0.2.1"), times=2) == 2
        assert admitted(g, key("second-key-of-acme-42"), address("192.0.2.2")) == 1
        assert admitted(g, key(OTHER), address("192.0.2.1")) == 3


def test_a_credential_is_counted_alone(gate, server):
    g = start(gate, server, "3/h per credential", "api_key")
    assert admitted(g, key(KEY)) == 3
    assert admitted(g, key("second-key-of-acme-42")) == 3


def test_an_address_is_counted_whoever_calls(gate, server):
    g = start(gate, server, "3/h per ip", "api_key")
    assert admitted(g, key(KEY), address("192.0.2.1"), times=2) == 2
    assert admitted(g, key(OTHER), address("192.0.2.1")) == 1
    assert admitted(g, key(KEY), address("192.0.2.2")) == 3


def test_a_network_of_64_bits_is_one_caller(gate, server):
    g = start(gate, server, "3/h per ip")
    assert [admitted(g, address(f"2001:db8:0:1::{i:x}"), times=1) for i in range(5)] == [
        1, 1, 1, 0, 0]
    assert admitted(g, address("2001:db8:0:2::1")) == 3
    assert admitted(g, address("192.0.2.1"), times=2) == 2
    assert admitted(g, address("::ffff:192.0.2.1")) == 1


def test_who_refuses_to_be_known_is_counted_by_address(gate, server):
    """A wrong key gets through a limit per ip, which comes before auth, as often as a right one."""
    g = start(gate, server, "3/h per ip", "api_key")
    assert statuses(g, 5, key("wrong")) == [401, 401, 401, 429, 429]
    g = start(gate, server, "3/h per consumer")
    assert admitted(g, address("192.0.2.1")) == 3
    assert admitted(g, address("192.0.2.2")) == 3


def test_a_header_tells_callers_apart(gate, server):
    g = start(gate, server, "3/h per header:X-Tenant")
    assert admitted(g, ("X-Tenant", "a")) == 3
    assert admitted(g, ("x-tenant", "b")) == 3
    assert admitted(g, address("192.0.2.1")) == 3  # without the header: the address
    assert admitted(g, address("192.0.2.2")) == 3


def test_a_channel_is_counted_as_one(gate, server):
    s = server()
    g = gate(channels={"a": {"hosts": ["a.test"]}, "b": {"hosts": ["b.test"]}}, listeners=behind(),
             policies={"rate_limit": "3/h per channel"},
             apis={"x": {"path": "/", "channels": ["a", "b"], "upstream": s.url}})

    def ask(host, ip):
        return g.get("/", [address(ip)], host=host).status
    assert [ask("a.test", f"192.0.2.{i}") for i in range(4)] == [200, 200, 200, 429]
    assert [ask("b.test", f"192.0.2.{i}") for i in range(4)] == [200, 200, 200, 429]


def test_where_it_is_written_decides_what_is_counted_together(gate, server):
    s = server()
    g = gate(policies={"rate_limit": "4/h"}, apis={
        "a": {"upstream": s.url}, "b": {"upstream": s.url},
        "own": {"upstream": s.url, "policies": {"rate_limit": "3/h"}},
        "free": {"upstream": s.url, "policies": {"rate_limit": "off"}},
        "r": {"upstream": s.url, "policies": {"rate_limit": "3/h"},
              "routes": {"GET /x": {}, "GET /y": {}, "GET /z": {"rate_limit": "1/h"}}}})
    assert admitted(g, target="/a/x", times=2) == 2
    assert admitted(g, target="/b/x") == 2  # the same four
    assert admitted(g, target="/own/x") == 3
    assert admitted(g, target="/free/x", times=9) == 9
    assert admitted(g, target="/r/x", times=2) == 2
    assert admitted(g, target="/r/z") == 1
    assert admitted(g, target="/r/y") == 1


def test_a_floor_counts_besides_and_what_one_refuses_costs_the_other_nothing(gate, server):
    s = server()
    g = gate(enforce={"rate_limit": "4/h per ip"}, listeners=behind(), apis={
        "a": {"upstream": s.url, "policies": {"rate_limit": "2/h per header:X-Tenant"}},
        "b": {"upstream": s.url}})
    assert admitted(g, ("X-Tenant", "a"), target="/a/x") == 2
    answer = g.get("/a/x", {"X-Tenant": "a"})
    assert answer.status == 429 and '"a";q=2;w=3600' in answer.header("ratelimit-policy")
    assert '"default/enforce";q=4;w=3600' in answer.header("ratelimit-policy")
    assert '"default/enforce";r=2' in answer.header("ratelimit")
    assert admitted(g, target="/b/x") == 2
    assert g.get("/a/x", {"X-Tenant": "b"}).status == 429


def test_callers_are_told_and_what_is_told_is_true(gate, server):
    g = start(gate, server, {"rate": "1/s", "burst": 2})
    first = g.get("/")
    assert first.header("ratelimit-policy") == '"a";q=2;w=2'
    assert first.header("ratelimit").startswith('"a";r=1;t=')
    assert first.header("retry-after") is None
    with g.raw() as c:
        answers = [c.get("/") for _ in range(3)]
    refused = next(a for a in answers if a.status == 429)
    assert refused.code == "rate-limited" and refused.header("retry-after") == "1"
    assert g.record(refused).reason == "rate-limited"
    time.sleep(1.01)
    assert g.get("/").status == 200


def test_the_older_fields_are_sent_where_they_are_asked_for(gate, server):
    g = start(gate, server, {"rate": "100/min", "legacy_headers": True})
    answer = g.get("/")
    assert [answer.header(f"x-ratelimit-{name}") for name in ("limit", "remaining")] == ["100",
                                                                                         "99"]
    assert int(answer.header("x-ratelimit-reset")) >= 1


@pytest.mark.tsan
def test_all_workers_count_together_exactly(gate, server):
    g = start(gate, server, "100/h", workers=3)

    def many(number):
        with rig.Raw(g.port) as c:
            return [c.get(f"/{number}/{i}").status for i in range(30)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        all_ = sum(pool.map(many, range(8)), [])
    assert all_.count(200) == 100 and all_.count(429) == 140


def test_a_count_survives_a_reload_and_its_neighbours(gate, server):
    g = start(gate, server, "5/h")
    assert admitted(g, times=3) == 3
    g.options["policies"] = {"auth": "none", "rate_limit": "5/h",
                             "headers": {"response": {"set": {"X-New": "1"}}}}
    g.reload({})
    answer = g.get("/")
    assert answer.header("x-new") == "1" and '"a";r=1' in answer.header("ratelimit")


@pytest.mark.parametrize("rate, code", [
    ("100 per minute", "E112"), ("0/s", "E110"), ("10/month", "E211"), ("10/s per claim:sub",
                                                                        "E106"),
    ({"rate": "1/s", "mode": "strict"}, "E106"), ({"rate": "1/s", "mode": "leased"}, "E106"),
    ("10/fortnight", "E112"), ("2000000000/s", "E1"), ("10/s per nobody", "E112"),
    ({"burst": 3}, "E108")], ids=lambda v: str(v))
def test_what_it_cannot_count_it_refuses(gate, rate, code):
    g = gate({"apis": {"a": {"path": "/", "upstream": "http://127.0.0.1:1", "policies": {
        "rate_limit": rate}}}}, ready=False, exit=78, records=False)
    assert g.wait_exit() == 78
    assert f"error[{code}" in g.stderr()
