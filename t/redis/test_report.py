"""Reports: numbers that are honest, JSON that strict parsers take."""

import pytest

from conftest import R1, near

HOUR = 3600000


def test_stats_count_every_place(q):
    q.mark(*['k%d' % n for n in range(6)])
    q.mark('b', source='scan')
    claimed = q.claim(4)
    q.fail(claimed[0], delay=HOUR)
    q.fail(claimed[1], delay=-1)
    q.mark(claimed[2].key)
    s = q.stats()
    assert {name: s[name] for name in ('dirty', 'bulk', 'busy', 'again',
                                       'retry', 'failed')} == \
        {'dirty': 2, 'bulk': 1, 'busy': 2, 'again': 1, 'retry': 1,
         'failed': 1}
    assert (s['user'], s['bucket'], s['follower'], s['target'],
            s['state']) == ('alice', 'photos', 'f1', 'photos', 'active')


def test_stats_of_an_unknown_replication_are_nil(q):
    assert q.stats('no:such:one') is None


def test_counters_stay_exact_beyond_a_petabyte(q, client):
    q.mark('k')
    client.hset(q.hash(R1), 'bytes', 2 ** 60)
    q.done(q.claim_one(), bytes=2 ** 53 - 1)
    assert q.stats()['counters']['bytes'] == 2 ** 60 + 2 ** 53 - 1


def test_lag_follows_a_key_through_every_place(q):
    assert q.mark('new') and q.mark('old', age=HOUR)
    assert near(q.stats()['lag_ms'], HOUR)
    c = q.claim_one()
    assert near(q.stats()['lag_ms'], HOUR)
    q.fail(c, delay=0)
    assert near(q.stats()['lag_ms'], HOUR)
    c = q.claim_one()
    q.fail(c, delay=-1)
    assert near(q.stats()['lag_ms'], HOUR)
    q.retry()
    q.done(q.claim_one())
    assert near(q.stats()['lag_ms'], 0)
    q.done(q.claim_one())
    assert q.stats()['lag_ms'] == 0


def test_a_backlog_found_by_a_scan_is_not_lag(q):
    q.mark('a', 'b', source='scan', age=HOUR)
    q.fail(q.claim_one(), delay=-1)
    q.claim_one()
    s = q.stats()
    assert s['lag_ms'] == 0
    assert near(s['bulk_lag_ms'], HOUR)


def test_lag_sees_a_change_made_while_a_bulk_sync_runs(q):
    q.mark('k', source='scan', age=HOUR)
    q.claim_one()
    q.mark('k', age=5000)
    assert near(q.stats()['lag_ms'], 5000)


def test_status_adds_up_and_lag_is_the_worst(q):
    q.mark('a', 'b', r='u:b1:f1', age=HOUR)
    q.mark('c', r='u:b2:f1')
    s = q.status()
    assert s['replications_total'] == 2
    assert s['cursor'] == 0
    assert s['totals']['dirty'] == 3
    assert near(s['totals']['lag_ms'], HOUR)
    assert {row['replication'] for row in s['replications']} == \
        {'u:b1:f1', 'u:b2:f1'}


def test_status_comes_in_pages(q):
    names = {'u:b%d:f1' % n for n in range(500)}
    for r in names:
        q.mark('k', r=r)
    seen, cursor, calls, dirty = [], 0, 0, 0
    while calls == 0 or cursor != 0:
        page = q.status(cursor, 50)
        seen += [row['replication'] for row in page['replications']]
        dirty += page['totals']['dirty']
        cursor = page['cursor']
        calls += 1
    assert set(seen) == names
    assert dirty == len(seen)
    assert calls > 5


def test_status_of_nothing(q):
    s = q.status()
    assert (s['replications_total'], s['replications']) == (0, [])
    assert set(s['totals'].values()) == {0}


def test_failed_lists_parked_then_retrying_in_pages(q):
    q.mark('p1', 'p2', 'r1', age=HOUR)
    p1, p2, r1 = q.claim(3)
    q.fail(p1, p2, delay=-1, code='403', reason='AccessDenied')
    q.fail(r1, delay=HOUR)
    assert [(row['key'], row['state']) for row in q.failed()] == \
        [('p1', 'parked'), ('p2', 'parked'), ('r1', 'retrying')]
    assert [row['key'] for row in q.failed(1, 1)] == ['p2']
    assert [row['key'] for row in q.failed(1, 2)] == ['p2', 'r1']
    assert [row['key'] for row in q.failed(2, 5)] == ['r1']
    assert q.failed(3, 5) == []
    row = q.failed()[2]
    assert near(row['retry_in_ms'], HOUR)
    assert near(row['age_ms'], HOUR)


HOSTILE = [
    b'',
    b'plain/key.txt',
    'snowman \u2603 \U0001f600'.encode(),
    b'quote " backslash \\ slash /',
    b'line\nfeed\r\ttab \x01\x1f\x7f',
    b'nul\x00inside',
    b'\x00',
    b'latin1 \xe9',
    b'lone \x80 continuation',
    b'overlong \xc0\xaf \xe0\x80\xaf \xf0\x80\x80\xaf',
    b'surrogate \xed\xa0\x80',
    b'too high \xf4\x90\x80\x80 \xf5\x80\x80\x80',
    b'cut \xe2\x98',
    b'cut \xf0\x9f\x98',
    bytes(range(256)),
    b'%s %d %1 {brace} [a-z] (x) .',
    b'x' * 1024,
    b'1 7 worker',
    b'-1',
    b'nan',
]


@pytest.mark.parametrize('key', HOSTILE, ids=lambda key: repr(key)[:24])
def test_any_bytes_are_a_key(q, key):
    assert q.mark(key, facets=2) == 1
    c = q.claim_one()
    assert c.key == key
    assert q.mark(key) == 1
    q.fail(c, delay=0, reason='r:' + repr(key))
    c = q.claim_one(worker='w \n %d')
    q.fail(c, delay=-1, code='\u2603', reason=key)

    row, = q.failed()
    if 'key_base16' in row:
        assert bytes.fromhex(row['key_base16']) == key
    else:
        assert row['key'].encode() == key
    assert ('key_base16' in row) == (not is_text(key))

    assert q.retry(key) == 1
    q.done(q.claim_one())
    assert q.places() == {}


def is_text(key):
    try:
        return '\0' not in key.decode('utf-8', 'strict')
    except UnicodeDecodeError:
        return False


def test_a_hostile_bucket_name_is_valid_json(q):
    r = 'u:%FF%00%22b:f1'
    q.mark('k', r=r)
    assert q.stats(r)['bucket'] == '\ufffd\ufffd"b'
    assert q.status()['replications'][0]['replication'] == r


def test_a_long_code_and_a_long_reason_are_cut(q):
    q.mark('k')
    q.fail(q.claim_one(), delay=-1, code='c' * 500, reason='\u2603' * 1000)
    row, = q.failed()
    assert len(row['code']) == 64
    assert len(row['reason'].encode()) <= 520
