"""Eight clients at once: no key is held twice, none is lost."""

import random
import threading

from conftest import Queue

NAMES = ['u:b%d:f%d' % (n, n % 2) for n in range(4)]
KEYS = ['k%d' % n for n in range(25)]
CHANGES = 1200


class World:
    """main and followers, and who works on what."""

    def __init__(self):
        self.lock = threading.Lock()
        self.main = {}
        self.follower = {}
        self.held = set()
        self.errors = []
        self.writers_left = 4
        self.synced = 0


def guarded(run):
    def target(world, client, seed):
        try:
            run(world, Queue(client), random.Random(seed))
        except Exception as error:      # a thread's assert must fail the test
            world.errors.append(repr(error))
    return target


@guarded
def write(world, q, rng):
    for _ in range(CHANGES // 4):
        r, key = rng.choice(NAMES), rng.choice(KEYS)
        with world.lock:
            world.main[r, key] = world.main.get((r, key), 0) + 1
        q.mark(key, r=r)
    with world.lock:
        world.writers_left -= 1


@guarded
def work(world, q, rng):
    while True:
        with world.lock:
            is_last_round = world.writers_left == 0
        claimed = q.claim(rng.randint(1, 8), worker='w%d' % id(q))
        if not claimed and is_last_round and is_drained(q):
            return
        for c in claimed:
            finish(world, q, rng, c)


def is_drained(q):
    totals = q.status()['totals']
    return totals['dirty'] + totals['busy'] + totals['retry'] == 0


def finish(world, q, rng, c):
    what = c.r, c.key.decode()
    with world.lock:
        assert what not in world.held, what
        world.held.add(what)
        seen = world.main[what]
    q.renew(c)
    with world.lock:
        world.follower[what] = seen
        world.held.remove(what)     # the call below may hand it on
        world.synced += 1
    if rng.random() < 0.1:
        assert q.fail(c, delay=rng.randint(0, 3)) == [1]
    else:
        assert q.done(c) == [1]


def test_eight_clients_at_once(q, connect):
    world = World()
    threads = [threading.Thread(target=run, args=(world, connect(), seed))
               for seed, run in enumerate([write] * 4 + [work] * 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert world.errors == []
    assert world.follower == world.main
    assert world.synced >= len(world.main)
