"""gate.py -- the real binary, started with a configuration and watched to its end.

    g = gate(upstream=s)                          one API "a" at path /, without auth
    g = gate(upstream=s, policies={...})          with these policies
    g = gate({"apis": {...}, ...})                a configuration; listeners and admin are added
    g = gate("apis:\\n  a: ...")                   the text as it is; @main@ and @admin@ become
                                                  addresses, @socket@ and @dir@ paths

Options: over={...} (an environment laid over the text, with listener and admin), workers=1,
environment={...}, arguments=[...], preload=Syscalls(), nofile=N, ready=False, exit=0 (expected
status), forgive="regex of lines allowed on stderr", binary=PATH, records=False (no check of the log
against the upstreams), names=Names(), notify=Notifications(), sockets=[...].
"""
import contextlib
import copy
import functools
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import time

from . import records, systemd
from .client import Raw
from .faults import ROOT
from .pace import Patience, Watch, wait_until
from .ports import free_port

ALARMS = re.compile(r"AddressSanitizer|ThreadSanitizer|LeakSanitizer|MemorySanitizer"
                    r"|UndefinedBehaviorSanitizer|runtime error:|check failed|fatal signal"
                    r"|gate: out of|stack smashing|double free|malloc\(\)|free\(\):")
START_SECONDS = float(os.environ.get("GATE_START_SECONDS", "15"))
STOP_SECONDS = 25.0  # a busy disk holds up the last lines; a drain that does not end takes 30
SANITIZERS = {
    "ASAN_OPTIONS": "abort_on_error=0:exitcode=99:detect_stack_use_after_return=1:"
                    "verify_asan_link_order=0:handle_abort=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:exitcode=99",
    "TSAN_OPTIONS": "halt_on_error=0:exitcode=99:second_deadlock_stack=1",
    "LSAN_OPTIONS": "exitcode=99",
}


def binary():
    path = pathlib.Path(os.environ.get("GATE", ROOT / "build/release/gate"))
    assert path.exists(), f"{path} is not built; ./dev build"
    return path.resolve()


@functools.lru_cache
def is_sanitized(path):
    """True for a build whose memory and speed say nothing: ASan or TSan."""
    return any(name in path.read_bytes() for name in (b"__asan_init", b"__tsan_init"))


class StartFailed(AssertionError):
    pass


class Gate:
    def __init__(self, config=None, servers=(), **options):
        self.options = options
        self.servers = list(servers)
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="gate-"))
        self.directory.chmod(0o777)  # started as root, the gate serves as somebody else
        self.file = self.directory / "gateway.yaml"
        self.socket = self.directory / "admin.sock"
        self.binary = options.get("binary") or binary()
        self.process = None
        self.is_done = False
        self.logged = None  # ids(), once it is done
        self.dropped = 0    # of its lines
        self.connections = []
        self.stderr_path = self.directory / "stderr"
        self.stdout_path = self.directory / "stdout"
        for attempt in range(3):
            self.port, self.admin = free_port(), free_port()
            self.url = f"http://127.0.0.1:{self.port}"
            self.write(config)
            try:
                self.start()
                return
            except StartFailed:
                if attempt == 2 or "address already in use" not in self.stderr().lower():
                    raise

    # Configuration

    def whole(self, config):
        """The configuration with what the rig adds: listener, admin, one API for upstream=."""
        options = self.options
        if isinstance(config, str):
            for mark, value in (("@main@", f"127.0.0.1:{self.port}"),
                                ("@admin@", f"127.0.0.1:{self.admin}"), ("@socket@", self.socket),
                                ("@dir@", self.directory)):
                config = config.replace(mark, str(value))
            return config
        config = json.loads(json.dumps(config or {}))
        if "upstream" in options:
            upstream = options["upstream"]
            config.setdefault("apis", {})["a"] = {
                "path": "/", "upstream": getattr(upstream, "url", upstream),
                "policies": copy.deepcopy(options.get("policies", {}))}
        for key in ("apis", "limits", "upstreams", "consumers", "channels", "listeners", "tiers",
                    "telemetry", "policies", "enforce"):
            if key in options and not (key == "policies" and "upstream" in options):
                config.setdefault(key, {}).update(copy.deepcopy(options[key]))
        config.setdefault("listeners", {}).setdefault("main", {}).setdefault(
            "address", f"127.0.0.1:{self.port}")
        admin = config.setdefault("admin", {})
        admin.setdefault("address", f"127.0.0.1:{self.admin}")
        admin.setdefault("socket", str(self.socket))
        return config

    def write(self, config):
        """Writes the file that the gate reads, at one stroke."""
        whole = self.whole(config)
        half = self.file.with_suffix(".half")
        half.write_text(whole if isinstance(whole, str) else json.dumps(whole, indent=1))
        half.replace(self.file)
        if "over" in self.options:
            folder = self.directory / "environments"
            folder.mkdir(exist_ok=True)
            (folder / "here.yaml").write_text(json.dumps(self.whole(self.options["over"])))

    # Life

    def environment(self):
        kept = {key: value for key, value in os.environ.items()
                if not key.startswith(("GATE", "XDG_", "NOTIFY_", "LISTEN_"))}
        directory = str(self.directory)
        kept.update(SANITIZERS, RUNTIME_DIRECTORY=directory, XDG_RUNTIME_DIR=directory,
                    XDG_STATE_HOME=directory, STATE_DIRECTORY=directory, HOME=directory)
        if "preload" in self.options:
            kept.update(self.options["preload"].environment())
        if "notify" in self.options:
            kept.update(self.options["notify"].environment())
        kept.update(self.options.get("environment", {}))
        return kept

    def start(self):
        def limit():
            if "nofile" in self.options:
                n = self.options["nofile"]
                resource.setrlimit(resource.RLIMIT_NOFILE, (n, n))
        command = [str(self.binary), "run", "-c", str(self.file)]
        if self.options.get("workers", 1):
            command += ["--workers", str(self.options.get("workers", 1))]
        if "over" in self.options:
            command += ["--env", "here"]
        command += self.options.get("arguments", [])
        sockets = self.options.get("sockets", [])
        if sockets:
            command = systemd.activate(command, sockets)
        if "names" in self.options:
            command = self.options["names"].wrap(command, self.directory)
        with open(self.stdout_path, "ab") as out, open(self.stderr_path, "ab") as err:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=self.options.get("stdout", out),
                stderr=err, env=self.environment(), cwd=self.directory, start_new_session=True,
                preexec_fn=limit, pass_fds=[sock.fileno() for sock in sockets])
        if self.options.get("ready", True):
            self.wait_ready()

    def listens(self):
        try:
            Raw(self.port, timeout=1.0).close()
            return True
        except OSError:
            return False

    def wait_ready(self, within=START_SECONDS):
        """Until /readyz says so; where the admin address is somebody else's, until it listens."""
        begin, pause, patience = time.monotonic(), 0.002, Patience(within)
        while True:
            if self.process.poll() is not None:
                raise StartFailed(f"exit status {self.process.returncode}:\n{self.stderr()}")
            try:
                if self.ask("/readyz").status == 200:
                    return
            except (OSError, EOFError):
                if time.monotonic() > begin + 1.0 and self.listens():
                    return
            if not patience.wait(pause):
                self.kill()
                raise StartFailed(f"not ready within {within} s:\n{self.stderr()}")
            pause = min(pause * 1.5, 0.05)

    def stderr(self):
        return self.stderr_path.read_text(errors="replace") if self.stderr_path.exists() else ""

    def stdout(self):
        return self.stdout_path.read_text(errors="replace") if self.stdout_path.exists() else ""

    @property
    def pid(self):
        return self.process.pid

    def children(self):
        """Pids of the processes below the keeper, from /proc."""
        found = []
        for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
            try:
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) in (self.pid, *found) and fields[0] != "Z":
                found.append(pid)
        return found

    def memory(self):
        """What the whole tree has of its own, in bytes. Pages of files do not count: whose they are
        changes with every other gate that starts or ends."""
        total = 0
        for pid in (self.pid, *self.children()):
            try:
                text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:
                continue
            total += 1024 * sum(map(int, re.findall(r"^Pss_(?:Anon|Shmem):\s+(\d+)", text, re.M)))
        return total

    @property
    def is_sanitized(self):
        return is_sanitized(self.binary)

    def descriptors(self, pid=None):
        return len(os.listdir(f"/proc/{pid or self.pid}/fd"))

    def cpu_seconds(self):
        """User and system time of the whole tree."""
        ticks = 0
        for pid in (self.pid, *self.children()):
            try:
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def limit(self, what, value, pid=None):
        """Sets a resource limit of a running process: limit("NOFILE", 40)."""
        kind = getattr(resource, f"RLIMIT_{what}")
        for target in [pid] if pid else (self.pid, *self.children()):
            resource.prlimit(target, kind, (value, resource.prlimit(target, kind)[1]))

    def signal(self, number):
        self.process.send_signal(number)

    def wait_exit(self, within=STOP_SECONDS):
        patience = Patience(within)
        pause = 0.0005
        while self.process.poll() is None:
            assert patience.wait(pause), (f"still running after {within} s:\n{self.stderr()}\n"
                                          f"{self.whereabouts()}")
            pause = min(pause * 2, 0.05)
        return self.process.returncode

    def whereabouts(self):
        """Where each of its threads is, and what its sockets are at: for whoever wonders why it
        does not end."""
        said = []
        for pid in (self.pid, *self.children()):
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                with contextlib.suppress(OSError):
                    said.append(" ".join([task.name, *((task / name).read_text().strip()
                                          for name in ("comm", "wchan", "syscall"))]))
        with contextlib.suppress(OSError, EOFError, AssertionError):
            said.append(str({name: [sample for sample in samples if sample[1]]
                             for name, samples in self.metrics().items()
                             if "connections" in name or "active" in name}))
        ports = {f":{port:04X}" for port in (self.port, self.admin)}
        for line in pathlib.Path("/proc/net/tcp").read_text().split("\n")[1:]:
            fields = line.split()
            if fields and {fields[1][-5:], fields[2][-5:]} & ports:
                said.append(" ".join(fields[1:5]))
        return "\n".join(said)

    def kill(self):
        """Ends the whole tree at once: the session that this gate leads, nothing else."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def stop(self, within=STOP_SECONDS):
        """SIGTERM, then the exit status."""
        for connection in self.connections:
            connection.close()
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.wait_exit(within)

    def finish(self):
        """What the fixture calls at the end: stops and checks."""
        if self.is_done:
            return
        self.is_done = True
        try:
            self.dropped = self.lines_dropped()
            status = self.stop()
            self.logged = self.ids()
            self.check(status)
        finally:
            self.kill()
            shutil.rmtree(self.directory, ignore_errors=True)

    def check(self, status):
        forgive = self.options.get("forgive")
        lines = [line for line in self.stderr().split("\n")
                 if ALARMS.search(line) and not (forgive and re.search(forgive, line))]
        assert not lines, f"alarm on stderr: {lines[:3]}\n{self.stderr()[-6000:]}"
        expected = self.options.get("exit", 0)
        assert status == expected, f"exit status {status}, not {expected}:\n{self.stderr()[-3000:]}"

    def lines_dropped(self):
        """Lines that the log had no room for, which is counted; 0 where nobody can be asked."""
        try:
            metrics = self.metrics()
            return (metrics.value("gatehouse_log_dropped_total") -
                    metrics.value("gatehouse_log_dropped_total", why="flood"))
        except (OSError, EOFError, AssertionError):
            return 0

    def ids(self):
        """Request ids of the access log; None where it is no such log, or must not be looked at."""
        if not self.options.get("records", True) or not self.stdout().startswith("{"):
            return None
        return {record.id for record in self.logs()}

    # Talking to it

    def raw(self, **options):
        """A new connection; closed at the end of the scenario if not before."""
        connection = Raw(self.port, **options)
        self.connections.append(connection)
        return connection

    def request(self, method="GET", target="/", headers=None, body=None, **options):
        """One exchange on a connection of its own."""
        with self.raw() as connection:
            return connection.request(method, target, headers, body, **options)

    def get(self, target="/", headers=None, **options):
        return self.request("GET", target, headers, **options)

    def post(self, target="/", body=b"", headers=None, **options):
        return self.request("POST", target, headers, body, **options)

    def canary(self, target="/canary", connection=None, headers=None, **options):
        """A clean request, on a connection of its own or a given one: answered right and within a
        second, seen once by exactly one upstream, with its target untouched."""
        token = os.urandom(8).hex()
        fields = [*http_pairs(headers), ("X-Canary", token)]
        watch = Watch()
        if connection is None:
            answer = self.get(target, fields, **options)
        else:
            answer = connection.get(target, fields, **options)
        assert watch.own < 1.0, "the canary took more than a second"
        assert answer.status == 200, f"the canary got {answer.status}: {answer.body[:300]!r}"
        came = [request for server in self.servers for request in server.requests
                if request.header("x-canary") == token]
        assert len(came) == 1, f"the canary came {len(came)} times"
        assert came[0].complete and came[0].method == "GET" and came[0].size == 0
        return answer

    def ask(self, path, method="GET"):
        """A request to the admin address."""
        with Raw(self.admin, timeout=5.0) as connection:
            return connection.request(method, path, {"Connection": "close"},
                                      host=f"127.0.0.1:{self.admin}")

    def metrics(self):
        answer = self.ask("/metrics")
        assert answer.status == 200, answer.body[:300]
        return records.parse_metrics(answer.text)

    def wait_metric(self, wanted, name, **labels):
        """Waits until the metric has that value: a worker counts what happened to its connections
        when all of a turn is done, the answer long sent."""
        def said():
            return f"{name} {labels} is {self.metrics().value(name, **labels)}, not {wanted}"
        wait_until(lambda: self.metrics().value(name, **labels) == wanted, 5.0, said)

    def status(self):
        answer = self.ask("/status")
        assert answer.status == 200, answer.body[:300]
        return answer.json()

    def mark(self):
        """How much of the log there is now, in whole lines: one that is being written may be seen
        in part. For logs(since=…) and wait_logs(since=…)."""
        return self.stdout_path.read_bytes().rfind(b"\n") + 1

    def logs(self, since=0):
        """The access records so far, or since a mark."""
        if since == 0:
            return records.parse_log(self.stdout())
        with open(self.stdout_path, "rb") as file:
            file.seek(since)
            return records.parse_log(file.read().decode(errors="replace"))

    def record(self, answer, within=3.0):
        """The record of that answer, found by its request id."""
        wanted = answer if isinstance(answer, str) else answer.request_id
        assert wanted, "the answer carries no X-Request-Id"
        found = self.wait_logs(lambda all_: [r for r in all_ if r.id == wanted], within,
                               f"no record of {wanted}")
        assert len(found) == 1, f"{len(found)} records of {wanted}"
        return found[0]

    def wait_logs(self, pick=None, within=3.0, text="no such record", since=0):
        """Waits until pick(records) is true and returns it; a number waits for that many."""
        count = pick if isinstance(pick, int) else None
        patience = Patience(within)
        while True:
            all_ = self.logs(since)
            found = (all_ if len(all_) >= count else None) if count is not None else pick(all_)
            if found:
                return found
            assert patience.wait(0.01), (f"{text} within {within} s; the log ends: "
                                         f"{self.stdout()[-1500:]}")

    def command(self, *arguments, **options):
        """Runs `gate ARGUMENTS` against this gate; returns the finished process with its output."""
        return subprocess.run([str(self.binary), *map(str, arguments)], text=True, timeout=30,
                              capture_output=True, cwd=self.directory,
                              env={**self.environment(), "GATE_GATEWAY": str(self.socket),
                                   **options.pop("environment", {})}, **options)

    def reload(self, config=None, expect=0):
        """Writes the configuration, if given, and runs `gate reload`, which returns when it is in
        force. `expect` is the exit status; 78 for a configuration that is refused."""
        if config is not None:
            self.write(config)
        run = self.command("reload")
        assert run.returncode == expect, (run.returncode, run.stdout, run.stderr)
        return run


def http_pairs(headers):
    return list(headers.items()) if isinstance(headers, dict) else list(headers or [])
