"""Section P of the security catalogue: one configuration after the other. Rows 307 to 310, 312,
313, 316, 320."""
import concurrent.futures
import errno
import json
import os
import random
import signal
import subprocess
import threading
import time

import pytest
import rig
from rig import wait_until

A = {"policies": {"headers": {"response": {"set": {"X-Version": "a"}}}}}
B = {"policies": {"headers": {"response": {"set": {"X-Version": "b"}}}}}


def config(version, **more):
    return {**version, "apis": {"a": {"path": "/", "upstream": more.pop("upstream").url}}, **more}


def version(g):
    """What is in force, asked by traffic; None while nobody answers."""
    try:
        with rig.Raw(g.port, timeout=0.5) as c:
            return c.get("/").header("x-version")
    except (OSError, EOFError):
        return None


def crash(g):
    """Ends the data process as a fault would, and waits for the next one."""
    before, = g.children()
    os.kill(before, signal.SIGSEGV)
    wait_until(lambda: g.children() not in ([], [before]) and version(g))


def kept(g):
    """The last good configuration on disk."""
    file, = g.directory.glob("last-good-*.json")
    return json.loads(file.read_text())


CRASHES = "ended|fatal signal|signal|last good"


@pytest.mark.timeout(90)
def test_P307_a_configuration_that_keeps_crashing_is_taken_back(gate, server):
    s = server()
    g = gate(config(A, upstream=s), forgive=CRASHES, records=False)
    g.reload(config(B, upstream=s))
    assert version(g) == "b"
    for _ in range(3):
        crash(g)
    assert version(g) == "a"
    status = g.status()
    assert status["config"]["reload"]["result"] == "failure"
    assert "crashing" in status["config"]["reload"]["error"]
    time.sleep(1.2)
    assert version(g) == "a"
    g.reload(config({"policies": {"headers": {"response": {"set": {"X-Version": "c"}}}}},
                    upstream=s))
    assert version(g) == "c"
    assert g.status()["config"]["reload"]["result"] == "success"


def test_P307_a_configuration_that_was_looked_for_is_known_by_its_path(gate, server):
    """Without -c: its path outlives the search."""
    s = server()
    g = gate(config(A, upstream=s))
    g.stop()
    folder = g.directory / "elsewhere"
    folder.mkdir()
    g.file.rename(folder / "gateway.yaml")
    g.process = subprocess.Popen([str(g.binary), "run", "--watch"], cwd=folder,
                                 env=g.environment(), stdout=subprocess.DEVNULL,
                                 stderr=open(g.stderr_path, "ab"), start_new_session=True)
    g.wait_ready()
    assert g.status()["config"]["path"].endswith("gateway.yaml")
    text = (folder / "gateway.yaml").read_text()
    (folder / "gateway.yaml").write_text(text.replace('"a"\n', '"b"\n'))
    wait_until(lambda: version(g) == "b")
    assert g.status()["config"]["path"].endswith("gateway.yaml")


@pytest.mark.timeout(90)
def test_P307_whoever_watches_the_file_does_not_try_it_again_and_again(gate, server):
    s = server()
    g = gate(config(A, upstream=s), arguments=["--watch"], forgive=CRASHES, records=False)
    g.write(config(B, upstream=s))
    wait_until(lambda: version(g) == "b")
    for _ in range(3):
        crash(g)
    pid, = g.children()
    time.sleep(2)
    assert version(g) == "a" and g.children() == [pid]
    g.write(config(B, upstream=s, drain="9s"))  # another one: worth a try
    wait_until(lambda: version(g) == "b")


def test_P307_a_bad_file_that_is_watched_is_complained_of_once(gate, server):
    s = server()
    g = gate(config(A, upstream=s), arguments=["--watch"])
    g.write({**config(B, upstream=s), "oops": 1})
    wait_until(lambda: "E104" in g.stderr())
    time.sleep(2.2)
    assert g.stderr().count("E104") == 1 and version(g) == "a"
    g.write(config(B, upstream=s))
    wait_until(lambda: version(g) == "b")


def test_P307_what_served_for_a_minute_is_good(gate, server, syscalls):
    s = server()
    g = gate(config(A, upstream=s), preload=syscalls)
    first = kept(g)["hash"]
    g.reload(config(B, upstream=s))
    assert kept(g)["hash"] == first, "it has not shown yet that it is good"
    syscalls.sleep(61)
    wait_until(lambda: kept(g)["hash"] != first)
    assert kept(g)["hash"].startswith(g.status()["config"]["hash"][:8])


OFF = ["headers", "cors", "auth", "rate_limit", "forward_auth", "body_limit", "redirect", "rewrite",
       "ip_allow", "ip_deny", "timeout", "retry"]
ON = {"headers": {"request": {"set": {"X-A": "b"}}}, "cors": "https://a.test", "auth": "api_key",
      "rate_limit": "1000000/min", "body_limit": "1MiB", "rewrite": "/x{path}", "timeout": "9s",
      "redirect": {"to": "/elsewhere", "status": 302}, "ip_allow": "127.0.0.0/8", "retry": 2,
      "ip_deny": "10.0.0.0/8"}


def test_P308_each_policy_can_be_switched_off_and_on_under_load(gate, server):
    """At the top, in the API and in the route; nothing half-linked stays."""
    s, decider = server(keep=False), server()
    on = {**ON, "forward_auth": decider.url}
    key = "key-of-acme-0123456789"

    def document(name, where, value):
        top, api, route = ({name: value} if where == at else {} for at in range(3))
        return {"policies": {**on, **top}, "consumers": {"acme": {"api_key": key}},
                "apis": {"a": {"path": "/", "upstream": s.url, "policies": api,
                               "routes": {"/{rest*}": route}}}}
    g = gate(document("headers", 0, on["headers"]), records=False)
    stop, wrong = threading.Event(), []

    def ask():
        c = rig.Raw(g.port, keep=False)
        while not stop.is_set():
            answer = c.get("/", {"X-API-Key": key})
            if answer.status not in (200, 302):
                wrong.append(answer.status)
    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for name in OFF:
            off = {"auth": "none", "timeout": "1h"}.get(name, "off")
            for where in range(3):
                g.reload(document(name, where, off))
            g.reload(document(name, 0, on[name]))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not wrong, wrong[:5]


@pytest.mark.timeout(120)
def test_P309_many_reloads_under_load_fail_nobody_and_leave_nothing(gate, server):
    s = server(keep=False)

    def document(i):
        word = {"policies": {"headers": {"response": {"set": {"X-Version": f"{i}"}}}}}
        return {**word, "apis": {"a": {"path": "/", "upstream": s.url, "policies": {
            "rate_limit": {"rate": "9/h per header:X-Tenant", "burst": 1000000},
            "body_limit": f"{i + 1}MiB"}}}}
    g = gate(document(0), workers=2, records=False, telemetry={"logs": "off"})
    stop, bad, count = threading.Event(), [], [0]

    def ask(seed):
        c, seen = rig.Raw(g.port, keep=False), -1
        while not stop.is_set():
            body = b"b" * 3000 if seed else None
            answer = c.request("POST" if body else "GET", "/", {"X-Tenant": f"{seed}"}, body)
            now = int(answer.header("x-version"))
            if answer.status != 200 or now < seen:
                bad.append((answer.status, now, seen))
            seen, count[0] = now, count[0] + 1
    threads = [threading.Thread(target=ask, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    sizes = []
    try:
        for i in range(1, 161):
            g.reload(document(i % 1000))
            if i % 40 == 0:
                wait_until(lambda: g.metrics().value("gatehouse_snapshots_alive") == 1)
                sizes.append(g.memory())
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not bad and count[0] > 200, (bad[:5], count)
    if not g.is_sanitized:
        assert sizes[-1] < 1.05 * sizes[1] + 200000, sizes
    wait_until(lambda: g.metrics().value("gatehouse_snapshots_alive") == 1)
    left = int(g.get("/", {"X-Tenant": "1"}).header("ratelimit").split("r=")[1].split(";")[0])
    assert left <= 1000000 - count[0] / 10, "what was used up stays used up"


def test_P310_a_request_sees_one_version_from_end_to_end(gate, server):
    """Its body, its wait, its retry and its answer: all under the one that it began with."""
    go = threading.Event()
    s = server(lambda request: (rig.hold(go), rig.server.OK) if request.target == "/held"
               else rig.server.OK)
    g = gate(config(A, upstream=s))
    held, sending = g.raw(), g.raw()
    held.send(rig.request("GET", "/held"))
    sending.send(b"POST /up HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\n12345")
    s.wait_connections(2)
    before = g.status()["config"]["hash"]
    g.reload(config(B, upstream=s))
    assert version(g) == "b"
    assert g.metrics().value("gatehouse_snapshots_alive") == 2
    sending.send(b"67890")
    go.set()
    for c in (held, sending):
        answer = c.read()
        assert answer.header("x-version") == "a"
        assert g.record(answer)["attributes"]["gatehouse.config"] == before[:16]
        assert c.get("/").header("x-version") == "b", "the next one on it sees the next version"
    wait_until(lambda: g.metrics().value("gatehouse_snapshots_alive") == 1)


@pytest.mark.timeout(120)
def test_P312_a_kill_at_any_moment_leaves_the_old_or_the_new_one(gate, server, syscalls):
    s = server(keep=False)
    g = gate(config(A, upstream=s), forgive=CRASHES, records=False, preload=syscalls)
    documents = [config(A, upstream=s, drain=f"{i + 1}s") for i in range(5)]
    hashes = {kept(g)["hash"]}
    chance = random.Random(312)
    for document in documents:
        pid, = g.children()
        g.reload(document)
        hashes.add(g.status()["config"]["hash"])
        syscalls.sleep(61)
        time.sleep(chance.random() * 0.6)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: g.children() not in ([], [pid]) and version(g) == "a")
        whole = kept(g)
        assert any(h.startswith(whole["hash"][:8]) or whole["hash"].startswith(h[:8])
                   for h in hashes)
        assert json.loads(whole["texts"][0]["text"])["apis"]
    assert len(list(g.directory.glob("*last-good*"))) <= 3


@pytest.mark.parametrize("call, error", [("open", errno.ENOSPC), ("openat", errno.ENOSPC),
                                         ("write", errno.ENOSPC), ("fsync", errno.EIO),
                                         ("rename", errno.EROFS)],
                         ids=lambda v: v if isinstance(v, str) else errno.errorcode[v])
def test_P313_what_cannot_be_kept_stops_nothing(gate, server, syscalls, call, error):
    s = server(keep=False)
    g = gate(config(A, upstream=s), preload=syscalls, records=False, telemetry={"logs": "off"})
    before = kept(g)
    g.reload(config(B, upstream=s))
    syscalls.fail(call, error)
    syscalls.sleep(61)
    time.sleep(1.2)
    assert version(g) == "b" and g.ask("/readyz").status == 200
    syscalls.heal()
    assert kept(g) == before or kept(g)["hash"] == g.status()["config"]["hash"]
    g.reload(config(A, upstream=s, drain="9s"))
    assert version(g) == "a"


RUINS = {"cut": lambda t: t[:len(t) // 2], "empty": lambda t: "", "nonsense": lambda t: "\0" * 999,
         "edited": lambda t: t.replace('\\"a\\"', '\\"evil\\"'), "array": lambda t: "[1]",
         "no-texts": lambda t: '{"format":1,"hash":"x","path":"y","environment":"","texts":[]}',
         "another-hash": lambda t: t.replace('"hash":"', '"hash":"0'),
         "deep": lambda t: "[" * 100000}


@pytest.mark.parametrize("name", RUINS, ids=lambda n: f"P316-{n}")
def test_a_ruined_last_good_configuration_is_not_used(gate, server, name):
    """The file is bad, and so is what was kept: that is said, and nothing else is served."""
    s = server()
    g = gate(config(A, upstream=s), forgive=CRASHES, exit=78, records=False)
    file, = g.directory.glob("last-good-*.json")
    text = file.read_text()
    assert RUINS[name](text) != text
    file.write_text(RUINS[name](text))
    g.write("oops: 1")
    os.kill(g.children()[0], signal.SIGKILL)
    time.sleep(0.7)
    assert version(g) is None
    assert "E104" in g.stderr() and "going on with the last good" not in g.stderr()
    file.write_text(text)
    wait_until(lambda: version(g) == "a", 15)
    g.options["exit"] = 0


def test_P316_of_another_configuration_nothing_is_taken(gate, server):
    """What was kept belongs to one path."""
    s = server()
    g = gate(config(A, upstream=s), forgive=CRASHES, records=False)
    other, = g.directory.glob("last-good-*.json")
    other.rename(other.with_name("last-good-0000000000000000.json"))
    g.write("oops: 1")
    os.kill(g.children()[0], signal.SIGKILL)
    time.sleep(0.7)
    assert version(g) is None
    g.write(config(B, upstream=s))
    wait_until(lambda: version(g) == "b", 15)


def test_P320_what_was_checked_is_what_is_loaded(gate, server):
    """A file that changes all the time: each reload sees one of its states whole."""
    s = server(keep=False)
    g = gate(config(A, upstream=s), records=False, telemetry={"logs": "off"})
    stop = threading.Event()
    a, b = (g.whole(config(version, upstream=s)) for version in (A, B))
    states = [json.dumps(document) for document in (a, b, {**b, "oops": 1})]

    def change():
        i = 0
        while not stop.is_set():
            half = g.file.with_suffix(".next")
            half.write_text(states[i % 3])
            half.replace(g.file)
            i += 1
    thread = threading.Thread(target=change)
    thread.start()
    seen = {}
    try:
        for _ in range(60):
            run = g.command("reload")
            assert run.returncode in (0, 78)
            seen.setdefault(g.status()["config"]["hash"], set()).add(version(g))
    finally:
        stop.set()
        thread.join()
    assert len(seen) == 2 and all(len(versions) == 1 for versions in seen.values()), seen


def test_P309_reloads_at_once_are_all_answered(gate, server):
    s = server()
    g = gate(config(A, upstream=s), records=False)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: g.command("reload"), range(24)))
    assert {run.returncode for run in runs} == {0}
    for _ in range(200):
        g.signal(signal.SIGHUP)
    wait_until(lambda: version(g) == "a")
