#!/usr/bin/python3
"""Migration beside rclone, between the same two Ceph stores, in one run.

    bench/migrate.py [--keys N] [--objects N] [--concurrency N] [--rounds N]

Compares two equal buckets of --keys keys (`rclone check --size-only`), and
copies --objects objects of 4 KiB into a bucket that is not there yet (`rclone
copy`).  Both take turns, --rounds times; each has the same number of requests
under way.  The fastest turn counts.  Besides: CPU seconds, of the program and
of the stores.
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass

import redis

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, f"{ROOT}/t/e2e")
sys.dont_write_bytecode = True
from guard import guarded               # noqa: E402
from load import Load                   # noqa: E402
from process import wait_until          # noqa: E402
from stack import Stack, Worker                 # noqa: E402

FILLERS = 2                     # processes of this program that write
SIZE = 4096
LIMIT = 1800                    # seconds of one turn
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Turn:
    seconds: float
    cpu: float                  # of the program itself
    stores_cpu: float


def cpu_of(pid):
    """Seconds, of a process and its children that have ended."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


def stores_cpu(stack):
    total = 0
    for store in ("main", "follower"):
        for daemon in ("osd", "rgw"):
            with open(f"{stack.folder}/{store}/run/{daemon}.pid") as f:
                total += cpu_of(int(f.read().split()[0]))
    return total


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


# ---- a turn of each

@contextlib.contextmanager
def worker_for(stack, bucket, target, concurrency):
    """One with nothing else to do; it begins at once."""
    config = stack.config_of(worker={
        "concurrency": concurrency, "scans": 2, "discover_seconds": 1,
        "lease_seconds": 30})
    config["replications"] = [{"user": "alice", "bucket": bucket,
                               "to": "follower" if target == bucket
                               else f"follower:{target}"}]
    path = f"{stack.folder}/{target}.json"
    with open(path, "w", opener=lambda p, f: os.open(p, f, 0o600)) as f:
        json.dump(config, f)
    worker = Worker(stack.folder, target, path)
    worker.command.remove("-v")
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


def functions_are_loaded(stack):
    """The worker brings them along."""
    with contextlib.suppress(redis.ResponseError):
        return stack.redis.call("status", 1, "chorus:replications", 0, 1)


def begin_scan(stack, name):
    """A quick one: the first one of a new Redis looks at everything."""
    keys = (f"chorus:{{{name}}}", "chorus:schedule", "chorus:replications")
    stack.redis.call("scan_ensure", 3, *keys, 0, 0)
    assert stack.redis.call("scan_start", 3, *keys, "migrate", "quick", 0)


def chorus(stack, bucket, target, concurrency):
    """From the start of the worker to the last object."""
    # no follower's name stands twice where the bucket keeps its own
    name = f"alice:{bucket}:follower" + (
        "" if target == bucket else f":{target}")
    begin_scan(stack, name)

    def ended():
        text = stack.redis.call("scan_look", 1, f"chorus:{{{name}}}")
        scan = json.loads(text) if text else {}
        return (scan.get("state") == "ended" and not scan["waiting"]
                and not stack.redis.stats(name)["busy"] and scan)

    before, begin = stores_cpu(stack), time.monotonic()
    with worker_for(stack, bucket, target, concurrency) as worker:
        scan = wait_until(ended, LIMIT, f"the scan of {name}")
        turn = Turn(time.monotonic() - begin, cpu_of(worker.pid),
                    stores_cpu(stack) - before)
    assert not scan["failed"] and not scan["surplus"], scan
    return turn, scan


def rclone(stack, *args):
    # what is meant for another S3 says nothing here
    env = {name: value for name, value in os.environ.items()
           if not name.startswith(("AWS_", "RCLONE_"))}
    env["RCLONE_CONFIG"] = "/dev/null"
    for store in (stack.main, stack.follower):
        key = store.keys["alice"]
        for name, value in (
                ("TYPE", "s3"), ("PROVIDER", "Ceph"), ("ENDPOINT", store.url),
                ("ACCESS_KEY_ID", key.access), ("REGION", "us-east-1"),
                ("SECRET_ACCESS_KEY", key.secret)):
            env[f"RCLONE_CONFIG_{store.name.upper()}_{name}"] = value
    before, begin = stores_cpu(stack), time.monotonic()
    cpu = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(["rclone", *args], env=env, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=LIMIT)
    seconds = time.monotonic() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stdout
    return Turn(seconds, after.ru_utime + after.ru_stime - cpu.ru_utime
                - cpu.ru_stime, stores_cpu(stack) - before)


# ---- what is said of it

def best(turns):
    return min(turns, key=lambda turn: turn.seconds)


def say(what, unit, count, rows):
    print(f"\n{what}\n\n{'':34}{unit + '/s':>12}{'seconds':>9}"
          f"{'CPU s':>8}{'stores':>8}{'x rclone':>10}")
    base = best(rows[-1][1])
    for name, turns in rows:
        turn = best(turns)
        print(f"{name:34}{count / turn.seconds:12.0f}{turn.seconds:9.2f}"
              f"{turn.cpu:8.2f}{turn.stores_cpu:8.2f}"
              f"{base.seconds / turn.seconds:10.2f}", flush=True)


def compare(stack, options):
    for store in (stack.main, stack.follower):
        fill(store, "equal", options.keys)
    ours, theirs = [], []
    for n in range(options.rounds):
        # of another name: a scan of its own
        theirs.append(rclone(
            stack, "check", "--size-only", "--checkers",
            str(options.concurrency), "main:equal", "follower:equal"))
        turn, scan = chorus(stack, "equal", "equal", options.concurrency)
        assert scan["equal"] == options.keys and scan["marked"] == 1, scan
        ours.append(turn)
    say(f"{options.keys} keys on both sides, all equal", "keys",
        options.keys, [("chorus-worker", ours),
                       ("rclone check --size-only", theirs)])


def copy(stack, options):
    fill(stack.main, "full", options.objects, SIZE)
    ours, lean, theirs = [], [], []
    for n in range(options.rounds):
        how = ["--transfers", str(options.concurrency), "--checkers",
               str(options.concurrency)]
        theirs.append(rclone(stack, "copy", *how, "main:full",
                             f"follower:rclone-{n}"))
        turn, scan = chorus(stack, "full", f"chorus-{n}",
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", choices=["compare", "copy"])
    options = parser.parse_args()

    with guarded("chorus-bench-") as folder:
        stack = Stack(folder)
        try:
            stack.start_stores()
            stack.redis.start()
            with worker_for(stack, "none", "none", 1):
                wait_until(lambda: functions_are_loaded(stack), 60,
                           "the functions are in Redis")
            if options.only != "compare":
                copy(stack, options)
            if options.only != "copy":
                compare(stack, options)
        finally:
            stack.end()


if __name__ == "__main__":
    main()
