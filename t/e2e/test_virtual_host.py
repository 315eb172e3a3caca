"""boto3 with the bucket in the name of the host, as it does by itself."""

import os
import socket
import urllib.request

import boto3
import pytest
from botocore.client import Config
from botocore.exceptions import ClientError

from wire import REGION

KEYS = ["plain", "a b+c%20d", "ü/日本/😀", "dir//double/", "a/./b",
        "?acl&x=#", "trailing ", "\t<&>\"'", "x" * 1024]


@pytest.fixture
def s3(stack, monkeypatch):
    resolve = socket.getaddrinfo

    def local(host, *args, **kwargs):
        is_ours = str(host).endswith("s3.test")
        return resolve("127.0.0.1" if is_ours else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", local)
    port = stack.nginx.url.rsplit(":", 1)[1]
    return boto3.client(
        "s3", endpoint_url=f"http://s3.test:{port}", region_name=REGION,
        aws_access_key_id=stack.keys["alice"].access,
        aws_secret_access_key=stack.keys["alice"].secret,
        config=Config(s3={"addressing_style": "virtual"},
                      signature_version="s3v4",
                      retries={"max_attempts": 0}))


@pytest.mark.parametrize("name", ["r", "r-with.dots"])
def test_a_life_of_a_bucket(stack, bucket_name, s3, name):
    bucket = bucket_name(name)
    urls = []
    s3.meta.events.register("before-send.s3",
                            lambda request, **_: urls.append(request.url))
    s3.create_bucket(Bucket=bucket)

    for key in KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode(),
                      Metadata={"a": "b"})
    listed = s3.list_objects_v2(Bucket=bucket, MaxKeys=3)
    keys = [o["Key"] for o in listed["Contents"]]
    while listed["IsTruncated"]:
        listed = s3.list_objects_v2(
            Bucket=bucket, MaxKeys=3,
            ContinuationToken=listed["NextContinuationToken"])
        keys += [o["Key"] for o in listed["Contents"]]
    assert sorted(keys) == sorted(KEYS)

    part = os.urandom(5 << 20)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    parts = [{"PartNumber": n, "ETag": s3.upload_part(
        Bucket=bucket, Key="m", UploadId=upload, PartNumber=n,
        Body=part)["ETag"]} for n in (1, 2, 3)]
    s3.complete_multipart_upload(Bucket=bucket, Key="m", UploadId=upload,
                                 MultipartUpload={"Parts": parts})

    s3.copy_object(Bucket=bucket, Key="copy",
                   CopySource={"Bucket": bucket, "Key": KEYS[1]})
    s3.put_object_tagging(Bucket=bucket, Key="copy",
                          Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    s3.delete_objects(Bucket=bucket, Delete={
        "Objects": [{"Key": KEYS[0]}, {"Key": KEYS[3]}]})
    assert s3.get_bucket_acl(Bucket=bucket)["Grants"]

    stack.wait_equal(bucket)
    for key in KEYS[1], "copy":
        assert s3.get_object(Bucket=bucket,
                             Key=key)["Body"].read() == KEYS[1].encode()
    assert not [url for url in urls if f"//{bucket}.s3.test:" not in url]


def test_presigned_urls(stack, bucket, s3):
    params = {"Bucket": bucket, "Key": "a b/ü"}
    put = s3.generate_presigned_url("put_object", params)
    assert f"//{bucket}.s3.test:" in put
    request = urllib.request.Request(put, b"hello", method="PUT", headers={
        "Content-Type": ""})
    assert urllib.request.urlopen(request).status == 200

    got = urllib.request.urlopen(s3.generate_presigned_url("get_object",
                                                           params))
    assert got.read() == b"hello"
    stack.wait_equal(bucket)


def test_refusals(stack, bucket, s3):
    with pytest.raises(ClientError) as e:
        s3.get_object(Bucket=bucket, Key="nothing")
    assert e.value.response["Error"]["Code"] == "NoSuchKey"

    with pytest.raises(ClientError) as e:
        s3.copy_object(Bucket=bucket, Key="k", CopySource="routed-x/k")
    assert e.value.response["Error"]["Code"] == "NotImplemented"
