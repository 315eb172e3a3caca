"""The same requests directly on main and through Chorus: the same answers.

The list of differential.py says what may differ, and why; nothing else does.
"""

import re
import time
from dataclasses import replace

import pytest

import operations
import operations_more as more
from differential import (EXPLAINED, Run, code_of, differing, explained,
                          one_request_id)
from operations import BUCKET, BUCKETS
from raw import Reply
from wire import path_of

GROUPS = [operations.buckets, operations.settings, operations.objects,
          operations.reads, operations.names, more.listings, more.versions,
          more.multipart, more.copies, more.deletes, more.acls, more.locks,
          more.framing, more.presigned, more.in_chunks, more.cors,
          more.preflight]
OPERATIONS = [op for group in GROUPS for op in group()]


def delete_all(s3, wire, bucket):
    s3.put_bucket_acl(Bucket=bucket, ACL="private")
    for u in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
        s3.abort_multipart_upload(Bucket=bucket, Key=u["Key"],
                                  UploadId=u["UploadId"])
    for page in s3.get_paginator("list_object_versions").paginate(
            Bucket=bucket):
        for v in page.get("Versions", []) + page.get("DeleteMarkers", []):
            wire.call("DELETE", path_of(bucket, v["Key"]),
                      f"versionId={v['VersionId']}",
                      headers={"x-amz-bypass-governance-retention": "true"})
    s3.delete_bucket(Bucket=bucket)


def run_all(netloc, keys):
    run = Run(netloc, keys)
    begin = time.monotonic()
    replies = [run.perform(op) for op in OPERATIONS]
    run.close()
    return run, replies, time.monotonic() - begin


@pytest.fixture
def fresh_gateway(stack):
    """Afterwards: a gateway of Ceph 16 that has run an S3 Select crashes when
    it next reads JSON, as the policy of a browser upload is."""
    yield
    stack.main.stop_gateway()
    stack.main.start_gateway()


def test_the_same_answers_as_main_itself(stack, listed, fresh_gateway,
                                         figures):
    direct, theirs, slow = run_all(stack.main.url[7:], stack.main.keys)
    for bucket in BUCKETS:
        delete_all(stack.main.s3, stack.main.wire(), bucket)
    chorus, ours, slower = run_all(stack.nginx.url[7:], stack.keys)

    unexplained, reasons = [], set()
    for op, a, b in zip(OPERATIONS, theirs, ours):
        found = differing((direct, a), (chorus, b))
        allowed = explained(op.name)
        reasons |= {op.name} if found and allowed else set()
        unexplained += [f"{op.name}: {op.method} {op.path[:60]} "
                        f"{op.query[:60]}: {what}: {found[what]}"
                        for what in found.keys() - allowed]
        if b.body and not one_request_id(b):
            unexplained.append(f"{op.name}: request ids {b.headers}")
        if "status" not in found and code_of(a) \
                and code_of(a) != code_of(b):
            unexplained.append(f"{op.name}: {code_of(a)} / {code_of(b)}")
    stack.wait_equal(BUCKET)
    for bucket in BUCKETS:
        delete_all(stack.s3, stack.wire(), bucket)

    figures(f"{len(OPERATIONS)} operations in {slow:.1f} s directly, "
            f"{slower:.1f} s through Chorus; {len(unexplained)} unexplained "
            f"differences, {len(reasons)} explained ones")
    assert len(OPERATIONS) >= 150
    assert not unexplained, "\n" + "\n".join(unexplained)
    needless = [pattern for pattern, _, _ in EXPLAINED
                if not any(re.fullmatch(pattern, name) for name in reasons)]
    assert not needless, "these are the same now: take them off the list"


SAME = Reply(200, "OK", [("ETag", '"1"'), ("x-amz-meta-a", "1"), (
    "Date", "now"), ("Content-Length", "7")], b"<a>1</a>", framing="length")
CHANGES = {
    "status": {"status": 201}, "reason": {"reason": "Okay"},
    "interim": {"interim": [100]}, "body": {"body": b"<a>2</a>"},
    "no XML": {"body": b"<a>1</a"}, "blanks": {"body": b"<a> 1</a>"},
    "a value": {"headers": [("ETag", '"2"'), *SAME.headers[1:]]},
    "a header less": {"headers": SAME.headers[1:]},
    "a header twice": {"headers": [SAME.headers[1], *SAME.headers]},
    "a length without a body": {"framing": ""},
}


def test_what_is_not_on_the_list_is_a_difference():
    run = Run("nowhere:1", {})
    other = [("date", "later"), ("etag", '"1"'), ("X-Amz-Meta-A", "1"),
             ("Connection", "close"), ("Transfer-Encoding", "chunked")]
    assert not differing((run, SAME), (run, replace(
        SAME, headers=other, framing="chunked")))
    for name, change in CHANGES.items():
        assert differing((run, SAME), (run, replace(SAME, **change))), name


def test_operations_have_names_of_their_own():
    names = [op.name for op in OPERATIONS]
    assert len(set(names)) == len(names)
    for pattern, _, _ in EXPLAINED:
        assert any(re.fullmatch(pattern, name) for name in names), pattern
