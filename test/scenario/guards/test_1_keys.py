"""Section J of the security catalogue, keys: what proves nothing, who is known and still refused,
and that nothing of a key is left where it could be read."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import socket
import statistics
import tempfile
import time

import pytest
import rig

KEY, OTHER = "key-of-acme-0123456789", "key-of-other-0123456789"
CONSUMERS = {"acme": {"api_key": KEY}, "other": {"api_key": OTHER}}


@pytest.fixture(scope="module")
def door(gates, servers):
    """Everything asks for a key; canaries bring one."""
    return rig.Door(gates, servers(), canary_headers={"X-API-Key": KEY}, consumers=CONSUMERS,
                    policies={"auth": "api_key"}, workers=2)


@pytest.fixture
def desk():
    """Asks over the admin's socket: desk(gate, method, target, document) gives the status."""
    with contextlib.ExitStack() as stack:
        def ask(gate, method, target, document=None):
            connection = http.client.HTTPConnection("localhost")
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.connect(str(gate.socket))
            stack.callback(connection.close)
            connection.request(method, target, json.dumps(document) if document else None,
                               {"Content-Type": "application/json"})
            return connection.getresponse().status
        yield ask


def refused(door, fields, status, code):
    seen = len(door.server.requests)
    answer = door.gate.get("/x", fields)
    assert (answer.status, answer.code) == (status, code)
    assert len(door.server.requests) == seen
    return answer


NOTHING = [[], [("Authorization", "Basic a2V5Og==")], [("X-Api-Token", KEY)],
           [("Cookie", f"X-API-Key={KEY}")], [("X_API_Key", KEY)],
           [("Authorization", f"ApiKey {KEY}")], [("Authorization", KEY)],
           [("Proxy-Authorization", f"Bearer {KEY}")], [("Authorization", f"Bearer,{KEY}")]]
WRONG = ["", "x", KEY[:-1], KEY + "x", KEY.upper(), "x" + KEY[1:], KEY[:-1] + "x", f'"{KEY}"',
         f"{KEY}, {KEY}", f"{KEY},{OTHER}", f"Bearer {KEY}", "%" + KEY, "x" * 256, "x" * 257,
         "x" * 7000, "null", "*", "acme", "' OR 1=1--", "\x80\xff"]


@pytest.mark.parametrize("fields", NOTHING, ids=lambda f: f"J187-{f}")
def test_what_is_no_key_is_no_credential(door, fields):
    answer = refused(door, fields, 401, "credentials-missing")
    assert answer.head.all("www-authenticate")


@pytest.mark.parametrize("key", WRONG, ids=lambda k: f"J187-{k[:30]!r}-{len(k)}")
def test_a_wrong_key_is_refused_wherever_it_stands(door, key):
    refused(door, [("X-API-Key", key)], 401, "credentials-invalid")
    if key:
        refused(door, [("Authorization", f"Bearer {key}")], 401, "credentials-invalid")


BOTH = [([("X-API-Key", KEY), ("Authorization", f"Bearer {OTHER}")], 400),
        ([("X-API-Key", OTHER), ("Authorization", f"Bearer {KEY}")], 400),
        ([("X-API-Key", "wrong"), ("Authorization", f"Bearer {KEY}")], 400),
        ([("X-API-Key", KEY), ("X-API-Key", OTHER)], 400),
        ([("X-API-Key", KEY), ("x-api-key", KEY)], 400),
        ([("X-API-Key", ""), ("X-API-Key", KEY)], 400),
        ([("Authorization", f"Bearer {KEY}"), ("Authorization", f"Bearer {OTHER}")], 400),
        ([("X-API-Key", ""), ("Authorization", f"Bearer {KEY}")], 400)]


@pytest.mark.parametrize("fields, status", BOTH, ids=lambda v: f"J187-{v}")
def test_two_keys_are_none(door, fields, status):
    """Nobody can say which one was meant."""
    refused(door, fields, status, "bad-request")


@pytest.mark.parametrize("data, status", [
    (b"X-API-Key: " + b"k" * (1 << 20), 431), (b"X-API-Key: key\0-of-acme-0123456789", 400),
    (b"Authorization: Bearer " + b"k" * (1 << 20), 431)], ids=["1MiB", "NUL", "bearer-1MiB"])
def test_J187_a_key_has_bounds(door, data, status):
    door.refused(b"GET / HTTP/1.1\r\nHost: a.test\r\n" + data + b"\r\n\r\n", status)


def test_J187_a_key_in_the_query_never_counts(door):
    answer = door.gate.get(f"/?api_key={OTHER}", {"X-API-Key": KEY})
    assert door.gate.record(answer).consumer == "acme"
    refused(door, [("X-API-Key", "wrong")], 401, "credentials-invalid")


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_J186_how_wrong_a_key_is_takes_no_time_to_say(gate, server):
    """Wrong in its first byte, in its last, or of another length: asked in turn, so that whatever
    else goes on falls on all alike."""
    g = gate(upstream=server(never=True), consumers=CONSUMERS, policies={"auth": "api_key"},
             records=False, telemetry={"logs": "off"})
    data = [rig.request("GET", "/", {"X-API-Key": key})
            for key in ("x" + KEY[1:], KEY[:-1] + "x", "y" + KEY[1:-1] + "y")]
    c = rig.Raw(g.port, keep=False)
    times = [[] for _ in data]
    for _ in range(3000):
        for kind, request in enumerate(data):
            begin = time.perf_counter_ns()
            c.socket.sendall(request)
            assert c.read().status == 401
            times[kind].append(time.perf_counter_ns() - begin)
    medians = [statistics.median(one) for one in times]
    assert max(medians) < 1.05 * min(medians), medians


def test_J188_a_key_that_was_taken_out_of_the_file_is_worth_nothing(gate, server):
    g = gate(upstream=server(), consumers=CONSUMERS, policies={"auth": "api_key"}, workers=2)
    kept = [g.raw() for _ in range(8)]
    assert {c.get("/", {"X-API-Key": KEY}).status for c in kept} == {200}
    g.options["consumers"] = {"acme": {"api_key": "a-newer-key-0123456789"}}
    g.reload({})
    assert {c.get("/", {"X-API-Key": KEY}).status for c in kept} == {401}
    assert {c.get("/", {"X-API-Key": OTHER}).status for c in kept} == {401}
    assert {c.get("/", {"X-API-Key": "a-newer-key-0123456789"}).status for c in kept} == {200}


def test_J188_a_key_may_get_another_owner(gate, server):
    g = gate(upstream=server(), consumers=CONSUMERS, policies={"auth": "api_key"})
    assert g.record(g.get("/", {"X-API-Key": KEY})).consumer == "acme"
    g.options["consumers"] = {"acme": {"api_key": OTHER}, "other": {"api_key": KEY}}
    g.reload({})
    assert g.record(g.get("/", {"X-API-Key": KEY})).consumer == "other"
    assert g.record(g.get("/", {"X-API-Key": OTHER})).consumer == "acme"


def test_J188_a_revoked_key_is_worth_nothing_from_that_moment_on(gate, server, desk):
    g = gate(upstream=server(), consumers=CONSUMERS, policies={"auth": "api_key"}, workers=2)
    kept = [g.raw() for _ in range(8)]
    assert {c.get("/", {"X-API-Key": KEY}).status for c in kept} == {200}
    assert desk(g, "DELETE", "/consumers/acme/keys", {"key": KEY}) == 200
    assert {c.get("/", {"X-API-Key": KEY}).status for c in kept} == {401}
    assert {c.get("/", {"X-API-Key": OTHER}).status for c in kept} == {200}


def readable(root):
    """All files below."""
    for path in pathlib.Path(root).rglob("*"):
        if path.is_file():
            yield path, path.read_bytes()


@pytest.fixture
def folder():
    """One that whoever the gate becomes may use."""
    with tempfile.TemporaryDirectory(prefix="gate-") as name:
        os.chmod(name, 0o777)
        yield pathlib.Path(name)


def test_J189_no_key_is_kept_in_clear(gate, server, folder):
    """Not on disk, not in what is told, and not on the command line or in the environment."""
    secret = folder / "key"
    secret.write_text(KEY)
    g = gate({"consumers": {"acme": {"api_key": f"${{file:{secret}}}"}}},
             upstream=server(), policies={"auth": "api_key"})
    assert g.get("/", {"X-API-Key": KEY}).status == 200
    g.reload()
    told = [g.command(*words).stdout for words in (
        ("render", "-c", g.file), ("render", "--doc", "-c", g.file), ("status", "--json"),
        ("doctor",), ("check", "-c", g.file, "--json"), ("diff", g.file, g.file))]
    told += [g.ask(path).text for path in ("/status", "/metrics")]
    told += [g.stdout(), g.stderr()]
    assert not [text for text in told if KEY in text]
    assert any("acme" in text for text in told)
    written = dict(readable(g.directory))
    assert [path for path in written if path.name.startswith("last-good")]
    assert not [path for path, data in written.items() if KEY.encode() in data]
    for pid in (g.pid, *g.children()):
        for name in ("cmdline", "environ"):
            assert KEY.encode() not in pathlib.Path(f"/proc/{pid}/{name}").read_bytes()


def test_J189_a_key_is_shown_once_and_by_its_begin_after(gate, server):
    g = gate(upstream=server(), consumers=CONSUMERS, policies={"auth": "api_key"})
    key = g.command("key", "new", "acme").stdout.strip()
    record = g.record(g.get("/", {"X-API-Key": key}))
    text = json.dumps(record) + g.ask("/status").text + g.ask("/metrics").text
    assert key not in text and record.consumer == "acme"
    assert not re.search(re.escape(key[:20]), text)


def test_J216_who_is_blocked_is_refused_at_once_and_stays_so(gate, server, desk):
    g = gate(upstream=server(), consumers=CONSUMERS, policies={"auth": "api_key"}, workers=2)
    kept = [g.raw() for _ in range(8)]
    assert {c.get("/", {"X-API-Key": KEY}).status for c in kept} == {200}
    assert desk(g, "PUT", "/consumers/acme", {"blocked": True}) == 200
    for _ in range(2):
        answers = [c.get("/", {"X-API-Key": KEY}) for c in kept]
        assert {(a.status, a.code) for a in answers} == {(403, "not-allowed")}
        assert g.get("/", {"X-API-Key": OTHER}).status == 200
        g.reload()  # what the file says does not let it in again
    assert desk(g, "PUT", "/consumers/acme", {"blocked": False}) == 200
    assert {c.get("/", {"X-API-Key": KEY}).status for c in kept} == {200}


@pytest.mark.parametrize("value", ["true", "yes", 1, None, [True]], ids=repr)
def test_J216_what_blocks_is_true_and_nothing_that_looks_like_it(gate, server, desk, value):
    g = gate(upstream=server(), consumers=CONSUMERS, policies={"auth": "api_key"})
    assert desk(g, "PUT", "/consumers/acme", {"blocked": True}) == 200
    assert desk(g, "PUT", "/consumers/acme", {"blocked": value}) == 400
    assert g.get("/", {"X-API-Key": KEY}).status == 403


def test_J216_a_key_of_another_door_is_no_key_here(gate, server):
    s = server()
    g = gate({"channels": {"staff": {"hosts": ["staff.test"]}, "public": {"hosts": ["a.test"]}},
              "apis": {"x": {"path": "/", "upstream": s.url, "channels": ["staff", "public"],
                             "policies": {"auth": "api_key"}}},
              "consumers": {"acme": {"api_key": KEY, "channel": "public"},
                            "other": {"api_key": OTHER}}})
    assert g.get("/", {"X-API-Key": KEY}, host="a.test").status == 200
    answer = g.get("/", {"X-API-Key": KEY}, host="staff.test")
    assert answer.status in (401, 403) and len(s.requests) == 1
    assert g.get("/", {"X-API-Key": OTHER}, host="staff.test").status == 200

