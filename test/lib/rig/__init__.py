"""The scenario rig: a real gateway between a raw client and a recording upstream.

Fixtures (rig/fixtures.py):

    server(...)   starts a recording upstream        → Server   (rig/server.py)
    gate(...)     starts the real binary             → Gate     (rig/gate.py)
    Deaf()        who takes no connection and refuses none
    raw(port)     a socket that sends exact bytes    → Raw      (rig/client.py)
    Watch()       time, whoever else has the machine (rig/pace.py)
    wait_until()  what is to come about, in a while  (rig/pace.py)
    Traffic(g)    callers all the time           (rig/traffic.py)
    Frames(port)  HTTP/2 as exact frames         (rig/frames.py)
    Door(...)     gate and upstream for a table of attacks (rig/door.py)

A scenario reads like its promise:

    def test_a_get_goes_through(gate, server):
        s = server(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nhi")
        g = gate(upstream=s)
        r = g.get("/x")
        assert (r.status, r.body) == (200, b"hi")
        assert s.request.target == "/x"
        assert g.record(r).reason == "done"

At the end of each scenario the rig checks by itself that the gate stopped with exit status 0, that
its stderr shows no sanitizer report and no failed check, that every upstream saw only strict
HTTP/1.1, that a server(never=True) saw no byte, and that each request seen upstream has its record
in the access log.
"""
from . import http1, proxy, ws
from .certs import Authority, listens
from .client import Raw, Response
from .door import Door
from .faults import Allocations, SmallDisk, Syscalls
from .frames import Frames
from .gate import Gate
from .http1 import Head, ProtocolFault, request
from .pace import Patience, Watch, wait_until
from .server import Deaf, Server, close, half_close, hold, reset, wait
from .traffic import Traffic

__all__ = ["Allocations", "Authority", "Deaf", "Door", "Frames", "Gate", "Head", "Patience",
           "ProtocolFault", "Raw", "Response", "Server", "SmallDisk", "Syscalls", "Traffic",
           "Watch", "close", "half_close", "hold", "http1", "listens", "proxy", "request",
           "reset", "wait", "wait_until", "ws"]
