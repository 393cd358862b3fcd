"""Policies at four levels, floors under them, and tiers in their place."""
import re

import pytest
import rig

KEY, OTHER = "key-of-acme-0123456789", "key-of-beta-0123456789"


def mark(value):
    return {"response": {"set": {"X-From": value}}}


def test_a_lower_level_replaces_a_policy_whole_and_off_removes_it(gate, server):
    s = server()
    g = gate(channels={"c": {"hosts": ["c.test"], "policies": {"headers": mark("channel")}},
                       "d": {"hosts": ["d.test"]}},
             policies={"headers": {"response": {"set": {"X-From": "top", "X-Top": "1"}}}},
             apis={"a": {"channels": ["c", "d"], "upstream": s.url,
                         "policies": {"headers": mark("api")},
                         "routes": {"GET /x": {}, "GET /y": {"headers": mark("operation")},
                                    "GET /z": {"headers": "off"}}},
                   "b": {"channels": ["c", "d"], "upstream": s.url}})

    def ask(target, host):
        answer = g.get(target, host=host)
        return answer.header("x-from"), answer.header("x-top")
    for host in ("c.test", "d.test"):
        assert ask("/a/x", host) == ("api", None)
        assert ask("/a/y", host) == ("operation", None)
        assert ask("/a/z", host) == (None, None)
    assert ask("/b", "c.test") == ("channel", None)
    assert ask("/b", "d.test") == ("top", "1")


def test_floors_of_top_and_channel_hold_besides_whatever_is_written(gate, server):
    s = server()
    g = gate(channels={"c": {"hosts": ["c.test"], "enforce": {"ip_allow": "127.0.0.0/8",
                                                              "body_limit": "100B"}},
                       "d": {"hosts": ["d.test"]}},
             enforce={"body_limit": "1KiB", "headers": {"response": {"set": {"X-Floor": "top"},
                                                                     "remove": ["X-Up"]}}},
             listeners={"main": {"trusted_proxies": ["127.0.0.1"]}},
             apis={"a": {"channels": ["c", "d"], "upstream": s.url, "policies": {
                 "ip_allow": ["192.0.2.0/24", "127.0.0.1"], "body_limit": "50B"}}})
    s.reply = rig.http1.response(200, b"ok", [("X-Floor", "mine"), ("X-Up", "1")])

    def post(size, host, ip="127.0.0.1"):
        return g.post("/a", b"x" * size, {"X-Forwarded-For": ip}, host=host)
    assert post(50, "c.test").status == 200 and post(51, "c.test").status == 413
    assert post(51, "d.test").status == 413
    assert post(1, "c.test", "192.0.2.1").status == 403  # not on the channel's list
    assert post(1, "d.test", "192.0.2.1").status == 200
    assert post(1, "c.test", "127.0.0.2").status == 403  # not on the API's
    answer = post(1, "d.test")
    assert answer.header("x-floor") == "top" and answer.header("x-up") is None
    assert post(1, "d.test", "6.6.6.6").header("x-floor") == "top"  # also where it is refused


def test_a_floor_of_auth_cannot_be_opened_below(gate, server):
    s = server()
    people = {"acme": {"api_key": KEY}}
    g = gate(enforce={"auth": "api_key"}, consumers=people, apis={
        "a": {"upstream": s.url}, "b": {"upstream": s.url, "policies": {"auth": "api_key"}}})
    for api in ("/a", "/b"):
        assert g.get(api).status == 401
        assert g.get(api, {"X-API-Key": KEY}).status == 200
    assert all(r.header("x-api-key") is None for r in s.requests)


LOOSER = [  # floor, what stands below it, what the caret points at
    ({"body_limit": "1MiB"}, {"body_limit": "2MiB"}, '"2MiB"'),
    ({"body_limit": "1MiB"}, {"body_limit": "off"}, '"off"'),
    ({"timeout": "5s"}, {"timeout": "6s"}, '"6s"'),
    ({"timeout": {"connect": "1s"}}, {"timeout": {"connect": "2s", "response": "1m"}}, '"2s"'),
    ({"retry": {"attempts": 2}}, {"retry": 3}, "3"),
    ({"retry": {"on": ["connect"]}}, {"retry": {"on": ["connect", 503]}}, "503"),
    ({"auth": "api_key"}, {"auth": "none"}, '"none"'),
    ({"ip_allow": "10.0.0.0/8"}, {"ip_allow": ["10.1.0.0/16", "192.0.2.0/24"]}, '"192.0.2.0/24"'),
    ({"ip_allow": "10.0.0.0/8"}, {"ip_allow": "off"}, '"off"'),
    ({"rate_limit": "10/s per ip"}, {"rate_limit": "20/s per ip"}, '"20/s per ip"'),
    ({"rate_limit": "10/s"}, {"rate_limit": "off"}, '"off"'),
    ({"cors": "https://a.test"}, {"cors": ["https://a.test", "https://b.test"]},
     '"https://b.test"'),
    ({"headers": {"response": {"set": {"X-A": "1"}}}},
     {"headers": {"response": {"set": {"X-A": "2", "X-B": "2"}}}}, '"2"'),
    ({"headers": {"response": {"remove": ["Server"]}}},
     {"headers": {"response": {"set": {"Server": "x"}}}}, '"x"'),
    ({"redirect": "/maintenance"}, {"redirect": "/other"}, '"/other"'),
    ({"forward_auth": "http://127.0.0.1:1"}, {"forward_auth": "off"}, '"off"')]


def is_early(value):
    """Settled before it is known who calls: nothing for a tier."""
    return next(iter(value)) in ("timeout", "retry", "auth", "ip_allow", "cors") or \
        "per ip" in str(value)


PLACED = [(*row, place) for row in LOOSER for place in ("api", "channel", "operation", "tier")
          if place != "tier" or not is_early(row[1])]


@pytest.mark.parametrize("floor, value, at, place", PLACED, ids=lambda v: str(v)[:50])
def test_what_is_looser_than_a_floor_is_refused_with_its_place(gate, floor, value, at, place):
    api = {"path": "/", "channels": ["c"], "upstream": "http://127.0.0.1:1"}
    config = {"enforce": floor, "channels": {"c": {}}, "apis": {"a": api},
              "consumers": {"acme": {"api_key": KEY}}}
    if place == "api":
        api["policies"] = value
    elif place == "channel":
        config["channels"]["c"]["policies"] = value
    elif place == "operation":
        api["routes"] = {"/x": value}
    else:
        config["tiers"] = {"gold": value}
        config["consumers"]["acme"]["tier"] = "gold"
    g = gate(config, ready=False, exit=78, records=False)
    assert g.wait_exit() == 78
    fault = next(part for part in g.stderr().split("\nerror") if "E205" in part)
    lines = fault.split("\n")
    caret = next(i for i, line in enumerate(lines) if re.search(r"\|\s+\^", line))
    column = lines[caret].index("^")
    assert lines[caret - 1][column:].startswith(at), fault
    assert len(re.search(r"\^+", lines[caret])[0]) == len(at)
    assert "`enforce` is stricter" in fault and "this holds in any case" in fault


TIGHTER = [({"body_limit": "1MiB"}, {"body_limit": "1KiB"}),
           ({"timeout": "5s"}, {"timeout": "1s"}), ({"retry": {"attempts": 2}}, {"retry": "off"}),
           ({"auth": "none"}, {"auth": "api_key"}),
           ({"rate_limit": "10/s per ip"}, {"rate_limit": "1/s per ip"}),
           ({"rate_limit": "10/s per ip"}, {"rate_limit": "20/s per consumer"}),
           ({"ip_allow": "10.0.0.0/8"}, {"ip_allow": "10.1.0.0/16"}),
           ({"ip_deny": "10.0.0.0/8"}, {"ip_deny": "192.0.2.0/24"})]


@pytest.mark.parametrize("floor, value", TIGHTER, ids=lambda v: str(v)[:50])
def test_what_is_tighter_is_fine(gate, floor, value):
    g = gate(enforce=floor, consumers={"acme": {"api_key": KEY}},
             apis={"a": {"path": "/", "upstream": "http://127.0.0.1:1", "policies": value}})
    assert "E205" not in g.stderr()


@pytest.mark.parametrize("value", [row[1] for row in LOOSER if is_early(row[1])],
                         ids=lambda v: str(v)[:50])
def test_a_tier_says_nothing_of_what_is_settled_before_it_is_known(gate, value):
    g = gate({"tiers": {"gold": value}, "consumers": {"acme": {"api_key": KEY, "tier": "gold"}},
              "apis": {"a": {"path": "/", "upstream": "http://127.0.0.1:1"}}}, ready=False, exit=78,
             records=False)
    assert g.wait_exit() == 78 and "error[E211]" in g.stderr()


def test_a_tier_takes_the_place_of_what_the_route_says(gate, server):
    s = server()
    g = gate(tiers={"gold": {"rate_limit": "5/h", "headers": mark("gold"), "body_limit": "10B"}},
             consumers={"acme": {"api_key": KEY, "tier": "gold"}, "beta": {"api_key": OTHER}},
             apis={"a": {"upstream": s.url, "policies": {"auth": "api_key", "rate_limit": "2/h",
                                                         "headers": mark("api")}},
                   "b": {"upstream": s.url, "policies": {"auth": "api_key"}}})

    def ask(key, times, target="/a"):
        return [g.get(target, {"X-API-Key": key}).status for _ in range(times)]
    assert ask(OTHER, 3) == [200, 200, 429]
    assert ask(KEY, 3) == [200] * 3
    assert ask(KEY, 3, "/b") == [200, 200, 429]  # one count, where the tier says it
    assert ask(OTHER, 9, "/b") == [200] * 9
    assert g.get("/a", {"X-API-Key": KEY}).header("x-from") == "gold"
    assert g.get("/a", {"X-API-Key": OTHER}).header("x-from") == "api"


def test_a_tier_stands_on_the_floor(gate, server):
    g = gate(enforce={"rate_limit": "4/h per ip"}, tiers={"gold": {"rate_limit": "9/h"}},
             consumers={"acme": {"api_key": KEY, "tier": "gold"}},
             apis={"a": {"upstream": server().url, "policies": {"auth": "api_key",
                                                                "rate_limit": "1/h"}}})
    assert [g.get("/a", {"X-API-Key": KEY}).status for _ in range(5)] == [200] * 4 + [429]
