"""Workers that die, end and share the queue."""

import glob
import json
import os
import re
import signal
import time

import pytest

import compare
import fault
from load import Load, put_small
from process import wait_until
from stack import IS_ASAN, IS_FULL, ROOT

MIB = 1 << 20


def slow_copy(stack, bucket, mib, **settings):
    """A worker in the middle of copying one large object, and of nothing
    else: the bucket is there."""
    stack.wait_idle(bucket)
    stack.stop_workers()
    stack.wire(timeout=60).put(bucket, "large", os.urandom(mib * MIB))
    stack.faulty_main.inject(
        when=lambda method, target: method == "GET" and "/large" in target,
        bytes_per_second=10 * MIB)
    worker = stack.use_worker(main=stack.faulty_main.url, **settings)
    wait_until(lambda: stack.faulty_main.sent_bytes > 10 * MIB, 15,
               "the copy is on its way")
    assert stack.stats(bucket)["busy"] == 1
    assert not (compare.listing(stack.follower, bucket) or {})
    return worker


def test_kill9_in_mid_copy_another_worker_takes_over(stack, bucket, figures):
    worker = slow_copy(stack, bucket, 200)
    worker.kill9()
    begin = time.monotonic()
    stack.start_worker()
    wait_until(lambda: stack.stats(bucket)["counters"]["expired"] == 1, 8,
               "the lease of 5 s ends")
    took = stack.wait_equal(bucket, 30)
    figures(f"200 MiB: equal {time.monotonic() - begin:.1f} s after kill -9 "
            f"with a lease of 5 s ({took:.1f} s of them copying)")
    assert stack.stats(bucket)["counters"]["synced"] >= 1


def test_terminated_worker_gives_its_work_back_at_once(stack, bucket):
    """With leases of an hour, only a release lets another one go on."""
    worker = slow_copy(stack, bucket, 60, lease_seconds=3600,
                       grace_seconds=1)
    other = stack.start_worker()
    begin = time.monotonic()
    assert worker.stop() == 0
    assert time.monotonic() - begin < 20 * (3 if IS_ASAN else 1)
    stack.wait_equal(bucket, 10)
    assert other.is_running()
    assert stack.stats(bucket)["counters"]["expired"] == 0


def test_terminated_worker_finishes_what_is_nearly_done(stack, bucket):
    stack.stop_workers()
    load = Load(stack.wire, put_small(bucket), 8, 200)
    load.join()
    load.check()
    worker = stack.start_worker()
    wait_until(lambda: " slots" in open(worker.log).read(), 10,
               "it hears signals")
    time.sleep(0.05)
    assert worker.stop() == 0
    s = stack.stats(bucket)
    assert s["busy"] == 0 and s["counters"]["expired"] == 0
    assert s["counters"]["failed_attempts"] == 0, s
    stack.start_worker()
    stack.wait_equal(bucket)


def test_a_lease_is_renewed_while_a_long_copy_runs(stack, bucket):
    """Nobody else takes a copy that takes longer than its lease."""
    slow_copy(stack, bucket, 75, lease_seconds=5)
    before = stack.stats(bucket)["counters"]
    stack.start_worker()
    stack.wait_equal(bucket, 20)
    stack.wait_idle(bucket)
    after = stack.stats(bucket)["counters"]
    assert after["synced"] == before["synced"] + 1
    assert after["claimed"] == before["claimed"], "one worker did it all"
    assert after["expired"] == after["failed_attempts"] == 0


def readers(stack):
    """How many workers follow the policy: they are connected to Redis."""
    rows = json.loads(stack.api("/api/v1/readers", stack.token)[2])
    return sum(row["kind"] == "worker" for row in rows["readers"])


def test_several_workers_share_the_queue(stack, bucket):
    stack.stop_workers()
    load = Load(stack.wire, put_small(bucket), 8, 400)
    load.join()
    load.check()
    # nobody begins before all are there
    places = (f"chorus:{{alice:{bucket}:follower}}", "chorus:schedule",
              "chorus:replications")
    stack.redis.call("pause", 3, *places)
    workers = [stack.start_worker() for _ in range(3)]
    wait_until(lambda: readers(stack) == 3, 20, "three workers")
    stack.redis.call("resume", 3, *places)
    stack.wait_equal(bucket, 30)
    shares = []
    for worker in workers:
        with open(worker.log) as f:
            shares.append(sum(f"bucket={bucket}" in line and " synced " in line
                              for line in f))
    # the bucket itself may have been done before they came
    assert sum(shares) in (400, 401), shares
    assert min(shares) > 20, shares
    assert stack.stats(bucket)["counters"]["synced"] == 401


def test_kill9_of_a_worker_every_2_seconds_under_load(stack, bucket, figures):
    count = 10_000 if IS_FULL else 1_200
    stack.start_worker()
    begin = time.monotonic()
    load = Load(stack.wire, put_small(bucket), 16, count)
    kills = 0
    while not load.is_done():
        time.sleep(2 if IS_FULL or kills else 1)
        victim = stack.workers.pop(0)
        victim.kill9()
        stack.start_worker()
        kills += 1
    load.join()
    load.check()
    stack.workers.pop(0).kill9()
    stack.start_worker()
    wait_until(lambda: stack.waiting(bucket) == 0, 60 * (3 if IS_ASAN else 1),
               lambda: f"all is settled: {stack.stats(bucket)}")
    took = time.monotonic() - begin
    stack.wait_equal(bucket, 10)
    assert len(compare.listing(stack.follower, bucket)) == count
    figures(f"{count} objects by 16 clients in {load.seconds:.1f} s "
            f"({count / load.seconds:.0f}/s, slowest {load.slowest:.2f} s), "
            f"{kills + 1} workers killed; settled after {took:.1f} s")


def test_hup_reads_the_configuration_again(stack, bucket):
    """What nobody could do without the new follower address is done."""
    config = stack.write_config("chorus-hup.json",
                                follower_url="http://127.0.0.1:9")
    stack.stop_workers()
    worker = stack.start_worker(config)
    stack.wire().put(bucket, "k", b"x")
    wait_until(lambda: stack.failed_attempts(bucket) > 0, 10, "it fails")
    stack.write_config("chorus-hup.json")
    worker.send(signal.SIGHUP)
    stack.wait_equal(bucket)
    # a broken one is refused, the one there was stays
    with open(config, "w") as f:
        f.write("{ broken")
    worker.send(signal.SIGHUP)
    stack.wire().put(bucket, "k2", b"x")
    stack.wait_equal(bucket)
    assert worker.is_running()


def test_a_slow_follower_request_does_not_outlive_its_lease(stack, bucket):
    """A worker that lost its lease must not write over its successor."""
    wire = stack.wire()
    wire.put(bucket, "k", b"old")
    stack.wait_equal(bucket)
    stack.stop_workers()
    wire.put(bucket, "k", b"stale")
    # the first worker's PUT is held back, and so is the worker
    stack.faulty_follower.inject(
        when=lambda m, t: m == "PUT" and "/k" in t, hang=True, times=1)
    first = stack.use_worker(follower=stack.faulty_follower.url)
    wait_until(lambda: stack.faulty_follower.fault.hits == 1, 10, "its PUT")
    first.pause()
    wire.put(bucket, "k", b"newest")
    stack.start_worker()
    wait_until(lambda: stack.follower.wire().get(bucket, "k").body
               == b"newest", 15, "the successor's copy")
    first.resume()
    time.sleep(1.5)
    stack.faulty_follower.clear()
    stack.wait_equal(bucket)
    assert stack.follower.wire().get(bucket, "k").body == b"newest"


def of_k(bucket, method):
    """Requests for the object k itself.  Of this bucket: a key that an
    earlier test left in doubt is written again in between."""
    return lambda m, t: m == method and t == f"/{bucket}/k"


def body_of_k(stack, bucket):
    return stack.follower.wire().get(bucket, "k").body


def stale_write(stack, bucket, **settings):
    """Main has "stale" at k; the worker that is going to write it to the
    follower reaches that through a proxy."""
    stack.wire().put(bucket, "k", b"old")
    stack.wait_equal(bucket)
    stack.stop_workers()
    stack.wire().put(bucket, "k", b"stale")
    return dict(follower=stack.faulty_follower.url, **settings)


def test_a_follower_that_carries_out_late_what_it_was_sent(stack, bucket):
    """The connection is lost, the worker writes what is newer, and then the
    follower does what it was sent first: nobody marks that."""
    settings = stale_write(stack, bucket, recheck_seconds=[1, 10])
    f = stack.faulty_follower.inject(when=of_k(bucket, "PUT"), times=1,
                                     drop=True, held=True)
    stack.use_worker(**settings)
    wait_until(lambda: f.hits == 1, 10, "its PUT")
    stack.wire().put(bucket, "k", b"newest")
    wait_until(lambda: body_of_k(stack, bucket) == b"newest", 4,
               "the next one is done")
    stack.wait_idle(bucket, 4)
    assert stack.stats(bucket)["recheck"] > 0
    assert stack.stats(bucket)["lag_ms"] == 0
    f.release()
    wait_until(lambda: f.done == 1, 8, "the first one is done after it")
    wait_until(lambda: body_of_k(stack, bucket) == b"newest", 12,
               "it is found")
    wait_until(lambda: stack.stats(bucket)["recheck"] == 0, 15, "no doubts")
    stack.wait_equal(bucket)


def test_a_follower_that_carries_out_late_what_has_been_deleted(stack,
                                                                bucket):
    settings = stale_write(stack, bucket, recheck_seconds=[10])
    f = stack.faulty_follower.inject(when=of_k(bucket, "PUT"), times=1,
                                     drop=True, held=True)
    stack.use_worker(**settings)
    wait_until(lambda: f.hits == 1, 10, "its PUT")
    stack.wire().delete(bucket, "k")
    wait_until(lambda: not compare.listing(stack.follower, bucket), 3,
               "it is deleted")
    stack.wait_idle(bucket)
    f.release()
    wait_until(lambda: f.done == 1, 8, "it is back")
    stack.wait_equal(bucket)


def test_a_worker_that_is_killed_with_a_request_on_its_way(stack, bucket):
    """It sleeps for longer than its lease, wakes up, and is killed before
    it can tell; its PUT arrives after its successor's."""
    settings = stale_write(stack, bucket, recheck_seconds=[10])
    f = stack.faulty_follower.inject(when=of_k(bucket, "PUT"), times=1,
                                     held=True)
    first = stack.use_worker(**settings)
    wait_until(lambda: f.hits == 1, 10, "its PUT")
    first.pause()
    stack.wire().put(bucket, "k", b"newest")
    stack.start_worker(first.config)
    wait_until(lambda: body_of_k(stack, bucket) == b"newest", 10,
               "its successor's is done")
    os.kill(first.pid, signal.SIGCONT)
    first.kill9()
    stack.workers.remove(first)
    stack.wait_idle(bucket, 4)
    f.release()
    wait_until(lambda: f.done == 1, 12, "its own is done after it")
    wait_until(lambda: body_of_k(stack, bucket) == b"newest", 15,
               "it is found")
    stack.wait_equal(bucket)


# name: what happens to the PUT, and whether it may still be done later
DOUBTS = {
    "lost": (dict(drop=True, applied=True), True),
    "500": (dict(answer=fault.INTERNAL), True),
    "504-of-a-gateway": (dict(answer=(504, b"<html></html>", "text/html")),
                         True),
    "200-error-body": (dict(answer=(
        200, b"<Error><Code>InternalError</Code></Error>",
        "application/xml")), True),
    "403": (dict(answer=fault.DENIED), False),
    "redirect": (dict(answer=fault.REDIRECT), False),
}


@pytest.mark.parametrize("name", DOUBTS)
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_what_is_doubted(stack, bucket, name, method):
    fields, is_doubted = DOUBTS[name]
    settings = stale_write(stack, bucket, recheck_seconds=[3600])
    if method == "DELETE":
        stack.wire().delete(bucket, "k")
    f = stack.faulty_follower.inject(when=of_k(bucket, method), times=1,
                                     **fields)
    stack.use_worker(**settings)
    wait_until(lambda: f.hits == 1, 10, f"its {method}")
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    assert stack.stats(bucket)["recheck"] == (1 if is_doubted else 0), \
        stack.worker.log_end()


def test_a_kept_connection_that_ends_under_a_request(stack, bucket):
    """Whether libcurl sends it again by itself or the worker does: the
    answer to the second is not that to the first."""
    settings = stale_write(stack, bucket, recheck_seconds=[3600],
                           concurrency=1)
    stack.use_worker(**settings)
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    f = stack.faulty_follower.inject(when=of_k(bucket, "PUT"), times=1,
                                     drop=True, applied=True)
    stack.wire().put(bucket, "k", b"new, on the connection that was kept")
    wait_until(lambda: f.hits == 1, 10, "its PUT")
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    assert stack.stats(bucket)["recheck"] == 1, stack.worker.log_end()


def test_what_was_not_sent_is_not_doubted(stack, bucket):
    """Nobody listens, and a body that main cuts short."""
    stale_write(stack, bucket)
    stack.use_worker(follower="http://127.0.0.1:9", recheck_seconds=[3600])
    wait_until(lambda: stack.failed_attempts(bucket) > 0, 10, "it fails")
    stack.stop_workers()
    stack.wire().put(bucket, "k", os.urandom(3 * MIB))
    before = stack.failed_attempts(bucket)
    f = stack.faulty_main.inject(when=of_k(bucket, "GET"),
                                 truncate=2 * MIB, times=3)
    stack.use_worker(main=stack.faulty_main.url, recheck_seconds=[3600])
    wait_until(lambda: f.hits == 3, 10, "it is cut")
    stack.wait_equal(bucket)
    assert stack.failed_attempts(bucket) >= before + 3
    stack.wait_idle(bucket)
    assert stack.stats(bucket)["recheck"] == 0


def test_a_doubt_that_redis_has_forgotten_is_told_again(stack, bucket):
    """Claim, doubt and all: a Redis that lost its last second."""
    settings = stale_write(stack, bucket, recheck_seconds=[3600])
    r = f"alice:{bucket}:follower"
    f = stack.faulty_follower.inject(when=of_k(bucket, "PUT"), times=1,
                                     drop=True, applied=True)
    stack.use_worker(**settings)
    wait_until(lambda: f.hits == 1, 10, "its PUT")
    stack.wait_idle(bucket)
    assert stack.stats(bucket)["recheck"] == 1, stack.worker.log_end()
    stack.redis.client.delete(f"chorus:{{{r}}}:recheck")
    time.sleep(1.5)
    stack.redis.kill9()
    stack.redis.start()
    wait_until(lambda: stack.stats(bucket)["recheck"] == 1, 15,
               "it is known again")


def test_doubts_are_told_again_once(stack, bucket):
    """However many calls it takes until that Redis is healed."""
    settings = stale_write(stack, bucket, recheck_seconds=[3600])
    f = stack.faulty_follower.inject(when=of_k(bucket, "PUT"), times=1,
                                     drop=True, applied=True)
    stack.use_worker(**settings)
    wait_until(lambda: f.hits == 1, 10, "its PUT")
    stack.wait_idle(bucket)
    library = the_library()
    slow = library.replace(
        "function heal(keys, a)\n",
        "function heal(keys, a)\n"
        "    if call('INCR', 'heals') < 5 then return { 0, {} } end\n")
    slow = slow.replace("local function doubt(r, a)\n",
                        "local function doubt(r, a)\n"
                        "    call('INCR', 'doubts')\n")
    client = stack.redis.client
    client.function_load(slow, replace=True)
    try:
        time.sleep(1.5)
        stack.redis.kill9()
        stack.redis.start()
        wait_until(lambda: int(client.get("heals") or 0) >= 5, 15,
                   "it is healed")
        assert int(client.get("doubts")) == 1
    finally:
        client.delete("heals", "doubts")
        client.function_load(library, replace=True)


def test_half_a_transition_is_healed_when_redis_is_back(stack, bucket):
    """A key that is busy without a lease would be so for ever.  The proxy
    knows nothing of it, since it would mark it again."""
    stack.wire().put(bucket, "k", b"old")
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    stack.stop_workers()
    r = f"alice:{bucket}:follower"
    client = stack.redis.client
    stack.main.wire().put(bucket, "half", b"new")
    stack.redis.call("mark", 3, f"chorus:{{{r}}}", "chorus:schedule",
                     "chorus:replications", "event", 0, 0, "half")
    client.zrem(f"chorus:{{{r}}}:dirty", "half")
    client.hset(f"chorus:{{{r}}}:busy", "half", "1 7 nobody")
    client.zrem("chorus:schedule", r)
    time.sleep(1.5)
    stack.redis.kill9()
    stack.redis.start()
    worker = stack.start_worker()
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    assert stack.redis.check() == []
    assert log_has(worker, f"healed {r} half: busy without lease")


def test_a_result_that_redis_refuses_becomes_a_mark(stack, bucket):
    """Not dropped: another worker may have been done before its writes."""
    stack.wire().put(bucket, "k", b"old")
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    library = the_library()
    broken = library.replace(
        "local function done(r, a)\n",
        "local function done(r, a)\n    error('not today')\n")
    assert broken != library
    load = stack.redis.client.function_load
    load(broken, replace=True)
    try:
        stack.wire().put(bucket, "k", b"new")
        wait_until(lambda: log_has(stack.worker, "refuses the result"), 20,
                   "it is given up")
    finally:
        load(library, replace=True)
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)


def test_a_redis_that_refuses_in_the_middle_of_a_round(stack, bucket):
    """The connection is given up then, and what comes next in the round finds
    none."""
    library, worker = the_library(), stack.worker
    broken = library.replace(
        "local function news(keys)\n",
        "local function news(keys)\n"
        "    error({ err = 'MASTERDOWN just now' })\n")
    assert broken != library
    load = stack.redis.client.function_load
    load(broken, replace=True)
    try:
        wait_until(lambda: log_has(worker, "MASTERDOWN just now"), 20,
                   "it is refused")
        stack.wire().put(bucket, "k", b"new")
        stack.wait_equal(bucket)
    finally:
        load(library, replace=True)
    stack.wait_idle(bucket)
    assert worker.is_running()


def test_an_older_library_under_a_worker_is_replaced(stack, bucket):
    """FUNCTION FLUSH, and an older proxy was the first to come by."""
    library = the_library()
    older = re.sub(r"local VERSION = \d+", "local VERSION = 1", library)
    older = older.replace(
        "local function done_read(a)\n",
        "local function done_read(a)\n    args_reject(a, 'x', 'of old', '')\n")
    stack.redis.client.function_load(older, replace=True)
    assert stack.redis.call("version", 0) == 1
    stack.wire().put(bucket, "k", b"new")
    wait_until(lambda: stack.redis.call("version", 0) > 1, 10,
               "the worker notices")
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)


def log_has(worker, text):
    with open(worker.log) as f:
        return any(text in line for line in f)


def the_library():
    """As the programs carry it: its files in a row."""
    text = ""
    for path in sorted(glob.glob(f"{ROOT}/shared/lua/*.lua")):
        with open(path) as f:
            text += f.read()
    return text
