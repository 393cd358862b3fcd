"""Gates that commands start by themselves: gate demo, gate proxy."""
import fcntl
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest
import rig
from rig.gate import ALARMS, SANITIZERS, START_SECONDS, binary


class Started:
    """`gate ARGUMENTS`, which serves until it is told to stop. One starts at a time, because each
    looks for free ports."""

    def __init__(self, *arguments, environment=None):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="gate-"))
        self.environment = {key: value for key, value in os.environ.items()
                            if not key.startswith(("GATE", "XDG_", "QUICKSTART"))}
        self.environment.update(SANITIZERS, HOME=str(self.directory),
                                XDG_RUNTIME_DIR=str(self.directory))
        self.environment.update(environment or {})
        self.files = [open(self.directory / name, "wb") for name in ("stdout", "stderr")]
        with open(pathlib.Path(tempfile.gettempdir()) / "gate-operate.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.process = subprocess.Popen(
                [str(binary()), *map(str, arguments)], stdin=subprocess.DEVNULL,
                stdout=self.files[0], stderr=self.files[1], cwd=self.directory,
                env=self.environment, start_new_session=True)
            begin = time.monotonic()
            self.wait(r"listening")
            self.seconds = time.monotonic() - begin

    def stderr(self):
        return (self.directory / "stderr").read_text(errors="replace")

    def stdout(self):
        return (self.directory / "stdout").read_text(errors="replace")

    def wait(self, pattern, within=START_SECONDS):
        """The match of a pattern in what it says."""
        deadline = time.monotonic() + within
        while True:
            found = re.search(pattern, self.stderr())
            if found:
                return found
            assert self.process.poll() is None, f"ended: {self.stderr()}"
            assert time.monotonic() < deadline, f"no {pattern} in: {self.stderr()}"
            time.sleep(0.01)

    @property
    def port(self):
        return int(self.wait(r"listening +http://localhost:(\d+)").group(1))

    @property
    def admin(self):
        return int(self.wait(r"admin +http://localhost:(\d+)").group(1))

    @property
    def key(self):
        return self.wait(r"key +(gate_\w+)").group(1)

    def request(self, method="GET", target="/", headers=None, body=None):
        with rig.Raw(self.port) as connection:
            return connection.request(method, target, headers, body)

    def get(self, target="/", headers=None):
        return self.request("GET", target, headers)

    def family(self):
        """Pids of all processes of this session that live."""
        found = []
        for pid in (name for name in os.listdir("/proc") if name.isdigit()):
            try:
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[3]) == self.process.pid and fields[0] != "Z":
                found.append(int(pid))
        return found

    def stop(self, number=signal.SIGINT):
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(15)

    def finish(self):
        try:
            status = self.stop()
            alarms = [line for line in self.stderr().split("\n") if ALARMS.search(line)]
            assert not alarms, self.stderr()[-6000:]
            assert status == 0, (status, self.stderr()[-3000:])
            deadline = time.monotonic() + 3
            while self.family() and time.monotonic() < deadline:
                time.sleep(0.01)
            assert not self.family(), "something was left behind"
        finally:
            for pid in self.family():
                os.kill(pid, signal.SIGKILL)
            for file in self.files:
                file.close()
            shutil.rmtree(self.directory, ignore_errors=True)


@pytest.fixture
def started():
    made = []

    def start(*arguments, **options):
        made.append(Started(*arguments, **options))
        return made[-1]
    yield start
    for one in made:
        one.finish()


@pytest.fixture
def command(tmp_path):
    """Runs `gate ARGUMENTS` to its end, in a folder of its own."""
    def run(*arguments, environment=None, **options):
        kept = {key: value for key, value in os.environ.items()
                if not key.startswith(("GATE", "XDG_"))}
        kept.update(SANITIZERS, HOME=str(tmp_path), XDG_RUNTIME_DIR=str(tmp_path),
                    STATE_DIRECTORY=str(tmp_path / "state"))
        kept.update(environment or {})
        done = subprocess.run([str(binary()), *map(str, arguments)], text=True, timeout=60,
                              capture_output=True, cwd=tmp_path, env=kept,
                              stdin=subprocess.DEVNULL, **options)
        assert not ALARMS.search(done.stderr), done.stderr
        return done
    return run
