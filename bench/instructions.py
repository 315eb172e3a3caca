#!/usr/bin/python3
"""Instructions of nginx for one request, counted by callgrind.

    bench/instructions.py [--requests N] [--top N] [--keep FOLDER]
                          [--json FILE] [get|put ...]
    bench/instructions.py --record | --check [--repeat N]

nginx runs a number of requests twice, N and then 2 N: the difference is what
the N cost.  Printed: all instructions of the bare nginx and of the one with
Chorus, those in Chorus' own code by what they are for, and the functions that
cost most, each without what it calls.

What belongs to Chorus alone is the same on every machine, whatever its CPU and
its OpenSSL: its own instructions, and how often it calls libraries and nginx.
--record writes these figures to bench/instructions.json, --check fails when
one of them is more than 10 % above what stands there (or below: then record
it, or the next one that makes it slower goes unnoticed).
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections import Counter

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, f"{ROOT}/bench")
sys.dont_write_bytecode = True
import callgrind                                # noqa: E402
import groups                                   # noqa: E402
from proxy import BUILD, Bench, Nginx           # noqa: E402
from guard import guarded                       # noqa: E402
from process import wait_until                  # noqa: E402
from stack import answers                       # noqa: E402
from table import Table                         # noqa: E402

KINDS = {"get": [], "put": ["-m", "PUT", "-b", "1024"]}
NAMES = {"get": "GET 1 KiB", "put": "PUT 1 KiB"}
RECORD = f"{ROOT}/bench/instructions.json"
RECORD_COMMAND = "make bench-record"
# one connection: with more it is a matter of time how many marks go to Redis
# at once
CONNECTIONS = "1"
BOUND = 0.10
ALIVE = "chorus:policy:alive"   # processes of nginx that have met Redis
DIRTY = "chorus:{alice:bucket:follower}:dirty"


class Counted(Nginx):
    """The same nginx in one process, under callgrind."""

    def __init__(self, other, folder, name):
        super().__init__(folder, name, other.port, "1", "")
        command = other.command[:-1] + ["daemon off; master_process off;"]
        self.out = f"{folder}/{name}.callgrind"
        self.command = ["valgrind", "--tool=callgrind", "--quiet",
                        f"--callgrind-out-file={self.out}", *command]

    def is_ready(self):
        return answers(self.port)


def run(bench, other, kind, requests, name):
    # what another run left would be adopted, and be counted
    shutil.rmtree(f"{bench.folder}/journal", ignore_errors=True)
    redis = bench.redis.client
    redis.delete(ALIVE, DIRTY)
    nginx = Counted(other, bench.folder, name)
    nginx.start()
    if other is bench.chorus:
        wait_until(lambda: redis.exists(ALIVE), 60, "Redis is met")
    done = subprocess.run(
        [f"{BUILD}/bench/load", "-n", str(requests), "-k", str(requests), "-c",
         CONNECTIONS, *KINDS[kind], f"127.0.0.1:{nginx.port}", "bucket",
         bench.key.access, bench.key.secret], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    if other is bench.chorus and kind == "put":
        wait_until(lambda: redis.zcard(DIRTY) == requests, 60,
                   "all is marked")
    nginx.stop(seconds=120)
    if bench.options.keep:
        shutil.copy(nginx.out, f"{bench.options.keep}/{name}.callgrind")
    profile = callgrind.read(nginx.out)
    os.unlink(nginx.out)
    return profile


def per_request(bench, other, kind):
    n = bench.options.requests
    return callgrind.per_request(
        run(bench, other, kind, n, f"{other.name}-{kind}-1"),
        run(bench, other, kind, 2 * n, f"{other.name}-{kind}-2"), n)


# ---- what is said of it

def place(function):
    if groups.is_chorus(function):
        return "Chorus"
    for word, name in (("crypto", "OpenSSL"), ("hiredis", "hiredis"),
                       ("nginx", "nginx")):
        if word in function.object:
            return name
    return "libc and others"


def by_place(profile):
    total = Counter()
    for function, n in profile.own.items():
        total[place(function)] += n
    return {name: round(n) for name, n in total.items() if round(n)}


def calls_of(profile):
    """{library: calls of Chorus}."""
    total = Counter()
    for _, called, n, _ in profile.called_by(groups.is_chorus):
        if not groups.is_chorus(called):
            total[place(called)] += n
    return total


def say(kind, bench, table):
    bare = per_request(bench, bench.bare, kind)
    ours = per_request(bench, bench.chorus, kind)
    own = by_place(ours)["Chorus"]
    found = groups.split(ours)
    for name, profile in (("bare nginx", bare), ("with Chorus", ours)):
        places = ", ".join(f"{k} {v}" for k, v in by_place(profile).items())
        print(f"{NAMES[kind]}, {name}: {sum(profile.own.values()):.0f} "
              f"instructions a request: {places}")
    print(f"    {'own':>9}{'with calls':>12}  for")
    for name, (n, cost) in found.items():
        print(f"    {n:9.0f}{cost:12.0f}  {name}")
    for function, n in sorted(ours.own.items(),
                              key=lambda r: -r[1])[:bench.options.top]:
        print(f"    {n:9.0f}  {place(function):16} {function.name}")
    table.add(f"own instructions, {NAMES[kind]}", "-", own,
              all=sum(ours.own.values()), bare=sum(bare.own.values()),
              **{name: n for name, (n, _) in found.items()})
    sys.stdout.flush()


# ---- the bound

def figures(bench, kind):
    profile = per_request(bench, bench.chorus, kind)
    groups.split(profile)       # no file is in no group
    calls = calls_of(profile)
    openssl = calls.pop("OpenSSL")
    return {"own instructions": by_place(profile)["Chorus"],
            "calls of OpenSSL": round(openssl, 1),
            "calls of others": round(sum(calls.values()), 1)}


def compare(kind, was, now):
    """What is wrong, in words."""
    wrong = []
    for name, n in now.items():
        before = was[name]
        change = n / before - 1
        print(f"{NAMES[kind]:10} {name:24} {before:10} {n:10} "
              f"{100 * change:+6.1f} %")
        if abs(change) > BOUND:
            wrong.append(
                f"{NAMES[kind]}: {name} a request: {n}, {before} before "
                f"({100 * change:+.1f} %); if that is as it should be, "
                f"record it: {RECORD_COMMAND}")
    return wrong


def check(bench):
    with open(RECORD) as f:
        recorded = json.load(f)
    wrong = []
    for _ in range(bench.options.repeat):
        for kind in KINDS:
            wrong += compare(kind, recorded[kind], figures(bench, kind))
    return wrong


def record(bench):
    with open(RECORD, "w") as f:
        json.dump({kind: figures(bench, kind) for kind in KINDS}, f, indent=4)
        f.write("\n")


def parsed():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--top", type=int, default=20)
    parser.add_argument("--keep", help="for callgrind_annotate")
    parser.add_argument("--json")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("kinds", nargs="*", default=[])
    return parser.parse_args()


def main():
    options, table, wrong = parsed(), Table(), []
    with guarded("chorus-bench-") as folder:
        bench = Bench(folder, options)
        try:
            bench.start()
            bench.chorus.stop()
            bench.bare.stop()
            if options.record:
                record(bench)
            elif options.check:
                wrong = check(bench)
            else:
                for kind in options.kinds or KINDS:
                    say(kind, bench, table)
        finally:
            bench.end()
    table.save(options.json)
    sys.exit("\n".join(wrong) or None)


if __name__ == "__main__":
    main()
