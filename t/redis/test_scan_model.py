"""Random scans: workers that die at any step, tell a page twice, come too
late, cut shards; every key is counted once, and what differs is marked.

    CHORUS_SEED=17 pytest test_scan_model.py
"""

import os
import random

import pytest

from conftest import R1
from scans import Scans

SEEDS = [int(os.environ['CHORUS_SEED'])] if 'CHORUS_SEED' in os.environ \
    else [1, 2, 3, random.SystemRandom().randrange(10 ** 9)]
RUNS = 40                       # of a seed
DEAD = 1                        # ms: the lease of a worker that is to die


class World:
    """Two listings, and what a join of them says."""

    def __init__(self, dice):
        names = sorted({b'%03d' % dice.randrange(200) for _ in range(60)}
                       | {b'\x00', b'\xff'})
        self.main = {k: dice.randrange(2) for k in names
                     if dice.random() < 0.8}
        self.follower = {k: dice.randrange(2) for k in names
                         if dice.random() < 0.8}
        self.keys = sorted(self.main.keys() | self.follower.keys())

    def what(self, key):
        if key not in self.follower:
            return 'missing'
        if key not in self.main:
            return 'surplus'
        return ('equal' if self.main[key] == self.follower[key]
                else 'different')

    def page(self, shard, size):
        """counts, marks, differences, cursor, whether it is the last."""
        keys = [k for k in self.keys if k > shard.cursor
                and (not shard.cut or k <= shard.to)]
        taken = keys[:size]
        counts = {'main': sum(k in self.main for k in taken),
                  'follower': sum(k in self.follower for k in taken)}
        for k in taken:
            counts[self.what(k)] = counts.get(self.what(k), 0) + 1
        return dict(counts=counts, last=len(taken) == len(keys),
                    marks=[k for k in taken
                           if self.what(k) in ('missing', 'different')],
                    differences=[(self.what(k), k) for k in taken
                                 if self.what(k) != 'equal'],
                    cursor=taken[-1] if taken else shard.cursor)


class Worker:
    def __init__(self, s, world, dice, shard, lease):
        self.s, self.world, self.dice = s, world, dice
        self.shard, self.lease = shard, lease
        self.is_over = False

    def step(self):
        page = self.world.page(self.shard, self.dice.randint(1, 12))
        start = self.shard.cursor
        reply = self.s.page(self.shard, lease=self.lease, **page)
        if reply == 'taken' and self.dice.random() < 0.2:
            # the reply got lost: what is told again is known
            again = self.s.page(self.shard, lease=self.lease, start=start,
                                **page)
            assert again in ('taken', 'lost'), again
        if reply in ('lost', 'paused') or (reply == 'taken' and page['last']):
            self.is_over = True
        elif self.dice.random() < 0.1:
            self.s.release(self.shard, 0, self.dice.randrange(2), '')
            self.is_over = True


@pytest.mark.parametrize('seed', SEEDS)
def test_every_key_counts_once(q, seed):
    print('CHORUS_SEED=%d' % seed)
    dice = random.Random(seed)
    s = Scans(q)
    for _ in range(RUNS):
        run(q, s, dice)
        q.client.flushdb()


def run(q, s, dice):
    world = World(dice)
    s.start(dice.choice(['migrate', 'repair']))
    workers, steps = [], 0

    while s.look()['state'] == 'running':
        steps += 1
        assert steps < 5000
        if not workers or dice.random() < 0.3:
            take(s, world, dice, workers)
        if workers:
            worker = dice.choice(workers)
            worker.step()
            if worker.is_over:
                workers.remove(worker)

    scan = s.look()
    for name in ('equal', 'different', 'missing', 'surplus'):
        assert scan[name] == sum(world.what(k) == name
                                 for k in world.keys), name
    assert scan['main'] == len(world.main)
    assert scan['follower'] == len(world.follower)
    assert set(q.places()) == {k for k in world.keys
                               if world.what(k) in ('missing', 'different')}
    assert {d['key'] for d in s.differences()} == {
        k.decode('utf-8', 'replace').replace('\x00', '\ufffd')
        for k in world.keys if world.what(k) != 'equal'}


def take(s, world, dice, workers):
    lease = DEAD if dice.random() < 0.4 else 60000
    shard = s.claim(lease=lease)
    if shard is None:
        s.later()
    elif shard.what == 'split':
        s.split(shard, dice.choice(world.keys))
    else:
        workers.append(Worker(s, world, dice, shard, lease))
