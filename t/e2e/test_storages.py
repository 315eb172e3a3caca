"""A storage is down or frozen: main's is the client's to know, the
follower's is not, and doubt deletes nothing."""

import time

import compare
from load import Load, SLOWEST, mixed, put_small
from process import wait_until
from wire import path_of


def test_follower_down_during_writes(stack, bucket):
    stack.wire().put(bucket, "source", b"x")
    with Load(stack.wire, mixed(bucket, 60), 4) as load:
        time.sleep(0.5)
        stack.follower.stop_gateway()
        wait_until(lambda: stack.failed_attempts(bucket) > 0, 10, "failures")
        wait_until(lambda: stack.stats(bucket)["lag_ms"] > 1500, 10,
                   "the lag is that of the oldest change")
        stack.follower.start_gateway()
        time.sleep(0.3)
    load.check(SLOWEST)
    stack.wait_equal(bucket, 30)


def test_follower_frozen_for_a_while(stack, bucket):
    stack.wire().put(bucket, "source", b"x")
    stack.follower.pause()
    try:
        load = Load(stack.wire, mixed(bucket, 40), 4, 100)
        load.join()
        load.check(SLOWEST)
        time.sleep(6)           # longer than a lease
    finally:
        stack.follower.resume()
    stack.wait_equal(bucket, 40)


def test_main_down_is_told_to_clients_and_forgotten_after(stack, bucket):
    wire = stack.wire()
    wire.put(bucket, "k", b"x")
    stack.wait_equal(bucket)
    stack.main.stop_gateway()
    for method in ("GET", "PUT", "DELETE"):
        begin = time.monotonic()
        answer = wire.call(method, path_of(bucket, "k"), body=b"")
        assert 500 <= answer.status < 600, answer
        assert time.monotonic() - begin < 15
    stack.main.start_gateway()
    assert wire.get(bucket, "k").body == b"x"
    assert wire.put(bucket, "k", b"y").status == 200
    stack.wait_equal(bucket)


def test_main_down_while_the_worker_has_tasks_deletes_nothing(stack, bucket):
    keys = [f"{n:02d}" for n in range(30)]
    wire = stack.wire()
    for key in keys:
        wire.put(bucket, key, b"old")
    stack.wait_equal(bucket)
    stack.stop_workers()
    for n, key in enumerate(keys):
        if n % 3 == 0:
            wire.delete(bucket, key)
        else:
            wire.put(bucket, key, b"new")

    stack.main.stop_gateway()
    before = stack.failed_attempts(bucket)
    stack.start_worker()
    wait_until(lambda: stack.failed_attempts(bucket) >= before + 10, 15,
               "attempts that fail")
    there = compare.listing(stack.follower, bucket)
    assert {k.decode() for k in there} == set(keys)
    assert stack.follower.wire().get(bucket, "00").body == b"old"

    stack.main.start_gateway()
    stack.wait_equal(bucket, 30)
    assert len(compare.listing(stack.follower, bucket)) == 20


def test_main_frozen_while_the_worker_has_tasks(stack, bucket):
    stack.stop_workers()
    load = Load(stack.wire, put_small(bucket), 4, 40)
    load.join()
    load.check()
    stack.main.pause()
    try:
        stack.start_worker()
        time.sleep(7)           # longer than a lease
    finally:
        stack.main.resume()
    stack.wait_equal(bucket, 40)


def test_a_bucket_that_the_follower_cannot_have_blocks_no_other(
        stack, bucket, bucket_name):
    """It belongs to somebody else there: kept, retried, and told."""
    taken = bucket_name()
    assert stack.follower.wire("bob").call(
        "PUT", path_of(taken)).status == 200
    stack.s3.create_bucket(Bucket=taken)
    for n in range(20):
        stack.wire().put(taken, f"{n}", b"x")
        stack.wire().put(bucket, f"{n}", b"x")
    stack.wait_equal(bucket)
    wait_until(lambda: stack.failed_attempts(taken) > 0, 10, "failures")
    wait_until(lambda: stack.waiting(taken) == 21, 10, "all of them wait")
    # the operator mends it
    assert stack.follower.wire("bob").call(
        "DELETE", path_of(taken)).status == 204
    stack.wait_equal(taken, 30)
