"""auth: who calls, and what becomes of the proof."""
import os

import pytest
import rig

KEY, OTHER = "key-of-acme-0123456789", "key-of-beta-0123456789"
PEOPLE = {"acme": {"api_key": [KEY, "second-key-of-acme-42"]}, "beta": {"api_key": OTHER}}


@pytest.fixture(scope="module")
def door(gates, servers):
    server = servers()
    apis = {"k": "api_key", "all": {"all": ["api_key"]}, "any": {"any": ["api_key"]},
            "open": "none"}
    return rig.Door(gates, server, canary="/open/canary", consumers=PEOPLE, apis={
        name: {"upstream": server.url,
               "policies": {"auth": auth,
                            "headers": {"request": {"set": {"X-Caller": "${consumer}"}}}}}
        for name, auth in apis.items()})


def ask(door, path, *fields, status=200):
    """What the upstream got; None where it got nothing, as it must when the status is no 200."""
    count = len(door.server.requests)
    answer = door.gate.get(path, list(fields))
    seen = door.since(count)
    assert answer.status == status and len(seen) == (1 if status == 200 else 0), answer.body
    return seen[0] if seen else answer


@pytest.mark.parametrize("path", ["/k/x", "/all/x", "/any/x"])
@pytest.mark.parametrize("field, caller", [
    (("X-API-Key", KEY), "acme"), (("x-api-key", "second-key-of-acme-42"), "acme"),
    (("Authorization", f"Bearer {OTHER}"), "beta"), (("Authorization", f"bearer  {OTHER}"), "beta"),
    (("X-API-Key", f"  {OTHER}\t"), "beta")], ids=lambda v: str(v))
def test_a_key_says_who_calls_and_goes_no_further(door, path, field, caller):
    request = ask(door, path, field)
    assert request.header("x-caller") == caller
    assert request.header("x-api-key") is None and request.header("authorization") is None


@pytest.mark.parametrize("fields", [
    [], [("X-API-Key", "")], [("X-API-Key", "wrong")], [("X-API-Key", KEY[:-1])],
    [("X-API-Key", KEY + "0")], [("X-API-Key", KEY.upper())], [("Authorization", f"Basic {KEY}")],
    [("Authorization", "Bearer")], [("Authorization", KEY)], [("X-API-Key", f"{KEY}, {KEY}")],
    [("Cookie", f"api_key={KEY}")], [("X-API_Key", KEY)]], ids=lambda v: str(v))
def test_who_proves_nothing_is_told_what_is_asked_for(door, fields):
    answer = ask(door, "/k/x", *fields, status=401)
    sent = any(name in ("X-API-Key", "Authorization") for name, _ in fields)
    assert answer.code in (["credentials-missing"] if not sent
                           else ["credentials-missing", "credentials-invalid"])
    assert answer.header("www-authenticate") == 'ApiKey realm="gate", header="X-API-Key"'


def test_two_keys_that_differ_are_nobodys(door):
    ask(door, "/k/x", ("X-API-Key", KEY), ("Authorization", f"Bearer {OTHER}"), status=400)
    assert ask(door, "/k/x", ("X-API-Key", KEY),
               ("Authorization", f"Bearer {KEY}")).header("authorization") is None
    answer = door.gate.get("/k/x", [("X-API-Key", KEY), ("X-API-Key", OTHER)])
    assert answer.status in (400, 401)


def test_a_token_of_the_service_passes_beside_a_key(door):
    request = ask(door, "/k/x", ("X-API-Key", KEY), ("Authorization", "Bearer of-the-service"))
    assert request.header("authorization") == "Bearer of-the-service"


def test_where_anybody_may_call_nobody_is_known(door):
    request = ask(door, "/open/x", ("X-API-Key", KEY))
    assert request.header("x-caller") == ""


def test_a_consumer_of_one_channel_is_barred_from_another(gate, server):
    s = server()
    g = gate(channels={"a": {"hosts": ["a.test"]}, "b": {"hosts": ["b.test"]}},
             consumers={"acme": {"api_key": KEY, "channel": "a"}},
             apis={"x": {"path": "/", "channels": ["a", "b"], "upstream": s.url,
                         "policies": {"auth": "api_key"}}})
    assert g.get("/", {"X-API-Key": KEY}, host="a.test").status == 200
    answer = g.get("/", {"X-API-Key": KEY}, host="b.test")
    assert (answer.status, answer.code) == (403, "not-allowed")


def test_the_record_says_who_called_and_never_the_key(door):
    for path, status in (("/k/x", 200), ("/k/x?key=" + KEY, 200)):
        record = door.gate.record(door.gate.get(path, {"X-API-Key": KEY}))
        assert (record.status, record.consumer) == (status, "acme")
    assert KEY not in door.gate.stdout() and KEY not in door.gate.stderr()
    assert KEY not in door.gate.ask("/status").text and KEY not in door.gate.ask("/metrics").text


def test_keys_come_and_go_with_the_configuration(gate, server):
    s = server()
    g = gate(upstream=s, policies={"auth": "api_key"}, consumers={"acme": {"api_key": KEY}})
    assert g.get("/", {"X-API-Key": KEY}).status == 200
    g.options["consumers"] = {"acme": {"api_key": OTHER}}
    g.reload({})
    assert g.get("/", {"X-API-Key": KEY}).status == 401
    assert g.get("/", {"X-API-Key": OTHER}).status == 200


def memory_of(pid):
    """All that this process can read of its own."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
        for line in maps:
            begin, end = (int(part, 16) for part in line.split()[0].split("-"))
            try:
                memory.seek(begin)
                yield memory.read(end - begin)
            except (OSError, ValueError, OverflowError):
                pass  # not readable, or the kernel's


@pytest.mark.skipif(os.geteuid() != 0, reason="nobody else may look into a data process")
def test_a_key_that_was_read_is_nowhere_in_memory(gate, server):
    """Only its digest is; what stands in the file itself is there, of course."""
    g = gate(upstream=server(), policies={"auth": "api_key"})
    if g.is_sanitized:
        pytest.skip("this build keeps what was freed")
    first, second = "first-key-" + os.urandom(12).hex(), "second-key-" + os.urandom(12).hex()
    for key in (first, second):
        (g.directory / "the.key").write_text(key + "\n")
        (g.directory / "the.key").chmod(0o644)
        g.reload({"consumers": {"acme": {"api_key": f"${{file:{g.directory}/the.key}}"}}})
    for pid in (g.pid, *g.children()):
        for piece in memory_of(pid):
            assert first.encode() not in piece and second.encode() not in piece
    assert g.get("/", {"X-API-Key": first}).status == 401
    assert g.get("/", {"X-API-Key": second}).status == 200
