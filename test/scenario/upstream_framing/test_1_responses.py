"""Section C of the security catalogue: what an upstream answers is read as strictly as what a
caller asks. What is refused is a 502 or a cut, never a clean end, and its connection serves nobody
else."""
import re
import time

import pytest
import rig

OK = "HTTP/1.1 200 OK\r\n"
BODY = "Content-Length: 5\r\n\r\nhello"
REPLIES = {}


@pytest.fixture(scope="module")
def door(gates, servers):
    def reply(request):
        return REPLIES.get(request.target, rig.server.OK)
    return rig.Door(gates, servers(reply), limits={"idle": "2s"}, policies={
        "timeout": {"response": "2s", "idle": "700ms"}, "retry": {"attempts": 1}})


def ask(door, reply, method="GET"):
    """The answer to a request that is replied to like this, and the upstream's connection."""
    target = f"/c{len(REPLIES)}"
    REPLIES[target] = reply
    with rig.Raw(door.gate.port) as c:
        c.send(rig.request(method, target))
        answer = c.read(method, whole=False)
        if answer.keep_alive:
            door.canary(c)
        elif answer.complete:
            c.expect_closed()
    request = next(r for r in door.server.requests if r.target == target)
    return answer, door.server.connections[request.connection]


def refused(door, reply, reason="upstream-invalid"):
    """U502: the caller gets a 502, the connection ends, and no later request goes over it."""
    mark = door.gate.mark()
    answer, connection = ask(door, reply)
    assert (answer.status, answer.code) == (502, reason)
    assert connection.wait_given_up() or connection.is_closed
    door.canary()
    line, = door.gate.wait_logs(lambda all_: [r for r in all_ if r.id == answer.request_id],
                                since=mark)
    assert (line.reason, line.status) == (reason, 502)
    return answer


def row(name, *pieces):
    data = b"".join(rig.http1.as_bytes(piece) for piece in pieces)
    return pytest.param(data, id=name)


INVALID = [
    row("C75-two-lengths", OK, "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
    row("C75-length-list", OK, "Content-Length: 5, 6\r\n\r\nhello"),
    *(row(f"C75-length-{value or 'empty'}", OK, f"Content-Length: {value}\r\n\r\nhello")
      for value in ("-1", "abc", "+5", "0x5", "5 5", "", "18446744073709551621",
                    "9223372036854775808", "99999999999999999999")),
    row("C75-unknown-coding-syntax", OK, "Transfer-Encoding: chunked;x\r\n\r\n0\r\n\r\n"),
    row("C75-two-codings", OK, "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"
        "0\r\n\r\n"),
    row("C80-1000-continues", "HTTP/1.1 100 Continue\r\n\r\n" * 1000, OK, BODY),
    row("C80-1000-hints", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 1000, OK, BODY),
    row("C80-11-hints", "HTTP/1.1 103 Early Hints\r\n\r\n" * 11, OK, BODY),
    row("C81-101-unasked", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n"
        "Connection: upgrade\r\n\r\nraw bytes"),
    row("C82-cr-in-a-value", OK, "X: a\rb\r\n", BODY),
    row("C82-lf-in-a-value", OK, "X: a\nSet-Cookie: b\r\n", BODY),
    row("C82-nul-in-a-value", OK, "X: a\x00b\r\n", BODY),
    row("C82-control-in-a-value", OK, "X: a\x1bb\r\n", BODY),
    row("C82-fold", OK, "X: a\r\n b\r\n", BODY),
    row("C82-folded-length", OK, "Content-Length:\r\n 5\r\n\r\nhello"),
    row("C82-no-colon", OK, "Smuggled\r\n", BODY),
    row("C82-space-before-colon", OK, "X : a\r\n", BODY),
    row("C82-length-space-before-colon", OK, "Content-Length : 5\r\n\r\nhello"),
    row("C82-empty-name", OK, ": a\r\n", BODY),
    row("C82-bare-lf", (OK + BODY).replace("\r\n", "\n")),
    row("C82-space-first", OK, " X: a\r\n", BODY),
    row("C82-bad-name", OK, "X(Y): a\r\n", BODY),
    row("C82-status-line-of-ssh", "SSH-2.0-OpenSSH_9.2\r\n"),
    *(row(f"C82-line-{line}", line, "\r\n", BODY) for line in (
        "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 099 OK", "HTTP/1.1  200 OK", "HTTP/1.1 abc",
        "HTTP/2.0 200 OK", "HTTP/1.1 200\tOK", "http/1.1 200 OK", "HTTP/1.1 200 O\x00K",
        "HTTP/1.1", "200 OK", "HTTP/0.9 200 OK", "ICY 200 OK")),
    row("C84-1-MiB", OK, *(f"X{i}: {'y' * 4096}\r\n" for i in range(256)), BODY),
    row("C84-10000-fields", OK, *(f"X{i}: y\r\n" for i in range(10000)), BODY),
    row("C84-one-field-of-100-KiB", OK, "X: " + "y" * 102400 + "\r\n", BODY),
    row("C84-phrase-of-100-KiB", "HTTP/1.1 200 ", "y" * 102400, "\r\n", BODY),
    row("C82-garbage", bytes(range(256))),
    row("C82-nothing-but-lines", "\r\n" * 20, OK, BODY),
]


@pytest.mark.parametrize("reply", INVALID)
def test_an_answer_that_is_not_exact_is_a_502(door, reply):
    refused(door, reply)


@pytest.mark.parametrize("reply", [
    row("nothing", b""), row("half-a-line", b"HTTP/1.1 2"), row("half-a-head", OK + "X: y\r\n"),
    row("head-without-end", OK + "Content-Length: 0\r\n")])
def test_an_answer_cut_within_its_head_is_a_502(door, reply):
    refused(door, (reply, rig.close()), "upstream-cut")
    refused(door, (reply, rig.wait(0.05), rig.reset()), "upstream-cut")


def test_C74_with_both_lengths_the_coding_wins_and_nobody_follows(door):
    answer, connection = ask(door, (OK + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
                                    "5\r\nhello\r\n0\r\n\r\n"))
    assert (answer.status, answer.framing, answer.body) == (200, "chunked", b"hello")
    assert answer.header("content-length") is None
    assert connection.wait_given_up()


@pytest.mark.parametrize("coding", ["identity", "gzip", "chunked, gzip", "xchunked"],
                         ids=lambda coding: f"C76-{coding}")
def test_a_last_coding_that_is_not_chunked_means_until_close(door, coding):
    head = OK + f"Transfer-Encoding: {coding}\r\n\r\n"
    answer, connection = ask(door, (head + "hello", rig.wait(0.05), " world", rig.close()))
    assert (answer.status, answer.body, answer.complete) == (200, b"hello world", True)
    assert answer.framing == "chunked" and connection.is_closed


def test_C76_without_a_length_the_body_ends_with_the_connection(door):
    answer, _ = ask(door, (OK + "\r\nhello", rig.close()))
    assert (answer.framing, answer.body, answer.complete) == ("chunked", b"hello", True)
    answer, _ = ask(door, ("HTTP/1.0 200 OK\r\n\r\nhello", rig.close()))
    assert (answer.framing, answer.body, answer.complete) == ("chunked", b"hello", True)


def test_C76_until_close_is_cut_by_a_reset(door):
    answer, _ = ask(door, (OK + "\r\nhello", rig.wait(0.1), rig.reset()))
    assert answer.status == 200 and not answer.complete


CUT = [("length", "Content-Length: 50\r\n\r\nhello"),
       ("within-a-chunk", "Transfer-Encoding: chunked\r\n\r\n32\r\nhello"),
       ("between-chunks", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
       ("in-the-last-chunk", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"),
       ("in-the-trailers", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n")]


@pytest.mark.parametrize("end", [rig.close(), rig.reset()], ids=["fin", "rst"])
@pytest.mark.parametrize("rest", [rest for _, rest in CUT], ids=[f"C85-{name}" for name, _ in CUT])
def test_a_body_that_is_cut_never_ends_cleanly(door, rest, end):
    mark = door.gate.mark()
    answer, _ = ask(door, (OK + rest, rig.wait(0.05), end))
    assert answer.status == 200 and not answer.complete
    line, = door.gate.wait_logs(lambda all_: [r for r in all_ if r.id == answer.request_id],
                                since=mark)
    assert line.reason == "upstream-cut"
    door.canary()


@pytest.mark.parametrize("chunk", ["zz\r\nhello\r\n", "5\nhello\n", "5\r\nhelloXX",
                                   "-5\r\nhello\r\n", "FFFFFFFFFFFFFFFF0\r\nx",
                                   "5;\rx\r\nhello\r\n"],
                         ids=lambda chunk: f"C82-chunk-{chunk!r:.12}")
def test_a_bad_chunk_behind_a_good_one_never_ends_cleanly(door, chunk):
    answer, connection = ask(door, (OK + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
                                    rig.wait(0.05), chunk + "0\r\n\r\n"))
    assert answer.status == 200 and not answer.complete
    assert connection.wait_given_up()
    door.canary()


def test_C85_a_body_that_pauses_too_long_never_ends_cleanly(door):
    head = OK + "Content-Length: 50\r\n\r\n"
    answer, connection = ask(door, (head + "hello", rig.wait(1.5), "x" * 45))
    assert answer.status == 200 and not answer.complete
    assert connection.wait_given_up() or connection.is_closed
    door.canary()


@pytest.mark.parametrize("first, second", [
    ("HTTP/1.1 204 No Content\r\n\r\n", ""), ("HTTP/1.1 304 Not Modified\r\n\r\n", ""),
    (OK + BODY, ""), (OK + BODY, OK + "Content-Length: 6\r\n\r\nPOISON"), (OK + BODY, "\r\n"),
    (OK + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", OK + BODY),
    ("HTTP/1.1 204 No Content\r\n\r\n", "POISON"), ("HTTP/1.1 304 Not Modified\r\n\r\n", "POISON"),
], ids=["C79-204", "C79-304", "C79-200", "C79-second", "C79-line", "C79-chunked", "C79-204-body",
        "C79-304-body"])
def test_a_second_answer_is_nobodys(door, first, second):
    answer, connection = ask(door, first + second)
    assert answer.status == int(first[9:12]) and b"POISON" not in answer.raw
    if second:
        assert connection.wait_given_up()
    for _ in range(3):
        assert door.canary().body == b"ok"


def test_C79_a_body_to_head_is_nobodys(door):
    answer, connection = ask(door, OK + BODY, "HEAD")
    assert (answer.status, answer.header("content-length")) == (200, "5")
    assert connection.wait_given_up()
    assert door.canary().body == b"ok"


def test_C78_bytes_on_an_idle_connection_end_it(gate, server):
    s = server(manual=True)
    g = gate(upstream=s)
    c = g.raw()
    c.send(rig.request("GET", "/1"))
    up = s.accept()
    up.read_request()
    up.send(OK + BODY)
    assert c.read().body == b"hello"
    up.send(OK + "Content-Length: 6\r\n\r\nPOISON")
    assert up.wait_end() is not None
    c.send(rig.request("GET", "/2"))
    other = s.accept()
    assert other.read_request().target == "/2"
    other.send(OK + BODY)
    assert c.read().body == b"hello"
    assert len(s.connections) == 2


def test_C78_bytes_that_come_with_the_next_request_are_not_its_answer(gate, server):
    """The race itself: what is read in the turn of the next request was sent before it."""
    s = server(manual=True)
    g = gate(upstream=s, policies={"retry": {"attempts": 1}})
    for number in range(10):
        c = g.raw()
        c.send(rig.request("GET", f"/{number}"))
        up = s.accept()
        up.read_request()
        up.send(OK + BODY)
        assert c.read().body == b"hello"
        up.send(OK + "Content-Length: 6\r\n\r\nPOISON")
        c.send(rig.request("GET", "/next"))
        other = s.accept()
        other.read_request()
        other.send(OK + "Connection: close\r\n" + BODY)
        other.close()
        assert c.read().body == b"hello"
        c.close()


def test_C80_a_few_interim_answers_are_relayed(door):
    hints = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nConnection: x\r\n\r\n"
    answer, _ = ask(door, hints * 3 + "HTTP/1.1 100 Continue\r\n\r\n" + OK + BODY)
    assert (answer.status, answer.body) == (200, b"hello")
    assert [h.first[0] for h in answer.interim] == [103] * 3
    assert [h.get("link") for h in answer.interim] == ["</x>"] * 3
    assert not any(h.all("connection") for h in answer.interim)


def test_C80_interim_answers_are_nothing_for_http_1_0(door):
    REPLIES["/old"] = "HTTP/1.1 103 Early Hints\r\n\r\n" + OK + BODY
    with rig.Raw(door.gate.port) as c:
        c.send("GET /old HTTP/1.0\r\nHost: a.test\r\n\r\n")
        answer = c.read()
        assert (answer.status, answer.interim, answer.body) == (200, [], b"hello")


HOP = ("Connection: X-Secret, keep-alive\r\nX-Secret: 1\r\nKeep-Alive: timeout=5\r\n"
       "Upgrade: h2c\r\nProxy-Connection: close\r\nTrailer: X-T\r\nTE: trailers\r\n"
       "Proxy-Authenticate: Basic\r\n")


def test_C86_hop_by_hop_fields_of_an_answer_stay_here(door):
    answer, _ = ask(door, OK + HOP + BODY)
    assert answer.status == 200
    assert not {"x-secret", "keep-alive", "upgrade", "proxy-connection", "trailer", "te",
                "connection", "proxy-authenticate"} & set(answer.head.names())


@pytest.mark.parametrize("names", ["Content_Length: 3", "Transfer_Encoding: chunked"],
                         ids=lambda names: f"C75-{names}")
def test_an_alias_of_a_length_in_an_answer_is_dropped(door, names):
    answer, _ = ask(door, OK + names + "\r\n" + BODY)
    assert answer.body == b"hello" and not [n for n in answer.head.names() if "_" in n]


def test_C90_generated_errors_name_no_upstream(door):
    for reply in ("garbage\r\n\r\n", rig.reset()):
        answer = refused(door, (reply,) if isinstance(reply, str) else (b"", reply),
                         "upstream-invalid" if isinstance(reply, str) else "upstream-cut")
        text = answer.raw.decode()
        assert str(door.server.port) not in text
        assert not re.search(r"127\.0\.0\.1|localhost", text), text


def test_C90_location_is_sent_on_as_it_is(door):
    """Rewriting it is a policy of its own; what it never is: changed by half."""
    answer, _ = ask(door, "HTTP/1.1 302 Found\r\nLocation: http://10.0.0.5:8080/x\r\n"
                    "Content-Length: 0\r\n\r\n")
    assert answer.header("location") == "http://10.0.0.5:8080/x"


SECRETS = {"Authorization": "Bearer secret-1", "Cookie": "session=secret-2",
           "X-API-Key": "secret-3-of-some-length", "Proxy-Authorization": "Basic secret-4"}


@pytest.mark.parametrize("target", ["/c91/secret-5?token=secret-6", "/a%zz?secret-7=1"],
                         ids=["C91-502", "C91-400"])
@pytest.mark.parametrize("accept", ["*/*", "text/html", "application/json"])
def test_generated_errors_echo_nothing(door, target, accept):
    REPLIES["/c91/secret-5?token=secret-6"] = "garbage\r\n\r\n"
    mark = door.gate.mark()
    answer = door.gate.get(target, {**SECRETS, "Accept": accept})
    assert answer.status in (400, 502) and answer.request_id
    assert not re.search(rb"secret-[0-9]", answer.raw), answer.raw
    if accept != "text/html":
        assert answer.problem["request_id"] == answer.request_id
    time.sleep(0.2)
    logged = door.gate.stdout_path.read_text()[mark:]
    assert not re.search(r"secret-[123467]", logged), logged


def test_trailers_of_an_answer_go_to_who_takes_them(door):
    reply = (OK + "Transfer-Encoding: chunked\r\nTrailer: Server-Timing\r\n\r\n5\r\nhello\r\n0\r\n"
             "Server-Timing: a;dur=1\r\nContent-Length: 3\r\nSet-Cookie: a=b\r\n\r\n")
    answer, _ = ask(door, reply)
    assert answer.body == b"hello" and answer.trailers == []
    REPLIES["/te"] = reply
    answer = door.gate.get("/te", {"TE": "trailers", "Connection": "TE"})
    assert answer.trailers == [("Server-Timing", "a;dur=1")]
