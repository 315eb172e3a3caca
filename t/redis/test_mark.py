"""Marks: where a key goes, what is coalesced, and who is woken."""

import pytest

from conftest import ACL, CONTENT, EVERYTHING, R1, TAGS, near

HOUR = 3600000


def put_in(q, place):
    """Bring key b"k" into a place; its first change is an hour old."""
    if place == 'nowhere':
        return
    source = 'scan' if place.endswith('bulk') else 'event'
    q.mark('k', source=source, age=HOUR)
    if place in ('dirty', 'bulk'):
        return
    claimed = q.claim_one()
    if place.startswith('retry'):
        q.fail(claimed, delay=HOUR)
    elif place.startswith('failed'):
        q.fail(claimed, delay=-1)


# place, mark's source, mark's age -> place, age of the first change, queued
MARKS = [
    ('nowhere', 'event', 1000, 'dirty', 1000, 1),
    ('nowhere', 'scan', 1000, 'bulk', 1000, 1),
    ('dirty', 'event', 1000, 'dirty', HOUR, 0),
    ('dirty', 'event', 2 * HOUR, 'dirty', 2 * HOUR, 0),
    ('dirty', 'scan', 2 * HOUR, 'dirty', HOUR, 0),
    ('bulk', 'event', 1000, 'dirty', 1000, 0),
    ('bulk', 'event', 2 * HOUR, 'dirty', 2 * HOUR, 0),
    ('bulk', 'scan', 1000, 'bulk', HOUR, 0),
    ('bulk', 'scan', 2 * HOUR, 'bulk', 2 * HOUR, 0),
    ('busy', 'event', 1000, 'busy', HOUR, 1),
    ('busy', 'scan', 1000, 'busy', HOUR, 1),
    ('busy of bulk', 'event', 1000, 'busy', HOUR, 1),
    ('retry', 'event', 1000, 'retry', HOUR, 0),
    ('retry', 'event', 2 * HOUR, 'retry', 2 * HOUR, 0),
    ('retry', 'scan', 2 * HOUR, 'retry', HOUR, 0),
    ('retry of bulk', 'event', 1000, 'retry', 1000, 0),
    ('retry of bulk', 'scan', 2 * HOUR, 'retry', 2 * HOUR, 0),
    ('failed', 'event', 1000, 'dirty', HOUR, 1),
    ('failed', 'scan', 1000, 'dirty', HOUR, 1),
    ('failed of bulk', 'event', 1000, 'dirty', 1000, 1),
    ('failed of bulk', 'scan', 1000, 'bulk', HOUR, 1),
]


@pytest.mark.parametrize('place,source,age,to,first,queued', MARKS)
def test_a_mark_meets_a_key(q, place, source, age, to, first, queued):
    put_in(q, place)
    assert q.mark('k', source=source, age=age) == queued
    assert q.places() == {b'k': to}
    assert near(q.age_of('k'), first)


def test_a_thousand_marks_of_one_key_are_one_sync(q):
    assert sum(q.mark('k', age=i) for i in range(500)) == 1
    assert q.mark(*['k'] * 500) == 0
    claimed = q.claim(10)
    assert [c.key for c in claimed] == [b'k']
    q.done(claimed[0])
    assert q.claim(10) == []
    assert q.places() == {}


def test_a_thousand_marks_wake_the_workers_once(q, wakes):
    for i in range(10):
        q.mark(*['key-%d-%d' % (i, n) for n in range(100)])
    assert wakes() == [R1]


def test_workers_are_woken_again_when_the_queue_was_emptied(q, wakes):
    q.mark('a')
    claimed = q.claim_one()
    assert wakes() == [R1]

    q.mark('b')
    assert wakes() == [R1]

    q.mark('a')                     # busy: nothing to claim yet
    assert wakes() == []
    q.claim_one()
    q.done(claimed)                 # now there is
    assert wakes() == [R1]


def test_one_call_takes_twenty_thousand_marks(q):
    keys = ['key-%d' % n for n in range(20000)]
    assert q.mark(*keys) == len(keys)
    assert q.stats()['dirty'] == len(keys)


@pytest.mark.parametrize('first,second,expected', [
    (TAGS, ACL, TAGS | ACL),
    (TAGS, CONTENT | ACL, EVERYTHING),
    (0, TAGS, EVERYTHING),
    (TAGS, 0, EVERYTHING),
    (EVERYTHING, TAGS, EVERYTHING),
    (TAGS, TAGS, TAGS),
])
@pytest.mark.parametrize('sources', [
    ('event', 'event'), ('event', 'scan'), ('scan', 'event'),
    ('scan', 'scan')])
def test_facets_of_marks_add_up(q, first, second, expected, sources):
    q.mark('k', facets=first, source=sources[0])
    q.mark('k', facets=second, source=sources[1])
    if sources[0] != sources[1]:
        expected = EVERYTHING           # see below
    assert q.claim_one().facets == expected


def test_a_key_that_needs_everything_costs_no_facets_entry(q, client):
    q.mark('k', facets=TAGS)
    assert client.hlen(q.hash(R1) + ':facets') == 1
    q.mark('k')
    assert client.hlen(q.hash(R1) + ':facets') == 0


def test_facets_marked_while_busy_are_those_of_the_next_sync(q):
    q.mark('k', facets=CONTENT)
    claimed = q.claim_one()
    q.mark('k', facets=TAGS)
    q.mark('k', facets=ACL)
    q.done(claimed)
    assert q.claim_one().facets == TAGS | ACL


def test_facets_of_a_failed_attempt_are_merged_with_later_ones(q):
    q.mark('k', facets=CONTENT)
    claimed = q.claim_one()
    q.mark('k', facets=TAGS)
    q.fail(claimed, delay=0)
    assert q.claim_one().facets == CONTENT | TAGS


def test_the_first_mark_makes_the_replication(q, client):
    r = 'al%3Aice:b%7Bu%7D:f1:other'
    q.mark('k', r=r)
    h = client.hgetall(q.hash(r))
    assert (h[b'user'], h[b'bucket'], h[b'follower'], h[b'target']) == \
        (b'al:ice', b'b{u}', b'f1', b'other')
    assert h[b'state'] == b'active'
    assert q.replications() == [r]


def test_without_a_target_the_bucket_is_the_target(q):
    q.mark('k')
    assert q.stats()['target'] == 'photos'


def test_the_bucket_itself_is_the_empty_key(q):
    assert q.mark('') == 1
    assert q.claim_one().key == b''


# ---- events about what a scan has found ----

def scanned(q):
    q.mark('k', source='scan', facets=TAGS | ACL)


def scanned_and_tried(q):
    scanned(q)
    q.fail(q.claim_one(), delay=60000)


def scanned_and_parked(q):
    scanned(q)
    q.fail(q.claim_one(), delay=-1)


def scanned_and_touched_while_busy(q):
    scanned(q)
    claimed = q.claim_one()
    q.mark('k', facets=TAGS)
    q.fail(claimed, delay=60000)


def touched_and_scanned(q):
    q.mark('k', facets=TAGS)
    scanned(q)


def busy_and_scanned(q):
    q.mark('k', facets=TAGS)
    claimed = q.claim_one()
    scanned(q)
    q.done(claimed)


def tried_and_scanned(q):
    q.mark('k', facets=TAGS)
    q.fail(q.claim_one(), delay=60000)
    scanned(q)


@pytest.mark.parametrize('found', [
    scanned, scanned_and_tried, scanned_and_parked,
    scanned_and_touched_while_busy, touched_and_scanned, busy_and_scanned,
    tried_and_scanned])
def test_an_event_about_tags_leaves_the_content_to_be_looked_at(q, found):
    """Of an event's key the content is synced; of a scan's nobody knows."""
    found(q)
    q.mark('k', facets=TAGS)
    q.retry('k')
    assert q.claim_one().facets == EVERYTHING
