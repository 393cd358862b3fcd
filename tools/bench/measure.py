"""measure.py -- CPU, memory and system calls of process trees, and the load that causes them."""
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import time

import peers

TICK = os.sysconf("SC_CLK_TCK")


def cpu_ns(pids):
    """Time on a CPU of all threads of these processes, from the scheduler, in ns."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                with contextlib.suppress(OSError):
                    total += int((task / "schedstat").read_text().split()[0])
    return total


def user_system(pids):
    """(user, system) in ns, as far as ticks tell."""
    user = system = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            user, system = user + int(fields[11]), system + int(fields[12])
    return user * 10**9 // TICK, system * 10**9 // TICK


def machine_busy_ns():
    fields = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    numbers = [int(field) for field in fields]
    return (sum(numbers[:3]) + sum(numbers[5:8])) * 10**9 // TICK


def pss(pids):
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += 1024 * int(re.search(r"^Pss:\s+(\d+)", text, re.M).group(1))
    return total


def to_ns(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * {"us": 1e3, "ms": 1e6, "s": 1e9, "m": 6e10}[unit]


class Run(dict):
    """One run of one peer: requests, rps, cpu (µs per request), load, up, p50_ns, failed …"""
    __getattr__ = dict.__getitem__


class Bench:
    """The upstream, and the way to put load on a peer."""

    def __init__(self, cpu, load_cpu):
        self.cpu, self.load_cpu = cpu, load_cpu
        peers.WORK.mkdir(parents=True, exist_ok=True)
        peers.WORK.chmod(0o777)  # started as root, proxies serve as somebody else
        (peers.WORK / "stderr.log").write_bytes(b"")
        for log in peers.WORK.glob("*.access"):
            log.unlink()
        self.wrk = peers.unpack("wrk")
        self.upstream = peers.start([peers.PROGRAMS / "bench_upstream", peers.UPSTREAM], load_cpu)
        peers.wait_port(peers.UPSTREAM, self.upstream)

    def close(self):
        peers.stop(self.upstream)

    def _measured(self, peer, command):
        """Runs a load command; what it printed, what the CPUs did meanwhile. Logs begin anew, as
        after a rotation: what the machine's disk can take in the long run is not the question."""
        for log in peers.WORK.glob("*.access"):
            os.truncate(log, 0)
        pids = peer.pids()
        before = cpu_ns(pids), cpu_ns([self.upstream.pid]), machine_busy_ns(), user_system(pids)
        begin, usage = time.monotonic(), os.times()
        process = peers.start(command, self.load_cpu, subprocess.PIPE)
        text = process.communicate()[0].decode()
        own = os.times()
        load = (own.children_user - usage.children_user + own.children_system
                - usage.children_system) * 1e9
        after = cpu_ns(pids), cpu_ns([self.upstream.pid]), machine_busy_ns(), user_system(pids)
        spent = Run(peer=after[0] - before[0], up=after[1] - before[1], load=load,
                    seconds=time.monotonic() - begin,
                    user=after[3][0] - before[3][0], system=after[3][1] - before[3][1])
        foreign = after[2] - before[2] - spent.peer - spent.up - load
        spent["foreign"] = max(0.0, foreign / (spent.seconds * 1e9))
        return text, spent

    def _run(self, requests, spent, **more):
        each = max(requests, 1) * 1000
        return Run(requests=requests, cpu=spent.peer / each, up=spent.up / each,
                   load=spent.load / each, user=spent.user / each, system=spent.system / each,
                   foreign=spent.foreign, **more)

    def closed(self, peer, connections, seconds, path="/"):
        """wrk: as many requests as it takes, on that many connections."""
        command = [self.wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "--latency",
                   "-H", f"X-API-Key: {peers.KEY}", "-H", "Host: bench.test",
                   f"http://127.0.0.1:{peer.port}{path}"]
        text, spent = self._measured(peer, command)
        done = re.search(r"(\d+) requests in ([\d.]+\w+)", text)
        if done is None:
            raise peers.Missing(f"wrk said: {text[:300]}")
        requests = int(done.group(1))
        latency = {p: to_ns(re.search(rf"^ +{p}% +(\S+)", text, re.M).group(1)) for p in (50, 99)}
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
        errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)",
                           text)
        failed = int(bad.group(1)) if bad else 0
        failed += sum(map(int, errors.groups())) if errors else 0
        rps = requests / (to_ns(done.group(2)) / 1e9)
        return self._run(requests, spent, rps=rps, failed=failed,
                         p50_ns=latency[50], p99_ns=latency[99])

    def open_loop(self, peer, rate, seconds, connections=64, path="/"):
        """Requests at fixed times; latency from the scheduled time."""
        command = self.open_command(peer, rate, seconds, connections, path)
        text, spent = self._measured(peer, command)
        result = json.loads(text)
        return self._run(result["requests"], spent, rps=result["requests"] / result["seconds"],
                         failed=result["failed"] + result["not_2xx"], p50_ns=result["p50_ns"],
                         p99_ns=result["p99_ns"], max_ns=result["max_ns"])

    def open_command(self, peer, rate, seconds, connections=64, path="/"):
        return [peers.PROGRAMS / "bench_load", peer.port, path, rate, seconds, connections,
                f"X-API-Key: {peers.KEY}"]

    def syscalls(self, peer, seconds, command):
        """System calls per request under a load command, by strace: {name: per request}."""
        out = peers.WORK / "strace.out"
        attach = [arg for pid in peer.pids() for arg in ("-p", str(pid))]
        tracer = subprocess.Popen(["strace", "-f", "-c", "-o", str(out), *attach],
                                  stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        text, _ = self._measured(peer, command)
        tracer.send_signal(signal.SIGINT)
        tracer.wait(10)
        done = re.search(r"(\d+) requests in", text)
        requests = int(done.group(1)) if done else json.loads(text)["requests"]
        counts = {}
        for line in out.read_text().splitlines():
            fields = line.split()
            if len(fields) >= 5 and fields[3].isdigit() and fields[-1] != "total":
                counts[fields[-1]] = int(fields[3]) / max(requests, 1)
        return dict(sorted(counts.items(), key=lambda item: -item[1]))
