"""Problems: programs get RFC 9457, browsers a page, and nobody their own input unescaped."""
import re

import pytest
import rig

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def test_a_problem_has_its_members(gate, server):
    g = gate(apis={"a": {"upstream": server(never=True).url}})
    r = g.get("/nothing")
    problem = r.problem
    assert problem["type"] == "urn:gatehouse:problem:not-found"
    assert problem["title"] and problem["code"] == "not-found" and problem["status"] == 404
    assert problem["request_id"] == r.request_id
    assert problem["instance"] == f"urn:gatehouse:request:{r.request_id}"
    assert r.header("cache-control") == "no-store"


def test_types_may_be_pages_of_ones_own(gate, server):
    g = gate({"problems": "https://docs.example/problems"},
             apis={"a": {"upstream": server(never=True).url}})
    assert g.get("/nothing").problem["type"] == "https://docs.example/problems/not-found"


def test_a_browser_gets_a_page(gate, server):
    g = gate(apis={"a": {"upstream": server(never=True).url}})
    r = g.get("/nothing", BROWSER)
    assert r.status == 404 and r.header("content-type") == "text/html; charset=utf-8"
    assert r.text.startswith("<!doctype html>") and r.request_id in r.text
    assert "default-src 'none'" in r.header("content-security-policy")
    assert g.get("/nothing", {"Accept": "text/html, application/json"}).problem


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "application/problem+json",
                                    "text/html;q=0.5, */*", "nonsense;;q=,,"])
def test_everybody_else_gets_a_document(gate, server, accept):
    g = gate(apis={"a": {"upstream": server(never=True).url}})
    assert g.get("/nothing", {"Accept": accept} if accept else None).problem


def test_input_is_never_echoed_as_it_came(gate, server):
    g = gate(apis={"a": {"path": "/", "upstream": server(never=True).url,
                         "routes": {"GET /x": {}}}})
    for headers in ({}, BROWSER):
        r = g.get("/%3Cscript%3Ealert(1)%3C/script%3E?<script>", headers | {
            "X-Request-Id": "<b>", "User-Agent": "<script>"})
        assert b"<script>" not in r.body and b"<b>" not in r.body
        assert not re.search("[<>]", r.request_id)


def test_failures_of_upstreams_say_so_by_proxy_status(gate, server):
    s = server()
    s.stop()
    r = gate(upstream=s.url, records=False).get("/")
    assert (r.status, r.code) == (502, "upstream-refused")
    assert r.header("proxy-status") == "gate; error=connection_refused"
    slow = server((rig.wait(1.0), rig.close()))
    r = gate(upstream=slow, policies={"timeout": "200ms"}, records=False).get("/")
    assert (r.status, r.code) == (504, "upstream-timeout")
    assert r.header("proxy-status") == "gate; error=http_response_timeout"


def test_what_could_not_be_read_is_answered_with_a_problem_too(gate, server):
    g = gate(upstream=server(never=True))
    r = g.raw().send("GET / HTTP/1.1\r\nHost: a b\r\n\r\n").read()
    assert r.code == "bad-request" and not r.keep_alive
