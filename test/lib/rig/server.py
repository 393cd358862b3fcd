"""server.py -- a recording upstream on raw sockets.

It stores every connection, every byte and every request, checks that what came is strict HTTP/1.1,
and answers as told:

    server()                              200 with the body "ok"
    server(b"HTTP/1.1 ...")               these bytes to each request
    server([reply, reply, ...])           one after the other; the last one repeats
    server(fn)                            fn(request) gives the reply, once the body has come
    server(reply, early=True)             answers when the head has come, then reads the body
    server(never=True)                    any byte that arrives fails the test
    server(manual=True)                   the test itself takes connections: c = s.accept()
    server(proxy=True)                    each connection begins with a PROXY header: .proxy

A reply is bytes, or a tuple of steps: bytes, an iterator of bytes, wait(seconds), hold(event),
half_close(), close(), reset(). After the last step the connection goes on with the next request,
unless it was closed or the reply's head says so. With keep=False bodies are counted, not stored.
"""
import queue
import socket
import struct
import threading
import time
from dataclasses import dataclass, field

from . import http1, proxy
from .pace import Patience

OK = http1.response(200, b"ok")


@dataclass(frozen=True)
class wait:  # noqa: N801
    seconds: float


@dataclass(frozen=True)
class hold:  # noqa: N801
    """Goes on when the event is set."""
    event: threading.Event


class close:  # noqa: N801
    pass


class half_close:  # noqa: N801
    pass


class reset:  # noqa: N801
    pass


@dataclass
class Request:
    """What came: a whole request, or with complete=False the part of it that came."""
    head: http1.Head
    connection: int
    body: bytearray = field(default_factory=bytearray)
    size: int = 0
    chunks: list = field(default_factory=list)
    trailers: list = field(default_factory=list)
    framing: str = "none"
    length: int = 0
    complete: bool = False
    at: float = 0.0

    @property
    def method(self):
        return self.head.first[0]

    @property
    def target(self):
        return self.head.first[1]

    @property
    def headers(self):
        return self.head.fields

    def header(self, name, default=None):
        return self.head.get(name, default)

    @property
    def id(self):
        return self.header("x-request-id")


class Connection:
    """One accepted connection. `bytes` is all that came on it; `end` how the peer ended it."""

    def __init__(self, sock, number, timeout, keep=True):
        self.socket = sock
        self.number = number
        self.end = None
        self.proxy = None  # what its PROXY header said (rig/proxy.py)
        self.is_closed = False
        self.is_over = False  # nobody serves it any more
        sock.settimeout(timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = http1.Reader(self._receive, keep)

    @property
    def bytes(self):
        return self.reader.seen

    def _receive(self):
        try:
            data = self.socket.recv(1 << 18)
        except (ConnectionResetError, BrokenPipeError):
            self.end = "reset"
            return b""
        except OSError:
            return b""
        if not data:
            self.end = self.end or "eof"
        return data

    def read_request(self):
        """One whole request (manual servers)."""
        request = self.begin_request()
        self.read_body(request)
        return request

    def begin_request(self):
        head = self.reader.head(is_request=True)
        request = Request(head, self.number, at=time.monotonic())
        request.framing, request.length = http1.framing(head, is_request=True)
        check_canonical(head)
        return request

    def read_body(self, request):
        self.reader.body(request, request.framing, request.length)
        request.body = bytes(request.body)
        request.complete = True

    def send(self, *pieces, pause=0.005):
        for at, piece in enumerate(pieces):
            if at:
                time.sleep(pause)
            self.socket.sendall(http1.as_bytes(piece))

    def wait_end(self, within=3.0):
        """How the peer ended the connection: "eof" or "reset"."""
        self.socket.settimeout(within)
        self.reader.rest()
        return self.end

    def wait_given_up(self, within=3.0):
        """How the peer ended a connection that another thread reads; None when it has not."""
        patience = Patience(within)
        while self.end is None and patience.wait(0.002):
            pass
        return self.end

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        self.is_closed = True
        self.socket.close()


def check_canonical(head):
    """What a gateway re-serialises is better than merely legal."""
    if head.version != 1:
        raise http1.ProtocolFault(f"not HTTP/1.1: {head.raw[:80]!r}")
    if len(head.all("host")) != 1:
        raise http1.ProtocolFault(f"{len(head.all('host'))} Host lines")
    for name in ("proxy-connection", "keep-alive", "te"):
        if head.all(name) not in ([], ["trailers"]):
            raise http1.ProtocolFault(f"hop-by-hop field forwarded: {name}: {head.all(name)}")


class Server:
    def __init__(self, reply=OK, **options):
        self.reply = reply
        self.never = options.get("never", False)
        self.manual = options.get("manual", False)
        self.lenient = options.get("lenient", False)  # bad HTTP/1.1 from the gate is no failure
        self.early = options.get("early", False)
        self.proxy = options.get("proxy", False)
        self.keep = options.get("keep", True)
        self.timeout = options.get("timeout", 20.0)
        self.requests = []
        self.connections = []
        self.faults = []
        self.is_up = True
        self.is_released = False
        self.lock = threading.Condition()
        self.queue = queue.Queue()
        self.turn = 0
        self.listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if options.get("rcvbuf"):
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, options["rcvbuf"])
        self.listener.bind((options.get("host", "127.0.0.1"), options.get("port", 0)))
        self.listener.listen(options.get("backlog", 512))
        self.port = self.listener.getsockname()[1]
        self.url = f"http://{options.get('host', '127.0.0.1')}:{self.port}"
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    # What the test reads

    @property
    def request(self):
        """The only request that came; none or two are a failure."""
        self.wait(1)
        assert len(self.requests) == 1, [f"{r.method} {r.target}" for r in self.requests]
        return self.requests[0]

    @property
    def bytes(self):
        """All bytes of all connections."""
        return b"".join(connection.bytes for connection in self.connections)

    def wait(self, count, within=5.0):
        """Waits until that many requests have come whole (or were given up); returns them."""
        def are_there():
            return sum(r.complete or self.connections[r.connection].end is not None
                       for r in self.requests) >= count
        with self.lock:
            assert self.lock.wait_for(are_there, within), \
                f"{len(self.requests)} of {count} requests within {within} s"
        return self.requests[:count]

    def wait_connections(self, count, within=5.0):
        with self.lock:
            assert self.lock.wait_for(lambda: len(self.connections) >= count, within), \
                f"{len(self.connections)} of {count} connections within {within} s"
        return self.connections[:count]

    def accept(self, within=5.0):
        """The next connection of a manual server."""
        return self.queue.get(timeout=within)

    # The work

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                connection = Connection(sock, len(self.connections), self.timeout,
                                        self.keep)
                self.connections.append(connection)
                self.lock.notify_all()
            if self.manual:
                self.queue.put(connection)
            else:
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            if self.proxy:
                connection.proxy = proxy.read(connection.reader)
            while self._exchange(connection):
                pass
        except EOFError:
            pass
        except http1.ProtocolFault as fault:
            self.faults.append(str(fault))
        except OSError:
            pass
        finally:
            if connection.end is None and not connection.is_closed:
                connection.close()
            connection.is_over = True
            if self.is_released:
                connection.socket.close()
            with self.lock:
                self.lock.notify_all()

    def _exchange(self, connection):
        if not connection.reader.held and not connection.reader.more():
            connection.close()
            return False
        request = connection.begin_request()
        with self.lock:
            self.requests.append(request)
            number, self.turn = self.turn, self.turn + 1
        if not self.early:
            if request.header("expect", "").lower() == "100-continue":
                connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            connection.read_body(request)
            with self.lock:
                self.lock.notify_all()
        goes_on = self._answer(connection, self._reply(request, number))
        if self.early and goes_on:
            connection.read_body(request)
        return goes_on

    def _reply(self, request, number):
        if callable(self.reply):
            return self.reply(request)
        if isinstance(self.reply, list):
            return self.reply[min(number, len(self.reply) - 1)]
        return self.reply

    def _answer(self, connection, reply):
        steps = reply if isinstance(reply, tuple) else (reply,)
        said_close = False
        for step in steps:
            if isinstance(step, wait):
                time.sleep(step.seconds)
            elif isinstance(step, hold):
                step.event.wait(self.timeout)
            elif isinstance(step, half_close) or step is half_close:
                connection.half_close()
            elif isinstance(step, reset) or step is reset:
                connection.reset()
                return False
            elif isinstance(step, close) or step is close:
                connection.close()
                return False
            elif hasattr(step, "__next__"):
                for piece in step:
                    connection.socket.sendall(piece)
            else:
                data = http1.as_bytes(step)
                said_close = said_close or b"\r\nconnection: close\r\n" in data.lower()
                connection.socket.sendall(data)
        if said_close:
            connection.close()
        return not said_close

    def stop(self):
        """Stops listening and closes what is open; what was recorded stays."""
        if not self.is_up:
            return
        self.is_up = False
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for connection in list(self.connections):
            try:
                connection.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def release(self):
        """Gives back the descriptors, when nothing is to be looked at any more: there are only so
        many for all tests of a process."""
        self.is_released = True
        for connection in self.connections:
            if self.manual or connection.is_over:
                connection.socket.close()

    def check(self):
        """What every upstream may expect of a gateway; called at the end of each scenario."""
        if self.never:
            assert not self.bytes, f"an upstream that must see nothing saw: {self.bytes[:99]}"
        if not self.lenient:
            assert not self.faults, f"the gate spoke bad HTTP/1.1 upstream: {self.faults}"


class Deaf:
    """Listens, and has no room for one more connection: who comes waits."""

    def __init__(self, host="127.0.0.1", port=0):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((host, port))
        self.listener.listen(0)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}"
        self.waiting = []
        while len(self.waiting) < 10:
            one = socket.socket(family, socket.SOCK_STREAM)
            one.settimeout(0.2)
            self.waiting.append(one)
            try:
                one.connect((host, self.port))
            except TimeoutError:
                return

    def close(self):
        for one in (self.listener, *self.waiting):
            one.close()
