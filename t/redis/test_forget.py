"""A replication that no rule leads to any more is forgotten when all agree, and
kept on any doubt."""

import json

import pytest

from conftest import ALIVE, R1, REPLICATIONS
from scans import Scans

POLICY = ('chorus:policy', 'chorus:policy:readers', 'chorus:policy:alive',
          'chorus:policy:owed')


class Forget:
    def __init__(self, q):
        self.q = q

    def ask(self, r=R1):
        return self.q.change('forget', r, 'ann')

    def word(self, worker='w1', leads=0, policy=0, r=R1):
        return self.q.change('forget_word', r, worker, leads, policy)

    def lives(self, *names, kind='worker'):
        for name in names:
            self.q.fcall('policy_poll', 4, *POLICY, name, kind, 0, 0, -1, 0,
                         'a1', '')

    def later(self, ms=7000, r=R1):
        """It was asked for so long ago."""
        at = int(self.q.client.hget(self.q.hash(r), 'forget_ms'))
        self.q.client.hset(self.q.hash(r), 'forget_ms', at - ms)

    def news(self):
        made, *names = self.q.fcall_ro('news', 2, 'chorus:discover',
                                       'chorus:forget')
        return made, names

    def audit(self):
        log = json.loads(self.q.fcall('audit', 1, 'chorus:audit', 0, 1))
        return [(e['action'], e['before']) for e in log['entries']]

    def is_gone(self, r=R1):
        return not self.q.client.keys('*%s*' % r)


@pytest.fixture
def forget(q):
    return Forget(q)


def test_nothing_of_it_is_left_when_all_workers_have_agreed(q, forget):
    q.mark('a', 'b', 'c', 'd', 'e')
    c = q.claim(3)
    q.fail(c[0], delay=1000)
    q.fail(c[1], delay=-1)
    q.done(c[2], doubt=1)
    Scans(q).start('check')
    q.owe('overflow')
    forget.lives('w1', 'w2')
    forget.lives('p', kind='proxy')
    assert forget.news() == (1, [])
    assert forget.ask() == 1
    assert forget.news() == (1, [R1.encode()])
    assert q.claim(9) == []
    forget.later()
    assert forget.word('w1') == 0
    assert forget.word('w1') == 0
    assert forget.word('w2') == 1
    assert forget.is_gone()
    assert q.client.smembers(REPLICATIONS) == set()
    assert q.client.zcard('chorus:schedule') == 0
    assert forget.news()[1] == []
    assert forget.audit() == [
        ('forget', '3 keys waited, 1 were parked, 1 scans owed')]
    # and it begins anew when somebody wants it
    q.mark('a')
    assert q.claim_one().key == b'a'
    assert forget.news()[0] == 2


def test_a_rule_keeps_it(q, forget):
    q.mark('a')
    forget.ask()
    forget.later()
    assert forget.word(leads=1) == -1
    assert forget.word() == -1
    assert q.claim_one().key == b'a'
    assert forget.audit() == [('keep', 'a rule of worker w1 leads there')]


def test_a_mark_keeps_it(q, forget):
    q.mark('a')
    forget.ask()
    forget.later()
    q.mark('b')
    assert forget.word() == -1
    assert {c.key for c in q.claim(5)} == {b'a', b'b'}
    assert forget.audit() == [('keep', 'it is still written to')]


@pytest.mark.parametrize('why', ['too soon', 'a worker is silent',
                                 'another policy', 'somebody holds a key'])
def test_it_waits(q, forget, why):
    q.mark('a')
    forget.lives('w1')
    if why == 'somebody holds a key':
        held = q.claim_one()
    if why == 'a worker is silent':
        forget.lives('w2')
    forget.ask()
    if why != 'too soon':
        forget.later()
    assert forget.word(policy=5 if why == 'another policy' else 0) == 0
    assert q.stats()['dirty'] + q.stats()['busy'] == 1
    forget.later(60000)
    if why == 'somebody holds a key':
        q.done(held)
        assert forget.word() == 1
    elif why == 'too soon':
        assert forget.word() == 1
    elif why == 'a worker is silent':
        # for too long; or it is dead
        q.client.zadd('chorus:policy:alive', {'w2': 1})
        assert forget.word() == 1
    else:
        assert forget.word(policy=5) == -1
        assert forget.audit() == [('keep', 'not all workers have agreed')]


def test_what_is_not_there_is_not_forgotten(q, forget):
    assert forget.ask() == 0
    assert forget.word() == -1
    assert q.client.exists(ALIVE) == 0
