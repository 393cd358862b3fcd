"""areas.py -- what is measured. Each area yields cases: (case, metric, unit, {peer: [values]})."""
import json
import os
import socket
import subprocess
import time

import measure
import peers
from peers import Missing, Peer

PLAIN = ("nginx", "haproxy", "relay", "gate", "gate full")


class Field:
    """The peers of one area, started together and measured in turns."""

    def __init__(self, bench, rounds, seconds):
        self.bench, self.rounds, self.seconds = bench, rounds, seconds
        self.notes = {}
        self.runs = []  # (peer, Run): for calibration

    def peer(self, name, at, config=None):
        port = peers.LISTENERS + 1 + at
        if name == "gate":
            config = config or peers.gate_config(port)
        elif name == "gate full":
            config = peers.everything(port)
        return Peer(name, port, config)

    def start(self, wanted):
        """Starts them all; who cannot be measured is noted and left out."""
        started = []
        for peer in wanted:
            try:
                started.append(peer.start(self.bench.cpu))
            except Missing as why:
                self.notes[peer.name] = str(why)
                peer.stop()
        return started

    def in_turns(self, started, run):
        """{peer: [Run]}; the order turns round in odd rounds."""
        results = {peer.name: [] for peer in started}
        for number in range(self.rounds):
            for peer in started[::-1] if number % 2 else started:
                result = run(peer)
                results[peer.name].append(result)
                self.runs.append((peer.name, result))
                if result.failed:
                    self.notes[peer.name] = f"{result.failed} failed requests"
        return results


def values(results, name):
    return {peer: [run[name] for run in runs] for peer, runs in results.items()}


def with_peers(field, wanted, work):
    started = field.start(wanted)
    try:
        yield from work(started)
    finally:
        for peer in started:
            peer.stop()


def connections(field):
    def work(started):
        for count in (1, 16, 64, 256):
            results = field.in_turns(
                started, lambda p: field.bench.closed(p, count, field.seconds))
            yield f"{count} connections", "cpu", "µs CPU per request", values(results, "cpu")
            yield f"{count} connections", "rps", "requests/s", values(results, "rps")
    yield from with_peers(field, [field.peer(n, i) for i, n in enumerate(PLAIN)], work)


def bodies(field):
    def work(started):
        for path in ("/10k", "/100k"):
            results = field.in_turns(
                started, lambda p: field.bench.closed(p, 64, field.seconds, path))
            yield f"{path[1:]}B body", "cpu", "µs CPU per request", values(results, "cpu")
    yield from with_peers(field, [field.peer(n, i) for i, n in enumerate(PLAIN[:4])], work)


def latency(field, rate=5000):
    def work(started):
        results = field.in_turns(
            started, lambda p: field.bench.open_loop(p, rate, field.seconds))
        for name in ("p50", "p99"):
            yield (f"{name} at {rate}/s", name, "µs from the scheduled time",
                   {peer: [run[f"{name}_ns"] / 1000 for run in runs]
                    for peer, runs in results.items()})
    yield from with_peers(field, [field.peer(n, i) for i, n in enumerate(("direct", *PLAIN))], work)


def idle_connections(port, count):
    """That many connections, each with one request answered."""
    held = []
    for _ in range(count):
        sock = socket.create_connection(("127.0.0.1", port), 5)
        sock.sendall(peers.REQUEST)
        if not sock.recv(4096).startswith(b"HTTP/1.1 200"):
            raise Missing("an idle connection got no 200")
        held.append(sock)
    return held


def memory(field):
    def work(started):
        per, empty = {}, {}
        for peer in started:
            warm = idle_connections(peer.port, 200)
            for sock in warm:
                sock.close()
            time.sleep(0.3)
            before = measure.pss(peer.pids())
            empty[peer.name] = [before / 1024]
            for count in (1000, 9500):
                held = idle_connections(peer.port, count)
                time.sleep(0.3)
                per.setdefault(count, {})[peer.name] = [(measure.pss(peer.pids()) - before) / count]
                for sock in held:
                    sock.close()
                time.sleep(0.5)
        for count, by_peer in per.items():
            yield f"{count} idle connections", "bytes", "bytes PSS per idle connection", by_peer
        yield "no connection", "pss", "KiB PSS", empty
    yield from with_peers(field, [field.peer(n, i) for i, n in enumerate(PLAIN[:4])], work)


def syscalls(field):
    bench = field.bench

    def work(started):
        busy, slow = {}, {}
        for peer in started:
            command = [bench.wrk, "-t1", "-c64", f"-d{max(1, field.seconds)}s",
                       "-H", f"X-API-Key: {peers.KEY}", f"http://127.0.0.1:{peer.port}/"]
            counts = bench.syscalls(peer, field.seconds, command)
            busy[peer.name] = [sum(counts.values())]
            field.notes[f"{peer.name} calls"] = ", ".join(
                f"{name} {count:.2f}" for name, count in counts.items() if count >= 0.01)
            counts = bench.syscalls(peer, field.seconds,
                                    bench.open_command(peer, 1000, field.seconds))
            slow[peer.name] = [sum(counts.values())]
        yield "busy, 64 connections", "calls", "system calls per request", busy
        yield "1,000/s", "calls", "system calls per request", slow
    yield from with_peers(field, [field.peer(n, i) for i, n in enumerate(PLAIN[:4])], work)


VARIANTS = {
    "api_key": lambda port: peers.with_key(port),
    "rate_limit": lambda port: peers.gate_config(port, {"rate_limit": "1000000000/s per ip"}),
    "headers": lambda port: peers.gate_config(port, {"headers": {
        "request": {"set": {"X-Channel": "partner"}, "remove": ["X-Internal"]},
        "response": {"set": {"X-Frame-Options": "DENY"}}}}),
    "cors": lambda port: peers.gate_config(port, {"cors": "https://app.example.com"}),
    "ip_allow": lambda port: peers.gate_config(port, {"ip_allow": ["127.0.0.0/8", "10.0.0.0/8"]}),
    "body_limit": lambda port: peers.gate_config(port, {"body_limit": "1MiB"}),
    "rewrite": lambda port: peers.gate_config(port, {"rewrite": {"path": "/v2{path}"}}),
    "log": lambda port: peers.gate_config(port, telemetry={
        "logs": "json", "file": str(peers.WORK / "log.access")}),
}


def policies(field):
    wanted = [field.peer("nginx", 0), field.peer("gate", 1), field.peer("gate full", 2)]
    for at, (name, make) in enumerate(VARIANTS.items(), 3):
        port = peers.LISTENERS + 1 + at
        wanted.append(Peer(f"gate {name}", port, make(port)))

    def work(started):
        results = field.in_turns(started, lambda p: field.bench.closed(p, 64, field.seconds))
        yield "one policy each", "cpu", "µs CPU per request", values(results, "cpu")
    yield from with_peers(field, wanted, work)


def routes(field):
    load_times, results = {}, {}
    for count in (10, 1000, 100000):
        port = peers.LISTENERS + 1
        table = {f"GET /r{i}/items/{{id}}": {} for i in range(1, count)}
        peer = Peer("gate routes", port, peers.gate_config(port))
        peer.config["apis"]["bench"]["routes"] = {"GET /": {}, **table}
        begin = time.monotonic()
        started = field.start([peer])
        try:
            for one in started:
                load_times[f"{count} routes"] = [time.monotonic() - begin]
                results[f"{count} routes"] = [
                    field.bench.closed(one, 64, field.seconds, f"/r{count - 1}/items/7").cpu
                    for _ in range(field.rounds)]
        finally:
            peer.stop()
    if results:
        yield "match", "cpu", "µs CPU per request", results
        yield "load", "seconds", "s from start to the first answer", load_times


def reload(field):
    """Reloads one after the other while requests come at a fixed rate."""
    count = 1000 if field.seconds >= 3 else 50
    port = peers.LISTENERS + 1
    version = {"headers": {"response": {"set": {"X-V": "0"}}}}
    peer = Peer("gate", port, peers.with_key(port, version))
    started = field.start([peer])
    try:
        if started:
            yield from reload_under_load(field, peer, count)
    finally:
        peer.stop()


def reload_under_load(field, peer, count):
    admin = peer.config["admin"]["socket"]
    path = peers.WORK / "gate.conf"
    once = [str(peers.GATE), "reload", "--gateway", admin]
    environment = {**os.environ, "GATE_GATEWAY": admin}

    def swap(number):
        text = path.read_text()
        path.write_text(text.replace(f'"X-V": "{number}"', f'"X-V": "{number + 1}"'))
        run = subprocess.run(once, env=environment, capture_output=True, text=True)
        if run.returncode != 0:
            raise Missing(f"gate reload: {run.stderr.strip()[:200]}")
    for number in range(10):
        swap(number)
    field.bench.open_loop(peer, 2000, 1)
    before, begin = measure.pss(peer.pids()), time.monotonic()
    seconds = max(3, count // 20)
    load = peers.start(field.bench.open_command(peer, 2000, seconds), field.bench.load_cpu,
                       subprocess.PIPE)
    done = 0
    while load.poll() is None and done < count:
        swap(10 + done)
        done += 1
    took = time.monotonic() - begin
    text = load.communicate()[0].decode()
    result = json.loads(text)
    failed = result["failed"] + result["not_2xx"]
    growth = 100 * (measure.pss(peer.pids()) - before) / before
    yield f"{done} reloads at 2,000/s", "failed", "failed requests", {"gate": [failed]}
    yield f"{done} reloads at 2,000/s", "growth", "% of memory", {
        "gate": [growth]}
    yield f"{done} reloads at 2,000/s", "milliseconds", "ms per reload", {
        "gate": [1000 * took / max(done, 1)]}
    yield f"{done} reloads at 2,000/s", "p99", "µs from the scheduled time", {
        "gate": [result["p99_ns"] / 1000]}


AREAS = {"connections": connections, "bodies": bodies, "latency": latency, "memory": memory,
         "syscalls": syscalls, "policies": policies, "routes": routes, "reload": reload}
