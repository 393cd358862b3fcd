"""`gate check` and the configurations that people meet first."""
import json

import jsonschema
import pytest
import yaml

THREE_LINES = """
apis:
  orders:
    upstream: http://localhost:9000
"""
SEVEN_LINES = """
apis:
  orders:
    openapi: ./orders.openapi.yaml
    upstream: http://localhost:9000
    policies: { auth: api_key, rate_limit: 100/min }
consumers:
  acme: { api_key: "${env:ACME_KEY}" }
"""
FIVE_ROUTES = """
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
FIVE_ROUTES_NOW = """
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
      GET /orders/{id}: {}
      GET /catalog: { rate_limit: 100/min }
      GET /health:  { auth: none }
consumers:
  acme: { api_key: "${env:ACME_KEY}" }
"""
KEY = {"ACME_KEY": "a-key-that-is-long-enough"}


def without(text, *words):
    return "".join(line + "\n" for line in text.split("\n") if not any(w in line for w in words))


@pytest.mark.parametrize("text", [THREE_LINES, without(SEVEN_LINES, "openapi"), FIVE_ROUTES_NOW])
def test_the_first_configurations_are_good(folder, text):
    folder.write("gateway.yaml", text)
    r = folder.gate("check", environment=KEY, code=0)
    assert r.out.startswith("checked 1 file in ") and "no problems" in r.out


@pytest.mark.parametrize("text", [SEVEN_LINES, FIVE_ROUTES])
def test_what_is_not_built_yet_is_refused_as_that_and_nothing_else(folder, text):
    folder.write("gateway.yaml", text)
    problems = folder.gate("check", "--json", environment=KEY, code=78).json()["problems"]
    assert problems and {problem["code"] for problem in problems} == {"E106"}


def test_all_problems_are_shown_with_place_caret_and_help(folder):
    folder.write("g.yaml", """
        apis:
          orders:
            upsteam: http://localhost:9000
            policies: { rate_limit: 100 per minute, chache: 30s }
    """)
    r = folder.gate("check", "g.yaml", code=78)
    assert "error[E104]: unknown key `upsteam` in api `orders`\n  --> g.yaml:3:5\n" in r.out
    assert "\n   |     ^^^^^^^ did you mean `upstream`?\n" in r.out
    assert "help: write `100/min`" in r.out and "did you mean `cache`?" in r.out
    assert "3 errors" in r.out and r.out.rstrip().endswith("exit 78")


def test_json_has_what_an_editor_needs(folder):
    folder.write("g.yaml", "apis:\n  a:\n    upsteam: http://localhost:1\n")
    r = folder.gate("check", "--json", "g.yaml", code=78).json()
    problem = r["problems"][0]
    assert (problem["code"], problem["severity"], problem["file"]) == ("E104", "error", "g.yaml")
    assert (problem["line"], problem["column"], problem["end_column"]) == (3, 5, 12)
    assert problem["fix"]["edits"]
    assert (r["version"], r["files"]) == (1, 1) and r["errors"] >= 1


def test_github_gets_annotations(folder):
    folder.write("g.yaml", "apsi: {}\n")
    out = folder.gate("check", "--format", "github", "g.yaml", code=78).out
    assert out.startswith("::error file=g.yaml,line=1,")


def test_several_files_are_checked_each_for_itself(folder):
    folder.write("a.yaml", THREE_LINES)
    folder.write("b.yaml", "apsi: {}\n")
    r = folder.gate("check", "--json", "a.yaml", "b.yaml", code=78).json()
    assert r["files"] == 2 and {p["file"] for p in r["problems"]} == {"b.yaml"}


def test_standard_input_is_a_file_too(folder):
    folder.gate("check", "-", stdin=THREE_LINES, code=0)
    assert "stdin:1:1" in folder.gate("check", "-", stdin="apsi: {}\n", code=78).out


def test_a_file_that_is_not_there_is_66(folder):
    assert "nope.yaml" in folder.gate("check", "nope.yaml", code=66).out
    assert "gate init" in folder.gate("check", code=66).err


def test_an_environment_is_laid_over(folder):
    folder.write("gateway.yaml", THREE_LINES)
    folder.write("environments/prod.yaml", "apis: { orders: { upsteam: x } }\n")
    folder.gate("check", code=0)
    assert "environments/prod.yaml:1:" in folder.gate("check", "--env", "prod", code=78).out
    folder.gate("check", "-e", "nope", code=78)


def test_secrets_are_never_shown(folder):
    folder.write("gateway.yaml", """
        apis: { a: { upstream: http://localhost:1 } }
        consumers: { acme: { api_key: [hunter2-hunter2-hunter2, "with blank hunter3"] } }
    """)
    r = folder.gate("check", code=78)
    assert "hunter" not in r.out + r.err


# The JSON Schema is held to a validator that others wrote.

def schema_of(folder):
    return folder.gate("schema", code=0).json()


def test_the_schema_is_valid(folder):
    jsonschema.Draft202012Validator.check_schema(schema_of(folder))
    jsonschema.Draft202012Validator.check_schema(folder.gate("schema", "log", code=0).json())
    folder.gate("schema", "nothing", code=64)


@pytest.mark.parametrize("text", [THREE_LINES, without(SEVEN_LINES, "openapi"), FIVE_ROUTES_NOW])
def test_the_schema_takes_what_check_takes(folder, text):
    jsonschema.Draft202012Validator(schema_of(folder)).validate(yaml.safe_load(text))


@pytest.mark.parametrize("wrong", [
    {"apsi": {}},
    {"apis": {"orders": {"upsteam": "http://localhost:1"}}},
    {"apis": {"orders": {"upstream": 5}}},
    {"apis": {"orders": {"upstream": "x", "policies": {"rate_limit": "often"}}}},
    {"apis": {"orders": {"upstream": "x", "policies": {"chache": "5s"}}}},
    {"limits": {"idle": "a while"}},
    {"apis": {"Orders": {"upstream": "x"}}},
    {"version": 2},
])
def test_the_schema_refuses_what_check_refuses(folder, wrong):
    folder.write("g.yaml", json.dumps(wrong))
    folder.gate("check", "g.yaml", code=78)
    assert list(jsonschema.Draft202012Validator(schema_of(folder)).iter_errors(wrong))
