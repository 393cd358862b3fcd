"""HTTP/2 from callers, in the clear: each stream is a request like any other."""
import shutil
import signal
import subprocess
import threading

import rig
from rig import frames, wait_until

CLEAR = {"main": {"h2c": True}}
MIB = 1 << 20


def big(size):
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size


def test_a_get_goes_through_and_is_recorded(gate, server):
    s = server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Own: 1\r\n\r\nhi")
    g = gate(upstream=s, listeners=CLEAR)
    with rig.Frames(g.port) as c:
        answer = c.get(1, "/x?y=1", ("cookie", "a=1"), ("cookie", "b=2"))
    assert (answer.status, answer.body, answer.header("x-own")) == (200, b"hi", "1")
    assert answer.header("content-length") == "2"
    assert s.request.target == "/x?y=1"
    assert s.request.head.get("cookie") == "a=1; b=2"
    record = g.record(answer)
    assert (record.reason, record.attributes["network.protocol.version"]) == ("done", "2")


def test_the_first_bytes_decide(gate, server):
    g = gate(upstream=server(), listeners=CLEAR)
    assert g.get("/").status == 200
    for cut in (1, 3, 16, 23):
        with rig.Frames(g.port, greet=False) as c:
            c.send(frames.PREFACE[:cut])
            c.send(frames.PREFACE[cut:] + frames.frame(frames.SETTINGS, 0, 0))
            assert c.until(lambda: c.settings)
            assert c.get(1).status == 200
    with g.raw() as c:
        c.send("P")
        c.send("OST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi")
        assert c.read().status == 200


def test_without_the_setting_it_is_no_http(gate, server):
    g = gate(upstream=server(never=True))
    with g.raw() as c:
        c.send(frames.PREFACE)
        assert c.read().status in (400, 505)


def test_many_streams_are_served_side_by_side(gate, server):
    g = gate(upstream=server(), listeners=CLEAR)
    with rig.Frames(g.port) as c:
        for i in range(80):
            c.headers(2 * i + 1, frames.request(f"/{i}"))
        assert {c.answer(2 * i + 1).status for i in range(80)} == {200}


def test_bodies_go_both_ways_whole(gate, server):
    s = server(big(3 * MIB))
    g = gate(upstream=s, listeners=CLEAR)
    body = b"y" * 60000
    with rig.Frames(g.port) as c:
        c.headers(1, frames.request("/", ("content-length", "60000"), method="POST"),
                  frames.END_HEADERS)
        for at in range(0, len(body), 16000):
            c.data(1, body[at:at + 16000], 0)
        c.data(1)
        answer = c.answer(1)
        assert (answer.status, len(answer.body)) == (200, 3 * MIB)
        assert s.request.body == body
        c.headers(3, frames.request("/", method="POST"), frames.END_HEADERS)
        c.data(3, body[:10000])
        assert len(c.answer(3).body) == 3 * MIB
    assert s.requests[-1].body == body[:10000]


def test_trailers_go_both_ways(gate, server):
    s = server(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n"
               b"ETag: \"e\"\r\n\r\n")
    g = gate(upstream=s, listeners=CLEAR)
    with rig.Frames(g.port) as c:
        c.headers(1, frames.request("/", ("te", "trailers"), method="POST"), frames.END_HEADERS)
        c.data(1, b"body", 0)
        c.headers(1, [("digest", "d")])
        answer = c.answer(1)
    assert (answer.body, answer.trailers) == (b"hi", [("etag", '"e"')])
    assert s.request.body == b"body"


def test_heads_without_bodies(gate, server):
    for reply, status in ((b"HTTP/1.1 204 No Content\r\n\r\n", 204),
                          (b"HTTP/1.1 304 Not Modified\r\nETag: \"e\"\r\n\r\n", 304)):
        g = gate(upstream=server(reply), listeners=CLEAR)
        with rig.Frames(g.port) as c:
            answer = c.get(1)
        assert (answer.status, answer.body) == (status, b"")
    g = gate(upstream=server(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n"), listeners=CLEAR)
    with rig.Frames(g.port) as c:
        c.headers(1, frames.request(method="HEAD"))
        answer = c.answer(1)
    assert (answer.status, answer.header("content-length"), answer.body) == (200, "50", b"")


def test_informational_heads_pass(gate, server):
    g = gate(upstream=server(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
                             b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), listeners=CLEAR)
    with rig.Frames(g.port) as c:
        answer = c.get(1)
    assert answer.status == 200
    assert answer.interim == [[(":status", "103"), ("link", "</a>")]]


def test_an_early_answer_ends_the_request_without_an_error(gate, server):
    g = gate(upstream=server(never=True), listeners=CLEAR, policies={"body_limit": "1KiB"})
    with rig.Frames(g.port) as c:
        c.headers(1, frames.request("/", ("content-length", "100000"), method="POST"),
                  frames.END_HEADERS)
        answer = c.answer(1)
        assert answer.status == 413
        assert c.until(lambda: answer.reset)
        assert answer.reset == "NO_ERROR"
        c.data(1, b"late")


def test_a_cancelled_request_ends_what_was_done_for_it(gate, server):
    event = threading.Event()
    s = server((rig.hold(event), b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
    g = gate(upstream=s, listeners=CLEAR)
    with rig.Frames(g.port) as c:
        c.headers(1, frames.request("/slow"))
        wait_until(lambda: s.requests)
        c.frame(frames.RST_STREAM, 0, 1, bytes((0, 0, 0, 8)))
        wait_until(lambda: g.metrics().value("http_server_active_requests") == 0)
        assert g.wait_logs(lambda lines: [x for x in lines if x.reason == "client-abort"])
    event.set()


def test_a_slow_upstream_holds_the_caller_back(gate, server):
    event = threading.Event()
    s = server((rig.hold(event), b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
    g = gate(upstream=s, listeners=CLEAR, policies={"body_limit": "off"})
    with rig.Frames(g.port) as c:
        c.headers(1, frames.request("/", method="POST"), frames.END_HEADERS)
        for _ in range(4):
            c.data(1, b"x" * 16000, 0)
        c.frame(frames.PING, 0, 0, b"in order")
        assert c.until(lambda: c.pongs)
    assert c.settings[4] == 65536
    event.set()


def test_a_drain_says_goodbye_twice_and_loses_nothing(gate, server):
    s = server((rig.wait(0.3), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"))
    g = gate(upstream=s, listeners=CLEAR)
    with rig.Frames(g.port) as c:
        c.headers(1, frames.request("/slow"))
        wait_until(lambda: s.requests)
        g.signal(signal.SIGTERM)
        assert c.until(lambda: c.goaways)
        assert c.goaways == [(2**31 - 1, "NO_ERROR")]
        assert c.get(3).status == 200
        assert c.answer(1).status == 200
        assert c.fate() == "NO_ERROR"
        assert c.goaways[-1][0] == 3
    g.wait_exit()


def test_real_clients(gate, server, tmp_path):
    g = gate(upstream=server(big(200000)), listeners=CLEAR)
    url = f"http://127.0.0.1:{g.port}/"
    curl = subprocess.run(["curl", "-s", "--http2-prior-knowledge", "-w", "%{http_version}", url],
                          capture_output=True, timeout=20, check=True)
    assert curl.stdout == b"x" * 200000 + b"2"
    if shutil.which("h2load"):
        load = subprocess.run(["h2load", "-n", "300", "-c", "3", "-m", "20", url],
                              capture_output=True, timeout=60, check=True, text=True)
        assert "300 succeeded, 0 failed" in load.stdout
