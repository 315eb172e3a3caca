"""The delete guard: who deletes asks first, and too many pause a replication
until a person says what is right."""

import json
import random

import pytest

from conftest import LEASE, R1, seeds
from scans import Scans

RULE = 'rule-1'


class Guard:
    def __init__(self, q, r=R1):
        self.q = q
        self.r = r
        self.hash = q.hash(r)

    def ask(self, c, percent=0, deletes=3, least=0, per_ms=3600000):
        reply = self.q.fcall('guard_ask', 1, self.hash, c.key, c.token, RULE,
                             percent, deletes, least, per_ms).decode()
        return reply.split(' ')[0]

    def resume(self, accepts=0):
        return self.q.change('guard_resume', self.r, accepts, 'ann')

    def stats(self):
        return self.q.stats(self.r)

    def of(self, n, prefix='k'):
        """n keys, marked and claimed."""
        self.q.mark(*['%s%d' % (prefix, i) for i in range(n)], r=self.r)
        return self.q.claim(n)

    def pass_time(self, ms):
        """The window was written so long ago."""
        window = self.q.client.hget(self.hash, 'guard_window').decode()
        moved = ' '.join('%d:%s' % (int(at) - ms, n) for at, n in
                         (slot.split(':') for slot in window.split()))
        self.q.client.hset(self.hash, 'guard_window', moved)


@pytest.fixture
def guard(q):
    return Guard(q)


def test_as_many_deletes_as_are_allowed_then_it_is_paused(q, guard):
    c = guard.of(6)
    assert [guard.ask(x) for x in c] == ['granted'] * 3 + ['tripped'] \
        + ['guarded'] * 2
    s = guard.stats()
    assert s['state'] == 'paused'
    assert s['guard']['reason'] == 'more than 3 deletes within 3600 s ' \
        '(deletes)'
    q.done(*c[:3], outcome='deleted')
    q.release(*c[3:])
    assert q.claim(9) == []
    assert guard.stats()['dirty'] == 3
    assert q.client.zscore('chorus:schedule', R1) is None


def test_marks_of_a_guarded_replication_are_taken(q, guard):
    c = guard.of(4)
    assert [guard.ask(x) for x in c][-1] == 'tripped'
    q.mark('new', 'k3')
    q.release(*c)
    assert q.claim(9) == []
    guard.resume()
    assert sorted(x.key for x in q.claim(9)) \
        == [b'k0', b'k1', b'k2', b'k3', b'new']


def test_a_retry_of_a_delete_counts_once(q, guard):
    for attempt in range(5):
        c = guard.of(1) if attempt == 0 else q.claim(1)
        assert guard.ask(c[0], deletes=1) == 'granted', attempt
        q.fail(c[0], delay=0)
    c = q.claim(1)
    q.done(c[0], outcome='deleted')
    assert q.client.exists('chorus:{%s}:granted' % R1) == 0
    # another delete of the same key, later, is another one
    assert guard.ask(guard.of(1)[0], deletes=1) == 'tripped'


def test_a_worker_that_lost_the_lease_gets_nothing(q, guard):
    c = guard.of(1)[0]
    q.done(c)
    assert guard.ask(c) == 'lost'


def test_who_is_paused_otherwise_is_told(q, guard):
    c = guard.of(1)[0]
    q.change('pause', R1)
    assert guard.ask(c) == 'paused'


def test_the_window_moves_on(guard):
    c = guard.of(8)
    assert [guard.ask(x) for x in c[:3]] == ['granted'] * 3
    guard.pass_time(3600000 + 3600000 // 16 + 1)
    assert [guard.ask(x) for x in c[3:7]] == ['granted'] * 3 + ['tripped']


def test_a_window_takes_little_memory(q, guard):
    c = guard.of(300)
    for x in c:
        assert guard.ask(x, deletes=1000) == 'granted'
        guard.pass_time(3600000 // 16)
    window = q.client.hget(guard.hash, 'guard_window')
    assert len(window.split()) <= 18, window
    assert len(window) < 400


@pytest.mark.parametrize('counts, percent, least, allowed', [
    ((1000, 1000), 1, 0, 10),
    ((1000, 1000), 1, 12, 12),      # min_deletes
    ((0, 1000), 1, 0, 10),          # main was emptied before it was counted
    (None, 1, 5, 5),                # nobody has counted
])
def test_a_share_is_of_what_the_last_scan_counted(q, guard, counts,
                                                  percent, least, allowed):
    if counts:
        scans = Scans(q)
        scans.start('check')
        scans.page(scans.claim(), 'z', True, {'main': counts[0],
                                              'follower': counts[1]})
    c = guard.of(allowed + 1)
    assert [guard.ask(x, percent=percent, deletes=0, least=least)
            for x in c] == ['granted'] * allowed + ['tripped']


def test_a_bucket_that_is_gone_is_no_count(q, guard):
    scans = Scans(q)
    for n in (1000, 0):
        scans.start('check')
        scans.page(scans.claim(), 'z', True, {'main': n,
                                              'follower': n})
    c = guard.of(11)
    assert [guard.ask(x, percent=1, deletes=0) for x in c] \
        == ['granted'] * 10 + ['tripped']


def test_the_lower_of_share_and_number_holds(q, guard):
    scans = Scans(q)
    scans.start('check')
    scans.page(scans.claim(), 'z', True, {'main': 1000,
                                              'follower': 1000})
    c = guard.of(3)
    assert [guard.ask(x, percent=50, deletes=2) for x in c][-1] == 'tripped'
    assert '(deletes)' in guard.stats()['guard']['reason']


def test_resumed_without_accepting_it_trips_again_only_at_a_delete(q,
                                                                   guard):
    c = guard.of(4)
    [guard.ask(x) for x in c]
    q.done(*c[:3], outcome='deleted')
    q.release(c[3])
    # long after the window, what was counted still counts
    guard.pass_time(10 * 3600000)
    assert guard.resume() == 1
    assert guard.resume() == 0
    # main has the key again: no delete, no grant
    q.done(q.claim(1)[0])
    assert guard.stats()['state'] == 'active'
    assert guard.ask(guard.of(1)[0]) == 'tripped'


def test_accepted_are_the_deletes_of_before_and_no_others(q, guard):
    c = guard.of(10)
    [guard.ask(x) for x in c]
    q.release(*c)
    assert guard.resume(1) == 1
    q.mark('later0', 'later1', 'later2', 'later3', age=0)
    # what came later is younger than the word, by a millisecond at least
    for n in range(4):
        at = q.client.zscore('chorus:{%s}:dirty' % R1, 'later%d' % n)
        q.client.zadd('chorus:{%s}:dirty' % R1, {'later%d' % n: at + 5})
    c = {x.key: x for x in q.claim(20)}
    assert {guard.ask(x) for k, x in c.items() if k.startswith(b'k')} \
        == {'granted'}
    assert [guard.ask(c[b'later%d' % n]) for n in range(4)] \
        == ['granted'] * 3 + ['tripped']


def test_what_a_scan_was_told_to_delete_is_not_counted(q, guard):
    scans = Scans(q)
    scans.start('repair', 'quick', 1)
    scans.page(scans.claim(), 'z', True, marks=['a', 'b'])
    assert [guard.ask(x, deletes=1) for x in q.claim(5)] \
        == ['granted'] * 2
    # and what a scan found that was not, is
    scans.start('repair', 'quick', 0)
    scans.page(scans.claim(), 'z', True, marks=['c', 'd'])
    assert [guard.ask(x, deletes=1) for x in q.claim(5)] \
        == ['granted', 'tripped']


def test_it_is_audited_and_listed_by_its_rule(q, guard):
    q.fcall('policy_set', 3, 'chorus:policy', 'chorus:audit',
                'chorus:policy:owed', 'replication', RULE, '', 'ann', 0,
                '{"user":"alice"}')
    [guard.ask(x) for x in guard.of(4)]

    def guarded():
        return json.loads(q.fcall(
            'policy_list', 1, 'chorus:policy', 'replication', 0, 10, '', ''
        ))['rules'][0]['guarded']
    assert guarded() == [R1]
    assert json.loads(q.fcall('policy_show', 1, 'chorus:policy',
                                  'replication', RULE))['guarded'] == [R1]
    guard.resume(1)
    assert guarded() == []
    entry = json.loads(q.fcall('audit', 1, 'chorus:audit', 0, 1))
    entry = entry['entries'][0]
    assert (entry['who'], entry['action'], entry['kind'], entry['id']) \
        == ('ann', 'accept deletes', 'guard', R1)


@pytest.mark.parametrize('seed', seeds(1, 2, 3))
def test_whatever_happens_no_more_is_deleted_than_allowed(q, guard, seed):
    """Keys written and deleted, workers that fail, die and report late: of
    what main has lost, the follower never loses more than is allowed."""
    rng = random.Random(seed)
    follower = set(range(20))
    main, held, allowed, used = set(follower), [], 5, set()
    for _ in range(600):
        n, what = rng.randrange(20), rng.randrange(6)
        if what < 2:
            (main.discard if what else main.add)(n)
            q.mark(str(n))
        elif what == 2:
            held += q.claim(2)
        elif held:
            c = held.pop(rng.randrange(len(held)))
            key = int(c.key)
            if key in main:
                follower.add(key)
                q.done(c)
            elif key not in follower:
                q.done(c, outcome='equal')
            elif guard.ask(c, deletes=allowed) != 'granted':
                q.release(c)
            elif what == 3:
                q.fail(c, delay=0)
                used.add(key)
            else:
                follower.discard(key)
                used.add(key)
                q.done(c, outcome='deleted')
        if guard.stats() and guard.stats()['guard']:
            if not rng.randrange(4):
                main |= follower        # a person brings back what is gone
                q.mark(*map(str, sorted(follower)))
                guard.resume()
        window = q.client.hget(guard.hash, 'guard_window') or b'0:0'
        assert sum(int(s.split(b':')[1]) for s in window.split()) <= allowed
    # nothing is lost: accepted, all ends equal
    q.release(*held) if held else None
    q.change('resume', R1)
    guard.resume(1)
    while True:
        got = q.claim(50, lease=LEASE)
        if not got:
            break
        for c in got:
            (follower.add if int(c.key) in main else follower.discard)(
                int(c.key))
            q.done(c)
    assert follower == main
