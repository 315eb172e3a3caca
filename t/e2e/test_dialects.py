"""A main that is not Ceph: the worker meets the answers of other storages.

The store behind is the same; what it would say otherwise is said instead.
"""

import os

import pytest

import compare
from process import wait_until
from test_writes import PART, multipart

XML = "application/xml"


def test_a_deleted_bucket_of_a_main_that_lists_nothing_of_any_bucket(
        stack, bucket):
    """MinIO answers max-keys=0 without looking whether there is a bucket."""
    stack.use_worker(main=stack.faulty_main.url)
    wait_until(lambda: compare.listing(stack.follower, bucket) == {}, 10,
               "the follower has the bucket")
    stack.faulty_main.inject(
        when=lambda method, target: "max-keys=0" in target,
        answer=(200, b"<ListBucketResult><MaxKeys>0</MaxKeys>"
                     b"</ListBucketResult>", XML))
    stack.s3.delete_bucket(Bucket=bucket)
    wait_until(lambda: compare.listing(stack.follower, bucket) is None, 10,
               "the follower has no such bucket any more")


def part_of_a_gap(method, target):
    """Of an object with the parts 1 and 3: MinIO and AWS have no second."""
    if method == "HEAD":
        return (206, b"", "a/b", "x-amz-mp-parts-count: 2")
    return (416, b"<Error><Code>InvalidPartNumber</Code></Error>", XML)


def test_parts_whose_numbers_have_gaps_are_found_by_their_sizes(stack,
                                                                 bucket):
    stack.use_worker(main=stack.faulty_main.url)
    asked = []

    def is_by_number(method, target):
        if "partNumber=" in target:
            asked.append((method, target.partition("?")[2]))
        return "partNumber=2" in target or (method == "HEAD"
                                            and "partNumber=1" in target)

    stack.faulty_main.inject(when=is_by_number, answer=part_of_a_gap)
    etag = multipart(stack.s3, bucket, "film", [os.urandom(PART), b"the end"])
    stack.wait_equal(bucket, 30)
    assert stack.follower.s3.head_object(
        Bucket=bucket, Key="film")["ETag"] == etag
    assert ("HEAD", "partNumber=1") in asked
    assert ("GET", "partNumber=2") in asked
    stack.wait_idle(bucket)
    assert stack.failed_attempts(bucket) == 0
    assert not stack.follower.s3.list_multipart_uploads(
        Bucket=bucket).get("Uploads")


@pytest.mark.parametrize("code", ["XMinioInvalidObjectName",
                                  "XMinioInvalidResourceName"])
def test_a_name_that_the_follower_cannot_store_is_parked(stack, bucket, code):
    """It is kept with its reason, and not sent over and over."""
    stack.use_worker(follower=stack.faulty_follower.url)
    refused = stack.faulty_follower.inject(
        when=lambda method, target: method == "PUT" and "/a/../b" in target,
        answer=(400, f"<Error><Code>{code}</Code></Error>".encode(), XML))
    stack.wire().put(bucket, "a/../b", b"x")
    stack.wire().put(bucket, "k", b"x")
    wait_until(lambda: stack.stats(bucket)["failed"] == 1, 10, "it is parked")
    wait_until(lambda: set(compare.listing(stack.follower, bucket) or ())
               == {b"k"}, 10, "the other one is there")
    assert refused.hits == 1
