"""What proxies and workers remember of multipart uploads: layouts, our own
uploads on followers, and objects that are equal with another ETag."""

import pytest

from conftest import R1

UPLOADS = (1, 'chorus:uploads')
LAYOUTS = (1, 'chorus:layouts')
BOTH = (2, 'chorus:uploads', 'chorus:layouts')
HASH = (1, 'chorus:{%s}' % R1)
WEEK_MS = 7 * 86400 * 1000
MIB = 2 ** 20


def parts(q, upload, sizes):
    for number, size in sizes:
        assert q.fcall('part', *UPLOADS, upload, number, size) == 1


def complete(q, upload, etag, numbers, is_over=1):
    return q.fcall('part_complete', *BOTH, upload, etag, numbers, is_over)


def layout(q, etag):
    return q.fcall_ro('layout', *LAYOUTS, etag)


def kept(client):
    """Bytes that are accounted for."""
    return {field.decode(): int(n)
            for field, n in client.hgetall('chorus:kept').items()}


@pytest.mark.parametrize('sizes, numbers, expected', [
    ([(1, 5)], '1', b'5'),
    ([(1, 8), (2, 8), (3, 8), (4, 2)], '1-4', b'8x3,2'),
    ([(2, 7), (1, 6), (3, 6)], '1-3', b'6,7,6'),
    ([(1, 5), (5, 6), (9, 6)], '1,5,9', b'5,6x2'),
    ([(1, 5), (2, 6), (3, 7)], '1,3', b'5,7'),
    ([(1, 5), (2, 6), (1, 9)], '1-2', b'9,6'),
    ([(1, 0), (2, 6)], '1-2', b'0,6'),
    ([(1, 5 * 2 ** 40)], '1', b'5497558138880'),
    ([(n, 8) for n in range(1, 10001)], '1-10000', b'8x10000'),
], ids=['one part', 'equal parts', 'any order', 'numbers with gaps',
        'a part that is left out', 'a part again: the last one counts',
        'a size nobody knows', 'the largest', 'ten thousand'])
def test_a_layout_is_made_of_the_parts_that_are_completed(q, sizes, numbers,
                                                          expected):
    parts(q, 'id', sizes)
    assert complete(q, 'id', 'etag-1', numbers) == 1
    assert layout(q, 'etag-1') == expected


@pytest.mark.parametrize('numbers', ['1-3', '3', '2-1', '1-99999999999',
                                     '-', '1-2,9'])
def test_a_part_that_was_not_seen_makes_no_layout(q, numbers):
    parts(q, 'id', [(1, 5), (2, 5)])
    assert complete(q, 'id', 'etag-2', numbers) == 0
    assert layout(q, 'etag-2') is None


def test_what_is_over_is_forgotten(q, client):
    parts(q, 'done', [(1, 5)])
    parts(q, 'aborted', [(1, 5)])
    parts(q, 'open', [(1, 5)])
    assert complete(q, 'open', 'e-1', '1', is_over=0) == 1
    assert complete(q, 'done', 'e-2', '1') == 1
    assert q.fcall('part_abort', *UPLOADS, 'aborted') == 1
    assert q.fcall('part_abort', *UPLOADS, 'aborted') == 0
    assert client.zrange('chorus:uploads', 0, -1) == [b'open']
    assert client.keys('chorus:upload:*') == [b'chorus:upload:open']
    assert kept(client) == {'uploads': 256 + 4, 'layouts': 2 * (256 + 1)}


def test_last_week_is_forgotten(q, client):
    parts(q, 'old', [(1, 5)])
    complete(q, 'other', 'none', '1')
    client.zincrby('chorus:uploads', -WEEK_MS - 1000, 'old')
    parts(q, 'new', [(1, 5)])
    assert client.zrange('chorus:uploads', 0, -1) == [b'new']
    assert client.keys('chorus:upload:*') == [b'chorus:upload:new']
    assert kept(client) == {'uploads': 256 + 4}


def test_memory_has_a_ceiling(q, client):
    def uploads():
        return client.zrange('chorus:uploads', 0, -1)

    parts(q, 'first', [(1, 5)])
    parts(q, 'second', [(1, 5)])
    client.hset('chorus:kept', 'uploads', 64 * MIB - 260)
    client.zincrby('chorus:uploads', -2, 'first')
    client.zincrby('chorus:uploads', -1, 'second')
    parts(q, 'third', [(1, 5)])
    assert uploads() == [b'first', b'second', b'third']
    parts(q, 'third', [(2, 5)])
    assert uploads() == [b'second', b'third']
    assert client.exists('chorus:upload:first') == 0


def test_a_count_that_went_wrong_is_mended(q, client):
    parts(q, 'first', [(1, 5)])
    client.hset('chorus:kept', 'uploads', 65 * MIB)
    parts(q, 'second', [(1, 5)])
    assert client.keys('chorus:upload:*') == []
    parts(q, 'third', [(1, 5)])
    assert kept(client) == {'uploads': 260}


def test_one_upload_has_a_ceiling(q, client):
    client.set('chorus:upload:id', 'x' * 262144)
    assert q.fcall('part', *UPLOADS, 'id', 1, 5) == 0


def test_ten_thousand_parts_of_different_sizes_cost_little(q, client):
    for n in range(1, 10001):
        q.fcall('part', *UPLOADS, 'id', n, 5 * MIB + n)
    assert complete(q, 'id', 'e-10000', '1-10000') == 1
    assert client.memory_usage('chorus:layout:e-10000') <= 130 * 1024


def test_the_next_worker_is_told_of_an_upload(q, client):
    q.mark('k', 'other')
    k, other = q.claim(2)
    assert (k.upload, other.upload) == (None, None)
    assert q.fcall('upload_begin', *HASH, 'k', k.token, 'record') == 1
    q.release(k, other)
    k, other = q.claim(2)
    assert (k.upload, other.upload) == (b'record', None)
    assert q.fcall('upload_over', *HASH, 'k', 'another record') == 0
    assert q.fcall('upload_over', *HASH, 'k', 'record') == 1
    q.release(k)
    assert q.claim_one().upload is None


def test_only_who_holds_the_key_begins_an_upload(q, client):
    q.mark('k')
    k = q.claim_one()
    q.release(k)
    assert q.fcall('upload_begin', *HASH, 'k', k.token, 'record') == 0
    assert q.claim_one().upload is None


def test_equal_with_another_etag(q, client):
    assert q.fcall_ro('twin', *HASH, 'k') is None
    assert q.fcall('twin_keep', *HASH, 'k', 'a b') == 1
    assert q.fcall_ro('twin', *HASH, 'k') == b'a b'
    assert q.fcall('twin_keep', *HASH, 'k', '') == 1        # no more
    assert q.fcall_ro('twin', *HASH, 'k') is None
    assert not client.exists('chorus:{%s}:twins' % R1)


def test_equal_objects_have_a_ceiling(q, client):
    with client.pipeline(transaction=False) as pipe:
        pipe.hset('chorus:{%s}:twins' % R1,
                  mapping={str(n): 'a b' for n in range(100000)})
        pipe.execute()
    q.fcall('twin_keep', *HASH, 'k', 'a b')
    assert client.hlen('chorus:{%s}:twins' % R1) == 100000
