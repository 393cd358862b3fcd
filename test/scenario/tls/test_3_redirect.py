"""A listener that sends its callers to https, and serves nothing else."""
import json
import subprocess

import pytest
import rig
from rig.gate import binary
from rig.ports import free_port

OK = rig.http1.response(200, b"hi")


def listeners(block, port):
    return {"main": {"redirect": "https"}, "secure": {"address": f"127.0.0.1:{port}", "tls": block}}


def test_every_request_is_sent_to_https_and_answered_there(gate, server, authority, a_test):
    s, port = server(OK), free_port()
    g = gate(upstream=s, listeners=listeners(a_test, port))
    for target in ("/", "/a/b?c=d&e=%20", "/nowhere/x?"):
        answer = g.post(target, b"body", host="a.test")
        assert answer.status == 308
        assert answer.header("location") == f"https://a.test:{port}{target}"
        assert g.record(answer).reason == "done"
    assert not s.requests
    with rig.Raw(port, tls=authority.context()) as connection:
        assert connection.get("/").status == 200


@pytest.mark.parametrize("host, shown", [("A.Test:80", "a.test"), ("[::1]:80", "[::1]"),
                                         ("other.test", "other.test")])
def test_the_host_stays_and_the_port_goes(gate, server, a_test, host, shown):
    port = free_port()
    g = gate(upstream=server(never=True), listeners=listeners(a_test, port))
    assert g.get("/x", host=host).header("location") == f"https://{shown}:{port}/x"


def test_without_a_host_there_is_no_place(gate, server, a_test):
    g = gate(upstream=server(never=True), listeners=listeners(a_test, free_port()))
    with g.raw() as connection:
        answer = connection.send("GET / HTTP/1.0\r\n\r\n").read()
        assert answer.status == 400


def test_behind_a_proxy_that_speaks_https_it_is_served(gate, server):
    s = server(OK)
    g = gate(upstream=s, listeners={"main": {"redirect": "https",
                                             "trusted_proxies": ["127.0.0.1"]}})
    assert g.get("/", {"X-Forwarded-Proto": "https"}).status == 200
    answer = g.get("/x", {"X-Forwarded-Proto": "http", "X-Forwarded-Host": "b.test:8080"})
    assert (answer.status, answer.header("location")) == (308, "https://b.test/x")


def test_it_is_no_open_door_and_no_tls(tmp_path, a_test):
    def check(**main):
        file = tmp_path / "gateway.json"
        file.write_text(json.dumps({
            "listeners": {"out": {"address": ":80", **main}, "in": {"address": "localhost:8443",
                                                                    "tls": a_test}},
            "apis": {"a": {"upstream": "http://localhost:1"}}}))
        return subprocess.run([str(binary()), "check", str(file)], capture_output=True, text=True,
                              timeout=60).stdout
    assert "E201" in check()
    assert "no problems" in check(redirect="https")
    assert "E206" in check(redirect="https", tls=a_test)
