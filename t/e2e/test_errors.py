"""Each class of error that a storage answers, staged once: what follows from
it, and that the follower is equal afterwards."""

import email.utils
import json
import os
import re
import time

import pytest

import fault
from process import wait_until
from test_writes import PART, multipart
from wire import path_of

REGION = "eu-9"


def error(code, status, more="", *lines):
    return (status, f"<?xml version='1.0'?><Error><Code>{code}</Code>{more}"
            "</Error>".encode(), "application/xml", *lines)


NAMED = f"x-amz-bucket-region: {REGION}"

# how a storage says that the bucket is in another region
ELSEWHERE = {
    "301": error("PermanentRedirect", 301, "", NAMED),
    "307": error("TemporaryRedirect", 307, "", NAMED,
                 "Location: http://127.0.0.1:1/"),
    "400-in-the-body": error("AuthorizationHeaderMalformed", 400,
                             f"<Region>{REGION}</Region>"),
    "400-in-a-header": (400, b"", "text/plain", NAMED),
}


def is_signed_for_another_region(lines):
    return not any(f"/{REGION}/s3/aws4_request".encode() in line
                   for line in lines)


@pytest.mark.parametrize("side", ["main", "follower"])
@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_bucket_in_another_region_is_followed(stack, bucket, side, name):
    """Signed again for the region that the storage names."""
    stack.wait_equal(bucket)
    stack.stop_workers()
    wire = stack.wire()
    wire.put(bucket, "k", os.urandom(1000), {"x-amz-meta-a": "1"})
    # a HEAD has no body to say where
    if name != "400-in-the-body":
        wire.put(bucket, "large", os.urandom(9 << 20))
    server = getattr(stack, f"faulty_{side}")
    f = server.inject(when=lambda method, target: bucket in target,
                      head=is_signed_for_another_region,
                      answer=ELSEWHERE[name])
    stack.use_worker(**{side: server.url})
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    assert f.hits > 0
    assert stack.failed_attempts(bucket) == 0
    # and is remembered
    before = f.hits
    wire.put(bucket, "k2", b"x")
    stack.wait_equal(bucket)
    assert f.hits == before


def test_another_region_has_the_endpoint_of_its_name(stack, bucket):
    stack.stop_workers()
    stack.wire().put(bucket, "k", b"x")
    server = stack.faulty_follower
    f = server.inject(
        head=lambda lines: any(b"s3.us-east-1.localhost" in line
                               for line in lines),
        answer=ELSEWHERE["301"])
    stack.use_worker(
        follower=f"http://s3.us-east-1.localhost:{server.port}")
    stack.wait_equal(bucket)
    assert f.hits > 0 and server.passed > 0


def test_a_redirect_that_names_no_region_is_not_followed(stack, bucket):
    """Else a storage could have us sign for any host."""
    stack.stop_workers()
    stack.wire().put(bucket, "k", b"x")
    f = stack.faulty_main.inject(
        when=lambda method, target: target.endswith("/k"),
        answer=error("PermanentRedirect", 301, "<Endpoint>127.0.0.1:"
                     f"{stack.faulty_follower.port}</Endpoint>"))
    stack.use_worker(main=stack.faulty_main.url)
    wait_until(lambda: f.hits >= 2, 20, "the worker meets the redirect")
    assert stack.faulty_follower.passed == 0
    stack.faulty_main.clear()
    stack.wait_equal(bucket)


AHEAD = 870         # seconds: too many for us, few enough for Ceph


def is_dated_by_our_clock(lines):
    ours = time.strftime("%Y%m%dT%H%M", time.gmtime(time.time() + 300))
    dated = next(line for line in lines if line.startswith(b"x-amz-date:"))
    return dated.split(b":")[1].strip()[:13].decode() < ours


@pytest.mark.parametrize("side", ["main", "follower"])
def test_a_clock_that_differs_is_corrected(stack, bucket, side):
    stack.wait_equal(bucket)
    stack.stop_workers()
    stack.wire().put(bucket, "k", b"x")
    stack.wire().put(bucket, "large", os.urandom(9 << 20))

    def answer(method, target):
        date = email.utils.formatdate(time.time() + AHEAD, usegmt=True)
        return error("RequestTimeTooSkewed", 403, "", f"Date: {date}")

    server = getattr(stack, f"faulty_{side}")
    f = server.inject(head=is_dated_by_our_clock, answer=answer)
    stack.use_worker(**{side: server.url})
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    assert f.hits > 0
    assert stack.failed_attempts(bucket) == 0


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_obeyed(stack, bucket, form):
    """Also when it is longer than our own longest pause (2 s here)."""
    def answer(method, target):
        after = "4" if form == "seconds" else email.utils.formatdate(
            time.time() + 5, usegmt=True)
        return fault.SLOW_DOWN + (f"Retry-After: {after}",)

    stack.stop_workers()
    stack.wire().put(bucket, "k", b"x")
    f = stack.faulty_follower.inject(
        when=lambda method, target: target.endswith("/k"), answer=answer)
    stack.use_worker(follower=stack.faulty_follower.url)
    wait_until(lambda: f.hits >= 2, 20, "the second attempt")
    assert 3.5 < f.at[1] - f.at[0] < 25
    stack.faulty_follower.clear()
    stack.wait_equal(bucket)


def test_damaged_bytes_are_read_again(stack, bucket):
    """The MD5 tells before the follower has all of them."""
    stack.wire().put(bucket, "k", b"old" * 1000)
    stack.wire().put(bucket, "large", b"old" * 10_000)
    stack.wait_equal(bucket)
    stack.stop_workers()
    stack.wire().put(bucket, "k", os.urandom(5000))
    stack.wire().put(bucket, "large", os.urandom(3 << 20))
    f = stack.faulty_main.inject(
        when=lambda method, target: method == "GET"
        and re.search("/(k|large)$", target), times=2, damage=True)
    stack.use_worker(main=stack.faulty_main.url)
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    assert f.hits == 2


def test_a_follower_that_stored_something_else_is_written_again(stack,
                                                                bucket):
    stack.wait_idle(bucket)
    stack.stop_workers()
    stack.wire().put(bucket, "k", os.urandom(5000))
    # which the next attempt sees
    stack.follower.s3.put_object(Bucket=bucket, Key="k", Body=b"else")
    f = stack.faulty_follower.inject(
        when=lambda method, target: method == "PUT"
        and target.endswith("/k"), times=2,
        answer=(200, b"", "text/plain", f'ETag: "{"0" * 32}"'))
    stack.use_worker(follower=stack.faulty_follower.url)
    wait_until(lambda: f.hits == 2, 20, "it does so twice")
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    assert stack.failed_attempts(bucket) == 2


def test_200_with_an_error_after_a_multipart_upload(stack, bucket):
    """CompleteMultipartUpload begins to answer before it knows."""
    stack.stop_workers()
    multipart(stack.s3, bucket, "film", [os.urandom(PART), b"end"])
    f = stack.faulty_follower.inject(
        when=lambda method, target: method == "POST"
        and re.search("film[?]uploadId=", target), times=2,
        answer=error("InternalError", 200))
    stack.use_worker(follower=stack.faulty_follower.url)
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    assert f.hits == 2 and stack.failed_attempts(bucket) == 2
    assert not stack.follower.s3.list_multipart_uploads(
        Bucket=bucket).get("Uploads")


@pytest.mark.parametrize("encoding", ("utf-8", "utf-16"))
def test_200_with_an_error_after_a_copy(stack, bucket, encoding):
    """So does CopyObject."""
    status, body, *more = error("InternalError", 200)
    stack.wire().put(bucket, "large", os.urandom(9 << 20))
    stack.wait_equal(bucket)
    stack.stop_workers()
    stack.s3.copy_object(Bucket=bucket, Key="large",
                         CopySource=f"{bucket}/large",
                         MetadataDirective="REPLACE", Metadata={"n": "2"})
    f = stack.faulty_follower.inject(
        when=lambda method, target: method == "PUT", times=2,
        answer=(status, body.decode().encode(encoding), *more))
    stack.use_worker(follower=stack.faulty_follower.url)
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    assert f.hits == 2 and stack.failed_attempts(bucket) == 2
    assert stack.faulty_follower.got_bytes < 1 << 20


# what a storage answers, by the name of the key: status, its class
CLASSES = {
    "SlowDown": (503, "soon"), "InternalError": (500, "soon"),
    "ServiceUnavailable": (503, "soon"), "RequestTimeout": (400, "soon"),
    "OperationAborted": (409, "soon"), "BadDigest": (400, "soon"),
    "HTTP429": (429, "soon"), "HTTP502": (502, "soon"),
    "NotImplemented": (501, "slowly"), "HTTP405": (405, "slowly"),
    "AccessDenied": (403, "blocked"), "HTTP401": (401, "blocked"),
    "SignatureDoesNotMatch": (403, "blocked"),
    "QuotaExceeded": (403, "blocked"), "HTTP507": (507, "blocked"),
    "EntityTooLarge": (400, "parked"), "MetadataTooLarge": (400, "parked"),
    "KeyTooLongError": (400, "parked"), "InvalidArgument": (400, "parked"),
    "HTTP413": (413, "parked"),
}

# what main answers to a read; it parks nothing for ever
ON_MAIN = {
    "InvalidObjectState": (403, "slowly"), "EntityTooLarge": (400, "slowly"),
    "AccessDenied": (403, "blocked"), "HTTP403": (403, "blocked"),
    "SlowDown": (503, "soon"),
}


def classes_answer(classes):
    def answer(method, target):
        code = target.rsplit("/", 1)[1]
        return error(code, classes[code][0]) if code[:4] != "HTTP" \
            else (classes[code][0], b"", "text/plain")
    return answer


def told_of(worker, bucket, n):
    """{key: (level, what, code, delay)} of n keys' first attempts."""
    lines = {}

    def are_all_told():
        with open(worker.log, errors="replace") as log:
            for line in log:
                found = re.search(
                    r'(info|warn) .* key="(\w+)" attempt=1 '
                    r"(failed|parked|blocked) code=(\w+)"
                    r"(?: retry_in_ms=(\d+))?", line)
                if found and bucket in line:
                    level, key, *more = found.groups()
                    lines[key] = (level, *more)
        return len(lines) == n

    wait_until(are_all_told, 20, lambda: lines)
    return lines


def check_class(code, kind, level, what, told, delay):
    assert told == code
    if kind in ("parked", "blocked"):
        assert (level, what, delay) == ("warn", kind, None), code
    elif kind == "slowly":
        assert level == "warn" and 2500 <= int(delay) <= 5000, code
    else:
        assert level == "info" and int(delay) <= 500, code


@pytest.mark.parametrize("side", ["main", "follower"])
def test_each_class_of_refusals(stack, bucket, side):
    """All at once, a key for each; none holds up the others, and nothing is
    given up but what is parked with its reason."""
    classes = ON_MAIN if side == "main" else CLASSES
    stack.stop_workers()
    wire = stack.wire()
    for code in classes:
        wire.put(bucket, code, b"x")
    wire.put(bucket, "well", b"x")

    server = getattr(stack, f"faulty_{side}")
    server.inject(when=lambda method, target: bucket in target
                  and method == ("GET" if side == "main" else "PUT")
                  and target.rsplit("/", 1)[1] in classes,
                  answer=classes_answer(classes))
    worker = stack.use_worker(**{side: server.url}, retry_max_seconds=300)
    lines = told_of(worker, bucket, len(classes))
    for code, (_, kind) in classes.items():
        check_class(code, kind, *lines[code])
    theirs = stack.follower.wire()
    wait_until(lambda: theirs.get(bucket, "well").status == 200, 10,
               "the others are not held up")
    kinds = [kind for _, kind in classes.values()]
    stats = stack.stats(bucket)
    # one that is blocked may be tried just now
    assert kinds.count("blocked") - 1 <= stats["blocked"] \
        <= kinds.count("blocked")
    assert stats["failed"] == kinds.count("parked") + stats["blocked"]
    assert stats["held"] is None

    server.clear()
    for code in classes:
        wire.call("PUT", path_of(bucket, code), body=b"x")
    stack.wait_equal(bucket, 30)
    stack.wait_idle(bucket)


@pytest.mark.parametrize("side,code", [
    ("main", "InvalidAccessKeyId"), ("follower", "AccessDenied")])
def test_what_needs_a_person_holds_the_bucket(stack, bucket, bucket_name,
                                              side, code):
    """Not every key is tried and parked; others go on; and when it is mended
    everything comes by itself."""
    other = bucket_name()
    stack.s3.create_bucket(Bucket=other)
    for name in (bucket, other):
        stack.wait_idle(name)
    stack.stop_workers()
    wire = stack.wire()
    for n in range(60):
        wire.put(bucket, f"{n}", b"%d" % n)
    server = getattr(stack, f"faulty_{side}")
    f = server.inject(
        when=lambda method, target: f"/{bucket}/" in target,
        answer=error(code, 403, "<Message>so it is</Message>"))
    stack.use_worker(**{side: server.url}, retry_max_seconds=1)
    wait_until(lambda: stack.stats(bucket)["held"], 20, "it is held")
    held = stack.stats(bucket)["held"]
    assert held["code"] == code and "so it is" in held["reason"]
    # those that were under way, and probes: one each second
    wait_until(lambda: stack.stats(bucket)["busy"] == 0, 20, "all have failed")
    assert stack.stats(bucket)["dirty"] > 20 and f.hits < 60
    wire.put(other, "k", b"x")
    stack.wait_equal(other)
    before = stack.failed_attempts(bucket)
    wait_until(lambda: stack.failed_attempts(bucket) > before + 1, 20,
               "two probes")
    stats = stack.stats(bucket)
    assert stats["dirty"] + stats["failed"] + stats["busy"] == 60
    assert stats["parked_for"] == code
    server.clear()
    stack.wait_equal(bucket, 30)
    stack.wait_idle(bucket)
    assert stack.stats(bucket)["held"] is None


@pytest.mark.parametrize("side", ["main", "follower"])
def test_a_connection_that_is_reset(stack, bucket, side):
    stack.stop_workers()
    stack.wire().put(bucket, "k", os.urandom(5000))
    server = getattr(stack, f"faulty_{side}")
    f = server.inject(when=lambda method, target: target.endswith("/k"),
                      reset=True, times=2)
    stack.use_worker(**{side: server.url})
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    assert f.hits == 2 and 0 < stack.failed_attempts(bucket) <= 2


ODD = {"100%": "100%25", "a b": "a%20b", "ü/ö": "%C3%BC/%C3%B6",
       "line\nfeed": "line%0Afeed", "-x": "-x", "plain/k": "plain/k"}


@pytest.fixture
def parked(stack, bucket):
    """Keys that the follower refuses: those of ODD for ever, others until
    somebody mends it.  The name of the replication."""
    stack.wait_idle(bucket)
    stack.stop_workers()
    wire = stack.wire()
    for key in (*ODD, "denied/1", "denied/2"):
        wire.put(bucket, key, b"x")
    stack.faulty_follower.inject(
        when=lambda method, target: method == "PUT" and bucket in target,
        answer=lambda method, target: error("AccessDenied", 403)
        if "/denied/" in target else error("EntityTooLarge", 400))
    stack.use_worker(follower=stack.faulty_follower.url,
                     retry_max_seconds=300)
    wait_until(lambda: stack.stats(bucket)["failed"] == len(ODD) + 2, 20,
               "all are parked")
    return f"alice:{bucket}:follower"


def ctl(stack, *args):
    done = stack.chorusctl("-t", stack.token_file, *args)
    return done.returncode, done.stdout, done.stderr


def test_parked_keys_are_listed(stack, bucket, parked):
    code, out, err = ctl(stack, "failed", parked)
    assert (code, err) == (0, "")
    for shown in ODD.values():
        assert f"{parked} {shown}\n    parked EntityTooLarge, 1 attempt, " \
            in out
    assert f"{parked} denied/1\n    blocked AccessDenied, " in out
    assert "PUT object on follower: HTTP 400 EntityTooLarge" in out
    assert out.endswith(f"{len(ODD) + 2} parked:\n         2 AccessDenied\n"
                        f"         {len(ODD)} EntityTooLarge\n")

    code, out, _ = ctl(stack, "failed", "--reason", "AccessDenied", parked)
    assert code == 0 and "denied/2" in out and "plain/k" not in out
    code, out, _ = ctl(stack, "failed", "-s")
    assert code == 0 and parked not in out and "EntityTooLarge" in out

    code, out, _ = ctl(stack, "-o", "json", "failed", parked)
    page, = [json.loads(line) for line in out.splitlines()]
    assert page["reasons"] == {"AccessDenied": 2, "EntityTooLarge": len(ODD)}
    assert {row["key"] for row in page["keys"]} == \
        {"denied/1", "denied/2", *ODD}
    for row in page["keys"]:
        assert row["attempts"] >= 1 and row["first_ms"] <= row["last_ms"]

    code, out, _ = ctl(stack, "status")
    line = out[out.index(parked[:40]):].splitlines()[1]
    assert line == f"    parked: {len(ODD) + 2}, mostly EntityTooLarge; " \
                   "2 need a person (chorusctl failed)"


def test_parked_keys_are_retried(stack, bucket, parked):
    theirs = stack.follower.wire()
    stack.faulty_follower.clear()
    for n, (key, shown) in enumerate(ODD.items()):
        if n == 4:
            break
        code, out, _ = ctl(stack, "retry", parked, shown)
        assert (code, out) == (0, "tried again: 1\n")
        wait_until(lambda: theirs.get(bucket, key).status == 200, 20,
                   f"{key!r} is there")
    assert theirs.get(bucket, "plain/k").status == 404
    code, out, _ = ctl(stack, "-o", "json", "retry", "--reason",
                       "EntityTooLarge", parked)
    assert (code, json.loads(out)) == (0, {"moved": len(ODD) - 4})
    code, out, _ = ctl(stack, "retry", parked, "unknown")
    assert (code, out) == (0, "tried again: 0\n")
    code, out, _ = ctl(stack, "retry", "--all")
    assert code == 0
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    assert ctl(stack, "failed", parked)[1] == "0 parked\n"


def test_a_key_that_is_no_text(stack):
    """Which Ceph would not take, but others do."""
    stack.stop_workers()
    name = "alice:r-no-text:follower"
    keys = (3, f"chorus:{{{name}}}", "chorus:schedule", "chorus:replications")

    def claim():
        (_, key, token, *_), = [
            row for row in stack.redis.call("claim", 1, keys[2], "w", 60000,
                                            1000, "") if row[0].decode()
            == name]
        return key, token

    stack.redis.call("mark", *keys, "event", 0, 0, b"\xff\0%")
    stack.redis.call("fail", *keys, "", *claim(), -1, "No\x1b[1m", "why", 0)
    _, out, _ = ctl(stack, "failed", name)
    assert out.startswith(f"{name} %FF%00%25\n    parked No?[1m, 1 attempt")
    assert ctl(stack, "retry", name, "%ff%00%25")[1] == "tried again: 1\n"
    stack.redis.call("done", *keys, "", *claim(), "equal", 0, 0)
    assert stack.redis.stats(name)["failed"] == 0


@pytest.mark.parametrize("args,code", [
    (["failed", "--help"], 0), (["retry", "--help"], 0),
    (["retry"], 2), (["retry", "--all", "a:b:c"], 2), (["failed", "-x"], 2),
    (["failed", "a", "b"], 2), (["retry", "a:b:c", "100%"], 1),
    (["retry", "a:b:c", "x" * 4000], 1), (["failed", "no name"], 1),
    (["retry", "no name"], 1), (["failed", "no:such:one"], 0)])
def test_chorusctl_failed_and_retry_say_how(stack, args, code):
    got, out, err = ctl(stack, *args)
    assert got == code
    assert "NAME" in (out if code == 0 else err) or code == 1 and err \
        or out == "0 parked\n"


@pytest.mark.parametrize("method,query,status", [
    ("GET", "failed?cursor=x", 400), ("GET", "failed?cursor=", 400),
    ("GET", "failed?replication=x", 400), ("POST", "failed", 405),
    ("GET", "failed?reason=" + "x" * 65, 400), ("GET", "retry", 405),
    ("POST", "retry?key=k", 400), ("POST", "retry?replication=x", 400),
    ("GET", "failed?replication=no:such:one", 200),
    ("POST", "retry?replication=no:such:one&key=", 200)])
def test_the_api_says_what_is_wrong(stack, method, query, status):
    assert stack.api(f"/api/v1/{query}", method=method)[0] == 401
    got, _, body = stack.api(f"/api/v1/{query}", stack.token, method)
    assert got == status, body
    assert ("error" in json.loads(body)) == (status != 200)
