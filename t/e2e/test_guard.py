"""The delete guard: a follower loses no more than is allowed until a person
has said that it is right."""

import json

import pytest

import compare
import versions
from process import wait_until
from wire import path_of

KEYS = [f"k{n:02d}" for n in range(12)]
ALLOWED = 5
LONG = {"deletes": ALLOWED, "per_seconds": 86400}


class Guarded:
    """A bucket of 12 keys, which follower and main have."""

    def __init__(self, stack, bucket, follower="follower"):
        self.stack = stack
        self.bucket = bucket
        self.name = f"alice:{bucket}:{follower}"
        self.wire = stack.wire()

    def fill(self):
        for key in KEYS:
            assert self.wire.put(self.bucket, key, b"content").status == 200
        wait_until(lambda: len(self.kept() or ()) == len(KEYS), 30,
                   "all keys are copied")
        self.stack.wait_idle(self.bucket)
        return self

    def delete(self, keys=KEYS):
        for key in keys:
            assert self.wire.delete(self.bucket, key).status == 204

    def kept(self):
        return compare.listing(self.stack.follower, self.bucket)

    def guard(self):
        return (self.stack.redis.stats(self.name) or {}).get("guard")

    def trips(self):
        """Until it has, and nobody works on it any more."""
        wait_until(self.guard, 30, lambda: "the guard trips: "
                   f"{self.stack.redis.stats(self.name)}")
        wait_until(lambda: not self.stack.redis.stats(self.name)["busy"], 30,
                   "what was held is given back")

    def has_lost(self, lost, allowed=ALLOWED):
        """What the guard let pass is gone, and no more, but for what the
        pause kept back before it was sent: that has its leave, and waits."""
        waiting = self.stack.redis.client.hlen(
            f"chorus:{{{self.name}}}:granted")
        return allowed - waiting <= lost <= allowed

    def ctl(self, *words, code=0):
        done = self.stack.chorusctl(
            *words, ADMIN_TOKEN_FILE=self.stack.token_file)
        assert done.returncode == code, done
        return done.stdout


@pytest.fixture
def guarded(stack, bucket):
    stack.use_worker(guard=LONG)
    return Guarded(stack, bucket).fill()


def test_no_more_is_deleted_than_allowed_until_it_is_accepted(stack, guarded):
    guarded.delete()
    guarded.trips()
    kept = len(guarded.kept())
    assert guarded.has_lost(len(KEYS) - kept)

    # it is said where people look
    said = guarded.ctl("status")
    assert "guarded: more than 5 deletes within 86400 s" in said, said
    with open(stack.worker.log) as log:
        assert "the delete guard has paused this" in log.read()

    # marks are taken, and nothing is done
    assert guarded.wire.put(guarded.bucket, "later", b"x").status == 200
    wait_until(lambda: stack.stats(guarded.bucket)["dirty"]
               == kept + 1, 20,
               lambda: f"all of them wait: {stack.stats(guarded.bucket)}")
    assert b"later" not in guarded.kept()

    guarded.ctl("resume", guarded.name, "--accept-deletes")
    stack.wait_equal(guarded.bucket)
    stack.wait_idle(guarded.bucket)
    assert set(guarded.kept()) == {b"later"}
    assert guarded.guard() is None
    guarded.ctl("resume", guarded.name, code=1)
    entry = json.loads(stack.api("/api/v1/audit?count=1", stack.token)[2])
    assert entry["entries"][0]["action"] == "accept deletes"


def test_main_is_mended_and_it_goes_on_without_a_delete(stack, guarded):
    guarded.delete()
    guarded.trips()
    for key in KEYS:
        assert guarded.wire.put(guarded.bucket, key, b"again").status == 200
    guarded.ctl("resume", guarded.name)
    stack.wait_equal(guarded.bucket)
    stack.wait_idle(guarded.bucket)
    assert guarded.guard() is None

    # what was deleted before still counts
    guarded.delete(KEYS[:1])
    guarded.trips()
    assert len(guarded.kept()) == len(KEYS)
    guarded.ctl("resume", guarded.name, "--accept-deletes")
    stack.wait_equal(guarded.bucket)


def test_what_becomes_empty_counts_and_what_is_new_and_empty_does_not(
        stack, guarded):
    for n in range(2 * ALLOWED):
        assert guarded.wire.put(guarded.bucket, f"dir{n}/", b"").status == 200
    stack.wait_equal(guarded.bucket)
    for key in KEYS:
        assert guarded.wire.put(guarded.bucket, key, b"").status == 200
    guarded.trips()
    sizes = [entry[0] for key, entry in guarded.kept().items()
             if key.startswith(b"k")]
    lost = sizes.count(0)
    assert guarded.has_lost(lost)
    assert sorted(sizes) == [0] * lost + [7] * (len(KEYS) - lost)
    guarded.ctl("resume", guarded.name, "--accept-deletes")
    stack.wait_equal(guarded.bucket)


def test_delete_markers_of_a_multi_delete_count_in_a_versioned_bucket(
        stack, versioned):
    stack.use_worker(guard=LONG)
    guarded = Guarded(stack, versioned).fill()
    stack.s3.delete_objects(Bucket=versioned, Delete={
        "Objects": [{"Key": key} for key in KEYS]})
    guarded.trips()
    assert guarded.has_lost(len(KEYS) - len(guarded.kept()))
    guarded.ctl("resume", guarded.name, "--accept-deletes")
    versions.wait_equal(stack, versioned, KEYS)


def test_a_dynamic_rule_has_a_guard_of_its_own(stack, bucket_name):
    bucket = bucket_name("dyn")
    guarded = Guarded(stack, bucket)
    assert guarded.wire.call("PUT", path_of(bucket)).status == 200
    guarded.ctl("repl", "add", bucket, "--to", "follower", "--user", "alice",
                "--id", "guarded", "--guard", "1/86400", "--wait")
    try:
        guarded.fill()
        guarded.delete(KEYS[:3])
        guarded.trips()
        assert guarded.has_lost(len(KEYS) - len(guarded.kept()), 1)
        rows = guarded.ctl("repl", "list").splitlines()
        assert [row.split()[1] for row in rows
                if row.startswith("guarded ")] == ["guarded"]
        shown = json.loads(guarded.ctl("repl", "show", "guarded"))
        assert shown["guarded"] == [guarded.name]
        guarded.ctl("resume", guarded.name, "--accept-deletes")
        stack.wait_equal(bucket)
    finally:
        guarded.ctl("repl", "delete", "guarded", "--yes", "--wait")


def test_the_queue_of_a_deleted_rule_is_forgotten_on_demand(stack,
                                                            bucket_name):
    bucket = bucket_name("dyn")
    guarded = Guarded(stack, bucket)
    guarded.ctl("repl", "add", bucket, "--to", "follower", "--user", "alice",
                "--id", "short", "--wait")
    stack.stop_workers()
    assert guarded.wire.call("PUT", path_of(bucket)).status == 200
    for key in KEYS:
        assert guarded.wire.put(bucket, key, b"content").status == 200
    wait_until(lambda: stack.waiting(bucket) == len(KEYS) + 1, 30,
               "all keys wait")
    guarded.ctl("forget", guarded.name, "--yes", code=1)
    guarded.ctl("repl", "delete", "short", "--yes")
    stack.chorusctl("repl", "wait", ADMIN_TOKEN_FILE=stack.token_file)

    guarded.ctl("forget", guarded.name, code=2)
    guarded.ctl("forget", guarded.name, "--yes")
    asked = int(stack.redis.client.hget(f"chorus:{{{guarded.name}}}",
                                        "forget_ms"))
    assert stack.waiting(bucket) == len(KEYS) + 1
    # nobody has to wait for long here
    stack.redis.client.hset(f"chorus:{{{guarded.name}}}", "forget_ms",
                            asked - 10000)
    stack.start_worker()
    wait_until(lambda: stack.redis.stats(guarded.name) is None, 30,
               lambda: f"it is gone: {stack.redis.stats(guarded.name)}")
    assert not stack.redis.client.keys(f"chorus:{{{guarded.name}}}*")
    assert guarded.kept() is None
    entry = json.loads(stack.api("/api/v1/audit?count=1", stack.token)[2])
    assert (entry["entries"][0]["action"], entry["entries"][0]["id"]) \
        == ("forget", guarded.name)
