"""What becomes of a lease: renewed, done, failed, released, expired."""

import time

import pytest

from conftest import CONTENT, EVERYTHING, R1, TAGS, near

HOUR = 3600000


@pytest.fixture
def held(q):
    q.mark('k', age=HOUR)
    return q.claim_one()


@pytest.fixture
def zombie(q, held):
    """A lease that expired and was put back."""
    q.expire(held)
    assert q.reap() == 1
    return held


def test_done_takes_the_key_off_the_books(q, held, client):
    assert q.done(held) == [1]
    assert q.places() == {}
    assert sorted(client.keys('chorus:{*')) == [q.hash(R1).encode()]


@pytest.mark.parametrize('outcome,bytes', [
    ('synced', 2 ** 40), ('deleted', 0), ('equal', 0)])
def test_done_counts_its_outcome(q, held, outcome, bytes):
    q.done(held, outcome=outcome, bytes=bytes)
    counters = q.stats()['counters']
    assert counters[outcome] == 1
    assert counters['bytes'] == bytes
    assert counters['claimed'] == 1


def test_a_key_changed_while_busy_is_synced_again(q, held):
    q.mark('k', age=10)
    q.mark('k')
    assert q.done(held) == [1]
    assert q.places() == {b'k': 'dirty'}
    again = q.claim_one()
    assert again.age < 2000
    q.done(again)
    assert q.places() == {}


@pytest.mark.parametrize('finish', ['done', 'fail', 'release'])
def test_a_stale_token_is_refused_and_the_key_is_suspected(q, zombie,
                                                           finish):
    second = q.claim_one()
    assert getattr(q, finish)(zombie) == [0]
    counters = q.stats()['counters']
    assert counters['synced'] == counters['failed_attempts'] == 0

    assert q.done(second) == [1]
    assert q.places() == {b'k': 'dirty'}, 'the zombie may have written'


@pytest.mark.parametrize('finish', ['done', 'fail', 'release'])
def test_a_stale_token_after_the_successor_is_done_is_suspected(q, zombie,
                                                                finish):
    q.done(q.claim_one())
    assert q.places() == {}
    assert getattr(q, finish)(zombie) == [0]
    assert q.places() == {b'k': 'dirty'}
    assert q.claim_one().facets == EVERYTHING


def test_a_zombie_of_a_redis_that_lost_everything_is_suspected(q, held,
                                                               client):
    client.flushall()
    assert q.done(held) == [0]
    assert q.claim_one().key == b'k'


def test_tokens_do_not_repeat_when_redis_lost_its_last_second(q, held,
                                                              client):
    client.hset(q.hash(R1), 'token', 0)
    q.release(held)
    assert q.claim_one().token > held.token


def test_an_expired_lease_still_counts_until_somebody_takes_it(q, held):
    q.expire(held)
    assert q.renew(held) == [1]
    q.expire(held)
    assert q.done(held) == [1]
    assert q.places() == {}


def test_renewing_keeps_the_key(q, held):
    q.expire(held)
    assert q.renew(held) == [1]
    assert q.reap() == 0


def test_renewing_never_shortens_a_lease(q, held):
    assert q.renew(held, lease=1) == [1]
    time.sleep(0.003)
    assert q.reap() == 0


def test_a_lease_really_runs_out(q):
    q.mark('k')
    # longer than a busy machine takes from one call to the next
    held = q.claim_one(lease=3000)
    assert q.claim(1) == []
    time.sleep(3.01)
    assert q.claim_one().token > held.token


def test_renewing_a_lost_lease_says_so(q, zombie):
    assert q.renew(zombie) == [0]
    second = q.claim_one()
    assert q.renew(zombie, second) == [0, 1]


def test_renew_works_over_replications_and_without_keys(q, held):
    q.mark('x', r='bob:music:f2')
    other = q.claim_one()
    assert q.fcall('renew', 0, 1000, held.r, held.key, held.token, other.r,
                   other.key, other.token) == [1, 1]


def test_a_failed_key_is_tried_later(q, held):
    assert q.fail(held, delay=HOUR) == [1]
    assert q.places() == {b'k': 'retry'}
    assert near(q.age_of('k'), HOUR)
    assert q.stats()['counters']['failed_attempts'] == 1


def test_a_failed_key_remembers_its_trouble_until_done(q, held, client):
    q.fail(held, code='503', reason='SlowDown')
    time.sleep(0.005)
    second = q.claim_one()
    assert second.attempts == 1
    q.fail(second, code='500', reason='InternalError')
    row, = q.failed()
    assert (row['attempts'], row['code'], row['reason']) == \
        (2, '500', 'InternalError')
    assert row['first_ms'] < row['last_ms']

    q.done(q.claim_one())
    assert client.exists(q.hash(R1) + ':trouble') == 0


def test_a_change_during_a_failed_attempt_is_folded_in(q, held):
    q.mark('k', age=2 * HOUR)
    q.fail(held, delay=HOUR)
    assert q.places() == {b'k': 'retry'}
    assert near(q.age_of('k'), 2 * HOUR)
    assert q.stats()['again'] == 0


def test_a_parked_key_waits_for_somebody(q, held):
    assert q.fail(held, delay=-1) == [1]
    assert q.places() == {b'k': 'failed'}
    assert q.claim(1) == []
    assert q.stats()['lag_ms'] >= HOUR


def test_a_change_during_the_last_attempt_is_another_chance(q, held):
    q.mark('k')
    q.fail(held, delay=-1)
    assert q.places() == {b'k': 'dirty'}
    c = q.claim_one()
    assert c.attempts == 0
    assert near(c.age, HOUR)


@pytest.mark.parametrize('source,place', [('event', 'dirty'),
                                          ('scan', 'bulk')])
def test_a_released_key_is_as_if_never_claimed(q, source, place):
    q.mark('k', source=source, age=HOUR, facets=TAGS)
    assert q.release(q.claim_one()) == [1]
    assert q.places() == {b'k': place}
    c = q.claim_one()
    assert (c.facets, c.attempts, c.source) == (TAGS, 0, source)
    assert near(c.age, HOUR)


def test_a_released_key_wakes_the_other_workers(q, held, wakes):
    q.release(held)
    assert wakes() == [R1]


def test_releasing_a_key_changed_meanwhile_merges_both(q):
    q.mark('k', source='scan', age=HOUR, facets=CONTENT)
    held = q.claim_one()
    q.mark('k', age=5000, facets=TAGS)
    q.release(held)
    c = q.claim_one()
    assert (c.source, c.facets) == ('event', EVERYTHING)
    assert near(c.age, 5000)


@pytest.mark.parametrize('source,place', [('event', 'dirty'),
                                          ('scan', 'bulk')])
def test_reap_puts_expired_leases_back(q, source, place):
    q.mark('a', 'b', 'c', source=source, facets=TAGS)
    claimed = q.claim(3)
    q.expire(*claimed[:2])
    assert q.reap() == 2
    places = q.places()
    assert [places[c.key] for c in claimed] == [place, place, 'busy']
    assert {c.facets for c in q.claim(3)} == {TAGS}


def test_one_call_settles_many(q):
    q.mark(*['k%d' % n for n in range(1000)])
    claimed = q.claim(1000)
    assert q.renew(*claimed) == [1] * 1000
    assert q.done(*claimed) == [1] * 1000
    assert q.stats()['counters']['synced'] == 1000
