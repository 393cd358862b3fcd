"""Section B of the security catalogue: field lines, character by character, and their number."""
import pytest
import rig

LINE = "GET /f HTTP/1.1\r\n"
HEAD = LINE + "Host: a.test\r\n"
CONTROLS = [*range(0x00, 0x09), 0x0b, 0x0c, *range(0x0e, 0x20), 0x7f]


@pytest.fixture(scope="module")
def door(gates, servers):
    return rig.Door(gates, servers())


def row(name, *lines, status=400, head=HEAD, end="\r\n\r\n"):
    return pytest.param(rig.http1.as_bytes(head + "\r\n".join(lines) + end), status, id=name)


REFUSED = [
    row("B48-cr-in-a-value", "X: a\rSmuggled: b"),
    row("B48-lf-in-a-value", "X: a\nSmuggled: b"),
    row("B48-cr-before-the-end", "X: a", end="\r\n\rZ\r\n\r\n"),
    row("B48-lf-for-the-end", "X: a", end="\r\n\n"),
    row("B48-lf-lf", "X: a", end="\n\n"),
    row("B49-nul-in-a-name", "X\x00Y: a"),
    row("B49-nul-in-a-value", "X: a\x00b"),
    row("B49-nul-in-host", "Host: good.test\x00.evil.test", head=LINE),
    *(row(f"B50-control-{byte:02x}", f"X: a{chr(byte)}b") for byte in CONTROLS),
    row("B51-no-colon", "Smuggled"),
    row("B51-no-colon-first", "Smuggled", "Host: a.test", head=LINE),
    row("B51-empty-name", ": x"),
    row("B51-empty-name-framing", ":Content-Length: 5"),
    *(row(f"B51-name-with-{ord(c):02x}", f"X{c}Y: a") for c in '"(),/;<=>?@[\\]{} \t\x80\xe9\xff'),
    row("B52-space-before-the-first", " X: y", "Host: a.test", head=LINE),
    row("B52-tab-before-the-first", "\tX: y", "Host: a.test", head=LINE),
    row("B52-line-of-spaces", "   ", "Host: a.test", head=LINE),
    row("B52-fold", "X: y", " z"),
    row("B52-space-before-colon", "X : y"),
    row("B70-field-of-100-KiB", "X: " + "y" * 102400, status=431),
    row("B70-field-of-8-KiB", "X: " + "y" * 8192, status=431),
    row("B70-name-of-100-KiB", "X" * 102400 + ": y", status=431),
    row("B70-10000-fields", *(f"X{i}: y" for i in range(10000)), status=431),
    row("B70-129-fields", *(f"X{i}: y" for i in range(128)), status=431),
    row("B70-1-MiB", *("X: " + "y" * 4096 for _ in range(256)), status=431),
    row("B70-cookie-of-64-KiB", "Cookie: " + "a=b; " * 13107, status=431),
    *(row(f"B72-two-{name.lower()}", f"{name}: a", f"{name}: b")
      for name in ("Authorization", "Content-Type", "X-API-Key", "Content-Length")),
    *(row(f"B72-two-equal-{name.lower()}", f"{name}: a", f"{name}: a")
      for name in ("Authorization", "Content-Type", "X-API-Key")),
    row("B72-two-hosts", "Host: b.test"),
    row("B72-two-equal-hosts", "Host: a.test"),
    row("B72-no-host", "X: y", head=LINE),
    row("B163-10000-names-in-connection", "Connection: " + ",".join(["x"] * 10000), status=431),
    row("B163-33-names-in-connection", "Connection: " + ",".join(["x"] * 33), status=431),
    row("B163-33-names-in-11-connections", *["Connection: x, y, z"] * 11, status=431),
    row("B163-bad-name-in-connection", "Connection: close, (x)"),
]


@pytest.mark.parametrize("data, status", REFUSED)
def test_a_field_that_is_not_exact_is_refused(door, data, status):
    door.refused(data, status)


VALUES = [("tab-within", b"a\tb"), ("obs-text", bytes(range(0x80, 0x100))),
          ("utf-8", "ä€".encode()),
          ("nbsp-at-both-ends", b"\xa0x\xa0"), ("quotes", b'"a, b"; c="\\""'), ("empty", b""),
          ("all-visible", bytes(range(0x21, 0x7f)))]


@pytest.mark.parametrize("value", [value for _, value in VALUES],
                         ids=[f"B50-{name}" for name, _ in VALUES])
def test_what_may_stand_in_a_value_is_sent_on_byte_for_byte(door, value):
    data = HEAD.encode() + b"X-Value: " + value + b"\r\n\r\n"
    request = door.passes(data).request
    assert request.header("x-value").encode("latin-1") == value


def test_B51_every_character_of_a_token_may_stand_in_a_name(door):
    name = "X!#$%&'*+-.^`|~9aZ"
    assert (name, "y") in door.passes(HEAD + f"{name}: y\r\n\r\n").request.headers


def test_B70_the_most_that_is_allowed_is_allowed(door):
    lines = "".join(f"X-{i}: {'y' * 200}\r\n" for i in range(127))
    request = door.passes(HEAD + lines + "\r\n").request
    assert sum(name.startswith("x-") and name[2:].isdigit() for name in request.head.names()) == 127
    door.passes(HEAD + "X: " + "y" * 8180 + "\r\n\r\n")


def test_B70_heads_that_are_too_large_take_no_memory(door):
    before = door.gate.memory()
    connections = [door.gate.raw() for _ in range(30)]
    for c in connections:
        c.send(HEAD + "X: y\r\n" * 100 + "Y: " + "y" * 8000)
    assert door.gate.memory() - before < 30 * (32 + 64) * 1024 + (4 << 20)
    for c in connections:
        c.reset()
    door.canary()


@pytest.mark.parametrize("lines", ["X-Role: user,admin\r\n", "X-Role: user\r\nX-Role: admin\r\n",
                                   "X-Role: admin,user\r\n", "X-Role: user , admin\r\n",
                                   "x-role: admin\r\nX-ROLE: user\r\n", "X-Role: admin\r\n"],
                         ids=["B73-list", "B73-lines", "B73-first", "B73-blanks", "B73-case",
                              "B73-alone"])
def test_a_matcher_sees_all_members_of_all_lines(gates, servers, lines, request):
    door = getattr(request.module, "role_door", None)
    if door is None:
        server = servers()
        door = request.module.role_door = rig.Door(gates, server, apis={"a": {
            "path": "/", "upstream": server.url, "routes": {
                "/{rest*}": {},
                "denied": {"match": {"path": "/{rest*}", "headers": {"X-Role": "admin"}},
                           "ip_deny": ["127.0.0.0/8"]}}}})
    seen = door.seen_bytes()
    c = door.gate.raw()
    c.send(HEAD + lines + "\r\n")
    assert c.read().status == 403
    assert door.seen_bytes() == seen
    assert door.passes(HEAD + "X-Role: user\r\n\r\n").answer.status == 200
