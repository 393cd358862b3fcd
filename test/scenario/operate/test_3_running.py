"""Commands against a running gate: status, ping, logs, reload, stop, drain, upgrade, keys."""
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest
import rig
from rig.gate import binary

CONSUMERS = {"acme": {"api_key": "acme-key-0123456789abcdef"}}
KEY = {"X-API-Key": "acme-key-0123456789abcdef"}


@pytest.fixture
def upstream(server):
    return server(rig.http1.response(200, b"hi"))


@pytest.fixture
def running(gate, upstream):
    return gate(upstream=upstream, policies={"auth": "api_key", "rate_limit": "5/min"},
                consumers=CONSUMERS)


def terminal(gate, *arguments, seconds=10, environment=None):
    """Output of a command that writes to a terminal."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [str(gate.binary), *arguments], stdin=follower, stdout=follower, stderr=follower,
        env={**gate.environment(), "GATE_GATEWAY": str(gate.socket), "TERM": "xterm-256color",
             **(environment or {})}, start_new_session=True)
    os.close(follower)
    text = b""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            piece = os.read(leader, 65536)
        except OSError:
            break
        if not piece:
            break
        text += piece
    os.close(leader)
    return process.wait(5), text.decode()


# status

def test_the_status_is_one_screen(running):
    assert running.get("/", KEY).status == 200
    shown = running.command("status")
    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.split("\n")
    assert re.match(r"gate \S+  ✓ ready  up .*pid \d+", lines[0])
    assert str(running.file) in shown.stdout
    assert f"http://127.0.0.1:{running.port}" in shown.stdout
    assert "✓ healthy" in shown.stdout
    assert len(lines) < 40 and max(map(len, lines)) <= 120
    assert "\x1b" not in shown.stdout


def test_the_status_for_programs_is_that_of_the_admin(running):
    status = json.loads(running.command("status", "--json").stdout)
    assert status["ready"] is True and status["workers"] == 1
    assert status.keys() == running.status().keys()


def test_the_status_shows_why_a_reload_was_refused(running):
    running.write("apis: { a: { upstreem: http://x } }")
    run = running.command("reload")
    assert run.returncode == 78
    assert "E104" in run.stderr and "gateway.yaml:1:14" in run.stderr
    assert "stays in force" in run.stderr
    shown = running.command("status")
    assert "the last reload was refused" in shown.stdout and "E104" in shown.stdout
    running.reload({"upstreams": {}, "apis": {}})
    assert "refused;" not in running.command("status").stdout


def test_a_gate_is_found_by_its_socket_and_by_its_address(running):
    folder = running.directory / "gatehouse"
    for environment in ({"GATE_GATEWAY": f"http://127.0.0.1:{running.admin}"},
                        {"GATE_GATEWAY": f"127.0.0.1:{running.admin}"},
                        {"GATE_GATEWAY": f"unix:{running.socket}"},
                        {"GATE_GATEWAY": ""}):  # in $RUNTIME_DIRECTORY
        run = running.command("ping", environment=environment)
        assert (run.returncode, run.stdout) == (0, "live\n"), (environment, run.stderr)
    folder.mkdir()
    os.symlink(running.socket, folder / "admin.sock")
    run = running.command("ping", environment={"GATE_GATEWAY": "", "RUNTIME_DIRECTORY": ""})
    assert run.returncode == 0


def test_without_a_gate_commands_say_where_they_looked(command, tmp_path):
    run = command("status", "--gateway", tmp_path / "no.sock")
    assert run.returncode == 69
    assert "no gateway answers" in run.stderr and "no.sock" in run.stderr
    assert command("ping", "--gateway", tmp_path / "no.sock").returncode == 1


def test_what_is_no_gate_is_not_taken_for_one(command, server):
    s = server(rig.http1.response(200, b"{}"))
    run = command("status", "--gateway", s.url)
    assert run.returncode != 0 and "no status" in run.stderr
    assert command("ping", "--gateway", s.url).returncode == 1


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"hello\r\n\r\n",
    b"",
])
def test_half_answers_and_wrong_ones_are_complaints(command, server, answer):
    s = server((answer, rig.close))
    run = command("status", "--gateway", s.url, "--timeout", "2s")
    assert run.returncode == 69, run.stderr
    assert "no answer from the gate" in run.stderr


def test_a_gate_that_says_nothing_is_waited_for_a_bounded_time(command, server):
    s = server((rig.hold(threading.Event()),))
    begin = time.monotonic()
    run = command("status", "--gateway", s.url, "--timeout", "300ms")
    assert run.returncode == 69 and "it took too long" in run.stderr
    assert time.monotonic() - begin < 5


def test_what_changes_something_needs_the_socket(running):
    address = {"GATE_GATEWAY": f"http://127.0.0.1:{running.admin}"}
    for command in (["reload"], ["stop"], ["logs"], ["key", "new", "acme"]):
        run = running.command(*command, environment=address)
        assert run.returncode == 69 and "read only" in run.stderr


# ping

def test_a_ping_is_0_or_1(running):
    assert running.command("ping").stdout == "live\n"
    assert running.command("ping", "--ready", "-q").stdout == ""
    assert running.command("ping", "--gateway", "/nowhere.sock").returncode == 1


# logs

def test_logs_in_a_pipe_are_the_records(running):
    ids = [running.get(f"/{i}", KEY).request_id for i in range(3)]
    refused = running.get("/none").request_id
    running.wait_logs(4)

    def seen(*arguments):
        run = running.command("logs", *arguments)
        assert run.returncode == 0, run.stderr
        return [json.loads(line)["attributes"]["request_id"] for line in run.stdout.splitlines()]
    assert seen() == [*ids, refused]
    assert seen("-n", "2") == [ids[2], refused]
    assert seen("-n", "0") == []
    assert seen("--where", "status >= 400") == [refused]
    assert seen("--where", "status == 200", "-n", "1") == [ids[2]]
    assert seen("--trace", ids[1]) == [ids[1]]
    assert seen("--trace", ids[1], "--where", "status == 401 || path == \"/x y\"") == []


def test_logs_that_are_none_are_said_to_be_none(running):
    run = running.command("logs", "--trace", "5e4f25d7ecbb50096d7d5bd5eef72f3c")
    assert (run.returncode, run.stdout) == (0, "") and "none of the requests" in run.stderr
    assert running.command("logs", "-q", "--where", "status == 599").stderr == ""


def test_logs_on_a_terminal_are_columns(running):
    running.get("/x", KEY)
    running.wait_logs(1)
    code, text = terminal(running, "logs")
    assert code == 0 and re.search(r"\x1b\[\d*m200\x1b\[0m GET +/x", text), text
    code, text = terminal(running, "logs", environment={"NO_COLOR": "1"})
    assert "200 GET" in text and "\x1b" not in text


def test_logs_can_be_followed(running):
    before = running.get("/before", KEY).request_id
    running.wait_logs(1)
    process = subprocess.Popen([str(running.binary), "logs", "-f", "-n", "0"],
                               stdout=subprocess.PIPE, text=True,
                               env={**running.environment(), "GATE_GATEWAY": str(running.socket)})
    time.sleep(0.5)
    after = running.get("/after", KEY).request_id
    line = json.loads(process.stdout.readline())
    assert line["attributes"]["request_id"] == after != before
    process.send_signal(signal.SIGINT)
    assert process.wait(5) == -signal.SIGINT


def test_who_follows_is_let_go_when_the_gate_ends(running):
    process = subprocess.Popen([str(running.binary), "logs", "-f"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True,
                               env={**running.environment(), "GATE_GATEWAY": str(running.socket)})
    time.sleep(0.5)
    assert running.stop() == 0
    assert process.wait(5) in (0, 69)


def test_a_question_that_is_none_is_told_with_its_place(command):
    run = command("logs", "--where", "status => 500")
    assert run.returncode == 64
    assert "  status => 500\n          ^" in run.stderr


# reload

def test_a_reload_is_waited_for(running, upstream):
    config = {"apis": {"b": {"path": "/b", "upstream": upstream.url}}}
    running.reload(config)
    assert running.get("/b").status == 200
    run = running.command("reload", "--json")
    assert json.loads(run.stdout)["result"] == "success"
    running.write("apis: [")
    run = running.command("reload", "--json")
    assert run.returncode == 78
    assert json.loads(run.stdout)["errors"][0]["code"].startswith("E")


# stop and drain

def test_stop_waits_for_the_end(running):
    run = running.command("stop")
    assert run.returncode == 0 and "stopped" in run.stderr
    assert running.wait_exit(20) == 0


def test_stop_waits_for_what_is_under_way_unless_told_to_break_it_off(gate, server):
    s = server((rig.hold(threading.Event()),))
    g = gate(upstream=s, exit=143, forgive="")
    c = g.raw().send(rig.request("GET", "/"))
    s.wait(1)
    run = g.command("stop", "--timeout", "500ms")
    assert run.returncode == 75 and "--now" in run.stderr
    run = g.command("stop", "--now")
    assert run.returncode == 0, run.stderr
    assert g.wait_exit(20) == 143
    c.close()


def test_drain_begins_and_does_not_wait(gate, server):
    s = server((rig.wait(1.0), rig.http1.response(200, b"late")))
    g = gate(upstream=s)
    c = g.raw().send(rig.request("GET", "/"))
    s.wait(1)
    assert g.command("drain").returncode == 0
    assert g.process.poll() is None
    assert c.read().body == b"late"
    assert g.wait_exit(20) == 0


# upgrade

def test_an_upgrade_is_waited_for(gate, server, tmp_path):
    program = tmp_path / "gate"
    shutil.copy(binary(), program)
    g = gate(upstream=server(), binary=program)
    before = g.status()["instance"]
    shutil.copy(binary(), tmp_path / "next")
    os.replace(tmp_path / "next", program)
    run = g.command("upgrade")
    assert run.returncode == 0, run.stderr
    assert "upgraded" in run.stderr
    assert g.status()["instance"] != before
    assert g.get("/").status == 200


def test_an_upgrade_to_what_is_no_gate_changes_nothing(gate, server, tmp_path):
    program = tmp_path / "gate"
    shutil.copy(binary(), program)
    g = gate(upstream=server(), binary=program)
    before = g.status()["instance"]
    (tmp_path / "next").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "next").chmod(0o755)
    os.replace(tmp_path / "next", program)
    run = subprocess.run([str(binary()), "upgrade"], capture_output=True,
                         text=True, env={**g.environment(), "GATE_GATEWAY": str(g.socket)})
    assert run.returncode == 1 and "nothing has changed" in run.stderr, run.stderr
    assert g.status()["instance"] == before


# keys

def test_a_new_key_works_at_once_and_a_revoked_one_no_more(running):
    run = running.command("key", "new", "acme")
    key = run.stdout.strip()
    assert re.fullmatch(r"gate_live_[0-9A-Za-z]{32}", key) and key not in run.stderr
    assert running.get("/", {"X-API-Key": key}).status == 200
    run = running.command("key", "revoke", "acme", input=key + "\n")
    assert run.returncode == 0, run.stderr
    assert running.get("/", {"X-API-Key": key}).status == 401
    assert running.command("key", "revoke", "acme", input=key + "\n").returncode == 1


def test_a_key_can_have_an_end(running):
    key = running.command("key", "new", "acme", "--expires", "2s", "--env", "test").stdout.strip()
    assert key.startswith("gate_test_")
    assert running.get("/", {"X-API-Key": key}).status == 200
    time.sleep(3.1)
    assert running.get("/", {"X-API-Key": key}).status == 401


def test_who_is_no_consumer_gets_no_key(running):
    run = running.command("key", "new", "nobody")
    assert run.returncode == 1 and "no consumer `nobody`" in run.stderr and run.stdout == ""


def test_a_mistyped_key_is_known_for_one(running, command):
    key = command("key", "make").stdout.strip()
    wrong = key[:-1] + ("a" if key[-1] != "a" else "b")
    run = running.command("key", "revoke", "acme", input=wrong)
    assert run.returncode == 65 and "mistyped" in run.stderr


def test_keys_are_made_without_a_gate(command):
    keys = {command("key", "make").stdout for _ in range(3)}
    assert len(keys) == 3
    assert json.loads(command("key", "make", "--env", "test", "--json").stdout)["key"]
    assert command("key", "make", "--env", "UPPER").returncode == 64


# whose socket it is

@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else")
def test_a_socket_of_another_user_is_told_as_that(running):
    shared = running.directory
    shared.chmod(0o755)
    program = shared / "gate"
    shutil.copy(running.binary, program)
    program.chmod(0o755)
    nobody = {"user": 65534, "group": 65534, "extra_groups": [], "capture_output": True,
              "text": True, "cwd": "/"}
    environment = {**running.environment(), "GATE_GATEWAY": "", "RUNTIME_DIRECTORY": str(shared)}
    run = subprocess.run([str(program), "reload", "--gateway", str(running.socket)],
                         env=environment, **nobody)
    assert run.returncode == 77 and "not yours to open" in run.stderr, run.stderr
    run = subprocess.run([str(program), "reload"], env=environment, **nobody)
    assert run.returncode == 77, run.stderr
    run = subprocess.run([str(program), "ping", "--gateway", f"http://127.0.0.1:{running.admin}"],
                         env=environment, **nobody)
    assert run.returncode == 0, run.stderr


# what is left, now

def test_an_explanation_begins_where_the_gate_has_counted(running):
    def explain(*arguments):
        run = running.command("explain", "-c", running.file, "GET", "/x", "--as", "acme",
                              *arguments)
        return run.returncode, run.stdout

    def rate_limit(code_and_text):
        return json.loads(code_and_text[1])["policies"][1]["note"]
    for _ in range(3):
        assert running.get("/", KEY).status == 200
    assert rate_limit(explain("--json")) == "5/min, 4 left"
    live = explain("--live", "--json")
    assert rate_limit(live) == "5/min, 1 left" == rate_limit(explain("--live", "--json"))
    facts = json.loads(live[1])["live"]
    assert facts["same"] is True and facts["requests"] == 3 and facts["rate_limited"] == 0
    assert facts["targets"] == facts["healthy"] == 1 and facts["circuit_open"] is False
    for _ in range(3):
        running.get("/", KEY)
    code, text = explain("--live", "--exit-code")
    assert code == 1 and "✗ rate_limit" in text and "→ 429" in text
    assert "this configuration is in force" in text and "1 of 1 servers healthy" in text
    assert explain("--live", "--exit-code", "--ip", "198.51.100.7")[0] == 1
    other = running.file.with_name("other.yaml")
    other.write_text(running.file.read_text().replace("5/min", "5/h"))
    text = running.command("explain", "-c", other, "/x", "--as", "acme", "--live").stdout
    assert "ANOTHER configuration is in force" in text
    assert "5/h, 3 left" in text  # a minute ahead is one of five in an hour


def test_without_a_gate_nothing_is_explained_live(command, tmp_path):
    (tmp_path / "gateway.yaml").write_text("apis: { a: { upstream: http://localhost:1 } }\n")
    run = command("explain", "/a", "--live", "--gateway", str(tmp_path / "none.sock"))
    assert run.returncode == 69 and "no gateway answers" in run.stderr


def test_a_gate_on_a_terminal_says_where_it_listens(running):
    config = running.directory / "second.yaml"
    config.write_text(json.dumps({
        "listeners": {"main": {"address": "127.0.0.1:0"}},
        "admin": {"address": "off", "socket": str(running.directory / "second.sock")},
        "apis": {"a": {"upstream": "http://127.0.0.1:1", "policies": {"auth": "none"}}}}))
    leader, follower = pty.openpty()
    process = subprocess.Popen([str(running.binary), "run", "-c", str(config)], stdin=follower,
                               stdout=follower, stderr=follower, start_new_session=True,
                               env={**running.environment(), "TERM": "dumb"})
    os.close(follower)
    text = b""
    while b"listening" not in text or not text.endswith(b"\n"):
        text += os.read(leader, 65536)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) in (0, 143)
    os.close(leader)
    assert re.search(rb"listening +http://127\.0\.0\.1:\d+\r\n", text)


# what a reload would change

def test_a_file_is_compared_with_what_is_in_force(running):
    def diff(*arguments):
        return running.command("diff", "-c", running.file, "--from", "live", *arguments)
    assert "no difference" in diff("--exit-code").stderr
    config = json.loads(running.file.read_text())
    text = running.file.read_text()
    running.file.write_text(text.replace("5/min", "7/min").replace("acme-key", "other-key"))
    run = diff("--exit-code", "--json")
    assert run.returncode == 2, run.stderr
    changes = json.loads(run.stdout)["changes"]
    assert [c["is"] for c in changes if c["what"].endswith("rate_limit.rate")] == ["7/min"]
    assert "acme-key" not in run.stdout and "other-key" not in run.stdout
    assert running.command("reload").returncode == 0
    assert "no difference" in diff("--exit-code").stderr
    many = {f"api{number}": {"upstream": "http://127.0.0.1:1"} for number in range(5000)}
    running.reload({**config, "apis": {**config["apis"], **many}})
    running.file.write_text(json.dumps(config))
    assert "api4999" in diff().stdout  # a text larger than the admin's memory


def test_without_a_gate_nothing_is_compared_live(command, tmp_path):
    (tmp_path / "gateway.yaml").write_text("apis: { a: { upstream: http://localhost:1 } }\n")
    run = command("diff", "--from", "live", "--gateway", str(tmp_path / "none.sock"))
    assert run.returncode == 69 and "no gateway answers" in run.stderr
