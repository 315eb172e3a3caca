"""A private redis-server for this run, and a small client of the library.

The tests speak to the library as the C programs do: FCALL with the same
KEYS and ARGV.  After every test all invariants of all replications are
checked.
"""

import json
import os
import pathlib
import random
import subprocess
import time

import pytest
import redis

LIBRARY = pathlib.Path(__file__).parents[2] / 'shared/lua'

SCHEDULE = 'chorus:schedule'
REPLICATIONS = 'chorus:replications'
GENERATION = 'chorus:generation'
ALIVE = 'chorus:alive'
OWED = 'chorus:owed'
HEAL = 'chorus:heal'
WAKE = 'chorus:wake'

R1 = 'alice:photos:f1'
EVERYTHING, CONTENT, TAGS, ACL = 7, 1, 2, 4
# longer than any test runs on a busy machine: what is to come due is moved
LEASE = 3600000
STAGES = (1000000, 6000000, 60000000)


def seeds(*fixed):
    """The same ones each time, so that a change is judged by itself;
    CHORUS_SEED=N: only that one, CHORUS_RANDOM=1: another one as well."""
    if 'CHORUS_SEED' in os.environ:
        return [int(os.environ['CHORUS_SEED'])]
    if os.environ.get('CHORUS_RANDOM'):
        return [*fixed, random.SystemRandom().randrange(10 ** 9)]
    return list(fixed)


class Claimed:
    """One row of a chorus_claim reply."""

    def __init__(self, row):
        (r, self.key, self.token, self.facets, self.attempts, self.age,
         source) = row[:7]
        self.upload = row[7] if len(row) > 7 else None
        self.r = r.decode()
        self.source = source.decode()

    def __repr__(self):
        return 'Claimed(%s, %r, %d)' % (self.r, self.key, self.token)


class Queue:
    """The functions of the library, keys and groups spelt as in Python."""

    def __init__(self, client):
        self.client = client

    def hash(self, r):
        return 'chorus:{%s}' % r

    def keys3(self, r):
        return (3, self.hash(r), SCHEDULE, REPLICATIONS)

    def fcall(self, name, *args):
        return self.client.execute_command('FCALL', 'chorus_' + name, *args)

    def fcall_ro(self, name, *args):
        return self.client.execute_command('FCALL_RO', 'chorus_' + name,
                                           *args)

    def change(self, name, r, *args):
        return self.fcall(name, *self.keys3(r), *args)

    def mark(self, *keys, r=R1, source='event', age=0, facets=0):
        args = []
        for key in keys:
            args += [age, facets, key]
        return self.change('mark', r, source, *args)

    def claim(self, max=1, worker='w', lease=LEASE, exclude=(),
              stages=STAGES):
        rows = self.fcall('claim', 1, SCHEDULE, worker, lease, max,
                          joined(stages), *exclude)
        return [Claimed(row) for row in rows]

    def claim_one(self, **kwargs):
        claimed = self.claim(1, **kwargs)
        assert len(claimed) == 1, 'nothing to claim'
        return claimed[0]

    def renew(self, *claimed, lease=LEASE):
        args = []
        for c in claimed:
            args += [c.r, c.key, c.token]
        return self.fcall('renew', 1, SCHEDULE, lease, *args)

    def done(self, *claimed, outcome='synced', bytes=0, doubt=0,
             stages=STAGES):
        args = [joined(stages)]
        for c in claimed:
            args += [c.key, c.token, outcome, bytes, doubt]
        return self.change('done', claimed[0].r, *args)

    def fail(self, *claimed, delay=0, code='503', reason='SlowDown',
             doubt=0, stages=STAGES):
        args = [joined(stages)]
        for c in claimed:
            args += [c.key, c.token, delay, code, reason, doubt]
        return self.change('fail', claimed[0].r, *args)

    def block(self, *claimed, scope='key', pause=5000, pause_max=300000,
              code='AccessDenied', reason='PUT object: 403', doubt=0,
              stages=STAGES):
        args = [joined(stages), pause, pause_max]
        for c in claimed:
            args += [c.key, c.token, scope, code, reason, doubt]
        return self.change('block', claimed[0].r, *args)

    def probe(self, r=R1):
        """Let the time of the next probe come without waiting for it."""
        if self.client.hexists(self.hash(r), 'probe_ms'):
            self.client.hset(self.hash(r), 'probe_ms', 1)
            self.client.zadd(SCHEDULE, {r: 1}, xx=True, lt=True)

    def parked(self, code='', r=None, count=1000):
        """All pages: ([row], {reason: how many}, pages)"""
        rows, reasons, pages, cursor = [], {}, 0, '0'
        while pages == 0 or cursor != '0':
            page = strict_json(self.fcall_ro(
                'parked', 1, REPLICATIONS, cursor, count, code,
                *([r] if r else [])))
            rows += page['keys']
            for reason, n in page['reasons'].items():
                reasons[reason] = reasons.get(reason, 0) + n
            cursor, pages = page['cursor'], pages + 1
        return rows, reasons, pages

    def retry_parked(self, code='', r=None, *key, count=1000):
        """All pages: how many were moved."""
        moved, cursor = 0, '0'
        while True:
            page = strict_json(self.fcall(
                'retry_parked', 2, SCHEDULE, REPLICATIONS, cursor, count,
                code, *([r] if r else []), *key))
            moved, cursor = moved + page['moved'], page['cursor']
            if cursor == '0':
                return moved

    def release(self, *claimed, doubt=0, stages=STAGES):
        args = [joined(stages)]
        for c in claimed:
            args += [c.key, c.token, doubt]
        return self.change('release', claimed[0].r, *args)

    def reap(self, r=R1, stages=STAGES):
        return self.change('reap', r, joined(stages))

    def doubt(self, *keys, r=R1, doubt=1, stages=STAGES):
        args = [joined(stages)]
        for key in keys:
            args += [key, doubt]
        return self.change('doubt', r, *args)

    def heal(self, run='run', stages=STAGES):
        """Until it is done: [what was wrong]."""
        found = []
        while True:
            is_done, texts = self.fcall('heal', 3, HEAL, SCHEDULE,
                                        REPLICATIONS, run, joined(stages))
            found += [text.decode() for text in texts]
            if is_done:
                return found

    def rechecks(self, r=R1):
        """{member: ms from now}"""
        now = time.time() * 1000
        return {member: score - now for member, score in self.client.zrange(
            self.hash(r) + ':recheck', 0, -1, withscores=True)}

    def due(self, *members, r=R1):
        """Let the time of rechecks come without waiting for it."""
        for member in members or self.rechecks(r):
            self.client.zadd(self.hash(r) + ':recheck', {member: 1}, xx=True)
        self.client.zadd(SCHEDULE, {r: 1}, xx=True, lt=True)

    def retry(self, *keys, r=R1):
        return self.change('retry', r, *keys)

    def pause(self, r=R1):
        return self.change('pause', r)

    def resume(self, r=R1):
        return self.change('resume', r)

    def owe(self, reason, r=R1, age=0):
        return self.change('owe', r, reason, age)

    def paid(self, debt, r=R1):
        return self.change('paid', r, debt['id'])

    def owe_all(self, reason, age=0):
        return self.fcall('owe_all', 1, OWED, reason, age)

    def paid_all(self, debt):
        return self.fcall('paid_all', 1, OWED, debt['id'])

    def generation(self, candidate):
        return self.fcall('generation', 2, GENERATION, OWED,
                          candidate).decode()

    def alive(self, run, known=''):
        """The last sign of life of this run, and of the one known before."""
        name, *times = self.fcall('generation', 3, GENERATION, OWED, ALIVE,
                                  'c' * 32, run, known)
        return times

    def limit(self, keys_max, r=R1):
        return self.change('limit', r, keys_max)

    def stats(self, r=R1):
        text = self.fcall_ro('stats', 1, self.hash(r))
        return None if text is None else strict_json(text)

    def status(self, cursor=0, count=1000):
        return strict_json(self.fcall_ro('status', 1, REPLICATIONS, cursor,
                                         count))

    def failed(self, offset=0, count=1000, r=R1):
        return strict_json(self.fcall_ro('failed', 1, self.hash(r), offset,
                                         count))

    def check(self, r):
        return self.fcall_ro('check', *self.keys3(r))

    def replications(self):
        return [r.decode() for r in self.client.smembers(REPLICATIONS)]

    def check_all(self):
        for r in self.replications():
            assert self.check(r) == [], r

    def places(self, r=R1):
        """{key: place} of every key of r, for tests that compare states."""
        found = {}
        for place in ('dirty', 'bulk', 'retry', 'failed'):
            for key in self.client.zrange('%s:%s' % (self.hash(r), place),
                                          0, -1):
                found[key] = place
        for key in self.client.hkeys(self.hash(r) + ':busy'):
            found[key] = 'busy'
        return found

    def since_of(self, key, r=R1):
        """ms of the first change not synced, wherever the key is."""
        for name in ('dirty', 'bulk', 'since', 'bulksince'):
            score = self.client.zscore('%s:%s' % (self.hash(r), name), key)
            if score is not None:
                return score

    def age_of(self, key, r=R1):
        return time.time() * 1000 - self.since_of(key, r)

    def expire(self, *claimed):
        """Let the leases run out without waiting for them."""
        for c in claimed:
            self.client.zadd(self.hash(c.r) + ':leases', {c.key: 1}, xx=True)
            self.client.zadd(SCHEDULE, {c.r: 1}, xx=True, lt=True)


def joined(stages):
    return ','.join(map(str, stages))


def strict_json(text):
    """What jansson accepts: UTF-8 to the letter, no NUL, no real numbers."""
    value = json.loads(text.decode('utf-8', 'strict'))
    assert b'\\u0000' not in text
    no_reals(value)
    return value


def no_reals(value):
    assert not isinstance(value, float)
    if isinstance(value, (dict, list)):
        for item in (value.values() if isinstance(value, dict) else value):
            no_reals(item)


def near(ms, expected, tolerance=4500):
    """But for a pause of the machine; tests tell apart what is 5 s apart."""
    return abs(ms - expected) <= tolerance


def answers(socket):
    """The file of a socket is there before anybody listens."""
    try:
        return redis.Redis(unix_socket_path=str(socket)).ping()
    except redis.ConnectionError:
        return False


@pytest.fixture(scope='session')
def server(tmp_path_factory):
    """Path of the socket of a redis-server that lives as long as the run."""
    folder = tmp_path_factory.mktemp('redis')
    socket = str(folder / 's')
    process = subprocess.Popen(
        ['redis-server', '--port', '0', '--unixsocket', socket, '--save', '',
         '--appendonly', 'no', '--dir', str(folder)],
        stdout=open(folder / 'log', 'w'), stderr=subprocess.STDOUT)
    try:
        while not answers(socket):
            assert process.poll() is None, (folder / 'log').read_text()
            time.sleep(0.01)
        yield socket
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope='session')
def connect(server):
    return lambda: redis.Redis(unix_socket_path=server)


@pytest.fixture(scope='session')
def library():
    return ''.join(path.read_text() for path in sorted(LIBRARY.iterdir()))


@pytest.fixture
def client(connect, library):
    client = connect()
    client.flushall()
    client.execute_command('FUNCTION', 'LOAD', 'REPLACE', library)
    yield client
    client.close()


@pytest.fixture
def q(client):
    queue = Queue(client)
    yield queue
    queue.check_all()


@pytest.fixture
def wakes(client):
    """wakes() -> the replications published since the last call."""
    channel = client.pubsub(ignore_subscribe_messages=True)
    channel.subscribe(WAKE)
    channel.get_message(timeout=1)

    def read():
        names = []
        # the answer comes behind all that was published before
        channel.ping()
        while True:
            message = channel.get_message(timeout=30)
            if message['type'] == 'pong':
                return names
            name = message['data'].decode()
            # others than replications: "paused", "policy"
            if ':' in name:
                names.append(name)

    yield read
    channel.close()
