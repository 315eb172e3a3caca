#!/usr/bin/python3
"""Makes botocore.json: odd requests, signed by botocore's own signer.

    /usr/bin/python3 t/unit/vectors/botocore.py > t/unit/vectors/botocore.json

No request leaves the machine: each is caught just before it would be sent.
The clock stands still, so that the output is the same every time.
"""

import datetime
import io
import json
import sys
from urllib.parse import urlsplit

import botocore.auth
import botocore.session
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.config import Config
from botocore.credentials import Credentials

ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
ENDPOINT = "http://chorus.example.net:9669"
NOW = datetime.datetime(2013, 5, 24, 0, 0, 0)

vectors = []


class StillClock(datetime.datetime):
    @classmethod
    def utcnow(cls):
        return NOW


class StillDatetime:
    datetime = StillClock


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def keep(name, method, url, headers):
    parts = urlsplit(url)
    target = parts.path or "/"
    if parts.query:
        target += "?" + parts.query
    pairs = [[text(n), text(v)] for n, v in headers.items()
             if text(n).lower() != "host"]
    vectors.append({"name": name, "method": method, "target": target,
                    "headers": [["Host", parts.netloc]] + pairs})


def calls(client):
    """(name, function) of requests as the SDK makes them"""
    keys = ["plain", "a b", "a+b", "a/b/../c", "./dot", "//slashes//", "100%",
            "%2F", "ünï/cødé", "☃", "~tilde-._", "q?a=b&c", "#hash",
            "quote'\"<>", "(paren)!*", "semi;colon:at@", "back\\slash",
            "=equals=", "$dollar,comma", "{curly}|^`[x]", "trailing /",
            "tab\there", "k" * 900]
    for key in keys:
        yield f"get {key[:20]!r}", lambda key=key: client.get_object(
            Bucket="bucket", Key=key)
        yield f"put {key[:20]!r}", lambda key=key: client.put_object(
            Bucket="bucket", Key=key, Body=b"body")

    texts = ["", "a b", "a+b", "a/b", "é☃", "%41", "&=?#", "~", "a=b"]
    for value in texts:
        yield f"list prefix {value!r}", lambda value=value: (
            client.list_objects_v2(Bucket="bucket", Prefix=value,
                                   Delimiter="/", StartAfter=value or "x"))
        yield f"disposition {value!r}", lambda value=value: (
            client.get_object(Bucket="bucket", Key="k", VersionId="v 1",
                              ResponseContentDisposition=f'x; f="{value}"'))

    for value in ["v", "two  blanks", "a,b, c", "tail ", "x" * 500]:
        yield f"metadata {value[:20]!r}", lambda value=value: (
            client.put_object(Bucket="bucket", Key="k", Body=b"",
                              Metadata={"Name": value, "other-one": "1"}))

    yield "tagged put", lambda: client.put_object(
        Bucket="bucket", Key="k", Body=b"x", Tagging="a=b%20c&d=e+f")
    yield "copy", lambda: client.copy_object(
        Bucket="bucket", Key="to", CopySource={"Bucket": "from", "Key": "ü +"},
        MetadataDirective="REPLACE", Metadata={"a": "b"})
    yield "tagging", lambda: client.put_object_tagging(
        Bucket="bucket", Key="a b", Tagging={"TagSet": [
            {"Key": "k", "Value": "v"}]})
    yield "delete objects", lambda: client.delete_objects(
        Bucket="bucket", Delete={"Objects": [{"Key": "ü"}, {"Key": "&"}]})
    yield "acl", lambda: client.put_object_acl(
        Bucket="bucket", Key="k", ACL="public-read")
    yield "create upload", lambda: client.create_multipart_upload(
        Bucket="bucket", Key="a b")
    yield "upload part", lambda: client.upload_part(
        Bucket="bucket", Key="a b", PartNumber=7, UploadId="u+/=~ x",
        Body=io.BytesIO(b"part"))
    yield "complete upload", lambda: client.complete_multipart_upload(
        Bucket="bucket", Key="a b", UploadId="u+/=",
        MultipartUpload={"Parts": [{"ETag": '"e"', "PartNumber": 1}]})
    yield "head bucket", lambda: client.head_bucket(Bucket="bucket")
    yield "create bucket", lambda: client.create_bucket(Bucket="bucket")
    yield "list buckets", lambda: client.list_buckets()
    yield "lifecycle", lambda: client.get_bucket_lifecycle_configuration(
        Bucket="bucket")
    yield "conditional get", lambda: client.get_object(
        Bucket="bucket", Key="k", Range="bytes=0-9",
        IfModifiedSince=datetime.datetime(2013, 5, 1))


def from_the_sdk():
    session = botocore.session.Session()
    session.set_credentials(ACCESS_KEY, SECRET_KEY)
    client = session.create_client(
        "s3", region_name="us-east-1", endpoint_url=ENDPOINT,
        config=Config(s3={"addressing_style": "path"},
                      retries={"total_max_attempts": 1},
                      parameter_validation=True))
    current = []

    def catch(request, **kwargs):
        keep(current[-1], request.method, request.url, request.headers)
        return AWSResponse(request.url, 200, {}, io.BytesIO(b""))

    client.meta.events.register("before-send.s3", catch)
    for name, call in calls(client):
        current.append(name)
        count = len(vectors)
        try:
            call()
        except Exception as error:      # the empty answer, not the request
            if len(vectors) == count:
                raise SystemExit(f"{name}: {error}")


def by_hand():
    """requests that the SDK does not make, through the same signer"""
    rows = [
        ("date for x-amz-date", "GET", "/bucket/k", [("Date", "now")]),
        ("repeated header", "PUT", "/bucket/k",
         [("x-amz-meta-a", "2"), ("x-amz-meta-a", "1 "),
          ("X-Amz-Meta-A", "")]),
        ("blanks and tabs", "PUT", "/bucket/k",
         [("x-amz-meta-a", "  a    b  "), ("x-amz-meta-b", "")]),
        ("repeated argument", "GET", "/bucket?b=2&b=1&a&b=", []),
        ("argument order", "GET", "/bucket?a-b=1&a=2&A=3&a%20=4", []),
        ("argument with equals", "GET", "/bucket?a=b%3Dc&d", []),
        ("escaped slash in argument", "GET", "/bucket?prefix=a%2Fb", []),
        ("empty segments", "GET", "//bucket".replace("//", "/", 1) + "//a//",
         []),
        ("many signed headers", "PUT", "/bucket/k",
         [(f"x-amz-meta-{i}", str(i)) for i in range(60)]),
    ]
    signer = botocore.auth.S3SigV4Auth(
        Credentials(ACCESS_KEY, SECRET_KEY), "s3", "us-east-1")
    for name, method, target, headers in rows:
        request = AWSRequest(method=method, url=ENDPOINT + target)
        for header, value in headers:
            request.headers.add_header(header, value)
        signer.add_auth(request)
        keep(name, method, request.url, request.headers)


botocore.auth.datetime = StillDatetime
from_the_sdk()
by_hand()
json.dump(vectors, sys.stdout, indent=1, sort_keys=True, ensure_ascii=True)
sys.stdout.write("\n")
