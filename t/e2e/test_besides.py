"""What an object has beside its content, where one of the two storages does
not have it or refuses it."""

import datetime
import os
import re

import pytest

import compare
from checksum_store import ChecksumStore, composite, crc32
from process import wait_until
from test_errors import error
from wire import path_of

MIB = 1 << 20


def locked(stack, bucket_name):
    name = bucket_name()
    stack.s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    stack.wait_idle(name)
    return name


def until():
    day = datetime.datetime.utcnow() + datetime.timedelta(days=2)
    return day.strftime("%Y-%m-%dT00:00:00Z")


TAGGING = b"<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag>" \
          b"</TagSet></Tagging>"
RETENTION = "<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>{}" \
            "</RetainUntilDate></Retention>"


@pytest.mark.parametrize("refused", ["tagging", "retention"])
def test_what_is_refused_does_not_keep_the_acl_from_being_corrected(
        stack, bucket_name, refused):
    bucket = locked(stack, bucket_name)
    path = path_of(bucket, "k")
    wire = stack.wire()
    assert wire.call("PUT", path, body=os.urandom(9 * MIB), headers={
        "x-amz-acl": "public-read"}).status == 200
    ignore = {"x-amz-version-id", "x-amz-object-lock-legal-hold"}
    stack.wait_equal(bucket, ignore=ignore)
    stack.wait_idle(bucket)
    stack.stop_workers()
    ours, theirs = stack.main.wire(), stack.follower.wire()
    for query, body in (("tagging", TAGGING),
                        ("retention", RETENTION.format(until()).encode())):
        assert ours.call("PUT", path, query=query, body=body).status == 200
    assert ours.call("PUT", path, query="acl", headers={
        "x-amz-acl": "private"}).status == 200

    f = stack.faulty_follower.inject(
        when=lambda method, target: method == "PUT" and refused in target,
        answer=error("InternalError", 500))
    # everything, as a scan would
    stack.redis.call("mark", 3, f"chorus:{{alice:{bucket}:follower}}",
                     "chorus:schedule", "chorus:replications", "scan", 0, 0,
                     "k")
    stack.use_worker(follower=stack.faulty_follower.url)
    wait_until(lambda: compare.acl_of(theirs, path)
               == compare.acl_of(ours, path), 20, "the ACL is private")
    wait_until(lambda: stack.failed(bucket), 20, "and the key is in trouble")
    assert f.hits > 0
    failed, = stack.failed(bucket).values()
    assert failed["code"] == "InternalError"
    assert (compare.tags_of(theirs, path) == []) == (refused == "tagging")
    stack.faulty_follower.clear()
    stack.wait_equal(bucket, ignore=ignore)
    stack.wait_idle(bucket)


def test_a_follower_that_is_said_to_have_no_object_lock_is_sent_none(
        stack, bucket_name):
    bucket = locked(stack, bucket_name)
    stack.stop_workers()
    lock = {"x-amz-object-lock-mode": "GOVERNANCE",
            "x-amz-object-lock-retain-until-date": until(),
            "x-amz-object-lock-legal-hold": "ON"}
    wire = stack.wire()
    wire.put(bucket, "small", b"x", lock)
    wire.put(bucket, "large", os.urandom(9 * MIB), lock)
    seen = []
    stack.faulty_follower.inject(
        head=lambda lines: seen.append(lines) or False)
    stack.use_worker(follower=stack.faulty_follower.url,
                     follower_more={"object_lock": False})
    stack.wait_idle(bucket)
    theirs = stack.follower.wire()
    for key in ("small", "large"):
        assert theirs.get(bucket, key).body == wire.get(bucket, key).body
    assert len(seen) >= 2 and stack.failed_attempts(bucket) == 0
    assert not [line for lines in seen for line in lines
                if re.search(rb"object-lock|\?retention|\?legal-hold", line)]
    # looked at again, it is what it can be
    stack.redis.call("mark", 3, f"chorus:{{alice:{bucket}:follower}}",
                     "chorus:schedule", "chorus:replications", "scan", 0, 0,
                     "large")
    stack.wait_idle(bucket)
    assert stack.stats(bucket)["counters"]["equal"] > 0


def upload(wire, path, parts, is_told):
    """A multipart upload with the checksums of its parts."""
    answer = wire.call("POST", path, query="uploads=", headers={
        "x-amz-checksum-algorithm": "CRC32",
        "x-amz-checksum-type": "COMPOSITE"} if is_told else {})
    upload_id = re.search(rb"<UploadId>(.*?)</", answer.body).group(1).decode()
    done = ""
    for n, body in enumerate(parts, 1):
        answer = wire.call(
            "PUT", path, query=f"partNumber={n}&uploadId={upload_id}",
            body=body, headers={"x-amz-checksum-crc32": crc32(body)}
            if is_told else {})
        done += f"<Part><PartNumber>{n}</PartNumber><ETag>" \
                f"{answer.headers['etag']}</ETag></Part>"
    answer = wire.call("POST", path, query=f"uploadId={upload_id}", body=(
        f"<CompleteMultipartUpload>{done}</CompleteMultipartUpload>").encode())
    assert answer.status == 200, answer


@pytest.mark.parametrize("is_told", [True, False], ids=["told", "not-told"])
def test_checksums_of_a_multipart_object(stack, bucket, is_told):
    """Parts of uneven sizes, found by ?partNumber, each with its own."""
    stack.wait_idle(bucket)
    stack.stop_workers()
    parts = [os.urandom(5 * MIB), os.urandom(6 * MIB), b"end"]
    path = path_of(bucket, "film")
    # marks it
    stack.wire().put(bucket, "film", b"x")
    ours, theirs = (ChecksumStore(store.port)
                    for store in (stack.main, stack.follower))
    try:
        wire = stack.main.wire()
        wire.netloc = ours.url[7:]
        upload(wire, path, parts, is_told)
        wire.close()
        keeps = {"checksums": True}
        stack.use_worker(main=ours.url, follower=theirs.url, main_more=keeps,
                         follower_more=keeps)
        stack.wait_equal(bucket)
        stack.wait_idle(bucket)
        checksums = [crc32(part) if is_told else None for part in parts]
        expected = composite(checksums) if is_told else None
        assert theirs.parts[path] == ours.parts[path] == [
            (len(part), checksum)
            for part, checksum in zip(parts, checksums)]
        assert theirs.checksums[path] == ours.checksums[path] == expected
        assert theirs.begun == [("CRC32", "COMPOSITE") if is_told
                                else (None, None)]
        assert stack.failed_attempts(bucket) == 0
    finally:
        stack.stop_workers()
        ours.close()
        theirs.close()
