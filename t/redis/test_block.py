"""What only a person can mend: parked, held, probed, and back when it is
mended; and parked keys of all replications, page by page."""

import random

import pytest

from conftest import R1, SCHEDULE, near

HOUR = 3600000
R2 = 'alice:videos:f1'


def block(q, *keys, r=R1, **how):
    q.mark(*keys, r=r, age=HOUR)
    claimed = q.claim(len(keys))
    assert len(claimed) == len(keys)
    return q.block(*claimed, **how)


def fill(q, n, prefix='w'):
    q.mark(*['%s%d' % (prefix, i) for i in range(n)])


def test_a_blocked_key_is_parked_with_its_reason(q):
    assert block(q, 'k', code='QuotaExceeded', reason='PUT: full') == [1]
    assert q.places() == {b'k': 'failed'}
    stats = q.stats()
    assert (stats['failed'], stats['blocked'], stats['held']) == (1, 1, None)
    assert stats['parked_for'] == 'QuotaExceeded'
    (row,), reasons, _ = q.parked()
    assert reasons == {'QuotaExceeded': 1}
    assert (row['replication'], row['key'], row['state'], row['attempts'],
            row['code'], row['reason']) == \
        (R1, 'k', 'blocked', 1, 'QuotaExceeded', 'PUT: full')
    assert row['first_ms'] == row['last_ms'] and near(row['age_ms'], HOUR)


def test_one_blocked_key_holds_up_nothing(q):
    block(q, 'k')
    fill(q, 100)
    assert len(q.claim(100)) == 100


def test_a_blocked_key_is_tried_now_and_then(q, client):
    block(q, 'k')
    pauses = []
    for _ in range(8):
        assert q.claim(10) == []
        pauses.append(client.zscore(SCHEDULE, R1))
        q.probe()
        probe, = q.claim(10)
        assert (probe.key, near(probe.age, HOUR)) == (b'k', True)
        assert q.claim(10) == []        # one at a time
        q.block(probe)
        pauses[-1] = int(client.hget(q.hash(R1), 'probe_pause'))
    assert pauses == [10000, 20000, 40000, 80000, 160000] + [300000] * 3
    (row,), _, _ = q.parked()
    assert row['attempts'] == 9


def test_what_began_before_the_pause_does_not_make_it_longer(q, client):
    q.mark('a', 'b', 'c')
    claimed = q.claim(3)
    for c in claimed:
        q.block(c)
    assert client.hget(q.hash(R1), 'probe_pause') == b'5000'


def test_of_several_the_one_tried_longest_ago_is_next(q):
    for key in 'abc':
        block(q, key)
    seen = []
    for _ in range(6):
        q.probe()
        probe, = q.claim(10)
        seen.append(probe.key)
        q.block(probe)
    assert sorted(seen[:3]) == [b'a', b'b', b'c'] and seen[3:] == seen[:3]


def test_when_one_is_done_all_come_back(q, wakes):
    for n in range(30):
        block(q, *['k%d-%d' % (n, i) for i in range(5)])
        q.mark('well')
        q.done(q.claim_one())           # no row of failures
    assert q.stats()['blocked'] == 150
    q.probe()
    q.done(q.claim_one())
    claimed = []
    for _ in range(5):
        claimed += q.claim(100)
    assert len(claimed) == 149
    assert q.stats()['blocked'] == 0
    q.done(*claimed)
    assert q.places() == {} and q.claim(1) == []


def test_they_stay_when_the_next_is_refused_again(q):
    for key in 'abcdef':
        block(q, key)
    q.probe()
    q.done(q.claim_one())
    first = q.claim(100)
    assert len(first) == 5
    q.block(*first)
    assert q.claim(100) == [] and q.stats()['blocked'] == 5


def test_bad_credentials_hold_the_replication(q):
    fill(q, 1000)
    q.mark('other', r=R2)
    q.block(*[c for c in q.claim(20) if c.r == R1], scope='all',
            code='InvalidAccessKeyId', reason='PUT object: 403')
    stats = q.stats()
    assert stats['held']['code'] == 'InvalidAccessKeyId'
    assert stats['held']['reason'] == 'PUT object: 403'
    assert stats['held']['count'] == stats['blocked'] == stats['failed'] > 0
    assert near(stats['held']['probe_in_ms'], 5000)
    waiting = stats['dirty']
    assert waiting + stats['failed'] == 1000
    # nothing is tried, and nobody else waits
    assert [c.r for c in q.claim(100)] in ([], [R2])
    for n in range(1, 4):
        q.probe()
        probe, = q.claim(100)
        assert q.claim(100) == []
        q.block(probe, scope='all', code='InvalidAccessKeyId')
    assert q.stats()['failed'] <= stats['failed'] + 3
    # mended
    q.probe()
    q.done(q.claim_one())
    assert q.stats()['held'] is None
    n = 0
    while claimed := q.claim(1000):
        n += len(claimed)
        q.done(*[c for c in claimed if c.r == R1])
    assert n >= 999 and q.stats()['failed'] == 0


def test_a_row_of_refusals_holds_it_too(q):
    fill(q, 100)
    for n in range(8):
        assert q.stats()['held'] is None
        q.block(q.claim_one())
    assert q.stats()['held']['code'] == 'AccessDenied'
    assert q.claim(100) == []


def test_refusals_among_successes_do_not(q):
    fill(q, 100)
    for n in range(30):
        a, b = q.claim(2)
        q.block(a)
        q.done(b)
    assert q.stats()['held'] is None


def test_keys_that_are_refused_do_not_wedge_those_that_go(q):
    """Though they are older, and a hundred times as many as make a hold."""
    q.mark(*['denied%d' % n for n in range(800)], age=HOUR)
    q.mark(*['good%d' % n for n in range(200)])
    probes = good = 0
    while good < 200:
        claimed = q.claim(16)
        if not claimed:
            probes += 1
            assert probes < 120
            q.probe()
        for c in claimed:
            if c.key.startswith(b'good'):
                good += 1
                q.done(c)
            else:
                q.block(c)


def test_a_probe_that_fails_otherwise_or_is_lost_is_followed_by_another(q):
    fill(q, 10)
    q.block(q.claim_one(), scope='all')
    for settle in (q.fail, q.release, q.expire):
        q.probe()
        probe, = q.claim(10)
        settle(probe)
        assert q.stats()['held'] is not None
        q.claim(10)
        q.reap()
    q.probe()
    assert len(q.claim(10)) == 1


def test_a_hold_is_no_reason_to_forget_leases(q):
    fill(q, 10)
    a, b = q.claim(2)
    q.block(a, scope='all')
    q.expire(b)
    assert q.claim(10) == []
    assert q.stats()['counters']['expired'] == 1


@pytest.mark.parametrize('how', ['one', 'all', 'parked', 'reason'])
def test_the_operators_word_ends_a_hold(q, wakes, how):
    fill(q, 10)
    q.block(q.claim_one(), scope='all')
    wakes()
    if how == 'one':
        assert q.retry('w0') == 1
    elif how == 'all':
        assert q.retry() == 1
    else:
        assert q.retry_parked('AccessDenied' if how == 'reason' else '') == 1
    assert wakes() == [R1]
    assert len(q.claim(10)) == 10


def test_what_is_refused_after_the_operators_word_is_held_with_pauses(q):
    fill(q, 50)
    first, *others = q.claim(10)
    q.block(first, scope='all')
    q.retry()
    for c in others:
        q.block(c, scope='all')
    assert q.claim(10) == []
    q.probe()
    assert [len(q.claim(10)) for _ in range(3)] == [1, 0, 0]


def test_an_event_takes_a_blocked_key_up_again(q):
    block(q, 'k')
    q.mark('k')
    assert q.stats()['blocked'] == 0
    assert q.claim_one().attempts == 0


def test_marked_while_it_was_refused(q):
    q.mark('k')
    c = q.claim_one()
    q.mark('k')
    q.block(c)
    assert q.places() == {b'k': 'dirty'} and q.stats()['blocked'] == 0


def test_a_late_report_is_a_suspicion(q):
    q.mark('k')
    late = q.claim_one()
    q.expire(late)
    q.done(q.claim_one())
    assert q.block(late) == [0]
    assert q.places() == {b'k': 'dirty'}


def test_paused_is_paused(q):
    block(q, 'k')
    q.pause()
    q.probe()
    assert q.claim(10) == []
    q.resume()
    assert len(q.claim(10)) == 1


def test_heal_takes_what_is_left_of_a_half_transition(q, client):
    block(q, 'a', 'b')
    client.hdel(q.hash(R1), 'probe_ms')
    client.zadd(q.hash(R1) + ':blocked', {'nowhere': 1})
    assert q.heal() == ['%s nowhere: stray blocked' % R1]
    assert len(q.claim(10)) == 1


# parked keys, page by page

def many(q):
    for n in range(12):
        r = 'u%d:b:f' % n
        q.mark(*['k%d' % i for i in range(1 + 80 * (n % 3))], r=r)
        claimed = q.claim(1000)
        q.fail(*claimed, delay=-1, code='Code%d' % (n % 2))


def test_all_parked_keys_are_listed_once(q):
    many(q)
    q.mark(b'\xff\x00', r='u0:b:f')
    q.fail(q.claim_one(), delay=-1, code='Code0')
    rows, reasons, pages = q.parked(count=20)
    assert pages > 10
    assert reasons == {'Code0': 2 + 81 * 2 + 161 * 2 + 1,
                       'Code1': 2 + 81 * 2 + 161 * 2}
    names = [(row['replication'], row.get('key_base16', row['key']))
             for row in rows]
    assert len(names) == len(set(names)) == 12 + 80 * 4 + 160 * 4 + 1
    assert ('u0:b:f', 'ff00') in names


def test_the_list_is_filtered_by_replication_and_reason(q):
    many(q)
    rows, reasons, _ = q.parked(r='u1:b:f')
    assert len(rows) == 81 and reasons == {'Code1': 81}
    rows, reasons, _ = q.parked(code='Code1', count=100)
    assert {row['code'] for row in rows} == {'Code1'}
    assert len(rows) == reasons['Code1'] < sum(reasons.values())
    assert q.parked(code='Other')[0] == []


def test_retry_of_a_single_key(q):
    block(q, 'a', '', b'\xff')
    assert q.retry_parked('', R1, b'\xff') == 1
    assert q.retry_parked('', R1, '') == 1
    assert q.retry_parked('', R1, 'unknown') == 0
    assert q.places() == {b'a': 'failed', b'\xff': 'dirty', b'': 'dirty'}
    assert q.retry_parked('', 'no:such:one', 'k') == 0


def test_retry_by_reason_and_replication(q):
    many(q)
    parked = q.parked()[1]
    assert q.retry_parked('Code0', r='u1:b:f') == 0
    assert q.retry_parked('Code1', r='u1:b:f', count=100) == 81
    assert q.stats('u1:b:f')['dirty'] == 81
    assert q.retry_parked('Code0', count=100) == parked['Code0']
    assert q.retry_parked(count=100) == parked['Code1'] - 81
    assert q.parked()[0] == []


@pytest.mark.parametrize('cursor', ['', 'x', '1', '0:0', '0:x:u:b:f'])
def test_a_cursor_that_is_none_is_refused(q, cursor):
    with pytest.raises(Exception, match='cursor'):
        q.fcall_ro('parked', 1, 'chorus:replications', cursor, 10, '')


# the trace

def trace(client):
    return [{k.decode(): v.decode() for k, v in fields.items()}
            for _, fields in client.xrange('chorus:trace')]


def test_without_being_asked_nothing_is_traced(q, client):
    q.mark('k')
    q.done(q.claim_one())
    assert not client.exists('chorus:trace')


def test_the_trace_tells_who_held_what(q, client):
    client.set('chorus:trace:max', 1000)
    for end in (q.done, q.fail, q.release, q.block, q.expire):
        q.mark('k')
        c = q.claim_one(worker='me')
        end(c)
        q.reap()
        first, *rest = [e for e in trace(client)
                        if e['token'] == str(c.token)]
        assert (first['event'], first['what'], first['key'],
                first['replication']) == ('claim', 'me', 'k', R1)
        assert [e['event'] for e in rest] == ['end']
        assert int(first['us']) <= int(rest[0]['us'])
        q.retry()
    ends = [e['what'] for e in trace(client) if e['event'] == 'end']
    assert ends == ['synced', 'failed', 'released', 'blocked', 'expired']
    q.done(c)
    assert trace(client)[-1]['event'] == 'late'


def test_the_trace_is_bounded(q, client):
    client.set('chorus:trace:max', 100)
    fill(q, 1000)
    for _ in range(10):
        q.done(*q.claim(100))
    assert client.xlen('chorus:trace') <= 300


@pytest.mark.parametrize('value', ['', 'many', '-1'])
def test_a_trace_that_cannot_be_written_breaks_nothing(q, client, value):
    client.set('chorus:trace:max', value)
    q.mark('k')
    q.done(q.claim_one())
    client.set('chorus:trace:max', 10)
    client.set('chorus:trace', 'a string')
    q.mark('k')
    assert q.done(q.claim_one()) == [1]


@pytest.mark.parametrize('seed', range(4))
def test_nothing_is_lost_in_random_steps(q, seed):
    """The latest change of every key is done in the end."""
    dice = random.Random(seed)
    changed, synced, held = {}, {}, []

    def settle(report, **how):
        if held:
            c = held.pop(dice.randrange(len(held)))
            if report(c, **how) == [1] and report == q.done:
                synced[c.key] = c.version

    def claim(n=3):
        for c in q.claim(dice.randint(1, n)):
            c.version = changed.get(c.key, 0)
            held.append(c)

    def mark():
        key = b'k%d' % dice.randrange(12)
        changed[key] = changed.get(key, 0) + 1
        q.mark(key, source=dice.choice(['event', 'scan']))

    steps = [mark] * 6 + [claim] * 5 + [
        lambda: settle(q.done), lambda: settle(q.done),
        lambda: settle(q.block), lambda: settle(q.block),
        lambda: settle(q.block, scope='all'), lambda: settle(q.release),
        lambda: settle(q.fail, delay=dice.choice([0, -1, HOUR])),
        q.probe, q.probe, lambda: q.expire(*held[:1]), q.retry_parked,
        lambda: q.heal(str(dice.random())), q.retry]
    for n in range(800):
        dice.choice(steps)()
        assert n % 10 or q.check(R1) == []

    while held:
        settle(q.release)
    for _ in range(100):
        q.retry()
        claim(100)
        while held:
            settle(q.done)
    assert q.places() == {} and synced == changed
