"""The dynamic policy: two proxies and three workers follow what chorusctl
says, under load, and nothing is lost."""

import itertools
import json
import os
import time

import pytest

import compare
from fault import SLOW_DOWN
from load import Load
from process import wait_until
from stack import Nginx, free_ports
from wire import Wire, path_of

KINDS = ("replications", "routes", "blocks", "pauses")


@pytest.fixture(scope="module")
def second(the_stack):
    """Another proxy of the same Chorus, in a folder of its own."""
    folder = f"{the_stack.folder}/second"
    os.makedirs(f"{folder}/log")
    with open(the_stack.nginx.conf) as f:
        text = f.read()
    old = the_stack.nginx
    proxy = Nginx(folder, *free_ports(2))
    for ours, theirs in ((f":{old.port} ", f":{proxy.port} "),
                         (old.admin_url[7:], proxy.admin_url[7:]),
                         (f"pid {the_stack.folder}", f"pid {folder}"),
                         (f"{the_stack.folder}/log/", f"{folder}/log/"),
                         (f"{the_stack.folder}/temp-", f"{folder}/temp-")):
        assert ours in text
        text = text.replace(ours, theirs)
    with open(proxy.conf, "w") as f:
        f.write(text)
    proxy.start()
    yield proxy
    proxy.stop()


class Ctl:
    def __init__(self, stack):
        self.stack = stack

    def run(self, *words, token=None):
        return self.stack.chorusctl("-t", token or self.stack.token_file,
                                    *words)

    def __call__(self, *words):
        done = self.run(*words)
        assert done.returncode == 0, done
        return done.stdout

    def json(self, *words):
        return json.loads(self("-o", "json", *words))

    def api(self, path):
        return json.loads(self.stack.api(f"/api/v1/{path}",
                                         self.stack.token)[2])


@pytest.fixture
def ctl(stack):
    """chorusctl; what it set is gone afterwards."""
    ctl = Ctl(stack)
    yield ctl
    for kind, word in zip(KINDS, ("repl", "route", "block", "pause")):
        for rule in ctl.api(kind)["rules"]:
            ctl(word, "delete", rule["id"], "--yes")
    ctl("repl", "wait")


@pytest.fixture
def both(stack, second, ctl):
    """Two proxies, three workers: (wire of one, wire of the other)."""
    stack.start_worker()
    stack.start_worker()

    def readers():
        rows = ctl.api("readers")["readers"]
        return sorted(r["kind"] for r in rows) \
            == ["proxy"] * 4 + ["worker"] * 3
    wait_until(readers, 30, lambda: f"all are known: {ctl.api('readers')}")
    key = stack.keys["alice"]
    return lambda n=0: Wire((stack.nginx, second)[n % 2].url, key.access,
                            key.secret)


@pytest.fixture
def dynamic(stack, bucket_name):
    """A bucket that no rule of a file is for."""
    name = bucket_name("dyn")
    assert stack.wire().call("PUT", path_of(name)).status == 200
    return name


def load_both(both, bucket):
    """Clients of both proxies; a key is written once.  Not fast: what is
    written has to be copied within the test."""
    turn = itertools.count()

    def work(wire, n):
        time.sleep(0.03)
        return wire.put(bucket, f"k{n:06d}", b"%d " % n * (n % 50))
    return Load(lambda: both(next(turn)), work, 2)


def keys_of(store, bucket):
    return set(compare.listing(store, bucket) or ())


def test_all_proxies_and_workers_follow_one_policy(stack, both, ctl, dynamic,
                                                   figures):
    began = time.monotonic()
    made = ctl.json("repl", "add", dynamic, "--to", "follower", "--user",
                    "alice", "--id", "one", "--wait")
    figures(f"two proxies, three workers: followed after "
            f"{time.monotonic() - began:.2f} s")
    seen = ctl.api("readers")
    assert {r["version"] for r in seen["readers"]} == {made["version"]}
    for n in range(2):
        assert both(n).put(dynamic, f"of-proxy-{n}", b"x").status == 200
    stack.wait_equal(dynamic)
    stack.wait_idle(dynamic)
    lines = ctl("route", "show", dynamic, "--user", "alice").splitlines()
    assert lines == ["served by main (file)",
                     "replicated to follower (dynamic one)"]
    assert ctl("repl", "list").splitlines()[1].split()[:4] \
        == ["one", "active", "alice", dynamic]
    assert ctl("repl", "add", dynamic, "--to", "follower", "--user", "alice",
               "--id", "one") == "one: is so already\n"


def test_what_is_written_once_all_follow_is_replicated(stack, both, ctl,
                                                       dynamic):
    """Made under load; the keys of before are owed to a scan."""
    with load_both(both, dynamic) as load:
        wait_until(lambda: load.done > 20, 20, "load")
        ctl("repl", "add", dynamic, "--to", "follower", "--user", "alice",
            "--migrate", "--wait")
        first = load.number
        wait_until(lambda: load.done > first + 40, 20, "more load")
    load.check()
    later = {b"k%06d" % n for n in range(first, load.number)}
    wait_until(lambda: later <= keys_of(stack.follower, dynamic), 20,
               "all that came later is there")
    wait_until(lambda: stack.stats(dynamic)["debt"] is not None
               or keys_of(stack.follower, dynamic)
               == keys_of(stack.main, dynamic), 20,
               "what came before is owed, or has been paid")
    assert not ctl.stack.redis.client.hlen("chorus:policy:owed")


@pytest.mark.parametrize("way", ["by its name", "by a pattern"])
def test_a_new_rule_has_its_buckets_looked_for(stack, ctl, dynamic, way):
    """Also while workers seldom look which buckets there are."""
    stack.use_worker(scans=2, discover_seconds=3600)
    stack.redis.client.hdel("chorus:discover", "next_ms")   # of other tests
    wire = stack.main.wire()
    for n in range(20):
        assert wire.put(dynamic, f"k{n}", b"x").status == 200

    def has_looked():
        seen = stack.redis.client.hgetall("chorus:discover")
        return (int(seen.get(b"next_ms", 0)) > 1000 * time.time() + 3_000_000
                and b"looks" not in seen)
    wait_until(has_looked, 30, "it has looked, and will not for an hour")
    ctl("repl", "add", dynamic if way == "by its name" else f"~^{dynamic}$",
        "--to", "follower", "--user", "alice", "--wait")
    wait_until(lambda: ctl.run("migrate", f"alice:{dynamic}:follower")
               .returncode == 0, 30, "its bucket is seen")
    stack.wait_equal(dynamic)
    assert len(keys_of(stack.follower, dynamic)) == 20


def test_a_slip_of_the_pen_is_not_migrated(stack, ctl, dynamic):
    ctl("repl", "add", f"~^{dynamic}", "--to", "follower", "--user", "alice",
        "--wait")
    for name in (f"alice:{dynamic}x:follower", f"bob:{dynamic}:follower",
                 f"alice:{dynamic}:elsewhere"):
        done = ctl.run("migrate", name)
        assert done.returncode != 0 and "no such replication yet" \
            in done.stderr, done
        assert stack.redis.client.exists(f"chorus:{{{name}}}") == 0


def test_a_bucket_that_main_has_not_stays_on_the_follower(stack, ctl,
                                                          bucket_name):
    """Made there for what main will have; gone when a person says so."""
    stack.use_worker(scans=2, discover_seconds=1)
    name = bucket_name("dyn")
    replication = f"alice:{name}:follower"
    quoted = replication.replace(":", "%3A")
    stack.follower.s3.create_bucket(Bucket=name)
    ctl("repl", "add", name, "--to", "follower", "--user", "alice",
        "--migrate", "--wait")
    wait_until(lambda: (stack.stats(name) or {}).get("debt"), 30, "it owes")

    def repair(*more):
        """The debt may have one of its own begun meanwhile."""
        wait_until(lambda: ctl.run("repair", replication, *more, "--wait")
                   .returncode == 0, 30,
                   lambda: f"it is repaired: {ctl.api('scans/' + quoted)}")
        stack.wait_idle(name)
    repair()
    assert compare.listing(stack.follower, name) == {}
    assert ctl.api(f"scans/{quoted}")["surplus"] == 1
    assert stack.stats(name)["debt"], "somebody is to say what it is"
    repair("--delete-surplus")
    assert stack.stats(name)["debt"] is None
    assert compare.listing(stack.follower, name) is None


@pytest.mark.parametrize("way", ["rule", "bucket"])
def test_a_pause_holds_within_a_second_and_loses_nothing(stack, both, ctl,
                                                         dynamic, way):
    ctl("repl", "add", dynamic, "--to", "follower", "--user", "alice", "--id",
        "p", "--wait")
    pause, resume = {
        "rule": (("repl", "pause", "p"), ("repl", "resume", "p")),
        "bucket": (("pause", "add", dynamic, "--id", "here"),
                   ("pause", "delete", "here", "--yes"))}[way]
    with load_both(both, dynamic) as load:
        wait_until(lambda: load.done > 20, 20, "load")
        ctl(*pause, "--wait")
        # claimed before it: a lease is not taken back
        wait_until(lambda: stack.stats(dynamic)["state"] == "paused"
                   and stack.stats(dynamic)["busy"] == 0, 10, "it is held")
        before = keys_of(stack.follower, dynamic)
        done = load.done
        wait_until(lambda: load.done > done + 20, 20, "more load")
        assert keys_of(stack.follower, dynamic) == before
        wait_until(lambda: stack.stats(dynamic)["dirty"] >= 10, 20,
                   "it is marked")
        ctl(*resume, "--wait")
    load.check()
    wait_until(lambda: stack.stats(dynamic)["state"] == "active", 10,
               "it goes on")
    stack.wait_equal(dynamic)
    stack.wait_idle(dynamic)


def test_what_was_marked_before_a_delete_is_still_copied(stack, both, ctl,
                                                         dynamic):
    ctl("repl", "add", dynamic, "--to", "follower", "--user", "alice", "--id",
        "gone", "--wait")
    with load_both(both, dynamic) as load:
        wait_until(lambda: load.done > 40, 20, "load")
        before = load.done
        marked = {b"k%06d" % n for n in range(max(0, before - 8))}
        ctl("repl", "delete", "gone", "--yes", "--wait")
        first = load.number
        wait_until(lambda: load.done > first + 30, 20, "more load")
    load.check()
    wait_until(lambda: marked <= keys_of(stack.follower, dynamic), 20,
               "what was marked is there")
    stack.wait_idle(dynamic)
    late = {b"k%06d" % n for n in range(first, load.number)}
    assert not late & keys_of(stack.follower, dynamic)
    assert ctl("route", "show", dynamic, "--user", "alice") \
        == "served by main (file)\n"


def test_filters_and_targets_of_the_policy_hold_in_workers(stack, both, ctl,
                                                           dynamic):
    ctl("repl", "add", dynamic, "--to", f"follower:{dynamic}-there", "--user",
        "alice", "--prefix", "in/", "--tags", "class=gold", "--wait")
    gold = {"x-amz-tagging": "class=gold"}
    for key, headers in (("in/gold", gold), ("in/none", {}), ("out", gold)):
        assert both().put(dynamic, key, b"x", headers).status == 200
    wait_until(lambda: keys_of(stack.follower, f"{dynamic}-there")
               == {b"in/gold"}, 20, "the one that is taken")
    stack.wait_idle(dynamic, follower=f"follower:{dynamic}-there")
    assert keys_of(stack.follower, f"{dynamic}-there") == {b"in/gold"}


def test_a_pattern_finds_the_buckets_that_are_there(stack, both, ctl,
                                                    bucket_name):
    names = [bucket_name("dynpat") for _ in range(2)]
    for name in names:
        assert both().call("PUT", path_of(name)).status == 200
        assert both().put(name, "k", b"x").status == 200
    ctl("repl", "add", "~^dynpat-", "--to", "follower", "--user", "alice",
        "--migrate", "--wait")
    for name in names:
        wait_until(lambda: stack.stats(name) is not None
                   and (stack.stats(name)["debt"] is not None
                        or b"k" in keys_of(stack.follower, name)), 20,
                   f"{name} is owed to a scan, or was")
        wait_until(lambda: compare.listing(stack.follower, name) is not None,
                   20, "the bucket is made at once")


def scan_of(stack, bucket):
    text = stack.redis.call("scan_look", 1,
                            f"chorus:{{alice:{bucket}:follower}}")
    return json.loads(text) if text else {}


def test_a_rule_that_migrates_is_scanned_for_and_a_pause_stops_the_scan(
        stack, ctl, dynamic, bucket_name):
    other = bucket_name("dyn")
    wire = stack.main.wire()
    assert wire.call("PUT", path_of(other)).status == 200
    for bucket in (dynamic, other):
        for n in range(5):
            assert wire.put(bucket, f"old{n}", b"x").status == 200

    # no page is told before the pause
    fault = stack.faulty_main.inject(
        when=lambda m, t: t.startswith(f"/{dynamic}?") and "max-keys" in t,
        answer=SLOW_DOWN)
    stack.use_worker(main=stack.faulty_main.url, scans=2)
    add = ("--to", "follower", "--user", "alice", "--migrate", "--wait")
    ctl("repl", "add", dynamic, "--id", "m", *add)
    wait_until(lambda: fault.hits
               and scan_of(stack, dynamic).get("state") == "running", 30,
               "it is listed")
    ctl("repl", "pause", "m", "--wait")
    wait_until(lambda: stack.stats(dynamic)["state"] == "paused", 10, "held")
    stack.faulty_main.clear()

    ctl("repl", "add", other, *add)
    wait_until(lambda: scan_of(stack, other).get("state") == "ended", 30,
               "scanners have had time for it")
    held = scan_of(stack, dynamic)
    assert (held["state"], held["pages"]) == ("running", 0), held
    assert not keys_of(stack.follower, dynamic)

    ctl("repl", "resume", "m", "--wait")
    wait_until(lambda: stack.stats(dynamic)["debt"] is None, 30, "it is paid")
    for bucket in (dynamic, other):
        stack.wait_equal(bucket)
        stack.wait_idle(bucket)


def test_a_rule_without_a_migration_leaves_what_was_there(stack, ctl,
                                                          dynamic):
    assert stack.main.wire().put(dynamic, "old", b"x").status == 200
    stack.use_worker(scans=2)
    ctl("repl", "add", dynamic, "--to", "follower", "--user", "alice",
        "--wait")
    assert stack.wire().put(dynamic, "new", b"x").status == 200
    wait_until(lambda: scan_of(stack, dynamic).get("state") == "skipped", 30,
               "a scanner has looked at it")
    stack.wait_idle(dynamic)
    assert keys_of(stack.follower, dynamic) == {b"new"}


def test_a_blocked_bucket_is_blocked_at_each_proxy(stack, both, ctl,
                                                   dynamic):
    both().put(dynamic, "k", b"x")
    ctl("block", "add", dynamic, "--reason", "moving", "--reads", "--wait")
    for n in range(2):
        answer = both(n).put(dynamic, "k", b"y")
        assert (answer.status, answer.code) == (503, "ServiceUnavailable")
        assert b"moving" in answer.body
        assert both(n).get(dynamic, "k").body == b"x"
    assert "blocked but for reads: moving" in ctl(
        "route", "show", dynamic, "--user", "alice")


def test_a_route_leads_where_it_says(stack, both, ctl, dynamic):
    ctl("route", "add", dynamic, "--to", "archive", "--user", "alice",
        "--wait")
    for n in range(2):
        assert both(n).call("PUT", path_of(dynamic)).status == 200
        assert both(n).put(dynamic, f"k{n}", b"x").status == 200
    assert keys_of(stack.follower, dynamic) == {b"k0", b"k1"}
    assert keys_of(stack.main, dynamic) == set()


# words, exit code, what stderr says
REFUSED = {
    "no-follower": (["repl", "add", "b"], 2, "--to is missing"),
    "no-user": (["route", "show", "b"], 2, "--user is missing"),
    "no-bucket": (["block", "add"], 2, "usage: chorusctl block add"),
    "unknown-follower": (["repl", "add", "b", "--to", "nowhere"], 1,
                         "no storage"),
    "main": (["repl", "add", "b", "--to", "main"], 1, "main storage"),
    "wildcard": (["repl", "add", "b*", "--to", "follower"], 1, "wildcard"),
    "no-such-option": (["repl", "add", "b", "--zoo"], 2, "--zoo"),
    "value-missing": (["repl", "add", "b", "--to"], 2, "needs a value"),
    "delete-needs-yes": (["repl", "delete", "x"], 2, "--yes"),
    "delete-nothing": (["repl", "delete", "x", "--yes"], 1, "404"),
    "path-in-an-id": (["repl", "show", "../status"], 1, "letters"),
    "nothing-in-an-id": (["repl", "show", ""], 1, "letters"),
    "quote-in-an-id": (["repl", "add", "b", "--to", "follower", "--id",
                        'a"b'], 1, "id: must be"),
    "route-without-upstream": (["route", "add", "b", "--to", "follower"], 1,
                               "upstream"),
    "bad-tags": (["repl", "add", "b", "--to", "follower", "--tags", "x"], 2,
                 "no text"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_chorusctl_refuses(stack, ctl, name):
    words, code, says = REFUSED[name]
    done = ctl.run(*words)
    assert done.returncode == code, done
    assert says in done.stderr and not done.stdout
    assert ctl.api("replications")["rules"] == []


def test_a_worker_of_an_older_policy_takes_no_filter_for_the_last_word(
        stack, ctl, dynamic):
    """It cannot use what others run already, and what was marked under that
    is not "equal" because an older rule leaves it out."""
    policy, name = "chorus:policy", f"alice:{dynamic}:follower"
    ctl("repl", "add", dynamic, "--id", "narrow", "--to", "follower",
        "--user", "alice", "--prefix", "in/", "--wait")
    assert stack.main.wire().put(dynamic, "out", b"x").status == 200
    version = int(stack.redis.client.hget(policy, "version")) + 1
    stack.redis.client.hset(policy, mapping={
        "version": version, "pause:of-a-newer-file": f"{version} {version} "
        '0 0 {"bucket":"b","to":"not-in-our-file","user":"alice"}'})
    try:
        wait_until(lambda: [r for r in ctl.api("readers")["readers"]
                            if r["kind"] == "worker" and r["error"]], 30,
                   "the worker says that it cannot use it")
        stack.redis.call("mark", 3, f"chorus:{{{name}}}", "chorus:schedule",
                         "chorus:replications", "event", 0, 0, "out")
        wait_until(lambda: "out" in stack.failed(dynamic), 30,
                   "it is kept for who knows better")
        assert stack.failed(dynamic)["out"]["code"] == "PolicyPending"
    finally:
        stack.redis.client.hdel(policy, "pause:of-a-newer-file")
    ctl("repl", "delete", "narrow", "--yes")
    ctl("repl", "add", dynamic, "--to", "follower", "--user", "alice",
        "--wait")
    stack.wait_equal(dynamic)
    stack.wait_idle(dynamic)
