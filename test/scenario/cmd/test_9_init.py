"""`gate init`: a first configuration from what is there, never over what is there."""
import socket

import pytest
import yaml

KEY = {"FIRST_KEY": "a-key-that-is-long-enough"}


def effective(text):
    return [line for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]


def test_what_it_writes_is_good_short_and_neat(folder):
    r = folder.gate("init", code=0)
    text = folder.read("gateway.yaml")
    assert 0 < len(effective(text)) < 10
    r2 = folder.gate("check", "--json", environment=KEY, code=0).json()
    assert r2["problems"] == []
    folder.gate("fmt", "--check", environment=KEY, code=0)
    assert "auth: api_key" in text and "gate check" in folder.read("AGENTS.md")
    jobs = yaml.safe_load(folder.read(".github/workflows/gateway.yml"))["jobs"]
    assert {"run": "gate check --format github"} in jobs["check"]["steps"]
    assert "export FIRST_KEY=gate_test_" in r.out


def test_the_key_that_it_makes_up_works(folder):
    out = folder.gate("init", code=0).out
    key = out.split("FIRST_KEY=")[1].split()[0]
    name = [n for n in yaml.safe_load(folder.read("gateway.yaml"))["apis"]][0]
    r = folder.gate("explain", f"/{name}", "--json", environment={
        "FIRST_KEY": key, "GATE_KEY": key}, code=0).json()
    assert r["consumer"] == "first" and r["answer"]["from"] == "upstream"


def test_it_finds_services_of_a_compose_file(folder):
    folder.write("compose.yaml", """
        services:
          orders_api: { image: x, ports: ["127.0.0.1:9000:80"] }
          web: { ports: [ { target: 80, published: 3000 } ] }
          db: { ports: ["5432:5432"] }
          worker: {}
    """)
    folder.gate("init", code=0)
    apis = yaml.safe_load(folder.read("gateway.yaml"))["apis"]
    assert apis["orders-api"]["upstream"] == "http://localhost:9000"
    assert apis["web"]["upstream"] == "http://localhost:3000"
    assert "db" not in apis and "worker" not in apis


def test_it_finds_descriptions(folder):
    folder.write("shop.openapi.json", '{"openapi": "3.1.0", "info": {"title": "The Shop (v2)"}, '
                                      '"servers": [{"url": "http://localhost:4001"}]}')
    folder.write("contracts/other.yaml", "not: a description\n")
    folder.gate("init", code=0)
    apis = yaml.safe_load(folder.read("gateway.yaml"))["apis"]
    assert apis["the-shop-v2"]["upstream"] == "http://localhost:4001" and "other" not in apis


def test_it_finds_who_listens(folder):
    with socket.socket() as listening:
        for port in range(20000, 30000):
            try:
                listening.bind(("127.0.0.1", port))
                break
            except OSError:
                continue
        listening.listen()
        folder.gate("init", code=0)
        text = folder.read("gateway.yaml")
        assert f"http://localhost:{port}" in text or text.count("# port") >= 5


@pytest.mark.parametrize("name", ["gateway.yaml", "AGENTS.md", ".github/workflows/gateway.yml"])
def test_what_is_there_stays(folder, name):
    folder.write(name, "mine\n")
    r = folder.gate("init", "--json", code=0).json()
    assert r.pop(name) == "kept" and set(r.values()) == {"written"}
    assert folder.read(name) == "mine\n"


def test_it_may_be_another_folder(folder):
    folder.gate("init", "some/where", code=0)
    assert folder.read("some/where/gateway.yaml")
    folder.write("file", "")
    folder.gate("init", "file/below", code=71)
