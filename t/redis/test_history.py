"""The history of the last hour, which workers write and charts show."""

import pytest

from conftest import strict_json

ALL = 'chorus:history:all'
KEYS = (3, 'chorus:history', ALL, 'chorus:replications')
HOUR = 3600 * 1000


class History:
    def __init__(self, client):
        self.client = client

    def take(self):
        """As if ten seconds were over."""
        if self.client.hget(KEYS[1], 'cursor') in (b'0', None):
            self.client.hset(KEYS[1], 'begun_ms', 1)
        return self.client.execute_command('FCALL', 'chorus_history_take',
                                           *KEYS)

    def all(self):
        return strict_json(self.client.execute_command(
            'FCALL_RO', 'chorus_history_all', 1, ALL))['samples']

    def of(self, name):
        return strict_json(self.client.execute_command(
            'FCALL_RO', 'chorus_history_of', 1,
            f'chorus:{{{name}}}'))['samples']

    def mark(self, name, *keys):
        self.client.execute_command(
            'FCALL', 'chorus_mark', 3, f'chorus:{{{name}}}',
            'chorus:schedule', 'chorus:replications', 'event',
            *(word for key in keys for word in (0, 0, key)))

    def count(self, name, **counters):
        for field, n in counters.items():
            self.client.hincrby(f'chorus:{{{name}}}', field, n)


@pytest.fixture
def history(client):
    client.flushall()
    return History(client)


def test_nothing_is_known_at_first(history):
    assert history.all() == history.of('u:b:f') == []
    assert history.take() == 1
    (at, *rest), = history.all()
    assert at > 0 and rest == [0, 0, 0, 0], 'and then that nothing is done'


def test_counters_and_what_waits_are_added_up(history):
    history.mark('u:a:f', 'k1', 'k2')
    history.mark('u:b:f', 'k3')
    history.count('u:a:f', synced=5, deleted=1, equal=2, bytes=700)
    history.count('u:b:f', synced=1, bytes=2 ** 50)
    assert history.take() == 1
    assert [s[1:3] + s[4:] for s in history.all()] == [[9, 700 + 2 ** 50, 3]]
    assert [s[1:3] + s[4:] for s in history.of('u:a:f')] == [[8, 700, 2]]
    assert history.all()[0][3] >= 0


def test_a_sample_is_taken_every_ten_seconds(history):
    assert history.take() == 1
    assert history.client.execute_command(
        'FCALL', 'chorus_history_take', *KEYS) == 0
    assert len(history.all()) == 1


def test_of_samples_that_say_the_same_two_are_kept(history):
    for synced in (1, 0, 0, 0, 0, 1):
        history.client.sadd('chorus:replications', 'u:a:f')
        history.count('u:a:f', synced=synced)
        history.take()
    for samples in (history.all(), history.of('u:a:f')):
        assert [s[1] for s in samples] == [1, 1, 2]
        assert samples[0][0] <= samples[1][0] <= samples[2][0]


def test_a_round_of_many_takes_several_calls(history):
    for i in range(450):
        history.client.sadd('chorus:replications', f'u:b{i}:f')
        history.count(f'u:b{i}:f', synced=1)
    calls = 0
    while not history.all():
        assert history.take() == 1
        calls += 1
    assert calls > 2, 'none of them is long'
    assert history.all()[0][1] == 450
    assert history.of('u:b7:f')


def test_with_very_many_only_all_are_kept(history):
    pipe = history.client.pipeline()
    for i in range(2001):
        pipe.sadd('chorus:replications', f'u:b{i}:f')
    pipe.execute()
    while not history.all():
        history.take()
    assert not history.client.keys('chorus:{*}:history')


def test_an_hour_is_kept(history):
    for n in range(400):
        history.client.lpush(ALL, f'{n + 1},{n},0,0,0')
    history.client.sadd('chorus:replications', 'u:a:f')
    history.take()
    assert history.client.llen(ALL) == 361
    assert 0 < history.client.pttl(ALL) <= 2 * HOUR
    assert len(history.all()) == 2, 'of what is older one, where a line begins'
