"""Followers equal in everything that S3 shows of an object: each attribute of
a new object, changed alone, gone with the next content, and found by a scan; for
objects of one PUT, empty, large and in parts.  docs/fidelity.md is the table of
it."""

import base64
import datetime
import os
import re
import zlib

import pytest

import compare
from checksum_store import ChecksumStore
from test_writes import PART
from wire import path_of

LARGE = (8 << 20) + 1           # the worker looks before it sends that much

CONTENT = {"zero-bytes": b"", "small": b"x" * 1000,
           "large": os.urandom(LARGE),
           "multipart": [os.urandom(PART), b"the end"]}

# name: what is set first, what a change of the metadata alone sets
ATTRIBUTES = {
    "content-type": ({"content-type": "text/x; charset=utf-8"},
                     {"content-type": "image/png"}),
    "content-encoding": ({"content-encoding": "gzip, br"},
                         {"content-encoding": "identity"}),
    "content-disposition": (
        {"content-disposition": 'attachment; filename="a b;\'ü.txt"'},
        {"content-disposition": "inline"}),
    "content-language": ({"content-language": "de-CH, en"},
                         {"content-language": "fr"}),
    "cache-control": ({"cache-control": "max-age=60,   private"},
                      {"cache-control": "no-store"}),
    "expires": ({"expires": "Wed, 21 Oct 2065 07:28:00 GMT"},
                {"expires": "0"}),
    "redirect": ({"x-amz-website-redirect-location": "/other"},
                 {"x-amz-website-redirect-location": "https://e.net/?a=ü"}),
    "metadata": ({"x-amz-meta-colour": "red", "x-amz-meta-two-words": "a  b"},
                 {"x-amz-meta-colour": "blue"}),
    "metadata-not-ascii": ({"x-amz-meta-name": "grüße 日本 😀"},
                           {"x-amz-meta-name": "größer"}),
    "metadata-rfc-2047": ({"x-amz-meta-name": "=?UTF-8?Q?gr=C3=BC=C3=9Fe?="},
                          {"x-amz-meta-name": "=?UTF-8?B?Z3LDvMOfZQ==?="}),
    "metadata-empty": ({"x-amz-meta-empty": "", "x-amz-meta-not": "x"},
                       {"x-amz-meta-empty": "x", "x-amz-meta-not": ""}),
    "metadata-odd-names": (
        {"x-amz-meta-a.b!#$%&'*+^`|~": "1", "x-amz-meta-CamelCase": "2",
         "x-amz-meta-": "3"},
        {"x-amz-meta-with_underscores_": "1", "x-amz-meta-0": "2"}),
    "metadata-marks": (
        {"x-amz-meta-m": "\"a\\b\" 'c' & <d> ; e, = %20 + : ~"},
        {"x-amz-meta-m": "a;b=c, \"d\""}),
    "metadata-2-kib": ({f"x-amz-meta-k{n:02d}": "v" * 96 for n in range(20)},
                       {"x-amz-meta-long": "w" * 2000}),
}


def write(stack, bucket, key, content, headers=None, at=None):
    """Through Chorus, or directly to the store `at`."""
    wire = (at or stack).wire()
    if isinstance(content, bytes):
        answer = wire.put(bucket, key, content, headers)
        assert answer.status == 200, answer
        return
    path = path_of(bucket, key)
    begun = wire.call("POST", path, query="uploads", headers=headers)
    upload = re.search(rb"<UploadId>(.*?)<", begun.body).group(1).decode()
    parts = ""
    for n, part in enumerate(content, 1):
        etag = wire.call("PUT", path, body=part, query=f"partNumber={n}"
                         f"&uploadId={upload}").headers["etag"]
        parts += (f"<Part><PartNumber>{n}</PartNumber><ETag>{etag}</ETag>"
                  "</Part>")
    answer = wire.call("POST", path, query=f"uploadId={upload}", body=(
        f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>")
        .encode())
    assert answer.status == 200, answer


def copy_onto_itself(stack, bucket, key, headers, at=None):
    answer = (at or stack).wire().call("PUT", path_of(bucket, key), headers={
        "x-amz-copy-source": f"/{bucket}/{key}",
        "x-amz-metadata-directive": "REPLACE", **headers})
    assert answer.status == 200, answer


def shown(store, bucket, key):
    """What boto3 makes of an object's head."""
    head = store.s3.head_object(Bucket=bucket, Key=key)
    for name in ("ResponseMetadata", "LastModified", "VersionId"):
        head.pop(name, None)
    return head


def headers_of(store, bucket, key="k"):
    wire = store.wire()
    answer = wire.call("HEAD", path_of(bucket, key))
    wire.close()
    assert answer.status == 200, answer
    # http.client reads bytes as Latin-1
    return {name: value.encode("latin-1").decode()
            for name, value in answer.headers.items()}


def check(stack, bucket, expected):
    """Main shows what is expected of each key, and the follower the same."""
    stack.wait_equal(bucket, 60)
    for key, headers in expected.items():
        ours, theirs = (headers_of(s, bucket, key)
                        for s in (stack.main, stack.follower))
        for name, value in headers.items():
            # Ceph has no underscores in names
            name = name.lower().replace("_", "-")
            assert ours.get(name) == theirs.get(name) == value, (key, name)
        assert shown(stack.main, bucket, key) == shown(stack.follower, bucket,
                                                       key)


def without(headers):
    return {name: "binary/octet-stream" if name == "content-type" else None
            for name in headers}


@pytest.mark.parametrize("kind", CONTENT)
def test_attributes(stack, bucket, kind):
    """A key for each: new, copied onto itself with other metadata, and
    overwritten without."""
    content = CONTENT[kind]
    for key, (first, _) in ATTRIBUTES.items():
        write(stack, bucket, key, content, first)
    check(stack, bucket, {key: a[0] for key, a in ATTRIBUTES.items()})
    for key, (_, second) in ATTRIBUTES.items():
        copy_onto_itself(stack, bucket, key, second)
    check(stack, bucket, {key: {**without(first), **second}
                          for key, (first, second) in ATTRIBUTES.items()})
    for key in ATTRIBUTES:
        write(stack, bucket, key, content)
    check(stack, bucket, {key: without({**first, **second})
                          for key, (first, second) in ATTRIBUTES.items()})
    stack.wait_idle(bucket)
    assert stack.failed_attempts(bucket) == 0


def scan(stack, bucket, keys):
    """What a scan tells the queue."""
    stack.redis.call("mark", 3, f"chorus:{{alice:{bucket}:follower}}",
                     "chorus:schedule", "chorus:replications", "scan",
                     *[arg for key in keys for arg in (0, 0, key)])


@pytest.mark.parametrize("kind", CONTENT)
def test_what_a_scan_finds(stack, bucket, kind):
    """Nobody told Chorus of it: main has what the follower has not, main has
    changed, or the follower has."""
    content = CONTENT[kind]
    grants = {"x-amz-acl": "public-read"}
    for key, (first, _) in ATTRIBUTES.items():
        write(stack, bucket, key, content, {**first, **grants}, stack.main)
    put_tags(stack.main, bucket, ATTRIBUTES, "new")
    scan(stack, bucket, ATTRIBUTES)
    check(stack, bucket, {key: a[0] for key, a in ATTRIBUTES.items()})

    for key, (_, second) in ATTRIBUTES.items():
        copy_onto_itself(stack, bucket, key, {**second, **grants}, stack.main)
    put_tags(stack.main, bucket, ATTRIBUTES, "changed")
    scan(stack, bucket, ATTRIBUTES)
    expected = {key: {**without(first), **second}
                for key, (first, second) in ATTRIBUTES.items()}
    check(stack, bucket, expected)

    for key, (first, _) in ATTRIBUTES.items():
        write(stack, bucket, key, b"of somebody", first, stack.follower)
    put_tags(stack.follower, bucket, ATTRIBUTES, "of somebody")
    scan(stack, bucket, ATTRIBUTES)
    check(stack, bucket, expected)
    stack.wait_idle(bucket)
    assert stack.failed_attempts(bucket) == 0


def put_tags(store, bucket, keys, value):
    for key in keys:
        store.s3.put_object_tagging(Bucket=bucket, Key=key, Tagging={
            "TagSet": [{"Key": "scanned", "Value": value}]})


@pytest.mark.parametrize("kind", CONTENT)
def test_standard_storage_class(stack, bucket, kind):
    """Ceph names it where a client did; not of parts."""
    standard = {"x-amz-storage-class": "STANDARD"}
    write(stack, bucket, "k", CONTENT[kind], standard)
    stack.wait_equal(bucket, 30)
    assert ("x-amz-storage-class" in headers_of(stack.main, bucket)) == \
        (kind != "multipart")
    copy_onto_itself(stack, bucket, "k", standard)
    stack.wait_equal(bucket, 30)
    write(stack, bucket, "k", CONTENT[kind])
    stack.wait_equal(bucket, 30)


def tags_of(store, bucket):
    tags = store.s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"]
    return {t["Key"]: t["Value"] for t in tags}


@pytest.mark.parametrize("kind", CONTENT)
def test_tags(stack, bucket, kind):
    s3 = stack.s3
    write(stack, bucket, "k", CONTENT[kind], {"x-amz-tagging": "a=1&b=%C3%BC"})
    stack.wait_equal(bucket, 30)
    for tags in ({"a": "1", "ü b": "&<>\"'", "empty": ""},
                 {f"k{n}": "v" * 250 for n in range(10)}, {"one": "1"}):
        s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": [
            {"Key": k, "Value": v} for k, v in tags.items()]})
        stack.wait_equal(bucket, 30)
        assert tags_of(stack.main, bucket) == tags
        assert tags_of(stack.follower, bucket) == tags
    # headers change, tags stay
    copy_onto_itself(stack, bucket, "k", {"x-amz-meta-a": "1"})
    stack.wait_equal(bucket, 30)
    write(stack, bucket, "k", CONTENT[kind])
    stack.wait_equal(bucket, 30)
    assert tags_of(stack.follower, bucket) == {}
    stack.wait_idle(bucket)
    assert stack.failed_attempts(bucket) == 0


@pytest.mark.parametrize("key", [
    "dir/", "dir//", "a/../b", "a" * 1024, "ü" * 512, " ", "."],
    ids=["dir", "dir-dir", "dots", "1024", "1024-utf-8", "blank", "dot"])
def test_key(stack, bucket, key):
    wire = stack.wire()
    for body in (b"", b"content", b""):
        assert wire.put(bucket, key, body, {
            "x-amz-meta-size": str(len(body))}).status == 200
        stack.wait_equal(bucket)
        there = compare.listing(stack.follower, bucket)
        assert {k: size for k, (size, _) in there.items()} == \
            {key.encode(): len(body)}
    assert wire.delete(bucket, key).status == 204
    stack.wait_equal(bucket)
    assert not compare.listing(stack.follower, bucket)


# ---- object lock

DAY = datetime.timedelta(days=1)
TIME = "%Y-%m-%dT%H:%M:%SZ"


def in_days(n):
    return (datetime.datetime.utcnow() + n * DAY).strftime(TIME)


def put_retention(stack, bucket, days, mode="GOVERNANCE"):
    answer = stack.wire().call(
        "PUT", path_of(bucket, "k"), query="retention",
        headers={"x-amz-bypass-governance-retention": "true"},
        body=(f"<Retention><Mode>{mode}</Mode><RetainUntilDate>"
              f"{in_days(days)}</RetainUntilDate></Retention>").encode())
    assert answer.status == 200, answer


def put_hold(stack, bucket, status):
    answer = stack.wire().call(
        "PUT", path_of(bucket, "k"), query="legal-hold",
        body=f"<LegalHold><Status>{status}</Status></LegalHold>".encode())
    assert answer.status == 200, answer


def lock_of(store, bucket):
    head = store.s3.head_object(Bucket=bucket, Key="k")
    return tuple(head.get(f"ObjectLock{name}") for name in
                 ("Mode", "RetainUntilDate", "LegalHoldStatus"))


def versions_of(store, bucket):
    return len(store.s3.list_object_versions(Bucket=bucket)["Versions"])


@pytest.fixture
def locked_bucket(stack, bucket_name):
    name = bucket_name()
    stack.s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


@pytest.mark.parametrize("kind", CONTENT)
def test_object_lock(stack, locked_bucket, kind):
    bucket = locked_bucket

    def equal():
        # Ceph's ids of versions are its own, and no hold is one that is off
        stack.wait_equal(bucket, 30, ignore={
            "x-amz-version-id", "x-amz-object-lock-legal-hold"})
        stack.wait_idle(bucket)
        ours, theirs = lock_of(stack.main, bucket), lock_of(stack.follower,
                                                            bucket)
        assert ours[:2] == theirs[:2]
        assert (ours[2] or "OFF") == (theirs[2] or "OFF")
        # a lock that changes must not make a version
        assert versions_of(stack.main, bucket) == versions_of(stack.follower,
                                                              bucket)
        return ours

    write(stack, bucket, "k", CONTENT[kind], {
        "x-amz-object-lock-mode": "GOVERNANCE",
        "x-amz-object-lock-retain-until-date": in_days(20),
        "x-amz-object-lock-legal-hold": "ON"})
    # Ceph loses the lock that a multipart upload was begun with
    assert (equal()[0] == "GOVERNANCE") == (kind != "multipart")
    put_retention(stack, bucket, 30)
    assert equal()[0] == "GOVERNANCE"
    put_retention(stack, bucket, 10)
    equal()
    put_hold(stack, bucket, "ON")
    assert equal()[2] == "ON"
    put_hold(stack, bucket, "OFF")
    assert equal()[2] == "OFF"
    put_retention(stack, bucket, 1, "COMPLIANCE")
    assert equal()[0] == "COMPLIANCE"
    copy_onto_itself(stack, bucket, "k", {"x-amz-meta-n": "1"})
    equal()
    write(stack, bucket, "k", CONTENT[kind])
    assert equal()[0] is None
    assert stack.failed_attempts(bucket) == 0


def test_a_lock_is_not_lost_where_the_acl_is_refused(stack, locked_bucket):
    bucket = locked_bucket
    stack.use_worker(follower=stack.faulty_follower.url)
    stack.faulty_follower.reset()
    f = stack.faulty_follower.inject(
        when=lambda m, t: m == "PUT" and t.split("?")[0].endswith("/k"),
        head=lambda lines: b"x-amz-acl:" in b"".join(lines).lower(),
        answer=(501, b"<?xml version='1.0'?><Error><Code>NotImplemented"
                     b"</Code></Error>", "application/xml"))
    write(stack, bucket, "k", b"x", {
        "x-amz-acl": "public-read", "x-amz-object-lock-mode": "GOVERNANCE",
        "x-amz-object-lock-retain-until-date": in_days(2)})
    stack.wait_equal(bucket, 30, ignore={"x-amz-version-id"})
    stack.wait_idle(bucket)
    assert f.hits == 1
    assert lock_of(stack.follower, bucket)[0] == "GOVERNANCE"
    assert stack.failed_attempts(bucket) == 0


def test_object_lock_without_one_on_the_follower(stack, locked_bucket):
    """Everything else is kept, and nothing waits."""
    bucket = locked_bucket
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    stack.follower.s3.delete_bucket(Bucket=bucket)
    stack.follower.s3.create_bucket(Bucket=bucket)
    write(stack, bucket, "k", b"x", {
        "x-amz-object-lock-mode": "GOVERNANCE",
        "x-amz-object-lock-retain-until-date": in_days(2)})
    stack.wait_idle(bucket)
    put_hold(stack, bucket, "ON")
    stack.wait_idle(bucket)
    assert headers_of(stack.follower, bucket)["content-length"] == "1"
    assert lock_of(stack.follower, bucket) == (None, None, None)
    # the bucket might have been in the making
    assert stack.failed_attempts(bucket) == 1


# ---- storage classes

@pytest.fixture(scope="module")
def classes(the_stack):
    """Main has COLD; the follower has DEEP in its place."""
    the_stack.main.add_class("COLD")
    the_stack.follower.add_class("DEEP")


@pytest.mark.parametrize("kind", ["small", "large", "multipart"])
@pytest.mark.parametrize("rules, there", [
    ({"COLD": "DEEP"}, "DEEP"), ({"*": "DEEP"}, "DEEP"),
    ({"COLD": "STANDARD", "*": "DEEP"}, "STANDARD"), (None, "STANDARD"),
], ids=["named", "others", "standard", "not-mapped"])
def test_storage_class(stack, bucket, classes, kind, rules, there):
    """As the rules say; one that the follower does not have is left out."""
    ignore = {"x-amz-storage-class"}
    stack.use_worker(follower_more={"storage_classes": rules} if rules
                     else None)

    def of(store):
        # Ceph does not always name this one
        return headers_of(store, bucket).get("x-amz-storage-class",
                                             "STANDARD")

    write(stack, bucket, "k", CONTENT[kind], {"x-amz-storage-class": "COLD"})
    stack.wait_equal(bucket, 30, ignore=ignore)
    stack.wait_idle(bucket)
    assert (of(stack.main), of(stack.follower)) == ("COLD", there)
    copy_onto_itself(stack, bucket, "k", {"x-amz-meta-n": "1",
                                          "x-amz-storage-class": "COLD"})
    stack.wait_equal(bucket, 30, ignore=ignore)
    stack.wait_idle(bucket)
    assert of(stack.follower) == there
    assert stack.failed_attempts(bucket) == 0


def test_storage_class_of_every_version(stack, bucket, classes):
    stack.use_worker(follower_more={"storage_classes": {"COLD": "DEEP"}})
    stack.s3.put_bucket_versioning(
        Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    cold = {"x-amz-storage-class": "COLD"}
    write(stack, bucket, "k", CONTENT["small"], cold)
    write(stack, bucket, "k", CONTENT["large"], cold)
    # the follower copies, too
    copy_onto_itself(stack, bucket, "k", {"x-amz-meta-n": "1", **cold})
    write(stack, bucket, "k", CONTENT["small"])

    def of(store):
        return [v["StorageClass"] for v in store.s3.list_object_versions(
            Bucket=bucket)["Versions"]]
    stack.wait_equal(bucket, ignore={"x-amz-version-id"})
    stack.wait_idle(bucket)
    assert of(stack.main) == ["STANDARD", "COLD", "COLD", "COLD"]
    assert of(stack.follower) == ["STANDARD", "DEEP", "DEEP", "DEEP"]


# ---- checksums

def crc32(data):
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


@pytest.mark.parametrize("kind", ["zero-bytes", "small", "large"])
def test_checksum(stack, bucket, kind):
    """Ceph 16 has none; a server before each store keeps them."""
    content = CONTENT[kind]
    stack.wait_equal(bucket)
    stack.stop_workers()
    stack.wire().put(bucket, "k", content)

    def of(server):
        wire = store_wire(stack, server)
        answer = wire.call("HEAD", path_of(bucket, "k"), headers={
            "x-amz-checksum-mode": "ENABLED"})
        wire.close()
        return answer.headers.get("x-amz-checksum-crc32")

    def store_wire(stack, server):
        wire = (stack.main if server is ours else stack.follower).wire()
        wire.netloc = server.url[7:]
        return wire

    ours, theirs = (ChecksumStore(store.port)
                    for store in (stack.main, stack.follower))
    try:
        store_wire(stack, ours).put(bucket, "k", content, {
            "x-amz-checksum-crc32": crc32(content)})
        keeps = {"checksums": True}
        stack.use_worker(main=ours.url, follower=theirs.url, main_more=keeps,
                         follower_more=keeps)
        stack.wait_equal(bucket)
        stack.wait_idle(bucket)
        assert of(ours) == of(theirs) == crc32(content)

        # overwritten without one
        stack.wire().put(bucket, "k", content + b"2")
        stack.wait_equal(bucket)
        stack.wait_idle(bucket)
        ours.checksums.clear()
        stack.wire().put(bucket, "k", content + b"3")
        stack.wait_equal(bucket)
        stack.wait_idle(bucket)
        assert of(theirs) is None
        assert stack.failed_attempts(bucket) == 0

        # a follower that does not know this algorithm
        theirs.refuses = True
        stack.stop_workers()
        stack.wire().put(bucket, "k", content + b"4")
        store_wire(stack, ours).put(bucket, "k", content + b"4", {
            "x-amz-checksum-crc32": crc32(content + b"4")})
        stack.use_worker(main=ours.url, follower=theirs.url, main_more=keeps,
                         follower_more=keeps)
        stack.wait_equal(bucket)
        stack.wait_idle(bucket)
        assert of(theirs) is None
        assert stack.failed_attempts(bucket) == 0
    finally:
        stack.stop_workers()
        ours.close()
        theirs.close()


# ---- no content is moved

def change_headers(stack, bucket):
    copy_onto_itself(stack, bucket, "k", {"x-amz-meta-n": "1",
                                          "cache-control": "no-store"})


def change_tags(stack, bucket):
    stack.s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={
        "TagSet": [{"Key": "a", "Value": "1"}]})


CHANGES = {
    "headers": change_headers,
    "tags": change_tags,
    "retention": lambda stack, bucket: put_retention(stack, bucket, 3),
    "legal-hold": lambda stack, bucket: put_hold(stack, bucket, "ON"),
}


@pytest.mark.parametrize("parts", [1, 2], ids=["single", "multipart"])
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_metadata_alone_moves_no_content(stack, locked_bucket,
                                                     name, parts):
    """From main comes at most what is in the sockets when its answer is put
    down; to the follower goes nothing."""
    bucket = locked_bucket
    size = 48 << 20
    content = os.urandom(size)
    ignore = {"x-amz-version-id", "x-amz-object-lock-legal-hold"}
    write(stack, bucket, "k", content if parts == 1 else
          [content[:size // 2], content[size // 2:]])
    stack.wait_equal(bucket, 30, ignore=ignore)
    stack.wait_idle(bucket)
    stack.use_worker(main=stack.faulty_main.url,
                     follower=stack.faulty_follower.url)
    stack.faulty_main.reset()
    stack.faulty_follower.reset()
    CHANGES[name](stack, bucket)
    stack.wait_equal(bucket, ignore=ignore)
    stack.wait_idle(bucket)
    assert stack.faulty_main.passed > 0 and stack.faulty_follower.passed > 0
    assert stack.faulty_follower.got_bytes < 10_000
    assert stack.faulty_main.sent_bytes < size / 4
    assert stack.failed_attempts(bucket) == 0
