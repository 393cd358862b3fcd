"""ports.py -- free ports for listeners, chosen below the range of outgoing connections."""
import collections
import os
import random
import socket

LOW, HIGH = 10240, 32000  # net.ipv4.ip_local_port_range begins at 32768

_random = random.Random(os.getpid() * 7919 + int.from_bytes(os.urandom(4), "big"))
_given = set()
_marks = collections.deque(maxlen=64)


def is_free(port):
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
        except OSError:
            if family == socket.AF_INET or socket.has_ipv6 and os.path.exists("/proc/net/if_inet6"):
                return False
    return True


def reserve(port):
    """Keeps it from other runs of tests, which look for ports at the same time: they would find it
    free until the gate listens; so the latest few are enough."""
    mark = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        mark.bind(f"\0gatehouse-test-port-{port}")
    except OSError:
        mark.close()
        return False
    _given.add(port)
    _marks.append(mark)
    return True


def free_port():
    """A port that nobody listens on and that nobody was given before."""
    for _ in range(1000):
        port = _random.randrange(LOW, HIGH)
        if port not in _given and is_free(port) and reserve(port):
            return port
    raise AssertionError("no free port")
