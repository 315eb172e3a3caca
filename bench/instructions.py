#!/usr/bin/python3
"""Instructions of nginx for one request, counted by callgrind.

    bench/instructions.py [--requests N] [--top N] [--keep FOLDER]
                          [get|put ...]

nginx runs a number of requests twice, N and then 2 N: the difference is what
the N cost.  Printed: all instructions, those in Chorus' own code, in OpenSSL
and in the rest, and the functions that cost most, each without what it calls.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, f"{ROOT}/bench")
sys.dont_write_bytecode = True
from proxy import BUILD, Bench, Nginx           # noqa: E402
from guard import guarded                       # noqa: E402
from stack import answers                       # noqa: E402

KINDS = {"get": [], "put": ["-m", "PUT", "-b", "1024"]}


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


def costs(path):
    """{(object, function): instructions}, without what is called."""
    done = subprocess.run(
        ["callgrind_annotate", "--threshold=100", "--show-percs=no", path],
        capture_output=True, text=True, check=True)
    found = {}
    for line in done.stdout.splitlines():
        row = re.match(r"\s*([\d,]+)\s+(\S*?):(.+?)(?: \[(.*)\])?$", line)
        if row:
            name = (row.group(4) or "", row.group(3))
            found[name] = (found.get(name, 0)
                           + int(row.group(1).replace(",", "")))
    return found


def run(bench, other, kind, requests, name):
    nginx = Counted(other, bench.folder, name)
    nginx.start()
    done = subprocess.run(
        [f"{BUILD}/bench/load", "-n", str(requests), "-c", "4",
         *KINDS[kind], f"127.0.0.1:{nginx.port}", "bucket", bench.key.access,
         bench.key.secret], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    nginx.stop(seconds=120)
    if bench.options.keep:
        shutil.copy(nginx.out, f"{bench.options.keep}/{name}.callgrind")
    return costs(nginx.out)


def per_request(bench, other, kind, requests):
    once = run(bench, other, kind, requests, f"{other.name}-{kind}-1")
    twice = run(bench, other, kind, 2 * requests, f"{other.name}-{kind}-2")
    return {name: (n - once.get(name, 0)) / requests
            for name, n in twice.items()}


def place(name):
    where, function = name
    if "ngx_http_chorus" in where:
        return "chorus"
    if "crypto" in where:
        return "openssl"
    return "nginx" if "nginx" in where else "libc and others"


def say(kind, who, rows, top):
    total = {}
    for name, n in rows.items():
        total[place(name)] = total.get(place(name), 0) + n
    print(f"{kind}, {who}: {sum(rows.values()):.0f} instructions a request: "
          + ", ".join(f"{k} {v:.0f}" for k, v in sorted(total.items())))
    for name, n in sorted(rows.items(), key=lambda r: -r[1])[:top]:
        print(f"    {n:9.0f}  {place(name):16} {name[1]}")
    sys.stdout.flush()
    return total


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--top", type=int, default=40)
    parser.add_argument("--keep", help="for callgrind_annotate")
    parser.add_argument("kinds", nargs="*", default=[])
    options = parser.parse_args()
    with guarded("chorus-bench-") as folder:
        bench = Bench(folder, options)
        try:
            bench.start()
            bench.chorus.stop()
            bench.bare.stop()
            for kind in options.kinds or KINDS:
                for other in (bench.bare, bench.chorus):
                    say(kind, other.name,
                        per_request(bench, other, kind, options.requests),
                        options.top if other is bench.chorus else 0)
        finally:
            bench.end()


if __name__ == "__main__":
    main()
