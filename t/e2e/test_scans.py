"""Scans: what was there before is copied, what differs is found and mended."""

import json
import signal
import sys

import pytest

import compare
from fault import SLOW_DOWN
from load import Load
from operations import ODD
from process import Process, wait_until
from stack import ROOT, answers, free_ports

KEYS = 2000
MANY = 40000
SCANS = {"scans": 2, "discover_seconds": 1}
GONE = (404, b"<Error><Code>NoSuchBucket</Code></Error>", "application/xml")


class Scans:
    """The functions of scans, of one bucket's replication."""

    def __init__(self, stack, bucket):
        self.stack = stack
        self.redis = stack.redis
        self.name = f"alice:{bucket}:follower"

    def change(self, name, *args):
        return self.redis.call(name, 3, f"chorus:{{{self.name}}}",
                               "chorus:schedule", "chorus:replications",
                               *args)

    def skip(self):
        """Nothing is migrated: nobody copies from what only lists."""
        def is_decided():
            version = self.redis.client.hget("chorus:policy", "version") or 0
            self.change("scan_ensure", 0, version)
            return self.look()

        wait_until(is_decided, 30, "it is decided")

    def look(self):
        text = self.redis.call("scan_look", 1, f"chorus:{{{self.name}}}")
        return json.loads(text) if text else {}

    def has_ended(self, after=0):
        scan = self.look()
        assert scan.get("state") != "failed", scan
        return (scan.get("state") == "ended" and scan["id"] > after
                and not scan["waiting"] and scan)

    def wait(self, after=0, seconds=90):
        return wait_until(lambda: self.has_ended(after), seconds,
                          lambda: f"a scan that ended: {self.look()}")

    def run(self, kind, depth="quick", surplus=0):
        """Starts one, waits until what it has found is copied."""
        before = self.look()["id"]
        wait_until(lambda: self.change("scan_start", kind, depth, surplus),
                   30, "a scan starts")
        return self.wait(before)

    def differences(self):
        rows = json.loads(self.redis.call(
            "scan_differences", 1, f"chorus:{{{self.name}}}", 0, 1000))
        return {row["key"]: row["what"] for row in rows["differences"]}

    def stats(self):
        return self.redis.stats(self.name)


def fill(store, bucket, names, body=b"x"):
    store.s3.create_bucket(Bucket=bucket)
    load = Load(store.wire, lambda wire, n: wire.put(
        bucket, names[n], body + b"." * (n % 60)), 8, len(names))
    load.join()
    load.check()


def appear(stack, bucket, names):
    """Before the eyes of scanners: who finds it finds all its keys, although
    it is empty for a moment."""
    scan = Scans(stack, bucket)
    scan.change("pause")
    fill(stack.main, bucket, names)
    scan.change("resume")
    return scan


@pytest.fixture
def scans(stack, bucket_name):
    """scans(n): a bucket of so many keys on main, and its scans."""
    def make(n):
        bucket = bucket_name("mig")
        fill(stack.main, bucket, [f"d{i % 7}/{i:05d}" for i in range(n)]
             + [f"odd{x}" for x in ODD])
        scan = Scans(stack, bucket)
        scan.bucket = bucket
        scan.keys = n + len(ODD)
        return scan
    return make


def test_what_was_there_before_is_copied_though_workers_are_killed(
        stack, scans, figures):
    scan = scans(KEYS)
    stack.use_worker(**SCANS, bulk_max=1000)
    stack.start_worker(stack.worker.config)
    wait_until(lambda: scan.look().get("pages"), 30, "a first page")
    stack.worker.stop(signal.SIGKILL)
    stack.workers.pop(0)
    found = scan.wait()
    compare.wait_equal(stack.main, stack.follower, scan.bucket, sample=20)
    assert found["main"] == scan.keys, found
    assert found["missing"] + found["equal"] == scan.keys, found
    assert found["surplus"] == 0, found

    second = scan.run("migrate")
    assert second["equal"] == second["main"] == scan.keys
    assert second["verified_ms"] >= second["started_ms"]
    assert second["marked"] == 1, second    # the bucket itself
    figures(f"{scan.keys} keys compared in {second['took_ms']} ms, "
            f"copied in {found['took_ms']} ms; shards: {found['shards']}")


def test_a_check_finds_exactly_what_differs_and_repair_mends_it(stack, scans):
    scan = scans(40)
    main, follower = stack.main.s3, stack.follower.s3
    stack.use_worker(**SCANS)
    scan.wait()
    compare.wait_equal(stack.main, stack.follower, scan.bucket)

    follower.delete_object(Bucket=scan.bucket, Key="d1/00001")
    follower.put_object(Bucket=scan.bucket, Key="surplus", Body=b"s")
    follower.put_object(Bucket=scan.bucket, Key="d2/00002", Body=b"size")
    size = main.head_object(Bucket=scan.bucket, Key="d3/00003")
    follower.put_object(Bucket=scan.bucket, Key="d3/00003",
                        Body=b"y" * size["ContentLength"])

    begun = scan.look()["id"]
    assert stack.chorusctl("check", scan.name,
                           ADMIN_TOKEN_FILE=stack.token_file).returncode == 0
    found = scan.wait(begun)
    assert scan.differences() == {
        "d1/00001": "missing", "surplus": "surplus",
        "d2/00002": "different", "d3/00003": "different"}
    assert (found["missing"], found["surplus"], found["different"],
            found["marked"]) == (1, 1, 2, 0)
    assert scan.stats()["dirty"] == 0

    def said(*words):
        ctl = stack.chorusctl(*words, ADMIN_TOKEN_FILE=stack.token_file)
        assert ctl.returncode == 0, ctl.stderr
        return ctl.stdout

    assert [json.loads(line)["key"] for line in said(
        "-o", "json", "differences", scan.name).splitlines()] == [
            "d1/00001", "d2/00002", "d3/00003", "surplus"]
    assert "main: none; follower: 1 bytes" in said("differences", scan.name)
    assert scan.name in said("scans")
    assert stack.chorusctl("scans", "stop", scan.name,
                           ADMIN_TOKEN_FILE=stack.token_file).returncode == 1

    assert scan.run("repair")["marked"] == 4     # with the bucket itself
    assert compare.differences(stack.main, stack.follower, scan.bucket) == [
        "b'surplus': main None, follower (1, "
        "'\"03c7c0ace395d80182db07ae2c30f034\"')"]

    # what main has again by the time that its key is looked at stays
    scan.run("repair", "quick", 1)
    compare.wait_equal(stack.main, stack.follower, scan.bucket)
    clean = scan.run("check")
    assert clean["verified_ms"] >= clean["started_ms"]
    assert clean["equal"] == scan.keys and not scan.differences()


def test_a_check_of_a_bucket_in_motion_gives_no_false_alarm(stack, scans):
    scan = scans(200)
    stack.use_worker(**SCANS)
    scan.wait()
    with Load(stack.wire, lambda wire, n: wire.put(
            scan.bucket, f"d{n % 7}/{n % 200:05d}", b"%d" % n), 4) as load:
        found = scan.run("check")
    load.check()
    assert found["different"] + found["missing"] + found["surplus"] == 0, (
        found, scan.differences())
    compare.wait_equal(stack.main, stack.follower, scan.bucket)


def test_a_bucket_that_appears_later_is_found(stack, bucket_name):
    stack.use_worker(**SCANS)
    bucket = bucket_name("mig")
    found = appear(stack, bucket, ["a", "b"]).wait()
    assert found["kind"] == "migrate"
    compare.wait_equal(stack.main, stack.follower, bucket)


def test_a_debt_is_paid_by_a_scan_of_everything(stack, scans):
    scan = scans(20)
    stack.use_worker(**SCANS)
    first = scan.wait()
    # marks that were lost: a listing shows one of these changes, not all
    stack.main.s3.put_object(Bucket=scan.bucket, Key="d1/00001", Body=b"new")
    stack.main.s3.put_object_tagging(
        Bucket=scan.bucket, Key="d2/00002",
        Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    scan.change("owe", "overflow", 1000)
    found = scan.wait(first["id"])
    assert (found["kind"], found["level"]) == ("repair", "full")
    wait_until(lambda: scan.stats()["debt"] is None, 20, "it is paid")
    compare.wait_equal(stack.main, stack.follower, scan.bucket)


def test_what_may_have_been_deletes_stays_owed_until_somebody_says_so(
        stack, scans):
    scan = scans(5)
    stack.use_worker(**SCANS)
    first = scan.wait()
    stack.main.s3.delete_object(Bucket=scan.bucket, Key="d1/00001")
    scan.change("owe", "overflow", 0)
    found = scan.wait(first["id"])
    assert "deletion" in found["reason"]
    assert scan.stats()["debt"]["reason"] == "overflow"
    scan.run("repair", "full", 1)
    assert scan.stats()["debt"] is None
    compare.wait_equal(stack.main, stack.follower, scan.bucket)


def test_a_paused_replication_is_not_scanned(stack, scans):
    scan = scans(5)
    stack.use_worker(**SCANS)
    first = scan.wait()
    scan.change("pause")
    scan.change("scan_start", "check", "quick", 0)
    other = Scans(stack, "mig-pause-other")
    fill(stack.main, "mig-pause-other", ["k"])
    other.wait()
    assert scan.look()["state"] == "running"
    assert scan.look()["pages"] == 0
    scan.change("resume")
    scan.wait(first["id"])


def test_a_large_bucket_is_cut_among_scanners_and_each_key_counts_once(
        stack, figures):
    ports = free_ports(2)
    lister = Process("lister", [sys.executable, f"{ROOT}/bench/scan_store.py",
                                *map(str, ports), str(MANY), "10"],
                     f"{stack.folder}/log/lister.log")
    lister.start()
    try:
        wait_until(lambda: all(map(answers, ports)), 20, "it lists")
        scan = Scans(stack, "mig-bench")
        # it owes nothing: nobody copies from what only lists
        scan.skip()
        scan.change("scan_start", "check", "quick", 0)
        urls = [f"http://127.0.0.1:{port}" for port in ports]
        stack.use_worker(*urls, **SCANS)
        found = scan.wait()
    finally:
        stack.stop_workers()
        lister.stop(signal.SIGKILL)
        scan.change("scan_stop")
    assert (found["state"], found["main"], found["equal"],
            found["different"]) == ("ended", MANY, MANY - 10, 10), found
    assert found["shards"] > 1
    figures(f"{MANY} keys in {found['took_ms']} ms, "
            f"{found['shards']} shards")


def test_a_follower_that_fails_is_asked_again(stack, scans):
    scan = scans(5)
    stack.faulty_follower.inject(times=3, answer=SLOW_DOWN)
    stack.use_worker(follower=stack.faulty_follower.url, **SCANS)
    scan.wait()
    compare.wait_equal(stack.main, stack.follower, scan.bucket)


def page(keys, truncated):
    rows = "".join(f"<Contents><Key>{key}</Key><Size>1</Size><ETag>e</ETag>"
                   "</Contents>" for key in keys)
    return (200, f"<ListBucketResult><IsTruncated>{truncated}</IsTruncated>"
                 f"{rows}</ListBucketResult>".encode(), "application/xml")


def test_a_bucket_that_goes_amid_its_listing_is_not_called_equal(stack,
                                                                 scans):
    """Main says so for a moment; what is behind was never compared."""
    scan = scans(5)
    stack.use_worker(main=stack.faulty_main.url,
                     follower=stack.faulty_follower.url, **SCANS)
    first = scan.wait()
    compare.wait_equal(stack.main, stack.follower, scan.bucket)
    before = scan.run("check")

    def listed(method, target):
        return scan.bucket in target and "max-keys=1000" in target

    stack.faulty_follower.inject(
        when=lambda method, target: listed(method, target)
        and "marker=" not in target, answer=page(["a"], "true"))
    stack.faulty_main.inject(
        when=listed, answer=lambda method, target:
        GONE if "marker=" in target else page(["a"], "true"))
    scan.change("scan_start", "check", "quick", 0)
    wait_until(lambda: "in the middle" in scan.look()["reason"], 30,
               lambda: f"it says so: {scan.look()}")
    assert scan.look()["state"] == "running"
    assert scan.look()["verified_ms"] == before["verified_ms"]
    stack.faulty_main.clear()
    stack.faulty_follower.clear()
    ended = scan.wait(before["id"])
    assert ended["main"] == first["main"] + 1, ended
