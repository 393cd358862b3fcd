"""Section P of the security catalogue, rows 296, 297, 301, 303 and 306: what is for operators stays
with them, secrets stay where they are, and a configuration of any size is taken or refused."""
import json
import os
import re
import socket
import stat

import pytest
import rig
from rig.ports import free_port

KEY = "key-of-acme-0123456789"
INSIDE = ["/livez", "/readyz", "/metrics", "/status", "/logs", "/reload", "/stop", "/drain",
          "/consumers/acme", "/consumers/acme/keys", "/debug/pprof", "/", "/admin", "/.well-known"]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_P301_a_listener_offers_nothing_of_the_inside(gate, server, method):
    s = server(never=True)
    g = gate({"apis": {"orders": {"upstream": s.url}}})
    for path in INSIDE:
        answer = g.request(method, path, body=b"" if method != "GET" else None)
        assert (answer.status, answer.code) == (404, "not-found"), path


def test_P296_nobody_else_gets_in(gate, server):
    """The socket is its owner's, the address the machine's own, and nothing asks for a password
    that somebody could know."""
    g = gate(upstream=server())
    mode = os.stat(g.socket).st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600
    hosts = {entry[4][0] for entry in socket.getaddrinfo(socket.gethostname(), None)}
    for host in hosts - {"127.0.0.1", "::1", "127.0.1.1"}:
        with pytest.raises(OSError):
            rig.Raw(g.admin, host, timeout=1.0)


WAYS_IN = {  # an upstream that would be the admin, in all its names
    "address": "http://127.0.0.1:{port}", "localhost": "http://localhost:{port}",
    "mapped": "http://[::ffff:127.0.0.1]:{port}", "any": "http://0.0.0.0:{port}",
    "other-loopback": "http://127.0.0.2:{port}"}


@pytest.mark.parametrize("name", WAYS_IN, ids=lambda n: f"P297-{n}")
def test_no_api_leads_to_the_admin(gate, name):
    port = free_port()
    g = gate({"admin": {"address": f"127.0.0.1:{port}"},
              "apis": {"a": {"path": "/", "upstream": WAYS_IN[name].format(port=port)}}},
             records=False, ready=False)
    g.admin = port
    g.wait_ready()
    for path in ("/status", "/metrics", "/livez"):
        answer = g.get(path, {"X-Forwarded-For": "127.0.0.1"}, host=f"127.0.0.1:{port}")
        assert answer.status in (403, 421, 502, 503), (path, answer.status)
        assert b"gatehouse_" not in answer.body and b'"version"' not in answer.body


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="names are served on port 53")
def test_P297_no_name_leads_to_the_admin(gate, names):
    """Whoever controls a name points it here."""
    port = free_port()
    ns = names({"up.test": [("127.0.0.1", 60)]})
    g = gate({"admin": {"address": f"127.0.0.1:{port}"},
              "apis": {"a": {"path": "/", "upstream": f"http://up.test:{port}"}}},
             records=False, names=ns, ready=False)
    g.admin = port
    g.wait_ready()
    answer = g.get("/status")
    assert answer.status in (403, 421, 502, 503) and b'"version"' not in answer.body


def test_P297_no_question_of_a_policy_leads_to_the_admin(gate, server):
    port = free_port()
    g = gate({"admin": {"address": f"127.0.0.1:{port}"}, "apis": {"a": {
        "path": "/", "upstream": server(never=True).url, "policies": {
            "forward_auth": {"url": f"http://127.0.0.1:{port}/livez"}}}}},
        records=False, ready=False)
    g.admin = port
    g.wait_ready()
    assert g.get("/").status in (403, 503)


CROSS = [{"Origin": "https://evil.test"}, {"Origin": "null"},
         {"Host": "evil.test"}, {"Host": "127.0.0.1.evil.test"}, {"Host": "localhost.evil.test:1"},
         {"Referer": "https://evil.test/", "Origin": "http://evil.test"}]


@pytest.mark.parametrize("fields", CROSS, ids=str)
@pytest.mark.parametrize("method, path", [("GET", "/status"), ("POST", "/reload"),
                                          ("POST", "/stop"), ("PUT", "/consumers/x")])
def test_P297_no_web_page_asks_the_admin(gates, servers, request, fields, method, path):
    g = getattr(request.module, "shared", None)
    if g is None:
        g = request.module.shared = gates(upstream=servers())
    host = fields.get("Host", f"127.0.0.1:{g.admin}")
    rest = {k: v for k, v in fields.items() if k != "Host"}
    with rig.Raw(g.admin) as c:
        answer = c.request(method, path, {**rest, "Content-Type": "text/plain"},
                           b"{}" if method != "GET" else None, host=host)
    assert answer.status in (403, 404, 405, 421)
    assert b'"version"' not in answer.body and g.process.poll() is None


SECRET = "a-secret-of-the-service-4711"


def test_P303_a_secret_is_told_to_nobody(gate, server):
    """Not by any command, any page, any complaint; also where it stands in a value."""
    s = server()
    document = {"consumers": {"acme": {"api_key": "${env:ACME}"}}, "apis": {"a": {
        "path": "/", "upstream": s.url, "policies": {
            "auth": "api_key", "headers": {"request": {"set": {
                "Authorization": "Bearer ${env:TOKEN}"}}}}}}}
    g = gate(document, environment={"ACME": KEY, "TOKEN": SECRET})
    answer = g.get("/", {"X-API-Key": KEY})
    assert s.request.header("authorization") == f"Bearer {SECRET}"
    g.write({**document, "oops": "${env:TOKEN}", "drain": "${env:TOKEN}"})
    refused = g.command("reload")
    assert refused.returncode == 78
    texts = [refused.stdout, refused.stderr, answer.body.decode(), str(answer.headers)]
    g.write(document)
    explain = ("explain", "GET", "/", "--as", "acme", "--verbose", "-c", g.file)
    for words in (("render", "-c", g.file), ("render", "--doc", "-c", g.file), explain,
                  ("check", "-c", g.file), ("check", "--json", "-c", g.file), ("status",),
                  ("status", "--json"), ("logs",), ("doctor", "-c", g.file), ("top", "--once"),
                  ("fmt", "--check", g.file), ("schema",), ("diff", g.file, g.file)):
        run = g.command(*words)
        texts += [run.stdout, run.stderr]
    texts += [g.ask(path).text for path in ("/status", "/metrics", "/readyz")]
    texts += [g.stdout(), g.stderr()]
    for text in texts:
        assert SECRET not in text and KEY not in text, text[:500]


SIZES = {  # machine-made documents of all kinds, each with what one more would be
    "apis": lambda n: {"apis": {f"a{i}": {"upstream": "http://127.0.0.1:1"} for i in range(n)}},
    "routes": lambda n: {"apis": {"a": {"upstream": "http://127.0.0.1:1", "routes": {
        f"GET /r{i}/{{id}}": {} for i in range(n)}}}},
    "consumers": lambda n: {"consumers": {f"c{i}": {"api_key": f"key-number-{i:012}"}
                                          for i in range(n)}},
    "upstreams": lambda n: {"upstreams": {f"u{i}": "http://127.0.0.1:1" for i in range(n)}},
    "targets": lambda n: {"upstreams": {"u": {"targets": [
        f"http://127.0.0.1:{i + 1}" for i in range(n)]}}, "apis": {"a": {"upstream": "u"}}},
    "networks": lambda n: {"policies": {"ip_deny": [
        f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}" for i in range(n)]}},
    "origins": lambda n: {"policies": {"cors": [f"https://o{i}.test" for i in range(n)]}},
    "keys": lambda n: {"consumers": {"c": {"api_key": [f"key-number-{i:012}" for i in range(n)]}}},
    "listeners": lambda n: {"listeners": {f"l{i}": f"127.0.0.1:{i + 1}" for i in range(n)}},
    "channels": lambda n: {"channels": {f"c{i}": {"hosts": [f"h{i}.test"]} for i in range(n)}},
    "hosts": lambda n: {"channels": {"c": {"hosts": [f"h{i}.test" for i in range(n)]}}},
    "headers": lambda n: {"policies": {"headers": {"request": {"set": {
        f"X-{i}": "v" for i in range(n)}}}}},
    "tiers": lambda n: {"tiers": {f"t{i}": {"body_limit": "1MiB"} for i in range(n)}},
}
COUNTS = (1, 100, 101, 200, 201, 256, 257, 1000, 1001, 10000, 10001)


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", SIZES, ids=lambda k: f"P306-{k}")
def test_a_document_twice_as_large_is_taken_or_refused(gate, server, kind):
    g = gate(upstream=server())
    file, was_refused = g.directory / "large.json", False
    for n in COUNTS:
        file.write_text(json.dumps(SIZES[kind](n)))
        run = g.command("check", "-c", file)
        assert run.returncode in (0, 78), (n, run.returncode, run.stderr[-500:])
        if run.returncode == 78:
            assert re.search(r"E1(10|14)", run.stdout + run.stderr), (n, run.stderr[:500])
        assert not was_refused or run.returncode == 78, f"{n} is taken and less was not"
        was_refused = run.returncode == 78


@pytest.mark.parametrize("kind", ["listeners", "channels", "tiers"], ids=lambda k: f"P306-{k}")
def test_a_limit_that_is_documented_is_kept(gate, server, kind):
    g = gate(upstream=server())
    most = json.loads(g.command("schema").stdout)["properties"][kind]["maxProperties"]
    file = g.directory / "large.json"
    for n, status in ((most, 0), (most + 1, 78)):
        file.write_text(json.dumps(SIZES[kind](n)))
        run = g.command("check", "-c", file)
        assert run.returncode == status, (n, run.stderr[:300])
        assert status == 0 or "E114" in run.stdout + run.stderr


def test_P306_as_many_listeners_as_there_may_be_all_serve_and_are_all_replaced(gate, server):
    s = server(keep=False)
    ports = [free_port() for _ in range(126)]

    def document(some):
        return {"listeners": {f"l{i}": f"localhost:{port}" for i, port in enumerate(some)},
                "apis": {"a": {"path": "/", "upstream": s.url}}}
    g = gate(document(ports[:63]), workers=2, records=False, telemetry={"logs": "off"})
    for some in (ports[63:], ports[:63]):
        g.reload(document(some))
        for port in some:
            with rig.Raw(port, timeout=2.0) as c:
                assert c.get("/").status == 200
