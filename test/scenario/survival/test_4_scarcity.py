"""Descriptors, buffers, disks and files run out or vanish: traffic goes on as far as it can,
nothing spins, and all is well again afterwards."""
import errno
import os
import pathlib
import time

import pytest
import rig

from .conftest import data, eventually

CALM = 0.25  # of a CPU, at most, for a gate that can do nothing


def calm(g, seconds=1.0):
    """It burns no CPU, whatever else the machine does."""
    begin, cpu = time.monotonic(), g.cpu_seconds()
    time.sleep(seconds)
    used = (g.cpu_seconds() - cpu) / (time.monotonic() - begin)
    assert used < CALM, f"{used:.2f} of a CPU"


@pytest.mark.parametrize("call, error", [("accept4", errno.EMFILE), ("accept4", errno.ENFILE),
                                         ("accept4", errno.ENOBUFS), ("accept4", errno.ENOMEM)])
def test_who_cannot_be_accepted_waits_and_the_others_go_on(door, call, error):
    calls = rig.Syscalls()
    g = door(preload=calls)
    kept = [g.raw() for _ in range(4)]
    for connection in kept:
        assert connection.get("/").status == 200
    calls.fail(call, error)
    waiting = [g.raw().send(rig.request("GET", "/")) for _ in range(10)]
    calm(g)
    assert calls.hits(call) > 0
    for connection in kept:
        assert connection.get("/").status == 200
    calls.heal()
    for connection in waiting:
        assert connection.read().status == 200


@pytest.mark.parametrize("call, error", [("socket", errno.EMFILE), ("socket", errno.ENOBUFS),
                                         ("connect", errno.EADDRNOTAVAIL),
                                         ("connect", errno.EAGAIN)])
def test_an_upstream_that_cannot_be_dialled_is_a_503_and_no_spin(door, call, error):
    calls = rig.Syscalls()
    g = door(preload=calls, workers=1)
    calls.fail(call, error)
    for _ in range(10):
        assert g.get("/").status in (502, 503)
    calm(g)
    assert calls.hits(call) > 0
    calls.heal()
    eventually(lambda: g.get("/").status == 200)
    g.canary()


def test_sends_for_which_there_is_no_buffer_go_out_later(door):
    calls = rig.Syscalls()
    g = door(preload=calls, workers=1)
    for call in ("send", "sendmsg", "writev"):
        calls.fail(call, errno.ENOBUFS, skip=1, count=2)
        for _ in range(3):
            try:
                assert g.get("/").status in (200, 502, 503)
            except (EOFError, ConnectionError, rig.ProtocolFault):
                pass  # where not even an answer can be sent, the connection ends
        calls.heal()
        g.canary()
    calm(g)


def test_descriptors_that_really_run_out_are_no_end(door):
    g = door(workers=1, nofile=64)
    pid = data(g)
    crowd = [g.raw() for _ in range(150)]
    for connection in crowd:
        connection.send(rig.request("GET", "/downloads"))
    calm(g, 2.0)
    assert os.path.exists(f"/proc/{pid}")
    for connection in crowd:
        connection.close()
    eventually(lambda: g.get("/").status == 200)
    g.canary()


def log_of(g):
    return pathlib.Path(g.directory / "access.log")


def test_a_log_file_that_vanishes_is_made_anew(door):
    g = door(telemetry={"logs": "json", "file": "access.log"})
    with rig.Traffic(g, kept=2, fresh=1) as traffic:
        eventually(lambda: log_of(g).stat().st_size > 0)
        for _ in range(2):
            log_of(g).unlink()
            traffic.goes_on()
            eventually(lambda: log_of(g).exists() and log_of(g).stat().st_size > 0)
    assert traffic.failures == []
    calm(g)


def test_a_log_directory_that_vanishes_stops_nothing_and_does_not_spin(door):
    g = door(telemetry={"logs": "json", "file": "logs/access.log"}, ready=False)
    folder = g.directory / "logs"
    g.wait_ready()
    folder.mkdir(exist_ok=True)
    os.chmod(folder, 0o777)
    file = folder / "access.log"
    eventually(lambda: g.get("/").status == 200 and file.exists() and file.stat().st_size > 0)
    file.unlink()
    folder.rmdir()
    with rig.Traffic(g, kept=2, fresh=1) as traffic:
        traffic.goes_on()
    assert traffic.failures == []
    calm(g)
    folder.mkdir()
    os.chmod(folder, 0o777)
    eventually(lambda: g.get("/").status == 200 and file.exists() and file.stat().st_size > 0)


@pytest.mark.root
def test_a_full_disk_stops_nothing_and_the_log_goes_on_when_there_is_room(door, small_disk):
    os.chmod(small_disk.path, 0o777)
    log = small_disk.path / "access.log"
    g = door(telemetry={"logs": "json", "file": str(log)})
    eventually(lambda: g.get("/").status == 200 and log.exists() and log.stat().st_size > 0)
    small_disk.fill()
    with rig.Traffic(g, kept=3, fresh=1) as traffic:
        traffic.goes_on()
        eventually(lambda: g.metrics().value("gatehouse_log_dropped_total", why="target") > 0)
        traffic.goes_on()
        full = log.stat().st_size
        small_disk.free()
        eventually(lambda: log.stat().st_size > full)
    assert traffic.failures == []
    calm(g)
    for line in log.read_text().split("\n")[:-1]:
        assert line.startswith("{") and line.endswith("}"), "a line is torn"
