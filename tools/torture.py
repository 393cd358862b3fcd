"""torture.py -- ./dev torture: everything that can fail, fails once.

    ./dev torture              unit tests with each allocation failing, then the scenarios
    ./dev torture unit [NAME]  the first half, for one test
    ./dev torture gate         the second half

A unit test whose n-th allocation fails may pass, may fail a promise, or may end by the house's own
check with a message. What it may not do is crash, hang, or be killed by anything else.
"""
import concurrent.futures
import os
import pathlib
import re
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "test/lib"))

from rig import faults  # noqa: E402

BUILD = ROOT / "build/release/test/unit"
MOST = 150  # allocations tried one by one; beyond that, as many spread over the rest


def run(program, preload, number):
    environment = {**os.environ, "LD_PRELOAD": str(preload), "GATE_TEST_MALLOC": str(number)}
    try:
        done = subprocess.run([str(program)], env=environment, capture_output=True, text=True,
                              errors="replace", timeout=120, cwd=ROOT)
    except subprocess.TimeoutExpired:
        return None, "no end within 120 s"
    return done.returncode, done.stderr


def verdict(status, errors):
    """None when the program ended as it may, else what was wrong."""
    if status is None:
        return errors
    if status >= 0:
        return None
    if status == -signal.SIGABRT and re.search(r"^gate: ", errors, re.M):
        return None
    return f"killed by {signal.Signals(-status).name}: {errors.strip()[-200:]}"


def unit(names):
    preload, failed, tried = faults.library("fault_malloc"), 0, 0
    programs = sorted(p for p in BUILD.glob("unit_*") if p.is_file() and "speed" not in p.name)
    for program in programs:
        if names and not any(name.replace("/", "_") in program.name for name in names):
            continue
        found = re.search(r"torture: (\d+) allocations", run(program, preload, 0)[1])
        total = int(found.group(1)) if found else 0
        numbers = list(range(1, min(total, MOST) + 1))
        if total > MOST:
            numbers += list(range(MOST + 1, total + 1, max(1, (total - MOST) // MOST)))
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            results = list(pool.map(lambda n: run(program, preload, n), numbers))
        wrong = [(n, why) for n, result in zip(numbers, results) if (why := verdict(*result))]
        for number, why in wrong[:5]:
            print(f"  {program.name}: allocation {number}: {why}")
        print(f"{'FAIL' if wrong else 'ok  '}  {program.name:32} {len(numbers)} of {total}")
        tried, failed = tried + len(numbers), failed + len(wrong)
    print(f"{tried - failed} passed, {failed} failed")
    return failed == 0


def gate():
    environment = {**os.environ, "TORTURE": "1", "KIND": os.environ.get("KIND", "asan")}
    command = [str(ROOT / "dev"), "scenario", "torture"]
    return subprocess.run(command, env=environment).returncode == 0


def main(arguments):
    halves = arguments[:1] or ["unit", "gate"]
    good = unit(arguments[1:]) if "unit" in halves else True
    return 0 if (gate() if "gate" in halves else True) and good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
