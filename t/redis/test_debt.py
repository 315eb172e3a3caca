"""Debts: what Redis cannot name any more, a scan must find again."""

import pytest
import redis

from conftest import ACL, ALIVE, GENERATION, OWED, R1, TAGS, near
from reference import now_ms

HOUR = 3600000
OTHER = 'alice:photos:f2'
ONE, TWO = 'a' * 32, 'b' * 32


# ---- the ceiling ----

def test_past_the_ceiling_marks_become_a_debt(q):
    q.limit(3)
    assert q.mark('a', 'b') == 2
    assert q.mark('c', 'd', 'e', age=HOUR) == 1
    stats = q.stats()
    assert stats['dirty'] == 3
    assert stats['counters']['dropped'] == 2
    assert stats['owed'] == 1
    assert stats['debt']['reason'] == 'overflow'
    assert near(stats['debt']['age_ms'], HOUR)


def test_a_debt_is_lag_until_it_is_paid(q):
    q.limit(1)
    q.mark('a')
    q.mark('b', age=HOUR)
    q.done(q.claim_one())
    assert near(q.stats()['lag_ms'], HOUR)
    q.paid(q.stats()['debt'])
    assert q.stats()['lag_ms'] == 0


@pytest.mark.parametrize('place', ['dirty', 'bulk', 'busy', 'retry',
                                   'failed'])
def test_keys_that_are_known_are_marked_past_the_ceiling(q, place):
    q.mark('k', source='scan' if place == 'bulk' else 'event', facets=TAGS)
    if place not in ('dirty', 'bulk'):
        claimed = q.claim_one()
        if place != 'busy':
            q.fail(claimed, delay=-1 if place == 'failed' else HOUR)
    q.limit(1)
    q.mark('k', facets=ACL)
    assert q.stats()['debt'] is None
    if place == 'busy':
        q.done(claimed)
    q.retry()
    # what a scan and an event have marked is looked at whole
    assert q.claim_one().facets == {'busy': ACL, 'bulk': 7}.get(place,
                                                                TAGS | ACL)


@pytest.mark.parametrize('place', ['bulk', 'busy', 'retry', 'failed'])
def test_the_ceiling_counts_keys_wherever_they_are(q, place):
    q.mark('k', source='scan')
    if place != 'bulk':
        claimed = q.claim_one()
        if place != 'busy':
            q.fail(claimed, delay=-1 if place == 'failed' else HOUR)
    q.limit(1)
    assert q.mark('other') == 0
    assert q.stats()['debt']['reason'] == 'overflow'


def test_scans_are_bounded_as_well(q):
    q.limit(1)
    assert q.mark('a', 'b', source='scan') == 1
    assert q.stats()['bulk'] == 1
    assert q.stats()['owed'] == 1


def test_room_is_used_again_and_the_debt_stays(q):
    q.limit(1)
    q.mark('a', 'b')
    q.done(q.claim_one())
    assert q.mark('c') == 1
    assert q.stats()['owed'] == 1


def test_the_default_ceiling_is_a_million_keys(q):
    assert q.limit(0) == 1000000
    assert q.limit(5) == 5
    assert q.limit(0) == 1000000


def test_a_late_report_is_suspected_even_past_the_ceiling(q):
    q.mark('a')
    late = q.claim_one()
    q.expire(late)
    q.reap()
    q.done(q.claim_one())
    q.mark('b')
    q.limit(1)
    assert q.done(late) == [0]
    assert q.places() == {b'a': 'dirty', b'b': 'dirty'}


# ---- debts ----

def test_a_replication_may_owe_before_its_first_mark(q):
    assert q.owe('forgotten', age=HOUR) == 1
    assert q.replications() == [R1]
    debt = q.stats()['debt']
    assert debt['reason'] == 'forgotten'
    assert near(debt['age_ms'], HOUR)
    assert q.claim(10) == []


def test_owing_again_keeps_the_oldest_time_and_is_a_new_debt(q):
    q.owe('forgotten', age=HOUR)
    first = q.stats()['debt']
    assert q.owe('overflow') == 0
    second = q.stats()['debt']
    assert second['id'] > first['id']
    assert second['since_ms'] == first['since_ms']


def test_only_the_debt_that_the_scan_began_with_is_paid(q):
    q.owe('forgotten')
    before = q.stats()['debt']
    q.owe('forgotten')
    assert q.paid(before) == 0
    assert q.stats()['owed'] == 1
    assert q.paid(q.stats()['debt']) == 1
    assert q.stats()['debt'] is None
    assert q.paid(before) == 0
    q.owe('forgotten')
    assert q.stats()['debt']['id'] > before['id']


def test_debts_are_counted_over_replications(q):
    q.mark('a')
    q.owe('overflow', r=OTHER)
    status = q.status()
    assert status['totals']['owed'] == 1
    assert {row['replication']: row['owed']
            for row in status['replications']} == {R1: 0, OTHER: 1}
    assert status['debt'] is None


def test_all_replications_may_owe(q):
    assert q.owe_all('forgotten', age=HOUR) == 1
    debt = q.status()['debt']
    assert debt['reason'] == 'forgotten' and near(debt['age_ms'], HOUR)
    assert q.owe_all('forgotten') == 0
    assert q.paid_all(debt) == 0
    assert q.paid_all(q.status()['debt']) == 1
    assert q.status()['debt'] is None


# ---- the generation ----

def test_the_first_generation_stays(q):
    assert q.generation(ONE) == ONE
    assert q.generation(TWO) == ONE


def test_a_redis_that_begins_empty_owes_everything(q, client):
    q.generation(ONE)
    assert q.status()['debt']['reason'] == 'empty'
    q.paid_all(q.status()['debt'])
    q.generation(TWO)
    assert q.status()['debt'] is None
    client.flushall()
    assert q.generation(TWO) == TWO
    assert q.status()['debt']['reason'] == 'empty'


def test_a_run_gives_a_sign_of_life_each_second(q, client):
    first, known = q.alive('r1')
    assert near(first, now_ms()) and known == 0
    again = q.alive('r1')[0]                # not again within the second
    assert again == first or now_ms() - first >= 1000
    client.hset(ALIVE, 'r1', first - 1500)
    again, _ = q.alive('r1')
    assert again >= first and near(again, now_ms())
    client.hset(ALIVE, 'r1', again + 5000)  # a clock that was put back
    assert near(q.alive('r1')[0], now_ms())


def test_a_run_tells_what_is_left_of_the_one_before(q, client):
    last, _ = q.alive('r1')
    saved = client.dump(ALIVE)
    assert q.alive('r2', 'r1')[1] == last
    client.hset(ALIVE, 'r1', last + 60000)
    client.restore(ALIVE, 0, saved, replace=True)
    assert q.alive('r3', 'r1')[1] == last   # a minute is gone
    client.delete(ALIVE)
    assert q.alive('r3', 'r1')[1] == 0


def test_of_eight_runs_the_signs_are_kept(q, client):
    for n in range(20):
        q.alive('r%d' % n)
        client.hincrby(ALIVE, 'r%d' % n, (n - 20) * 1000)
    assert set(client.hkeys(ALIVE)) == {b'r%d' % n for n in range(12, 20)}


def test_a_full_redis_begins_a_generation_and_records_debts(q, client):
    client.config_set('maxmemory', 1)
    try:
        with pytest.raises(redis.ResponseError, match='^OOM'):
            q.mark('a')
        assert q.generation(ONE) == ONE
        assert q.owe('forgotten') == 1
        assert q.owe_all('forgotten') == 0
    finally:
        client.config_set('maxmemory', 0)


def test_debt_and_generation_are_two_small_keys(q, client):
    q.generation(ONE)
    assert sorted(client.keys('*')) == [GENERATION.encode(), OWED.encode()]
