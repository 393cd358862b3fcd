"""What signals do: reload, reopen, drain, stop."""
import fcntl
import os
import signal
import termios
import threading
import time

import pytest
import rig


def test_hup_reloads_in_the_same_process(keeper):
    k = keeper("listen @port@", "version one")
    before = k.data
    k.write("listen @port@", "version two")
    k.signal(signal.SIGHUP)
    k.says("reloaded")
    answer = k.ask()
    assert (answer["version"], answer["pid"]) == ("two", before)


def test_hup_during_the_start_is_not_lost(keeper):
    k = keeper("listen @port@", "version one")
    before = k.data
    k.signal(signal.SIGKILL, before)
    k.says("another one starts")
    k.write("listen @port@", "version two")
    k.signal(signal.SIGHUP)
    k.says("reloaded")
    assert k.ask()["version"] == "two"


def test_usr1_reopens_logs(keeper):
    k = keeper("listen @port@")
    k.signal(signal.SIGUSR1)
    k.says("reopen")


@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_lets_requests_finish_refuses_new_ones_and_is_exit_0(keeper, signo):
    k = keeper("listen @port@", "slow 700", "drain 5000")
    answers = []
    caller = threading.Thread(target=lambda: answers.append(k.ask()))
    caller.start()
    time.sleep(0.2)
    k.signal(signo)
    k.says("drain stop 5000")
    time.sleep(0.2)
    with pytest.raises((ConnectionRefusedError, ConnectionResetError)):
        k.ask()
    assert k.wait() == 0
    caller.join()
    assert len(answers) == 1


def test_who_drains_too_long_is_ended(keeper):
    k = keeper("listen @port@", "deaf", "drain 300")
    watch = rig.Watch()
    k.signal(signal.SIGTERM)
    assert k.wait() == 0
    assert 2 < watch.wall and watch.own < 4
    k.says("still busy at the end of its time")


@pytest.mark.parametrize("signo, code", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_second_signal_stops_at_once(keeper, signo, code):
    k = keeper("listen @port@", "deaf", "drain 30000")
    k.signal(signo)
    k.says("drain stop")
    watch = rig.Watch()
    k.signal(signo)
    assert k.wait() == code
    assert watch.own < 1.5
    k.says("drain now")


def test_a_stop_during_the_start_is_a_stop(keeper):
    k = keeper("listen @port@", "hang", ready=False)
    time.sleep(0.2)
    k.signal(signal.SIGTERM)
    assert k.wait() == 0


def test_the_terminals_interrupt_reaches_the_keeper_only(keeper):
    k = keeper("listen @port@", "slow 300")
    before = k.data
    for pid in k.children():
        for signo in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            k.signal(signo, pid)
    assert k.data == before


def test_a_storm_of_signals_does_no_harm(keeper):
    k = keeper("listen @port@")
    before = k.data
    with k.crowd(callers=2) as crowd:
        for _ in range(300):
            for signo in (signal.SIGHUP, signal.SIGUSR1, signal.SIGCHLD, signal.SIGPIPE,
                          signal.SIGWINCH):
                k.signal(signo)
    assert k.data == before and not crowd.failures


def test_stop_can_be_asked_for_through_the_data_process(keeper):
    k = keeper("listen @port@")
    k.write("listen @port@", "version stop")
    k.signal(signal.SIGHUP)
    assert k.wait() == 0
    k.says("drain stop")


def on_terminal(before=()):
    """Popen options for a process with a terminal of its own, and the far end of that."""
    far, near = os.openpty()

    def take():
        fcntl.ioctl(near, termios.TIOCSCTTY, 0)
    return far, near, {"popen": {"preexec_fn": take}, "before": list(before)}


@pytest.mark.parametrize("before, ends", [((), True), (("nohup",), False)])
def test_the_end_of_its_terminal_is_a_stop_unless_it_was_told_not_to_mind(keeper, before, ends):
    far, near, options = on_terminal(before)
    k = keeper("listen @port@", **options)
    os.close(near)
    os.close(far)
    if ends:
        assert k.wait() == 0
        k.says("drain stop")
    else:
        time.sleep(0.5)
        assert k.ask()
