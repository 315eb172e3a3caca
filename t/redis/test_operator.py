"""The operator: retry what is parked, pause, resume."""

from conftest import R1, SCHEDULE, near

HOUR = 3600000


def park(q, *keys, delay=-1, source='event'):
    q.mark(*keys, source=source, age=HOUR)
    q.fail(*q.claim(len(keys)), delay=delay)


def test_retry_names_its_keys(q):
    park(q, 'a', 'b', 'c')
    assert q.retry('a', 'c', 'unknown') == 2
    assert q.places() == {b'a': 'dirty', b'b': 'failed', b'c': 'dirty'}


def test_retry_starts_the_series_of_attempts_anew(q):
    park(q, 'k')
    q.retry('k')
    c = q.claim_one()
    assert c.attempts == 0
    assert near(c.age, HOUR)


def test_retry_of_all_takes_parked_and_retrying_keys(q):
    park(q, 'a')
    park(q, 'b', delay=HOUR)
    park(q, 'c', source='scan')
    assert q.retry() == 3
    assert q.places() == {b'a': 'dirty', b'b': 'dirty', b'c': 'bulk'}
    assert q.retry() == 0


def test_retry_of_all_goes_in_batches(q):
    for n in range(3):
        park(q, *['k-%d-%d' % (n, i) for i in range(500)],
             delay=-1 if n < 2 else HOUR)
    assert [q.retry(), q.retry(), q.retry()] == [1000, 500, 0]


def test_retry_wakes_the_workers(q, wakes):
    park(q, 'a', 'b')
    wakes()
    q.retry()
    assert wakes() == [R1]


def test_a_paused_replication_collects_marks_in_silence(q, wakes, client):
    assert q.pause() == 1
    assert q.pause() == 0
    q.mark('k')
    assert q.stats()['state'] == 'paused'
    assert q.stats()['dirty'] == 1
    assert client.zcard(SCHEDULE) == 0
    assert wakes() == []


def test_resume_wakes_and_goes_on(q, wakes):
    q.pause()
    q.mark('k')
    assert q.resume() == 1
    assert wakes() == [R1]
    assert q.claim_one().key == b'k'
    assert q.resume() == 0
    assert wakes() == []


def test_resume_knows_the_retries_and_leases_of_before(q, client):
    park(q, 'a', delay=HOUR)
    q.pause()
    assert client.zscore(SCHEDULE, R1) is None
    q.resume()
    assert client.zscore(SCHEDULE, R1) is not None


def test_work_that_runs_is_finished_while_paused(q):
    q.mark('a', 'b', 'c')
    a, b, c = q.claim(3)
    q.pause()
    assert q.renew(a) == [1]
    assert q.done(a) == [1]
    assert q.fail(b, delay=0) == [1]
    assert q.release(c) == [1]
    assert q.claim(3) == []
    q.resume()
    assert {c.key for c in q.claim(3)} == {b'b', b'c'}
