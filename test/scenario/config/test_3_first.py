"""The configurations that people meet first, run as they are written: only addresses are laid over
them, so that they meet the services of the scenario."""
import pytest

THREE_LINES = """\
apis:
  orders:
    upstream: http://localhost:9000
"""
SEVEN_LINES = """\
apis:
  orders:
    openapi: ./orders.openapi.yaml
    upstream: http://localhost:9000
    policies: { auth: api_key, rate_limit: 100/min }
consumers:
  acme: { api_key: "${env:ACME_KEY}" }
"""
FIVE_ROUTES = """\
upstreams:
  orders:
    targets: [http://orders-v1:8080]
policies:
  cors: https://app.example.com
  headers: { request: { set: { X-Channel: partner }, remove: [X-Internal] } }
apis:
  orders:
    path: /
    upstream: orders
    policies: { auth: api_key }
    routes:
      GET /orders:  {}
      POST /orders: { rate_limit: 60/min }
      GET /catalog: { rate_limit: 100/min }
      GET /orders/{id}: {}
      GET /health:  { auth: none }
consumers:
  acme: { api_key: "${env:ACME_KEY}" }
"""
FIVE_ROUTES_LATER = """\
upstreams:
  orders:
    targets: [http://orders-v1:8080]
    canary: { targets: [http://orders-v2:8080], weight: 10% }
    health: /healthz
identity:
  idp: { jwt: { issuer: https://idp.example.com, audience: orders } }
policies:
  cors: https://app.example.com
  headers: { request: { set: { X-Channel: partner }, remove: [X-Internal] } }
apis:
  orders:
    path: /
    openapi: ./orders.openapi.yaml
    upstream: orders
    policies: { auth: idp }
    operations:
      listOrders:  { cache: 30s }
      createOrder: { rate_limit: 60/min }
      getCatalog:  { auth: api_key, rate_limit: 100/min }
      getHealth:   { auth: none }
consumers:
  acme: { api_key: "${env:ACME_KEY}" }
"""
KEY = {"X-API-Key": "key-of-acme-0123456789"}
ENV = {"ACME_KEY": KEY["X-API-Key"]}


def test_three_lines(gate, server):
    s = server()
    g = gate(THREE_LINES, over={"apis": {"orders": {"upstream": s.url}}})
    assert g.get("/orders/7?a=b").status == 200 and s.request.target == "/7?a=b"
    assert g.get("/other").status == 404


def test_seven_lines_without_the_contract(gate, server):
    s = server()
    g = gate(SEVEN_LINES.replace("    openapi: ./orders.openapi.yaml\n", ""), environment=ENV,
             over={"apis": {"orders": {"upstream": s.url}}})
    assert g.get("/orders/7").code == "credentials-missing"
    with g.raw() as c:
        answers = [c.get("/orders/7", KEY) for _ in range(101)]
    assert [a.status for a in answers] == [200] * 100 + [429]
    assert answers[0].header("ratelimit-policy") == '"orders";q=100;w=60'
    assert g.record(answers[0]).consumer == "acme"


def test_five_routes_without_what_is_to_come(gate, server):
    s = server()
    g = gate(FIVE_ROUTES, environment=ENV, over={"upstreams": {"orders": {"targets": [s.url]}}})
    assert g.get("/health", {"X-Internal": "1"}).status == 200
    assert s.request.header("x-channel") == "partner" and s.request.header("x-internal") is None
    assert g.get("/orders").status == 401 and g.get("/orders", KEY).status == 200
    assert g.get("/orders/7", KEY).status == 200 and s.requests[-1].target == "/orders/7"
    answer = g.post("/orders", b"{}", KEY)
    assert answer.header("ratelimit-policy") == '"POST /orders";q=60;w=60'
    answer = g.get("/catalog", {**KEY, "Origin": "https://app.example.com"})
    assert answer.header("ratelimit-policy") == '"GET /catalog";q=100;w=60'
    assert answer.header("access-control-allow-origin") == "https://app.example.com"
    assert g.request("DELETE", "/orders", KEY).status == 405
    assert g.get("/nothing", KEY).status == 404


@pytest.mark.parametrize("text, keys", [
    (SEVEN_LINES, {"openapi"}),
    (FIVE_ROUTES_LATER, {"canary", "health", "identity", "openapi", "operations"})],
    ids=["seven-lines", "five-routes"])
def test_unchanged_they_are_refused_for_what_is_to_come_alone(gate, text, keys):
    g = gate(text, ready=False, exit=78, records=False, environment=ENV)
    assert g.wait_exit() == 78
    lines = [line for line in g.stderr().split("\n") if line.startswith(("error", "warning"))]
    assert {line.split("`")[1] for line in lines} == keys, lines
    assert all(line.startswith("error[E106]") for line in lines), lines
