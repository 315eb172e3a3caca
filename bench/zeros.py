"""Two storages that keep nothing, and a chorus-worker that copies from one to
the other.

Any object of main is 64 MiB of zeros; those in the bucket "parts" were
uploaded in four parts, all others at once.  The follower has no object, and
takes all.
"""

import asyncio
import hashlib
import json
import os
import re
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, f"{ROOT}/t/e2e")
sys.dont_write_bytecode = True
from process import Process, wait_until         # noqa: E402
from stack import (BUILD, Redis, Worker,        # noqa: E402
                   answers, free_ports, private)

MIB = 1 << 20
PARTS, PART = 4, 16 * MIB
SIZE = PARTS * PART
ZEROS = memoryview(bytes(PART))
BUFFER = memoryview(bytearray(MIB))     # of all: nobody looks into it
USER = {"access_key": "Z", "secret_key": "secret-of-zeros"}
MARKED = 100                            # keys a call


def etags():
    whole, part = hashlib.md5(), hashlib.md5(ZEROS)
    for _ in range(PARTS):
        whole.update(ZEROS)
    of_parts = hashlib.md5(part.digest() * PARTS).hexdigest()
    return whole.hexdigest(), part.hexdigest(), f"{of_parts}-{PARTS}"


SINGLE, OF_PART, IN_PARTS = etags()


# ---- a storage

class Answer:
    def __init__(self, status=200, headers=(), xml="", zeros=0):
        self.body = xml.encode()
        self.zeros = zeros              # instead of it
        lines = [f"HTTP/1.1 {status} -", "x-amz-request-id: zeros",
                 "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT",
                 f"Content-Length: {zeros or len(self.body)}", *headers]
        self.head = ("\r\n".join(lines) + "\r\n\r\n").encode()


MISSING = Answer(404, xml="<Error><Code>NoSuchKey</Code></Error>")


def answer_of(is_main, method, target):
    path, _, query = target.partition("?")
    bucket, _, key = path[1:].partition("/")
    if not key:
        return of_bucket(query)
    if method in ("GET", "HEAD"):
        return of_object(bucket, query) if is_main else MISSING
    etag = IN_PARTS if "uploadId" in query else SINGLE
    if "partNumber" in query:
        etag = OF_PART
    if "uploads" in query:
        return Answer(xml="<InitiateMultipartUploadResult><UploadId>u"
                          "</UploadId></InitiateMultipartUploadResult>")
    if method == "POST":
        return Answer(xml="<CompleteMultipartUploadResult><ETag>"
                          f"\"{etag}\"</ETag></CompleteMultipartUploadResult>")
    return Answer(headers=[f'ETag: "{etag}"'])


def of_bucket(query):
    if "versioning" in query:
        return Answer(xml="<VersioningConfiguration/>")
    if "uploads" in query:
        return Answer(xml="<ListMultipartUploadsResult/>")
    return Answer()


def of_object(bucket, query):
    part = re.search(r"partNumber=(\d+)", query)
    if bucket != "parts":
        return Answer(headers=[f'ETag: "{SINGLE}"'], zeros=SIZE)
    headers = [f'ETag: "{IN_PARTS}"']
    if part:
        n = int(part.group(1)) - 1
        return Answer(206, [*headers, f"x-amz-mp-parts-count: {PARTS}",
                            f"Content-Range: bytes {n * PART}-"
                            f"{(n + 1) * PART - 1}/{SIZE}"], zeros=PART)
    return Answer(headers=headers, zeros=SIZE)


class Storage(asyncio.BufferedProtocol):
    def __init__(self, is_main):
        self.is_main = is_main
        self.head = b""
        self.left = None            # bytes of the body, None within the head
        self.may_write = asyncio.Event()
        self.may_write.set()

    def connection_made(self, transport):
        self.transport = transport

    def pause_writing(self):
        self.may_write.clear()

    def resume_writing(self):
        self.may_write.set()

    def connection_lost(self, _):
        self.may_write.set()

    def get_buffer(self, _):
        return BUFFER

    def buffer_updated(self, size):
        if self.left is None:
            self.head += bytes(BUFFER[:size])
            head, end, body = self.head.partition(b"\r\n\r\n")
            if not end:
                return
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            self.left = int(length.group(1)) if length else 0
            self.request = head.split(b"\r\n")[0].decode().split(" ")
            size = len(body)
        self.left -= size
        if self.left == 0:
            self.head, self.left = b"", None
            asyncio.ensure_future(self.answer())

    async def answer(self):
        method, target, _ = self.request
        answer = answer_of(self.is_main, method, target)
        self.transport.write(answer.head)
        if method == "HEAD":
            return
        self.transport.write(answer.body)
        for begin in range(0, answer.zeros, MIB):
            await self.may_write.wait()
            if self.transport.is_closing():
                return
            self.transport.write(ZEROS[:min(MIB, answer.zeros - begin)])


async def serve(port, is_main):
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: Storage(is_main == "main"), "127.0.0.1",
                             int(port), backlog=1024)
    await asyncio.Event().wait()


class StorageProcess(Process):
    def __init__(self, folder, name, port):
        self.port = port
        super().__init__(name, [sys.executable, os.path.abspath(__file__),
                                str(port), name], f"{folder}/log/{name}.log")

    def is_ready(self):
        return answers(self.port)


# ---- what copies

class Copying:
    """Redis, both storages, and a worker when one is started."""

    def __init__(self, folder, slots, storage=StorageProcess, **worker):
        """`storage`: of each, (folder, name, port); `worker`: settings."""
        self.folder = folder
        os.mkdir(f"{folder}/log")
        os.mkdir(f"{folder}/bin")
        redis, *ports = free_ports(3)
        self.redis = Redis(folder, redis)
        self.storages = [storage(folder, name, port) for name, port in
                         zip(("main", "follower"), ports)]
        self.config = f"{folder}/chorus.json"
        self.write_config({"concurrency": slots, "scans": 0, **worker})
        self.started = []
        self.worker = None

    def write_config(self, worker):
        with open(self.config, "w", opener=private) as f:
            json.dump({
                "redis": {"url": self.redis.url},
                "storages": {s.name: {
                    "endpoint": f"http://127.0.0.1:{s.port}",
                    "provider": "minio", "main": s.name == "main",
                    "users": {"alice": USER}} for s in self.storages},
                "users": {"alice": [USER]},
                "replications": [{"user": "alice", "bucket": "*",
                                  "to": "follower", "migrate": False}],
                "worker": worker}, f)

    def __enter__(self):
        for process in (self.redis, *self.storages):
            self.started.append(process)
            process.start()
        return self

    def __exit__(self, *_):
        for process in reversed(self.started):
            process.stop()

    def start_worker(self):
        program = f"{self.folder}/bin/chorus-worker"
        if not os.path.lexists(program):
            os.symlink(f"{BUILD}/chorus-worker", program)
        self.worker = Worker(self.folder, 1, self.config)
        self.started.append(self.worker)
        self.worker.start()
        wait_until(lambda: self.redis.client.execute_command(
            "FUNCTION", "LIST"), 20, "the functions are in Redis")

    def mark(self, bucket, count):
        name = f"alice:{bucket}:follower"
        for first in range(0, count, MARKED):
            words = []
            for n in range(first, min(count, first + MARKED)):
                words += [0, 1, f"object-{n}"]
            self.redis.call("mark", 3, f"chorus:{{{name}}}",
                            "chorus:schedule", "chorus:replications",
                            "event", *words)

    def wait_done(self, bucket, seconds=600):
        """The most slots that were at work at once."""
        name, most = f"alice:{bucket}:follower", 0
        end = time.monotonic() + seconds
        while True:
            said = self.redis.stats(name)
            most = max(most, said["busy"])
            assert not said["retry"] and not said["failed"], (
                said, self.worker.log_end())
            if not said["dirty"] and not said["busy"]:
                return most
            assert time.monotonic() < end, said
            time.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
