"""Section D of the security catalogue: HTTP/2 as it should not be."""
import struct
import threading

import pytest
import rig
from rig import frames, wait_until
from rig.frames import (CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PRIORITY,
                        RST_STREAM, SETTINGS, WINDOW_UPDATE, request)

CLEAR = {"main": {"h2c": True}}
CALM = "ENHANCE_YOUR_CALM"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def door(gate, server):
    return gate(upstream=server(), listeners=CLEAR)


@pytest.fixture
def held(server):
    """An upstream that answers nobody before the test is over."""
    event = threading.Event()
    yield lambda: server((rig.hold(event), OK))
    event.set()


def u32(*values):
    return b"".join(struct.pack(">I", value) for value in values)


def without(name):
    return [pair for pair in request() if pair[0] != name]


def replaced(name, value):
    return [(n, value if n == name else v) for n, v in request()]


def test_D92_the_first_frame_must_be_settings(door):
    with rig.Frames(door.port, greet=False) as c:
        c.send(frames.PREFACE + frames.frame(PING, 0, 0, bytes(8)))
        assert c.fate() == "PROTOCOL_ERROR"


@pytest.mark.parametrize("bad, error", (
    (frames.frame(DATA, 0, 1, b"", length=16385), "FRAME_SIZE_ERROR"),
    (frames.frame(SETTINGS, 0, 0, b"12345"), "FRAME_SIZE_ERROR"),
    (frames.frame(SETTINGS, 1, 0, b"123456"), "FRAME_SIZE_ERROR"),
    (frames.frame(PING, 0, 0, b"1234567"), "FRAME_SIZE_ERROR"),
    (frames.frame(RST_STREAM, 0, 1, b"123"), "FRAME_SIZE_ERROR"),
    (frames.frame(WINDOW_UPDATE, 0, 0, b"123"), "FRAME_SIZE_ERROR"),
    (frames.frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 1 << 31)), "FLOW_CONTROL_ERROR"),
    (frames.frame(SETTINGS, 0, 0, struct.pack(">HI", 5, 16383)), "PROTOCOL_ERROR"),
    (frames.frame(SETTINGS, 0, 0, struct.pack(">HI", 5, 1 << 24)), "PROTOCOL_ERROR"),
    (frames.frame(SETTINGS, 0, 0, struct.pack(">HI", 2, 2)), "PROTOCOL_ERROR"),
    (frames.frame(DATA, 0, 1, b"x"), "PROTOCOL_ERROR"),
    (frames.frame(HEADERS, 5, 2, frames.block(request())), "PROTOCOL_ERROR"),
    (frames.frame(CONTINUATION, 4, 1, b""), "PROTOCOL_ERROR"),
    (frames.frame(HEADERS, 1, 1, frames.block(request())) + frames.frame(PING, 0, 0, bytes(8)),
     "PROTOCOL_ERROR"),
    (frames.frame(frames.PUSH_PROMISE, 4, 1, u32(2)), "PROTOCOL_ERROR"),
    (frames.frame(HEADERS, 5 | 8, 1, b"\xff" + b"x" * 9), "PROTOCOL_ERROR"),
    (frames.frame(PRIORITY, 0, 1, u32(1) + b"\0"), "PROTOCOL_ERROR"),
    (frames.frame(WINDOW_UPDATE, 0, 0, u32(0)), "PROTOCOL_ERROR"),
    (frames.frame(HEADERS, 5, 1, b"\x80"), "COMPRESSION_ERROR"),
    (frames.frame(HEADERS, 5, 1, b"\xff\x80\x80\x80\x80\x80\x80\x80\x80\x80\x7f"),
     "COMPRESSION_ERROR"),
    (frames.frame(HEADERS, 5, 1, b"\x3f\xe1\xff\x7f"), "COMPRESSION_ERROR"),
    (frames.frame(HEADERS, 5, 1, b"\0\x05ab"), "COMPRESSION_ERROR"),
))
def test_D93_to_D100_what_no_connection_survives(door, bad, error):
    with rig.Frames(door.port) as c:
        c.send(bad)
        assert c.fate() == error
    assert door.canary().status == 200


def test_D96_a_window_that_shrinks_below_zero_grows_again(gate, server):
    size = 100000
    g = gate(upstream=server(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size
                             + b"x" * size), listeners=CLEAR)
    with rig.Frames(g.port, takes=False) as c:
        c.headers(1, request())
        assert c.until(lambda: len(c.of(1).body) == 65535)
        c.frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 100))
        c.frame(WINDOW_UPDATE, 0, 0, u32(size))
        c.frame(WINDOW_UPDATE, 0, 1, u32(65435 + 1000))
        assert c.until(lambda: len(c.of(1).body) == 65535 + 1000)
        c.frame(WINDOW_UPDATE, 0, 1, u32(size))
        assert len(c.answer(1).body) == size


def test_D99_unknown_frames_are_ignored_and_counted(door):
    with rig.Frames(door.port) as c:
        for _ in range(50):
            c.frame(0x77, 0xff, 0, b"what")
        assert c.serves(1)
        for _ in range(600):
            c.frame(0x77, 0xff, 0, b"what")
        assert c.fate() == CALM


@pytest.mark.parametrize("fields", (
    request("/", ("x", "a\r\ntransfer-encoding: chunked")), request("/", ("x", "a\0")),
    request("/", ("x", " a")), request("/", ("x", "a\t")), request("/", ("X-A", "a")),
    request("/", ("x y", "a")), request("/", ("", "a")), request("/", ("x:", "a")),
    replaced(":method", "GET /admin HTTP/1.1\r\nX: y"), replaced(":method", "G T"),
    replaced(":method", ""), replaced(":path", ""), replaced(":path", "admin"),
    replaced(":path", "/a b"), replaced(":path", "/a#b"), replaced(":path", "/\r\nX: y"),
    replaced(":path", "http://a.test/"), replaced(":path", "*"), replaced(":scheme", "http://x/?"),
    replaced(":scheme", ""), replaced(":authority", "a b"), without(":method"),
    without(":scheme"), without(":path"), request() + [(":path", "/")],
    [("x", "y")] + request(), request("/", (":status", "200")), request("/", (":what", "200")),
    request("/", (":protocol", "websocket"), method="CONNECT"),
    request("/", ("connection", "close")), request("/", ("keep-alive", "1")),
    request("/", ("proxy-connection", "close")), request("/", ("upgrade", "h2c")),
    request("/", ("transfer-encoding", "chunked")), request("/", ("te", "gzip")),
    request("/", ("content-length", "5")), request("/", ("content-length", "+0")),
    request("/", ("content-length", "0"), ("content-length", "0")),
    request("/", ("content-length", "0, 0")),
    request("/", ("authorization", "a"), ("authorization", "b")),
), ids=lambda fields: repr(fields[-1])[:40])
def test_D102_to_D110_malformed_requests_reach_nobody(gate, server, fields):
    s = server()
    g = gate(upstream=s, listeners=CLEAR)
    with rig.Frames(g.port) as c:
        c.headers(1, fields)
        assert c.answer(1).reset == "PROTOCOL_ERROR"
        assert c.serves(3)
    assert len(s.requests) == 1


@pytest.mark.parametrize("fields, status", (
    (request(authority="a.test,b.test"), 400), (request(authority="a@b.test"), 400),
    (request(authority="a/b"), 400), (request(authority=""), 400), (without(":authority"), 400),
    (request("/", ("host", "b.test")), 400), (request("/", ("host", "a.test:81")), 400),
    (request("/", ("expect", "cake")), 417), (request("/%zz"), 400),
    (request("/" + "x" * 9000), 414), (request("/", ("x", "y" * 9000)), 431),
    (request("/", *((f"x{i}", "y" * 600) for i in range(80))), 431),
    (request("/", *(("cookie", f"a{i}=1") for i in range(140))), 431),
    ([(":method", "CONNECT"), (":authority", "a.test:443")], 405),
), ids=lambda x: repr(x)[-40:])
def test_D106_and_D111_what_is_refused_is_answered(gate, server, fields, status):
    g = gate(upstream=server(never=True), listeners=CLEAR)
    with rig.Frames(g.port) as c:
        data = frames.block(fields)
        c.frame(HEADERS, END_STREAM | (END_HEADERS if len(data) <= 16384 else 0), 1, data[:16384])
        for at in range(16384, len(data), 16384):
            c.frame(CONTINUATION, END_HEADERS if at + 16384 >= len(data) else 0, 1,
                    data[at:at + 16384])
        answer = c.answer(1)
        assert answer.status == status or (status == 400 and answer.reset == "PROTOCOL_ERROR")


def test_D106_host_and_authority_may_say_the_same(door):
    with rig.Frames(door.port) as c:
        assert c.get(1, "/", ("host", "A.test:80")).status == 200
        c.headers(3, without(":authority") + [("host", "a.test")])
        assert c.answer(3).status == 200


@pytest.mark.parametrize("said, sent", (("0", 30), ("5", 30), ("30", 5)))
@pytest.mark.parametrize("by_trailers", (False, True))
def test_D109_a_body_is_as_long_as_it_says(gate, server, said, sent, by_trailers):
    s = server(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", strict=False)
    g = gate(upstream=s, listeners=CLEAR)
    with rig.Frames(g.port) as c:
        c.headers(1, request("/", ("content-length", said), method="POST"), END_HEADERS)
        c.data(1, b"x" * sent, 0 if by_trailers else END_STREAM)
        if by_trailers:
            c.headers(1, [("digest", "d")])
        assert c.answer(1).reset == "PROTOCOL_ERROR"
    assert all(len(r.body) <= int(said) for r in s.requests)


def reset(c, stream):
    c.frame(RST_STREAM, 0, stream, u32(8))


def test_D113_rapid_reset_ends_the_connection(door):
    with rig.Frames(door.port) as c:
        for i in range(2000):
            c.headers(2 * i + 1, request())
            reset(c, 2 * i + 1)
        assert c.fate() == CALM
    assert door.metrics().value("gatehouse_http2_connections_ended_total", limit="resets") == 1
    assert door.canary().status == 200


@pytest.mark.parametrize("made", (
    lambda i: frames.frame(WINDOW_UPDATE, 0, i, u32(0)),
    lambda i: frames.frame(WINDOW_UPDATE, 0, i, u32(2**31 - 1)),
    lambda i: frames.frame(DATA, 1, i, b"") + frames.frame(HEADERS, 5, i, b""),
    lambda i: frames.frame(PRIORITY, 0, i, b"1234"),
    lambda i: frames.frame(PRIORITY, 0, i, u32(i) + b"\0"),
    lambda i: frames.frame(HEADERS, 5, i, frames.block([("x", " ")])),
))
def test_D114_made_you_reset_is_counted_as_well(gate, held, made):
    g = gate(upstream=held(), listeners=CLEAR)
    with rig.Frames(g.port) as c:
        for i in range(1, 1000, 2):
            c.headers(i, request("/", method="POST"), END_HEADERS)
            c.send(made(i))
        assert c.fate() in (CALM, "STREAM_CLOSED", "PROTOCOL_ERROR", "FRAME_SIZE_ERROR")
    wait_until(lambda: g.metrics().value("http_server_active_requests") == 0)


def test_D115_a_small_header_list_is_no_reset(door):
    with rig.Frames(door.port, settings=((6, 1),)) as c:
        for i in range(1, 300, 2):
            assert c.get(i).status == 200


@pytest.mark.parametrize("piece", (b"", b"\0"))
def test_D116_continuations_end(door, piece):
    with rig.Frames(door.port) as c:
        c.frame(HEADERS, END_STREAM, 1, frames.block(request()))
        for _ in range(20000):
            c.frame(CONTINUATION, 0, 1, piece)
        assert c.fate() == CALM


def test_D116_a_head_that_does_not_end_is_not_waited_for(gate, server):
    g = gate(upstream=server(never=True), listeners=CLEAR, limits={"header_time": "500ms"})
    with rig.Frames(g.port) as c:
        c.frame(HEADERS, END_STREAM, 1, frames.block(request()))
        assert c.fate() == CALM
    assert g.metrics().value("gatehouse_http2_connections_ended_total", limit="header") == 1


def test_D117_an_indexed_value_again_and_again(door):
    bomb = b"\x40" + frames.literal("x") + frames.literal("y" * 3900) + b"\xbe" * 12000
    with rig.Frames(door.port) as c:
        c.headers(1, frames.block(request()) + bomb)
        assert c.fate() == CALM


def test_D118_a_tiny_field_is_counted_as_an_object(door):
    before = door.memory()
    for _ in range(20):
        with rig.Frames(door.port, settings=((4, 0),)) as c:
            c.headers(1, frames.block(request()) + b"\x40" + frames.literal("a")
                      + frames.literal("") + b"\xbe" * 16000)
            assert c.fate() == CALM
    assert door.memory() - before < 32 << 20


@pytest.mark.parametrize("kind, stream, payload", (
    (PING, 0, bytes(8)), (SETTINGS, 0, b""), (PRIORITY, 3, u32(5) + b"\0"),
    (0x99, 0, b""), (WINDOW_UPDATE, 0, u32(1))))
def test_D120_floods_end_the_connection(door, kind, stream, payload):
    with rig.Frames(door.port) as c:
        c.send(frames.frame(kind, 0, stream, payload) * 100000)
        assert c.fate() == CALM
    assert door.canary().status == 200


def test_D120_empty_data_is_a_flood(gate, held):
    g = gate(upstream=held(), listeners=CLEAR)
    with rig.Frames(g.port) as c:
        c.headers(1, request("/", method="POST"), END_HEADERS)
        c.send(frames.frame(DATA, 0, 1, b"") * 10000)
        assert c.fate() == CALM


def test_D121_what_follows_a_reset_stream_is_dropped(gate, held):
    g = gate(upstream=held(), listeners=CLEAR)
    with rig.Frames(g.port) as c:
        c.headers(1, request("/", method="POST"), END_HEADERS)
        c.send(frames.frame(RST_STREAM, 0, 1, u32(8)) + frames.frame(DATA, 0, 1, b"x" * 1000))
        assert c.fate() == "STREAM_CLOSED"
    wait_until(lambda: g.metrics().value("http_server_active_requests") == 0)


def test_D123_one_stream_too_many_is_refused_alone(gate, held):
    s = held()
    g = gate(upstream=s, listeners=CLEAR, limits={"streams": 10})
    with rig.Frames(g.port) as c:
        assert c.settings[3] == 10
        for i in range(11):
            c.headers(2 * i + 1, request())
        assert c.answer(21).reset == "REFUSED_STREAM"
        wait_until(lambda: len(s.requests) == 10)
        assert g.metrics().value("gatehouse_http2_streams_refused_total") == 1


def test_D124_a_goaway_of_the_caller_lets_its_streams_end(gate, server):
    g = gate(upstream=server((rig.wait(0.2), b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")),
             listeners=CLEAR)
    with rig.Frames(g.port) as c:
        c.headers(1, request())
        c.frame(frames.GOAWAY, 0, 0, u32(0, 0))
        assert c.answer(1).status == 200


def test_windows_that_stay_shut_do_not_hold_a_stream_for_ever(gate, server):
    g = gate(upstream=server(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
             listeners=CLEAR, limits={"idle": "400ms"})
    with rig.Frames(g.port, settings=((4, 0),)) as c:
        c.headers(1, request())
        assert c.answer(1).reset == "CANCEL"
    wait_until(lambda: g.metrics().value("gatehouse_http2_streams_stalled_total") == 1)


def test_a_body_that_trickles_is_timed_out(gate, held):
    g = gate(upstream=held(), listeners=CLEAR, limits={"idle": "400ms"})
    with rig.Frames(g.port) as c:
        c.headers(1, request("/", method="POST"), END_HEADERS)
        assert c.answer(1).status == 408


def test_an_idle_connection_ends_in_order(gate, server):
    g = gate(upstream=server(), listeners=CLEAR, limits={"idle": "400ms"})
    with rig.Frames(g.port) as c:
        assert c.get(1).status == 200
        assert c.fate() == "NO_ERROR"
