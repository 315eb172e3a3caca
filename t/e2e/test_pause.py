"""Pauses: within a second nothing more is asked of the follower, nothing is
lost, and what is paused costs nothing."""

import json
import time

import pytest

from load import Load, Stalls
from process import PATIENCE, wait_until
from stack import IS_FULL
from test_scans import SCANS, Scans, fill
from wire import path_of

QUIET = 1.0             # seconds without a request: it is paused
HOLDS = 1.0             # seconds until then, on a machine that does not stall
OBJECTS = 10_000 if IS_FULL else 1000


class Watch:
    """What the follower is asked about a bucket, and when."""

    def __init__(self, stack, bucket, delay=0):
        self.stack, self.bucket = stack, bucket
        self.asked = stack.faulty_follower.inject(
            when=lambda method, target: target.startswith(f"/{bucket}"),
            delay=delay)

    def silent_after(self, began):
        """Until nothing was asked for a while, and nobody holds a key that he
        might ask for later; seconds from `began` to the last request."""
        def is_silent():
            stats = self.stack.stats(self.bucket)
            return (stats["state"] == "paused" and not stats["busy"]
                    and time.monotonic() - max([began, *self.asked.at])
                    > QUIET)
        wait_until(is_silent, 60, lambda: f"silence: {self.asked.hits}")
        return max([began, *self.asked.at]) - began


@pytest.fixture
def ctl(stack):
    def run(*words):
        done = stack.chorusctl(*words, ADMIN_TOKEN_FILE=stack.token_file)
        assert done.returncode == 0, done
        return done.stdout
    yield run
    for rule in run("pause", "list").splitlines()[1:]:
        run("pause", "delete", rule.split()[0], "--yes")


def test_events_stop_at_once_and_go_on_later(stack, bucket, ctl, figures):
    stack.use_worker(follower=stack.faulty_follower.url)
    watch = Watch(stack, bucket)

    def work(wire, n):
        time.sleep(0.01)
        return wire.put(bucket, f"k{n % 500}", b"%d" % n)
    with Load(stack.wire, work, 2) as load:
        wait_until(lambda: watch.asked.hits > 50, 30, "events are copied")
        ctl("pause", "add", bucket, "--user", "alice", "--id", "stop")
        took = watch.silent_after(time.monotonic())
        asked = watch.asked.hits
        wait_until(lambda: stack.stats(bucket)["dirty"] > 30, 30,
                   "marks are taken")
        assert watch.asked.hits == asked
        assert stack.stats(bucket)["state"] == "paused"
    load.check()
    figures(f"the follower's last request was {took * 1000:.0f} ms after "
            "the answer to the pause")
    ctl("pause", "delete", "stop", "--yes")
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)


def test_a_migration_stops_in_the_middle_and_goes_on(stack, bucket_name, ctl,
                                                     figures):
    bucket = bucket_name("mig")
    fill(stack.main, bucket, [f"k{n:05d}" for n in range(OBJECTS)])
    # slow enough not to be done before it hears of the pause
    watch = Watch(stack, bucket, 0.1)
    stack.use_worker(follower=stack.faulty_follower.url, **SCANS)
    scan = Scans(stack, bucket)
    wait_until(lambda: watch.asked.hits > OBJECTS // 5, 300,
               "the migration is in its midst")
    with Stalls() as stalls:
        ctl("pause", "add", bucket, "--id", "stop")
        took = watch.silent_after(time.monotonic())
    stats = scan.stats()
    assert stats["bulk"] and not stats["busy"], stats
    figures(f"{OBJECTS} objects: the follower's last request was "
            f"{took * 1000:.0f} ms after the answer to the pause")
    assert took < HOLDS + 3 * stalls.longest
    stack.faulty_follower.clear()
    rest = Watch(stack, bucket)
    ctl("pause", "delete", "stop", "--yes")
    scan.wait(seconds=600)
    stack.wait_equal(bucket, 300)
    assert rest.asked.hits > OBJECTS // 5, "it was not over"


def worker_asks(client):
    """Until the worker has heard whether what it holds is paused: it has the
    answer when it asks again."""
    end = time.monotonic() + PATIENCE
    with client.monitor() as monitor:
        for _ in range(2):
            while "chorus_paused" not in monitor.next_command()["command"]:
                assert time.monotonic() < end, "it does not ask"


def test_a_request_under_way_ends_and_no_other_begins(stack, bucket, ctl):
    """A copy of two parts is paused while the first ones are on their way."""
    stack.use_worker(follower=stack.faulty_follower.url, concurrency=1,
                     part_concurrency=1)
    parts = stack.faulty_follower.inject(
        when=lambda method, target: method == "PUT"
        and target.startswith(f"/{bucket}/big?") and "partNumber" in target,
        held=True)
    key = {"Bucket": bucket, "Key": "big"}
    upload = dict(key, UploadId=stack.s3.create_multipart_upload(
        **key)["UploadId"])
    made = [{"PartNumber": n, "ETag": stack.s3.upload_part(
        PartNumber=n, Body=b"%d" % n * size, **upload)["ETag"]}
        for n, size in ((1, 5 << 20), (2, 5 << 20), (3, 1))]
    stack.s3.complete_multipart_upload(MultipartUpload={"Parts": made},
                                       **upload)
    wait_until(lambda: parts.hits, 30, "a part is on its way")
    ctl("pause", "add", bucket, "--id", "stop")
    wait_until(lambda: stack.stats(bucket)["state"] == "paused", 30, "paused")
    worker_asks(stack.redis.client)
    parts.release()
    wait_until(lambda: not stack.stats(bucket)["busy"], 30,
               "the key is given back")
    assert parts.hits == 1
    assert stack.waiting(bucket) == 1
    assert stack.stats(bucket)["counters"]["failed_attempts"] == 0
    stack.faulty_follower.clear()
    again = stack.faulty_follower.inject(
        when=lambda method, target: method == "PUT"
        and target.startswith(f"/{bucket}/big?partNumber=1&"))
    ctl("pause", "delete", "stop", "--yes")
    stack.wait_equal(bucket)
    assert again.hits == 0, "what was sent is sent again"


def fcalls(stack):
    """Functions of Redis that were called, by all who are there."""
    info = stack.redis.client.info("commandstats")
    return sum(info[f"cmdstat_{name}"]["calls"]
               for name in ("fcall", "fcall_ro") if f"cmdstat_{name}" in info)


def test_what_is_paused_costs_nothing(stack, bucket, ctl, figures):
    stack.use_worker(follower=stack.faulty_follower.url)

    def calls(seconds=4):
        """A second; many of them once a second."""
        begin, began = fcalls(stack), time.monotonic()
        time.sleep(seconds)
        return (fcalls(stack) - begin) / (time.monotonic() - began)
    # done by this worker: it is up, and calls as it always does
    stack.wire().put(bucket, "first", b"x")
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    before = calls()
    ctl("pause", "add", bucket, "--id", "stop", "--wait")
    wire = stack.wire()
    for n in range(80):
        assert wire.call("PUT", path_of(bucket, f"k{n}"),
                         body=b"x").status == 200
    wait_until(lambda: stack.stats(bucket)["dirty"] >= 80, 30,
               "all of them wait")
    watch = Watch(stack, bucket)
    after = calls()
    figures(f"calls a second: {before:.1f}, with 80 keys that are paused "
            f"{after:.1f}")
    assert watch.asked.hits == 0
    assert after < before + 10
    ctl("pause", "delete", "stop", "--yes")
    stack.wait_equal(bucket)


def told_by_workers(monitor, version):
    """What the worker calls until it says that it runs that version."""
    end = time.monotonic() + PATIENCE
    calls = []
    while not (calls and calls[-1].startswith("FCALL chorus_policy_poll ")
               and f" worker {version} " in calls[-1]):
        assert time.monotonic() < end, calls
        calls.append(monitor.next_command()["command"])
    return calls


def test_who_says_that_he_runs_a_pause_has_set_it(stack, bucket, ctl):
    """`--wait` waits for that: what is written then is not copied."""
    stack.wire().put(bucket, "k", b"x")
    stack.wait_idle(bucket)
    with stack.redis.client.monitor() as monitor:
        ctl("pause", "add", bucket, "--id", "stop", "--wait")
        version = json.loads(stack.api("/api/v1/readers", stack.token)[2])[
            "version"]
        calls = told_by_workers(monitor, version)
    assert [c for c in calls if c.startswith("FCALL chorus_suspend ")
            and f"{{alice:{bucket}:follower}}" in c and c.endswith(" 1")], calls


def test_a_bucket_that_is_paused_before_its_first_write(stack, bucket_name,
                                                        ctl):
    stack.use_worker(follower=stack.faulty_follower.url)
    bucket = bucket_name()
    watch = Watch(stack, bucket)
    ctl("pause", "add", bucket, "--id", "stop", "--wait")
    begin, began = fcalls(stack), time.monotonic()
    stack.s3.create_bucket(Bucket=bucket)
    wire = stack.wire()
    for n in range(20):
        assert wire.put(bucket, f"k{n}", b"x").status == 200

    def all_wait():
        stats = stack.stats(bucket) or {}
        return stats.get("state") == "paused" and stats["dirty"] == 21
    wait_until(all_wait, 30,
               lambda: f"all of them wait: {stack.stats(bucket)}")
    # who claimed the first key has not claimed it again and again
    assert fcalls(stack) - begin < 300 + 60 * (time.monotonic() - began)
    time.sleep(QUIET)
    assert watch.asked.hits == 0
    assert stack.stats(bucket)["counters"]["failed_attempts"] == 0
    ctl("pause", "delete", "stop", "--yes")
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
