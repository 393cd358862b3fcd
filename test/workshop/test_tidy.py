"""Tidy must find what it is there for: a bad file in a room, and nothing in a good one."""
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import floors  # noqa: E402
import tidy  # noqa: E402

GOOD = "/* file.c -- a file. */\n\nint file_size(int a)\n{\n        return a;\n}\n"


def faults_of(code, room="policy"):
    path = floors.SRC / room / "file.c"
    path.parent.mkdir(exist_ok=True)
    tidy.read.cache_clear()
    tidy.code_of.cache_clear()
    real = tidy.read
    try:
        tidy.read = lambda p: code if p == path else real(p)
        faults = tidy.Faults()
        for check in (tidy.check_lines, tidy.check_calls, tidy.check_functions, tidy.check_openings,
                      tidy.check_words):
            check(path, faults)
        return [text for _, _, text in faults.lines]
    finally:
        tidy.read = real
        tidy.code_of.cache_clear()


def within(statement):
    return GOOD.replace("        return a;", "        " + statement)


def test_a_good_file_has_no_fault():
    assert faults_of(GOOD) == []


@pytest.mark.parametrize("code, word", [
    (within("sprintf(x, y);"), "sprintf"),
    (within("char *p = malloc(3);"), "malloc"),
    (within("return (int)time(NULL);"), "time"),
    (within("read(0, p, 1);"), "read"),
    (within("double x = 1;"), "floating point"),
    (within("int ctx = 1;"), "ctx"),
    (within("x" * 100), "columns"),
    (within("x();\n" * 80), "lines"),
    ("int a;\n", "paragraph"),
    (GOOD + "#ifdef X\n#endif\n", "#if"),
    (GOOD + "typedef struct a b;\n", "typedef"),
    (GOOD + "\nint f(int a, int b, int c, int d, int e, int f);\n", "parameters"),
    (GOOD + "\nstruct s {\n" + "        int a, b;\n" * 13 + "};\n", "members"),
    (within("\n".join(" " * 8 * n + "if (a) {" for n in range(1, 5))), "nested"),
])
def test_each_rule_is_kept(code, word):
    assert any(word in text for text in faults_of(code)), word


@pytest.mark.parametrize("code", [
    within("link->read(0);"), within("my_read(0);"), within("x = \"malloc(3)\";"),
    within("/* malloc(3) */"), within("list.time(3);"), within("f(sa_handler);"),
    within("/* tidy: call, because a test must show it. */\n        p = malloc(3);"),
])
def test_what_only_looks_like_a_fault_is_none(code):
    assert faults_of(code) == []


def test_the_floors_hold_upwards_only():
    assert floors.may_see("http", "net/link.h")
    assert floors.may_see("policy", "gate/ex.h")
    assert not floors.may_see("policy", "gate/route.h")
    assert not floors.may_see("wire", "io/loop.h")
    assert not floors.may_see("net", "schema/setting.h")
    assert floors.may_see("cmd", "gate/route.h")


def test_a_page_refers_to_what_is_there():
    faults = tidy.Faults()
    page = "[a](src) [b](https://x.test/y) [c](#d)\n[e](doc/ref/codes.md#f) [g](no/such)\n"
    tidy.check_links(ROOT / "README.md", page, faults)
    assert [(line, text) for _, line, text in faults.lines] == [(2, "no/such leads nowhere")]
