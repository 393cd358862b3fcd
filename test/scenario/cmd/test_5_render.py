"""`gate render`: the configuration in full, with the origin of each value."""
import re

import pytest
import yaml

CONFIG = """
include: [apis/*.yaml]
limits: { idle: 10s }
listeners:
  public: { address: "localhost:8080" }
policies: { rate_limit: 100/min per ip }
consumers:
  acme: { api_key: hunter2-hunter2-hunter2 }
"""
ORDERS = """
apis:
  orders:
    upstream: http://localhost:9000
    policies: { auth: api_key }
    routes:
      GET /: {}
      GET /open: { auth: none, rate_limit: off }
"""


@pytest.fixture
def render(folder):
    folder.write("gateway.yaml", CONFIG)
    folder.write("apis/orders.yaml", ORDERS)

    def run(*arguments, code=0, **options):
        return folder.gate("render", *arguments, code=code, **options)
    return run


def test_each_value_has_its_origin(render):
    out = render().out
    assert re.search(r"^    address: localhost:8080 +# gateway.yaml:4$", out, re.M)
    assert re.search(r"^        any: api_key +# apis/orders.yaml:4$", out, re.M)
    assert re.search(r"^drain: 30s +# default$", out, re.M)
    assert re.search(r"^    path: /orders +# default$", out, re.M)


def test_what_a_listener_has_from_the_top_says_so(render):
    out = render("listeners.public.limits").out
    assert re.search(r"^idle: 10s +# gateway.yaml:2$", out, re.M)


def test_a_path_shows_a_part(render):
    assert render("apis.orders.policies.auth.any").out.split()[0] == "api_key"
    assert list(yaml.safe_load(render("apis.orders.routes").out)) == ["GET /", "GET /open"]
    r = render("apis.order", code=64)
    assert "did you mean `orders`?" in r.err


def test_secrets_are_digests(render):
    for arguments in ([], ["--json"], ["--doc"], ["consumers"]):
        out = render(*arguments).out
        assert "hunter" not in out
    assert "sha256:" in render("consumers.acme").out


def test_what_is_rendered_means_the_same(render, folder):
    folder.write("gateway.yaml", CONFIG.replace("hunter2-hunter2-hunter2", '"${env:KEY}"'))
    environment = {"KEY": "a-key-that-is-long-enough"}
    out = render(environment=environment).out
    full = re.sub(r'api_key: "‹secret[^"]*"', 'api_key: "${env:KEY}"', out)
    folder.write("full.yaml", full)
    folder.gate("check", "full.yaml", environment=environment, code=0)
    again = render("-c", "full.yaml", "--json", environment=environment).json()
    first = render("--json", environment=environment).json()
    assert first == again


def test_the_page_says_who_may_call_and_how_often(render):
    out = render("--doc").out
    assert "| `public` | localhost:8080 |" in out
    assert "| `GET /` | api_key | 100/min per ip |" in out
    assert "| `GET /open` | none | off |" in out
    assert "At `/orders`" in out


def test_a_bad_configuration_is_not_rendered(folder):
    folder.write("gateway.yaml", "apsi: {}\n")
    assert folder.gate("render", code=78).out == ""
