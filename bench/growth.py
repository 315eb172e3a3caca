#!/usr/bin/python3
"""What an object costs when there are ten and a hundred times as many.

    bench/growth.py [--keys N] [--rounds N] [--only NAME[,NAME]] [--json FILE]

--keys, ten times and a hundred times as many, each with a new Redis and a new
worker, between storages that cost next to nothing (--rounds times; of the
most keys once):

queue   so many changed keys wait, and all of them are copied: CPU of the
        worker and of Redis for each of them, the most memory that the worker
        has, and what Redis needs for a key that waits.
lag     so many keys of a scan wait, and are replaced as they are copied; now
        and then comes a client's change: the time from its mark until Redis
        has heard that it is copied.  (Changes are copied in the order in
        which they came: behind as many of these one waits until they are.)
scan    two equal buckets of so many keys are compared: CPU of the worker and
        of Redis for each of them, and the most memory that the worker has.

Of several rounds the median counts.  The ratio is that of the larger of both
figures with more keys to the figure with fewest.
"""

import argparse
import glob
import json
import os
import random
import statistics
import sys
import threading
import time

# stores.py makes those of t/e2e known
from stores import begin_scan
from guard import guarded
from lag import Trace, now_us
from process import Process, memory_of, wait_until
from proxy import Sink
from table import Table
from zeros import MARKED, Copying

MIB = 1 << 20
TIMES = (1, 10, 100)
SLOTS = 16
WARM = 200                      # objects before the first that counts
PROBES = 60                     # of lag
LIMIT = 600                     # seconds
BENCH = os.path.dirname(os.path.abspath(__file__))


# ---- what runs

class NamedSink(Sink):
    def __init__(self, folder, name, port):
        super().__init__(folder, port)
        self.name = name


class Lists(Process):
    """Both storages are one process, which starts with the follower."""
    keys = 0
    main_port = None

    def __init__(self, folder, name, port):
        self.port = port
        if name == "main":
            Lists.main_port = port
        super().__init__(name, [sys.executable, f"{BENCH}/scan_store.py",
                                str(Lists.main_port), str(port),
                                str(Lists.keys)], f"{folder}/log/lists.log")

    def start(self):
        if self.port != Lists.main_port:
            super().start()


def cpu_us(pid):
    """Of all its threads that live; to the nanosecond, not the tick."""
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with open(path) as f:
            total += int(f.read().split()[0])
    return total / 1000


class Cpu:
    """us of the worker and of Redis, from here on."""

    def __init__(self, copying):
        self.pids = copying.worker.pid, copying.redis.pid
        self.before = [cpu_us(pid) for pid in self.pids]

    def each(self, count):
        return [(cpu_us(pid) - before) / count
                for pid, before in zip(self.pids, self.before)]


def start_worker(copying):
    copying.start_worker()
    wait_until(lambda: copying.redis.client.exists("chorus:generation"), 20,
               "the worker is there")


def name_of(bucket):
    return f"alice:{bucket}:follower"


def mark(copying, bucket, source, keys):
    words = [word for key in keys for word in (0, 1, key)]
    copying.redis.call("mark", 3, f"chorus:{{{name_of(bucket)}}}",
                       "chorus:schedule", "chorus:replications", source,
                       *words)


def set_state(copying, bucket, function):
    copying.redis.call(function, 3, f"chorus:{{{name_of(bucket)}}}",
                       "chorus:schedule", "chorus:replications")


# ---- parts: figures of one round

def queue(folder, count):
    with Copying(folder, SLOTS, NamedSink) as copying:
        start_worker(copying)
        copying.mark("warm", WARM)
        copying.wait_done("warm")
        mark(copying, "queue", "event", ["first"])
        copying.wait_done("queue")

        set_state(copying, "queue", "pause")
        used = copying.redis.client.info("memory")["used_memory"]
        copying.mark("queue", count)
        used = copying.redis.client.info("memory")["used_memory"] - used
        cpu = Cpu(copying)
        set_state(copying, "queue", "resume")
        copying.wait_done("queue", LIMIT)
        worker, redis = cpu.each(count)
        synced = copying.redis.stats(name_of("queue"))["counters"]["synced"]
        assert synced == count + 1, synced
        return {"us of chorus-worker, an object": worker,
                "us of Redis, an object": redis,
                "MiB of chorus-worker": copying.worker.memory() / MIB,
                "bytes of Redis, a key": used / count}


class Refill(threading.Thread):
    """Keeps so many keys of a scan waiting."""

    def __init__(self, copying, count):
        super().__init__(daemon=True)
        self.copying, self.count = copying, count
        self.marked = 0
        self.is_over = threading.Event()
        self.failure = None

    def fill(self):
        stats = self.copying.redis.stats(name_of("lag"))
        missing = self.count - (stats["bulk"] if stats else 0)
        for _ in range(0, missing, MARKED):
            first, self.marked = self.marked, self.marked + MARKED
            mark(self.copying, "lag", "scan",
                 [f"bulk-{n}" for n in range(first, self.marked)])

    def run(self):
        try:
            while not self.is_over.wait(0.02):
                self.fill()
        except Exception as e:
            self.failure = e


def lag(folder, count):
    with Copying(folder, SLOTS, NamedSink) as copying:
        start_worker(copying)
        refill = Refill(copying, count)
        refill.fill()
        trace = Trace(copying.redis.client)
        refill.start()
        lags = []
        for n in range(PROBES):
            time.sleep(random.uniform(0.01, 0.06))
            begin = now_us()
            mark(copying, "lag", "event", [f"probe-{n}"])
            lags.append((trace.times_of(f"probe-{n}")["end"] - begin) / 1000)
        waiting = copying.redis.stats(name_of("lag"))["bulk"]
        refill.is_over.set()
        refill.join()
        assert not refill.failure and waiting > count // 2, (refill.failure,
                                                             waiting)
        return {"ms of lag, beside a scan": statistics.median(lags)}


def scan(folder, count):
    Lists.keys = count
    name = name_of("mig-bench")
    with Copying(folder, SLOTS, Lists, scans=1, discover_seconds=3600) as c:
        start_worker(c)

        def ended():
            text = c.redis.call("scan_look", 1, f"chorus:{{{name}}}")
            found = json.loads(text) if text else {}
            return found.get("state") == "ended" and found

        cpu = Cpu(c)
        begin_scan(c, name)
        found = wait_until(ended, LIMIT, "the scan has ended")
        worker, redis = cpu.each(count)
        assert found["equal"] == count, found
        return {"us of chorus-worker, a key compared": worker,
                "us of Redis, a key compared": redis,
                "MiB of chorus-worker, a scan": c.worker.memory() / MIB}


PARTS = {"queue": queue, "lag": lag, "scan": scan}


# ---- what is said of them

def rounds_of(part, count, rounds):
    """The medians of its figures."""
    all_of = []
    for _ in range(rounds):
        with guarded("chorus-bench-") as folder:
            all_of.append(part(folder, count))
    return {name: statistics.median(of[name] for of in all_of)
            for name in all_of[0]}


def measure(options, part, table):
    found = [rounds_of(part, options.keys * times,
                       1 if times == TIMES[-1] else options.rounds)
             for times in TIMES]
    for name in found[0]:
        figures = [of[name] for of in found]
        worst = max(figures[1:]) / figures[0]
        table.add(f"growth: {name}", "<= 1.5", worst,
                  **{f"at_{options.keys * times}": figure
                     for times, figure in zip(TIMES, figures)})


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--keys", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--json")
    options = parser.parse_args()
    table = Table()
    for name in options.only.split(","):
        measure(options, PARTS[name], table)
    table.save(options.json)


if __name__ == "__main__":
    main()
