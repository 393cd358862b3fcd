"""traffic.py -- callers all the time, of every kind, while something happens to the gate.

    s = server(Traffic.serve, keep=False)
    with Traffic(g, kept=4, fresh=2, uploads=1, downloads=1) as t:
        t.goes_on()         waits until each kind has had an answer to a request begun after this
    assert t.failures == []

kept callers ask one request after the other on a connection as long as it lasts; fresh ones take a
new one each time; uploads and downloads are slow bodies, in flight for most of the time. A failure
is whatever is not a whole answer 200. Only a kept connection that was ended between two requests,
before it was used again, is none: that is how HTTP/1.1 lets go of it (RFC 9112 section 9.5); when
the end and the next request cross, the caller that sees not one byte of an answer asks again, once,
on a new connection.
"""
import threading
import time

from . import http1
from .client import Raw

PIECE, PIECES, PAUSE = b"x" * 2000, 20, 0.01
SIZE = len(PIECE) * PIECES


def slowly():
    for _ in range(PIECES):
        time.sleep(PAUSE)
        yield PIECE


class Traffic:
    def __init__(self, gate, headers=None, pause=0.002, within=20.0, **callers):
        self.port, self.headers, self.pause, self.within = gate.port, headers, pause, within
        self.failures, self.crossed = [], 0
        self.is_over, self.lock = threading.Event(), threading.Condition()
        self.answers = dict.fromkeys(callers, 0)
        self.begun = {}  # by caller: the number of its request under way
        self.threads = [threading.Thread(target=self._run, args=(kind, number), daemon=True)
                        for kind, count in callers.items() for number in range(count)]

    @staticmethod
    def serve(request):
        """The reply of the upstream."""
        if request.target.startswith("/downloads"):
            return (f"HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n", slowly())
        return http1.response(200, f"{request.size}".encode())

    @property
    def count(self):
        return sum(self.answers.values())

    def goes_on(self, within=30.0):
        """Waits until each caller has begun a request after this and has had its answer."""
        with self.lock:
            goal = {caller: number + 2 for caller, number in self.begun.items()}
            assert self.lock.wait_for(
                lambda: all(self.begun[caller] >= number for caller, number in goal.items()),
                within), f"{goal} not reached within {within} s: {self.begun}, {self.failures[:3]}"

    def __enter__(self):
        with self.lock:
            for thread in self.threads:
                self.begun[thread._args] = 0
        for thread in self.threads:
            thread.start()
        self.goes_on()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for thread in self.threads:
            thread.join(self.within * 2)
        assert not any(thread.is_alive() for thread in self.threads), "a caller hangs"

    def _run(self, kind, number):
        connection = None
        while not self.is_over.is_set():
            with self.lock:
                self.begun[kind, number] += 1
                self.lock.notify_all()
            try:
                connection = self._once(kind, connection)
            except (OSError, EOFError, AssertionError, http1.ProtocolFault) as fault:
                self._fail(f"{kind}: {fault!r}")
                connection = None
            time.sleep(self.pause)
        if connection is not None:
            connection.close()

    def _fail(self, text):
        with self.lock:
            self.failures.append(text)

    def _once(self, kind, connection):
        """One exchange; returns the connection where another may follow on it."""
        if connection is not None and self._is_ended(connection):
            connection.close()
            connection = None
        if connection is not None:
            before = connection.reader.count
            try:
                return self._exchange(kind, connection)
            except (OSError, EOFError):
                if connection.reader.count != before:
                    raise
                with self.lock:
                    self.crossed += 1
                connection.close()
        return self._exchange(kind, Raw(self.port, timeout=self.within, keep=False))

    @staticmethod
    def _is_ended(connection):
        """True when the other side has ended it; it may not have said anything before that."""
        connection.socket.setblocking(False)
        try:
            more = connection.reader.more()
            assert not more, "bytes between two answers"
            return True
        except BlockingIOError:
            return False
        finally:
            connection.socket.settimeout(20.0)

    def _exchange(self, kind, connection):
        if kind == "uploads":
            connection.send(http1.request("POST", "/uploads", [*self._fields(),
                                                               ("Content-Length", str(SIZE))]))
            connection.send_stream(slowly())
        else:
            connection.send(http1.request("GET", f"/{kind}", self._fields()))
        answer = connection.read()
        assert answer.status == 200, (answer.status, bytes(answer.body[:300]))
        if kind == "uploads":
            assert answer.size == len(str(SIZE)), answer.size
        if kind == "downloads":
            assert answer.size == SIZE, answer.size
        with self.lock:
            self.answers[kind] += 1
        if kind == "kept" and answer.keep_alive:
            return connection
        connection.close()
        return None

    def _fields(self):
        headers = self.headers or []
        return list(headers.items()) if isinstance(headers, dict) else list(headers)
