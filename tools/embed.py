#!/usr/bin/env python3
"""embed.py -- a file as C source, so that the binary carries it: embed.py NAME FILE OUTPUT"""
import pathlib
import sys

name, source, output = sys.argv[1:]
data = pathlib.Path(source).read_bytes()
rows = [", ".join(map(str, data[at:at + 16])) for at in range(0, len(data), 16)]
pathlib.Path(output).write_text("\n".join([
    f"/* {pathlib.Path(source).name}, made by tools/embed.py. */",
    '#include "cmd/embedded.h"',
    "",
    "static const unsigned char bytes[] = {",
    ",\n".join(rows),
    "};",
    "",
    f"const struct str {name} = {{(const char *)bytes, sizeof bytes}};",
    ""]))
