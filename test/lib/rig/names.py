"""names.py -- a name server of our own on a loopback address, port 53, and a gate that asks it.

    ns = names({"up.test": [("127.0.0.2", 1), ("127.0.0.3", 1)]})     address, time to live
    g = gate(..., names=ns)
    ns.set("up.test", [("127.0.0.4", 5)])   ns.fail("up.test", "servfail" | "nxdomain" | "silent")
    ns.fail("up.test", lambda query, question: b"…")                  these bytes, whatever they are
    ns.queries                              [(name, type), …] as they came

The gate runs in a mount namespace in which /etc/resolv.conf names this server. Needs root.
"""
import os
import random
import socket
import struct
import threading

TYPES = {1: "A", 28: "AAAA"}
CODES = {"servfail": 2, "nxdomain": 3, "refused": 5}


class Names:
    def __init__(self, table=None):
        self.table = dict(table or {})
        self.failing = {}
        self.queries = []
        chosen = random.Random(os.urandom(8))
        while True:
            self.address = f"127.{chosen.randrange(64, 250)}.{chosen.randrange(256)}.53"
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                self.udp.bind((self.address, 53))
                break
            except PermissionError:
                self.udp.close()
                raise
            except OSError:
                self.udp.close()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def set(self, name, addresses):
        self.failing.pop(name, None)
        self.table[name] = addresses

    def fail(self, name, how):
        self.failing[name] = how

    def wrap(self, command, directory):
        """The command in a namespace where names are asked here."""
        file = directory / "resolv.conf"
        file.write_text(f"nameserver {self.address}\noptions timeout:1 attempts:2\n")
        script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", script, str(file), *command]

    def close(self):
        self.udp.close()

    def _serve(self):
        while True:
            try:
                query, peer = self.udp.recvfrom(4096)
            except OSError:
                return
            answer = self._answer(query)
            if answer is not None:
                self.udp.sendto(answer, peer)

    def _answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        question = query[12:at + 5]
        kind = struct.unpack(">H", query[at + 1:at + 3])[0]
        name = ".".join(labels).lower()
        self.queries.append((name, TYPES.get(kind, str(kind))))
        how = self.failing.get(name, None if name in self.table else "nxdomain")
        if how == "silent":
            return None
        if callable(how):
            return how(query, question)
        records = b""
        count = 0
        for address, ttl in () if how else self.table[name]:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            if (kind == 28) == (family == socket.AF_INET6) and kind in TYPES:
                data = socket.inet_pton(family, address)
                records += struct.pack(">HHHIH", 0xc00c, kind, 1, ttl, len(data)) + data
                count += 1
        flags = 0x8180 | CODES.get(how, 0)
        return query[:2] + struct.pack(">HHHHH", flags, 1, count, 0, 0) + question + records
