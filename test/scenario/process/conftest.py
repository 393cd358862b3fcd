"""What the scenarios of processes share: the keeper with a stand-in below it, and a crowd of
callers that notices every connection that fails.

    k = keeper("listen @port@", "workers 2")     starts it and waits until it serves
    k.ask()                                      one connection: {"pid": …, "version": …, …}
    k.data                                       pid of the data process that serves
    k.says("text")                               waits until stderr has it
    with k.crowd() as crowd: …                   callers all the time; crowd.failures at the end
"""
import contextlib
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest
from rig.faults import ROOT
from rig.gate import ALARMS, SANITIZERS
from rig.ports import free_port

PATIENCE = 15


def program():
    gate = pathlib.Path(os.environ.get("GATE", ROOT / "build/release/gate")).resolve()
    return gate.parent / "test/scenario/stand_in"


def eventually(what, within=PATIENCE):
    end, pause = time.monotonic() + within, 0.005
    while True:
        value = what()
        if value or time.monotonic() > end:
            return value
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def descriptors(pid):
    """What its descriptors are; one may be closed while we look."""
    names = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            names.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return names


def is_alive(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return text.rsplit(")", 1)[1].split()[0] not in "ZX"


def is_stopped(pid):
    """True when no thread of it runs any more: a signal takes a moment to get there."""
    tasks = pathlib.Path(f"/proc/{pid}/task").glob("*/stat")
    return all(task.read_text().rsplit(")", 1)[1].split()[0] == "T" for task in tasks)


class Crowd:
    """Callers, each connecting again and again; a failure is whatever is not a whole answer."""

    def __init__(self, keeper, callers=4, pause=0.0):
        self.keeper, self.failures, self.answers, self.is_over = keeper, [], [], False
        self.pause = pause
        self.threads = [threading.Thread(target=self.call, daemon=True) for _ in range(callers)]

    def call(self):
        while not self.is_over:
            try:
                self.answers.append(self.keeper.ask(within=PATIENCE))
            except OSError as fault:
                self.failures.append(repr(fault))
            time.sleep(self.pause)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_over = True
        for thread in self.threads:
            thread.join(PATIENCE * 2)

    @property
    def pids(self):
        return {answer["pid"] for answer in self.answers}


class Notified:
    """What systemd would be told."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        os.chmod(path, 0o666)
        self.lines = []

    def hear(self, text, within=PATIENCE):
        """Waits for a line that starts so; returns it."""
        end = time.monotonic() + within
        while True:
            for line in self.lines:
                if line.startswith(text):
                    return line
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                raise AssertionError(f"not told {text!r}, only {self.lines}")
            self.lines += self.socket.recv(4096).decode().split("\n")

    def forget(self):
        while select.select([self.socket], [], [], 0)[0]:
            self.socket.recv(4096)
        self.lines = []

    def close(self):
        self.socket.close()


class Keeper:
    def __init__(self, *lines, **options):
        self.options = options
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="keeper-"))
        os.chmod(self.directory, 0o777)
        self.binary = self.directory / "gate"
        shutil.copy(options.get("program", program()), self.binary)
        self.file = self.directory / "wish"
        self.unix = self.directory / "run" / "admin.sock"
        self.port = options.get("port") or free_port()
        self.stderr_path = self.directory / "stderr"
        self.notified = Notified(self.directory / "notify") if options.get("notify") else None
        self.seen = set()
        self.write(*lines)
        self.start()

    def write(self, *lines):
        text = "\n".join(lines).replace("@port@", f"127.0.0.1:{self.port}")
        half = self.file.with_suffix(".half")
        half.write_text(text.replace("@unix@", f"unix:{self.unix}") + "\n")
        os.chmod(half, 0o644)
        half.replace(self.file)

    def environment(self):
        kept = {key: value for key, value in os.environ.items()
                if not key.startswith(("GATE", "NOTIFY_", "LISTEN_", "WATCHDOG_"))}
        kept.update(SANITIZERS, CORE_DUMPS="1")  # a leak check looks into the process
        kept["ASAN_OPTIONS"] += ":handle_segv=0"
        if self.notified:
            kept["NOTIFY_SOCKET"] = str(self.notified.path)
        kept.update(self.options.get("environment", {}))
        return {key: value for key, value in kept.items() if value is not None}

    def start(self):
        command = [*self.options.get("before", []), str(self.options.get("called", self.binary)),
                   str(self.file), *self.options.get("arguments", [])]
        with open(self.stderr_path, "ab") as err:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=err, stderr=err, cwd=self.directory,
                env=self.environment(), start_new_session=True, **self.options.get("popen", {}))
        if self.options.get("ready", True):
            assert eventually(self.is_serving), self.stderr()

    def is_serving(self):
        assert self.process.poll() is None, f"exit {self.process.returncode}\n{self.stderr()}"
        try:
            return self.ask()
        except OSError:
            return False

    def stderr(self):
        return self.stderr_path.read_text(errors="replace")

    def says(self, text, within=PATIENCE):
        found = eventually(lambda: re.search(text, self.stderr()), within)
        assert found, f"it does not say {text!r}:\n{self.stderr()}"
        return found

    def connect(self, within=5):
        return socket.create_connection(("127.0.0.1", self.port), timeout=within)

    def ask(self, within=5, text=b"hi", line=None):
        with (line or self.connect(within)) as line:
            line.sendall(text)
            answer = b""
            while piece := line.recv(4096):
                answer += piece
        if not answer.endswith(b"\n"):
            raise ConnectionError(f"cut answer: {answer!r}")
        words = answer.decode().split()
        return {key: int(value) if value.isdigit() else value
                for key, value in zip(words[::2], words[1::2])}

    def children(self):
        try:
            text = pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        except OSError:
            return []
        pids = [int(pid) for pid in text.split()]
        self.seen.update(pids)
        return [pid for pid in pids if is_alive(pid)]

    @property
    def pid(self):
        return self.process.pid

    @property
    def data(self):
        return self.ask()["pid"]

    @property
    def only_data(self):
        """The data process that serves, once those before it are gone."""
        assert eventually(lambda: self.children() == [self.data]), self.stderr()
        return self.data

    def signal(self, signo, pid=None):
        os.kill(pid or self.pid, signo)
        if signo == signal.SIGKILL and pid:  # what it has not answered by then, it never will
            assert eventually(lambda: not is_alive(pid))

    def freeze(self, pid):
        self.signal(signal.SIGSTOP, pid)
        assert eventually(lambda: is_stopped(pid))

    def wait(self, within=PATIENCE):
        return self.process.wait(within)

    def crowd(self, **options):
        return Crowd(self, **options)

    def finish(self):
        self.children()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                code = self.process.wait(PATIENCE)
                assert code in (0, *self.options.get("exit", ())), f"exit {code}\n{self.stderr()}"
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"it does not stop:\n{self.stderr()}") from None
        left = [pid for pid in self.seen if is_alive(pid)]
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        if self.notified:
            self.notified.close()
        text = re.sub(self.options.get("forgive", "$^"), "", self.stderr())
        alarm = ALARMS.search(text)
        shutil.rmtree(self.directory, ignore_errors=True)
        assert not alarm, text
        assert not left or self.options.get("leaves"), f"left behind {left}\n{text}"


@pytest.fixture
def keeper():
    made = []

    def make(*lines, **options):
        made.append(Keeper(*lines, **options))
        return made[-1]

    yield make
    faults = []
    for one in made:
        try:
            one.finish()
        except AssertionError as fault:
            faults.append(str(fault))
    if faults:
        pytest.fail("\n".join(faults), pytrace=False)


@pytest.fixture(name="eventually")
def eventually_fixture():
    return eventually


@pytest.fixture
def run():
    """Runs the stand-in to its end: run("listen …", port=…) → (exit code, stderr)."""
    def once(*lines, **options):
        one = Keeper(*lines, ready=False, **options)
        try:
            code = one.wait()
            return code, one.stderr()
        finally:
            one.finish()
    return once
