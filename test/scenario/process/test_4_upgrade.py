"""USR2: the next binary takes over with every socket, or nothing changes."""
import os
import shutil
import signal
import time

import pytest

from .conftest import descriptors


def put(k, path):
    """As a package manager does: another file under the same name."""
    half = k.directory / "half"
    shutil.copy(path, half)
    os.chmod(half, 0o755)
    half.replace(k.binary)


def upgraded(k, before):
    k.says("upgraded: this is")
    assert k.only_data != before
    assert os.stat(f"/proc/{k.pid}/exe").st_ino == os.stat(k.binary).st_ino
    assert os.stat(f"/proc/{k.data}/exe").st_ino == os.stat(k.binary).st_ino


def test_an_upgrade_under_load_fails_nobody(keeper):
    k = keeper("listen @port@", "listen @unix@", "workers 2", "cells", notify=True)
    with k.crowd(callers=8) as crowd:
        for _ in range(3):
            time.sleep(0.2)
            before, pid = k.data, k.pid
            k.notified.forget()
            put(k, k.binary)
            k.signal(signal.SIGUSR2)
            assert k.notified.hear("MAINPID=") == f"MAINPID={pid}"
            upgraded(k, before)
            k.stderr_path.write_text("")
        time.sleep(0.2)
    assert crowd.failures == []
    assert len(crowd.pids) == 4 and len(crowd.answers) > 100
    assert max(a["count"] for a in crowd.answers) >= len(crowd.answers)  # cells came along


def test_the_arguments_and_the_keepers_pid_stay(keeper):
    k = keeper("listen @port@", arguments=["--ready", "9000"])
    before, told = k.data, open(f"/proc/{k.pid}/cmdline").read()
    put(k, k.binary)
    k.signal(signal.SIGUSR2)
    upgraded(k, before)
    assert open(f"/proc/{k.pid}/cmdline").read() == told


def test_more_or_fewer_workers_after_an_upgrade_lose_no_connection(keeper):
    k = keeper("listen @port@", "workers 2")
    with k.crowd(callers=8) as crowd:
        for workers in (5, 1, 3):
            before = k.data
            k.stderr_path.write_text("")
            k.write("listen @port@", f"workers {workers}")
            k.signal(signal.SIGUSR2)
            upgraded(k, before)
            for _ in range(40):
                k.ask()
    assert crowd.failures == []


def test_requests_in_progress_finish_in_the_old_process(keeper):
    k = keeper("listen @port@", "slow 600", "drain 5000", "workers 1")
    before = k.data
    line = k.connect()
    line.sendall(b"hi")
    time.sleep(0.1)
    k.signal(signal.SIGUSR2)
    k.says("drain replaced 5000")
    assert k.ask(line=line, text=b"")["pid"] == before
    upgraded(k, before)


def broken_files(directory):
    text = directory / "text"
    text.write_text("not a program at all")
    half = directory / "truncated"
    half.write_bytes(open("/bin/ls", "rb").read()[:5000])
    return {"text": text, "truncated": half, "false": "/bin/false", "true": "/bin/true",
            "cat": "/bin/cat", "missing": None}


@pytest.mark.parametrize("kind", ["text", "truncated", "false", "true", "cat", "missing"])
def test_a_broken_binary_changes_nothing_and_is_told(keeper, kind, tmp_path):
    k = keeper("listen @port@", notify=True, exit=())
    before = k.data
    with k.crowd(callers=2) as crowd:
        path = broken_files(tmp_path)[kind]
        if path is None:
            k.binary.unlink()
        else:
            put(k, path)
        k.signal(signal.SIGUSR2)
        k.says(r"upgrade to .* failed: .*; nothing has changed")
    assert k.data == before and crowd.failures == []
    assert k.children() == [before]
    k.notified.hear("RELOADING=1") if path else None
    k.says("request to upgrade failed: ")  # who asked through the data process hears it too
    k.signal(signal.SIGKILL, before)  # and the old binary still restarts
    assert k.ask()["pid"] != before


def test_a_binary_that_hangs_is_given_up(keeper):
    k = keeper("listen @port@")
    before = k.data
    script = k.directory / "sleeper.c"
    script.write_text("int pause(void); int main(void) { for (;;) pause(); }")
    assert os.system(f"cc -o {k.directory}/sleeper {script}") == 0
    put(k, k.directory / "sleeper")
    k.signal(signal.SIGUSR2)
    k.says("failed: it does not answer", within=10)
    assert k.data == before and k.children() == [before]


@pytest.mark.parametrize("wish, why", [("exit 78", "exit code 78"),
                                       ("hang", "ended before it was ready"),
                                       ("crash", "ended before it was ready")])
def test_a_next_data_process_that_does_not_get_ready_changes_nothing(keeper, wish, why):
    k = keeper("listen @port@", "workers 1", arguments=["--ready", "800"],
               forgive=r"gate: fatal signal \d+|(?s:=+\n==\d+==ERROR: AddressSanitizer.*)")
    before = k.data
    with k.crowd(callers=4) as crowd:
        k.write("listen @port@", "workers 4", wish)
        k.signal(signal.SIGUSR2)
        k.says(f"upgrade to .* failed: .*{why}")
        for _ in range(40):
            k.ask()
    assert k.data == before and crowd.failures == []


def test_a_second_upgrade_during_the_first_is_refused(keeper):
    k = keeper("listen @port@", arguments=["--ready", "1500"],
               forgive=r"gate: fatal signal \d+")
    k.write("listen @port@", "hang")
    k.signal(signal.SIGUSR2)
    k.says("upgrading")
    k.signal(signal.SIGUSR2)
    k.says("no upgrade: an upgrade is under way already")


def test_a_stop_during_an_upgrade_is_a_stop(keeper):
    k = keeper("listen @port@", "drain 500")
    k.write("listen @port@", "hang")
    k.signal(signal.SIGUSR2)
    k.says("upgrading")
    time.sleep(0.2)
    k.signal(signal.SIGTERM)
    assert k.wait() == 0


def test_a_crash_of_the_old_process_during_an_upgrade_is_mended(keeper, eventually):
    k = keeper("listen @port@", arguments=["--ready", "1500"], forgive=r"gate: fatal signal \d+")
    before = k.data
    k.write("listen @port@", "hang")
    k.signal(signal.SIGUSR2)
    k.says("upgrading")
    time.sleep(0.2)
    k.write("listen @port@")
    k.signal(signal.SIGKILL, before)
    assert k.ask()["pid"] != before
    k.says("failed")
    assert eventually(lambda: len(k.children()) == 1)


def test_an_upgrade_follows_a_symbolic_link(keeper, tmp_path):
    k = keeper("listen @port@")
    k.signal(signal.SIGTERM)
    k.wait()
    one, two = k.directory / "one", k.directory / "two"
    link = k.directory / "current"
    shutil.copy(k.binary, one)
    shutil.copy(k.binary, two)
    link.symlink_to(one)
    k.options["called"] = "./current"
    k.start()
    half = k.directory / "next"
    half.symlink_to(two)
    half.replace(link)
    k.signal(signal.SIGUSR2)
    k.says("upgraded")
    assert os.stat(f"/proc/{k.pid}/exe").st_ino == two.stat().st_ino


def test_after_an_upgrade_a_crash_a_reload_and_a_stop_work_as_before(keeper):
    k = keeper("listen @port@", "listen @unix@", "cells", arguments=["--document"])
    before = k.data
    put(k, k.binary)
    k.signal(signal.SIGUSR2)
    upgraded(k, before)
    count = k.ask()["count"]
    k.signal(signal.SIGKILL, k.data)
    assert k.ask()["count"] == count + 2
    k.signal(signal.SIGHUP)
    k.says("reloaded")
    k.signal(signal.SIGTERM)
    assert k.wait() == 0
    assert not k.unix.exists()


def test_upgrade_and_renewal_can_be_asked_for_through_the_data_process(keeper, eventually):
    k = keeper("listen @port@")
    for wish, sign in (("renew", "drain replaced"), ("upgrade", "upgraded: this is")):
        before = k.data
        k.stderr_path.write_text("")
        k.write("listen @port@", f"version {wish}")
        k.signal(signal.SIGHUP)
        k.says("reloaded")
        k.write("listen @port@")
        k.says(sign)
        assert eventually(lambda: k.data != before)
        assert eventually(lambda: len(k.children()) == 1)


def test_a_keeper_leaks_nothing_over_upgrades_and_crashes(keeper, eventually):
    k = keeper("listen @port@", "listen @unix@", "cells")

    def held():
        return sorted(name.split(":")[0] for name in descriptors(k.pid))
    before = held()
    for _ in range(4):
        data = k.data
        k.stderr_path.write_text("")
        k.signal(signal.SIGUSR2)
        upgraded(k, data)
        k.signal(signal.SIGKILL, k.data)
        k.ask()
        assert eventually(lambda: len(k.children()) == 1)
    assert eventually(lambda: held() == before), (before, held())
