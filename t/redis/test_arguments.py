"""Bad arguments: refused with the argument's name, and nothing written."""

import pytest
import redis

from conftest import (ALIVE, GENERATION, HEAL, LEASE, OWED, R1, REPLICATIONS,
                      SCHEDULE)

K3 = (3, 'chorus:{%s}' % R1, SCHEDULE, REPLICATIONS)
K1 = (1, SCHEDULE)
KR = (1, 'chorus:{%s}' % R1)
KS = (1, REPLICATIONS)
KH = (3, HEAL, SCHEDULE, REPLICATIONS)
KU = (1, 'chorus:uploads')
KL = (1, 'chorus:layouts')
KUL = (2, 'chorus:uploads', 'chorus:layouts')


# function, arguments, what the message must say
BAD = [
    ('version', (1, 'x'), 'KEYS'),
    ('version', (0, 'x'), 'too many'),

    ('part', (0,), '1 KEYS'),
    ('part', KU + ('', 1, 5), 'upload id'),
    ('part', KU + ('i' * 513, 1, 5), 'upload id'),
    ('part', KU + ('id', 0, 5), 'number'),
    ('part', KU + ('id', 10001, 5), 'number'),
    ('part', KU + ('id', 1, '-1'), 'size'),
    ('part', KU + ('id', 1, 5 * 2 ** 40 + 1), 'size'),
    ('part', KU + ('id', 1, 5, 6), 'too many'),
    ('part_complete', KUL + ('id', 'e' * 65, '1', 1), 'etag'),
    ('part_complete', KUL + ('id', 'etag', '', 1), 'numbers'),
    ('part_complete', KUL + ('id', 'etag', '1;2', 1), 'like 1-3,7'),
    ('part_complete', KUL + ('id', 'etag', '1', 2), 'is_over'),
    ('part_abort', KU, 'upload id: missing'),
    ('layout', KL, 'etag: missing'),
    ('upload_begin', KR + ('k', 'x', 'record'), 'token'),
    ('upload_begin', KR + ('k', 1, ''), 'record'),
    ('upload_begin', KR + ('k', 1, 'r' * 4097), 'record'),
    ('upload_over', KR + ('k',), 'record: missing'),
    ('twin_keep', KR + ('k',), 'record: missing'),
    ('twin', KR, 'key: missing'),

    ('mark', (1, K3[1], 'event'), '3 KEYS'),
    ('mark', (3, 'chorus:{a:b}', SCHEDULE, REPLICATIONS, 'event'), 'KEYS[1]'),
    ('mark', (3, 'chorus:{a:b:c:d:e}', SCHEDULE, REPLICATIONS, 'event'),
     'KEYS[1]'),
    ('mark', (3, 'chorus:{a::c}', SCHEDULE, REPLICATIONS, 'event'),
     'KEYS[1]'),
    ('mark', (3, 'chorus:{a:b/:c}', SCHEDULE, REPLICATIONS, 'event'),
     'KEYS[1]'),
    ('mark', (3, 'chorus:{a:b%4:c}', SCHEDULE, REPLICATIONS, 'event'),
     'KEYS[1]'),
    ('mark', (3, 'chorus:{a:b:c\n}', SCHEDULE, REPLICATIONS, 'event'),
     'KEYS[1]'),
    ('mark', (3, R1, SCHEDULE, REPLICATIONS, 'event'), 'KEYS[1]'),
    ('mark', K3, 'source'),
    ('mark', K3 + ('rumour',), 'source'),
    ('mark', K3 + ('event', 'x', 0, 'k'), 'ARGV[2] age_ms'),
    ('mark', K3 + ('event', '-1', 0, 'k'), 'age_ms'),
    ('mark', K3 + ('event', '1.5', 0, 'k'), 'age_ms'),
    ('mark', K3 + ('event', '1e3', 0, 'k'), 'age_ms'),
    ('mark', K3 + ('event', '', 0, 'k'), 'age_ms'),
    ('mark', K3 + ('event', '9' * 17, 0, 'k'), 'age_ms'),
    ('mark', K3 + ('event', 0, 8, 'k'), 'ARGV[3] facets'),
    ('mark', K3 + ('event', 0), 'ARGV[3] facets: missing'),
    ('mark', K3 + ('event', 0, 0), 'ARGV[4] key: missing'),
    ('mark', K3 + ('event', 0, 0, 'good', 0, 9, 'k'), 'ARGV[6] facets'),

    ('owe', K3, 'reason: missing'),
    ('owe', K3 + ('', 0), 'reason'),
    ('owe', K3 + ('r' * 65, 0), 'reason'),
    ('owe', K3 + ('overflow', -1), 'age_ms'),
    ('owe', (1, OWED, 'overflow', 0), '3 KEYS'),
    ('paid', K3 + ('x',), 'token'),
    ('owe_all', (0, 'forgotten', 0), 'chorus:owed'),
    ('owe_all', (1, OWED, 'forgotten'), 'age_ms: missing'),
    ('paid_all', (1, OWED), 'token: missing'),
    ('limit', K3 + ('-1',), 'keys_max'),
    ('generation', (1, GENERATION, 'a' * 32), '3 KEYS'),
    ('generation', (2, GENERATION, OWED, 'a' * 15), 'candidate'),
    ('generation', (2, GENERATION, OWED, 'a' * 65), 'candidate'),
    ('generation', (2, GENERATION, OWED, 'a' * 32, 'run', ''), 'together'),
    ('generation', (3, GENERATION, OWED, ALIVE, 'a' * 32), 'together'),
    ('generation', (3, GENERATION, OWED, ALIVE, 'a' * 32, ''), 'run'),
    ('generation', (3, GENERATION, OWED, ALIVE, 'a' * 32, 'run'), 'known'),
    ('generation', (3, GENERATION, OWED, ALIVE, 'a' * 32, 'r' * 129, ''),
     'run'),

    ('claim', (0, 'w', LEASE, 1), 'KEYS'),
    ('claim', K1, 'worker_id'),
    ('claim', K1 + ('', LEASE, 1), 'worker_id'),
    ('claim', K1 + ('w' * 257, LEASE, 1), 'worker_id'),
    ('claim', K1 + ('w', 0, 1), 'lease_ms'),
    ('claim', K1 + ('w', 86400001, 1), 'lease_ms'),
    ('claim', K1 + ('w', LEASE), 'max: missing'),
    ('claim', K1 + ('w', LEASE, 0), 'max'),
    ('claim', K1 + ('w', LEASE, 1001), 'max'),
    ('claim', K1 + ('w', LEASE, 1, '', ''), 'excluded'),

    ('claim', K1 + ('w', LEASE, 1), 'rechecks: missing'),
    ('claim', K1 + ('w', LEASE, 1, 'f1'), 'rechecks'),
    ('claim', K1 + ('w', LEASE, 1, '0'), 'rechecks'),
    ('claim', K1 + ('w', LEASE, 1, '1.5'), 'rechecks'),
    ('claim', K1 + ('w', LEASE, 1, ','.join('123456789X')), 'rechecks'),
    ('claim', K1 + ('w', LEASE, 1, ','.join('1234567891')), 'rechecks'),
    ('claim', K1 + ('w', LEASE, 1, '1' * 129), 'rechecks'),
    ('claim', K1 + ('w', LEASE, 1, '9' * 17), 'rechecks'),

    ('renew', (2, SCHEDULE, 'x', LEASE), 'KEYS'),
    ('renew', K1 + ('x',), 'lease_ms'),
    ('renew', K1 + (LEASE, 'a:b', 'k', 1), 'replication'),
    ('renew', K1 + (LEASE, R1, 'k'), 'token: missing'),
    ('renew', K1 + (LEASE, R1, 'k', 'x'), 'token'),

    ('done', K3 + ('', 'k', 1, 'maybe', 0), 'outcome'),
    ('done', K3 + ('', 'k', 1, 'synced'), 'bytes: missing'),
    ('done', K3 + ('', 'k', 1, 'synced', -1), 'bytes'),
    ('done', K3 + ('', 'k', '', 'synced', 0), 'token'),

    ('fail', K3 + ('', 'k', 1, -2, '503', 'x'), 'delay_ms'),
    ('fail', K3 + ('', 'k', 1, 'soon', '503', 'x'), 'delay_ms'),
    ('fail', K3 + ('', 'k', 1, 0), 'code: missing'),
    ('fail', K3 + ('', 'k', 1, 0, '503'), 'reason: missing'),

    ('release', K3 + ('', 'k',), 'token: missing'),
    ('reap', K3, 'rechecks: missing'),
    ('reap', K3 + ('', 'x'), 'too many'),
    ('done', K3, 'rechecks: missing'),
    ('done', K3 + ('x',), 'rechecks'),
    ('done', K3 + ('', 'k', 1, 'synced', 0), 'doubt: missing'),
    ('done', K3 + ('', 'k', 1, 'synced', 0, 4), 'doubt'),
    ('fail', K3 + ('', 'k', 1, 0, '503', 'x'), 'doubt: missing'),
    ('release', K3 + ('', 'k', 1), 'doubt: missing'),
    ('release', K3 + ('', 'k', 1, 'x'), 'doubt'),
    ('doubt', K3, 'rechecks: missing'),
    ('doubt', K3 + ('', 'k'), 'doubt: missing'),
    ('heal', (1, HEAL, 'run', ''), '3 KEYS'),
    ('heal', KH + ('', ''), 'run'),
    ('heal', KH + ('r' * 129, ''), 'run'),
    ('heal', KH + ('run',), 'rechecks: missing'),
    ('pause', K3 + ('x',), 'too many'),
    ('resume', K3 + ('x',), 'too many'),
    ('retry', KR, '3 KEYS'),
    ('stats', KR + ('x',), 'too many'),
    ('stats', K1, 'KEYS[1]'),
    ('status', KS, 'cursor'),
    ('status', KS + (0, 0), 'count'),
    ('failed', KR + (-1, 1), 'offset'),
    ('failed', KR + (0, 1001), 'count'),
    ('check', KR, '3 KEYS'),
]


@pytest.mark.parametrize('name,args,says', BAD)
def test_a_bad_call_is_refused_and_writes_nothing(client, q, name, args,
                                                  says):
    with pytest.raises(redis.ResponseError) as refused:
        q.fcall(name, *args)
    message = str(refused.value)
    assert message.startswith('chorus_%s: ' % name)
    assert says in message
    assert '\n' not in message
    assert client.dbsize() == 0


def test_a_bad_value_is_shown_printable(q):
    with pytest.raises(redis.ResponseError) as refused:
        q.fcall('mark', *K3, b'\xff\r\n"x', 0, 0, 'k')
    assert 'got "???"x"' in str(refused.value)


@pytest.mark.parametrize('name,args,reply', [
    ('mark', K3 + ('event',), 0),
    ('done', K3 + ('',), []),
    ('fail', K3 + ('',), []),
    ('release', K3 + ('',), []),
    ('renew', K1 + (LEASE,), []),
    ('reap', K3 + ('',), 0),
    ('retry', K3, 0),
])
def test_an_empty_list_is_no_error(q, name, args, reply):
    assert q.fcall(name, *args) == reply
