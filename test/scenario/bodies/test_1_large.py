"""Bodies of any size pass in constant memory, as fast as the slower side takes them."""
import os
import time

import pytest
import rig

MIB = 1 << 20
PIECE = os.urandom(MIB)
COUNT = 300


def many():
    for _ in range(COUNT):
        yield PIECE


def length_head(kind):
    return f"{kind}Content-Length: {COUNT * MIB}\r\n\r\n"


# What a gate may grow by: the buffers of one stream. AddressSanitizer keeps what was freed.
SLACK = (32 if "asan" in os.environ.get("GATE", "") else 4) * MIB


@pytest.mark.timeout(180)
def test_a_large_download_takes_no_memory(gate, server):
    s = server(lambda request: (length_head("HTTP/1.1 200 OK\r\n"), many()))
    g = gate(upstream=s)
    before = g.memory()
    c = g.raw(keep=False)
    c.send(rig.request("GET", "/large"))
    c.read_some(100)
    time.sleep(0.5)  # nobody reads: what is on its way must stop at the limits of its buffers
    assert g.memory() - before < SLACK
    assert c.reader.count < COUNT * MIB
    while c.reader.count < COUNT * MIB and c.reader.more():
        c.reader.held.clear()
    assert c.reader.count >= COUNT * MIB
    assert g.memory() - before < SLACK


@pytest.mark.timeout(180)
def test_a_large_upload_takes_no_memory(gate, server):
    s = server(keep=False)
    g = gate(upstream=s, policies={"body_limit": "off"})
    before = g.memory()
    c = g.raw()
    c.send(length_head("POST /large HTTP/1.1\r\nHost: a.test\r\n")).send_stream(many())
    assert c.read().status == 200
    assert s.request.size == COUNT * MIB
    assert g.memory() - before < SLACK


def test_a_reader_that_stops_stops_the_sender(gate, server):
    s = server(lambda request: (length_head("HTTP/1.1 200 OK\r\n"), many()), timeout=30)
    g = gate(upstream=s)
    slow = g.raw(rcvbuf=4096)
    slow.send(rig.request("GET", "/slow"))
    slow.read_some(1)
    begin, before = g.cpu_seconds(), g.memory()
    time.sleep(0.5)
    assert g.cpu_seconds() - begin < 0.2, "it spins while nobody reads"
    assert g.memory() - before < 2 * MIB
    slow.reset()
