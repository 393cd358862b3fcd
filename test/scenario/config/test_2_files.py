"""Configuration of real files: includes, environments, references, and what is said of mistakes."""
import json
import os
import subprocess

import pytest
from rig.gate import binary


@pytest.fixture
def check(tmp_path):
    """Writes files, runs `gate check` among them."""
    def run(files, *arguments, **environment):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        kept = {key: value for key, value in os.environ.items() if not key.startswith("GATE")}
        return subprocess.run([binary(), "check", *arguments], cwd=tmp_path, capture_output=True,
                              text=True, timeout=30, env={**kept, "NO_COLOR": "1", **environment})
    return run


MINIMAL = "apis:\n  orders:\n    upstream: http://localhost:9000\n"


def said(run):
    return run.stdout + run.stderr


def test_three_lines_are_a_gateway(check):
    run = check({"gateway.yaml": MINIMAL})
    assert run.returncode == 0 and "checked 1 file" in said(run)


def test_no_file_is_66(check):
    assert check({}).returncode == 66
    assert check({}, "-c", "none.yaml").returncode == 66


def test_files_of_teams_are_joined_and_may_not_collide(check):
    run = check({"gateway.yaml": "include: [apis/*.yaml]\n",
                 "apis/a.yaml": "apis:\n  a: { upstream: http://a }\n",
                 "apis/b.yaml": "apis:\n  a: { upstream: http://b }\n"})
    assert run.returncode == 78
    assert "E109" in said(run) and "--> apis/b.yaml:2:3" in said(run)
    assert "::: apis/a.yaml:2:3" in said(run)


def test_an_environment_is_laid_over(check):
    files = {"gateway.yaml": MINIMAL, "environments/prod.yaml": "workers: many\n"}
    assert check(files).returncode == 0
    run = check(files, "--env", "prod")
    assert run.returncode == 78 and "--> environments/prod.yaml:1:10" in said(run)
    assert check(files, GATE_ENV="prod").returncode == 78
    assert check(files, "--env", "none").returncode == 78


def test_references_are_looked_up_and_secrets_never_shown(check):
    files = {"gateway.yaml": MINIMAL + "consumers:\n  acme: { api_key: \"${env:ACME_KEY}\" }\n"
                                       "  b: { api_key: \"${file:b.key}\" }\n"
                                       "  c: { api_key: this-is-a-literal-key, oops: 1 }\n",
             "b.key": "bad key with blanks\n"}
    run = check(files, ACME_KEY="another bad key")
    text = said(run)
    assert run.returncode == 78
    assert "blanks" not in text and "another" not in text and "literal" not in text
    run = check(files)
    assert "ACME_KEY" in said(run) and "E121" in said(run)


def test_a_secret_written_in_the_file_is_told_and_not_shown(check):
    literal = "apis:\n  a:\n    upstream: http://u\n    policies:\n      headers: { request: " \
              "{ set: { Authorization: %s } } }\nconsumers:\n  acme: { api_key: %s }\n"
    text = said(check({"gateway.yaml": literal % ("Bearer abcdefgh", "literal-key-of-acme")}))
    assert text.count("warning[W401]") == 2 and "--> gateway.yaml:5:51" in text
    assert "--> gateway.yaml:7:20" in text
    assert "abcdefgh" not in text and "literal-key" not in text
    text = said(check({"gateway.yaml": literal % ('"${env:TOKEN}"', '"${file:k}"'),
                       "k": "key-of-acme-0123456789"}, TOKEN="Bearer x"))
    assert "W401" not in text
    assert "W401" not in said(check({"gateway.yaml": literal % ('"${consumer}"', '"${file:k}"')}))


def test_all_mistakes_come_at_once_in_the_form_of_compilers(check):
    run = check({"gateway.yaml": "apis:\n  orders:\n    upsteam: http://localhost:9000\n"
                                 "    policies: { rate_limit: 100 per minute, corse: \"*\" }\n"})
    text = said(run)
    assert run.returncode == 78
    assert ("error[E104]: unknown key `upsteam` in api `orders`\n"
            "  --> gateway.yaml:3:5\n"
            "   |\n"
            " 3 |     upsteam: http://localhost:9000\n"
            "   |     ^^^^^^^ did you mean `upstream`?\n") in text
    assert "cannot read `100 per minute` as a rate" in text and "write `100/min`" in text
    assert "unknown policy `corse`" in text and "did you mean `cors`?" in text
    assert "3 errors" in text


def test_programs_get_the_same_as_json_and_annotations(check):
    files = {"gateway.yaml": "apis:\n  orders:\n    upsteam: http://localhost:9000\n"}
    result = json.loads(check(files, "--json").stdout)
    first = result["problems"][0]
    assert (first["code"], first["line"]) == ("E104", 3)
    assert (first["column"], first["end_column"]) == (5, 12)
    assert first["fix"]["edits"][0]["text"] == "upstream"
    lines = check(files, "--format", "github").stdout.splitlines()
    assert lines[0].startswith("::error file=gateway.yaml,line=3,col=5,endColumn=12,title=E104::")


@pytest.mark.parametrize("text, code", [
    ("apis: {\n", "E101"), ("a: 1\na: 2\n", "E102"), ("a: &x 1\n", "E103"), ("- 1\n", "E105"),
    ("apis: { a: { upstream: b } }\n", "E202"),
    ("listeners: { x: \":8080\" }\napis: { a: { upstream: http://a } }\n", "E201"),
    ("channels: { c: {} }\napis: { a: { upstream: http://a } }\n", "E207"),
    ("apis: { a: {} }\n", "E210"),
])
def test_each_mistake_has_its_code_and_its_page(check, text, code):
    run = check({"gateway.yaml": text})
    assert run.returncode == 78 and f"[{code}]" in said(run)
    page = subprocess.run([binary(), "help", code], capture_output=True, text=True, timeout=30)
    assert page.returncode == 0 and code in page.stdout
