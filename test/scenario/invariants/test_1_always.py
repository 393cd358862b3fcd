"""Section S of the security catalogue: what holds whatever comes. Rows 359 to 363; row 358 is
checked by the rig at the end of each scenario, 364 in slow/, 365 in guards/, 366 in torture/, and
367 by each row of a table."""
import http.client
import io
import random
import re
import string

import pytest
import rig
from rig import http1

KEY = "key-of-acme-0123456789"
CONSUMERS = {"acme": {"api_key": KEY}}


@pytest.fixture(scope="module")
def door(gates, servers):
    return rig.Door(gates, servers())


@pytest.fixture(scope="module")
def guarded(gates, servers):
    """Routes with different locks, so that a decision can be seen."""
    s = servers()
    return rig.Door(gates, s, "/open/x", consumers=CONSUMERS, apis={
        "open": {"upstream": s.url},
        "locked": {"upstream": s.url, "policies": {"auth": "api_key"}},
        "walled": {"upstream": s.url, "policies": {"ip_deny": "127.0.0.0/8"}},
        "mixed": {"upstream": s.url, "routes": {
            "GET /public": {}, "GET /{rest*}": {"auth": "api_key"},
            "POST /{rest*}": {"auth": "api_key"}}}})


def upstream_bytes(server, seen):
    """What came upstream since, of all connections."""
    return [c.bytes[n:] for c, n in zip(server.connections, [*seen, *[0] * 999]) if c.bytes[n:]]


def as_python_reads(raw):
    """(method, target, fields, body) by the parser of http.server and email."""
    line, _, rest = raw.partition(b"\r\n")
    head, _, body = rest.partition(b"\r\n\r\n")
    method, target, version = line.decode("latin-1").split()
    fields = http.client.parse_headers(io.BytesIO(head + b"\r\n\r\n"))
    if fields["Transfer-Encoding"] == "chunked":
        whole, at = b"", 0
        while True:
            end = body.index(b"\r\n", at)
            size = int(body[at:end], 16)
            whole += body[end + 2:end + 2 + size]
            at = end + 4 + size
            if size == 0:
                break
        body = whole
    else:
        assert len(body) == int(fields["Content-Length"] or 0)
    assert version == "HTTP/1.1"
    return method, target, [(k.lower(), v) for k, v in fields.items()], body


def as_a_loose_reader_reads(raw):
    """The same by splitting at any line end, without a rule: what the worst back end would see."""
    lines = re.split(rb"\r\n|\r|\n", raw)
    method, target = lines[0].split(b" ")[:2]
    fields = []
    for line in lines[1:]:
        if not line:
            break
        name, _, value = line.partition(b":")
        fields.append((name.strip().lower().decode(), value.strip().decode("latin-1")))
    return method.decode(), target.decode(), fields


ODD = [b"GET /a?b=c HTTP/1.1\r\nHost: a.test\r\nX-A:  b  \r\nX-B:\r\nX-C: \xe4\xff\r\n\r\n",
       b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0010\r\n\r\n0123456789",
       b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: Chunked\r\n\r\n"
       b"5;a=b\r\nhello\r\n0000\r\nX-T: t\r\n\r\n",
       b"GET http://a.test/x HTTP/1.1\r\nHost: b.test\r\n\r\n",
       b"GET / HTTP/1.0\r\nHost: a.test\r\nX: \tx\t\r\n\r\n",
       b"\r\nGET / HTTP/1.1\r\nHost: a.test\r\nAccept: a\r\nAccept: b\r\nCookie: c=d\r\n\r\n",
       b"DELETE /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\nX-Y: a:b:c\r\n\r\nabc",
       b"GET /%7Ea/../b//c HTTP/1.1\r\nHost: a.test:80\r\nConnection: keep-alive, X-Z\r\nX-Z: 1\r\n"
       b"X-Q: \"a\\\"b\"\r\n\r\n",
       b"PATCH /p HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n"
       b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n"]


@pytest.mark.parametrize("data", ODD, ids=range(len(ODD)))
def test_S359_three_readers_see_one_request(door, data):
    """Ours, Python's and one that splits anywhere agree on what was sent upstream."""
    seen = [len(c.bytes) for c in door.server.connections]
    count = len(door.server.requests)
    with rig.Raw(door.gate.port) as c:
        c.send(data)
        assert c.read().status == 200
    raw, = upstream_bytes(door.server, seen)
    ours, = door.server.requests[count:]
    method, target, fields, body = as_python_reads(raw)
    assert (method, target, bytes(body)) == (ours.method, ours.target, bytes(ours.body))
    strict = [(k.lower(), v.strip()) for k, v in ours.headers]
    assert [(k, v.strip()) for k, v in fields] == strict
    loose = as_a_loose_reader_reads(raw)
    assert loose == (ours.method, ours.target, strict)


def shuffled(chance, fields):
    """The same fields, in another order (lines of one name stay in theirs) and case, with other
    blanks around values."""
    names = sorted({name.lower() for name, _ in fields}, key=lambda _: chance.random())
    lines = []
    for name in names:
        for have, value in fields:
            if have.lower() == name:
                spelt = "".join(chance.choice((c.upper(), c.lower())) for c in have)
                before, behind = (" " * chance.randrange(3) for _ in range(2))
                lines.append(f"{spelt}:{before}{value}{behind}")
    return lines


def chunked(chance, body):
    data, at = b"", 0
    while at < len(body):
        size = chance.randrange(1, 8)
        piece = body[at:at + size]
        extension = chance.choice((b"", b";a=b", b';q="x;y"'))
        data += b"%s%x%s\r\n%s\r\n" % (b"0" * chance.randrange(3), len(piece), extension, piece)
        at += len(piece)
    return data + b"0\r\n\r\n"


@pytest.mark.parametrize("seed", range(25))
def test_S360_the_same_request_said_otherwise_is_the_same_request(guarded, seed):
    """Order and case of fields, blanks, chunks and segments change neither the decision nor the
    request."""
    chance = random.Random(seed)
    target = chance.choice(["/open/x", "/locked/x", "/walled/x", "/mixed/public", "/mixed/other",
                            "/open/a/../b", "/nowhere", "/locked/%78"])
    fields = [("Host", "a.test"), ("X-A", "1"), ("X-A", "2"), ("Accept", "x/y"), ("Cookie", "a=b"),
              ("X-Forwarded-For", "6.6.6.6"), ("User-Agent", "t")]
    if chance.random() < 0.5:
        fields.append(("X-API-Key", chance.choice((KEY, "wrong"))))
    body = b"some body of words" if chance.random() < 0.5 else None
    outcomes = []
    for _ in range(8):
        lines = shuffled(chance, fields)
        data = b""
        if body is not None:
            lines.insert(chance.randrange(len(lines)), "Transfer-Encoding: chunked")
            data = chunked(chance, body)
        raw = "\r\n".join([f"{'POST' if body else 'GET'} {target} HTTP/1.1", *lines, "", ""])
        raw = raw.encode() + data
        cuts = sorted(chance.randrange(1, len(raw)) for _ in range(chance.randrange(4)))
        count = len(guarded.server.requests)
        with rig.Raw(guarded.gate.port) as c:
            c.send_cut(raw, *cuts, pause=0.001)
            answer = c.read()
        requests = guarded.server.requests[count:]
        outcomes.append((answer.status, None if answer.status == 200 else answer.code, [
            (r.method, r.target, bytes(r.body), sorted(
                (k.lower(), v) for k, v in r.headers
                if k.lower() not in ("x-request-id", "traceparent"))) for r in requests]))
    assert all(outcome == outcomes[0] for outcome in outcomes), outcomes


def test_S361_all_name_the_same_consumer(gate, server):
    """The upstream's field, the limit, the log and the metrics."""
    s = server()
    g = gate({"consumers": {**CONSUMERS, "other": {"api_key": "key-of-other-0123456789"}}},
             upstream=s, policies={
                 "auth": "api_key", "rate_limit": {"rate": "3/h per consumer", "burst": 3},
                 "headers": {"request": {"set": {"X-Who": "${consumer}"}}}})
    forged = {"X-Who": "root", "X-Consumer-ID": "root", "X-Consumer": "other", "Consumer": "other"}
    for i in range(5):
        answer = g.get("/", {**forged, "X-API-Key": KEY})
        record = g.record(answer)
        assert record.consumer == "acme"
        if i < 3:
            assert s.requests[-1].header("x-who") == "acme"
    assert answer.status == 429
    assert g.get("/", {**forged, "X-API-Key": "key-of-other-0123456789"}).status == 200
    metrics = g.metrics()
    assert metrics.value("gatehouse_consumer_requests_total", gatehouse_consumer="acme") == 5
    assert metrics.value("gatehouse_consumer_requests_total", gatehouse_consumer="other") == 1


def random_path(chance):
    pieces = ["", ".", "..", "a", "b%2e", "%2E%2e", "%41", "%7e", "~", "a;b", "a=b", "%20", "x%25y",
              "%c3%a4", "*", "a,b", "@", ":", "%3b", "%3F", "%23", "public", "locked", "open"]
    return "/" + "/".join(chance.choice(pieces) for _ in range(chance.randrange(1, 7)))


def test_S362_a_normal_path_is_normal_and_goes_the_same_way(gate, server):
    """What a service got, asked for again, gives the same answer and the same path."""
    s = server()
    g = gate({"consumers": CONSUMERS, "apis": {
        "a": {"path": "/", "upstream": s.url},
        "locked": {"upstream": s.url, "path": "/locked", "policies": {"auth": "api_key"}},
        "b": {"path": "/a/b", "upstream": s.url, "policies": {
            "headers": {"response": {"set": {"X-Route": "b"}}}}}}}, records=False)
    chance, c, passed = random.Random(362), rig.Raw(g.port), 0
    for _ in range(1500):
        path = random_path(chance)
        answer = c.get(path)
        if answer.status != 200:
            assert answer.status in (400, 401, 404), (path, answer.status)
            if not answer.keep_alive:
                c = rig.Raw(g.port)
            continue
        normal = s.requests[-1].target
        again = c.get(normal)
        assert again.status == 200, (path, normal, again.status)
        if s.requests[-1].target.split("/a/b")[0] == normal.split("/a/b")[0]:
            assert again.header("x-route") == answer.header("x-route") or "/a/b" in path, path
        passed += 1
    assert passed > 300


DENIED = [("GET", "/locked/x", [], 401), ("GET", "/walled/x", [("X-API-Key", KEY)], 403),
          ("GET", "/mixed/other", [], 401), ("POST", "/mixed/public", [], 405),
          ("GET", "/locked/x", [("X-API-Key", "wrong")], 401), ("GET", "/nowhere", [], 404)]
MORE = ["X-Original-URL: /open/x", "X-Rewrite-URL: /open/x", "X-HTTP-Method-Override: GET",
        "X-Forwarded-For: 10.0.0.1", "X-Forwarded-Prefix: /open", "Authorization: Basic eDp5",
        f"Cookie: X-API-Key={KEY}", "X-Forwarded-Host: open", "Referer: http://a.test/open/",
        "Connection: X-API-Key-Not", "X-Middleware-Subrequest: 1", "X-Internal: true",
        "X-Consumer: acme", "X-Authenticated: 1", "Upgrade: websocket", "Range: bytes=0-",
        "Expect:",
        "X-Method-Override: OPTIONS", "Accept: */*", "Purpose: prefetch", "Early-Data: 1",
        "Max-Forwards: 0", "If-None-Match: *", "Cache-Control: no-cache", "X-Debug: 1",
        "Access-Control-Request-Method: GET", "Origin: http://a.test", "TE: trailers",
        "Forwarded: for=10.0.0.1;host=open", "Via: 1.1 gate", "Sec-Fetch-Mode: cors"]


@pytest.mark.parametrize("method, target, fields, status", DENIED, ids=lambda v: f"S363-{v}")
def test_more_never_turns_no_into_yes(guarded, method, target, fields, status):
    """A field, a parameter or bytes behind that nobody asked for change nothing."""
    chance, before = random.Random(363), len(guarded.server.requests)
    own = [f"{k}: {v}" for k, v in fields]
    queries = ["", "?", "?a=b", "?/open/x", "?path=/open/x", f"?x-api-key={KEY}", "?_method=GET",
               f"?api_key={KEY}", "?..%2f..%2fopen", "?;/open/x"]
    extra = [[line] for line in MORE] + [chance.sample(MORE, 5) for _ in range(20)]
    for lines in extra:
        tail = chance.choice([b"", b"GET /open/x HTTP/1.1\r\n", b"\r\n\r\n", b"\0" * 9])
        head = [f"{method} {target}{chance.choice(queries)} HTTP/1.1", "Host: a.test", *own, *lines]
        if method == "POST":
            head.append("Content-Length: 0")
        with rig.Raw(guarded.gate.port) as c:
            c.send("\r\n".join([*head, "", ""]).encode() + tail)
            answer = c.read(method)
        assert answer.status in (status, 400, 417), (lines, answer.status)
    assert len(guarded.server.requests) == before


def test_S363_random_fields_change_no_decision(guarded):
    chance, before = random.Random(3631), len(guarded.server.requests)
    letters = string.ascii_letters + string.digits + "-_."
    for _ in range(200):
        fields = [("".join(chance.choice(letters) for _ in range(chance.randrange(1, 30))),
                   "".join(chance.choice(string.printable[:95]) for _ in range(20)).strip())
                  for _ in range(chance.randrange(1, 6))]
        fields = [(k, v) for k, v in fields if http1.TOKEN.fullmatch(k.encode())]
        assert guarded.gate.get("/locked/x", fields).status == 401
    assert len(guarded.server.requests) == before
