"""The fixtures of the scenarios, for tests of the rig itself."""
from rig.fixtures import *  # noqa: F401,F403
