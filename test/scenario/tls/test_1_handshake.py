"""TLS towards callers: who comes in, what is agreed on, what an unfinished handshake may cost."""
import os
import ssl
import subprocess
import threading

import pytest
import rig
from rig import listens

OK = rig.http1.response(200, b"hi")
DONE = "gatehouse_tls_handshakes_total"


def curl(g, authority, *arguments, name="a.test", path="/"):
    return subprocess.run(
        ["curl", "-sv", "--cacert", str(authority.pem), "--resolve", f"{name}:{g.port}:127.0.0.1",
         *arguments, f"https://{name}:{g.port}{path}"], capture_output=True, timeout=30).stderr


def handshake(g, result):
    return g.metrics().value(DONE, result=result)


def test_a_get_goes_through_and_the_service_hears_of_https(gate, server, authority, a_test):
    s = server(OK)
    g = gate(upstream=s, listeners=listens(a_test))
    with g.raw(tls=authority.context()) as connection:
        r = connection.get("/x")
        assert (r.status, r.body) == (200, b"hi")
        assert connection.socket.version() == "TLSv1.3"
        assert connection.socket.selected_alpn_protocol() == "http/1.1"
        assert connection.get("/y").status == 200
    assert s.requests[0].header("x-forwarded-proto") == "https"
    assert "proto=https" in (s.requests[0].header("forwarded") or "proto=https")
    record = g.record(r)
    assert record.reason == "done"
    assert record["attributes"]["tls.protocol.version"] == "1.3"
    assert record["attributes"]["tls.cipher"] == "TLS_AES_128_GCM_SHA256"
    rig.wait_until(lambda: handshake(g, "full") == 1)
    assert g.status()["listeners"][0]["tls"] is True


def test_curl_comes_in(gate, server, authority, a_test):
    body = os.urandom(300000)
    g = gate(upstream=server(rig.http1.response(200, body)), listeners=listens(a_test))
    with open(g.directory / "got", "wb") as got:
        done = subprocess.run(
            ["curl", "-s", "--cacert", str(authority.pem), "--resolve",
             f"a.test:{g.port}:127.0.0.1", f"https://a.test:{g.port}/"], stdout=got, timeout=30)
    assert done.returncode == 0
    assert (g.directory / "got").read_bytes() == body
    said = curl(g, authority, "--tlsv1.2", "--tls-max", "1.2", "--http1.1")
    assert b"HTTP/1.1 200" in said and b"TLSv1.2" in said


def test_the_version_of_http_is_agreed_on_in_the_handshake(gate, server, authority, a_test):
    body = os.urandom(300000)
    s = server(lambda request: rig.http1.response(200, request.body or body))
    g = gate(upstream=s, listeners=listens(a_test))
    for arguments, version in (([], b"2"), (["--tls-max", "1.2"], b"2"), (["--http1.1"], b"1.1")):
        said = subprocess.run(
            ["curl", "-s", "--cacert", str(authority.pem), "--resolve",
             f"a.test:{g.port}:127.0.0.1", f"https://a.test:{g.port}/", "-w", "%{http_version}",
             *arguments], capture_output=True, timeout=30, check=True).stdout
        assert said == body + version
    said = [r.get("attributes") for r in g.wait_logs(3)]
    assert [one["network.protocol.version"] for one in said] == ["2", "2", "1.1"]
    assert [one["tls.protocol.version"] for one in said] == ["1.3", "1.2", "1.3"]
    with g.raw(tls=authority.context()) as connection:
        assert connection.get("/").body == body  # who names nothing speaks HTTP/1.1


def test_bodies_go_both_ways_unchanged(gate, server, authority, a_test):
    sent = os.urandom(3 << 20)
    s = server(lambda request: rig.http1.response(200, request.body))
    g = gate(upstream=s, listeners=listens(a_test))
    with g.raw(tls=authority.context()) as connection:
        for body in (sent, b"x", sent[:16384], sent[:16385], sent[:100000]):
            assert connection.post("/", body).body == body


def test_pipelined_and_bytewise_requests(gate, server, authority, a_test):
    g = gate(upstream=server(OK), listeners=listens(a_test))
    with g.raw(tls=authority.context()) as connection:
        connection.send(rig.request() * 5)
        assert [connection.read().status for _ in range(5)] == [200] * 5
        connection.send_bytewise(rig.request())
        assert connection.read().status == 200


def test_the_end_is_said_before_it_is_shown(gate, server, authority, a_test):
    g = gate(upstream=server(OK), listeners=listens(a_test), limits={"idle": "300ms"})
    with g.raw(tls=authority.context()) as connection:
        assert connection.get("/", {"Connection": "close"}).status == 200
        assert connection.expect_closed() == "eof"
    with g.raw(tls=authority.context()) as connection:
        assert connection.get("/").status == 200
        assert connection.expect_closed() == "eof"  # after `idle`


def test_only_protocols_that_are_spoken_are_agreed_on(gate, server, authority, a_test):
    g = gate(upstream=server(OK), listeners=listens(a_test))
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        g.raw(tls=authority.context(alpn=["ftp"]))
    with g.raw(tls=authority.context(alpn=())) as connection:
        assert connection.get("/").status == 200
    rig.wait_until(lambda: handshake(g, "failed") == 1)


NO_HELLO = {
    "http": b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", "length": b"\x16\x03\x01\xff\xff",
    "ssl2": b"\x80\x2e\x01\x00\x02", "zeros": b"\0" * 70000,
    "alert": b"\x15\x03\x01\0\x02\x02\0"}


@pytest.mark.parametrize("kind", NO_HELLO)
def test_what_is_no_hello_is_closed(gate, server, a_test, kind):
    said = NO_HELLO[kind]
    g = gate(upstream=server(never=True), listeners=listens(a_test),
             limits={"header_time": "500ms"})
    with g.raw() as connection:
        connection.try_send(said)
        connection.read_all()
        assert connection.end
    rig.wait_until(lambda: handshake(g, "failed") + handshake(g, "late") == 1)


def test_an_unfinished_handshake_ends_in_time(gate, server, authority, a_test):
    g = gate(upstream=server(OK), listeners=listens(a_test), limits={"header_time": "500ms"})
    hello = b"\x16\x03\x01\x01\x00\x01\x00\x00\xfc\x03\x03"
    waiting = [g.raw() for _ in range(200)]
    for connection in waiting:
        connection.send(hello)
    with g.raw(tls=authority.context()) as connection:
        assert connection.get("/").status == 200
    for connection in waiting:
        connection.read_all()
    rig.wait_until(lambda: handshake(g, "late") == 200)
    assert g.metrics().value("gatehouse_tls_handshakes_active") == 0


def test_who_goes_away_is_counted(gate, server, authority, a_test):
    g = gate(upstream=server(OK), listeners=listens(a_test))
    g.raw().send(b"\x16\x03\x01").half_close()
    g.raw().send(b"\x16\x03\x01").reset()
    rig.wait_until(lambda: handshake(g, "closed") == 2)


def test_a_hello_without_end_is_cut(gate, server, a_test):
    g = gate(upstream=server(never=True), listeners=listens(a_test))
    record = b"\x16\x03\x01\x40\x00"
    with g.raw() as connection:
        connection.try_send(record + b"\x01\x01\xf0\x00" + b"a" * (0x4000 - 4))
        for _ in range(8):
            connection.try_send(record + b"a" * 0x4000)
        connection.read_all()
    rig.wait_until(lambda: handshake(g, "failed") == 1)


def openssl(g, *arguments, said=b""):
    return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{g.port}", "-servername",
                           "a.test", *arguments], input=said, capture_output=True, timeout=30)


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_versions_are_refused(gate, server, a_test, version):
    g = gate(upstream=server(never=True), listeners=listens(a_test))
    done = openssl(g, version, "-cipher", "ALL:@SECLEVEL=0")
    assert b"alert protocol version" in done.stderr


@pytest.mark.parametrize("cipher", ["AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "AES128-GCM-SHA256",
                                    "DHE-RSA-AES128-GCM-SHA256", "NULL-SHA256"])
def test_weak_ciphers_are_refused(gate, server, a_test, cipher):
    g = gate(upstream=server(never=True), listeners=listens(a_test))
    done = openssl(g, "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")
    assert b"handshake failure" in done.stderr


def test_renegotiation_is_refused(gate, server, a_test):
    g = gate(upstream=server(OK), listeners=listens(a_test))
    done = openssl(g, "-tls1_2", said=b"R\n")
    assert b"no renegotiation" in done.stderr
    assert g.process.poll() is None


def test_least_version_of_a_listener_holds(gate, server, authority, a_test):
    g = gate(upstream=server(OK), listeners=listens({**a_test, "min": "1.3"}))
    old = authority.context()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match="(?i)protocol.version"):
        g.raw(tls=old)
    with g.raw(tls=authority.context()) as connection:
        assert connection.get("/").status == 200


def test_keys_are_changed_by_the_caller_as_often_as_it_likes(gate, server, a_test):
    """Each change is asked to be answered with one; the answers are not read."""
    g = gate(upstream=server(OK), listeners=listens(a_test), limits={"idle": "2s"})
    done = openssl(g, "-tls1_3", said=b"K\n" * 50)
    assert done.returncode in (0, 1)
    g.command("status")
    assert g.process.poll() is None


def test_many_callers_at_once(gate, server, authority, a_test):
    s = server(lambda request: rig.http1.response(200, request.target.encode()))
    g = gate(upstream=s, listeners=listens(a_test), workers=2)
    faults = []

    def call(n):
        try:
            with rig.Raw(g.port, tls=authority.context()) as connection:
                for i in range(10):
                    assert connection.get(f"/{n}/{i}").body == f"/{n}/{i}".encode()
        except Exception as fault:  # noqa: BLE001
            faults.append(fault)

    threads = [threading.Thread(target=call, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
