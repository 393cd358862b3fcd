"""frames.py -- HTTP/2 as exact frames: a writer that can say anything, and a reader of what comes.

    with rig.Frames(g.port) as c:                 preface and SETTINGS are exchanged
        c.headers(1, get("/x"))                   a request, END_STREAM and all
        answer = c.answer(1)                      → Answer: status, headers, body, trailers, reset
        c.frame(rig.frames.PING, 0, 0, bytes(8))  any frame
        assert c.fate() == "ENHANCE_YOUR_CALM"    how the gate ended the connection

Header blocks are literals without an index, unless a test writes its own bytes.
"""
import socket
import struct
from dataclasses import dataclass, field

import hpack

(DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE,
 CONTINUATION) = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITIZED = 1, 1, 4, 8, 32
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
ERRORS = ("NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT",
          "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR",
          "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED")
TIMEOUT = 10.0


def frame(kind, flags, stream, payload=b"", length=None):
    """The bytes of one frame; `length` when it is to lie."""
    size = len(payload) if length is None else length
    return struct.pack(">I", size)[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def number(value, bits, first=0):
    """An integer of RFC 7541 5.1."""
    most = (1 << bits) - 1
    if value < most:
        return bytes((first | value,))
    out, value = bytearray((first | most,)), value - most
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    out.append(value)
    return bytes(out)


def literal(text):
    data = text if isinstance(text, bytes) else text.encode("latin-1")
    return number(len(data), 7) + data


def block(fields):
    return b"".join(b"\0" + literal(name) + literal(value) for name, value in fields)


def request(target="/", *more, method="GET", authority="a.test", scheme="http"):
    """Fields of a request; pseudo-header fields that are None are left out."""
    first = ((":method", method), (":scheme", scheme), (":authority", authority),
             (":path", target))
    return [pair for pair in first if pair[1] is not None] + list(more)


@dataclass
class Answer:
    headers: list = field(default_factory=list)
    interim: list = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    trailers: list = field(default_factory=list)
    complete: bool = False
    reset: str = None

    @property
    def status(self):
        return int(dict(self.headers)[":status"]) if self.headers else None

    def header(self, name):
        return dict(self.headers).get(name)

    @property
    def request_id(self):
        return self.header("x-request-id")


class Frames:
    """One connection that speaks HTTP/2 with prior knowledge, frame by frame."""

    def __init__(self, port, settings=(), greet=True, takes=True):
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        self.takes = takes  # answers DATA with WINDOW_UPDATE
        self.answers, self.goaways, self.settings, self.pongs = {}, [], {}, []
        self.buffer, self.is_closed = bytearray(), False
        self.decoder = hpack.Decoder()
        if greet:
            self.send(PREFACE + frame(SETTINGS, 0, 0, b"".join(
                struct.pack(">HI", *pair) for pair in settings)))
            self.until(lambda: self.settings)
            self.send(frame(SETTINGS, ACK, 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        """Sends it all, as far as the gate still takes it."""
        try:
            self.socket.sendall(data)
        except OSError:
            pass

    def frame(self, *parts, **options):
        self.send(frame(*parts, **options))

    def headers(self, stream, fields, flags=END_STREAM | END_HEADERS):
        self.send(frame(HEADERS, flags, stream,
                        fields if isinstance(fields, bytes) else block(fields)))

    def data(self, stream, data=b"", flags=END_STREAM):
        self.send(frame(DATA, flags, stream, data))

    # Reading

    def of(self, stream):
        return self.answers.setdefault(stream, Answer())

    def until(self, is_so):
        """Reads until it is so, or the connection is closed; whether it is so."""
        while not is_so() and not self.is_closed:
            self.read()
        return bool(is_so())

    def read(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            data = b""
        self.is_closed = not data
        self.buffer += data
        while len(self.buffer) >= 9:
            size = int.from_bytes(self.buffer[:3], "big")
            if len(self.buffer) < 9 + size:
                return
            kind, flags = self.buffer[3], self.buffer[4]
            stream = int.from_bytes(self.buffer[5:9], "big")
            payload = bytes(self.buffer[9:9 + size])
            del self.buffer[:9 + size]
            self.take(kind, flags, stream, payload)

    def take(self, kind, flags, stream, payload):
        if kind == SETTINGS and not flags & ACK:
            self.settings = {struct.unpack(">H", payload[i:i + 2])[0]:
                             struct.unpack(">I", payload[i + 2:i + 6])[0]
                             for i in range(0, len(payload), 6)}
        elif kind == PING and flags & ACK:
            self.pongs.append(payload)
        elif kind == GOAWAY:
            last, code = struct.unpack(">II", payload[:8])
            self.goaways.append((last, ERRORS[code]))
        elif kind == RST_STREAM:
            self.of(stream).reset = ERRORS[struct.unpack(">I", payload)[0]]
        elif kind == HEADERS:
            self.take_headers(self.of(stream), flags, payload)
        elif kind == DATA:
            self.of(stream).body += payload
            self.of(stream).complete |= bool(flags & END_STREAM)
            if self.takes and payload:
                credit = struct.pack(">I", len(payload))
                self.send(frame(WINDOW_UPDATE, 0, 0, credit)
                          + frame(WINDOW_UPDATE, 0, stream, credit))

    def take_headers(self, answer, flags, payload):
        assert flags & END_HEADERS
        fields = [(str(name), str(value)) for name, value in self.decoder.decode(payload)]
        if answer.status is not None:
            answer.trailers = fields
        elif fields[0][1][0] == "1":
            answer.interim.append(fields)
        else:
            answer.headers = fields
        answer.complete |= bool(flags & END_STREAM)

    def answer(self, stream):
        """What came on that stream, once it is over."""
        it = self.of(stream)
        assert self.until(lambda: it.complete or it.reset), "closed without an answer"
        return it

    def get(self, stream, target="/", *more):
        self.headers(stream, request(target, *more))
        return self.answer(stream)

    def fate(self):
        """The code of the last GOAWAY, once the connection is closed; "" without one."""
        self.until(lambda: False)
        return self.goaways[-1][1] if self.goaways else ""

    def serves(self, stream):
        """The connection is as good as new."""
        self.frame(PING, 0, 0, b"is there")
        return self.until(lambda: b"is there" in self.pongs) and self.get(stream).status == 200
