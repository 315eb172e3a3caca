"""Who is not who he says, gets nothing done, and an answer like S3's."""

import hashlib
import re
import time

import pytest

import compare
from process import PATIENCE
from raw import presigned
from wire import Flaws, path_of

# name: flaws, status, S3 code, and what else is in the body
REFUSALS = {
    "wrong-secret": (lambda s: Flaws(secret_key="x" * 40), 403,
                     "SignatureDoesNotMatch", ""),
    "unknown-key": (lambda s: Flaws(access_key="NOBODY"), 403,
                    "InvalidAccessKeyId", "<AWSAccessKeyId>NOBODY"),
    "secret-of-another-user":
        (lambda s: Flaws(access_key=s.keys["bob"].access), 403,
         "SignatureDoesNotMatch", ""),
    "mains-own-credentials":
        (lambda s: Flaws(access_key=s.main.keys["alice"].access,
                         secret_key=s.main.keys["alice"].secret), 403,
         "InvalidAccessKeyId", ""),
    "followers-credentials":
        (lambda s: Flaws(access_key=s.follower.keys["alice"].access,
                         secret_key=s.follower.keys["alice"].secret), 403,
         "InvalidAccessKeyId", ""),
    "clock-20-minutes-behind": (lambda s: Flaws(skew_seconds=-1200), 403,
                                "RequestTimeTooSkewed", ""),
    "clock-20-minutes-ahead": (lambda s: Flaws(skew_seconds=1200), 403,
                               "RequestTimeTooSkewed", ""),
    "unsigned-x-amz-header":
        (lambda s: Flaws(unsigned={"x-amz-acl": "public-read"}), 403,
         "AccessDenied", "not signed"),
    "unsigned-x-amz-meta":
        (lambda s: Flaws(unsigned={"X-Amz-Meta-Evil": "1"}), 403,
         "AccessDenied", "not signed"),
    "unsigned-host": (lambda s: Flaws(unsign_host=True), 403,
                      "AccessDenied", ""),
    "wrong-region": (lambda s: Flaws(region="mars-1"), 400,
                     "AuthorizationHeaderMalformed", "<Region>us-east-1<"),
    "wrong-service": (lambda s: Flaws(service="ec2"), 400,
                      "AuthorizationHeaderMalformed", ""),
    "malformed": (lambda s: Flaws(authorization="AWS4-HMAC-SHA256 nonsense"),
                  400, "AuthorizationHeaderMalformed", ""),
    "no-signature":
        (lambda s: Flaws(authorization="AWS4-HMAC-SHA256 Credential=A/"
                         "20130524/us-east-1/s3/aws4_request"), 400,
         "AuthorizationHeaderMalformed", ""),
    "bearer": (lambda s: Flaws(authorization="Bearer abc"), 400, None, ""),
    "anonymous": (lambda s: Flaws(authorization=""), 403, "AccessDenied", ""),
    "payload-hash-that-is-none":
        (lambda s: Flaws(payload_hash="what"), 400, None, ""),
}
METHODS = [("PUT", ""), ("GET", ""), ("DELETE", ""), ("PUT", "tagging"),
           ("POST", "uploads")]


def upstreams_of(stack, bucket, count):
    """Which servers nginx asked for requests on this bucket, `count` of them:
    nginx writes a line to its log after the client has its answer."""
    deadline = time.monotonic() + PATIENCE
    while True:
        with open(f"{stack.folder}/log/nginx-access.log") as log:
            found = [m.group(1) for m in re.finditer(
                rf'"\S+ /{bucket}\S* [^"]*" \d+ (\S+) ', log.read())]
        if len(found) >= count or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


@pytest.mark.parametrize("name", REFUSALS)
def test_refused_as_s3_does_and_main_never_asked(stack, bucket_name, name):
    make, status, code, words = REFUSALS[name]
    bucket = bucket_name()
    direct = stack.main.wire()
    assert direct.call("PUT", path_of(bucket)).status == 200
    direct.put(bucket, "there", b"safe")

    wire = stack.wire()
    for method, query in METHODS:
        for key in ("there", "new"):
            answer = wire.call(method, path_of(bucket, key), query,
                               body=b"x" if method == "PUT" else b"",
                               flaws=make(stack))
            seen = (method, query, answer)
            assert answer.status == status, seen
            assert code is None or answer.code == code, seen
            assert answer.code, seen
            assert words in answer.body.decode(), seen
            assert answer.headers["content-type"] == "application/xml", seen
            assert re.search(r"<RequestId>(\S+)</RequestId>",
                             answer.body.decode()).group(1) \
                == answer.headers["x-amz-request-id"], seen

    count = 2 * len(METHODS)
    assert upstreams_of(stack, bucket, count) == ["-"] * count
    assert set(compare.listing(stack.main, bucket)) == {b"there"}
    assert direct.get(bucket, "there").body == b"safe"


def test_upstreams_of_sees_requests_that_do_reach_main(stack, bucket):
    stack.wire().put(bucket, "k", b"x")
    assert upstreams_of(stack, bucket, 2) == [stack.main.url[7:]] * 2


def test_a_refused_head_has_no_body(stack, bucket):
    answer = stack.wire().call("HEAD", path_of(bucket, "k"),
                               flaws=Flaws(secret_key="wrong"))
    assert answer.status == 403 and answer.body == b""
    assert answer.headers["x-amz-request-id"]


def test_the_connection_lives_on_after_a_refusal_with_a_body(stack, bucket):
    wire = stack.wire()
    for size in (0, 10, 70_000):
        answer = wire.call("PUT", path_of(bucket, "k"), body=b"x" * size,
                           flaws=Flaws(secret_key="wrong"))
        assert answer.status == 403
        assert wire.put(bucket, "k", b"%d" % size).status == 200
    stack.wait_equal(bucket)


def test_clock_14_minutes_off_is_accepted(stack, bucket):
    wire = stack.wire()
    for seconds in (-840, 840):
        answer = wire.call("PUT", path_of(bucket, "k"), body=b"x",
                           flaws=Flaws(skew_seconds=seconds))
        assert answer.status == 200, answer


@pytest.mark.parametrize("size", [1, 4000, 200_000])
def test_tampered_body_is_refused_and_nothing_stored(stack, bucket, size):
    """The hash that was signed goes to main, which compares."""
    signed, sent = b"a" * size, b"b" * size
    answer = stack.wire().call(
        "PUT", path_of(bucket, "k"), body=signed, sent_body=sent,
        flaws=Flaws(payload_hash=hashlib.sha256(signed).hexdigest()))
    assert answer.status == 400 and answer.code, answer
    assert compare.listing(stack.main, bucket) == {}
    stack.wait_equal(bucket)


def test_tampered_body_does_not_replace_what_was_there(stack, bucket):
    wire = stack.wire()
    wire.put(bucket, "k", b"first")
    answer = wire.call("PUT", path_of(bucket, "k"), body=b"signed",
                       sent_body=b"forged")
    assert answer.status == 400, answer
    stack.wait_equal(bucket)
    assert stack.follower.wire().get(bucket, "k").body == b"first"


# name: what is done to a URL that was good for KEY
SPOILED = {
    "another-key": lambda url: url.replace("/there?", "/other?"),
    "another-bucket": lambda url: url.replace("/r-", "/x-", 1),
    "longer": lambda url: url.replace("Expires=60", "Expires=604800"),
    "too-long": lambda url: url.replace("Expires=60", "Expires=604801"),
    "another-day": lambda url: re.sub(r"Date=\d{8}", "Date=20130524", url),
    "another-signature": lambda url: url[:-8] + "00000000",
    "without-signature": lambda url: url[:url.index("&X-Amz-Signature")],
    "one-argument-more": lambda url: url + "&versionId=null",
    "another-user": lambda url: re.sub(r"Credential=\w+", "Credential=BOB",
                                       url),
}


def url_for(stack, method, bucket, key):
    path = path_of(bucket, key)
    return f"{path}?" + presigned(
        stack.keys["alice"], stack.nginx.url[7:], method, path, seconds=60)


@pytest.mark.parametrize("name", SPOILED)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_presigned_url_is_good_for_what_it_was_made_for(stack, bucket,
                                                          method, name):
    wire = stack.wire()
    wire.put(bucket, "there", b"safe")
    wire.put(bucket, "other", b"safe")
    good = url_for(stack, method, bucket, "there")
    path, _, query = SPOILED[name](good).partition("?")
    assert f"{path}?{query}" != good
    answer = wire.call(method, path, query, flaws=Flaws(authorization=""))
    assert answer.status in (400, 403) and answer.code, answer
    assert b"safe" not in answer.body
    for key in ("there", "other"):
        assert stack.main.wire().get(bucket, key).body == b"safe"


def test_a_presigned_url_is_for_one_method(stack, bucket):
    wire = stack.wire()
    wire.put(bucket, "k", b"safe")
    path, _, query = url_for(stack, "GET", bucket, "k").partition("?")
    for method, status in (("PUT", 403), ("DELETE", 403), ("GET", 200)):
        assert wire.call(method, path, query, flaws=Flaws(
            authorization="")).status == status
