"""Are a bucket on main and its copy on the follower equal?

Knows nothing of Chorus: asks both stores.  First the listings (key, size,
ETag), then object by object the bytes, every header, the tags and the ACL.
"""

import hashlib
import html
import re
import time
import urllib.parse
from contextlib import closing

from process import PATIENCE
from wire import path_of

# differ from answer to answer, or tell when a store got the object
PASSING = {"date", "last-modified", "x-amz-request-id", "connection",
           "keep-alive", "x-amz-id-2", "server", "transfer-encoding"}


def listing(store, bucket, user="alice"):
    """{key: (size, ETag)}, or None when there is no such bucket.  No parser:
    Ceph 16 says the marker of a page as it is, control characters as well."""
    keys = {}
    marker = b""
    with closing(store.wire(user)) as wire:
        while True:
            answer = wire.call("GET", path_of(bucket), query=(
                "encoding-type=url&marker="
                + urllib.parse.quote(marker, safe="-._~")))
            if answer.code == "NoSuchBucket":
                return None
            assert answer.status == 200, answer
            assert answer.body.endswith(b"</ListBucketResult>"), answer.body
            for entry in re.findall(rb"<Contents>(.*?)</Contents>",
                                    answer.body, re.S):
                key, size, etag = (
                    html.unescape(re.search(f"<{name}>(.*?)</{name}>",
                                            entry.decode()).group(1))
                    for name in ("Key", "Size", "ETag"))
                key = urllib.parse.unquote_to_bytes(key.replace("+", " "))
                assert key > marker, (key, marker)
                marker = key
                keys[key] = int(size), etag
            if b"<IsTruncated>true<" not in answer.body:
                return keys


def tags_of(wire, path):
    answer = wire.call("GET", path, query="tagging")
    if answer.code in ("NoSuchTagSet", "NoSuchTagSetError"):
        return []
    if answer.status == 404:
        return answer.code
    assert answer.status == 200, answer
    tags = re.findall(rb"<Tag>(.*?)</Tag>", answer.body, re.S)
    return sorted(tuple(re.findall(rb"<(?:Key|Value)>(.*?)</", t, re.S))
                  for t in tags)


def acl_of(wire, path, arg=None):
    """Owner and grants by the names of users, which the stores of a test have
    in common, unlike their ids; what else, if there is none."""
    answer = wire.call("GET", path, query=f"acl&{arg}" if arg else "acl")
    if answer.status != 200:
        return answer.code

    def who(xml):
        return re.search(rb"<(?:DisplayName|URI)>(.*?)</", xml, re.S).group(1)

    owner, grants = answer.body.split(b"<AccessControlList>")
    return who(owner), sorted(
        (who(grant), permission)
        for grant in re.findall(rb"<Grant>(.*?)</Grant>", grants, re.S)
        for permission in re.findall(rb"<Permission>(.*?)</", grant))


def evidence(wire, bucket, key):
    """All that a store says about an object."""
    response = wire.open("GET", path_of(bucket, key))
    digest = hashlib.sha256()
    while True:
        block = response.read(1 << 20)
        if not block:
            break
        digest.update(block)
    headers = {k.lower(): v for k, v in response.getheaders()}
    said = {k: v for k, v in headers.items() if k not in PASSING}
    # Ceph tells an empty set of tags from none, S3 does not
    if said.get("x-amz-tagging-count") == "0":
        del said["x-amz-tagging-count"]
    said.update({"status": response.status, "sha256": digest.hexdigest(),
                 "tags": tags_of(wire, path_of(bucket, key)),
                 "acl": acl_of(wire, path_of(bucket, key))})
    return said


def differs(a, b, ignore):
    """Of two entries of listings.  Ceph 16 lists an object without its ETag
    once its tags were deleted; then only reading it can tell."""
    if a is None or b is None:
        return a is not b
    return a[0] != b[0] or (a[1] != b[1] and '""' not in (a[1], b[1])
                            and "etag" not in ignore)


def unlisted_alike(main, follower, bucket, target, key):
    """Ceph 16 may not list what a PUT wrote that met a DELETE of its key; it
    is there for whoever reads it, as on the other side."""
    ours, theirs = main.wire(), follower.wire()
    try:
        a, b = evidence(ours, bucket, key), evidence(theirs, target, key)
        return a == b and a["status"] == 200
    finally:
        ours.close()
        theirs.close()


def differences(main, follower, bucket, sample=60, ignore=(), target=None):
    """What differs, a line each; of at most `sample` objects everything is
    looked at, of all others what listings say.  `ignore`: headers; `target`:
    the bucket's name on the follower."""
    target = target or bucket
    a, b = listing(main, bucket), listing(follower, target)

    if a is None or b is None:
        if a is b:
            return []
        return [f"bucket {bucket}: main {'no' if a is None else 'yes'}, "
                f"follower {'no' if b is None else 'yes'}"]

    found = [f"{k!r}: main {a.get(k)}, follower {b.get(k)}"
             for k in sorted(a.keys() | b.keys())
             if differs(a.get(k), b.get(k), ignore)
             and not (k not in a and not ignore
                      and unlisted_alike(main, follower, bucket, target, k))]
    if found:
        return found

    ours, theirs = main.wire(), follower.wire()
    try:
        both = [(ours, path_of(bucket)), (theirs, path_of(target))]
        tags = [tags_of(*of) for of in both]
        if tags[0] != tags[1]:
            found.append(f"bucket tags: main {tags[0]}, follower {tags[1]}")
        acls = [acl_of(*of) for of in both]
        if acls[0] != acls[1]:
            found.append(f"bucket ACL: main {acls[0]}, follower {acls[1]}")

        chosen = sorted(a, key=lambda k: (a[k] == b[k],
                                          hashlib.md5(k).digest()))
        for key in chosen[:sample]:
            x = evidence(ours, bucket, key)
            y = evidence(theirs, target, key)
            found += [f"{key!r} {n}: main {x.get(n)!r}, follower {y.get(n)!r}"
                      for n in sorted(x.keys() | y.keys())
                      if x.get(n) != y.get(n) and n not in ignore]
    finally:
        ours.close()
        theirs.close()
    return found


def wait_equal(main, follower, bucket, seconds=PATIENCE, sample=60,
               ignore=(), target=None):
    """Waits until nothing differs; returns the seconds that took."""
    begin = time.monotonic()
    while True:
        found = differences(main, follower, bucket, sample, ignore,
                            target)
        took = time.monotonic() - begin
        if not found:
            return took
        if took > seconds:
            raise AssertionError(
                f"{bucket}: {len(found)} differences after {took:.1f} s, "
                "the first:\n" + "\n".join(found[:8]))
        time.sleep(0.1)
