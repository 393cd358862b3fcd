"""The manual, completions and doc/ref, all from one table."""
import shutil
import subprocess

import pytest


def test_the_manual_is_written_whole_and_reads_without_a_warning(folder):
    folder.gate("man", "-o", "m", code=0)
    names = {path.name for path in (folder.path / "m").glob("man*/*")}
    assert {"gate.1", "gate-check.1", "gateway.yaml.5", "gate-policies.7"} <= names
    if shutil.which("groff") is None:
        pytest.skip("no groff")
    for path in (folder.path / "m").glob("man*/*"):
        run = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-K", "utf8", str(path)], text=True,
                             capture_output=True)
        assert run.returncode == 0 and run.stderr == "", (path.name, run.stderr[:300])


def test_one_page_goes_to_standard_output(folder):
    assert folder.gate("man", "check", code=0).out.startswith('.TH "GATE-CHECK" "1"')
    assert "rate_limit" in folder.gate("man", "policies", code=0).out
    folder.gate("man", "nothing", code=64)


def test_bash_completes_commands_flags_and_choices(folder):
    script = folder.write("gate.bash", folder.gate("completion", "bash", code=0).out)

    def complete(*words):
        line = (f"source {script}; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; "
                "_gate; printf '%s\\n' \"${COMPREPLY[@]}\"")
        run = subprocess.run(["bash", "-c", line], text=True, capture_output=True, check=True)
        return run.stdout.split()
    assert complete("gate", "che") == ["check"]
    assert "--format" in complete("gate", "check", "--f")
    assert complete("gate", "check", "--format", "g") == ["github"]
    assert "never" in complete("gate", "run", "--color", "''")
    assert "zsh" in complete("gate", "completion", "z")
    assert complete("gate", "ke") == ["key"] and complete("gate", "key", "n") == ["new"]


def test_scripts_for_zsh_and_fish_name_every_command(folder):
    for shell in ("zsh", "fish"):
        out = folder.gate("completion", shell, code=0).out
        for name in ("check", "explain", "run"):
            assert name in out
    if shutil.which("zsh"):
        script = folder.write("_gate", folder.gate("completion", "zsh").out)
        subprocess.run(["zsh", "-n", str(script)], check=True)
    if shutil.which("fish"):
        script = folder.write("gate.fish", folder.gate("completion", "fish").out)
        subprocess.run(["fish", "-n", str(script)], check=True)


def test_the_reference_has_a_page_for_everything(folder):
    folder.gate("doc", "--write", "ref", code=0)
    names = {path.name for path in (folder.path / "ref").iterdir()}
    assert names == {"commands.md", "settings.md", "policies.md", "codes.md", "reasons.md",
                     "metrics.md", "log.md", "admin.md", "exit-codes.md"}
    assert "## rate_limit" in folder.read("ref/policies.md")
    assert "| `E104` |" in folder.read("ref/codes.md")
