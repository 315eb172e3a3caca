"""What workers say about themselves: told once a second, and forgotten when
they fall silent."""

import pytest
import redis

from conftest import strict_json

KEYS = (2, 'chorus:workers', 'chorus:workers:alive')


class Workers:
    def __init__(self, client):
        self.client = client

    def report(self, *args, leaves=0):
        worker, *rest = args
        return self.client.execute_command(
            'FCALL', 'chorus_worker_report', *KEYS, worker, leaves, *rest)

    def list(self):
        return strict_json(self.client.execute_command(
            'FCALL_RO', 'chorus_workers', *KEYS))['workers']

    def names(self):
        return sorted(row['worker'] for row in self.list())

    def silent(self, *names):
        for name in names:
            self.client.zadd(KEYS[2], {name: 1})


@pytest.fixture
def workers(client):
    client.flushall()
    return Workers(client)


def test_a_worker_is_told_as_it_said(workers):
    assert workers.list() == []
    assert workers.report('host:1', 16, 3, 'main', 10, 2, 1,
                          'f"ollower', 2 ** 40, 0, 0) == 1
    row, = workers.list()
    assert 0 <= row.pop('age_ms') < 10000
    assert row == {'worker': 'host:1', 'slots': 16, 'busy': 3, 'storages': [
        {'storage': 'main', 'requests': 10, 'errors': 2, 'throttles': 1},
        {'storage': 'f"ollower', 'requests': 2 ** 40, 'errors': 0,
         'throttles': 0}]}
    assert workers.report('host:1', 16, 0) == 1
    assert workers.list()[0]['busy'] == 0, 'what it said last'


def test_who_is_silent_or_says_goodbye_is_forgotten(workers):
    for name in ('a', 'b', 'c'):
        workers.report(name, 1, 0)
    workers.silent('a')
    assert workers.names() == ['b', 'c'], 'at once, for whoever asks'
    workers.report('b', 0, 0, leaves=1)
    assert workers.names() == ['c']
    assert workers.client.hkeys(KEYS[1]) == [b'c'], 'and kept nowhere'
    assert 0 < workers.client.pttl(KEYS[1]) <= 10000, 'nor is the last one'
    assert 0 < workers.client.pttl(KEYS[2]) <= 10000


def test_there_are_no_more_than_256(workers):
    assert all(workers.report(f'w{i}', 1, 0) == 1 for i in range(256))
    assert workers.report('late', 1, 0) == 0
    assert workers.report('w7', 2, 0) == 1, 'one that is known goes on'
    workers.silent('w8')
    assert workers.report('late', 1, 0) == 1, 'in the place of one that is gone'
    assert len(workers.list()) == 256


@pytest.mark.parametrize('args, why', [
    ((), 'worker: missing'),
    (('', 0, 1, 0), 'worker'),
    (('w' * 257, 0, 1, 0), 'worker'),
    (('w', 2, 1, 0), 'leaves'),
    (('w', 0, -1, 0), 'slots'),
    (('w', 0, 1), 'busy: missing'),
    (('w', 0, 1, 0, '', 1, 1, 1), 'storage'),
    (('w', 0, 1, 0, 'main', 1, 1), 'throttles: missing'),
    (('w', 0, 1, 0, 'main', 1, 'x', 1), 'errors'),
    (('w', 0, 1, 0, *('s', 1, 1, 1) * 65), 'too many storages'),
])
def test_bad_arguments_are_refused_and_nothing_is_written(workers, args, why):
    with pytest.raises(redis.ResponseError,
                       match='chorus_worker_report') as error:
        workers.client.execute_command('FCALL', 'chorus_worker_report',
                                       *KEYS, *args)
    assert why in str(error.value)
    assert workers.client.keys('chorus:workers*') == []
