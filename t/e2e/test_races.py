"""Many clients change the same few keys in all ways at once, and several
workers copy them.  In the end main and follower are equal in everything, and
no key was ever in the hands of two."""

import os
import random
import re
import secrets
import time
from collections import Counter

import pytest

from load import Load
from stack import IS_ASAN, IS_FULL
from trace import Trace, faults, summary
from wire import path_of

KEYS = 20
CLIENTS = 16
WORKERS = 4
OPERATIONS = int(os.environ.get("CHORUS_RACES",
                                50_000 if IS_FULL else 2_000))
# of different names for one object of the test, as odd as S3 allows
NAMES = [f"k{n}" for n in range(KEYS - 4)] \
    + ["dir/", "a/../b", "ü +%", "x" * 1000]

TAGGING = (b"<Tagging><TagSet><Tag><Key>n</Key><Value>%d</Value></Tag>"
           b"</TagSet></Tagging>")
COMPLETE = ("<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
            "<ETag>{}</ETag></Part></CompleteMultipartUpload>")
ACLS = ["private", "public-read", "public-read-write", "authenticated-read"]


def put(wire, dice, bucket, key, n):
    body = b"%d " % n * dice.choice([0, 1, 10, 1000, 20_000])
    headers = {"x-amz-meta-n": str(n)}
    if dice.random() < 0.3:
        headers["x-amz-tagging"] = f"put={n}"
    if dice.random() < 0.3:
        headers["cache-control"] = f"max-age={n}"
    return wire.put(bucket, key, body, headers)


def delete(wire, dice, bucket, key, n):
    return wire.delete(bucket, key)


def put_tags(wire, dice, bucket, key, n):
    return wire.call("PUT", path_of(bucket, key), query="tagging",
                     body=TAGGING % n)


def delete_tags(wire, dice, bucket, key, n):
    return wire.call("DELETE", path_of(bucket, key), query="tagging")


def put_acl(wire, dice, bucket, key, n):
    return wire.call("PUT", path_of(bucket, key), query="acl",
                     headers={"x-amz-acl": dice.choice(ACLS)})


def copy(wire, dice, bucket, key, n):
    """From another key, or onto itself with other metadata."""
    source = dice.choice(NAMES + [key] * 10)
    return wire.call("PUT", path_of(bucket, key), headers={
        "x-amz-copy-source": path_of(bucket, source),
        "x-amz-metadata-directive": "REPLACE", "x-amz-meta-copied": str(n)})


def multipart(wire, dice, bucket, key, n):
    path = path_of(bucket, key)
    answer = wire.call("POST", path, query="uploads=")
    if answer.status != 200:
        return answer
    upload = re.search(rb"<UploadId>(.*?)</", answer.body).group(1).decode()
    answer = wire.call("PUT", path, body=b"part %d" % n,
                       query=f"partNumber=1&uploadId={upload}")
    if answer.status != 200:
        return answer
    return wire.call("POST", path, query=f"uploadId={upload}",
                     body=COMPLETE.format(answer.headers["etag"]).encode())


WEIGHTS = {put: 40, delete: 15, put_tags: 18, delete_tags: 4, put_acl: 8,
           copy: 10, multipart: 5}

# what Ceph says to one of two that race
LOST = {"NoSuchKey", "NoSuchUpload", "OperationAborted", "UnknownError"}


class Races:
    """Work of a Load."""

    def __init__(self, bucket, seed):
        self.bucket = bucket
        self.seed = seed
        self.lost = Counter()

    def __call__(self, wire, n):
        dice = random.Random(f"{self.seed} {n}")
        operation = dice.choices(list(WEIGHTS), WEIGHTS.values())[0]
        answer = operation(wire, dice, self.bucket, dice.choice(NAMES), n)
        # somebody else has deleted it, which is the point; or both have
        # written, and the store gave up one
        if answer.code in LOST:
            self.lost[answer.code] += 1
            answer.status = 204
        return answer


@pytest.fixture
def trace(stack):
    trace = Trace(stack.redis.client, 20 * OPERATIONS)
    yield trace
    trace.stop()


def test_operations_on_few_keys_race(stack, trace, bucket, figures):
    seed = os.environ.get("CHORUS_SEED", secrets.token_hex(4))
    figures(f"CHORUS_SEED={seed}")
    stack.wait_idle(bucket)
    first = stack.use_worker(lease_seconds=60)
    for _ in range(WORKERS - 1):
        stack.start_worker(first.config)

    begin = time.monotonic()
    races = Races(bucket, seed)
    load = Load(stack.wire, races, CLIENTS, OPERATIONS)
    load.join(3600)
    load.check()
    stack.wait_idle(bucket, 120)
    drained = time.monotonic() - begin - load.seconds
    stack.wait_equal(bucket)
    stack.stop_workers()        # what they hold is given back
    events = [e for e in trace.read()
              if e["replication"] == f"alice:{bucket}:follower".encode()]
    assert not faults(events), faults(events)[:10]
    claims, workers, ends, longest, most = summary(events)
    counters = stack.stats(bucket)["counters"]
    assert claims == counters["claimed"]
    assert sum(ends.values()) == claims
    assert sum(races.lost.values()) < OPERATIONS / 2, races.lost
    assert len(workers) >= WORKERS and most > 1, (workers, most)
    assert not IS_FULL or claims > OPERATIONS / 10
    figures(f"{OPERATIONS} operations on {KEYS} keys by {CLIENTS} clients in "
            f"{load.seconds:.1f} s, equal {drained:.1f} s later; "
            f"{claims} syncs by {WORKERS} workers {dict(ends)}, at most "
            f"{most} at once, the longest {longest:.2f} s; no key twice; "
            f"refused by Ceph: {dict(races.lost)}")


def event(kind, key, token, what=b"w", us=0):
    return {"event": kind, "replication": b"r", "key": key, "token": token,
            "what": what, "us": b"%d" % us}


C, E = b"claim", b"end"


@pytest.mark.parametrize("events,expected", [
    ([(C, b"a", b"1"), (E, b"a", b"1"), (C, b"a", b"2"), (E, b"a", b"2")], 0),
    ([(C, b"a", b"1"), (C, b"b", b"2"), (E, b"a", b"1"), (E, b"b", b"2")], 0),
    ([(C, b"a", b"1"), (C, b"a", b"2"), (E, b"a", b"2")], 1),
    ([(C, b"a", b"1")], 1),
    ([(E, b"a", b"1")], 1),
    ([(C, b"a", b"1"), (E, b"a", b"2")], 1),
    ([(C, b"a", b"1"), (E, b"a", b"1", b"expired")], 1),
    ([(C, b"a", b"1"), (E, b"a", b"1"), (b"late", b"a", b"1")], 1),
])
def test_a_trace_that_is_wrong_is_told(events, expected):
    assert len(faults([event(*e) for e in events])) == expected
