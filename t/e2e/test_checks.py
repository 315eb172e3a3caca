"""Checks at their three levels, the report of what they find, and repairs."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

import compare
from fault import INTERNAL
from load import Load
from process import Process, wait_until
from stack import ROOT, answers, free_ports
from test_scans import SCANS, Scans, fill

MANY = 12000                    # differences: more than Redis keeps
MIB = 1024 * 1024
WHOLE = {"type", "cache", "meta", "meta-gone", "tags", "acl"}


@pytest.fixture
def check(stack, bucket_name):
    """check(names): a bucket that is equal on both sides, and its scans."""
    def make(names, body=b"body", **worker):
        bucket = bucket_name("mig")
        fill(stack.main, bucket, names, body)
        stack.use_worker(**SCANS, **worker)
        scan = Scans(stack, bucket)
        scan.bucket = bucket
        scan.wait()
        compare.wait_equal(stack.main, stack.follower, bucket)
        return scan
    return make


def rows(scan):
    """key -> (what, what differs)"""
    report = json.loads(scan.redis.call(
        "scan_differences", 1, f"chorus:{{{scan.name}}}", 0, 10000))
    return {row["key"]: (row["what"],
                         sorted(name.lower() for name in row["differs"]))
            for row in report["differences"]}


def change_all(s3, bucket):
    """Behind Chorus' back, one thing of each key; what a check should say."""
    def again(key, **headers):
        s3.copy_object(Bucket=bucket, Key=key, MetadataDirective="REPLACE",
                       CopySource={"Bucket": bucket, "Key": key}, **headers)
    again("type", ContentType="text/x-other", Metadata={"a": "1"})
    again("cache", CacheControl="no-store", Metadata={"a": "1"})
    again("meta", Metadata={"a": "2"})
    again("meta-gone")
    s3.put_object_tagging(Bucket=bucket, Key="tags", Tagging={
        "TagSet": [{"Key": "k", "Value": "w"}]})
    s3.put_object_acl(Bucket=bucket, Key="acl", ACL="public-read")
    s3.put_object(Bucket=bucket, Key="bytes", Body=b"y" * len(
        s3.get_object(Bucket=bucket, Key="bytes")["Body"].read()))
    s3.delete_object(Bucket=bucket, Key="missing")
    s3.put_object(Bucket=bucket, Key="surplus", Body=b"s")
    listed = {"bytes": ("different", ["etag"]),
              "missing": ("missing", ["existence"]),
              "surplus": ("surplus", ["existence"])}
    beside = {"type": ["content-type"], "cache": ["cache-control"],
              "meta": ["x-amz-meta-a"], "meta-gone": ["x-amz-meta-a"],
              "tags": ["tags"], "acl": ["acl"]}
    return listed, {**listed, **{key: ("different", differs)
                                 for key, differs in beside.items()}}


def test_each_level_finds_exactly_what_was_changed_and_repair_mends_it(
        stack, check):
    names = [*WHOLE, "bytes", "missing", "same-1", "same-2"]
    scan = check(names)
    for key in ("type", "cache", "meta", "meta-gone"):
        stack.s3.put_object(Bucket=scan.bucket, Key=key, Body=b"m",
                            ContentType="text/plain", Metadata={"a": "1"})
    stack.s3.put_object_tagging(Bucket=scan.bucket, Key="tags", Tagging={
        "TagSet": [{"Key": "k", "Value": "v"}]})
    compare.wait_equal(stack.main, stack.follower, scan.bucket)
    stack.wait_idle(scan.bucket)    # nobody mends what is changed now
    listed, expected = change_all(stack.follower.s3, scan.bucket)
    expected["type"] = ("different", ["content-type"])
    expected["cache"] = ("different", ["cache-control", "content-type"])
    for key in ("meta", "meta-gone"):
        expected[key] = ("different", ["content-type", "x-amz-meta-a"])

    assert scan.run("check")["different"] == 1 and rows(scan) == listed
    found = scan.run("check", "full")
    assert rows(scan) == expected
    assert (found["different"], found["missing"], found["surplus"],
            found["unchecked"], found["moving"], found["marked"]) == (
                7, 1, 1, 0, 0, 0)
    assert found["equal"] == 2 and found["verified_ms"] == 0

    scan.run("check", "content")
    by_content = dict(expected)
    by_content["bytes"] = ("different", ["content"])
    assert rows(scan) == by_content

    assert scan.run("repair", "content", 1)["marked"] == 10   # and the bucket
    compare.wait_equal(stack.main, stack.follower, scan.bucket)
    clean = scan.run("check", "content")
    assert clean["equal"] == clean["main"] == len(names)
    assert clean["verified_level"] == "content" and not rows(scan)


def test_contents_decide_where_etags_lie_or_cannot_be_equal(stack, check):
    scan = check(["a", "rotten", "twin"])
    s3, bucket = stack.follower.s3, scan.bucket
    # as large as what is compared by its ETag before it is copied
    stack.s3.put_object(Bucket=bucket, Key="rotten", Body=b"r" * 9 * MIB)
    compare.wait_equal(stack.main, stack.follower, bucket)
    stack.wait_idle(bucket)
    body = s3.get_object(Bucket=bucket, Key="twin")["Body"].read()
    # the same bytes under another ETag
    begun = s3.create_multipart_upload(Bucket=bucket, Key="twin")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="twin", UploadId=begun,
                          PartNumber=1, Body=body)
    s3.complete_multipart_upload(
        Bucket=bucket, Key="twin", UploadId=begun, MultipartUpload={
            "Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    # other bytes under the same one
    stack.faulty_follower.inject(damage=True, when=lambda method, target: (
        method == "GET" and target.startswith(f"/{bucket}/rotten")
        and "?" not in target))
    stack.use_worker(follower=stack.faulty_follower.url, **SCANS)

    scan.run("check")
    assert rows(scan) == {"twin": ("different", ["etag"])}
    scan.run("check", "content")
    assert rows(scan) == {"rotten": ("different", ["content"])}
    before = stack.follower.s3.head_object(Bucket=bucket, Key="rotten")
    assert scan.run("repair", "content")["marked"] == 2     # and the bucket
    wait_until(lambda: stack.follower.s3.head_object(
        Bucket=bucket, Key="rotten")["LastModified"] > before["LastModified"],
        30, "it is copied again")
    twins = f"chorus:{{{scan.name}}}:twins"
    wait_until(lambda: scan.redis.client.hkeys(twins) == [b"twin"], 20,
               "nobody takes it for rotten any more")
    # what was read and is equal is known from now on
    assert scan.run("check")["equal"] == 3 and not rows(scan)


def test_what_a_storage_does_not_tell_is_neither_equal_nor_different(
        stack, check):
    scan = check(["a", "b", "c"])
    stack.faulty_follower.inject(answer=INTERNAL, when=lambda method, target: (
        method == "HEAD" and target.startswith(f"/{scan.bucket}/b")))
    stack.use_worker(follower=stack.faulty_follower.url, **SCANS)
    found = scan.run("check", "full")
    assert rows(scan) == {"b": ("unchecked", [])}
    assert (found["equal"], found["unchecked"], found["different"],
            found["verified_level"]) == (2, 1, 0, "")


def test_a_bucket_in_motion_gives_no_false_alarm(stack, check):
    scan = check([f"k{n:03d}" for n in range(20)])

    def write(wire, n):
        key = f"k{n % 20:03d}"
        if n % 3:
            wire.put(scan.bucket, key, b"%d" % n,
                     {"x-amz-meta-n": str(n), "content-type": f"a/{n}"})
        else:
            wire.call("PUT", f"/{scan.bucket}/{key}", query="tagging",
                      body=b"<Tagging><TagSet><Tag><Key>n</Key><Value>%d"
                      b"</Value></Tag></TagSet></Tagging>" % n)
    with Load(stack.wire, write, 4):
        found = scan.run("check", "content")
    assert not rows(scan), (found, rows(scan))
    assert found["unchecked"] == 0
    compare.wait_equal(stack.main, stack.follower, scan.bucket)


def test_a_pause_stops_a_check_of_contents_and_a_killed_worker_loses_little(
        stack, check):
    scan = check(["big"], body=b"b" * 16 * MIB)
    ended = scan.look()["id"]
    stack.use_worker(follower=stack.faulty_follower.url, **SCANS,
                     check_mib_per_second=1)
    scan.change("scan_start", "check", "content", 0)
    sent = stack.faulty_follower
    wait_until(lambda: sent.sent_bytes > MIB // 4, 30, "it reads")
    scan.change("pause")

    def is_still():
        before = sent.sent_bytes
        time.sleep(1.2)
        return sent.sent_bytes == before
    wait_until(is_still, 30, "it has stopped")
    assert sent.sent_bytes < 16 * MIB
    stack.worker.stop(signal.SIGKILL)
    stack.workers.pop(0)
    stack.use_worker(**SCANS)
    scan.change("resume")
    found = scan.wait(ended)
    assert (found["equal"], found["main"]) == (1, 1)


@pytest.fixture
def lister(stack):
    """Two stores that only list, unequal in each of their keys."""
    ports = free_ports(2)
    process = Process("lister", [
        sys.executable, f"{ROOT}/bench/scan_store.py", *map(str, ports),
        str(MANY), str(MANY)], f"{stack.folder}/log/lister-checks.log")
    process.start()
    scan = Scans(stack, "mig-bench")
    try:
        wait_until(lambda: all(map(answers, ports)), 20, "it lists")
        # it owes nothing: nobody copies from what only lists
        scan.change("scan_stop")
        scan.skip()
        stack.use_worker(*[f"http://127.0.0.1:{p}" for p in ports], **SCANS)
        yield scan
    finally:
        stack.stop_workers()
        process.stop(signal.SIGKILL)
        scan.change("scan_stop")


def test_a_report_of_more_than_redis_keeps_is_whole(stack, lister, figures):
    def chorusctl(*words):
        return subprocess.Popen(
            [f"{stack.folder}/bin/chorusctl", "check", *words, lister.name],
            env=dict(os.environ, ADMIN_URL=stack.nginx.admin_url,
                     ADMIN_TOKEN_FILE=stack.token_file),
            stderr=subprocess.PIPE, text=True)

    path = f"{stack.folder}/report.jsonl"
    first = chorusctl("--report", path)
    wait_until(lambda: os.path.exists(path) and os.path.getsize(path), 60,
               "first lines")
    first.kill()
    first.wait()
    kept = []

    def waits():
        scan = lister.look()
        kept.append(scan["differences_kept"])
        return scan["state"] == "ended" or "report is full" in scan["reason"]
    wait_until(waits, 120, "nobody reads it")
    with open(path, "a") as report:
        report.write('{"n":99999999,"key"')      # a line that was cut
    second = chorusctl("--report", path, "--resume")
    assert second.wait(120) == 0, second.stderr.read()
    with open(path) as report:
        found = [json.loads(line) for line in report]
    assert [row["n"] for row in found] == list(range(1, MANY + 1))
    assert sorted(row["key"] for row in found) == [
        "k%012d" % n for n in range(MANY)]
    assert found[0]["differs"] == ["etag"]
    assert found[0]["main"]["etag"] != found[0]["follower"]["etag"]
    scan = lister.look()
    assert (scan["different"], scan["differences_lost"],
            scan["differences_kept"]) == (MANY, 0, 0)
    assert max(kept) <= 10000
    figures(f"{MANY} differences reported in {scan['took_ms']} ms, at most "
            f"{max(kept)} in Redis")


def test_wrong_words_are_refused(stack):
    for words in (["check"], ["check", "--resume", "r"], ["repair"],
                  ["check", "--level"]):
        done = stack.chorusctl(*words, ADMIN_TOKEN_FILE=stack.token_file)
        assert done.returncode == 2 and "usage" in done.stderr \
            or "needs a value" in done.stderr
    done = stack.chorusctl("check", "--level", "deep", "alice:b:follower",
                           ADMIN_TOKEN_FILE=stack.token_file)
    assert done.returncode == 1
    done = stack.chorusctl("check", "--report", "/no/folder/x",
                           "alice:b:follower",
                           ADMIN_TOKEN_FILE=stack.token_file)
    assert done.returncode == 1 and "/no/folder/x" in done.stderr
