"""Which bucket goes where: location directives and rules of chorus.json."""

import time

import pytest

import compare
from wire import path_of


def fill(stack, bucket, user="alice"):
    wire = stack.wire(user)
    assert wire.call("PUT", path_of(bucket)).status == 200
    assert wire.put(bucket, "k", b"content").status == 200


# prefix: where it is stored, whether it is replicated, and why
POLICIES = {
    "r": ("main", True, "a rule of chorus.json names it"),
    "local": ("main", False, "no rule matches"),
    "xr": ("main", False, "the rule's pattern is anchored"),
    "off": ("main", False, "a rule matches but: chorus_replicate off"),
    "forced": ("main", True, "no rule but: chorus_replicate follower"),
    "arc": ("follower", False, "chorus_route archive"),
    "routed": ("follower", False, "routes: archive"),
    "bob-for-all": ("main", True, "a rule for all users"),
}


@pytest.mark.parametrize("prefix", POLICIES)
def test_bucket_goes_where_it_should(stack, bucket_name, prefix):
    place, is_replicated, _ = POLICIES[prefix]
    bucket = bucket_name(prefix)
    fill(stack, bucket)
    stack.wire().put(bucket, "gone", b"x")
    stack.wire().delete(bucket, "gone")

    if is_replicated:
        # "gone" may be on its way when they are equal for the first time
        stack.wait_idle(bucket)
        stack.wait_equal(bucket)
        assert set(compare.listing(stack.follower, bucket)) == {b"k"}
        return

    # what would be replicated is there by the time another bucket's is
    other = bucket_name("r")
    fill(stack, other)
    stack.wait_equal(other)
    time.sleep(0.3)
    here, there = stack.main, stack.follower
    if place == "follower":
        here, there = there, here
    assert set(compare.listing(here, bucket)) == {b"k"}
    assert compare.listing(there, bucket) is None
    assert stack.stats(bucket) is None
    assert stack.wire().get(bucket, "k").body == b"content"


def test_a_rule_of_one_user_does_not_concern_another(stack, bucket_name):
    bucket = bucket_name("r")
    fill(stack, bucket, "bob")
    other = bucket_name("r")
    fill(stack, other)
    stack.wait_equal(other)
    time.sleep(0.3)
    assert stack.stats(bucket, "bob") is None
    assert stack.follower.wire("bob").call(
        "GET", path_of(bucket)).status == 404


def test_a_copy_between_storages_is_refused(stack, bucket, bucket_name):
    archived = bucket_name("arc")
    fill(stack, archived)
    fill(stack, routed := bucket_name("routed"))
    stack.wire().put(bucket, "k", b"x")
    # from the other storage; a location's chorus_route is not known for the
    # bucket that a copy names, a rule of chorus.json is
    answer = stack.wire().call("PUT", path_of(bucket, "copy"), headers={
        "x-amz-copy-source": f"/{routed}/k"})
    assert (answer.status, answer.code) == (501, "NotImplemented")
    answer = stack.wire().call("PUT", path_of(routed, "copy"), headers={
        "x-amz-copy-source": f"{bucket}/k"})
    assert (answer.status, answer.code) == (501, "NotImplemented")
    # within one storage it is fine
    answer = stack.wire().call("PUT", path_of(routed, "copy"), headers={
        "x-amz-copy-source": f"/{routed}/k"})
    assert answer.status == 200, answer


def test_policy_is_not_fooled_by_the_path(stack, bucket, bucket_name):
    """A path in another spelling is judged as the bucket S3 sees."""
    off = bucket_name("off")
    fill(stack, off)
    wire = stack.wire()
    for path in (f"/{off}/../{bucket}/k", f"//{bucket}/k", f"/./{bucket}/k"):
        answer = wire.call("PUT", path, body=b"x")
        assert answer.status in (400, 403, 404), (path, answer)
    assert compare.listing(stack.main, bucket) == {}
    assert set(compare.listing(stack.main, off)) == {b"k"}
