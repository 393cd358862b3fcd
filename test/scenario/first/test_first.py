"""The simplest promises: what comes in goes out, both ways, and what has no place is told so."""
import concurrent.futures

import pytest
import rig


def test_a_get_goes_through(gate, server):
    s = server(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi")
    g = gate(upstream=s)
    r = g.get("/x?y=1")
    assert (r.status, r.body, r.header("content-type")) == (200, b"hi", "text/plain")
    assert (s.request.method, s.request.target) == ("GET", "/x?y=1")
    assert s.request.framing == "none"


def test_an_api_answers_under_its_name(gate, server):
    s = server()
    g = gate(apis={"orders": {"upstream": s.url + "/v1"}})
    assert g.get("/orders/42").status == 200
    assert s.request.target == "/v1/42"


def test_a_body_with_a_length_goes_both_ways(gate, server):
    s = server(lambda request: rig.http1.response(200, bytes(request.body)[::-1]))
    g = gate(upstream=s)
    body = bytes(range(256)) * 400
    r = g.post("/x", body)
    assert r.body == body[::-1]
    assert (s.request.framing, bytes(s.request.body)) == ("length", body)


def test_a_chunked_body_goes_both_ways(gate, server):
    s = server(rig.http1.response(200, [b"one", b"two", b"three"]))
    g = gate(upstream=s)
    r = g.post("/x", [b"alpha", b"beta"])
    assert (r.framing, r.body) == ("chunked", b"onetwothree")
    assert (s.request.framing, s.request.body) == ("chunked", b"alphabeta")


def test_a_connection_serves_many_requests(gate, server):
    s = server()
    g = gate(upstream=s)
    c = g.raw()
    for i in range(20):
        r = c.get(f"/{i}")
        assert r.status == 200 and r.keep_alive
    assert [request.target for request in s.wait(20)] == [f"/{i}" for i in range(20)]
    assert len(s.connections) == 1


@pytest.mark.tsan
def test_workers_share_what_they_must_and_nothing_else(gate, server):
    s = server()
    g = gate(upstream=s, workers=2)

    def many(number):
        c = rig.Raw(g.port)
        return [c.get(f"/{number}/{i}").status for i in range(25)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert set(sum(pool.map(many, range(8)), [])) == {200}
    assert len(s.requests) == 200
    assert len(g.wait_logs(200)) == 200


def test_connection_close_is_honoured(gate, server):
    g = gate(upstream=server())
    c = g.raw()
    r = c.get("/", {"Connection": "close"})
    assert r.status == 200 and not r.keep_alive
    c.expect_closed()


def test_an_unknown_path_is_not_found(gate, server):
    s = server(never=True)
    g = gate(apis={"orders": {"upstream": s.url}})
    r = g.get("/nothing")
    assert (r.status, r.code) == (404, "not-found")


def test_a_wrong_method_is_told_which_are_allowed(gate, server):
    s = server(never=True)
    g = gate(apis={"a": {"path": "/", "upstream": s.url, "routes": {"GET /x": {}, "PUT /x": {}}}})
    r = g.post("/x", b"")
    assert (r.status, r.code) == (405, "method-not-allowed")
    assert {"GET", "PUT"} <= {m.upper() for m in r.head.members("allow")}


def test_an_unknown_host_is_misdirected(gate, server):
    s = server(never=True)
    g = gate(channels={"partner": {"hosts": ["partner.test"]}},
             apis={"a": {"path": "/", "channels": ["partner"], "upstream": s.url}})
    r = g.get("/", host="other.test")
    assert (r.status, r.code) == (421, "wrong-host")


def test_a_bad_request_reaches_nobody(gate, server):
    s = server(never=True)
    g = gate(upstream=s)
    c = g.raw().send("GET / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\n"
                     "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    assert c.read().status == 400
    c.expect_closed()


def test_a_head_may_come_byte_by_byte(gate, server):
    s = server()
    g = gate(upstream=s)
    c = g.raw().send_bytewise(rig.request("POST", "/slow", body=b"abc"))
    assert c.read().status == 200
    assert (s.request.target, s.request.body) == ("/slow", b"abc")


def test_pipelined_requests_are_answered_in_order(gate, server):
    s = server(lambda request: rig.http1.response(200, request.target.encode()))
    g = gate(upstream=s)
    c = g.raw().send(b"".join(rig.request("GET", f"/{i}") for i in range(5)))
    assert [c.read().body for _ in range(5)] == [b"/%d" % i for i in range(5)]


def test_an_upstream_that_is_down_is_a_bad_gateway(gate, server):
    s = server()
    s.stop()
    g = gate(upstream=s.url)
    r = g.get("/")
    assert (r.status, r.code) == (502, "upstream-refused")


def test_every_exchange_leaves_one_record(gate, server):
    g = gate(upstream=server())
    r = g.get("/x")
    record = g.record(r)
    assert (record.reason, record.status, record.api) == ("done", 200, "a")
    g.canary()


def test_it_lives_it_is_ready_and_it_counts(gate, server):
    g = gate(upstream=server())
    g.get("/")
    assert g.ask("/livez").status == 200
    assert g.ask("/readyz").status == 200
    count = g.metrics().value("http_server_request_duration_seconds_count")
    assert count == 1
