"""Server-Sent Events, and any response that comes little by little: each piece is passed when it
comes, whatever the framing and whatever is switched on, and who goes away is told upstream."""
import pytest
import rig

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
EVENTS = [f"id: {n}\ndata: event {n}\n\n".encode() for n in range(20)]
POLICIES = [{}, {"rate_limit": "100/s", "headers": {"response": {"set": {"X-Seen": "1"}}},
                 "timeout": {"idle": "5s"}}]


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


FRAMINGS = {"chunked": (b"Transfer-Encoding: chunked\r\n\r\n", chunk, b"0\r\n\r\n"),
            "close": (b"Connection: close\r\n\r\n", bytes, b""),
            "length": (b"Content-Length: %d\r\n\r\n" % sum(map(len, EVENTS)), bytes, b"")}


def bytes_of(framing, data):
    """What the caller gets of these bytes: without a length in chunks."""
    return data if framing == "length" else chunk(data)


@pytest.mark.parametrize("policies", POLICIES, ids=["plain", "policies"])
@pytest.mark.parametrize("framing", FRAMINGS)
def test_N280_each_event_is_passed_before_the_next_one_is_made(gate, server, framing, policies):
    s = server(manual=True)
    g = gate(upstream=s, policies=policies)
    end, wrap, last = FRAMINGS[framing]
    c = g.raw().send(rig.request("GET", "/events", {"Accept": "text/event-stream"}))
    up = s.accept()
    up.read_request()
    up.send(HEAD + end)
    head = c.reader.head(is_request=False)  # before any event
    assert head.first[0] == 200 and head.get("content-type") == "text/event-stream"
    late = 0
    for event in EVENTS:
        watch = rig.Watch()
        up.send(wrap(event))
        expected = bytes_of(framing, event)
        assert c.reader.take(len(expected)) == expected and c.reader.held == b""
        late += watch.own > 0.1  # row 280; the machine may halt once in a while
    assert late <= 2
    up.send(last)
    if framing == "close":
        up.close()
    if framing != "length":
        assert c.reader.take(5) == b"0\r\n\r\n"
    g.wait_logs(1)
    assert g.logs()[0].attributes["http.response.body.size"] == sum(map(len, EVENTS))


def test_N280_an_event_in_pieces_is_passed_in_pieces(gate, server):
    s = server(manual=True)
    g = gate(upstream=s)
    c = g.raw().send(rig.request("GET", "/events"))
    up = s.accept()
    up.read_request()
    up.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    c.reader.head(is_request=False)
    up.send(b"a\r\ndata:")
    assert c.reader.take(10) == b"5\r\ndata:\r\n"
    up.send(b" abc\n\r\n")
    assert c.reader.take(10) == b"5\r\n abc\n\r\n"
    c.reset()
    assert up.wait_end() is not None


def test_a_caller_that_goes_away_ends_its_events(gate, server):
    s = server(manual=True)
    g = gate(upstream=s)
    c = g.raw().send(rig.request("GET", "/events"))
    up = s.accept()
    up.read_request()
    up.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(EVENTS[0]))
    c.reader.head(is_request=False)
    c.reset()
    assert up.wait_end() is not None
    assert g.wait_logs(1)[0].reason == "client-abort"


def test_uploads_that_come_little_by_little_are_passed_so(gate, server):
    s = server(manual=True)
    g = gate(upstream=s)
    c = g.raw().send(b"POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
                     chunk(b"first"))
    up = s.accept()
    request = up.begin_request()
    assert request.framing == "chunked" and up.reader.take(10) == chunk(b"first")
    for n in range(10):
        c.send(chunk(b"%d" % n))
        assert up.reader.take(6) == chunk(b"%d" % n)
    c.send(b"0\r\n\r\n")
    assert up.reader.take(5) == b"0\r\n\r\n"
    up.send(rig.http1.response(200, b"ok"))
    assert c.read().status == 200
