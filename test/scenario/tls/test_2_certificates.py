"""Certificates: what is refused before it is used, who sees which, and how they are renewed."""
import json
import os
import pathlib
import shutil
import ssl
import subprocess
import time

import pytest
import rig
from rig import listens
from rig.gate import binary

OK = rig.http1.response(200, b"hi")
is_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def shown(g, authority, name="a.test"):
    """The first name of the certificate that a caller sees, who trusts nothing."""
    context = ssl.create_default_context(cafile=str(authority.pem))
    context.check_hostname = False
    with rig.Raw(g.port, tls=context, name=name) as connection:
        return connection.socket.getpeercert()["subjectAltName"][0][1]


def serial(g, authority, name="a.test"):
    with rig.Raw(g.port, tls=authority.context(), name=name) as connection:
        return connection.socket.getpeercert()["serialNumber"]


@pytest.fixture
def folder(tmp_path):
    """Where everybody may look, and pytest's own folders are not."""
    folder = pathlib.Path(f"/tmp/tls-{os.getpid()}-{time.monotonic_ns()}")
    folder.mkdir(mode=0o755)
    yield folder
    shutil.rmtree(folder)


def publish(block):
    """Lets everybody read a key."""
    for path in (block["cert"], block["key"]):
        os.chmod(path, 0o644)
    return block


# What is wrong is said

@pytest.fixture
def checked(gate, tmp_path):
    """What `gate check` says of such a listener."""
    def run(*certs, **more):
        file = tmp_path / "gateway.json"
        file.write_text(json.dumps({
            "listeners": listens(*certs, address="localhost:8443"),
            "apis": {"a": {"upstream": "http://localhost:1"}}, **more}, indent=1))
        done = subprocess.run([str(binary()), "check", str(file)], capture_output=True, text=True,
                              timeout=60)
        return done.returncode, done.stdout + done.stderr
    return run


def test_a_good_pair_has_no_problems(checked, a_test):
    code, said = checked(a_test)
    assert code == 0 and "no problems" in said, said


def test_faults_name_file_line_and_reason(checked, authority, a_test, tmp_path):
    other = authority.make("a.test")
    weak = authority.make("a.test", kind="weak")
    torn, empty = tmp_path / "torn.pem", tmp_path / "empty.pem"
    torn.write_bytes(pathlib.Path(a_test["cert"]).read_bytes()[:300])
    empty.touch()
    for block, code, reason in (
            ({**a_test, "cert": "/no/such.pem"}, "E120", "no such file"),
            ({**a_test, "key": "/no/such.key"}, "E120", "no such file"),
            ({**a_test, "key": str(tmp_path)}, "E120", "no regular file"),
            ({**a_test, "cert": str(empty)}, "E120", "it is empty"),
            ({**a_test, "cert": str(torn)}, "E214", "no certificate"),
            ({**a_test, "key": a_test["cert"]}, "E214", "no private key"),
            ({**a_test, "key": other["key"]}, "E214", "not the key of the certificate"),
            (weak, "E214", "too short"),
            (authority.make("a.test", since=-9, days=-2), "E215", "expired on"),
            (authority.make("a.test", since=2, days=9), "E215", "not valid before"),
            (authority.make("a.test", days=11.5), "W206", "in 11 days")):
        status, said = checked(block)
        assert code in said and reason in said and "gateway.json:" in said, said
        assert (status != 0) == code.startswith("E"), said


def test_all_that_is_wrong_is_said_at_once(checked, a_test):
    _, said = checked({**a_test, "key": "/no/such.key"}, {**a_test, "cert": "/nor/this.pem"})
    assert "/no/such.key" in said and "/nor/this.pem" in said


def test_a_host_without_certificate_is_told(checked, authority):
    block = authority.make("a.test", "*.b.test")
    apis = {"a": {"upstream": "http://localhost:1", "channels": ["c"]}}
    _, said = checked(block, apis=apis, channels={
        "c": {"hosts": ["a.test", "x.b.test", "*.b.test", "c.test", "*.a.test", "x.y.b.test"]}})
    assert said.count("W207") == 3
    for name in ("c.test", "*.a.test", "x.y.b.test"):
        assert f"is for `{name}`" in said


def test_one_certificate_twice_is_refused(checked, a_test):
    assert "has a certificate twice" in checked(a_test, a_test)[1]


def test_what_is_not_built_is_refused(checked, a_test):
    assert "E106" in checked({**a_test, "acme": "a@example.com"})[1]


# Who sees which

def test_the_name_asked_for_decides(gate, server, authority, a_test):
    g = gate(upstream=server(OK), listeners=listens(
        a_test, authority.make("*.b.test"), authority.make("c.b.test"),
        authority.make("a.test", kind="rsa")))
    assert shown(g, authority, "a.test") == "a.test"
    assert shown(g, authority, "x.b.test") == "*.b.test"
    assert shown(g, authority, "c.b.test") == "c.b.test"
    assert shown(g, authority, "nobody.test") == "a.test"
    assert shown(g, authority, None) == "a.test"
    rsa = authority.context()
    rsa.maximum_version = ssl.TLSVersion.TLSv1_2
    for kind in ("RSA", "ECDSA"):
        rsa.set_ciphers(f"ECDHE-{kind}-AES128-GCM-SHA256")
        with g.raw(tls=rsa) as connection:
            assert connection.get("/").status == 200
            assert kind in connection.socket.cipher()[0]


def test_a_host_of_another_certificate_is_misdirected(gate, server, authority, a_test):
    s = server(OK)
    g = gate(upstream=s, listeners=listens(a_test, authority.make("b.test", "*.c.test")))
    with g.raw(tls=authority.context(), name="a.test") as connection:
        assert connection.get("/", host="a.test").status == 200
        answer = connection.get("/", host="b.test")
        assert (answer.status, answer.code) == (421, "wrong-host")
        assert connection.get("/", host="x.c.test").status == 421
        assert connection.get("/", host="A.TEST").status == 200
    with g.raw(tls=authority.context(), name="b.test") as connection:
        assert connection.get("/", host="x.c.test").status == 200
        assert connection.get("/", host="a.test").status == 421
        assert connection.get("/", host="unknown.test").status == 421
    assert len(s.requests) == 3


def test_with_one_certificate_every_host_is_answered(gate, server, authority, a_test):
    g = gate(upstream=server(OK), listeners=listens(a_test))
    with g.raw(tls=authority.context()) as connection:
        assert connection.get("/", host="other.test").status == 200


# How they are renewed

def resumed(g, context, session, name="a.test"):
    with rig.Raw(g.port, tls=context, name=name, session=session) as connection:
        assert connection.get("/").status == 200
        return connection.socket.session_reused


def test_callers_come_back_without_a_full_handshake(gate, server, authority, folder):
    """To any worker, after a reload with new certificates, and after an upgrade."""
    block = publish(authority.make("a.test", folder=folder, stem="a"))
    g = gate(upstream=server(OK), listeners=listens(block), workers=2)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = authority.context()
        context.maximum_version = version
        with g.raw(tls=context) as connection:
            assert connection.get("/").status == 200
            session = connection.socket.session
        assert all(resumed(g, context, session) for _ in range(6))
        publish(authority.make("a.test", folder=folder, stem="a"))
        g.reload()
        assert resumed(g, context, session)
    data = g.status()["pid"]
    assert g.command("upgrade").returncode == 0
    rig.wait_until(lambda: g.status()["pid"] != data)
    assert resumed(g, context, session)
    assert g.metrics().value("gatehouse_tls_handshakes_total", result="resumed") == 1


def test_new_files_are_taken_and_no_connection_is_dropped(gate, server, authority, folder):
    block = publish(authority.make("a.test", folder=folder, stem="a"))
    g = gate(upstream=server(OK), listeners=listens(block))
    before = serial(g, authority)
    with g.raw(tls=authority.context()) as connection:
        assert connection.get("/").status == 200
        publish(authority.make("a.test", folder=folder, stem="a"))
        rig.wait_until(lambda: serial(g, authority) != before)
        assert connection.get("/").status == 200
        assert connection.socket.getpeercert()["serialNumber"] == before


def test_what_is_no_pair_does_not_take_the_place_of_one(gate, server, authority, folder):
    block = publish(authority.make("a.test", folder=folder, stem="a"))
    g = gate(upstream=server(OK), listeners=listens(block))
    before = serial(g, authority)
    cert = pathlib.Path(block["cert"])
    good = cert.read_bytes()

    def failures():
        return g.metrics().value("gatehouse_config_reloads_total", result="failure")

    other = authority.make("a.test")
    over = authority.make("a.test", since=-9, days=-2)
    for count, bytes_ in enumerate((good[:len(good) // 2], pathlib.Path(other["cert"]).read_bytes(),
                                    pathlib.Path(over["cert"]).read_bytes()), 1):
        cert.write_bytes(bytes_)
        rig.wait_until(lambda: failures() >= count)
        assert serial(g, authority) == before
    cert.unlink()
    rig.wait_until(lambda: failures() >= 4)
    assert serial(g, authority) == before
    assert "no such file" in g.status()["config"]["reload"]["error"]
    publish(authority.make("a.test", folder=folder, stem="a"))
    rig.wait_until(lambda: serial(g, authority) != before)
    assert g.status()["config"]["reload"]["result"] == "success"


@is_root
@pytest.mark.root
def test_a_key_that_only_root_may_read_is_renewed_too(gate, server, authority, folder):
    block = authority.make("a.test", folder=folder, stem="a")
    os.chmod(block["key"], 0o600)
    g = gate(upstream=server(OK), listeners=listens(block))
    before, data = serial(g, authority), g.status()["pid"]
    with g.raw(tls=authority.context()) as connection:
        assert connection.get("/").status == 200
        authority.make("a.test", folder=folder, stem="a")
        os.chmod(block["key"], 0o600)
        rig.wait_until(lambda: serial(g, authority) != before)
        answer = connection.get("/")  # the process that drains says that it is the last one
        assert answer.status == 200
    rig.wait_until(lambda: g.status()["pid"] != data)
    assert "read by a fresh process" in g.stderr()
    after = serial(g, authority)
    pathlib.Path(block["key"]).write_text("nonsense")
    rig.wait_until(lambda: "data process" in g.stderr().split("takes over", 2)[-1])
    assert serial(g, authority) == after


def test_a_gate_starts_with_what_has_expired(gate, server, authority):
    """The rest of its callers can do nothing for it."""
    g = gate(upstream=server(OK), listeners=listens(authority.make("a.test", since=-9, days=-2)))
    context = ssl.create_default_context(cafile=str(authority.pem))
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        g.raw(tls=context)
    assert "expired on" in g.stderr() and "W206" in g.stderr()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with g.raw(tls=context) as connection:
        assert connection.get("/").status == 200
    assert g.status()["certificates"][0]["valid"] is False


def test_what_expires_soon_is_seen(gate, server, authority, a_test):
    g = gate(upstream=server(OK), listeners=listens(a_test, authority.make("b.test", days=20.5)))
    first, second = g.status()["certificates"]
    assert (first["listener"], first["names"], first["valid"]) == ("main", ["a.test"], True)
    assert (second["names"], second["days"]) == (["b.test"], 20)
    until = g.metrics().value("gatehouse_certificate_expiry_timestamp_seconds",
                              server_address="b.test", gatehouse_listener="main")
    assert abs(until - time.time() - 20.5 * 86400) < 3600
    said = g.command("status").stdout
    assert "b.test of listener main expires in 20 days" in said and "a.test of" not in said


def test_a_listener_begins_and_ends_to_speak_tls(gate, server, authority, a_test):
    block = {**a_test, "key": pathlib.Path(a_test["key"]).read_text()}  # PEM itself
    s = server(OK)
    g = gate(upstream=s)
    with g.raw() as plain:
        assert plain.get("/").status == 200
        block["cert"] = pathlib.Path(a_test["cert"]).read_text()
        g.options["listeners"] = listens(block)
        g.reload({})
        assert plain.get("/").status == 200
        assert s.requests[-1].header("x-forwarded-proto") == "http"
    with g.raw(tls=authority.context()) as secure:
        assert secure.get("/").status == 200
        g.options["listeners"] = {}
        g.reload({})
        assert secure.get("/").status == 200
        assert s.requests[-1].header("x-forwarded-proto") == "https"
    assert g.get("/").status == 200
