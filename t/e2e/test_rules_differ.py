"""Not all proxies and workers have the same rules in their chorus.json: one
was not reloaded yet.  Nobody takes what he does not know for settled."""

import json
import os
import time

import pytest

from process import wait_until
from stack import private
from test_scans import SCANS


@pytest.fixture
def older(stack):
    """older(change): a worker whose chorus.json is that of nginx, changed."""
    def start(change):
        stack.stop_workers()
        path = f"{stack.folder}/older.json"
        config = stack.config_of(worker=SCANS)
        change(config)
        with open(path, "w", opener=private) as f:
            json.dump(config, f)
        return stack.start_worker(path)
    yield start
    os.unlink(f"{stack.folder}/older.json")


def agree(stack):
    return json.loads(stack.api("/api/v1/readers", stack.token)[2])["rules"]


def said(stack):
    done = stack.chorusctl("-t", stack.token_file, "status")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_older_filter_is_not_the_last_word(stack, bucket, older):
    def narrow(config):
        config["replications"][0]["filter"] = {"prefix": "in/"}

    older(narrow)
    wait_until(lambda: agree(stack) == "mixed", 20, "they differ")
    wire = stack.wire()
    wire.put(bucket, "in/k", b"x")
    wire.put(bucket, "out", b"x")
    wait_until(lambda: "out" in stack.failed(bucket), 30,
               "it is kept for who knows better")
    assert stack.failed(bucket)["out"]["code"] == "PolicyPending"
    there = stack.follower.wire()
    wait_until(lambda: there.get(bucket, "in/k").status == 200, 30,
               "what the filter takes is copied")
    assert "not have the same rules" in said(stack)
    stack.use_worker()
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    wait_until(lambda: agree(stack) not in ("", "mixed"), 20, "they agree")
    assert "not have the same rules" not in said(stack)


def test_who_does_not_know_a_follower_does_not_pay_for_it(stack, bucket,
                                                          older):
    """What all owe, since Redis was emptied."""
    stack.wire().put(bucket, "k", b"x")
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)

    def without_follower(config):
        for rule in list(config["replications"]):
            config["replications"].remove(rule)
        del config["storages"]["follower"]

    older(without_follower)
    stack.redis.call("owe_all", 1, "chorus:owed", "test", 0)
    time.sleep(3 * SCANS["discover_seconds"])
    assert stack.redis.client.hget("chorus:owed", "owed_reason") == b"test"
    stack.use_worker(**SCANS)
    wait_until(lambda: not stack.redis.client.hget("chorus:owed",
                                                   "owed_reason"), 60,
               "who knows it pays")
    stack.wait_equal(bucket)
