"""chorus_heal: half transitions, one by one.  t/redis/test_torn.py makes them
by chance."""

import pytest

from conftest import EVERYTHING, R1, REPLICATIONS, SCHEDULE, TAGS, near

HOUR = 3600000


def h(q, name):
    return q.hash(R1) + ':' + name


def busy(q):
    q.mark('k', age=HOUR)
    return q.claim_one()


def retrying(q):
    q.fail(busy(q), delay=HOUR)


def parked(q):
    q.fail(busy(q), delay=-1)


# name: how it came about, what is wrong, where the key is afterwards
HALVES = {
    'busy-without-lease': (
        lambda q, c: (busy(q), c.zrem(h(q, 'leases'), 'k')),
        'busy without lease', 'dirty'),
    'lease-without-busy': (
        lambda q, c: (busy(q), c.hdel(h(q, 'busy'), 'k')),
        'lease without busy', 'dirty'),
    'busy-with-rubbish': (
        lambda q, c: (busy(q), c.hset(h(q, 'busy'), 'k', 'x')),
        'busy without lease', 'dirty'),
    'busy-without-origin': (
        lambda q, c: (busy(q), c.zrem(h(q, 'since'), 'k')),
        'no origin', 'busy'),
    'busy-and-dirty': (
        lambda q, c: (busy(q), c.zadd(h(q, 'dirty'), {'k': 1})),
        'in two places', 'busy'),
    'busy-and-retry': (
        lambda q, c: (busy(q), c.zadd(h(q, 'retry'), {'k': 1})),
        'in two places', 'busy'),
    'again-without-busy': (
        lambda q, c: (q.mark('x'), c.zadd(h(q, 'again'), {'k': 1})),
        'again without busy', 'dirty'),
    'dirty-and-bulk': (
        lambda q, c: (q.mark('k'), c.zadd(h(q, 'bulk'), {'k': 1})),
        'in two places', 'dirty'),
    'bulk-and-retry': (
        lambda q, c: (retrying(q), c.zadd(h(q, 'bulk'), {'k': 1})),
        'in two places', 'dirty'),
    'dirty-and-failed': (
        lambda q, c: (parked(q), c.zadd(h(q, 'dirty'), {'k': 1})),
        'in two places', 'dirty'),
    'retry-without-trouble': (
        lambda q, c: (retrying(q), c.hdel(h(q, 'trouble'), 'k')),
        'no trouble', 'dirty'),
    'failed-without-origin': (
        lambda q, c: (parked(q), c.zrem(h(q, 'since'), 'k')),
        'no origin', 'dirty'),
    'two-origins': (
        lambda q, c: (retrying(q), c.zadd(h(q, 'bulksince'), {'k': 1})),
        'in since and in bulksince', 'dirty'),
    'stray-since': (
        lambda q, c: (q.mark('x'), c.zadd(h(q, 'since'), {'k': 1})),
        'stray origin', 'dirty'),
    'stray-bulksince': (
        lambda q, c: (q.mark('x'), c.zadd(h(q, 'bulksince'), {'k': 1})),
        'stray origin', 'bulk'),
    'stray-trouble': (
        lambda q, c: (q.mark('x'), c.hset(h(q, 'trouble'), 'k', '{}')),
        'stray trouble', None),
}


@pytest.mark.parametrize('name', HALVES)
def test_half_a_transition_is_made_whole(q, client, name):
    make, fault, place = HALVES[name]
    make(q, client)
    assert q.heal() == ['%s k: %s' % (R1, fault)]
    assert q.places().get(b'k') == place
    q.check_all()
    assert q.heal('later') == []


@pytest.mark.parametrize('name', [n for n in HALVES
                                  if HALVES[n][2] not in (None, 'busy')])
def test_what_was_half_is_synced_as_a_whole(q, client, name):
    HALVES[name][0](q, client)
    client.hset(h(q, 'facets'), 'k', TAGS)
    q.heal()
    c, = [c for c in q.claim(2) if c.key == b'k']
    assert c.facets == EVERYTHING


@pytest.mark.parametrize('name', [n for n in HALVES if 'busy-' in n
                                  or 'lease-' in n])
def test_a_mark_or_a_claim_does_not_wedge_on_it(q, client, name):
    HALVES[name][0](q, client)
    q.mark('k')
    for c in q.claim(10):
        q.done(c)
    for key in client.zrange(h(q, 'leases'), 0, -1):
        client.zadd(h(q, 'leases'), {key: 1})
    client.zadd(SCHEDULE, {R1: 1})
    for c in q.claim(10):
        q.done(c)
    q.heal()
    assert q.places() in ({}, {b'k': 'dirty'})


def test_a_holder_keeps_its_key_and_it_is_synced_once_more(q, client):
    held = busy(q)
    client.zadd(h(q, 'dirty'), {'k': 5})
    q.heal()
    assert q.done(held) == [1]
    assert q.claim_one().facets == EVERYTHING


def test_who_may_have_written_is_doubted(q, client):
    busy(q)
    client.zrem(h(q, 'leases'), 'k')
    q.heal()
    assert set(q.rechecks()) == {b'1k', b'2k', b'3k', b'1', b'2', b'3'}


def test_the_first_change_stays_known(q, client):
    busy(q)
    client.zrem(h(q, 'leases'), 'k')
    q.heal()
    assert near(q.age_of('k'), HOUR)


@pytest.mark.parametrize('place', ['dirty', 'bulk', 'retry', 'failed'])
def test_nothing_narrow_is_believed_after_a_restart(q, place):
    q.mark('k', facets=TAGS, source='scan' if place == 'bulk' else 'event')
    if place in ('retry', 'failed'):
        q.fail(q.claim_one(), delay=HOUR if place == 'retry' else -1)
    assert q.heal() == []
    assert q.places() == {b'k': place}
    q.retry('k')
    assert q.claim_one().facets == EVERYTHING


def test_what_is_synced_narrowly_is_synced_again(q):
    q.mark('k', facets=TAGS)
    held = q.claim_one()
    assert q.heal() == []
    q.done(held)
    assert q.claim_one().facets == EVERYTHING


def test_the_schedule_is_rebuilt(q, client):
    q.mark('k')
    client.delete(SCHEDULE)
    assert q.claim(1) == []
    assert q.heal() == []
    assert q.claim_one().key == b'k'


def test_a_replication_that_is_only_in_the_list_is_made(q, client):
    client.sadd(REPLICATIONS, R1)
    q.heal()
    assert q.stats()['state'] == 'active'


def test_a_mark_puts_its_replication_into_the_list(q, client):
    q.mark('k')
    client.delete(REPLICATIONS)
    q.mark('k')
    assert q.replications() == [R1]


def test_what_is_well_stays_as_it_is(q, client):
    q.mark('d', age=5)
    q.mark('b', source='scan')
    parked(q)
    q.mark('r')
    q.fail(next(c for c in q.claim(3) if c.key == b'r'), delay=HOUR)

    def dump():
        return {key: client.dump(key) for key in client.keys('chorus:{*')}
    before = dump()
    assert q.heal() == []
    assert dump() == before


def test_it_is_done_once_per_run_of_redis(q, client):
    q.heal('one')
    busy(q)
    client.zrem(h(q, 'leases'), 'k')
    assert q.heal('one') == []
    assert q.places() == {b'k': 'busy'}
    assert len(q.heal('two')) == 1


def test_a_call_does_a_bounded_part_and_the_next_one_goes_on(q, client):
    for n in range(20):
        q.mark(*['k%d' % i for i in range(200)], r='u:b%d:f' % n,
               source='scan')
        client.zadd(q.hash('u:b%d:f' % n) + ':since', {'k7': 1, 'y': 1})
    calls, found, is_done = 0, [], 0
    while not is_done:
        is_done, texts = q.fcall('heal', 3, 'chorus:heal', SCHEDULE,
                                 REPLICATIONS, 'run', '')
        assert len(texts) < 100
        found += texts
        calls += 1
    assert len(found) == 40 and 5 < calls < 30
