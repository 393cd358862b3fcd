"""ws.py -- WebSocket as bytes: handshakes and frames, right ones and wrong ones."""
import base64
import hashlib
import struct

from . import http1

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
MASK = b"\x11\x22\x33\x44"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def accept_of(key=KEY):
    digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
    return base64.b64encode(digest).decode()


def fields(**changed):
    """Those of a handshake; a value of None leaves one out."""
    these = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": KEY,
             "Sec-WebSocket-Version": "13"}
    these.update({name.replace("_", "-"): value for name, value in changed.items()})
    return {name: value for name, value in these.items() if value is not None}


def handshake(target="/chat", method="GET", more=None, **changed):
    return http1.request(method, target, {**fields(**changed), **(more or {})})


def switching(**changed):
    """The answer of a server that switches."""
    these = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Accept": accept_of()}
    these.update({name.replace("_", "-"): value for name, value in changed.items()})
    lines = [f"{name}: {value}" for name, value in these.items() if value is not None]
    return ("HTTP/1.1 101 Switching Protocols\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode()


def frame(opcode, payload=b"", mask=MASK, fin=True, length=None, bits=0):
    size = len(payload) if length is None else length
    head = bytes([(0x80 if fin else 0) | bits | opcode])
    flag = 0x80 if mask is not None else 0
    if size < 126:
        head += bytes([flag | size])
    elif size < 1 << 16:
        head += bytes([flag | 126]) + struct.pack("!H", size)
    else:
        head += bytes([flag | 127]) + struct.pack("!Q", size)
    if mask is None:
        return head + payload
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


def close(code, mask=MASK):
    return frame(CLOSE, struct.pack("!H", code), mask)


def read(reader):
    """One frame off a connection: (opcode, payload), unmasked."""
    first, second = reader.take(2)
    size = second & 0x7f
    if size == 126:
        size, = struct.unpack("!H", reader.take(2))
    elif size == 127:
        size, = struct.unpack("!Q", reader.take(8))
    mask = reader.take(4) if second & 0x80 else b"\0\0\0\0"
    payload = reader.take(size)
    return first & 0x0f, bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


def read_close(reader):
    """The code of a close frame, which must be next."""
    opcode, payload = read(reader)
    assert opcode == CLOSE, (opcode, payload)
    return struct.unpack("!H", payload[:2])[0]


class Pair:
    """Both ends of one WebSocket through a gate: `caller`, and `server` of a manual upstream."""

    def __init__(self, gate, server, target="/chat", caller=None, **changed):
        self.caller = caller or gate.raw()
        self.caller.send(handshake(target, **changed))
        self.server = server.accept()
        self.request = self.server.read_request()
        self.server.send(switching())
        self.head = self.caller.reader.head(is_request=False)
        assert self.head.first[0] == 101, self.head.raw
        self.id = self.head.get("x-request-id")

    def says(self, payload, opcode=TEXT):
        """The caller says something, and the server hears it."""
        self.caller.send(frame(opcode, payload))
        assert read(self.server.reader) == (opcode, payload)

    def hears(self, payload, opcode=TEXT):
        self.server.send(frame(opcode, payload, None))
        assert read(self.caller.reader) == (opcode, payload)

    def works(self):
        self.says(b"up")
        self.hears(b"down")

    def part(self):
        """As RFC 6455 wants it: the caller closes, the server answers and ends the connection."""
        self.caller.send(close(1000))
        assert read_close(self.server.reader) == 1000
        self.server.send(close(1000, None))
        self.server.close()
        assert read_close(self.caller.reader) == 1000
        assert self.caller.read_all() == b""
