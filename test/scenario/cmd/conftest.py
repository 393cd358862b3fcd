"""What people type: `gate` in a folder of its own, without a running gate."""
import json
import os
import pathlib
import subprocess
import textwrap

import pytest
from rig.gate import SANITIZERS, binary


class Ran:
    def __init__(self, run):
        self.code, self.out, self.err = run.returncode, run.stdout, run.stderr

    def json(self):
        return json.loads(self.out)


class Folder:
    """A folder with files, in which commands run."""

    def __init__(self, path):
        self.path = path

    def write(self, name, text):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"))
        return path

    def read(self, name):
        return (self.path / name).read_text()

    def gate(self, *arguments, stdin="", environment=None, code=None):
        kept = {key: value for key, value in os.environ.items()
                if not key.startswith(("GATE", "XDG_", "NO_COLOR", "FORCE_COLOR"))}
        kept.update(SANITIZERS, HOME=str(self.path), TERM="dumb", **(environment or {}))
        run = Ran(subprocess.run([str(binary()), *map(str, arguments)], cwd=self.path, text=True,
                                 input=stdin, capture_output=True, timeout=60, env=kept))
        assert run.code not in (99, -6, -11), run.err
        if code is not None:
            assert run.code == code, (run.code, run.out, run.err)
        return run


@pytest.fixture
def folder(tmp_path):
    return Folder(pathlib.Path(tmp_path))
