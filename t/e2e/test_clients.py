"""SDKs and tools as people use them, in path and virtual-host style."""

import filecmp
import os

import boto3
import pytest
from botocore.client import Config

import compare
import sdk
from clients import PYTHONS, programs, run, url_of
from operations import LISTED_KEYS

STYLES = ["path", "virtual"]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("version", PYTHONS)
def test_boto3(stack, bucket_name, version, style):
    bucket = bucket_name()
    print(run([PYTHONS[version], sdk.__file__, url_of(stack, style), style,
               bucket], stack))
    stack.wait_equal(bucket, 40)
    assert len(compare.listing(stack.follower, bucket)) == 12


def test_boto3_reaches_the_bucket_by_its_name_only(stack, bucket):
    """The host names the bucket; a key of the path names none."""
    key = stack.keys["alice"]
    s3 = boto3.client(
        "s3", endpoint_url=url_of(stack, "virtual"), region_name="us-east-1",
        aws_access_key_id=key.access, aws_secret_access_key=key.secret,
        config=Config(s3={"addressing_style": "virtual"}))
    s3.put_object(Bucket=bucket, Key=f"{bucket}/k", Body=b"x")
    s3.put_object(Bucket=bucket, Key="/k", Body=b"y")
    stack.wait_equal(bucket)
    assert set(compare.listing(stack.follower, bucket)) == \
        {f"{bucket}/k".encode(), b"/k"}


@pytest.mark.parametrize("style", STYLES)
def test_signature_version_2(stack, bucket_name, style, monkeypatch):
    """Objects only: boto3 signs requests about buckets, and those with a
    sub-resource, as no storage reads them.  s3cmd does the rest."""
    key = stack.keys["alice"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key.access)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key.secret)
    bucket = bucket_name("v2")
    stack.s3.create_bucket(Bucket=bucket)
    s3 = sdk.client(url_of(stack, style), style, "s3")
    s3.put_object(Bucket=bucket, Key=sdk.ODD, Body=b"by version 2",
                  Metadata={"a": "b c"}, ContentType="text/plain")
    assert s3.get_object(Bucket=bucket, Key=sdk.ODD, Range="bytes=3-")[
        "Body"].read() == b"version 2"
    s3.copy_object(Bucket=bucket, Key="copy",
                   CopySource={"Bucket": bucket, "Key": sdk.ODD})
    sdk.presigned(s3, bucket, f"presigned/{sdk.ODD}")
    s3.delete_object(Bucket=bucket, Key=sdk.ODD)
    stack.wait_equal(bucket, 40)
    assert len(compare.listing(stack.follower, bucket)) == 2


def test_signature_version_2_is_refused_where_it_is_not_on(stack, bucket):
    s3 = boto3.client(
        "s3", endpoint_url=stack.nginx.url, region_name="us-east-1",
        aws_access_key_id=stack.keys["alice"].access,
        aws_secret_access_key=stack.keys["alice"].secret,
        config=Config(signature_version="s3",
                      s3={"addressing_style": "path"}))
    with pytest.raises(s3.exceptions.ClientError) as e:
        s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert e.value.response["Error"]["Code"] == "InvalidRequest"
    assert compare.listing(stack.main, bucket) == {}


def test_2500_odd_keys_in_pages(stack, listed):
    def names(operation, field, **more):
        pages = list(stack.s3.get_paginator(operation).paginate(
            Bucket=listed, **more))
        return len(pages), [o["Key"] for p in pages for o in p.get(field, [])]

    expected = sorted(LISTED_KEYS, key=lambda k: k.encode())
    for operation, field in (("list_objects", "Contents"),
                             ("list_objects_v2", "Contents"),
                             ("list_object_versions", "Versions")):
        # versions cannot be asked for encoded by every boto3
        pages, got = names(operation, field)
        assert (pages, got) == (3, expected), operation
    assert names("list_objects_v2", "Contents", Prefix="odd")[1] == \
        [k for k in expected if k.startswith("odd")]
    assert len(names("list_objects_v2", "Contents", Prefix="p/1",
                     PaginationConfig={"PageSize": 70})[1]) == 1000


@pytest.mark.parametrize("aws", programs("aws"))
def test_awscli_with_buckets_in_host_names(stack, bucket_name, tmp_path, aws):
    bucket = bucket_name()
    film, back = tmp_path / "film", tmp_path / "back"
    film.write_bytes(os.urandom(17 << 20))
    config = tmp_path / "config"
    config.write_text("[default]\ns3 =\n    addressing_style = virtual\n"
                      "    signature_version = s3v4\n")

    def call(*args):
        return run([aws, "--endpoint-url", url_of(stack, "virtual"), *args],
                   stack, AWS_CONFIG_FILE=str(config))

    call("s3", "mb", f"s3://{bucket}")
    call("s3", "cp", "--only-show-errors", str(film), f"s3://{bucket}/a b/ü+")
    call("s3", "cp", "--only-show-errors", f"s3://{bucket}/a b/ü+", str(back))
    assert filecmp.cmp(film, back, shallow=False)
    for name in ("CRC32", "SHA256"):
        call("s3api", "put-object", "--bucket", bucket, "--key", name,
             "--body", str(film), "--checksum-algorithm", name)
    link = call("s3", "presign", f"s3://{bucket}/SHA256").strip()
    assert sdk.fetch("GET", link)[0] == 200
    stack.wait_equal(bucket, 40)
    assert len(compare.listing(stack.follower, bucket)) == 3


@pytest.mark.parametrize("signature, style", [
    ("v4", "virtual"), ("v2", "virtual"), ("v2", "path")])
def test_s3cmd(stack, bucket_name, tmp_path, signature, style):
    bucket = bucket_name("v2" if signature == "v2" else "r")
    host = url_of(stack, style)[7:]
    config = tmp_path / "s3cfg"
    config.write_text(f"""[default]
access_key = {stack.keys["alice"].access}
secret_key = {stack.keys["alice"].secret}
host_base = {host}
host_bucket = {"%(bucket)s." if style == "virtual" else ""}{host}
use_https = False
bucket_location = us-east-1
signature_v2 = {signature == "v2"}
""")
    film, back = tmp_path / "film", tmp_path / "back"
    film.write_bytes(os.urandom(16 << 20))

    def call(*args):
        return run(["s3cmd", "-c", str(config), "--no-progress", *args],
                   stack)

    call("mb", f"s3://{bucket}")
    call("put", "--multipart-chunk-size-mb=5", str(film),
         f"s3://{bucket}/ä b+c")
    call("get", f"s3://{bucket}/ä b+c", str(back))
    assert filecmp.cmp(film, back, shallow=False)
    call("put", "--acl-public", "--mime-type=image/png",
         "--add-header=x-amz-meta-a:b", str(config), f"s3://{bucket}/small")
    assert "image/png" in call("info", f"s3://{bucket}/small")
    call("cp", f"s3://{bucket}/small", f"s3://{bucket}/copy")
    call("setacl", "--acl-private", f"s3://{bucket}/small")
    assert "small" in call("ls", f"s3://{bucket}/sm")
    stack.wait_equal(bucket, 40)
    call("del", "--recursive", "--force", f"s3://{bucket}/")
    stack.wait_equal(bucket)
    assert compare.listing(stack.follower, bucket) == {}


def test_rclone(stack, bucket_name, tmp_path):
    bucket = bucket_name()
    tree, back = tmp_path / "tree", tmp_path / "back"
    names = ["a.txt", "b/with space.txt", "b/plus+.txt", "ü/日本 😀.html",
             "b/quote'\".json", "c/d/e/deep.bin", "empty", "50%.txt"]
    for n, name in enumerate(names):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(os.urandom(n * 5000))
    (tree / "film").write_bytes(os.urandom(16 << 20))

    def call(*args):
        return run(["rclone", "--s3-upload-cutoff=5M", "--s3-chunk-size=5M",
                    "--retries=1", *args], stack,
                   RCLONE_CONFIG="/dev/null", RCLONE_CONFIG_C_TYPE="s3",
                   RCLONE_CONFIG_C_PROVIDER="Ceph",
                   RCLONE_CONFIG_C_ENV_AUTH="true",
                   RCLONE_CONFIG_C_ENDPOINT=stack.nginx.url)

    call("mkdir", f"C:{bucket}")
    call("sync", str(tree), f"C:{bucket}/t")
    call("check", str(tree), f"C:{bucket}/t")
    (tree / "a.txt").unlink()
    call("sync", str(tree), f"C:{bucket}/t")
    call("copyto", f"C:{bucket}/t/film", f"C:{bucket}/copy")
    call("sync", f"C:{bucket}/t", str(back))
    call("check", str(tree), str(back))
    stack.wait_equal(bucket, 40)
    assert set(compare.listing(stack.follower, bucket)) == \
        {f"t/{n}".encode() for n in names[1:]} | {b"t/film", b"copy"}
    call("purge", f"C:{bucket}")
    stack.wait_equal(bucket)
    assert compare.listing(stack.follower, bucket) is None
