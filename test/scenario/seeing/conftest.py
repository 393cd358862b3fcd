"""What the scenarios of this area share: the admin's unix socket.

    with desk(g) as d: d.ask("POST", "/reload")    one exchange: (status, headers, body)
    d.begin("GET", "/logs?follow=1")               an answer that is read as it comes
"""
import contextlib
import http.client
import socket

import pytest


class OverSocket(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Desk:
    def __init__(self, path):
        self.path, self.connections = path, []

    def begin(self, method, target, body=None, headers=None):
        connection = OverSocket(self.path)
        self.connections.append(connection)
        connection.request(method, target, body=body, headers=headers or {})
        return connection.getresponse()

    def ask(self, *arguments, **options):
        answer = self.begin(*arguments, **options)
        return answer.status, answer.headers, answer.read()

    def close(self):
        for connection in self.connections:
            connection.close()


@pytest.fixture
def desk():
    with contextlib.ExitStack() as stack:
        def make(gate):
            made = Desk(gate.socket)
            stack.callback(made.close)
            return made
        yield make
