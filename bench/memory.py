#!/usr/bin/python3
"""The memory of one nginx worker process and of one chorus-worker.

    bench/memory.py [--idle N] [--uploads N] [--slots N] [--only nginx,worker]
                    [--json FILE]

nginx has --idle connections that are kept, each after a signed request, and
--uploads more, each with a PUT in signed chunks of 64 KiB: first all of these
wait for their clients, in the midst of a chunk, then for a storage that does
not read.  chorus-worker copies with --slots slots, all of them at work, from
storages that keep nothing (bench/zeros.py): objects of 64 MiB, uploaded at
once and in parts.  What counts is the most that a process ever had, VmHWM.
"""

import argparse
import contextlib
import os
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, f"{ROOT}/bench")
sys.dont_write_bytecode = True
from proxy import MIB, Bench                    # noqa: E402
from chunked import Body, upload                # noqa: E402
from guard import guarded                       # noqa: E402
from process import memory_of                   # noqa: E402
from raw import Raw, signed_headers             # noqa: E402
from stack import children_of                   # noqa: E402
from table import Table                         # noqa: E402
from zeros import Copying                       # noqa: E402

CHUNK = bytes(64 * 1024)
# more than sockets take, of which the kernel may allow each 32 MiB: the rest
# has to wait in nginx, if anywhere
UPLOAD = 24 * MIB
RCVBUF = MIB
NGINX_MAX, WORKER_MAX, SLOT_MAX = 30, 64, 4     # MiB
LIMIT = 120                                     # seconds


# ---- nginx

class Upload:
    """A chunk and a half; then it waits until it may go on."""

    def __init__(self, bench, number, may_go_on):
        self.raw = Raw(f"127.0.0.1:{bench.chorus.port}", timeout=LIMIT)
        self.bench = bench
        self.path = f"/bucket/upload-{number}"
        self.may_go_on = may_go_on
        self.is_half = threading.Event()
        self.status = None
        self.is_sent = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        body = Body([CHUNK] * (UPLOAD // len(CHUNK)))
        headers, parts = upload(self.bench.key, self.raw.netloc, self.path,
                                body)
        try:
            self.status = self.raw.call("PUT", self.path, headers,
                                        self.slowly(parts)).status
        finally:
            self.raw.close()

    def slowly(self, parts):
        for number, part in enumerate(parts):
            if number != 4:
                yield part
                continue
            # the second chunk's data
            yield part[:len(part) // 2]
            self.is_half.set()
            assert self.may_go_on.wait(LIMIT)
            yield part[len(part) // 2:]
        self.is_sent = True


def settled(pid, seconds=2):
    """What it has when that does not grow any more."""
    most, since = 0, time.monotonic()
    end = since + LIMIT
    while time.monotonic() < min(since + seconds, end):
        now = memory_of(pid, "VmRSS")
        if now > most:
            most, since = now, time.monotonic()
        time.sleep(0.05)
    return most


def pss_of(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        for line in f:
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    raise AssertionError(f"no Pss of process {pid}")


def idle(bench, count):
    """Connections that are kept, each after a request."""
    kept = []
    for number in range(count):
        raw = Raw(f"127.0.0.1:{bench.chorus.port}")
        path = f"/bucket/idle-{number}"
        headers, _ = signed_headers(bench.key, raw.netloc, "GET", path)
        reply = raw.call("GET", path, headers)
        assert reply.status == 200 and raw.socket, reply
        kept.append(raw)
    return kept


def nginx(bench, table):
    options = bench.options
    (pid,) = children_of(bench.chorus.pid)
    figures = {"begin": memory_of(pid, "VmRSS")}
    kept = idle(bench, options.idle)
    figures["idle"] = settled(pid)

    may_go_on = threading.Event()
    uploads = [Upload(bench, n, may_go_on) for n in range(options.uploads)]
    for u in uploads:
        assert u.is_half.wait(LIMIT)
    figures["slow_clients"] = settled(pid)

    bench.sink.pause()
    may_go_on.set()
    figures["slow_storage"] = settled(pid)
    figures["pss"] = pss_of(pid)
    assert not any(u.is_sent for u in uploads), "the sockets took all"
    bench.sink.resume()
    for u in uploads:
        u.thread.join(LIMIT)
        assert u.status == 200, u.status
    for raw in kept:
        raw.close()

    table.add(f"MiB of nginx: {options.idle} idle, {options.uploads} uploads",
              f"<= {NGINX_MAX}", memory_of(pid) / MIB,
              **{name: n / MIB for name, n in figures.items()})


@contextlib.contextmanager
def proxy(folder, options):
    bench = Bench(folder, options, RCVBUF)
    try:
        bench.start()
        yield bench
    finally:
        bench.end()


# ---- chorus-worker

def worker(folder, options, table):
    limit = WORKER_MAX + SLOT_MAX * options.slots
    with Copying(folder, options.slots) as copying:
        for name, bucket in (("single PUT", "single"), ("in parts", "parts")):
            copying.start_worker()
            begin = time.monotonic()
            pid = copying.worker.pid
            copying.mark(bucket, 2 * options.slots)
            busy = copying.wait_done(bucket)
            assert busy == options.slots, busy
            table.add(f"MiB of chorus-worker: {options.slots} slots, {name}",
                      f"<= {limit}", memory_of(pid) / MIB,
                      seconds=time.monotonic() - begin)
            copying.worker.stop()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--idle", type=int, default=500)
    parser.add_argument("--uploads", type=int, default=100)
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--only", default="nginx,worker")
    parser.add_argument("--json")
    options = parser.parse_args()
    table = Table()
    with guarded("chorus-bench-") as folder:
        if "nginx" in options.only:
            os.mkdir(f"{folder}/nginx")
            with proxy(f"{folder}/nginx", options) as bench:
                nginx(bench, table)
        if "worker" in options.only:
            os.mkdir(f"{folder}/worker")
            worker(f"{folder}/worker", options, table)
    table.save(options.json)


if __name__ == "__main__":
    main()
