"""Listeners, channels, APIs and routes: who answers, in which order, and what is said where nobody
does."""
import pytest
import rig


def named(name):
    """A route's policies: the upstream sees which one it was."""
    return {"headers": {"request": {"set": {"X-Route": name}}}}


def through(g, s, target, method="GET", fields=None, host="a.test", **options):
    """The route that served it, or the status of who refused."""
    answer = g.request(method, target, fields or {}, host=host, **options)
    return s.requests[-1].header("x-route") if answer.status == 200 else answer.status


def test_hosts_lead_to_channels_exact_then_wildcard_then_any(gate, server):
    s = server()
    names = {"exact": ["api.example.com"], "wild": ["*.example.com"],
             "deep": ["*.eu.example.com"], "any": []}
    g = gate(channels={n: {"hosts": h, "policies": named(n)} if h else {"policies": named(n)}
                       for n, h in names.items()},
             apis={"a": {"path": "/", "channels": list(names), "upstream": s.url}})
    for host, channel in [("api.example.com", "exact"), ("API.Example.COM", "exact"),
                          ("api.example.com:8080", "exact"), ("api.example.com.", "exact"),
                          ("x.example.com", "wild"), ("x.y.example.com", "wild"),
                          ("x.eu.example.com", "deep"), ("eu.example.com", "wild"),
                          ("example.com", "any"), ("127.0.0.1", "any"), ("[::1]:80", "any"),
                          ("xexample.com", "any")]:
        assert through(g, s, "/", host=host) == channel, host


def test_a_channel_is_there_on_its_listeners_only(gate, server):
    from rig.ports import free_port
    s, other = server(), free_port()
    g = gate(listeners={"main": {}, "side": {"address": f"127.0.0.1:{other}"}},
             channels={"in": {"listener": "side", "policies": named("in")},
                       "out": {"listener": "main", "hosts": ["out.test"],
                               "policies": named("out")}},
             apis={"a": {"path": "/", "channels": ["in", "out"], "upstream": s.url},
                   "b": {"path": "/b", "channels": ["in"], "upstream": s.url}})
    assert through(g, s, "/", host="out.test") == "out"
    assert through(g, s, "/", host="in.test") == 421
    assert through(g, s, "/b", host="out.test") == "out"  # by the API at /
    with rig.Raw(other) as c:
        assert c.get("/", host="out.test").status == 200
        assert s.requests[-1].header("x-route") == "in"
        assert c.get("/b", host="anything.test").status == 200


def test_an_unknown_host_is_421_before_anything_else(gate, server):
    g = gate(channels={"c": {"hosts": ["known.test"]}}, apis={
        "a": {"path": "/a", "channels": ["c"], "upstream": server(never=True).url,
              "routes": {"GET /x": {}}}})
    for target in ("/a/x", "/nothing", "/A/x"):
        answer = g.get(target, host="unknown.test")
        assert (answer.status, answer.code) == (421, "wrong-host")
        assert g.record(answer).reason == "wrong-host"
    assert g.get("/nothing", host="known.test").code == "not-found"


def test_the_longest_path_of_an_api_owns_what_is_below_it(gate, server):
    s = server()
    g = gate(apis={name: {"path": path, "upstream": s.url + "/up", "policies": named(name)}
                   for name, path in {"root": "/", "o": "/orders", "v2": "/orders/v2",
                                      "slash": "/slash/"}.items()})
    for target, name, sent in [
            ("/", "root", "/up/"), ("/x", "root", "/up/x"), ("/orders", "o", "/up"),
            ("/orders/", "o", "/up/"), ("/orders/7?a=b", "o", "/up/7?a=b"),
            ("/orders/v2", "v2", "/up"), ("/orders/v2/x", "v2", "/up/x"),
            ("/orders/v2x", "o", "/up/v2x"), ("/ordersx", "root", "/up/ordersx"),
            ("/slash/x", "slash", "/up/x"), ("/slash", "slash", "/up")]:
        assert through(g, s, target) == name, target
        assert s.requests[-1].target == sent, target


def test_what_is_below_an_api_with_routes_is_its_own_and_nobody_elses(gate, server):
    s = server()
    g = gate(apis={"root": {"path": "/", "upstream": s.url, "policies": named("root")},
                   "o": {"path": "/o", "upstream": s.url, "routes": {"GET /x": named("x")}}})
    assert through(g, s, "/o/x") == "x"
    assert through(g, s, "/o/y") == 404
    assert through(g, s, "/o") == 404


def test_segment_by_segment_a_literal_then_a_parameter_then_the_tail(gate, server):
    s = server()
    paths = ["/x/y", "/x/{id}", "/{a}/y", "/x/{rest*}", "/{rest*}", "/x/{id}/z", "/"]
    g = gate(apis={"a": {"path": "/api", "upstream": s.url,
                         "routes": {path: named(path) for path in paths}}})
    for target, route in [("/x/y", "/x/y"), ("/x/q", "/x/{id}"), ("/q/y", "/{a}/y"),
                          ("/x/q/z", "/x/{id}/z"), ("/x/q/w", "/x/{rest*}"), ("/q/q", "/{rest*}"),
                          ("/x/y/", "/x/y"), ("/q", "/{rest*}"), ("", "/"), ("/", "/")]:
        assert through(g, s, "/api" + target) == route, target


def test_a_method_that_is_named_then_any_and_405_with_what_there_is(gate, server):
    s = server()
    g = gate(apis={"a": {"path": "/", "upstream": s.url, "routes": {
        "GET /x": named("get"), "/x": named("any"), "GET /y": named("y-get"),
        "PUT /y": named("y-put"), "PROPFIND /y": named("y-prop"), "/{rest*}": named("rest"),
        "some": {"match": {"methods": ["GET", "POST"], "path": "/z"}, **named("some")}}}})
    assert through(g, s, "/x") == "get" and through(g, s, "/x", "HEAD") == "get"
    assert through(g, s, "/x", "DELETE") == "any" and through(g, s, "/x", "BREW") == "any"
    assert through(g, s, "/y", "PROPFIND") == "y-prop"
    assert through(g, s, "/z", "POST", body=b"") == "some"
    for method, target, allow in [("POST", "/y", {"GET", "HEAD", "PUT", "PROPFIND"}),
                                  ("get", "/y", {"GET", "HEAD", "PUT", "PROPFIND"}),
                                  ("OPTIONS", "/y", {"GET", "HEAD", "PUT", "PROPFIND"}),
                                  ("PUT", "/z", {"GET", "HEAD", "POST"})]:
        answer = g.request(method, target, body=b"" if method in ("POST", "PUT") else None)
        assert (answer.status, answer.code) == (405, "method-not-allowed")
        assert {m.upper() for m in answer.head.members("allow")} == allow
        assert g.record(answer).reason == "method-not-allowed"


def test_conditions_more_before_fewer_and_values_before_any(gate, server):
    s = server()
    conditions = {"plain": {}, "one": {"headers": {"X-V": "1"}}, "any": {"headers": {"X-V": "*"}},
                  "two": {"headers": {"X-V": "1"}, "query": {"q": "a b"}},
                  "query": {"query": {"mode": "*"}}}
    g = gate(apis={"a": {"path": "/", "upstream": s.url, "routes": {
        name: {"match": {"path": "/x", "methods": "GET", **match}, **named(name)}
        for name, match in conditions.items()}}})
    for target, fields, route in [
            ("/x", {}, "plain"), ("/x", {"X-V": "1"}, "one"), ("/x", {"x-v": "2"}, "any"),
            ("/x", {"X-V": "2, 1"}, "one"), ("/x?q=a%20b", {"X-V": "1"}, "two"),
            ("/x?q=a+b", {"X-V": "1"}, "two"), ("/x?q=a", {"X-V": "1"}, "one"),
            ("/x?mode=1", {}, "query"), ("/x?mode", {}, "query"), ("/x?MODE=1", {}, "plain"),
            ("/x?q=a+b&q=c", {"X-V": "1"}, "one")]:
        assert through(g, s, target, fields=fields) == route, (target, fields)


def test_a_condition_that_nobody_meets_leads_to_the_next_template(gate, server):
    s = server()
    g = gate(apis={"a": {"path": "/", "upstream": s.url, "routes": {
        "new": {"match": {"path": "/x/y", "headers": {"X-New": "1"}}, **named("new")},
        "/x/{id}": named("old")}}})
    assert through(g, s, "/x/y") == "old"
    assert through(g, s, "/x/y", fields={"X-New": "1"}) == "new"


def test_a_route_may_have_a_service_of_its_own(gate, server):
    s, t = server(), server(rig.http1.response(200, b"t"))
    g = gate(upstreams={"t": {"targets": [t.url + "/t"]}}, apis={"a": {
        "path": "/a", "upstream": s.url, "routes": {
            "/x": {}, "/y": {"upstream": "t"}, "/z": {"upstream": t.url + "/z"}}}})
    assert [bytes(g.get(f"/a/{p}").body) for p in "xyz"] == [b"ok", b"t", b"t"]
    assert [r.target for r in t.requests] == ["/t/y", "/z/z"]


CONFLICTS = [  # code, what it says, configuration
    ("E208", "GET /x/{b}", {"apis": {"a": {"upstream": "http://u", "routes": {
        "GET /x/{a}": {}, "GET /x/{b}": {}}}}}),
    ("E208", "two", {"apis": {"a": {"upstream": "http://u", "routes": {
        "one": {"match": {"path": "/x", "headers": {"X-A": "1"}}},
        "two": {"match": {"path": "/x", "headers": {"x-a": "1"}}}}}}}),
    ("E208", "/x", {"apis": {"a": {"upstream": "http://u", "routes": {
        "/x": {}, "two": {"match": {"path": "/x/"}}}}}}),
    ("E209", "b", {"apis": {"a": {"path": "/x", "upstream": "http://u"},
                            "b": {"path": "/x/", "upstream": "http://u"}}}),
    ("E203", "d", {"channels": {"c": {"hosts": ["a.test"]}, "d": {"hosts": ["A.test"]}},
                   "apis": {"a": {"channels": ["c", "d"], "upstream": "http://u"}}}),
    ("E203", "d", {"channels": {"c": {}, "d": {}},
                   "apis": {"a": {"channels": ["c", "d"], "upstream": "http://u"}}}),
    ("E207", "a", {"channels": {"c": {}}, "apis": {"a": {"upstream": "http://u"}}}),
    ("E204", "", {"listeners": {"x": {"address": "127.0.0.1:1"}, "y": {"address": "127.0.0.1:1"}},
                  "apis": {"a": {"upstream": "http://u"}}}),
    ("E210", "a", {"apis": {"a": {}}}), ("E202", "u", {"apis": {"a": {"upstream": "u"}}}),
    ("E113", "", {"apis": {"a": {"upstream": "http://u", "routes": {"/{rest*}/x": {}}}}}),
    ("E113", "", {"apis": {"a": {"upstream": "http://u", "routes": {"/{a}/{a}": {}}}}}),
    ("E113", "", {"apis": {"a": {"upstream": "http://u", "routes": {"/x{a}": {}}}}}),
    ("E113", "", {"apis": {"a": {"upstream": "http://u", "path": "/a/../b"}}}),
    ("E206", "", {"apis": {"a": {"upstream": "http://u", "routes": {
        "GET /x": {"match": {"path": "/y"}}}}}})]


@pytest.mark.parametrize("code, word, config", CONFLICTS,
                         ids=[f"{row[0]}-{i}" for i, row in enumerate(CONFLICTS)])
def test_what_cannot_be_decided_is_refused_at_load_with_both_places(gate, code, word, config):
    g = gate(config, ready=False, exit=78, records=False)
    assert g.wait_exit() == 78
    said = g.stderr()
    assert f"error[{code}]" in said and word in said and "^" in said, said
    assert ("::: " in said) == (code in ("E203", "E204", "E208", "E209")), said


def test_a_reload_that_conflicts_changes_nothing(gate, server):
    s = server()
    g = gate(apis={"a": {"path": "/", "upstream": s.url}})
    run = g.reload({"apis": {"b": {"path": "/", "upstream": s.url}}}, expect=78)
    assert "E209" in run.stdout + run.stderr
    assert g.get("/").status == 200


# Row 145: two readings of one path.

@pytest.mark.parametrize("strict, other, refused", [
    # a literal with upper case: who asks for the lower case could mean it
    ("/Admin", "/{rest*}", ["/admin", "/ADMIN", "/aDmin/", "/admin;x"]),
    ("/admin", "/{rest*}", ["/ADMIN", "/admin;x", "/admin%2f", "/admin.", "/admin%20", "/admin..",
                            "/admin;", "/./admin;x", "//admin;x", "/admin%3Fx", "/x%2f..%2fadmin"]),
    ("/x/{id}", "/{rest*}", ["/X/7", "/x;a/7", "/x%2f7"])])
def test_a_path_that_may_be_read_as_protected_is_not_served(gate, server, strict, other, refused):
    s = server()
    g = gate(consumers={"acme": {"api_key": "key-of-acme-0123456789"}}, apis={
        "a": {"path": "/", "upstream": s.url, "routes": {
            strict: {"auth": "api_key"}, other: {}}}})
    assert g.get(strict.replace("{id}", "7")).status == 401
    for path in refused:
        answer = g.get(path)
        assert answer.status in (400, 401, 404), (path, answer.status)
    assert not s.requests
    assert g.get("/elsewhere").status == 200


def test_where_the_looser_reading_is_a_405_or_a_404_it_is_not_served_either(gate, server):
    """GET /admin is not offered, so GET /Admin must not pass for something else."""
    s = server()
    g = gate(apis={"a": {"path": "/", "upstream": s.url, "routes": {
        "POST /admin": {}, "/{rest*}": {}}},
        "b": {"path": "/b", "upstream": s.url, "routes": {"/x": {}}}})
    assert g.get("/admin").status == 405
    assert g.get("/ADMIN").status == 404 and g.get("/admin;x").status == 404
    assert g.get("/B/y").status == 404 and g.get("/b/y").status == 404
    assert not s.requests


@pytest.mark.parametrize("path, target", [
    ("//x", "/x"), ("/./x", "/x"), ("/a/../x", "/x"), ("/%78", "/x"), ("/x/.", "/x/"),
    ("/x//y", "/x/y"), ("/%e4", "/%E4"), ("/x;a=1", "/x;a=1"), ("/x%20y", "/x%20y")])
def test_one_normal_path_decides_and_is_sent_on(gate, server, path, target):
    s = server()
    g = gate(upstream=s)
    assert g.get(path).status == 200
    assert s.request.target == target
