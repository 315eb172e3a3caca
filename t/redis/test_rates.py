"""Limits of a storage, shared by all workers: in no second do more requests or
bytes pass than the limit says, whoever asks, whenever it changes.

Time is simulated: the library reads it from a key instead of from TIME, so
that minutes pass in a second and nothing depends on the machine.  The
reference knows nothing of how units are given out: it counts those that were
used in every second.
"""

import bisect
import random

import pytest
import redis

from conftest import strict_json

LIMITS = 'chorus:limits'
KEYS = (LIMITS, 'chorus:rates', 'chorus:rates:workers')
SECOND = 1000000
LATE = 80000            # us a worker may be late with a unit
AHEAD = 200000          # us a unit may be given out ahead
START = 1700000000 * SECOND


class Rates:
    """The functions, on a clock that only moves when it is told to."""

    def __init__(self, client):
        self.client = client
        self.now = START

    def fcall(self, name, nkeys, *args):
        self.client.set('test:now', self.now)
        return self.client.execute_command('FCALL', 'chorus_' + name, nkeys,
                                           *args)

    def ask(self, worker, configured, wanted, storage='main',
            kind='requests'):
        """(limit, [the moments that may be used])"""
        reply = self.fcall('rates', 3, *KEYS, worker, storage, kind,
                           configured, wanted)
        limit, n, first = reply[1]
        step = (SECOND + LATE) / limit if limit else 0
        return limit, [self.now + first + i * step for i in range(n)]

    def set(self, storage, *changes, configured=(0, 0)):
        return strict_json(self.fcall('limits_set', 1, LIMITS, storage,
                                      *configured, *changes))


@pytest.fixture
def rates(connect, library):
    simulated = library.replace(
        "call('TIME')", "{ 0, tonumber(call('GET', 'test:now')) }")
    assert simulated != library
    client = connect()
    client.flushall()
    client.execute_command('FUNCTION', 'LOAD', 'REPLACE', simulated)
    yield Rates(client)
    client.close()


def in_force(history, begin, end):
    """The highest limit of those in force at any time from begin to end."""
    first = bisect.bisect_right(history, (begin, float('inf'))) - 1
    return max(limit for at, limit in history[max(first, 0):] if at <= end)


def check_every_second(used, history):
    """In the second after each use (a fuller second would begin with one)."""
    used = sorted(used)
    for i, at in enumerate(used):
        n = bisect.bisect_left(used, at + SECOND) - i
        most = in_force(history, at - AHEAD - LATE, at + SECOND)
        assert n <= most, 'at %d: %d in a second, not %d' % (at, n, most)


def run(rates, rng, seconds, workers, limits, demand):
    """Workers that ask every 25 ms or so; [when used], [(since, limit)]."""
    used, history = [], [(0, limits[0])]
    due = {w: START + rng.randrange(50000) for w in range(workers)}
    change = START + SECOND
    while rates.now < START + seconds * SECOND:
        worker = min(due, key=due.get)
        rates.now = max(rates.now, due[worker])
        due[worker] = rates.now + rng.randrange(10000, 40000)
        if len(limits) > 1 and rates.now > change:
            change = rates.now + rng.randrange(SECOND // 5, 2 * SECOND)
            limit = rng.choice(limits)
            rates.set('main', 'requests', limit)
            history.append((rates.now, limit))
        _, moments = rates.ask('w%d' % worker, limits[0], demand(rng))
        used += [at + rng.uniform(0, LATE) for at in moments]
    return used, history


@pytest.mark.parametrize('limit', [1, 7, 50, 333, 1000])
@pytest.mark.parametrize('workers', [1, 4])
def test_full_demand_gets_nine_tenths_and_no_more_than_all(rates, limit,
                                                           workers):
    rng = random.Random(limit * 10 + workers)
    used, history = run(rates, rng, 10, workers, [limit], lambda _: 10000)
    check_every_second(used, history)
    last = START + 10 * SECOND
    assert sum(1 for at in used if at < last) >= 0.9 * limit * (10 - 0.3) - 1


@pytest.mark.parametrize('seed', range(8))
def test_random_demand_and_random_changes_never_pass_the_limit(rates, seed):
    rng = random.Random(seed)
    limits = [rng.choice((1, 5, 40, 200, 800, 2000)) for _ in range(4)]
    used, history = run(rates, rng, 12, rng.randrange(1, 6), limits,
                        lambda r: r.choice((0, 0, 1, 3, 50, 5000)))
    assert len(history) > 4
    check_every_second(used, history)


def test_a_second_of_silence_is_not_saved_up(rates):
    rates.ask('w', 100, 1)
    rates.now += 100 * SECOND
    _, moments = rates.ask('w', 100, 1000)
    check_every_second(moments, [(0, 100)])
    assert moments[0] == rates.now and moments[-1] <= rates.now + AHEAD


def test_bytes_are_counted_like_requests_and_apart_from_them(rates):
    limit = 200 << 20
    rates.ask('w', limit, 1, kind='bytes')
    rates.now += SECOND
    given = 0
    for _ in range(400):
        given += len_of(rates, 'bytes', limit)
        rates.now += 25000
    assert 0.9 * 10 * limit <= given <= 10 * limit + limit * AHEAD / SECOND
    assert rates.ask('w', 10, 5)[1], 'requests have their own'


def len_of(rates, kind, limit):
    return rates.fcall('rates', 3, *KEYS, 'w', 'main', kind, limit,
                       2 ** 40)[1][1]


def test_workers_with_the_same_demand_get_about_the_same(rates):
    given = {'a': 0, 'b': 0, 'c': 0}
    for _ in range(600):
        for worker in given:
            rates.now += 8333
            given[worker] += len(rates.ask(worker, 500, 10000)[1])
    assert min(given.values()) > 0.8 * max(given.values()), given


def test_storages_do_not_share(rates):
    for storage in ('main', 'follower'):
        rates.ask('w', 10, 1, storage=storage)
    rates.now += SECOND
    assert len(rates.ask('w', 10, 100)[1]) == 2
    assert rates.ask('w', 10, 100)[1] == []
    assert len(rates.ask('w', 10, 100, storage='follower')[1]) == 2


def test_a_forgotten_time_line_begins_behind_what_workers_still_hold(rates):
    held = rates.ask('a', 1000, 1000)[1]
    rates.now += AHEAD
    held = rates.ask('a', 1000, 1000)[1]
    rates.client.delete('chorus:rates')
    fresh = rates.ask('b', 1000, 1000)[1]
    assert held and fresh and fresh[0] >= held[-1]


@pytest.mark.parametrize('hours', [-5, 5])
def test_a_clock_that_jumps_does_not_stop_the_work(rates, hours):
    rates.ask('w', 100, 100)
    rates.now += hours * 3600 * SECOND
    rates.ask('w', 100, 100)
    rates.now += SECOND
    assert len(rates.ask('w', 100, 100)[1]) > 10


def test_without_a_limit_there_is_nothing_to_wait_for(rates):
    assert rates.ask('w', 0, 100) == (0, [])


def test_an_override_comes_before_what_is_configured(rates):
    assert rates.ask('w', 500, 0)[0] == 500
    row = rates.set('main', 'requests', 20, configured=(500, 0))
    assert row == {
        'storage': 'main',
        'requests_per_second': {'limit': 20, 'configured': 500,
                                'override': 20},
        'bytes_per_second': {'limit': None, 'configured': None,
                             'override': None}}
    assert rates.ask('w', 500, 0)[0] == 20
    rates.set('main', 'requests', 0)
    assert rates.ask('w', 500, 0)[0] == 0, '0 takes the limit away'
    rates.set('main', 'requests', -1)
    assert rates.ask('w', 500, 0)[0] == 500, 'and -1 the override'


def test_limits_are_told_for_all_storages_asked_for(rates):
    rates.set('b', 'bytes', 1 << 40, 'requests', 3)
    told = strict_json(rates.fcall('limits', 1, LIMITS, 'a', 0, 7, 'b', 9,
                                   0))['limits']
    assert [row['storage'] for row in told] == ['a', 'b']
    assert told[0]['bytes_per_second']['limit'] == 7
    assert told[1]['requests_per_second'] == {
        'limit': 3, 'configured': 9, 'override': 3}
    assert told[1]['bytes_per_second']['limit'] == 1 << 40


def test_workers_are_counted_until_they_fall_silent(rates):
    def count(worker):
        return rates.fcall('rates', 3, *KEYS, worker)[0]
    assert [count('a'), count('b'), count('a')] == [1, 2, 2]
    rates.now += 6 * SECOND
    assert count('b') == 1


@pytest.mark.parametrize('name, args, why', [
    ('rates', (3, *KEYS), 'worker_id: missing'),
    ('rates', (1, LIMITS, 'w'), '3 KEYS'),
    ('rates', (3, *KEYS, 'w', 'main', 'wishes', 1, 1), 'kind'),
    ('rates', (3, *KEYS, 'w', 'main', 'bytes', -1, 1), 'configured'),
    ('rates', (3, *KEYS, 'w', 'main', 'bytes', 1), 'wanted: missing'),
    ('rates', (3, *KEYS, 'w', 'main', 'bytes', 1, 2 ** 41), 'wanted'),
    ('limits', (1, LIMITS, 'main', 1), 'bytes: missing'),
    ('limits_set', (1, LIMITS), 'storage: missing'),
    ('limits_set', (1, LIMITS, 'main', 0, 0, 'bytes', -2), 'limit'),
    ('limits_set', (1, LIMITS, 'main', 0, 0, 'bytes', 'x'), 'limit'),
    ('limits_set', (1, LIMITS, 's' * 257, 0, 0), 'storage'),
    ('limits_set', (1, LIMITS, 'main', 0, 0, 'bytes', 1, 'bytes'),
     'limit: missing'),
])
def test_bad_arguments_are_refused_and_nothing_is_written(rates, name, args,
                                                          why):
    with pytest.raises(redis.ResponseError, match='chorus_' + name) as error:
        rates.fcall(name, *args)
    assert why in str(error.value)
    assert rates.client.keys('chorus:*') == []
