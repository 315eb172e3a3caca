"""Scans over storages that are made up: how large and how odd a listing may
be, and what is said of a scan while it goes on."""

import json
import re

import pytest

from lister import Bucket, Histories, Lister, Listers, Numbers, by_utf16
from process import wait_until
from stack import IS_ASAN, IS_FULL, SLOTS
from test_scans import SCANS, Scans

KEYS, EVERY = (20000000, 20000) if IS_FULL else (200000, 200)
HOURS = 3600 if IS_FULL else 90
MEMORY = 64 * 1024 * 1024 * (4 if IS_ASAN else 1)
LONG = 100000 if IS_FULL else 20000     # versions of one key
NAMES = ["a b", "a+b", "a%2Fb", "a/b", "ä", "&<>'\"", "k", "\U0001f600"] \
    + [f"d/{i:03d}" for i in range(20)]


def both(main, follower):
    """Two storages with these buckets."""
    return Listers(Lister(main), Lister(follower))


def checks(stack, names):
    """Checks of these buckets, and of nothing else, by one worker."""
    scans = {name: Scans(stack, name) for name in names}
    for scan in scans.values():
        scan.skip()
        assert scan.change("scan_start", "check", "quick", 0) > 0
    return scans


def over(scan):
    found = scan.look()
    return found["state"] in ("ended", "failed") and found


def ends(scans, seconds=90):
    return {name: wait_until(lambda: over(scan), seconds,
                             lambda: f"{name} ends: {scan.look()}")
            for name, scan in scans.items()}


# ---- how storages list

DIALECTS = {
    "plain": {"encodes": False},
    "claims": {"encodes": False, "claims": True},
    "silent": {"says_last": False},
    "inclusive": {"is_inclusive": True},
    "twice": {"repeats": 2},
    "second": {"knows_first": False},
    "empty": {"empties": True},
    "whole": {"page": 1000},
}
REFUSED = {
    "utf16": ({"order": by_utf16}, "UTF-16"),
    "backwards": ({"order": lambda key: [-ord(c) for c in key]},
                  "order of their bytes"),
    "circles": ({"ignores_marker": True}, "never end"),
}


TRUE = {"a+b": "missing", "k": "different", "surplus": "surplus"}


def stores_of(dialect):
    """What differs: one key is missing, one surplus, one another."""
    ours = {name: name.encode() for name in NAMES}
    theirs = dict(ours, surplus=b"s", k=b"other")
    del theirs["a+b"]
    if dialect in REFUSED:
        for side in (ours, theirs):
            side.update({"\ufffd": b"1", "\U0001f600": b"2"})
    more = REFUSED[dialect][0] if dialect in REFUSED else DIALECTS[dialect]
    return (Bucket(ours, **{"page": 10, **more}),
            Bucket(theirs, **{"page": 7, **more}))


def test_storages_list_in_many_ways_and_are_compared_or_refused(stack):
    sides = {}
    for name in [*DIALECTS, *REFUSED]:
        ours, theirs = stores_of(name)
        plain = [Bucket(b.objects, page=9) for b in (ours, theirs)]
        # the follower lists oddly, and main does
        sides[f"mig-{name}-f"] = plain[0], theirs
        sides[f"mig-{name}-m"] = ours, plain[1]

    with both(*({name: pair[i] for name, pair in sides.items()}
                for i in range(2))) as listers:
        scans = checks(stack, sides)
        stack.use_worker(*listers.urls, scans=12, discover_seconds=1)
        found = ends(scans)
        stack.stop_workers()

    for name, scan in found.items():
        dialect = name.split("-")[1]
        if dialect in REFUSED:
            assert scan["state"] == "failed", (name, scan)
            assert REFUSED[dialect][1] in scan["reason"], (name, scan)
            # what stood in front of the disorder
            assert scans[name].differences().items() <= TRUE.items(), name
        else:
            assert scan["state"] == "ended", (name, scan)
            assert scans[name].differences() == TRUE, name
            assert scan["main"] == len(NAMES), (name, scan)


def test_all_pages_of_a_list_of_buckets_are_looked_at(stack):
    names = [f"mig-paged-{n:02d}" for n in range(25)]
    main = Lister({name: Bucket() for name in names}, bucket_page=10)
    follower = Lister({name: Bucket() for name in names})
    with Listers(main, follower) as listers:
        stack.use_worker(*listers.urls, **SCANS)
        wait_until(lambda: all(Scans(stack, name).look().get("kind")
                               == "migrate" for name in names), 90,
                   "all have a scan")
        stack.stop_workers()


# ---- histories

def test_histories_are_compared_without_a_request_for_each(stack, figures):
    counts = {"a": 1, "equal": 12, "fewer": 3, "long": LONG, "missing": 2,
              "z/another": 40, "z/marker": 7}
    theirs = {**counts, "fewer": 2, "surplus": 5}
    del theirs["missing"]
    pair = (Histories(counts, {("z/marker", 7): b"no marker"}),
            Histories(theirs, {("long", LONG // 2): b"other",
                               ("z/another", 1): b"same size"},
                      ids="w"))
    with both({"mig-old": pair[0]}, {"mig-old": pair[1]}) as listers:
        scans = checks(stack, ["mig-old"])
        stack.use_worker(*listers.urls, **SCANS)
        found = ends(scans)["mig-old"]
        memory = stack.worker.memory()
        stack.stop_workers()
    assert scans["mig-old"].differences() == {
        "fewer": "different", "long": "different", "missing": "missing",
        "surplus": "surplus", "z/another": "different",
        "z/marker": "different"}
    assert (found["main"], found["equal"]) == (7, 2), found
    # of this bucket: an earlier test may have left a key to be looked at
    assert not [(method, key) for lister in listers.listers
                for method, name, key in lister.requests if name == "mig-old"]
    assert memory < MEMORY // 2, memory
    figures(f"histories: {LONG} versions of a key twice, and the worker had "
            f"{memory >> 20} MiB")


# ---- large ones

def used_memory(stack):
    return stack.redis.client.info("memory")["used_memory"]


def test_a_large_bucket_is_migrated_in_little_memory(stack, figures):
    main, follower = Numbers(KEYS), Numbers(KEYS, EVERY)
    first = []
    put = follower.put
    follower.put = lambda key, body: (
        first or first.append(main.asked), put(key, body))[1]
    name = "mig-large"
    scan = Scans(stack, name)
    before, most = used_memory(stack), 0
    with both({name: main}, {name: follower}) as listers:
        # a copy has to be done before the second dozen of pages is told
        stack.use_worker(*listers.urls, **SCANS, bulk_max=60)

        def is_done():
            nonlocal most
            most = max(most, used_memory(stack) - before)
            return scan.look().get("phase") == "done"
        wait_until(is_done, HOURS, lambda: f"it ends: {scan.look()}")
        found = scan.look()
        memory = stack.worker.memory()
        stack.stop_workers()

    differing = KEYS // EVERY
    assert (found["main"], found["different"], found["equal"]) == (
        KEYS, differing, KEYS - differing), found
    assert (found["copied"], found["copied_bytes"], found["failed"]) == (
        differing, 12 * differing, 0), found
    assert set(follower.puts) == set(range(0, KEYS, EVERY))
    assert memory < MEMORY, memory
    assert most < 5 * 1024 * 1024, most
    # in pages of main's: of each scanner one is on its way besides
    full = KEYS // 1000 if IS_FULL else 60 * EVERY // 1000 + 10
    assert first[0] <= full, first
    figures(f"{KEYS} keys on each side in {found['took_ms']} ms, "
            f"{found['shards']} shards; first copy after {first[0]} pages; "
            f"worker {memory >> 20} MiB, Redis {most >> 10} KiB")


def test_counters_survive_a_redis_and_a_worker_that_end(stack):
    name = "mig-counters"
    main, follower = Numbers(20000), Numbers(20000, 100)
    scan = Scans(stack, name)
    with both({name: main}, {name: follower}) as listers:
        # one attempt in three fails: they are no objects
        attempts = []
        answer = listers.listers[1].of_object

        def refuse(method, *args):
            attempts.append(method)
            if method == "PUT" and attempts.count("PUT") % 3 == 0:
                return 503, "<Error><Code>SlowDown</Code></Error>", {}
            return answer(method, *args)
        listers.listers[1].of_object = refuse

        config = stack.use_worker(*listers.urls, **SCANS,
                                  bulk_max=20).config
        for n in (10, 80):
            wait_until(lambda: scan.look().get("copied", 0) >= n, 90,
                       lambda: f"{n} are copied: {scan.look()}")
            if n == 10:
                stack.redis.restart()
            else:
                stack.worker.kill9()
                stack.workers.pop(0)
                stack.start_worker(config)
        wait_until(lambda: scan.look()["phase"] == "done", 90,
                   lambda: f"it is done: {scan.look()}")
        found = scan.look()

        # and a clean check, until somebody writes
        before = found["id"]
        ctl = stack.chorusctl("check", "--wait", scan.name, seconds=120,
                              ADMIN_TOKEN_FILE=stack.token_file)
        assert ctl.returncode == 0, ctl.stderr
        assert "done: 20000 keys compared, 20000 equal" in ctl.stdout
        assert re.search(r"verified equal 2\d{3}-", ctl.stdout)
        clean = scan.look()
        scan.change("mark", "event", 0, 0, "k000000000001")
        wait_until(lambda: not scan.stats()["dirty"], 90, "it is synced")
        listing = stack.chorusctl("scans", ADMIN_TOKEN_FILE=stack.token_file)
        stack.stop_workers()

    assert (found["copied"] + found["unchanged"], found["copied_bytes"],
            found["failed"], found["waiting"]) == (
        200, 12 * found["copied"], 0, 0), found
    # copied by the worker that was killed before it could tell
    assert found["unchanged"] <= SLOTS, found
    assert found["different"] == 200 and found["main"] == 20000, found
    assert attempts.count("PUT") > 200
    assert clean["id"] > before and clean["verified"], clean
    after = scan.look()
    assert not after["verified"] and after["verified_ms"], after
    assert "which is older than the last change" in listing.stdout
    assert json.loads(json.dumps(after))["phase"] == "done"


@pytest.mark.parametrize("kind", ["migrate"])
def test_who_waits_hears_of_keys_that_failed(stack, kind):
    name = "mig-refused"
    main, follower = Numbers(50), Numbers(50, 10)
    scan = Scans(stack, name)
    with both({name: main}, {name: follower}) as listers:
        answer = listers.listers[1].of_object
        listers.listers[1].of_object = lambda method, *args: (
            (413, "<Error><Code>EntityTooLarge</Code></Error>", {})
            if method == "PUT" else answer(method, *args))
        scan.skip()
        stack.use_worker(*listers.urls, **SCANS)
        ctl = stack.chorusctl(kind, "--wait", scan.name, seconds=120,
                              ADMIN_TOKEN_FILE=stack.token_file)
        stack.stop_workers()
    assert ctl.returncode == 1, ctl.stdout
    assert "0 copied" in ctl.stdout and "5 failed" in ctl.stdout, ctl.stdout
    assert (scan.look()["phase"], scan.look()["failed"]) == ("done", 5)
