"""cors, ip_allow, ip_deny, body_limit, timeout, redirect, rewrite: each by real traffic."""
import threading

import pytest
import rig

KEY = "key-of-acme-0123456789"
PAGE = "https://app.example.com"


def refused(gate, policies, code):
    g = gate(upstream="http://127.0.0.1:1", policies=policies, ready=False, exit=78, records=False)
    assert g.wait_exit() == 78 and f"error[{code}" in g.stderr() and "^" in g.stderr(), g.stderr()


# cors

def preflight(g, target="/x", origin=PAGE, method="PUT", **fields):
    return g.request("OPTIONS", target, {"Origin": origin, "Access-Control-Request-Method": method,
                                         **fields})


def allowed(answer):
    return {name.lower()[21:]: value for name, value in answer.headers
            if name.lower().startswith("access-control-allow-")}


def test_cors_a_preflight_is_answered_and_reaches_nobody(gate, server):
    s = server(never=True)
    g = gate(upstream=s, consumers={"acme": {"api_key": KEY}},
             policies={"auth": "api_key", "cors": {
                 "origins": [PAGE, "http://localhost:3000"], "methods": ["GET", "PUT"],
                 "headers": ["X-API-Key"], "credentials": True, "max_age": "1h"}})
    answer = preflight(g)
    assert answer.status == 204 and allowed(answer) == {
        "origin": PAGE, "methods": "GET, PUT", "headers": "X-API-Key", "credentials": "true"}
    assert answer.header("access-control-max-age") == "3600"
    assert "origin" in answer.head.members("vary")
    for origin in ("https://app.example.com.evil.test", "null", "HTTPS://APP.EXAMPLE.COM",
                   "https://app.example.com:443", "http://app.example.com", ""):
        answer = preflight(g, origin=origin)
        assert answer.status in (204, 401) and "origin" not in allowed(answer)


def test_cors_an_options_that_is_no_preflight_is_a_request(gate, server):
    s = server()
    g = gate(upstream=s, policies={"cors": PAGE})
    assert g.request("OPTIONS", "/x").status == 200 and s.request.method == "OPTIONS"


def test_cors_the_word_of_the_gate_replaces_that_of_the_service(gate, server):
    s = server(rig.http1.response(200, b"ok", [("Access-Control-Allow-Origin", "*"),
                                               ("Access-Control-Allow-Credentials", "true"),
                                               ("Vary", "Accept")]))
    g = gate(upstream=s, policies={"cors": {"origins": PAGE, "expose": ["ETag"]}})
    answer = g.get("/", {"Origin": PAGE})
    assert allowed(answer) == {"origin": PAGE} and s.request.header("origin") == PAGE
    assert answer.header("access-control-expose-headers") == "ETag"
    assert {"accept", "origin"} <= set(answer.head.members("vary"))
    assert allowed(g.get("/", {"Origin": "https://evil.test"})) == {}
    assert allowed(g.get("/")) == {}


def test_cors_a_page_may_read_why_it_was_refused(gate, server):
    g = gate(upstream=server(never=True), consumers={"acme": {"api_key": KEY}},
             policies={"auth": "api_key", "cors": PAGE})
    answer = g.get("/", {"Origin": PAGE})
    assert answer.status == 401 and allowed(answer)["origin"] == PAGE


def test_cors_a_preflight_for_a_method_that_is_offered_is_answered_where_options_is_not(gate,
                                                                                        server):
    g = gate(apis={"a": {"path": "/", "upstream": server().url, "routes": {
        "PUT /x": {"cors": PAGE}, "GET /x": {}}}})
    assert allowed(preflight(g))["origin"] == PAGE
    assert preflight(g, method="GET").status == 405
    assert preflight(g, method="DELETE").status == 405
    assert g.request("OPTIONS", "/x", {"Origin": PAGE}).status == 405


@pytest.mark.parametrize("cors", [
    {"origins": "*", "credentials": True}, "https://app.example.com/", "https://*.example.com",
    "app.example.com", "https://App.example.com", "https://app.example.com:443",
    {"origins": PAGE, "credentials": True, "headers": ["*"]}], ids=lambda v: str(v))
def test_cors_what_no_browser_would_do_is_refused(gate, cors):
    refused(gate, {"cors": cors}, "E211")


# ip_allow, ip_deny

@pytest.mark.parametrize("policies, address, status", [
    ({"ip_allow": ["203.0.113.0/24", "2001:db8::/32"]}, "203.0.113.255", 200),
    ({"ip_allow": ["203.0.113.0/24", "2001:db8::/32"]}, "203.0.114.0", 403),
    ({"ip_allow": ["203.0.113.0/24", "2001:db8::/32"]}, "2001:db8:ffff::1", 200),
    ({"ip_allow": ["203.0.113.0/24", "2001:db8::/32"]}, "2001:db9::1", 403),
    ({"ip_allow": ["203.0.113.0/24"]}, "::ffff:203.0.113.9", 200),
    ({"ip_allow": "::ffff:203.0.113.0/120"}, "203.0.113.9", 200),
    ({"ip_deny": "198.51.100.7"}, "198.51.100.7", 403),
    ({"ip_deny": "198.51.100.7"}, "198.51.100.8", 200),
    ({"ip_deny": "0.0.0.0/0"}, "2001:db8::1", 200), ({"ip_deny": "::/0"}, "2001:db8::1", 403),
    ({"ip_allow": "203.0.113.0/24", "ip_deny": "203.0.113.9"}, "203.0.113.9", 403),
    ({"ip_allow": "203.0.113.0/24", "ip_deny": "203.0.113.9"}, "203.0.113.8", 200)],
    ids=lambda v: str(v))
def test_ip_a_list_says_who_may_call(gate, server, policies, address, status):
    g = gate(upstream=server(never=status != 200), policies=policies,
             listeners={"main": {"trusted_proxies": ["127.0.0.1"]}})
    answer = g.get("/", {"X-Forwarded-For": address})
    assert answer.status == status
    if status == 403:
        assert answer.code == "address-denied" and g.record(answer).reason == "address-denied"


@pytest.mark.parametrize("value", ["203.0.113.1/24", "203.0.113.0/33", "nonsense", "2001:db8::1/32",
                                   [], "203.0.113", "010.0.0.1"], ids=str)
def test_ip_what_is_no_network_is_refused(gate, value):
    refused(gate, {"ip_allow": value}, "E1")


# body_limit

@pytest.mark.parametrize("size, body, status", [
    ("1KiB", b"x" * 1024, 200), ("1KiB", b"x" * 1025, 413), ("1KiB", [b"x" * 512] * 2, 200),
    ("1KiB", [b"x" * 512, b"x" * 513], 413), ("0B", b"", 200), ("0B", b"x", 413),
    ("off", b"x" * (11 << 20), 200), (None, b"x" * (10 << 20), 200)], ids=lambda v: str(v)[:12])
def test_body_limit(gate, server, size, body, status):
    s = server()
    g = gate(upstream=s, policies={} if size is None else {"body_limit": size})
    answer = g.post("/", body)
    assert answer.status == status
    if status == 413:
        assert answer.code == "body-too-large"
        assert not [r for r in s.requests if r.complete]
    g.canary()


@pytest.mark.parametrize("policies, length", [({"body_limit": "1KiB"}, 1025),
                                              ({}, (10 << 20) + 1)], ids=["1KiB", "preset"])
def test_body_limit_a_declared_length_is_refused_before_a_byte_is_read(gate, server, policies,
                                                                       length):
    g = gate(upstream=server(never=True), policies=policies)
    c = g.raw().send(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n"
                     "Expect: 100-continue\r\n\r\n")
    answer = c.read("POST")
    assert answer.status == 413 and not answer.interim


# timeout

@pytest.mark.parametrize("timeout, reply, status", [
    ("300ms", (rig.wait(2), rig.http1.response(200, b"late")), 504),
    ({"response": "300ms"}, (b"HTTP/1.1 200 OK\r\nX-A:", rig.wait(2), b" 1\r\n\r\n"), 504),
    ({"total": "300ms"}, (rig.wait(2), rig.http1.response(200, b"late")), 504),
    ({"response": "5s"}, (rig.wait(0.3), rig.http1.response(200, b"ok")), 200)],
    ids=lambda v: str(v)[:30])
def test_timeout_of_a_head(gate, server, timeout, reply, status):
    g = gate(upstream=server(reply), policies={"timeout": timeout, "retry": "off"})
    watch = rig.Watch()
    answer = g.get("/")
    assert answer.status == status and 0.28 < watch.wall and watch.own < 1.5
    if status == 504:
        code = "total-timeout" if "total" in timeout else "upstream-timeout"
        assert answer.code == g.record(answer).reason == code


@pytest.mark.parametrize("timeout", [{"idle": "300ms"}, {"total": "300ms"}], ids=str)
def test_timeout_of_a_body_cuts_it(gate, server, timeout):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
    g = gate(upstream=server((head, rig.wait(3))), policies={"timeout": timeout})
    watch = rig.Watch()
    answer = g.raw().send(rig.request("GET", "/")).read(whole=False)
    assert answer.status == 200 and not answer.complete and bytes(answer.body) == b"half"
    assert 0.28 < watch.wall and watch.own < 1.5


def test_timeout_idle_does_not_bound_a_body_that_moves(gate, server):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
    pieces = [step for _ in range(10) for step in (rig.wait(0.08), b"x")]
    g = gate(upstream=server((head, *pieces)), policies={"timeout": {"idle": "300ms"}})
    assert bytes(g.get("/").body) == b"x" * 10


def test_timeout_to_connect(gate, server):
    """A full backlog answers nothing."""
    import socket
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    port = listener.getsockname()[1]
    crowd = []
    for _ in range(4):
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", port))
        crowd.append(one)
    g = gate(upstream=f"http://127.0.0.1:{port}", policies={"timeout": {"connect": "300ms"},
                                                            "retry": "off"})
    watch = rig.Watch()
    answer = g.get("/")
    assert (answer.status, answer.code) == (504, "upstream-connect-timeout")
    assert 0.28 < watch.wall and watch.own < 1.5


def test_timeout_of_all_tries_together(gate, server):
    g = gate({"upstreams": {"u": {"targets": [server((rig.wait(2),)).url for _ in range(3)]}},
              "apis": {"a": {"path": "/", "upstream": "u", "policies": {
                  "timeout": "400ms", "retry": {"attempts": 3, "on": ["timeout"]}}}}})
    watch = rig.Watch()
    assert g.get("/").status == 504
    assert watch.own < 1.0


# redirect

@pytest.mark.parametrize("redirect, target, status, location", [
    ("https://new.test{path}{query}", "/a/b?c=d", 308, "https://new.test/a/b?c=d"),
    ("https://new.test{path}{query}", "/a", 308, "https://new.test/a"),
    ("https://{host}{path}", "/a", 308, "https://shop.test/a"),
    ({"to": "/elsewhere", "status": 302}, "/a?b", 302, "/elsewhere"),
    ("/s?for={path}", "/a&admin=1", 308, "/s?for=/a%26admin%3D1"),
    ("{scheme}://x.test/", "/", 308, "http://x.test/")], ids=lambda v: str(v))
def test_redirect(gate, redirect, target, status, location):
    g = gate(apis={"a": {"path": "/", "policies": {"redirect": redirect}}})
    answer = g.get(target, host="Shop.Test")
    assert (answer.status, answer.header("location")) == (status, location)
    assert answer.size == 0 and g.record(answer).reason == "done"
    assert g.post(target, b"body").status == status


def test_redirect_knows_parameters_and_comes_after_auth(gate):
    g = gate(consumers={"acme": {"api_key": KEY}}, apis={"a": {"path": "/", "routes": {
        "GET /old/{id}/{rest*}": {"redirect": "/new/{rest}?id={id}", "auth": "api_key"}}}})
    assert g.get("/old/7/a/b").status == 401
    answer = g.get("/old/7%26x/a/b", {"X-API-Key": KEY})
    assert answer.header("location") == "/new/a/b?id=7%26x"


@pytest.mark.parametrize("redirect", [{"to": "/x", "status": 304}, {"to": "/x", "status": 200},
                                      {"to": "/a b"}, {"to": "/{nobody"}, {"to": "/a\nb"}, {}],
                         ids=lambda v: str(v))
def test_redirect_what_is_none_is_refused(gate, redirect):
    refused(gate, {"redirect": redirect}, "E")


# rewrite

@pytest.mark.parametrize("rewrite, target, sent", [
    ("/v2{path}", "/a/b?c=d", "/base/v2/a/b?c=d"), ("/fixed", "/a?b", "/base/fixed?b"),
    ({"query": "k=v"}, "/a?b", "/base/a?k=v"), ({"query": "off"}, "/a?b", "/base/a"),
    ({"query": "{query}&k=v"}, "/a?b", "/base/a?b&k=v"), ({"query": "{query}&k=v"}, "/a",
                                                          "/base/a?k=v"),
    ({"path": "/x{path}", "query": "p={path}"}, "/a&b", "/base/x/a&b?p=/a%26b"),
    ("/v2{path}", "/", "/base/v2/")], ids=lambda v: str(v))
def test_rewrite(gate, server, rewrite, target, sent):
    s = server()
    g = gate(apis={"a": {"path": "/", "upstream": s.url + "/base",
                         "policies": {"rewrite": rewrite}}})
    assert g.get(target).status == 200
    assert s.request.target == sent


def test_rewrite_knows_what_follows_the_api_and_parameters(gate, server):
    s = server()
    g = gate(apis={"a": {"path": "/api", "upstream": s.url, "policies": {"rewrite": "/v1{path}"},
                         "routes": {"/x/{id}": {}, "/y/{id}/{rest*}": {
                             "rewrite": "/z/{rest}/of/{id}"}}}})
    assert g.get("/api/x/7").status == 200 and s.requests[-1].target == "/v1/x/7"
    assert g.get("/api/y/7/a/b").status == 200 and s.requests[-1].target == "/z/a/b/of/7"


# request id and trace

def test_ids_each_hop_has_them_and_they_are_the_same(gate, server):
    s = server()
    g = gate(upstream=s)
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = g.get("/", {"traceparent": parent, "tracestate": "v=1", "X-Request-Id": "mine-1",
                         "X-Correlation-Id": "c-1"})
    assert answer.request_id == s.request.id == "mine-1"
    assert answer.header("x-correlation-id") == s.request.header("x-correlation-id") == "c-1"
    version, trace, span, flags = s.request.header("traceparent").split("-")
    assert (version, trace, flags) == ("00", "0af7651916cd43dd8448eb211c80319c", "01")
    assert span != "b7ad6b7169203331" and s.request.header("tracestate") == "v=1"
    record = g.record(answer)
    assert (record.trace_id, record.span_id) == (trace, span)
    plain = g.get("/")
    assert plain.request_id == s.requests[-1].id and plain.request_id[14] == "7"
    assert g.get("/nowhere/../..%2f").request_id


def test_ids_are_in_problems_too(gate):
    g = gate(upstream="http://127.0.0.1:1")
    answer = g.get("/", {"X-Request-Id": "mine-2"})
    assert answer.status == 502 and answer.problem["request_id"] == answer.request_id == "mine-2"


# several at once

def test_a_slow_caller_holds_nobody_up(gate, server):
    event = threading.Event()
    s = server(lambda r: (rig.hold(event), rig.http1.response(200, b"x")) if r.target == "/slow"
               else rig.http1.response(200, b"ok"))
    g = gate(upstream=s, policies={"timeout": "5s"})
    c = g.raw().send(rig.request("GET", "/slow"))
    assert [g.get(f"/{i}").status for i in range(5)] == [200] * 5
    event.set()
    assert c.read().body == b"x"
