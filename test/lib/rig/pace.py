"""pace.py -- time on a machine that is shared.

    watch = Watch()
    ...
    assert watch.wall > 0.3     so long it really took, at least
    assert watch.own < 1.0      so long it took but for the time in which somebody waited for a CPU

What must not happen too early is measured by the wall, what must not take too long by `own`: on a
quiet machine they are the same, on a loaded one only `own` says something about the gate.
"""
import re
import time


def stalled():
    """Seconds since the start of the machine in which somebody waited for a CPU; 0 where the kernel
    does not count them."""
    try:
        with open("/proc/pressure/cpu") as file:
            return int(re.search(r"^some .*total=(\d+)", file.read(), re.M).group(1)) / 1e6
    except (OSError, AttributeError):
        return 0.0


class Watch:
    def __init__(self):
        self.begin, self.stalled = time.monotonic(), stalled()

    @property
    def wall(self):
        return time.monotonic() - self.begin

    @property
    def own(self):
        return self.wall - (stalled() - self.stalled)
