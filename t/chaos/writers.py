"""The clients: each sends random writes, and sometimes loses interest."""

import random
import re
import threading

from raw import Lost, Raw
from wire import sha256
from writes import Maker

ODD = ["", "", "", "", "/ä b+c", "(1)~&=?#;.txt", "//a/../b", "%41", ".../"]
PART = 5 << 20      # the least that S3 takes of all parts but the last


class Keys:
    """A few hundred keys are written at any time.  After some writes a key
    is left alone and another takes its place: so the end of the run finds
    keys whose last write was at any moment of it."""

    def __init__(self, buckets, passing, seed, size=300, writes=5,
                 versioned=None):
        # {name: credentials of its user}; few of those that keep versions,
        # which are all read in the end
        self.buckets = {**buckets, **(versioned or {})}
        self.plain, self.versioned = list(buckets), list(versioned or {})
        self.passing = passing      # names of buckets that come and go
        self.rng = random.Random(f"{seed}/keys")
        self.writes = writes
        self.made = 0
        self.lock = threading.Lock()
        self.slots = [self.another(n) for n in range(size)]

    def another(self, slot):
        self.made += 1
        of = self.versioned if self.versioned and slot % 10 == 0 \
            else self.plain
        bucket = of[slot % len(of)]
        return [bucket, f"{self.made:06d}{self.rng.choice(ODD)}",
                self.rng.randint(1, 2 * self.writes - 1)]

    def take(self, rng, bucket=None):
        """A key to write to."""
        with self.lock:
            n = rng.randrange(len(self.slots))
            while bucket and self.slots[n][0] != bucket:
                n = rng.randrange(len(self.slots))
            name, key, left = self.slots[n]
            self.slots[n][2] -= 1
            if left <= 1:
                self.slots[n] = self.another(n)
            return name, key

    def look(self, rng, credentials):
        """A key of this user to copy from."""
        with self.lock:
            while True:
                bucket, key, _ = rng.choice(self.slots)
                if self.buckets[bucket] == credentials:
                    return bucket, key

    def some_bucket(self, rng):
        return rng.choice(list(self.buckets))


class Gone(Exception):
    """The client hung up on purpose."""


class Writer:
    def __init__(self, number, seed, netloc, keys, credentials, history,
                 pause_seconds):
        self.number = number
        self.rng = random.Random(f"{seed}/client/{number}")
        self.maker = Maker(self.rng, keys, netloc, credentials)
        self.raw = Raw(netloc, timeout=20)
        self.history = history
        self.pause_seconds = pause_seconds
        self.stopped = threading.Event()
        self.error = None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            while not self.stopped.wait(
                    self.rng.random() * 2 * self.pause_seconds):
                write = self.maker.next()
                reply = self.send(write)
                if reply is None:
                    # perhaps nobody listens
                    self.stopped.wait(self.rng.random() * 0.3)
                elif write.op == "multipart" and reply.status == 200:
                    self.go_on(write, reply)
        except Exception as e:
            self.error = e
            raise
        finally:
            self.raw.close()

    def go_on(self, first, reply):
        """The parts of a multipart upload, until one fails."""
        upload_id = re.search(rb"<UploadId>(.*?)</UploadId>",
                              reply.body).group(1).decode()
        sizes = [self.rng.randrange(1, 50_000)]
        if self.rng.random() < 0.1:
            sizes.insert(0, PART)
        etags, whole = [], b""
        for number, size in enumerate(sizes, 1):
            body = self.rng.randbytes(size)
            part = self.send(self.maker.part(first, upload_id, number, body))
            if not part or part.status != 200:
                return
            etags.append(part.one("etag"))
            whole += body
        self.send(self.maker.complete(first, upload_id, etags,
                                      sha256(whole)))

    def send(self, write):
        """The reply, or None; it is in the history in any case."""
        at, status, why = self.history.now(), None, None
        reply = None
        try:
            reply = self.exchange(write)
            status = reply.status
            # a 200 that failed half way
            if status == 200 and b"<Error>" in reply.body \
                    and write.op in ("copy", "complete", "multi-delete"):
                status, why = 599, reply.body[:300].decode(errors="replace")
            elif status >= 400:
                code = re.search(rb"<Code>(.*?)</Code>", reply.body)
                why = code.group(1).decode() if code else None
        except (OSError, Lost, Gone) as e:
            self.raw.close()
            why = repr(e)
        line = dict(at=at, until=self.history.now(), client=self.number,
                    op=write.op, bucket=write.bucket, keys=write.keys,
                    status=status, why=why, content=write.content)
        self.history.answer(**{k: v for k, v in line.items()
                               if v is not None})
        return reply

    def exchange(self, write):
        target = write.path + (f"?{write.query}" if write.query else "")
        lot = self.rng.random()
        if lot < 0.02:
            self.hang_up(write, target, half=True)
        if lot < 0.04:
            self.hang_up(write, target, half=False)
        return self.raw.call(write.method, target, write.headers, write.body)

    def hang_up(self, write, target, half):
        """After half of the body, or without waiting for the answer."""
        self.raw.send_head(write.method, target, write.headers)
        body = b"".join(write.body)
        self.raw.send_body(body[:len(body) // 2] if half else body)
        raise Gone("cut in the body" if half and body else "did not wait")

    def stop(self, seconds=60):
        self.stopped.set()
        self.thread.join(seconds)
        assert not self.thread.is_alive(), f"client {self.number} hangs"
        assert self.error is None, f"client {self.number}: {self.error!r}"
