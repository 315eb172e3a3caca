#!/usr/bin/python3
"""Two S3 storages that only list: N keys each, some of which differ.

    bench/scan_store.py MAIN_PORT FOLLOWER_PORT KEYS [DIFFERENCES]

One bucket, "mig-bench", on both.  Each key "k" and 12 digits; of DIFFERENCES
keys the follower has another ETag.  HEAD, PUT and the rest are answered as if
all went well: what a scan costs is measured here, not copying.
"""

import asyncio
import sys
import urllib.parse

PAGE = 1000
ENTRY = ("<Contents><Key>k%012d</Key><LastModified>2024-01-31T12:00:00.000Z"
         "</LastModified><ETag>&quot;%032x&quot;</ETag><Size>%d</Size>"
         "<StorageClass>STANDARD</StorageClass></Contents>")
BUCKETS = ("<ListAllMyBucketsResult><Buckets><Bucket><Name>mig-bench</Name>"
           "</Bucket></Buckets></ListAllMyBucketsResult>")


class Store:
    def __init__(self, keys, differences):
        self.keys = keys
        self.every = keys // differences if differences else 0
        self.pages = {}

    def first_after(self, marker):
        """The number of the first key behind it."""
        digits = marker[1:13]
        if marker < "k":
            return 0
        if marker[0] != "k":
            return self.keys
        padded = (digits + "0" * 12)[:12]
        if not padded.isdigit():
            low = sum(1 for _ in ())
            head = ""
            for c in digits:
                if not c.isdigit():
                    break
                head += c
            rest = digits[len(head):len(head) + 1]
            n = int((head + "0" * 12)[:12])
            if rest and rest > "9":
                n += 10 ** (12 - len(head))
            return min(max(n, low), self.keys)
        return min(int(padded) + (len(marker) >= 13), self.keys)

    def listing(self, marker, size):
        n = self.first_after(marker) if marker else 0
        last = min(n + size, self.keys)
        text = "".join([ENTRY % (i, i * 7919 + (self.every > 0
                                                and i % self.every == 0),
                                 i % 4096) for i in range(n, last)])
        return ("<ListBucketResult><IsTruncated>%s</IsTruncated>%s"
                "</ListBucketResult>"
                % ("true" if last < self.keys else "false", text)).encode()

    def answer(self, method, target):
        path, _, query = target.partition("?")
        if method != "GET" or "/" in path[1:]:
            return b""
        if path == "/":
            return BUCKETS.encode()
        args = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        if "versioning" in args:
            return b"<VersioningConfiguration/>"
        return self.listing(args.get("marker", ""),
                            int(args.get("max-keys", PAGE)))

    async def serve(self, reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                line = head.split(b"\r\n")[0].decode()
                length = 0
                for h in head.lower().split(b"\r\n"):
                    if h.startswith(b"content-length:"):
                        length = int(h[15:])
                await reader.readexactly(length)
                body = self.answer(*line.split()[:2])
                writer.write(b"HTTP/1.1 200 OK\r\nETag: \"x\"\r\n"
                             b"Content-Length: %d\r\n\r\n" % len(body) + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


async def main(port, follower_port, keys, differences=0):
    for where, store in ((port, Store(keys, 0)),
                         (follower_port, Store(keys, differences))):
        await asyncio.start_server(store.serve, "127.0.0.1", where)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
