"""Section A of the security catalogue: chunked bodies, read exactly or not at all."""
import os
import time

import pytest
import rig

HEAD = b"POST /c HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


@pytest.fixture(scope="module")
def door(gates, servers):
    return rig.Door(gates, servers())


def row(name, body, is_late=False):
    """is_late: the fault stands behind a first good chunk line, so that cut up, a head may have
    left by then; never a whole request."""
    return pytest.param(rig.http1.as_bytes(body), is_late, id=name)


FIRST = "5\r\nhello\r\n"
SIZES = (("hex-prefix", "0x5"), ("plus", "+5"), ("minus", "-5"), ("under", "5_"),
         ("space-before", " 5"), ("space-behind", "5 "), ("tab-behind", "5\t"), ("not-hex", "g"),
         ("empty", ""), ("under-within", "0_2e"), ("letter", "Z"))

REFUSED = [
    *(row(f"A25-size-{name}", f"{size}\r\nhello\r\n0\r\n\r\n") for name, size in SIZES),
    *(row(f"A25-second-size-{name}", f"{FIRST}{size}\r\nhello\r\n0\r\n\r\n", True)
      for name, size in SIZES),
    *(row(f"A26-size-{name}", f"{size}\r\nhello\r\n0\r\n\r\n") for name, size in (
        ("F-to-0", "FFFFFFFFFFFFFFFF0"), ("wraps-to-5", "10000000000000005"),
        ("negative", "8000000000000000"), ("largest", "FFFFFFFFFFFFFFFF"),
        ("a-thousand-zeros", "0" * 1000 + "5"))),
    row("A28-extension-lf", "5;\nhello\r\n0\r\n\r\n"),
    row("A28-cr-before-extension", "5\r;x\r\nhello\r\n0\r\n\r\n"),
    row("A28-two-cr", "2\r\r;a\r\n12\r\n0\r\n\r\n"),
    row("A28-cr-in-extension", "5;a\rX\r\nhello\r\n0\r\n\r\n"),
    row("A28-nul-in-extension", "5;a=\x00\r\nhello\r\n0\r\n\r\n"),
    row("A28-cr-cr-in-extension", "41;a=b\r\rXX" + "x" * 65 + "\r\n0\r\n\r\n"),
    row("A28-bare-lf", "5\nhello\n0\n\n"),
    row("A28-too-many-extensions", "5;a=" + "b" * 5000 + "\r\nhello\r\n0\r\n\r\n"),
    row("A30-spill", "5\r\nhelloXX\r\n0\r\n\r\n", True),
    row("A30-lf-behind-data", "5\r\nhello\n0\r\n\r\n", True),
    row("A30-cr-behind-data", "5\r\nhello\rX0\r\n\r\n", True),
    row("A31-lf-ends-a-chunk", "a\r\n0123456789\n0\r\n\r\n", True),
    row("A32-cr-before-end", "0\r\n\rX", True),
    row("A32-bytes-for-the-end", "0\r\nXX\r\n\r\n", True),
    row("A32-folded-trailer", "0\r\nX: y\r\n z\r\n\r\n", True),
    row("A33-request-behind-a-bad-chunk", "INVALID!!!\r\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n"),
]


@pytest.mark.parametrize("body, is_late", REFUSED)
def test_a_chunk_that_is_not_exact_is_refused(door, body, is_late):
    door.refused(HEAD + body, partial=is_late or "slow")


@pytest.mark.parametrize("size", ["5;a=b", '5;a="b;c"', '5;a="b\\"c"', "5;a", "5;a;b=c", "05"],
                         ids=lambda size: f"A27-{size}")
def test_extensions_are_read_and_not_sent_on(door, size):
    request = door.passes(HEAD + size.encode() + b"\r\nhello\r\n" + END).request
    assert request.body == b"hello"
    assert b";a" not in door.server.connections[request.connection].bytes


def test_A32_a_trailer_ends_the_body_and_no_more(door):
    data = HEAD + b"0\r\nX:POST / HTTP/1.1\r\n\r\nGET /next HTTP/1.1\r\nHost: a.test\r\n\r\n"
    outcome = door.passes(data, count=2)
    assert [r.target for r in outcome.requests] == ["/c", "/next"]
    assert outcome.requests[0].body == b"" and outcome.requests[0].trailers == []


@pytest.mark.parametrize("trailer", ["Content-Length: 5", "Transfer-Encoding: chunked",
                                     "Host: b.test", "X-Forwarded-For: 1.2.3.4",
                                     "Authorization: Bearer x"],
                         ids=lambda trailer: "A32-" + trailer.split(":")[0].lower())
def test_trailers_change_nothing(door, trailer):
    data = HEAD + b"5\r\nhello\r\n0\r\n" + trailer.encode() + b"\r\n\r\n"
    request = door.passes(data).request
    assert request.body == b"hello" and request.trailers == []
    assert request.header("host") == door.server.url.removeprefix("http://")


@pytest.mark.parametrize("kind, trailer, passes", [
    ("text/plain", "Content-Digest: sha-256=:AA==:", True), ("text/plain", "X-Sum: 1", False),
    ("application/grpc", "X-Sum: 1", True), ("application/grpc+proto", "X-Real-Ip: 1", False),
], ids=["A32-digest", "A32-own", "A32-grpc-own", "A32-grpc-origin"])
def test_trailers_that_are_meant_to_be_there_pass(door, kind, trailer, passes):
    head = HEAD.replace(b"Host", b"Content-Type: " + kind.encode() + b"\r\nHost")
    request = door.passes(head + b"5\r\nhello\r\n0\r\n" + trailer.encode() + b"\r\n\r\n").request
    assert request.trailers == ([tuple(trailer.split(": "))] if passes else [])


@pytest.mark.parametrize("trailers", [b"X: y\r\n" * 10000, b"X: " + b"y" * (1 << 20) + b"\r\n"],
                         ids=["A36-10000-fields", "A36-1-MiB"])
def test_trailers_have_the_limits_of_headers(door, trailers):
    answers = door.refused(HEAD + b"0\r\n" + trailers + b"\r\n", (431, 400), reason="bad-request",
                           partial=True)
    assert answers[0].status in (400, 431)


@pytest.mark.timeout(120)
def test_A37_tiny_chunks_cost_no_more_than_they_must(gate, server):
    s = server(keep=False)
    g = gate(upstream=s, policies={"body_limit": "off"})
    size = 10 << 20 if "asan" not in str(g.binary) else 1 << 20

    def cost(chunk):
        piece = b"%x\r\n%s\r\n" % (len(chunk), chunk)
        many = max(1, 65536 // len(piece))
        left = size // len(chunk)
        before = g.cpu_seconds()
        c = g.raw()
        c.send(HEAD)
        while left > 0:
            c.send(piece * min(left, many))
            left -= many
        c.send(END)
        assert c.read().status == 200
        time.sleep(0.02)  # the counters of /proc move every 10 ms
        return g.cpu_seconds() - before
    tiny, large = cost(b"x"), cost(os.urandom(16384))
    assert [r.size for r in s.requests] == [size, size]
    assert tiny <= 20 * max(large, 0.03), (tiny, large)
