"""Row 169 of the security catalogue: the PROXY header in front of connections. Who may send one is
believed in everything that asks for an address; nobody else is, and who does not keep to it is
closed without a byte."""
import socket
import struct

import pytest
import rig
from rig.proxy import LOCAL, SIGNATURE, v1, v2

GET = rig.request("GET", "/x", {"Connection": "close"})
METRIC = "gatehouse_proxy_headers_refused_total"


def listener(mode, trusted=("127.0.0.0/8",), **options):
    return {"main": {"proxy_protocol": mode, "trusted_proxies": list(trusted), **options}}


@pytest.fixture(scope="module")
def behind(gates, servers):
    """A gate behind a balancer on 127.0.0.0/8 that always says who calls."""
    server = servers()
    return gates({"apis": {
        "a": {"path": "/", "upstream": server.url},
        "walled": {"upstream": server.url, "policies": {"ip_deny": ["192.0.2.0/24"]}},
        "limited": {"upstream": server.url, "policies": {
            "rate_limit": {"rate": "1/h per ip", "burst": 1}}}}},
        listeners=listener("required"))


@pytest.fixture(scope="module")
def maybe(gates, servers):
    return gates(upstream=servers(), listeners=listener("optional"))


def say(gate, header, *requests, cut=None):
    """What comes back for these bytes on a connection of their own."""
    with gate.raw() as c:
        data = header + b"".join(requests or (GET,))
        if cut is None:
            c.send(data)
        else:
            c.send_bytewise(data[:cut]).send(data[cut:])
        return c.read()


def test_H169_what_the_header_says_is_the_callers_address_everywhere(behind):
    for header, address, text in (
            (v1("192.0.2.7"), "192.0.2.7", "192.0.2.7"),
            (v2("198.51.100.9", 99), "198.51.100.9", "198.51.100.9"),
            (v1("2001:db8::7", target="::1"), "2001:db8::7", '"[2001:db8::7]"'),
            (v2("2001:db8::8", target="::1"), "2001:db8::8", '"[2001:db8::8]"'),
            (v2("192.0.2.9", more=b"\x01\x00\x02h2\x04\x00\x00"), "192.0.2.9", "192.0.2.9")):
        mark = behind.mark()
        answer = say(behind, header)
        assert answer.status == 200
        server = behind.servers[0]
        request = next(r for r in server.requests if r.id == answer.request_id)
        assert request.header("x-forwarded-for") == address
        assert request.header("forwarded").startswith(f"for={text};")
        line, = behind.wait_logs(lambda all_: [r for r in all_ if r.id == answer.request_id],
                                 since=mark)
        assert line.address == address
        assert line.attributes["client.port"] == (99 if b"\0\x63" in header else 4711)


def test_H169_lists_and_limits_ask_the_same_address(behind):
    walled, limited = rig.request("GET", "/walled/"), rig.request("GET", "/limited/")
    assert say(behind, v1("192.0.2.1"), walled).status == 403
    assert say(behind, v2("192.0.3.1"), walled).status == 200
    assert [say(behind, v1(f"203.0.113.{i}"), limited).status for i in (1, 1, 2, 2)] \
        == [200, 429, 200, 429]


def test_H169_a_header_may_come_in_any_pieces_and_with_all_that_follows(behind):
    for header in (v1("192.0.2.7"), v2("192.0.2.7"), LOCAL):
        assert say(behind, header, cut=len(header) + 3).status == 200
        with behind.raw() as c:
            c.send(header + rig.request("GET", "/1") + rig.request("GET", "/2"))
            assert [c.read().status, c.read().status] == [200, 200]


def test_H169_what_the_balancer_says_of_itself_is_its_own_address(behind):
    for header in (LOCAL, b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN ffff::1 1 2\r\n",
                   SIGNATURE + b"\x20\x11\x00\x0c" + b"\xff" * 12):
        answer = say(behind, header)
        assert answer.status == 200 and behind.record(answer).address == "127.0.0.1"


def test_H169_the_caller_behind_the_balancer_is_not_believed_in_turn(behind):
    answer = say(behind, v1("192.0.3.3"), rig.request("GET", "/walled/",
                                                     {"X-Forwarded-For": "192.0.2.1"}))
    assert answer.status == 200 and behind.record(answer).address == "192.0.3.3"


def block(size):
    return SIGNATURE + b"\x21\x11" + struct.pack("!H", size) + b"\1" * size


BAD = {
    "missing": b"", "v1-lf": v1("192.0.2.1").replace(b"\r\n", b"\n"),
    "v1-family": v1("192.0.2.1").replace(b"TCP4", b"TCP6"),
    "v1-udp": v1("192.0.2.1").replace(b"TCP4", b"UDP4"),
    "v1-port": v1("192.0.2.1", 65536), "v1-zero": v1("192.0.2.1").replace(b" 4711", b" 04711"),
    "v1-name": v1("192.0.2.1").replace(b"192.0.2.1", b"localhost"),
    "v1-long": b"PROXY UNKNOWN " + b"x" * 200 + b"\r\n",
    "v1-words": v1("192.0.2.1").replace(b"\r\n", b" 1\r\n"),
    "v1-lower": v1("192.0.2.1").replace(b"PROXY", b"Proxy"),
    "v2-version": v2("192.0.2.1").replace(b"QUIT\n\x21", b"QUIT\n\x11"),
    "v2-command": v2("192.0.2.1").replace(b"QUIT\n\x21", b"QUIT\n\x22"),
    "v2-unspecified": SIGNATURE + b"\x21\x00\x00\x00", "v2-unix": SIGNATURE + b"\x21\x31\x00\xd8",
    "v2-datagram": v2("192.0.2.1").replace(b"\x21\x11", b"\x21\x12"),
    "v2-short": block(11), "v2-long": block(65535), "v2-half": SIGNATURE[:7] + b"GET / HTTP/1.1",
    "v2-tlv": v2("192.0.2.1", more=b"\x04\x00\x09abc"), "v2-tail": v2("192.0.2.1", more=b"\x04"),
    "v2-sum": v2("192.0.2.1", more=b"\x03\x00\x04abcd"),
    "twice": v1("192.0.2.1") + v1("192.0.2.2"),
}


@pytest.mark.parametrize("name", BAD)
def test_H169_what_is_no_header_gets_no_answer(behind, name):
    before = behind.metrics().value(METRIC)
    seen = len(behind.servers[0].requests)
    mark = behind.mark()
    for cut in (0, len(BAD[name])):
        with behind.raw() as c:
            data = BAD[name] + GET
            for piece in (data[:cut], data[cut:]):
                for at in range(0, min(len(piece), 300), 1 if cut else 1 << 20):
                    if not c.try_send(piece[at:at + (1 if cut else 1 << 20)]):
                        break
            assert name == "twice" or c.read_all() == b""
    assert len(behind.servers[0].requests) == seen
    if name != "twice":  # the second one is a request that is none: 400
        assert behind.metrics().value(METRIC) == before + 2
        def both(records):  # lines of earlier requests may come in between
            refused = [r for r in records if r.reason == "proxy-refused"]
            return refused if len(refused) == 2 else None
        records = behind.wait_logs(both, since=mark)
        assert {r.address for r in records} == {"127.0.0.1"}
        assert "http.response.status_code" not in records[0].attributes


def test_H169_a_stranger_gets_nothing_whatever_it_sends(gate, server):
    s = server(never=True)
    for mode, untrusted in (("required", 3), ("optional", 2)):
        g = gate(upstream=s if mode == "required" else server(),
                 listeners=listener(mode, ["10.0.0.0/8"]))
        for header in (v1("192.0.2.1"), v2("192.0.2.1")):
            with g.raw() as c:
                c.try_send(header + GET)
                assert c.read_all() == b""
        with g.raw() as c:
            c.try_send(GET)
            if mode == "required":
                assert c.read_all() == b""
            else:
                assert c.read().status == 200
        rig.wait_until(lambda: g.metrics().value(METRIC, why="untrusted") == untrusted)


def test_H169_where_it_is_optional_both_are_served(maybe):
    for header, address in ((b"", "127.0.0.1"), (v1("192.0.2.1"), "192.0.2.1"),
                            (v2("192.0.2.1"), "192.0.2.1"), (LOCAL, "127.0.0.1")):
        for cut in (None, 5, len(header)):
            answer = say(maybe, header, cut=cut)
            assert answer.status == 200 and maybe.record(answer).address == address
    # What begins like one, and is another thing.
    assert say(maybe, b"", rig.request("POST", "/", {"Connection": "close"}, b"x"), cut=3) \
        .status == 200
    assert say(maybe, b"", b"\r\n" + GET, cut=3).status == 200
    assert say(maybe, b"", b"PROXYX / HTTP/1.1\r\nHost: a\r\n\r\n", cut=9).status == 200
    assert maybe.metrics().value(METRIC) == 0


def test_H169_a_header_that_does_not_come_is_waited_for_as_for_a_head(gate, server):
    g = gate(upstream=server(never=True), limits={"header_time": "300ms"},
             listeners=listener("required"))
    for said in (b"", b"PROXY TCP4 192.0.2.1"):
        with g.raw() as c:
            c.send(said)
            assert c.read_all(timeout=5) == b""
    assert g.metrics().value(METRIC, why="late") == 2
    with g.raw() as c:
        c.send(b"PROXY TCP4 192").half_close()
        assert c.read_all(timeout=5) == b""
    rig.wait_until(lambda: g.metrics().value(METRIC, why="bad") == 1)
    with g.raw() as c:  # a look at whether somebody listens is nothing to speak of
        c.half_close()
        assert c.read_all(timeout=5) == b""
    assert g.metrics().value(METRIC) == 3


def test_H169_connections_are_counted_for_whoever_they_are(gate, server):
    g = gate(upstream=server(), listeners=listener("required", limits={"connections_per_ip": 2}))
    many = [g.raw() for _ in range(6)]
    for at, c in enumerate(many):
        c.send(v1(f"192.0.2.{at % 2}") + rig.request("GET", "/x"))
    served = []
    for c in many:
        try:
            served.append(c.read().status)
        except EOFError:
            served.append(None)
    assert served == [200] * 4 + [None] * 2
    assert g.metrics().value("gatehouse_connections_refused_total",
                             limit="connections_per_ip") == 2
    many[0].close()

    def is_served():
        try:
            return say(g, v1("192.0.2.0")).status == 200
        except (EOFError, OSError):
            return False
    rig.wait_until(is_served)


def test_H169_a_reload_changes_who_is_believed(gate, server):
    apis = {"a": {"path": "/", "upstream": server().url}}
    g = gate({"apis": apis, "listeners": listener("optional")})
    waiting = g.raw()
    assert g.record(say(g, v1("192.0.2.1"))).address == "192.0.2.1"
    g.reload({"apis": apis, "listeners": listener("off")})
    assert say(g, v1("192.0.2.1")).status == 400
    assert g.record(say(g, b"")).address == "127.0.0.1"
    waiting.send(v1("192.0.2.2") + GET)  # it came when that was the rule
    assert g.record(waiting.read()).address == "192.0.2.2"


def test_H169_a_drain_does_not_wait_for_headers(gate, server):
    g = gate(upstream=server(), listeners=listener("required"))
    c = g.raw()
    c.send(b"PROXY TCP4 ")
    g.connections.remove(c)  # else the rig closes it first
    watch = rig.Watch()
    assert g.stop() == 0
    assert watch.own < 5 and c.read_all() == b""
    c.close()


def test_H169_TLS_begins_behind_the_header(gate, server, tmp_path):
    authority = rig.Authority(tmp_path)
    main, = rig.listens(authority.make("a.test")).values()
    g = gate(upstream=server(), listeners={"main": {
        **main, "proxy_protocol": "optional", "trusted_proxies": ["127.0.0.0/8"]}})
    for header, address in ((v1("192.0.2.1"), "192.0.2.1"), (b"", "127.0.0.1"),
                            (v2("2001:db8::1", target="::1"), "2001:db8::1")):
        with socket.create_connection(("127.0.0.1", g.port)) as plain:
            plain.sendall(header)
            with authority.context().wrap_socket(plain, server_hostname="a.test") as c:
                c.sendall(rig.request("GET", "/x", {"Connection": "close"}))
                reader = rig.http1.Reader(lambda: c.recv(4096))
                head = reader.head(is_request=False)
                assert head.first[0] == 200
        assert g.record(head.get("x-request-id")).address == address
