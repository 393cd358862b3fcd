"""pace.py -- time on a machine that is shared.

    watch = Watch()
    ...
    assert watch.wall > 0.3     so long it really took, at least
    assert watch.own < 1.0      so long it took but for the time in which somebody waited for a CPU

    wait_until(lambda: gate.is_there(), 5.0, "it is not there")

What must not happen too early is measured by the wall, what must not take too long by `own`: on a
quiet machine they are the same, on a loaded one only `own` says something about the gate. Who waits
for something is patient: a machine that stood still for a while has used up nobody's time.
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


class Patience:
    """So many seconds of a waiting that goes on: time in which the waiting itself stood still, as
    on a machine that was halted, does not count."""

    STEP_MOST = 0.5

    def __init__(self, seconds):
        self.left, self.last = seconds, time.monotonic()

    def wait(self, seconds):
        """Sleeps that long; true while there is time left."""
        time.sleep(max(0.0, min(seconds, self.left)))
        now = time.monotonic()
        self.left -= min(now - self.last, seconds + self.STEP_MOST)
        self.last = now
        return self.left > 0


def wait_until(condition, within=5.0, text="it did not come to that", pause=0.02):
    """Waits until condition() is true, and returns what it said."""
    patience = Patience(within)
    while not (found := condition()):
        assert patience.wait(pause), text() if callable(text) else text
    return found
