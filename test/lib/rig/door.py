"""door.py -- a gate and its upstream that all rows of a table share, and what each row must show.

    door = rig.Door(gates, servers())            one API at /, or gates(...) as in rig.gate
    door.refused(data)                           R400 of the security catalogue, for each way to cut
    door.refused(data, 431)                      the same with another status
    door.passes(data)                            answered and forwarded once, the same for each way

"Refused" means: one answer with that status and `Connection: close`; no byte of the request at the
upstream (with partial=True: nothing that a parser there would take for a whole request); what comes
behind on the connection is never a request; the connection is closed in order; one line of the log
and one count of the metric with the stable reason; a canary on a new connection is served.
"""
import dataclasses
import random
import select
import time
import zlib

from . import http1
from .client import Raw

REASONS = {400: "bad-request", 401: "credentials-missing", 404: "not-found",
           405: "method-not-allowed", 408: "request-timeout", 413: "body-too-large",
           414: "target-too-long", 417: "expectation-failed", 421: "wrong-host",
           429: "rate-limited", 431: "header-too-large", 501: "not-implemented",
           505: "version-not-supported"}
NEVER = b"GET /never HTTP/1.1\r\nHost: a.test\r\n\r\n"
BYTEWISE_MOST = 1200
PROOF_SECONDS = 0.04  # the head of a chunked request waits 50 ms for its first chunk line
LINES_A_SECOND = 45  # the log leaves out more refused heads than 50 a second of one reason
VOLATILE = ("x-request-id", "traceparent", "date")


def ways(data):
    """Ways to cut these bytes into segments, the same for the same bytes: whole, byte by byte, and
    at three random places three times."""
    chance = random.Random(zlib.crc32(data))
    found = {"whole": [data]}
    if 1 < len(data) <= BYTEWISE_MOST:
        found["bytes"] = [data[i:i + 1] for i in range(len(data))]
    for number in range(3 if len(data) > 4 else 0):
        cuts = sorted(chance.sample(range(1, len(data)), 3))
        found[f"cut at {cuts}"] = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)])]
    return found


def send_while_reading(connection, pieces, pause=0.0003):
    """Sends the pieces one by one, and takes in what is answered meanwhile; stops when the other
    side no longer takes anything."""
    sock, poll = connection.socket, select.poll()
    poll.register(sock, select.POLLIN | select.POLLOUT)
    for piece in pieces:
        view = memoryview(piece)
        while view:
            events = dict(poll.poll(10000)).get(sock.fileno(), 0)
            if events & ~select.POLLOUT and not connection.reader.more():
                return False
            if events & select.POLLOUT:
                try:
                    view = view[sock.send(view[:65536]):]
                except (BrokenPipeError, ConnectionResetError):
                    return False
        if len(pieces) > 1:
            time.sleep(pause)
    return True


@dataclasses.dataclass
class Outcome:
    """What came of one way to send: answers in order, and the requests seen upstream."""
    answers: list
    requests: list

    @property
    def answer(self):
        assert len(self.answers) == 1
        return self.answers[0]

    @property
    def request(self):
        assert len(self.requests) == 1, [f"{r.method} {r.target}" for r in self.requests]
        return self.requests[0]

    def essence(self):
        """All that must not depend on how the bytes were cut."""
        def fields(pairs):
            return [(k.lower(), v) for k, v in pairs if k.lower() not in VOLATILE]
        answers = [(a.status, fields(a.headers), a.body if b"request_id" not in a.body else b"")
                   for a in self.answers]
        return answers, [(r.method, r.target, fields(r.headers), bytes(r.body), r.complete)
                         for r in self.requests]


class Door:
    def __init__(self, gates, server, canary="/canary", canary_headers=None, **options):
        self.server = server
        self.canary_target, self.canary_headers = canary, canary_headers
        if "apis" not in options:
            options["upstream"] = server
        self.gate = gates(**options)
        self.said = {}

    # What the upstream and the log saw

    def seen_bytes(self):
        return sum(connection.reader.count for connection in self.server.connections)

    def since(self, count):
        return self.server.requests[count:]

    def counted(self, reason):
        return self.gate.metrics().value("gatehouse_requests_total", gatehouse_reason=reason)

    def canary(self, connection=None):
        return self.gate.canary(self.canary_target, connection, self.canary_headers)

    def spare_the_log(self, reason):
        """Waits for the next second where this one has had as many refusals as the log tells."""
        second = int(time.monotonic())
        count = self.said.get((second, reason), 0)
        if count >= LINES_A_SECOND:
            time.sleep(second + 1.02 - time.monotonic())
            return self.spare_the_log(reason)
        self.said[second, reason] = count + 1

    def lines(self, ports, mark):
        """The line of each of these client ports, which must be the only one."""
        def pick(records):
            found = {port: [r for r in records if r.port == port] for port in ports}
            return found if all(found.values()) else None
        found = self.gate.wait_logs(pick, since=mark, text=f"no line for each of {ports}")
        assert all(len(lines) == 1 for lines in found.values()), found
        return [lines[0] for lines in found.values()]

    # Refusals

    def refused(self, data, status=400, reason=None, partial=False, tail=NEVER, header=None):
        """Checks all of R400 for data, sent in all ways; returns the answers. With partial="slow"
        a head may have left where its first chunk line took longer to come than a head waits."""
        reason = reason or REASONS[status]
        statuses = status if isinstance(status, tuple) else (status,)
        mark, counted = self.gate.mark(), self.counted(reason)
        data = http1.as_bytes(data)
        ports, answers = [], []
        for name, pieces in ways(data).items():
            self.spare_the_log(reason)
            try:
                port, answer = self._refused(pieces, tail, statuses, name != "whole" and partial)
            except (AssertionError, EOFError, OSError) as fault:
                raise AssertionError(f"sent {name}: {fault!r}") from fault
            ports.append(port)
            answers.append(answer)
            if header is not None:
                assert answer.header(header) is not None, f"no {header}"
        for line in self.lines(ports, mark):
            assert (line.reason, line.status) == (reason, answers[0].status), line
        assert len({answer.status for answer in answers}) == 1
        assert self.counted(reason) - counted == len(ports)
        self.canary()
        return answers

    def _refused(self, pieces, tail, statuses, partial):
        seen, requests = self.seen_bytes(), len(self.server.requests)
        with Raw(self.gate.port) as connection:
            port, begin = connection.local_port, time.monotonic()
            send_while_reading(connection, [*pieces[:-1], pieces[-1] + tail])
            may_leave = partial is True or partial and time.monotonic() - begin > PROOF_SECONDS
            answer = connection.read()
            assert answer.status in statuses, (answer.status, bytes(answer.body))
            assert answer.head.members("connection") == ["close"], answer.headers
            assert answer.code in REASONS.values(), answer.body
            connection.try_send(NEVER)
            assert connection.expect_closed() == "eof"
        if not may_leave:
            assert self.seen_bytes() == seen, "bytes of it came to the upstream"
        for request in self.since(requests):
            end = self.server.connections[request.connection].wait_given_up()
            assert end and not request.complete, f"complete upstream: {request.head.raw}"
        return port, answer

    # What passes

    def exchange(self, pieces, count=1, method="GET", keeps=True):
        """Sends the pieces on a connection of its own and reads so many answers. Where the
        connection stays open, a canary is served on it."""
        before = len(self.server.requests)
        with Raw(self.gate.port) as connection:
            send_while_reading(connection, pieces)
            answers = [connection.read(method) for _ in range(count)]
            requests = self.since(before)
            if keeps and answers[-1].keep_alive:
                self.canary(connection)
            else:
                connection.expect_closed()
        return Outcome(answers, requests)

    def passes(self, data, count=1, method="GET", status=200, **options):
        """The same answers and the same requests upstream whatever the cuts. Returns the outcome
        of the whole bytes."""
        data = http1.as_bytes(data)
        first = None
        for name, pieces in ways(data).items():
            try:
                outcome = self.exchange(pieces, count, method, **options)
                assert outcome.answers[0].status == status, outcome.answers[0]
                assert first is None or outcome.essence() == first.essence(), "another outcome"
            except (AssertionError, EOFError, OSError) as fault:
                raise AssertionError(f"sent {name}: {fault!r}") from fault
            first = first or outcome
        self.canary()
        return first
