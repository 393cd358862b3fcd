"""gate top: what a gate does, live and for scripts."""
import os
import pty
import re
import select
import signal
import struct
import fcntl
import subprocess
import termios
import time

import pytest
import rig


@pytest.fixture
def running(gate, server):
    s = server(lambda request: rig.http1.response(
        500 if request.target.endswith("bad") else 200, b"hi"))
    return gate(apis={"orders": {"upstream": s.url, "routes": {"GET /{id}": {}, "GET /bad": {}}},
                      "other": {"upstream": s.url}})


class Terminal:
    """A terminal in which `gate top` runs, and what it shows."""

    def __init__(self, gate, *arguments, rows=24, columns=100):
        self.leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(follower)
        self.follower = follower
        self.text = b""
        self.process = subprocess.Popen(
            [str(gate.binary), "top", "--every", "100ms", *arguments], stdin=follower,
            stdout=follower, stderr=follower, start_new_session=True,
            env={**gate.environment(), "GATE_GATEWAY": str(gate.socket),
                 "TERM": "xterm-256color"})

    def wait(self, pattern, within=8):
        """Waits for a frame that fits, from now on."""
        deadline = time.monotonic() + within
        while True:
            frames = self.text.decode(errors="replace").split("\x1b[H")
            plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", frames[-1])
            for candidate in frames[-2:]:
                plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", candidate)
                if re.search(pattern, plain):
                    self.text = b""
                    return plain
            assert time.monotonic() < deadline, f"no {pattern!r} in {plain!r}"
            if select.select([self.leader], [], [], 0.05)[0]:
                self.text += os.read(self.leader, 65536)

    def press(self, keys):
        os.write(self.leader, keys.encode())

    def rest(self, within=5):
        deadline = time.monotonic() + within
        while self.process.poll() is None and time.monotonic() < deadline:
            if select.select([self.leader], [], [], 0.05)[0]:
                self.text += os.read(self.leader, 65536)
        while select.select([self.leader], [], [], 0.05)[0]:
            self.text += os.read(self.leader, 65536)
        return self.process.wait(1)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.follower)
        os.close(self.leader)


@pytest.fixture
def terminal():
    made = []

    def start(*arguments, **options):
        made.append(Terminal(*arguments, **options))
        return made[-1]
    yield start
    for one in made:
        one.close()


def test_once_is_text_for_scripts(running):
    for _ in range(3):
        running.get("/orders/1")
    shown = running.command("top", "--once", "--every", "200ms")
    assert shown.returncode == 0, shown.stderr
    assert "\x1b" not in shown.stdout
    assert re.search(r"^orders .* 3$", shown.stdout, re.M), shown.stdout
    routes = running.command("top", "--once", "--every", "200ms", "--view", "routes").stdout
    assert re.search(r"^GET /orders/\{id\} +orders .* 3$", routes, re.M), routes


def test_errors_are_told_by_their_reason(running):
    running.get("/nothing")
    running.get("/orders/1")
    shown = running.command("top", "--once", "--every", "200ms", "--view", "errors").stdout
    assert re.search(r"^not-found +\S+ +1 +Nothing is offered", shown, re.M), shown
    assert "done" not in shown


def test_targets_are_told_with_their_health(running):
    running.get("/orders/1")
    shown = running.command("top", "--once", "--every", "200ms", "--view", "upstreams").stdout
    assert shown.count("✓ healthy") == 1, shown


def test_in_a_pipe_frames_follow_each_other(running):
    process = subprocess.Popen([str(running.binary), "top", "--every", "100ms"], text=True,
                               stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                               env={**running.environment(), "GATE_GATEWAY": str(running.socket)})
    heads = 0
    while heads < 3:
        heads += process.stdout.readline().startswith("gate ")
    process.stdout.close()
    assert process.wait(5) in (0, -signal.SIGPIPE)


def test_keys_change_what_is_shown(running, terminal):
    running.get("/orders/1")
    running.get("/nothing")
    t = terminal(running)
    frame = t.wait(r"(?s)APIs by REQ/S.*orders")
    assert "✓ ready" in frame and "q quit" in frame
    t.press("r")
    t.wait(r"(?s)Routes by REQ/S.*GET /orders/\{id\}")
    t.press("e")
    t.wait(r"(?s)not-found")
    t.press("u")
    t.wait(r"(?s)Upstreams by .*healthy")
    t.press("c")
    t.wait(r"Consumers by")
    t.press("a")
    t.press("s")
    t.wait(r"APIs by P50")
    t.press("i")
    t.wait(r"by P50, upside down")
    t.press("/ord")
    t.wait(r'with "ord_": 1 of [23]')
    t.press("\r")
    t.wait(r'with "ord": 1 of [23]')
    t.press("p")
    t.wait(r"paused")
    t.press("q")
    assert t.rest() == 0


def test_a_narrow_terminal_gets_lines_that_fit(running, terminal):
    running.get("/orders/1")
    t = terminal(running, columns=40, rows=12)
    frame = t.wait(r"(?s)APIs by REQ/S.*orders")
    lines = [line.rstrip() for line in frame.split("\r\n")]
    assert len(lines) <= 12
    table = lines[[i for i, line in enumerate(lines) if line.startswith("API ")][0]:]
    assert max(len(line) for line in table[:-1]) <= 40


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_terminal_is_given_back(running, terminal, number):
    t = terminal(running)
    t.wait(r"APIs by")
    assert termios.tcgetattr(t.follower)[3] & termios.ICANON == 0
    t.process.send_signal(number)
    assert t.rest() == -number
    assert termios.tcgetattr(t.follower) == t.before
    assert t.text.decode(errors="replace").endswith("\x1b[?7h\x1b[?25h\x1b[?1049l")


def test_a_gate_that_goes_away_is_told_and_waited_for(running, terminal):
    t = terminal(running)
    t.wait(r"✓ ready")
    running.stop()
    t.wait(r"! no answer")
    t.press("q")
    assert t.rest() == 0
