#!/usr/bin/python3
"""Large objects, from one Ceph store to an empty bucket of another.

    bench/big.py [--objects N] [--size MIB] [--full] [--only KIND]
                 [--rounds N] [--json FILE]

chorus-worker, `rclone copy` and `curl GET | curl PUT` (of all objects at the
same time) take turns, --rounds times, with --objects objects of --size MiB
that were written whole, and with such that were written in parts of 16 MiB.
--full is 8 of 1 GiB, once; it takes 40 GiB of disk for each of the two.  The
fastest turn counts.  Besides: CPU seconds, of the programs and of the stores.
What curl writes has no parts, and what rclone writes has parts of 5 MiB, as
is its way; what chorus-worker writes is verified, and has main's ETags.
"""

import argparse
import http.client
import os
import resource
import shlex
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

# stores.py makes those of t/e2e known
from stores import LIMIT, Turn, copied, rclone, stores_and_redis, stores_cpu
from raw import presigned
from table import Table
from wire import Flaws, path_of

MIB = 1 << 20
PART_MIB = 16
THREADS = 4                     # chorus-worker's and rclone's, of an object
BLOCK = os.urandom(MIB)
UNSIGNED = Flaws(payload_hash="UNSIGNED-PAYLOAD")


# ---- what is there before

def mebibytes(number, first, count):
    """Of one object; none of them is like another."""
    for n in range(first, first + count):
        yield b"%08d%08d" % (number, n) + BLOCK[16:]


def put_single(store, bucket, number, size):
    wire, path = store.wire(), path_of(bucket, f"{number}")
    headers = wire.signed("PUT", path, flaws=UNSIGNED)
    headers["content-length"] = str(size * MIB)
    connection = http.client.HTTPConnection(wire.netloc, timeout=LIMIT)
    connection.request("PUT", path, mebibytes(number, 0, size), headers)
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    connection.close()


def put_multipart(store, bucket, number, size):
    wire, path = store.wire(), path_of(bucket, f"{number}")
    at = {"Bucket": bucket, "Key": f"{number}"}
    upload = store.s3.create_multipart_upload(**at)["UploadId"]
    parts = []
    for first in range(0, size, PART_MIB):
        part = len(parts) + 1
        answer = wire.call(
            "PUT", path, f"partNumber={part}&uploadId={upload}",
            b"".join(mebibytes(number, first, min(PART_MIB, size - first))),
            flaws=UNSIGNED)
        assert answer.status == 200, answer
        parts.append({"PartNumber": part, "ETag": answer.headers["etag"]})
    wire.close()
    store.s3.complete_multipart_upload(
        **at, UploadId=upload, MultipartUpload={"Parts": parts})


KINDS = {"single": put_single, "multipart": put_multipart}


def sizes(store, bucket):
    listed = store.s3.list_objects_v2(Bucket=bucket)["Contents"]
    return {o["Key"]: o["Size"] for o in listed}


def empty(store, bucket):
    """Its space is given back some minutes later."""
    for key in sizes(store, bucket):
        store.s3.delete_object(Bucket=bucket, Key=key)


# ---- a turn of each

def url_of(store, method, bucket, key):
    wire, path = store.wire(), path_of(bucket, key)
    query = presigned(store.keys["alice"], wire.netloc, method, path)
    return f"{store.url}{path}?{query}"


def pipe(stack, bucket, target, key, size):
    """`-T -` alone would be chunked, which S3 does not take."""
    get = ["curl", "-sSf", url_of(stack.main, "GET", bucket, key)]
    put = ["curl", "-sSf", "-T", "-", "-H", "Transfer-Encoding:", "-H",
           f"Content-Length: {size}",
           url_of(stack.follower, "PUT", target, key)]
    done = subprocess.run(
        ["sh", "-c", f"{shlex.join(get)} | {shlex.join(put)}"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=LIMIT)
    assert done.returncode == 0 and not done.stderr, done.stderr


def curl(stack, bucket, target):
    wanted = sizes(stack.main, bucket)
    before, begin = stores_cpu(stack), time.monotonic()
    cpu = resource.getrusage(resource.RUSAGE_CHILDREN)
    stack.follower.s3.create_bucket(Bucket=target)
    with ThreadPoolExecutor(len(wanted)) as pool:
        list(pool.map(lambda item: pipe(stack, bucket, target, *item),
                      wanted.items()))
    seconds = time.monotonic() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Turn(seconds, after.ru_utime + after.ru_stime - cpu.ru_utime
                - cpu.ru_stime, stores_cpu(stack) - before)


def by_rclone(stack, bucket, target):
    count = str(len(sizes(stack.main, bucket)))
    return rclone(stack, "copy", "--transfers", count, "--checkers", count,
                  "--s3-upload-concurrency", str(THREADS), f"main:{bucket}",
                  f"follower:{target}")


def by_chorus(stack, bucket, target):
    turn, scan = copied(stack, bucket, target,
                        THREADS * len(sizes(stack.main, bucket)))
    assert scan["missing"] == len(sizes(stack.main, bucket)), scan
    return turn


PROGRAMS = {"rclone": by_rclone, "chorus": by_chorus, "curl": curl}


def turn_of(stack, program, bucket, target):
    turn = PROGRAMS[program](stack, bucket, target)
    assert sizes(stack.follower, target) == sizes(stack.main, bucket), \
        f"{program} has not copied all"
    empty(stack.follower, target)
    return turn


def measure(stack, options, kind, table):
    turns = {program: [] for program in PROGRAMS}
    stack.main.s3.create_bucket(Bucket=kind)
    for number in range(options.objects):
        KINDS[kind](stack.main, kind, number, options.size)
    for n in range(options.rounds):
        for program in PROGRAMS:
            turns[program].append(
                turn_of(stack, program, kind, f"{program}-{kind}-{n}"))
    say(options, kind, turns, table)


def say(options, kind, turns, table):
    best = {program: min(all_of, key=lambda turn: turn.seconds)
            for program, all_of in turns.items()}
    mib = options.objects * options.size
    what = f"{options.objects} x {options.size} MiB {kind}"
    for other, target in (("rclone", ">= 1"), ("curl", ">= 0.9")):
        figures = {}
        for program in ("chorus", other):
            turn = best[program]
            figures[f"mib_{program}"] = mib / turn.seconds
            figures[f"cpu_{program}"] = turn.cpu
            figures[f"stores_{program}"] = turn.stores_cpu
        table.add(f"{what}, beside {other}", target,
                  best[other].seconds / best["chorus"].seconds, **figures)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--objects", type=int, default=2)
    parser.add_argument("--size", type=int, default=256, metavar="MIB")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--only", choices=KINDS)
    parser.add_argument("--json")
    options = parser.parse_args()
    if options.full:
        options.objects, options.size, options.rounds = 8, 1024, 1

    kinds = [options.only] if options.only else list(KINDS)
    table = Table()
    # new stores for each kind, where both would take too much of the disk
    for together in [[kind] for kind in kinds] if options.full else [kinds]:
        with stores_and_redis() as stack:
            for kind in together:
                measure(stack, options, kind, table)
    table.save(options.json)


if __name__ == "__main__":
    main()
