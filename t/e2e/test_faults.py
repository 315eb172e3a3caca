"""Storages that misbehave in ways a real one cannot be brought to.

A proxy between the worker (or nginx) and the real store plays them.  Each
time: nothing is deleted on doubt, failures are counted, and the follower is
equal as soon as the fault stops.
"""

import os
import time

import pytest

import compare
import fault
from process import wait_until
from wire import path_of

OLD = ["keep/1", "keep/2", "keep/3"]


def is_object(method, target):
    """A request on an object of the test, not on its bucket."""
    return "/keep/" in target


def is_write(method, target):
    return method in ("PUT", "POST", "DELETE") and "/keep/" in target


def is_get(method, target):
    """Of content."""
    return method == "GET" and "/keep/" in target and "?acl" not in target


# name: what main does to the worker's requests, until it stops
ON_MAIN = {
    "503-slow-down": dict(answer=fault.SLOW_DOWN),
    "403": dict(answer=fault.DENIED),
    "500": dict(answer=fault.INTERNAL),
    "404-html": dict(answer=fault.NOT_HERE),
    "404-empty": dict(answer=fault.EMPTY_404),
    "404-of-something-else": dict(answer=(
        404, b"<?xml version='1.0'?><Error><Code>NoSuchUpload</Code></Error>",
        "application/xml")),
    "404-cut-xml": dict(answer=(404, b"<?xml version='1.0'?><Error><Code>NoSu",
                                "application/xml")),
    "200-html": dict(answer=(200, b"<html>Please log in</html>",
                             "text/html")),
    "200-error-body": dict(answer=(
        200, b"<?xml version='1.0'?><Error><Code>InternalError</Code></Error>",
        "application/xml")),
    "redirect": dict(answer=fault.REDIRECT),
    "truncated-body": dict(truncate=1000, when=is_get),
    "drops-the-connection": dict(drop=True),
    "drops-after-the-request": dict(drop=True, applied=True),
    "hangs": dict(hang=True),
}


def prepare(stack, bucket):
    """Objects that are equal; then no worker, and changes of all kinds."""
    wire = stack.wire()
    for key in OLD:
        wire.put(bucket, key, b"old" * 1000)
    stack.wait_equal(bucket)
    stack.stop_workers()
    wire.put(bucket, "keep/1", os.urandom(20_000), {"x-amz-tagging": "a=1"})
    wire.put(bucket, "keep/new", os.urandom(200_000))
    wire.call("PUT", path_of(bucket, "keep/2"), query="tagging", body=(
        b"<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet>"
        b"</Tagging>"))
    wire.delete(bucket, "keep/3")


@pytest.mark.parametrize("name", ON_MAIN)
def test_main_misbehaves_to_the_worker(stack, bucket, name):
    prepare(stack, bucket)
    before = stack.failed_attempts(bucket)
    f = stack.faulty_main.inject(**{"when": is_object, **ON_MAIN[name]})
    stack.use_worker(main=stack.faulty_main.url)

    wait_until(lambda: f.hits >= 3, 10, "the worker meets the fault")
    if name != "hangs":
        wait_until(lambda: stack.failed_attempts(bucket) >= before + 3, 10,
                   "failed attempts are counted")
    time.sleep(0.5)
    # with a GET cut short, tags and deletes are still what they are
    assert stack.waiting(bucket) >= (2 if name == "truncated-body" else 3)
    there = compare.listing(stack.follower, bucket)
    # only what main really says in full may change the follower
    surely = {k.encode() for k in OLD[:2 if name == "truncated-body" else 3]}
    assert surely <= set(there), there
    assert b"keep/new" not in there
    if name != "truncated-body":
        assert all(there[k.encode()][0] == 3000 for k in OLD)

    stack.faulty_main.clear()
    stack.wait_equal(bucket, 30)
    stack.wait_idle(bucket)
    assert set(compare.listing(stack.follower, bucket)) == \
        {b"keep/1", b"keep/2", b"keep/new"}


# name: what the follower does to writes
ON_FOLLOWER = {
    "503-slow-down": dict(answer=fault.SLOW_DOWN, times=6),
    "403": dict(answer=fault.DENIED, times=5),
    "500": dict(answer=fault.INTERNAL, times=6),
    "500-after-having-applied": dict(answer=fault.INTERNAL, applied=True,
                                     times=6),
    "drops-after-having-applied": dict(drop=True, applied=True, times=6),
    "drops-the-connection": dict(drop=True, times=6),
    "hangs": dict(hang=True),
    "404-html": dict(answer=fault.NOT_HERE, times=6),
    "200-without-having-applied": dict(
        answer=(200, b"", "text/plain"), times=4,
        # an answer to a PUT of content has an ETag, or is not believed
        when=lambda method, target: method == "PUT" and "/keep/" in target
        and "?" not in target),
}


@pytest.mark.parametrize("name", ON_FOLLOWER)
def test_follower_misbehaves_to_the_worker(stack, bucket, name):
    prepare(stack, bucket)
    before = stack.failed_attempts(bucket)
    f = stack.faulty_follower.inject(**{"when": is_write, **ON_FOLLOWER[name]})
    stack.use_worker(follower=stack.faulty_follower.url)
    wait_until(lambda: f.hits >= 4, 10, "the worker meets the fault")
    if name != "hangs" and not name.startswith("200"):
        wait_until(lambda: stack.failed_attempts(bucket) > before, 10,
                   "failed attempts are counted")
    if f.times is None:
        time.sleep(2)
        stack.faulty_follower.clear()
    stack.wait_equal(bucket, 40)
    stack.wait_idle(bucket)
    assert stack.failed_attempts(bucket) - before <= f.hits + 4


def test_a_large_copy_is_cut_again_and_again(stack, bucket):
    """The follower never shows a part of an object, and gets all of it."""
    body = os.urandom(30 << 20)
    stack.stop_workers()
    stack.wire().put(bucket, "keep/large", body)
    f = stack.faulty_main.inject(when=is_get, truncate=20 << 20, times=4)
    stack.use_worker(main=stack.faulty_main.url)
    wait_until(lambda: f.hits >= 4, 30, "cut four times")
    assert not compare.listing(stack.follower, bucket)
    stack.wait_equal(bucket, 30)
    # some begin anew at once: the follower may have had no bucket yet
    assert stack.failed_attempts(bucket) > 0


def test_an_object_that_changes_while_it_is_copied(stack, bucket):
    """The copy is of one version or of the other, in the end of the last."""
    stack.stop_workers()
    wire = stack.wire()
    wire.put(bucket, "keep/k", b"a" * (8 << 20))
    stack.faulty_main.inject(when=is_get, bytes_per_second=4 << 20)
    stack.use_worker(main=stack.faulty_main.url)
    for n in range(6):
        time.sleep(0.6)
        wire.put(bucket, "keep/k", b"%d" % n * (4 << 20))
    wire.put(bucket, "keep/k", b"last" * (1 << 20), {"x-amz-meta-n": "9"})
    stack.faulty_main.clear()
    stack.wait_equal(bucket, 30)


# name: what main does to nginx; the client sees a failure or hangs up
ON_NGINX = {
    "500-after-having-applied": dict(answer=fault.INTERNAL, applied=True),
    "503-after-having-applied": dict(answer=fault.SLOW_DOWN, applied=True),
    "drops-after-having-applied": dict(drop=True, applied=True),
}


@pytest.fixture
def faulty_nginx(stack):
    """nginx that reaches main through the fault proxy."""
    stack.write_nginx(main_port=stack.faulty_main.port)
    stack.nginx.reload()
    yield stack.nginx
    stack.faulty_main.clear()
    stack.write_nginx()
    stack.nginx.reload()


def is_change(method, target):
    return method in ("PUT", "POST", "DELETE")


@pytest.mark.parametrize("name", ON_NGINX)
def test_a_write_that_main_applied_but_did_not_confirm(
        stack, bucket, faulty_nginx, name):
    wire = stack.wire()
    for key in ("gone", "one", "overwritten"):
        wire.put(bucket, key, b"old")
    stack.wait_equal(bucket)
    stack.faulty_main.inject(when=is_change, **ON_NGINX[name])
    answers = [wire.put(bucket, "new", b"new"),
               wire.put(bucket, "overwritten", b"new"),
               wire.delete(bucket, "gone"),
               wire.call("PUT", path_of(bucket, "copy"), headers={
                   "x-amz-copy-source": f"/{bucket}/one"})]
    assert all(a.status >= 500 for a in answers), answers
    assert set(compare.listing(stack.main, bucket)) == \
        {b"one", b"new", b"overwritten", b"copy"}
    stack.wait_equal(bucket)


def test_a_client_that_hangs_up_while_main_works(stack, bucket, faulty_nginx):
    """Main applies the write a while after the client has gone."""
    wire = stack.wire()
    wire.put(bucket, "overwritten", b"old")
    stack.wait_equal(bucket)
    stack.faulty_main.inject(when=is_change, delay=1.5)
    for key in ("new", "overwritten"):
        hasty = stack.wire(timeout=0.3)
        with pytest.raises(TimeoutError):
            hasty.put(bucket, key, b"new")
        hasty.close()
    wait_until(lambda: compare.listing(stack.main, bucket).keys()
               == {b"new", b"overwritten"}, 10, "main has them")
    stack.wait_equal(bucket)


def test_a_write_that_main_applies_after_its_connection_is_lost(
        stack, bucket, faulty_nginx):
    """The client has its 502 by then, and the worker has looked."""
    wire = stack.wire()
    wire.put(bucket, "overwritten", b"old")
    stack.wait_equal(bucket)
    stack.faulty_main.inject(when=is_change, delay=1.5, drop=True)
    for key in ("new", "overwritten"):
        assert wire.put(bucket, key, b"new").status == 502
    stack.faulty_main.clear()
    wait_until(lambda: wire.get(bucket, "overwritten").body == b"new"
               and wire.get(bucket, "new").body == b"new", 10, "main has them")
    stack.wait_equal(bucket)


def test_main_refuses_and_nothing_is_marked(stack, bucket, faulty_nginx):
    wire = stack.wire()
    wire.put(bucket, "k", b"x")
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    before = stack.stats(bucket)["counters"]
    stack.faulty_main.inject(when=is_change, answer=fault.DENIED)
    for n in range(10):
        assert wire.put(bucket, f"{n}", b"x").code == "AccessDenied"
    time.sleep(0.5)
    assert stack.stats(bucket)["counters"] == before


def test_the_fault_proxy_itself_changes_nothing(stack, bucket, faulty_nginx):
    """Else a fault would prove nothing: through it, without one, all works."""
    stack.use_worker(main=stack.faulty_main.url,
                     follower=stack.faulty_follower.url)
    wire = stack.wire()
    wire.put(bucket, "a/../b ü", os.urandom(5_000_000))
    wire.put(bucket, "empty", b"", {"x-amz-meta-a": "1"})
    wire.put(bucket, "gone", b"x")
    wire.delete(bucket, "gone")
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    # the object that is gone may never have been copied
    assert stack.faulty_main.passed > 6 and stack.faulty_follower.passed >= 2
    assert stack.failed_attempts(bucket) == 0
