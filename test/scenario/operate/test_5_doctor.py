"""gate doctor: what keeps a gate from being well, and what helps."""
import json
import os
import resource
import shutil
import socket
import stat

import pytest
import rig


@pytest.fixture
def doctor(command, tmp_path):
    """Runs `gate doctor --json` with a configuration; what it says about something."""
    def run(config=None, arguments=(), **options):
        if config is not None:
            (tmp_path / "gateway.yaml").write_text(json.dumps(config))
        done = command("doctor", "--json", *arguments, **options)
        found = json.loads(done.stdout)["findings"]
        return done.returncode, lambda about: [f for f in found if f["about"] == about]
    return run


def free_port():
    from rig.ports import free_port as pick
    return pick()


def config(port, **more):
    return {"listeners": {"main": {"address": f"127.0.0.1:{port}"}},
            "admin": {"address": f"127.0.0.1:{free_port()}"}, **more}


def test_a_machine_that_is_well_is_said_to_be(doctor, server):
    s = server()
    code, about = doctor(config(free_port(), apis={"a": {"upstream": s.url}}))
    assert code == 0
    assert about("config")[0]["finding"] == "good"
    assert {f["finding"] for f in about("port")} == {"good"}
    assert about("services")[0]["finding"] == "good"
    for what in ("descriptors", "backlog", "outgoing", "memory", "processors", "clock", "gate"):
        assert about(what), what


def test_who_holds_a_port_is_told(doctor):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, about = doctor(config(port, apis={}))
    assert code == 1
    held = [f for f in about("port") if f["finding"] == "bad"]
    assert len(held) == 1 and f"127.0.0.1:{port}" in held[0]["text"]
    assert str(os.getpid()) in held[0]["text"] and held[0]["help"]


def test_a_port_held_by_the_gate_itself_is_fine(gate, server):
    g = gate(upstream=server())
    run = g.command("doctor", "--json", "-c", str(g.file))
    found = json.loads(run.stdout)["findings"]
    ports = [f for f in found if f["about"] == "port"]
    assert {f["finding"] for f in ports} == {"good"} and "held by gate" in ports[0]["text"]
    assert "runs at" in [f for f in found if f["about"] == "gate"][0]["text"]


def test_services_that_do_not_answer_are_told(doctor, server):
    gone = server()
    gone.stop()
    code, about = doctor(config(free_port(), upstreams={
        "x": {"targets": [gone.url, "http://no-such-name.invalid"]}}))
    assert "refused" in about("services")[0]["text"]
    assert "no-such-name.invalid has no address" in about("names")[0]["text"]
    assert code == 1


def test_secrets_that_others_may_read_are_told(doctor, tmp_path):
    key, loose = tmp_path / "key", tmp_path / "loose"
    for file in (key, loose):
        file.write_text("a-key-0123456789abcdef-" + file.name)
    key.chmod(0o600)
    loose.chmod(0o644)
    code, about = doctor(config(free_port(), consumers={
        "a": {"api_key": f"${{file:{key}}}"}, "b": {"api_key": f"${{file:{loose}}}"}}))
    told = [f for f in about("files") if f["finding"] == "warning"]
    assert len(told) == 1 and str(loose) in told[0]["text"]
    (tmp_path / "gateway.yaml").chmod(0o666)
    code, about = doctor()
    assert code == 1
    assert any("others may write" in f["text"] for f in about("files"))
    assert stat.S_IMODE(os.stat(tmp_path / "gateway.yaml").st_mode) == 0o666  # nothing is changed


def test_too_few_descriptors_are_told(doctor):
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (1000, 1000))
    code, about = doctor(config(free_port()), preexec_fn=limit)
    assert about("descriptors")[0]["finding"] == "warning"
    assert "LimitNOFILE" in about("descriptors")[0]["help"]
    assert code == 0


def test_a_configuration_that_is_wrong_is_left_to_check(doctor):
    code, about = doctor({"apis": {"a": {"upstreem": "x"}}})
    assert code == 1
    assert "1 error," in about("config")[0]["text"] and "gate check" in about("config")[0]["help"]


def test_it_works_without_a_configuration_and_for_people(command):
    run = command("doctor")
    assert run.returncode == 0
    assert "! config      there is none here" in run.stdout
    quiet = command("doctor", "-q")
    assert "✓" not in quiet.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_a_folder_of_somebody_else_is_told_with_what_helps(doctor, tmp_path):
    folder = tmp_path / "kept"
    folder.mkdir()
    there = {"environment": {"STATE_DIRECTORY": str(folder)}}
    told = doctor(config(free_port(), user="nobody"), **there)[1]("files")[0]
    assert told["finding"] == "warning" and "cannot be written" in told["text"]
    assert told["help"] == f"chown -R nobody: {folder}"
    shutil.chown(folder, "nobody")
    assert doctor(**there)[1]("files")[0]["finding"] == "good"
