"""What clients read through Chorus is what main says."""

import os
import time

import pytest

from compare import PASSING
from wire import path_of

KEY = "dir/an object+x"


@pytest.fixture
def filled(stack, bucket):
    wire = stack.wire()
    wire.put(bucket, KEY, os.urandom(300_000), {
        "content-type": "image/jpeg", "cache-control": "no-cache",
        "x-amz-meta-a": "b", "x-amz-tagging": "t=1"})
    wire.put(bucket, "empty", b"")
    for n in range(25):
        wire.put(bucket, f"list/{n:02d}", b"x")
    return bucket


# name: method, key (None: the bucket), query, headers, the status expected
READS = {
    "get": ("GET", KEY, "", {}, 200),
    "head": ("HEAD", KEY, "", {}, 200),
    "get-empty": ("GET", "empty", "", {}, 200),
    "head-empty": ("HEAD", "empty", "", {}, 200),
    "range-from-to": ("GET", KEY, "", {"range": "bytes=10-19"}, 206),
    "range-last": ("GET", KEY, "", {"range": "bytes=-7"}, 206),
    "range-rest": ("GET", KEY, "", {"range": "bytes=299990-"}, 206),
    "range-beyond": ("GET", KEY, "", {"range": "bytes=999999-"}, 416),
    "if-none-match": ("GET", KEY, "", {"if-match": '"00"'}, 412),
    "if-modified": ("GET", KEY, "", {
        "if-modified-since": "Sat, 01 Jan 2050 00:00:00 GMT"}, 304),
    "content-type-asked": ("GET", KEY, "response-content-type=a%2Fb", {}, 200),
    "no-key": ("GET", "nobody", "", {}, 404),
    "head-no-key": ("HEAD", "nobody", "", {}, 404),
    "tags": ("GET", KEY, "tagging", {}, 200),
    "acl": ("GET", KEY, "acl", {}, 200),
    "list-v1": ("GET", None, "prefix=list%2F&max-keys=3", {}, 200),
    "list-v2": ("GET", None, "list-type=2&prefix=list%2F&delimiter=%2F", {},
                200),
    "list-delimiter": ("GET", None, "list-type=2&delimiter=%2F", {}, 200),
    "versions": ("GET", None, "versions", {}, 200),
    "uploads": ("GET", None, "uploads", {}, 200),
    "location": ("GET", None, "location", {}, 200),
    "head-bucket": ("HEAD", None, "", {}, 200),
    "no-bucket": ("GET", "/no-such-bucket-at-all", "", {}, 404),
    "buckets": ("GET", "/", "", {}, 200),
}
OF_A_REQUEST = b"tx0"       # Ceph's request ids


def test_all_reads_equal_those_from_main(stack, filled):
    chorus, main = stack.wire(), stack.main.wire()
    for name, (method, key, query, headers, status) in READS.items():
        path = key if key and key.startswith("/") else path_of(filled, key)
        a, b = (w.call(method, path, query, headers=headers)
                for w in (chorus, main))
        assert a.status == status, (name, a)
        assert a.status == b.status, name
        assert "x-amz-request-id" in a.headers, name
        for answer in (a, b):
            for n in PASSING - {"last-modified"} | {"content-length"}:
                if n != "content-length" or answer.status != 200 \
                        or b"<RequestId>" in answer.body:
                    answer.headers.pop(n, None)
        if OF_A_REQUEST not in a.body:
            assert a.body == b.body, name
        else:
            assert a.code == b.code, name
        assert a.headers == b.headers, name


def test_pages_of_a_listing(stack, filled):
    pages = stack.s3.get_paginator("list_objects_v2").paginate(
        Bucket=filled, Prefix="list/", PaginationConfig={"PageSize": 4})
    keys = [[o["Key"] for o in page["Contents"]] for page in pages]
    assert [len(k) for k in keys] == [4, 4, 4, 4, 4, 4, 1]
    assert sum(keys, []) == [f"list/{n:02d}" for n in range(25)]


def test_list_buckets(stack, bucket, bucket_name):
    other = bucket_name("local")
    stack.s3.create_bucket(Bucket=other)
    ours, theirs = ({b["Name"] for b in c.list_buckets()["Buckets"]}
                    for c in (stack.s3, stack.main.s3))
    assert {bucket, other} <= ours == theirs


def test_reads_change_nothing(stack, filled):
    """A read marks no key."""
    stack.wait_equal(filled)
    stack.wait_idle(filled)
    before = stack.stats(filled)["counters"]["claimed"]
    wire = stack.wire()
    for method, key, query, headers, _ in READS.values():
        if not (key and key.startswith("/")):
            wire.call(method, path_of(filled, key), query, headers=headers)
    time.sleep(0.5)
    assert stack.stats(filled)["counters"]["claimed"] == before
