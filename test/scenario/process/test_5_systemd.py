"""What systemd is told, and the sockets it hands over."""
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest
from rig.faults import ROOT


def test_ready_comes_when_it_serves_and_not_before(keeper):
    k = keeper("listen @port@", "hang", ready=False, notify=True)
    time.sleep(0.3)
    with pytest.raises(AssertionError):
        k.notified.hear("READY=1", within=0.1)
    hung, = k.children()
    k.process.kill()
    k.wait()
    k.signal(signal.SIGKILL, hung)  # it hears nobody
    k.write("listen @port@")
    k.start()
    k.notified.hear("READY=1")
    k.notified.hear("STATUS=the stand-in serves")


def test_a_reload_is_announced_and_over_in_both_cases(keeper):
    k = keeper("listen @port@", notify=True)
    k.notified.hear("READY=1")
    k.notified.forget()
    k.signal(signal.SIGHUP)
    k.notified.hear("RELOADING=1")
    told = int(k.notified.hear("MONOTONIC_USEC=").split("=")[1])
    assert abs(told - time.monotonic() * 1e6) < 5e6
    k.notified.hear("READY=1")
    k.write("listen @port@", "exit 78")
    k.notified.forget()
    k.signal(signal.SIGHUP)
    k.notified.hear("RELOADING=1")
    k.notified.hear("READY=1")
    k.notified.hear("STATUS=reload failed: the file is bad")


def test_a_stop_is_announced(keeper):
    k = keeper("listen @port@", notify=True)
    k.signal(signal.SIGTERM)
    k.notified.hear("STOPPING=1")
    assert k.wait() == 0


def test_the_watchdog_is_fed_while_the_data_process_turns_only(keeper):
    k = keeper("listen @port@", notify=True, environment={"WATCHDOG_USEC": "600000"},
               arguments=["--stall", "4000"], forgive=r"gate: fatal signal \d+")
    for _ in range(3):
        k.notified.forget()
        k.notified.hear("WATCHDOG=1", within=2)
    k.signal(signal.SIGSTOP, k.data)
    time.sleep(2.5)
    k.notified.forget()
    with pytest.raises(AssertionError):
        k.notified.hear("WATCHDOG=1", within=0.8)


def test_a_data_process_knows_nothing_of_systemd(keeper):
    k = keeper("listen @port@", notify=True, environment={"WATCHDOG_USEC": "600000"})
    names = {line.split("=")[0] for line in
             open(f"/proc/{k.data}/environ").read().split("\0")}
    assert not names & {"NOTIFY_SOCKET", "WATCHDOG_USEC", "LISTEN_FDS", "GATEHOUSE_ENTRY_X"}


def test_an_abstract_notify_socket_works(keeper, tmp_path):
    name = f"gate-test-{os.getpid()}-{time.monotonic_ns()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind("\0" + name)
        heard.settimeout(5)
        keeper("listen @port@", environment={"NOTIFY_SOCKET": "@" + name})
        assert heard.recv(4096).startswith(b"READY=1")


def passing(sockets):
    """Popen options and a command that make these sockets descriptors 3, 4, …"""
    def place():
        moved = [os.dup2(s.fileno(), 50 + i) for i, s in enumerate(sockets)]
        for i, fd in enumerate(moved):
            os.dup2(fd, 3 + i)
            os.set_inheritable(3 + i, True)
    return {"popen": {"preexec_fn": place, "close_fds": False},
            "before": ["sh", "-c", f'LISTEN_FDS={len(sockets)} LISTEN_PID=$$ exec "$0" "$@"']}


def test_sockets_of_systemd_are_matched_to_addresses_and_outlive_us(keeper):
    tcp, unused = socket.socket(), socket.socket()
    for one in (tcp, unused):
        one.bind(("127.0.0.1", 0))
        one.listen()
    port = tcp.getsockname()[1]
    k = keeper(f"listen 127.0.0.1:{port}", "workers 3", port=port, **passing([unused, tcp]))
    k.says(rf"listening 127\.0\.0\.1:{port} sockets 1")
    for _ in range(30):  # three workers share one socket
        k.ask()
    before = k.data
    k.signal(signal.SIGKILL, before)
    assert k.data != before
    k.stderr_path.write_text("")
    k.signal(signal.SIGUSR2)
    k.says("upgraded")
    assert k.ask()
    k.signal(signal.SIGTERM)
    assert k.wait() == 0
    with k.connect():  # systemd still listens, for the next start
        pass
    tcp.close()
    unused.close()


def test_a_unix_socket_of_systemd_stays_in_the_file_system(keeper, tmp_path):
    path = tmp_path / "given.sock"
    given = socket.socket(socket.AF_UNIX)
    given.bind(str(path))
    given.listen()
    k = keeper("listen @port@", f"listen unix:{path}", **passing([given]))
    line = socket.socket(socket.AF_UNIX)
    line.connect(str(path))
    assert k.ask(line=line)["pid"] == k.data
    k.signal(signal.SIGTERM)
    assert k.wait() == 0
    assert path.exists()
    given.close()


def test_one_socket_for_both_families_serves_all_addresses(keeper):
    given = socket.socket(socket.AF_INET6)
    given.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    given.bind(("::", 0))
    given.listen()
    port = given.getsockname()[1]
    k = keeper(f"listen 0.0.0.0:{port}", port=port, **passing([given]))
    assert k.ask()
    given.close()


def test_what_is_no_listening_socket_is_not_used(keeper):
    datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagram.bind(("127.0.0.1", 0))
    k = keeper("listen @port@", **passing([datagram]))
    k.says("descriptor 3 was passed to be listened on, but is no listening socket")
    assert k.ask()
    datagram.close()


def test_sockets_meant_for_another_process_are_left_alone(keeper):
    k = keeper("listen @port@", environment={"LISTEN_FDS": "1", "LISTEN_PID": "1"})
    assert "descriptor" not in k.stderr()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_the_units_of_the_package_are_sound_and_tight(tmp_path):
    for name in ("gatehouse.service", "gatehouse.socket"):
        text = (ROOT / "packaging" / name).read_text()
        text = text.replace("/usr/bin/gate", "/bin/true").replace("man:gate(1)", "man:true(1)")
        (tmp_path / name).write_text(text)
    command = ["systemd-analyze", "verify", "./gatehouse.service", "./gatehouse.socket"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    faults = [line for line in found.stderr.splitlines() if "man " not in line]
    assert not faults, found.stderr
    command = ["systemd-analyze", "security", "--offline=yes", "./gatehouse.service"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    level = re.search(r"Overall exposure level for \S+: (\d+\.\d+)", found.stdout)
    assert level and float(level.group(1)) <= 2.0, found.stdout + found.stderr
