"""A large object in one PUT: bytes flow, memory does not."""

import hashlib
import http.client
import os
import time

from process import wait_until
from stack import IS_ASAN, IS_FULL, SLOTS, TEMP
from test_writes import multipart
from wire import Flaws, path_of

MIB = 1 << 20


class Film:
    """Bytes from a small seed, as a file that http.client can send."""

    def __init__(self, mib):
        self.block = os.urandom(MIB)
        self.mib = self.left = mib

    def read(self, _):
        if self.left == 0:
            return b""
        self.left -= 1
        return self.block[self.left % MIB:] + self.block[:self.left % MIB]

    def sha256(self):
        digest = hashlib.sha256()
        self.left = self.mib
        while block := self.read(MIB):
            digest.update(block)
        self.left = self.mib
        return digest.hexdigest()


def test_one_large_put(stack, bucket, figures):
    mib = 5120 if IS_FULL else 256      # S3's limit
    film = Film(mib)
    digest = film.sha256()
    stack.stop_workers()
    stack.start_worker()
    stack.nginx.restart()       # their peaks are of this object
    temp = {t: os.stat(f"{stack.folder}/temp-{t}").st_mtime_ns for t in TEMP}

    wire = stack.wire()
    headers = wire.signed("PUT", path_of(bucket, "film"),
                          flaws=Flaws(payload_hash=digest))
    begin = time.monotonic()
    c = http.client.HTTPConnection(wire.netloc, timeout=300)
    c.request("PUT", path_of(bucket, "film"), body=film, headers=dict(
        headers, **{"content-length": str(mib * MIB)}))
    answer = c.getresponse()
    assert (answer.status, answer.read()) == (200, b"")
    uploaded = time.monotonic() - begin
    stack.wait_equal(bucket, 60 if not IS_FULL else 900)
    equal = time.monotonic() - begin

    # a client that reads slowly must not make nginx spool the answer; 5 GiB
    # take longer than nginx keeps a connection
    c.close()
    c.request("GET", path_of(bucket, "film"),
              headers=wire.signed("GET", path_of(bucket, "film")))
    answer = c.getresponse()
    got = hashlib.sha256()
    time.sleep(1.5)
    while block := answer.read(MIB):
        got.update(block)
    c.close()
    assert got.hexdigest() == digest

    for t in TEMP:
        assert os.stat(f"{stack.folder}/temp-{t}").st_mtime_ns == temp[t], \
            f"nginx made a file in temp-{t}"

    worker = stack.worker.memory()
    nginx = stack.nginx.worker_memory()
    figures(f"{mib} MiB in one PUT: uploaded in {uploaded:.1f} s, equal after "
            f"{equal:.1f} s; at most {worker // MIB} MiB in the worker, "
            f"{max(nginx) // MIB} MiB in an nginx process")
    if not IS_ASAN:
        assert worker < (64 + 4 * SLOTS) * MIB
        assert max(nginx) < 40 * MIB


def test_an_upload_of_many_parts(stack, bucket, figures):
    """S3 allows 10,000; their sizes are found by the ETag."""
    parts = 1000 if IS_FULL else 20
    block = os.urandom(5 * MIB)
    begin = time.monotonic()
    etag = multipart(stack.s3, bucket, "film",
                     (b"%8d" % n + block[8:] for n in range(parts)))
    assert etag.endswith(f'-{parts}"')
    stack.wait_equal(bucket, 60 if not IS_FULL else 900)
    figures(f"{parts} parts of 5 MiB: equal after "
            f"{time.monotonic() - begin:.1f} s; at most "
            f"{stack.worker.memory() // MIB} MiB in the worker")


def test_many_at_once_stay_within_memory(stack, bucket, figures):
    """All slots busy with objects larger than their buffers."""
    stack.stop_workers()
    body = os.urandom(8 * MIB)
    wire = stack.wire()
    for n in range(2 * SLOTS):
        assert wire.put(bucket, f"{n}", body + b"%d" % n).status == 200
    stack.start_worker()
    wait_until(lambda: stack.waiting(bucket) == 0, 60, "all are copied")
    stack.wait_equal(bucket)
    worker = stack.worker.memory()
    figures(f"{2 * SLOTS} objects of 8 MiB in {SLOTS} slots: at most "
            f"{worker // MIB} MiB in the worker")
    if not IS_ASAN:
        assert worker < (64 + 4 * SLOTS) * MIB


def test_lag_at_rest(stack, bucket, figures):
    """From the answer to the PUT until the follower has the object."""
    wire, theirs = stack.wire(), stack.follower.wire()
    wire.put(bucket, "warm", b"x")
    stack.wait_equal(bucket)
    lags = []
    for n in range(10):
        time.sleep(0.25)
        wire.put(bucket, f"{n}", b"x")
        begin = time.monotonic()
        while theirs.call("HEAD", path_of(bucket, f"{n}")).status != 200:
            assert time.monotonic() - begin < 30
            time.sleep(0.001)
        lags.append((time.monotonic() - begin) * 1000)
    stack.wait_equal(bucket)
    figures(f"lag at rest: median {sorted(lags)[5]:.0f} ms, "
            f"worst {max(lags):.0f} ms")
    assert sorted(lags)[5] < 1000, "nobody looks only now and then"
