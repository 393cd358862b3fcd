"""The printed JSON Schema is one, and says the same as the gate about the form of a document."""
import json
import subprocess

import jsonschema
import pytest
from rig.gate import binary

A = {"upstream": "http://a"}

GOOD = [
    {},
    {"apis": {"a": A}},
    {"apis": {"a": {"upstream": "http://a:1/x", "path": "/", "title": "A",
                    "path_strict": "off"}}},
    {"apis": {"a": {**A, "routes": {"GET /x/{id}": {}, "/{rest*}": None,
                                    "fast": {"match": {"methods": "GET", "path": "/fast",
                                                       "headers": {"X-A": "*"}}}}}}},
    {"apis": {"a": {**A, "policies": {"rate_limit": "100/min per ip", "body_limit": "off"}}}},
    {"apis": {"a": {**A, "policies": {"rate_limit": {"rate": "5/s", "burst": 7}}}}},
    {"apis": {"a": {**A, "policies": {"retry": {"attempts": 2, "on": ["connect", 503]}}}}},
    {"apis": {"a": {**A, "policies": {"timeout": "10s", "cors": "https://a.example"}}}},
    {"apis": {"a": {**A, "policies": {"headers": {"request": {"set": {"X-A": "b"}}}}}}},
    {"upstreams": {"u": "http://a"}, "apis": {"a": {"upstream": "u"}}},
    {"upstreams": {"u": ["http://a", {"url": "http://b", "weight": 2}]},
     "apis": {"a": {"upstream": "u"}}},
    {"upstreams": {"u": {"targets": "http://a", "balance": "hash", "hash": "header:X-A",
                         "eject": "off", "circuit_breaker": False, "slow_start": "10s"}},
     "apis": {"a": {"upstream": "u"}}},
    {"workers": 2, "drain": "1m",
     "limits": {"memory": "12.5%", "idle": "5s", "body_rate": "1KiB/s"}},
    {"workers": "cores", "admin": "off", "telemetry": {"logs": "off"}},
    {"admin": {"address": "localhost:9901", "socket": "/tmp/x.sock"}},
    {"listeners": {"a": "localhost:1",
                   "b": {"address": "127.0.0.1:2", "trusted_proxies": "10.0.0.0/8",
                         "limits": {"connections": "auto"}}}},
    {"consumers": {"acme": None, "b": {"api_key": ["a-key-of-some-length"]}}},
]

BAD = [
    {"api": {}},
    {"apis": []},
    {"apis": {"A": A}},
    {"apis": {"a": {"upstrem": "http://a"}}},
    {"apis": {"a": {**A, "path": "x"}}},
    {"apis": {"a": {**A, "title": 1}}},
    {"apis": {"a": {**A, "lifecycle": "production"}}},
    {"listeners": {"x": {"address": ":1", "limits": {"buckets": 5000}}}, "apis": {"a": A}},
    {"listeners": {"x": {"address": ":1", "limits": {"memory": "5%"}}}, "apis": {"a": A}},
    {"apis": {"a": {**A, "openapi": "x"}}},
    {"apis": {"a": {**A, "routes": {"get /x": {}}}}},
    {"apis": {"a": {**A, "policies": {"rate_limit": "100 per minute"}}}},
    {"apis": {"a": {**A, "policies": {"rate_limits": "1/s"}}}},
    {"apis": {"a": {**A, "policies": {"cache": "5m"}}}},
    {"apis": {"a": {**A, "policies": {"rate_limit": {"burst": 7}}}}},
    {"upstreams": {"u": {}}},
    {"upstreams": {"u": None}},
    {"apis": {"a": {**A, "policies": {"cors": None}}}},
    {"upstreams": {"u": {"targets": []}}},
    {"upstreams": {"u": {"targets": "a"}}},
    {"upstreams": {"u": {"targets": [{"weight": 1}]}}},
    {"upstreams": {"u": {"targets": "http://a", "hash": "host"}}},
    {"workers": 0},
    {"workers": 1.5},
    {"workers": "many"},
    {"drain": 30},
    {"drain": "30"},
    {"limits": {"memory": "101%"}},
    {"limits": {"target": "8k"}},
    {"limits": {"body_rate": "240B"}},
    {"telemetry": {"logs": "xml"}},
    {"listeners": {"a": "localhost"}},
    {"listeners": {"a": {"address": "localhost:1", "trusted_proxies": ["x"]}}},
    {"consumers": {"a": {"api_key": "with blank"}}},
    {"identity": {}},
    {"version": 2},
]


@pytest.fixture(scope="module")
def validator():
    run = subprocess.run([binary(), "schema"], capture_output=True, check=True, timeout=30)
    schema = json.loads(run.stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def check(tmp_path, document):
    path = tmp_path / "gateway.json"
    path.write_text(json.dumps(document))
    return subprocess.run([binary(), "check", "-c", path], capture_output=True, text=True,
                          timeout=30)


@pytest.mark.parametrize("document", GOOD, ids=json.dumps)
def test_what_the_gate_takes_is_valid(document, validator, tmp_path):
    assert not list(validator.iter_errors(document))
    run = check(tmp_path, document)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("document", BAD, ids=json.dumps)
def test_what_is_not_valid_the_gate_refuses(document, validator, tmp_path):
    assert list(validator.iter_errors(document))
    assert check(tmp_path, document).returncode == 78


def test_a_reference_may_stand_for_any_value(validator):
    for document in ({"workers": "${env:N}"}, {"drain": "${env:D:-30s}"},
                     {"apis": {"a": {"upstream": "http://${env:HOST}:80"}}},
                     {"limits": {"target": "${file:x}"}}, {"admin": "${env:A}"}):
        assert not list(validator.iter_errors(document)), document


def test_editors_get_a_sentence_and_what_may_be_written(validator):
    drain = validator.schema["properties"]["drain"]
    assert drain["description"].endswith(".")
    assert "duration" in drain["markdownDescription"] and drain["default"] == "30s"
    assert validator.schema["properties"]["include"]["examples"] == [["apis/*.yaml"]]
