#!/usr/bin/python3
"""Runs parts of the bench, and says in one table what they found.

    bench/report.py [--run PART ...]

Each part is `make bench-PART` and leaves build/bench/PART.json; all that are
there make the table, build/bench/bench.json and a plot, build/bench/bench.svg.
Ends with 1 when a part could not be run to its end; the others are run and
shown all the same.  A target that is missed is no failure: it is a figure.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, os.environ.get("CHORUS_BUILD", "build"))
OUT = f"{BUILD}/bench"
PARTS = ["checksum", "proxy", "instructions", "events", "memory", "migrate",
         "lag", "big", "growth"]
ONLY_PRINTS = ["checksum"]
SHOWN = 4                       # figures of a row; bench.json has all
FIELDS = ("name", "target", "ratio")
VERSIONS = {
    "nginx": "nginx -v", "redis": "redis-server --version",
    "openssl": "openssl version", "curl": "curl --version",
    "ceph": "ceph --version", "rclone": "rclone version",
    "valgrind": "valgrind --version", "gcc": "gcc --version"}


# ---- running

def run(part):
    """What stands in bench.json about the run itself."""
    path = f"{OUT}/{part}.json"
    if os.path.exists(path):
        os.unlink(path)
    # what was said to make is in the environment, but for its job server
    env = {name: value for name, value in os.environ.items()
           if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    begin = time.monotonic()
    code = subprocess.run(["make", "--no-print-directory", f"BUILD={BUILD}",
                           f"bench-{part}"], cwd=ROOT, env=env).returncode
    good = code == 0 and (part in ONLY_PRINTS or os.path.exists(path))
    return {"part": part, "good": good,
            "seconds": round(time.monotonic() - begin, 1)}


# ---- what was found

def limit_of(target):
    """(">=" or "<=", number); None when there is none."""
    found = re.fullmatch(r"([<>]=) ([\d.,]+)", target)
    return found and (found[1], float(found[2].replace(",", "")))


def is_met(row):
    limit = limit_of(row["target"])
    if limit is None:
        return None
    sign, number = limit
    return row["ratio"] >= number if sign == ">=" else row["ratio"] <= number


def rows_of(part):
    try:
        with open(f"{OUT}/{part}.json") as f:
            rows = json.load(f)["rows"]
    except (FileNotFoundError, ValueError):
        return []
    return [{"part": part, **{name: row[name] for name in FIELDS},
             "met": is_met(row),
             "figures": {name: value for name, value in row.items()
                         if name not in FIELDS}} for row in rows]


def first_line(command):
    try:
        done = subprocess.run(command, shell=True, capture_output=True,
                              text=True, timeout=20, cwd=ROOT)
    except subprocess.TimeoutExpired:
        return ""
    return (done.stdout or done.stderr).partition("\n")[0].strip()


def version(command):
    """Empty when it is not there."""
    found = re.search(r"\d+\.[\w.-]+", first_line(command))
    return found[0] if found else ""


def cpu_model():
    with open("/proc/cpuinfo") as f:
        found = re.search(r"^model name\s*: (.*)$", f.read(), re.M)
    return found[1] if found else platform.machine()


def machine():
    return {"cpu": cpu_model(), "cores": os.cpu_count(),
            "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf(
                "SC_PHYS_PAGES") / (1 << 30), 1),
            "kernel": platform.release(),
            "versions": {name: version(command)
                         for name, command in VERSIONS.items()},
            "commit": first_line("git describe --always --dirty")}


# ---- what is said

def number(value):
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"


def cells(row):
    what, _, against = row["name"].partition(" beside ")
    figures = ", ".join(f"{name.replace('_', ' ')} {number(value)}" for
                        name, value in list(row["figures"].items())[:SHOWN])
    return (row["part"], what, against or "-", row["target"],
            number(row["ratio"]),
            {True: "met", False: "MISSED", None: ""}[row["met"]], figures)


def print_table(rows):
    head = ("part", "what", "against", "target", "measured", "", "made of")
    lines = [head, *map(cells, rows)]
    widths = [max(len(line[i]) for line in lines)
              for i in range(len(head) - 1)]
    for line in lines:
        print("  ".join([*(text.ljust(width) for text, width in
                           zip(line, widths)), line[-1]]).rstrip())


def say(rows, runs, about):
    versions = " ".join(f"{name} {text}" for name, text in
                        about["versions"].items() if text)
    print(f"\n{about['cores']} cores of {about['cpu']}, "
          f"{about['memory_gib']} GiB, Linux {about['kernel']}\n{versions}\n"
          f"commit {about['commit']}\n")
    print_table(rows)
    met = [row["met"] for row in rows]
    print(f"\n{met.count(True)} targets met, {met.count(False)} missed")
    if runs:
        print("seconds: " + ", ".join(f"{r['part']} {r['seconds']:.0f}"
                                      for r in runs)
              + f", together {sum(r['seconds'] for r in runs):.0f}")
    for r in runs:
        if not r["good"]:
            print(f"bench-{r['part']} FAILED: what it printed stands above")


def plot(rows, about, path):
    """Each figure beside its target, which is 1: better is to the right."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    rows = [row for row in rows if row["met"] is not None][::-1]
    if not rows:
        return
    scores = []
    for row in rows:
        sign, limit = limit_of(row["target"])
        score = row["ratio"] / limit if sign == ">=" else (
            limit / max(row["ratio"], 1e-9))
        scores.append(min(max(score, 1 / 16), 16))
    figure, axes = pyplot.subplots(figsize=(10, 1.2 + 0.32 * len(rows)))
    axes.barh([f"{row['part']}: {row['name']}" for row in rows],
              [score - 1 for score in scores], left=1, height=0.6,
              color=["#2a7f4f" if row["met"] else "#b3372f" for row in rows])
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log", base=2)
    axes.set_xlim(min(*scores, 0.5) / 1.5, max(*scores, 2) * 3)
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    for y, (row, score) in enumerate(zip(rows, scores)):
        axes.text(max(score, 1) * 1.05, y, f"{number(row['ratio'])}  "
                  f"({row['target']})", va="center", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.set_xlabel("times as good as its target", fontsize=8)
    axes.set_title(f"{about['cores']} cores of {about['cpu']}, commit "
                   f"{about['commit']}", fontsize=9)
    figure.tight_layout()
    figure.savefig(path)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--run", nargs="*", choices=PARTS, default=[],
                        metavar="PART", help=" ".join(PARTS))
    options = parser.parse_args()
    os.makedirs(OUT, exist_ok=True)
    runs = [run(part) for part in options.run]
    rows = [row for part in options.run or PARTS for row in rows_of(part)]
    about = machine()
    say(rows, runs, about)
    with open(f"{OUT}/bench.json", "w") as f:
        json.dump({"at": time.time(), "machine": about, "runs": runs,
                   "rows": rows}, f, indent=1)
    plot(rows, about, f"{OUT}/bench.svg")
    print(f"\n{os.path.relpath(OUT)}/bench.json, "
          f"{os.path.relpath(OUT)}/bench.svg")
    sys.exit(not all(r["good"] for r in runs))


if __name__ == "__main__":
    main()
