"""The PROXY header towards upstreams: each connection says whose it is, as it is logged, and serves
nobody else."""
import pytest
import rig
from rig.proxy import v1, v2

BEHIND = {"proxy_protocol": "optional", "trusted_proxies": ["127.0.0.0/8"]}


def told(gate, server, version, listener=None, **upstream):
    """A gate whose upstream is told who calls."""
    s = server(proxy=True)
    return s, gate({"upstreams": {"u": {"targets": [s.url], "proxy_protocol": version, **upstream}},
                    "apis": {"a": {"path": "/", "upstream": "u"}},
                    "listeners": {"main": listener or {}}})


@pytest.mark.parametrize("version", [1, 2])
def test_a_connection_begins_with_whose_it_is(gate, server, version):
    s, g = told(gate, server, f"v{version}")
    with g.raw() as c:
        assert c.get("/x").status == 200
        assert s.connections[0].proxy == (version, "127.0.0.1", c.local_port, "127.0.0.1", g.port)
    assert s.request.target == "/x"


@pytest.mark.parametrize("version", [1, 2])
def test_what_a_balancer_in_front_said_is_said_on(gate, server, version):
    s, g = told(gate, server, f"v{version}", BEHIND)
    for header, source, port, target in (
            (v1("192.0.2.1", 4711), "192.0.2.1", 4711, "127.0.0.1"),
            (v2("2001:db8::1", 99, "::1"), "2001:db8::1", 99, "::ffff:7f00:1")):
        with g.raw() as c:
            c.send(header)
            answer = c.get("/x")
            assert answer.status == 200 and g.record(answer).address == source
            assert s.connections[-1].proxy == (version, source, port, target, g.port)


def test_of_a_caller_behind_http_proxies_the_port_is_not_known(gate, server):
    s, g = told(gate, server, "v2", BEHIND)
    assert g.get("/", {"X-Forwarded-For": "192.0.2.1"}).status == 200
    assert s.connections[0].proxy == (2, "192.0.2.1", 0, "127.0.0.1", g.port)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_no_connection_serves_two_callers(gate, server, version):
    s, g = told(gate, server, version, pool={"idle": "30s"})
    callers = [g.raw() for _ in range(5)]
    answers = [c.get("/") for _ in range(4) for c in callers]
    assert len(s.connections) == 5
    ports = {answer.request_id: c.local_port for answer, c in zip(answers, callers * 4)}
    for request in s.wait(20):
        assert s.connections[request.connection].proxy[2] == ports[request.id]


def test_many_callers_behind_one_proxy_have_connections_of_their_own(gate, server):
    s, g = told(gate, server, "v1", BEHIND, pool={"idle": "30s"})
    with g.raw() as c:
        for _ in range(3):
            for n in range(100):
                assert c.get("/", {"X-Forwarded-For": f"192.0.2.{n}",
                                   "X-Caller": f"192.0.2.{n}"}).status == 200
    for request in s.wait(300):
        assert s.connections[request.connection].proxy[1] == request.header("x-caller")


def test_a_connection_made_under_another_rule_serves_nobody(gate, server):
    s = server(proxy=True)
    plain = server()

    def config(version, target):
        return {"upstreams": {"u": {"targets": [target.url], "proxy_protocol": version,
                                    "pool": {"idle": "30s"}}},
                "apis": {"a": {"path": "/", "upstream": "u"}}}
    g = gate(config("v1", s))
    with g.raw() as c:
        assert [c.get("/").status for _ in range(3)] == [200] * 3
        assert len(s.connections) == 1
        g.reload(config("v2", s))
        assert [c.get("/").status for _ in range(3)] == [200] * 3
        assert [one.proxy[0] for one in s.connections] == [1, 2]
        g.reload(config("off", plain))
        assert c.get("/").status == 200


def test_a_question_of_a_policy_is_the_gates_own(gate, server):
    s = server(proxy=True)
    g = gate({"upstreams": {"who": {"targets": [s.url], "proxy_protocol": "v2"}},
              "apis": {"who": {"upstream": "who"},
                       "a": {"path": "/", "upstream": server().url,
                             "policies": {"forward_auth": {"api": "who"}}}}})
    assert g.get("/").status == 200
    assert s.connections[0].proxy == (2, None)


def test_a_request_is_repeated_on_a_connection_that_says_the_same(gate, server):
    replies = iter([rig.close])
    s = server(lambda _: next(replies, rig.http1.response(200, b"ok")), proxy=True)
    g = gate({"upstreams": {"u": {"targets": [s.url], "proxy_protocol": "v1"}},
              "apis": {"a": {"path": "/", "upstream": "u", "policies": {"retry": {
                  "attempts": 3, "on": ["connect", "broken"]}}}}})
    with g.raw() as c:
        assert c.get("/").status == 200
        assert [one.proxy[2] for one in s.connections] == [c.local_port] * 2
