"""What the API asks workers: who answers, who dies, and what one is told of a
key in each of its states."""

import json
import re
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

import pytest

from fault import SLOW_DOWN
from process import wait_until
from store import boto


class Api:
    def __init__(self, stack):
        self.stack = stack

    def __call__(self, path, status=200, **args):
        query = urllib.parse.urlencode(args, quote_via=urllib.parse.quote)
        code, _, body = self.stack.api(f"/api/v1/{path}?{query}",
                                       self.stack.token)
        answer = json.loads(body)
        assert code == status, (path, args, code, answer)
        return answer

    def explain(self, bucket, key, **args):
        return self("explain", user="alice", bucket=bucket, key=key,
                    timeout=20, **args)

    def why(self, bucket, key):
        return self.explain(bucket, key)["why"]

    def ctl(self, *words, code=0):
        done = self.stack.chorusctl("-t", self.stack.token_file, *words)
        assert done.returncode == code, done
        return done.stdout


@pytest.fixture
def api(stack):
    stack.redis.pay_all()
    return Api(stack)


def test_several_workers_share_the_questions(api, stack, bucket):
    stack.start_worker()
    stack.start_worker()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: api("buckets", user="alice",
                                              timeout=30), range(24)))
    names = [[b["name"] for b in a["buckets"]] for a in answers]
    assert all(bucket in found and found == names[0] for found in names)
    assert not stack.redis.client.exists("chorus:asks", "chorus:answers")


def test_a_worker_that_stops_in_the_midst_is_replaced(api, stack, bucket):
    """It holds the question, then it is gone; another one answers."""
    asks = stack.redis.client
    with ThreadPoolExecutor(1) as pool:
        stack.stop_workers()
        answer = pool.submit(api, "buckets", user="alice", timeout=30)
        wait_until(lambda: asks.hlen("chorus:asks") == 1, 20, "it is asked")
        taken = stack.redis.call("ask_take", 1, "chorus:asks", 1000)
        assert taken is not None
        stack.start_worker()
        assert bucket in [b["name"] for b in answer.result()["buckets"]]


def test_nobody_answers(api, stack):
    stack.stop_workers()
    error = api("buckets", 504, user="alice", timeout=1)["error"]
    assert error["code"] == "no_answer" and "running?" in error["message"]
    assert api("storages", timeout=1)["worker"]["answered"] is False
    why = api("explain", user="alice", bucket="r-any", timeout=1)["why"]
    assert why.startswith("Main could not be asked (no worker answers")
    assert not stack.redis.client.exists("chorus:asks")


def test_a_storage_that_is_silent_holds_up_nothing_else(api, stack, bucket):
    stack.wire().put(bucket, "k", b"x")
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    stack.follower.pause()
    try:
        answer = api("explain", user="alice", bucket=bucket, key="k",
                     timeout=4)
    finally:
        stack.follower.resume()
    assert answer["source"]["state"] == "there"
    assert answer["replications"][0]["there"]["reason"] \
        == "no answer in time"


def test_a_key_is_explained_in_each_state(api, stack, bucket):
    stack.wire().put(bucket, "k ü", b"x")
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    assert api.why(bucket, "k ü") \
        == "Both sides have the key, with the same size and ETag."
    assert api.why(bucket, "none") == "Neither side has the key."
    assert api.why("nobody-x", "k") \
        == "No rule replicates this bucket of this user."
    assert api.why("routed-x", "k").startswith(
        "Requests for the bucket go to archive, and only")

    there = boto(stack.follower.url, stack.follower.keys["alice"])
    there.delete_object(Bucket=bucket, Key="k ü")
    assert "no change of it is known" in api.why(bucket, "k ü")
    there.put_object(Bucket=bucket, Key="more", Body=b"1")
    assert api.why(bucket, "more").startswith("The follower still has")

    r = f"alice:{bucket}:follower"
    stack.redis.call("pause", 3, f"chorus:{{{r}}}", "chorus:schedule",
                     "chorus:replications")
    stack.wire().put(bucket, "waits", b"x")
    wait_until(lambda: "waits, because the replication is paused"
               in api.why(bucket, "waits"), 20, "it waits")
    stack.redis.call("resume", 3, f"chorus:{{{r}}}", "chorus:schedule",
                     "chorus:replications")
    stack.wait_idle(bucket)

    text = api.ctl("explain", "--user", "alice", f"s3://{bucket}/k ü")
    assert text.splitlines()[0] == r and "no_key" in text
    assert json.loads(api.ctl("-o", "json", "explain", "--user", "alice",
                              f"s3://{bucket}"))["key"] == ""
    api.ctl("explain", bucket, code=2)
    api.ctl("explain", "s3://x/y", code=1)


def test_a_key_that_fails_is_explained_and_dropped(api, stack, bucket):
    r = f"alice:{bucket}:follower"
    stack.use_worker(follower=stack.faulty_follower.url, max_attempts=1)
    stack.wait_idle(bucket)
    stack.faulty_follower.inject(
        when=lambda method, target: method == "PUT"
        and target.startswith(f"/{bucket}/"), answer=SLOW_DOWN, times=None)
    stack.wire().put(bucket, "k", b"x")
    wait_until(lambda: "parked" in api.why(bucket, "k"), 30,
               lambda: f"it is parked: {api.why(bucket, 'k')}")
    stack.faulty_follower.reset()
    row = api.explain(bucket, "k")["replications"][0]
    assert row["queue"]["place"] == "parked" and not row["equal"]
    assert row["queue"]["attempts"] == 1 and row["queue"]["reason"]

    assert api.ctl("failed", "drop", r, "k", code=2) == ""
    assert api.ctl("failed", "drop", r, "k", "--yes") == "dropped: 1\n"
    stack.redis.call("owe_all", 1, "chorus:owed", "test", 0)
    assert "the scan that is owed" in api.why(bucket, "k")
    stack.redis.pay_all()
    assert "no change of it is known" in api.why(bucket, "k")
    line = api.ctl("audit", "--kind", "failed", "-n", "1")
    assert line.split()[2:6] == ["admin", "failed", "drop", r]


def test_a_wrong_secret_is_told_with_its_place(api, stack):
    """By the log of the worker, and by the health of the storage."""
    wrong = {name: {"access_key": key.access, "secret_key": "wrong"}
             for name, key in stack.main.keys.items()}
    worker = stack.use_worker(main_more={"users": wrong}, scans=1,
                              discover_seconds=1)

    def is_told():
        with open(worker.log) as f:
            return re.search(r"warn +storage=main user=alice its buckets "
                             r".*HTTP 403 SignatureDoesNotMatch", f.read())
    wait_until(is_told, 30, worker.log_end)
    main = api("storages", timeout=20)["storages"][0]["health"]
    assert main["state"] == "refusing"
    assert main["reason"] == ("HTTP 403 SignatureDoesNotMatch "
                              "(storages.main.users.alice of chorus.json)")


def test_tables(api, stack, bucket):
    lines = api.ctl("storage", "list").splitlines()
    assert [ln.split()[0] for ln in lines] == ["STORAGE", "main", "follower",
                                               "archive"]
    assert lines[1].split()[1:3] == ["main", "good"]
    assert api.ctl("user", "list").splitlines()[1].split()[:2] \
        == ["alice", "2"]
    rows = api.ctl("bucket", "list", "--user", "alice").splitlines()
    assert f"{bucket} main follower" in [" ".join(r.split()) for r in rows]
    api.ctl("bucket", "list", code=2)
    assert not any(secret in api.ctl("-o", "json", "storage", "list")
                   for secret in stack.secrets())
