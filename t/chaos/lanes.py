"""The faults, in lanes that run at the same time: nginx, Redis, the workers,
the follower, main as nginx sees it, main as the workers see it.

A lane is a generator: it does something, yields the seconds to wait, goes on.
One thread steps them all, because a process that a thread has started dies
with that thread.
"""

import glob
import heapq
import os
import random
import select
import signal
import threading
import time

import fault
from process import wait_until
from stack import answers

LEASE = 5
TRANSACTION = b"*1\r\n$5\r\nMULTI\r\n"


class Orphan:
    """A process that is not our child; safe against another with its id."""

    def __init__(self, pid):
        self.pid = pid
        try:
            self.fd = os.pidfd_open(pid)
        except ProcessLookupError:
            self.fd = None

    def send(self, number):
        if self.fd is None:
            return
        try:
            signal.pidfd_send_signal(self.fd, number)
        except ProcessLookupError:
            pass

    def has_ended(self):
        if self.fd is not None and select.select([self.fd], [], [], 0)[0]:
            os.close(self.fd)
            self.fd = None
        return self.fd is None


def is_change(method, target):
    return method in ("PUT", "POST", "DELETE")


def is_any(method, target):
    return True


class Lanes:
    def __init__(self, stack, seed, history, without=(), pause=4.0):
        self.stack = stack
        self.seed = seed
        self.history = history
        self.without = set(without)
        self.pause = pause
        self.orphans = []
        self.helpers = []
        self.faulty = {"main": stack.faulty_main,
                       "follower": stack.faulty_follower,
                       "source": stack.faulty_source}
        for name, server in self.faulty.items():
            server.random = random.Random(f"{seed}/faulty {name}")

    def run(self, seconds, each=None):
        """Faults for so long; what they broke stays broken."""
        due = []
        for n, name in enumerate(LANES):
            rng = random.Random(f"{self.seed}/{name}")
            lane = self.lane(name, rng)
            heapq.heappush(due, (time.monotonic() + rng.random() * 3, n,
                                 lane))
        end = time.monotonic() + seconds
        while due and (now := time.monotonic()) < end:
            if each:
                each()
            at, n, lane = due[0]
            if at > now:
                time.sleep(min(at - now, end - now, 0.5))
                continue
            heapq.heapreplace(due, (now + next(lane), n, lane))

    def lane(self, name, rng):
        faults = {f: weight for f, weight in LANES[name].items()
                  if self.name_of(name, f) not in self.without}
        while True:
            yield rng.uniform(0.2, 2 * self.pause)
            if not faults:
                continue
            chosen = rng.choices(list(faults), list(faults.values()))[0]
            self.history.fault(self.name_of(name, chosen))
            yield from chosen(self, rng)
            self.history.note(f"over: {self.name_of(name, chosen)}")

    @staticmethod
    def name_of(lane, f):
        words = f.__name__.replace("_", "-")
        return words if words.startswith(lane) else f"{lane}-{words}"

    # ---- nginx

    def kill_worker(self, rng):
        pids = self.stack.nginx.workers()
        if pids:
            Orphan(rng.choice(pids)).send(signal.SIGKILL)
        yield 0

    def kill_workers(self, rng):
        for pid in self.stack.nginx.workers():
            Orphan(pid).send(signal.SIGKILL)
        yield 0

    def kill_master(self, rng):
        """Its processes serve on, until they are killed or told to quit."""
        left = [Orphan(pid) for pid in self.stack.nginx.workers()]
        self.orphans += left
        self.stack.nginx.kill9()
        yield rng.uniform(0, 1.5)
        for orphan in left:
            orphan.send(rng.choice([signal.SIGKILL, signal.SIGQUIT]))
        self.start_nginx()

    def kill_all(self, rng):
        os.killpg(self.stack.nginx.pid, signal.SIGKILL)
        self.stack.nginx.wait()
        yield rng.uniform(0, 2)
        self.start_nginx()

    def reload(self, rng):
        self.stack.nginx.send(signal.SIGHUP)
        yield 0

    def reload_and_kill(self, rng):
        """The old processes, the new ones or some of both."""
        self.stack.nginx.send(signal.SIGHUP)
        yield rng.uniform(0, 0.3)
        for pid in self.stack.nginx.workers():
            if rng.random() < 0.5:
                Orphan(pid).send(signal.SIGKILL)

    def start_nginx(self):
        port = self.stack.nginx.port
        wait_until(lambda: not answers(port), 60, "nobody listens")
        self.stack.nginx.start()

    # ---- Redis

    def redis_kill(self, rng):
        self.stack.redis.kill9()
        yield rng.uniform(0, 2)
        self.stack.redis.start()

    def lose_tail(self, rng):
        """As a machine that loses power does with appendfsync everysec."""
        yield from self.cut_tail(rng, torn=False)

    def torn_tail(self, rng):
        """In the middle of a transaction.  Redis 7.0 skips that when it
        starts, but keeps it in the file in front of what it writes from then
        on, and does a part of it when it starts the next time."""
        yield from self.cut_tail(rng, torn=True)

    def cut_tail(self, rng, torn):
        path = self.append_only_file()
        synced, since = os.path.getsize(path), time.monotonic()
        yield rng.uniform(0.2, 1.0)
        self.stack.redis.kill9()
        if time.monotonic() - since > 5:
            # other lanes took their time: nobody loses more than a window
            synced = os.path.getsize(path)
        with open(path, "rb") as f:
            f.seek(synced)
            tail = f.read()
        end = rng.randint(0, len(tail))
        if not torn:
            end = max(0, tail.rfind(TRANSACTION, 0, end))
        os.truncate(path, synced + end)
        yield rng.uniform(0, 1)
        self.stack.redis.start()

    def append_only_file(self):
        return max(glob.glob(f"{self.stack.folder}/redis/appendonlydir/"
                             "*.incr.aof"), key=os.path.getmtime)

    def away(self, rng):
        self.stack.redis.stop()
        yield rng.uniform(3, 8)
        self.stack.redis.start()

    def hangs(self, rng):
        self.stack.redis.pause()
        yield rng.uniform(1, 6)
        self.stack.redis.resume()

    def flushall(self, rng):
        self.stack.redis.client.flushall()
        yield 0

    # ---- workers

    def worker_kill(self, rng):
        worker = rng.choice(self.stack.workers)
        worker.kill9()
        yield rng.uniform(0, 3)
        worker.start()

    def sleep(self, rng):
        """For longer than a lease, as far as the worker knows: no time."""
        worker = rng.choice(self.stack.workers)
        worker.pause()
        yield rng.uniform(LEASE + 1, LEASE + 4)
        worker.resume()

    def term(self, rng):
        worker = rng.choice(self.stack.workers)
        worker.send(signal.SIGTERM)
        while worker.is_running():
            yield 0.2
        worker.start()

    # ---- the follower

    def down(self, rng):
        self.faulty["follower"].inject(drop=True)
        yield rng.uniform(2, 8)
        self.faulty["follower"].clear()

    def restarts(self, rng):
        """Takes seconds, so another thread sees to it."""
        def restart():
            self.stack.follower.stop_gateway()
            self.stack.follower.start_gateway()
        helper = threading.Thread(target=restart)
        self.helpers.append(helper)
        helper.start()
        while helper.is_alive():
            yield 0.3

    def freezes(self, rng):
        self.stack.follower.pause()
        yield rng.uniform(2, 6)
        self.stack.follower.resume()

    # ---- a store through its proxy, which breaks some of the requests

    def some(self, rng, name, when=is_change, **fields):
        self.faulty[name].inject(when=when, chance=rng.uniform(0.1, 0.5),
                                 **fields)
        yield rng.uniform(1, 5)
        self.faulty[name].clear()

    def follower_500_applied(self, rng):
        yield from self.some(rng, "follower", answer=fault.INTERNAL,
                             applied=True)

    def follower_drops_applied(self, rng):
        yield from self.some(rng, "follower", drop=True, applied=True)

    def follower_applies_late(self, rng):
        """The worker sees a lost connection; a second later the follower
        stores what it was sent then."""
        yield from self.some(rng, "follower", drop=True,
                             delay=rng.uniform(0.3, 1.5))

    def main_500_applied(self, rng):
        yield from self.some(rng, "main", answer=fault.INTERNAL,
                             applied=True)

    def main_drops_applied(self, rng):
        yield from self.some(rng, "main", drop=True, applied=True)

    def main_silent_applied(self, rng):
        yield from self.some(rng, "main", hang=True, applied=True)

    def main_applies_late(self, rng):
        yield from self.some(rng, "main", drop=True,
                             delay=rng.uniform(0.3, 1.5))

    def main_slow(self, rng):
        yield from self.some(rng, "main", delay=rng.uniform(0.1, 1.5))

    def main_refuses(self, rng):
        yield from self.some(rng, "main", answer=fault.SLOW_DOWN)

    def source_fails(self, rng):
        yield from self.some(rng, "source", is_any, answer=rng.choice([
            fault.INTERNAL, fault.SLOW_DOWN, fault.DENIED, fault.NOT_HERE,
            fault.EMPTY_404, fault.REDIRECT]))

    def source_drops(self, rng):
        yield from self.some(rng, "source", is_any, drop=True,
                             applied=rng.random() < 0.5)

    def source_cuts(self, rng):
        yield from self.some(rng, "source", is_any,
                             truncate=rng.randrange(1, 20_000))

    def source_slow(self, rng):
        yield from self.some(rng, "source", is_any,
                             delay=rng.uniform(0.1, 2))

    # ---- the end

    def heal(self):
        """Everything runs and nothing is wrong."""
        stack = self.stack
        for server in self.faulty.values():
            server.clear()
        for helper in self.helpers:
            helper.join(120)
            assert not helper.is_alive(), "the follower does not restart"
        stack.main.restore()
        stack.follower.restore()
        for process in [stack.redis, stack.nginx] + stack.workers:
            if process.is_paused and process.is_running():
                process.resume()
        if not stack.redis.is_running():
            stack.redis.start()
        for worker in stack.workers:
            if not worker.is_running():
                worker.start()
        if not stack.nginx.is_running():
            for orphan in self.orphans:
                orphan.send(signal.SIGQUIT)
            self.start_nginx()

    def wait_orphans(self, seconds=40):
        """Those told to quit have delivered what they had."""
        wait_until(lambda: all(o.has_ended() for o in self.orphans), seconds,
                   "nginx processes that were told to quit have ended")

    def kill_orphans(self):
        for orphan in self.orphans:
            orphan.send(signal.SIGKILL)


# each lane's faults and how often each comes
LANES = {
    "nginx": {Lanes.kill_worker: 4, Lanes.kill_workers: 2,
              Lanes.kill_master: 2, Lanes.kill_all: 3, Lanes.reload: 2,
              Lanes.reload_and_kill: 2},
    "redis": {Lanes.redis_kill: 3, Lanes.lose_tail: 3, Lanes.torn_tail: 1,
              Lanes.away: 2, Lanes.hangs: 2, Lanes.flushall: 1},
    "worker": {Lanes.worker_kill: 4, Lanes.sleep: 3, Lanes.term: 2},
    "follower": {Lanes.down: 3, Lanes.restarts: 1, Lanes.freezes: 2,
                 Lanes.follower_500_applied: 2,
                 Lanes.follower_drops_applied: 2,
                 Lanes.follower_applies_late: 2},
    "main": {Lanes.main_500_applied: 3, Lanes.main_drops_applied: 3,
             Lanes.main_silent_applied: 1, Lanes.main_applies_late: 3,
             Lanes.main_slow: 2, Lanes.main_refuses: 1},
    "source": {Lanes.source_fails: 3, Lanes.source_drops: 2,
               Lanes.source_cuts: 2, Lanes.source_slow: 2},
}
NAMES = [Lanes.name_of(lane, f) for lane in LANES for f in LANES[lane]]
