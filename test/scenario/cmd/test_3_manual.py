"""The manual, completions and doc/ref, all from one table."""
import os
import pty
import re
import select
import subprocess
import time


def test_the_manual_is_written_whole_and_reads_without_a_warning(folder):
    folder.gate("man", "-o", "m", code=0)
    names = {path.name for path in (folder.path / "m").glob("man*/*")}
    assert {"gate.1", "gate-check.1", "gateway.yaml.5", "gate-policies.7"} <= names
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


COMPLETED = [("gate che", "check"), ("gate check --form", "--format"),
             ("gate check --format g", "github"), ("gate key n", "new"),
             ("gate completion z", "zsh"), ("gate run --color n", "never")]


def test_fish_completes_the_same(folder):
    script = folder.write("gate.fish", folder.gate("completion", "fish", code=0).out)
    for line, word in COMPLETED:
        ask = f"source {script}; complete -C '{line}'"
        run = subprocess.run(["fish", "--no-config", "-c", ask], text=True, capture_output=True,
                             check=True, timeout=20)
        assert word in [found.split("\t")[0] for found in run.stdout.splitlines()], line


def test_zsh_completes_the_same_when_tab_is_pressed(folder):
    folder.write("_gate", folder.gate("completion", "zsh", code=0).out)
    for line, word in COMPLETED:
        assert word in zsh(folder.path, line), line


def zsh(functions, line):
    """What stands in the terminal after a line and a tab in an interactive zsh."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(["zsh", "-f", "-i"], stdin=follower, stdout=follower,
                               stderr=follower, start_new_session=True,
                               env={**os.environ, "TERM": "dumb", "HOME": str(functions)})
    os.close(follower)

    def read(pattern, within):
        text, deadline = b"", time.monotonic() + within
        while not re.search(pattern, text) and time.monotonic() < deadline:
            if select.select([leader], [], [], 0.1)[0]:
                text += os.read(leader, 65536)
        return text
    try:
        os.write(leader, b"fpath=(%s $fpath); autoload -U compinit; compinit -u -D; PS1=@@; "
                 b"echo rea''dy\n" % str(functions).encode())
        assert b"ready" in read(rb"ready\r\n[^@]*@@", 20)
        os.write(leader, line.encode() + b"\t")
        return read(re.escape(line.encode()) + rb"\w+[ =]", 10).decode(errors="replace")
    finally:
        process.kill()
        process.wait()
        os.close(leader)


def test_the_reference_has_a_page_for_everything(folder):
    folder.gate("doc", "--write", "ref", code=0)
    names = {path.name for path in (folder.path / "ref").iterdir()}
    assert names == {"commands.md", "settings.md", "policies.md", "codes.md", "reasons.md",
                     "metrics.md", "log.md", "admin.md", "exit-codes.md"}
    assert "## rate_limit" in folder.read("ref/policies.md")
    assert "| `E104` |" in folder.read("ref/codes.md")
