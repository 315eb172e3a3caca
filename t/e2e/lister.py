"""S3 storages that are made up: millions of keys that nobody stores, and
storages that list in odd ways.  A thread serves them, so that a test can see
what they were asked for.
"""

import asyncio
import hashlib
import threading
import urllib.parse
from xml.sax.saxutils import escape

PAGE = 1000
DATE = "2024-01-31T12:00:00.000Z"
HTTP_DATE = "Wed, 31 Jan 2024 12:00:00 GMT"


def md5(body):
    return hashlib.md5(body).hexdigest()


def by_bytes(key):
    return key.encode("utf-8", "surrogateescape")


def by_utf16(key):
    return key.encode("utf-16-be", "surrogatepass")


class Bucket:
    """{key: content}, and how it is listed."""

    order = staticmethod(by_bytes)
    encodes = True              # does what encoding-type asks for
    claims = False              # says so and does not
    says_last = True            # IsTruncated
    is_inclusive = False        # the marker is listed once more
    repeats = 1                 # each entry so many times
    page = PAGE                 # entries at most, whatever is asked for
    is_greedy = False           # gives as many as it likes
    ignores_marker = False
    knows_first = True          # ListObjects in its first version
    empties = False             # each other page has nothing in it
    versioning = ""
    ids = "v"                   # what ids of versions begin with

    def __init__(self, objects=(), **dialect):
        self.objects = dict(objects)
        self.asked = 0          # pages
        for name, value in dialect.items():
            assert hasattr(Bucket, name), name
            setattr(self, name, value)

    # ---- what is listed: (key, ETag, size), and whether there is more

    def entries(self, marker, size):
        keys = sorted(self.objects, key=self.order)
        if marker and not self.ignores_marker:
            low = self.order(marker)
            keys = [k for k in keys if self.order(k) > low
                    or self.is_inclusive and k == marker]
        rows = [(k, md5(self.objects[k]), len(self.objects[k]))
                for k in keys[:size]]
        return rows, len(keys) > size

    def listing(self, args):
        self.asked += 1
        is_second = args.get("list-type") == "2"
        if not is_second and not self.knows_first:
            return 501, error("NotImplemented")
        marker = args.get("start-after" if is_second else "marker", "")
        size = min(int(args.get("max-keys", PAGE)), self.page)
        if self.is_greedy:
            size = self.page
        rows, more = self.entries(marker, size)
        head = ""
        if self.empties and self.asked % 2 and rows \
                and self.order(marker + " ") < self.order(rows[0][0]):
            # as a filter behind the pages leaves them
            head = f"<NextMarker>{self.key_text(marker + ' ', args)}" \
                "</NextMarker>"
            rows, more = [], True
        if self.says_last:
            head += f"<IsTruncated>{str(more).lower()}</IsTruncated>"
        if (self.encodes or self.claims) and "encoding-type" in args:
            head += "<EncodingType>url</EncodingType>"
        text = "".join(
            f"<Contents><Key>{self.key_text(key, args)}</Key><LastModified>"
            f"{DATE}</LastModified><ETag>&quot;{etag}&quot;</ETag><Size>{size}"
            "</Size></Contents>"
            for key, etag, size in rows for _ in range(self.repeats))
        return 200, f"<ListBucketResult>{head}{text}</ListBucketResult>"

    def key_text(self, key, args):
        return urllib.parse.quote(key, errors="surrogateescape") \
            if self.encodes and "encoding-type" in args else escape(key)

    # ---- histories: none

    def versions(self, args):
        return 501, error("NotImplemented")

    # ---- objects

    def content(self, key):
        return self.objects.get(key)

    def put(self, key, body):
        self.objects[key] = body

    def delete(self, key):
        self.objects.pop(key, None)


class Numbers(Bucket):
    """`keys` of them, generated: "k" and 12 digits, which are the content, too.
    Of one in `every` the content is another one, until it is written."""

    def __init__(self, keys, every=0, **dialect):
        super().__init__((), **dialect)
        self.keys, self.every = keys, every
        self.puts = {}          # number -> content

    def first_after(self, marker):
        if marker < "k":
            return 0
        if marker[0] != "k":
            return self.keys
        digits, n, unit = marker[1:], 0, 10 ** 12
        for c in digits[:12]:
            unit //= 10
            if c > "9":
                return min(n + 10 * unit, self.keys)
            if c < "0":
                return min(n, self.keys)
            n += unit * int(c)
        return min(n + (len(digits) >= 12), self.keys)

    def content_of(self, n):
        if n in self.puts:
            return self.puts[n]
        odd = self.every and n % self.every == 0
        return b"x%011d" % n if odd else b"%012d" % n

    def entries(self, marker, size):
        n = self.first_after(marker) if marker else 0
        last = min(n + size, self.keys)
        return ([(f"k{i:012d}", md5(self.content_of(i)), 12)
                 for i in range(n, last)], last < self.keys)

    def key_text(self, key, args):
        return key

    def content(self, key):
        return self.content_of(int(key[1:]))

    def put(self, key, body):
        self.puts[int(key[1:])] = body


class Histories(Bucket):
    """{key: versions}: how many, newest first, content "version N" or, of
    every `marker_every`th, a delete marker."""

    versioning = "Enabled"

    def __init__(self, counts, changed=(), marker_every=7, **dialect):
        super().__init__((), **dialect)
        self.counts = dict(counts)
        self.changed = dict(changed)    # (key, number) -> content
        self.marker_every = marker_every
        self.flat = [(k, n) for k in sorted(self.counts, key=by_bytes)
                     for n in range(self.counts[k], 0, -1)]
        self.place = {v: i for i, v in enumerate(self.flat)}
        self.first = {}
        for i, (key, _) in enumerate(self.flat):
            self.first.setdefault(key, i)
        self.order_of_keys = sorted(self.first)

    def row(self, key, n):
        body = self.changed.get((key, n), b"version %d" % n)
        head = (f"<Key>{urllib.parse.quote(key)}</Key><VersionId>"
                f"{self.ids}{n}</VersionId><IsLatest>"
                f"{str(n == self.counts[key]).lower()}"
                f"</IsLatest><LastModified>{DATE}</LastModified>")
        if n % self.marker_every == 0 and (key, n) not in self.changed:
            return f"<DeleteMarker>{head}</DeleteMarker>"
        return (f"<Version>{head}<ETag>&quot;{md5(body)}&quot;</ETag><Size>"
                f"{len(body)}</Size></Version>")

    def versions(self, args):
        self.asked += 1
        key, mark = args.get("key-marker", ""), args.get("version-id-marker")
        if mark:
            at = self.place[key, int(mark[1:])] + 1
        elif key:
            at = min([self.first[k] for k in self.order_of_keys if k > key],
                     default=len(self.flat))
        else:
            at = 0
        rows = self.flat[at:at + min(int(args["max-keys"]), self.page)]
        more = at + len(rows) < len(self.flat)
        return 200, (
            "<ListVersionsResult><EncodingType>url</EncodingType><IsTruncated>"
            f"{str(more).lower()}</IsTruncated>"
            + "".join(self.row(*v) for v in rows) + "</ListVersionsResult>")


def error(code):
    return f"<Error><Code>{code}</Code><Message/></Error>"


class Lister:
    """A storage of such buckets; `bucket_page`: names in a page."""

    def __init__(self, buckets, bucket_page=0):
        self.buckets = buckets
        self.bucket_page = bucket_page
        self.requests = []      # (method, bucket, key) of objects
        self.port = None

    def names(self, args):
        names = sorted(self.buckets)
        at = int(args.get("continuation-token", "0/x+").split("/")[0])
        size = self.bucket_page or len(names)
        token = (f"<ContinuationToken>{at + size}/x+</ContinuationToken>"
                 if at + size < len(names) else "")
        return 200, ("<ListAllMyBucketsResult><Buckets>" + "".join(
            f"<Bucket><Name>{n}</Name></Bucket>"
            for n in names[at:at + size])
            + f"</Buckets>{token}</ListAllMyBucketsResult>")

    def of_bucket(self, method, bucket, args):
        if bucket is None:
            return 404, error("NoSuchBucket")
        if method == "HEAD" or method == "PUT" and not args:
            return 200, ""
        if "versioning" in args and method == "GET":
            state = f"<Status>{bucket.versioning}</Status>" \
                if bucket.versioning else ""
            return 200, f"<VersioningConfiguration>{state}" \
                "</VersioningConfiguration>"
        if "versions" in args:
            return bucket.versions(args)
        if method == "GET" and (not args or "max-keys" in args):
            return bucket.listing(args)
        return 501, error("NotImplemented")

    def of_object(self, method, bucket, key, args, body):
        headers = {"Last-Modified": HTTP_DATE}
        if bucket is None or args:
            return 501, error("NotImplemented"), headers
        if method == "PUT":
            bucket.put(key, body)
            return 200, "", {"ETag": f'"{md5(body)}"'}
        if method == "DELETE":
            bucket.delete(key)
            return 204, "", {}
        content = bucket.content(key)
        if content is None:
            return 404, error("NoSuchKey"), headers
        headers["ETag"] = f'"{md5(content)}"'
        return 200, content, headers

    def answer(self, method, target, body):
        path, _, query = target.partition("?")
        args = dict(urllib.parse.parse_qsl(query, keep_blank_values=True,
                                           errors="surrogateescape"))
        name, _, key = path[1:].partition("/")
        if not name:
            return *self.names(args), {}
        bucket = self.buckets.get(name)
        if not key:
            return *self.of_bucket(method, bucket, args), {}
        key = urllib.parse.unquote(key, errors="surrogateescape")
        self.requests.append((method, name, key))
        return self.of_object(method, bucket, key, args, body)

    # ---- HTTP

    async def read(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *fields = head.split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (
            field.partition(":") for field in fields if field)}
        if "100-continue" in headers.get("expect", ""):
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        return line.split()[:2], body

    async def serve(self, reader, writer):
        try:
            while True:
                (method, target), body = await self.read(reader, writer)
                status, text, headers = self.answer(method, target, body)
                data = text if isinstance(text, bytes) else text.encode(
                    "utf-8", "surrogateescape")
                head = "".join(f"{k}: {v}\r\n" for k, v in headers.items())
                writer.write(f"HTTP/1.1 {status} S\r\n{head}Content-Length: "
                             f"{len(data)}\r\n\r\n".encode()
                             + (b"" if method == "HEAD" else data))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


class Listers:
    """Serves them, while the `with` lasts."""

    def __init__(self, *listers):
        self.listers = listers
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever,
                                       daemon=True)

    def __enter__(self):
        self.thread.start()
        for lister in self.listers:
            server = asyncio.run_coroutine_threadsafe(asyncio.start_server(
                lister.serve, "127.0.0.1", 0), self.loop).result(30)
            lister.port = server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_):
        async def end():
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        asyncio.run_coroutine_threadsafe(end(), self.loop).result(30)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(30)
        self.loop.close()

    @property
    def urls(self):
        return [f"http://127.0.0.1:{lister.port}" for lister in self.listers]
