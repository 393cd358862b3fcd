"""The rig's own reading of HTTP/1.1 must refuse what it exists to catch."""
import pytest
from rig import http1


def read(data, is_request=False, method="GET"):
    pieces = [data]
    reader = http1.Reader(lambda: pieces.pop() if pieces else b"")
    head = reader.head(is_request)

    class Message:
        size, trailers = 0, []
    message = Message()
    message.body, message.chunks = bytearray(), []
    reader.body(message, *http1.framing(head, is_request, method))
    return head, bytes(message.body), bytes(reader.held)


@pytest.mark.parametrize("data", [
    b"HTTP/1.1 200 OK\nContent-Length: 0\n\n\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0, 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 00\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200\r\n\r\n",
    b"HTTP/2 200 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA: b\x00\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1 \r\na\r\n0\r\n\r\n",
])
def test_what_is_not_strict_is_a_fault(data):
    with pytest.raises(http1.ProtocolFault):
        read(data)


@pytest.mark.parametrize("data", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
    b"HTTP/1.1 200 OK\r\n",
])
def test_what_is_cut_is_seen_as_cut(data):
    with pytest.raises(EOFError):
        read(data)


def test_what_is_strict_is_read():
    head, body, left = read(b"HTTP/1.1 200 \r\nX:  a b \r\nTransfer-Encoding: chunked\r\n\r\n"
                            b"5;x=y\r\nhello\r\n0\r\nT: u\r\n\r\nHTTP/1.1 200 OK")
    assert (head.first, head.get("x"), body) == ((200, ""), "a b", b"hello")
    assert left == b"HTTP/1.1 200 OK"
    assert read(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", method="HEAD")[1] == b""
    assert read(b"HTTP/1.1 200 OK\r\n\r\nto the end")[1] == b"to the end"


def test_requests_that_we_write_are_strict():
    head, body, _ = read(http1.request("POST", "/x", {"A": "b"}, [b"one", b"two"]), is_request=True)
    assert (head.first, body, head.get("host")) == (("POST", "/x"), b"onetwo", "a.test")
    head, body, _ = read(http1.request("PUT", "/x", body=b"abc"), is_request=True)
    assert (body, head.get("content-length")) == (b"abc", "3")
