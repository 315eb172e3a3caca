#!/usr/bin/python3
"""Two S3 storages for migrations: one has N equal small objects, the other
takes whatever is put.

    bench/small_store.py MAIN_PORT FOLLOWER_PORT OBJECTS [BYTES]

One bucket, "mig-bench"; of the follower's it says that it is empty.  Answers
have the headers that those of Ceph have.  What copying costs the worker is
measured here, not what it costs a storage.
"""

import asyncio
import hashlib
import sys
import urllib.parse

PAGE = 1000
HEAD = ("HTTP/1.1 %s\r\nContent-Length: %d\r\n%s"
        "x-amz-request-id: tx000000000000000000000-0065a0bench-100d-default"
        "\r\nDate: Mon, 23 Nov 2026 09:00:00 GMT\r\n"
        "Connection: Keep-Alive\r\n\r\n")
OBJECT = ("Accept-Ranges: bytes\r\nLast-Modified: Sun, 22 Nov 2026 09:00:00 "
          "GMT\r\nx-rgw-object-type: Normal\r\nETag: \"%s\"\r\n"
          "Content-Type: binary/octet-stream\r\n")
XML = "Content-Type: application/xml\r\n"
ENTRY = ("<Contents><Key>d/object-%06d</Key><LastModified>2026-11-22T09:00:00"
         ".000Z</LastModified><ETag>&quot;%s&quot;</ETag><Size>%d</Size>"
         "<StorageClass>STANDARD</StorageClass><Owner><ID>alice</ID>"
         "<DisplayName>alice</DisplayName></Owner><Type>Normal</Type>"
         "</Contents>")
LISTING = ("<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult "
           "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>mig-bench"
           "</Name><EncodingType>url</EncodingType><IsTruncated>%s"
           "</IsTruncated>%s</ListBucketResult>")
BUCKETS = ("<ListAllMyBucketsResult><Owner><ID>alice</ID></Owner><Buckets>"
           "<Bucket><Name>mig-bench</Name></Bucket></Buckets>"
           "</ListAllMyBucketsResult>")
ACL = ("<?xml version=\"1.0\" encoding=\"UTF-8\"?><AccessControlPolicy "
       "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Owner><ID>alice"
       "</ID><DisplayName>alice</DisplayName></Owner><AccessControlList>"
       "<Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance"
       "\" xsi:type=\"CanonicalUser\"><ID>alice</ID><DisplayName>alice"
       "</DisplayName></Grantee><Permission>FULL_CONTROL</Permission></Grant>"
       "</AccessControlList></AccessControlPolicy>")


class Store:
    def __init__(self, objects, size):
        self.objects = objects
        self.body = bytes(range(256)) * (size // 256)
        self.etag = hashlib.md5(self.body).hexdigest()

    def listing(self, args):
        marker = args.get("marker", "")
        first = int(marker[-6:]) + 1 if marker else 0
        last = min(first + int(args.get("max-keys", PAGE)), self.objects)
        entries = "".join(ENTRY % (n, self.etag, len(self.body))
                          for n in range(first, last))
        return LISTING % ("true" if last < self.objects else "false", entries)

    def answer(self, method, target, body):
        path, _, query = target.partition("?")
        args = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        is_object = path.count("/") > 1
        if method == "PUT":
            etag = hashlib.md5(body).hexdigest()
            return "200 OK", f"ETag: \"{etag}\"\r\n", b""
        if method != "GET":
            return "200 OK", "", b""
        if path == "/":
            return "200 OK", XML, BUCKETS.encode()
        if "acl" in args:
            return "200 OK", XML, ACL.encode()
        if is_object:
            return "200 OK", OBJECT % self.etag, self.body
        if not query or "max-keys" in args:
            return "200 OK", XML, self.listing(args).encode()
        if "versioning" in args:
            return "200 OK", XML, b"<VersioningConfiguration/>"
        return "404 Not Found", XML, (b"<Error><Code>NoSuchTagSet</Code>"
                                      b"</Error>")


class Connection(asyncio.Protocol):
    def __init__(self, store):
        self.store = store
        self.read = b""
        self.was_asked = False

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.read += data
        end = self.read.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.read[:end].decode().split("\r\n")
        length = next((int(line[15:]) for line in head
                       if line.lower().startswith("content-length:")), 0)
        body = self.read[end + 4:end + 4 + length]
        if len(body) < length:
            if b"Expect:" in self.read[:end] and not self.was_asked:
                self.was_asked = True
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return
        self.was_asked = False
        self.read = self.read[end + 4 + length:]
        method, target, _ = head[0].split(" ")
        status, headers, body = self.store.answer(method, target, body)
        self.transport.write((HEAD % (status, len(body), headers)).encode()
                             + (b"" if method == "HEAD" else body))


async def main(main_port, follower_port, objects, size=4096):
    loop = asyncio.get_running_loop()
    for port, store in ((main_port, Store(objects, size)),
                        (follower_port, Store(0, size))):
        await loop.create_server(lambda store=store: Connection(store),
                                 "127.0.0.1", port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
