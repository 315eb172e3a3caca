"""What the API asks workers, what it tells of one key, what is dropped, and
the audit log of all that."""

import json
import time

import pytest
import redis

from conftest import OWED, R1, REPLICATIONS, SCHEDULE

ASKS, ANSWERS, AUDIT = 'chorus:asks', 'chorus:answers', 'chorus:audit'
BOTH = (2, ASKS, ANSWERS)


class Asks:
    def __init__(self, q):
        self.q = q

    def ask(self, question='q', life=60000):
        return self.q.fcall('ask', *BOTH, life, question)

    def take(self, lease=60000):
        return self.q.fcall('ask_take', 1, ASKS, lease)

    def answer(self, id, text='a'):
        return self.q.fcall('ask_answer', *BOTH, id, text)

    def hear(self, id):
        return self.q.fcall('ask_hear', *BOTH, id)

    def give_up(self, id):
        return self.q.fcall('ask_give_up', *BOTH, id)

    def change(self, id, field, ms):
        """Let a time pass: 0 the deadline, 1 the lease."""
        words = self.q.client.hget(ASKS, id).split(b' ', 2)
        words[field] = str(int(words[field]) + ms).encode()
        self.q.client.hset(ASKS, id, b' '.join(words))


@pytest.fixture
def asks(q):
    return Asks(q)


# ---- asks

def test_a_question_is_answered_once(asks):
    id = asks.ask(b'what \x00\xff?')
    assert asks.hear(id) == b'waits'
    taken = asks.take()
    assert taken[0] == id and taken[2] == b'what \x00\xff?'
    assert 0 < int(taken[1]) <= 60000
    assert asks.take() is None and asks.hear(id) == b'taken'
    assert asks.answer(id, b'so \x00\xff') == 1
    assert asks.answer(id, b'late') == 0
    assert asks.hear(id) == b'=so \x00\xff'
    assert asks.hear(id) is None
    assert asks.q.client.exists(ASKS, ANSWERS) == 0


def test_each_worker_gets_another_one_the_oldest_first(asks):
    ids = [asks.ask(f'{n}') for n in range(5)]
    assert len(set(ids)) == 5
    assert [asks.take()[0] for _ in ids] == ids


def test_what_a_worker_left_behind_is_taken_by_another(asks):
    id = asks.ask()
    assert asks.take()[0] == id
    asks.change(id, 1, -60000)
    assert asks.take()[0] == id
    assert asks.answer(id) == 1 and asks.hear(id) == b'=a'


def test_a_lease_leaves_time_for_another_worker(asks):
    id = asks.ask(life=20000)
    asks.take(lease=60000)
    words = asks.q.client.hget(ASKS, id).split(b' ')
    assert 9000 < int(words[0]) - int(words[1]) <= 10000


def test_nobody_works_for_somebody_who_has_gone(asks):
    id = asks.ask()
    asks.change(id, 0, -60001)
    assert asks.take() is None and asks.answer(id) == 0
    asks.ask()
    assert asks.q.client.hlen(ASKS) == 1, 'it is cleared away'
    assert asks.hear(id) is None


def test_giving_up_leaves_nothing(asks):
    id = asks.ask()
    assert asks.give_up(id) == 1 and asks.take() is None
    id = asks.ask()
    asks.answer(id)
    assert asks.give_up(id) == 1 and asks.hear(id) is None


def test_questions_and_answers_are_bounded(asks):
    ids = [asks.ask() for _ in range(64)]
    assert asks.ask() == b''
    for id in ids:
        assert asks.answer(id) == 1
    assert asks.ask() != b''
    assert asks.q.client.hlen(ANSWERS) <= 64
    for key in (ASKS, ANSWERS):
        assert 0 < asks.q.client.pttl(key) <= 60000
    with pytest.raises(redis.ResponseError, match='answer: must be'):
        asks.answer(ids[0], 'x' * 262145)
    with pytest.raises(redis.ResponseError, match='question: must be'):
        asks.ask('x' * 65537)


def test_an_old_answer_is_cleared_away(asks):
    asks.q.client.hset(ANSWERS, str(int(time.time() * 1e6) - 61000000),
                           'old')
    asks.ask()
    assert not asks.q.client.exists(ANSWERS)


def test_a_question_wakes_workers(asks):
    with asks.q.client.pubsub() as pubsub:
        pubsub.subscribe('chorus:wake')
        assert pubsub.get_message(timeout=5)['type'] == 'subscribe'
        asks.ask()
        assert pubsub.get_message(timeout=5)['data'] == b''


# ---- explain

def explain(q, key, *names):
    text = q.fcall_ro('explain', 1, REPLICATIONS, key, *(names or [R1]))
    rows = json.loads(text)['replications']
    return rows if len(names) > 1 else rows[0]


def test_a_key_in_each_place(q):
    row = explain(q, 'k')
    assert (row['place'], row['known']) == ('none', False)
    assert row['since_ms'] is None and row['attempts'] == 0

    q.mark('k', age=5000)
    row = explain(q, 'k')
    assert (row['place'], row['known']) == ('dirty', True)
    assert 5000 <= row['age_ms'] < 60000

    claimed = q.claim_one(worker='box 7')
    row = explain(q, 'k')
    assert (row['place'], row['worker']) == ('busy', 'box 7')
    assert row['next_in_ms'] > 0 and not row['changed_again']
    q.mark('k')
    assert explain(q, 'k')['changed_again']

    q.fail(claimed, delay=3600000, code='503', reason='Slow "Down"\r\n')
    row = explain(q, 'k')
    assert row['place'] == 'retry' and row['attempts'] == 1
    assert (row['code'], row['reason']) == ('503', 'Slow "Down"\r\n')
    assert 3000000 < row['next_in_ms'] <= 3600000

    q.mark('other')
    q.fail(q.claim_one(), delay=-1, code='TooLarge', reason='r')
    assert explain(q, 'other')['place'] == 'parked'
    q.mark('third')
    q.block(q.claim_one(), code='AccessDenied', scope='all')
    row = explain(q, 'third')
    assert (row['place'], row['held']) == ('blocked', 'AccessDenied')
    q.mark('scanned', source='scan')
    assert explain(q, 'scanned')['place'] == 'bulk'


def test_a_pause_and_a_debt_are_told(q):
    q.mark('k')
    assert not explain(q, 'k')['paused']
    q.pause()
    q.owe('overflow')
    row = explain(q, 'k')
    assert row['paused'] and row['owes_scan']


def test_a_debt_of_all_is_told_until_a_scan_has_covered_it(q):
    q.mark('k')
    assert not explain(q, 'k')['owes_scan']
    q.fcall('owe_all', 1, OWED, 'empty', 0)
    debt = q.client.hget(OWED, 'owed_id')
    other = 'alice:photos:f2'
    rows = explain(q, 'k', R1, other)
    assert [r['owes_scan'] for r in rows] == [True, True]

    # what a scan of it leaves behind, while others are still owed theirs
    q.client.hset(f'chorus:{{{R1}}}:scan', 'covered', debt)
    rows = explain(q, 'k', R1, other)
    assert [r['owes_scan'] for r in rows] == [False, True]
    q.client.delete(f'chorus:{{{R1}}}:scan')
    q.fcall('paid_all', 1, OWED, debt)
    assert not explain(q, 'k')['owes_scan']


def test_the_delete_guard_is_told(q):
    q.mark('k')
    row = explain(q, 'k')
    assert row['guarded'] is None and not row['paused']
    q.client.hset(f'chorus:{{{R1}}}', mapping={
        'guarded_ms': 1, 'guarded_reason': 'more than 2 deletes'})
    row = explain(q, 'k')
    assert row['guarded'] == 'more than 2 deletes' and row['paused']
    q.client.hdel(f'chorus:{{{R1}}}', 'guarded_ms', 'guarded_reason')


def test_any_bytes_as_a_key_and_several_replications(q):
    other = 'alice:photos:f2'
    q.mark(b'\x00\xff"\r\n*', r=other)
    rows = explain(q, b'\x00\xff"\r\n*', R1, other)
    assert [r['place'] for r in rows] == ['none', 'dirty']
    with pytest.raises(redis.ResponseError, match='replication: must be'):
        explain(q, 'k', 'no replication')
    with pytest.raises(redis.ResponseError, match='at most 64'):
        explain(q, 'k', *[R1] * 65)


# ---- drop

def drop(q, *more, count=1000, code=''):
    dropped, cursor, named = 0, '0', []
    while True:
        page = json.loads(q.fcall('drop_parked', 2, SCHEDULE,
                                      REPLICATIONS, cursor, count, code,
                                      *more))
        dropped, cursor = dropped + page['dropped'], page['cursor']
        named += page['keys']
        if cursor == '0':
            return dropped, named


def park(q, *keys, code='TooLarge', r=R1):
    q.mark(*keys, r=r)
    for c in q.claim(1000):
        q.fail(c, delay=-1, code=code, reason='why')


def test_what_is_dropped_is_nowhere(q):
    park(q, 'a', 'b')
    park(q, 'c', code='Other')
    assert drop(q, code='TooLarge')[0] == 2
    assert explain(q, 'a')['place'] == 'none'
    assert explain(q, 'c')['place'] == 'parked'
    assert drop(q) == (1, [{'key': 'c', 'replication': R1}])
    assert q.places() == {}
    q.mark('a')
    assert explain(q, 'a')['place'] == 'dirty', 'a change brings it back'


def test_one_key_is_dropped_and_nothing_that_goes(q):
    park(q, b'\xff', 'b')
    q.mark('waits')
    assert drop(q, R1, b'\xff') == (
        1, [{'key': '\ufffd', 'key_base16': 'ff', 'replication': R1}])
    assert drop(q, R1, 'waits') == (0, [])
    assert explain(q, 'b')['place'] == 'parked'
    assert explain(q, 'waits')['place'] == 'dirty'


def test_many_are_dropped_page_by_page(q):
    park(q, *[f'k{n}' for n in range(900)])
    dropped, named = drop(q, count=50)
    assert dropped == 900 and len(named) < 900
    assert q.places() == {}


# ---- audit

def audited(q, id, name, keys, *args, who='ann'):
    return q.fcall('audited', 1 + len(keys), AUDIT, *keys, who, id, name,
                       *args)


def entries(q, *more):
    return json.loads(q.fcall_ro('audit', 1, AUDIT, 0, 100,
                                     *more))['entries']


def test_what_is_done_is_noted_with_its_name(q):
    park(q, 'a', 'b')
    reply = json.loads(audited(q, R1, 'retry_parked',
                               (SCHEDULE, REPLICATIONS), '0', 500, '', R1,
                               'a"\r\n', who='o"ps'))
    assert reply == {'cursor': '0', 'moved': 0}
    assert entries(q) == [], 'nothing was done'
    audited(q, R1, 'retry_parked', (SCHEDULE, REPLICATIONS), '0', 500,
            '', R1, 'a', who='o"ps')
    audited(q, R1, 'drop_parked', (SCHEDULE, REPLICATIONS), '0', 500, '')
    rows = entries(q)
    assert [(e['who'], e['kind'], e['action'], e['id']) for e in rows] == [
        ('ann', 'failed', 'drop', R1), ('o"ps', 'failed', 'retry', R1)]
    assert rows[1]['before'] == ['', R1, 'a']
    assert rows[1]['after'] == {'cursor': '0', 'moved': 1}
    assert rows[0]['after']['keys'] == [{'key': 'b', 'replication': R1}]


def test_limits_and_scans_are_noted(q):
    audited(q, 'main', 'limits_set', ('chorus:limits',), 'main', '0', '0',
            'requests', '20')
    keys = q.keys3(R1)[1:]
    q.mark('k')
    assert audited(q, R1, 'scan_start', keys, 'check', 'quick', '0') > 0
    assert audited(q, R1, 'scan_start', keys, 'check', 'quick', '0') == 0
    assert audited(q, 'alice:none:f', 'scan_start',
                   q.keys3('alice:none:f')[1:], 'check', 'quick', '0') == -1
    assert audited(q, R1, 'scan_stop', keys) == 1
    assert [(e['kind'], e['action']) for e in entries(q)] == [
        ('scan', 'stop'), ('scan', 'start'), ('limits', 'set')]
    assert entries(q)[2]['before'] == ['requests', '20']
    assert [e['kind'] for e in entries(q, 'scan', '')] == ['scan'] * 2
    assert entries(q, '', 'nobody') == []


@pytest.mark.parametrize('name', ['check', 'policy_set', 'audited', 'mark',
                                  'no_such', ''])
def test_no_other_function_is_called_through_it(q, name):
    with pytest.raises(redis.ResponseError, match='function:'):
        audited(q, 'x', name, q.keys3(R1)[1:])


def test_an_error_is_no_entry(q):
    with pytest.raises(redis.ResponseError, match='chorus_scan_start: '):
        audited(q, R1, 'scan_start', q.keys3(R1)[1:], 'dance')
    with pytest.raises(redis.ResponseError, match='needs 3 KEYS'):
        audited(q, R1, 'scan_start', (SCHEDULE,), 'check', 'quick', '0')
    assert entries(q) == []


def test_the_log_is_bounded(q):
    q.client.rpush(AUDIT, *['{}'] * 1000)
    audited(q, 'main', 'limits_set', ('chorus:limits',), 'main', '0', '0',
            'bytes', '-1')
    assert q.client.llen(AUDIT) == 1000
    q.client.delete(AUDIT)


def test_who_asks_to_forget_a_queue_is_noted(q):
    keys = (f'chorus:{{{R1}}}', SCHEDULE, REPLICATIONS)
    assert audited(q, R1, 'forget', keys, 'ann') == 0
    assert entries(q) == []
    q.mark('k')
    assert audited(q, R1, 'forget', keys, 'ann') == 1
    entry, = entries(q)
    assert (entry['who'], entry['kind'], entry['action'], entry['id']) \
        == ('ann', 'queue', 'ask to forget', R1)
