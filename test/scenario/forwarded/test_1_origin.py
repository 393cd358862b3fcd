"""Section H of the security catalogue: what a request says of where it comes from and who sends it.
Strip first, then add: only the gate, and proxies it was told to trust, are believed."""
import json
import re
import socket

import pytest
import rig

LOOPBACK = "127.0.0.1"
KEY = "key-of-acme-0123456789"


@pytest.fixture(scope="module")
def door(gates, servers):
    """Nobody is trusted here."""
    return rig.Door(gates, servers())


@pytest.fixture(scope="module")
def behind(gates, servers):
    """A gate behind proxies on 127.0.0.0/8 and 10.0.0.0/8."""
    server = servers()
    return rig.Door(gates, server, apis={
        "a": {"path": "/", "upstream": server.url},
        "walled": {"upstream": server.url, "policies": {
            "ip_deny": ["6.6.6.0/24", "2001:db8:6::/48"]}},
        "limited": {"upstream": server.url, "policies": {
            "rate_limit": {"rate": "2/h per ip", "burst": 2}}}},
        listeners={"main": {"trusted_proxies": ["127.0.0.0/8", "10.0.0.0/8", "::1"]}})


def ask(door, fields, target="/x"):
    """What the upstream got for a request with these field lines, and its line in the log."""
    mark = door.gate.mark()
    answer = door.gate.get(target, fields)
    assert answer.status == 200, (answer.status, answer.body)
    request = next(r for r in door.server.requests if r.id == answer.request_id)
    line, = door.gate.wait_logs(lambda all_: [r for r in all_ if r.id == answer.request_id],
                                since=mark)
    return request, line


def test_H157_what_a_stranger_says_of_itself_is_rebuilt_from_the_socket(door):
    request, line = ask(door, [("X-Forwarded-For", "10.9.9.9"), ("X-Forwarded-For", "::1")])
    assert request.header("x-forwarded-for") == LOOPBACK
    assert request.header("forwarded").startswith(f"for={LOOPBACK};")
    assert "10.9.9.9" not in str(request.headers) and line.address == LOOPBACK


@pytest.mark.parametrize("policy", [{"ip_deny": ["127.0.0.0/8"]}, {"ip_allow": ["10.0.0.0/8"]}],
                         ids=["H157-deny", "H157-allow"])
def test_a_list_of_addresses_looks_at_the_socket(gate, server, policy):
    s = server(never=True)
    g = gate(upstream=s, policies=policy)
    for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP", "X_Forwarded_For",
                 "X-Client-IP", "CF-Connecting-IP", "X-Cluster-Client-IP"):
        value = "for=10.1.1.1" if name == "Forwarded" else "10.1.1.1"
        answer = g.get("/", {name: value})
        assert (answer.status, answer.code) == (403, "address-denied")


def test_H157_a_limit_counts_the_socket(gate, server):
    g = gate(upstream=server(), policies={"rate_limit": {"rate": "3/h per ip", "burst": 3}})
    statuses = [g.get("/", {"X-Forwarded-For": f"10.0.0.{i}"}).status for i in range(5)]
    assert statuses == [200, 200, 200, 429, 429]


WALKS = [  # X-Forwarded-For as it came, who that is
    ("one-proxy", ["1.2.3.4"], "1.2.3.4"), ("two-proxies", ["1.2.3.4, 10.0.0.1"], "1.2.3.4"),
    ("prepended", ["9.9.9.9, 1.2.3.4, 10.0.0.1"], "1.2.3.4"),
    ("prepended-trusted", ["10.6.6.6, 1.2.3.4, 10.0.0.1"], "1.2.3.4"),
    ("two-lines", ["9.9.9.9", "1.2.3.4, 10.0.0.1"], "1.2.3.4"), ("empty", [""], LOOPBACK),
    ("empty-members", ["1.2.3.4, ,10.0.0.1"], "10.0.0.1"), ("comma", [","], LOOPBACK),
    ("malformed", ["1.2.3.4, nonsense, 10.0.0.1"], "10.0.0.1"),
    ("malformed-last", ["1.2.3.4, x"], LOOPBACK),
    ("octal", ["01.2.3.4"], LOOPBACK), ("number", ["16909060"], LOOPBACK),
    ("too-large", ["1.2.3.256"], LOOPBACK), ("mapped", ["::ffff:1.2.3.4"], "1.2.3.4"),
    ("v6", ["2001:db8::1"], "2001:db8::1"), ("v6-port", ["[2001:db8::1]:443"], "2001:db8::1"),
    ("v4-port", ["1.2.3.4:5678"], "1.2.3.4"), ("zone", ["fe80::1%eth0"], LOOPBACK),
    ("unknown", ["unknown"], LOOPBACK), ("hidden", ["_hidden"], LOOPBACK),
    ("all-trusted", ["10.0.0.3, 10.0.0.2, 10.0.0.1"], "10.0.0.3"),
    ("1000-entries", [", ".join(["9.9.9.9"] * 500 + ["1.2.3.4"] + ["10.0.0.1"] * 3)], "1.2.3.4"),
    ("quotes", ['"1.2.3.4'], LOOPBACK), ("open-quote", ['9.9.9.9, "x, 1.2.3.4'], "1.2.3.4")]


@pytest.mark.parametrize("lines, client", [row[1:] for row in WALKS],
                         ids=[f"H158-{row[0]}" for row in WALKS])
def test_the_walk_goes_from_the_right_to_the_first_stranger(behind, lines, client):
    request, line = ask(behind, [("X-Forwarded-For", value) for value in lines])
    assert line.address == client
    node = f'"[{client}]"' if ":" in client else client
    assert request.header("forwarded").startswith(f"for={node};"), request.header("forwarded")
    assert request.header("x-forwarded-for").endswith(LOOPBACK)


def test_H158_too_many_entries_do_not_fit(behind):
    behind.refused(b"GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: "
                   + b",".join([b"1.2.3.4"] * 1100) + b"\r\n\r\n", 431)


@pytest.mark.parametrize("hops, status", [
    ("6.6.6.6", 403), ("6.6.6.6, 10.0.0.1", 403), ("1.1.1.1, 6.6.6.6", 403), ("1.1.1.1", 200),
    ("6.6.6.6, 1.1.1.1", 200), ("::ffff:6.6.6.6", 403), ("[2001:db8:6::1]:1", 403),
    ("2001:DB8:6:0::1", 403), ("2001:db8:7::1", 200)], ids=lambda v: f"H158-{v}")
def test_a_list_of_addresses_looks_at_who_was_found(behind, hops, status):
    assert behind.gate.get("/walled/x", {"X-Forwarded-For": hops}).status == status


FORWARDED = [('for=1.2.3.4', "1.2.3.4"), ('for=1.2.3.4, for=10.0.0.1', "1.2.3.4"),
             ('for="[2001:db8::1]:80";proto=https', "2001:db8::1"),
             ('for=9.9.9.9, for=x', LOOPBACK),
             ('by=1.1.1.1', LOOPBACK), ('for=1.2.3.4;for=9.9.9.9', LOOPBACK),
             ('for="1.2.3.4', LOOPBACK),
             ('FOR=1.2.3.4;Proto=http;by=_x', "1.2.3.4"), ('for="_x", for=1.2.3.4', "1.2.3.4")]


@pytest.mark.parametrize("value, client", FORWARDED, ids=lambda v: f"H158-{v}")
def test_forwarded_is_walked_alike(behind, value, client):
    assert ask(behind, {"Forwarded": value})[1].address == client


@pytest.mark.parametrize("name, value", [
    ("X-Forwarded-Proto", "javascript"), ("X-Forwarded-Proto", "https, http"),
    ("X-Forwarded-Host", 'evil.test";for=9.9.9.9;x="'), ("X-Forwarded-Host", "a b"),
    ("X-Forwarded-Host", "evil.test/path"), ("X-Forwarded-Host", "u@evil.test"),
    ("X-Forwarded-Host", "evil.test\\"), ("X-Forwarded-Host", "evil.test, other.test")],
    ids=lambda v: f"H158-{v}")
def test_what_a_proxy_says_must_be_what_it_is_for(behind, name, value):
    """A proxy may pass on what a stranger said: only a scheme is a scheme, and a host a host."""
    request, _ = ask(behind, {name: value, "X-Forwarded-For": "1.2.3.4"})
    assert request.header("x-forwarded-proto") == "http"
    assert request.header("x-forwarded-host") == "a.test"
    assert request.header("forwarded") == "for=1.2.3.4;host=a.test;proto=http"


def test_H158_what_a_trusted_proxy_says_is_passed_on(behind):
    request, _ = ask(behind, {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https",
                              "X-Forwarded-Host": "Shop.Test:8443"})
    assert request.header("x-forwarded-for") == f"1.2.3.4, {LOOPBACK}"
    assert request.header("x-forwarded-proto") == "https"
    assert request.header("x-forwarded-host") in ("shop.test:8443", "Shop.Test:8443")
    assert re.fullmatch('for=1.2.3.4;host="[Ss]hop.[Tt]est:8443";proto=https',
                        request.header("forwarded"))


ORIGIN = ["Forwarded: for=6.6.6.6;host=evil", "X-Forwarded-For: 6.6.6.6", "X-Forwarded-Host: evil",
          "X-Forwarded-Proto: evil", "X-Forwarded-Port: evil", "X-Forwarded-Prefix: /evil",
          "X-Forwarded-Server: evil", "X-Real-IP: 6.6.6.6", "X-Original-URL: /evil",
          "X-Rewrite-URL: /evil", "True-Client-IP: 6.6.6.6", "CF-Connecting-IP: 6.6.6.6",
          "X-Client-Cert: evil", "SSL-Client-Verify: evil", "X-SSL-Client-CN: evil",
          "X-Forwarded-User: evil", "X-Forwarded-Groups: evil", "X-Forwarded-Email: evil",
          "X-Forwarded-Whatever: evil", "X-Original-Host: evil",
          "X-Original-Forwarded-For: 6.6.6.6", "X-Client-IP: 6.6.6.6", "Fastly-Client-IP: 6.6.6.6",
          "X-Cluster-Client-IP: 6.6.6.6", "X-Envoy-External-Address: 6.6.6.6",
          "X-ProxyUser-Ip: 6.6.6.6", "X-SSL-Whatever: evil", "X-Forwarded-Client-Cert: evil",
          "Remote-User: evil", "Remote-Groups: evil", "Remote-Addr: 6.6.6.6", "X-Remote-User: evil",
          "X-Consumer-ID: evil", "X-Consumer-Username: evil", "X-Authenticated-Userid: evil",
          "X-Credential-Identifier: evil", "X-Anonymous-Consumer: evil"]
EVIL = re.compile("evil|6\\.6\\.6\\.6")


def variants(line):
    name, value = line.split(": ")
    yield line
    yield f"{name.upper()}: {value}"
    yield f"{name.replace('-', '_')}: {value}"
    yield f"{name.lower().replace('-', '_')}: {value}"
    if "-" in name:
        yield f"{name.replace('-', '.')}: {value}"
        yield f"{name.replace('-', '_', 1)}: {value}"


@pytest.mark.parametrize("line", ORIGIN, ids=lambda line: "H159-" + line.split(":")[0].lower())
def test_no_stranger_says_where_or_who_it_is(door, line):
    """Nor with `_` or `.` for `-`, or in another case (row 160)."""
    for variant in variants(line):
        request, _ = ask(door, [tuple(variant.split(": "))])
        for name, value in request.headers:
            assert not EVIL.search(value) and not EVIL.search(name), (variant, name, value)


@pytest.mark.parametrize("line", ["X-Real-IP", "X-Original-URL", "X-Forwarded-User", "Remote-User",
                                  "X-SSL-Client-CN"], ids=lambda line: f"H159-trusted-{line}")
def test_what_the_gate_does_not_understand_is_not_believed_from_a_proxy_either(behind, line):
    request, _ = ask(behind, {line: "evil", "X-Forwarded-For": "1.2.3.4"})
    assert not EVIL.search(str(request.headers))


@pytest.mark.parametrize("line", ["X_Forwarded_Proto: https", "x_forwarded_host: evil",
                                  "Remote_Groups: admin", "X-Forwarded_For: 6.6.6.6",
                                  "CONTENT_LENGTH: 1", "x_api_key: evil", "any_thing: x",
                                  "X__Forwarded__For: 6.6.6.6"], ids=lambda line: f"H160-{line}")
def test_a_name_with_an_underscore_is_dropped(door, line):
    request, _ = ask(door, [tuple(line.split(": "))])
    assert not [name for name in request.head.names() if "_" in name]
    assert request.header("x-forwarded-proto") == "http"


@pytest.mark.parametrize("name", ["X-Forwarded-For ", "X-Forwarded-For\t"],
                         ids=["H160-space", "H160-tab"])
def test_a_blank_behind_a_name_is_refused(door, name):
    door.refused(f"GET / HTTP/1.1\r\nHost: a.test\r\n{name}: 6.6.6.6\r\n\r\n")


def test_H162_connection_takes_away_only_what_the_client_sent(gate, server):
    s = server()
    g = gate({"consumers": {"acme": {"api_key": KEY}}}, upstream=s, policies={
        "auth": "api_key",
        "headers": {"request": {"set": {"X-Consumer": "${consumer}", "X-Id": "${request_id}"}}}})
    answer = g.get("/", {"X-API-Key": KEY, "X-Mine": "1", "X-Consumer": "forged", "Connection":
                         "close, X-Forwarded-For, X-Consumer, X-Mine, Via, X-Request-Id, "
                         "Traceparent, X-Id, Forwarded, X-Forwarded-Proto, X-Forwarded-Host"})
    assert answer.status == 200 and not answer.keep_alive
    request = s.request
    assert request.header("x-consumer") == "acme" and request.header("x-forwarded-for") == LOOPBACK
    assert request.header("x-id") == request.id == answer.request_id
    for name in ("via", "forwarded", "traceparent", "x-forwarded-proto", "x-forwarded-host"):
        assert request.header(name), name
    assert request.header("x-mine") is None and request.header("connection") is None


@pytest.mark.parametrize("value", ["X-API-Key", "Authorization", "Cookie", "close, Authorization",
                                   "authorization", "Host", "Content-Length", "Content-length,x"],
                         ids=lambda v: f"H162-{v}")
def test_connection_names_no_credentials_and_no_framing(door, value):
    door.refused(f"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: {value}\r\n\r\n")


@pytest.mark.parametrize("value, stays", [(",,,close,,", False), ("close", False), ("CLOSE", False),
                                          ("keep-alive, close", False), ("x,close", False),
                                          (",", True), ("", True), ("closed", True), ("x", True),
                                          ("keep-alive", True), (" close ", False)],
                         ids=lambda v: f"H163-{v!r}" if isinstance(v, str) else "")
def test_empty_members_are_nothing_and_close_is_close(door, value, stays):
    outcome = door.passes(f"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: {value}\r\n\r\n")
    assert outcome.answer.keep_alive == stays


HOP = {"Connection": "x-own", "Keep-Alive": "timeout=9", "Proxy-Connection": "keep-alive",
       "TE": "gzip", "Trailer": "X-T", "Upgrade": "h2c", "Proxy-Authorization": "Basic eDp5",
       "Proxy-Authenticate": "Basic", "HTTP2-Settings": "AAMAAABkAARAAAAAAAIAAAAA", "X-Own": "1"}


@pytest.mark.parametrize("name", HOP, ids=lambda name: f"H164-{name.lower()}")
def test_a_hop_by_hop_field_stays_on_its_hop(door, name):
    fields = [(name, HOP[name])] + ([("Connection", "X-Own")] if name == "X-Own" else [])
    data = rig.request("GET", "/hop", fields)
    assert door.passes(data).request.header(name.lower()) is None


def test_H164_te_trailers_is_made_anew(door):
    request = door.passes(rig.request("GET", "/te", {"TE": "trailers", "Connection": "TE"})).request
    assert request.header("te") == "trailers" and request.head.members("connection") == ["te"]


def test_H164_h2c_is_never_switched_to(door):
    answer = door.gate.get("/", {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c",
                                 "HTTP2-Settings": "AAMAAABkAARAAAAAAAIAAAAA"})
    assert (answer.status, answer.interim) == (200, [])
    request = door.server.requests[-1]
    assert not {"upgrade", "http2-settings", "connection"} & set(request.head.names())


def test_H165_a_key_goes_no_further_than_here(gate, server):
    s = server()
    g = gate({"consumers": {"acme": {"api_key": KEY}}}, upstream=s, policies={"auth": "api_key"})
    for fields in ({"X-API-Key": KEY}, {"Authorization": f"Bearer {KEY}"},
                   {"Authorization": f"bearer {KEY}"},
                   {"X-Api-Key": KEY, "Authorization": "Basic eDp5"}):
        answer = g.get("/", fields)
        assert answer.status == 200
        assert KEY.encode() not in s.connections[-1].bytes
        assert KEY not in json.dumps(g.record(answer))
    assert s.requests[-1].header("authorization") == "Basic eDp5", "another is not ours"
    assert KEY not in g.stdout() + g.stderr()


def test_H165_a_token_is_left_alone_where_nobody_here_reads_it(door):
    request, _ = ask(door, {"Authorization": "Bearer for-the-service"})
    assert request.header("authorization") == "Bearer for-the-service"


def test_H165_a_key_in_the_query_is_no_key_and_in_no_log(gate, server):
    s = server(never=True)
    g = gate({"consumers": {"acme": {"api_key": KEY}}}, upstream=s, policies={"auth": "api_key"})
    answer = g.get(f"/?api_key={KEY}&x-api-key={KEY}")
    assert answer.status == 401
    g.record(answer)
    assert KEY not in g.stdout() + g.stderr()


def test_H166_the_host_of_a_forwarded_request_is_the_upstreams(door):
    for host in ("a.test", "evil.test", "10.0.0.1:99", "localhost"):
        answer = door.gate.get("/", host=host)
        assert answer.status == 200
        assert door.server.requests[-1].header("host") == door.server.url.removeprefix("http://")


TRACES = ["", "00", "zz-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
          "00-00000000000000000000000000000000-b7ad6b7169203331-01",
          "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
          "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
          "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
          "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
          "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", "x" * 5000,
          "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g"]
TRACEPARENT = re.compile("00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")


@pytest.mark.parametrize("value", TRACES, ids=lambda v: f"H168-{v[:60]}")
def test_a_trace_that_is_none_begins_anew(door, value):
    request, _ = ask(door, {"Traceparent": value, "Tracestate": "a=b"})
    found = TRACEPARENT.fullmatch(request.header("traceparent"))
    assert found and found[1] != "0af7651916cd43dd8448eb211c80319c" and set(found[1]) != {"0"}
    assert request.header("tracestate") is None


def test_H168_a_trace_goes_on(door):
    value = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    request, line = ask(door, {"Traceparent": value, "Tracestate": "a=b, c=d"})
    found = TRACEPARENT.fullmatch(request.header("traceparent"))
    assert found[1] == "0af7651916cd43dd8448eb211c80319c" and found[2] != "b7ad6b7169203331"
    assert request.header("tracestate").replace(" ", "") == "a=b,c=d"
    assert line["trace_id"] == found[1]


def test_H168_two_traces_are_none(door):
    line = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with rig.Raw(door.gate.port) as c:
        c.send(rig.request("GET", "/", [("Traceparent", line), ("Traceparent", line)]))
        answer = c.read()
    if answer.status == 200:
        trace = door.server.requests[-1].header("traceparent")
        assert "0af7651916cd43dd8448eb211c80319c" not in trace
    else:
        assert answer.status == 400


def test_H168_a_trace_state_of_10_KiB_does_not_fit(door):
    door.refused("GET / HTTP/1.1\r\nHost: a.test\r\nTracestate: a=" + "b" * 10240 + "\r\n\r\n", 431)
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    request, _ = ask(door, {"Traceparent": trace, "Tracestate": ",".join(
        f"k{i}={'v' * 100}" for i in range(70))})
    assert len(request.header("tracestate", "")) <= 8192


@pytest.mark.parametrize("value", ["a b", "", "x" * 129, "<script>", "a\tb", '"', "a,b", "ä",
                                   "a/b", "%41"],
                         ids=lambda v: f"H168-id-{v[:9]!r}")
def test_an_id_that_is_none_is_made_anew(door, value):
    request, line = ask(door, {"X-Request-Id": value})
    assert re.fullmatch("[0-9a-f-]{36}", request.id) and line.id == request.id


def test_H168_an_id_that_is_one_is_kept(door):
    for value in ("x" * 128, "A.b_C-9"):
        answer = door.gate.get("/", {"X-Request-Id": value})
        assert answer.request_id == value
        assert door.server.requests[-1].header("x-request-id") == value


def test_H168_two_ids_are_none(door):
    answer = door.gate.get("/", [("X-Request-Id", "one"), ("X-Request-Id", "two")])
    assert answer.status == 400 or answer.request_id not in ("one", "two")


def test_H168_an_id_with_a_line_end_is_no_field(door):
    door.refused("GET / HTTP/1.1\r\nHost: a.test\r\nX-Request-Id: a\rb\r\n\r\n")
    door.refused("GET / HTTP/1.1\r\nHost: a.test\r\nX-Request-Id: " + "x" * (1 << 20)
                 + "\r\n\r\n", 431)


def test_the_protocol_of_a_proxy_is_not_believed_where_it_was_not_asked_for(door):
    door.refused(b"PROXY TCP4 6.6.6.6 127.0.0.1 1 2\r\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
    door.refused(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + socket.inet_aton("6.6.6.6") * 2
                 + b"\0\1\0\2GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
