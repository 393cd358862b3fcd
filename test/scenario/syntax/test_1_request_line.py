"""Section B of the security catalogue: the request line, character by character."""
import os
import random

import pytest
import rig

REST = " HTTP/1.1\r\nHost: a.test\r\n\r\n"
FIELDS = "Host: a.test\r\n\r\n"
CLIENT_HELLO = bytes.fromhex("16030100a5010000a10303") + bytes(range(150)) + b"\x00" * 11


@pytest.fixture(scope="module")
def door(gates, servers):
    return rig.Door(gates, servers(), limits={"header_time": "700ms", "target": "8KiB"})


def row(name, data, status=400):
    return pytest.param(rig.http1.as_bytes(data), status, id=name)


REFUSED = [
    row("B48-cr-behind-the-line", "GET / HTTP/1.1\rHost: a.test\r\n\r\n"),
    row("B48-lf-behind-the-line", "GET / HTTP/1.1\nHost: a.test\r\n\r\n"),
    row("B49-nul-in-method", "G\x00T /" + REST),
    row("B49-nul-in-target", "GET /a\x00b" + REST),
    *(row(f"B50-target-{byte:02x}", f"GET /a{chr(byte)}b" + REST)
      for byte in (0x01, 0x08, 0x0b, 0x0c, 0x0e, 0x1f, 0x7f, 0x80, 0xff)),
    row("B54-two-spaces", "GET  / HTTP/1.1\r\n" + FIELDS),
    row("B54-two-spaces-behind", "GET /  HTTP/1.1\r\n" + FIELDS),
    row("B54-tabs", "GET\t/\tHTTP/1.1\r\n" + FIELDS),
    row("B54-space-at-the-end", "GET / HTTP/1.1 \r\n" + FIELDS),
    row("B54-space-at-the-begin", " GET / HTTP/1.1\r\n" + FIELDS),
    row("B54-space-in-the-target", "GET /a b HTTP/1.1\r\n" + FIELDS),
    row("B55-http-0.9", "GET /\r\n"),
    row("B55-method-only", "GET\r\n"),
    row("B55-client-hello", CLIENT_HELLO),
    *(row(f"B56-version-{name}", f"GET / {version}\r\n" + FIELDS) for name, version in (
        ("01.1", "HTTP/01.1"), ("1.", "HTTP/1."), ("1", "HTTP/1"), ("lower", "http/1.1"),
        ("x-behind", "HTTP/1.1x"), ("two-cr", "HTTP/\r\r1.1"), ("wraps", "HTTP/4294967297.1"),
        ("1.10", "HTTP/1.10"), ("comma", "HTTP/1,1"), ("other", "HTTPS/1.1"), ("none", ""))),
    row("B57-2.0", "GET / HTTP/2.0\r\n" + FIELDS, 505),
    row("B57-3.0", "GET / HTTP/3.0\r\n" + FIELDS, 505),
    row("B57-0.9", "GET / HTTP/0.9\r\n" + FIELDS, 505),
    row("B57-h2-preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    row("B58-method-not-a-token", 'G=":<>(e),[T];?" /' + REST),
    row("B58-method-of-33", "A" * 33 + " /" + REST),
    row("B58-method-of-100-KiB", "A" * 102400 + " /" + REST),
    row("B58-no-method", " /" + REST),
    *(row(f"B61-{name}", f"GET {target}" + REST) for name, target in (
        ("ftp", "ftp://a.test/x"), ("file", "file:///etc/passwd"), ("user", "http://u:p@a.test/"),
        ("user-only", "http://u@a.test/"), ("no-host", "http:///x"),
        ("no-host-port", "http://:80/"),
        ("no-scheme", "a.test/x"), ("at", "@internal/x"), ("port", ":80/x"), ("dot", "./x"),
        ("query-first", "?x"), ("backslash", "\\x"), ("bad-port", "http://a.test:99999/"),
        ("bad-host", "http://a..test/"), ("scheme-only", "http://"), ("one-slash", "http:/a.test/"),
        ("fragment", "/x#y"))),
    row("B62-asterisk", "GET *" + REST),
    row("B62-asterisk-post", "POST * HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n"),
    row("B69-five-empty-lines", "\r\n" * 5 + "GET /" + REST),
    row("B69-two-empty-lines", "\r\n" * 2 + "GET /" + REST),
    row("B69-empty-line-of-lf", "\n" + "GET /" + REST),
    row("B70-target-of-8193", "GET /" + "a" * 8192 + REST, 414),
    row("B70-target-of-1-MiB", "GET /" + "a" * (1 << 20) + REST, 414),
]


@pytest.mark.parametrize("data, status", REFUSED)
def test_a_request_line_that_is_not_exact_is_refused(door, data, status):
    door.refused(data, status)


def test_B55_random_bytes_end_the_connection(door):
    """Nothing crashes, and each is refused or timed out."""
    chance = random.Random(55)
    for _ in range(40):
        data = bytes(chance.randrange(256) for _ in range(256))
        with rig.Raw(door.gate.port, timeout=3) as c:
            c.send(data)
            answer = c.read()
            assert answer.status in (400, 408) and not answer.keep_alive
            c.expect_closed()
    door.canary()


def test_B57_a_later_minor_version_means_1_1(door):
    request = door.passes("GET /v HTTP/1.2\r\nHost: a.test\r\n\r\n").request
    assert request.head.version == 1
    door.passes("GET /v HTTP/1.9\r\nHost: a.test\r\n\r\n")


def test_B58_methods_are_case_sensitive(gate, server):
    s = server(never=True)
    g = gate(apis={"a": {"path": "/", "upstream": s.url, "routes": {"GET /x": {}}}})
    for method in ("get", "Get", "GETT", "GE"):
        r = g.request(method, "/x")
        assert (r.status, r.code) == (405, "method-not-allowed")
        assert set(r.head.members("allow")) == {"get", "head"}


def test_B58_an_unknown_method_is_sent_on_as_it_is_where_any_is_offered(door):
    assert door.passes("get /x" + REST).request.method == "get"
    assert door.passes("BREW /x" + REST).request.method == "BREW"


def test_B62_options_of_the_server_is_answered_by_the_gate(door):
    seen = door.seen_bytes()
    answer = door.gate.request("OPTIONS", "*")
    assert answer.status in (200, 204)
    assert door.seen_bytes() == seen


CONNECT = "CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n"


def test_B63_connect_is_refused_and_nothing_behind_it_read(door):
    for answer in door.refused(CONNECT, 405, tail=rig.request("GET", "/never")):
        assert answer.header("allow")


@pytest.mark.parametrize("target", ["/", "a.test:443", "a.test", "http://a.test/", "*"],
                         ids=lambda t: f"B63-{t}")
def test_connect_to_anything_is_refused(door, target):
    seen = door.seen_bytes()
    c = door.gate.raw()
    c.send(f"CONNECT {target} HTTP/1.1\r\nHost: a.test\r\n\r\n", rig.request("GET", "/never"))
    answer = c.read()
    assert answer.status in (400, 405) and not answer.keep_alive
    c.expect_closed()
    assert door.seen_bytes() == seen


def test_B64_trace_echoes_nothing(door):
    seen = door.seen_bytes()
    answer = door.gate.request("TRACE", "/", {"Authorization": "Bearer secret-of-trace"})
    assert (answer.status, answer.code) == (405, "method-not-allowed")
    assert b"secret-of-trace" not in answer.raw and b"Bearer" not in answer.raw
    assert door.seen_bytes() == seen


def test_B69_one_empty_line_may_come_before_a_request(door):
    assert door.passes("\r\nGET /x" + REST).request.target == "/x"


@pytest.mark.parametrize("byte", [b"\r\n", b"\r"], ids=["B69-crlf", "B69-cr"])
def test_empty_lines_do_not_hold_a_connection(door, byte):
    """The time of the header runs from its first byte on."""
    with rig.Raw(door.gate.port) as c:
        for _ in range(20):
            if not c.try_send(byte) or not c.is_silent(0.1):
                break
        answer = c.read()
        assert answer.status in (400, 408)
        c.expect_closed()


def test_B69_a_header_that_trickles_is_timed_out_as_a_whole(door):
    with rig.Raw(door.gate.port) as c:
        sent = 0
        for byte in b"GET / HTTP/1.1\r\nHost: a.test\r\nX-Slow: 1234567890":
            if not c.is_silent(0.05):
                break
            c.try_send(bytes([byte]))
            sent += 1
        assert sent < 20, "each byte bought more time"
        answer = c.read()
        assert (answer.status, answer.code) == (408, "request-timeout")
        c.expect_closed()
    door.canary()


def test_B70_a_target_of_8000_bytes_is_accepted(door):
    target = "/" + "a" * 7999
    assert door.passes(f"GET {target}" + REST).request.target == target


@pytest.mark.skipif(os.environ.get("TORTURE") != "1", reason="with TORTURE=1 only")
def test_B55_more_random_bytes(door):
    chance = random.Random()
    for _ in range(2000):
        with rig.Raw(door.gate.port, timeout=3) as c:
            c.send(bytes(chance.choices(b"GET /HTP1.\r\n:ac\x00\xff ", k=chance.randrange(1, 400))))
            c.half_close()
            c.read_all()
    door.canary()
