"""The web pages when something is not as it should be: the API or Redis away,
answers that make no sense, names that mean harm, and very many of them."""

import json

import pytest

from process import wait_until
from ui import HOSTILE, add_rows, at, park, rules

pytestmark = pytest.mark.usefixtures("ui_worker")


# ---- away ----


def test_the_api_may_be_restarted_underneath(stack, page, bucket):
    stack.wire().put(bucket, "k", b"x")
    stack.wait_idle(bucket)
    page.go("#/replications")
    page.see(bucket, ".rows")
    page.fill("Search replications", bucket)
    page.found("1")
    page.js("window.same = document.querySelector('input[type=search]')")
    stack.nginx.stop()
    page.see("The API does not answer.", ".banner")
    assert bucket in page.text(".rows"), "what was known stays"
    stack.nginx.start()
    wait_until(lambda: page.js("return !document.querySelector('.banner')"),
               30, "it is back")
    assert page.js("return window.same === document.activeElement"
                   " && window.same.value") == bucket


def test_a_page_that_could_not_ask_asks_when_the_api_is_back(stack, page):
    stack.nginx.stop()
    page.see("The API does not answer.", ".banner")
    page.go("#/new")
    page.see("The API cannot be reached.", ".problem")
    stack.nginx.start()
    page.see("One bucket", ".form", 30)


def test_redis_may_be_away(stack, page):
    page.see("Lag", ".tiles")
    stack.redis.stop()
    try:
        page.see("Redis cannot be reached.", ".banner")
        page.see("nothing is replicated", ".attention")
    finally:
        stack.redis.start()
    wait_until(lambda: page.js("return !document.querySelector('.banner')"),
               30, "it is back")


def test_no_worker_is_told(stack, page):
    stack.stop_workers()
    page.see("No worker runs: nothing is replicated.", ".attention", 30)


# what is shown of each place while it cannot be known
UNKNOWN = {
    "#/": "Redis cannot be reached.",
    "#/replications": "Nothing is known of them while Redis is away.",
    "#/replications/{}": "Nothing is known of it while Redis is away.",
    "#/scans/{}": "Nothing is known of it while Redis is away.",
    "#/new": "Try again", "#/failed": "Redis",
}


def test_pages_loaded_while_redis_is_away_say_so(stack, page, bucket):
    stack.wire().put(bucket, "k", b"x")
    stack.wait_idle(bucket)
    stack.redis.stop()
    try:
        for place, seen in UNKNOWN.items():
            page.go(place.format(f"alice%3A{bucket}%3Afollower"))
            page.driver.refresh()
            page.see("Redis cannot be reached.", ".banner")
            page.see(seen, "main")
            page.unsee("Asking", "main")
            assert "Log out" in page.text(), "nobody is asked for a token"
    finally:
        stack.redis.start()
    page.go(at(bucket))
    page.see("Up to date", "main", 30)
    assert page.js("return !document.querySelector('.banner')")


# ---- answers ----

# what the page is given instead of what the API says, until the next one
ANSWER = """
    const [body] = arguments;
    window.fetched = window.fetched || window.fetch;
    window.fetch = body === null ? window.fetched
        : async () => new Response(body, { status: 200 });
"""
NO_ANSWERS = [("<html>a proxy</html>", "What answers is not the API"),
              ("", "What answers is not the API"),
              ("null", "What answers is not the API"),
              ("{}", "Its answer is not understood"),
              ('{"token": null, "queue": []}', "Its answer is not understood")]


def test_an_answer_that_makes_no_sense_is_told_and_gone_past(stack, page):
    for body, said in NO_ANSWERS:
        page.js(ANSWER, body)
        page.see(said, ".banner")
    page.js(ANSWER, None)
    wait_until(lambda: page.js("return !document.querySelector('.banner')"),
               30, "it asks on")
    page.see("Lag", ".tiles")
    assert page.errors(), "the browser's console says more"


# ---- names, and many ----


def test_hostile_names_are_only_text(stack, page):
    undo = add_rows(stack, {f"zoe:{i}:gone": name for i, name in
                            enumerate(HOSTILE.values())})
    try:
        page.go("#/replications?user=zoe")
        page.found("5")
        names = page.js("return [...document.querySelectorAll('.rows .name')]"
                        ".map((el) => el.textContent)")
        assert set(HOSTILE.values()) <= set(names)
        assert page.js("return document.querySelectorAll("
                       "'.rows img, .rows script, .rows b').length") == 0
        assert page.js("return document.documentElement.scrollWidth"
                       " <= innerWidth")
        page.press("Choose all of this page")
        page.press("Pause")
        page.see("<img src=x", "dialog")
        page.press("Cancel")
        for i in range(len(HOSTILE)):
            page.go(f"#/replications/zoe%3A{i}%3Agone")
            page.see(page.text("h1") and "zoe / ", "h1")
            assert page.js("return document.documentElement.scrollWidth"
                           " <= innerWidth")
        assert page.js("return typeof window.hacked") == "undefined"
    finally:
        undo()


def test_a_hostile_key_can_be_tried_again(stack, page, bucket):
    """Also one that is no text: it is named by its bytes."""
    keys = [HOSTILE["markup"], HOSTILE["right-to-left"], "plus+and %41"]
    park(stack, bucket, *keys)
    page.go(f"#/failed?q={bucket}")
    page.found("3")
    stack.faulty_follower.reset()
    for key in keys:
        page.press(f"Try {key.strip()} again")
        page.confirm("Try again")
        wait_until(lambda: key not in page.text(".list"), 30, "it is gone")
    stack.wait_equal(bucket)
    assert page.js("return typeof window.hacked") == "undefined"


def test_two_thousand_replications(stack, page):
    undo = add_rows(stack, {f"zoe:many-{n:04}:gone": f"many-{n:04}"
                            for n in range(2000)})
    try:
        page.go("#/replications?user=zoe&sort=bucket.up")
        page.found("2,000")
        assert len(page.rows()) == 50 and "many-0000" in page.rows()[0]
        page.press("Next page")
        page.see("51–100 of 2,000")
        assert "many-0050" in page.rows()[0]
        page.press("Bucket")
        page.see("many-1999", ".rows")
        assert "many-1999" in page.rows()[0]
        page.fill("Search replications", "many-199 paused")
        page.found("10")
        assert len(page.rows()) == 10
        # a stroke of a key is not to wait for all of them
        took = page.js("""
            const at = performance.now();
            const el = document.querySelector('input[type=search]');
            el.value = 'many';
            el.dispatchEvent(new Event('input'));
            return new Promise((done) => requestAnimationFrame(() =>
                setTimeout(() => done(performance.now() - at))));
        """)
        assert took < 2000, took
    finally:
        undo()


def test_more_are_paused_than_there_may_be_rules(stack, page):
    undo = add_rows(stack, {f"alice:r-lot-{n}:follower": f"r-lot-{n}.x"
                            for n in range(1100)}, "alice", "follower")
    try:
        page.go("#/replications?q=r-lot-")
        page.found("1,100")
        page.press("Choose all of this page")
        page.press("Choose all 1,100")
        page.press("Pause")
        assert "lists of buckets" in page.confirm("Pause")
        lists = rules(stack, "pauses")
        assert 1 < len(lists) < 40
        says = [json.loads(stack.api(f"/api/v1/resolve?user=alice&bucket={b}",
                                     stack.token)[2])["replications"]
                for b in ("r-lot-0.x", "r-lot-1099.x", "r-lot-1x")]
        assert [any(one["paused"] for one in said) for said in says] \
            == [True, True, False]

        page.go("#/replications?q=r-lot-1099")
        page.found("1")
        page.press("Choose all of this page")
        page.press("Resume")
        assert "taken out of the pause" in page.confirm("Resume")
        page.go("#/replications?q=r-lot-")
        page.found("1,100")
        assert not json.loads(stack.api(
            "/api/v1/resolve?user=alice&bucket=r-lot-1099.x",
            stack.token)[2])["replications"][0]["paused"]
        page.press("Choose all of this page")
        page.press("Choose all 1,100")
        page.press("Resume")
        page.confirm("Resume")
        wait_until(lambda: not rules(stack, "pauses"), 30,
                   lambda: f"they are gone: {page.text()[:2000]} "
                           f"{str(rules(stack, 'pauses'))[:2000]}")
    finally:
        for rule in rules(stack, "pauses"):
            stack.api(f"/api/v1/pauses/{rule['id']}", stack.token, "DELETE")
        undo()


def test_a_process_that_does_not_take_a_rule_is_named(stack, page, bucket):
    """What was asked for is set, and the page says where it is not in force."""
    client = stack.redis.client
    stack.wire().put(bucket, "k", b"x")
    stack.wait_idle(bucket)
    client.hset("chorus:policy:readers", "elsewhere:7", "worker 0 0 0 - ")
    client.zadd("chorus:policy:alive", {"elsewhere:7": 1 << 48})
    try:
        page.go(at(bucket))
        page.press("Pause")
        page.confirm("Pause")
        page.see("Paused: alice", "#said")
        assert "worker elsewhere:7 did not take it within 10 seconds" \
            in page.text("#said")
        assert len(rules(stack, "pauses")) == 1
    finally:
        client.zrem("chorus:policy:alive", "elsewhere:7")
        client.hdel("chorus:policy:readers", "elsewhere:7")
        for rule in rules(stack, "pauses"):
            stack.api(f"/api/v1/pauses/{rule['id']}", stack.token, "DELETE")
