"""Many clients that write at the same time and remember how it went."""

import threading
import time

from wire import path_of

# seconds that a request may take which waits for nobody: a machine that does
# other things, too, is slow, but those who wait for a time-out need 5
SLOWEST = 4.5


class Stalls:
    """How long this machine lets a thread wait that wants to go on."""

    def __enter__(self):
        self.longest, self.ended = 0, False
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()
        return self

    def watch(self):
        while not self.ended:
            before = time.monotonic()
            time.sleep(0.005)
            self.longest = max(self.longest,
                               time.monotonic() - before - 0.005)

    def __exit__(self, *_):
        self.ended = True
        self.thread.join()


class Load:
    """Runs `work(wire, number)` for numbers from 0 in several threads, until
    `count` is reached or stop() is called."""

    def __init__(self, make_wire, work, clients, count=None):
        self.make_wire = make_wire
        self.work = work
        self.count = count
        self.number = 0
        self.done = 0
        self.failures = []
        self.slowest = 0.0
        self.stopped = threading.Event()
        self.lock = threading.Lock()
        self.began = time.monotonic()
        self.stalls = Stalls().__enter__()
        self.threads = [threading.Thread(target=self.run, daemon=True)
                        for _ in range(clients)]
        for t in self.threads:
            t.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def next_number(self):
        with self.lock:
            if self.stopped.is_set() or self.number == self.count:
                return None
            self.number += 1
            return self.number - 1

    def run(self):
        wire = self.make_wire()
        while (n := self.next_number()) is not None:
            begin, failure = time.monotonic(), None
            try:
                answer = self.work(wire, n)
                if answer.status // 100 != 2:
                    failure = f"{n}: {answer.status} {answer.body[:200]!r}"
            except Exception as e:
                failure = f"{n}: {e!r}"
            took = time.monotonic() - begin
            with self.lock:
                self.done += 1
                self.slowest = max(self.slowest, took)
                if failure:
                    self.failures.append(failure)
        wire.close()

    def is_done(self):
        return not any(t.is_alive() for t in self.threads)

    def stop(self):
        self.stopped.set()
        self.join()

    def join(self, seconds=300):
        end = time.monotonic() + seconds
        for t in self.threads:
            t.join(max(0, end - time.monotonic()))
        self.stalls.__exit__()
        assert self.is_done(), "clients hang"
        self.seconds = time.monotonic() - self.began

    def check(self, slowest=None):
        assert not self.failures, \
            f"{len(self.failures)} of {self.done} failed: {self.failures[:5]}"
        if slowest is not None:
            assert self.slowest < slowest + self.stalls.longest, \
                f"a request took {self.slowest:.1f} s, and a thread waited " \
                f"for at most {self.stalls.longest:.1f} s"


def put_small(bucket, keys=1 << 30):
    """Work: small objects, of `keys` names, each of its own content."""
    def work(wire, n):
        return wire.put(bucket, f"small/{n % keys:05d}",
                        f"object {n} ".encode() * (n % 50))
    return work


def mixed(bucket, keys=1 << 30):
    """Work: mostly puts, some deletes and copies.  With few keys later writes
    cover up for earlier ones; with many, a single lost mark shows."""
    def name(n):
        return f"mixed/{n % keys:05d}"

    def work(wire, n):
        if n % 10 == 9:
            return wire.delete(bucket, name(n - 5))
        if n % 10 == 8:
            return wire.call("PUT", path_of(bucket, name(n) + ".copy"),
                             headers={"x-amz-copy-source":
                                      path_of(bucket, "source")})
        return wire.put(bucket, name(n), f"{n} ".encode() * (n % 90),
                        {"x-amz-meta-n": str(n)})
    return work
