"""forward_auth: somebody else decides; whoever does not answer has not said yes."""
import signal
import threading
import time

import pytest
import rig

KEY = "key-of-acme-0123456789"


def verdict(status, *fields, body=b"", **options):
    return rig.http1.response(status, body, [*fields], **options)


def start(gate, upstream, decider, **policy):
    url = getattr(decider, "url", decider)
    return gate(upstream=upstream, policies={"forward_auth": {"url": url, **policy}})


def test_it_is_asked_about_the_request_and_never_gets_its_body(gate, server):
    s, d = server(), server(verdict(204))
    g = start(gate, s, d.url + "/check", request_headers=["Cookie", "X-Tenant"])
    answer = g.post("/a/b?c=d", b"secret", [("Cookie", "s=1"), ("X-Tenant", "t"), ("X-Other", "o"),
                                            ("X-Forwarded-Uri", "/evil"), ("Authorization", "x")])
    assert answer.status == 200 and bytes(s.request.body) == b"secret"
    q = d.request
    assert (q.method, q.target, q.framing, q.size) == ("GET", "/check", "none", 0)
    assert [q.header(f"x-forwarded-{name}") for name in ("method", "proto", "host", "for", "uri")
            ] == ["POST", "http", "a.test", "127.0.0.1", "/a/b?c=d"]
    assert (q.header("cookie"), q.header("x-tenant")) == ("s=1", "t")
    assert q.header("x-other") is None and q.header("authorization") is None
    assert q.id == s.request.id
    assert q.header("host") == d.url.split("/")[2]


def test_what_it_says_of_the_caller_replaces_what_the_caller_says(gate, server):
    s, d = server(), server([verdict(200, ("X-User", "ann"), ("X-Secret", "no")), verdict(200)])
    g = start(gate, s, d, response_headers=["X-User", "X-Groups"])
    assert g.get("/", {"X-User": "root", "X-Groups": "admin"}).status == 200
    assert s.request.header("x-user") == "ann" and s.request.header("x-groups") is None
    assert s.request.header("x-secret") is None
    assert g.get("/", {"X-User": "root"}).status == 200
    assert s.requests[-1].header("x-user") is None


@pytest.mark.parametrize("status, reason", [(401, "credentials-invalid"), (403, "not-allowed"),
                                            (302, "done"), (303, "done")])
def test_its_no_is_the_answer(gate, server, status, reason):
    s = server(never=True)
    d = server(verdict(status, ("WWW-Authenticate", "Form"), ("Location", "/login"),
                       ("X-Inner", "1"), ("Set-Cookie", "a=b"), ("Content-Type", "text/plain"),
                       body=b"go away"))
    g = start(gate, s, d)
    answer = g.get("/")
    assert (answer.status, bytes(answer.body)) == (status, b"go away")
    assert [answer.header(n) for n in ("www-authenticate", "location", "set-cookie", "x-inner",
                                       "cache-control")] == ["Form", "/login", "a=b", None,
                                                             "no-store"]
    assert g.record(answer).reason == reason


@pytest.mark.parametrize("reply", [
    verdict(500), verdict(404), verdict(304), verdict(429), (rig.reset(),), (rig.close(),),
    b"nonsense\r\n\r\n", verdict(200)[:20], verdict(401, body=b"x" * 100000)],
    ids=lambda v: str(v)[:24])
def test_who_cannot_tell_has_not_said_yes(gate, server, reply):
    g = start(gate, server(never=True), server(reply), timeout="1s")
    answer = g.get("/")
    assert (answer.status, answer.code) == (503, "dependency-down")
    assert g.record(answer).reason == "dependency-down"


def test_it_is_waited_for_so_long_and_no_longer(gate, server):
    g = start(gate, server(never=True), server((rig.wait(5),)), timeout="200ms")
    watch = rig.Watch()
    assert g.get("/").status == 503
    assert 0.19 < watch.wall and watch.own < 1.5


def test_where_it_is_open_a_silence_is_a_yes_and_a_no_stays_one(gate, server):
    s, d = server(), server([(rig.reset(),), (rig.reset(),), verdict(403)])
    g = start(gate, s, d, open=True, response_headers=["X-User"])
    answer = g.get("/", {"X-User": "root"})
    assert answer.status == 200 and s.request.header("x-user") is None
    assert g.record(answer).detail == "forward_auth could not tell, and is open"
    while g.get("/").status != 403:
        assert len(d.requests) < 6


def test_one_api_of_the_gate_may_decide_for_another(gate, server):
    s, d = server(), server(lambda request: verdict(
        200 if request.header("x-caller") == "acme" else 403, ("X-User", "ann")))
    g = gate(consumers={"acme": {"api_key": KEY}}, apis={
        "decide": {"upstream": d.url, "policies": {
            "auth": "api_key",
            "headers": {"request": {"set": {"X-Caller": "${consumer}"}}}}},
        "a": {"upstream": s.url, "policies": {"auth": "api_key", "forward_auth": {
            "api": "decide", "path": "/may", "response_headers": ["X-User"]}}}})
    assert g.get("/a/x", {"X-API-Key": KEY}).status == 200
    assert s.request.header("x-user") == "ann" and d.request.target == "/may"
    assert g.get("/a/x").status == 401 and len(d.requests) == 1


def test_a_caller_that_goes_away_takes_the_question_with_it(gate, server):
    d = server(manual=True)
    g = start(gate, server(never=True), d)
    c = g.raw().send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    asked = d.accept()
    asked.read_request()
    c.reset()
    g.wait_logs(lambda all_: [r for r in all_ if r.reason == "client-abort"])
    assert asked.wait_end() is not None


def test_a_question_outlives_a_reload(gate, server):
    event = threading.Event()
    s, d = server(), server((rig.hold(event), verdict(200)))
    g = start(gate, s, d)
    c = g.raw().send(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
    d.wait(1)
    g.options["policies"] = {}
    g.reload({})
    assert g.get("/y").status == 200
    event.set()
    assert c.read().status == 200
    assert {r.target for r in s.requests} == {"/x", "/y"}


def test_a_question_is_waited_for_in_a_drain(gate, server):
    event = threading.Event()
    s, d = server(), server((rig.hold(event), verdict(200)))
    g = start(gate, s, d)
    c = g.raw().send(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
    d.wait(1)
    g.signal(signal.SIGTERM)
    time.sleep(0.2)
    event.set()
    assert c.read().status == 200
    assert g.wait_exit() == 0 and s.request.target == "/x"


@pytest.mark.parametrize("policy, code", [
    ({}, "E206"), ({"url": "http://x", "api": "a"}, "E206"), ({"api": "nobody"}, "E202"),
    ({"url": "http://x", "request_headers": ["Host"]}, "E211"),
    ({"url": "http://x", "response_headers": ["Content-Length"]}, "E211"),
    ({"api": "a"}, "E213"), ({"url": "https://x"}, "E106")], ids=lambda v: str(v))
def test_what_it_cannot_ask_it_refuses(gate, policy, code):
    g = gate(upstream="http://127.0.0.1:1", policies={"forward_auth": policy}, ready=False, exit=78,
             records=False)
    assert g.wait_exit() == 78 and f"error[{code}" in g.stderr()
