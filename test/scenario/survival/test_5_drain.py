"""A stop ends within its time, whatever is under way, and breaks off nothing before that."""
import os
import signal
import threading
import time

import pytest
import rig

from .conftest import data, eventually, is_stopped, told


def stopped(g, within):
    """Seconds from the signal to the end."""
    begin = time.monotonic()
    g.signal(signal.SIGTERM)
    assert g.wait_exit(within) == 0
    return time.monotonic() - begin


def test_what_is_under_way_is_finished(gate, server):
    release = threading.Event()
    head = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
    s = server(lambda r: ((head, "ab", rig.hold(release), "cd") if r.target == "/half"
                          else (rig.hold(release), head + "abcd")))
    g = gate(upstream=s, records=False)
    half = g.raw().send(rig.request("GET", "/half"))
    whole = g.raw().send(rig.request("GET", "/whole"))
    upload = g.raw().send("POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n1234")
    half.read_some(len(head))
    s.wait_connections(3)
    g.signal(signal.SIGTERM)
    eventually(lambda: not g.listens())
    upload.send("5678")
    release.set()
    answers = [whole.read(), upload.read()]
    assert [(a.status, a.body) for a in answers] == [(200, b"abcd")] * 2
    half.read_all()
    assert g.wait_exit(20) == 0


def test_slow_streams_are_broken_off_when_the_time_is_over(gate, server):
    over = threading.Event()

    def drops():
        while not over.is_set():
            yield b"x"
            time.sleep(0.05)
    s = server(lambda r: ("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", drops()),
               lenient=True)
    g = gate({"drain": "1500ms"}, upstream=s, records=False, workers=2)
    streams = [g.raw().send(rig.request("GET", f"/{i}")) for i in range(6)]
    uploads = [g.raw().send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\nx")
               for _ in range(3)]
    idle = [g.raw() for _ in range(5)]
    for stream in streams:
        stream.read_some(1)
    took = stopped(g, 20)
    over.set()
    assert took >= 1.4, "it did not wait for them"
    for connection in (*streams, *uploads, *idle):
        connection.read_all(5)


def test_a_stop_takes_no_longer_than_its_requests(gate, server):
    s = server((rig.wait(0.3), rig.http1.response(200, b"late")))
    g = gate({"drain": "60s"}, upstream=s)
    c = g.raw().send(rig.request("GET", "/"))
    s.wait_connections(1)
    g.signal(signal.SIGTERM)
    assert c.read().body == b"late"
    assert g.wait_exit(30) == 0  # not 60


def test_the_last_answer_ends_the_drain_also_where_its_caller_says_no_more(gate, server):
    """Nothing more happens on a connection that its caller has half closed, once the answer is
    out: whoever counts what is left must have counted by then."""
    release = threading.Event()
    s = server(lambda r: (rig.hold(release), rig.server.OK))
    g = gate({"drain": "60s"}, upstream=s, workers=2)
    callers = [g.raw().send(rig.request("GET", "/")) for _ in range(4)]
    for caller in callers:
        caller.half_close()
    s.wait_connections(4)
    g.signal(signal.SIGTERM)
    eventually(lambda: not g.listens())
    release.set()
    assert [caller.read().status for caller in callers] == [200] * 4
    assert g.wait_exit(20) == 0


def test_a_drain_during_the_wait_for_a_decision_lets_it_be_made(gate, server):
    decided = threading.Event()
    judge = server((rig.hold(decided), rig.http1.response(200, b"")))
    s = server()
    g = gate(upstream=s, policies={"forward_auth": {"url": judge.url + "/check",
                                                    "timeout": "30s"}})
    c = g.raw().send(rig.request("GET", "/"))
    judge.wait(1)
    g.signal(signal.SIGTERM)
    eventually(lambda: not g.listens())
    decided.set()
    assert c.read().status == 200
    assert g.wait_exit(20) == 0


def test_a_drain_does_not_wait_for_a_decision_that_never_comes(gate, server):
    never = threading.Event()
    judge = server((rig.hold(never),), lenient=True)
    s = server(never=True)
    g = gate({"drain": "800ms"}, upstream=s,
             policies={"forward_auth": {"url": judge.url + "/check", "timeout": "60s"}})
    callers = [g.raw().send(rig.request("GET", "/")) for _ in range(5)]
    judge.wait(5)
    callers.pop().close()  # one vanishes in the wait
    stopped(g, 20)
    never.set()
    for caller in callers:
        caller.read_all(5)


def queued(port):
    """Connections that nobody has accepted. On a loaded machine even the kernel takes its time."""
    with open("/proc/net/tcp") as file:
        lines = [line.split() for line in file.readlines()[1:]]
    return sum(int(line[4].split(":")[1], 16) for line in lines
               if line[3] == "0A" and int(line[1].split(":")[1], 16) == port)


def test_who_waits_in_the_socket_is_served_and_who_comes_later_is_refused(gate, server):
    release = threading.Event()
    s = server(lambda r: (rig.hold(release), rig.http1.response(200, b"ok"))
               if r.target == "/held" else rig.http1.response(200, b"ok"))
    g = gate(upstream=s, workers=2)
    held = g.raw().send(rig.request("GET", "/held"))
    s.wait_connections(1)
    pid = data(g)
    os.kill(pid, signal.SIGSTOP)  # nobody accepts
    eventually(lambda: is_stopped(pid))
    waiting = [g.raw().send(rig.request("GET", "/")) for _ in range(20)]
    eventually(lambda: queued(g.port) == 20)
    g.signal(signal.SIGTERM)
    told(g, "stopping")
    os.kill(pid, signal.SIGCONT)
    assert [one.read().status for one in waiting] == [200] * 20
    eventually(lambda: not g.listens())
    with pytest.raises(ConnectionRefusedError):
        g.raw()
    assert g.process.poll() is None
    release.set()
    assert held.read().status == 200
    assert g.wait_exit(20) == 0
