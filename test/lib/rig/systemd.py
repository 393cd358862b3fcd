"""systemd.py -- the service manager's side: a notification socket, and sockets handed over.

    n = Notifications();  g = gate(..., notify=n);  n.wait("READY=1")
    g = gate(..., sockets=[listening_socket])       LISTEN_FDS, LISTEN_PID as sd_listen_fds expects
"""
import os
import socket
import tempfile
import time


class Notifications:
    """What a service says with sd_notify: .messages, each a dict of its lines."""

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="gate-notify-")
        self.path = os.path.join(self.directory.name, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.messages = []

    def environment(self):
        return {"NOTIFY_SOCKET": self.path}

    def poll(self, seconds=0.0):
        """Takes what has come; returns all messages so far."""
        self.socket.settimeout(max(seconds, 0.001))
        try:
            while True:
                text = self.socket.recv(8192).decode()
                self.messages.append(dict(line.split("=", 1) for line in text.split("\n") if line))
                self.socket.settimeout(0.001)
        except TimeoutError:
            return self.messages

    def wait(self, line, within=5.0):
        """The first message that has this line, e.g. "READY=1"."""
        key, value = line.split("=", 1)
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            for message in self.poll(0.05):
                if message.get(key) == value:
                    return message
        raise AssertionError(f"no {line} within {within} s; came: {self.messages}")

    def close(self):
        self.socket.close()
        self.directory.cleanup()


def activate(command, sockets):
    """The command with these listening sockets as descriptors 3, 4, … and told so."""
    moves = " ".join(f"{3 + at}<&{sock.fileno()}" for at, sock in enumerate(sockets))
    script = f'exec {moves}; export LISTEN_PID=$$ LISTEN_FDS={len(sockets)}; exec "$@"'
    return ["bash", "-c", script, "bash", *command]
