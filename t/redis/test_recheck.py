"""Rechecks: what may still be on its way to a follower is looked at again."""

import time

import pytest

from conftest import EVERYTHING, R1, STAGES, TAGS, near

HOUR = 3600000
OF_K = {b'%dk' % n: ms for n, ms in enumerate(STAGES, 1)}


@pytest.fixture
def held(q):
    q.mark('k')
    return q.claim_one()


def assert_stages(rechecks, expected):
    assert set(rechecks) == set(expected)
    assert all(near(ms, expected[m]) for m, ms in rechecks.items()), rechecks


@pytest.mark.parametrize('finish', ['done', 'fail', 'release'])
def test_without_a_doubt_nothing_is_looked_at_again(q, held, finish):
    getattr(q, finish)(held)
    assert q.rechecks() == {}
    assert q.stats()['recheck'] == 0


@pytest.mark.parametrize('finish', ['done', 'fail', 'release'])
def test_a_doubtful_report_counts_and_is_remembered(q, held, finish):
    assert getattr(q, finish)(held, doubt=1) == [1]
    assert_stages(q.rechecks(), OF_K)
    assert q.stats()['recheck'] == 3
    assert q.status()['totals']['recheck'] == 3


@pytest.mark.parametrize('finish', ['done', 'fail', 'release'])
def test_a_late_doubtful_report_is_a_suspicion_and_remembered(q, held,
                                                              finish):
    q.expire(held)
    q.reap(stages=())
    q.done(q.claim_one())
    assert getattr(q, finish)(held, doubt=1) == [0]
    assert q.places() == {b'k': 'dirty'}
    assert_stages(q.rechecks(), OF_K)


@pytest.mark.parametrize('doubt,members', [
    (1, {b'1k'}), (2, {b'1'}), (3, {b'1k', b'1'})])
def test_a_doubt_is_about_the_key_its_bucket_or_both(q, held, doubt,
                                                     members):
    q.done(held, doubt=doubt, stages=(5,))
    assert set(q.rechecks()) == members


def test_stages_are_as_many_as_are_asked_for(q, held):
    q.done(held, doubt=1, stages=(1, 2, 3, 4, 5, 6, 7, 8, 9))
    assert sorted(q.rechecks()) == [b'%dk' % n for n in range(1, 10)]


def test_a_lease_that_ran_out_is_doubted_with_its_bucket(q, held):
    q.expire(held)
    assert q.reap() == 1
    assert_stages(q.rechecks(), {**OF_K, **{
        b'%d' % n: ms for n, ms in enumerate(STAGES, 1)}})


def test_a_claim_that_finds_it_run_out_doubts_it_as_well(q, held):
    q.expire(held)
    second = q.claim_one()
    assert second.key == b'k' and len(q.rechecks()) == 6


def test_a_new_doubt_begins_all_stages_anew(q, held):
    q.fail(held, doubt=1, stages=(10000, 20000))
    q.due(b'1k')
    q.fail(q.claim_one(), doubt=1)
    assert_stages(q.rechecks(), OF_K)


def test_a_new_doubt_never_brings_a_stage_forward(q, held):
    q.fail(held, doubt=1, stages=(HOUR,))
    q.fail(q.claim_one(), doubt=1, stages=(10,))
    assert_stages(q.rechecks(), {b'1k': HOUR})


def test_when_its_time_comes_a_key_is_synced_as_a_scan_would(q, held):
    q.done(held, doubt=1)
    assert q.claim(1) == []
    q.due(b'1k')
    stats = q.stats()
    assert stats['lag_ms'] == 0 and stats['dirty'] == stats['bulk'] == 0
    c = q.claim_one()
    assert (c.key, c.source, c.facets, c.attempts) == \
        (b'k', 'scan', EVERYTHING, 0)
    assert q.stats()['lag_ms'] == 0
    assert set(q.rechecks()) == {b'2k', b'3k'}
    q.done(c)
    assert q.places() == {}


def test_it_comes_by_itself_without_anybody_marking(q, client, held):
    q.done(held, doubt=1, stages=(30, HOUR))
    at = client.zscore('chorus:schedule', R1)
    assert near(at, client.time()[0] * 1000)
    deadline = time.monotonic() + 30
    while not (claimed := q.claim(1)) and time.monotonic() < deadline:
        time.sleep(0.001)
    assert claimed[0].key == b'k'
    q.done(claimed[0])
    assert client.zscore('chorus:schedule', R1) > at + HOUR - 2000


def test_whoever_finds_them_wakes_the_other_workers(q, wakes):
    q.doubt('a', 'b')
    q.due()
    assert wakes() == []
    assert len(q.claim(1)) == 1
    assert wakes() == [R1]


def test_a_key_that_is_busy_is_synced_again(q, held):
    q.done(held, doubt=1)
    q.mark('k')
    second = q.claim_one()
    q.due(b'1k')
    assert q.claim(1) == []
    assert q.stats()['again'] == 1
    q.done(second)
    assert q.claim_one().facets == EVERYTHING


@pytest.mark.parametrize('source,place', [('event', 'dirty'),
                                          ('scan', 'bulk')])
def test_a_key_that_waits_is_looked_at_as_a_whole(q, held, source, place):
    q.done(held, doubt=1)
    q.mark('k', source=source, facets=TAGS, age=HOUR)
    q.due()
    c = q.claim_one()
    assert (c.source, c.facets) == (source, EVERYTHING)
    assert near(c.age, HOUR)
    q.done(c)
    assert q.places() == {} and q.rechecks() == {}


@pytest.mark.parametrize('delay,place', [(-1, 'failed'), (HOUR, 'retry')])
def test_a_key_that_failed_keeps_its_place(q, delay, place):
    q.mark('k', facets=TAGS)
    q.fail(q.claim_one(), delay=delay, doubt=1)
    q.due()
    assert q.claim(1) == []
    assert q.places() == {b'k': place}
    q.retry('k')
    assert q.claim_one().facets == EVERYTHING


def test_paused_means_no_rechecks(q, held):
    q.done(held, doubt=1)
    q.pause()
    q.due()
    assert q.claim(1) == [] and len(q.rechecks()) == 3
    q.resume()
    assert q.claim_one().key == b'k'


def test_a_visit_does_a_bounded_part(q):
    q.mark(*['k%d' % n for n in range(200)])
    q.done(*q.claim(200), doubt=1, stages=(1000,))
    q.due()
    assert len(q.claim(1)) == 1
    assert len(q.rechecks()) == 200 - 64
    q.claim(1), q.claim(1), q.claim(1)
    assert q.rechecks() == {}
    assert q.stats()['bulk'] == 200 - 4


def test_what_is_too_much_is_owed_as_a_scan(q):
    q.mark('a', 'b', 'c')
    a, b, c = q.claim(3)
    q.limit(5)
    q.done(a, doubt=1)
    assert q.stats()['debt'] is None
    q.done(b, doubt=1)
    assert len(q.rechecks()) == 5
    stats = q.stats()
    assert stats['debt']['reason'] == 'overflow'
    assert stats['counters']['dropped'] == 1
    q.paid(stats['debt'])
    # those that are in are renewed all the same
    q.fail(c, doubt=0)
    q.mark('a')
    d = next(d for d in q.claim(2) if d.key == b'a')
    q.done(d, doubt=1, stages=tuple(2 * ms for ms in STAGES))
    assert near(q.rechecks()[b'1a'], 2 * STAGES[0])
    assert q.stats()['debt'] is None


def test_a_report_that_redis_forgot_can_be_doubted_again(q):
    assert q.doubt('k', 'x', doubt=1, stages=(10,)) == 2
    assert set(q.rechecks()) == {b'1k', b'1x'}
    assert q.places() == {}


def test_any_key_can_be_doubted(q, client):
    for key in (b'', b'\xff\x00', b'1', b'9' * 900):
        q.doubt(key, stages=(10,))
        q.due()
        assert q.claim_one().key == key
        client.flushall()
