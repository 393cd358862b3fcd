"""How a gate begins, and what it says when it cannot."""
import os
import re
import socket
import stat
import subprocess
import sys
import time

import pytest
import rig
from rig.ports import free_port


def test_it_serves_with_one_socket_per_worker(keeper):
    k = keeper("listen @port@", "workers 3")
    k.says(rf"listening 127\.0\.0\.1:{k.port} sockets 3")
    assert k.children() == [k.data]


def test_every_worker_socket_is_served(keeper):
    k = keeper("listen @port@", "workers 4")
    for _ in range(64):  # the kernel spreads them over all sockets
        k.ask()


@pytest.mark.parametrize("code", [64, 66, 77, 78])
def test_a_bad_configuration_ends_the_gate_with_its_exit_code(run, code):
    watch = rig.Watch()
    assert run("listen @port@", f"exit {code}")[0] == code
    assert watch.own < 5


def test_a_data_process_that_always_crashes_at_first_ends_the_gate(run):
    code, text = run("crash", forgive=r"gate: fatal signal 11|.*AddressSanitizer.*")
    assert code == 70
    assert text.count("signal 11") >= 5


def test_a_taken_port_is_exit_71_and_says_who_has_it(run):
    port = free_port()
    holder = subprocess.Popen(
        [sys.executable, "-c", "import socket,time;"
         f"s=socket.create_server(('127.0.0.1',{port}));print(flush=True);time.sleep(60)"],
        stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline()
        code, text = run("listen @port@", port=port)
    finally:
        holder.kill()
        holder.wait()
    assert code == 71
    assert re.search(rf"address already in use by python3? \(pid {holder.pid}\)", text.replace(
        "python3.11", "python3"))


def test_two_gates_do_not_share_a_port_unasked(keeper, run):
    k = keeper("listen @port@")
    code, text = run("listen @port@", port=k.port)
    assert code == 71
    assert f"(pid {k.pid})" in text
    assert k.ask()


def test_an_address_of_another_machine_is_refused_with_the_reason(run):
    code, text = run("listen 192.0.2.1:8080")
    assert code == 71 and "this machine has no such address" in text


def test_a_unix_socket_is_closed_to_others_and_gone_afterwards(keeper):
    k = keeper("listen @port@", "listen @unix@")
    info = os.lstat(k.unix)
    assert stat.S_ISSOCK(info.st_mode) and stat.S_IMODE(info.st_mode) == 0o600
    assert stat.S_IMODE(os.stat(k.unix.parent).st_mode) == 0o700
    line = socket.socket(socket.AF_UNIX)
    line.connect(str(k.unix))
    assert k.ask(line=line)["pid"] == k.data
    k.signal(15)
    assert k.wait() == 0
    assert not k.unix.exists()


def test_the_unix_socket_of_a_dead_gate_is_replaced_that_of_a_living_one_is_not(keeper, run):
    k = keeper("listen @unix@", ready=False)
    k.says("listening")
    code, text = run(f"listen unix:{k.unix}")
    assert code == 71 and f"(pid {k.pid})" in text
    k.process.kill()
    k.wait()
    assert k.unix.exists()
    k.start()
    k.says("(?s)listening.*listening")


def test_a_file_in_the_way_of_a_unix_socket_stays(run, tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("keep me")
    code, text = run(f"listen unix:{precious}")
    assert code == 71 and "not a socket" in text
    assert precious.read_text() == "keep me"


def test_listeners_with_port_0_are_told_apart_by_name_and_keep_their_ports(keeper):
    k = keeper("listen @port@", "listen 127.0.0.1:0 main", "listen 127.0.0.1:0 admin", "workers 2")
    found = re.findall(r"listening (127\.0\.0\.1:\d+)", k.stderr())
    assert len(set(found)) == 3
    before = k.data
    k.signal(9, before)
    assert k.data != before
    assert re.findall(r"listening (127\.0\.0\.1:\d+)", k.stderr())[3:] == found


def test_a_configuration_given_as_text_needs_no_file(keeper):
    k = keeper("listen @port@", "version text", arguments=["--document"])
    k.file.unlink()
    before = k.data
    k.signal(9, before)
    assert k.ask()["version"] == "text"


def test_callers_are_refused_and_not_left_waiting_before_it_serves(keeper):
    k = keeper("listen @port@", "hang", ready=False)
    time.sleep(0.3)
    with pytest.raises(ConnectionRefusedError):
        k.connect()


def test_closed_standard_streams_do_no_harm(keeper):
    k = keeper("listen @port@", before=["sh", "-c", 'exec "$0" "$@" <&- >&-'])
    assert k.ask()


def test_without_a_keeper_the_same_process_serves(keeper):
    k = keeper("listen @port@", "listen @unix@", "cells", "user root", arguments=["--no-keeper"],
               notify=True)
    k.notified.hear("READY=1")
    assert k.data == k.pid and k.children() == []
    k.signal(1)
    k.says("reloaded")
    k.signal(10)
    k.says("reopen")
    k.signal(15)
    k.says("drain stop")
    assert k.wait() == 0
    assert not k.unix.exists()


def test_without_a_keeper_a_taken_port_is_found_too(keeper, run):
    k = keeper("listen @port@")
    assert run("listen @port@", port=k.port, arguments=["--no-keeper"])[0] == 71
