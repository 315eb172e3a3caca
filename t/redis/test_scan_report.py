"""Scans: the report of a check, its bounds and its reader."""

import pytest
import redis

from conftest import R1
from scans import Scans

FULL = 'report_full_ms'


@pytest.fixture
def s(q):
    return Scans(q)


@pytest.fixture
def check(s):
    """The only shard of a check that nobody reads."""
    s.start('check')
    return s.claim()


@pytest.fixture
def read(s):
    """... of one that is to be reported as a whole."""
    s.start('check', report=1)
    return s.claim()


def some(n, size=1):
    return [('different', 'k%05d' % i + '.' * (size - 1)) for i in range(n)]


def kept(q):
    return q.client.xlen(q.hash(R1) + ':differences')


def test_lines_are_numbered_and_carry_their_evidence(s, check):
    s.page(check, b'm', differences=[
        ('missing', 'a'), ('surplus', 'b\xff'), ('unchecked', 'c')])
    s.page(check, b'z', last=True, differences=[('different', 'x')],
           evidence='')
    report = s.report()
    assert (report['id'], report['state'], report['found'],
            report['lost']) == (check.id, 'ended', 4, 0)
    assert report['differences'] == [
        {'n': 1, 'key': 'a', 'what': 'missing', 'said': 'missing'},
        {'n': 2, 'key': 'b\xff', 'what': 'surplus', 'said': 'surplus'},
        {'n': 3, 'key': 'c', 'what': 'unchecked', 'said': 'unchecked'},
        {'n': 4, 'key': 'x', 'what': 'different'}]
    assert [d['n'] for d in s.differences(1, 2)] == [2, 3]
    assert s.differences(4) == []


def test_a_key_that_is_no_text_is_exact_in_hex(s, check):
    s.page(check, b'z', differences=[('missing', b'a\xff')])
    assert s.differences()[0]['key_base16'] == '61ff'


def test_without_a_reader_ten_thousand_are_kept_and_all_are_counted(
        s, q, check):
    for n in range(11):
        assert s.page(check, b'p%02d' % n, differences=some(1000)) == 'taken'
    assert (kept(q), s.look()['differences_kept'],
            s.look()['differences_lost']) == (10000, 10000, 1000)
    assert (s.report()['found'], s.report()['lost']) == (11000, 1000)


def test_what_is_kept_is_bounded_in_bytes(s, q, check):
    for n in range(6):
        s.page(check, b'p%02d' % n, differences=some(600, 1000),
               evidence='"e":"%s"' % ('e' * 400))
    assert kept(q) == 2097152 // (1005 + 406 + 64)
    assert q.client.memory_usage(q.hash(R1) + ':differences') < 3 << 20
    assert s.report()['found'] == 3600
    assert s.report()['lost'] == 3600 - kept(q)


def test_the_next_scan_begins_a_new_report(s, q, check):
    s.page(check, b'z', last=True, differences=some(3))
    s.start('check')
    assert kept(q) == 0
    shard = s.claim()
    s.page(shard, b'z', differences=some(1))
    assert s.report()['id'] == shard.id
    assert [d['n'] for d in s.differences()] == [1]
    assert s.reported(check, 9) == 0 and kept(q) == 1


def test_what_was_read_is_gone_and_the_numbers_go_on(s, q, read):
    s.page(read, b'a', differences=some(5))
    assert s.reported(read, 3) == 1
    assert s.reported(read, 3) == 1         # the reply got lost
    assert [d['n'] for d in s.differences()] == [4, 5]
    assert s.reported(read, 5) == 1
    s.page(read, b'b', differences=some(1))
    assert [d['n'] for d in s.differences(5)] == [6]


def test_a_check_waits_for_its_reader(s, q, read):
    for n in range(10):
        assert s.page(read, b'p%02d' % n, differences=some(1000)) == 'taken'
    assert s.page(read, b'q', differences=some(1), counts={
        'main': 1}) == 'wait'
    assert s.look()['main'] == 0 and 'report is full' in s.look()['reason']
    assert s.page(read, b'p99') == 'taken'  # that finds nothing
    s.release(read)
    assert s.claim() is None                # nobody compares it in vain
    s.reported(read, 1000)
    again = s.claim()
    assert again.cursor == b'p99'
    assert s.page(again, b'q', differences=some(1)) == 'taken'
    assert s.look()['differences_lost'] == 0 and s.look()['reason'] == ''


def test_bytes_that_were_read_make_room(s, q, read):
    sent = 0
    while s.page(read, b'p%05d' % sent, differences=some(100, 1000)) \
            == 'taken':
        sent += 1
        assert sent < 30
    s.reported(read, 100 * sent)
    assert s.page(read, b'q', differences=some(100, 1000)) == 'taken'
    assert s.report()['lost'] == 0


def test_a_check_that_nobody_reads_goes_on_in_the_end(s, q, read):
    for n in range(10):
        s.page(read, b'p%02d' % n, differences=some(1000))
    assert s.page(read, b'q', differences=some(7)) == 'wait'
    q.client.hset(q.hash(R1) + ':scan', FULL, '1')
    assert s.page(read, b'q', differences=some(7), last=True) == 'taken'
    assert (s.look()['state'], s.report()['lost']) == ('ended', 7)


def test_a_page_larger_than_the_report_passes_alone(s, read):
    assert s.page(read, b'z', differences=some(10001)) == 'taken'
    assert s.report()['lost'] == 1


def test_half_a_transition_repeats_no_number(s, q, read):
    s.page(read, b'a', differences=some(2))
    # as after the first writes of it: lines, and not how many there are
    q.client.hset(q.hash(R1) + ':scan', 'lines', 0)
    s.page(read, b'b', differences=some(1))
    assert [d['n'] for d in s.differences()] == [1, 2, 3]


def test_one_reply_is_of_bounded_size(s, check):
    s.page(check, b'z', differences=some(300),
           evidence='"e":"%s"' % ('e' * 4000))
    assert 100 < len(s.differences()) < 200


@pytest.mark.parametrize('args', [
    ('scan_start', 'check', 'quick', 0, 2), ('scan_reported', 1, -1),
    ('scan_reported', 'x', 1)])
def test_bad_arguments_are_refused(q, args):
    with pytest.raises(redis.ResponseError, match='chorus_' + args[0]):
        q.change(args[0], R1, *args[1:])
