"""The histories of keys in two stores, to compare.

Knows nothing of Chorus.  A history is a list, newest first, of what S3 lets one
see of each version: contents, headers, tags, in order; ids where they are kept.
"""

import hashlib
import re
import time
import urllib.parse

import compare
from process import PATIENCE, SLOWER
from wire import path_of

ENABLED, SUSPENDED = "Enabled", "Suspended"
PASSING = compare.PASSING | {"x-amz-version-id"}


def set_state(s3, bucket, state):
    s3.put_bucket_versioning(Bucket=bucket,
                             VersioningConfiguration={"Status": state})


def state_of(store, bucket):
    return store.s3.get_bucket_versioning(Bucket=bucket).get("Status")


def raw(store, bucket, key):
    """[(id, is a marker, is the latest)] in the very order of the listing;
    boto3 does not tell it."""
    wire = store.wire()
    key_marker, version_marker, found = "", "", []
    prefix = urllib.parse.quote(key.encode(), safe="")
    try:
        while True:
            query = f"encoding-type=url&max-keys=400&prefix={prefix}&versions"
            if version_marker:
                query += (f"&key-marker={key_marker}"
                          f"&version-id-marker={version_marker}")
            answer = wire.call("GET", path_of(bucket), query=query)
            assert answer.status == 200, answer
            page = re.findall(
                rb"<(Version|DeleteMarker)><Key>(.*?)</Key><VersionId>(.*?)"
                rb"</VersionId><IsLatest>(.*?)</IsLatest>",
                re.sub(rb"<(VersionedEpoch|RgwxTag|RgwxMtime)>.*?</\1>", b"",
                       answer.body))
            ours = [p for p in page
                    if urllib.parse.unquote(p[1].decode()) == key]
            found += [(i.decode(), kind == b"DeleteMarker", latest == b"true")
                      for kind, _, i, latest in ours]
            if b"<IsTruncated>true" not in answer.body or len(ours) < len(page):
                return found
            key_marker, version_marker = prefix, page[-1][2].decode()
    finally:
        wire.close()


def keys_of(store, bucket):
    """Of versions and delete markers; without control characters."""
    keys = set()
    for page in store.s3.get_paginator("list_object_versions").paginate(
            Bucket=bucket):
        for kind in ("Versions", "DeleteMarkers"):
            keys.update(entry["Key"] for entry in page.get(kind, []))
    return keys


def history(store, bucket, key, ids=False, tags=True, acls=False, found=None):
    """What is seen of each version; `found`: what raw() said."""
    seen = []
    wire = store.wire()
    try:
        for version_id, is_marker, is_latest in (
                raw(store, bucket, key) if found is None else found):
            entry = {"latest": is_latest, "marker": is_marker,
                     "null": version_id == "null"}
            if ids:
                entry["id"] = version_id
            if not is_marker:
                arg = "versionId=" + urllib.parse.quote(version_id)
                answer = wire.call("GET", path_of(bucket, key), query=arg)
                entry["sha256"] = hashlib.sha256(answer.body).hexdigest()
                entry.update({k: v for k, v in answer.headers.items()
                              if k not in PASSING
                              and not k.startswith("rgwx-")})
                if entry.get("x-amz-tagging-count") == "0":
                    del entry["x-amz-tagging-count"]
                if tags:
                    answer = wire.call("GET", path_of(bucket, key),
                                       query=f"tagging&{arg}")
                    entry["tags"] = sorted(re.findall(
                        rb"<Key>(.*?)</Key><Value>(.*?)</", answer.body))
                if entry.get("x-amz-object-lock-legal-hold") == "OFF":
                    del entry["x-amz-object-lock-legal-hold"]
                if acls:
                    entry["acl"] = compare.acl_of(wire, path_of(bucket, key),
                                                  arg)
            seen.append(entry)
    finally:
        wire.close()
    return seen


def differences(main, follower, bucket, keys, nulls=True, target=None,
                **options):
    """`target`: the bucket's name on the follower."""
    found = []
    for key in keys:
        stores = (main, bucket), (follower, target or bucket)
        lists = [raw(s, name, key) for s, name in stores]
        if len(lists[0]) != len(lists[1]):
            found.append(f"{key!r}: main {len(lists[0])} versions, follower "
                         f"{len(lists[1])}: {[x[:8] for x in lists]}")
            continue
        a, b = (history(s, name, key, found=versions, **options)
                for (s, name), versions in zip(stores, lists))
        if not nulls:
            for entry in a + b:
                del entry["null"]
        found += [f"{key!r} #{n}: main {x}, follower {y}"
                  for n, (x, y) in enumerate(zip(a, b)) if x != y]
    return found


def wait_equal(stack, bucket, keys, seconds=30, target=None, **options):
    """Until the histories and the states are equal."""
    end = time.monotonic() + max(seconds * SLOWER, PATIENCE)
    there = target or bucket
    while True:
        found = []
        states = [state_of(s, name) if bucket_is_there(s, name) else None
                  for s, name in ((stack.main, bucket),
                                  (stack.follower, there))]
        if states[0] != states[1]:
            found.append(f"states: {states}")
        else:
            found += differences(stack.main, stack.follower, bucket, keys,
                                 target=target, **options)
        if not found:
            return
        if time.monotonic() > end:
            raise AssertionError(f"{len(found)} differences:\n"
                                 + "\n".join(found[:8]))
        time.sleep(0.1)


def bucket_is_there(store, bucket):
    return bucket in [b["Name"] for b in store.s3.list_buckets()["Buckets"]]


# ---- writes through Chorus

def put(stack, bucket, key, body, **more):
    """The id of the new version."""
    return stack.s3.put_object(Bucket=bucket, Key=key, Body=body,
                               **more).get("VersionId")


def delete(stack, bucket, key, version=None):
    more = {"VersionId": version} if version else {}
    return stack.s3.delete_object(Bucket=bucket, Key=key,
                                  **more).get("VersionId")


def in_one_part(stack, bucket, key, body):
    """The id of the new version."""
    s3, of = stack.s3, dict(Bucket=bucket, Key=key)
    of["UploadId"] = s3.create_multipart_upload(**of)["UploadId"]
    etag = s3.upload_part(PartNumber=1, Body=body, **of)["ETag"]
    return s3.complete_multipart_upload(**of, MultipartUpload={
        "Parts": [{"PartNumber": 1, "ETag": etag}]})["VersionId"]
