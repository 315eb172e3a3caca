"""Claims: order, fairness, exclusion, retries and expired leases."""

import collections
import time

import pytest

from conftest import R1, SCHEDULE, near

R2 = 'alice:photos:f2'
R3 = 'bob:music:f1'
HOUR = 3600000


def keys_of(claimed):
    return [c.key.decode() for c in claimed]


def test_a_claim_tells_all_a_worker_needs(q):
    q.mark('k', age=5000, facets=2)
    c = q.claim_one()
    assert (c.r, c.key, c.facets, c.attempts, c.source) == \
        (R1, b'k', 2, 0, 'event')
    assert near(c.age, 5000)
    assert isinstance(c.token, int) and c.token < 2 ** 53


def test_the_oldest_change_comes_first(q):
    for age in (20, 50, 10, 40, 30):
        q.mark('k%d' % age, age=age * 1000)
    assert keys_of(q.claim(10)) == ['k50', 'k40', 'k30', 'k20', 'k10']


def test_events_come_before_bulk(q):
    q.mark('old', source='scan', age=HOUR)
    q.mark('new')
    assert keys_of(q.claim(1)) == ['new']
    assert keys_of(q.claim(1)) == ['old']


@pytest.mark.parametrize('batch', [1, 3, 8, 20, 64])
def test_about_an_eighth_is_bulk_when_both_wait(q, batch):
    q.mark(*['e%d' % n for n in range(400)])
    q.mark(*['b%d' % n for n in range(400)], source='scan')
    sources = collections.Counter()
    while sum(sources.values()) < 320:
        sources.update(c.source for c in q.claim(batch))
    assert sources['scan'] in range(39, 49)


def test_bulk_gets_everything_when_no_event_waits(q):
    q.mark(*['b%d' % n for n in range(20)], source='scan')
    assert len(q.claim(16)) == 16


def test_no_more_than_asked_for(q):
    q.mark(*['k%d' % n for n in range(20)])
    assert len(q.claim(7)) == 7
    assert len(q.claim(100)) == 13
    assert q.claim(100) == []


def test_three_replications_take_turns(q):
    for r in (R1, R2, R3):
        q.mark(*['k%d' % n for n in range(30)], r=r)
    turns = [q.claim_one().r for _ in range(30)]
    for i in range(0, 30, 3):
        assert set(turns[i:i + 3]) == {R1, R2, R3}


def test_a_batch_is_shared_out_equally(q):
    q.mark(*['k%d' % n for n in range(1000)], r=R1)
    q.mark(*['k%d' % n for n in range(30)], r=R2)
    q.mark('only', r=R3)
    counts = collections.Counter(c.r for c in q.claim(30))
    assert counts == {R1: 15, R2: 14, R3: 1} or \
        counts == {R1: 14, R2: 15, R3: 1}


def test_a_busy_replication_does_not_starve_a_quiet_one(q):
    q.mark(*['k%d' % n for n in range(1000)], r=R1)
    q.claim(5)
    q.mark('quiet', r=R2)
    assert R2 in [c.r for c in q.claim(2)]


def test_a_million_keys_do_not_starve_one(q, client):
    """Whichever came first, in batches and one at a time."""
    client.execute_command('EVAL', """
        for from = 0, 999000, 1000 do
            local args = {}
            for n = from + 1, from + 1000 do
                args[#args + 1] = n
                args[#args + 1] = n
            end
            redis.call('ZADD', KEYS[1], unpack(args))
        end""", 1, q.hash(R1) + ':dirty')
    q.mark('new', r=R1)
    for batch, key in ((32, 'a'), (2, 'b'), (32, 'c')):
        q.mark(key, r=R2)
        q.mark(key, r=R3, source='scan')
        claimed = q.claim(batch) + q.claim(batch)
        assert {R2, R3} < {c.r for c in claimed}
    turns = []
    for n in range(8):
        q.mark('t%d' % n, r=R2)
        turns += [q.claim_one().r, q.claim_one().r]
    assert turns.count(R2) == 8
    client.flushall(asynchronous=True)  # the check of so many takes too long


def test_more_marks_do_not_cost_a_replication_its_turn(q):
    q.mark('k', r=R1)
    q.mark('k', r=R2)
    q.mark('k2', r=R1)
    assert q.claim_one().r == R1


def test_a_sick_follower_blocks_only_its_own(q):
    for r in (R1, R2, R3):
        q.mark('k', r=r)
    assert [c.r for c in q.claim(10, exclude=['f1'])] == [R2]
    assert {c.r for c in q.claim(10)} == {R1, R3}


def test_a_follower_is_excluded_by_its_plain_name(q):
    q.mark('k', r='u:b:f%2F1')
    assert q.claim(1, exclude=['f/1']) == []
    q.claim_one()


def test_a_follower_gets_no_more_keys_than_it_has_room_for(q):
    for n in range(4):
        q.mark('k%d' % n, r=R1)
        q.mark('k%d' % n, r=R2)
    claimed = q.claim(7, exclude=['f1=2', 'f3=0'])
    assert sorted(c.r for c in claimed) == [R1] * 2 + [R2] * 4


def test_the_room_of_a_follower_is_shared_by_its_replications(q):
    names = ['u:b%d:f1' % n for n in range(4)]
    for r in names:
        for n in range(4):
            q.mark('k%d' % n, r=r)
    claimed = [c.r for c in q.claim(10, exclude=['f1=4'])]
    assert sorted(claimed) == names

    # one key a claim: each has its turn
    claimed = [c.r for _ in range(4) for c in q.claim(10, exclude=['f1=1'])]
    assert sorted(claimed) == names


def test_what_is_due_and_has_nothing_takes_no_room(q, client):
    names = ['u:b%d:f1' % n for n in range(4)]
    for r in names:
        q.mark('k', r=r)
    busy = q.claim(3)
    # as leases leave it that were made longer
    client.zadd(SCHEDULE, {c.r: 1 for c in busy})
    claimed = [c.r for c in q.claim(10, exclude=['f1=1'])]
    assert claimed == [names[3]]


def test_excluded_ones_at_the_head_do_not_starve_those_behind(q):
    for n in range(1500):
        q.mark('k', r='u:b%d:sick' % n)
    q.mark('k', r=R2)
    claimed = []
    for _ in range(3):
        claimed += q.claim(10, exclude=['sick'])
    assert [c.r for c in claimed] == [R2]


def test_a_paused_replication_yields_nothing(q):
    q.mark('k')
    q.mark('k', r=R2)
    q.pause()
    assert [c.r for c in q.claim(10)] == [R2]


def test_a_paused_replication_in_the_schedule_is_taken_off(q, client):
    q.mark('k')
    q.pause()
    client.zadd(SCHEDULE, {R1: 1})
    assert q.claim(10) == []
    assert client.zcard(SCHEDULE) == 0


def test_no_retry_before_its_time(q):
    q.mark('k')
    # longer than a busy machine takes from one call to the next
    q.fail(q.claim_one(), delay=3000)
    assert q.claim(1) == []
    time.sleep(3.01)
    c = q.claim_one()
    assert (c.key, c.attempts) == (b'k', 1)


def test_a_retry_comes_back_in_its_own_queue(q):
    q.mark('e')
    q.mark('b', source='scan')
    for c in q.claim(2):
        q.fail(c, delay=0)
    assert {(c.key, c.source) for c in q.claim(2)} == \
        {(b'e', 'event'), (b'b', 'scan')}


def test_a_lease_that_expired_is_claimed_by_another_worker(q):
    q.mark('k', age=HOUR, facets=2)
    first = q.claim_one(worker='w1')
    assert q.claim(1, worker='w2') == []
    q.expire(first)
    second = q.claim_one(worker='w2')
    assert second.key == b'k' and second.token > first.token
    assert second.facets == 2 and near(second.age, HOUR)
    assert q.stats()['counters']['expired'] == 1


def test_a_thousand_replications_with_stale_schedules_hide_nothing(q):
    """Renewed leases leave R due although it has nothing: not a dead end."""
    for n in range(300):
        q.mark('k', r='u:b%d:f1' % n)
    claimed = []
    while len(claimed) < 300:
        claimed += q.claim(300, lease=3000)
    q.renew(*claimed)
    time.sleep(3.01)
    q.mark('k', r=R2)
    assert [c.r for c in q.claim(2)] == [R2]


def test_the_schedule_is_empty_when_nothing_is_owed(q, client):
    q.mark('k')
    q.done(q.claim_one())
    assert client.zcard(SCHEDULE) == 0


def test_the_schedule_knows_the_next_retry_and_the_next_expiry(q, client):
    q.mark('a', 'b')
    a, b = q.claim(2, lease=500000)
    now = time.time() * 1000
    assert near(client.zscore(SCHEDULE, R1) - now, 500000)
    q.fail(a, delay=100000)
    assert near(client.zscore(SCHEDULE, R1) - now, 100000)


def test_the_schedule_moves_on_when_the_first_lease_ends(q, client):
    q.mark('a', 'b')
    a, = q.claim(1, lease=1000)
    q.claim(1, lease=500000)
    q.done(a)
    assert near(client.zscore(SCHEDULE, R1) - time.time() * 1000, 500000)


def test_a_claim_that_leaves_due_retries_wakes_the_others(q, wakes):
    q.mark(*['k%d' % n for n in range(20)])
    q.fail(*q.claim(20), delay=0)
    wakes()
    assert len(q.claim(5)) == 5
    assert wakes() == [R1]


def test_more_retries_than_one_visit_moves_are_all_claimed(q):
    q.mark(*['k%d' % n for n in range(300)])
    q.fail(*q.claim(300), delay=0)
    seen = []
    for _ in range(10):
        seen += q.claim(100)
    assert len(set(keys_of(seen))) == len(seen) == 300
