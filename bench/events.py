#!/usr/bin/python3
"""How many changed keys a second one worker process of nginx brings to Redis,
and what each of them takes there.

    bench/events.py [--keys N] [--rounds N] [--json FILE]

The keys come in DeleteObjects of 1,000 names of 40 bytes each, signed, so that
requests are not what is measured; beside them stand PUTs, one key each.  Time
runs from the first key in Redis to the last one:

    up        Redis is there all the time
    away      it was away and comes back; all wait in nginx' memory
    journal   nginx was killed meanwhile; the next process reads its journal

nginx has a core of its own; Redis, the storage and the load share the other
one.  The median of the rounds counts.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, f"{ROOT}/bench")
sys.dont_write_bytecode = True
from proxy import BUILD, OTHER, Bench, cpu_of, median   # noqa: E402
from guard import guarded                       # noqa: E402
from process import wait_until                  # noqa: E402
from stack import children_of                   # noqa: E402
from table import Table                         # noqa: E402

NAMES = 1000                    # of one DeleteObjects
LIMIT = 60                      # seconds until all are in Redis
POLL = 0.002


@dataclass
class Turn:
    rate: float                 # keys a second
    nginx_us: float             # CPU of nginx' worker process, a key
    redis_us: float             # and of Redis


def queue_of(bucket):
    return f"chorus:{{alice:{bucket}:follower}}"


def waiting(bench, bucket):
    return bench.redis.client.zcard(queue_of(bucket) + ":dirty")


def deletes(bench, bucket, keys):
    return ["-d", str(NAMES), "-k", str(keys // NAMES), "-n",
            str(keys // NAMES), *target(bench, bucket)]


def puts(bench, bucket, keys):
    return ["-m", "PUT", "-b", "1024", "-k", str(keys), "-n", str(keys),
            *target(bench, bucket)]


def target(bench, bucket):
    return [f"127.0.0.1:{bench.chorus.port}", bucket, bench.key.access,
            bench.key.secret]


def load(words):
    return subprocess.Popen(
        ["taskset", "-c", OTHER, f"{BUILD}/bench/load", *words],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def load_all(words):
    job = load(words)
    _, errors = job.communicate(timeout=LIMIT)
    assert job.returncode == 0, errors


def clock(bench, bucket, keys, nginx_cpu=None):
    """From the last look that found nothing to the first one that found all;
    of nginx counted from `nginx_cpu` on."""
    first = last = time.monotonic()
    end = first + LIMIT
    cpu = None
    while (n := waiting(bench, bucket)) < keys:
        last = time.monotonic()
        assert last < end, f"{n} of {keys} keys are in Redis"
        if n == 0:
            first = last
            cpu = bench.chorus.cpu(), cpu_of(bench.redis.pid)
        time.sleep(POLL)
    seconds = time.monotonic() - first
    before = cpu[0] if nginx_cpu is None else nginx_cpu
    return Turn(keys / seconds,
                (bench.chorus.cpu() - before) * 1e6 / keys,
                (cpu_of(bench.redis.pid) - cpu[1]) * 1e6 / keys)


# ---- turns

def up(bench, bucket, keys, words=deletes):
    job = load(words(bench, bucket, keys))
    turn = clock(bench, bucket, keys)
    _, errors = job.communicate(timeout=LIMIT)
    assert job.returncode == 0, errors
    return turn


def up_puts(bench, bucket, keys):
    return up(bench, bucket, keys, puts)


def on_other_core(pid):
    subprocess.run(["taskset", "-ap", "-c", OTHER, str(pid)], check=True,
                   stdout=subprocess.DEVNULL)


def away(bench, bucket, keys):
    bench.redis.stop()
    load_all(deletes(bench, bucket, keys))
    bench.redis.start()
    on_other_core(bench.redis.pid)
    return clock(bench, bucket, keys)


def begin_journal(bench):
    """A new one: what Redis had last would be read again, too."""
    bench.chorus.stop()
    shutil.rmtree(f"{bench.folder}/journal")
    bench.chorus.start()
    bench.wait_marked()


def journal(bench, bucket, keys):
    begin_journal(bench)
    bench.redis.stop()
    load_all(deletes(bench, bucket, keys))
    processes = children_of(bench.chorus.pid)
    bench.chorus.kill9()
    for pid in processes:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}")
                               for pid in processes), 20, "nginx is gone")
    bench.redis.start()
    on_other_core(bench.redis.pid)
    bench.chorus.start()
    # what it read before the first key was in Redis is part of it
    return clock(bench, bucket, keys, nginx_cpu=0)


TURNS = [
    ("marks/s, DeleteObjects, Redis up", up),
    ("marks/s, Redis back", away),
    ("marks/s, read from the journal", journal),
    ("marks/s, PUT 1 KiB", up_puts),
]


def forget(bench, bucket):
    client = bench.redis.client
    client.delete(*client.scan_iter(queue_of(bucket) + "*", count=1000))


def marks(bench, table):
    keys = bench.options.keys
    for n, (name, turn) in enumerate(TURNS):
        turns = []
        for i in range(bench.options.rounds):
            bucket = f"bucket-{n}-{i}"
            turns.append(turn(bench, bucket, keys))
            bench.wait_marked()
            forget(bench, bucket)
        table.add(name, ">= 20000", median(turns, "rate"),
                  nginx_us=median(turns, "nginx_us"),
                  redis_us=median(turns, "redis_us"))


def used_memory(client):
    """When nothing moves any more."""
    before = 0
    while True:
        used = client.info("memory")["used_memory"]
        if abs(used - before) < 1024:
            return used
        before = used
        time.sleep(0.3)


def memory(bench, table):
    client, keys = bench.redis.client, bench.options.keys
    before = used_memory(client)
    load_all(deletes(bench, "memory", keys))
    bench.wait_marked()
    assert waiting(bench, "memory") == keys
    used = used_memory(client) - before
    places = sum(client.memory_usage(key, samples=0) for key in
                 client.scan_iter(queue_of("memory") + "*", count=1000))
    table.add("Redis bytes per dirty key", "<= 160", used / keys,
              memory_usage=places / keys, keys=keys)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json")
    options = parser.parse_args()
    table = Table()
    with guarded("chorus-bench-") as folder:
        bench = Bench(folder, options)
        try:
            bench.start()
            memory(bench, table)
            forget(bench, "memory")
            marks(bench, table)
        finally:
            bench.end()
    table.save(options.json)


if __name__ == "__main__":
    main()
