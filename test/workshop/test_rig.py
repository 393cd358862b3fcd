"""What the rig brings besides HTTP: names, the service manager, sockets handed over."""
import socket
import subprocess
import sys

from rig import systemd

SAY = ("import os, socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); "
       "s.sendto(b'READY=1\\nSTATUS=x y', os.environ['NOTIFY_SOCKET'])")


def ask(names, tmp_path, name):
    return subprocess.run(names.wrap(["getent", "ahosts", name], tmp_path), text=True,
                          capture_output=True)


def test_names_are_answered_and_can_fail(names, tmp_path):
    table = names({"up.test": [("127.0.0.2", 1), ("127.0.0.3", 1), ("::1", 2)]})
    told = ask(table, tmp_path, "up.test").stdout
    assert all(address in told for address in ("127.0.0.2", "127.0.0.3", "::1"))
    assert ("up.test", "A") in table.queries
    table.fail("up.test", "nxdomain")
    assert ask(table, tmp_path, "up.test").returncode == 2
    table.set("up.test", [("127.0.0.4", 1)])
    assert "127.0.0.4" in ask(table, tmp_path, "up.test").stdout


def test_notifications_are_heard(notify):
    subprocess.run([sys.executable, "-c", SAY], env=notify.environment(), check=True)
    assert notify.wait("READY=1")["STATUS"] == "x y"


def test_sockets_are_handed_over():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        script = "echo $LISTEN_FDS $$ $LISTEN_PID; readlink /proc/self/fd/3"
        told = subprocess.run(systemd.activate(["bash", "-c", script], [listener]), text=True,
                              pass_fds=[listener.fileno()], capture_output=True).stdout
    count, pid, told_pid, link = told.split()
    assert (count, pid) == ("1", told_pid) and link.startswith("socket:")
