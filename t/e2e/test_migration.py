"""A main that is full on the first day, as it happens: clients go on writing,
workers are killed, somebody pauses it.  In the end all is equal, a second
time costs listings alone, and a check finds what differs and nothing else.

1,000 objects; 10,000 with CHORUS_E2E_FULL=1 (`make nightly`)."""

import os
import random
import re
import signal
import sys
import time

import compare
from load import Load
from operations import ODD, TAGS
from process import Process, wait_until
from stack import IS_FULL, ROOT, answers, free_ports
from test_scans import Scans, appear
from test_writes import PART, multipart
from wire import path_of

OBJECTS = int(os.environ.get("CHORUS_MIGRATION",
                             10_000 if IS_FULL else 1_000))
EVERYTHING = 2000 if IS_FULL else 25     # objects, in all that they have
SETTINGS = {"scans": 2, "discover_seconds": 1,
            "bulk_max": max(100, OBJECTS // 10)}
WORKERS = 3
KILLS = 6 if IS_FULL else 3
SIZES = [0, 1, 17, 300, 4096, 5000, 70_000]
BUCKETS = 3                     # and one that is empty
CHANGED = 7                     # every so many-th key is written to meanwhile
LISTED = 60_000                 # keys of the large bucket that is only listed
LISTED_DIFFERENT = 12


class Place:
    """The buckets of one test, and the keys that are in them on main."""

    def __init__(self, stack, bucket_name):
        self.stack = stack
        self.buckets = [bucket_name("mig") for _ in range(BUCKETS + 1)]
        self.scans = [Scans(stack, b) for b in self.buckets]
        self.seconds = 0

    def name(self, n):
        """Bucket and key of an object: the first bucket has most of them."""
        bucket = self.buckets[0 if n % 5 else n // 5 % BUCKETS]
        odd = ODD[n % len(ODD)] if n % 3 == 0 else "/"
        return bucket, f"{'abc'[n % 3]}{n % 40}{odd}{n:05d}"

    def put(self, wire, n, body=None, more=""):
        """An object, and what it has beside its content."""
        bucket, key = self.name(n)
        headers = {"x-amz-meta-n": f"{n}{more}"}
        if n % 4 == 0:
            headers["x-amz-tagging"] = f"n={n}&of{n % 3}=%2B%20x"
        if n % 6 == 0:
            headers["cache-control"] = f"max-age={n}"
            headers["content-type"] = "text/x-odd; charset=utf-8"
        if n % 11 == 0:
            headers["x-amz-acl"] = "public-read"
        size = SIZES[n % len(SIZES)]
        if body is None:
            body = (f"{n}{more} ".encode() * (size // 4 + 1))[:size]
        return wire.put(bucket, key, body, headers)

    def fill(self):
        for bucket in self.buckets:
            self.stack.main.s3.create_bucket(Bucket=bucket)
        load = Load(self.stack.main.wire,
                    lambda wire, n: self.put(wire, n), 8, OBJECTS)
        for n, sizes in enumerate(([PART, 1], [PART, PART, 300], [17])):
            multipart(self.stack.main.s3, self.buckets[n % BUCKETS],
                      f"film {n}", [os.urandom(size) for size in sizes])
        load.join(600)
        load.check()

    # ---- what clients do meanwhile

    def change(self, wire, n):
        """One request of theirs, through Chorus."""
        self.pause_of_clients()
        number = n % (OBJECTS // CHANGED) * CHANGED
        bucket, key = self.name(number)
        if n % 6 == 0:
            return wire.delete(bucket, key)
        if n % 6 == 1:
            return wire.put(bucket, f"new/{n}", b"new" * (n % 400))
        if n % 6 == 2:
            done = wire.call("PUT", path_of(bucket, key), query="tagging",
                             body=TAGS.encode())
            # it may be one that was deleted
            return done if done.status != 404 else wire.call(
                "GET", path_of(bucket), query="max-keys=1")
        if n % 6 == 3:
            return wire.call("PUT", path_of(bucket, f"new/{n}.copy"), headers={
                "x-amz-copy-source": path_of(self.buckets[0], "film 0")})
        return self.put(wire, number, more=f" again {n}")

    def pause_of_clients(self):
        # a busy bucket, not a test of how much nginx can do
        time.sleep(0.05)

    # ---- how far it is

    def copied(self):
        return sum(scan.look().get("copied", 0) for scan in self.scans)

    def wait_scans(self, seconds=300):
        for scan in self.scans:
            scan.wait(seconds=seconds)

    def wait(self):
        """For those of clients, too, who have come to their end."""
        self.wait_scans()
        for bucket in self.buckets:
            self.stack.wait_idle(bucket, 60)

    def wait_equal(self):
        for bucket in self.buckets:
            compare.wait_equal(self.stack.main, self.stack.follower, bucket,
                               60, EVERYTHING)

    def run(self, kind, depth="quick", surplus=0):
        """What each scan of such a kind has found."""
        before = [scan.look()["id"] for scan in self.scans]
        for scan in self.scans:
            wait_until(lambda: scan.change("scan_start", kind, depth, surplus),
                       30, "a scan starts")
        return [scan.wait(then, 300)
                for scan, then in zip(self.scans, before)]


def total(scans, what):
    return sum(scan[what] for scan in scans)


def pause_in_the_midst(place):
    """Nothing is done then, although clients go on; and nothing gets lost."""
    scan = place.scans[0]
    scan.change("pause")

    def done():
        return (scan.look()["pages"], scan.look()["copied"],
                scan.stats()["counters"]["synced"])

    def rests():
        # what slots had begun comes to its end
        before = done()
        time.sleep(0.5)
        return before == done() and scan.stats()["dirty"]

    wait_until(rests, 60, "it rests, and there is something to do")
    scan.change("resume")


def test_a_full_main_is_migrated_while_all_goes_on(stack, bucket_name,
                                                   figures):
    place, dice = Place(stack, bucket_name), random.Random(OBJECTS)
    stack.stop_workers()
    begin = time.monotonic()
    place.fill()
    filled = time.monotonic() - begin

    begin = time.monotonic()
    config = stack.use_worker(**SETTINGS).config
    for _ in range(WORKERS - 1):
        stack.start_worker(config)
    later = bucket_name("mig-later")
    with Load(stack.wire, place.change, 2) as load:
        for n in range(KILLS):
            step = OBJECTS * (n + 1) // (KILLS + 3)
            wait_until(lambda: place.copied() >= step, 300,
                       f"{step} objects are copied")
            victim = dice.choice(stack.workers)
            victim.stop(signal.SIGKILL)
            stack.workers.remove(victim)
            stack.start_worker(config)
            if n == 1:
                pause_in_the_midst(place)
                appear(stack, later, ["a", "b"])
        place.wait_scans()
        seconds = time.monotonic() - begin
    load.check()

    # it appeared when the others were on their way
    assert Scans(stack, later).wait()["missing"] == 2
    compare.wait_equal(stack.main, stack.follower, later)
    place.wait()
    place.wait_equal()
    figures(f"{OBJECTS} objects in {BUCKETS} buckets filled in {filled:.0f} "
            f"s, migrated in {seconds:.1f} s; {KILLS} workers killed, "
            f"{load.done} requests of clients meanwhile")

    a_second_time_costs_listings_alone(place, config, figures)
    a_check_finds_what_differs_and_nothing_else(place, figures)


# What follows needs a migrated main: parts of the test above.

def a_second_time_costs_listings_alone(place, config, figures):
    stack, asked = place.stack, []

    def note(method, target):
        # of others an earlier test may have left a key to be looked at
        if re.split("[/?]", target)[1] in place.buckets:
            asked.append((method, target))

    # keys of the workers that were killed would be looked at again later
    stack.redis.forget_doubts()
    place.wait()
    stack.stop_workers()
    for server in (stack.faulty_main, stack.faulty_follower):
        server.inject(when=note)        # it never says yes
    stack.use_worker(main=stack.faulty_main.url,
                     follower=stack.faulty_follower.url, **SETTINGS)
    begin = time.monotonic()
    found = place.run("migrate")
    seconds = time.monotonic() - begin
    for server in (stack.faulty_main, stack.faulty_follower):
        server.clear()

    keys = total(found, "main")
    assert total(found, "equal") == keys >= OBJECTS * 4 // 5
    # the bucket itself is looked at, since no listing tells of its settings
    assert total(found, "marked") == len(place.buckets), found
    assert total(found, "copied_bytes") == 0
    of_keys = [a for a in asked if "/" in a[1].partition("?")[0][1:]]
    assert not of_keys, of_keys[:5]
    assert {method for method, _ in asked} <= {"GET", "HEAD"}, asked
    lists = [t for _, t in asked if "max-keys=1000" in t]
    assert len(lists) <= 2 * (keys // 1000 + 4 * len(place.buckets)
                              * SETTINGS["scans"]), len(lists)
    figures(f"the second time: {keys} keys, {len(lists)} listings of "
            f"{len(asked)} requests, none for an object, {seconds:.1f} s")
    stack.stop_workers()
    stack.start_worker(config)


def tamper(place):
    """The follower is made different; {(bucket, key): what}."""
    s3, found = place.stack.follower.s3, {}
    listed = {bucket: compare.listing(place.stack.main, bucket)
              for bucket in place.buckets}
    for kind in range(4):
        for bucket in place.buckets[:BUCKETS]:
            # neither what clients write meanwhile nor what is not UTF-8
            names = sorted(k for k in listed[bucket] if k[:1] in b"abc"
                           and int(k[-5:]) % CHANGED
                           and listed[bucket][k][0] > 0)
            key = names[(kind + 1) * len(names) // 6].decode()
            size = listed[bucket][key.encode()][0]
            if kind == 0:
                key += "+more "
                found[bucket, key] = "surplus"
                s3.put_object(Bucket=bucket, Key=key, Body=b"surplus")
            elif kind == 1:
                found[bucket, key] = "missing"
                s3.delete_object(Bucket=bucket, Key=key)
            else:
                found[bucket, key] = "different"
                s3.put_object(Bucket=bucket, Key=key,
                              Body=b"#" * (size + (kind == 2)))
    return found


def differences(place):
    return {(scan.name.split(":")[1], key): what for scan in place.scans
            for key, what in scan.differences().items()}


def a_check_finds_what_differs_and_nothing_else(place, figures):
    stack, wrong = place.stack, tamper(place)
    with Load(stack.wire, place.change, 2) as load:
        begin = time.monotonic()
        found = place.run("check")
        seconds = time.monotonic() - begin
        assert differences(place) == wrong
        for what in ("missing", "surplus", "different"):
            assert total(found, what) == list(wrong.values()).count(what)
        assert total(found, "marked") == 0
        place.run("repair")
    load.check()
    place.wait()
    surplus = sorted(k for k, what in wrong.items() if what == "surplus")
    left = [line for bucket in place.buckets for line in compare.differences(
        stack.main, stack.follower, bucket, 0)]
    assert [line.split(": main")[0] for line in left] == [
        repr(key.encode()) for bucket in place.buckets
        for b, key in surplus if b == bucket], left
    figures(f"checked in {seconds:.1f} s beside {load.done} requests of "
            f"clients: {len(wrong)} differences, {total(found, 'moving')} "
            "keys in motion")

    place.run("repair", surplus=1)
    place.wait_equal()


# ---- one large bucket, several workers

def pages_of(worker):
    """{shard: pages} that it told Redis of, as its log has them."""
    with open(worker.log, errors="replace") as f:
        shards = re.findall(r"scan: page of shard (\d+)", f.read())
    return {n: shards.count(n) for n in set(shards)}


def test_a_large_bucket_is_shared_by_workers_of_which_some_die(stack,
                                                               figures):
    ports, dice = free_ports(2), random.Random(LISTED)
    lister = Process("lister", [sys.executable, f"{ROOT}/bench/scan_store.py",
                                *map(str, ports), str(LISTED),
                                str(LISTED_DIFFERENT)],
                     f"{stack.folder}/log/lister-shared.log")
    lister.start()
    try:
        wait_until(lambda: all(map(answers, ports)), 20, "it lists")
        stack.stop_workers()
        scan = Scans(stack, "mig-bench")
        scan.skip()
        before = scan.look().get("id", 0)
        wait_until(lambda: scan.change("scan_start", "check", "quick", 0), 20,
                   "a check starts")
        worker = stack.use_worker(*(f"http://127.0.0.1:{p}" for p in ports),
                                  **dict(SETTINGS, scans=1))
        workers = [worker] + [stack.start_worker(worker.config)
                              for _ in range(WORKERS - 1)]
        for n in range(1, 5):
            wait_until(lambda: scan.look()["pages"] > n * 10
                       or scan.has_ended(before), 60, "pages are told")
            victim = dice.choice(stack.workers)
            victim.stop(signal.SIGKILL)
            stack.workers.remove(victim)
            workers.append(stack.start_worker(worker.config))
        found = scan.wait(before)
    finally:
        stack.stop_workers()
        lister.stop(signal.SIGKILL)
        scan.change("scan_stop")

    assert (found["main"], found["follower"], found["equal"],
            found["different"], found["missing"], found["surplus"]) == (
        LISTED, LISTED, LISTED - LISTED_DIFFERENT, LISTED_DIFFERENT, 0, 0), \
        found
    assert len(scan.differences()) == LISTED_DIFFERENT
    shards = [pages_of(w) for w in workers]
    assert sum(bool(s) for s in shards) >= 3, shards
    assert len(set().union(*shards)) == found["shards"] > 1, (shards, found)
    figures(f"{LISTED} keys in {found['took_ms']} ms, {found['shards']} "
            f"shards; pages of each worker: "
            f"{[sum(s.values()) for s in shards]}, 4 killed")
