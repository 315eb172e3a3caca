"""Scans: shards, pages, what they owe."""

import re
import time

import pytest
import redis

from conftest import R1
from scans import DISCOVER, SCANS, Scans

OTHER = 'alice:photos:f2'


@pytest.fixture
def s(q):
    return Scans(q)


@pytest.fixture
def shard(s):
    """The only shard of a migration, claimed."""
    assert s.start() > 0
    return s.claim()


# ---- from begin to end ----

def test_a_scan_is_one_shard_of_all_keys(s, shard):
    assert (shard.what, shard.n, shard.kind, shard.depth) == (
        'shard', 1, 'migrate', 'quick')
    assert (shard.cursor, shard.to, shard.cut) == (b'', b'', 0)
    assert s.claim() is None


def test_a_page_marks_counts_and_moves_on(s, q, shard):
    assert s.page(shard, b'k2', marks=['k1', 'k2'], counts={
        'main': 5, 'missing': 2, 'equal': 3, 'bytes': 77}) == 'taken'
    scan = s.look()
    assert (scan['state'], scan['main'], scan['missing'], scan['equal'],
            scan['bytes'], scan['marked'], scan['pages'],
            scan['waiting']) == ('running', 5, 2, 3, 77, 2, 1, 2)
    assert q.places() == {b'k1': 'bulk', b'k2': 'bulk'}


def test_the_last_page_ends_it(s, q, shard):
    s.page(shard, b'k', counts={'main': 1, 'equal': 1})
    assert s.page(shard, b'k', last=True) == 'taken'
    scan = s.look()
    assert scan['state'] == 'ended' and scan['main'] == 1
    assert scan['verified_ms'] >= scan['started_ms'] > 0
    assert (scan['shards'], scan['shards_done']) == (1, 1)
    assert s.claim() is None
    assert not q.client.exists(q.hash(R1) + ':shards')
    assert q.client.zcard(SCANS) == 0


@pytest.mark.parametrize('what', ['different', 'missing', 'surplus',
                                  'moving', 'undecided',
                                  'unchecked'])
def test_verified_is_only_what_was_equal(s, shard, what):
    s.page(shard, b'k', last=True, counts={'main': 1, what: 1})
    assert s.look()['verified_ms'] == 0


def test_there_is_one_scan_at_a_time(s, shard):
    assert s.start('check') == 0
    s.page(shard, b'', last=True)
    assert s.start('check') > shard.id
    assert s.look()['kind'] == 'check'


def test_what_was_never_replicated_is_not_scanned(s, q):
    assert q.change('scan_start', OTHER, 'repair', 'full', 1) == -1
    assert q.replications() == [] and s.claim() is None


def test_a_scan_that_is_stopped(s, shard):
    assert s.stop() == 1
    assert s.page(shard, b'k') == 'lost'
    assert s.look()['state'] == 'stopped'
    assert (s.stop(), s.claim()) == (0, None)


def test_a_scan_that_fails_says_why(s, shard):
    assert s.fail(shard, 'main lists as it likes') == 1
    assert s.look()['state'] == 'failed'
    assert s.look()['reason'] == 'main lists as it likes'


# ---- leases ----

def test_a_shard_whose_worker_died_goes_on_where_it_was(s):
    s.start()
    dead = s.claim(lease=1)
    s.page(dead, b'k5', counts={'main': 5}, lease=1)
    s.later()
    heir = s.claim()
    assert heir.cursor == b'k5' and heir.token != dead.token
    assert s.page(dead, b'k9', counts={'main': 4}, marks=['k9']) == 'lost'
    assert s.renew(dead) == 0 and s.release(dead) == 0
    assert s.look()['main'] == 5 and s.look()['waiting'] == 0


def test_a_page_that_is_told_twice_counts_once(s, shard):
    for _ in range(2):
        assert s.page(shard, b'k5', counts={'main': 5}, start=b'') == 'taken'
    assert s.look()['main'] == 5


def test_a_page_that_leaves_a_gap_is_refused(s, shard):
    s.page(shard, b'k1')
    assert s.page(shard, b'k9', start=b'k5') == 'lost'


def test_a_shard_that_is_given_back(s, shard):
    s.page(shard, b'k')
    assert s.release(shard, 0, 0, '') == 1
    again = s.claim()
    assert again.cursor == b'k' and again.failures == 0


def test_a_failure_waits_and_says_why(s, shard):
    assert s.release(shard, 60000, 1, 'main: 503') == 1
    assert s.claim() is None
    assert s.look()['reason'] == 'main: 503'
    assert s.look()['state'] == 'running'


def test_failures_count_until_a_page_is_taken(s, shard):
    s.release(shard, 0, 1, 'x')
    shard = s.claim()
    assert shard.failures == 1
    s.page(shard, b'k')
    s.release(shard)
    assert s.claim().failures == 0


def test_a_sick_follower_is_left_out(s):
    s.start()
    assert s.claim(exclude=['f1']) is None


def test_half_an_end_is_made_whole(s, q, shard):
    q.owe('overflow')
    s.page(shard, b'k', counts={'main': 3, 'equal': 3})
    key = q.hash(R1) + ':shards'
    before = q.client.hget(key, 1)
    s.page(shard, b'k', last=True)
    after = s.look()
    # as after the first writes of that transition: the shard, not the end
    q.client.hset(key, 1, before.replace(b'\xa4open', b'\xa4done'))
    q.client.hset(q.hash(R1) + ':scan', 'state', 'running')
    q.client.zadd(SCANS, {R1: 1})
    assert s.claim() is None
    for ms in ('ended_ms', 'verified_ms', 'took_ms', 'pages'):
        after[ms] = s.look()[ms]
    assert s.look() == after and after['state'] == 'ended'


def test_a_scan_without_its_shards_is_no_clean_one(s, q, shard):
    q.client.delete(q.hash(R1) + ':shards')
    q.client.zadd(SCANS, {R1: 1})
    assert s.claim() is None
    assert s.look()['state'] == 'failed' and s.look()['verified_ms'] == 0


# ---- back-pressure, pause ----

def test_more_than_bulk_takes_has_to_wait(s, q, shard):
    assert s.page(shard, b'k3', marks=['k1', 'k2', 'k3'], bulk_max=3,
                  counts={'main': 3}) == 'taken'
    assert s.page(shard, b'k4', marks=['k4'], bulk_max=3,
                  counts={'main': 1}) == 'wait'
    assert s.look()['main'] == 3 and 'waits' in s.look()['reason']
    assert s.page(shard, b'k4', bulk_max=3) == 'taken'    # nothing to mark
    assert s.look()['reason'] == ''


def test_a_page_larger_than_the_ceiling_passes_alone(s, shard):
    assert s.page(shard, b'k3', marks=['k1', 'k2', 'k3'],
                  bulk_max=1) == 'taken'
    assert s.page(shard, b'k4', marks=['k4'], bulk_max=1) == 'wait'


def test_scans_leave_the_room_of_the_replication_to_events(s, q, shard):
    q.limit(4)
    q.mark('e1', 'e2')
    assert s.page(shard, b'k3', marks=['k1', 'k2', 'k3']) == 'wait'
    assert q.stats()['owed'] == 0


def test_a_page_of_more_than_there_may_be_is_taken_when_nothing_waits(
        s, q, shard):
    q.limit(2)
    q.mark('e1')
    assert s.page(shard, b'k3', marks=['k1', 'k2', 'k3']) == 'wait'
    q.done(q.claim_one())
    assert s.page(shard, b'k3', marks=['k1', 'k2', 'k3']) == 'taken'
    assert s.page(shard, b'k6', marks=['k4', 'k5', 'k6']) == 'wait'


def test_a_paused_replication_takes_no_page_and_gives_none(s, q, shard):
    q.pause()
    assert s.page(shard, b'k', counts={'main': 1}) == 'paused'
    assert s.release(shard) == 1
    assert s.claim() is None and q.client.zcard(SCANS) == 0
    q.resume()
    assert s.claim().cursor == b''


# ---- shards ----

def split(s, shard, at, pages=4):
    for n in range(pages):
        s.page(shard, shard.cursor)
    helper = s.claim()
    assert helper.what == 'split' and helper.n == shard.n
    return s.split(helper, at)


def test_a_long_shard_is_cut_by_who_has_nothing_to_do(s, shard):
    assert split(s, shard, b'm') == 1
    second = s.claim()
    assert (second.n, second.cursor, second.to, second.cut) == (
        2, b'm', b'', 0)
    assert s.page(shard, b'z', counts={'main': 9}) == 'cut'
    assert (shard.to, shard.cut) == (b'm', 1)
    assert s.page(shard, b'm', last=True, counts={'main': 5}) == 'taken'
    assert s.look()['state'] == 'running'
    assert s.page(second, b'z', last=True, counts={'main': 4}) == 'taken'
    assert s.look()['state'] == 'ended' and s.look()['main'] == 9


@pytest.mark.parametrize('at,is_cut', [
    (b'c', 0), (b'd', 1), (b'b', 0), (b'c\0', 1), (b'\xff', 1), (b'C', 0)])
def test_a_cut_is_in_what_is_left(s, shard, at, is_cut):
    s.page(shard, b'c')
    assert split(s, shard, at) == is_cut


@pytest.mark.parametrize('first,second', [
    (b'Z', b'a'), (b'a', b'a\0'), (b'a-b', b'aa'), (b'~', b'\xc3\xa9'),
    (b'\xc3\xa9', b'\xff')])
def test_keys_are_in_the_order_of_their_bytes(s, shard, first, second):
    assert split(s, shard, first) == 1
    assert s.page(shard, second) == 'cut'
    assert s.page(shard, first) == 'taken'


def test_no_key_is_compared_as_the_locale_of_redis_does(library):
    """There `"B" < "a"` may be false, and a shard that was cut never ends."""
    operand = r'\w\.(?:key|cursor|to|at|from)\b'
    assert not re.search(r'%s\s*[<>]|[<>]=?\s*%s' % (operand, operand),
                         re.sub(r'--[^\n]*', '', library))


def test_a_short_shard_is_not_cut(s, shard):
    s.page(shard, b'c')
    assert s.claim() is None


def test_shards_are_bounded(s, shard):
    for n in range(64):
        s.split(shard, b'k%03d' % (999 - n))
    assert s.look()['shards'] == 64


# ---- moving ----

def test_what_moves(s, q):
    q.mark('dirty', 'busy', 'again', 'failed')
    claimed = {c.key: c for c in q.claim(4)}
    q.fail(claimed[b'failed'], delay=-1)
    q.fail(claimed[b'again'], delay=1000)
    q.done(claimed[b'dirty'])
    q.mark('dirty')
    assert s.moving('dirty', 'busy', 'again', 'failed', 'nowhere') == [
        1, 1, 2, 0, 0]


def test_nobody_waits_for_what_a_hold_keeps(s, q):
    q.mark('dirty')
    q.client.hset(q.hash(R1), mapping={
        'held_first': '1', 'probe_ms': '99999999999999'})
    assert s.moving('dirty', 'nowhere') == [2, 0]


@pytest.mark.parametrize('kind,depth,level', [
    ('check', 'quick', 'quick'), ('check', 'full', 'full'),
    ('check', 'content', 'content'), ('repair', 'full', 'quick'),
    ('repair', 'content', 'content'), ('migrate', 'quick', 'quick')])
def test_it_is_said_how_much_was_verified(s, kind, depth, level):
    s.start(kind, depth)
    shard = s.claim()
    assert (shard.depth, s.look()['level']) == (depth, depth)
    s.page(shard, b'', last=True)
    assert s.look()['verified_level'] == level


# ---- what is owed ----

def run_all(s, **kwargs):
    """One page ends each shard that there is."""
    while (shard := s.claim()):
        s.page(shard, b'z', last=True, **kwargs)


def test_a_debt_begins_a_scan_of_everything_and_is_paid_by_it(s, q):
    q.owe('overflow')
    s.ensure()
    assert (s.look()['kind'], s.look()['level']) == ('migrate', 'full')
    run_all(s)
    assert q.stats()['debt'] is None
    q.owe('forgotten')
    shard = s.claim()
    assert (shard.kind, shard.depth) == ('repair', 'full')
    s.page(shard, b'z', last=True)
    assert q.stats()['debt'] is None and s.claim() is None


def test_a_debt_made_meanwhile_stays_and_is_scanned_for(s, q):
    q.owe('overflow')
    s.ensure()
    shard = s.claim()
    q.owe('overflow')
    s.page(shard, b'z', last=True)
    assert q.stats()['owed'] == 1
    assert s.claim().id > shard.id


@pytest.mark.parametrize('kind,depth', [('check', 'full'),
                                        ('repair', 'quick'),
                                        ('migrate', 'quick')])
def test_what_looks_at_less_pays_nothing(s, q, kind, depth):
    s.start(kind, depth)
    shard = s.claim()
    q.owe('overflow')
    s.page(shard, b'z', last=True)
    assert q.stats()['owed'] == 1


def test_a_debt_stays_where_deletes_may_be_missing(s, q):
    q.owe('overflow')
    s.ensure()
    run_all(s, counts={'surplus': 2})
    assert q.stats()['owed'] == 1
    assert '2 keys that only the follower has' in s.look()['reason']
    assert s.claim() is None            # a person is asked, once
    for kind, depth in (('check', 'full'), ('repair', 'quick')):
        assert s.start(kind, depth) > 0
        run_all(s, counts={'surplus': 2})
        assert s.claim() is None        # and may look before he answers
        assert q.stats()['owed'] == 1
    assert s.start('repair', 'full', 1) > 0
    run_all(s, counts={'surplus': 2})
    assert q.stats()['owed'] == 0


def test_a_failed_scan_pays_nothing(s, q):
    q.owe('overflow')
    s.ensure()
    s.fail(s.claim(), 'no order')
    assert q.stats()['owed'] == 1


def test_what_all_owe_is_covered_one_by_one(s, q):
    q.owe_all('empty')
    assert s.ensure() == 0 and s.ensure(r=OTHER) == 0
    first = s.claim()
    s.page(first, b'z', last=True)
    assert {r: s.ensure(r=r) for r in (R1, OTHER)} == {
        R1: int(first.r == R1), OTHER: int(first.r == OTHER)}
    run_all(s)
    assert s.ensure() == s.ensure(r=OTHER) == 1


def test_what_is_not_to_be_migrated_is_scanned_for_its_own_debts_only(s, q):
    q.owe_all('empty')
    assert s.ensure(migrates=0) == 1
    assert s.claim() is None and s.look()['state'] == 'skipped'
    q.owe('overflow')
    assert s.claim().kind == 'repair'


# ---- who there is ----

def test_a_new_replication_asks_whether_it_is_to_be_scanned(s, q):
    q.mark('k')
    asked = s.claim()
    assert (asked.r, asked.what) == (R1, 'new')
    assert s.claim() is None            # not all at once
    s.ensure()
    assert s.claim().kind == 'migrate'


def test_who_runs_another_policy_decides_nothing(s, q):
    q.client.hset('chorus:policy', 'version', '7')
    q.mark('k')
    assert s.ensure(policy=6) == s.ensure(policy=8) == s.ensure() == 0
    assert s.claim(policy=7).what == 'new'
    s.ensure(migrates=0, policy=7)
    assert s.look()['state'] == 'skipped'


def test_who_runs_another_policy_still_pays_debts(s, q):
    s.ensure(migrates=0)
    q.client.hset('chorus:policy', 'version', '7')
    q.owe('overflow')
    s.ensure(policy=6)
    assert s.claim(policy=7).kind == 'repair'


@pytest.mark.parametrize('policy', [0, 6, 8])
def test_who_runs_another_policy_gets_no_shard(s, q, policy):
    """Its filters leave out what the rule takes that the scan is for."""
    s.ensure()
    q.client.hset('chorus:policy', 'version', '7')
    assert s.claim(policy=policy) is None
    assert s.claim(policy=7).what == 'shard'


def test_what_is_suspended_is_not_scanned_until_it_goes_on(s, q):
    q.mark('k')
    s.ensure()
    shard = s.claim()
    q.change('suspend', R1, 1)
    assert s.page(shard, b'k', counts={'main': 1}) == 'paused'
    assert s.renew(shard) == 0
    s.release(shard)
    assert s.claim() is None
    q.change('suspend', R1, 0)
    again = s.claim()
    assert (again.id, again.n, again.cursor) == (shard.id, shard.n, b'')


def test_ensure_begins_it_once(s, q):
    for _ in range(3):
        s.ensure()
    run_all(s)
    done = s.look()
    s.ensure()
    assert s.look() == done and s.claim() is None


def test_one_worker_at_a_time_looks_for_buckets(s, q):
    assert s.discover() == [1, b'']
    assert s.discover() == [0, b'']
    q.owe_all('forgotten')
    assert s.discover()[0] == 1         # a debt does not wait
    assert s.discover() == [0, s.owed_all()]
    time.sleep(0.002)
    assert s.discover()[0] == 0


def test_new_rules_are_a_reason_to_look_for_buckets(s, q):
    """For who runs them, for many of them together, and after the look that
    goes on."""
    def later(ms=5000):
        q.client.hincrby(DISCOVER, 'looked_ms', -ms)

    def new_rules(version):
        q.client.hset('chorus:policy', 'version', version)

    assert s.discover(policy=0)[0] == 1
    assert s.looked(0) == 1
    new_rules(7)
    assert s.discover(policy=7)[0] == 0         # perhaps there are more
    later()
    assert s.discover(policy=0)[0] == 0         # he has not got them yet
    assert s.discover(policy=7)[0] == 1
    new_rules(8)
    later()
    assert s.discover(policy=8)[0] == 0         # somebody looks
    s.looked(7)
    assert s.discover(policy=8)[0] == 1
    s.looked(8, is_whole=False)
    assert s.discover(policy=8)[0] == 0
    later()
    assert s.discover(policy=8)[0] == 1         # not all buckets were seen
    later(60000)
    assert s.discover(policy=8)[0] == 1         # he has died, it seems
    s.looked(8)
    later()
    assert s.discover(policy=8)[0] == 0


def test_a_shorter_interval_holds_at_once(s):
    assert s.discover(3600000)[0] == 1
    assert s.discover(3600000)[0] == 0
    assert s.discover(1000)[0] == 1
    assert s.discover(1000)[0] == 0
    assert s.discover(3600000)[0] == 0


def test_the_list_has_those_that_were_scanned(s, q):
    q.mark('k', r=OTHER)
    s.start()
    assert [scan['replication'] for scan in s.list()] == [R1]
    assert s.look(r=OTHER) is None


def test_work_of_a_scan_is_counted_apart(s, q, shard):
    s.page(shard, b'z', marks=['a'])
    q.mark('b')
    q.done(*q.claim(2), bytes=100)
    assert (s.look()['copied'], s.look()['copied_bytes']) == (1, 100)


@pytest.mark.parametrize('args', [
    ('scan_start', 'copy', 'quick', 0), ('scan_start', 'check', 'deep', 0),
    ('scan_page', 1, 1, 1, 1), ('scan_page', 1, 65, 1),
    ('scan_split', 1, 1, ''), ('scan_release', 1, 1, 1, -1, 0, '')])
def test_bad_arguments_are_refused(q, args):
    with pytest.raises(redis.ResponseError, match='chorus_' + args[0]):
        q.change(args[0], R1, *args[1:])
