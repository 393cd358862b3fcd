"""`gate diff`: what changes, and what that means."""
import subprocess

import pytest

BEFORE = """
policies: { timeout: 10s }
apis:
  orders:
    upstream: http://localhost:9000
    policies: { auth: api_key, rate_limit: 100/min }
    routes:
      GET /: {}
      GET /old: {}
      POST /: { rate_limit: 60/min }
consumers:
  acme: { api_key: "a-key-that-is-long-enough" }
  bert: { api_key: "another-key-that-is-long" }
"""
AFTER = BEFORE.replace("GET /old: {}", "GET /new: {}").replace("60/min", "30/min").replace(
    "timeout: 10s", "timeout: { response: 20s }").replace(
    '  acme: { api_key: "a-key-that-is-long-enough" }\n', "")


@pytest.fixture
def diff(folder):
    folder.write("before.yaml", BEFORE)
    folder.write("gateway.yaml", AFTER)

    def run(*arguments, code=0):
        return folder.gate("diff", *arguments, code=code)
    return run


def find(changes, what):
    return [c for c in changes if c["what"] == what][0]


def test_what_is_written_is_compared_value_by_value(diff):
    changes = diff("--from", "before.yaml", "--json").json()["changes"]
    gone = find(changes, "apis.orders.routes.GET /old")
    assert gone["kind"] == "removed" and gone["place"] == "before.yaml:8"
    limit = find(changes, "apis.orders.routes.POST /.rate_limit.rate")
    assert (limit["was"], limit["is"]) == ("60/min", "30/min")
    assert limit["place"] == "gateway.yaml:9"
    assert find(changes, "apis.orders.routes.GET /new")["kind"] == "added"


def test_removals_come_first(diff):
    kinds = [c["kind"] for c in diff("--from", "before.yaml", "--json").json()["changes"]]
    assert kinds == sorted(kinds, key=["removed", "changed", "added"].index)


def test_what_it_means_is_told_route_by_route(diff):
    effects = diff("--from", "before.yaml", "--json").json()["effects"]
    assert find(effects, "api orders, GET /old")["was"] == "no longer offered"
    assert "401" in find(effects, "consumer acme")["was"]
    assert find(effects, "api orders, POST /: rate_limit")["is"] == "30/min"
    assert find(effects, "api orders, GET / and 1 more: timeout")["was"] == "10s"


def test_the_form_of_what_is_written_is_no_difference(folder):
    folder.write("gateway.yaml", "apis: { a: { upstream: http://localhost:1, policies: "
                                 "{ rate_limit: 5/s } } }\n")
    folder.write("long.yaml", """
        include: [more/*.yaml]
        drain: 30s
    """)
    folder.write("more/a.yaml", """
        apis:
          a:
            path: /a
            policies:
              rate_limit: { rate: 5/s, burst: 0 }
            upstream: http://localhost:1
    """)
    r = folder.gate("diff", "--from", "long.yaml", "--exit-code", "--json")
    assert (r.code, r.json()["changes"], r.json()["effects"]) == (0, [], [])


def test_differences_are_2_when_asked_for(diff, folder):
    diff("--from", "before.yaml")
    diff("--from", "before.yaml", "--exit-code", code=2)
    assert folder.gate("diff", "-c", "before.yaml", "--from", "before.yaml", "--exit-code",
                       code=0).out == ""


def test_a_floor_and_what_it_takes_away_are_seen(folder):
    folder.write("before.yaml", "apis: { a: { upstream: http://localhost:1 } }\n")
    folder.write("gateway.yaml", "enforce: { body_limit: 1KiB }\n"
                                 "apis: { a: { upstream: http://localhost:1 } }\n")
    r = folder.gate("diff", "--from", "before.yaml", code=0)
    assert "body_limit" in r.out and "always 1KiB" in r.out


def test_secrets_are_never_shown(diff, folder):
    folder.write("gateway.yaml", BEFORE.replace("a-key-that-is-long-enough", "changed-key-changed"))
    r = diff("--from", "before.yaml")
    assert "consumers.acme.api_key" in r.out and "key-that-is" not in r.out
    assert "changed-key" not in r.out


def test_git_is_what_it_is_compared_with(folder):
    def git(*arguments):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.test", *arguments],
                       cwd=folder.path, check=True, capture_output=True)
    folder.write("gate/gateway.yaml", "include: [apis/*.yaml]\n")
    folder.write("gate/apis/a.yaml", "apis: { a: { upstream: http://localhost:1 } }\n")
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "first")
    folder.write("gate/apis/a.yaml", "apis: { a: { upstream: http://localhost:2 } }\n")
    folder.write("gate/apis/b.yaml", "apis: { b: { upstream: http://localhost:1 } }\n")
    r = folder.gate("diff", "-c", "gate/gateway.yaml", "--json", code=0).json()
    assert {(c["kind"], c["what"]) for c in r["changes"]} == {
        ("changed", "apis.a.upstream"), ("added", "apis.b")}
    (folder.path / "gate/apis/a.yaml").unlink()
    r = folder.gate("diff", "-c", "gate/gateway.yaml", "--from", "git:HEAD", "--json").json()
    assert ("removed", "apis.a") in {(c["kind"], c["what"]) for c in r["changes"]}
    for ref in ("git:nope", "git:--output=x", "git:"):
        folder.gate("diff", "-c", "gate/gateway.yaml", "--from", ref, code=66)


def test_without_git_it_says_what_to_do(folder):
    folder.write("gateway.yaml", BEFORE)
    assert "--from FILE" in folder.gate("diff", code=66).err


def test_a_bad_side_is_told_and_is_78(diff, folder):
    folder.write("bad.yaml", "apsi: {}\n")
    assert "E104" in diff("--from", "bad.yaml", code=78).err
    folder.write("gateway.yaml", "apsi: {}\n")
    diff("--from", "before.yaml", code=78)
