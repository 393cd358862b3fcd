"""What the scenarios of this area share: the real gate under traffic of every kind, run from a
program file of its own, so that the next one can take its place.

    g = door(workers=2)        a gate before an upstream that answers what rig.Traffic asks for
    put_next(g)                another program under the same name, as a package manager does
    data(g)                    pid of the data process that serves
    told(g, "text")            waits until stderr has it
"""
import http.client
import os
import pathlib
import re
import shutil
import socket
import time

import pytest
from rig import Traffic
from rig.gate import binary

PATIENCE = 30.0


@pytest.fixture
def door(gate, server, tmp_path):
    def make(**options):
        os.chmod(tmp_path, 0o755)
        program = tmp_path / "gate"
        shutil.copy(binary(), program)
        s = server(Traffic.serve, keep=False)
        return gate(**{"workers": 2, "binary": program, "records": False, "upstream": s,
                       **options})
    return make


def put_next(g):
    half = g.binary.with_suffix(".next")
    shutil.copy(g.binary, half)
    half.replace(g.binary)


def eventually(what, within=PATIENCE):
    """Waits until it is true and returns it. What cannot be asked for the moment is not true."""
    end = time.monotonic() + within
    while True:
        try:
            if value := what():
                return value
        except (OSError, EOFError):
            pass
        assert time.monotonic() < end, f"never true within {within} s"
        time.sleep(0.01)


def told(g, text):
    return eventually(lambda: re.search(text, g.stderr()))


def data(g):
    return eventually(lambda: g.status()["pid"])


def rss(pid):
    """Resident memory in KiB."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text).group(1))


class Desk(http.client.HTTPConnection):
    """The admin's socket, kept open: a reload costs a request, not a process."""

    def __init__(self, g):
        super().__init__("localhost", timeout=PATIENCE)
        self.path = str(g.socket)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def ask(self, method, target):
        self.request(method, target)
        answer = self.getresponse()
        return answer.status, answer.read()


def is_stopped(pid):
    """True when no thread of it runs any more."""
    tasks = pathlib.Path(f"/proc/{pid}/task").glob("*/stat")
    return all(task.read_text().rsplit(")", 1)[1].split()[0] == "T" for task in tasks)
