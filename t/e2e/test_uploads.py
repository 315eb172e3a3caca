"""Multipart objects: the same parts whatever they are, several at a time, gone
on with after a crash, and nothing left behind."""

import os
import re

import pytest

import compare
import fault
from process import wait_until
from test_errors import error
from test_writes import PART, multipart

MIB = 1 << 20


def uploads_of(store, bucket):
    return store.s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])


def is_part(bucket, number=r"\d+"):
    """Selects the UploadPart of "film"."""
    pattern = re.compile(rf"/{bucket}/film[?]partNumber={number}&uploadId=")
    return lambda method, target: method == "PUT" and bool(
        pattern.search(target))


def records(stack, bucket):
    """Our uploads as Redis has them."""
    return stack.redis.client.hgetall(
        f"chorus:{{alice:{bucket}:follower}}:uploads")


def copies(stack, bucket):
    return stack.stats(bucket)["counters"]["synced"]


# ---- layouts


@pytest.mark.parametrize("sizes", [
    [PART + 3, PART, PART + 1, 17],
    [PART + 12345, PART + 12345, PART + 12345, 1],
    [PART, 8 * MIB, PART, 9 * MIB, 100],
], ids=["uneven", "of-an-odd-size", "large-ones-between"])
def test_parts_of_any_size_make_the_same_etag(stack, bucket, sizes):
    """Ceph 16 does not tell its parts: the proxy has seen them."""
    multipart(stack.s3, bucket, "film", [os.urandom(n) for n in sizes])
    stack.wait_equal(bucket, 30)
    stack.wait_idle(bucket)
    assert stack.failed_attempts(bucket) == 0


def test_numbers_with_gaps_and_parts_twice(stack, bucket):
    s3 = stack.s3
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    parts = []
    for n, size in ((9, 77), (5, PART + 5), (1, 12), (1, PART + 1)):
        etag = s3.upload_part(Bucket=bucket, Key="k", UploadId=upload,
                              PartNumber=n, Body=os.urandom(size))["ETag"]
        parts = [{"PartNumber": n, "ETag": etag}] + [
            p for p in parts if p["PartNumber"] != n]
    s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload,
                                 MultipartUpload={"Parts": parts})
    stack.wait_equal(bucket, 30)
    stack.wait_idle(bucket)


def test_copied_parts(stack, bucket):
    """Of a whole object the proxy does not know the size: one of them is what
    is left."""
    s3 = stack.s3
    s3.put_object(Bucket=bucket, Key="source", Body=os.urandom(2 * PART + 7))
    multipart(s3, bucket, "joined", [
        {"CopySource": f"{bucket}/source",
         "CopySourceRange": f"bytes=0-{PART + 2}"},
        {"CopySource": f"{bucket}/source"}, os.urandom(PART), b"the end"])
    stack.wait_equal(bucket, 30)
    stack.wait_idle(bucket)


def test_without_a_layout_the_copy_is_made_once(stack, bucket):
    """Same bytes, another ETag: known from then on, and nothing is sent for a
    mark that changes nothing, until the object changes."""
    stack.stop_workers()
    multipart(stack.s3, bucket, "film",
              [os.urandom(n) for n in (PART + 1, PART + 3, 9)])
    stack.redis.client.delete(*stack.redis.client.keys("chorus:layout:*"))
    server = stack.faulty_follower
    stack.use_worker(follower=server.url)
    stack.wait_equal(bucket, 30, ignore={"etag"})
    stack.wait_idle(bucket)
    theirs = stack.follower.s3.head_object(Bucket=bucket, Key="film")
    sent = server.got_bytes
    mark(stack, bucket, "film")
    stack.wait_idle(bucket)
    assert server.got_bytes - sent < MIB
    assert stack.follower.s3.head_object(
        Bucket=bucket, Key="film")["LastModified"] == theirs["LastModified"]
    multipart(stack.s3, bucket, "film",
              [os.urandom(n) for n in (PART + 1, PART + 3, 9)])
    stack.wait_equal(bucket, 30)


def mark(stack, bucket, key):
    before = copies(stack, bucket), stack.stats(bucket)["counters"]["equal"]
    stack.redis.call("mark", 3, f"chorus:{{alice:{bucket}:follower}}",
                     "chorus:schedule", "chorus:replications", "event", 0, 0,
                     key)
    wait_until(lambda: (copies(stack, bucket),
                        stack.stats(bucket)["counters"]["equal"]) != before,
               20, "the mark is worked off")


# ---- several at a time


def test_parts_go_at_the_same_time(stack, bucket):
    """All four have begun before the first may end."""
    stack.stop_workers()
    multipart(stack.s3, bucket, "film", [os.urandom(PART)] * 4)
    server = stack.faulty_follower
    f = server.inject(when=is_part(bucket), held=True)
    stack.use_worker(follower=server.url)
    wait_until(lambda: f.hits == 4, 20, "all four are under way")
    f.release()
    stack.wait_equal(bucket, 30)
    assert f.hits == 4


def test_one_part_at_a_time_if_that_is_set(stack, bucket):
    stack.stop_workers()
    multipart(stack.s3, bucket, "film", [os.urandom(PART)] * 3)
    server = stack.faulty_follower
    f = server.inject(when=is_part(bucket), delay=0.3)
    stack.use_worker(follower=server.url, part_concurrency=1)
    stack.wait_equal(bucket, 30)
    assert f.hits == 3
    assert all(b - a >= 0.3 for a, b in zip(f.at, f.at[1:]))


# ---- going on


def interrupted(stack, bucket, kind):
    """An upload that hangs in its last part; {number: requests} of parts."""
    stack.stop_workers()
    multipart(stack.s3, bucket, "film",
              [os.urandom(PART + n) for n in range(4)])
    server = stack.faulty_follower
    f = server.inject(when=is_part(bucket, 4), hang=True)
    worker = stack.use_worker(follower=server.url, grace_seconds=1)
    wait_until(lambda: f.hits == 1 and len(parts_there(stack, bucket)) == 3,
               30, "three parts are there, the fourth hangs")
    assert len(records(stack, bucket)) == 1
    kind(worker)
    return server


def parts_there(stack, bucket):
    uploads = uploads_of(stack.follower, bucket)
    return [] if not uploads else stack.follower.s3.list_parts(
        Bucket=bucket, Key="film", UploadId=uploads[0]["UploadId"]).get(
        "Parts", [])


@pytest.mark.parametrize("kind", ["kill9", "stop"])
def test_the_next_worker_goes_on(stack, bucket, kind):
    server = interrupted(stack, bucket, lambda worker: getattr(
        worker, kind)())
    stack.stop_workers()
    again = server.inject(when=is_part(bucket), delay=0)
    stack.use_worker(follower=server.url)
    stack.wait_equal(bucket, 40)
    stack.wait_idle(bucket)
    server.clear()
    assert again.hits == 1, "only the part that was not there"
    assert not uploads_of(stack.follower, bucket)
    assert not records(stack, bucket)


CHANGES = {
    "overwritten": lambda s3, **at: multipart(
        s3, at["Bucket"], at["Key"], [os.urandom(PART), b"other"]),
    "small": lambda s3, **at: s3.put_object(Body=b"small", **at),
    "deleted": lambda s3, **at: s3.delete_object(**at),
    "metadata": lambda s3, **at: s3.copy_object(
        CopySource="{Bucket}/{Key}".format(**at), Metadata={"new": "1"},
        MetadataDirective="REPLACE", **at),
    "forgotten": lambda s3, **at: None,
}


def test_what_is_of_no_use_any_more_is_aborted(stack, bucket):
    """A client's own upload of the same key is left alone, and so is one that
    Redis has forgotten, which is told of."""
    stack.wait_equal(bucket)
    theirs = stack.follower.s3.create_multipart_upload(
        Bucket=bucket, Key="small")["UploadId"]
    stack.stop_workers()
    for key in CHANGES:
        multipart(stack.s3, bucket, key, [os.urandom(PART), b"end"])
    f = stack.faulty_follower.inject(
        when=lambda method, target: f"/{bucket}/" in target
        and "?partNumber=2&uploadId=" in target, hang=True)
    worker = stack.use_worker(follower=stack.faulty_follower.url)
    wait_until(lambda: f.hits == len(CHANGES), 30, "second parts hang")
    worker.kill9()
    assert len(uploads_of(stack.follower, bucket)) == len(CHANGES) + 1
    for key, change in CHANGES.items():
        change(stack.s3, Bucket=bucket, Key=key)
    stack.redis.client.hdel(f"chorus:{{alice:{bucket}:follower}}:uploads",
                            "forgotten")
    stack.faulty_follower.clear()
    stack.stop_workers()
    worker = stack.start_worker()
    stack.wait_equal(bucket, 40)
    stack.wait_idle(bucket)
    left = {u["Key"]: u["UploadId"]
            for u in uploads_of(stack.follower, bucket)}
    assert sorted(left) == ["forgotten", "small"]
    assert left["small"] == theirs
    assert not records(stack, bucket)
    assert re.search('key="forgotten" .*1 multipart uploads of this key that '
                     'are not known', open(worker.log).read())


# ---- faults


def test_a_part_that_fails_costs_only_that_part(stack, bucket):
    stack.stop_workers()
    multipart(stack.s3, bucket, "film",
              [os.urandom(PART + n) for n in range(4)])
    server = stack.faulty_follower
    f = server.inject(when=is_part(bucket, 3), times=4,
                      answer=fault.SLOW_DOWN)
    begin = server.got_bytes
    stack.use_worker(follower=server.url)
    stack.wait_equal(bucket, 40)
    stack.wait_idle(bucket)
    assert f.hits == 4 and stack.failed_attempts(bucket) == 1
    # four parts, and one of them four times in vain
    assert server.got_bytes - begin < 9 * PART


def test_main_that_cuts_a_part(stack, bucket):
    stack.stop_workers()
    multipart(stack.s3, bucket, "film",
              [os.urandom(PART + n) for n in range(3)])
    f = stack.faulty_main.inject(
        when=lambda method, target: method == "GET" and bucket in target
        and "/film" in target and "?" not in target,
        head=lambda lines: any(line.lower().startswith(b"range:")
                               for line in lines),
        truncate=100000, times=2)
    stack.use_worker(main=stack.faulty_main.url)
    stack.wait_equal(bucket, 40)
    stack.wait_idle(bucket)
    assert f.hits == 2 and stack.failed_attempts(bucket) == 0
    assert not uploads_of(stack.follower, bucket)


def test_main_that_changes_in_the_middle(stack, bucket):
    server = interrupted(stack, bucket, lambda worker: None)
    multipart(stack.s3, bucket, "film",
              [os.urandom(PART + n) for n in range(3, 0, -1)])
    server.clear()
    stack.wait_equal(bucket, 60)
    stack.wait_idle(bucket)
    assert not uploads_of(stack.follower, bucket)
    assert not records(stack, bucket)


def test_a_follower_that_forgets_the_upload(stack, bucket):
    server = interrupted(stack, bucket, lambda worker: None)
    upload = uploads_of(stack.follower, bucket)[0]["UploadId"]
    stack.follower.s3.abort_multipart_upload(Bucket=bucket, Key="film",
                                             UploadId=upload)
    server.clear()
    stack.wait_equal(bucket, 60)
    stack.wait_idle(bucket)
    assert not uploads_of(stack.follower, bucket)
    assert not records(stack, bucket)


@pytest.mark.parametrize("applied", [True, False],
                         ids=["it was done", "it was not"])
def test_a_completion_whose_answer_is_lost(stack, bucket, applied):
    stack.stop_workers()
    multipart(stack.s3, bucket, "film",
              [os.urandom(PART + n) for n in range(2)])
    server = stack.faulty_follower
    f = server.inject(
        when=lambda method, target: method == "POST"
        and f"{bucket}/film?uploadId=" in target, times=1, drop=True,
        applied=applied)
    begin = server.got_bytes
    stack.use_worker(follower=server.url)
    stack.wait_equal(bucket, 40)
    stack.wait_idle(bucket)
    assert f.hits == 1 and stack.failed_attempts(bucket) == 0
    assert server.got_bytes - begin < 3 * PART, "no part is sent again"
    assert not uploads_of(stack.follower, bucket)
    assert not records(stack, bucket)


def test_a_completion_that_answers_200_and_an_error(stack, bucket):
    stack.stop_workers()
    multipart(stack.s3, bucket, "film",
              [os.urandom(PART + n) for n in range(2)])
    server = stack.faulty_follower
    f = server.inject(
        when=lambda method, target: method == "POST"
        and f"{bucket}/film?uploadId=" in target, times=1,
        answer=error("InternalError", 200))
    begin = server.got_bytes
    stack.use_worker(follower=server.url)
    stack.wait_equal(bucket, 40)
    stack.wait_idle(bucket)
    assert f.hits == 1 and stack.failed_attempts(bucket) == 1
    assert server.got_bytes - begin < 3 * PART, "no part is sent again"
    assert not uploads_of(stack.follower, bucket)
