"""floors.py -- which room may include which: the one table of the house's floors.

A file includes headers of its own room and of the rooms listed for it, never upstairs, never next
door. `floors.py` prints the faults, `floors.py --write FILE` the table between the file's markers.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SRC = ROOT / "src"
ALL = "everything"

# room: (what it may see: rooms or single headers, the sentence that goes with it)
FLOORS = {
    "base": ((), "strings, arenas, lists, maps, errors; sees libc only"),
    "io": (("base",), "the only room of the data path that calls the kernel"),
    "wire": (("base",), "formats: no I/O, no clock, no allocation beyond the caller's arena"),
    "schema": (("base", "wire"), "settings, declared once"),
    "contract": (("base", "wire"), "API descriptions as data: pure functions over documents"),
    "script": (("base", "wire"), "scripts in a sandbox"),
    "net": (("base", "io", "wire"), "links, listeners, dialling"),
    "http": (("base", "io", "wire", "net"), "exchanges, bodies, codecs"),
    "config": (("base", "io", "wire", "schema"),
               "what people write: declared, read from files, joined, checked"),
    "roster": (("base", "wire"), "consumers and their keys: found, proved, changed one by one"),
    "record": (("base", "io", "wire", "http"),
               "what is remembered of requests: records, counts, lines and where they go"),
    "gate": (("base", "io", "wire", "net", "http", "schema", "contract", "script", "config",
              "roster", "record"), "what makes it a gateway"),
    "admin": (("base", "io", "wire", "net", "http", "config", "roster", "record", "gate"),
              "the admin's site: status, metrics, logs, keys, drain"),
    "policy": (("base", "wire", "schema", "contract", "script", "gate/policy.h", "gate/ex.h"),
               "one file per policy; sees no codec, no socket, no other policy"),
    "identity": (("base", "wire", "schema", "contract", "script", "gate/policy.h", "gate/ex.h"),
                 "one file per proof of who calls"),
    "house": (("base", "io", "wire", "net", "http", "schema", "contract", "config", "roster",
               "record", "gate"),
              "the admin's side; knows policies only by their declarations"),
    "cmd": ((ALL,), "one file per command"),
    "main": ((ALL,), "arguments, processes; hands the tables down"),
}

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def may_see(room, header):
    allowed = FLOORS[room][0]
    return (header.split("/")[0] == room or ALL in allowed or header in allowed
            or header.split("/")[0] in allowed)


def check(paths=None):
    """Yields (path, line, text) for each include that goes where it may not."""
    for path in sorted(paths or SRC.rglob("*.[chd]*")):
        if path.suffix not in (".c", ".h", ".def"):
            continue
        room = path.relative_to(SRC).parts[0]
        if room not in FLOORS:
            yield path, 1, f"room `{room}` is not in tools/floors.py; say there what it may see"
            continue
        text = path.read_text()
        for match in INCLUDE.finditer(text):
            header, line = match.group(1), text.count("\n", 0, match.start(1)) + 1
            if "/" not in header:
                yield path, line, f'"{header}" must be written "room/file.h"'
            elif not may_see(room, header):
                names = ", ".join(FLOORS[room][0]) or "libc"
                yield path, line, (f"{room} may not see {header} (it sees {names}); "
                                   "hand it down from above or move what is shared to a lower room")


def table():
    rows = ["| room | may see | what it is |", "|---|---|---|"]
    for room, (allowed, text) in FLOORS.items():
        if (SRC / room).is_dir():
            seen = [name for name in allowed if name == ALL or "/" in name or (SRC / name).is_dir()]
            names = ", ".join(f"`{name}`" if "/" in name else name for name in seen) or "libc"
            rows.append(f"| {room} | {names} | {text} |")
    return "\n".join(rows)


def with_table(text):
    begin, end = "<!-- floors -->\n", "<!-- /floors -->"
    head, rest = text.split(begin, 1)
    return head + begin + table() + "\n" + end + rest.split(end, 1)[1]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--write"]:
        target = ROOT / sys.argv[2]
        target.write_text(with_table(target.read_text()))
        sys.exit(0)
    faults = list(check())
    for path, line, text in faults:
        print(f"{path.relative_to(ROOT)}:{line}: {text}")
    sys.exit(1 if faults else 0)
