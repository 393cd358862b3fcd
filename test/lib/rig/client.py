"""client.py -- a raw socket that sends exact bytes in any cuts and reads answers strictly."""
import json
import socket
import ssl
import struct
import time
from dataclasses import dataclass, field

from . import http1

TIMEOUT = 10.0


@dataclass
class Response:
    """An answer: its head, its body, how it was framed and what the connection does next."""
    head: http1.Head
    body: bytearray = field(default_factory=bytearray)
    size: int = 0  # of the body, counted even when it is not kept
    framing: str = "none"
    chunks: list = field(default_factory=list)
    trailers: list = field(default_factory=list)
    interim: list = field(default_factory=list)  # heads of 1xx that came before
    keep_alive: bool = True
    complete: bool = True
    raw: bytes = b""
    seconds: float = 0.0

    @property
    def status(self):
        return self.head.first[0]

    @property
    def reason(self):
        return self.head.first[1]

    @property
    def headers(self):
        return self.head.fields

    def header(self, name, default=None):
        return self.head.get(name, default)

    @property
    def request_id(self):
        return self.header("x-request-id")

    @property
    def text(self):
        return self.body.decode()

    def json(self):
        return json.loads(self.body)

    @property
    def problem(self):
        """The RFC 9457 document of the body; anything else is a failure of the test."""
        kind = self.header("content-type")
        assert kind == "application/problem+json", (self.status, self.headers)
        document = self.json()
        assert document["status"] == self.status
        return document

    @property
    def code(self):
        """The stable code of the problem, e.g. "not-found"."""
        return self.problem["code"]


class Raw:
    """One TCP connection to the gate, or to anything that speaks HTTP/1.1."""

    def __init__(self, port, host="127.0.0.1", timeout=TIMEOUT, rcvbuf=None, keep=True,
                 tls=None, name="a.test", session=None):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        if rcvbuf:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.socket.connect((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.local_port = self.socket.getsockname()[1]
        if tls:  # an ssl.SSLContext; a farewell that is missing is a reset
            self.socket = tls.wrap_socket(self.socket, server_hostname=name, session=session,
                                          suppress_ragged_eofs=False)
        self.reader = http1.Reader(self._receive, keep)
        self.end = None  # "eof" or "reset", once it was seen

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _receive(self):
        try:
            data = self.socket.recv(1 << 18)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
            self.end = "reset"
            return b""
        if not data:
            self.end = self.end or "eof"
        return data

    # Sending

    def send(self, *pieces, pause=0.005):
        """Sends each piece in a segment of its own, with a pause between them."""
        for at, piece in enumerate(pieces):
            if at:
                time.sleep(pause)
            self.socket.sendall(http1.as_bytes(piece))
        return self

    def send_stream(self, pieces):
        """Sends what an iterator yields, as fast as the other side takes it."""
        for piece in pieces:
            self.socket.sendall(piece)
        return self

    def send_cut(self, data, *cuts, pause=0.005):
        """Sends data cut at these offsets."""
        ends = [0, *sorted(cuts), len(data)]
        return self.send(*(data[a:b] for a, b in zip(ends, ends[1:])), pause=pause)

    def send_bytewise(self, data, pause=0.0005):
        return self.send(*(data[i:i + 1] for i in range(len(data))), pause=pause)

    def try_send(self, data):
        """Sends; False when the other side has closed."""
        try:
            self.socket.sendall(data)
            return True
        except (ConnectionResetError, BrokenPipeError):
            return False

    def request(self, method="GET", target="/", headers=None, body=None, **options):
        """Sends a well-formed request and reads the answer."""
        begin = time.monotonic()
        self.send(http1.request(method, target, headers, body, **options))
        answer = self.read(method)
        answer.seconds = time.monotonic() - begin
        return answer

    def get(self, target="/", headers=None, **options):
        return self.request("GET", target, headers, **options)

    def post(self, target="/", body=b"", headers=None, **options):
        return self.request("POST", target, headers, body, **options)

    # Reading

    def read(self, method="GET", whole=True):
        """One final answer; 1xx before it are kept in .interim. With whole=False a body cut short
        gives complete=False instead of a failure."""
        before = self.reader.count - len(self.reader.held)
        interim = []
        head = self.reader.head(is_request=False)
        while head.first[0] < 200 and head.first[0] != 101:
            interim.append(head)
            head = self.reader.head(is_request=False)
        kind, length = http1.framing(head, is_request=False, method=method)
        answer = Response(head, framing=kind, interim=interim, keep_alive=http1.keeps_alive(head))
        try:
            self.reader.body(answer, kind, length)
            if kind == "close" and self.end == "reset":
                raise EOFError("reset")
        except EOFError as cut:
            if whole:
                raise http1.ProtocolFault(
                    f"the body of a {answer.status} was cut ({self.end}): {cut}") from None
            answer.complete = False
        answer.keep_alive = answer.keep_alive and kind != "close" and answer.complete
        if self.reader.keep:
            answer.raw = self.reader.seen[before:self.reader.count - len(self.reader.held)]
        answer.body = bytes(answer.body)
        return answer

    def read_all(self, timeout=None):
        """Everything until the other side closes."""
        if timeout is not None:
            self.socket.settimeout(timeout)
        return self.reader.rest()

    def read_some(self, n=1):
        """At least n bytes, as they come; for looking at partial answers."""
        while len(self.reader.held) < n and self.reader.more():
            pass
        return self.reader.take_held(len(self.reader.held))

    def is_silent(self, seconds=0.1):
        """True when nothing comes and nothing closes for that long."""
        self.socket.settimeout(seconds)
        try:
            return not self.reader.held and self.reader.more() and False
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(TIMEOUT)

    def expect_closed(self, within=3.0):
        """The other side closes, and sends nothing more before it does."""
        self.socket.settimeout(within)
        try:
            rest = self.reader.rest()
        except TimeoutError:
            raise AssertionError(f"still open after {within} s") from None
        assert rest == b"", f"sent more before closing: {rest[:200]!r}"
        return self.end

    # Ending

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)
        return self

    def reset(self):
        """Closes with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()
