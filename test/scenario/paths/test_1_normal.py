"""Section G of the security catalogue: one path, in one form, for deciding and for forwarding."""
import itertools
import random
import re

import pytest
import rig

KEY = "key-of-acme-0123456789"


def api(path, url, mark, **policies):
    """An API whose requests bear its mark, so that the upstream sees where they came through."""
    return {"path": path, "upstream": url,
            "policies": {"headers": {"request": {"set": {"X-Through": mark}}}, **policies}}


@pytest.fixture(scope="module")
def door(gates, servers):
    server = servers()
    return rig.Door(gates, server, canary="/public/canary",
                    consumers={"acme": {"api_key": KEY}}, apis={
                        "admin": api("/admin", server.url + "/admin", "admin", auth="api_key"),
                        "public": api("/public", server.url + "/public", "public"),
                        "root": api("/", server.url, "root")})


def ask(door, path, status=None):
    """What became of a request without a key: its status, and what the upstream saw of it."""
    count = len(door.server.requests)
    with rig.Raw(door.gate.port) as c:
        c.send(b"GET " + rig.http1.as_bytes(path) + b" HTTP/1.1\r\nHost: a.test\r\n\r\n")
        answer = c.read()
    seen = door.since(count)
    assert len(seen) == (answer.status == 200)
    if status is not None:
        assert answer.status == status, (answer.status, answer.body)
    if not seen:
        return answer.status, None, None
    return answer.status, seen[0].header("x-through"), seen[0].target


def decode(path):
    """As the loosest back end might: everything decoded, again and again."""
    before = None
    path = path.encode("latin-1") if isinstance(path, str) else path
    while before != path:
        before = path
        for value in range(256):
            for form in (b"%%%02x" % value, b"%%%02X" % value):
                path = path.replace(form, bytes([value]))
    return path


def loosest(path):
    """Where the loosest back end might end up with this target."""
    for mark in b"?#":
        path = path.split(bytes([mark]))[0]
    path = decode(path)
    for i, byte in enumerate(path):
        if byte < 0x20 or byte == 0x7f or byte in b"?#":
            path = path[:i]
            break
    out = []
    for segment in path.replace(b"\\", b"/").lower().split(b"/"):
        segment = segment.split(b";")[0].rstrip(b" ")
        if segment == b"..":
            out = out[:-1]
        elif segment.rstrip(b". "):
            out.append(segment.rstrip(b". "))
    return b"/" + b"/".join(out)


TRAVERSALS = ["/public/../admin", "/public/%2e%2e/admin", "/public/.%2E/admin",
              "/public/..;/admin", "/public/..%2fadmin", "/public/%2e%2e%2fadmin",
              "/public/..%5cadmin", "/public/%252e%252e/admin", "/public/..\\admin",
              "/public/..%252fadmin", "/public/.;/../admin", "/public/..;x=1/admin",
              "/public/x/..;/..;/admin", "/public/%2e%2e;/admin", "/public/..%3b/admin",
              "/public/..%00/admin", "/public/..%0d%0a/admin", "/public/...//admin",
              "/public/../../../admin", "/../admin", "/%2e%2e/admin", "/public/./../admin",
              "/public//../admin", "/public/%2E./%61dmin",
              "/public/../ADMIN", "/./public/../admin/x"]


@pytest.mark.parametrize("path", TRAVERSALS, ids=lambda path: f"G144-{path}")
def test_what_climbs_is_judged_where_it_arrives(door, path):
    """401 from /admin itself, or refused; never served by what is open."""
    status, through, target = ask(door, path)
    assert status in (400, 401, 404) or through == "public" and not loosest(
        target.encode()).startswith(b"/admin"), (status, through, target)


SAME = ["//admin", "/./admin", "/admin/", "/admin//", "/admin/.", "/%61dmin", "/admin?x",
        "/admin/x/..", "/public/../admin", "///admin", "/%61%64%6d%69%6e", "/x/../admin"]
OTHER = ["/ADMIN", "/admin;x=1", "/admin%20", "/admin%00", "/admin.", "/admin%09", "/admin#x",
         "/admin%3f", "/admin%23", "/admin%3Fx", "/Admin/x", "/admin%2f", "/admin%5c", "/admin%2e",
         "/admin..", "/admin.%20.", "/admin;", "/admin%3bx", "/%41dmin", "/admin%20/x", "/%2fadmin",
         "/;x/admin", "/admin%252f", "/%2561dmin", "/x%2f..%2fadmin",
         "/admin%25%32%66", "/admin/%2e%2e%2fadmin", "/admin%7f", "/\\admin",
         "/.;/admin", "/admin%0a", "/admin%5c.."]


@pytest.mark.parametrize("path", SAME, ids=lambda path: f"G145-{path}")
def test_another_spelling_meets_the_same_rule(door, path):
    assert ask(door, path)[0] == 401
    answer = door.gate.get(path, {"X-API-Key": KEY})
    assert answer.status == 200
    seen = door.server.requests[-1]
    assert seen.header("x-through") == "admin"
    assert seen.target.split("?")[0].rstrip("/").startswith("/admin")


@pytest.mark.parametrize("path", OTHER, ids=lambda path: f"G145-{path}")
def test_what_could_be_read_as_protected_is_never_served_open(door, path):
    assert ask(door, path)[0] in (400, 401, 404)


def test_G145_the_reason_is_told(door):
    mark = door.gate.mark()
    answer = door.gate.get("/ADMIN")
    assert (answer.status, answer.code) == (404, "ambiguous-path")
    door.gate.wait_logs(lambda all_: [r for r in all_ if r.reason == "ambiguous-path"], since=mark)


def test_G145_where_it_is_allowed_the_strict_reading_holds(gate, server):
    s = server()
    g = gate({"consumers": {"acme": {"api_key": KEY}}}, apis={
        "admin": api("/admin", s.url + "/admin", "admin", auth="api_key"),
        "root": {**api("/", s.url, "root"), "path_strict": False}})
    assert g.get("/ADMIN").status == 200
    assert s.request.header("x-through") == "root"
    assert g.get("/admin").status == 401


def test_G145_alike_protected_readings_are_no_matter(gate, server):
    s = server()
    g = gate(apis={"a": api("/a", s.url, "a"), "b": {"path": "/b", "upstream": s.url}})
    assert g.get("/a/x;y/Z.").status == 200
    assert g.get("/b/%41/x%20").status == 200


PIECES = ["/", "..", ".", "admin", "public", "ADMIN", "%2f", "%2e", ";", "%5c", "%25", "%32", "%66",
          "//", "%61dmin", "x", "%20", "%00", "?", "%3f", "%2e%2e", "\\", "...", ";a=b", "%c0%ae"]


@pytest.mark.timeout(120)
def test_S363_no_spelling_of_random_pieces_opens_what_is_protected(door):
    """Whatever is served without a key cannot be read as /admin, however loosely."""
    chance = random.Random(145)
    served = 0
    connection = rig.Raw(door.gate.port)
    for number in range(4000):
        path = "/" + "".join(chance.choices(PIECES, k=chance.randrange(1, 9)))
        count = len(door.server.requests)
        connection.send(f"GET {path} HTTP/1.1\r\nHost: a.test\r\n\r\n")
        answer = connection.read()
        if answer.status == 200:
            served += 1
            seen, = door.since(count)
            assert seen.header("x-through") in ("public", "root")
            for reading in (path.encode(), seen.target.encode()):
                assert loosest(reading)[:7] not in (b"/admin", b"/admin/"), (path, seen.target)
        else:
            assert answer.status in (400, 401, 404), (path, answer.status)
        if not answer.keep_alive:
            connection.close()
            connection = rig.Raw(door.gate.port)
    assert served > 500, "too few were served to show anything"


def test_S362_a_normal_path_stays_what_it_is(door):
    """norm(norm(p)) = norm(p): what was sent on is sent on alike when it comes again."""
    chance = random.Random(362)
    connection = rig.Raw(door.gate.port)
    odd = ["%41", "%7e", "[", "]", "{", "|", "^", "\"", "<", "`", "'", "%e2%82%ac", "+", "&", "=",
           ":", "@", "!", "$", "(", ")", "*", ",", "/./", "//", "/../", "a", "%20", "%25"]
    for _ in range(1500):
        path = "/public/" + "".join(chance.choices(odd, k=chance.randrange(1, 7)))
        count = len(door.server.requests)
        answer = connection.get(path)
        if answer.status != 200:
            connection.close()
            connection = rig.Raw(door.gate.port)
            continue
        first, = door.since(count)
        assert connection.get(first.target).status == 200
        assert door.server.requests[-1].target == first.target, path


@pytest.mark.parametrize("path", ["/api../admin", "/api%2e%2e/admin", "/api/%2e%2e/admin",
                                  "/api/..;/admin", "/api/..%2fadmin", "/api;/../admin",
                                  "/apix/admin", "/api./admin", "/api/x/../../admin"],
                         ids=lambda p: f"G146-{p}")
def test_a_prefix_that_is_taken_off_opens_nothing(gate, server, path):
    s = server()
    g = gate({"consumers": {"acme": {"api_key": KEY}}}, apis={
        "api": api("/api", s.url + "/inner", "api"),
        "admin": api("/admin", s.url + "/admin", "admin", auth="api_key")})
    answer = g.get(path)
    assert answer.status in (400, 401, 404), (path, answer.status)
    assert s.requests == []


@pytest.mark.parametrize("path, status", [
    ("/a/b", 200), ("/a/..%2fb", 400), ("/a/%2e%2e", 200), ("/a/b;x", 200), ("/a/%252e%252e", 200),
    ("/a/%2e%2e/%2e%2e/up", 200), ("/a/..;/x", 400)], ids=lambda v: f"G146-{v}")
def test_a_rewrite_stays_below_where_it_leads(gate, server, path, status):
    s = server()
    g = gate(apis={"a": {"path": "/", "upstream": s.url + "/base", "routes": {
        "/a/{rest*}": {"rewrite": "/public/{rest}"}, "/{rest*}": {"redirect": "/elsewhere"}}}})
    answer = g.get(path)
    if s.requests:
        target = s.request.target
        assert answer.status == status == 200
        assert target.startswith("/base/public/") and "/../" not in target + "/"
    else:
        assert answer.status in (308, 400, 404)


@pytest.mark.parametrize("path", ["/administrator", "/admin-x", "/admin_", "/admins/x", "/adminx"],
                         ids=lambda p: f"G147-{p}")
def test_a_prefix_ends_where_a_segment_ends(door, path):
    assert ask(door, path) == (200, "root", path)


def test_G148_a_dot_in_a_host_or_path_is_a_dot(gate, server):
    s = server()
    g = gate({"channels": {"c": {"hosts": ["api.test"]}},
              "apis": {"a": {"path": "/v1.0", "channels": ["c"], "upstream": s.url}}})
    assert g.get("/v1.0/x", host="api.test").status == 200
    assert g.get("/v1.0/x", host="apixtest").status == 421
    assert g.get("/v1x0/x", host="api.test").status == 404


@pytest.mark.parametrize("method", ["FOO", "PROPFIND", "post", "POSTX", "PATCH", "DELETE", "QUERY"],
                         ids=lambda m: f"G150-{m}")
def test_a_method_that_is_not_listed_is_not_open(gate, server, method):
    s = server(never=True)
    g = gate({"consumers": {"acme": {"api_key": KEY}}}, apis={"a": {
        "path": "/", "upstream": s.url, "routes": {"POST /x": {"auth": "api_key"}, "GET /x": {}}}})
    answer = g.request(method, "/x")
    assert (answer.status, answer.code) == (405, "method-not-allowed")
    assert g.request("POST", "/x", body=b"").status == 401


@pytest.mark.parametrize("path", ["/public/%zz", "/public/%", "/public/%u002f", "/public/%2",
                                  "/public/x%2", "/public/%%32f", "/public/%-1", "/public/% 2f",
                                  "/public/%0", "/public/%00", "/public/%1f", "/public/%7F"],
                         ids=lambda p: f"G151-{p}")
def test_an_escape_that_is_none_is_refused(door, path):
    door.refused(f"GET {path} HTTP/1.1\r\nHost: a.test\r\n\r\n")


@pytest.mark.parametrize("path", ["/public/%c0%af..%c0%afadmin", "/public/%e0%80%af",
                                  "/public/%ff%fe", "/admin%c0%af", "/public/%ef%bc%8fadmin",
                                  "/public/%c0%ae%c0%ae/admin"],
                         ids=lambda p: f"G151-{p}")
def test_bytes_that_are_no_utf_8_are_data(door, path):
    spelled = re.sub("%..", lambda escape: escape[0].upper(), path)
    through = "root" if path.startswith("/admin") else "public"
    assert ask(door, path) == (200, through, spelled)


def test_G152_the_order_of_writing_decides_nothing(gate, server):
    """One winner for each request, whatever the order in the file; reloads between the orders."""
    chance = random.Random(152)
    s = server()
    routes = {"GET /x/y": "literal", "GET /x/{id}": "param", "/x/{rest*}": "rest",
              "GET /{a}/y": "early-param", "/x/y": "any-method", "POST /x/{id}": "post"}
    asked = [("GET", "/x/y"), ("POST", "/x/y"), ("PUT", "/x/y"), ("GET", "/x/z"), ("PUT", "/x/z"),
             ("GET", "/w/y"), ("GET", "/x/y/z"), ("POST", "/x/z")]

    def config():
        names = list(routes)
        chance.shuffle(names)
        return {"apis": {"a": {"path": "/", "upstream": s.url, "routes": {
            name: {"headers": {"request": {"set": {"X-Route": routes[name]}}}} for name in names}}}}
    g = gate(config())
    found = set()
    for number in range(25):
        connection = g.raw()
        found.add(tuple(route_of(s, connection, method, path) for method, path in asked))
        connection.close()
        g.reload(config())
    assert len(found) == 1, found
    assert found.pop() == ("literal", "any-method", "any-method", "param", 405, "early-param",
                           "rest", "post")


def route_of(server, connection, method, path):
    answer = connection.request(method, path, body=b"" if method in ("POST", "PUT") else None)
    return server.requests[-1].header("x-route") if answer.status == 200 else answer.status


def test_G153_a_parameter_never_becomes_two_segments(gate, server):
    s = server()
    g = gate(apis={"a": {"path": "/", "upstream": s.url, "routes": {
        "/users/{id}": {"headers": {"request": {"set": {"X-Id": "${param.id}"}}}}}}})
    assert g.get("/users/a%2Fb").status == 400
    assert g.get("/users/a%5Cb").status == 400
    assert g.get("/users/a/b").status == 404
    for spelled, normal in (("a%3Ab", "a%3Ab"), ("a:b", "a:b"), ("%41", "A"), ("a%20b", "a%20b")):
        assert g.get(f"/users/{spelled}").status == 200
        assert s.requests[-1].header("x-id") == normal
        assert s.requests[-1].target == f"/users/{normal}"


QUERIES = ["a=1&a=2", "a[]=", "a=1;b=2", "%61=1", "a=%zz", "a=b=c", "&&a", "a?b/c", "", "a=%00",
           "x=/../admin", "u=http://a.test/%2e%2e", "q=%E2%82%AC+%2B", "'\"<>`{}|^\\"]


@pytest.mark.parametrize("query", QUERIES, ids=lambda q: f"G154-{q}")
def test_the_query_is_sent_on_as_it_came(door, query):
    request = door.passes(f"GET /public/q?{query} HTTP/1.1\r\nHost: a.test\r\n\r\n").request
    assert request.target == f"/public/q?{query}"


def test_G154_a_query_condition_is_read_in_one_way(gate, server):
    """Two values that disagree hold neither way; names and values are decoded once."""
    s = server()
    g = gate(apis={"a": {"path": "/", "upstream": s.url, "routes": {
        "/{rest*}": {"headers": {"request": {"set": {"X-Mode": "other"}}}},
        "fast": {"match": {"path": "/{rest*}", "query": {"mode": "fast"}},
                 "headers": {"request": {"set": {"X-Mode": "fast"}}}}}}})
    for query, mode in (("mode=fast", "fast"), ("%6dode=f%61st", "fast"), ("MODE=fast", "other"),
                        ("mode=slow&mode=fast", "other"), ("mode=fast;x", "other"),
                        ("mode=fast&mode=slow", "other"),
                        ("mode=%2566ast", "other"), ("x=1&mode=fast&y", "fast"), ("mode", "other"),
                        ("mode=fast&mode=fast", "fast"), ("mode=fas%74%00", "other")):
        assert g.get(f"/?{query}").status == 200
        assert s.requests[-1].header("x-mode") == mode, query


def test_G154_ten_thousand_parameters_do_not_fit(door):
    door.refused("GET /public/?" + "&".join(f"p{i}=1" for i in range(10000))
                 + " HTTP/1.1\r\nHost: a.test\r\n\r\n", 414)


def test_G154_many_parameters_cost_little(gate, server):
    s = server()
    g = gate(upstream=s, limits={"target": "64KiB", "header": "64KiB"})
    connection = g.raw()
    query = "&" * 60000
    before = g.cpu_seconds()
    for _ in range(20):
        assert connection.get(f"/?{query}").status == 200
    assert g.cpu_seconds() - before < 0.5 * (5 if "asan" in str(g.binary) else 1)


@pytest.mark.parametrize("value", ["1&admin=1", "a+b", "1&a=b", "a;b", "100%25", "x=y", "%26%3D",
                                   "%23"],
                         ids=lambda v: f"G156-{v}")
def test_what_was_taken_from_a_path_stays_a_value_in_a_query(gate, server, value):
    """Captures that need escaping behind a `?` are escaped."""
    s = server()
    g = gate(apis={"a": {"path": "/", "upstream": s.url, "routes": {
        "/users/{id}": {"rewrite": {"path": "/find", "query": "kind=user&id={id}"}},
        "/moved/{id}": {"redirect": "https://a.test/find?id={id}"}}}})
    assert g.get(f"/users/{value}").status == 200
    path, query = s.request.target.split("?")
    assert path == "/find"
    names = [pair.split("=")[0] for pair in query.split("&")]
    assert names == ["kind", "id"], query
    assert not set(query.split("id=", 1)[1]) & set("&+;=#"), query
    location = g.get(f"/moved/{value}").header("location")
    assert not set(location.split("id=", 1)[1]) & set("&+;=#"), location


@pytest.mark.parametrize("size", [1000, 8000, 8190], ids=lambda n: f"G156-{n}")
@pytest.mark.parametrize("letter", ["a", "+", "&", "%20"])
def test_a_capture_may_be_as_long_as_a_target(gate, server, size, letter):
    """It arrives whole or not at all."""
    s = server()
    names = [f"X-{i}" for i in range(20)]
    g = gate(apis={"a": {"path": "/", "upstream": s.url, "routes": {
        "/r/{rest*}": {"rewrite": "/one/{rest}/two/{rest}"},
        "/q/{rest*}": {"rewrite": {"path": "/q", "query": "a={rest}&b={rest}"}},
        "/l/{rest*}": {"redirect": "https://a.test/{rest}?{rest}"},
        "/h/{rest*}": {"headers": {"response": {"set": dict.fromkeys(names, "${path}")}}}}}})
    text = (letter * size)[:size - 5 - (size - 5) % len(letter)]
    for kind in "rqlh":
        count = len(s.requests)
        answer = g.get(f"/{kind}/{text}")
        assert answer.status in (200, 308, 400, 414, 431, 500), answer.status
        came = s.requests[count:]
        if kind == "r" and came:
            assert came[0].target == f"/one/{text}/two/{text}"
        if kind == "q" and came:
            assert came[0].target.count("=") == 2 and came[0].target.count("&") == 1
        if kind == "l" and answer.status == 308:
            assert answer.header("location").startswith(f"https://a.test/{text}?")
        if kind == "h" and answer.status == 200:
            assert {value for name, value in answer.headers if name[2:].isdigit()} == {f"/h/{text}"}
    assert g.get("/r/x").status == 200


def test_every_pair_of_spellings_agrees(door):
    """Two spellings that a browser holds for the same path meet the same rule."""
    forms = {"a": ["a", "%61"], "/": ["/", "//", "/./"], "n": ["n", "%6e", "%6E"]}
    for first, slash, last in itertools.product(forms["a"], forms["/"], forms["n"]):
        assert ask(door, f"{slash}{first}dmi{last}")[0] == 401
