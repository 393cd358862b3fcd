"""Tables d.1 and d.3 of the security catalogue: what the limits are when nobody sets them, where
exactly they lie, and what was chosen where the RFCs leave a choice."""
import json
import time

import pytest
import rig

KIB = 1024
CANARY = "GET / HTTP/1.1\r\nHost: a.test\r\n"


@pytest.fixture(scope="module")
def door(gates, servers):
    return rig.Door(gates, servers())


@pytest.fixture(scope="module")
def presets(gates, servers):
    """Every preset of the configuration, by block and key."""
    schema = json.loads(gates(upstream=servers()).command("schema").stdout)
    found = {}

    def look(name, node):
        if isinstance(node, dict):
            for key, value in node.get("properties", {}).items():
                if "default" in value:
                    found[f"{name}.{key}"] = value["default"]
            for key, below in node.items():
                if key not in ("$defs", "properties"):
                    look(name, below)
        elif isinstance(node, list):
            for below in node:
                look(name, below)
    look("", schema)
    for name, node in schema["$defs"].items():
        look(name, node)
    return found


PRESETS = {
    "limits.target": "8KiB", "limits.field": "8KiB", "limits.header": "32KiB", "limits.fields": 128,
    "limits.chunk_extensions": "4KiB", "limits.header_time": "10s",
    "limits.body_rate": "240B/s", "limits.idle": "1m", "limits.linger": "2s", ".drain": "30s",
    ".stream_drain": "5m", "body_limit.size": "10MiB", "timeout.connect": "2s",
    "timeout.response": "30s", "timeout.idle": "1m",
    "timeout.total": "off", "retry.attempts": 2, "retry.budget": "20%",
    "retry.on": ["connect", "broken"], "pool.idle": "4s",
    "pool.age": "10m", "dns.stale": "1h", "dns.min": "1s",
    "limits.connections_per_ip": "off", "forward_auth.open": False,
    "api.path_strict": True, "cors.credentials": False,
}


@pytest.mark.parametrize("path", PRESETS, ids=lambda p: f"d1-{p}")
def test_a_limit_that_nobody_sets_is_the_documented_one(presets, path):
    assert path in presets, sorted(p for p in presets if p.rsplit(".", 1)[-1] in path)
    assert str(presets[path]).lower() == str(PRESETS[path]).lower()


def target(size):
    return f"GET /{'x' * (size - 1)} HTTP/1.1\r\nHost: a.test\r\n\r\n"


def field(size):
    """One line of so many bytes, its line end not counted."""
    return f"{CANARY}X-Long: {'v' * (size - 8)}\r\n\r\n"


def fields(count):
    return CANARY + "".join(f"X-{i}: v\r\n" for i in range(count - 1)) + "\r\n"


def section(size):
    """A header section of about that size, in lines of 1 KiB."""
    lines = ["X-Fill: " + "v" * 1014 for _ in range(size // KIB)]
    return CANARY + "\r\n".join(lines) + "\r\n\r\n"


def extensions(size):
    each = size // 4
    chunks = "".join(f"1;{'e' * (each - 1)}\r\nx\r\n" for _ in range(4))
    return f"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"


EDGES = {  # what just fits, what does not, status
    "target": (target(8000), target(8 * KIB + 1), 414),
    "target-long": (target(8 * KIB), target(20000), 414),
    "field": (field(8000), field(8 * KIB + 1), 431),
    "fields": (fields(128), fields(129), 431),
    "header": (section(31 * KIB), section(33 * KIB), 431),
    "extensions": (extensions(4000), extensions(4400), 400),
}


@pytest.mark.parametrize("name", EDGES, ids=lambda n: f"d1-{n}")
def test_where_a_limit_lies(door, name):
    fits, does_not, status = EDGES[name]
    with rig.Raw(door.gate.port) as c:
        c.send(fits)
        assert c.read().status == 200
        assert c.get("/canary").status == 200
    door.refused(does_not, status, partial=True)


@pytest.mark.parametrize("is_chunked", [False, True])
def test_d1_a_body_of_10_MiB_passes_and_no_byte_more(door, is_chunked):
    size = 10 << 20
    for extra, status in ((0, 200), (1, 413)):
        body = b"b" * (size + extra)
        if is_chunked:
            body = [body[i:i + (1 << 20)] for i in range(0, len(body), 1 << 20)]
        with rig.Raw(door.gate.port) as c:
            rig.door.send_while_reading(c, [rig.request("POST", "/", None, body)])
            assert c.read().status == status
    assert not door.server.requests[-1].complete or door.server.requests[-1].size == size


@pytest.mark.parametrize("count, status", [(10, 200), (11, 502)])
def test_d1_ten_interim_answers_are_enough(gate, server, count, status):
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * count
    g = gate(upstream=server(early + rig.server.OK))
    answer = g.get("/")
    assert answer.status == status
    if status == 200:
        assert len(answer.interim) == count


@pytest.mark.parametrize("depth, status", [(60, 0), (66, 78), (100000, 78)])
@pytest.mark.parametrize("kind", ["json", "yaml"])
def test_d1_a_document_of_64_levels(gate, server, depth, status, kind):
    g = gate(upstream=server())
    deep = "[" * depth + "]" * depth
    file = g.directory / f"deep.{kind}"
    file.write_text(f'{{"oops": {deep}}}')
    run = g.command("check", "-c", file)
    said = run.stdout + run.stderr
    assert run.returncode == 78
    assert ("E114" in said or "E101" in said) == (status == 78), said[:300]


def test_d1_a_slow_head_has_ten_seconds(door):
    with rig.Raw(door.gate.port, timeout=15.0) as c:
        begin = time.monotonic()
        c.send("GET / HTTP/1.1\r\n")
        for _ in range(3):
            time.sleep(2.5)
            c.send("X: y\r\n")  # each byte in time does not help
        assert c.read().status == 408
        assert 9.5 < time.monotonic() - begin < 11.5


def test_d1_a_close_lingers_so_long_and_so_much(door):
    """2 s, of which 64 KiB are read; the rest waits outside, and takes no answer back."""
    bad = b"GET / HTTP/1.1\r\nHost: a.test\r\nX : y\r\n\r\n"
    with rig.Raw(door.gate.port) as c:
        begin = time.monotonic()
        c.send(bad)
        assert c.read().status == 400
        assert c.expect_closed() == "eof" and time.monotonic() - begin < 3
    with rig.Raw(door.gate.port) as c:
        c.send(bad)
        sent = 0
        while sent < 4 << 20 and c.try_send(b"x" * 65536):
            sent += 65536
            time.sleep(0.001)
        assert sent < 4 << 20


def post(head, body):
    return f"POST /p HTTP/1.1\r\nHost: a.test\r\n{head}\r\n\r\n{body}"


def chunked(body):
    return post("Transfer-Encoding: chunked", body)


REFUSED = {  # what was chosen to be refused
    "bare-lf": ("GET / HTTP/1.1\nHost: a.test\n\n", 400),
    "bare-lf-in-field": (f"{CANARY}X: y\n\r\n", 400),
    "length-and-chunked": (post("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
                           400),
    "two-equal-lengths": (post("Content-Length: 2\r\nContent-Length: 2", "hi"), 400),
    "list-of-lengths": (post("Content-Length: 2, 2", "hi"), 400),
    "two-line-ends": ("\r\n\r\n" + CANARY + "\r\n", 400),
    "encoded-slash": (CANARY.replace(" / ", " /a%2Fb ") + "\r\n", 400),
    "encoded-backslash": (CANARY.replace(" / ", " /a%5cb ") + "\r\n", 400),
    "backslash": (CANARY.replace(" / ", " /a\\b ") + "\r\n", 400),
    "two-content-types": (post("Content-Type: a/b\r\nContent-Type: a/b\r\nContent-Length: 0", ""),
                          400),
    "two-authorizations": (CANARY + "Authorization: Basic eA==\r\n" * 2 + "\r\n", 400),
    "extension-grammar": (chunked("2;=x\r\nhi\r\n0\r\n\r\n"), 400),
    "extension-control": (chunked("2;a=\x01\r\nhi\r\n0\r\n\r\n"), 400),
    "http-2": (CANARY.replace("1.1", "2.0") + "\r\n", 505),
    "coding": (post("Transfer-Encoding: gzip, chunked", "0\r\n\r\n"), 501),
}


@pytest.mark.parametrize("name", REFUSED, ids=lambda n: f"d3-{n}")
def test_what_was_chosen_to_be_refused(door, name):
    door.refused(*REFUSED[name], partial=True)


ACCEPTED = {  # what was chosen to be accepted; what the service sees of it
    "leading-zeros": (post("Content-Length: 0002", "hi"),
                      lambda r: r.header("content-length") == "2" and bytes(r.body) == b"hi"),
    "get-with-body": ("GET /p HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi",
                      lambda r: r.method == "GET" and bytes(r.body) == b"hi"),
    "delete-with-body": ("DELETE /p HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi",
                         lambda r: r.method == "DELETE" and bytes(r.body) == b"hi"),
    "one-line-end-before": ("\r\n" + CANARY + "\r\n", lambda r: r.target == "/"),
    "trailers": (chunked("2\r\nhi\r\n0\r\nX-T: t\r\nAuthorization: x\r\n\r\n"),
                 lambda r: r.trailers == [] and bytes(r.body) == b"hi"),
    "extensions": (chunked("2;a=b;c=\"d;e\"\r\nhi\r\n0\r\n\r\n"),
                   lambda r: bytes(r.body) == b"hi"),
    "slashes": (CANARY.replace(" / ", " //a///b ") + "\r\n", lambda r: r.target == "/a/b"),
    "dots": (CANARY.replace(" / ", " /a/./b/../c ") + "\r\n", lambda r: r.target == "/a/c"),
    "case-of-path": (CANARY.replace(" / ", " /Ab/aB ") + "\r\n", lambda r: r.target == "/Ab/aB"),
    "underscore": (f"{CANARY}X_A: b\r\nX-C: d\r\n\r\n",
                   lambda r: r.header("x_a") is None and r.header("x-c") == "d"),
    "http-1.2": (CANARY.replace("1.1", "1.2") + "\r\n", lambda r: r.target == "/"),
    "absolute-form": (CANARY.replace(" / ", " http://b.test/x ") + "\r\n",
                      lambda r: r.target == "/x" and r.header("x-forwarded-host") == "b.test"),
    "host-with-port": (CANARY.replace("a.test", "A.TEST.:80") + "\r\n", lambda r: r.target == "/"),
    "two-accepts": (f"{CANARY}Accept: a/b\r\nAccept: c/d\r\n\r\n",
                    lambda r: ", ".join(r.head.all("accept")) == "a/b, c/d"),
}


@pytest.mark.parametrize("name", ACCEPTED, ids=lambda n: f"d3-{n}")
def test_what_was_chosen_to_be_accepted(door, name):
    data, holds = ACCEPTED[name]
    request = door.passes(data).request
    assert holds(request), (request.target, request.headers, bytes(request.body))


def test_d3_a_caller_may_stop_sending_and_still_gets_its_answer(gate, server):
    g = gate(upstream=server((rig.wait(0.3), rig.server.OK)))
    c = g.raw().send(CANARY + "\r\n")
    c.half_close()
    assert c.read().status == 200


def test_d3_an_answer_that_is_folded_is_none(gate, server):
    s = server(b"HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 0\r\n\r\n")
    answer = gate(upstream=s).get("/")
    assert (answer.status, answer.code) == (502, "upstream-invalid")


def test_d3_an_unknown_host_is_misdirected(gate, server):
    s = server()
    g = gate({"channels": {"c": {"hosts": ["a.test"]}},
              "apis": {"a": {"path": "/", "upstream": s.url, "channels": ["c"]}}})
    assert [g.get("/", host=h).status for h in ("a.test", "A.test.:80", "b.test", "x.a.test")] \
        == [200, 200, 421, 421]


@pytest.mark.parametrize("strict, status", [(True, 404), ("off", 401)])
def test_d3_a_path_that_a_looser_reader_would_take_elsewhere(gate, server, strict, status):
    """Nobody gets past a lock by it; with path_strict: off it goes where it is written."""
    s = server()
    locked = {"path": "/admin", "upstream": s.url, "policies": {"auth": "api_key"}}
    g = gate({"consumers": {"acme": {"api_key": "key-of-acme-0123456789"}}, "apis": {
        "a": {"path": "/", "upstream": s.url, "path_strict": strict},
        "admin": {**locked, "path_strict": strict}}}, records=False)
    for path in ("/ADMIN/x", "/admin;x/y", "/Admin"):
        answer = g.get(path)
        if strict is True:
            assert (answer.status, answer.code) == (404, "ambiguous-path"), path
        else:
            assert answer.status == 200, path
    assert g.get("/admin/x").status == 401
