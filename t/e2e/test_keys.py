"""Object keys arrive byte by byte as they were sent."""

import pytest

import compare
from wire import path_of

KEYS = [
    "a//b", "a/../b", "./x", "x/.", "x/..", "/leading", "//", "with space",
    " blanks around ", "plus+", "a+b c", "%2F", "%", "100%25", "trailing /",
    "ünï/日本語", "😀", "e\u0301", "k" * 1024, "ü" * 512,
    "quote'and\"quote", "`back`", "&<>", "?#", "a?b=c&d", "dir/",
    "dir/sub/", "dir/sub", "semi;colon", "back\\slash", "pipe|{}[]^~",
    "$(touch x)", "a=b", "a,b", "a:b", "a@b", "!*()", "*", "tab\t",
    "line\nfeed", "\x01\x1f\x7f", "-", "_", ".", "~", "acl", "uploads",
    "tagging", "index.html", "null", "{R}", "}{", "\u2028", "\ufeff",
]


def test_odd_keys_are_put_replicated_and_deleted(stack, bucket):
    wire = stack.wire()
    refused = {}
    for key in KEYS:
        answer = wire.put(bucket, key, b"content of " + key.encode())
        if answer.status != 200:
            refused[key] = answer
    # nginx 1.22 has nothing against any of them below a bucket
    assert not refused, refused
    stack.wait_equal(bucket, 30)
    expected = {key.encode() for key in KEYS}
    assert set(compare.listing(stack.main, bucket)) == expected
    assert set(compare.listing(stack.follower, bucket)) == expected

    theirs = stack.follower.wire()
    for key in KEYS:
        assert theirs.get(bucket, key).body == b"content of " + key.encode()
        assert wire.get(bucket, key).body == b"content of " + key.encode()
    for key in KEYS:
        assert wire.delete(bucket, key).status == 204
    stack.wait_equal(bucket, 30)
    assert compare.listing(stack.follower, bucket) == {}


@pytest.mark.parametrize("path", ["/../x", "/%2e%2e/x", "/a/../../x",
                                  "/{bucket}/../../x", "/{bucket}/../other/x",
                                  "/{bucket}/%2e%2e/other/x"])
def test_a_path_that_leaves_its_bucket_is_refused(stack, bucket, path):
    """nginx would choose the location by another bucket than S3 sees."""
    path = path.replace("{bucket}", bucket)
    answer = stack.wire().call("PUT", path, body=b"x")
    assert answer.status == 400, answer
    assert compare.listing(stack.main, bucket) == {}


@pytest.mark.parametrize("key", ["k" * 1025, "ü" * 513])
def test_a_key_that_is_too_long_is_mains_refusal(stack, bucket, key):
    answer = stack.wire().put(bucket, key, b"x")
    direct = stack.main.wire().put(bucket, key, b"x")
    assert (answer.status, answer.code) == (direct.status, direct.code)
    assert answer.status // 100 == 4


@pytest.mark.parametrize("sent, key", [
    ("a!b*c(d)", "a!b*c(d)"),       # a client may leave these as they are
    ("a=b,c:d@e", "a=b,c:d@e"),
    ("%61%62%63", "abc"),           # or write more than needed
])
def test_paths_that_are_not_in_canonical_form(stack, bucket, sent, key):
    """Signed for the canonical form, as AWS's rules say, whatever is sent."""
    wire = stack.wire()
    headers = wire.signed("PUT", path_of(bucket, key), body=b"x")
    answer = raw(wire, "PUT", f"/{bucket}/{sent}", headers, b"x")
    direct = stack.main.wire()
    theirs = raw(direct, "PUT", f"/{bucket}/direct-{sent}",
                 direct.signed("PUT", path_of(bucket, f"direct-{key}"),
                               body=b"x"), b"x")
    assert answer.status == theirs.status == 200, (answer, theirs)
    stack.main.wire().delete(bucket, f"direct-{key}")
    stack.wait_equal(bucket)
    assert set(compare.listing(stack.follower, bucket)) == {key.encode()}


def raw(wire, method, target, headers, body):
    """A request as it is, to the byte."""
    wire.signed = lambda *a, **k: headers
    try:
        return wire.call(method, target, body=body)
    finally:
        del wire.signed
