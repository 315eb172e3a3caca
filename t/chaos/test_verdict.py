"""What the checker concludes from a history, without any store."""

import pytest

from history import History, story
from verdict import Verdict
from writes import GONE
from writers import Keys

PUT = {"op": "put", "bucket": "b", "keys": ["k"]}
DELETE = {"op": "delete", "bucket": "b", "keys": ["k"], "content": GONE}


def put(at, until, content, status=200):
    return dict(PUT, at=at, until=until, content=content,
                **({"status": status} if status else {}))


def delete(at, until, status=204):
    return dict(DELETE, at=at, until=until, status=status)


def acl(at, until, status=200):
    return dict(PUT, op="acl", at=at, until=until, status=status)


# name: lines in the order in which they ended, what main holds (None: no
# object), how many writes are judged, whether main is wrong
CASES = {
    "a put that main holds": ([put(1, 2, "x")], "x", 1, False),
    "a put that main has lost": ([put(1, 2, "x")], None, 1, True),
    "a put of which main holds other bytes":
        ([put(1, 2, "x")], "y", 1, True),
    "a deleted key": ([put(1, 2, "x"), delete(3, 4)], None, 1, False),
    "a deleted key that is there":
        ([put(1, 2, "x"), delete(3, 4)], "x", 1, True),
    "a deleted key that is there, and its ACL was set before":
        ([put(1, 2, "x"), acl(3, 4), delete(5, 6)], "x", 1, True),
    "a delete and an ACL at the same time, which ends later":
        ([put(1, 2, "x"), delete(3, 5), acl(4, 6)], "x", 0, False),
    "a delete and an ACL at the same time, which ends first":
        ([put(1, 2, "x"), acl(3, 5), delete(4, 6)], "x", 0, False),
    "a put that main has lost, and its ACL was set afterwards":
        ([put(1, 2, "x"), acl(3, 4)], None, 1, True),
    "two at the same time may end in any order":
        ([put(1, 4, "x"), put(3, 5, "y")], "x", 0, False),
    "the one that began last ended first":
        ([put(3, 4, "y"), put(1, 5, "x")], "x", 0, False),
    "what was refused did not happen":
        ([put(1, 2, "x"), put(3, 4, "y", 403)], "x", 1, False),
    "no answer: anything may be":
        ([put(1, 2, "x"), put(3, 4, "y", None)], "x", 0, False),
    "a 500 shortly before may still come":
        ([put(1, 2, "x", 500), put(3, 4, "y")], "x", 0, False),
    "a 500 long before may not":
        ([put(1, 2, "x", 500), put(30, 31, "y")], "x", 1, True),
}


@pytest.mark.parametrize("name", CASES)
def test_what_main_was_to_hold(tmp_path, name):
    lines, holds, judged, is_wrong = CASES[name]
    history = History(tmp_path / "history")
    for line in lines:
        history.answer(**line)
    verdict = Verdict(None, None)
    if holds is not None:
        verdict.on_main["b", "k"] = holds
    checked, wrong = verdict.broken_promises(history)
    assert (checked, bool(wrong)) == (judged, is_wrong)


HERE = {"status": 200, "sha256": "x", "etag": "1"}
THERE = dict(HERE, etag="2")
GONE_HERE = {"status": 404, "sha256": "the error of one store"}
GONE_THERE = {"status": 404, "sha256": "the error of the other"}

# what both stores say of a key that only one of them lists: lines found
BY_NAME = {
    "equal when read": (HERE, HERE, 0),
    "gone when read": (GONE_HERE, GONE_THERE, 0),
    "main has none": (GONE_HERE, HERE, 1),
    "the follower has none": (HERE, GONE_THERE, 1),
    "another ETag": (HERE, THERE, 1),
}


@pytest.mark.parametrize("name", BY_NAME)
def test_a_key_that_one_store_lists_is_read_from_both(monkeypatch, name):
    ours, theirs, lines = BY_NAME[name]
    monkeypatch.setattr(Verdict, "evidence",
                        lambda self, wire, bucket, key: wire)
    found, is_on_main = Verdict(None, None).compare_by_name(
        ours, theirs, "b", b"k")
    assert len(found) == lines
    assert is_on_main == (ours is HERE)


def test_the_story_of_a_key_has_its_faults(tmp_path):
    history = History(tmp_path / "history")
    for n in range(20):
        history.answer(**put(n, n + 0.5, str(n)))
    history.write(at=3, fault="early")
    history.write(at=20, fault="near")
    history.answer(**dict(put(1, 2, "x"), keys=["other"]))
    lines = story(history, [("b", "k")])["b", "k"]
    assert [e.get("content") or e["fault"] for e in lines] == \
        [str(n) for n in range(8, 20)] + ["near"]


def test_the_same_seed_gives_the_same_keys():
    def some(seed):
        keys = Keys({"a": 1, "b": 2}, [], seed)
        return [keys.take(keys.rng) for _ in range(1000)]
    assert some("1") == some("1") != some("2")
    assert len({key for _, key in some("1")}) > 300
