"""The modules of the web pages that only reckon, in the browser itself."""

import json

import pytest


@pytest.fixture(scope="module")
def page(the_browser):
    the_browser.zone("Europe/Berlin")
    the_browser.open()
    yield the_browser
    the_browser.zone("UTC")


def call(page, module, function, *args):
    return page.module(f"const m = await import('./js/{module}.js');"
                       f"return m.{function}(...{json.dumps(args)});")


HOUR = 3600 * 1000
DAY = 24 * HOUR
NOON = 1795428000000            # 2026-11-23 10:00:00 UTC

# function: [(arguments, what it gives)]
UNITS = {
    "bytes": [([0], "0 B"), ([1], "1 B"), ([999], "999 B"),
              ([1000], "0.98 KiB"), ([1536], "1.5 KiB"),
              ([1023 * 1024], "1 MiB"), ([10 * 2 ** 20], "10 MiB"),
              ([123456789], "118 MiB"), ([2 ** 60], "1 EiB"),
              ([None], "–")],
    "count": [([0], "0"), ([1234567], "1,234,567"), ([None], "–")],
    "rate": [([None], "–"), ([0], "0/s"), ([0.001], "<0.01/s"),
             ([0.25], "0.25/s"), ([12.34], "12.3/s"), ([1234.5], "1,235/s"),
             ([1536, "bytes"], "1.5 KiB/s")],
    "duration": [([0], "0 ms"), ([999], "999 ms"), ([1000], "1.0 s"),
                 ([8412], "8.4 s"), ([9990], "10 s"), ([59600], "1 min"),
                 ([75000], "1 min 15 s"), ([660 * 1000], "11 min"),
                 ([2 * HOUR], "2 h"), ([2 * HOUR + 60000], "2 h 1 min"),
                 ([DAY + 3 * HOUR], "1 d 3 h"), ([12 * DAY], "12 d"),
                 ([None], "–")],
    "time": [([NOON, NOON + 1000], "11:00:00"),
             ([NOON - 2 * DAY, NOON], "21 Nov, 11:00"),
             ([NOON - 400 * DAY, NOON], "19 Oct 2025, 12:00")],
    "clock": [([NOON], "11:00"), ([NOON - 11 * HOUR], "00:00")],
    "ago": [([NOON, NOON + 900], "now"), ([NOON, NOON - 5000], "now"),
            ([NOON, NOON + 180000], "3 min ago"),
            ([NOON, NOON + 3 * DAY], "3 d ago")],
    "exactly": [([NOON + 7], "2026-11-23 11:00:00.007 +01:00 "
                             "(Europe/Berlin)")],
    "parseBytes": [(["10MiB"], 10 * 2 ** 20), ([" 7 "], 7),
                   (["5 gib"], 5 * 2 ** 30), (["10MB"], None),
                   (["-1"], None), ([""], None)],
    "byteStep": [([0], 1), ([70 * 2 ** 20], 20 * 2 ** 20),
                 ([1023], 500), ([30e6], 10 * 2 ** 20)],
    "timeStep": [([40], 10), ([7 * 60000], 120000), ([HOUR], 1200000),
                 ([30 * DAY], 6 * DAY)],
    "plural": [([1, "key"], "1 key"), ([2, "key"], "2 keys"),
               ([1000, "proxy", "proxies"], "1,000 proxies")],
}


@pytest.mark.parametrize("function", UNITS)
def test_units(page, function):
    got = [call(page, "units", function, *args)
           for args, _ in UNITS[function]]
    assert got == [expected for _, expected in UNITS[function]]


ROUTES = [
    ("", {"parts": [], "query": {}}),
    ("#/", {"parts": [], "query": {}}),
    ("#/audit", {"parts": ["audit"], "query": {}}),
    ("#/replications/a%3Ab%2Fc%253A?tab=x&q=1%202",
     {"parts": ["replications", "a:b/c%3A"],
      "query": {"tab": "x", "q": "1 2"}}),
    ("#/replications/%ff", {"parts": ["replications", "%ff"], "query": {}}),
    ("#/failed?q=a?b", {"parts": ["failed"], "query": {"q": "a?b"}}),
]


@pytest.mark.parametrize("hash_, expected", ROUTES)
def test_places(page, hash_, expected):
    assert call(page, "route", "parse", hash_) == expected
    again = page.module(
        "const m = await import('./js/route.js');"
        f"const r = {json.dumps(expected)};"
        "return m.parse(m.format(r.parts, r.query));")
    assert again == expected


def test_pages_by_address(page):
    found = page.module("""
        const { pageOf } = await import('./js/pages/pages.js');
        return [[], ['audit'], ['replications', 'x'], ['constructor'],
                ['audit', 'x'], ['replications', 'x', 'y'], ['__proto__']]
            .map((parts) => { const t = pageOf(parts).title;
                return typeof t === 'string' ? t : 'named'; });
    """)
    none = "There is no such page"
    assert found == ["Overview", "Audit", "named", none, none, none, none]


TABLE = """
    const m = await import('./js/table.js');
    const rows = [{ n: 'b10', v: 3 }, { n: 'b9', v: null }, { n: 'a', v: 10 },
                  { n: 'C', v: 3 }];
    const names = (list) => list.map((row) => row.n).join(' ');
"""
TABLES = {
    "numbers upwards, what has none last":
        ("names(m.sort(rows, (r) => r.v, false))", "b10 C a b9"),
    "and downwards": ("names(m.sort(rows, (r) => r.v, true))", "a b10 C b9"),
    "names as a person counts":
        ("names(m.sort(rows, (r) => r.n, false))", "a b9 b10 C"),
    "those that are equal by something else":
        ("names(m.sort(rows, () => 1, true, (r) => r.n))", "a b9 b10 C"),
    "each word is searched for":
        ("names(m.search(rows, ' B 1 ', (r) => r.n))", "b10"),
    "no word finds all": ("m.search(rows, '  ', (r) => r.n).length", 4),
    "a page": ("names(m.page(rows, 2, 3).rows)", "C"),
    "a page that is too high is the last one": ("m.page(rows, 9, 3).page", 2),
    "no rows are one page": ("m.page([], 1, 50).pages", 1),
}


@pytest.mark.parametrize("what", TABLES)
def test_tables(page, what):
    code, expected = TABLES[what]
    assert page.module(f"{TABLE} return {code};") == expected


def test_panels_of_whatever_title_have_ids_of_their_own(page):
    assert page.module("""
        const { panel } = await import('./js/parts.js');
        const titles = ['On f1', 'On f2', 'On f-1', 'On F1', 'On f_1'];
        return new Set(titles.map((one) => panel(one).key)).size;
    """) == 5


def test_a_name_that_turns_letters_around_keeps_to_itself(page):
    row = {"user": "alice", "bucket": "\u202egpj", "follower": "f"}
    assert call(page, "words", "titleOf", row) \
        == "alice / \u2068\u202egpj\u2069 → f"
    assert call(page, "words", "titleOf", dict(row, bucket="b")) \
        == "alice / b → f"


WORDS = {
    "guarded before all": ({"guard": {"reason": "many"}, "failed": 3},
                           "guarded"),
    "held": ({"held": {"code": "AccessDenied", "reason": "x"}}, "held"),
    "parked before paused": ({"failed": 1, "state": "paused"}, "parked"),
    "paused": ({"state": "paused", "dirty": 7}, "paused"),
    "migrating": ({"scan": {"phase": "copying", "kind": "migrate"},
                   "bulk": 3}, "migrating"),
    "a check is no migration": ({"scan": {"phase": "listing",
                                          "kind": "check"}}, "calm"),
    "owes": ({"debt": {"reason": "overflow"}}, "owes"),
    "copying": ({"dirty": 1}, "copying"),
    "retrying": ({"retry": 1, "dirty": 1}, "retrying"),
    "calm": ({}, "calm"),
}
ROW = {"state": "active", "guard": None, "held": None, "failed": 0,
       "debt": None, "scan": None, "dirty": 0, "bulk": 0, "busy": 0,
       "again": 0, "retry": 0, "parked_for": None}


@pytest.mark.parametrize("what", WORDS)
def test_the_state_of_a_replication(page, what):
    more, expected = WORDS[what]
    assert call(page, "words", "stateOf", dict(ROW, **more))["id"] == expected


SCAN = {"copied": 2, "deleted": 1, "unchanged": 0, "failed": 1, "waiting": 4,
        "main": 25, "remaining": 75}
PROGRESS = [
    (dict(SCAN, phase="done"), 1), (dict(SCAN, phase="copying"), 0.5),
    (dict(SCAN, phase="listing"), 0.25),
    (dict(SCAN, phase="listing", remaining=None), None),
    (dict(SCAN, phase="stopped"), None),
]


@pytest.mark.parametrize("scan, expected", PROGRESS)
def test_how_far_a_scan_is(page, scan, expected):
    assert call(page, "words", "progressOf", scan) == expected


AUDIT = [
    ({"before": None, "after": {"id": "x", "kind": "block", "since": 1,
                                "version": 1, "rule": {"bucket": "b",
                                                       "reads": True}}},
     "bucket: b; reads: true"),
    ({"before": {"rule": {"to": ["a"], "user": "u"}, "version": 1},
      "after": {"rule": {"to": ["a", "b"], "user": "u"}, "version": 2}},
     "to: a → a, b"),
    ({"kind": "scan", "before": ["check", "quick", "0", "0"], "after": 7},
     "check quick"),
    ({"before": None, "after": {"paused": False, "migrate": True,
                                "rule": {"user": "u"}}},
     "migrate: true; user: u"),
    ({"before": {"paused": False}, "after": {"paused": True}},
     "paused: false → true"),
    ({"before": ["check", "quick"], "after": 7}, "check quick → 7"),
    ({"before": None, "after": None}, ""),
]


@pytest.mark.parametrize("entry, expected", AUDIT)
def test_what_was_changed_in_words(page, entry, expected):
    assert call(page, "pages/audit", "wordsOf", entry) == expected


HISTORY = [
    ([], []), ([[0, 5, 100, 0, 0]], [(None, None)]),
    ([[0, 0, 0, 0, 0], [10000, 20, 1000, 5, 1]], [(None, None), (2, 100)]),
    ([[0, 9, 9, 0, 0], [10000, 1, 1, 0, 0], [20000, 11, 1, 0, 0]],
     [(None, None), (None, None), (1, 0)]),
]


@pytest.mark.parametrize("samples, expected", HISTORY)
def test_rates_of_the_last_hour(page, samples, expected):
    assert [(one["keys"], one["bytes"]) for one in
            call(page, "history", "ratesOf", samples)] == expected


NAMES = ["a", "b.c", "d|e", "back\\slash", "\u05e9'\")("]


def test_a_list_of_buckets_in_a_pattern(page):
    found = page.module(f"""
        const m = await import('./js/lists.js');
        const names = {json.dumps(NAMES)};
        const many = [...Array(999).keys()].map((n) => `bucket-${{n}}`);
        const [one] = m.listsOf(names);
        const re = new RegExp(one.slice(1).replace('\\\\z', '$'));
        return [[...m.listOf(one)], names.every((n) => re.test(n)),
                re.test('bxc'), m.listsOf(many).length > 1,
                m.listsOf(many).flatMap((l) => [...m.listOf(l)]).length,
                m.listOf('~^(?:a.*|b)\\\\z'), m.listOf('~^a$'),
                m.listOf('*')];
    """)
    assert found == [NAMES, True, False, True, 999, None, None, None]


SPLIT = [("s3://b/k/x y", {"bucket": "b", "key": "k/x y"}),
         ("b/k", {"bucket": "b", "key": "k"}), (" b ", {"bucket": "b"}),
         ("s3://b/", {"bucket": "b", "key": ""})]


@pytest.mark.parametrize("text, expected", SPLIT)
def test_a_key_in_one_field(page, text, expected):
    assert call(page, "pages/explain", "split", text) == expected


DOM = """
    const { h, render } = await import('./js/dom.js');
    const root = document.createElement('div');
    const keys = () => [...root.children].map((el) => el.textContent).join('');
    const list = (text) => [...text].map((c) => h('p', { key: c }, c));
"""
DOMS = {
    "markup is text": (
        "render(root, h('p', null, '<b>x</b>'));"
        "return root.innerHTML", "<p>&lt;b&gt;x&lt;/b&gt;</p>"),
    "elements stay with their keys": (
        "render(root, list('abc')); const b = root.children[1];"
        "render(root, list('cba')); const ok = root.children[1] === b;"
        "render(root, list('xb')); return [ok, root.children[1] === b, keys()]",
        [True, True, "xb"]),
    "only what differs is touched": (
        "render(root, h('p', { title: 'a' }, 'x ', h('b', null, '1')));"
        "let n = 0; const o = new MutationObserver((l) => { n += l.length; });"
        "o.observe(root, { subtree: true, childList: true, attributes: true,"
        " characterData: true });"
        "render(root, h('p', { title: 'a' }, 'x ', h('b', null, '2')));"
        "n += o.takeRecords().length; return n", 1),
    "no script in a link": (
        "try { render(root, h('a', { href: 'javascript:1' }, 'x'));"
        "return 'made' } catch (e) { return e.message }",
        "a link that leaves the page"),
    "no handler as an attribute": (
        "try { render(root, h('a', { style: 'x' }, 'x'));"
        "return 'made' } catch (e) { return e.message }",
        "no such attribute here: style"),
    "an empty option has its value": (
        "render(root, h('select', { value: '' },"
        " h('option', { value: 'a' }, 'A'), h('option', { value: '' }, 'all')"
        ")); return [root.firstChild.value, root.firstChild.selectedIndex]",
        ["", 1]),
    "a listener is replaced, not added": (
        "let n = 0; const at = (k) => h('button', { onclick() { n += k; } });"
        "render(root, at(1)); render(root, at(10));"
        "root.firstChild.click(); return n", 10),
}


@pytest.mark.parametrize("what", DOMS)
def test_what_is_drawn(page, what):
    code, expected = DOMS[what]
    assert page.module(f"{DOM} {code};") == expected
