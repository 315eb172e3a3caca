"""Versioned buckets: what changes on a version, and what keeps it from being
deleted; content that the follower has already is not sent to it."""

import base64
import datetime
import hashlib
import os

import pytest

import versions
from process import wait_until
from versions import (ENABLED, SUSPENDED, delete, in_one_part, put,
                      wait_equal)

MIB = 1 << 20
DAY = datetime.timedelta(days=1)


@pytest.fixture
def locked(stack, bucket_name):
    name = bucket_name()
    stack.s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


def retention(mode="GOVERNANCE", days=2):
    return {"Mode": mode,
            "RetainUntilDate": datetime.datetime.utcnow() + days * DAY}


def retain(stack, bucket, key, version, mode="GOVERNANCE", days=2):
    stack.s3.put_object_retention(
        Bucket=bucket, Key=key, VersionId=version,
        Retention=retention(mode, days), BypassGovernanceRetention=True)


def hold(stack, bucket, key, version, status="ON"):
    stack.s3.put_object_legal_hold(Bucket=bucket, Key=key, VersionId=version,
                                   LegalHold={"Status": status})


@pytest.fixture
def no_content(stack):
    """no_content(): from now on none may go to the follower."""
    def begin():
        stack.use_worker(main=stack.faulty_main.url,
                         follower=stack.faulty_follower.url)
        stack.faulty_main.reset()
        stack.faulty_follower.reset()

    def moves():
        assert stack.faulty_follower.passed > 0
        return stack.faulty_follower.got_bytes

    moves.begin = begin
    return moves


def test_locks_tags_and_acls_of_every_version_follow_without_content(
        stack, locked, no_content):
    s3 = stack.s3
    body = os.urandom(40_000)
    ids = [put(stack, locked, "k", body + b"%d" % n) for n in range(5)]
    wait_equal(stack, locked, ["k"])
    stack.wait_idle(locked)
    no_content.begin()
    for change in (
            lambda: retain(stack, locked, "k", ids[0]),
            lambda: hold(stack, locked, "k", ids[1]),
            lambda: retain(stack, locked, "k", ids[4], days=3),
            lambda: retain(stack, locked, "k", ids[0], days=1),
            lambda: hold(stack, locked, "k", ids[1], "OFF"),
            lambda: s3.put_object_tagging(
                Bucket=locked, Key="k", VersionId=ids[1],
                Tagging={"TagSet": [{"Key": "a", "Value": "ü"}]}),
            lambda: s3.delete_object_tagging(
                Bucket=locked, Key="k", VersionId=ids[1]),
            lambda: s3.put_object_acl(Bucket=locked, Key="k",
                                      VersionId=ids[2], ACL="public-read"),
            lambda: s3.put_object_acl(Bucket=locked, Key="k",
                                      VersionId=ids[2], ACL="private")):
        change()
        wait_equal(stack, locked, ["k"], acls=True)
    stack.wait_idle(locked)
    assert no_content() < len(body)
    assert stack.failed_attempts(locked) == 0


def test_what_changes_on_a_version_while_it_waits_comes_with_it(
        stack, locked):
    """All of it is one mark of the key by the time a worker is there."""
    s3 = stack.s3
    old = put(stack, locked, "k", b"old")
    wait_equal(stack, locked, ["k"])
    stack.stop_workers()
    hold(stack, locked, "k", old)
    ids = [put(stack, locked, "k", b"%d" % n, Tagging="n=1", **(dict(
        ObjectLockMode="GOVERNANCE",
        ObjectLockRetainUntilDate=retention()["RetainUntilDate"])
        if n == 1 else {})) for n in range(4)]
    retain(stack, locked, "k", ids[0])
    hold(stack, locked, "k", ids[1])
    delete(stack, locked, "k")
    s3.put_object_tagging(Bucket=locked, Key="k", VersionId=ids[2],
                          Tagging={"TagSet": [{"Key": "n", "Value": "2"}]})
    s3.put_object_acl(Bucket=locked, Key="k", VersionId=ids[3],
                      ACL="public-read")
    stack.use_worker()
    wait_equal(stack, locked, ["k"], acls=True)
    stack.wait_idle(locked)
    assert stack.failed_attempts(locked) == 0


def test_a_change_of_what_was_current_before_a_write_is_seen(
        stack, versioned):
    """Both within the same moment, a mark of everything."""
    put(stack, versioned, "k", b"one")
    wait_equal(stack, versioned, ["k"])
    stack.wait_idle(versioned)
    stack.stop_workers()
    stack.s3.put_object_acl(Bucket=versioned, Key="k", ACL="public-read")
    put(stack, versioned, "k", b"two")
    stack.use_worker()
    wait_equal(stack, versioned, ["k"], acls=True)


@pytest.mark.parametrize("state", [ENABLED, SUSPENDED])
@pytest.mark.parametrize("kind", ["single", "multipart"])
def test_content_that_the_follower_has_in_some_version_is_copied_there(
        stack, versioned, no_content, kind, state):
    s3 = stack.s3
    old = put(stack, versioned, "k", os.urandom(8 * MIB + 1)) \
        if kind == "single" else in_one_part(stack, versioned, "k",
                                             os.urandom(50_000))
    put(stack, versioned, "k", b"small")
    versions.set_state(s3, versioned, state)
    wait_equal(stack, versioned, ["k"])
    stack.wait_idle(versioned)
    no_content.begin()
    for n in range(2):
        s3.copy_object(Bucket=versioned, Key="k", CopySource={
            "Bucket": versioned, "Key": "k", "VersionId": old},
            MetadataDirective="REPLACE", Metadata={"n": str(n)},
            TaggingDirective="REPLACE", Tagging="copied=yes",
            ACL="public-read")
        stack.wait_idle(versioned)
    wait_equal(stack, versioned, ["k"], acls=True)
    assert no_content() < 20_000
    assert stack.failed_attempts(versioned) == 0


def test_a_copy_with_another_etag_is_taken_back_and_the_content_sent(
        stack, versioned):
    """As storages do that encrypt, or make one part of many."""
    put(stack, versioned, "k", os.urandom(9 * MIB))
    wait_equal(stack, versioned, ["k"])
    stack.wait_idle(versioned)
    made = []

    def answer(method, target):
        made.append(stack.follower.s3.put_object(
            Bucket=versioned, Key="k", Body=b"another")["VersionId"])
        return (200, b"<CopyObjectResult><ETag>&quot;0123&quot;</ETag>"
                b"</CopyObjectResult>", "application/xml",
                f"x-amz-version-id: {made[-1]}")

    stack.faulty_follower.inject(
        when=lambda m, t: m == "PUT" and t.split("?")[0].endswith("/k"),
        head=lambda lines: b"x-amz-copy-source:" in b"".join(lines).lower(),
        answer=answer)
    stack.use_worker(follower=stack.faulty_follower.url)
    copy = dict(Bucket=versioned, Key="k", MetadataDirective="REPLACE",
                CopySource={"Bucket": versioned, "Key": "k"})
    stack.s3.copy_object(**copy, Metadata={"a": "2"})
    wait_equal(stack, versioned, ["k"])
    assert len(made) == 1
    assert made[0] not in [i for i, _, _ in versions.raw(
        stack.follower, versioned, "k")]
    assert stack.failed_attempts(versioned) == 0


def test_a_version_that_was_locked_is_deleted_as_on_main(stack, locked):
    """Main let go of it; the follower may not have heard of that yet."""
    ids = [put(stack, locked, "k", b"%d" % n) for n in range(4)]
    wait_equal(stack, locked, ["k"])
    stack.wait_idle(locked)
    retain(stack, locked, "k", ids[1])
    hold(stack, locked, "k", ids[2])
    wait_equal(stack, locked, ["k"])
    stack.wait_idle(locked)
    stack.stop_workers()
    stack.s3.delete_object(Bucket=locked, Key="k", VersionId=ids[1],
                           BypassGovernanceRetention=True)
    hold(stack, locked, "k", ids[2], "OFF")
    delete(stack, locked, "k", ids[2])
    stack.use_worker()
    wait_equal(stack, locked, ["k"])
    stack.wait_idle(locked)
    assert stack.failed_attempts(locked) == 0


def test_a_locked_version_that_main_does_not_have_stays_and_is_told(
        stack, locked):
    """Nothing is tried again for it, and what is current is main's."""
    put(stack, locked, "k", b"one")
    put(stack, locked, "gone", b"one")
    wait_equal(stack, locked, ["k", "gone"])
    stack.wait_idle(locked)
    worker = stack.use_worker()
    strange = {key: stack.follower.s3.put_object(
        Bucket=locked, Key=key, Body=b"strange", ObjectLockMode="COMPLIANCE",
        ObjectLockRetainUntilDate=retention()["RetainUntilDate"],
        ContentMD5=base64.b64encode(hashlib.md5(b"strange").digest())
        .decode())["VersionId"] for key in ("k", "gone")}
    # a mark, and no version of its own
    stack.s3.put_object_acl(Bucket=locked, Key="k", ACL="private")
    for version, _, _ in versions.raw(stack.main, locked, "gone"):
        delete(stack, locked, "gone", version)

    def current():
        return stack.follower.s3.get_object(
            Bucket=locked, Key="k")["Body"].read()
    wait_until(lambda: current() == b"one", 20, "main's is current")
    stack.wait_idle(locked)
    for key, there in (("k", 2), ("gone", 1)):
        left = [i for i, _, _ in versions.raw(stack.follower, locked, key)]
        assert strange[key] in left and len(left) == there
    before = versions.raw(stack.follower, locked, "k")
    with open(worker.log) as f:
        assert f.read().count("is locked and stays") == 2
    stack.s3.put_object_acl(Bucket=locked, Key="k", ACL="private")
    stack.wait_idle(locked)
    assert versions.raw(stack.follower, locked, "k") == before
    assert stack.failed_attempts(locked) == 0


def test_another_name_holds_for_versions(stack, bucket_name):
    bucket = bucket_name("ren")
    stack.s3.create_bucket(Bucket=bucket)
    versions.set_state(stack.s3, bucket, ENABLED)
    old = put(stack, bucket, "k", b"one")
    in_one_part(stack, bucket, "k", b"two")
    # the follower has that, in a bucket of another name
    stack.s3.copy_object(Bucket=bucket, Key="k",
                         CopySource={"Bucket": bucket, "Key": "k"},
                         MetadataDirective="REPLACE", Metadata={"n": "2"})
    target = f"{bucket}-copy"
    wait_equal(stack, bucket, ["k"], target=target)
    delete(stack, bucket, "k", old)
    delete(stack, bucket, "k")
    wait_equal(stack, bucket, ["k"], target=target)
    assert not versions.bucket_is_there(stack.follower, bucket)
