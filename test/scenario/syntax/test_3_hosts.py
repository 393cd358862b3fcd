"""Section B of the security catalogue: for whom a request is, said once and read in one way."""
import json

import pytest
import rig


def config(hosts_a, hosts_b, url):
    return {"channels": {"a": {"hosts": hosts_a}, "b": {"hosts": hosts_b}},
            "apis": {"of-a": {"path": "/", "channels": ["a"], "upstream": url,
                              "policies": {"headers": {"request": {"set": {"X-At": "a"}}}}},
                     "of-b": {"path": "/", "channels": ["b"], "upstream": url,
                              "policies": {"headers": {"request": {"set": {"X-At": "b"}}}}}}}


@pytest.fixture(scope="module")
def door(gates, servers):
    server = servers()
    return rig.Door(gates, server, **config(["a.test", "xn--bcher-kva.test", "[::1]"],
                                            ["b.test", "*.b.test"], server.url))


def at(door, host, target="/x", line=None):
    """Which channel a request for that host came to, None when it was refused."""
    data = f"GET {target} HTTP/1.1\r\n{line if line is not None else f'Host: {host}'}\r\n\r\n"
    count, mark = len(door.server.requests), door.gate.mark()
    with rig.Raw(door.gate.port) as c:
        c.send(rig.http1.as_bytes(data))
        answer = c.read()
    if answer.status != 200:
        assert len(door.server.requests) == count
        assert answer.status in (400, 404, 421)
        return answer.status
    request, = door.since(count)
    assert request.header("host") == door.server.url.removeprefix("http://")
    line, = door.gate.wait_logs(lambda all_: [r for r in all_ if r.id == request.id], since=mark)
    assert line.channel == request.header("x-at")
    return request.header("x-at")


def test_B60_the_authority_of_the_target_wins(door):
    assert at(door, "a.test", "http://b.test/x") == "b"
    assert at(door, "b.test", "http://a.test/x") == "a"
    assert at(door, "b.test", "http://a.test/x?y=http://b.test/") == "a"
    assert at(door, "a.test", "http://A.TEST/x") == "a"
    request = door.server.requests[-1]
    assert request.target == "/x" and request.header("x-forwarded-host") == "a.test"


def test_B60_an_unknown_authority_is_misdirected_whatever_host_says(door):
    assert at(door, "a.test", "http://c.test/x") == 421
    assert at(door, "c.test", "http://a.test/x") == "a"


def test_B60_the_log_names_the_authority(door):
    mark = door.gate.mark()
    door.gate.get("http://b.test/logged", host="a.test")
    line, = door.gate.wait_logs(lambda all_: [r for r in all_ if r.path == "/logged"], since=mark)
    assert (line.host, line.channel) == ("b.test", "b")


BAD = ["a.test/x", "u@a.test", "a.test:80abc", "a.test:99999", "[::1", "a..test", "a.test\t",
       "a" * 300 + ".test", "a.test,b.test", "a.test b.test", "", "a.test:0", "a.test:-1",
       ".a.test", "a.test:80:80", "a.test?x", "a.test#x", "a.te%73t", "a\xe9.test",
       "[::1]x", "[::g]",
       "::1", "[127.0.0.1]", "a.test..", ":80", "a.test:00080x", "a\\.test"]


@pytest.mark.parametrize("host", BAD, ids=lambda host: f"B66-{host[:20]!r}")
def test_a_host_that_is_none_is_refused(door, host):
    door.refused(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")


@pytest.mark.parametrize("host", [host for host in BAD if host and host.isprintable()
                                  and not set(host) & set("/?# ,\xe9\\")],
                         ids=lambda host: f"B66-target-{host[:20]!r}")
def test_an_authority_that_is_none_is_refused(door, host):
    door.refused(f"GET http://{host}/ HTTP/1.1\r\nHost: a.test\r\n\r\n")


SPELLINGS = {"A.TEST": "a", "a.test.": "a", "A.Test.:80": "a", "a.test:80": "a", "a.test:": "a",
             "a.test:00080": "a", "XN--BCHER-KVA.test": "a", "[::1]": "a", "[0:0::0:1]": "a",
             "[0000:0000:0000:0000:0000:0000:0000:0001]:80": "a",
             "X.B.test": "b", "x.y.b.TEST.": "b", "B.TEST:": "b",
             "c.test": 421, "a.test.test": 421, "xa.test": 421, "bb.test": 421, "127.0.0.1": 421,
             "localhost": 421, "axtest": 421, "xn--bcher-kvb.test": 421, "b.test.a.test": 421}


@pytest.mark.parametrize("host", SPELLINGS, ids=lambda host: f"B67-{host}")
def test_a_host_has_one_form_for_every_matcher(door, host):
    assert at(door, host) == SPELLINGS[host]
    assert at(door, "ignored.test", f"http://{host}/x") == SPELLINGS[host]


def test_B67_the_form_is_the_same_among_10000_hosts(gate, server):
    s = server()
    hosts = [f"h{i}.test" for i in range(1000)]
    whole = {"channels": {f"c{n}": {"hosts": [f"{h}.c{n}.example" for h in hosts]}
                          for n in range(10)}}
    whole["apis"] = {"all": {"path": "/", "channels": list(whole["channels"]), "upstream": s.url}}
    assert len(json.dumps(whole)) > 200000
    g = gate(whole)
    for host in ("h7.test.c3.example", "H7.TEST.C3.EXAMPLE", "h999.test.c9.Example.",
                 "h0.test.c0.example:80", "H0.test.c0.example:"):
        assert g.get("/", host=host).status == 200, host
    for host in ("h7.test.c3.examplex", "xh7.test.c3.example", "h1000.test.c3.example"):
        assert (r := g.get("/", host=host)).status == 421, (host, r.status)


def test_B68_an_unknown_host_is_nobodys(door):
    seen = door.seen_bytes()
    for host in ("unknown.test", "10.0.0.1", "a.test.evil.test", "evil-a.test"):
        answer = door.gate.get("/", host=host)
        assert (answer.status, answer.code) == (421, "wrong-host")
    assert door.seen_bytes() == seen


def test_B68_without_a_host_an_old_client_is_nobodys_either(door):
    with rig.Raw(door.gate.port) as c:
        c.send("GET / HTTP/1.0\r\n\r\n")
        assert c.read().status in (400, 421)
