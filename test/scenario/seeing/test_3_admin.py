"""The admin: what is told to whom, and what may be asked only over the socket."""
import json
import os
import stat
import threading
import time

import pytest
import rig


def ask(g, path, method="GET", host="localhost", headers=None, body=None):
    with rig.Raw(g.admin) as connection:
        return connection.request(method, path, headers, body, host=host)


def test_probes_answer_in_words_or_json(gate, server):
    g = gate(upstream=server())
    assert g.ask("/livez").text == "live\n"
    assert g.ask("/readyz").text == "ready\n"
    answer = ask(g, "/readyz", headers={"Accept": "application/json"})
    assert answer.json() == {"status": "ready", "reasons": []}


@pytest.mark.parametrize("host,status", [
    ("localhost", 200), ("127.0.0.1", 200), ("[::1]:9901", 200), ("10.9.8.7", 200),
    ("evil.example", 421), ("localhost.evil.example", 421), ("127.0.0.1.nip.io", 421)])
def test_names_that_anybody_can_make_get_no_answer(gates, servers, host, status):
    g = shared(gates, servers)
    assert ask(g, "/status", host=host).status == status


def test_web_pages_get_no_answer(gates, servers):
    g = shared(gates, servers)
    assert ask(g, "/status", headers={"Origin": "http://evil.example"}).status == 403
    assert ask(g, "/status", headers={"X-Forwarded-For": "127.0.0.1"},
               host="evil.example").status == 421


@pytest.mark.parametrize("method,path", [
    ("POST", "/reload"), ("POST", "/drain"), ("POST", "/stop"), ("POST", "/upgrade"),
    ("GET", "/logs"), ("PUT", "/consumers/acme"), ("PUT", "/consumers/acme/keys"),
    ("DELETE", "/consumers/acme/keys")])
def test_the_address_changes_nothing(gates, servers, method, path):
    g = shared(gates, servers)
    answer = ask(g, path, method, headers={"Content-Type": "application/json"},
                 body=None if method == "GET" else b"{}")
    assert (answer.status, answer.code) == (403, "not-allowed")


_shared = {}


def shared(gates, servers):
    if "gate" not in _shared:
        _shared["gate"] = gates(upstream=servers())
    return _shared["gate"]


def test_the_admin_is_not_offered_as_an_api(gate, server):
    g = gate("""
listeners: { main: { address: "@main@" } }
admin: { address: "@admin@", socket: "@socket@" }
apis: { own: { path: /, upstream: "http://@admin@" } }
""", records=False)
    answer = g.get("/status")
    assert (answer.status, answer.code) == (403, "not-allowed")


def test_the_socket_is_the_owners(gate, server):
    g = gate(upstream=server())
    mode = os.stat(g.socket).st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600


def test_status_tells_what_is_running(gate, server):
    s = server()
    g = gate(apis={"orders": {"upstream": s.url}})
    for _ in range(5):
        g.get("/orders/1")
    status = g.status()
    assert status["ready"] is True and status["draining"] is False
    assert status["config"]["path"] == str(g.file) and len(status["config"]["hash"]) >= 16
    assert status["listeners"][0]["address"].endswith(f":{g.port}")
    assert status["workers"] == 1 and status["uptime"] < 60
    assert status["requests"]["total"] == 5 and status["requests"]["per_second"] > 0
    assert status["requests"]["reasons"] == {"done": 5}
    assert 0 < status["requests"]["p50"] <= status["requests"]["p99"] < 1
    api, = [api for api in status["apis"] if api["name"] == "orders"]
    assert api["requests"] == 5 and api["errors_5xx"] == 0
    target, = status["targets"]
    assert target["healthy"] is True and target["address"] == f"127.0.0.1:{s.port}"
    assert status["upstreams"][0]["requests"] == 5


def test_status_says_why_a_reload_was_refused(gate, server, desk):
    s = server()
    g = gate(apis={"a": {"path": "/", "upstream": s.url}})
    before = g.status()["config"]["hash"]
    g.options["apis"] = {"a": {"upsteam": s.url}}
    g.write({})
    assert desk(g).ask("POST", "/reload")[0] == 422
    config = g.status()["config"]
    assert config["hash"] == before
    assert config["reload"]["result"] == "failure" and "upsteam" in config["reload"]["error"]
    assert g.metrics().value("gatehouse_config_reloads_total", result="failure") == 1
    assert g.metrics().value("gatehouse_config_last_reload_successful") == 0
    g.canary()


def test_a_reload_over_the_socket_says_what_came_of_it(gate, server, desk):
    s = server()
    g = gate(apis={"a": {"path": "/", "upstream": s.url}})
    d = desk(g)
    g.options["apis"] = {"b": {"path": "/", "upstream": s.url}}
    g.write({})
    status, _, body = d.ask("POST", "/reload")
    assert status == 200 and json.loads(body)["result"] == "success"
    assert g.record(g.get("/")).api == "b"
    g.options["apis"] = {"b": {"upsteam": s.url}}
    g.write({})
    status, headers, body = d.ask("POST", "/reload")
    problem = json.loads(body)
    assert status == 422 and headers["content-type"] == "application/problem+json"
    assert problem["code"] == "config-invalid"
    assert any(error["code"] == "E104" for error in problem["errors"])
    assert "E104" in problem["text"]
    g.canary()


def test_the_log_is_followed_over_the_socket(gate, server, desk):
    g = gate(upstream=server())
    g.get("/before")
    answer = desk(g).begin("GET", "/logs?follow=1&where=path+~+wanted")
    assert answer.status == 200
    found = []
    thread = threading.Thread(target=lambda: found.append(json.loads(answer.readline())))
    thread.start()
    time.sleep(0.2)
    g.get("/other")
    g.get("/wanted/1")
    thread.join(5)
    assert found and found[0]["attributes"]["url.path"] == "/wanted/1"


def test_followers_do_not_hold_up_a_stop(gate, server, desk):
    g = gate(upstream=server())
    answer = desk(g).begin("GET", "/logs?follow=1")
    g.get("/")
    assert answer.readline()
    begin = time.monotonic()
    assert g.stop() == 0
    assert time.monotonic() - begin < 5


def test_a_key_is_good_the_moment_it_was_put(gate, server, desk):
    g = gate(upstream=server(), policies={"auth": "api_key"}, workers=2,
             consumers={"acme": {"api_key": "the-first-key-of-acme"}})
    d = desk(g)
    key = {"X-API-Key": "another-key-0123456789"}
    assert g.get("/", key).status == 401
    status, _, body = d.ask("PUT", "/consumers/acme/keys", json.dumps({"key": key["X-API-Key"]}),
                            {"Content-Type": "application/json"})
    assert status == 200, body
    for _ in range(10):
        answer = g.get("/", key)
        assert answer.status == 200
    assert g.record(answer).consumer == "acme"
    status, _, body = d.ask("DELETE", "/consumers/acme/keys",
                            json.dumps({"key": key["X-API-Key"]}),
                            {"Content-Type": "application/json"})
    assert status == 200, body
    assert g.get("/", key).status == 401
    assert d.ask("PUT", "/consumers/nobody/keys", '{"key": "k"}',
                 {"Content-Type": "application/json"})[0] == 404
    assert d.ask("PUT", "/consumers/acme/keys", '{"key": "k"}',
                 {"Content-Type": "text/plain"})[0] == 415
