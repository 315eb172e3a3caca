"""Flow control: limits that all workers keep together, and a follower in
trouble that takes nothing from another one."""

import bisect
import json
import time

import pytest

import fault
from load import Load, Stalls
from process import wait_until

KEYS = 60
LIMIT = 40


def fullest_second(times):
    times = sorted(times)
    return max(bisect.bisect_left(times, at + 1) - i
               for i, at in enumerate(times))


def fill(stack, bucket, n, size=10):
    load = Load(stack.wire, lambda wire, i: wire.put(bucket, f"k/{i:04}",
                                                     b"x" * size), 4, n)
    load.join()
    load.check()


def has_line(stack, *words):
    """In the log of a worker."""
    for worker in stack.workers:
        with open(worker.log) as f:
            if any(all(word in line for word in words) for line in f):
                return True
    return False


def ctl(stack, *args):
    done = stack.chorusctl("-t", stack.token_file, *args)
    assert done.returncode == 0, done.stderr
    return done.stdout


def unset(stack):
    ctl(stack, "limits", "unset", "main")
    ctl(stack, "limits", "unset", "follower")


@pytest.fixture
def limits(stack):
    yield
    unset(stack)


def test_two_workers_keep_one_limit_of_requests(stack, bucket, limits,
                                                figures):
    stack.stop_workers()
    fill(stack, bucket, KEYS)
    seen = stack.faulty_main.inject()
    # by so much, requests that were apart may seem to come together
    with Stalls() as stalls:
        first = stack.use_worker(
            main=stack.faulty_main.url, concurrency=8,
            limits={"main": {"requests_per_second": LIMIT}})
        stack.start_worker(first.config)
        wait_until(lambda: len(seen.at) > 1.5 * LIMIT, 30, "requests")
    slow = list(seen.at)
    # twice: the workers wait as well; and the way to us is not always as long
    most = LIMIT * (1.1 + 2 * stalls.longest)
    figures(f"limit {LIMIT}: at most {fullest_second(slow)} in a second "
            f"(allowed with stalls of {stalls.longest * 1000:.0f} ms: "
            f"{most:.0f})")
    assert fullest_second(slow) <= most

    # at run time, for both of them
    ctl(stack, "limits", "set", "main", "requests", "1000")
    wait_until(lambda: all(any("1000 requests a second" in line for line in
                               open(w.log)) for w in stack.workers), 10,
               "both workers have heard of the new limit")
    stack.wait_equal(bucket)
    assert len(seen.at) >= 2 * KEYS


@pytest.mark.parametrize("storage", ["main", "follower"])
def test_a_limit_of_bytes(stack, bucket, limits, storage):
    """Counted by what is done: each byte of it was paid for."""
    size, limit = 200_000, 400_000
    stack.stop_workers()
    fill(stack, bucket, 8, size)

    def done():
        return stack.stats(bucket)["counters"]["bytes"]
    began = time.monotonic()
    stack.use_worker(limits={storage: {"bytes_per_second": limit}})
    wait_until(lambda: done() >= 3 * size, 30, "bytes pass")
    # in this order: more may be done by the time that the clock is read
    bytes_done = done()
    took = time.monotonic() - began
    assert bytes_done <= limit * (took + 0.1), (bytes_done, took)
    ctl(stack, "limits", "set", storage, "bytes", "none")
    stack.wait_equal(bucket)


def test_chorusctl_limits(stack, limits):
    assert "none" in ctl(stack, "limits", "show")
    out = ctl(stack, "limits", "set", "follower", "bytes", "10MiB")
    assert "10MiB (set at run time, chorus.json: none)" in out
    out = json.loads(ctl(stack, "-o", "json", "limits", "show"))
    row = {r["storage"]: r for r in out["limits"]}["follower"]
    assert row["bytes_per_second"]["limit"] == 10 << 20
    wait_until(lambda: has_line(stack, "storage=follower",
                                "10485760 bytes a second"), 5, "heard")
    ctl(stack, "limits", "unset", "follower")
    wait_until(lambda: has_line(stack, "storage=follower", "(none)"), 5,
               "heard of that")


@pytest.mark.parametrize("args, why", [
    (("set", "nobody", "requests", "5"), "no such storage"),
    (("set", "main", "wishes", "5"), "there are limits of"),
    (("set", "main", "requests", "-5"), "requests_per_second: must be"),
    (("set", "main", "bytes", "5 MB"), "bytes_per_second: must be"),
])
def test_chorusctl_limits_that_are_refused(stack, args, why):
    done = stack.chorusctl("-t", stack.token_file, "limits", *args)
    assert done.returncode == 1 and why in done.stderr, done


def test_a_follower_in_trouble_does_not_hold_up_another(stack, bucket,
                                                        bucket_name):
    stack.stop_workers()
    fill(stack, bucket, 2 * KEYS)
    other = bucket_name("copy")
    well = f"alice:{bucket}:archive:{other}"
    marks = [part for i in range(2 * KEYS)
             for part in (0, 0, f"k/{i:04}")]
    stack.redis.call("mark", 3, f"chorus:{{{well}}}", "chorus:schedule",
                     "chorus:replications", "event", 0, 0, "", *marks)

    f = stack.faulty_follower.inject(answer=fault.SLOW_DOWN, chance=0.5)
    stack.use_worker(follower=stack.faulty_follower.url, concurrency=8,
                     retry_max_seconds=1)
    wait_until(lambda: stack.redis.stats(well)["counters"]["synced"]
               >= 2 * KEYS, 30, "the follower that is well has everything")
    sick = stack.stats(bucket)["counters"]
    assert sick["failed_attempts"] > 0 and f.hits > 0
    assert stack.redis.stats(well)["counters"]["failed_attempts"] == 0
    wait_until(lambda: has_line(stack, "storage=follower is overloaded"), 20,
               "the other one gets less")
    assert not has_line(stack, "storage=archive is overloaded")
    assert not has_line(stack, "storage=main is overloaded")

    stack.faulty_follower.clear()
    stack.wait_equal(bucket, 30)
    sizes = iter(range(20, 10_000))

    def keeps_up():
        # with each good answer it gets more, if those were not slow ones
        fill(stack, bucket, KEYS, next(sizes))
        stack.wait_equal(bucket, 30)
        return has_line(stack, "storage=follower keeps up again")
    wait_until(keeps_up, 30, "and then all of it again")
