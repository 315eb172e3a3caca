"""The web pages for everybody: rules of access that a program can check, on
every page, light and dark, wide and narrow; with the keyboard alone; and the
screenshots (CHORUS_UI_SHOTS) that a person is to look at."""

import json
import os

import pytest
from selenium.webdriver.common.keys import Keys

from fault import INTERNAL
from process import wait_until
from ui import HOSTILE, add_rows, at

SHOTS = os.environ.get("CHORUS_UI_SHOTS")
SIZES = {"wide": (1280, 860), "narrow": (390, 844)}
SCHEMES = ("light", "dark")

with open(os.path.join(os.path.dirname(__file__), "access.js")) as f:
    RULES = f.read()

# where, and what is seen when all is there; {}: a bucket with some trouble
PAGES = {
    "overview": ("#/", "Workers"),
    "replications": ("#/replications?sort=state.up", "Parked keys"),
    "replication": (at("{}"), "InternalError"),
    "new": ("#/new?user=alice&bucket={}", "Main has"),
    "buckets": ("#/buckets?user=alice", "by chorus.json"),
    "rules": ("#/rules", "films"),
    "routes": ("#/rules?tab=routes", "archive"),
    "blocks": ("#/rules?tab=blocks", "moved away"),
    "limits": ("#/limits", "Provider"),
    "scans": ("#/scans", "The scan of each"),
    "scan": ("#/scans/alice%3A{}%3Afollower", "k-3"),
    "failed": ("#/failed", "InternalError"),
    "explain": ("#/explain?user=alice&bucket={}&key=k-1", "In the queue"),
    "audit": ("#/audit", "block: create"),
}

# where, and its heading
PLACES = [("#/", "Overview"), ("#/replications", "Replications"),
          ("#/replications/{}", "alice / {} → follower"),
          ("#/new", "New replication"), ("#/buckets", "Buckets"),
          ("#/rules?tab=blocks", "Rules and routes"),
          ("#/limits", "Storages and limits"),
          ("#/scans", "Migrations and checks"),
          ("#/scans/{}", "Scan of alice / {} → follower"),
          ("#/failed", "Failed keys"), ("#/explain", "Explain a key"),
          ("#/audit?kind=limits", "Audit")]


RULES_SET = [
    ("replications", {"user": "bob", "bucket": "films", "to": "follower"}),
    ("routes", {"user": "bob", "bucket": "old", "storage": "archive"}),
    ("blocks", {"user": "*", "bucket": "~^gone-", "reason": "moved away"}),
]


@pytest.fixture(scope="module")
def trouble(the_stack):
    """One of everything: what is parked, paused, checked and set."""
    stack = the_stack
    bucket = "r-ui-trouble"
    stack.s3.create_bucket(Bucket=bucket)
    for n in range(5):
        stack.wire().put(bucket, f"k-{n}", b"x" * 4000)
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    stack.follower.s3.put_object(Bucket=bucket, Key="k-3", Body=b"other")
    stack.use_worker(follower=stack.faulty_follower.url, max_attempts=1,
                     scans=2, discover_seconds=1)
    stack.redis.pay_all()
    wait_until(lambda: stack.api(
        f"/api/v1/scans/alice:{bucket}:follower", stack.token, "POST",
        {"kind": "check"})[0] == 200, 30, "a check begins")
    wait_until(lambda: stack.redis.call(
        "scan_differences", 1, f"chorus:{{alice:{bucket}:follower}}", 0, 9
    ).count(b"k-3"), 30, "and finds a difference")
    stack.faulty_follower.inject(
        when=lambda method, target: method == "PUT" and bucket in target,
        answer=INTERNAL, times=None)
    for key in ("k-1", HOSTILE["markup"]):
        stack.wire().put(bucket, key, b"y")
    made = [(kind, json.loads(stack.api(
        f"/api/v1/{kind}", stack.token, "POST", rule)[2])["rule"]["id"])
        for kind, rule in RULES_SET]
    undo = add_rows(stack, {"zoe:paused:gone": "paused"})
    wait_until(lambda: stack.stats(bucket)["failed"] == 2, 30, "parked")
    yield bucket
    undo()
    for kind, number in made:
        stack.api(f"/api/v1/{kind}/{number}", stack.token, "DELETE")
    stack.faulty_follower.reset()
    stack.api(f"/api/v1/retry?replication=alice:{bucket}:follower",
              stack.token, "POST")
    stack.s3.delete_objects(Bucket=bucket, Delete={"Objects": [
        {"Key": key} for key in ("k-1", HOSTILE["markup"])]})
    stack.use_worker()
    stack.wait_idle(bucket)


@pytest.fixture(scope="module")
def page(the_stack, trouble, the_browser):
    the_browser.scheme("light")
    the_browser.open(token=the_stack.token)
    the_browser.see("Log out")
    yield the_browser
    the_browser.scheme("light")
    the_browser.resize(*SIZES["wide"])


def shoot(page, name):
    if SHOTS:
        os.makedirs(SHOTS, exist_ok=True)
        page.shoot(f"{SHOTS}/{name}.png")


def keeps(page, name):
    """In each of the four ways that a page can look."""
    broken = []
    for size, box in SIZES.items():
        page.resize(*box)
        for scheme in SCHEMES:
            page.scheme(scheme)
            broken += [f"{size}, {scheme}: {line}" for line in page.js(RULES)]
            shoot(page, f"{name}-{size}-{scheme}")
    page.resize(*SIZES["wide"])
    page.scheme("light")
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_keeps_the_rules(page, trouble, name):
    place, seen = PAGES[name]
    page.go(place.format(trouble))
    page.see(seen, "main", 30)
    if SHOTS:                   # figures that take a moment
        page.unsee("Asking", "main")
    keeps(page, name)


# In every text that the API says, but for what leads from one to another
SPOILT = """
    const KEPT = ['cursor', 'next', 'replication'];
    const more = '<img src=x onerror=hacked=1><b>"\\u202e';
    const spoil = (value, name) => typeof value === 'string'
        ? (KEPT.includes(name) ? value : value + more)
        : Array.isArray(value) ? value.map((one) => spoil(one))
        : value === null || typeof value !== 'object' ? value
        : Object.fromEntries(Object.entries(value).map(
            ([key, one]) => [key, spoil(one, key)]));
    const real = window.fetch;
    window.fetch = async (...args) => {
        const answer = await real(...args);
        return new Response(JSON.stringify(spoil(await answer.json())),
                            { status: answer.status });
    };
"""


def test_markup_in_whatever_the_api_says_is_text(page, the_stack, trouble):
    page.open(token=the_stack.token)
    page.see("Log out")
    page.errors()
    page.js(SPOILT)
    try:
        for place, _ in PAGES.values():
            page.go(place.format(trouble))
            page.see("<img src=x", "main", 30)
            assert page.js("return document.querySelectorAll("
                           "'img, script:not([src]), b').length") == 0, place
            assert page.js("return typeof window.hacked") == "undefined"
            assert not page.text(".said.bad"), place
        assert not [e for e in page.errors() if "Error:" in e]
    finally:
        page.open(token=the_stack.token)


def test_the_door_keeps_the_rules(the_browser):
    the_browser.open()
    the_browser.login("wrong" * 5)
    the_browser.see("does not know this token")
    keeps(the_browser, "login")


def test_a_dialog_keeps_the_rules_and_the_focus(page, the_stack, trouble):
    page.open(at(trouble), token=the_stack.token)
    page.see("InternalError", "main")
    page.press("Begin a scan")
    keeps(page, "dialog")
    for _ in range(12):
        page.key(Keys.TAB)
        assert page.js("return document.activeElement === document.body"
                       " || Boolean(document.activeElement"
                       ".closest('dialog'))"), page.focused()
    page.key(Keys.ESCAPE)
    wait_until(lambda: not page.text("dialog"), 20, "it closes")
    assert page.focused() == "Begin a scan", "the focus comes back"


def test_a_dialog_of_many_keeps_the_rules(page, trouble):
    page.go("#/replications")
    page.see(trouble, ".rows")
    page.press("Choose all of this page")
    page.press("Delete")
    page.see("which only its owner can change", "dialog")
    keeps(page, "delete")
    page.press("Cancel")
    page.go("#/")


def test_all_can_be_reached_with_the_keyboard(page):
    page.go("#/replications")
    page.see("Bucket", ".rows")
    assert page.focused() == "Replications", "the heading is read first"
    page.js("document.querySelector('.skip').focus()")
    order = page.js("""
        return [...document.querySelectorAll('a[href], button, input, select')]
            .filter((el) => !el.disabled && el.getClientRects().length)
            .length;
    """)
    seen = []
    for _ in range(min(order - 1, 45)):
        page.key(Keys.TAB)
        seen.append(page.js("""
            const el = document.activeElement;
            const box = el.getBoundingClientRect();
            const all = [...document.querySelectorAll('*')];
            return [all.indexOf(el), getComputedStyle(el).outlineStyle,
                    box.width > 0 && box.bottom > 0
                    && box.top < innerHeight, el.outerHTML.slice(0, 80)];
        """))
    places = [place for place, *_ in seen]
    assert places == sorted(places) and len(set(places)) == len(places)
    assert [s for s in seen if s[1] == "none" or not s[2]] == []


def test_the_skip_link_leads_past_the_places(page):
    page.go("#/")
    page.see("Workers")
    page.js("document.querySelector('.skip').focus()")
    page.key(Keys.ENTER)
    assert page.js("return document.activeElement.id") == "main"


def test_colours_can_be_chosen_and_are_kept(page, the_stack):
    page.scheme("dark")
    dark = page.js("return getComputedStyle(document.body.parentElement)"
                   ".backgroundColor")
    page.press("Colours: as the system")
    assert page.js("return getComputedStyle(document.body.parentElement)"
                   ".backgroundColor") != dark
    page.driver.refresh()
    page.see("Colours: light")
    page.press("Colours: light")
    page.press("Colours: dark")
    page.see("Colours: as the system")
    page.scheme("light")


def test_live_figures_take_away_neither_focus_nor_nodes(page, the_stack,
                                                        trouble):
    page.go("#/replications")
    page.see(trouble, ".rows")
    page.js("""
        window.row = document.querySelector('.rows tbody tr');
        window.added = 0;
        window.box = row.querySelector('input');
        box.focus();
        new MutationObserver((list) => list.forEach((one) => {
            window.added += one.addedNodes.length;
        })).observe(document.querySelector('main'),
                    { childList: true, subtree: true });
        window.at = performance.now();
    """)
    asked = page.js("return performance.getEntriesByType('resource').length")
    wait_until(lambda: page.js("return performance.getEntriesByType("
                               "'resource').length") > asked + 3, 30,
               "it has asked again")
    assert page.js("return document.activeElement === box"
                   " && row.isConnected")
    assert page.js("return added") < 5


def test_each_page_has_a_link_and_back_leads_through_them(page, trouble):
    def is_at(place, heading):
        wait_until(lambda: (page.js("return location.hash"),
                            page.text("h1")) == (place, heading), 20,
                   lambda: f"{place}, {heading}: {page.text('h1')}")
        assert "Log out" in page.text(), "nobody is asked for a token"

    places = [(place.format(f"alice%3A{trouble}%3Afollower"),
               heading.format(trouble)) for place, heading in PLACES]
    for place, heading in places:
        page.driver.get(page.url + place)
        is_at(place, heading)
        page.driver.refresh()
        is_at(place, heading)
    for place, heading in reversed(places[:-1]):
        page.driver.back()
        is_at(place, heading)
