"""peers.py -- the proxies that a bench compares, unpacked, configured alike and run on loopback.

nginx, haproxy and wrk come from Debian's packages, unpacked under build/peers; nothing is installed
and no service is started. All of them proxy HTTP/1.1 with keep-alive on both sides, one worker, add
the forwarding fields, and write no log.
"""
import json
import os
import pathlib
import resource
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEERS = ROOT / "build/peers"
WORK = ROOT / "build/bench"
PROGRAMS = ROOT / "build/release/tools/bench"
GATE = pathlib.Path(os.environ.get("GATE", ROOT / "build/release/gate")).resolve()
KEY = "gate_bench_4f1dQk2mZx8Lw0Rt"
REQUEST = f"GET / HTTP/1.1\r\nHost: bench.test\r\nX-API-Key: {KEY}\r\n\r\n".encode()


def free_block():
    """The first of 200 ports that nobody has, below those of outgoing connections."""
    for first in range(15000, 32000, 200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", first))
                return first
            except OSError:
                continue
    raise SystemExit("bench: no free ports")


LISTENERS = UPSTREAM = free_block()

PACKAGES = {
    "nginx": ("usr/sbin/nginx", ("nginx",)),
    "haproxy": ("usr/sbin/haproxy", ("haproxy", "liblua5.3-0", "libopentracing-c-wrapper0",
                                     "libopentracing1")),
    "wrk": ("usr/bin/wrk", ("wrk", "libluajit-5.1-2")),
}

NGINX = """
worker_processes 1; daemon off; master_process on; pid {dir}/nginx.pid; error_log {dir}/nginx.err;
worker_rlimit_nofile 20000;
events {{ worker_connections 20000; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 3600s; tcp_nodelay on;
  client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3;
  uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;
  upstream up {{ server 127.0.0.1:{upstream}; keepalive 512; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $host; proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
  }}
}}
"""

HAPROXY = """
global
  nbthread 1
  maxconn 9900
defaults
  mode http
  timeout connect 5s
  timeout client 3600s
  timeout server 60s
  timeout http-keep-alive 3600s
frontend door
  bind 127.0.0.1:{port} backlog 4096
  option forwardfor
  http-request set-header X-Real-IP %[src]
  default_backend up
backend up
  http-reuse always
  server one 127.0.0.1:{upstream}
"""


class Missing(Exception):
    """A peer that cannot be measured here, and why."""


def unpack(name):
    """The program of a package under build/peers, fetched once."""
    program, packages = PACKAGES[name]
    path = PEERS / "root" / program
    if path.exists():
        return path
    (PEERS / "deb").mkdir(parents=True, exist_ok=True)
    for package in packages:
        run = subprocess.run(["apt-get", "-qq", "download", package], cwd=PEERS / "deb",
                             capture_output=True, text=True)
        if run.returncode != 0:
            raise Missing(f"apt-get download {package}: {run.stderr.strip().splitlines()[-1:]}; "
                          "try apt-get update")
        for deb in (PEERS / "deb").glob(f"{package}_*.deb"):
            subprocess.run(["dpkg", "-x", str(deb), str(PEERS / "root")], check=True)
    return path


def environment():
    library = PEERS / "root/usr/lib/x86_64-linux-gnu"
    return {**os.environ, "LD_LIBRARY_PATH": str(library), "STATE_DIRECTORY": str(WORK)}


def start(command, cpu, out=subprocess.DEVNULL):
    """A process of ours on that CPU (None: any), in a session of its own."""
    def prepare():
        if cpu is not None:
            os.sched_setaffinity(0, {cpu})
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(20000, hard), hard))
    return subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=out,
                            stderr=open(WORK / "stderr.log", "ab"), env=environment(),
                            start_new_session=True, preexec_fn=prepare, cwd=WORK)


def stop(process):
    """Ends a session that `start` began."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_port(port, process, within=20.0):
    """Until a GET through that port is answered with 200."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if process.poll() is not None:
            tail = (WORK / "stderr.log").read_text(errors="replace").strip().splitlines()[-2:]
            raise Missing(f"ended with status {process.returncode}: {' '.join(tail)[:200]}")
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as sock:
                sock.sendall(REQUEST)
                answer = sock.recv(4096)
                if answer.startswith(b"HTTP/1.1 200"):
                    return
        except OSError:
            pass
        time.sleep(0.02)
    raise Missing(f"no 200 on port {port} within {within} s")


class Peer:
    """One proxy: how it is called in tables and how it is started."""

    def __init__(self, name, port, config=None, note=""):
        self.name, self.port, self.config, self.note = name, port, config, note
        self.process = None

    def command(self):
        kind = self.name.split()[0]
        if kind == "relay":
            return [PROGRAMS / "bench_relay", self.port, UPSTREAM]
        if kind == "direct":
            return None
        path = WORK / f"{self.name.replace(' ', '-')}.conf"
        if kind == "gate":
            path.write_text(json.dumps(self.config))
            return [GATE, "run", "-c", path, "--workers", "1"]
        text = (NGINX if kind == "nginx" else HAPROXY).format(dir=WORK, port=self.port,
                                                              upstream=UPSTREAM)
        path.write_text(text)
        if kind == "nginx":
            return [unpack("nginx"), "-c", path, "-p", WORK, "-e", WORK / "nginx.err"]
        return [unpack("haproxy"), "-f", path]

    def start(self, cpu):
        command = self.command()
        if command is None:
            self.port = UPSTREAM
            return self
        out = open(WORK / "gate.out", "wb") if self.name.startswith("gate") else subprocess.DEVNULL
        self.process = start(command, cpu, out)
        wait_port(self.port, self.process)
        return self

    def pids(self):
        return tree(self.process.pid) if self.process is not None else []

    def stop(self):
        if self.process is not None:
            stop(self.process)
            self.process = None


def tree(root):
    """A process and all below it."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                fields = pathlib.Path(f"/proc/{name}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(name))
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += parents.get(pid, [])
    return found


def gate_config(port, policies=None, **more):
    """What `gate` runs with: one API at /, no log, and what the area asks for on top."""
    number = port - LISTENERS
    config = {
        "listeners": {"main": {"address": f"127.0.0.1:{port}"}},
        "admin": {"address": f"127.0.0.1:{LISTENERS + 100 + number}",
                  "socket": f"/tmp/gate-bench-{os.getpid()}-{number}.sock"},
        "telemetry": {"logs": "off"},
        "apis": {"bench": {"path": "/", "upstream": f"http://127.0.0.1:{UPSTREAM}",
                           "policies": policies or {}}},
    }
    config.update(more)
    return config


def with_key(port, policies=None, **more):
    consumers = {"acme": {"api_key": KEY}}
    return gate_config(port, {"auth": "api_key", **(policies or {})}, consumers=consumers, **more)


def everything(port):
    """Key, limit, log and metrics: what the second floor is measured with."""
    return with_key(port, {"rate_limit": "1000000000/s"},
                    telemetry={"logs": "json", "file": str(WORK / "full.access")})
