"""Scans: how they go, and whether what is said of it is true."""

import pytest

from conftest import R1
from scans import Scans

PACE = ':pace'


@pytest.fixture
def s(q):
    return Scans(q)


@pytest.fixture
def shard(s):
    """The only shard of a migration, claimed."""
    assert s.start() > 0
    return s.claim()


def settled(scan):
    return {name: scan[name] for name in ('copied', 'copied_bytes', 'deleted',
                                          'unchanged', 'waiting', 'failed')
            if scan[name]}


def copy(q, *keys, **kwargs):
    """Claims what waits until it has these, and is done with them."""
    claimed = q.claim(100)
    assert {c.key for c in claimed} >= {k.encode() for k in keys}
    q.done(*[c for c in claimed if c.key.decode() in keys], **kwargs)
    rest = [c for c in claimed if c.key.decode() not in keys]
    if rest:
        q.release(*rest)


# ---- phases ----

def test_a_scan_is_done_when_what_it_has_marked_is(s, q, shard):
    s.page(shard, b'k', marks=['a', 'b'])
    assert s.look()['phase'] == 'listing'
    s.page(shard, b'k', last=True)
    scan = s.look()
    assert (scan['phase'], scan['waiting'], scan['done_ms']) == ('copying', 2,
                                                                 0)
    copy(q, 'a')
    assert s.look()['phase'] == 'copying'
    copy(q, 'b')
    scan = s.look()
    assert (scan['phase'], scan['waiting']) == ('done', 0)
    assert scan['done_ms'] >= scan['ended_ms'] > 0


def test_copied_before_the_last_page_it_is_done_with_that(s, q, shard):
    s.page(shard, b'k', marks=['a'])
    copy(q, 'a')
    assert (s.look()['phase'], s.look()['done_ms']) == ('listing', 0)
    s.page(shard, b'k', last=True)
    assert s.look()['phase'] == 'done' and s.look()['done_ms'] > 0


def test_what_is_given_up_is_not_waited_for(s, q, shard):
    s.page(shard, b'k', last=True, marks=['a'])
    q.fail(q.claim_one(), delay=0)
    assert (s.look()['phase'], s.look()['failed']) == ('copying', 0)
    q.fail(q.claim_one(), delay=-1)
    scan = s.look()
    assert (scan['phase'], settled(scan)) == ('done', {'failed': 1})
    assert scan['done_ms'] > 0


def test_what_needs_a_person_is_given_up(s, q, shard):
    s.page(shard, b'k', last=True, marks=['a'])
    q.block(q.claim_one())
    assert s.look()['phase'] == 'done' and s.look()['failed'] == 1


def test_what_is_nowhere_is_not_waited_for(s, q, shard):
    s.page(shard, b'k', last=True, marks=['a', 'b'])
    q.client.zrem(q.hash(R1) + ':bulk', 'a', 'b')   # however that came
    assert s.look()['phase'] == 'copying'
    assert s.claim() is None
    assert s.look()['phase'] == 'done' and s.look()['done_ms'] > 0
    assert q.claim() == []


def test_whoever_looks_leaves_what_waits(s, q, shard):
    s.page(shard, b'k', last=True, marks=['a', 'b'])
    claimed = q.claim_one()
    assert s.claim() is None
    assert s.look()['waiting'] == 2
    q.done(claimed)
    assert settled(s.look()) == {'copied': 1, 'waiting': 1}


# ---- what counts, and how often ----

def test_an_object_counts_once_however_often_it_is_tried(s, q, shard):
    s.page(shard, b'k', last=True, marks=['a'])
    for _ in range(3):
        q.fail(q.claim_one(), delay=0)
    claimed = q.claim_one()
    q.expire(claimed)
    q.reap()
    assert q.done(claimed, bytes=7) == [0]          # too late
    assert settled(s.look()) == {'waiting': 1}
    q.done(*q.claim(10), bytes=7)
    assert settled(s.look()) == {'copied': 1, 'copied_bytes': 7}


def test_what_a_client_asks_for_meanwhile_is_the_same_object(s, q, shard):
    s.page(shard, b'k', last=True, marks=['a', 'b'])
    q.mark('a', 'other')
    copy(q, 'a', 'other', bytes=1)
    assert settled(s.look()) == {'copied': 1, 'copied_bytes': 1,
                                 'waiting': 1}


def test_a_key_that_changes_while_it_is_copied_is_not_done_yet(s, q, shard):
    s.page(shard, b'k', last=True, marks=['a'])
    claimed = q.claim_one()
    q.mark('a')
    q.done(claimed, bytes=5)
    assert settled(s.look()) == {'waiting': 1}
    q.done(q.claim_one(), bytes=6)
    assert settled(s.look()) == {'copied': 1, 'copied_bytes': 6}


def test_copied_later_it_has_not_failed(s, q, shard):
    s.page(shard, b'k', last=True, marks=['a'])
    q.fail(q.claim_one(), delay=-1)
    q.retry('a')
    assert settled(s.look()) == {'failed': 1}
    q.done(q.claim_one(), bytes=1)
    assert settled(s.look()) == {'copied': 1, 'copied_bytes': 1}


@pytest.mark.parametrize('outcome,expected', [
    ('synced', 'copied'), ('deleted', 'deleted'), ('equal', 'unchanged')])
def test_it_says_what_became_of_each(s, q, shard, outcome, expected):
    s.page(shard, b'k', last=True, marks=['a', ''])
    q.done(*q.claim(10), outcome=outcome)
    assert settled(s.look()) == {expected: 1}       # the bucket is no object


def test_a_page_that_is_told_twice_marks_once(s, q, shard):
    s.page(shard, b'k', marks=['a', 'b'])
    assert s.page(shard, b'k', marks=['a', 'b'], start=b'') == 'taken'
    copy(q, 'a', 'b')
    assert settled(s.look()) == {'copied': 2} and s.look()['marked'] == 2


def test_the_next_scan_counts_anew(s, q, shard):
    s.page(shard, b'k', last=True, marks=['a', 'b'])
    copy(q, 'a')
    s.start('check')
    assert settled(s.look()) == {}
    copy(q, 'b')
    assert settled(s.look()) == {}
    s.page(s.claim(), b'k', last=True)
    assert s.look()['phase'] == 'done'


def test_a_scan_that_was_stopped_says_so_while_it_copies(s, q, shard):
    s.page(shard, b'k', marks=['a'])
    s.stop()
    copy(q, 'a')
    assert (s.look()['phase'], s.look()['copied']) == ('stopped', 1)


# ---- rates ----

def rates(scan):
    return tuple(scan[name + '_per_second']
                 for name in ('keys', 'objects', 'bytes'))


def back(q, slots):
    """All that was counted was so many slots earlier."""
    name = q.hash(R1) + PACE
    for field, n in q.client.hgetall(name).items():
        what, slot = field.decode().split(':')
        q.client.hdel(name, field)
        q.client.hset(name, '%s:%d' % (what, int(slot) - slots), n)


def test_rates_are_of_the_last_seconds(s, q, shard):
    assert rates(s.look()) == (0, 0, 0)
    s.page(shard, b'k', marks=['a', 'b'], counts={'main': 900,
                                                  'surplus': 100})
    copy(q, 'a', 'b', bytes=4000)
    keys, objects, size = rates(s.look())
    assert 1000 / 30 < keys <= 1000 and 0 < objects <= 2
    assert 8000 / 30 < size <= 8000
    assert q.client.pttl(q.hash(R1) + PACE) > 0
    back(q, 10)
    assert rates(s.look()) == (0, 0, 0)
    # and what is too old goes when more is counted
    s.page(shard, b'l', counts={'main': 1})
    assert q.client.hlen(q.hash(R1) + PACE) == 1


def test_a_scan_of_long_ago_is_not_divided_by_its_whole_time(s, q, shard):
    q.client.hset(q.hash(R1) + ':scan', 'started_ms', 1)
    s.page(shard, b'k', counts={'main': 20000})
    assert 1000 <= rates(s.look())[0] <= 1112       # 18 to 20 s


# ---- what is left ----

def left(scan):
    return scan['remaining'], scan['remaining_by']


def test_without_a_basis_nothing_is_said(s, q, shard):
    s.page(shard, b'k', counts={'main': 10})
    assert left(s.look()) == (None, None)
    assert s.look()['remaining_ms'] is None


def test_an_earlier_scan_tells_how_many_there_are(s, q, shard):
    s.page(shard, b'k', last=True, counts={'main': 100})
    s.start('check')
    shard = s.claim()
    assert left(s.look()) == (100, 'an earlier scan')
    assert s.look()['remaining_ms'] is None         # no rate yet
    s.page(shard, b'k', counts={'main': 80})
    assert left(s.look()) == (20, 'an earlier scan')
    assert 0 < s.look()['remaining_ms'] <= 20 * 30000 / 80
    # more than there were: that basis is gone
    s.page(shard, b'l', counts={'main': 21})
    assert left(s.look()) == (None, None)


def test_one_that_was_stopped_or_failed_is_no_basis(s, q, shard):
    s.page(shard, b'k', counts={'main': 100})
    s.stop()
    s.start()
    shard = s.claim()
    s.page(shard, b'k', counts={'main': 100})
    s.fail(shard, 'no')
    s.start()
    assert left(s.look()) == (None, None)


def test_shards_that_have_ended_tell_of_the_others(s, q, shard):
    for i in range(4):
        s.page(shard, b'a%d' % i, counts={'main': 100})
    cut = s.claim()
    assert cut.what == 'split' and s.split(cut, 'k')
    last = s.claim()
    assert left(s.look()) == (None, None)
    s.page(last, b'z', last=True, counts={'main': 300})
    # that one had 300, and the first one, which is at a3, has more already
    assert left(s.look()) == (None, None)
    # 400 from a0 to f0, half the way to k
    s.page(shard, b'f0', counts={'main': 100})
    n, by = left(s.look())
    assert by == 'shards that have ended' and 370 <= n <= 410
    s.page(shard, b'k', last=True)
    assert left(s.look()) == (None, None) and s.look()['phase'] == 'done'


def test_what_waits_to_be_copied_takes_as_long_as_it_did(s, q, shard):
    marks = ['k%02d' % i for i in range(20)]
    s.page(shard, b'k', last=True, marks=marks)
    assert s.look()['remaining_ms'] is None
    copy(q, *marks[:10])
    assert 0 < s.look()['remaining_ms'] <= 30000
    copy(q, *marks[10:])
    assert s.look()['remaining_ms'] is None


# ---- verified ----

def verified(s):
    scan = s.look()
    return scan['verified'], scan['verified_ms'] > 0


def clean(s, kind='check'):
    assert s.start(kind) > 0
    s.page(s.claim(), b'k', last=True, counts={'main': 1, 'equal': 1})


def test_equal_until_somebody_writes(s, q):
    q.mark('k')
    q.done(q.claim_one())
    s.later()
    clean(s)
    assert verified(s) == (True, True)
    q.mark('k')
    assert verified(s) == (False, True)
    assert s.look()['changed_ms'] >= s.look()['verified_ms']
    q.done(q.claim_one())
    assert verified(s) == (False, True)
    s.later()
    clean(s)
    assert verified(s) == (True, True)


def test_what_is_written_while_it_runs_may_have_been_missed(s, q, shard):
    s.later()
    q.mark('k')
    q.done(q.claim_one())
    s.page(shard, b'k', last=True, counts={'main': 1, 'equal': 1})
    assert verified(s) == (False, True)


def test_what_a_scan_marks_is_no_change(s, q):
    clean(s)
    q.mark('k', source='scan')
    assert verified(s) == (True, True)


@pytest.mark.parametrize('what', ['different', 'missing', 'surplus'])
def test_what_a_later_one_finds_takes_it_back(s, q, what):
    clean(s)
    s.start('check')
    s.page(s.claim(), b'k', last=True, counts={'main': 1, what: 1})
    assert verified(s) == (False, False)


def test_what_was_in_motion_leaves_the_time_before(s, q):
    clean(s)
    then = s.look()['verified_ms']
    s.later()
    s.start('check')
    s.page(s.claim(), b'k', last=True, counts={'main': 1, 'moving': 1})
    assert s.look()['verified_ms'] == then


def test_marks_that_were_lost_are_changes(s, q):
    clean(s)
    q.owe('overflow')
    assert verified(s) == (False, True)
