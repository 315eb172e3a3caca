"""Half a transition: a machine that loses power cuts the append-only file
somewhere in a MULTI.  Redis skips what is left of it at its first start, but
keeps it in the file in front of what it writes from then on, and does it at
its second one.

So that is what is played: any number of whole transitions, the first writes
of the next one, then what happened after the first start, which knew nothing
of those.  Whatever is in between: after chorus_heal all is sound, and when
all workers have come to an end every follower equals main.

    CHORUS_SEED=17 CHORUS_CUTS=5000 pytest test_torn.py        # a longer one
"""

import os
import pathlib
import random
import subprocess
import time

import pytest
import redis

from conftest import R1, STAGES, Queue, answers, seeds
from test_model import KEYS, Storages

SEEDS = seeds(1, 2)
CUTS = int(os.environ.get('CHORUS_CUTS', 120))
NAMES = KEYS[:6]


class Recorder:
    """A Redis that writes an append-only file, and what it wrote there."""

    def __init__(self, client, folder):
        self.client = client
        self.path, = pathlib.Path(folder).glob('appendonlydir/*.incr.aof')
        self.offset = self.path.stat().st_size

    def commands(self):
        """What came since the last call, MULTI and EXEC among them."""
        self.client.ping()
        with open(self.path, 'rb') as f:
            f.seek(self.offset)
            data = f.read()
        self.offset += len(data)
        return [c for c in parse(data) if c[0].upper() != b'SELECT']

    def restore(self, commands):
        self.client.flushall()
        pipe = self.client.pipeline(transaction=False)
        for command in commands:
            if command[0].upper() not in (b'MULTI', b'EXEC'):
                pipe.execute_command(*command)
        pipe.execute()
        self.commands()


def parse(data):
    at, found = 0, []

    def line():
        nonlocal at
        end = data.index(b'\r\n', at)
        text, at = data[at:end], end + 2
        return text

    while at < len(data):
        words = []
        for _ in range(int(line()[1:])):
            length = int(line()[1:])
            words.append(data[at:at + length])
            at += length + 2
        found.append(words)
    return found


@pytest.fixture(scope='module')
def recorder(tmp_path_factory, library):
    folder = tmp_path_factory.mktemp('aof')
    process = subprocess.Popen(
        ['redis-server', '--port', '0', '--unixsocket', f'{folder}/s',
         '--save', '', '--appendonly', 'yes', '--appendfsync', 'no',
         '--auto-aof-rewrite-percentage', '0', '--dir', str(folder)],
        stdout=open(f'{folder}/log', 'w'), stderr=subprocess.STDOUT)
    try:
        while not answers(f'{folder}/s'):
            assert process.poll() is None
            time.sleep(0.01)
        client = redis.Redis(unix_socket_path=f'{folder}/s')
        client.execute_command('FUNCTION', 'LOAD', library)
        yield Recorder(client, folder)
    finally:
        process.terminate()
        process.wait(10)


class World:
    def __init__(self, recorder, rng):
        self.recorder = recorder
        self.q = Queue(recorder.client)
        self.random = rng
        self.storages = Storages()
        self.held = []

    # each step returns what can be done again, as if nobody had answered

    def mark(self):
        source = self.random.choice(['event', 'event', 'scan'])
        facets = self.random.choice([0, 1, 2, 4, 3])
        keys = self.random.sample(NAMES, self.random.randint(1, 3))
        if source == 'event':
            for key in keys:
                self.storages.change(R1, key, facets)
        age = self.random.randint(0, 9) * 1000
        return lambda: self.q.mark(*keys, source=source, facets=facets,
                                   age=age)

    def claim(self):
        return lambda: self.hold(self.q.claim(self.random.randint(1, 3)))

    def hold(self, claimed):
        for c in claimed:
            c.content = self.storages.read(R1, c.key, c.facets)
        self.held += claimed

    def report(self, name, **fields):
        claimed = self.random.sample(self.held, min(len(self.held), 2))
        if not claimed:
            return lambda: None

        def tell():
            getattr(self.q, name)(*claimed, **fields)
            self.held = [c for c in self.held if c not in claimed]

        if name == 'done':
            for c in claimed:
                self.storages.write(c.content)
        return tell

    def done(self):
        return self.report('done', doubt=self.random.randint(0, 3))

    def fail(self):
        return self.report('fail', doubt=self.random.randint(0, 3),
                           delay=self.random.choice([0, -1, 10000]))

    def release(self):
        return self.report('release')

    def reap(self):
        self.q.expire(*self.held[:2])
        return lambda: self.q.reap()

    def retry(self):
        return lambda: self.q.retry()

    def recheck(self):
        self.q.due()
        return lambda: self.hold(self.q.claim(1))

    STEPS = [(mark, 8), (claim, 6), (done, 3), (fail, 3), (release, 1),
             (reap, 1), (retry, 1), (recheck, 1)]

    def step(self):
        steps, weights = zip(*self.STEPS)
        return self.random.choices(steps, weights)[0](self)

    def drain(self):
        """All come to an end: those who hold something, the operator."""
        q, zset = self.q, self.q.hash(R1) + ':leases'
        for _ in range(50):
            for c in self.held:
                self.storages.write(c.content)
                q.done(c)
            self.held = []
            q.retry()
            for key in q.client.zrange(zset, 0, -1):
                q.client.zadd(zset, {key: 1})
            q.reap(stages=())
            self.hold(q.claim(1000))
            if not self.held:
                return
        raise AssertionError('there is no end to it')

    def behind(self):
        return {what: version for what, version
                in self.storages.main.items()
                if self.storages.follower.get(what) != version}


def play(recorder, rng):
    """One cut; returns what chorus_heal found."""
    recorder.client.flushall()
    recorder.commands()
    world, q = World(recorder, rng), Queue(recorder.client)
    for _ in range(rng.randint(0, 25)):
        world.step()()
    held = list(world.held)
    last = world.step()
    is_told_again = last.__qualname__.startswith('World.mark') \
        or rng.random() < 0.3           # proxies do, workers may have died
    whole = recorder.commands()
    last()
    world.held = held
    half = [c for c in recorder.commands()
            if c[0].upper() not in (b'MULTI', b'EXEC')]
    half = half[:rng.randint(0, len(half))]

    recorder.restore(whole)
    if is_told_again:
        last()
    for _ in range(rng.randint(0, 8)):
        world.step()()
    after = recorder.commands()

    recorder.restore(whole + half + after)
    found = q.heal(run=str(rng.random()))
    q.check_all()
    if rng.random() < 0.5:
        recorder.client.delete(q.hash(R1) + ':recheck')
    world.drain()
    q.check_all()
    assert world.behind() == {}, (half, after, found)
    return found


@pytest.mark.parametrize('seed', SEEDS)
def test_half_a_transition_loses_no_key(recorder, seed):
    print('seed', seed)
    rng = random.Random(seed)
    found = [text for _ in range(CUTS) for text in play(recorder, rng)]
    assert found, 'the cuts break nothing'


@pytest.mark.parametrize('seed', SEEDS)
def test_a_key_wedges_nothing_before_it_is_healed(recorder, seed):
    """Marks, claims and reports go on in whatever half states."""
    print('seed', seed)
    rng = random.Random(seed)
    for _ in range(CUTS):
        recorder.client.flushall()
        recorder.commands()
        world = World(recorder, rng)
        for _ in range(rng.randint(5, 25)):
            world.step()()
        writes = [c for c in recorder.commands()
                  if c[0].upper() not in (b'MULTI', b'EXEC')]
        # not only the last one: any of them is missing
        recorder.restore([c for c in writes if rng.random() > 0.1])
        for _ in range(15):
            world.step()()
        world.q.heal(run=str(rng.random()), stages=STAGES)
        world.q.check_all()
