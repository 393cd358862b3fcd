"""The data process dies or hangs: the door stays open."""
import os
import re
import signal

import rig

from .conftest import data, eventually, told


def threads(pid):
    return {open(f"/proc/{pid}/task/{task}/comm").read().strip(): int(task)
            for task in os.listdir(f"/proc/{pid}/task")}


def test_a_killed_process_is_back_within_a_second_and_who_comes_meanwhile_waits(door):
    g = door()
    before = data(g)
    os.kill(before, signal.SIGKILL)
    watch = rig.Watch()
    assert g.get("/fresh").status == 200  # nobody is refused: who comes now waits in the socket
    if not g.is_sanitized:
        assert watch.own < 1.0
    assert [g.get("/fresh").status for _ in range(20)] == [200] * 20
    assert data(g) != before


def test_who_comes_first_is_not_kept_waiting(gate, server):
    """Each worker accepts from the moment that it can be connected to."""
    s, waited = server(), []
    for _ in range(5):
        g = gate(upstream=s, workers=4)
        watch = rig.Watch()
        assert [g.get("/").status for _ in range(8)] == [200] * 8
        waited.append(watch.own)
    assert min(waited) < (0.5 if g.is_sanitized else 0.08), waited


def test_crashes_under_traffic_harm_only_who_was_in_the_hands_of_the_dead(door):
    g = door()
    with rig.Traffic(g, fresh=4, kept=4) as traffic:
        for _ in range(2):
            before = data(g)
            os.kill(before, signal.SIGKILL)
            eventually(lambda: data(g) != before)
            traffic.goes_on()
    assert len(traffic.failures) <= 2 * 8, traffic.failures
    assert not [failure for failure in traffic.failures if "Refused" in failure]


def test_a_worker_that_hangs_is_dumped_and_the_process_replaced(door):
    calls = rig.Syscalls()
    g = door(preload=calls, workers=1,
             forgive=r"fatal signal|AddressSanitizer|==\d+==|ABORTING|SUMMARY")
    before = data(g)
    calls.fail("connect", -20000, count=1)  # takes 20 s once
    caller = g.raw()
    caller.send(rig.request("GET", "/"))
    told(g, r"did not turn for 2\d\d\d ms")
    calls.heal()
    eventually(lambda: data(g) != before)
    dump = g.stderr().split("did not turn")[0]
    assert len(re.findall(r"^(?:gate: data\(|/lib)", dump, re.M)) > 3  # where it was
    g.canary()
