"""gate proxy: a service behind keys and limits, in one line."""
import os
import stat

import pytest
import rig


@pytest.fixture
def upstream(server):
    return server(lambda request: rig.http1.response(200, request.target.encode()))


def test_one_line_is_a_gateway_with_a_key_and_a_limit(started, upstream):
    p = started("proxy", upstream.url, "--auth", "api_key", "--limit", "2/min")
    assert p.get("/x").status == 401
    key = {"X-API-Key": p.key}
    answer = p.get("/a/b?c=d", key)
    assert (answer.status, answer.body) == (200, b"/a/b?c=d")
    assert p.get("/", key).status == 200
    assert p.get("/", key).status == 429
    assert "2/min per consumer" in p.stderr()
    assert upstream.requests[0].header("x-api-key") is None


def test_without_auth_it_is_open_and_says_so(started, upstream):
    p = started("proxy", upstream.url.removeprefix("http://"))
    assert p.get("/x").body == b"/x"
    assert "none is asked for" in p.stderr()


def test_requests_are_spread_over_several_services(started, server):
    one = server(rig.http1.response(200, b"one"))
    other = server(rig.http1.response(200, b"other"))
    p = started("proxy", one.url, other.url)
    assert {p.get("/").body for _ in range(8)} == {b"one", b"other"}


def test_web_pages_of_an_origin_may_call(started, upstream):
    p = started("proxy", upstream.url, "--cors", "https://app.example.com")
    origin = {"Origin": "https://app.example.com"}
    answer = p.get("/", origin)
    assert answer.header("access-control-allow-origin") == "https://app.example.com"
    other = p.get("/", {"Origin": "https://other.example.com"})
    assert other.header("access-control-allow-origin") is None


def test_a_service_that_is_not_there_yet_is_said_to_be_missing(started, server):
    gone = server()
    gone.stop()
    p = started("proxy", gone.url)
    p.wait(r"! service .* does not answer yet")
    assert p.get("/").status == 502


def test_a_port_that_is_taken_is_told_with_who_holds_it(started, command, upstream):
    p = started("proxy", upstream.url)
    run = command("proxy", upstream.url, "--listen", f"localhost:{p.port}")
    assert run.returncode == 71
    assert f"port {p.port} is taken" in run.stderr and "--listen" in run.stderr


def test_what_is_written_does_the_same(command, gate, server, tmp_path):
    s = server()
    run = command("proxy", s.url, "--auth", "api_key", "--limit", "100/min",
                  "--write", "gateway.yaml")
    assert run.returncode == 0, run.stderr
    key_file = tmp_path / "gateway.key"
    assert stat.S_IMODE(os.stat(key_file).st_mode) == 0o600
    assert key_file.read_text().strip() in run.stderr
    checked = command("check")
    assert checked.returncode == 0, checked.stdout
    text = (tmp_path / "gateway.yaml").read_text()
    assert key_file.read_text().strip() not in text
    text = text.replace("${file:gateway.key}", f"${{file:{key_file}}}")
    g = gate(text + "\nlisteners: { main: { address: \"@main@\" } }\n"
                    "admin: { address: \"@admin@\", socket: \"@socket@\" }\n")
    assert g.get("/").status == 401
    assert g.get("/", {"X-API-Key": key_file.read_text().strip()}).status == 200


def test_nothing_is_written_over(command, tmp_path):
    (tmp_path / "gateway.yaml").write_text("mine")
    run = command("proxy", "9000", "--auth", "api_key", "--write", "gateway.yaml")
    assert run.returncode == 71 and "already" in run.stderr
    assert (tmp_path / "gateway.yaml").read_text() == "mine"
    assert not (tmp_path / "gateway.key").exists()


def test_a_bad_flag_leaves_no_files(command, tmp_path):
    run = command("proxy", "9000", "--auth", "api_key", "--cors", "banana", "--write", "g.yaml")
    assert run.returncode == 78 and "E211" in run.stderr
    assert not (tmp_path / "g.yaml").exists() and not (tmp_path / "g.key").exists()


def test_a_key_may_come_from_a_file(started, upstream, tmp_path):
    file = tmp_path / "key"
    file.write_text("a-key-of-our-own-0123456789\n")
    p = started("proxy", upstream.url, "--auth", "api_key", "--key-file", file)
    assert p.get("/", {"X-API-Key": "a-key-of-our-own-0123456789"}).status == 200
    assert "a-key-of-our-own" not in p.stderr()


@pytest.mark.parametrize("arguments, says", [
    (["9000", "--limit", "100 per minute"], "100/min"),
    (["ftp://x"], "no address of a service"),
    (["https://x"], "not in this version"),
    (["9000", "--listen", ":8080"], "--auth none"),
    (["9000", "--listen", "here"], "no address to listen on"),
    (["9000", "--auth", "magic"], "api_key, none"),
    (["9000", "--key-file", "x"], "--auth api_key"),
    ([], "needs an argument"),
])
def test_mistakes_are_told_with_what_helps(command, arguments, says):
    run = command("proxy", *arguments)
    assert run.returncode == 64
    assert says in run.stderr
