"""Every operation that changes something on main reaches the follower."""

import hashlib
import os
import time
from http.client import HTTPConnection

import pytest
from botocore.exceptions import ClientError

import compare
from load import Load
from process import wait_until
from wire import Flaws, path_of, quote

HEADERS = {
    "CacheControl": "max-age=60, private",
    "ContentDisposition": 'attachment; filename="a b.txt"',
    "ContentEncoding": "identity",
    "ContentLanguage": "de-CH",
    "ContentType": "text/plain; charset=utf-8",
    "Expires": "Wed, 21 Oct 2065 07:28:00 GMT",
    "Metadata": {"colour": "red", "two-words": "a  b", "empty": "",
                 "long": "x" * 1500},
    "Tagging": "a=1&b%20c=%26%3D&e=",
}
PART = 5 << 20


def names_of(store, bucket):
    return sorted(k.decode() for k in compare.listing(store, bucket) or {})


@pytest.mark.parametrize("size", [0, 1, 1 << 20])
def test_put_object_with_headers_metadata_and_tags(stack, bucket, size):
    body = os.urandom(size)
    put = stack.s3.put_object(Bucket=bucket, Key="k", Body=body, **HEADERS)
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    stack.wait_equal(bucket)

    got = stack.follower.s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == body
    assert got["Metadata"] == stack.main.s3.head_object(
        Bucket=bucket, Key="k")["Metadata"]
    assert got["CacheControl"] == HEADERS["CacheControl"]
    assert got["TagCount"] == 3


def test_overwrites_with_content_metadata_and_tags(stack, bucket):
    s3 = stack.s3
    s3.put_object(Bucket=bucket, Key="k", Body=b"one", **HEADERS)
    stack.wait_equal(bucket)
    for change in ({"Body": b"two"},
                   {"Body": b"two", "ContentType": "image/png"},
                   {"Body": b"two", "Metadata": {"only": "this"}},
                   {"Body": b"two", "Tagging": "z=1"},
                   {"Body": b""},
                   {"Body": b"x" * 100_000, "CacheControl": "no-store"}):
        s3.put_object(Bucket=bucket, Key="k", **change)
        stack.wait_equal(bucket)
    for n in range(50):
        s3.put_object(Bucket=bucket, Key="k", Body=b"%d" % n)
    stack.wait_equal(bucket)
    assert stack.follower.s3.get_object(
        Bucket=bucket, Key="k")["Body"].read() == b"49"


@pytest.mark.parametrize("more", [
    {},
    {"MetadataDirective": "REPLACE", "Metadata": {"new": "yes"},
     "ContentType": "image/gif"},
    {"TaggingDirective": "REPLACE", "Tagging": "copy=1"},
], ids=["plain", "metadata-replaced", "tags-replaced"])
def test_copy_object(stack, bucket, more):
    stack.s3.put_object(Bucket=bucket, Key="dir/source", Body=b"s" * 5000,
                        **HEADERS)
    stack.s3.copy_object(Bucket=bucket, Key="copy",
                         CopySource=f"{bucket}/dir/source", **more)
    stack.wait_equal(bucket)
    assert names_of(stack.follower, bucket) == ["copy", "dir/source"]


def test_copy_object_onto_itself_replaces_metadata(stack, bucket):
    stack.s3.put_object(Bucket=bucket, Key="k", Body=b"s", **HEADERS)
    stack.wait_equal(bucket)
    stack.s3.copy_object(Bucket=bucket, Key="k", CopySource=f"{bucket}/k",
                         MetadataDirective="REPLACE", Metadata={"n": "2"})
    stack.wait_equal(bucket)
    assert stack.follower.s3.head_object(
        Bucket=bucket, Key="k")["Metadata"] == {"n": "2"}


def test_copy_object_from_another_bucket(stack, bucket, bucket_name):
    source = bucket_name("local")
    stack.s3.create_bucket(Bucket=source)
    stack.s3.put_object(Bucket=source, Key="ü/a+b", Body=b"s", **HEADERS)
    stack.s3.copy_object(Bucket=bucket, Key="k",
                         CopySource={"Bucket": source, "Key": "ü/a+b"})
    stack.wait_equal(bucket)
    assert names_of(stack.follower, bucket) == ["k"]


def test_delete_object(stack, bucket):
    for key in ("a", "b", "c/d"):
        stack.s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    stack.wait_equal(bucket)
    stack.s3.delete_object(Bucket=bucket, Key="b")
    stack.s3.delete_object(Bucket=bucket, Key="never-was-there")
    stack.wait_equal(bucket)
    assert names_of(stack.follower, bucket) == ["a", "c/d"]


def delete_objects(stack, bucket, keys, quiet=False):
    return stack.s3.delete_objects(Bucket=bucket, Delete={
        "Objects": [{"Key": k} for k in keys], "Quiet": quiet})


def test_delete_objects_1000_keys_in_one_request(stack, bucket):
    def put(wire, n):
        return wire.put(bucket, f"{n:04d}", b"x")
    stack.wait_equal(bucket)
    for store in (stack.main, stack.follower):
        load = Load(store.wire, put, 8, 1002)
        load.join()
        load.check()

    answer = delete_objects(stack, bucket, [f"{n:04d}" for n in range(1000)])
    assert len(answer["Deleted"]) == 1000
    stack.wait_equal(bucket)
    assert names_of(stack.follower, bucket) == ["1000", "1001"]


def test_delete_objects_with_xml_special_keys(stack, bucket):
    keys = ["a&b", "<tag>", 'q"q', "it's", "]]>", "&amp;", "tab\tnew\nline",
            "ünï/日本語", "  blanks  ", "a+b", "%2F"]
    wire = stack.wire()
    for key in keys + ["kept"]:
        assert wire.put(bucket, key, b"x").status == 200
    stack.wait_equal(bucket)
    answer = delete_objects(stack, bucket, keys)
    assert "Errors" not in answer
    stack.wait_equal(bucket)
    assert names_of(stack.main, bucket) == ["kept"]


def test_delete_objects_quiet(stack, bucket):
    for n in range(20):
        stack.s3.put_object(Bucket=bucket, Key=f"{n}", Body=b"x")
    stack.wait_equal(bucket)
    answer = delete_objects(stack, bucket, [f"{n}" for n in range(19)], True)
    assert not answer.get("Deleted")
    stack.wait_equal(bucket)
    assert names_of(stack.follower, bucket) == ["19"]


def multipart(s3, bucket, key, parts, **more):
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key,
                                        **more)["UploadId"]
    done = []
    for n, part in enumerate(parts, 1):
        if isinstance(part, bytes):
            etag = s3.upload_part(Bucket=bucket, Key=key, UploadId=upload,
                                  PartNumber=n, Body=part)["ETag"]
        else:
            etag = s3.upload_part_copy(
                Bucket=bucket, Key=key, UploadId=upload, PartNumber=n,
                **part)["CopyPartResult"]["ETag"]
        done.append({"PartNumber": n, "ETag": etag})
    s3.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload,
                                 MultipartUpload={"Parts": done})
    # Ceph 16 leaves the ETag of the answer empty
    return s3.head_object(Bucket=bucket, Key=key)["ETag"]


@pytest.mark.parametrize("sizes", [
    [PART, PART, 12345],
    [PART],
    [100],
    [8 << 20, 8 << 20, 8 << 20],
], ids=["5M-5M-12k", "one-of-5M", "one-of-100", "three-of-8M"])
def test_multipart_upload_has_the_same_etag(stack, bucket, sizes):
    etag = multipart(stack.s3, bucket, "film", [os.urandom(n) for n in sizes],
                     ContentType="video/mp4", Metadata={"m": "1"},
                     Tagging="t=1")
    assert etag.endswith(f'-{len(sizes)}"')
    stack.wait_equal(bucket, 30)
    assert stack.follower.s3.head_object(
        Bucket=bucket, Key="film")["ETag"] == etag
    stack.wait_idle(bucket)
    assert stack.failed_attempts(bucket) == 0


@pytest.mark.parametrize("sizes", [
    [6 << 20, PART, 7 << 20, PART, 3],
    [PART + 12345, PART + 12345, PART + 12345, 1],
], ids=["uneven", "of-an-odd-size"])
def test_multipart_upload_of_odd_parts_has_the_same_content(stack, bucket,
                                                            sizes):
    """The ETag would be the same only if the sizes of the parts were known:
    Ceph 16 does not tell them."""
    multipart(stack.s3, bucket, "film", [os.urandom(n) for n in sizes],
              Metadata={"m": "1"})
    stack.wait_equal(bucket, 30, ignore={"etag"})
    stack.wait_idle(bucket)
    assert stack.failed_attempts(bucket) == 0


def test_upload_part_copy(stack, bucket):
    stack.s3.put_object(Bucket=bucket, Key="source",
                        Body=os.urandom(2 * PART))
    source = {"CopySource": f"{bucket}/source"}
    multipart(stack.s3, bucket, "joined", [
        dict(source, CopySourceRange=f"bytes=0-{PART - 1}"),
        dict(source, CopySourceRange=f"bytes={PART}-{2 * PART - 1}"),
        b"the end"])
    stack.wait_equal(bucket, 30)
    stack.wait_idle(bucket)


def test_aborted_multipart_upload_leaves_nothing(stack, bucket):
    s3 = stack.s3
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1,
                   Body=b"x" * PART)
    assert len(s3.list_parts(Bucket=bucket, Key="k",
                             UploadId=upload)["Parts"]) == 1
    s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=upload)
    s3.put_object(Bucket=bucket, Key="other", Body=b"x")
    stack.wait_equal(bucket)
    assert names_of(stack.follower, bucket) == ["other"]
    assert not stack.follower.s3.list_multipart_uploads(
        Bucket=bucket).get("Uploads")


def test_the_follower_keeps_no_unfinished_uploads(stack, bucket):
    for n in range(3):
        multipart(stack.s3, bucket, "k", [os.urandom(PART), b"%d" % n])
    stack.wait_equal(bucket, 30)
    stack.wait_idle(bucket)
    assert not stack.follower.s3.list_multipart_uploads(
        Bucket=bucket).get("Uploads")


def test_object_tagging(stack, bucket):
    s3 = stack.s3
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata={"m": "1"})
    stack.wait_equal(bucket)
    for tags in ([("a", "1")], [("a", "2"), ("ü b", "&<>\"'")],
                 [(f"k{n}", "v" * 100) for n in range(10)]):
        s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={
            "TagSet": [{"Key": k, "Value": v} for k, v in tags]})
        stack.wait_equal(bucket)
        seen = stack.follower.s3.get_object_tagging(Bucket=bucket, Key="k")
        assert sorted((t["Key"], t["Value"])
                      for t in seen["TagSet"]) == sorted(tags)
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    stack.wait_equal(bucket)
    assert "TagCount" not in stack.follower.s3.get_object(Bucket=bucket,
                                                          Key="k")


def test_object_tagging_right_after_put(stack, bucket):
    """The follower may not have the object yet."""
    for n in range(20):
        stack.s3.put_object(Bucket=bucket, Key=f"{n}", Body=b"x")
        stack.s3.put_object_tagging(Bucket=bucket, Key=f"{n}", Tagging={
            "TagSet": [{"Key": "n", "Value": f"{n}"}]})
    stack.wait_equal(bucket)


def test_object_acl_breaks_nothing(stack, bucket):
    s3 = stack.s3
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", **HEADERS)
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="public-read")
    s3.put_object(Bucket=bucket, Key="k2", Body=b"x", ACL="public-read")
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    assert stack.failed_attempts(bucket) == 0
    grants = stack.main.s3.get_object_acl(Bucket=bucket, Key="k")["Grants"]
    assert len(grants) == 2, grants


def test_create_and_delete_bucket(stack, bucket_name):
    bucket = bucket_name()
    stack.s3.create_bucket(Bucket=bucket)
    wait_until(lambda: compare.listing(stack.follower, bucket) == {}, 10,
               "the follower has the bucket")
    stack.s3.delete_bucket(Bucket=bucket)
    wait_until(lambda: compare.listing(stack.follower, bucket) is None, 10,
               "the follower has no such bucket any more")
    stack.s3.create_bucket(Bucket=bucket)
    stack.s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    stack.wait_equal(bucket)
    assert names_of(stack.follower, bucket) == ["k"]


def test_delete_bucket_right_after_its_objects(stack, bucket):
    """The worker may come to the bucket before it came to its objects."""
    keys = [f"{n}" for n in range(100)]
    for key in keys:
        stack.s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    stack.wait_equal(bucket)
    delete_objects(stack, bucket, keys)
    stack.s3.delete_bucket(Bucket=bucket)
    stack.wait_equal(bucket)
    assert compare.listing(stack.follower, bucket) is None


def test_refused_delete_bucket_changes_nothing(stack, bucket):
    stack.s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    with pytest.raises(ClientError, match="BucketNotEmpty"):
        stack.s3.delete_bucket(Bucket=bucket)
    stack.wait_equal(bucket)
    assert names_of(stack.follower, bucket) == ["k"]


def test_bucket_tagging(stack, bucket):
    for tags in ([("a", "1")], [("b", "ü & <2>"), ("c", "")]):
        stack.s3.put_bucket_tagging(Bucket=bucket, Tagging={
            "TagSet": [{"Key": k, "Value": v} for k, v in tags]})
        stack.wait_equal(bucket)
        seen = stack.follower.s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
        assert sorted((t["Key"], t["Value"]) for t in seen) == tags
    stack.s3.delete_bucket_tagging(Bucket=bucket)
    stack.wait_equal(bucket)


def test_bucket_settings_pass_through(stack, bucket):
    s3, direct = stack.s3, stack.main.s3
    s3.put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": [{
            "ID": "r", "Filter": {"Prefix": "x/"}, "Status": "Enabled",
            "Expiration": {"Days": 3650}}]})
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [{
        "AllowedMethods": ["GET"], "AllowedOrigins": ["https://e.net"]}]})
    for read in ("get_bucket_lifecycle_configuration", "get_bucket_cors",
                 "get_bucket_location", "get_bucket_acl"):
        ours, theirs = (getattr(c, read)(Bucket=bucket) for c in (s3, direct))
        for answer in (ours, theirs):
            del answer["ResponseMetadata"]
        assert ours == theirs, read
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    stack.wait_equal(bucket)


def test_versioned_bucket_has_its_newest_versions_replicated(stack, bucket):
    s3 = stack.s3
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={
        "Status": "Enabled"})
    assert stack.main.s3.get_bucket_versioning(
        Bucket=bucket)["Status"] == "Enabled"
    versions = [s3.put_object(Bucket=bucket, Key="k",
                              Body=b"%d" % n)["VersionId"] for n in range(3)]
    assert len(s3.list_object_versions(Bucket=bucket)["Versions"]) == 3

    def follower_has():
        try:
            return stack.follower.s3.get_object(
                Bucket=bucket, Key="k")["Body"].read()
        except ClientError:
            return None

    wait_until(lambda: follower_has() == b"2", 10, "the newest version")
    # the newest goes: the one before it is what main holds now
    s3.delete_object(Bucket=bucket, Key="k", VersionId=versions[2])
    wait_until(lambda: follower_has() == b"1", 10, "the version before")
    s3.delete_object(Bucket=bucket, Key="k")
    wait_until(lambda: follower_has() is None, 10, "a delete marker")


def test_conditional_writes_that_main_refuses_change_nothing(stack, bucket):
    wire = stack.wire()
    assert wire.put(bucket, "k", b"one", {"If-None-Match": "*"}).status == 200
    answer = wire.put(bucket, "k", b"two", {"If-None-Match": "*"})
    assert (answer.status, answer.code) == (412, "PreconditionFailed")
    stack.wait_equal(bucket)
    assert stack.follower.wire().get(bucket, "k").body == b"one"


def test_objects_of_several_users(stack, bucket_name):
    """Each write is signed with that user's own credentials on each store."""
    bucket = bucket_name("bob-for-all")
    bob = stack.wire("bob")
    assert bob.call("PUT", path_of(bucket)).status == 200
    assert bob.put(bucket, "k", b"bob's").status == 200
    answer = stack.wire("alice").put(bucket, "k", b"alice's")
    assert (answer.status, answer.code) == (403, "AccessDenied")
    theirs = stack.follower.wire("bob")
    wait_until(lambda: theirs.get(bucket, "k").body == b"bob's", 10,
               "bob's object on the follower")
    assert stack.wire("alice2").call("GET", "/").status == 200


def test_chunked_transfer_encoding_is_answered_clearly(stack, bucket):
    """Without a length S3 says 411; whatever main says, nothing differs."""
    wire = stack.wire()
    headers = wire.signed("PUT", path_of(bucket, "k"),
                          flaws=Flaws(payload_hash="UNSIGNED-PAYLOAD"))
    c = HTTPConnection(wire.netloc, timeout=20)
    c.request("PUT", path_of(bucket, "k"), headers=headers,
              body=iter([b"a" * 1000, b"b" * 1000]), encode_chunked=True)
    answer = c.getresponse()
    answer.read()
    c.close()
    assert answer.status in (200, 411, 400, 501), answer.status
    time.sleep(0.2)
    stack.wait_equal(bucket)
    if answer.status == 200:
        assert len(stack.follower.wire().get(bucket, "k").body) == 2000


def test_copy_sources_with_odd_names(stack, bucket):
    wire = stack.wire()
    for key in ("a b", "a+b", "ü", "q?x", "h#x", "p%2Fq"):
        wire.put(bucket, key, key.encode())
        answer = wire.call("PUT", path_of(bucket, "copy of " + key), headers={
            "x-amz-copy-source": f"/{bucket}/{quote(key)}"})
        assert answer.status == 200, (key, answer)
    stack.wait_equal(bucket)
