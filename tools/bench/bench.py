"""bench.py -- ./dev bench: Gatehouse, nginx, HAProxy and a bare relay on the same work in one run.

    ./dev bench                 all areas, 2 rounds of 1 s: a look
    ./dev bench full            all areas, 3 rounds of 3 s, into bench/ and the README
    ./dev bench NAME…           single areas: connections bodies latency memory syscalls policies
                                routes reload
    --rounds N --seconds N      other rounds
    --two-cpu                   load and upstream on a CPU of their own (less repeatable)
    --keep                      results into bench/ as full does, not only into build/bench/

The main figure is CPU per request: user and system time of the proxy's whole process tree divided
by the requests it served, median of the rounds. Only ratios of the same run mean anything. `load`
and `upstream` are what the load generator and the upstream took themselves, to see whether the
machine was quiet; what others took of it meanwhile is printed too.
"""
import argparse
import datetime
import json
import pathlib
import platform
import statistics
import subprocess
import sys

import areas
import chart
import measure
import peers

ROOT = peers.ROOT
# (area, case, metric, peer) against nginx of the same case, or as it is: at most this.
FLOORS = (
    ("connections", "64 connections", "cpu", "gate", "nginx", 0.80),
    ("connections", "64 connections", "cpu", "gate full", "nginx", 0.85),
    ("bodies", "100kB body", "cpu", "gate", "nginx", 0.60),
    ("memory", "9500 idle connections", "bytes", "gate", None, 529),
    ("latency", "p99 at 5000/s", "p99", "gate full", "direct", 1000),
    ("reload", None, "failed", "gate", None, 0),
    ("reload", None, "growth", "gate", None, 5),
)


def number(value):
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.2f}"


def row_of(area, case, metric, unit, by_peer):
    """One line of the history: all peers of one metric, with their ratio to nginx."""
    base = statistics.median(by_peer["nginx"]) if by_peer.get("nginx") else None
    row = {"area": area, "case": case, "metric": metric, "unit": unit, "peers": {}}
    for peer, numbers in by_peer.items():
        if not numbers:
            continue
        middle = statistics.median(numbers)
        row["peers"][peer] = {"median": round(middle, 3), "min": round(min(numbers), 3)}
        if base:
            row["peers"][peer]["vs_nginx"] = round(middle / base, 3)
    return row


def table(rows):
    """The rows as a Markdown table a case, peers as lines."""
    out = []
    for row in rows:
        out += ["", f"**{row['area']}: {row['case']}** ({row['unit']})", "",
                "| peer | median | min | vs nginx |", "|---|---:|---:|---:|"]
        for peer, found in row["peers"].items():
            ratio = f"{found['vs_nginx']:.2f} ×" if "vs_nginx" in found else ""
            out.append(f"| {peer} | {number(found['median'])} | {number(found['min'])} | {ratio} |")
    return "\n".join(out).strip()


def floor_lines(rows):
    """How each floor stands, for what was measured."""
    for area, case, metric, peer, base, most in FLOORS:
        for row in rows:
            if row["area"] != area or row["metric"] != metric or case not in (None, row["case"]):
                continue
            found = row["peers"].get(peer)
            if found is None:
                continue
            value, text = found["median"], f"{peer}: {row['area']}, {row['case']}"
            if base == "nginx":
                value = found.get("vs_nginx", float("nan"))
                text += f": {value:.2f} × nginx"
            elif base == "direct":
                value -= row["peers"].get("direct", {"median": 0})["median"]
                text += f": {number(value)} µs over direct"
            else:
                text += f": {number(value)} {row['unit']}"
            yield f"{'holds' if value <= most else 'MISSED'}  {text} (floor {most})"


def charts(rows, folder, note):
    for area in dict.fromkeys(row["area"] for row in rows):
        by_metric = {}
        for row in rows:
            if row["area"] == area and row["metric"] not in ("rps", "failed", "growth"):
                by_metric.setdefault((row["metric"], row["unit"]), {})[row["case"]] = {
                    peer: found["median"] for peer, found in row["peers"].items()}
        for (metric, unit), groups in by_metric.items():
            name = area if len(by_metric) == 1 else f"{area}-{metric}"
            title = f"{area}: {metric}" if len(by_metric) > 1 else area
            (folder / f"{name}.svg").write_text(chart.bars(title, unit, groups, note))


def describe():
    cpu = next((line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").open()
                if line.startswith("model name")), platform.machine())
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True,
                            text=True).stdout.strip()
    return {"date": datetime.date.today().isoformat(), "commit": commit, "cpu": cpu,
            "kernel": platform.release()}


def save(folder, facts, rows, text):
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "history.jsonl", "a") as history:
        for row in rows:
            history.write(json.dumps({**facts, **row}, ensure_ascii=False) + "\n")
    (folder / "latest.md").write_text(text)
    charts(rows, folder, f"{facts['date']}, {facts['cpu']}, {facts['mode']}")


# What the README says: (area, case, metric, peers, how).
SUMMARY = (
    ("connections", "64 connections", "cpu", "CPU per request, 100 B, 64 connections"),
    ("connections", "256 connections", "cpu", "… 256 connections"),
    ("bodies", "100kB body", "cpu", "… 100 kB bodies"),
    ("latency", "p99 at 5000/s", "p99", "p99 at 5,000 requests/s"),
    ("memory", "9500 idle connections", "bytes", "memory per idle connection, of 9,500"),
    ("syscalls", "busy, 64 connections", "calls", "system calls per request"),
)
COLUMNS = ("gate", "gate full", "nginx", "haproxy")
UNITS = {"cpu": "µs", "p99": "µs", "bytes": "B", "calls": ""}


def summary(rows, facts):
    """The table between the README's markers: of one whole run only."""
    of = f"{facts['date']}, {facts['cpu']}"
    found = {(row["area"], row["case"], row["metric"]): row["peers"] for row in rows}
    lines = [f"`./dev bench full`, {of}: one worker each; load, upstream and proxy on",
             f"{facts['mode']}; only ratios of one run mean anything. *full*: with key, limit, log",
             "and metrics.", "", f"| | {' | '.join(COLUMNS)} |",
             "|---|---:|---:|---:|---:|"]
    for *key, text in SUMMARY:
        by_peer, cells = found[tuple(key)], []
        for name in COLUMNS:
            peer = by_peer.get(name)
            cell = f"{number(peer['median'])} {UNITS[key[2]]}".strip() if peer else ""
            if peer and name != "nginx" and "vs_nginx" in peer:
                cell += f" ({peer['vs_nginx']:.2f} ×)"
            cells.append(cell)
        lines.append(f"| {text} | {' | '.join(cells)} |")
    lines += ["", "![CPU per request](bench/connections.svg)", "",
              "Everything that was measured, with charts: [bench/latest.md](bench/latest.md)."]
    return "\n".join(lines)


def into_readme(text):
    path = ROOT / "README.md"
    head, rest = path.read_text().split("<!-- bench -->\n")
    tail = rest.split("<!-- /bench -->")[1]
    path.write_text(f"{head}<!-- bench -->\n{text}\n<!-- /bench -->{tail}")


def calibration(runs):
    """The middle of what load and upstream took, and the most that others took."""
    if not runs:
        return ""
    load, up = (statistics.median(run[name] for _, run in runs) for name in ("load", "up"))
    foreign = statistics.median(run["foreign"] for _, run in runs)
    return (f"load {load:.1f} µs, upstream {up:.1f} µs per request; others took "
            f"{100 * foreign:.0f} % of one CPU meanwhile")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="quick|full|AREA")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--cpu", type=int, default=0)
    parser.add_argument("--two-cpu", action="store_true")
    parser.add_argument("--keep", action="store_true")
    given = parser.parse_args()
    is_full = "full" in given.names
    given.areas = [name for name in given.names if name not in ("quick", "full")]
    unknown = set(given.areas) - set(areas.AREAS)
    if unknown:
        parser.error(f"no area {', '.join(unknown)}; there are {', '.join(areas.AREAS)}")
    given.is_part = bool(given.areas)
    given.areas = given.areas or list(areas.AREAS)
    given.rounds = given.rounds or (3 if is_full else 2)
    given.seconds = given.seconds or (3 if is_full else 1)
    given.keep = given.keep or is_full
    return given


def main():
    given = arguments()
    subprocess.run(["ninja", "-C", str(ROOT / "build/release"), "--quiet",
                    *(f"tools/bench/bench_{name}" for name in ("load", "relay", "upstream"))],
                   check=True, stdout=subprocess.DEVNULL)
    load_cpu = 1 - given.cpu if given.two_cpu else given.cpu
    facts = {**describe(), "mode": "two CPUs" if given.two_cpu else "one CPU"}
    rows, lines = [], []
    bench = measure.Bench(given.cpu, load_cpu)
    try:
        for name in given.areas:
            field = areas.Field(bench, given.rounds, given.seconds)
            own = []
            try:
                own = [row_of(name, *case) for case in areas.AREAS[name](field)]
            except peers.Missing as why:
                field.notes[name] = str(why)
            notes = [f"- {who}: {what}" for who, what in field.notes.items()]
            text = "\n".join([table(own), *notes])
            text += f"\n- {calibration(field.runs)}\n" if field.runs else "\n"
            print(text, flush=True)
            rows += own
            lines.append(text)
    finally:
        bench.close()
    floors = list(floor_lines(rows))
    print("\n".join(floors))
    head = (f"# Bench of {facts['date']}\n\n{facts['cpu']}, Linux {facts['kernel']}, "
            f"{facts['mode']}, {given.rounds} rounds of {given.seconds} s, "
            f"commit {facts['commit']}.\n")
    text = "\n".join([head, *(f"- {line}" for line in floors), "", *lines])
    save(peers.WORK, facts, rows, text)
    if given.keep:
        save(ROOT / "bench", facts, rows, text)
        if not given.is_part:
            into_readme(summary(rows, facts))
    return 0 if all(line.startswith("holds") for line in floors) else 1


if __name__ == "__main__":
    sys.exit(main())
