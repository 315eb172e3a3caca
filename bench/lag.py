#!/usr/bin/python3
"""How long after a client's answer the follower has a small object.

    bench/lag.py [--objects N] [--size BYTES] [--pause SECONDS] [--json FILE]

All of Chorus runs between two Ceph stores, and is at rest: an object is
written through the proxy, then nothing for up to twice --pause.  Lag is the
time from the client's answer until Redis has heard that the object is equal:
the last event of its key in the queue's own trace, in microseconds of the
same clock; that the follower has it then is looked at.  In turns with that,
over connections that are kept, and after as long a pause: GET from main and
PUT to the follower of an object of the same size, by the same client, signed
before the clock starts.
"""

import argparse
import math
import random
import socket
import time

# stores.py makes those of t/e2e known
from stores import full_stack
from table import Table
from wire import Wire, path_of

BUCKET = "r-lag"
WARM = 8                        # objects before the first that counts


class Lean:
    """Signed requests over one connection, with nothing beside the two
    system calls that they take while the clock runs."""

    def __init__(self, wire):
        self.wire = wire
        host, port = wire.netloc.split(":")
        self.socket = socket.create_connection((host, int(port)), 30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def sign(self, method, key, body=b""):
        path = path_of(BUCKET, key)
        headers = self.wire.signed(method, path, body=body)
        if method == "PUT":
            headers["content-length"] = str(len(body))
        lines = "".join(f"{k}: {v}\r\n" for k, v in headers.items())
        return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body

    def send(self, request):
        """The answer's head and body; and when it was there, in us."""
        self.socket.sendall(request)
        answer = b""
        while not (end := answer.find(b"\r\n\r\n") + 1):
            answer += self.receive()
        head, body = answer[:end + 3], answer[end + 3:]
        fields = dict(line.lower().split(b": ", 1)
                      for line in head.strip().split(b"\r\n")[1:])
        while len(body) < int(fields[b"content-length"]):
            body += self.receive()
        at = now_us()
        assert head.startswith(b"HTTP/1.1 200"), head
        return fields, body, at

    def receive(self):
        got = self.socket.recv(65536)
        assert got, "the connection was closed"
        return got


def now_us():
    """Of the clock that Redis tells the time by."""
    return time.time_ns() // 1000


class Trace:
    """The queue's own, as it grows; docs/data-model.md."""

    def __init__(self, client):
        self.client = client
        self.last = "0"
        client.set("chorus:trace:max", 10_000)

    def times_of(self, key):
        """us of {"claim", "end"}: when its task was claimed, and ended."""
        times = {}
        while "end" not in times:
            found = self.client.xread({"chorus:trace": self.last},
                                      block=5000)
            assert found, f"{key} was not synced within 5 s"
            for self.last, fields in found[0][1]:
                if fields[b"key"] == key.encode():
                    times[fields[b"event"].decode()] = int(fields[b"us"])
                    what = fields[b"what"]
        assert what == b"synced", f"{key} ended as {what}"
        return times


class Bench:
    def __init__(self, stack, options):
        self.options = options
        self.body = random.randbytes(options.size)
        self.proxy, self.main, self.follower = (
            Lean(wire) for wire in (stack.wire(), stack.main.wire(),
                                    stack.follower.wire()))
        self.trace = Trace(stack.redis.client)

    def rest(self):
        time.sleep(random.uniform(0, 2 * self.options.pause))

    def replicated(self, key):
        """ms: lag, and of that until the worker has claimed it."""
        request = self.proxy.sign("PUT", key, self.body)
        _, _, answered = self.proxy.send(request)
        times = self.trace.times_of(key)
        assert self.follower.send(self.follower.sign("GET", key))[1] \
            == self.body, f"{key} is not on the follower"
        return ((times["end"] - answered) / 1e3,
                (times["claim"] - answered) / 1e3)

    def plain(self, key):
        """ms of GET from main and PUT to the follower."""
        self.main.send(self.main.sign("PUT", key, self.body))
        self.rest()
        get = self.main.sign("GET", key)
        put = self.follower.sign("PUT", key, self.body)
        begin = now_us()
        _, body, got = self.main.send(get)
        _, _, end = self.follower.send(put)
        assert body == self.body
        return (end - begin) / 1e3, (got - begin) / 1e3


def quantile(values, share):
    """The least one that so many are not above."""
    ordered = sorted(values)
    return ordered[math.ceil(share * len(ordered)) - 1]


def measure(bench, table):
    lags, claims, plain, gets = [], [], [], []
    for n in range(WARM + bench.options.objects):
        bench.rest()
        lag, claim = bench.replicated(f"replicated/{n}")
        both, get = bench.plain(f"plain/{n}")
        if n >= WARM:
            lags.append(lag)
            claims.append(claim)
            plain.append(both)
            gets.append(get)
    for name, share, target in (("p50", 0.5, "<= 2"), ("p99", 0.99, "<= 5")):
        ours, calls = quantile(lags, share), quantile(plain, share)
        table.add(f"lag at rest, {name}", target, ours / calls, ms_lag=ours,
                  ms_until_claimed=quantile(claims, share), ms_calls=calls,
                  ms_of_these_get=quantile(gets, share))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--objects", type=int, default=200)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--pause", type=float, default=0.1)
    parser.add_argument("--json")
    options = parser.parse_args()

    table = Table()
    with full_stack(concurrency=32, lease_seconds=30) as stack:
        for store in (stack.main, stack.follower):
            store.s3.create_bucket(Bucket=BUCKET)
        measure(Bench(stack, options), table)
    table.save(options.json)


if __name__ == "__main__":
    main()
