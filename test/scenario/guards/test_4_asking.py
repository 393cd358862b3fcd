"""Section J of the security catalogue, rows 213 and 219: a decision that somebody else makes, in
all the ways in which it can fail; and table d.2, what fails closed."""
import threading
import time

import pytest
import rig
from rig.ports import free_port

OK = rig.http1.response(200, b"yes", [("X-User", "acme"), ("X-Groups", "staff")])
HUGE = [(f"X-Fill-{i}", "v" * 8000) for i in range(130)]


def asks(gate, decider, service, **settings):
    url = getattr(decider, "url", decider)
    return gate({"apis": {"a": {"path": "/", "upstream": service.url, "policies": {
        "forward_auth": {"url": url + "/decide", "timeout": "500ms", **settings}}}}})


ANSWERS = {  # what it says; what the caller gets
    "200": (OK, 200), "204": (rig.http1.response(204), 200), "299": (rig.http1.response(299), 200),
    "401": (rig.http1.response(401, b"who?", [("WWW-Authenticate", "Basic")]), 401),
    "403": (rig.http1.response(403, b"no"), 403),
    "302": (rig.http1.response(302, b"", [("Location", "https://login.test/")]), 302),
    "307": (rig.http1.response(307, b"", [("Location", "https://login.test/")]), 307),
    "304": (rig.http1.response(304), 503), "400": (rig.http1.response(400), 503),
    "404": (rig.http1.response(404), 503), "407": (rig.http1.response(407), 503),
    "429": (rig.http1.response(429), 503), "500": (rig.http1.response(500, b"yes"), 503),
    "503": (rig.http1.response(503), 503), "no-http": (b"yes\r\n\r\n", 503),
    "200-cut": (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nyes", rig.close()),
    "200-two-lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nyy",
                        503),
    "200-huge-head": (rig.http1.response(200, b"", HUGE), 503),
    "200-huge-body": (rig.http1.response(200, b"x" * (1 << 20)), 503),
    "head-cut": (b"HTTP/1.1 200 OK\r\nX-User: ac", rig.close()),
    "nothing": ((rig.close(),), 503), "reset": ((rig.reset(),), 503),
    "only-100": (b"HTTP/1.1 100 Continue\r\n\r\n", rig.close()),
}


@pytest.mark.parametrize("name", ANSWERS, ids=lambda name: f"J213-{name}")
def test_only_yes_is_yes(gate, server, name):
    said, status = ANSWERS[name]
    if not isinstance(status, int):
        said, status = (said, status), 503
    service = server()
    g = asks(gate, server(said), service, response_headers=["X-User"])
    answer = g.request("POST", "/x", {"X-User": "forged"}, b"body")
    assert answer.status == status
    assert len(service.requests) == (status == 200)
    if status == 503:
        assert answer.code == "dependency-down" == g.record(answer).reason
        assert g.metrics().value("gatehouse_requests_total",
                                 gatehouse_reason="dependency-down") == 1
    if status == 200:
        assert "forged" not in str(service.request.headers)


def test_J213_one_that_is_down_or_slow_lets_nobody_pass(gate, server):
    event = threading.Event()
    service = server(never=True)
    for decider in (f"http://127.0.0.1:{free_port()}", server((rig.hold(event), OK))):
        g = asks(gate, decider, service)
        watch = rig.Watch()
        answer = g.get("/")
        assert (answer.status, answer.code) == (503, "dependency-down")
        assert watch.own < 2
        assert g.record(answer).reason == "dependency-down"
    event.set()


@pytest.mark.parametrize("said", ["500", "no-http", "nothing", "200-huge-head"])
def test_J213_open_is_open_only_where_nobody_can_tell(gate, server, said):
    service = server()
    decider = server(ANSWERS[said][0])
    g = asks(gate, decider, service, open=True, response_headers=["X-User"])
    answer = g.get("/", {"X-User": "forged"})
    assert answer.status == 200 and service.request.header("x-user") is None
    assert "open" in str(g.record(answer)), "it must be in the log"
    decider.reply = ANSWERS["403"][0]
    assert g.get("/").status == 403


def test_J213_what_it_is_told_is_the_gates_word(gate, server):
    decider, service = server(OK), server()
    g = asks(gate, decider, service)
    body = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    for kind in (body, [body]):
        g.request("POST", "/x?y=1", [
            ("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-Method", "GET"), ("X-Secret", "mine"),
            ("X-Forwarded-Uri", "/admin"), ("X-Forwarded-Host", "evil.test"), ("Cookie", "c=d"),
            ("Content-Type", "text/plain")], kind)
    for request in decider.requests:
        assert (request.method, request.size, request.framing) == ("GET", 0, "none")
        assert request.header("x-forwarded-for") == "127.0.0.1"
        assert request.header("x-forwarded-method") == "POST"
        assert request.header("x-forwarded-uri") == "/x?y=1"
        assert request.header("x-forwarded-host") == "a.test"
        assert request.header("cookie") == "c=d" and request.header("x-secret") is None
        assert request.header("content-type") is None
    assert len(decider.requests) == 2 == len(service.requests)


def test_J213_its_word_replaces_the_callers(gate, server):
    service = server()
    g = asks(gate, server(OK), service, response_headers=["X-User", "X-Groups", "X-Level"])
    g.get("/", [("X-User", "root"), ("x-groups", "admin"), ("X-Level", "9"), ("X-USER", "root")])
    request = service.request
    assert (request.head.all("x-user"), request.head.all("x-groups")) == (["acme"], ["staff"])
    assert request.header("x-level") is None


NEVER_COPIED = ["Content-Length", "Transfer-Encoding", "Connection", "Host", "Upgrade", "TE",
                "Keep-Alive", "Trailer", "Expect", "X-Forwarded-For", "Content-length"]


@pytest.mark.parametrize("name", NEVER_COPIED)
@pytest.mark.parametrize("which", ["request_headers", "response_headers"])
def test_J213_framing_is_not_copied(refusing, name, which):
    refusing({"apis": {"a": {"upstream": "http://b", "policies": {
        "forward_auth": {"url": "http://c", which: ["X-Fine", name]}}}}})


def test_J213_what_it_answers_cannot_bend_the_callers_connection(gate, server):
    said = (b"HTTP/1.1 403 No\r\nContent-Length: 2\r\nConnection: X-Frame-Options\r\nX-Evil: 1\r\n"
            b"Keep-Alive: 9\r\nContent-Encoding: gzip\r\nSet-Cookie: a=b\r\nDate: x\r\n\r\nno")
    g = asks(gate, server(said), server(never=True))
    c = g.raw()
    for _ in range(2):
        answer = c.get("/")
        assert (answer.status, answer.body) == (403, b"no")
        assert answer.header("set-cookie") == "a=b" and answer.header("x-evil") is None
        assert answer.header("keep-alive") is None and answer.header("content-encoding") is None


@pytest.mark.parametrize("rest", [{}, {"api": "b", "url": "http://c"}, {"url": "ftp://c"},
                                  {"url": "http://c", "open": "maybe"}, {"url": ""},
                                  {"api": "nope"}, {"url": "http://u:p@c"},
                                  {"url": "http://c", "timeout": "0s"}],
                         ids=str)
def test_J219_a_guard_that_cannot_be_made_is_an_error_at_load(refusing, rest):
    refusing({"apis": {"a": {"upstream": "http://b", "policies": {"forward_auth": rest}}}})


@pytest.mark.parametrize("auth", [None, "", [], {}, {"any": []}, {"all": None}, "api_keys", "None",
                                  ["none", "api_key"], {"any": "api_key", "all": "api_key"}, True],
                         ids=str)
def test_J219_a_blank_where_somebody_should_be_asked_is_an_error(refusing, auth):
    refusing({"apis": {"a": {"upstream": "http://b", "policies": {"auth": auth}}}})


def test_J219_many_fail_at_once_and_nobody_slips_through(gate, server):
    """The service that decides comes and goes while requests are under way."""
    service, decider = server(), server(OK)
    g = asks(gate, decider, service)
    stop = threading.Event()

    def flicker():
        while not stop.is_set():
            for reply in (OK, ANSWERS["403"][0], (rig.reset(),), b"no\r\n\r\n"):
                decider.reply = reply
                time.sleep(0.004)
    decider.lenient = True
    thread = threading.Thread(target=flicker)
    thread.start()
    answers = [g.get(f"/{i}") for i in range(300)]
    stop.set()
    thread.join()
    statuses = [answer.status for answer in answers]
    assert set(statuses) <= {200, 403, 503} and {200, 403, 503} <= set(statuses)
    assert len(service.requests) == statuses.count(200)
