"""Thousands of random steps against the reference model.

Every event is a new version on main; a worker copies what it saw at its
claim.  Whatever order marks, crashes, zombies, failures and operators come
in: the library agrees with the model after each step, nobody holds a key
that another one holds, and in the end every follower equals main.

    CHORUS_SEED=17 CHORUS_STEPS=50000 pytest test_model.py     # a longer one
"""

import json
import os
import random

import pytest

from conftest import near
from reference import EVERYTHING, STAGES, Replication

SEEDS = [int(os.environ['CHORUS_SEED'])] if 'CHORUS_SEED' in os.environ \
    else [1, 2, random.SystemRandom().randrange(10 ** 9)]
STEPS = int(os.environ.get('CHORUS_STEPS', 1500))

NAMES = ['u:b1:f1', 'u:b1:f2', 'u:b2:f1']
KEYS = [b'', b'nul\x00', b'\xff\xfe'] + [b'k%d' % n for n in range(12)]
WORKERS = ['w%d' % n for n in range(6)]
BITS = (1, 2, 4)
HOUR = 3600000


class Storages:
    """Versions of the three facets of every key on main and followers."""

    def __init__(self):
        self.main = {}
        self.follower = {}

    def change(self, r, key, facets):
        for b in BITS:
            if (facets or EVERYTHING) & b:
                self.main[r, key, b] = self.main.get((r, key, b), 0) + 1

    def read(self, r, key, facets):
        return {(r, key, b): self.main.get((r, key, b), 0)
                for b in BITS if facets & b}

    def write(self, content):
        self.follower.update(content)


class Run:
    def __init__(self, q, seed):
        self.q = q
        self.random = random.Random(seed)
        self.models = {r: Replication() for r in NAMES}
        self.storages = Storages()
        self.held = []              # what workers believe they hold
        self.late = []              # writes that are on their way still

    # steps

    def mark(self):
        r = self.random.choice(NAMES)
        source = self.random.choice(['event', 'event', 'event', 'scan'])
        expected, args = 0, []
        for _ in range(self.random.randint(1, 4)):
            key = self.random.choice(KEYS)
            age = self.random.randint(0, 50) * 10000
            facets = self.random.choice([0, 0, 7, 1, 2, 3, 4])
            if source == 'event':
                self.storages.change(r, key, facets)
            expected += self.models[r].mark(key, source, age, facets)
            args += [age, facets, key]
        assert self.q.change('mark', r, source, *args) == expected

    def claim(self):
        excluded = self.random.choice([[], [], ['f1'], ['f2'], ['f3']])
        max = self.random.choice([1, 1, 2, 5, 40])
        open = [r for r in NAMES if r.split(':')[2] not in excluded]
        available = sum(len(self.models[r].claimable()) for r in open)
        claimed = self.q.claim(max, worker=self.random.choice(WORKERS),
                               exclude=excluded)
        assert len(claimed) == min(max, available)
        for r in open:
            self.follow_visit(r, [c for c in claimed if c.r == r])

    def follow_visit(self, r, claimed):
        """A visited replication has moved all that was due."""
        model = self.models[r]
        places = self.q.places(r)
        moved = [name for name in model.due()
                 if places[name] != model.keys[name].place]
        looked = {member for member, is_due in model.rechecks.items()
                  if is_due} - self.members(r)
        if claimed or moved or looked:
            model.take_due()
        for c in claimed:
            self.follow_claim(model, c)
        self.check_order(model, claimed)

    def members(self, r):
        return {(int(m[:1]), m[1:]) for m in self.q.rechecks(r)}

    def follow_claim(self, model, c):
        key = model.claim(c.key, c.token)
        assert (c.facets, c.attempts, c.source) == \
            (key.facets, key.attempts or 0, key.source)
        assert not any(c.token == h.token and c.r == h.r for h in self.held)
        c.content = self.storages.read(c.r, c.key, c.facets)
        self.held.append(c)

    def check_order(self, model, claimed):
        for source, place in (('event', 'dirty'), ('scan', 'bulk')):
            taken = [model.keys[c.key].since for c in claimed
                     if c.source == source]
            left = [key.since for key in model.keys.values()
                    if key.place == place]
            assert all(a <= b + 1000 for a, b in zip(taken, taken[1:]))
            if taken and left:
                assert max(taken) <= min(left) + 1000

    def some_held(self):
        """A few of one replication, zombies among them."""
        r = self.random.choice(NAMES)
        mine = [c for c in self.held if c.r == r]
        return self.random.sample(mine, min(len(mine),
                                            self.random.randint(1, 3)))

    def drop(self, claimed):
        self.held = [c for c in self.held if c not in claimed]

    def write(self, claimed):
        for c in claimed:
            self.storages.write(c.content)

    def doubt(self, claimed):
        """Whether the follower may get there later what it was sent."""
        if self.random.random() < 0.7:
            return 0
        self.late += [c.content for c in claimed]
        return self.random.choice([1, 3])

    def arrive(self):
        if self.late:
            self.storages.write(self.late.pop(
                self.random.randrange(len(self.late))))

    def recheck(self):
        """The time of some comes; the last stage waits for the end."""
        r = self.random.choice(NAMES)
        members = [m for m in self.models[r].rechecks if m[0] < STAGES]
        for stage, name in self.random.sample(members,
                                              min(len(members), 5)):
            self.models[r].rechecks[stage, name] = True
            self.q.due(b'%d' % stage + name, r=r)

    def done(self):
        claimed = self.some_held()
        if claimed:
            self.write(claimed)
            doubt = self.doubt(claimed)
            expected = [self.models[c.r].done(c.key, c.token, doubt)
                        for c in claimed]
            assert self.q.done(*claimed, doubt=doubt) == expected
            self.drop(claimed)

    def fail(self):
        claimed = self.some_held()
        delay = self.random.choice([0, 0, HOUR, -1])
        if claimed:
            if self.random.random() < 0.5:
                self.write(claimed)     # it was the answer that got lost
            doubt = self.doubt(claimed)
            expected = [self.models[c.r].fail(c.key, c.token, delay, doubt)
                        for c in claimed]
            assert self.q.fail(*claimed, delay=delay, doubt=doubt) == \
                expected
            self.drop(claimed)

    def release(self):
        claimed = self.some_held()
        if claimed:
            doubt = self.doubt(claimed)
            expected = [self.models[c.r].release(c.key, c.token, doubt)
                        for c in claimed]
            assert self.q.release(*claimed, doubt=doubt) == expected
            self.drop(claimed)

    def renew(self):
        claimed = self.some_held()
        if claimed:
            expected = [self.models[c.r].renew(c.key, c.token)
                        for c in claimed]
            assert self.q.renew(*claimed) == expected

    def expire(self):
        for c in self.some_held():
            model = self.models[c.r]
            if model.is_held(c.key, c.token):
                self.q.expire(c)
                model.keys[c.key].is_expired = True

    def crash(self):
        """kill -9: the lease runs out and nobody ever reports, but the
        last that was sent may arrive."""
        self.expire()
        gone = [c for c in self.held
                if self.models[c.r].is_held(c.key, c.token)
                and self.models[c.r].keys[c.key].is_expired]
        self.late += [c.content for c in gone]
        self.drop(gone)

    def reap(self):
        r = self.random.choice(NAMES)
        assert self.q.reap(r) == self.models[r].reap()

    def retry(self):
        r = self.random.choice(NAMES)
        names = self.random.choice([None, self.random.sample(KEYS, 4)])
        assert self.q.retry(*(names or []), r=r) == \
            self.models[r].retry(names)

    def pause(self):
        r = self.random.choice(NAMES)
        model = self.models[r]
        assert self.q.pause(r) == (0 if model.is_paused else 1)
        model.is_paused = True

    def resume(self):
        r = self.random.choice(NAMES)
        model = self.models[r]
        assert self.q.resume(r) == (1 if model.is_paused else 0)
        model.is_paused = False

    STEPS = [(mark, 30), (claim, 30), (done, 20), (fail, 12), (release, 3),
             (renew, 4), (expire, 6), (crash, 2), (reap, 2), (retry, 2),
             (pause, 1), (resume, 3), (arrive, 3), (recheck, 3)]

    # agreement

    def agree(self):
        for r in NAMES:
            assert self.q.check(r) == []
            self.agree_on(r)

    def agree_on(self, r):
        model = self.models[r]
        seen = self.read(r)
        assert seen['place'] == {name: key.place
                                 for name, key in model.keys.items()}
        assert seen['facets'] == {name: key.facets
                                  for name, key in model.keys.items()}
        assert seen['attempts'] == {name: key.attempts
                                    for name, key in model.keys.items()
                                    if key.attempts is not None}
        assert self.members(r) == set(model.rechecks)
        assert set(seen['again']) == {name for name, key
                                      in model.keys.items() if key.again}
        for name, key in model.keys.items():
            assert seen['source'][name] == key.source, name
            assert near(seen['since'][name], key.since), name
            if key.again:
                since, facets = seen['again'][name]
                assert near(since, key.again[0]) and facets == key.again[1]

    def read(self, r):
        """What Redis holds, in the model's terms."""
        pipe = self.q.client.pipeline(transaction=False)
        zsets = ['dirty', 'bulk', 'retry', 'failed', 'since', 'bulksince',
                 'again']
        for name in zsets:
            pipe.zrange('%s:%s' % (self.q.hash(r), name), 0, -1,
                        withscores=True)
        for name in ('busy', 'facets', 'trouble'):
            pipe.hgetall('%s:%s' % (self.q.hash(r), name))
        raw = pipe.execute()
        z = {name: dict(raw[i]) for i, name in enumerate(zsets)}
        busy, facets, trouble = raw[len(zsets):]

        seen = {'place': {}, 'facets': {}, 'source': {}, 'since': {}}
        for place in ('dirty', 'bulk', 'retry', 'failed'):
            for key in z[place]:
                seen['place'][key] = place
                seen['facets'][key] = int(facets.get(key, EVERYTHING))
        for key, record in busy.items():
            seen['place'][key] = 'busy'
            seen['facets'][key] = int(record.split(b' ')[1])
        for zset, source in (('dirty', 'event'), ('since', 'event'),
                             ('bulk', 'scan'), ('bulksince', 'scan')):
            for key, since in z[zset].items():
                seen['source'][key], seen['since'][key] = source, since
        seen['attempts'] = {key: json.loads(text)['attempts']
                            for key, text in trouble.items()}
        seen['again'] = {key: (since, int(facets.get(key, EVERYTHING)))
                         for key, since in z['again'].items()}
        return seen

    def drain(self):
        """The operator resumes, all that is on its way arrives, all workers
        come to an end."""
        for r in NAMES:
            self.q.resume(r)
        while self.late:
            self.arrive()
        while True:
            for c in self.held:
                self.storages.write(c.content)
                self.q.done(c)
            self.held = []
            for r in NAMES:
                self.q.retry(r=r)
                for c in self.q.client.zrange(self.q.hash(r) + ':leases', 0,
                                              -1):
                    self.q.client.zadd(self.q.hash(r) + ':leases', {c: 1})
                self.q.reap(r)
                self.q.due(r=r)
            self.held = self.q.claim(1000)
            if not self.held:
                break
            for c in self.held:
                c.content = self.storages.read(c.r, c.key, c.facets)
        for r in NAMES:
            assert self.q.places(r) == {} and self.q.rechecks(r) == {}


@pytest.mark.parametrize('seed', SEEDS)
def test_random_steps_agree_with_the_model_and_lose_nothing(q, seed):
    print('seed', seed)             # shown by pytest when the test fails
    run = Run(q, seed)
    for r in NAMES:
        q.mark(r=r)
    steps, weights = zip(*Run.STEPS)
    for step in run.random.choices(steps, weights, k=STEPS):
        step(run)
        run.agree()
    run.drain()
    behind = {what for what, version in run.storages.main.items()
              if run.storages.follower.get(what) != version}
    assert behind == set()
