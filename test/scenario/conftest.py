"""Fixtures of all scenarios; what they do is told in test/lib/rig/__init__.py."""
from rig.fixtures import *  # noqa: F401,F403
