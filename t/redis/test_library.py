"""The library as a whole: version, reload, a full Redis, memory."""

import re

import pytest
import redis

from conftest import R1, LUA, SCHEDULE

MEMORY_KEYS = 100000


def version_of(library):
    return int(re.search(r'^local VERSION = (\d+)$', library, re.M)[1])


def test_the_version_is_a_number(q, library):
    assert q.fcall_ro('version', 0) == version_of(library)


def test_it_is_built_into_the_programs_under_the_same_version(q):
    header = LUA.parent / 'chorus_library.h'
    define = [line.split()[2] for line in header.read_text().splitlines()
              if line.startswith('#define CHORUS_LIBRARY_VERSION')]
    assert define == [str(q.fcall_ro('version', 0))]


def test_a_newer_library_finds_all_data(q, client, library):
    q.mark('waiting')
    q.mark('held', age=1000)
    held = q.claim_one()
    version = version_of(library) + 1
    newer = re.sub(r'(?m)^local VERSION = .*$', f'local VERSION = {version}',
                   library)
    client.execute_command('FUNCTION', 'LOAD', 'REPLACE', newer)
    assert q.fcall_ro('version', 0) == version
    assert q.done(held) == [1]
    assert q.claim_one().key == b'waiting'


def test_all_names_carry_the_prefix(client):
    (library,) = client.execute_command('FUNCTION', 'LIST')
    names = [dict(zip(f[::2], f[1::2]))[b'name'] for f in library[5]]
    assert len(names) >= 36
    assert all(name.startswith(b'chorus_') for name in names)


def test_a_full_redis_refuses_marks_but_can_be_drained(q, client):
    q.mark('a', 'b', 'c')
    client.config_set('maxmemory', 1)
    try:
        with pytest.raises(redis.ResponseError, match='maxmemory'):
            q.mark('d')
        a, b, c = q.claim(3)
        assert q.renew(a, b, c) == [1, 1, 1]
        assert q.done(a) == [1]
        assert q.fail(b, delay=-1) == [1]
        assert q.release(c) == [1]
    finally:
        client.config_set('maxmemory', 0)


def test_a_waiting_key_costs_at_most_160_bytes(q, client, capsys):
    keys = ['prefix/2024-01-01/%022d' % n for n in range(MEMORY_KEYS)]
    assert {len(key) for key in keys} == {40}
    before = client.info('memory')['used_memory']
    for i in range(0, MEMORY_KEYS, 1000):
        q.mark(*keys[i:i + 1000])
    used = (client.info('memory')['used_memory'] - before) / MEMORY_KEYS
    zset = client.memory_usage(q.hash(R1) + ':dirty', samples=0)
    per_key = zset / MEMORY_KEYS
    with capsys.disabled():
        print('\n  memory per waiting key of 40 bytes: %.1f bytes of '
              'used_memory, %.1f by MEMORY USAGE' % (used, per_key))
    assert used <= 160
    assert per_key <= 160


def test_an_idle_replication_costs_one_small_hash(q, client):
    q.mark('k')
    q.done(q.claim_one())
    assert client.keys('chorus:{*') == [q.hash(R1).encode()]
    assert client.memory_usage(q.hash(R1)) < 512
    assert client.zscore(SCHEDULE, R1) is None
