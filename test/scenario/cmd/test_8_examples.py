"""The configurations of examples/: each is good, neat, and does what its first lines say."""
import json
import re

import pytest
from rig.faults import ROOT

EXAMPLES = ROOT / "examples"
KEYS = {name: f"key-of-{name.lower()}-for-tests" for name in
        ("ACME_KEY", "BERT_KEY", "CAROL_KEY", "QUICKSTART_KEY")}
FOLDERS = sorted(path.parent.name for path in EXAMPLES.glob("*/gateway.yaml"))
UPSTREAM = re.compile(r"http://localhost:900[01]")


@pytest.mark.parametrize("name", FOLDERS)
def test_it_is_good_and_neat(folder, name):
    path = EXAMPLES / name / "gateway.yaml"
    for environment in ["", *(p.stem for p in path.parent.glob("environments/*.yaml"))]:
        flags = ["--env", environment] if environment else []
        r = folder.gate("check", "-c", path, "--json", *flags, environment=KEYS, code=0).json()
        assert r["problems"] == []
        folder.gate("fmt", "--check", "-c", path, *flags, environment=KEYS, code=0)
        folder.gate("render", "--doc", "-c", path, *flags, environment=KEYS, code=0)


@pytest.mark.parametrize("name", FOLDERS)
def test_it_is_told_of_and_opens_with_what_it_is(name):
    assert f"| [{name}]({name}) |" in (EXAMPLES / "README.md").read_text()
    assert (EXAMPLES / name / "gateway.yaml").read_text().startswith("# ")


# What a request meets: example, arguments of `gate explain`, status or where it would go.
REQUESTS = [
    ("first", ["/orders/7"], "GET http://localhost:9000/7"),
    ("first", ["/nothing"], 404),
    ("quickstart", ["/orders/1"], 401),
    ("quickstart", ["/orders/1", "--as", "demo"], "GET http://localhost:9000/orders/1"),
    ("routes", ["/orders"], 401),
    ("routes", ["/orders", "--as", "acme"], "GET http://localhost:9000/orders"),
    ("routes", ["/health"], "GET http://localhost:9000/health"),
    ("routes", ["DELETE", "/orders"], 405),
    ("routes", ["OPTIONS", "/orders", "-H", "Origin: https://app.example.com", "-H",
                "Access-Control-Request-Method: POST"], 204),
    ("channels", ["http://api.corp.example.com:8081/orders"], "GET http://localhost:9000/"),
    ("channels", ["http://partners.example.com/orders", "--as", "acme"], 403),
    ("channels", ["http://partners.example.com/orders", "--as", "acme", "--ip", "203.0.113.9"],
     "GET http://localhost:9000/"),
    ("channels", ["http://partners.example.com/catalog", "--as", "acme", "--ip", "203.0.113.9"],
     404),
    ("channels", ["http://x.shop.example.com/catalog"], "GET http://localhost:9000/"),
    ("channels", ["http://api.corp.example.com:8080/orders"], 421),
    ("resilience", ["/orders/report"], "GET http://localhost:9000/report"),
    ("limits", ["POST", "/open", "-d", "x" * 70000], 413),
    ("limits", ["/search/suggest", "--as", "acme"], "GET http://localhost:9000/suggest"),
    ("edge", ["/old/5"], 301),
    ("edge", ["/products/5"], "GET http://localhost:9000/v2/items/5"),
    ("edge", ["/products/5", "-H", "X-Preview: yes"], "GET http://localhost:9001/products/5"),
    ("edge", ["/account/me"], "GET http://localhost:9000/account/me"),
    ("teams", ["/orders", "--as", "acme"], "GET http://localhost:9000/"),
    ("teams", ["/orders", "--as", "acme", "--env", "prod"],
     "GET http://orders.prod.internal:8080/"),
    ("teams", ["/catalog"], "GET http://localhost:9000/"),
]


@pytest.mark.parametrize("name, arguments, expected", REQUESTS)
def test_a_request_meets_what_it_should(folder, name, arguments, expected):
    r = folder.gate("explain", "-c", EXAMPLES / name / "gateway.yaml", *arguments, "--json",
                    environment=KEYS, code=0).json()
    if isinstance(expected, int):
        assert r["answer"].get("status") == expected and r["upstream"] is None, json.dumps(r)
    else:
        assert r["upstream"] == expected, json.dumps(r)


def test_every_example_is_asked_something():
    assert {name for name, _, _ in REQUESTS} == set(FOLDERS)


RUNS = {"first": ("/orders", 200, None), "quickstart": ("/orders", 200, "QUICKSTART_KEY"),
        "routes": ("/health", 200, None), "limits": ("/search", 200, "BERT_KEY"),
        "resilience": ("/sessions", 200, None)}


@pytest.mark.parametrize("name", RUNS)
def test_it_runs(gate, server, name):
    s = server()
    text = UPSTREAM.sub(s.url, (EXAMPLES / name / "gateway.yaml").read_text())
    text += ('\nlisteners: { main: { address: "@main@" } }\n'
             'admin: { address: "@admin@", socket: "@socket@" }\n')
    g = gate(text, environment=KEYS)
    target, status, key = RUNS[name]
    r = g.get(target, {"X-API-Key": KEYS[key]} if key else {})
    assert r.status == status, r.body
