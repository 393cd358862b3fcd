"""USR2 with everything in flight: kept and new connections, uploads and downloads."""
import os
import signal

import pytest
import rig

from .conftest import data, eventually, put_next


def upgrade(g):
    before = data(g)
    put_next(g)
    g.signal(signal.SIGUSR2)
    eventually(lambda: data(g) != before)
    eventually(lambda: os.stat(f"/proc/{g.pid}/exe").st_ino == os.stat(g.binary).st_ino)
    return before


@pytest.mark.tsan
def test_upgrades_under_traffic_fail_nobody(door):
    g = door()
    with rig.Traffic(g, kept=4, fresh=3, uploads=2, downloads=2) as traffic:
        for _ in range(3):
            upgrade(g)
            traffic.goes_on()
    assert traffic.failures == [] and traffic.crossed == 0
    assert all(traffic.answers.values())


def test_the_old_process_ends_when_its_last_stream_has(door):
    g = door()
    with rig.Traffic(g, downloads=2, uploads=2) as traffic:
        old = upgrade(g)
        eventually(lambda: not os.path.exists(f"/proc/{old}"))
        traffic.goes_on()
    assert traffic.failures == []


def test_a_reload_right_after_an_upgrade_and_an_upgrade_right_after_a_reload(door):
    g = door()
    with rig.Traffic(g, kept=2, fresh=2) as traffic:
        for signals in ((signal.SIGUSR2, signal.SIGHUP), (signal.SIGHUP, signal.SIGUSR2)):
            before = data(g)
            for number in signals:
                g.signal(number)
            eventually(lambda: data(g) != before)
            traffic.goes_on()
    assert traffic.failures == []
