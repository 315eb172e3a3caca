#!/usr/bin/python3
"""Compares a bucket on main and follower, from outside Chorus.

compare.py [--wait SECONDS] [--expect COUNT] [--gone PREFIX] BUCKET

Asks both stores directly (boto3; addresses and keys from the environment, as
build/demo/env sets them): every key, size and ETag of the listings, then of a
sample of objects every header and byte.  Prints one line; exits 1 with the
first differences when they do not become equal in time.
"""

import argparse
import hashlib
import os
import sys
import time

import boto3
from botocore.client import Config
from botocore.exceptions import ClientError

HEADERS = ["ContentType", "CacheControl", "ContentDisposition",
           "ContentEncoding", "ContentLanguage", "Metadata"]
SAMPLE = 40


def store(name):
    return boto3.client(
        "s3", endpoint_url=os.environ[f"{name}_URL"],
        aws_access_key_id=os.environ[f"{name}_ACCESS_KEY"],
        aws_secret_access_key=os.environ[f"{name}_SECRET_KEY"],
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"},
                      retries={"max_attempts": 2}))


def listing(s3, bucket):
    keys = {}
    try:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for o in page.get("Contents", []):
                keys[o["Key"]] = (o["Size"], o["ETag"])
    except ClientError as e:
        if e.response["Error"]["Code"] != "NoSuchBucket":
            raise
    return keys


def evidence(s3, bucket, key):
    o = s3.get_object(Bucket=bucket, Key=key)
    digest = hashlib.sha256()
    for block in iter(lambda: o["Body"].read(1 << 20), b""):
        digest.update(block)
    return digest.hexdigest(), {h: o.get(h) for h in HEADERS}


def differences(a, b):
    return sorted(k for k in a.keys() | b.keys() if a.get(k) != b.get(k))


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--wait", type=float, default=0)
    args.add_argument("--expect", type=int)
    args.add_argument("--gone")
    args.add_argument("bucket")
    args = args.parse_args()

    main_s3, follower_s3 = store("MAIN"), store("FOLLOWER")
    begin = time.monotonic()

    while True:
        a = listing(main_s3, args.bucket)
        b = listing(follower_s3, args.bucket)
        diff = differences(a, b)
        waited = time.monotonic() - begin
        if not diff or waited > args.wait:
            break
        time.sleep(0.25)

    if diff:
        print(f"{len(diff)} keys differ after {waited:.1f} s, among them:",
              file=sys.stderr)
        for k in diff[:10]:
            print(f"  {k!r}: main {a.get(k)} follower {b.get(k)}",
                  file=sys.stderr)
        sys.exit(1)

    if args.expect is not None and len(a) != args.expect:
        sys.exit(f"main has {len(a)} objects, {args.expect} were uploaded")
    if args.gone and any(k.startswith(args.gone) for k in a):
        sys.exit(f"{args.gone} was deleted but is still there")

    keys = sorted(a, key=lambda k: hashlib.md5(k.encode()).digest())[:SAMPLE]
    for k in keys:
        if evidence(main_s3, args.bucket, k) != evidence(follower_s3,
                                                         args.bucket, k):
            sys.exit(f"{k!r}: bytes or headers differ")

    size = sum(s for s, _ in a.values())
    print(f"{len(a)} objects, {size:,} bytes equal on both stores "
          f"{waited:.1f} s later ({len(keys)} of them read back)")


main()
