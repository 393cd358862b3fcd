"""http1.py -- our own strict reading of HTTP/1.1, for both directions.

It accepts what RFC 9112 lets a sender send and nothing else: no bare LF, no obs-fold, no two
lengths, no blanks around names. It is written apart from the gateway's parser, so that the two
do not share a mistake.
"""
import re
from dataclasses import dataclass, field

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*")
REQUEST = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e]+) HTTP/1\.([01])")
STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9]) ([^\x00-\x08\x0a-\x1f\x7f]*)")
CHUNK = re.compile(rb"([0-9A-Fa-f]{1,16})((?:;[^\x00-\x08\x0a-\x1f\x7f]*)?)")


class ProtocolFault(AssertionError):
    """The other side did not speak strict HTTP/1.1."""


@dataclass
class Head:
    """A start line and its fields, names as they came."""
    first: tuple
    version: int
    fields: list = field(default_factory=list)
    raw: bytes = b""

    def all(self, name):
        """Values of all lines of that name."""
        wanted = name.lower()
        return [value for key, value in self.fields if key.lower() == wanted]

    def get(self, name, default=None):
        """The value of the only line of that name; more than one line is a fault."""
        values = self.all(name)
        if len(values) > 1:
            raise ProtocolFault(f"{len(values)} lines of {name}: {values}")
        return values[0] if values else default

    def members(self, name):
        """Comma-separated members of all lines of that name, in lower case."""
        return [part.strip().lower() for value in self.all(name) for part in value.split(",")
                if part.strip()]

    def names(self):
        return [key.lower() for key, _ in self.fields]


def parse_fields(lines):
    fields = []
    for line in lines:
        match = FIELD.fullmatch(line)
        if not match:
            raise ProtocolFault(f"not a field line: {line!r}")
        fields.append((match.group(1).decode(), match.group(2).decode("latin-1")))
    return fields


def parse_head(raw, is_request):
    """`raw` holds everything up to and including the empty line."""
    if b"\n" in raw.replace(b"\r\n", b"") or b"\r" in raw.replace(b"\r\n", b""):
        raise ProtocolFault(f"a bare CR or LF in a head: {raw!r}")
    lines = raw[:-4].split(b"\r\n")
    match = (REQUEST if is_request else STATUS).fullmatch(lines[0])
    if not match:
        raise ProtocolFault(f"not a {'request' if is_request else 'status'} line: {lines[0]!r}")
    if is_request:
        first = (match.group(1).decode(), match.group(2).decode())
        version = int(match.group(3))
    else:
        first = (int(match.group(2)), match.group(3).decode("latin-1"))
        version = int(match.group(1))
    return Head(first, version, parse_fields(lines[1:]), raw)


def framing(head, is_request, method="GET"):
    """How the body is framed: ("none", 0), ("length", n), ("chunked", 0) or ("close", 0)."""
    lengths, codings = head.all("content-length"), head.all("transfer-encoding")
    if lengths and codings:
        raise ProtocolFault("both Content-Length and Transfer-Encoding")
    if len(lengths) > 1 or len(codings) > 1:
        raise ProtocolFault("a length given twice")
    if lengths and not re.fullmatch(r"0|[1-9][0-9]{0,18}", lengths[0]):
        raise ProtocolFault(f"not a canonical length: {lengths[0]!r}")
    if codings and codings[0] != "chunked":
        raise ProtocolFault(f"not our transfer coding: {codings[0]!r}")
    if codings and head.version == 0:
        raise ProtocolFault("Transfer-Encoding in HTTP/1.0")
    if not is_request:
        status = head.first[0]
        if status < 200 or status in (204, 304) or method == "HEAD":
            if (status < 200 or status == 204) and (lengths or codings):
                raise ProtocolFault(f"a length in a {status}")
            return "none", 0
    if codings:
        return "chunked", 0
    if lengths:
        return "length", int(lengths[0])
    return ("none", 0) if is_request else ("close", 0)


def keeps_alive(head):
    options = head.members("connection")
    if head.version == 0:
        return "keep-alive" in options
    return "close" not in options


class Reader:
    """Reads messages off a function that yields bytes (b"" at the end). With keep=False what came
    is counted and forgotten, for bodies larger than memory."""

    def __init__(self, receive, keep=True):
        self.receive = receive
        self.keep = keep
        self.held = bytearray()
        self.pieces = []         # everything that came, for the record
        self.count = 0           # its length
        self.ended = False

    @property
    def seen(self):
        if len(self.pieces) > 1:
            self.pieces = [b"".join(self.pieces)]
        return self.pieces[0] if self.pieces else b""

    def more(self):
        data = b"" if self.ended else self.receive()
        if not data:
            self.ended = True
            return False
        self.held += data
        self.count += len(data)
        if self.keep:
            self.pieces.append(data)
        return True

    def take_held(self, n):
        """At most n bytes of what is there."""
        piece = bytes(self.held[:n])
        del self.held[:n]
        return piece

    def take(self, n):
        while len(self.held) < n:
            if not self.more():
                raise EOFError(f"ended after {len(self.held)} of {n} bytes")
        return self.take_held(n)

    def until(self, mark, most):
        at = 0
        while (found := self.held.find(mark, max(0, at - len(mark)))) < 0:
            at = len(self.held)
            if at > most:
                raise ProtocolFault(f"no {mark!r} within {most} bytes")
            if not self.more():
                raise EOFError(f"ended before {mark!r}: {bytes(self.held[-200:])!r}")
        return self.take_held(found + len(mark))

    def head(self, is_request):
        return parse_head(self.until(b"\r\n\r\n", 1 << 20), is_request)

    def line(self):
        line = self.until(b"\r\n", 1 << 16)[:-2]
        if b"\r" in line or b"\n" in line:
            raise ProtocolFault(f"a bare CR or LF in a line: {line!r}")
        return line

    def body(self, message, kind, length):
        """Fills message.body, .size, .chunks and .trailers. EOFError when it is cut."""
        if kind == "length":
            while message.size < length:
                if not self.held and not self.more():
                    raise EOFError(f"cut after {message.size} of {length} bytes")
                self._add(message, self.take_held(length - message.size))
        elif kind == "chunked":
            while size := self._chunk_size():
                first = len(message.body)
                left = size
                while left > 0:
                    if not self.held and not self.more():
                        raise EOFError("cut within a chunk")
                    piece = self.take_held(left)
                    left -= len(piece)
                    self._add(message, piece)
                if self.take(2) != b"\r\n":
                    raise ProtocolFault("chunk data not followed by CRLF")
                if self.keep:
                    message.chunks.append(bytes(message.body[first:]))
            message.trailers = self.trailers()
        elif kind == "close":
            while self.held or self.more():
                self._add(message, self.take_held(1 << 20))

    def _add(self, message, piece):
        message.size += len(piece)
        if self.keep:
            message.body += piece

    def _chunk_size(self):
        line = self.line()
        match = CHUNK.fullmatch(line)
        if not match:
            raise ProtocolFault(f"not a chunk line: {line!r}")
        return int(match.group(1), 16)

    def trailers(self):
        lines = []
        while line := self.line():
            lines.append(line)
        return parse_fields(lines)

    def rest(self):
        while self.more():
            pass
        return self.take_held(len(self.held))


def as_bytes(text):
    return text if isinstance(text, bytes) else str(text).encode("latin-1")


def chunks(*pieces, trailers=()):
    """A chunked body of these pieces, the last chunk included."""
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece)
    tail = b"".join(b"%s: %s\r\n" % (as_bytes(k), as_bytes(v)) for k, v in trailers)
    return body + b"0\r\n" + tail + b"\r\n"


def pairs(headers):
    if headers is None:
        return []
    return list(headers.items()) if isinstance(headers, dict) else list(headers)


def request(method="GET", target="/", headers=None, body=None, host="a.test", version="1.1"):
    """The bytes of a request. `body` bytes get a Content-Length, a list of bytes is chunked."""
    lines = [f"{method} {target} HTTP/{version}".encode("latin-1")]
    fields = pairs(headers)
    names = {as_bytes(name).lower() for name, _ in fields}
    if host is not None and b"host" not in names:
        fields.insert(0, ("Host", host))
    tail = b""
    if isinstance(body, (list, tuple)):
        fields.append(("Transfer-Encoding", "chunked"))
        tail = chunks(*body)
    elif body is not None:
        if b"content-length" not in names:
            fields.append(("Content-Length", len(body)))
        tail = body
    lines += [as_bytes(name) + b": " + as_bytes(value) for name, value in fields]
    return b"\r\n".join(lines) + b"\r\n\r\n" + tail


def response(status=200, body=b"", headers=None, reason="OK", version="1.1"):
    """The bytes of a response with a Content-Length; a list as body is chunked."""
    fields = pairs(headers)
    if isinstance(body, (list, tuple)):
        fields.append(("Transfer-Encoding", "chunked"))
        tail = chunks(*body)
    else:
        if status >= 200 and status not in (204, 304):
            fields.append(("Content-Length", len(body)))
        tail = body
    lines = [f"HTTP/{version} {status} {reason}".encode("latin-1")]
    lines += [as_bytes(name) + b": " + as_bytes(value) for name, value in fields]
    return b"\r\n".join(lines) + b"\r\n\r\n" + tail
