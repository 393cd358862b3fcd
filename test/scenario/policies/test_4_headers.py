"""headers: both directions, values that are filled in, and heads that become too long."""
import pytest
import rig

KEY = "key-of-acme-0123456789"


def test_fields_are_removed_then_set_then_added(gate, server):
    s = server(rig.http1.response(200, b"ok", [("X-A", "1"), ("X-B", "1"), ("X-C", "1"),
                                               ("Server", "s/1"), ("X-Powered-By", "p")]))
    changes = {"remove": ["X-A", "x-d"], "set": {"x-b": "2"}, "add": {"X-C": "2", "X-A": "3"}}
    g = gate(upstream=s, policies={"headers": {"request": changes, "response": changes}})
    answer = g.get("/", [("X-A", "1"), ("x-a", "2"), ("X-B", "1"), ("X-b", "1"), ("X-C", "1"),
                         ("X-D", "1")])
    for fields in (s.request.headers, answer.headers):
        found = sorted((name.lower(), value) for name, value in fields if name.lower() in (
            "x-a", "x-b", "x-c", "x-d"))
        assert found == [("x-a", "3"), ("x-b", "2"), ("x-c", "1"), ("x-c", "2")]


def test_values_are_filled_in(gate, server):
    s = server()
    names = ["channel", "api", "consumer", "request_id", "host", "path", "scheme", "ip", "param.id"]
    g = gate(channels={"door": {}}, consumers={"acme": {"api_key": KEY}}, apis={"a": {
        "path": "/api", "channels": ["door"], "upstream": s.url,
        "policies": {"auth": "api_key", "headers": {"request": {"set": {
            f"X-Is-{name.replace('.', '-')}": "<${" + name + "}>" for name in names}}}},
        "routes": {"/x/{id}": {}}}})
    answer = g.get("/api/x/a%20b?c", {"X-API-Key": KEY}, host="Shop.Test")
    assert answer.status == 200
    got = {name: s.request.header(f"x-is-{name.replace('.', '-')}") for name in names}
    assert got == {"channel": "<door>", "api": "<a>", "consumer": "<acme>",
                   "request_id": f"<{answer.request_id}>", "host": "<shop.test>",
                   "path": "</api/x/a%20b>", "scheme": "<http>", "ip": "<127.0.0.1>",
                   "param.id": "<a%20b>"}


@pytest.mark.parametrize("name", ["Content-Length", "Transfer-Encoding", "Connection", "Host", "TE",
                                  "Upgrade", "Keep-Alive", "Trailer", "content-length",
                                  "Proxy-Connection"])
@pytest.mark.parametrize("way", ["set", "add", "remove"])
@pytest.mark.parametrize("direction", ["request", "response"])
def test_framing_is_not_to_be_touched(gate, name, way, direction):
    changes = [name] if way == "remove" else {name: "1"}
    g = gate(upstream="http://127.0.0.1:1", ready=False, exit=78, records=False,
             policies={"headers": {direction: {way: changes}}})
    assert g.wait_exit() == 78 and "error[E211]" in g.stderr() and "^" in g.stderr()


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\x00b", "${nobody}", "${claims.sub}"])
def test_a_value_that_none_can_be_is_refused(gate, value):
    g = gate(upstream="http://127.0.0.1:1", ready=False, exit=78, records=False,
             policies={"headers": {"request": {"set": {"X-A": value}}}})
    assert g.wait_exit() == 78 and "error[E" in g.stderr()


def big(count, size, value=None):
    return {f"X-{i}": value or "v" * size for i in range(count)}


def test_a_request_that_becomes_too_long_is_refused_and_no_fault_of_the_service(gate, server):
    """100 fields of 4 KiB go in, but not together with what the caller sends."""
    s = server(never=True)
    g = gate(upstream=s, policies={"headers": {"request": {"set": big(100, 4000)}}})
    for _ in range(8):
        answer = g.get("/")
        assert (answer.status, answer.code) == (431, "header-too-large")
    assert g.record(answer).reason == "header-too-large"


def test_an_answer_that_becomes_too_long_is_no_answer(gate, server):
    s = server()
    g = gate(upstream=s, apis={"b": {"path": "/b", "upstream": s.url}},
             policies={"headers": {"response": {"set": big(100, 4000)}}})
    answer = g.get("/")
    assert (answer.status, answer.code) == (500, "fault")
    c = g.raw()
    assert c.get("/").status == 500
    assert g.get("/b/x").status == 200


def test_what_a_caller_sends_may_not_grow_beyond_bounds(gate, server):
    """The path is filled in a hundred times: the caller decides how long the head becomes."""
    s = server()
    g = gate(upstream=s, policies={"headers": {"request": {"set": big(100, 0, "${path}")},
                                               "response": {"set": big(100, 0, "${path}")}}})
    assert g.get("/short").status == 200
    for length in (200, 640, 650, 656, 1250, 1310, 1400, 8000):
        answer = g.get("/" + "p" * length)
        assert answer.status == (200 if length <= 1300 else 431), (length, answer.status)
    assert g.get("/short").status == 200


def test_a_head_of_an_upstream_of_64_kib_passes_with_what_is_added(gate, server):
    s = server(rig.http1.response(200, b"ok", [(f"X-{i}", "v" * 4000) for i in range(15)]))
    g = gate(upstream=s, policies={"headers": {"response": {"add": big(60, 1000)}}})
    answer = g.get("/")
    assert answer.status in (200, 500)
    assert g.get("/").status == answer.status
