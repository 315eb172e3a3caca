"""Versioned buckets: the follower's history of a key is main's."""

import hashlib
import itertools
import os
import re
import subprocess
import threading
import time

import pytest

import versions
from fault import DENIED, NOT_HERE
from process import wait_until
from stack import IS_ASAN
from versions import (ENABLED, SUSPENDED, delete, in_one_part, put,
                      wait_equal)

MIB = 1 << 20


def puts_and_deletes(stack, bucket, key):
    put(stack, bucket, key, b"one", Metadata={"n": "1"})
    put(stack, bucket, key, b"two", ContentType="text/plain")
    delete(stack, bucket, key)
    put(stack, bucket, key, b"")
    put(stack, bucket, key, b"four", Tagging="a=1&b=2")


def undeletes(stack, bucket, key):
    put(stack, bucket, key, b"one")
    marker = delete(stack, bucket, key)
    wait_equal(stack, bucket, [key])
    delete(stack, bucket, key, marker)


def loses_an_old_version(stack, bucket, key):
    ids = [put(stack, bucket, key, b"%d" % n) for n in range(5)]
    wait_equal(stack, bucket, [key])
    delete(stack, bucket, key, ids[1])
    delete(stack, bucket, key, ids[3])


def loses_the_newest_version(stack, bucket, key):
    ids = [put(stack, bucket, key, b"%d" % n) for n in range(4)]
    wait_equal(stack, bucket, [key])
    delete(stack, bucket, key, ids[3])
    delete(stack, bucket, key, ids[2])


def loses_everything(stack, bucket, key):
    ids = [put(stack, bucket, key, b"%d" % n) for n in range(3)]
    ids.append(delete(stack, bucket, key))
    wait_equal(stack, bucket, [key])
    for version in ids:
        delete(stack, bucket, key, version)


def is_deleted_without_ever_having_been(stack, bucket, key):
    delete(stack, bucket, key)


def has_equal_contents(stack, bucket, key):
    for n in range(4):
        put(stack, bucket, key, b"same", Metadata={"n": str(n)})


def loses_one_of_equal_contents(stack, bucket, key):
    ids = [put(stack, bucket, key, b"same", Metadata={"n": str(n)})
           for n in range(4)]
    wait_equal(stack, bucket, [key])
    delete(stack, bucket, key, ids[0])
    delete(stack, bucket, key, ids[2])


def is_copied_onto_itself(stack, bucket, key):
    put(stack, bucket, key, b"x" * 1000, Metadata={"a": "1"})
    stack.s3.copy_object(Bucket=bucket, Key=key, MetadataDirective="REPLACE",
                         CopySource={"Bucket": bucket, "Key": key},
                         Metadata={"a": "2"})


def is_restored_from_an_old_version(stack, bucket, key):
    first = put(stack, bucket, key, b"first")
    put(stack, bucket, key, b"second")
    stack.s3.copy_object(Bucket=bucket, Key=key, CopySource={
        "Bucket": bucket, "Key": key, "VersionId": first})


def has_a_multipart_version(stack, bucket, key):
    put(stack, bucket, key, b"small")
    upload = stack.s3.create_multipart_upload(Bucket=bucket, Key=key)
    parts = []
    for n, body in enumerate([os.urandom(8 * MIB), os.urandom(3 * MIB)], 1):
        parts.append({"PartNumber": n, "ETag": stack.s3.upload_part(
            Bucket=bucket, Key=key, PartNumber=n, Body=body,
            UploadId=upload["UploadId"])["ETag"]})
    stack.s3.complete_multipart_upload(
        Bucket=bucket, Key=key, UploadId=upload["UploadId"],
        MultipartUpload={"Parts": parts})
    put(stack, bucket, key, b"small again")


def loses_what_is_as_long_as_an_upload_in_parts(stack, bucket, key):
    """Whose ETag does not tell the content, where parts are not known."""
    ids = [put(stack, bucket, key, b"one"),
           in_one_part(stack, bucket, key, b"two"),
           in_one_part(stack, bucket, key, b"333"),
           put(stack, bucket, key, b"444")]
    wait_equal(stack, bucket, [key])
    delete(stack, bucket, key, ids[0])
    wait_equal(stack, bucket, [key])
    delete(stack, bucket, key, ids[1])


def has_large_versions(stack, bucket, key):
    """Equal ones: what the follower has already is copied all the same."""
    body = os.urandom(9 * MIB)
    put(stack, bucket, key, body)
    put(stack, bucket, key, body, Metadata={"second": "1"})


def is_deleted_by_a_list(stack, bucket, key):
    ids = [put(stack, bucket, key, b"%d" % n) for n in range(3)]
    stack.s3.delete_objects(Bucket=bucket, Delete={"Objects": [
        {"Key": key, "VersionId": ids[1]}, {"Key": key}]})


def has_tags_changed_on_an_old_version(stack, bucket, key):
    ids = [put(stack, bucket, key, b"%d" % n, Tagging="n=0")
           for n in range(3)]
    wait_equal(stack, bucket, [key])
    stack.s3.put_object_tagging(
        Bucket=bucket, Key=key, VersionId=ids[0],
        Tagging={"TagSet": [{"Key": "n", "Value": "changed"}]})
    stack.s3.delete_object_tagging(Bucket=bucket, Key=key, VersionId=ids[1])


HISTORIES = [puts_and_deletes, undeletes, loses_an_old_version,
             loses_the_newest_version, loses_everything,
             is_deleted_without_ever_having_been, has_equal_contents,
             loses_one_of_equal_contents, is_copied_onto_itself,
             is_restored_from_an_old_version, has_a_multipart_version,
             loses_what_is_as_long_as_an_upload_in_parts,
             has_large_versions, is_deleted_by_a_list,
             has_tags_changed_on_an_old_version]


@pytest.mark.parametrize("happens", HISTORIES, ids=lambda f: f.__name__)
def test_a_key_that(stack, versioned, happens):
    happens(stack, versioned, "a key/ö+%20")
    wait_equal(stack, versioned, ["a key/ö+%20"], 30)
    stack.wait_idle(versioned)


def wait_acl(stack, bucket, key, canned, version=None):
    """Of what is current, unless a version is named: it is on the follower."""
    more = {"VersionId": version} if version else {}
    wanted = ["FULL_CONTROL"] + (["READ"] if canned == "public-read" else [])

    def has():
        grants = stack.follower.s3.get_object_acl(
            Bucket=bucket, Key=key, **more)["Grants"]
        return sorted(g["Permission"] for g in grants) == wanted
    wait_until(has, 10, f"{canned} on the follower")


def test_the_acl_of_what_is_current_follows(stack, versioned):
    """When it comes with the version, and when it changes by itself."""
    s3 = stack.s3
    put(stack, versioned, "k", b"one")
    put(stack, versioned, "k", b"two", ACL="public-read")
    wait_equal(stack, versioned, ["k"])
    wait_acl(stack, versioned, "k", "public-read")
    for canned in ("private", "public-read"):
        s3.put_object_acl(Bucket=versioned, Key="k", ACL=canned)
        wait_acl(stack, versioned, "k", canned)
    put(stack, versioned, "k", b"three")
    wait_equal(stack, versioned, ["k"])
    wait_acl(stack, versioned, "k", "private")
    stack.wait_idle(versioned)
    assert stack.failed_attempts(versioned) == 0


def test_grants_to_another_user_follow_on_a_version(stack, versioned):
    put(stack, versioned, "k", b"one", GrantRead='id="bob"',
        GrantFullControl='id="alice"')
    wait_equal(stack, versioned, ["k"])
    stack.wait_idle(versioned)
    bob = stack.follower.wire("bob")
    try:
        assert bob.get(versioned, "k").status == 200
    finally:
        bob.close()


def test_an_older_version_is_not_opened_by_the_acl_of_the_newest(
        stack, versioned):
    stack.stop_workers()
    for n in range(3):
        put(stack, versioned, "k", b"%d" % n,
            ACL="public-read" if n != 1 else "private")
    stack.use_worker()
    wait_equal(stack, versioned, ["k"])
    stack.wait_idle(versioned)
    ids = [i for i, _, _ in versions.raw(stack.follower, versioned, "k")]
    for version, canned in zip(ids, ("public-read", "private",
                                     "public-read")):
        wait_acl(stack, versioned, "k", canned, version)


def test_acls_that_are_denied_do_not_hold_up_a_history(stack, versioned):
    stack.stop_workers()
    for n in range(3):
        put(stack, versioned, "k", b"%d" % n)
    stack.faulty_main.inject(
        when=lambda method, target: versioned in target and "?acl" in target,
        answer=DENIED)
    stack.use_worker(main=stack.faulty_main.url)
    # which may be of the bucket: the key comes when it comes
    wait_until(lambda: stack.failed_attempts(versioned) > 0, 10, "it is told")
    wait_equal(stack, versioned, ["k"])
    stack.faulty_main.clear()


def test_a_version_that_goes_before_it_is_read_is_no_failure(
        stack, versioned):
    stack.stop_workers()
    for n in range(2):
        put(stack, versioned, "k", b"%d" % n)
    # as AWS and MinIO say it
    fault = stack.faulty_main.inject(
        when=lambda method, target: method == "GET"
        and f"/{versioned}/k?versionId=" in target,
        times=1, answer=(404, b"<?xml version='1.0'?><Error><Code>"
                         b"NoSuchVersion</Code></Error>", "application/xml"))
    stack.use_worker(main=stack.faulty_main.url)
    wait_equal(stack, versioned, ["k"])
    assert fault.hits == 1 and stack.failed_attempts(versioned) == 0
    stack.faulty_main.clear()


def test_a_filter_takes_a_history_by_the_tags_of_its_newest_version(stack):
    bucket = f"tag-{os.urandom(4).hex()}"
    stack.s3.create_bucket(Bucket=bucket)
    versions.set_state(stack.s3, bucket, ENABLED)
    for key in ("taken", "later", "left"):
        put(stack, bucket, key, b"one")
        put(stack, bucket, key, b"two", Tagging="class=lead")
    put(stack, bucket, "taken", b"three", Tagging="class=gold")
    delete(stack, bucket, "left")
    wait_equal(stack, bucket, ["taken"])
    stack.wait_idle(bucket)
    for key in ("later", "left"):
        assert versions.raw(stack.follower, bucket, key) == []
    stack.s3.put_object_tagging(Bucket=bucket, Key="later", Tagging={
        "TagSet": [{"Key": "class", "Value": "gold"}]})
    wait_equal(stack, bucket, ["taken", "later"])


def test_keys_that_begin_alike_are_not_mixed_up(stack, versioned):
    keys = ["k", "k0", "k/", "k/k", "kk"]
    for n in range(3):
        for key in keys:
            put(stack, versioned, key, f"{key} {n}".encode())
    wait_equal(stack, versioned, keys)


def test_a_key_with_control_characters(stack, versioned):
    wire = stack.wire()
    for n in range(30):
        assert wire.put(versioned, b"a\x01\x7f<&b", b"%d" % n).status == 200
    stack.wait_idle(versioned)
    for store in (stack.main, stack.follower):
        assert len(versions.raw(store, versioned, "a\x01\x7f<&b")) == 30


def test_the_follower_is_down_in_between(stack, versioned):
    keys = [f.__name__ for f in (puts_and_deletes, has_equal_contents)]
    for key in keys:
        put(stack, versioned, key, b"before")
    wait_equal(stack, versioned, keys)
    stack.follower.stop_gateway()
    puts_and_deletes(stack, versioned, keys[0])
    ids = [put(stack, versioned, keys[1], b"same", Metadata={"n": str(n)})
           for n in range(5)]
    delete(stack, versioned, keys[1], ids[0])
    delete(stack, versioned, keys[1], ids[3])
    stack.follower.start_gateway()
    wait_equal(stack, versioned, keys, 30)


def test_an_old_version_replaced_by_its_like_while_nobody_looked(
        stack, versioned):
    """Same bytes, other headers: a listing tells it by the times only."""
    old = put(stack, versioned, "k", b"same", Metadata={"n": "1"})
    wait_equal(stack, versioned, ["k"])
    stack.stop_workers()
    put(stack, versioned, "k", b"same", Metadata={"n": "2"})
    delete(stack, versioned, "k", old)
    put(stack, versioned, "k", b"other")
    stack.start_worker()
    wait_equal(stack, versioned, ["k"])


def loses_a_version_on_the_follower(stack, bucket, key):
    for n in range(5):
        put(stack, bucket, key, b"%d" % n)
        if n == 3:
            delete(stack, bucket, key)
    wait_equal(stack, bucket, [key])
    lost = versions.raw(stack.follower, bucket, key)[2][0]
    stack.follower.s3.delete_object(Bucket=bucket, Key=key, VersionId=lost)
    stack.follower.s3.put_object(Bucket=bucket, Key=key, Body=b"stranger")
    put(stack, bucket, key, b"next")


def test_a_version_that_the_follower_lost_comes_back_in_its_place(
        stack, versioned):
    loses_a_version_on_the_follower(stack, versioned, "k")
    wait_equal(stack, versioned, ["k"])


def test_worker_is_killed_in_the_middle_of_a_history(stack, versioned):
    stack.stop_workers()
    for n in range(30):
        put(stack, versioned, "k", b"%d" % n, Metadata={"n": str(n)})
        if n % 7 == 6:
            delete(stack, versioned, "k")
    stack.faulty_follower.inject(
        when=lambda m, t: m == "PUT" and "/k" in t, delay=0.05)
    worker = stack.use_worker(follower=stack.faulty_follower.url)
    wait_until(lambda: len(count(stack, versioned)) >= 5, 30,
               "a part of the history")
    worker.kill9()
    stack.workers = []
    stack.faulty_follower.clear()
    stack.start_worker()
    wait_equal(stack, versioned, ["k"], 40)


def count(stack, bucket):
    if not versions.bucket_is_there(stack.follower, bucket):
        return []
    return versions.raw(stack.follower, bucket, "k")


def test_100_versions(stack, versioned, figures):
    """More than a first page of the listing."""
    ids = [put(stack, versioned, "k", b"%d" % n) for n in range(100)]
    begin = time.monotonic()
    wait_equal(stack, versioned, ["k"], 60, tags=False)
    for version in ids[::3]:
        delete(stack, versioned, "k", version)
    put(stack, versioned, "k", b"last")
    wait_equal(stack, versioned, ["k"], 60, tags=False)
    figures(f"100 versions, 34 of them deleted again: equal after "
            f"{time.monotonic() - begin:.1f} s")


def test_writes_of_many_clients_at_once(stack, versioned):
    def work(n):
        s3 = stack.s3
        ids = []
        for i in range(30):
            key = f"k{(n + i) % 3}"
            if i % 5 == 4:
                s3.delete_object(Bucket=versioned, Key=key)
            elif i % 7 == 6 and ids:
                old = ids.pop(0)
                s3.delete_object(Bucket=versioned, Key=old[0],
                                 VersionId=old[1])
            else:
                ids.append((key, put(stack, versioned, key, b"%d %d" % (n, i),
                                     Metadata={"n": f"{n} {i}"})))

    stack.start_worker()
    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    wait_equal(stack, versioned, ["k0", "k1", "k2"], 60, tags=False)


# ---- the state of the bucket

def test_versioning_is_switched_on_before_objects_are_copied(stack, bucket):
    """All of it happens while no worker runs."""
    stack.stop_workers()
    put(stack, bucket, "old", b"null version")
    versions.set_state(stack.s3, bucket, ENABLED)
    for n in range(3):
        put(stack, bucket, "k", b"%d" % n)
    put(stack, bucket, "old", b"second")
    stack.start_worker()
    wait_equal(stack, bucket, ["k", "old"], nulls=False)


def test_a_bucket_in_use_is_versioned_from_one_moment_to_the_next(
        stack, bucket):
    """No worker trusts what it knew of the bucket a moment ago."""
    stack.start_worker()
    for n in range(20):
        put(stack, bucket, f"warm{n}", b"x")
    stack.wait_idle(bucket)
    versions.set_state(stack.s3, bucket, ENABLED)
    for n in range(3):
        put(stack, bucket, "k", b"%d" % n)
        put(stack, bucket, "gone", b"%d" % n)
    delete(stack, bucket, "gone")
    put(stack, bucket, "warm0", b"y")
    delete(stack, bucket, "warm1")
    wait_equal(stack, bucket, ["k", "gone", "warm0", "warm1"])


def test_null_versions_stay_null_versions(stack, bucket):
    put(stack, bucket, "k", b"null")
    stack.wait_equal(bucket)
    versions.set_state(stack.s3, bucket, ENABLED)
    put(stack, bucket, "k", b"1")
    wait_equal(stack, bucket, ["k"])
    versions.set_state(stack.s3, bucket, SUSPENDED)
    wait_equal(stack, bucket, ["k"])
    put(stack, bucket, "k", b"null again")
    wait_equal(stack, bucket, ["k"])
    put(stack, bucket, "k", b"and again")
    wait_equal(stack, bucket, ["k"])
    delete(stack, bucket, "k")
    wait_equal(stack, bucket, ["k"])
    delete(stack, bucket, "k", "null")
    wait_equal(stack, bucket, ["k"])
    versions.set_state(stack.s3, bucket, ENABLED)
    put(stack, bucket, "k", b"2")
    wait_equal(stack, bucket, ["k"])


def test_suspended_from_the_beginning(stack, bucket):
    versions.set_state(stack.s3, bucket, SUSPENDED)
    for n in range(3):
        put(stack, bucket, "k", b"%d" % n)
    wait_equal(stack, bucket, ["k"])


def test_histories_of_a_bucket_that_is_suspended_by_now(stack, bucket):
    """The follower's is enabled for as long as it takes."""
    stack.stop_workers()
    versions.set_state(stack.s3, bucket, ENABLED)
    keys = [f"k{n}" for n in range(8)]
    for key in keys:
        for n in range(2):
            put(stack, bucket, key, f"{key} {n}".encode())
        delete(stack, bucket, key)
    versions.set_state(stack.s3, bucket, SUSPENDED)
    for key in keys[:4]:
        put(stack, bucket, key, b"null")
    stack.start_worker()
    stack.start_worker()
    wait_equal(stack, bucket, keys, 60, nulls=False)
    put(stack, bucket, "k0", b"null, too")
    put(stack, bucket, "k7", b"null")
    wait_equal(stack, bucket, keys, 60, nulls=False)


def test_worker_is_killed_while_the_follower_is_enabled_for_it(stack, bucket):
    stack.stop_workers()
    versions.set_state(stack.s3, bucket, ENABLED)
    for n in range(12):
        put(stack, bucket, "k", b"%d" % n)
    versions.set_state(stack.s3, bucket, SUSPENDED)
    passed = itertools.count(1)
    f = stack.faulty_follower.inject(
        when=lambda m, t: m == "PUT" and t.split("?")[0] == f"/{bucket}/k"
        and next(passed) > 3, hang=True)
    worker = stack.use_worker(follower=stack.faulty_follower.url)
    wait_until(lambda: f.hits, 30, "some versions are there, the next hangs")
    worker.kill9()
    stack.workers = []
    assert versions.state_of(stack.follower, bucket) == ENABLED
    stack.start_worker()
    wait_equal(stack, bucket, ["k"], 30)


def test_a_versioned_bucket_is_deleted_and_made_again(stack, versioned):
    ids = [put(stack, versioned, "k", b"%d" % n) for n in range(3)]
    ids.append(delete(stack, versioned, "k"))
    wait_equal(stack, versioned, ["k"])
    for version in ids:
        delete(stack, versioned, "k", version)
    stack.s3.delete_bucket(Bucket=versioned)
    wait_until(lambda: not versions.bucket_is_there(stack.follower,
                                                    versioned), 20,
               "the follower's bucket is gone")
    stack.s3.create_bucket(Bucket=versioned)
    put(stack, versioned, "k", b"plain")
    stack.wait_equal(versioned)


# ---- doubts

def endless(method, target):
    """A page of a history that never ends; pages overlap by one version."""
    marker = re.search("version-id-marker=v([0-9]+)", target)
    first = int(marker.group(1)) + 1 if marker else 0
    size = int(re.search("max-keys=([0-9]+)", target).group(1))
    entry = ("<Version><Key>k</Key><VersionId>v{}</VersionId><LastModified>"
             "2026-01-01T00:00:00.000Z</LastModified><ETag>\"{:032x}\"</ETag>"
             "<Size>1</Size></Version>")
    return (200, ("<ListVersionsResult><IsTruncated>true</IsTruncated>"
                  + "".join(entry.format(n, n)
                            for n in range(first, first + size))
                  + "</ListVersionsResult>").encode(), "application/xml")


def test_a_history_without_an_end_is_parked_in_bounded_memory(
        stack, versioned, figures):
    stack.faulty_main.inject(
        when=lambda m, t: "versions&" in t and "prefix=k" in t,
        answer=endless)
    worker = stack.use_worker(main=stack.faulty_main.url)
    before = worker.memory()
    put(stack, versioned, "k", b"x")
    wait_until(lambda: stack.stats(versioned)["failed"] == 1, 60,
               lambda: f"parked: {stack.stats(versioned)}")
    figures(f"100,000 versions: {worker.memory() - before >> 20} MiB")
    if not IS_ASAN:
        assert worker.memory() - before < 64 * MIB
    assert "TooManyVersions" in open(worker.log).read()
    stack.faulty_main.clear()
    stack.start_worker()
    put(stack, versioned, "k", b"y")
    wait_equal(stack, versioned, ["k"])


def test_a_listing_that_is_refused_deletes_nothing(stack, versioned):
    empty = (200, b"<?xml version='1.0'?><ListVersionsResult>"
             b"<IsTruncated>false</IsTruncated></ListVersionsResult>",
             "application/xml")
    cut = (200, b"<?xml version='1.0'?><ListVersionsResult>"
           b"<IsTruncated>false</IsTruncated>", "application/xml")
    endless = (200, b"<?xml version='1.0'?><ListVersionsResult>"
               b"<IsTruncated>true</IsTruncated></ListVersionsResult>",
               "application/xml")
    gone = (404, b"<?xml version='1.0'?><Error><Code>NoSuchBucket</Code>"
            b"</Error>", "application/xml")
    unsorted = (200, ("<ListVersionsResult><IsTruncated>false</IsTruncated>"
                      + "".join(f"<Version><Key>{key}</Key><VersionId>v"
                                "</VersionId><LastModified>2026-01-01T00:00:"
                                "00Z</LastModified><ETag>" + hashlib.md5(
                                    b"0").hexdigest() + "</ETag><Size>1"
                                "</Size></Version>"
                                for key in ("unsorted", "unsorted/2",
                                            "unsorted"))
                      + "</ListVersionsResult>").encode(), "application/xml")
    answers = dict(denied=DENIED, elsewhere=NOT_HERE, empty=empty, cut=cut,
                   endless=endless, gone=gone, unsorted=unsorted)
    for key in answers:
        for n in range(3):
            put(stack, versioned, key, b"%d" % n)
    wait_equal(stack, versioned, answers)
    before = {key: versions.raw(stack.follower, versioned, key)
              for key in answers}
    asked = dict.fromkeys(answers, 0)

    def answer(method, target):
        key = re.search("prefix=([a-z]+)", target).group(1)
        asked[key] += 1
        return answers[key]

    stack.faulty_main.inject(
        when=lambda m, t: "versions&" in t and versioned in t, answer=answer)
    stack.use_worker(main=stack.faulty_main.url)
    for key in answers:
        # a mark; Ceph has a moment of NoSuchKey when a version goes
        stack.s3.put_object_acl(Bucket=versioned, Key=key, ACL="private")
    wait_until(lambda: min(asked.values()) >= 2, 20,
               lambda: f"each has been asked for twice: {asked}")
    for key in answers:
        assert versions.raw(stack.follower, versioned, key) == before[key]
    stack.faulty_main.clear()
    for key in answers:
        put(stack, versioned, key, b"next")
    wait_equal(stack, versioned, answers)


def test_a_follower_without_versions_gets_what_is_current(stack, bucket):
    missing = (501, b"<?xml version='1.0'?><Error><Code>NotImplemented</Code>"
               b"</Error>", "application/xml")
    stack.faulty_follower.inject(when=lambda m, t: "versioning" in t,
                                 answer=missing)
    stack.use_worker(follower=stack.faulty_follower.url)
    versions.set_state(stack.s3, bucket, ENABLED)
    put(stack, bucket, "k", b"1")
    put(stack, bucket, "k", b"2")
    put(stack, bucket, "gone", b"1")
    delete(stack, bucket, "gone")
    stack.wait_equal(bucket, ignore=("x-amz-version-id",))
    stack.wait_idle(bucket)


# ---- ids

@pytest.fixture
def keeps_ids(stack):
    """The follower's alice may write as Ceph's own zones do."""
    def be_system(value):
        subprocess.run(
            ["radosgw-admin", "-c", f"{stack.folder}/follower/ceph.conf",
             "-n", "client.rgw", "user", "modify",
             "--uid", stack.follower.uid("alice"),
             f"--system={value}"], check=True, timeout=60,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL)
    be_system("true")
    yield
    be_system("false")


def test_a_system_user_of_ceph_keeps_the_ids(stack, keeps_ids, versioned):
    histories = HISTORIES + [loses_a_version_on_the_follower]
    keys = [f.__name__ for f in histories]
    for happens, key in zip(histories, keys):
        happens(stack, versioned, key)
    wait_equal(stack, versioned, keys, 60, ids=True)


# ---- what it costs

def watch(stack):
    """What the worker asks main and the follower, as it grows: other buckets
    may have something to be looked at again."""
    seen = [], []
    for server, asked in zip((stack.faulty_main, stack.faulty_follower), seen):
        server.inject(when=lambda method, target, asked=asked: asked.append(
            (method, target)))
    return seen


def numbers(seen, bucket):
    return [sum(1 for _, target in asked if bucket in target)
            for asked in seen]


def test_an_unversioned_bucket_costs_a_look_a_second(stack, bucket, figures):
    stack.use_worker(main=stack.faulty_main.url,
                     follower=stack.faulty_follower.url)
    put(stack, bucket, "first", b"x")
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    seen = watch(stack)
    begin = time.monotonic()
    for n in range(200):
        put(stack, bucket, f"k{n}", b"x")
    stack.wait_idle(bucket)
    seconds = time.monotonic() - begin
    main, follower = numbers(seen, bucket)
    figures(f"200 objects in {seconds:.1f} s: {main} requests to main, "
            f"{follower} to the follower")
    # content and ACL
    assert main <= 400 + seconds + 16, "one look a second, all slots at once"
    assert follower == 200


def test_what_a_version_costs(stack, versioned, figures):
    put(stack, versioned, "first", b"x")
    wait_equal(stack, versioned, ["first"])
    stack.use_worker(main=stack.faulty_main.url,
                     follower=stack.faulty_follower.url)
    put(stack, versioned, "second", b"x")
    wait_equal(stack, versioned, ["second"])
    seen = watch(stack)
    for n in range(50):
        put(stack, versioned, f"k{n}", b"x")
    stack.wait_idle(versioned)
    main, follower = numbers(seen, versioned)
    figures(f"50 versions of 50 keys: {main} requests to main, {follower} to "
            "the follower")
    # list, content and ACL; list and content
    assert main <= 150 + 24 and follower <= 100 + 24
