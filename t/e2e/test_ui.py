"""The web pages, in a browser, against the real stack: an operator's day."""

import http.client
import json
import re
import time

import pytest

from process import wait_until
from stack import ROOT
from ui import HOSTILE, at, park, rules

pytestmark = pytest.mark.usefixtures("ui_worker")


# ---- the door ----


def test_a_wrong_token_opens_nothing(stack, the_browser):
    the_browser.open("#/audit")
    the_browser.login("wrong" * 6)
    the_browser.see("The API does not know this token.")
    assert "Log out" not in the_browser.text()
    assert the_browser.js("return sessionStorage.length") == 0

    the_browser.login(stack.token)
    the_browser.see("Log out")
    the_browser.see("Audit", "h1")      # where the link led
    assert the_browser.js("return document.cookie + location.href"
                          " + JSON.stringify(localStorage)"
                          ).count(stack.token) == 0
    assert the_browser.js("return Object.values(sessionStorage)"
                          ) == [stack.token]

    the_browser.press("Log out")
    the_browser.see("Token")
    assert the_browser.js("return sessionStorage.length") == 0


def test_a_token_that_is_no_longer_known_is_asked_for_again(stack, page):
    page.js("sessionStorage.setItem('chorus.token', 'gone' + 'x'.repeat(20))")
    page.see("The API does not know this token.")
    page.login(stack.token)
    page.see("Log out")


def test_nothing_inline_runs(stack, page):
    page.see("Workers")
    page.driver.refresh()
    page.see("Workers")
    assert f"{stack.nginx.admin_url}/ui/js/main.js" in page.asked()

    status, headers, body = stack.api("/ui/")
    policy = headers["Content-Security-Policy"]
    assert status == 200 and "unsafe" not in policy
    assert all(words in policy for words in (
        "default-src 'none'", "script-src 'self'", "style-src 'self'",
        "frame-ancestors 'none'", "connect-src 'self'"))
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert b"<style" not in body and b"onclick" not in body

    # the browser does not even let the page make markup of a text
    for code in ("document.body.innerHTML = '<img src=x onerror=1>'",
                 "document.body.setAttribute('onclick', 'hacked = 1')"):
        assert "refused" == page.js(
            f"try {{ {code} }} catch {{ return 'refused' }}")
    assert page.errors()


# method and place, status: the pages are files, and only these
FILES = [("GET", "/", 302), ("GET", "/ui", 302), ("GET", "/ui/", 200),
         ("GET", "/ui/js/main.js", 200),
         ("GET", "/ui/lib/chart.min.js", 200), ("HEAD", "/ui/", 200),
         ("POST", "/ui/", 403), ("DELETE", "/ui/index.html", 403),
         ("GET", "/ui/none", 404), ("GET", "/ui/js/", 403),
         ("GET", "/ui/../api.token", 404), ("GET", "/ui/lib/../../", 302)]


@pytest.mark.parametrize("method, place, expected", FILES)
def test_the_pages_are_served_as_files(stack, method, place, expected):
    connection = http.client.HTTPConnection(stack.nginx.admin_url[7:])
    connection.request(method, place)
    answer = connection.getresponse()
    assert answer.status == expected
    assert "/ui/" not in place or ".." in place or answer.headers[
        "X-Content-Type-Options"] == "nosniff"
    connection.close()


def test_a_token_that_may_only_look_changes_nothing(stack, the_browser,
                                                    bucket):
    stack.wire().put(bucket, "k", b"x")
    stack.wait_equal(bucket)
    the_browser.open(at(bucket), token=stack.read_token)
    the_browser.see("Up to date")
    the_browser.see("watcher, may only look", ".places")
    the_browser.press("Pause")
    the_browser.see("changes need the token of an admin", "dialog")
    assert the_browser.js("return document.querySelector("
                          "'dialog button[type=submit]').disabled")
    the_browser.press("Cancel")
    the_browser.go("#/new")
    the_browser.see("changes need the token of an admin", ".form")

    # and who presses it all the same is refused by the API
    answer = the_browser.module(
        "const { call } = await import('./js/api.js');"
        "return call('POST', '/pauses', { json: { user: 'alice', bucket: 'b' "
        "} }).then(() => 'done', (e) => e.kind);")
    assert answer == "reads" and not rules(stack, "pauses")


# ---- a day ----


def wait_asked(stack):
    """Until each proxy has asked for the rules since it wrote: of a write that
    may be later than a new rule a scan is owed, and not only a migration."""
    begin = time.monotonic()

    def is_known():
        ms = (time.monotonic() - begin) * 1000
        readers = json.loads(stack.api("/api/v1/readers",
                                       stack.token)[2])["readers"]
        return all(r["age_ms"] < ms for r in readers if r["kind"] == "proxy")
    wait_until(is_known, 20, "proxies have asked for the rules")


def wait_followed(stack):
    """Until all run the rules that are set."""
    wait_until(lambda: json.loads(stack.api(
        "/api/v1/readers", stack.token)[2])["behind"] == 0, 20,
        "all run what is set")


def wait_settled(stack, bucket):
    """Its scan has ended, none is owed, and what it has marked is copied."""
    def is_settled():
        scan = json.loads(stack.api(
            f"/api/v1/scans/alice%3A{bucket}%3Afollower", stack.token)[2])
        return (not stack.redis.client.hlen("chorus:policy:owed")
                and stack.stats(bucket)["debt"] is None
                and scan.get("phase") == "done"
                and stack.marks_on_their_way() == 0
                and stack.waiting(bucket) == 0)
    wait_until(is_settled, 30, lambda: f"it is done: {stack.stats(bucket)}")


def test_a_new_replication_migrates_and_is_watched(stack, page, bucket_name):
    bucket = bucket_name("u")
    stack.s3.create_bucket(Bucket=bucket)
    for n in range(40):
        stack.wire().put(bucket, f"k{n}", b"x" * 1000)
    wait_asked(stack)

    page.go("#/new")
    page.press("One bucket")
    wait_until(lambda: bucket in page.js(
        "return [...document.querySelectorAll('#bucket-list option')]"
        ".map((el) => el.value)"), 20, "main's buckets are offered")
    page.fill("Bucket", bucket)
    page.press("follower")
    page.see(f"What is written to the bucket {bucket} of alice is copied to "
             "follower", ".preview")
    assert "What is there already is copied, too" in page.text(".preview")
    last = stack.faulty_follower.inject(
        when=lambda method, target: method == "PUT"
        and target.startswith(f"/{bucket}/k39"), held=True)
    page.press("Create it")

    page.see("Created: rule ")
    page.go(f"#/replications?q={bucket}")
    page.see("Migrating", ".rows")
    wait_until(lambda: page.js(
        "return document.querySelector('.rows [role=progressbar]')"
        "?.getAttribute('aria-valuenow')") == "97", 20,
        lambda: f"39 of 40 are copied: {page.rows()}")
    last.release()
    stack.wait_equal(bucket)
    page.go(at(bucket))
    page.see("Up to date", "main")
    page.go("#/scans/alice%3A" + bucket + "%3Afollower")
    text = page.see("done", "main .tag")
    text = page.text("main")
    assert "Migration: " in text and "Keys on main\n40" in text, text

    page.go(at(bucket))
    page.press("Delete")
    said = page.confirm("Delete")
    assert "What is on the follower stays there" in said and bucket in said
    page.see("1 rule deleted. What waits is still copied")
    assert not rules(stack, "replications")


def test_a_replication_of_some_keys_into_another_bucket(stack, page,
                                                        bucket_name):
    bucket = bucket_name("u")
    stack.s3.create_bucket(Bucket=bucket)
    page.go(f"#/new?user=alice&bucket={bucket}")
    page.press("follower")
    page.fill("Another bucket name on the follower", f"{bucket}-copy")
    page.fill("Only keys that begin with", "in/")
    said = page.see("keys that begin with in/", ".preview")
    assert f"into {bucket}-copy" in said
    page.press("Create it")
    page.see("Created: rule ")
    for key in ("out/a", "in/a"):
        stack.wire().put(bucket, key, b"x")

    def copied():
        s3 = stack.follower.s3
        return f"{bucket}-copy" in [
            b["Name"] for b in s3.list_buckets()["Buckets"]] and [
            o["Key"] for o in s3.list_objects_v2(
                Bucket=f"{bucket}-copy").get("Contents", [])]
    assert wait_until(copied, 30, "it is copied") == ["in/a"]
    page.go(f"#/replications?q={bucket}-copy")
    page.see(f"follower:{bucket}-copy", ".rows")
    for rule in rules(stack, "replications"):
        stack.api(f"/api/v1/replications/{rule['id']}", stack.token,
                  "DELETE")


def test_what_a_rule_would_do_is_told_before(stack, page, bucket):
    page.go(f"#/new?user=alice&bucket={bucket}")
    page.press("follower")
    page.see(f"chorus.json or nginx.conf already replicates {bucket}",
             ".preview")
    page.press("All buckets")
    page.see("all buckets of alice, and those made later", ".preview")
    page.press("Copy what is there already")
    page.see("is not copied until it changes", ".preview")
    page.fill("Another bucket name on the follower", "{nothing}")
    page.press("Create it")
    page.see("nothing", ".error")       # the API's own words
    assert not rules(stack, "replications")


def test_paused_writes_wait_and_then_drain(stack, page, bucket):
    stack.wire().put(bucket, "before", b"x")
    stack.wait_equal(bucket)
    page.go(at(bucket))
    page.press("Pause")
    said = page.confirm("Pause")
    assert f"alice / {bucket} → follower" in said
    page.see("Paused", "main .tag")
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} .\d\d:\d\d "
                        r"\(.+\)$", title) for title in page.js(
        "return [...document.querySelectorAll('time')]"
        ".map((el) => el.title)")), "what is exact is under the pointer"
    for n in range(7):
        stack.wire().put(bucket, f"while-{n}", b"x")
    page.see("Waiting\n7\n", "main")
    page.go(f"#/replications?q={bucket}&state=paused")
    page.found("1")
    page.go(at(bucket))
    page.press("Resume")
    assert "7 keys that wait will be copied" in page.confirm("Resume")
    page.see("Up to date", "main .tag")
    page.see("Waiting\n0\n", "main")
    stack.wait_equal(bucket)


def test_several_are_paused_and_resumed_at_once(stack, page, bucket_name):
    buckets = [bucket_name() for _ in range(3)]
    word = "-".join(buckets[0].split("-")[2:5])
    for name in buckets:
        stack.s3.create_bucket(Bucket=name)
        stack.wire().put(name, "k", b"x")
    for name in buckets:
        stack.wait_idle(name)
    page.go(f"#/replications?q={word}")
    page.found("3")
    for verb, state in (("Pause", "Paused"), ("Resume", "Up to date")):
        if verb == "Pause":
            page.press("Choose all of this page")
        page.press(verb)
        said = page.confirm(verb)
        assert "3 replications?" in said and all(b in said for b in buckets)
        wait_until(lambda: [state in row for row in page.rows()] == [True] * 3,
                   20, lambda: f"{state}: {page.rows()}")
    page.press("Delete")
    page.see("Not deleted here, since a file says so", "dialog")
    assert "None of these can be deleted here" in page.text("dialog")
    page.press("Cancel")


@pytest.mark.parametrize("answer, accepts", [
    ("Main has been mended", False), ("The deletes are right", True)])
def test_what_the_delete_guard_has_paused_asks_what_is_right(
        stack, page, bucket, answer, accepts):
    stack.wire().put(bucket, "k", b"x")
    stack.wait_idle(bucket)
    key = f"chorus:{{alice:{bucket}:follower}}"
    stack.redis.client.hset(key, mapping={
        "guarded_ms": 1, "guarded_reason": "more than 2 deletes"})
    page.go("#/")
    page.see("1 replication is paused by the delete guard.", ".attention")
    page.go(at(bucket))
    page.see("more than 2 deletes", ".banner")
    page.press("Resume")
    page.press(answer)
    assert "more than 2 deletes" in page.confirm("Go on")
    page.see("Up to date", "main .tag")
    assert not stack.redis.client.hexists(key, "guarded_ms")
    assert stack.redis.client.hexists(key, "guard_accepted") == accepts


def test_a_blocked_bucket_is_refused_and_opened_again(stack, page, bucket):
    page.go("#/rules?tab=blocks")
    page.press("New block")
    page.fill("Bucket", bucket)
    page.fill("Clients are told", "moved <b>away</b>")
    page.confirm("Set it")
    page.see("moved <b>away</b>", "table")
    answer = stack.wire().put(bucket, "k", b"x")
    assert answer.status == 503 and b"moved" in answer.body
    page.press(f"Delete {rules(stack, 'blocks')[0]['id']}")
    assert bucket in page.confirm("Delete")
    page.see("None is set.")
    assert stack.wire().put(bucket, "k", b"x").status == 200
    stack.wait_equal(bucket)


def test_a_bucket_is_routed_elsewhere(stack, page, bucket_name):
    bucket = bucket_name("u")
    page.go("#/rules?tab=routes")
    page.press("New route")
    page.fill("Bucket", bucket)
    page.choose("Storage", "archive")
    page.confirm("Set it")
    page.see(bucket, "table")
    stack.s3.create_bucket(Bucket=bucket)
    assert bucket in [b["Name"] for b in
                      stack.follower.s3.list_buckets()["Buckets"]]
    page.press(f"Delete {rules(stack, 'routes')[0]['id']}")
    page.confirm("Delete")
    page.see("None is set.")


def test_a_failed_key_is_found_explained_and_tried_again(stack, page, bucket):
    park(stack, bucket, "k-1")
    page.go("#/")
    page.see("1 key is parked.", ".attention")
    page.go(f"#/failed?q={bucket}")
    page.see("InternalError", ".rows")
    page.press("Explain k-1")
    page.see("parked", ".answer")
    stack.faulty_follower.reset()
    page.go(f"#/failed?q={bucket}")
    page.press("Try k-1 again")
    assert "k-1" in page.confirm("Try again")
    page.see("1 key put back into its queue.")
    stack.wait_equal(bucket)
    page.see("No key is parked.")


def test_a_check_finds_what_differs_and_a_repair_mends_it(stack, page,
                                                          bucket):
    for n in range(5):
        stack.wire().put(bucket, f"k{n}", b"x")
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    stack.follower.s3.put_object(Bucket=bucket, Key="k3", Body=b"other")

    page.go(at(bucket))
    page.press("Begin a scan")
    page.press("Check")
    page.confirm("Begin")
    page.see("found 1 difference", "main", 30)
    page.press("All of it")
    page.see("k3", ".rows")
    page.press("Download the report")
    line, = page.downloaded(f"alice_{bucket}_follower.jsonl")
    assert line["key"] == "k3" and line["what"] == "different"

    page.press("Repair")
    page.press("Repair")                # what kind it is to be
    page.confirm("Begin")
    page.see("Repair: ", "main")
    stack.wait_equal(bucket)
    page.see("done", "main .tag")

    verified = 'td[data-label="Last verified"]'
    page.go(f"#/replications?q={bucket}")
    page.see("never", verified)
    page.press(f"Choose alice / {bucket} → follower")
    page.press("Check")
    page.confirm("Begin")
    page.unsee("never", verified)
    assert page.js("return document.querySelector(arguments[0]).title",
                   f"{verified} time")


def test_a_report_is_collected_whole_and_surplus_deleted(stack, page, bucket):
    for n in range(3):
        stack.wire().put(bucket, f"k{n}", b"x")
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    surplus = [f"only {n} {HOSTILE['quotes']}" for n in range(2)]
    for key in surplus:
        stack.follower.s3.put_object(Bucket=bucket, Key=key, Body=b"x")

    name = f"alice:{bucket}:follower"
    page.go(f"#/scans/{name.replace(':', '%3A')}")
    page.press("Begin a scan")
    page.press("Collect the whole report")
    page.confirm("Begin")
    page.go("#/")                       # it goes on meanwhile
    page.go(f"#/scans/{name.replace(':', '%3A')}")
    page.see("The report is whole: 2 lines", "main", 30)
    kept = json.loads(stack.api(f"/api/v1/scans/{name}/differences",
                                stack.token)[2])
    assert kept["differences"] == [], "the server need not keep them"
    page.press("Download the report")
    assert sorted(line["key"] for line in page.downloaded(
        f"alice_{bucket}_follower.jsonl")) == surplus

    page.press("Repair")
    page.press("Delete what only the follower has")
    page.press("Repair")
    page.confirm("Begin")
    page.see("Repair: ", "main")
    stack.wait_equal(bucket)
    page.see("done", "main .tag")


def test_a_key_is_explained(stack, page, bucket):
    stack.wire().put(bucket, "2024/a b.jpg", b"x" * 3000)
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    page.go("#/explain")
    page.choose("User", "alice")
    page.fill("Bucket", f"s3://{bucket}/2024/a b.jpg")
    page.press("Explain")
    page.see("Both sides have the key, with the same size and ETag.",
             ".answer")
    assert page.js("return document.querySelector('#key').value") \
        == "2024/a b.jpg"
    assert "2.9 KiB" in page.text("main")
    assert "GMT" not in page.text("main")       # in the browser's zone
    assert f"bucket={bucket}" in page.js("return location.hash")


def test_limits_are_changed_while_all_runs(stack, page):
    page.go("#/limits")
    page.press("Change the limits of follower")
    page.fill("Requests a second", "x")
    page.see("A whole number", "dialog")
    page.fill("Requests a second", "250")
    page.fill("Bytes a second", "10MiB")
    assert "at most 250 requests and at most 10 MiB a second" in " ".join(
        page.confirm("Set them").split())
    page.see("250 set here")
    row = next(r for r in json.loads(stack.api(
        "/api/v1/limits", stack.token)[2])["limits"]
        if r["storage"] == "follower")
    assert row["requests_per_second"]["override"] == 250
    assert row["bytes_per_second"]["override"] == 10 * 1024 ** 2
    page.press("Limits of follower as in chorus.json")
    page.confirm("Reset")
    page.unsee("250 set here")
    page.go("#/audit?kind=limits")
    page.see("requests 250 bytes 10485760", ".rows")


def test_mains_buckets_are_listed_with_what_is_done_with_them(stack, page,
                                                              bucket):
    page.go(f"#/buckets?user=alice&q={bucket}")
    page.see("by chorus.json", ".rows")
    page.press(f"Replicate {bucket}")
    page.see("New replication", "h1")
    wait_until(lambda: page.js("return document.querySelector('#bucket')"
                               "?.value") == bucket, 20, "it is filled in")


def test_parked_keys_are_forgotten_one_by_one_and_all(stack, page, bucket):
    park(stack, bucket, "a", "b", "c")
    page.go(f"#/failed?q={bucket}")
    page.press("Forget a")
    assert "a of alice" in " ".join(page.confirm("Forget").split())
    page.see("1 key forgotten.")
    assert set(stack.failed(bucket)) == {"b", "c"}
    page.go(at(bucket))
    page.press("Forget all 2")
    page.confirm("Forget")
    page.see("No key is parked.")
    assert stack.stats(bucket)["failed"] == 0
    stack.faulty_follower.reset()
    for key in "abc":
        stack.wire().delete(bucket, key)
    stack.wait_equal(bucket)


def test_rules_are_deleted_in_bulk_and_what_waits_forgotten(stack, page,
                                                            bucket_name):
    buckets = [bucket_name("u") for _ in range(2)]
    for name in buckets:
        stack.s3.create_bucket(Bucket=name)
    wait_asked(stack)
    for name in buckets:
        status, _, body = stack.api("/api/v1/replications", stack.token,
                                    "POST", {"user": "alice", "bucket": name,
                                             "to": "follower",
                                             "migrate": True})
        assert status == 201, body
    wait_followed(stack)
    for name in buckets:
        stack.wire().put(name, "k", b"x")
        wait_settled(stack, name)
    page.go("#/replications?q=u- rules-are-deleted")
    page.found("2")
    page.press("Choose all of this page")
    page.press("Pause")
    page.confirm("Pause")
    for name in buckets:
        stack.wire().put(name, "more", b"x")
    wait_until(lambda: page.js(
        "return [...document.querySelectorAll('td[data-label=Waiting]')]"
        ".map((el) => el.innerText.trim())") == ["1", "1"], 30,
        lambda: f"they wait: {page.text()} {rules(stack, 'pauses')}")
    page.press("Delete")
    said = page.see("Delete 2 replications?", "dialog")
    assert all(f"alice / {name} → follower" in said for name in buckets), said
    page.press("Also forget what waits")
    assert "2 keys that wait are not copied" in page.confirm("Delete")
    page.see("2 rules deleted. Workers are asked to forget 2 queues")
    assert not rules(stack, "replications")
    page.found("0")                     # both have left
    audit = json.loads(stack.api("/api/v1/audit?kind=queue&count=9",
                                 stack.token)[2])["entries"]
    assert {f"alice:{name}:follower" for name in buckets} <= {
        entry["id"] for entry in audit if entry["action"] == "forget"}
    for rule in rules(stack, "pauses"):
        stack.api(f"/api/v1/pauses/{rule['id']}", stack.token, "DELETE")


def test_the_pages_are_in_the_configuration_that_ships():
    with open(f"{ROOT}/conf/nginx.conf") as f:
        assert "include  chorus_ui.conf;" in f.read()
