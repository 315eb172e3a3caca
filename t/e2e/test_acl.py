"""ACLs of objects and buckets are those of main, user by user.

The stores know a user by different ids, so that an ACL that is copied
literally is a wrong one.  compare.py compares by the users' names.
"""

import json
import os

import pytest

import compare
import fault
from logs import Logs
from process import wait_until
from stack import private, random_key
from store import boto
from wire import path_of

OWNER = (b"alice", b"FULL_CONTROL")
ALL = b"http://acs.amazonaws.com/groups/global/AllUsers"
SIGNED = b"http://acs.amazonaws.com/groups/global/AuthenticatedUsers"

CANNED = {
    "private": [],
    "public-read": [(ALL, b"READ")],
    "public-read-write": [(ALL, b"READ"), (ALL, b"WRITE")],
    "authenticated-read": [(SIGNED, b"READ")],
    "bucket-owner-full-control": [],
}

NO_ACLS = (501, b"<?xml version='1.0'?><Error><Code>NotImplemented</Code>"
                b"</Error>", "application/xml")
OWNER_ENFORCED = (400, b"<?xml version='1.0'?><Error><Code>"
                       b"AccessControlListNotSupported</Code></Error>",
                  "application/xml")
GRANT = ("<Grant><Grantee xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'"
         " xsi:type='{}'>{}</Grantee><Permission>{}</Permission></Grant>")
# as AWS may have it: a group that Ceph has not, an address, and a new kind
OF_AWS = (200, (
    "<AccessControlPolicy><Owner><ID>alice</ID></Owner><AccessControlList>"
    + GRANT.format("CanonicalUser", "<ID>alice</ID>", "FULL_CONTROL")
    + GRANT.format("Group", f"<URI>{SIGNED.decode()}</URI>", "READ_ACP")
    + GRANT.format("Group", "<URI>http://acs.amazonaws.com/groups/s3/"
                            "LogDelivery</URI>", "WRITE")
    + GRANT.format("AmazonCustomerByEmail",
                   "<EmailAddress>bob@example.com</EmailAddress>", "READ")
    + GRANT.format("Robot", "<Serial>1</Serial>", "READ")
    + "</AccessControlList></AccessControlPolicy>").encode(),
    "application/xml")
GONE = (404, b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>",
        "application/xml")


# the owner of an object on Ceph may read it only if its ACL says so
FOR_BOB = {"GrantRead": 'id="bob"', "GrantFullControl": 'id="alice"'}


def acl_of(store, bucket, key=None):
    wire = store.wire()
    try:
        return compare.acl_of(wire, path_of(bucket, key))
    finally:
        wire.close()


def is_of(bucket, target):
    """But for the look a second at whether it is versioned."""
    return bucket in target and not target.endswith("?versioning")


def is_acl(target):
    return "?acl" in target


def grants(*pairs):
    """The policy of alice for PUT ?acl: (id, permission), ..."""
    return {"Owner": {"ID": "alice"}, "Grants": [
        {"Grantee": {"Type": "CanonicalUser", "ID": i}, "Permission": p}
        for i, p in (("alice", "FULL_CONTROL"), *pairs)]}


def watch(server):
    """The list of what passes the fault server, as it grows."""
    seen = []
    server.inject(when=lambda method, target: seen.append((method, target)))
    return seen


@pytest.mark.parametrize("canned", CANNED)
def test_a_canned_acl_comes_with_the_object_or_later(stack, bucket, canned):
    s3 = stack.s3
    expected = b"alice", sorted([OWNER] + CANNED[canned])
    s3.put_object(Bucket=bucket, Key="at once", Body=b"x", ACL=canned)
    s3.put_object(Bucket=bucket, Key="later", Body=b"x")
    s3.put_object(Bucket=bucket, Key="empty", ACL=canned)
    stack.wait_equal(bucket)
    s3.put_object_acl(Bucket=bucket, Key="later", ACL=canned)
    stack.wait_equal(bucket)
    for key in ("at once", "later", "empty"):
        assert acl_of(stack.follower, bucket, key) == expected
    assert stack.failed_attempts(bucket) == 0


def test_grants_to_another_user_by_document_and_by_header(stack, bucket):
    s3 = stack.s3
    s3.put_object(Bucket=bucket, Key="document", Body=b"x")
    s3.put_object_acl(Bucket=bucket, Key="document",
                      AccessControlPolicy=grants(("bob", "READ"),
                                                 ("bob", "READ_ACP")))
    s3.put_object(Bucket=bucket, Key="header", Body=b"x",
                  **FOR_BOB)
    s3.put_object(Bucket=bucket, Key="mine", Body=b"x")
    stack.wait_equal(bucket)

    assert acl_of(stack.follower, bucket, "document") == (b"alice", [
        OWNER, (b"bob", b"READ"), (b"bob", b"READ_ACP")])
    bob = stack.follower.wire("bob")
    assert [bob.get(bucket, k).status for k in
            ("document", "header", "mine")] == [200, 200, 403]
    bob.close()
    assert stack.failed_attempts(bucket) == 0


def test_back_to_private(stack, bucket):
    """By PUT ?acl, and by an overwrite, which takes the old ACL with it."""
    s3 = stack.s3
    for key in ("acl", "overwrite"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x", ACL="public-read")
        s3.put_object_acl(Bucket=bucket, Key=key, AccessControlPolicy=grants(
            ("bob", "FULL_CONTROL")))
    stack.wait_equal(bucket)
    s3.put_object_acl(Bucket=bucket, Key="acl", ACL="private")
    s3.put_object(Bucket=bucket, Key="overwrite", Body=b"x")
    stack.wait_equal(bucket)
    for key in ("acl", "overwrite"):
        assert acl_of(stack.follower, bucket, key) == (b"alice", [OWNER])


def test_acl_and_tags_changed_together(stack, bucket):
    s3 = stack.s3
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    stack.wait_equal(bucket)
    stack.stop_workers()
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="public-read")
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={
        "TagSet": [{"Key": "n", "Value": "1"}]})
    stack.start_worker()
    stack.wait_equal(bucket)


def test_acl_right_after_put_and_before_delete(stack, bucket):
    s3 = stack.s3
    for n in range(20):
        s3.put_object(Bucket=bucket, Key=f"{n}", Body=b"x")
        s3.put_object_acl(Bucket=bucket, Key=f"{n}", ACL="public-read")
        if n % 3 == 0:
            s3.delete_object(Bucket=bucket, Key=f"{n}")
    stack.wait_equal(bucket)


def test_acl_of_a_multipart_object(stack, bucket):
    s3 = stack.s3
    for key, acl in (("canned", {"ACL": "public-read"}),
                     ("granted", FOR_BOB), ("private", {})):
        upload = s3.create_multipart_upload(Bucket=bucket, Key=key,
                                            **acl)["UploadId"]
        parts = [{"PartNumber": n, "ETag": s3.upload_part(
            Bucket=bucket, Key=key, UploadId=upload, PartNumber=n,
            Body=os.urandom(size))["ETag"]}
            for n, size in ((1, 5 << 20), (2, 1000))]
        s3.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload,
                                     MultipartUpload={"Parts": parts})
    stack.wait_equal(bucket, 30)
    assert acl_of(stack.follower, bucket, "canned") == (
        b"alice", sorted([OWNER, (ALL, b"READ")]))
    assert (b"bob", b"READ") in acl_of(stack.follower, bucket, "granted")[1]
    s3.put_object_acl(Bucket=bucket, Key="canned", ACL="private")
    stack.wait_equal(bucket)


def test_acl_of_a_bucket(stack, bucket_name):
    s3, bucket = stack.s3, bucket_name()
    s3.create_bucket(Bucket=bucket, ACL="public-read")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    stack.wait_equal(bucket)
    assert acl_of(stack.follower, bucket)[1] == sorted([OWNER, (ALL, b"READ")])

    s3.put_bucket_tagging(Bucket=bucket, Tagging={
        "TagSet": [{"Key": "n", "Value": "1"}]})
    stack.wait_equal(bucket)
    s3.put_bucket_acl(Bucket=bucket, AccessControlPolicy=grants(
        ("bob", "READ"), ("bob", "WRITE")))
    stack.wait_equal(bucket)
    bob = stack.follower.wire("bob")
    assert bob.call("GET", path_of(bucket)).status == 200
    bob.close()

    s3.put_bucket_acl(Bucket=bucket, ACL="private")
    stack.wait_equal(bucket)
    assert acl_of(stack.follower, bucket) == (b"alice", [OWNER])
    assert acl_of(stack.follower, bucket, "k") == (b"alice", [OWNER])


def test_a_grantee_whom_only_main_knows_is_left_out(stack, bucket):
    """The rest is as on main, one line says who is missing, and that is
    all."""
    carol = random_key("MAINC")
    stack.main.run("add-user", "--access-key", carol.access, "--secret-key",
                   carol.secret, "--uid", "carol")
    stack.wait_idle(bucket)
    logs = Logs(stack.folder)
    stack.s3.put_object(
        Bucket=bucket, Key="k", Body=b"content", GrantReadACP='id="carol"',
        **FOR_BOB)
    assert boto(stack.main.url, carol).get_object_acl(Bucket=bucket, Key="k")
    wait_until(lambda: stack.stats(bucket)["counters"]["synced"] >= 2
               and stack.waiting(bucket) == 0, 10, "it is settled")

    stack.wait_equal(bucket, ignore=("acl",))
    assert acl_of(stack.follower, bucket, "k") == (
        b"alice", [OWNER, (b"bob", b"READ")])
    assert stack.failed_attempts(bucket) == 0
    lines = [line for line in "".join(logs.all_text().values()).split("\n")
             if '"carol"' in line and f"bucket={bucket}" in line]
    assert len(lines) == 1 and 'key="k"' in lines[0], lines


def test_grants_that_ceph_cannot_hold_are_left_out(stack, bucket):
    logs = Logs(stack.folder)
    watched_worker(stack)
    stack.faulty_main.inject(when=lambda m, t: is_acl(t) and "/k" in t,
                             answer=OF_AWS)
    stack.s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    wait_until(lambda: compare.listing(stack.follower, bucket)
               and stack.waiting(bucket) == 0, 10, "it is settled")
    assert acl_of(stack.follower, bucket, "k") == (
        b"alice", sorted([OWNER, (SIGNED, b"READ_ACP")]))
    assert stack.failed_attempts(bucket) == 0
    assert "does not know 3 of the grantees" in "".join(
        logs.all_text().values())


@pytest.mark.parametrize("side", ["main", "follower"])
def test_a_user_who_may_not_ask_for_their_id_is_left_out(stack, bucket, side):
    logs = Logs(stack.folder)
    watched_worker(stack)
    server = stack.faulty_main if side == "main" else stack.faulty_follower
    f = server.inject(when=lambda m, t: t == "/", answer=fault.DENIED)
    for key in ("a", "b", "c"):
        stack.s3.put_object(Bucket=bucket, Key=key, Body=b"x", **FOR_BOB)
    stack.wait_equal(bucket, ignore=("acl",))
    stack.wait_idle(bucket)
    assert stack.failed_attempts(bucket) == 0
    assert acl_of(stack.follower, bucket, "a") == (b"alice", [OWNER])
    assert f.hits <= 3, "each user is asked once a minute"
    assert 'does not tell the canonical id of user "bob"' in "".join(
        logs.all_text().values())


@pytest.mark.parametrize("side", ["main", "follower"])
def test_a_storage_in_trouble_makes_no_grant_unknown(stack, bucket, side):
    watched_worker(stack)
    server = stack.faulty_main if side == "main" else stack.faulty_follower
    server.inject(when=lambda m, t: t == "/", answer=fault.SLOW_DOWN)
    stack.s3.put_object(Bucket=bucket, Key="k", Body=b"x", **FOR_BOB)
    wait_until(lambda: stack.failed_attempts(bucket) > 0, 10, "it is told")
    stack.faulty_main.clear()
    stack.faulty_follower.clear()
    stack.wait_equal(bucket)


def watched_worker(stack):
    """A worker, and what it asks main and the follower."""
    stack.use_worker(main=stack.faulty_main.url,
                     follower=stack.faulty_follower.url)
    return watch(stack.faulty_main), watch(stack.faulty_follower)


def test_a_change_of_the_acl_moves_no_content(stack, bucket):
    s3 = stack.s3
    s3.put_object(Bucket=bucket, Key="k", Body=os.urandom(3 << 20))
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    main, follower = watched_worker(stack)
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="public-read")
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    target = path_of(bucket, "k") + "?acl"
    main, follower = ([r for r in seen if is_of(bucket, r[1])]
                      for seen in (main, follower))
    assert main == [("GET", target)]
    assert follower == [("GET", target), ("PUT", target)]
    assert stack.faulty_main.sent_bytes < 2000


def test_how_many_requests_an_object_costs(stack, bucket, figures):
    s3 = stack.s3
    s3.put_object(Bucket=bucket, Key="first", Body=b"x")
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    main, follower = watched_worker(stack)
    costs = {}
    for name, acl in (("private", {}), ("public", {"ACL": "public-read"}),
                      ("granted", FOR_BOB), ("granted again", FOR_BOB)):
        del main[:], follower[:]
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", **acl)
        stack.wait_equal(bucket)
        stack.wait_idle(bucket)
        costs[name] = [sum(1 for _, target in seen
                           if target == "/" or is_of(bucket, target))
                       for seen in (main, follower)]
    figures("requests to main and follower for one small object: "
            + ", ".join(f"{n} {a}+{b}" for n, (a, b) in costs.items()))
    assert costs["private"] == costs["public"] == [2, 1]
    assert costs["granted again"] == [2, 3]
    # ListBuckets of alice and bob on main, of bob on the follower
    assert costs["granted"][0] <= 4 and costs["granted"][1] <= 4


def test_equal_content_of_a_large_object_still_gets_its_acl(stack, bucket):
    """By PUT of the same again, and by a copy onto itself."""
    s3, body = stack.s3, os.urandom(9 << 20)
    s3.put_object(Bucket=bucket, Key="k", Body=body)
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    _, follower = watched_worker(stack)
    s3.put_object(Bucket=bucket, Key="k", Body=body, ACL="public-read")
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    copy = dict(Bucket=bucket, Key="k", MetadataDirective="REPLACE",
                CopySource={"Bucket": bucket, "Key": "k"})
    for change in ({"Metadata": {"n": "1"}},
                   {"Metadata": {"n": "2"}, "ACL": "authenticated-read"},
                   {"Metadata": {"n": "3"}, **FOR_BOB},
                   {"Metadata": {"n": "3"}}):
        s3.copy_object(**copy, **change)
        stack.wait_equal(bucket)
        stack.wait_idle(bucket)
    assert ("PUT", path_of(bucket, "k") + "?acl") in follower
    assert stack.stats(bucket)["counters"]["bytes"] < 10 << 20


def test_a_follower_without_acls_gets_the_content(stack, bucket):
    """It is asked once, one line says so, and nothing is tried again."""
    s3, logs = stack.s3, Logs(stack.folder)
    main, _ = watched_worker(stack)
    stack.faulty_follower.inject(when=lambda m, t: is_acl(t), answer=NO_ACLS)
    for n in range(5):
        s3.put_object(Bucket=bucket, Key=f"{n}", Body=b"x", **FOR_BOB)
        stack.wait_equal(bucket, ignore=("acl",))
        stack.wait_idle(bucket)
    assert stack.failed_attempts(bucket) == 0
    assert stack.faulty_follower.fault.hits <= 2    # of object and bucket
    assert len([t for _, t in main if is_acl(t)]) <= 2
    text = "".join(logs.all_text().values())
    assert text.count(f"bucket={bucket} has no ACLs") == 1
    # another change of the ACL has nothing to do
    s3.put_object_acl(Bucket=bucket, Key="0", ACL="public-read")
    stack.wait_idle(bucket)
    assert stack.failed_attempts(bucket) == 0


def test_acls_that_aws_has_switched_off(stack, bucket):
    """x-amz-acl is refused with the content: it is sent without."""
    s3 = stack.s3
    s3.put_object(Bucket=bucket, Key="first", Body=b"x")
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    watched_worker(stack)
    f = stack.faulty_follower.inject(
        when=lambda m, t: m == "PUT" and t.endswith("/k"), times=1,
        answer=OWNER_ENFORCED)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="public-read")
    stack.wait_equal(bucket, ignore=("acl",))
    stack.wait_idle(bucket)
    assert f.hits == 1
    assert acl_of(stack.follower, bucket, "k") == (b"alice", [OWNER])
    assert stack.failed_attempts(bucket) == 0


def test_content_does_not_wait_for_an_acl_that_is_denied(stack, bucket):
    """AWS denies a PUT with a public ACL where public access is blocked."""
    s3 = stack.s3
    s3.put_object(Bucket=bucket, Key="first", Body=b"x")
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    watched_worker(stack)
    tries = []

    def first_put_and_acls(method, target):
        if method == "PUT" and target.endswith("/k"):
            tries.append(target)
            return len(tries) == 1
        return method == "PUT" and is_acl(target)

    stack.faulty_follower.inject(when=first_put_and_acls, answer=fault.DENIED)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="public-read")
    stack.wait_equal(bucket, ignore=("acl",))
    wait_until(lambda: stack.failed_attempts(bucket) > 1, 15, "it is told")
    assert len(tries) == 2, "content is sent again with each attempt"
    stack.faulty_follower.clear()
    stack.wait_equal(bucket)


def test_main_does_not_tell_its_acls(stack, bucket):
    """The content is safe, the key waits with its reason."""
    s3 = stack.s3
    watched_worker(stack)
    stack.faulty_main.inject(when=lambda m, t: is_acl(t) and "/k" in t,
                             answer=fault.DENIED)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="public-read")
    stack.wait_equal(bucket, ignore=("acl",))
    wait_until(lambda: stack.failed_attempts(bucket) > 0, 10, "it is told")
    assert acl_of(stack.follower, bucket, "k") == (b"alice", [OWNER])
    assert stack.waiting(bucket) == 1
    stack.faulty_main.clear()
    stack.wait_equal(bucket)
    assert stack.stats(bucket)["counters"]["failed_attempts"] > 0


@pytest.mark.parametrize("side", ["main", "follower"])
def test_the_object_is_gone_when_its_acl_is_read(stack, bucket, side):
    """All is looked at again."""
    s3 = stack.s3
    s3.put_object(Bucket=bucket, Key="old", Body=b"x")
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    watched_worker(stack)
    server = stack.faulty_main if side == "main" else stack.faulty_follower
    f = server.inject(when=lambda m, t: m == "GET" and is_acl(t), times=2,
                      answer=GONE)
    s3.put_object(Bucket=bucket, Key="new", Body=b"x", **FOR_BOB)
    s3.put_object_acl(Bucket=bucket, Key="old", ACL="public-read")
    stack.wait_equal(bucket)
    assert f.hits == 2
    assert stack.failed_attempts(bucket) == 0


def test_a_storage_that_is_told_to_have_no_acls_is_never_asked(stack, bucket):
    config = stack.config_of(main_url=stack.faulty_main.url,
                             follower_url=stack.faulty_follower.url)
    config["storages"]["follower"]["acl"] = False
    path = f"{stack.folder}/chorus-no-acl.json"
    with open(path, "w", opener=private) as f:
        json.dump(config, f)
    stack.stop_workers()
    main, follower = (watch(s) for s in (stack.faulty_main,
                                         stack.faulty_follower))
    stack.start_worker(path)
    stack.s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="public-read")
    stack.wait_equal(bucket, ignore=("acl",))
    stack.s3.put_object_acl(Bucket=bucket, Key="k", ACL="public-read-write")
    stack.wait_idle(bucket)
    assert main and not [t for _, t in main + follower if is_acl(t)]
    assert acl_of(stack.follower, bucket, "k") == (b"alice", [OWNER])
