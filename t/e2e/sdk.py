"""What applications do with boto3: sdk.py URL STYLE BUCKET.

A program of its own, so that it runs with every boto3 that a machine has.
Credentials come from the environment.  Ends with 0 if all went well, and
prints what it did.
"""

import base64
import hashlib
import http.client
import io
import os
import ssl
import sys
import urllib.parse
import zlib

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.client import Config

MIB = 1 << 20
ODD = "dir/ä b+c/日本 😀'\"(1)~!*&=?#;.txt"


def client(url, style, version="s3v4", **more):
    return boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", config=Config(
            s3={"addressing_style": style}, signature_version=version,
            retries={"max_attempts": 0}, **more))


def fetch(method, url, body=None, headers=None):
    """(status, headers, body), without boto3."""
    u = urllib.parse.urlsplit(url)
    if u.scheme == "https":
        trusted = ssl.create_default_context(
            cafile=os.environ["AWS_CA_BUNDLE"])
        c = http.client.HTTPSConnection(u.netloc, timeout=30, context=trusted)
    else:
        c = http.client.HTTPConnection(u.netloc, timeout=30)
    c.request(method, u.path + (f"?{u.query}" if u.query else ""), body,
              headers or {})
    answer = c.getresponse()
    return answer.status, answer.headers, answer.read()


def objects(s3, bucket):
    body = os.urandom(100_000)
    s3.put_object(Bucket=bucket, Key=ODD, Body=body, ContentType="image/png",
                  Metadata={"colour": "red"}, Tagging="a=1&b=2")
    got = s3.get_object(Bucket=bucket, Key=ODD)
    assert got["Body"].read() == body
    assert got["Metadata"] == {"colour": "red"}
    assert got["ContentType"] == "image/png"
    assert s3.get_object(Bucket=bucket, Key=ODD, Range="bytes=10-19")[
        "Body"].read() == body[10:20]
    s3.copy_object(Bucket=bucket, Key="copy",
                   CopySource={"Bucket": bucket, "Key": ODD})
    assert s3.head_object(Bucket=bucket, Key="copy")["ContentLength"] == 100000
    tags = s3.get_object_tagging(Bucket=bucket, Key=ODD)["TagSet"]
    assert {t["Key"]: t["Value"] for t in tags} == {"a": "1", "b": "2"}
    s3.put_object_tagging(Bucket=bucket, Key=ODD, Tagging={
        "TagSet": [{"Key": "c", "Value": "ü &"}]})
    s3.put_object_acl(Bucket=bucket, Key=ODD, ACL="public-read")
    assert len(s3.get_object_acl(Bucket=bucket, Key=ODD)["Grants"]) == 2
    assert [b["Name"] for b in s3.list_buckets()["Buckets"]].count(bucket)
    for n in range(3):
        s3.put_object(Bucket=bucket, Key=f"gone/{n}", Body=b"")
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [
        {"Key": f"gone/{n}"} for n in range(3)]})
    assert len(answer["Deleted"]) == 3 and "Errors" not in answer


def uploads(s3, bucket):
    """Three parts, as a stream of unknown length, and from a file."""
    film = os.urandom(12 * MIB + 5)
    config = TransferConfig(multipart_threshold=5 * MIB,
                            multipart_chunksize=5 * MIB)
    s3.upload_fileobj(io.BytesIO(film), bucket, "film", Config=config)
    assert s3.head_object(Bucket=bucket, Key="film")["ETag"].endswith('-3"')
    back = io.BytesIO()
    s3.download_fileobj(bucket, "film", back, Config=config)
    assert back.getvalue() == film
    s3.copy({"Bucket": bucket, "Key": "film"}, bucket, "film-copy",
            Config=config)
    assert s3.head_object(Bucket=bucket, Key="film-copy")[
        "ContentLength"] == len(film)


def digests(body):
    """Of the algorithms that every Python has."""
    def b64(raw):
        return base64.b64encode(raw).decode()
    return {"CRC32": b64(zlib.crc32(body).to_bytes(4, "big")),
            "SHA1": b64(hashlib.sha1(body).digest()),
            "SHA256": b64(hashlib.sha256(body).digest())}


def checksums(s3, bucket):
    body = os.urandom(200_000)
    for name, value in digests(body).items():
        s3.put_object(Bucket=bucket, Key=f"sum/{name}", Body=body,
                      ChecksumAlgorithm=name)
        s3.put_object(Bucket=bucket, Key=f"told/{name}", Body=body,
                      **{f"Checksum{name}": value})
        for key in (f"sum/{name}", f"told/{name}"):
            assert s3.get_object(Bucket=bucket, Key=key, ChecksumMode=
                                 "ENABLED")["Body"].read() == body
        try:
            s3.put_object(Bucket=bucket, Key=f"told/{name}", Body=b"other",
                          **{f"Checksum{name}": value})
        except s3.exceptions.ClientError as e:
            assert e.response["Error"]["Code"] in (
                "BadDigest", "InvalidRequest", "XAmzContentChecksumMismatch")
        else:
            raise AssertionError(f"a wrong {name} was taken")


def presigned(s3, bucket, key):
    for method, body in (("put_object", b"by a URL"), ("get_object", None)):
        url = s3.generate_presigned_url(method, Params={
            "Bucket": bucket, "Key": key}, ExpiresIn=60)
        status, _, got = fetch("PUT" if body else "GET", url, body)
        assert status == 200, (status, got)
    assert got == b"by a URL"
    url = s3.generate_presigned_url("get_object", Params={
        "Bucket": bucket, "Key": key, "ResponseContentType": "a/b"})
    status, headers, _ = fetch("GET", url)
    assert (status, headers["content-type"]) == (200, "a/b")
    status, _, got = fetch("GET", url.replace("a%2Fb", "a%2Fc"))
    assert status == 403 and b"SignatureDoesNotMatch" in got


def form(fields, content):
    """multipart/form-data, the file last."""
    out = b""
    for name, value in fields.items():
        out += (f'--cut\r\nContent-Disposition: form-data; name="{name}"'
                f"\r\n\r\n{value}\r\n").encode()
    return out + (b'--cut\r\nContent-Disposition: form-data; name="file"; '
                  b'filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n'
                  + content + b"\r\n--cut--\r\n")


def posted(s3, bucket):
    content = os.urandom(300_000)
    post = s3.generate_presigned_post(
        bucket, "form/${filename}",
        Fields={"success_action_status": "201", "x-amz-meta-a": "b"},
        Conditions=[["starts-with", "$key", "form/"], {
            "success_action_status": "201"}, {"x-amz-meta-a": "b"},
            ["content-length-range", 1, 1 << 20]], ExpiresIn=60)
    kind = {"Content-Type": "multipart/form-data; boundary=cut"}
    status, _, got = fetch("POST", post["url"], form(post["fields"], content),
                           kind)
    assert status == 201, (status, got)
    answer = s3.get_object(Bucket=bucket, Key="form/a.txt")
    assert answer["Body"].read() == content
    assert answer["Metadata"] == {"a": "b"}
    status, _, got = fetch("POST", post["url"], form(
        dict(post["fields"], key="elsewhere"), content), kind)
    assert status == 403, (status, got)


def versions(s3, bucket):
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={
        "Status": "Enabled"})
    ids = [s3.put_object(Bucket=bucket, Key="k", Body=b"%d" % n)["VersionId"]
           for n in range(3)]
    s3.delete_object(Bucket=bucket, Key="k")
    for n, version in enumerate(ids):
        assert s3.get_object(Bucket=bucket, Key="k", VersionId=version)[
            "Body"].read() == b"%d" % n
    listing = s3.list_object_versions(Bucket=bucket)
    assert [v["VersionId"] for v in listing["Versions"]] == ids[::-1]
    assert len(listing["DeleteMarkers"]) == 1


def main(url, style, bucket):
    s3 = client(url, style)
    s3.create_bucket(Bucket=bucket)
    objects(s3, bucket)
    uploads(s3, bucket)
    checksums(s3, bucket)
    presigned(s3, bucket, f"presigned/{ODD}")
    posted(s3, bucket)
    versions(s3, f"local-{bucket}"[:60])
    print(f"boto3 {boto3.__version__}, {style} style: all is well")


if __name__ == "__main__":
    main(*sys.argv[1:])
