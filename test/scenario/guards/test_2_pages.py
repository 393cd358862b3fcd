"""Section J of the security catalogue, row 214: web pages of other origins."""
import pytest
import rig

KEY = "key-of-acme-0123456789"
KEYS = {"X-API-Key": KEY}
GOOD = "https://a.test"
PERMISSIONS = ("access-control-allow-origin", "access-control-allow-credentials",
               "access-control-allow-methods", "access-control-allow-headers",
               "access-control-max-age")
GENEROUS = rig.http1.response(200, b"ok", [
    ("Access-Control-Allow-Origin", "https://evil.test"), ("Access-Control-Max-Age", "999"),
    ("Access-Control-Allow-Credentials", "true"), ("Access-Control-Allow-Methods", "*"),
    ("Access-Control-Allow-Headers", "*"), ("Vary", "Accept")])
STRANGERS = ["null", "https://evil-a.test", "https://a.test.evil.test", "http://a.test",
             "https://a.test:8443", "https://A.TEST", "https://a.test/", "https://a.test.",
             "https://b.a.test", "https://axtest", "https://a.test https://evil.test", "*", "",
             "https://a.test,https://evil.test", "https://evil.test#https://a.test", "a.test",
             "file://", "https://user@a.test", "//a.test", "https://a.tes", "https://a.test\t.evil"]


@pytest.fixture(scope="module")
def door(gates, servers):
    return rig.Door(gates, servers(GENEROUS), canary_headers=KEYS,
                    consumers={"acme": {"api_key": KEY}}, policies={
                        "auth": "api_key",
                        "cors": {"origins": [GOOD, "https://b.test:8443"], "credentials": True}})


def varies(answer):
    return "origin" in answer.head.members("vary")


@pytest.mark.parametrize("origin", STRANGERS, ids=lambda o: f"J214-{o}")
def test_a_page_of_another_origin_may_read_nothing(door, origin):
    for method in ("GET", "POST"):
        answer = door.gate.request(method, "/", {"Origin": origin, **KEYS})
        assert answer.status == 200
        assert not [name for name in PERMISSIONS[:2] if answer.head.all(name)], answer.headers
        assert varies(answer)


@pytest.mark.parametrize("origin", STRANGERS, ids=lambda o: f"J214-{o}")
def test_a_preflight_of_another_origin_gets_no_permission(door, origin):
    seen = len(door.server.requests)
    answer = door.gate.request("OPTIONS", "/", {"Origin": origin,
                                                "Access-Control-Request-Method": "PUT"})
    assert answer.status in (204, 401) and varies(answer)
    assert not [name for name in PERMISSIONS if answer.head.all(name)], answer.headers
    assert len(door.server.requests) == seen


@pytest.mark.parametrize("origin", [GOOD, "https://b.test:8443"], ids=lambda o: f"J214-{o}")
def test_a_named_origin_is_told_so_and_nobody_else_in_its_place(door, origin):
    answer = door.gate.get("/", {"Origin": origin, **KEYS})
    assert answer.header("access-control-allow-origin") == origin and varies(answer)
    assert answer.header("access-control-allow-credentials") == "true"
    assert "evil" not in str(answer.headers)


def test_J214_the_answer_varies_by_origin_for_those_without_one_too(door):
    assert varies(door.gate.get("/", KEYS)) and varies(door.gate.get("/"))


def test_J214_permission_is_no_proof_of_who_calls(door):
    seen = len(door.server.requests)
    for fields in ({"Origin": GOOD}, {"Origin": GOOD, "Access-Control-Request-Method": "GET"}):
        for method in ("GET", "PUT", "HEAD"):
            answer = door.gate.request(method, "/", fields)
            assert answer.status == 401
            assert answer.header("access-control-allow-origin") == GOOD
    assert door.gate.request("OPTIONS", "/", {"Origin": GOOD}).status == 401  # it asks for nothing
    assert len(door.server.requests) == seen


def test_J214_two_origins_are_none(door):
    door.refused(f"GET / HTTP/1.1\r\nHost: a.test\r\nX-API-Key: {KEY}\r\nOrigin: {GOOD}\r\n"
                 "Origin: https://evil.test\r\n\r\n")


BAD = [{"origins": "*", "credentials": True}, {"origins": [GOOD, "*"], "credentials": True},
       "https://*.a.test", "https://A.test", "https://a.test/", "a.test", "https://a.test:443",
       "null,x", "/https:\\/\\/.*/", {"origins": GOOD, "credentials": True, "headers": ["*"]},
       {"origins": []}, "", {"origins": GOOD, "credentials": True, "expose": "*"}]


@pytest.mark.parametrize("cors", BAD, ids=lambda c: f"J214-{c}")
def test_what_would_let_in_everybody_is_refused_at_load(gate, server, cors):
    g = gate(upstream=server(), policies={"cors": GOOD})
    g.options["policies"] = {"cors": cors}
    g.reload({}, expect=78)
    assert g.get("/", {"Origin": GOOD}).header("access-control-allow-origin") == GOOD


def test_J214_any_origin_means_the_same_answer_for_all(gate, server):
    g = gate(upstream=server(GENEROUS), policies={"cors": "*"})
    for origin in (GOOD, "null", "https://evil.test"):
        answer = g.get("/", {"Origin": origin})
        assert answer.header("access-control-allow-origin") == "*"
        assert not answer.head.all("access-control-allow-credentials")
