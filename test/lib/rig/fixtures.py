"""fixtures.py -- the pytest fixtures: gate and server for one scenario, gates and servers for all
of one file (tables with hundreds of rows start the binary once)."""
import pytest

from .client import Raw
from .faults import SmallDisk, Syscalls
from .gate import Gate
from .names import Names
from .server import Server
from .systemd import Notifications


class Makers:
    """Starts things and, at the end, stops and checks them; all are ended even when one fails."""

    def __init__(self):
        self.servers, self.gates, self.others = [], [], []

    def server(self, *arguments, **options):
        made = Server(*arguments, **options)
        self.servers.append(made)
        return made

    def gate(self, config=None, **options):
        made = Gate(config, self.servers, **options)
        made.servers = self.servers
        self.gates.append(made)
        return made

    def raw(self, port, **options):
        made = Raw(port, **options)
        self.others.append(made)
        return made

    def end(self):
        faults = []
        for thing in self.others:
            thing.close()
        for end in (*(gate.finish for gate in self.gates), *(one.stop for one in self.servers),
                    *(one.check for one in self.servers), self.check_records):
            try:
                end()
            except AssertionError as fault:
                faults.append(str(fault))
        for one in self.servers:
            one.release()
        if faults:
            pytest.fail("\n".join(faults), pytrace=False)


    def check_records(self):
        """Every request that an upstream saw has its line in the access log of some gate, or was
        counted as a line for which there was no room."""
        logged = [gate.logged for gate in self.gates]
        if not logged or None in logged:
            return
        seen = {request.id for server in self.servers for request in server.requests}
        missing = seen - {None}.union(*logged)
        dropped = sum(gate.dropped for gate in self.gates)
        assert len(missing) <= dropped, \
            f"seen upstream but not in the access log ({dropped} dropped): {sorted(missing)[:5]}"


@pytest.fixture
def makers():
    made = Makers()
    yield made
    made.end()


@pytest.fixture(scope="module")
def makers_of_module():
    made = Makers()
    yield made
    made.end()


@pytest.fixture
def gate(makers):
    return makers.gate


@pytest.fixture
def server(makers):
    return makers.server


@pytest.fixture
def raw(makers):
    return makers.raw


@pytest.fixture(scope="module")
def gates(makers_of_module):
    return makers_of_module.gate


@pytest.fixture(scope="module")
def servers(makers_of_module):
    return makers_of_module.server


@pytest.fixture
def syscalls():
    return Syscalls()


@pytest.fixture
def names():
    """names(table) starts a name server; for gate(names=…)."""
    made = []

    def make(table=None):
        try:
            made.append(Names(table))
        except PermissionError:
            pytest.skip("needs root to listen on port 53")
        return made[-1]
    yield make
    for one in made:
        one.close()


@pytest.fixture
def notify():
    made = Notifications()
    yield made
    made.close()


@pytest.fixture
def small_disk():
    disk = SmallDisk()
    if not disk.is_mounted:
        pytest.skip("needs root to mount a small file system")
    yield disk
    disk.close()
