"""./dev does what it says, where no other stage of a test run shows it."""
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def dev(*arguments, **environment):
    return subprocess.run(["./dev", *arguments], cwd=ROOT, text=True, capture_output=True,
                          env={**os.environ, **environment}, timeout=300)


def test_an_installation_has_all_that_its_units_and_shells_look_for(tmp_path):
    run = dev("install", DESTDIR=str(tmp_path))
    assert run.returncode == 0, run.stdout + run.stderr
    unit = (tmp_path / "usr/lib/systemd/system/gatehouse.service").read_text()
    program = re.search(r"^ExecStart=(\S+)", unit, re.M).group(1)
    told = subprocess.run([tmp_path / program.lstrip("/"), "version"], capture_output=True)
    assert told.stdout.startswith(b"gate ")
    for name in ("man/man1/gate.1", "man/man5/gateway.yaml.5", "zsh/vendor-completions/_gate",
                 "bash-completion/completions/gate", "fish/vendor_completions.d/gate.fish"):
        assert (tmp_path / "usr/share" / name).stat().st_size > 0
    assert (tmp_path / "usr/lib/sysusers.d/gatehouse.conf").read_text().startswith("u gatehouse ")


def test_what_is_no_command_or_build_is_told(tmp_path):
    run = dev("nosuch")
    assert run.returncode == 64 and "./dev help" in run.stderr
    run = dev("build", "nosuch")
    assert run.returncode == 64 and "release, asan" in run.stdout
