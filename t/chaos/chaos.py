#!/usr/bin/python3 -B
"""Random writes by many clients while everything breaks; then, healed, main
and follower have to be equal: chaos.py [--seconds N] [--seed TEXT] ...

The seed decides what the clients send and which faults come in which order;
when exactly, the machine decides.  Ends with 0 if nothing differs.  The
history of all requests and faults, the logs and, if there are any, the
differences with the story of each key are left in --keep.
"""

import argparse
import collections
import os
import secrets
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "e2e"))

import versions                                             # noqa: E402
from fault import FaultServer                               # noqa: E402
from guard import guarded                                   # noqa: E402
from history import History, story                          # noqa: E402
from lanes import LEASE, NAMES, Lanes                       # noqa: E402
from logs import Logs                                       # noqa: E402
from stack import ROOT, Stack, redis                        # noqa: E402
from verdict import Verdict, plant                          # noqa: E402
from writers import Keys, Writer                            # noqa: E402

BUCKETS = {"r-chaos-1": "alice", "r-chaos-2": "alice", "r-chaos-3": "alice",
           "c-for-all-chaos": "bob"}
VERSIONED = {"r-chaos-versions": "alice"}
PASSING = ["r-passing-1", "r-passing-2"]
REPEATS = (2, 5)            # of chorus_repeat
RECHECKS = [2, 5]           # of the workers
SETTLED = ("dirty", "bulk", "busy", "again", "retry", "failed", "recheck")
# what an nginx that is killed says by itself
EXPECTED = ("exited on signal 9", "was locked by")


class ChaosStack(Stack):
    def __init__(self, folder, wants_journal):
        super().__init__(folder)
        self.faulty_source = FaultServer(self.main.port)
        self.journal = f"{folder}/journal"
        self.write_proxy_conf()
        self.more_http = "chorus_repeat " + " ".join(
            f"{s}s" for s in REPEATS) + ";"
        self.has_journal = wants_journal and self.takes_journal()

    def write_proxy_conf(self):
        """The one that ships, but a main that is silent is given up soon."""
        with open(self.proxy_conf) as f:
            text = f.read()
        assert text.count(" 300s;") == 2
        self.proxy_conf = f"{self.folder}/chorus_proxy.conf"
        with open(self.proxy_conf, "w") as f:
            f.write(text.replace(" 300s;", " 3s;"))

    def takes_journal(self):
        without = self.more_http
        os.mkdir(self.journal)
        self.more_http += f"\nchorus_journal {self.journal};"
        self.write_nginx()
        done = subprocess.run(self.nginx.command + ["-t"], timeout=60,
                              stdin=subprocess.DEVNULL, text=True,
                              capture_output=True)
        if done.returncode == 0:
            return True
        assert "unknown directive \"chorus_journal\"" in done.stderr, \
            done.stderr
        self.more_http = without
        return False

    def start(self):
        self.redis.start()
        self.write_nginx(main_port=self.faulty_main.port)
        self.nginx.start()
        config = self.write_config("chorus-worker.json", worker={
            "lease_seconds": LEASE, "recheck_seconds": RECHECKS},
            main_url=self.faulty_source.url,
            follower_url=self.faulty_follower.url)
        for _ in range(2):
            self.start_worker(config)

    def end(self):
        super().end()
        self.faulty_source.close()

    def unsettled(self):
        """{replication: {place: keys}} of what waits anywhere."""
        found = {}
        for r in self.redis.replications():
            stats = self.redis.stats(r) or {}
            there = {p: stats[p] for p in SETTLED if stats.get(p)}
            if there:
                found[r] = there
        return found

    def parked(self):
        """What the workers have given up, with the reasons."""
        return {f"{r} {key.decode()!r}": why.decode(errors="replace")
                for r in self.redis.replications()
                for key, why in self.redis.client.hgetall(
                    f"chorus:{{{r}}}:failed").items()}

    def journal_bytes(self):
        return sum(os.path.getsize(f"{self.journal}/{f}")
                   for f in os.listdir(self.journal)) \
            if self.has_journal else 0


class Run:
    def __init__(self, stack, options, history):
        self.stack = stack
        self.options = options
        self.history = history
        self.lanes = Lanes(stack, options.seed, history, options.without,
                           options.pause)
        self.verdict = Verdict(stack.main, stack.follower)
        self.logs = Logs(stack.folder)
        self.problems = []
        self.writers = []

    def whole(self):
        self.make_buckets()
        self.load()
        self.heal()
        self.drain()
        self.judge()
        if not self.verdict.found:
            self.judge_the_judge()
        self.look_around()

    def make_buckets(self):
        for bucket, user in {**BUCKETS, **VERSIONED}.items():
            answer = self.stack.wire(user).call("PUT", f"/{bucket}")
            assert answer.status == 200, answer
        for bucket in VERSIONED:
            versions.set_state(self.stack.s3, bucket, versions.ENABLED)

    def credentials(self, bucket):
        return self.stack.keys[BUCKETS.get(bucket, "alice")]

    def load(self):
        keys = Keys({b: self.credentials(b) for b in BUCKETS}, PASSING,
                    self.options.seed,
                    versioned={b: self.credentials(b) for b in VERSIONED})
        self.writers = [
            Writer(n, self.options.seed, self.stack.nginx.url[7:], keys,
                   self.credentials, self.history, self.options.think)
            for n in range(self.options.clients)]
        self.lanes.run(self.options.seconds, self.nobody_died)

    def nobody_died(self):
        """A process that we did not end is a failure by itself."""
        for p in [self.stack.redis, self.stack.nginx] + self.stack.workers:
            if p.popen is not None and p.popen.poll() not in (None, 0):
                raise AssertionError(f"{p.name} ended with "
                                     f"{p.popen.poll()}: {p.log_end()}")

    def heal(self):
        for writer in self.writers:
            writer.stopped.set()
        time.sleep(1)
        self.history.note("everything heals")
        self.lanes.heal()
        for writer in self.writers:
            try:
                writer.stop()
            except AssertionError as e:
                self.problems.append(str(e))

    def drain(self):
        """Until nothing has waited for longer than the longest repeat."""
        begin = quiet = time.monotonic()
        self.lanes.wait_orphans()
        left = None
        while time.monotonic() - quiet < max(REPEATS) + 4:
            time.sleep(0.3)
            try:
                left = self.stack.unsettled()
            except redis.RedisError as e:
                left = repr(e)
            if left:
                quiet = time.monotonic()
            if quiet - begin > self.options.drain:
                self.problems.append(
                    f"not drained within {self.options.drain} s: {left}, "
                    f"parked: {self.stack.parked()}")
                break
        self.drained = quiet - begin
        self.history.note("the queue is empty")

    def judge(self):
        """What differs has a while to be found and mended; for ever is
        another matter."""
        buckets = {**BUCKETS, **VERSIONED, **dict.fromkeys(PASSING, "alice")}
        first = self.verdict.compare(buckets, VERSIONED)
        if first:
            time.sleep(15)
            self.verdict.compare(buckets, VERSIONED)
            healed = first.keys() - self.verdict.found.keys()
            if healed:
                self.problems.append(f"{len(healed)} keys became equal only "
                                     f"after the queue was empty: "
                                     f"{sorted(healed)[:5]}")
        self.promises, wrong = self.verdict.broken_promises(self.history)
        for pair, content in wrong.items():
            self.verdict.say(*pair, f"main was to hold {content}, has "
                                    f"{self.verdict.on_main.get(pair)}")

    def judge_the_judge(self):
        """Planted differences have to be found, and only these."""
        bucket = next(iter(BUCKETS))
        keys = sorted(k for b, k in self.verdict.on_main if b == bucket)
        planted = plant(self.stack.follower, bucket, keys) \
            | set(map(self.plant_in_history, VERSIONED))
        judge = Verdict(self.stack.main, self.stack.follower)
        found = set(judge.compare({bucket: BUCKETS[bucket]}, VERSIONED))
        self.planted = len(planted & found)
        if found != planted:
            self.problems.append(f"the checker found {sorted(found)} of "
                                 f"{sorted(planted)}")

    def plant_in_history(self, bucket):
        """An old version less, whatever is current."""
        follower = self.stack.follower
        for key in sorted(versions.keys_of(follower, bucket)):
            there = versions.raw(follower, bucket, key)
            if len(there) > 1:
                follower.s3.delete_object(Bucket=bucket, Key=key,
                                          VersionId=there[-1][0])
                return bucket, key
        raise AssertionError("no key has two versions")

    def look_around(self):
        self.problems += self.stack.redis.check()
        self.problems += [f"log: {alarm}"
                          for alarm in self.logs.alarms(EXPECTED)]
        self.end_journal = self.stack.journal_bytes()

    # ---- what is told

    def report(self, say):
        answers, h = self.history.answers, self.history
        outcomes = ["2xx", "4xx", "5xx", "none"]
        say(f"seed {self.options.seed}, {self.options.seconds} s, "
            f"{self.options.clients} clients, journal "
            f"{'on' if self.stack.has_journal else 'off'}, "
            f"{sum(answers.values())} requests, "
            f"{sum(h.faults.values())} faults")
        say(f"{'':14}" + "".join(f"{o:>8}" for o in outcomes))
        for op in sorted({op for op, _ in answers}):
            say(f"{op:14}" + "".join(f"{answers[op, o]:8}"
                                     for o in outcomes))
        say("faults: " + ", ".join(f"{name} {n}" for name, n
                                   in sorted(h.faults.items())))
        say(f"drained in {self.drained:.1f} s; {self.verdict.compared} keys "
            f"compared, and {self.verdict.versions} versions of "
            f"{self.verdict.histories} keys; {self.promises} confirmed writes "
            f"found on main, {getattr(self, 'planted', 0)} planted "
            f"differences found")
        if self.verdict.mislisted:
            say(f"{self.verdict.mislisted} keys equal when read, which only "
                f"one of the stores lists")
        for problem in self.problems:
            say(f"PROBLEM: {problem}")
        say(f"{len(self.verdict.found)} differences")

    def tell_differences(self, path):
        found = self.verdict.found
        stories = story(self.history, found)
        with open(path, "w") as f:
            for (bucket, key), lines in sorted(found.items()):
                f.write(f"{bucket}/{key}\n")
                f.writelines(f"    {line}\n" for line in lines)
                f.writelines(f"      {line}\n"
                             for line in stories[bucket, key])
        places = collections.Counter()
        for lines in stories.values():
            before = {e["fault"] for e in lines if "fault" in e}
            places.update(before or {"no fault near"})
        return places


def options_of(argv):
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("--seconds", type=int, default=480)
    p.add_argument("--seed", default="")
    p.add_argument("--clients", type=int, default=16)
    p.add_argument("--think", type=float, default=0.05,
                   help="mean seconds between two requests of a client")
    p.add_argument("--pause", type=float, default=4.0,
                   help="mean seconds between two faults of a lane")
    p.add_argument("--drain", type=float, default=240,
                   help="seconds for the queue to empty")
    # emptied, Redis owes scans
    p.add_argument("--without", default="redis-flushall",
                   help="faults that do not come, of: " + " ".join(NAMES)
                   + "; all of a kind by its first word")
    p.add_argument("--no-journal", action="store_true")
    p.add_argument("--keep", default=f"{ROOT}/build/chaos")
    options = p.parse_args(argv)
    options.seed = options.seed or secrets.token_hex(4)
    words = options.without.replace(",", " ").split()
    options.without = [n for n in NAMES if n in words
                       or n.split("-")[0] in words]
    return options


def main():
    options = options_of(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(f"chaos: SEED={options.seed} SECONDS={options.seconds}", flush=True)
    os.makedirs(options.keep, exist_ok=True)
    history = History(f"{options.keep}/history-{options.seed}.jsonl")
    logs = f"{options.keep}/log-{options.seed}"
    with guarded("chorus-chaos-", logs) as folder:
        os.chmod(folder, 0o711)
        stack = ChaosStack(folder, not options.no_journal)
        run = Run(stack, options, history)
        try:
            stack.start_stores()
            stack.start()
            run.whole()
        finally:
            run.lanes.kill_orphans()
            stack.end()

    run.report(lambda text: print(text, flush=True))
    if run.verdict.found:
        path = f"{options.keep}/differences-{options.seed}.txt"
        places = run.tell_differences(path)
        print(f"faults near their last writes: {dict(places)}")
        with open(path) as f:
            print("".join(f.readlines()[:60]))
        print(f"all of them: {path}")
    sys.exit(1 if run.verdict.found or run.problems else 0)


if __name__ == "__main__":
    main()
