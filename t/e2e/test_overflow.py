"""What overflows is owed, and paid by a scan, without a person."""

import os
import signal

import pytest

from load import Load
from process import wait_until
from test_scans import SCANS, Scans


def owes(stack, bucket, reason=None):
    stats = stack.stats(bucket)
    return stats and stats["debt"] and (
        reason is None or stats["debt"]["reason"] == reason)


def test_a_queue_that_overflows_is_paid_by_a_scan(stack, bucket):
    scan = Scans(stack, bucket)
    stack.wait_idle(bucket)
    stack.stop_workers()
    scan.change("limit", 5)
    wire = stack.wire()
    for n in range(30):
        assert wire.put(bucket, f"k{n}", b"x" * n).status == 200
    wait_until(lambda: owes(stack, bucket, "overflow")
               and stack.marks_on_their_way() == 0, 30,
               "it is owed, and Redis has had all marks")
    assert stack.waiting(bucket) <= 5
    assert stack.stats(bucket)["counters"]["dropped"] >= 20
    stack.use_worker(**SCANS)
    wait_until(lambda: not owes(stack, bucket), 60,
               lambda: f"it is paid: {scan.look()}")
    stack.wait_equal(bucket)
    scan.change("limit", 0)


def kill_all(nginx):
    """At once: no process has a word to say about another one."""
    workers = nginx.workers()
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    nginx.kill9()
    for pid in workers:
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def small_journal(stack):
    """nginx with a journal that soon has no more room."""
    stack.more_http = (f"chorus_journal {stack.folder}/journal max_size=64k "
                       "segment_size=16k window=1s;")
    stack.write_nginx()
    stack.nginx.restart()
    yield
    stack.more_http = ""
    stack.write_nginx()
    stack.nginx.restart()


def test_a_journal_that_overflows_is_paid_by_a_scan(stack, bucket,
                                                    small_journal):
    stack.wait_idle(bucket)
    stack.stop_workers()
    stack.redis.pause()
    try:
        with Load(stack.wire, lambda wire, n: wire.put(
                bucket, f"{n:04d}" + "k" * 200, b"%d" % n), 4, 2000) as load:
            def is_full():
                with open(stack.nginx.error_log) as log:
                    return "reached its max_size" in log.read()
            wait_until(is_full, 60, "the journal is full")
            more = load.number + 40
            wait_until(lambda: load.number > more
                       or not any(t.is_alive() for t in load.threads), 60,
                       "writes go on")
        load.join()
        load.check()
        # what it held in memory is gone: the journal has what it had room
        # for, and the rest is owed
        kill_all(stack.nginx)
        stack.nginx.start()
    finally:
        stack.redis.resume()
    wait_until(lambda: owes(stack, bucket), 60,
               lambda: f"a scan is owed: {stack.stats(bucket)}")
    stack.use_worker(**SCANS)
    wait_until(lambda: not owes(stack, bucket), 90,
               lambda: f"it is paid: {Scans(stack, bucket).look()}")
    stack.wait_equal(bucket)
