"""Redis is away, slow or restarted: clients never notice, nothing is lost."""

import time

from load import Load, SLOWEST, mixed, put_small
from process import wait_until


def test_redis_away_when_nginx_and_worker_start(stack, bucket):
    stack.stop_workers()
    stack.nginx.stop()
    stack.redis.stop()
    stack.nginx.start()
    stack.start_worker()
    load = Load(stack.wire, put_small(bucket), 2, 30)
    load.join()
    load.check(SLOWEST)
    time.sleep(1)
    assert stack.worker.is_running(), "the worker waits for Redis"
    stack.redis.start()
    stack.wait_equal(bucket, 30)


def test_redis_restarted_during_writes(stack, bucket):
    stack.wire().put(bucket, "source", b"x")
    with Load(stack.wire, mixed(bucket), 4) as load:
        for stop in (stack.redis.stop, stack.redis.kill9):
            time.sleep(0.7)
            stop()
            time.sleep(1.2)
            stack.redis.start()
        time.sleep(0.5)
        wait_until(lambda: load.done > 100, 30, "many writes")
    load.check(SLOWEST)
    stack.wait_equal(bucket, 30)


def test_redis_paused_during_writes(stack, bucket):
    stack.wire().put(bucket, "source", b"x")
    with Load(stack.wire, mixed(bucket), 4) as load:
        time.sleep(0.5)
        stack.redis.pause()
        time.sleep(4)
        stack.redis.resume()
        time.sleep(0.5)
    load.check(SLOWEST)
    stack.wait_equal(bucket, 30)


def test_redis_killed_with_marks_on_their_way(stack, bucket):
    """Sent, not acknowledged, and never read by the one that was killed."""
    stack.wire().put(bucket, "k", b"x")
    stack.wait_equal(bucket)
    stack.redis.pause()
    load = Load(stack.wire, put_small(bucket), 4, 60)
    load.join()
    load.check(SLOWEST)
    time.sleep(0.3)
    stack.redis.kill9()
    stack.redis.start()
    stack.wait_equal(bucket)


def test_redis_loses_the_function_library(stack, bucket):
    stack.wire().put(bucket, "a", b"x")
    stack.wait_equal(bucket)
    stack.redis.client.execute_command("FUNCTION", "FLUSH")
    stack.wire().put(bucket, "b", b"x")
    stack.wait_equal(bucket)


def test_redis_without_memory_refuses_marks_and_they_wait(stack, bucket):
    stack.wire().put(bucket, "a", b"x")
    stack.wait_equal(bucket)
    client = stack.redis.client
    client.config_set("maxmemory", "1mb")
    try:
        load = Load(stack.wire, put_small(bucket), 2, 30)
        load.join()
        load.check(SLOWEST)
    finally:
        client.config_set("maxmemory", "0")
    stack.wait_equal(bucket)


def test_reads_go_on_without_redis(stack, bucket):
    wire = stack.wire()
    wire.put(bucket, "k", b"x")
    stack.wait_equal(bucket)
    stack.redis.pause()
    try:
        begin = time.monotonic()
        for _ in range(50):
            assert wire.get(bucket, "k").body == b"x"
        assert time.monotonic() - begin < 20
    finally:
        stack.redis.resume()


def test_status_says_that_redis_is_away(stack):
    stack.redis.stop()
    status, _, body = stack.api("/api/v1/status", stack.token)
    stack.redis.start()
    assert status == 503 and b"redis_unavailable" in body


def test_connections_to_redis_do_not_leak(stack, bucket):
    """Descriptors of nginx's processes after ten restarts of Redis."""
    import os

    def descriptors():
        found = 0
        for pid in stack.nginx.workers():
            try:
                found += len(os.listdir(f"/proc/{pid}/fd"))
            except (FileNotFoundError, ProcessLookupError):
                assert pid not in stack.nginx.workers()     # it has ended
        return found
    wire = stack.wire()
    wire.put(bucket, "k", b"x")
    before = descriptors()
    for n in range(10):
        stack.redis.restart()
        wire.put(bucket, "k", b"%d" % n)
        time.sleep(0.15)
    stack.wait_equal(bucket)
    wait_until(lambda: descriptors() <= before + 8, 10, "as many as before")


def test_a_redis_with_snapshots_alone_is_told_of(stack):
    """As Debian ships it: a restart forgets more than anybody remembers."""
    words = "no append-only file"
    assert words not in open(stack.worker.log).read()
    stack.redis.client.config_set("appendonly", "no")
    try:
        worker = stack.start_worker()
        wait_until(lambda: words in open(worker.log).read(), 10, words)
    finally:
        stack.redis.client.config_set("appendonly", "yes")
