"""A data process may die, hang, spin or talk nonsense: the door stays open."""
import os
import re
import signal
import time

import pytest
import rig

CRASH = r"gate: fatal signal \d+|(?s:=+\n==\d+==ERROR: AddressSanitizer.*)"


def test_a_killed_data_process_is_back_within_a_second_and_nobody_is_refused(keeper):
    k = keeper("listen @port@", "workers 2")
    with k.crowd(callers=4) as crowd:
        time.sleep(0.3)
        before = k.data
        watch = rig.Watch()
        k.signal(signal.SIGKILL, before)
        while True:  # a connection made now waits in the keeper's socket
            try:
                if k.ask()["pid"] != before:
                    break
            except ConnectionResetError:  # it was the dead process's already
                pass
        assert watch.own < 1
        time.sleep(0.3)
    assert len(crowd.pids) == 2
    # Only who was in the dead process's hands may notice: one a caller at most.
    assert len(crowd.failures) <= 4 and not any("Refused" in f for f in crowd.failures)


def test_connections_that_wait_in_the_socket_survive_the_crash(keeper):
    k = keeper("listen @port@", "workers 1")
    before = k.data
    k.freeze(before)  # nobody accepts
    waiting = [k.connect() for _ in range(50)]
    k.signal(signal.SIGKILL, before)
    for line in waiting:
        assert k.ask(line=line)["pid"] != before


def test_live_cells_survive_a_crash(keeper):
    k = keeper("listen @port@", "cells")
    first = k.ask()["count"]
    k.signal(signal.SIGKILL, k.data)
    assert k.ask()["count"] == first + 2


def test_restarts_slow_down_while_it_keeps_dying(keeper):
    k = keeper("listen @port@")
    gaps = []
    for _ in range(5):
        pid = k.data
        watch = rig.Watch()
        k.signal(signal.SIGKILL, pid)
        assert k.ask()["pid"] != pid
        gaps.append((watch.own, watch.wall))
    assert gaps[0][0] < 0.5 and gaps[4][1] > 0.35
    assert k.ask()["crashes"] == 5


def test_after_crashes_in_a_row_the_last_good_configuration_is_used_until_a_reload(keeper):
    k = keeper("listen @port@", forgive=CRASH)
    k.write("listen @port@", "crash")
    k.signal(signal.SIGHUP)
    k.says("with the last good configuration")
    assert k.ask()["last_good"] == 1
    k.write("listen @port@", "version mended")
    k.signal(signal.SIGHUP)
    k.says("(?s)reloaded.*reloaded")
    pid = k.data
    k.signal(signal.SIGKILL, pid)
    answer = k.ask()
    assert answer["last_good"] == 0 and answer["version"] == "mended"


def test_a_configuration_gone_bad_on_disk_does_not_keep_a_crashed_process_down(keeper):
    k = keeper("listen @port@")
    k.write("listen @port@", "exit 78")
    k.signal(signal.SIGKILL, k.data)
    assert k.ask()["last_good"] == 1


def test_a_data_process_that_never_gets_ready_is_replaced(keeper):
    k = keeper("listen @port@", arguments=["--ready", "700"], forgive=CRASH)
    before = k.data
    k.write("listen @port@", "hang")
    k.signal(signal.SIGKILL, before)
    k.says(r"was not ready in 7\d\d ms")
    k.write("listen @port@")
    assert k.ask()["pid"] != before


def test_a_worker_that_does_not_turn_is_dumped_and_the_process_replaced(keeper):
    k = keeper("listen @port@", "workers 2", forgive=CRASH)
    before = k.data
    watch = rig.Watch()
    with k.connect() as line:
        line.sendall(b"spin")
        k.says(r"worker did not turn for 2\d\d\d ms")
        k.says(r"data process \d+ ended \((signal 6|exit code)")
    assert watch.own < 4.5
    dump = k.stderr().split("worker did not turn")[0]
    assert len(re.findall(r"^gate: data\(", dump, re.M)) > 3  # where the worker was
    assert k.ask()["pid"] != before


def test_a_steward_that_is_silent_is_replaced(keeper):
    k = keeper("listen @port@", arguments=["--stall", "1500"], forgive=CRASH)
    before = k.data
    k.freeze(before)
    k.says("has not been heard of")
    assert k.ask(within=10)["pid"] != before


def test_a_keeper_that_was_asleep_blames_nobody(keeper):
    k = keeper("listen @port@", arguments=["--stall", "1500"])
    before = k.data
    k.freeze(k.pid)
    k.freeze(before)
    time.sleep(3)
    k.signal(signal.SIGCONT)
    k.signal(signal.SIGCONT, before)
    time.sleep(1)
    assert k.data == before


def test_a_data_process_that_talks_nonsense_is_replaced(keeper):
    k = keeper("listen @port@")
    before = k.data
    k.write("listen @port@", "nonsense")
    k.signal(signal.SIGKILL, before)
    k.says("says what cannot be understood")
    k.write("listen @port@")
    assert k.ask()["pid"] != before


def test_it_ends_when_its_keeper_is_gone_and_frees_the_port(keeper):
    k = keeper("listen @port@", leaves=True)
    data = k.data
    k.process.kill()
    k.wait()
    k.says("drain stop")
    end = time.monotonic() + 5
    while os.path.exists(f"/proc/{data}") and time.monotonic() < end:
        time.sleep(0.02)
    with pytest.raises(ConnectionRefusedError):
        k.connect()
