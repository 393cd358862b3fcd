"""csource.py -- just enough reading of C for tidy: what is code, where functions and structs stand.

It relies on the committed format (clang-format): a function's braces stand in column 0, a struct
opens with `struct name {` in column 0 and closes with `}` in column 0.
"""
import re
from dataclasses import dataclass

TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)
EXCUSE = re.compile(r"/\* tidy: (\w+), because [^*]{10,}\*/")
PROTOTYPE = re.compile(r"^[A-Za-z_][^;{}#=]*\([^;{}]*\)[^;{}()]*(?:\([^;{}()]*\))?;", re.M)
STRUCT = re.compile(r"^(?:struct|union) (\w+) \{", re.M)


@dataclass
class Piece:
    """A function or a struct: its name, first and last line, and its text."""
    name: str
    first: int
    last: int
    text: str


def blank(match):
    """Same shape, no content: newlines stay so that lines keep their numbers."""
    text = match.group(0)
    inner = re.sub(r"[^\n]", " ", text)
    return inner if text[0] == "/" else text[0] + inner[1:-1] + text[-1]


def strip(text):
    """The code without what stands in comments and strings, line by line as before."""
    return TOKEN.sub(blank, text)


def functions(code):
    """Definitions in stripped code; text is the head (result, name, parameters)."""
    lines = code.split("\n")
    head = start = None
    for at, line in enumerate(lines, 1):
        if line.startswith("{"):
            start = at
            head = start - 1
            while head > 1 and lines[head - 2].strip() and lines[head - 2][0] not in "}#/" \
                    and not lines[head - 2].rstrip().endswith(";"):
                head -= 1
        elif line.startswith("}") and start is not None:
            signature = " ".join(lines[head - 1:start - 1])
            yield Piece(function_name(signature), start, at, signature)
            start = None


def function_name(signature):
    match = re.search(r"(\w+)\s*\(", re.sub(r"\b(printf_like|aligned|__attribute__)\s*\(.*?\)", "",
                                            signature))
    return match.group(1) if match else "?"


def prototypes(code):
    """Declarations of functions in column 0, ended by `;`."""
    for match in PROTOTYPE.finditer(code):
        text = match.group(0)
        if text.startswith("typedef"):
            continue
        line = code.count("\n", 0, match.start()) + 1
        yield Piece(function_name(text), line, line + text.count("\n"), text)


def parameters(signature):
    """How many parameters the first parameter list has."""
    start = signature.find("(")
    depth, count, any_text = 0, 1, ""
    for char in signature[start:]:
        depth += char in "([{"
        depth -= char in ")]}"
        if depth == 0:
            break
        if char == "," and depth == 1:
            count += 1
        any_text += char
    inner = any_text[1:].strip()
    return 0 if inner in ("", "void") else count


def structs(code):
    """Structs of the file's top level; text is the body."""
    for match in STRUCT.finditer(code):
        end = code.find("\n}", match.end())
        if end > 0:
            yield Piece(match.group(1), code.count("\n", 0, match.start()) + 1,
                        code.count("\n", 0, end) + 2, code[match.end():end])


def members(body):
    """Members of a struct, those of unnamed inner ones included."""
    body = re.sub(r"^\s*#.*$", "", body, flags=re.M)
    depth = count = 0
    names = False
    for char in body:
        depth += char in "(["
        depth -= char in ")]"
        if depth == 0 and char == ",":
            count += 1
        elif char == ";":
            count += names
            names = False
        elif char in "{}":
            names = False
        elif char.isalnum():
            names = True
    return count


def excused(text, kind, first, last):
    """True when `/* tidy: KIND, because … */` stands in or up to three lines above these lines."""
    lines = text.split("\n")[max(0, first - 4):last]
    return any(match.group(1) == kind for match in EXCUSE.finditer("\n".join(lines)))
