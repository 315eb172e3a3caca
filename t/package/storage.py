#!/usr/bin/python3
"""A storage that keeps what it is given, in memory, and asks for no signature:
storage.py PORT.  For what runs where no Ceph is: as much of S3 as a worker
needs to copy an object."""

import hashlib
import http.server
import sys
import urllib.parse
from xml.sax.saxutils import escape

DATE = "Mon, 23 Nov 2026 12:00:00 GMT"
KEPT = ("content-type", "x-amz-meta-", "cache-control")
OWNER = "<Owner><ID>alice</ID></Owner>"
XML = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"

UNSET = {"tagging": "NoSuchTagSet", "cors": "NoSuchCORSConfiguration",
         "website": "NoSuchWebsiteConfiguration"}

objects = {}            # bucket -> key -> (body, headers)


def error(status, code):
    return status, {}, f"{XML}<Error><Code>{code}</Code></Error>".encode()


def listing(bucket):
    entries = "".join(
        f"<Contents><Key>{escape(urllib.parse.quote(key))}</Key>"
        "<LastModified>2026-11-23T12:00:00.000Z</LastModified>"
        f"<ETag>\"{headers['ETag'][1:-1]}\"</ETag><Size>{len(body)}</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
        for key, (body, headers) in sorted(objects[bucket].items()))
    return (f"{XML}<ListBucketResult><Name>{bucket}</Name>"
            "<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>"
            f"{entries}</ListBucketResult>")


def sub_resource(name):
    known = {"acl": f"<AccessControlPolicy>{OWNER}<AccessControlList/>"
                    "</AccessControlPolicy>",
             "versioning": "<VersioningConfiguration/>",
             "location": "<LocationConstraint/>"}
    if name in known:
        return 200, {}, (XML + known[name]).encode()
    return error(404, UNSET[name])


def answer(method, bucket, key, query, headers, body):
    """(status, headers, body)"""
    if not bucket:
        names = "".join(f"<Bucket><Name>{b}</Name></Bucket>" for b in objects)
        text = (f"{XML}<ListAllMyBucketsResult>{OWNER}<Buckets>{names}"
                "</Buckets></ListAllMyBucketsResult>")
        return 200, {}, text.encode()
    if not key and method == "PUT":
        objects.setdefault(bucket, {})
        return 200, {}, b""
    if bucket not in objects:
        return error(404, "NoSuchBucket")
    for name in ("acl", "versioning", "location", *UNSET):
        if name in query:
            return sub_resource(name) if method == "GET" else (200, {}, b"")
    if not key:
        return 200, {}, listing(bucket).encode()

    if method == "PUT":
        kept = {name: value for name, value in headers.items()
                if name.lower().startswith(KEPT)}
        kept["ETag"] = f"\"{hashlib.md5(body).hexdigest()}\""
        objects[bucket][key] = body, kept
        return 200, {"ETag": kept["ETag"]}, b""
    if key not in objects[bucket]:
        return error(404, "NoSuchKey")
    if method == "DELETE":
        del objects[bucket][key]
        return 204, {}, b""
    body, kept = objects[bucket][key]
    return 200, {"Last-Modified": DATE, **kept}, body


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def serve(self):
        path, _, query = self.path.partition("?")
        bucket, _, key = urllib.parse.unquote(path[1:]).partition("/")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        status, headers, text = answer(self.command, bucket, key, query,
                                       self.headers, body)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(text)))
        self.send_header("x-amz-request-id", "of-storage.py")
        self.end_headers()
        if self.command != "HEAD" and status != 204:
            self.wfile.write(text)

    do_GET = do_HEAD = do_PUT = do_DELETE = do_POST = serve

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])),
                                Handler).serve_forever()
