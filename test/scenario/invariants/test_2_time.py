"""Section R of the security catalogue, rows 352, 354, 355 and 357: days that never come twice, ids
that never do, floods, and a long day's work in a short one."""
import concurrent.futures
import datetime
import os
import random
import re
import signal
import threading
import time

import pytest
import rig

KEY = "key-of-acme-0123456789"
UTC = datetime.timezone.utc
DAYS = ["2026-12-31T23:59:59", "2028-02-29T12:00:00", "2038-01-19T03:14:08", "2099-12-31T23:59:59",
        "2100-02-28T23:59:59", "2100-03-01T00:00:00", "2106-02-07T06:28:16", "1999-12-31T23:59:59",
        "2400-02-29T00:00:00"]


@pytest.mark.parametrize("day", DAYS, ids=lambda d: f"R354-{d}")
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati"])
def test_every_day_is_a_day(gate, server, syscalls, day, zone):
    """In the log, in Date and in ids; wherever the machine stands."""
    wanted = datetime.datetime.fromisoformat(day).replace(tzinfo=UTC)
    syscalls.set_clock(int(wanted.timestamp() - time.time()))
    g = gate(upstream=server(rig.http1.response(200, b"")), preload=syscalls,
             environment={"TZ": zone, "LC_ALL": "tr_TR.UTF-8", "LANG": "de_DE.UTF-8"})
    answer = g.get("/nothing", host="a.test")
    record = g.record(answer)
    at = datetime.datetime.fromisoformat(record["timestamp"].replace("Z", "+00:00"))
    assert abs((at - wanted).total_seconds()) < 30 and record["timestamp"].endswith("Z")
    problem = g.request("TRACE", "/")
    date = problem.header("date")
    assert re.fullmatch(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|"
                        r"Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT", date), date
    assert date.startswith(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"][
        datetime.datetime.strptime(date[5:], "%d %b %Y %H:%M:%S GMT").weekday()])
    assert f" {wanted.year} " in date or f" {wanted.year + 1} " in date
    assert re.fullmatch("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
                        answer.request_id)


def test_R354_a_key_ends_by_the_calendar_and_not_before(gate, server, syscalls):
    g = gate(upstream=server(), preload=syscalls, policies={"auth": "api_key"},
             consumers={"acme": {"api_key": KEY}})
    key = g.command("key", "new", "acme", "--expires", "1h",
                    environment=syscalls.environment()).stdout.strip()
    for ahead, status in ((0, 200), (3500, 200), (3700, 401), (86400 * 400, 401), (0, 200)):
        syscalls.set_clock(ahead)
        time.sleep(0.4)
        assert g.get("/", {"X-API-Key": key}).status == status, ahead
        assert g.get("/", {"X-API-Key": KEY}).status == 200


@pytest.mark.parametrize("name", ["HOST", "X-api-KEY", "CONTENT-length", "trAnsfer-encodIng"])
def test_R354_names_do_not_know_of_dotless_i(gate, server, name):
    """Turkish rules for upper and lower case are nobody's business here."""
    s = server()
    g = gate(upstream=s, policies={"auth": "api_key"}, consumers={"acme": {"api_key": KEY}},
             environment={"LC_ALL": "tr_TR.UTF-8"})
    values = {"host": "A.TEST", "x-api-key": KEY, "content-length": "2",
              "transfer-encoding": "CHUNKED"}
    fields = {"host": "a.test", "x-api-key": KEY}
    fields.pop(name.lower(), None)
    lines = [*(f"{k}: {v}" for k, v in fields.items()), f"{name}: {values[name.lower()]}"]
    body = {"content-length": "hi",
            "transfer-encoding": "2\r\nhi\r\n0\r\n\r\n"}.get(name.lower(), "")
    with rig.Raw(g.port) as c:
        c.send("\r\n".join(["POST / HTTP/1.1", *lines, "", body]))
        assert c.read().status == 200
    assert bytes(s.request.body) == (b"hi" if body else b"")


@pytest.mark.slow
@pytest.mark.timeout(90)
def test_R355_no_id_comes_twice(gate, server):
    """Over workers, connections, reloads and processes that were replaced."""
    s = server(keep=False)
    g = gate(upstream=s, workers=4, records=False, telemetry={"logs": "off"},
             forgive="ended|signal|last good")
    ids, traces, lock = [], [], threading.Lock()

    def many(_):
        mine = []
        with rig.Raw(g.port, keep=False) as c:
            for _ in range(400):
                mine.append(c.get("/").request_id)
        with lock:
            ids.extend(mine)
    for _ in range(3):
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            list(pool.map(many, range(8)))
        pid, = g.children()
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 8
        while g.children() in ([], [pid]) and time.monotonic() < deadline:
            time.sleep(0.01)
    traces = [r.header("traceparent").split("-")[1] for r in s.requests]
    spans = [r.header("traceparent").split("-")[2] for r in s.requests]
    assert len(ids) == 9600
    for some in (ids, traces, spans):
        assert len(set(some)) == len(some)


def test_R352_a_flood_of_refusals_is_summed_up_and_disturbs_nobody(gate, server):
    g = gate(upstream=server(), records=False)
    data = b"GET / HTTP/1.1\r\nHost a.test\r\n\r\n"

    def many(_):
        for _ in range(500):
            with rig.Raw(g.port) as c:
                c.send(data)
                assert c.read().status == 400
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        flood = pool.map(many, range(4))
        worst = max(g.canary().seconds for _ in range(40))
        list(flood)
    assert worst < 0.5
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        lines = [r for r in g.logs() if r.reason == "bad-request"]
        told = sum(1 + int(r.get("attributes", r).get("gatehouse.suppressed", 0)) for r in lines)
        if told >= 2000:
            break
        time.sleep(0.1)
    assert told == 2000 and len(lines) < 1200
    assert g.metrics().value("gatehouse_requests_total", gatehouse_reason="bad-request") == 2000


SECONDS = int(os.environ.get("SOAK", "20"))


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 60)
def test_R357_a_day_in_a_hurry(gate, server, syscalls):
    """Load with aborts, services that fail, clocks that jump, reloads and system calls that do not
    work: nothing leaks, nobody crashes, and all is well at the end. SOAK=3600 makes it longer."""
    def reply(request):
        chance = random.random()
        if chance < 0.02:
            return (rig.reset(),)
        if chance < 0.04:
            return (rig.http1.response(200, b"x" * 100)[:60], rig.close())
        if chance < 0.1:
            return (rig.wait(0.02), rig.server.OK)
        status = random.choice([200, 200, 404, 503])
        return rig.http1.response(status, b"y" * random.randrange(9999))
    one, two = server(reply, lenient=True, keep=False), server(reply, lenient=True, keep=False)

    def document(i):
        return {"apis": {"a": {"path": "/", "upstream": "u", "policies": {
            "body_limit": f"{i % 7 + 1}MiB", "rate_limit": "100000/s per ip"}}},
            "upstreams": {"u": {"targets": [one.url, two.url], "eject": {"time": "200ms"},
                                "circuit_breaker": "off"}}}
    g = gate(document(0), workers=2, records=False, preload=syscalls, telemetry={"logs": "off"},
             limits={"linger": "300ms"}, nofile=4096)
    stop, broken = time.monotonic() + SECONDS, []

    def load(seed):
        chance, c = random.Random(seed), None
        while time.monotonic() < stop:
            try:
                c = c or rig.Raw(g.port, keep=False, timeout=5.0)
                data = rig.request(chance.choice(["GET", "POST"]), "/x", None,
                                   b"b" * chance.randrange(20000))
                kind = chance.random()
                if kind < 0.1:
                    c.send(data[:chance.randrange(len(data))])
                    c.reset() if kind < 0.05 else c.close()
                    c = None
                    continue
                c.send(data)
                if c.read().status not in (200, 404, 413, 500, 502, 503, 504):
                    broken.append("status")
            except TimeoutError:
                broken.append("no answer")
                c = None
            except (OSError, EOFError, rig.ProtocolFault):
                c = None
        if c:
            c.close()

    def trouble():
        chance, i = random.Random(7), 0
        while time.monotonic() < stop:
            i += 1
            kind = i % 4
            if kind == 0:
                g.reload(document(i))
            elif kind == 1:
                syscalls.set_clock(chance.choice([-3600, 0, 3600, 86400]))
            elif kind == 2:
                call = chance.choice(["send", "recv", "accept4", "connect", "socket", "epoll_ctl"])
                syscalls.fail(call, chance.choice([4, 12, 24, 104, 105]), count=2)
            time.sleep(0.1)
            syscalls.heal()
    pids = g.children()
    threads = [threading.Thread(target=load, args=(i,)) for i in range(6)]
    threads.append(threading.Thread(target=trouble))
    for thread in threads:
        thread.start()
    time.sleep(SECONDS / 2)
    half = g.memory()
    for thread in threads:
        thread.join()
    assert g.children() == pids and not broken[:5]
    deadline = time.monotonic() + 8
    while time.monotonic() < deadline:
        m = g.metrics()
        if (m.value("gatehouse_connections"), m.value("gatehouse_snapshots_alive")) == (0, 1):
            break
        time.sleep(0.1)
    assert m.value("http_server_active_requests") == 0 == m.value("http_client_active_requests")
    assert m.value("gatehouse_connections") == 0 and m.value("gatehouse_snapshots_alive") == 1
    if not g.is_sanitized:
        assert g.memory() < 1.1 * half + (1 << 20)
    one.reply = two.reply = rig.server.OK
    time.sleep(1)
    g.canary()
