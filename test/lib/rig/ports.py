"""ports.py -- free ports for listeners, chosen below the range of outgoing connections."""
import os
import random
import socket

LOW, HIGH = 10240, 32000  # net.ipv4.ip_local_port_range begins at 32768

_random = random.Random(os.getpid() * 7919 + int.from_bytes(os.urandom(4), "big"))
_given = set()


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


def free_port():
    """A port that nobody listens on and that this process was not given before."""
    for _ in range(1000):
        port = _random.randrange(LOW, HIGH)
        if port not in _given and is_free(port):
            _given.add(port)
            return port
    raise AssertionError("no free port")
