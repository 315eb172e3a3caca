"""Half a step of a scan, as test_torn.py plays it: Redis lost its power in
the middle of a claim, a page, a cut or an end, and knows the first writes of
it.  Workers may be gone as well, or go on with what they have.  In the end no
key is left out: each counts once, and what differs waits to be copied.  (Half
a cut is the exception: what both shards cover then is compared twice.)

    CHORUS_SEED=17 CHORUS_CUTS=5000 pytest test_scan_torn.py
"""

import copy
import os
import random

import pytest

from conftest import Queue, seeds
from scans import Scans
from test_scan_model import Worker, World
from test_torn import recorder      # noqa: F401 (a fixture)

SEEDS = seeds(1, 2)
CUTS = int(os.environ.get('CHORUS_CUTS', 30))
LEASE = 3600000
WHAT = ('equal', 'different', 'missing', 'surplus')


def as_text(key):
    """As JSON has it: what is no text becomes U+FFFD."""
    return key.replace(b'\0', b'\xff').decode(errors='replace')


class Play:
    def __init__(self, recorder, dice):     # noqa: F811
        recorder.client.flushall()
        recorder.commands()
        self.recorder, self.dice = recorder, dice
        self.q = Queue(recorder.client)
        self.s = Scans(self.q)
        self.world = World(dice)
        self.workers, self.splits = [], 0
        self.s.start(dice.choice(['migrate', 'repair']))

    def is_over(self):
        return self.s.look()['state'] != 'running'

    def take(self, lease):
        shard = self.s.claim(lease=lease)
        if shard is None:
            return
        if shard.what == 'split':
            self.splits += 1
            self.s.split(shard, self.dice.choice(self.world.keys))
        else:
            self.workers.append(Worker(self.s, self.world, self.dice, shard,
                                       lease))

    def step(self, lease=LEASE):
        """Something that a worker does."""
        if not self.workers or self.dice.random() < 0.4:
            self.take(lease)
        else:
            worker = self.dice.choice(self.workers)
            worker.step()
            if worker.is_over:
                # also who hears that it has lost its shard
                self.s.release(worker.shard)
                self.workers.remove(worker)

    def cut(self):
        """One more step, of which only the first writes stay; nobody was
        answered.  True: both shards of a cut may cover the same keys."""
        whole = self.recorder.commands()
        before = [copy.copy(worker) for worker in self.workers]
        for worker in before:
            worker.shard = copy.copy(worker.shard)
        splits = self.splits
        self.step(lease=1)
        half = [c for c in self.recorder.commands()
                if c[0].upper() not in (b'MULTI', b'EXEC')]
        half = half[:self.dice.randrange(len(half) + 1)]
        self.recorder.restore(whole + half)

        self.workers = []
        for worker in before:
            if self.dice.random() < 0.5:
                self.workers.append(worker)
            else:
                self.s.renew(worker.shard, lease=1)     # it is gone
        self.q.heal(run=str(self.dice.random()))
        return self.splits > splits

    def drain(self):
        for _ in range(3000):
            if self.is_over():
                return
            if not self.workers:
                self.s.later()
            self.step()
        raise AssertionError('there is no end to it')

    def check(self, is_twice):
        scan, keys, what = self.s.look(), self.world.keys, self.world.what
        assert scan['state'] == 'ended', scan
        for name in WHAT:
            expected = sum(what(k) == name for k in keys)
            assert scan[name] == expected or (is_twice
                                              and scan[name] > expected), name
        assert set(self.q.places()) == {
            k for k in keys if what(k) in ('missing', 'different')}
        # lines of half a page come twice, and none is missing
        lines = [row['key'] for row in self.s.differences()]
        assert len(lines) == scan['differences_kept']
        assert set(lines) == {as_text(k) for k in keys if what(k) != 'equal'}


@pytest.mark.parametrize('seed', SEEDS)
def test_half_a_step_leaves_no_key_out(recorder, seed):     # noqa: F811
    print('seed', seed)
    dice, broken = random.Random(seed), 0
    for _ in range(CUTS):
        play = Play(recorder, dice)
        for _ in range(dice.randint(0, 12)):
            if not play.is_over():
                play.step()
        pages = play.s.look()['pages']
        is_twice = play.cut()
        broken += play.s.look()['pages'] == pages
        play.drain()
        play.check(is_twice)
    assert broken, 'the cuts break nothing'
