"""What the scenarios of this area share."""
import json
import os
import re
import subprocess

import pytest
from rig.gate import binary


@pytest.fixture
def refusing(tmp_path):
    """A configuration that `gate check` must refuse; returns the codes of its complaints."""
    def check(document):
        file = tmp_path / "gateway.yaml"
        file.write_text(document if isinstance(document, str) else json.dumps(document))
        environment = {k: v for k, v in os.environ.items() if not k.startswith("GATE")}
        run = subprocess.run([str(binary()), "check", "-c", str(file)], capture_output=True,
                             text=True, env={**environment, "NO_COLOR": "1"}, timeout=30)
        assert run.returncode == 78, (run.returncode, run.stdout, run.stderr)
        codes = re.findall(r"error\[(E\d+)\]", run.stdout + run.stderr)
        assert codes, run.stdout + run.stderr
        return codes
    return check
