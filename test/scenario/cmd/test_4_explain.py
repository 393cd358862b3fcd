"""`gate explain`: one request walked through the configuration, nothing sent."""
import pytest

CONFIG = """
listeners:
  public: { address: "localhost:8080" }
channels:
  partner:
    hosts: [partners.example.com]
    policies: { auth: api_key, rate_limit: 50/s per consumer }
    enforce: { ip_allow: ["203.0.113.0/24"] }
enforce: { body_limit: 1KiB }
policies: { timeout: 10s }
upstreams:
  orders: { targets: [http://orders-1:8080/v1, http://orders-2:8080/v1] }
apis:
  orders:
    channels: [partner]
    upstream: orders
    policies: { headers: { request: { set: { X-Channel: "${channel}" } } } }
    routes:
      GET /: {}
      POST /{id}: { rate_limit: 2/min per consumer }
      GET /old: { redirect: "/new{query}" }
      GET /asks: { forward_auth: "http://check:9/x" }
consumers:
  acme: { api_key: "0123456789abcdef0123" }
"""
URL = "http://partners.example.com/orders"
FROM = ["--ip", "203.0.113.9"]


@pytest.fixture
def explain(folder):
    folder.write("gateway.yaml", CONFIG)

    def run(*arguments, code=0):
        return folder.gate("explain", *arguments, code=code)
    return run


def policy(answer, name, enforced=False):
    return [p for p in answer["policies"] if p["name"] == name and p["enforced"] == enforced][0]


def test_each_line_has_its_place(explain):
    r = explain("POST", f"{URL}/17?a=b", "--as", "acme", *FROM)
    lines = {line.split()[1]: line for line in r.out.splitlines()[:-1]}
    assert "gateway.yaml:4" in lines["channel"] and "POST /{id}" in lines["api"]
    assert "203.0.113.9" in lines["ip_allow"] and " enforced " in lines["ip_allow"]
    assert "acme" in lines["auth"]
    assert "1 left" in lines["rate_limit"] and "(was 50/s per consumer, gateway.yaml:6)" in \
        lines["rate_limit"]
    assert "POST http://orders-1:8080/v1/17?a=b" in lines["upstream"]
    assert "→ what the upstream answers" in r.out


def test_who_is_refused_is_told_where(explain):
    r = explain("GET", URL, *FROM, "--exit-code", code=1)
    assert "✗ auth" in r.out and "→ 401" in r.out and "credentials-missing" in r.out
    assert "– rate_limit" in r.out and "not reached" in r.out and "upstream not called" in r.out
    r = explain("GET", URL, *FROM, "--key", "wrong", "--json").json()
    assert policy(r, "auth")["outcome"] == "stop"
    assert (r["answer"]["status"], r["answer"]["reason"]) == (401, "credentials-invalid")
    assert r["upstream"] is None
    r = explain("GET", URL, "--as", "acme", "--json").json()
    assert policy(r, "ip_allow", True)["outcome"] == "stop"
    assert policy(r, "auth")["outcome"] == "not-reached"


def test_a_real_key_is_known(explain, folder):
    folder.write("key", "0123456789abcdef0123\n")
    assert explain(URL, *FROM, "--key-file", "key", "--json").json()["consumer"] == "acme"
    r = explain(URL, *FROM, "-H", "Authorization: Bearer 0123456789abcdef0123", "--json").json()
    assert r["consumer"] == "acme"


def test_the_body_counts(explain, folder):
    folder.write("big", "x" * 2000)
    r = explain("POST", f"{URL}/1", "--as", "acme", *FROM, "-d", "@big", "--json").json()
    assert r["answer"]["status"] == 413
    r = explain("POST", f"{URL}/1", "--as", "acme", *FROM, "-d", "small", "--json").json()
    assert r["answer"]["from"] == "upstream"


def test_an_answer_of_the_gateway_is_no_refusal(explain):
    r = explain(f"{URL}/old?x=1", "--as", "acme", *FROM, "--exit-code", "--json").json()
    assert policy(r, "redirect")["outcome"] == "answer"
    assert r["answer"]["status"] == 308


def test_what_policies_ask_is_not_asked(explain):
    r = explain(f"{URL}/asks", "--as", "acme", *FROM)
    assert "! what policies ask elsewhere was not sent" in r.out
    assert "GET http://orders-1:8080/v1/asks" in r.out


def test_what_leads_nowhere_is_told(explain):
    assert "421" in explain("http://other.example.com/orders").out
    assert "404" in explain("http://partners.example.com/nothing").out
    r = explain("DELETE", URL)
    assert "405" in r.out and "Allow: GET" in r.out


def test_verbose_shows_what_the_upstream_would_get(explain):
    out = explain(URL, "--as", "acme", *FROM, "-v").out
    assert "> Host: orders-1:8080" in out and "> X-Channel: partner" in out
    assert "X-API-Key" not in out
    assert "< WWW-Authenticate" in explain(URL, *FROM, "-v").out


@pytest.mark.parametrize("arguments", [
    ["not-a-url"], [URL, "--as", "nobody"], [URL, "--ip", "300.1.1.1"], [URL, "-H", "no colon"],
    [URL, "--listener", "nope"], [f"{URL}/\r\nX: y"], [URL, "-H", "A: b\r\nC: d"]])
def test_what_cannot_be_asked_is_64(explain, arguments):
    explain(*arguments, code=64)


def test_a_bad_configuration_cannot_be_explained(folder):
    folder.write("gateway.yaml", "apsi: {}\n")
    r = folder.gate("explain", "/", code=78)
    assert "E104" in r.err and r.out == ""


def test_nothing_of_a_request_moves_the_terminal(explain):
    r = explain("GET", f"{URL}/\x1b[31m", "--as", "acme", *FROM, "-v")
    assert "\x1b" not in r.out
