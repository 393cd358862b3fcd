"""Section A of the security catalogue: what says how long a request is. Whatever two readers could
understand differently is refused whole, however the bytes are cut."""
import pytest
import rig

HEAD = "POST /a HTTP/1.1\r\nHost: a.test\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"
EMPTY = "0\r\n\r\n"
SMUGGLED = "GET /admin HTTP/1.1\r\nHost: a.test\r\n\r\n"


@pytest.fixture(scope="module")
def door(gates, servers):
    return rig.Door(gates, servers())


def row(name, *lines, body="", head=HEAD, status=400):
    text = head + "".join(line + "\r\n" for line in lines) + "\r\n" + body
    return pytest.param(rig.http1.as_bytes(text), status, id=name)


REFUSED = [
    row("A1-cl-and-te", "Content-Length: 4", "Transfer-Encoding: chunked", body=EMPTY),
    row("A1-te-and-cl", "Transfer-Encoding: chunked", "Content-Length: 4", body=EMPTY),
    row("A2-cl-te-smuggled", f"Content-Length: {len(EMPTY + SMUGGLED)}",
        "Transfer-Encoding: chunked", body=EMPTY + SMUGGLED),
    row("A3-te-cl-smuggled", "Transfer-Encoding: chunked", "Content-Length: 3",
        body="8\r\nSMUGGLED\r\n0\r\n\r\n"),
    row("A4-two-lengths", "Content-Length: 0", "Content-Length: 31", body="x" * 31),
    row("A4-two-lengths-turned", "Content-Length: 31", "Content-Length: 0", body="x" * 31),
    row("A4-two-equal-lengths", "Content-Length: 5", "Content-Length: 5", body="hello"),
    row("A6-length-list", "Content-Length: 5, 6", body="hello!"),
    row("A6-equal-length-list", "Content-Length: 5, 5", body="hello"),
    *(row(f"A7-length-{name}", f"Content-Length: {value}", body="hello") for name, value in (
        ("plus", "+5"), ("minus", "-5"), ("minus-zero", "-0"), ("hex", "0x5"), ("under", "5_0"),
        ("blank-within", "5 0"), ("semicolon", "5;"), ("exponent", "1e1"), ("fraction", "5.0"),
        ("quoted", '"5"'), ("vertical-tab", "5\x0b"), ("letter", "1Z"),
        ("arabic-digit", "٥".encode().decode("latin-1")))),
    row("A8-length-empty", "Content-Length: "),
    row("A8-length-empty-and-another", "Content-Length: ", "Content-Length: 59", body="x" * 59),
    *(row(f"A10-length-{value}", f"Content-Length: {value}", body="hello") for value in (
        "9223372036854775808", "18446744073709551616", "18446744073709551621",
        "99999999999999999999")),
    *(row(f"A12-coding-{name}", f"Transfer-Encoding: {value}", body=EMPTY) for name, value in (
        ("xchunked", "xchunked"), ("identity", "identity"), ("identity-last", "chunked, identity"),
        ("gzip-last", "chunked, gzip"), ("comma-first", ",chunked"), ("comma-last", "chunked,"),
        ("parameter", "chunked;a=b"), ("quoted", '"chunked"'), ("vertical-tab", "\x0bchunked"),
        ("form-feed", "chunked\x0c"), ("nbsp", "\xa0chunked"), ("nul", "chun\x00ked"),
        ("twice-chunked", "chunked, chunked"), ("empty", ""))),
    row("A13-gzip-chunked", "Transfer-Encoding: gzip, chunked", body=EMPTY, status=501),
    row("A14-two-codings", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body=EMPTY),
    row("A15-folded-coding", "Transfer-Encoding:", " chunked", body=EMPTY),
    row("A15-coding-in-a-fold", "X: y", " Transfer-Encoding: chunked", body=EMPTY),
    row("A15-tab-fold", "X: y", "\tTransfer-Encoding: chunked", body=EMPTY),
    row("A16-space-before-colon", "Transfer-Encoding : chunked", body=EMPTY),
    row("A16-tab-before-colon", "Transfer-Encoding\t: chunked", body=EMPTY),
    row("A16-length-space-before-colon", "Content-Length : 5", body="hello"),
    row("A16-length-tab-before-colon", "Content-Length\t: 5", body="hello"),
    row("A19-te-in-1.0", "Transfer-Encoding: chunked", body=EMPTY,
        head="POST /a HTTP/1.0\r\nHost: a.test\r\n"),
    row("A19-te-and-cl-in-1.0", "Transfer-Encoding: chunked", "Content-Length: 5", body=EMPTY,
        head="POST /a HTTP/1.0\r\nHost: a.test\r\n"),
    *(row(f"A20-connection-{name.lower()}", f"Connection: {name}", "Transfer-Encoding: chunked",
          "Authorization: Bearer x", body=EMPTY)
      for name in ("Transfer-Encoding", "Content-Length", "Host", "Authorization")),
    row("A20-connection-close-te", "Connection: close, transfer-encoding", CHUNKED.strip(),
        body=EMPTY),
]


@pytest.mark.parametrize("data, status", REFUSED)
def test_what_can_be_read_in_two_ways_is_refused(door, data, status):
    door.refused(data, status)


def test_A9_leading_zeros_are_decimal_and_not_sent_on(door):
    request = door.passes(HEAD + "Content-Length: 010\r\n\r\n0123456789").request
    assert request.header("content-length") == "10"
    assert request.body == b"0123456789"


@pytest.mark.parametrize("line", ["Content_Length: 99", "Transfer_Encoding: chunked",
                                  "content_length: 0", "Content-_Length: 1"],
                         ids=["A18-length", "A18-coding", "A18-lower", "A18-mixed"])
def test_an_alias_of_a_length_is_dropped(door, line):
    request = door.passes(HEAD + f"{line}\r\nContent-Length: 5\r\n\r\nhello").request
    assert request.body == b"hello" and request.header("content-length") == "5"
    assert not [name for name in request.head.names() if "_" in name]
    assert request.framing == "length"


@pytest.mark.parametrize("method", ["OPTIONS", "GET", "HEAD", "DELETE"],
                         ids=lambda m: f"A21-te0-{m.lower()}")
def test_a_body_where_none_is_usual_is_framed_like_any(door, method):
    """TE.0: never a head without its body, never a body without its head."""
    data = (f"{method} /x HTTP/1.1\r\nHost: a.test\r\n{CHUNKED}\r\n5\r\nAAAAA\r\n0\r\n\r\n")
    request = door.passes(data, method=method).request
    assert (request.method, request.framing, request.body) == (method, "chunked", b"AAAAA")


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "GET"], ids=lambda m: f"A24-{m.lower()}")
def test_a_request_in_the_body_of_another_is_a_body(door, method):
    inner = b"GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n"
    data = rig.request(method, "/outer", body=inner)
    request = door.passes(data, method=method).request
    assert (request.method, request.target, request.body) == (method, "/outer", inner)
