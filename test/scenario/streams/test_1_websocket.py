"""Section F of the security catalogue, and what WebSocket is for: after a handshake that both sides
kept to, bytes pass both ways as they come, and before it nothing does."""
import pytest
import rig
from rig import ws

OPEN = "gatehouse_streams"


def started(gate, server, websocket=True, **options):
    s = server(manual=True)
    return s, gate(upstream=s, policies={"websocket": websocket, **options.pop("policies", {})},
                   **options)


def ended(g, pair, within=5.0):
    return g.wait_logs(lambda all_: [r for r in all_ if r.id == pair.id], within)[0]


def test_bytes_pass_both_ways_and_are_counted(gate, server):
    s, g = started(gate, server)
    pair = ws.Pair(g, s, "/chat?room=1")
    request = pair.request
    assert request.target == "/chat?room=1"
    assert (request.header("upgrade"), request.header("connection")) == ("websocket", "Upgrade")
    assert request.header("sec-websocket-key") == ws.KEY
    assert request.header("x-forwarded-for") == "127.0.0.1"
    assert pair.head.get("sec-websocket-accept") == ws.accept_of()
    assert (pair.head.get("upgrade"), pair.head.get("connection")) == ("websocket", "Upgrade")
    assert pair.head.get("content-length") is pair.head.get("transfer-encoding") is None
    assert g.metrics().value(OPEN) == 1
    for size in (0, 1, 125, 126, 65535, 65536, 300000):
        pair.says(bytes(size), ws.BINARY)
        pair.hears(b"\xff" * size, ws.BINARY)
    pair.part()
    record = ended(g, pair)
    assert record.attributes["http.response.status_code"] == 101 and record.reason == "done"
    sent = sum(len(ws.frame(2, bytes(n))) for n in (0, 1, 125, 126, 65535, 65536, 300000)) + 8
    assert record.attributes["http.request.body.size"] == sent
    assert record.attributes["http.response.body.size"] == sent - 8 * 4
    rig.wait_until(lambda: g.metrics().value(OPEN) == 0)


def test_what_came_with_the_handshakes_is_not_lost(gate, server):
    s, g = started(gate, server)
    c = g.raw()
    c.send(ws.handshake() + ws.frame(1, b"early"))
    up = s.accept()
    up.read_request()
    up.send(ws.switching() + ws.frame(1, b"hello", None))
    assert c.reader.head(is_request=False).first[0] == 101
    assert ws.read(c.reader) == (1, b"hello")
    assert ws.read(up.reader) == (1, b"early")


def test_bytes_pass_as_they_come_in_any_pieces(gate, server):
    s, g = started(gate, server, {"message": "1KiB"})
    pair = ws.Pair(g, s)
    data = ws.frame(1, b"a" * 200) + ws.frame(9, b"b") + ws.frame(2, b"c" * 700)
    for byte in (data[at:at + 1] for at in range(len(data))):
        pair.caller.send(byte)
        assert pair.server.reader.take(1) == byte


def test_F133_nothing_passes_before_the_switch(gate, server):
    s = server(manual=True)
    g = gate(apis={"a": {"path": "/", "upstream": s.url},
                   "walled": {"upstream": s.url, "policies": {"ip_deny": ["127.0.0.0/8"]}}})
    for status in (200, 400, 426):
        with g.raw() as c:
            c.send(ws.handshake() + rig.request("GET", "/walled/admin") +
                   rig.request("GET", "/next"))
            up = s.accept()
            up.read_request()
            assert up.reader.held == b""
            up.send(rig.http1.response(status, b"no"))
            assert [c.read().status, c.read().status] == [status, 403]
            request = up.read_request()
            assert request.target == "/next" and request.header("upgrade") is None
            up.send(rig.http1.response(200, b"ok"))
            assert c.read().status == 200
            up.close()


BAD_ANSWERS = {
    "accept": {"Sec_WebSocket_Accept": ws.accept_of("AAAAAAAAAAAAAAAAAAAAAA==")},
    "no-accept": {"Sec_WebSocket_Accept": None}, "no-upgrade": {"Upgrade": None},
    "other": {"Upgrade": "foo"}, "no-connection": {"Connection": None},
    "connection": {"Connection": "close"}, "length": {"Content_Length": "5"},
    "chunked": {"Transfer_Encoding": "chunked"}, "two": {"Upgrade": "websocket\r\nUpgrade: foo"},
    "two-accepts": {"Sec_WebSocket_Accept": f"{ws.accept_of()}\r\nSec-WebSocket-Accept: x"},
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_F134_a_switch_that_is_none_is_refused(gate, server, name):
    s, g = started(gate, server)
    with g.raw() as c:
        c.send(ws.handshake() + ws.frame(1, b"early"))
        up = s.accept()
        up.read_request()
        up.send(ws.switching(**BAD_ANSWERS[name]) + ws.frame(1, b"evil", None))
        answer = c.read()
        assert (answer.status, answer.code) == (502, "upstream-invalid")
        assert up.wait_end() in ("reset", "eof") and up.reader.held == b""


def test_F134_in_HTTP_1_0_nobody_switches(gate, server):
    s, g = started(gate, server)
    c = g.raw().send(ws.handshake())
    up = s.accept()
    up.read_request()
    up.send(ws.switching().replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert c.read().status == 502


def test_C81_a_switch_that_nobody_asked_for(gate, server):
    s, g = started(gate, server)
    c = g.raw().send(rig.request("GET", "/"))
    up = s.accept()
    up.read_request()
    up.send(ws.switching())
    assert c.read().status == 502


NOT_HEARD = {
    "h2c": {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c",
            "HTTP2-Settings": "AAMAAABkAARAAAAAAAIAAAAA"},
    "foo": {"Connection": "Upgrade", "Upgrade": "foo"}, "only": {"Upgrade": "websocket"},
    "tls": {"Connection": "upgrade", "Upgrade": "TLS/1.2"},
    "two": [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Upgrade", "foo")],
    "not-named": {"Connection": "keep-alive", "Upgrade": "websocket"},
}


@pytest.mark.parametrize("name", NOT_HEARD)
def test_F135_F136_other_upgrades_are_not_heard(gate, server, name):
    s = server()
    g = gate(upstream=s)
    assert g.get("/x", NOT_HEARD[name]).status == 200
    for gone in ("upgrade", "connection", "http2-settings"):
        assert s.request.header(gone) is None


def test_F136_in_HTTP_1_0_nobody_asks_for_a_switch(gate, server):
    s = server()
    g = gate(upstream=s)
    with g.raw() as c:
        c.send(ws.handshake().replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert c.read().status == 200
    assert s.request.header("upgrade") is None


BAD_HANDSHAKES = {
    "version": (426, ws.handshake(Sec_WebSocket_Version="12")),
    "no-version": (426, ws.handshake(Sec_WebSocket_Version=None)),
    "two-versions": (426, ws.handshake(Sec_WebSocket_Version="13\r\nSec-WebSocket-Version: 8")),
    "key": (400, ws.handshake(Sec_WebSocket_Key="c2hvcnQ=")),
    "no-key": (400, ws.handshake(Sec_WebSocket_Key=None)),
    "two-keys": (400, ws.handshake(Sec_WebSocket_Key=f"{ws.KEY}\r\nSec-WebSocket-Key: {ws.KEY}")),
    "post": (400, ws.handshake(method="POST")), "head": (400, ws.handshake(method="HEAD")),
    "body": (400, ws.handshake(more={"Content-Length": "1"}) + b"x"),
    "chunked": (400, ws.handshake(more={"Transfer-Encoding": "chunked"}) + b"1\r\nx\r\n0\r\n\r\n"),
}


@pytest.mark.parametrize("name", BAD_HANDSHAKES)
def test_F136_a_handshake_that_is_none_reaches_nobody(gate, server, name):
    status, data = BAD_HANDSHAKES[name]
    g = gate(upstream=server(never=True))
    with g.raw() as c:
        c.send(data)
        answer = c.read("HEAD" if name == "head" else "GET")
        assert answer.status == status
        if status == 426:
            assert answer.header("sec-websocket-version") == "13"
            assert answer.header("upgrade") == "websocket"
            assert answer.code == "upgrade-required"


def test_the_policies_of_the_route_hold_for_the_handshake(gate, server):
    s = server(manual=True)
    g = gate(apis={"a": {"path": "/", "upstream": s.url, "policies": {
        "auth": "api_key", "rate_limit": {"rate": "2/h per consumer", "burst": 2}}}},
        consumers={"acme": {"api_key": "key-of-acme-0123456789"}})
    with g.raw() as c:
        assert c.request("GET", "/chat", ws.fields()).status == 401
    key = {"X-API-Key": "key-of-acme-0123456789"}
    first, second = (ws.Pair(g, s, more=key) for _ in range(2))
    first.works()
    second.works()
    with g.raw() as c:
        assert c.request("GET", "/chat", {**ws.fields(), **key}).status == 429
    assert first.request.header("x-api-key") is None
    first.part()
    assert ended(g, first).attributes["gatehouse.consumer"] == "acme"


def test_F141_a_page_of_another_origin_opens_no_websocket(gate, server):
    s, g = started(gate, server, policies={"cors": "https://app.test"})
    for origin in ("https://evil.test", "null", "https://app.test.evil.test", "http://app.test"):
        with g.raw() as c:
            answer = c.request("GET", "/", {**ws.fields(), "Origin": origin})
            assert (answer.status, answer.code) == (403, "not-allowed")
    for more in ({"Origin": "https://app.test"}, {}):  # and who is no page
        ws.Pair(g, s, more=more).part()
    assert len(s.connections) == 2


def test_where_it_is_off_nobody_switches(gate, server):
    g = gate(upstream=server(), policies={"websocket": False})
    with g.raw() as c:
        answer = c.request("GET", "/", ws.fields())
        assert (answer.status, answer.code) == (403, "not-allowed")
        assert c.get("/").status == 200


def test_another_protocol_passes_where_it_is_named(gate, server):
    s = server(manual=True)
    g = gate(upstream=s, policies={"upgrade": ["foo", "bar"], "websocket": False})
    with g.raw() as c:
        c.send(rig.request("GET", "/", {"Connection": "Upgrade", "Upgrade": "h2c, BAR, foo"}))
        up = s.accept()
        request = up.read_request()
        assert request.header("upgrade") == "BAR"
        up.send(b"HTTP/1.1 101 OK\r\nConnection: upgrade\r\nUpgrade: bar\r\n\r\n\0\1\2")
        assert c.reader.head(is_request=False).get("upgrade") == "bar"
        assert c.reader.take(3) == b"\0\1\2"
        c.send(b"GET / HTTP/1.1\r\n\r\n")
        assert up.reader.take(18) == b"GET / HTTP/1.1\r\n\r\n"
        c.half_close()
        assert up.wait_end() == "eof"
        up.send(b"the rest")
        up.close()
        assert c.read_all() == b"the rest"


def test_who_does_not_read_holds_up_who_speaks(gate, server):
    s, g = started(gate, server)
    pair = ws.Pair(g, s)
    piece = ws.frame(2, bytes(1 << 16), None)
    for speaker, hearer in ((pair.server, pair.caller), (pair.caller, pair.server)):
        speaker.socket.settimeout(0.5)
        sent = 0
        data = piece if speaker is pair.server else ws.frame(2, bytes(1 << 16))
        try:
            while sent < 200 << 20:
                sent += speaker.socket.send(data)
        except TimeoutError:
            pass
        assert sent < 50 << 20, "nobody held it up"
        pages = g.metrics().value("gatehouse_memory_pages_bytes", state="used")
        assert pages < 2 << 20
        got = 0
        hearer.socket.settimeout(5)
        while got < sent:
            got += len(hearer.socket.recv(1 << 20))
        assert got == sent
    pair.caller.reset()
    assert pair.server.wait_end() is not None


def test_an_end_of_either_side_is_the_end_of_both(gate, server):
    s, g = started(gate, server)
    for how, reason in (("caller-fin", "done"), ("server-fin", "done"),
                        ("caller-reset", "client-abort"), ("server-reset", "upstream-cut")):
        pair = ws.Pair(g, s)
        pair.works()
        one, other = (pair.caller, pair.server) if how.startswith("caller") \
            else (pair.server, pair.caller)
        if how.endswith("reset"):
            one.reset()
        else:
            one.half_close()
        if other is pair.server:
            assert other.wait_end() is not None
            other.close()
        else:
            assert other.read_all() == b""
        assert ended(g, pair).reason == reason, how
        pair.caller.close()
    rig.wait_until(lambda: g.metrics().value(OPEN) == 0)


def test_a_server_that_goes_on_after_the_caller_has_ended_is_not_waited_for(gate, server):
    s, g = started(gate, server)
    pair = ws.Pair(g, s)
    pair.caller.half_close()
    assert pair.server.wait_end() == "eof"
    pair.hears(b"one more")
    assert pair.caller.read_all(timeout=15) == b""
    assert ended(g, pair, 15).reason == "done"


def test_nobody_else_gets_a_connection_that_was_switched(gate, server):
    s, g = started(gate, server)
    pair = ws.Pair(g, s)
    pair.part()
    c = g.raw().send(rig.request("GET", "/"))
    up = s.accept()
    assert up.read_request().target == "/" and up is not pair.server
    up.send(rig.http1.response(200, b"ok"))
    assert c.read().status == 200


def test_it_is_the_same_over_TLS(gate, server, tmp_path):
    authority = rig.Authority(tmp_path)
    s, g = started(gate, server, {"message": "1MiB"},
                   listeners=rig.listens(authority.make("a.test")))
    pair = ws.Pair(g, s, caller=g.raw(tls=authority.context()))
    assert pair.request.header("x-forwarded-proto") == "https"
    for size in (0, 125, 65536, 900000):
        pair.says(bytes(size), ws.BINARY)
        pair.hears(b"\xff" * size, ws.BINARY)
    pair.part()
    assert ended(g, pair).reason == "done"
