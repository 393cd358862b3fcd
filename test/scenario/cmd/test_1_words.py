"""Help, flags, exit codes: what holds for every command."""
import subprocess

import pytest
from rig.gate import binary

COMMANDS = ["run", "check", "schema", "explain", "help", "man", "completion", "version"]


def test_a_noun_without_a_verb_names_its_verbs(folder):
    assert "needs a verb" in folder.gate("key", code=64).err
    assert "gate help key" in folder.gate("key", "--help", code=64).err
    told = folder.gate("help", "key", code=0).out
    assert "key new" in told and "key revoke" in told and "key make" in told


def test_alone_it_says_what_one_may_want_next(folder):
    r = folder.gate(code=0)
    assert len(r.out.splitlines()) <= 12
    assert "gate init" in r.out and "gate help" in r.out


def test_help_lists_every_command(folder):
    out = folder.gate("help", code=0).out
    for name in COMMANDS:
        assert f"\n  {name} " in out
    assert out == folder.gate("--help", code=0).out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(folder, name):
    out = folder.gate(name, "--help", code=0).out
    assert out == folder.gate("help", name, code=0).out
    assert out.startswith(f"gate {name} --") and "Exit codes" in out


def test_help_knows_codes_policies_and_reasons(folder):
    assert "misspelt" in folder.gate("help", "E104", code=0).out
    assert "legacy_headers" in folder.gate("help", "rate_limit", code=0).out
    assert "429" in folder.gate("help", "rate-limited", code=0).out


@pytest.mark.parametrize("arguments, hint", [
    (["chekc"], "did you mean `gate check`?"),
    (["check", "--fromat", "json"], "did you mean `--format`?"),
    (["help", "polices"], "did you mean `gate help policies`?"),
    (["check", "--format", "xml"], "text, json, github"),
    (["run", "--workers", "many"], "it takes a number"),
    (["run", "--workers", "0"], "from 1 to 256"),
    (["run", "--workers"], "needs a value"),
    (["run", "--watch=yes"], "takes no value"),
    (["run", "-x"], "no flag `-x`"),
    (["version", "more"], "one argument too many"),
    (["completion"], "needs an argument"),
    (["completion", "tcsh"], "bash, zsh or fish"),
])
def test_what_is_wrong_on_the_command_line_is_64_and_told(folder, arguments, hint):
    r = folder.gate(*arguments, code=64)
    assert hint in r.err and r.out == ""


def test_flags_may_stand_before_and_behind_joined_and_with_equals(folder):
    folder.write("g.yaml", "apis: { a: { upstream: http://localhost:1 } }\n")
    for arguments in (["-c", "g.yaml", "check"], ["check", "-cg.yaml"], ["check", "-qc", "g.yaml"],
                      ["check", "--config=g.yaml"], ["check", "--", "g.yaml"]):
        folder.gate(*arguments, code=0)


def test_flags_may_stand_in_the_environment(folder):
    folder.write("g.yaml", "apis: { a: { upstream: http://localhost:1 } }\n")
    assert folder.gate("check", environment={"GATE_CONFIG": "g.yaml"}, code=0)
    r = folder.gate("check", environment={"GATE_CONFIG": "g.yaml", "GATE_JSON": "1"}, code=0)
    assert r.json()["errors"] == 0
    r = folder.gate("check", environment={"GATE_CONFIG": "g.yaml", "GATE_FORMAT": "xml"}, code=64)
    assert "GATE_FORMAT" in r.err


def test_colour_is_for_terminals_and_who_asks_for_it(folder):
    folder.write("g.yaml", "apsi: {}\n")
    assert "\x1b" not in folder.gate("check", "g.yaml").out
    assert "\x1b" in folder.gate("check", "g.yaml", "--color", "always").out
    assert "\x1b" in folder.gate("check", "g.yaml", environment={"FORCE_COLOR": "1"}).out
    assert "\x1b" not in folder.gate("check", "g.yaml", environment={
        "FORCE_COLOR": "1", "NO_COLOR": "1"}).out


def test_the_version_is_one_line_or_json(folder):
    assert folder.gate("--version", code=0).out == folder.gate("version", code=0).out
    assert folder.gate("version", "--json", code=0).json()["version"]


def test_a_full_disk_is_no_success(folder):
    with open("/dev/full", "w") as full:
        run = subprocess.run([str(binary()), "schema"], stdout=full, stderr=subprocess.PIPE,
                             text=True)
    assert run.returncode == 71 and "No space left" in run.stderr
