"""What a reload takes, and what it says of the rest."""
import json

import pytest
import rig
from rig.ports import free_port

TAKEN_AT_START = [({"workers": 2}, "workers", "2"), ({"user": "nobody"}, "user", '"nobody"'),
                  ({"limits": {"buckets": 5000}}, "limits.buckets", "5000"),
                  ({"limits": {"memory": "10%"}}, "limits.memory", '"10%"'),
                  ({"admin": {"socket": "/tmp/gate-elsewhere.sock"}}, "admin", "{")]


@pytest.mark.parametrize("change, name, at", TAKEN_AT_START, ids=[r[1] for r in TAKEN_AT_START])
def test_what_a_process_takes_at_its_start_is_told_each_time(gate, server, change, name, at):
    g = gate(upstream=server(), workers=None)
    for run in (g.reload(change), g.reload(change)):
        assert f"warning[W205]: `{name}` stays as it was" in run.stderr
        lines = run.stderr.split("\n")
        column = lines[4].index("^")
        assert lines[3][column:].startswith(at)
        assert "gate upgrade" in run.stderr and "is in force" in run.stderr
    assert "W205" in g.stderr()
    answer = json.loads(g.command("reload", "--json").stdout)
    assert [warning["code"] for warning in answer["warnings"]] == ["W205"]
    assert "W205" not in g.reload({}).stderr


def test_the_command_line_is_not_contradicted(gate, server):
    g = gate(upstream=server(), workers=2)
    assert "W205" not in g.reload({"workers": 5}).stderr


def test_the_rest_is_taken_at_once(gate, server):
    s, t = server(), server(rig.http1.response(200, b"t"))
    g = gate(upstream=s)
    port = free_port()
    run = g.reload({"limits": {"target": "256B"}, "problems": "https://x.test/p",
                    "listeners": {"other": {"address": f"127.0.0.1:{port}"}},
                    "upstreams": {"u": {"targets": [t.url]}},
                    "apis": {"b": {"path": "/b", "upstream": "u"}}})
    assert "W205" not in run.stderr
    with rig.Raw(port) as c:
        assert c.get("/b").body == b"t"
    answer = g.get("/" + "x" * 300)
    assert answer.status == 414 and answer.problem["type"].startswith("https://x.test/p")
    g.reload({})
    assert not accepts(port)


def accepts(port):
    try:
        with rig.Raw(port) as c:
            return c.get("/").status > 0
    except (OSError, EOFError):
        return False


def test_a_listener_may_have_limits_of_its_own_and_the_rest_is_the_tops(gate, server):
    port = free_port()
    g = gate(upstream=server(), limits={"target": "300B", "fields": 20},
             listeners={"main": {}, "wide": {"address": f"127.0.0.1:{port}",
                                             "limits": {"target": "2KiB"}}})

    def ask(to, length, fields):
        with rig.Raw(to) as c:
            return c.get("/" + "x" * length, [(f"X-{i}", "v") for i in range(fields)]).status
    assert [ask(g.port, 200, 1), ask(g.port, 400, 1), ask(g.port, 1, 30)] == [200, 414, 431]
    assert [ask(port, 400, 1), ask(port, 2100, 1), ask(port, 1, 30)] == [200, 414, 431]
