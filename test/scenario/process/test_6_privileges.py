"""What is left of root once it serves."""
import os
import resource
import signal

import pytest

from .conftest import descriptors

is_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
NOBODY = 65534
NO_CORE = {"CORE_DUMPS": None}


def facts(pid):
    lines = (line.split(":", 1) for line in open(f"/proc/{pid}/status"))
    return {name: value.split() for name, value in lines}


@pytest.mark.root
@is_root
def test_the_data_process_is_nobody_and_can_do_nothing(keeper):
    k = keeper("listen @port@", environment=NO_CORE)
    seen = facts(k.data)
    assert set(seen["Uid"]) != {"0"} and len(set(seen["Uid"])) == 1
    assert len(set(seen["Gid"])) == 1 and seen["Gid"][0] != "0" and seen["Groups"] == []
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(seen[name][0], 16) == 0, name
    assert seen["NoNewPrivs"] == ["1"]


@pytest.mark.root
@is_root
def test_every_thread_of_it_is(keeper):
    k = keeper("listen @port@", "workers 3", environment=NO_CORE)
    data = k.data
    threads = os.listdir(f"/proc/{data}/task")
    assert len(threads) == 4
    for thread in threads:
        seen = facts(f"{data}/task/{thread}")
        assert seen["Uid"][0] != "0" and int(seen["CapPrm"][0], 16) == 0
        assert seen["NoNewPrivs"] == ["1"]


@pytest.mark.root
@is_root
def test_the_keeper_keeps_only_what_it_needs_also_after_an_upgrade(keeper):
    k = keeper("listen @port@", environment=NO_CORE)
    needed = {"chown": 0, "dac_read_search": 2, "kill": 5, "setgid": 6, "setuid": 7,
              "net_bind_service": 10}
    mask = sum(1 << bit for bit in needed.values())
    for _ in range(2):
        seen = facts(k.pid)
        assert int(seen["CapPrm"][0], 16) == mask
        assert seen["NoNewPrivs"] == ["1"]
        k.signal(signal.SIGUSR2)
        k.says("upgraded")
        k.stderr_path.write_text("")
        assert facts(k.only_data)["Uid"][0] != "0"
    k.signal(signal.SIGKILL, k.data)
    assert k.ask()["uid"] != 0


@pytest.mark.root
@is_root
def test_nobody_may_look_into_the_data_process(keeper):
    k = keeper("listen @port@", environment=NO_CORE)
    assert os.stat(f"/proc/{k.data}/mem").st_uid == 0  # not dumpable: its files are root's
    limits = open(f"/proc/{k.data}/limits").read()
    assert [line.split()[4] for line in limits.splitlines() if "core file" in line] == ["0"]


@pytest.mark.root
@is_root
def test_the_named_user_is_taken(keeper):
    k = keeper("listen @port@", "user daemon")
    assert k.ask()["uid"] == int(os.popen("id -u daemon").read())


@pytest.mark.root
@is_root
def test_root_stays_root_only_when_it_is_said_and_has_no_capability_then(keeper):
    k = keeper("listen @port@", "user root")
    assert k.ask()["uid"] == 0
    assert int(facts(k.data)["CapEff"][0], 16) == 0


@pytest.mark.root
@is_root
def test_a_port_below_1024_is_bound_as_root_again_after_a_crash(keeper):
    for port in range(1000, 1023):
        try:
            k = keeper("listen @port@", port=port)
            break
        except AssertionError:
            continue
    before = k.data
    k.signal(signal.SIGKILL, before)
    answer = k.ask()
    assert answer["pid"] != before and answer["uid"] != 0


@pytest.mark.root
@is_root
def test_without_root_it_works_and_a_low_port_is_exit_77_with_the_reason(keeper, run):
    popen = {"popen": {"user": NOBODY, "group": NOBODY, "extra_groups": []}}
    k = keeper("listen @port@", "listen @unix@", **popen)
    assert k.ask()["uid"] == NOBODY
    k.signal(signal.SIGUSR2)
    k.says("upgraded")
    code, text = run("listen @port@", port=81, **popen)
    assert code == 77 and "CAP_NET_BIND_SERVICE" in text


@pytest.mark.root
@is_root
def test_with_the_one_capability_a_user_binds_low_ports_also_after_an_upgrade(keeper):
    k = keeper("listen @port@", before=[
        "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
        "--inh-caps=-all,+net_bind_service", "--ambient-caps=+net_bind_service"])
    k.signal(signal.SIGUSR2)
    k.says("upgraded")
    before = k.only_data
    k.write("listen @port@", "listen 127.0.0.1:843")
    k.signal(signal.SIGKILL, before)
    assert k.ask()["uid"] == NOBODY
    k.says(r"listening 127\.0\.0\.1:843")
    seen = facts(k.data)
    assert int(seen["CapPrm"][0], 16) == 0 and int(seen["CapAmb"][0], 16) == 0


def test_the_descriptor_limit_is_raised_as_far_as_it_goes(keeper):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    low = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))  # noqa: E731
    k = keeper("listen @port@", popen={"preexec_fn": low})
    limits = open(f"/proc/{k.data}/limits").read()
    assert [line.split()[3] for line in limits.splitlines() if "open files" in line] == [str(hard)]


def test_stray_descriptors_do_not_reach_the_data_process(keeper):
    read, write = os.pipe()
    os.set_inheritable(write, True)
    k = keeper("listen @port@", popen={"close_fds": False})
    os.close(write)
    names = descriptors(k.data)
    assert not [name for name in names if name.startswith("pipe:")]
    os.close(read)


def test_files_are_made_for_us_only(keeper):
    k = keeper("listen @port@")
    assert facts(k.data)["Umask"] == ["0077"] and facts(k.pid)["Umask"] == ["0077"]
