"""Is the follower equal to main, and main to what clients were told?

Asks both stores and reads the history; knows nothing of Chorus.
"""

from concurrent.futures import ThreadPoolExecutor

import compare
import versions
from wire import path_of
from writes import GONE

THREADS = 6
LATE = 10       # seconds in which main may apply what it did not confirm


class Verdict:
    def __init__(self, main, follower):
        self.main = main
        self.follower = follower
        self.compared = 0
        self.histories = 0
        self.versions = 0
        self.found = {}         # {(bucket, key): lines}; a bucket itself: ""
        self.mislisted = 0      # keys that a store lists otherwise than reads
        self.on_main = {}       # {(bucket, key): SHA-256}

    def compare(self, buckets, versioned=()):
        """{bucket: its user}: all keys, all that the stores say of them; of
        those of alice that are versioned all versions."""
        self.found, self.compared, self.mislisted = {}, 0, 0
        self.histories = self.versions = 0
        for bucket, user in buckets.items():
            self.compare_bucket(bucket, user)
        for bucket in versioned:
            self.compare_histories(bucket)
        return self.found

    def compare_histories(self, bucket):
        stores = self.main, self.follower
        keys = sorted(set().union(*(versions.keys_of(s, bucket)
                                    for s in stores)))
        with ThreadPoolExecutor(THREADS) as pool:
            for key, (lines, n) in zip(keys, pool.map(
                    lambda key: self.compare_history(bucket, key), keys)):
                self.histories += 1
                self.versions += n
                for line in lines:
                    self.say(bucket, key, line)

    def compare_history(self, bucket, key):
        """What differs, and how many versions main has."""
        found = versions.differences(self.main, self.follower, bucket, [key],
                                     acls=True)
        return found, len(versions.raw(self.main, bucket, key))

    def say(self, bucket, key, line):
        self.found.setdefault((bucket, key), []).append(line)

    def compare_bucket(self, bucket, user):
        a, b = (compare.listing(s, bucket, user)
                for s in (self.main, self.follower))
        if a is None or b is None:
            if a is not b:
                self.say(bucket, "", f"bucket: main {names(a)}, "
                                     f"follower {names(b)}")
            return
        ours, theirs = self.main.wire(user), self.follower.wire(user)
        x, y = (compare.tags_of(w, path_of(bucket)) for w in (ours, theirs))
        ours.close()
        theirs.close()
        if x != y:
            self.say(bucket, "", f"bucket tags: main {x}, follower {y}")

        keys = sorted(a.keys() | b.keys())
        self.compared += len(keys)
        with ThreadPoolExecutor(THREADS) as pool:
            for part in pool.map(
                    lambda n: self.compare_keys(
                        bucket, user, keys[n::THREADS], a, b),
                    range(THREADS)):
                for key, line in part:
                    self.say(bucket, key.decode(), line)

    def compare_keys(self, bucket, user, keys, a, b):
        ours, theirs = self.main.wire(user), self.follower.wire(user)
        found = []
        for key in keys:
            if key not in a or key not in b:
                # Ceph 16 may leave out of its listings what a PUT wrote
                # while a DELETE of the same key was under way: ask by name
                lines, is_on_main = self.compare_by_name(ours, theirs,
                                                         bucket, key)
                if is_on_main:
                    self.on_main[bucket, key.decode()] = None
                self.mislisted += not lines
                found += [(key, line) for line in lines]
                continue
            x, y = self.evidence(ours, bucket, key), \
                self.evidence(theirs, bucket, key)
            self.on_main[bucket, key.decode()] = x["sha256"]
            found += [(key, f"{n}: main {x.get(n)!r}, follower {y.get(n)!r}")
                      for n in sorted(x.keys() | y.keys())
                      if x.get(n) != y.get(n)]
        ours.close()
        theirs.close()
        return found

    def compare_by_name(self, ours, theirs, bucket, key):
        """What differs, and whether main has it."""
        x, y = (self.evidence(w, bucket, key) for w in (ours, theirs))
        there = [e["status"] != 404 for e in (x, y)]
        if there == [True, True]:
            return [f"{n}: main {x.get(n)!r}, follower {y.get(n)!r}"
                    for n in sorted(x.keys() | y.keys())
                    if x.get(n) != y.get(n)], True
        if there == [False, False]:
            return [], False
        return ["main {}, follower {}".format(
            *(e["sha256"] if is_there else "has none"
              for e, is_there in zip((x, y), there)))], there[0]

    def evidence(self, wire, bucket, key):
        """Of what is current; its id is each store's own."""
        said = compare.evidence(wire, bucket, key)
        said.pop("x-amz-version-id", None)
        return said

    def broken_promises(self, history):
        """Keys whose last write was alone and confirmed, and which main does
        not hold like that; after compare().  What was not confirmed may come
        for a while."""
        last = {}       # (bucket, key): (at, content, when all others ended)
        for line in history.lines():
            if line.get("op") in (None, "multipart", "part"):
                continue
            if 400 <= line.get("status", 0) < 500:
                continue
            is_known = 200 <= line.get("status", 0) < 300
            end = line["until"] + (0 if is_known else LATE)
            content = line.get("content") if is_known else None
            for key in line["keys"]:
                pair = line["bucket"], key
                at, before, ended = last.get(pair, (-1, None, -1))
                if line["op"] == "acl":
                    # writes no content; but Ceph 16 answers 204 to a DELETE
                    # that meets one, and keeps the object
                    before = before if line["at"] > ended else None
                elif line["at"] > at:
                    at, before = line["at"], \
                        content if line["at"] > ended else None
                else:
                    before = None
                last[pair] = at, before, max(ended, end)
        checked = {pair: content for pair, (_, content, _) in last.items()
                   if content}
        wrong = {pair: content for pair, content in checked.items()
                 if self.on_main.get(pair, GONE) not in (content, None)}
        return len(checked), wrong


def names(there):
    return "has none" if there is None else "has it" \
        if isinstance(there, dict) else repr(there)


# ---- can the comparison fail at all?

def plant(follower, bucket, keys):
    """Spoils the follower's copy of some keys, each in its own way; returns
    the pairs that must be found."""
    wire = follower.wire()
    done = []
    for key, spoil in zip(keys, SPOILS):
        spoil(wire, bucket, key)
        done.append((bucket, key))
    surplus = "planted/surplus"
    wire.put(bucket, surplus, b"never deleted")
    wire.close()
    return {*done, (bucket, surplus)}


def spoil_missing(wire, bucket, key):
    wire.delete(bucket, key)


def spoil_byte(wire, bucket, key):
    """Another byte; all else is as it was."""
    got = wire.get(bucket, key)
    body = bytes([got.body[0] ^ 1]) + got.body[1:] if got.body else b"x"
    wire.put(bucket, key, body, {
        n: v for n, v in got.headers.items()
        if n.startswith("x-amz-meta-") or n == "content-type"})


def spoil_metadata(wire, bucket, key):
    wire.call("PUT", path_of(bucket, key), headers={
        "x-amz-copy-source": path_of(bucket, key),
        "x-amz-metadata-directive": "REPLACE", "x-amz-meta-n": "planted"})


def spoil_tags(wire, bucket, key):
    wire.call("PUT", path_of(bucket, key), query="tagging", body=(
        b"<Tagging><TagSet><Tag><Key>planted</Key><Value>1</Value></Tag>"
        b"</TagSet></Tagging>"))


def spoil_acl(wire, bucket, key):
    """One that no writer gives."""
    wire.call("PUT", path_of(bucket, key), query="acl", headers={
        "x-amz-acl": "authenticated-read"})


SPOILS = [spoil_missing, spoil_byte, spoil_metadata, spoil_tags, spoil_acl]
