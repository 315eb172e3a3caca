#!/usr/bin/python3
"""Migration beside rclone, between the same two Ceph stores, in one run.

    bench/migrate.py [--keys N] [--objects N] [--concurrency N] [--rounds N]
                     [--json FILE]

Compares two equal buckets of --keys keys (`rclone check --size-only`), and
copies --objects objects of 4 KiB into a bucket that is not there yet (`rclone
copy`).  Both take turns, --rounds times; each has the same number of requests
under way.  The fastest turn counts.  Besides: CPU seconds, of the program and
of the stores.
"""

import argparse
import multiprocessing

# stores.py makes those of t/e2e known
from stores import LIMIT, copied, rclone, stores_and_redis
from load import Load
from table import Table

FILLERS = 2                     # processes of this program that write
SIZE = 4096


# ---- what is there before

def name_of(n):
    return f"d{n % 10}/object-{n:06d}"


def fill_some(url, key, bucket, numbers, size):
    from wire import Wire
    body = bytes(range(256)) * (size // 256)
    load = Load(lambda: Wire(url, key.access, key.secret),
                lambda wire, i: wire.put(bucket, name_of(numbers[i]), body),
                8, len(numbers))
    load.join(LIMIT)
    load.check()


def fill(store, bucket, count, size=0):
    store.s3.create_bucket(Bucket=bucket)
    jobs = [multiprocessing.Process(target=fill_some, args=(
                store.url, store.keys["alice"], bucket,
                range(first, count, FILLERS), size))
            for first in range(FILLERS)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
        assert job.exitcode == 0, "the stores could not be filled"


# ---- what is said of it

def best(turns):
    return min(turns, key=lambda turn: turn.seconds)


def say(what, unit, count, rows):
    """`rows`: Chorus' first, that of its peer last."""
    print(f"\n{what}\n\n{'':34}{unit + '/s':>12}{'seconds':>9}"
          f"{'CPU s':>8}{'stores':>8}{'x rclone':>10}")
    base = best(rows[-1][1])
    for name, turns in rows:
        turn = best(turns)
        print(f"{name:34}{count / turn.seconds:12.0f}{turn.seconds:9.2f}"
              f"{turn.cpu:8.2f}{turn.stores_cpu:8.2f}"
              f"{base.seconds / turn.seconds:10.2f}", flush=True)
    print()


def add(table, what, target, count, ours, theirs, peer):
    table.add(f"{what} beside {peer}", target, theirs.seconds / ours.seconds,
              chorus=count / ours.seconds, rclone=count / theirs.seconds,
              cpu_chorus=ours.cpu, cpu_rclone=theirs.cpu,
              stores_chorus=ours.stores_cpu, stores_rclone=theirs.stores_cpu)


def compare(stack, options, table):
    for store in (stack.main, stack.follower):
        fill(store, "equal", options.keys)
    ours, theirs = [], []
    for n in range(options.rounds):
        # of another name: a scan of its own
        theirs.append(rclone(
            stack, "check", "--size-only", "--checkers",
            str(options.concurrency), "main:equal", "follower:equal"))
        turn, scan = copied(stack, "equal", "equal", options.concurrency)
        assert scan["equal"] == options.keys and scan["marked"] == 1, scan
        ours.append(turn)
    say(f"{options.keys} keys on both sides, all equal", "keys",
        options.keys, [("chorus-worker", ours),
                       ("rclone check --size-only", theirs)])
    add(table, f"{options.keys} equal keys: keys/s", ">= 5", options.keys,
        best(ours), best(theirs), "rclone check --size-only")


def copy(stack, options, table):
    fill(stack.main, "full", options.objects, SIZE)
    ours, lean, theirs = [], [], []
    for n in range(options.rounds):
        how = ["--transfers", str(options.concurrency), "--checkers",
               str(options.concurrency)]
        theirs.append(rclone(stack, "copy", *how, "main:full",
                             f"follower:rclone-{n}"))
        turn, scan = copied(stack, "full", f"chorus-{n}",
                            options.concurrency)
        assert scan["missing"] == options.objects, scan
        ours.append(turn)
        # the fewest requests that it can do with
        lean.append(rclone(stack, "copy", *how, "--use-server-modtime",
                           "--size-only", "--s3-no-head",
                           "--s3-no-head-object", "main:full",
                           f"follower:lean-{n}"))
    say(f"{options.objects} objects of {SIZE} bytes, {options.concurrency} at "
        "a time", "objects", options.objects, [
            ("chorus-worker", ours),
            ("rclone copy, no HEADs, no times", lean),
            ("rclone copy", theirs)])
    what = f"{options.objects} x {SIZE // 1024} KiB"
    add(table, f"{what}: objects/s", ">= 2", options.objects, best(ours),
        best(theirs), "rclone copy")
    add(table, f"{what}: objects/s", "-", options.objects, best(ours),
        best(lean), "rclone copy, lean")
    table.add(f"{what}: CPU seconds beside rclone copy", "<= 0.2",
              best(ours).cpu / best(theirs).cpu, chorus=best(ours).cpu,
              rclone=best(theirs).cpu)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", choices=["compare", "copy"])
    parser.add_argument("--json")
    options = parser.parse_args()
    table = Table()

    with stores_and_redis() as stack:
        if options.only != "compare":
            copy(stack, options, table)
        if options.only != "copy":
            compare(stack, options, table)
    table.save(options.json)


if __name__ == "__main__":
    main()
