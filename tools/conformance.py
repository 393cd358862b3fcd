"""conformance.py -- ./dev conformance: public test tools against the release.

slowhttptest (slow heads, slow bodies, slow readers) keeps 300 connections of a gate on loopback
busy; meanwhile clean requests must be answered within a second, and the gate must stop cleanly."""
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "test/lib"))

import rig  # noqa: E402

# name, arguments
ATTACKS = (
    ("slow heads", ["-H", "-i", "1", "-x", "24"]),
    ("slow bodies", ["-B", "-i", "1", "-s", "8192", "-t", "POST", "-x", "10"]),
    ("slow readers", ["-X", "-w", "512", "-y", "1024", "-n", "1", "-z", "32", "-k", "3"]),
)


def attack(gate, arguments, seconds=15):
    """Runs slowhttptest and, all the while, clean requests; returns their number and its report."""
    command = ["slowhttptest", *arguments, "-c", "300", "-r", "300", "-l", str(seconds),
               "-u", f"{gate.url}/big", "-p", "1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    clean = 0
    while process.poll() is None:
        gate.canary("/clean")
        clean += 1
        time.sleep(0.1)
    return clean, process.stdout.read()


def main():
    passed = failed = 0
    big = b"x" * 200000

    def reply(request):
        return rig.http1.response(200, big if request.target == "/big" else b"ok")
    for name, arguments in ATTACKS:
        server = rig.Server(reply, lenient=True)
        gate = rig.Gate(None, [server], upstream=server, records=False,
                        limits={"header_time": "3s", "linger": "1s"})
        gate.servers = [server]
        try:
            clean, report = attack(gate, arguments)
            (ROOT / "build/log").mkdir(parents=True, exist_ok=True)
            (ROOT / f"build/log/slowhttptest-{name.replace(' ', '-')}.log").write_text(report)
            gate.finish()
            print(f"ok    {name}: {clean} clean requests answered meanwhile")
            passed += 1
        except AssertionError as fault:
            print(f"FAIL  {name}: {fault}")
            failed += 1
        finally:
            server.stop()
            gate.kill()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
