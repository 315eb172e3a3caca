"""The comparator finds what differs; else no other test means anything."""

import hashlib
import os
import time

import pytest

import compare

TAGGING = {"TagSet": [{"Key": "colour", "Value": "red"}]}
OTHER = {"TagSet": [{"Key": "colour", "Value": "blue"}]}


def put(store, bucket, key="k", body=b"body", **more):
    store.s3.put_object(Bucket=bucket, Key=key, Body=body, **more)


def tag(store, bucket, tags):
    store.s3.put_object_tagging(Bucket=bucket, Key="k", Tagging=tags)


# name: what is done to the follower, and the words by which it is found
PLANTED = {
    "nothing": (lambda f, b: None, None),
    "a key is missing":
        (lambda f, b: f.s3.delete_object(Bucket=b, Key="k"),
         "b'k': main (4, "),
    "a key too many":
        (lambda f, b: put(f, b, "surplus"), "b'surplus': main None"),
    "other bytes of the same size":
        (lambda f, b: put(f, b, body=b"BODY", Tagging="colour=red"),
         "b'k': main (4, "),
    "another content type":
        (lambda f, b: put(f, b, ContentType="a/b", Tagging="colour=red"),
         "b'k' content-type: main 'binary/octet-stream', follower 'a/b'"),
    "user metadata that main has not":
        (lambda f, b: put(f, b, Metadata={"x": "y"}, Tagging="colour=red"),
         "b'k' x-amz-meta-x: main None, follower 'y'"),
    "other tags":
        (lambda f, b: tag(f, b, OTHER),
         "b'k' tags: main [(b'colour', b'red')]"),
    "no tags":
        (lambda f, b: f.s3.delete_object_tagging(Bucket=b, Key="k"),
         "b'k' x-amz-tagging-count: main '1', follower None"),
    "a bucket tag":
        (lambda f, b: f.s3.put_bucket_tagging(Bucket=b, Tagging=OTHER),
         "bucket tags: main [], follower [(b'colour', b'blue')]"),
    "another ACL":
        (lambda f, b: f.s3.put_object_acl(Bucket=b, Key="k",
                                          ACL="public-read"),
         "b'k' acl: main (b'alice', [(b'alice', b'FULL_CONTROL')]), follower"),
    "a grant to somebody else":
        (lambda f, b: f.s3.put_object_acl(
            Bucket=b, Key="k", GrantRead=f'id="{f.uid("bob")}"',
            GrantFullControl=f'id="{f.uid("alice")}"'),
         "(b'bob', b'READ')"),
    "another ACL of the bucket":
        (lambda f, b: f.s3.put_bucket_acl(Bucket=b, ACL="public-read"),
         "bucket ACL: main (b'alice',"),
    "no bucket":
        (lambda f, b: (f.s3.delete_object(Bucket=b, Key="k"),
                       f.s3.delete_bucket(Bucket=b)),
         "main yes, follower no"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_comparator_sees(stack, bucket_name, name):
    change, words = PLANTED[name]
    bucket = bucket_name("local")
    for store in (stack.main, stack.follower):
        store.s3.create_bucket(Bucket=bucket)
        put(store, bucket, Tagging="colour=red")

    assert compare.differences(stack.main, stack.follower, bucket) == []
    change(stack.follower, bucket)
    found = compare.differences(stack.main, stack.follower, bucket)

    if words is None:
        assert found == []
    else:
        assert any(words in line for line in found), found
        begin = time.monotonic()
        with pytest.raises(AssertionError, match="differences after"):
            compare.wait_equal(stack.main, stack.follower, bucket, 0.3)
        assert time.monotonic() - begin < 20


def test_comparator_reads_every_byte(stack, bucket_name):
    bucket, body = bucket_name("local"), os.urandom(3_000_001)
    stack.main.s3.create_bucket(Bucket=bucket)
    put(stack.main, bucket, body=body)
    seen = compare.evidence(stack.main.wire(), bucket, "k")
    assert seen["sha256"] == hashlib.sha256(body).hexdigest()


def test_only_one_store_is_reached_by_a_direct_write(stack, bucket_name):
    """The two stores share nothing, so an equal follower is Chorus's work."""
    bucket = bucket_name("r")
    stack.main.s3.create_bucket(Bucket=bucket)
    put(stack.main, bucket)
    time.sleep(1)
    assert compare.listing(stack.follower, bucket) is None
