"""The dynamic policy: changes, who runs them, what is owed for them."""

import json
import random

import pytest
import redis

from conftest import R1, REPLICATIONS

POLICY = 'chorus:policy'
AUDIT = 'chorus:audit'
OWED = 'chorus:policy:owed'
READERS = 'chorus:policy:readers'
ALIVE = 'chorus:policy:alive'

RULE = '{"bucket":"photos","to":["f1"],"user":"alice"}'
OTHER = '{"bucket":"videos","to":["f1"],"user":"alice"}'
SECOND = 1000000                # of a version


class Policy:
    def __init__(self, queue):
        self.queue = queue
        self.client = queue.client

    def call(self, name, keys, *args):
        reply = self.queue.fcall(name, len(keys), *keys, *args)
        return json.loads(reply) if isinstance(reply, bytes) else reply

    def change(self, name, *args):
        return self.call('policy_' + name, (POLICY, AUDIT, OWED), *args)

    def set(self, id='one', text=RULE, kind='replication', match='',
            migrate=0, who='ops'):
        return self.change('set', kind, id, match, who, migrate, text)

    def delete(self, id='one', kind='replication', match=''):
        return self.change('delete', kind, id, match, 'ops')

    def pause(self, id='one', paused=1, kind='replication', match=''):
        return self.change('pause', kind, id, match, 'ops', paused)

    def restore(self, document):
        return self.change('restore', json.dumps(document))

    def poll(self, version=0, reader='p1', kind='proxy', oldest=None,
             written=-1, leaves=0, rules='a1', error=''):
        return self.call('policy_poll', (POLICY, READERS, ALIVE, OWED),
                         reader, kind, version,
                         version if oldest is None else oldest, written,
                         leaves, rules, error)

    def now(self):
        return [x.decode() for x in self.client.fcall_ro(
            'chorus_policy_now', 4, POLICY, READERS, ALIVE, OWED)]

    def readers(self):
        return self.call('policy_readers', (POLICY, READERS, ALIVE, OWED))

    def list(self, kind='replication', offset=0, count=1000, user='',
             bucket=''):
        return self.call('policy_list', (POLICY,), kind, offset, count, user,
                         bucket)

    def owed(self):
        return {k.decode(): v.decode().split(' ', 3)[3]
                for k, v in self.client.hgetall(OWED).items()}

    def forget_debts(self):
        self.client.delete(OWED)

    def older(self, id='one', seconds=10):
        """As if the rule had been made so long ago."""
        field = 'replication:' + id
        since, rest = self.client.hget(POLICY, field).split(b' ', 1)
        since = int(since) - seconds * SECOND
        self.client.hset(POLICY, field, b'%d %s' % (since, rest))
        return since

    def dies(self, reader='p1'):
        """So long ago that it is taken for dead."""
        self.client.zadd(ALIVE, {reader: 1})


@pytest.fixture
def policy(q):
    return Policy(q)


# ---- changes ----

def test_a_rule_is_made_and_seen(policy):
    made = policy.set(migrate=1)
    assert made['created'] and made['changed']
    rule = policy.list()['rules'][0]
    assert rule == made['rule']
    assert rule['rule'] == json.loads(RULE)
    assert rule['since'] == rule['version'] == made['version']
    assert rule['migrate'] is True and rule['paused'] is False


def test_a_create_that_is_repeated_changes_nothing(policy):
    made = policy.set(match='0')
    again = policy.set(match='0')
    assert again['version'] == made['version']
    assert not again['changed'] and not again['created']
    assert policy.set(match='0', text=OTHER)['refused'] == 'precondition'


@pytest.mark.parametrize('change', ['set', 'delete', 'pause'])
def test_an_update_of_something_older_is_refused(policy, change):
    def run(match):
        if change == 'set':
            return policy.set(text=OTHER + ' ', match=match)
        return getattr(policy, change)(match=match)

    first = policy.set()['version']
    second = policy.set(text=OTHER)['version']
    refused = run(str(first))
    assert refused == {'refused': 'precondition', 'current': second}
    assert run(str(second))['changed']


def test_what_must_exist_must_exist(policy):
    assert policy.set(match='*')['refused'] == 'precondition'
    assert policy.delete()['refused'] == 'missing'
    assert policy.pause()['refused'] == 'missing'
    assert policy.list() == {'version': 0, 'total': 0, 'rules': []}


def test_a_pause_is_a_change_but_not_of_what_the_rule_says(policy):
    since = policy.set()['version']
    paused = policy.pause()
    assert paused['version'] > since
    assert paused['rule']['since'] == since
    assert paused['rule']['paused'] is True
    assert not policy.pause()['changed']
    assert policy.set(text=OTHER)['rule']['paused'] is True
    assert policy.pause(paused=0)['rule']['paused'] is False


def test_kinds_have_ids_of_their_own(policy):
    for kind in ('replication', 'route', 'block', 'pause'):
        policy.set(kind=kind, text='{"of":"%s"}' % kind)
    for kind in ('replication', 'route', 'block', 'pause'):
        assert [r['rule'] for r in policy.list(kind)['rules']] \
            == [{'of': kind}]


def test_rules_are_listed_in_pages_oldest_first(policy):
    ids = ['r%d' % n for n in range(7)]
    random.Random(1).shuffle(ids)
    for id in ids:
        policy.set(id)
    assert policy.list(offset=2, count=3)['total'] == 7
    assert [r['id'] for r in policy.list(offset=2, count=3)['rules']] \
        == ids[2:5]


def test_rules_are_found_by_what_they_say(policy):
    policy.set('a', RULE)
    policy.set('b', OTHER)
    policy.set('c', RULE.replace('alice', '*'))

    def found(**what):
        return [r['id'] for r in policy.list(**what)['rules']]
    assert found(user='alice') == ['a', 'b']
    assert found(bucket='photos') == ['a', 'c']
    assert found(user='*', bucket='photos') == ['c']
    assert found(bucket='photo') == []
    assert policy.list(user='alice', count=1)['total'] == 2


def test_the_number_of_rules_is_bounded(policy):
    for n in range(1000):
        assert policy.set('r%d' % n)['changed']
    assert policy.set('one-more')['refused'] == 'full'
    assert policy.set('r5', text=OTHER)['changed']      # in place of itself
    assert policy.delete('r5')['changed']
    assert policy.set('one-more')['changed']


def test_the_bytes_of_all_rules_are_bounded(policy):
    text = '"' + 'x' * 8000 + '"'
    n = 0
    while policy.set('r%d' % n, text=text).get('changed'):
        n += 1
        assert n < 200
    assert 120 < n <= 131


def test_every_change_is_audited_and_the_log_is_bounded(policy):
    policy.set(who='eve')
    policy.pause()
    policy.delete()
    log = policy.call('audit', (AUDIT,), 0, 10)
    assert [(e['action'], e['who']) for e in log['entries']] == [
        ('delete', 'ops'), ('pause', 'ops'), ('create', 'eve')]
    assert log['entries'][2]['before'] is None
    assert log['entries'][0]['before']['rule'] == json.loads(RULE)
    for n in range(1100):
        policy.pause(paused=n % 2) if n else policy.set()
    assert policy.client.llen(AUDIT) == 1000
    assert len(policy.call('audit', (AUDIT,), 990, 100)['entries']) == 10


def test_a_long_rule_does_not_make_a_long_log(policy):
    policy.set(text='{"bucket":"%s"}' % ('x' * 5000))
    entry = policy.call('audit', (AUDIT,), 0, 1)['entries'][0]
    assert isinstance(entry['after'], str) and len(entry['after']) == 1024


@pytest.mark.parametrize('what, args', [
    ('kind', ('rule', 'a', '', 'ops', 0, '{}')),
    ('id', ('route', 'a b', '', 'ops', 0, '{}')),
    ('id', ('route', 'a:b', '', 'ops', 0, '{}')),
    ('id', ('route', 'a"b', '', 'ops', 0, '{}')),
    ('id', ('route', 'a\nb', '', 'ops', 0, '{}')),
    ('id', ('route', '..', '', 'ops', 0, '{}')),
    ('id', ('route', '', '', 'ops', 0, '{}')),
    ('id', ('route', 'x' * 65, '', 'ops', 0, '{}')),
    ('match', ('route', 'a', 'x', 'ops', 0, '{}')),
    ('who', ('route', 'a', '', '', 0, '{}')),
    ('migrate', ('route', 'a', '', 'ops', 2, '{}')),
    ('rule', ('route', 'a', '', 'ops', 0, 'x' * 8193)),
    ('rule', ('route', 'a', '', 'ops', 0)),
    ('unexpected', ('route', 'a', '', 'ops', 0, '{}', 'more')),
])
def test_bad_arguments_change_nothing(policy, what, args):
    with pytest.raises(redis.ResponseError, match='policy_set: .*' + what):
        policy.change('set', *args)
    assert not policy.client.exists(POLICY, AUDIT)


# ---- readers ----

def test_a_reader_gets_what_it_does_not_have(policy):
    assert policy.poll() is None
    version = policy.set()['version']
    document = policy.poll()
    assert document['version'] == document['origin'] == version
    assert json.loads(document['rules'][0]['rule']) == json.loads(RULE)
    assert policy.poll(version) is None
    second = policy.pause()['version']
    assert policy.poll(version)['version'] == second
    assert policy.poll(version)['origin'] == version


def test_it_is_known_who_is_behind(policy):
    version = policy.set()['version']
    policy.poll(version, 'p1')
    policy.poll(0, 'w1', kind='worker', error='no storage "x"')
    seen = policy.readers()
    assert (seen['version'], seen['behind']) == (version, 1)
    rows = {r['reader']: r for r in seen['readers']}
    assert rows['w1']['error'] == 'no storage "x"'
    assert rows['p1']['error'] is None and rows['p1']['version'] == version
    policy.poll(version, 'w1', kind='worker')
    assert policy.readers()['behind'] == 0


def test_the_dead_and_those_that_leave_are_not_waited_for(policy):
    policy.set()
    policy.poll(0, 'p1')
    policy.poll(0, 'p2')
    policy.dies('p1')
    assert [r['reader'] for r in policy.readers()['readers']] == ['p2']
    policy.poll(0, 'p2', leaves=1)
    assert policy.readers()['readers'] == []
    assert not policy.client.exists(ALIVE)
    # but whose rules it was that it marked under
    assert policy.client.hgetall(READERS) == {b'proxy': b'a1'}


def test_it_is_known_whose_rules_differ(policy):
    """As long as somebody lives who has others, and no longer."""
    assert policy.now() == ['0', '']
    version = policy.set()['version']
    policy.poll(version, 'p1')
    assert policy.now() == [str(version), 'a1']
    policy.poll(0, 'w1', kind='worker', rules='b2')
    assert policy.now() == [str(version), 'mixed']
    seen = policy.readers()
    assert seen['rules'] == 'mixed'
    assert {r['reader']: r['rules'] for r in seen['readers']} == \
        {'p1': 'a1', 'w1': 'b2'}
    policy.poll(0, 'w1', kind='worker')
    assert policy.now()[1] == policy.readers()['rules'] == 'a1'
    policy.poll(0, 'w2', kind='worker', rules='b2')
    policy.poll(0, 'w2', kind='worker', rules='b2', leaves=1)
    assert policy.now()[1] == 'a1'
    policy.poll(0, 'w3', kind='worker', rules='b2')
    policy.dies('w3')
    policy.poll(version, 'p1')
    assert policy.now()[1] == 'a1'


def test_the_rules_of_a_proxy_outlive_it(policy):
    """What it marked waits for workers that have them."""
    policy.poll(0, 'p1', rules='a1')
    policy.poll(0, 'w1', kind='worker', rules='b2')
    assert policy.now()[1] == 'mixed'
    policy.poll(0, 'p1', rules='a1', leaves=1)
    policy.poll(0, 'w1', kind='worker', rules='b2')
    assert policy.now()[1] == 'mixed'
    policy.poll(0, 'w1', kind='worker', rules='a1')
    assert policy.now()[1] == 'a1'
    policy.poll(0, 'p2', rules='c3')
    policy.dies('p2')
    policy.poll(0, 'w1', kind='worker', rules='a1')
    assert policy.now()[1] == 'mixed'
    policy.poll(0, 'p3', rules='a1')
    assert policy.now()[1] == 'a1'


# ---- what is owed ----

def test_a_migration_is_owed_from_the_start(policy):
    policy.set('with', migrate=1)
    policy.set('without')
    assert policy.owed() == {'with': 'migration'}


def test_writes_under_an_older_policy_are_owed_again(policy):
    """The scan that began before them must not pay the debt."""
    version = policy.set(migrate=1)['version']
    first = policy.call('policy_take', (OWED,), 60000)
    policy.poll(version - 1, written=version - 1)
    assert policy.call('policy_settled', (OWED,), 'one', first[1]) == 0
    again = policy.call('policy_take', (OWED,), 60000)
    assert again[1] > first[1] and again[0] == b'one'
    assert policy.call('policy_settled', (OWED,), 'one', again[1]) == 1
    policy.poll(version, written=version)
    assert policy.owed() == {}


def test_without_writes_nothing_is_owed(policy):
    version = policy.set(migrate=1)['version']
    policy.forget_debts()
    policy.poll(0)
    policy.poll(0, written=version)
    policy.poll(0, written=0, kind='worker')
    assert policy.owed() == {}


def test_a_proxy_that_was_cut_off_owes_also_without_migration(policy):
    policy.set()
    policy.poll(0, written=0)
    assert policy.owed() == {}, 'it is on its way to everybody'
    policy.older()
    policy.poll(0, written=0)
    assert policy.owed() == {'one': 'written before it was known'}


def test_only_rules_that_are_newer_are_owed(policy):
    policy.set('old', migrate=1)
    middle = policy.set('middle', migrate=1)['version']
    policy.set('new', migrate=1)
    policy.set('none', kind='route')
    policy.forget_debts()
    policy.poll(middle, written=middle)
    assert set(policy.owed()) == {'new'}


def test_a_proxy_that_dies_owes_what_it_had_in_flight(policy):
    version = policy.set(migrate=1)['version']
    policy.forget_debts()
    policy.poll(version, 'p1', oldest=version - 5)
    policy.poll(version, 'p2')
    policy.dies('p2')
    policy.poll(version, 'p3')
    assert policy.owed() == {}
    policy.dies('p1')
    policy.poll(version, 'p3')
    assert policy.owed() == {'one': 'a proxy is gone'}


def test_a_deleted_rule_owes_nothing(policy):
    policy.set(migrate=1)
    policy.delete()
    assert policy.owed() == {}


def test_one_at_a_time_works_on_a_debt(policy):
    policy.set(migrate=1)
    assert policy.call('policy_take', (OWED,), 60000)[0] == b'one'
    assert policy.call('policy_take', (OWED,), 60000) is None
    policy.client.hset(OWED, 'one', policy.client.hget(OWED, 'one').replace(
        policy.client.hget(OWED, 'one').split(b' ')[2], b'1'))
    assert policy.call('policy_take', (OWED,), 60000)[0] == b'one'


# ---- a Redis that forgets ----

def test_a_redis_that_was_emptied_gets_its_policy_back(policy):
    policy.set(migrate=1)
    policy.set('two', '{"a":"\\u00e9\\"\\\\"}', kind='route')
    policy.pause()
    before = policy.poll()
    policy.client.flushall()
    assert policy.restore(before) == 1
    assert policy.poll() == before
    assert policy.owed() == {'one': 'Redis forgot'}
    assert policy.restore(before) == 0
    assert policy.set('three')['version'] > before['version']


def test_the_newest_of_the_same_origin_wins(policy):
    policy.set()
    old = policy.poll()
    policy.set('two')
    new = policy.poll()
    assert policy.restore(old) == 0
    assert policy.poll() == new


def test_a_redis_that_lost_its_last_second_owes_what_is_newer(policy):
    policy.set('old')
    lost = policy.client.dump(POLICY)
    policy.set('new')
    new = policy.poll()
    policy.client.restore(POLICY, 0, lost, replace=True)
    assert policy.restore(new) == 1
    assert policy.poll() == new
    assert policy.owed() == {'new': 'Redis forgot'}


def test_a_policy_of_another_redis_is_not_taken(policy):
    policy.set()
    stranger = policy.poll()
    policy.client.flushall()
    ours = policy.set('ours')['version']
    stranger['version'] = ours + SECOND
    assert policy.restore(stranger) == 0
    assert [r['id'] for r in policy.list()['rules']] == ['ours']


@pytest.mark.parametrize('text', [
    '{}', '[]', '"x"', '{"version":1}', 'no json', '[' * 3000,
    '{"version":1,"origin":1,"rules":[{}]}',
    '{"version":1,"origin":1,"rules":[7]}',
    '{"version":"1","origin":1,"rules":[]}'])
def test_what_is_no_policy_is_not_taken(policy, text):
    assert policy.change('restore', text) == 0
    assert not policy.client.exists(POLICY)


# ---- replications that the policy pauses ----

def test_what_is_suspended_is_not_claimed_and_nothing_is_lost(q, wakes):
    q.mark('a')
    c = q.claim_one()
    q.mark('b')
    wakes()
    assert q.change('suspend', R1, 1) == 1
    assert q.change('suspend', R1, 1) == 0
    assert q.stats()['state'] == 'paused'
    q.mark('c')
    q.done(c)
    assert q.claim(10) == [] and wakes() == []
    assert q.change('suspend', R1, 0) == 1
    assert wakes() == [R1]
    assert {c.key for c in q.claim(10)} == {b'b', b'c'}


def test_a_suspension_and_a_pause_are_two_things(q):
    q.mark('a')
    q.pause()
    q.change('suspend', R1, 1)
    q.resume()
    assert q.claim(10) == []
    q.pause()
    q.change('suspend', R1, 0)
    assert q.claim(10) == [] and q.stats()['state'] == 'paused'
    q.resume()
    assert len(q.claim(10)) == 1


def test_a_resume_under_a_suspension_wakes_nobody(q, wakes):
    q.mark('a')
    q.pause()
    q.change('suspend', R1, 1)
    wakes()
    q.resume()
    assert wakes() == []


def test_a_suspension_outlasts_what_holds_a_replication(q, wakes):
    """And the probe of what is blocked waits, as all else does."""
    q.mark('a', 'b', 'c')
    q.block(q.claim_one(), scope='all')
    q.change('suspend', R1, 1)
    wakes()
    stats = q.stats()
    assert (stats['state'], stats['blocked']) == ('paused', 1)
    assert stats['held']['code'] == 'AccessDenied'
    q.probe()
    assert q.claim(10) == []
    assert q.retry() == 1
    assert q.stats()['held'] is None
    assert q.claim(10) == [] and wakes() == []
    q.change('suspend', R1, 0)
    assert wakes() == [R1]
    assert len(q.claim(10)) == 3


def test_what_holds_a_replication_outlasts_a_suspension(q):
    q.mark('a', 'b', 'c')
    q.block(q.claim_one(), scope='all')
    q.change('suspend', R1, 1)
    q.change('suspend', R1, 0)
    assert q.stats()['held'] and q.claim(10) == []
    q.probe()
    assert len(q.claim(10)) == 1


def test_it_can_be_read_which_replications_are_suspended(q):
    q.mark('a')
    q.mark('a', r='alice:videos:f1')
    q.change('suspend', R1, 1)
    assert q.change('suspend', 'alice:nothing:f1', 1) == 0
    cursor, *rest = q.fcall_ro('suspended', 1, REPLICATIONS, 0, 100)
    assert cursor == b'0'
    assert dict(zip(rest[::2], rest[1::2])) == {
        R1.encode(): b'1', b'alice:videos:f1': b'0'}


# ---- against another implementation ----

class Model:
    """The rules above, in Python, with versions as Redis gave them."""

    def __init__(self):
        self.rules = {}
        self.version = 0
        self.owed = set()

    def ok(self, match, old):
        return {'': True, '*': old is not None, '0': old is None}.get(
            match, old is not None and str(old['version']) == match)

    def set(self, kind, id, match, migrate, text):
        old = self.rules.get((kind, id))
        if old and (old['text'], old['migrate']) == (text, migrate) \
                and (match == '0' or self.ok(match, old)):
            return 'same'
        if not self.ok(match, old):
            return 'precondition'
        if kind == 'replication' and migrate:
            self.owed.add(id)
        self.rules[kind, id] = {
            'text': text, 'migrate': migrate,
            'paused': old['paused'] if old else 0}
        return 'changed'

    def delete(self, kind, id, match):
        old = self.rules.get((kind, id))
        if not self.ok(match, old):
            return 'precondition'
        if old is None:
            return 'missing'
        del self.rules[kind, id]
        if kind == 'replication':
            self.owed.discard(id)
        return 'changed'

    def pause(self, kind, id, match, paused):
        old = self.rules.get((kind, id))
        if not self.ok(match, old):
            return 'precondition'
        if old is None:
            return 'missing'
        if old['paused'] == paused:
            return 'same'
        old['paused'] = paused
        return 'changed'


@pytest.mark.parametrize('seed', range(4))
def test_random_changes_end_like_those_of_the_model(policy, seed):
    dice = random.Random(seed)
    model = Model()
    for _ in range(400):
        kind = dice.choice(['replication', 'route'])
        id = dice.choice('abc')
        old = model.rules.get((kind, id))
        match = dice.choice(['', '', '*', '0', '17'] + (
            [str(old['version'])] if old else []))
        step = dice.choice(['set', 'set', 'delete', 'pause', 'write'])
        before = model.version
        if step == 'set':
            migrate, text = dice.choice([0, 1]), dice.choice([RULE, OTHER])
            want = model.set(kind, id, match, migrate, text)
            got = policy.change('set', kind, id, match, 'ops', migrate, text)
        elif step == 'delete':
            want = model.delete(kind, id, match)
            got = policy.change('delete', kind, id, match, 'ops')
        elif step == 'pause':
            paused = dice.choice([0, 1])
            want = model.pause(kind, id, match, paused)
            got = policy.change('pause', kind, id, match, 'ops', paused)
        else:
            under = dice.choice([0, model.version]
                                + [r['since'] for r in model.rules.values()])
            policy.poll(model.version, written=under)
            model.owed |= {id for (k, id), r in model.rules.items()
                           if k == 'replication' and r['migrate']
                           and r['since'] > under}
            assert set(policy.owed()) == model.owed
            continue

        assert got.get('refused', 'changed' if got.get('changed')
                       else 'same') == want
        if want == 'changed':
            assert got['version'] > before
            model.version = got['version']
            rule = model.rules.get((kind, id))
            if rule is not None:
                rule['version'] = model.version
                if step == 'set':
                    rule['since'] = model.version
        document = policy.poll()
        if model.version:
            assert document['version'] == model.version
            assert {(r['kind'], r['id']): (
                r['rule'], int(r['migrate']), int(r['paused']), r['since'],
                r['version']) for r in document['rules']} == {
                    k: (r['text'], r['migrate'], r['paused'], r['since'],
                        r['version']) for k, r in model.rules.items()}
        assert set(policy.owed()) == model.owed
