"""What the scenarios of this area share: the real gate, run from a file of its own so that the next
binary can take its place, under traffic of every kind.

    g, s = door(workers=2)            a gate and its upstream, which answers what Traffic asks for
    next_binary(g)                    another file under the same name, as a package manager does
    data(g)                           pid of the data process that serves
    rss(g)                            resident memory of the data process, in KiB
"""
import os
import pathlib
import re
import shutil
import time

import pytest
from rig import Traffic
from rig.gate import binary


@pytest.fixture
def door(gate, server, tmp_path):
    def make(config=None, **options):
        os.chmod(tmp_path, 0o755)
        program = tmp_path / "gate"
        shutil.copy(binary(), program)
        s = server(Traffic.serve, keep=False)
        options = {"workers": 2, "binary": program, "records": False, "upstream": s, **options}
        return gate(config, **options), s
    return make


def next_binary(g):
    half = g.binary.with_suffix(".next")
    shutil.copy(g.binary, half)
    half.replace(g.binary)


def eventually(what, within=30.0):
    """Waits until it is true, and returns it."""
    end = time.monotonic() + within
    while not (value := what()):
        assert time.monotonic() < end, f"never true within {within} s"
        time.sleep(0.01)
    return value


def data(g):
    return g.status()["pid"]


def rss(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text).group(1))
