"""faults.py -- the world failing on demand: system calls, descriptors, disks.

    calls = Syscalls()                          gate(..., preload=calls)
    calls.fail("accept4", errno.EMFILE)         every call fails until calls.heal()
    calls.fail("send", errno.ENOBUFS, skip=3, count=1)
    calls.fail("send", -2500)                   it takes 2,500 ms, and is done then
    calls.hits("accept4")                       how many failed so far
    calls.set_clock(3600)                       the calendar is that many seconds ahead
    calls.sleep(60)                             the machine was asleep for so long
"""
import ctypes
import errno
import mmap
import os
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
CALLS = ("accept4", "socket", "connect", "send", "sendmsg", "recv", "recvmsg", "read", "write",
         "writev", "epoll_ctl", "open", "openat", "mmap", "eventfd", "fsync", "rename", "getrandom")


def library(name):
    """A library to preload, of test/lib/NAME.c, built once per content."""
    source = ROOT / "test/lib" / f"{name}.c"
    target = ROOT / "build/lib" / f"{name}-{source.stat().st_mtime_ns}.so"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        half = target.with_suffix(f".{os.getpid()}")
        subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-o", str(half), str(source)],
                       check=True)
        half.replace(target)
    return target


class Rule(ctypes.Structure):
    """As in fault.c: error (negative: ms of a delay), calls to let through first, calls to fail
    (-1: all), failed so far."""
    _fields_ = [("error", ctypes.c_int32), ("skip", ctypes.c_int32), ("count", ctypes.c_int32),
                ("hits", ctypes.c_int32)]


class Syscalls:
    """Rules in shared memory that the preloaded library obeys; they change while the gate runs."""

    def __init__(self):
        self.file = tempfile.NamedTemporaryFile(prefix="gate-fault-")
        self.file.truncate(mmap.PAGESIZE)
        self.memory = mmap.mmap(self.file.fileno(), mmap.PAGESIZE)
        self.rules = (Rule * len(CALLS)).from_buffer(self.memory)
        self.clock = (ctypes.c_int64 * 2).from_buffer(self.memory, ctypes.sizeof(self.rules))

    def environment(self):
        return {"LD_PRELOAD": str(library("fault")), "GATE_TEST_FAULTS": self.file.name}

    def fail(self, call, error=errno.EIO, skip=0, count=-1):
        rule = self.rules[CALLS.index(call)]
        rule.error, rule.skip, rule.hits = error, skip, 0
        rule.count = count  # last: it arms the rule

    def heal(self, call=None):
        for name in [call] if call else CALLS:
            self.rules[CALLS.index(name)].count = 0

    def set_clock(self, seconds):
        self.clock[0] = seconds

    def sleep(self, seconds):
        self.clock[1] += seconds

    def hits(self, call):
        return self.rules[CALLS.index(call)].hits


class Allocations:
    """Counts what the gate allocates on the heap; not under a sanitizer, which has its own heap."""

    def __init__(self):
        self.file = tempfile.NamedTemporaryFile(prefix="gate-count-")
        self.file.truncate(mmap.PAGESIZE)
        self.memory = mmap.mmap(self.file.fileno(), mmap.PAGESIZE)

    def environment(self):
        return {"LD_PRELOAD": str(library("fault_malloc")),
                "GATE_TEST_MALLOC_COUNT": self.file.name}

    @property
    def count(self):
        return int.from_bytes(self.memory[:8], "little")


class SmallDisk:
    """A file system of `size` bytes, for logs and state that run out of space. Needs root."""

    def __init__(self, size=65536):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="gate-disk-"))
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(self.path)]
        run = subprocess.run(mount, capture_output=True)
        self.is_mounted = run.returncode == 0

    def fill(self):
        """Takes all that is left; returns how much that was."""
        taken = 0
        with open(self.path / "filler", "ab", buffering=0) as file:
            for size in (4096, 1):
                try:
                    while True:
                        taken += file.write(b"x" * size)
                except OSError as error:
                    assert error.errno == errno.ENOSPC
        return taken

    def free(self):
        (self.path / "filler").unlink(missing_ok=True)

    def close(self):
        if self.is_mounted:
            subprocess.run(["umount", "-l", str(self.path)], check=False)
        try:
            self.path.rmdir()
        except OSError:
            pass
