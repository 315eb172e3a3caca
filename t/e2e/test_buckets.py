"""Buckets themselves: their settings, other names, parts of them, their end."""

import base64
import hashlib
import json

import pytest
from botocore.exceptions import ClientError

import compare
from process import wait_until
from wire import path_of


def policy_of(bucket, action="s3:GetObject"):
    return json.dumps({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": "*", "Action": [action],
        "Resource": [f"arn:aws:s3:::{bucket}/*"]}]})


def cors(*methods):
    return {"CORSRules": [
        {"AllowedMethods": list(methods), "AllowedOrigins": ["http://a.test"],
         "AllowedHeaders": ["*"], "ExposeHeaders": ["ETag"],
         "MaxAgeSeconds": 300},
        {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}


def lifecycle(days):
    return {"Rules": [
        {"ID": name, "Status": "Enabled", "Filter": {"Prefix": name},
         "Expiration": {"Days": days}} for name in ("z-tmp", "a-tmp")]}


def website(page):
    return {"IndexDocument": {"Suffix": page},
            "ErrorDocument": {"Key": "error.html"}}


# what boto3 calls it, its argument, two values, the code that it is not set
SETTINGS = {
    "cors": ("cors", "CORSConfiguration", cors("PUT", "GET"), cors("POST"),
             "NoSuchCORSConfiguration"),
    "website": ("website", "WebsiteConfiguration", website("index.html"),
                website("start.html"), "NoSuchWebsiteConfiguration"),
    "lifecycle": ("lifecycle_configuration", "LifecycleConfiguration",
                  lifecycle(30), lifecycle(60),
                  "NoSuchLifecycleConfiguration"),
    "policy": ("policy", "Policy", None, None, "NoSuchBucketPolicy"),
}


class Setting:
    """One setting of one bucket, by boto3."""

    def __init__(self, name, bucket):
        self.name, self.bucket = name, bucket
        (self.noun, self.argument, self.first, self.second,
         self.none) = SETTINGS[name]
        if name == "policy":
            self.first = policy_of(bucket)
            self.second = policy_of(bucket, "s3:ListBucket")

    def put(self, s3, value):
        getattr(s3, f"put_bucket_{self.noun}")(
            Bucket=self.bucket, **{self.argument: value})

    def delete(self, s3):
        noun = "lifecycle" if self.name == "lifecycle" else self.noun
        getattr(s3, f"delete_bucket_{noun}")(Bucket=self.bucket)

    def get(self, s3, bucket=None):
        """What it says, in an order that does not matter; or a code."""
        try:
            answer = getattr(s3, f"get_bucket_{self.noun}")(
                Bucket=bucket or self.bucket)
        except ClientError as e:
            return e.response["Error"]["Code"]
        answer.pop("ResponseMetadata")
        if self.name == "policy":
            return json.loads(answer["Policy"])
        return ordered(answer)


def ordered(value):
    if isinstance(value, dict):
        return {k: ordered(v) for k, v in value.items()}
    if isinstance(value, list):
        return sorted((ordered(v) for v in value), key=repr)
    return value


def wait_same(stack, setting, expected=None):
    """Until both stores say the same of the setting."""
    def same():
        ours = setting.get(stack.main.s3)
        return (ours == setting.get(stack.follower.s3)
                and expected in (None, ours))
    wait_until(same, 20, lambda: f"{setting.name}: "
               f"main {setting.get(stack.main.s3)}, "
               f"follower {setting.get(stack.follower.s3)}")


@pytest.fixture
def set_bucket(stack, bucket_name):
    name = bucket_name("set")
    stack.s3.create_bucket(Bucket=name)
    stack.wait_equal(name)
    return name


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_follows(stack, set_bucket, name):
    setting = Setting(name, set_bucket)

    setting.put(stack.s3, setting.first)
    assert isinstance(setting.get(stack.main.s3), dict)
    wait_same(stack, setting)

    setting.put(stack.s3, setting.second)
    wait_same(stack, setting)

    # with a change on the follower that nobody has told Chorus of
    setting.put(stack.follower.s3, setting.first)
    assert setting.get(stack.follower.s3) != setting.get(stack.main.s3)
    stack.s3.put_bucket_tagging(Bucket=set_bucket, Tagging={
        "TagSet": [{"Key": "look", "Value": "again"}]})
    wait_same(stack, setting)

    setting.delete(stack.s3)
    wait_same(stack, setting, setting.none)
    stack.wait_idle(set_bucket)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_of_before_follows_a_new_bucket(stack, bucket_name, name):
    bucket = bucket_name("set")
    stack.main.s3.create_bucket(Bucket=bucket)
    setting = Setting(name, bucket)
    setting.put(stack.main.s3, setting.first)
    # the first that Chorus hears of the bucket is an object
    stack.wire().put(bucket, "k", b"x")
    stack.wait_equal(bucket)
    wait_same(stack, setting)


def test_only_what_is_switched_on_follows(stack, bucket):
    """Without "bucket_settings": CORS, and no lifecycle and no policy."""
    names = ("lifecycle", "policy", "cors")
    for name in names:
        setting = Setting(name, bucket)
        setting.put(stack.s3, setting.first)
    wait_same(stack, Setting("cors", bucket))
    stack.wait_idle(bucket)
    for name in ("lifecycle", "policy"):
        setting = Setting(name, bucket)
        assert setting.get(stack.follower.s3) == setting.none


def test_nothing_is_put_when_all_is_equal(stack, set_bucket):
    for name in SETTINGS:
        setting = Setting(name, set_bucket)
        setting.put(stack.s3, setting.first)
        wait_same(stack, setting)
    stack.wait_idle(set_bucket)

    mark = f"bucket={set_bucket} "
    before = [line for line in lines(stack, mark) if " set the bucket's "
              in line]
    assert len(before) == len(SETTINGS), before
    done = stack.stats(set_bucket)["counters"]["synced"]
    stack.s3.put_bucket_tagging(Bucket=set_bucket, Tagging={
        "TagSet": [{"Key": "look", "Value": "again"}]})
    wait_until(lambda: stack.stats(set_bucket)["counters"]["synced"] > done,
               20, "the bucket is looked at")
    stack.wait_idle(set_bucket)
    after = [line for line in lines(stack, mark) if " set the bucket's "
             in line]
    assert after == before


def lines(stack, part):
    with open(f"{stack.folder}/log/{stack.worker.name}.log",
              errors="replace") as f:
        return [line for line in f if part in line]


def test_a_setting_that_ceph_16_does_not_have(stack, set_bucket):
    """"?encryption" is the bucket itself to it: neither put nor deleted."""
    answer = stack.main.wire().call("GET", path_of(set_bucket),
                                    query="encryption")
    assert b"<ListBucketResult" in answer.body, answer
    stack.wire().put(set_bucket, "k", b"x")
    stack.s3.put_bucket_tagging(Bucket=set_bucket, Tagging={
        "TagSet": [{"Key": "look", "Value": "again"}]})
    stack.wait_equal(set_bucket)
    stack.wait_idle(set_bucket)
    assert stack.failed(set_bucket) == {}


@pytest.mark.parametrize("by_object", [False, True])
def test_object_lock_is_there_from_the_beginning(stack, bucket_name,
                                                 by_object):
    bucket = bucket_name("set")
    made_by = stack.main.s3 if by_object else stack.s3
    made_by.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    if by_object:
        # S3 wants the MD5 where there is a lock
        assert stack.wire().put(bucket, "k", b"x", headers={
            "content-md5": base64.b64encode(hashlib.md5(b"x").digest())
            .decode()}).status == 200
    rule = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {
        "Mode": "GOVERNANCE", "Days": 1}}}

    def lock_of(store):
        try:
            return store.s3.get_object_lock_configuration(
                Bucket=bucket)["ObjectLockConfiguration"]
        except ClientError as e:
            return e.response["Error"]["Code"]

    wait_until(lambda: lock_of(stack.follower) == {
        "ObjectLockEnabled": "Enabled"}, 20,
        lambda: f"follower: {lock_of(stack.follower)}")

    stack.s3.put_object_lock_configuration(
        Bucket=bucket, ObjectLockConfiguration=rule)
    wait_until(lambda: lock_of(stack.follower) == rule, 20,
               lambda: f"follower: {lock_of(stack.follower)}")


# ---- another name


def test_another_name(stack, bucket_name):
    bucket = bucket_name("ren")
    target, follower = f"{bucket}-copy", f"follower:{bucket}-copy"
    wire = stack.wire()
    stack.s3.create_bucket(Bucket=bucket)
    for key, body in (("a", b"one"), ("dir/", b""), ("b c+d", b"x" * 70000)):
        assert wire.put(bucket, key, body).status == 200
    wire.put(bucket, "gone", b"x")
    stack.s3.put_object_tagging(Bucket=bucket, Key="a", Tagging={
        "TagSet": [{"Key": "t", "Value": "v"}]})
    stack.s3.put_bucket_tagging(Bucket=bucket, Tagging={
        "TagSet": [{"Key": "of", "Value": "bucket"}]})
    wire.delete(bucket, "gone")
    stack.wait_equal(bucket, target=target)
    assert compare.listing(stack.follower, bucket) is None
    assert compare.listing(stack.main, target) is None

    # headers alone: a copy of the follower's object onto itself
    stack.s3.put_object(Bucket=bucket, Key="big", Body=b"y" * (9 << 20))
    stack.wait_equal(bucket, target=target)
    stack.s3.copy_object(Bucket=bucket, Key="big",
                         CopySource={"Bucket": bucket, "Key": "big"},
                         MetadataDirective="REPLACE",
                         Metadata={"new": "one"})
    stack.wait_equal(bucket, target=target)

    # a policy is about the bucket as it is called there
    stack.s3.put_bucket_policy(Bucket=bucket, Policy=policy_of(bucket))
    setting = Setting("policy", bucket)
    wait_until(lambda: setting.get(stack.follower.s3, target)
               == json.loads(policy_of(target)), 20, "the policy follows")
    stack.wait_idle(bucket, follower=follower)
    stack.s3.delete_bucket_policy(Bucket=bucket)
    wait_until(lambda: setting.get(stack.follower.s3, target)
               == setting.none, 20, "the policy goes")

    for key in ("a", "dir/", "b c+d", "big"):
        wire.delete(bucket, key)
    stack.s3.delete_bucket(Bucket=bucket)
    wait_until(lambda: compare.listing(stack.follower, target) is None, 20,
               "the copy is deleted")
    stack.wait_idle(bucket, follower=follower)


def test_a_name_that_another_bucket_has_there(stack):
    """"rival-named" is "rival-wanted" on the follower, by its own rule: main's
    bucket of that name waits."""
    wire = stack.wire()
    for bucket in ("rival-named", "rival-wanted"):
        stack.s3.create_bucket(Bucket=bucket)
        wire.put(bucket, "k", bucket.encode())
    wait_until(lambda: "k" in stack.failed("rival-wanted"), 20, "it waits")
    failed = stack.failed("rival-wanted")["k"]
    assert failed["code"] == "TargetTaken", failed
    assert "rival-named" in failed["reason"], failed
    wait_until(lambda: stack.follower.wire().get(
        "rival-wanted", "k").body == b"rival-named", 20, "the other goes on")


# ---- parts of a bucket


def test_a_prefix(stack, bucket_name):
    bucket = bucket_name("pre")
    wire = stack.wire()
    stack.s3.create_bucket(Bucket=bucket)
    for key in ("in/a", "in/b", "out/a", "in"):
        wire.put(bucket, key, key.encode())
    wait_until(lambda: set(compare.listing(stack.follower, bucket) or ())
               == {b"in/a", b"in/b"}, 20, "two of them follow")

    # what is outside is left as it is, whoever marks it
    stack.follower.wire().put(bucket, "out/theirs", b"theirs")
    stack.redis.call("mark", 3, f"chorus:{{alice:{bucket}:follower}}",
                     "chorus:schedule", "chorus:replications", "event",
                     "0", "7", "out/theirs", "0", "7", "out/a")
    stack.s3.delete_objects(Bucket=bucket, Delete={
        "Objects": [{"Key": "in/a"}, {"Key": "out/a"}]})
    wait_until(lambda: set(compare.listing(stack.follower, bucket) or ())
               == {b"in/b", b"out/theirs"}, 20, "one is deleted")
    stack.wait_idle(bucket)
    assert set(compare.listing(stack.follower, bucket)) == {
        b"in/b", b"out/theirs"}


def test_tags(stack, bucket_name):
    bucket = bucket_name("tag")
    wire = stack.wire()
    stack.s3.create_bucket(Bucket=bucket)

    def put(key, body, tags):
        stack.s3.put_object(Bucket=bucket, Key=key, Body=body, Tagging=tags)

    def tag(key, value):
        stack.s3.put_object_tagging(Bucket=bucket, Key=key, Tagging={
            "TagSet": [{"Key": "class", "Value": value},
                       {"Key": "more", "Value": "x"}]})

    def on_follower(key):
        return stack.follower.wire().get(bucket, key).body

    put("gold", b"1", "class=gold&other=x")
    put("iron", b"1", "class=iron")
    put("none", b"1", "")
    wait_until(lambda: set(compare.listing(stack.follower, bucket) or ())
               == {b"gold"}, 20, "one follows")

    # becomes gold: its content follows now
    tag("iron", "gold")
    wait_until(lambda: on_follower("iron") == b"1", 20, "it follows")

    # is none any more: its copy is left as it is, until it is again
    tag("gold", "iron")
    put("gold", b"2", "class=iron")
    stack.wait_idle(bucket)
    assert on_follower("gold") == b"1"
    tag("gold", "gold")
    wait_until(lambda: on_follower("gold") == b"2", 20, "it is again")

    # what main deletes goes
    tag("gold", "iron")
    stack.wait_idle(bucket)
    wire.delete(bucket, "gold")
    wait_until(lambda: set(compare.listing(stack.follower, bucket) or ())
               == {b"iron"}, 20, "it is deleted")


# ---- the end of a bucket


def test_a_bucket_is_deleted_after_its_objects(stack, bucket):
    wire = stack.wire()
    for n in range(200):
        wire.put(bucket, f"k{n}", b"x")
    stack.wait_equal(bucket)
    for n in range(200):
        wire.delete(bucket, f"k{n}")
    stack.s3.delete_bucket(Bucket=bucket)
    wait_until(lambda: compare.listing(stack.follower, bucket) is None, 30,
               "the follower's bucket is deleted")
    stack.wait_idle(bucket)


def test_a_bucket_that_is_not_empty_there(stack, bucket):
    """What Chorus has not written it does not delete; it says what it is."""
    wire = stack.wire()
    wire.put(bucket, "ours", b"x")
    stack.wait_equal(bucket)
    stack.follower.wire().put(bucket, "of/somebody else", b"x")
    wire.delete(bucket, "ours")
    stack.s3.delete_bucket(Bucket=bucket)

    wait_until(lambda: "such as" in stack.failed(bucket).get(
        "", {}).get("reason", ""), 40,
        lambda: f"it is said: {stack.failed(bucket)}")
    failed = stack.failed(bucket)[""]
    assert failed["code"] == "BucketNotEmpty", failed
    assert "of/somebody else" in failed["reason"], failed
    assert set(compare.listing(stack.follower, bucket)) == {
        b"of/somebody else"}

    stack.follower.wire().delete(bucket, "of/somebody else")
    wait_until(lambda: compare.listing(stack.follower, bucket) is None, 30,
               "then it is deleted")
    stack.wait_idle(bucket)
