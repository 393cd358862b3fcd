"""Fixtures of all scenarios; what they do is told in test/lib/rig/__init__.py."""
import signal

from rig.fixtures import *  # noqa: F401,F403

# Tests in the background of a shell ignore interrupts, and so would what they start.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
