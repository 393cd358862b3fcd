"""tidy.py -- checks what a compiler does not: floors, sizes, banned calls, headers that compile
alone, format, spelling of the vocabulary, generated files.

    tidy.py          everything
    tidy.py quick    without what needs the built program, and clang only for what changed
    tidy.py top      the ten longest functions and files

Every fault is one line: file:line: what, how to mend. An exception is written where it stands, as
/* tidy: KIND, because REASON */ with KIND one of long, many, deep, wide, call, if, word, float.
What is slow is remembered by the hash of the content in build/tidy.json.
"""
import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

import csource
import floors

ROOT = floors.ROOT
SRC = floors.SRC
CACHE = ROOT / "build" / "tidy.json"
CLANG_FORMAT, CLANG = "clang-format-19", "clang-19"
CLANG_FLAGS = ("-std=c17", "-D_GNU_SOURCE", "-DGATE_VERSION=\"0\"", "-DGATE_SANITIZED=0", "-pedantic", "-Wall", "-Wextra", "-Werror", "-Wconversion",
               "-Wno-sign-conversion", "-Wshadow", "-Wstrict-prototypes", "-Wmissing-prototypes",
               "-Wvla", "-Wpointer-arith", "-Wcast-qual", "-Wwrite-strings", "-Wundef",
               "-Wformat=2", "-Wimplicit-fallthrough", "-Wno-missing-field-initializers",
               "-mcx16")

FUNCTION_LINES, FILE_LINES, MEMBERS, PARAMETERS, COLUMNS, NESTING = 70, 800, 24, 5, 100, 3

# Where memory of the heap may be taken, and why.
MALLOC_FILES = {
    "src/base/arena.c": "chunks of arenas",
    "src/base/page.c": "batches of pages",
    "src/http/h2_heap.c": "memory of the HTTP/2 library, counted and bounded",
    "src/http/crowd.c": "one table of counts, once a process",
    "src/gate/endpoint.c": "what is alive of upstreams, in proportion to the configuration",
    "src/roster/index.c": "shards of an index, which grow one by one",
    "src/gate/pin.c": "the board, and one piece for each generation",
    "src/roster/roster.c": "entries, in chunks",
    "src/io/loop.c": "the loop itself, once a thread",
    "src/io/poll_epoll.c": "the driver itself, once a loop",
    "src/io/dns.c": "names that are watched, few and long-lived",
    "src/io/dns_ares.c": "questions under way, and the driver of c-ares",
    "src/io/sim.c": "the simulated world of tests",
    "src/io/sim_net.c": "the simulated world of tests",
    "src/io/sim_peer.c": "the simulated world of tests",
}

ABOVE_IO = ("wire", "schema", "contract", "script", "net", "http", "gate", "policy", "identity",
            "house")

# (calls, rooms where they are banned or None for everywhere, what to use)
BANNED = (
    ("sprintf vsprintf strcpy strcat strncpy strncat stpcpy gets", None,
     "build text with struct text (base/str.h)"),
    ("strtok strtok_r sscanf scanf fscanf atoi atol atoll atof", None,
     "cut with str_cut and read numbers with str_to_u64 (base/str.h)"),
    ("alloca setjmp longjmp system popen tmpnam mktemp", None, "there is no good use of it here"),
    ("malloc calloc realloc reallocarray free strdup strndup asprintf vasprintf aligned_alloc "
     "posix_memalign", None, "take memory from an arena (base/arena.h) or pages (base/page.h)"),
    ("time clock gettimeofday clock_gettime", ABOVE_IO, "ask the loop for the time (io/loop.h)"),
    ("rand random srand srandom drand48 rand_r", None, "use base/rand.h"),
    ("read write readv writev recv recvfrom recvmsg send sendto sendmsg open openat fopen creat "
     "socket connect bind listen accept accept4 poll select epoll_wait epoll_ctl sleep usleep "
     "nanosleep fork", ABOVE_IO, "only io calls the kernel; use what io offers"),
)

# Words that stand for everything and so for nothing, and what the house says instead.
WORDS = {
    "context": "name the thing: exchange, conn, snapshot, state",
    "ctx": "name the thing: exchange, conn, snapshot, state",
    "manager": "name what it does",
    "handler": "name what it does: on_…, fn",
    "backend": "upstream or target",
    "frontend": "listener or front",
    "vhost": "channel",
    "tenant": "channel or consumer",
}
# Identifiers of libraries that carry such a word.
FOREIGN = re.compile(r"^(sa_handler|yaml_\w+|ares_\w+|pthread_\w+|ucontext\w*|siginfo\w*)$")
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)[^)]*\)")
OWED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
MACHINE = re.compile(r"(?<![\w.])/(work|root|home)/\w")
TEXT_FILES = (".c", ".h", ".def", ".py", ".md", ".build", ".yaml", ".yml", ".txt", ".sh", ".service",
              ".svg")


class Faults:
    def __init__(self):
        self.lines = []

    def add(self, path, line, text):
        name = path.relative_to(ROOT) if isinstance(path, pathlib.Path) else path
        self.lines.append((str(name), line, text))

    def show(self):
        for name, line, text in sorted(set(self.lines)):
            print(f"{name}:{line}: {text}")
        return len(set(self.lines))


@functools.lru_cache
def tracked():
    """Every file that is or would be committed."""
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT,
                           capture_output=True, check=True).stdout.decode().split("\0")
    return sorted({ROOT / name for name in names if name and (ROOT / name).is_file()})


@functools.lru_cache
def read(path):
    return path.read_text(errors="replace")


@functools.lru_cache
def code_of(path):
    return csource.strip(read(path))


def c_files(*suffixes):
    return [path for path in tracked() if path.suffix in (suffixes or (".c", ".h", ".def"))]


def room_of(path):
    parts = path.relative_to(ROOT).parts
    return parts[1] if parts[0] == "src" and len(parts) > 2 else None


def check_floors(faults):
    for path, line, text in floors.check([p for p in c_files() if room_of(p)]):
        faults.add(path, line, text)
    hacking = ROOT / "HACKING.md"
    if hacking.exists() and floors.with_table(read(hacking)) != read(hacking):
        faults.add(hacking, 1, "the table of floors is stale; run ./dev fmt")


def check_functions(path, faults):
    text, code = read(path), code_of(path)
    for piece in csource.functions(code):
        length = piece.last - piece.first
        if length > FUNCTION_LINES and not csource.excused(text, "long", piece.first, piece.last):
            faults.add(path, piece.first, f"{piece.name} has {length} lines (at most "
                       f"{FUNCTION_LINES}); split it by what it does")
    for piece in (*csource.functions(code), *csource.prototypes(code)):
        count = csource.parameters(piece.text[piece.text.find(piece.name):])
        if count > PARAMETERS and not csource.excused(text, "many", piece.first, piece.first):
            faults.add(path, piece.first, f"{piece.name} has {count} parameters (at most "
                       f"{PARAMETERS}); pass a struct")
    for piece in csource.structs(code):
        count = csource.members(piece.text)
        if count > MEMBERS and not csource.excused(text, "long", piece.first, piece.last):
            faults.add(path, piece.first, f"struct {piece.name} has {count} members (at most "
                       f"{MEMBERS}); split it by who uses what")


def check_lines(path, faults):
    text = read(path)
    lines, stripped = text.split("\n"), code_of(path).split("\n")
    if len(lines) - 1 > FILE_LINES and not csource.excused(text, "long", 1, 15):
        faults.add(path, 1, f"{len(lines) - 1} lines (at most {FILE_LINES}); split it by duty")
    for at, (line, code) in enumerate(zip(lines, stripped), 1):
        if len(line) > COLUMNS and path.suffix != ".def" and not csource.excused(text, "wide", at, at):
            faults.add(path, at, f"{len(line)} columns (at most {COLUMNS}); run ./dev fmt")
        depth = len(code) - len(code.lstrip())
        if depth > 8 * NESTING and re.match(r"\s*(if|for|while|switch|do)\b", code) \
                and depth >= 8 * (NESTING + 1) and not csource.excused(text, "deep", at, at):
            faults.add(path, at, f"nested deeper than {NESTING}; return early or make a function")
        if re.match(r"\s*#\s*(if|ifdef|ifndef|elif)\b", code) \
                and path != SRC / "base/base.h" and not csource.excused(text, "if", at, at):
            faults.add(path, at, "#if outside base/base.h; make it a file chosen by the build, "
                       "or a fact found at run time")
        if re.match(r"\s*typedef\s+(struct|union)\b", code):
            faults.add(path, at, "typedef of a struct; write `struct name`")


def check_calls(path, faults):
    room, name = room_of(path), str(path.relative_to(ROOT))
    text, code = read(path), code_of(path)
    for calls, rooms, instead in BANNED:
        words = calls.split()
        if rooms is not None and room not in rooms:
            continue
        if "malloc" in words and (name in MALLOC_FILES or not room):
            continue
        for match in re.finditer(r"(?<![\w.>])(" + "|".join(words) + r")\s*\((?!\*)", code):
            line = code.count("\n", 0, match.start()) + 1
            if not csource.excused(text, "call", line, line):
                faults.add(path, line, f"{match.group(1)}() is not used here; {instead}")
    if room in ("base", "io", "wire", "net", "http", "gate", "policy", "identity"):
        for match in re.finditer(r"\b(float|double)\b", code):
            line = code.count("\n", 0, match.start()) + 1
            if not csource.excused(text, "float", line, line):
                faults.add(path, line, "floating point in the data path; count in whole units")


def check_words(path, faults):
    text, code = read(path), code_of(path)
    for match in re.finditer(r"\b[a-z_][a-z0-9_]*\b", code):
        parts = [part for part in match.group(0).split("_") if part in WORDS]
        if parts and not FOREIGN.match(match.group(0)):
            line = code.count("\n", 0, match.start()) + 1
            if not csource.excused(text, "word", line, line):
                faults.add(path, line, f"`{match.group(0)}`: the house does not say "
                           f"`{parts[0]}`; {WORDS[parts[0]]}")


def check_openings(path, faults):
    text = read(path)
    if not text.startswith(f"/* {path.name} -- ") and path.suffix != ".def":
        faults.add(path, 1, f"open with a paragraph: /* {path.name} -- what it is, what it is not */")
    if path.suffix == ".h" and "#pragma once" not in text:
        faults.add(path, 1, "a header needs #pragma once")


def check_texts(faults):
    own = ROOT / "tools" / "tidy.py"
    for path in tracked():
        if path.suffix not in TEXT_FILES and path.name not in ("dev", "run") or path == own:
            continue
        if "corpus" in path.parts:
            continue
        text = read(path)
        for at, line in enumerate(text.split("\n"), 1):
            if OWED.search(line):
                faults.add(path, at, "owed work does not go into the tree; do it or file an issue")
            if MACHINE.search(line):
                faults.add(path, at, "a path of one machine; make it relative")
            if line != line.rstrip() and path.suffix != ".md":
                faults.add(path, at, "blanks at the end of the line")
        check_links(path, text, faults)
        if path.suffix == ".py":
            check_python(path, text, faults)


def check_links(path, text, faults):
    """What a page refers to in the tree is there."""
    for at, line in enumerate(text.split("\n"), 1):
        for link in LINK.findall(line) if path.suffix == ".md" else ():
            if not (path.parent / link).exists():
                faults.add(path, at, f"{link} leads nowhere")


def check_python(path, text, faults):
    if text.count("\n") > FILE_LINES:
        faults.add(path, 1, f"{text.count(chr(10))} lines (at most {FILE_LINES}); split it by duty")
    for at, line in enumerate(text.split("\n"), 1):
        if len(line) > COLUMNS:
            faults.add(path, at, f"{len(line)} columns (at most {COLUMNS})")
    try:
        compile(text, str(path), "exec")
    except SyntaxError as error:
        faults.add(path, error.lineno or 1, f"does not compile: {error.msg}")


def check_lists(faults):
    """Each policy and each proof of identity stands in its room's list."""
    for room in ("policy", "identity"):
        listing = SRC / room / "list.def"
        if not listing.exists():
            continue
        for path in c_files(".c"):
            if room_of(path) == room and path.stem != "list" and \
                    not re.search(rf"\b{path.stem}\b", read(listing)):
                if re.search(rf"struct {room} {room}_{path.stem}\b", read(path)):
                    faults.add(path, 1, f"not in src/{room}/list.def; add a line there")


def check_registered(faults):
    """No test lies in the tree that nobody builds, and the lists are sorted."""
    for folder, listing in (("test/unit", "unit_tests"), ("test/fuzz", "fuzz_targets")):
        build = ROOT / folder / "meson.build"
        text = read(build)
        names = re.findall(r"^  '([\w/]+)',$", text.split(listing + " = [")[1].split("]")[0], re.M)
        if names != sorted(set(names)):
            faults.add(build, 1, f"{listing} is not sorted, or names something twice")
        for path in c_files(".c"):
            name = str(path.relative_to(ROOT).with_suffix(""))
            if name.startswith(folder + "/") and name.removeprefix(folder + "/") not in names \
                    and f"{name.removeprefix(folder + '/')}.c" not in text:
                faults.add(path, 1, f"nobody builds it; add a line to {folder}/meson.build")
        threaded = text.split("threaded = [")[-1].split("]")[0]
        for name in names if folder == "test/unit" else ():
            path = ROOT / folder / f"{name}.c"
            if path.exists() and "pthread_create" in read(path) and f"'{name}'" not in threaded:
                faults.add(build, 1, f"{name} starts threads; name it in `threaded` for ./dev tsan")
        for name in names if folder == "test/fuzz" else ():
            if not any((ROOT / folder / "corpus" / name).glob("*")):
                faults.add(build, 1, f"fuzz target {name} has no corpus in test/fuzz/corpus/{name}")


def digest(*parts):
    mixed = hashlib.sha256()
    for part in parts:
        mixed.update(part if isinstance(part, bytes) else str(part).encode())
        mixed.update(b"\0")
    return mixed.hexdigest()[:24]


def closure(path, seen):
    """All files of the house that a header draws in."""
    if path in seen or not path.exists():
        return seen
    seen.add(path)
    for name in floors.INCLUDE.findall(read(path)):
        closure(SRC / name, seen)
    return seen


def compile_alone(header):
    flags = ["-std=c17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Isrc", "-fsyntax-only", "-x", "c"]
    source = f'#include "{header.relative_to(SRC)}"\n'
    run = subprocess.run(["gcc", *flags, "-"], cwd=ROOT, input=source, text=True, capture_output=True)
    return run.returncode, run.stderr


def check_headers(faults, cache):
    todo = {}
    for header in c_files(".h"):
        if room_of(header):
            key = "h" + digest(*(read(path) for path in sorted(closure(header, set()))))
            if cache.get(key) != "ok":
                todo[header] = key
            else:
                cache.use(key)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for (header, key), (status, errors) in zip(todo.items(), pool.map(compile_alone, todo)):
            if status == 0:
                cache.put(key)
                continue
            first = next((line for line in errors.split("\n") if "error:" in line), errors[:200])
            faults.add(header, 1, f"does not compile alone; include what it needs ({first.strip()})")


def compile_clang(path):
    """The warnings of the other compiler; gcc's come with the build."""
    where = path.relative_to(ROOT)
    run = subprocess.run([CLANG, *CLANG_FLAGS, "-Isrc", "-fsyntax-only", str(where)], cwd=ROOT,
                         text=True, capture_output=True)
    return run.returncode, run.stderr


def changed():
    """Files that differ from main, or are not committed; None when there is no main to compare."""
    base = subprocess.run(["git", "merge-base", "HEAD", "main"], cwd=ROOT, capture_output=True,
                          text=True).stdout.strip()
    if not base:
        return None
    names = subprocess.run(["git", "diff", "--name-only", base], cwd=ROOT, capture_output=True,
                           text=True).stdout.split()
    names += subprocess.run(["git", "ls-files", "-o", "--exclude-standard"], cwd=ROOT,
                            capture_output=True, text=True).stdout.split()
    return {ROOT / name for name in names}


def check_clang(faults, cache, only=None):
    todo = {}
    for path in c_files(".c"):
        if only is not None and path not in only:
            continue
        parts = path.relative_to(ROOT).parts
        if parts[0] == "src" or parts[:2] == ("test", "unit"):
            near = [read(one) for one in path.parent.glob("*.h")]
            key = "c" + digest(CLANG_FLAGS, *near, *(read(one) for one in sorted(closure(path, set()))))
            if cache.get(key) != "ok":
                todo[path] = key
            else:
                cache.use(key)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for (path, key), (status, errors) in zip(todo.items(), pool.map(compile_clang, todo)):
            if status == 0:
                cache.put(key)
            for match in re.finditer(r"^([^:\n]+):(\d+):\d+: error: (.*)$", errors, re.M):
                faults.add(ROOT / match.group(1), int(match.group(2)), f"{CLANG}: {match.group(3)}")


def check_format(faults, cache):
    style = read(ROOT / ".clang-format")
    todo = {}
    for path in c_files(".c", ".h"):
        key = "f" + digest(style, read(path))
        if cache.get(key) != "ok":
            todo[path] = key
        else:
            cache.use(key)
    for at in range(0, len(todo), 50):
        batch = list(todo)[at:at + 50]
        run = subprocess.run([CLANG_FORMAT, "--dry-run", "--ferror-limit=1", *map(str, batch)],
                             text=True, capture_output=True)
        bad = {}
        for match in re.finditer(r"^(/[^:\n]+):(\d+):\d+: (?:warning|error)", run.stderr, re.M):
            bad.setdefault(pathlib.Path(match.group(1)), int(match.group(2)))
        for path in batch:
            if path in bad:
                faults.add(path, bad[path], "not in the house's format; run ./dev fmt")
            elif run.returncode == 0:
                cache.put(todo[path])


def check_generated(faults):
    """doc/ref is what the program says about itself."""
    gate = ROOT / "build/release/gate"
    if not (ROOT / "doc/ref").is_dir() or not gate.exists():
        return
    fresh = ROOT / "build/doc-ref"
    subprocess.run(["rm", "-rf", str(fresh)], check=True)
    run = subprocess.run([str(gate), "doc", "--write", str(fresh)], capture_output=True, text=True)
    if run.returncode != 0:
        faults.add("doc/ref", 1, f"`gate doc --write DIR` failed: {run.stderr.strip()[:200]}")
        return
    old = {path.name: path.read_bytes() for path in (ROOT / "doc/ref").iterdir()}
    new = {path.name: path.read_bytes() for path in fresh.iterdir()}
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            faults.add(f"doc/ref/{name}", 1, "generated and stale; run ./dev doc")


class Cache:
    """Remembers what was found good; a full run forgets what it did not meet."""

    def __init__(self):
        try:
            self.old = set(json.loads(CACHE.read_text()))
        except (OSError, ValueError):
            self.old = set()
        self.new = set()
        self.keeps_all = False

    def get(self, key):
        return "ok" if key in self.old else None

    def use(self, key):
        self.new.add(key)

    put = use

    def save(self):
        CACHE.parent.mkdir(exist_ok=True)
        half = CACHE.with_suffix(f".{os.getpid()}")
        half.write_text(json.dumps(sorted(self.new | (self.old if self.keeps_all else set()))))
        half.replace(CACHE)


def top():
    longest = sorted(((piece.last - piece.first, f"{path.relative_to(ROOT)}:{piece.first}", piece.name)
                      for path in c_files(".c") for piece in csource.functions(code_of(path))),
                     reverse=True)
    files = sorted(((read(path).count("\n"), str(path.relative_to(ROOT)))
                    for path in (*c_files(), *(p for p in tracked() if p.suffix == ".py"))),
                   reverse=True)
    print("longest functions")
    for lines, place, name in longest[:10]:
        print(f"  {lines:4}  {name:32} {place}")
    print("longest files")
    for lines, name in files[:10]:
        print(f"  {lines:4}  {name}")


def main(mode):
    if mode == "top":
        top()
        return 0
    faults, cache = Faults(), Cache()
    cache.keeps_all = mode == "quick"
    check_floors(faults)
    for path in c_files():
        in_house = room_of(path) is not None
        check_lines(path, faults)
        check_calls(path, faults)
        if path.suffix != ".def":
            check_functions(path, faults)
            check_openings(path, faults)
        if in_house:
            check_words(path, faults)
    check_texts(faults)
    check_lists(faults)
    check_registered(faults)
    check_headers(faults, cache)
    check_clang(faults, cache, changed() if mode == "quick" else None)
    check_format(faults, cache)
    if mode != "quick":
        check_generated(faults)
    cache.save()
    count = faults.show()
    print(f"tidy: {len(tracked())} files, {count} faults")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "all"))
