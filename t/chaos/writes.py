"""The random writes: what is sent, of which keys, and what it should leave.

make(rng, keys, netloc, key_of) returns a Write; nothing here sends anything.
"""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

import chunked
from raw import now, presigned, signed_headers, signing_key
from wire import REGION, mac, path_of, sha256

FORMS = [(chunked.SIGNED, False), (chunked.SIGNED_TRAILER, True),
         (chunked.UNSIGNED_TRAILER, True)]
GONE = "gone"       # of Write.content: no object is left


@dataclass
class Write:
    op: str
    bucket: str
    keys: list              # "" is the bucket itself
    method: str
    path: str
    query: str = ""
    headers: list = field(default_factory=list)     # all, signed
    body: list = field(default_factory=list)        # parts, as they are sent
    content: str = None     # SHA-256 of the object then, GONE, None: not known


class Maker:
    """Makes Writes for one client."""

    def __init__(self, rng, keys, netloc, key_of):
        self.rng = rng
        self.keys = keys
        self.netloc = netloc
        self.key_of = key_of        # the credentials of a bucket's user

    def next(self):
        op = self.rng.choices(list(OPERATIONS), list(OPERATIONS.values()))[0]
        return op(self)

    # ---- parts

    def content(self, most=4096):
        """Mostly small, with a seed's worth of bytes."""
        most = self.rng.choices([16, most, 100_000, 1 << 20],
                                [20, 70, 9, 1])[0]
        return self.rng.randbytes(self.rng.randrange(most + 1))

    def meta(self):
        more = [("x-amz-meta-n", str(self.rng.randrange(1 << 30)))]
        if self.rng.random() < 0.3:
            more.append(("content-type", "image/png"))
        if self.rng.random() < 0.2:
            more.append(("x-amz-tagging",
                         f"a={self.rng.randrange(9)}&b=x%20y"))
        return more

    def tags(self):
        count = self.rng.randrange(4)
        return ("<Tagging><TagSet>" + "".join(
            f"<Tag><Key>k{n}</Key><Value>v {self.rng.randrange(99)}</Value>"
            "</Tag>" for n in range(count)) + "</TagSet></Tagging>").encode()

    def signed(self, op, bucket, keys, method, path, query="", more=(),
               body=b"", content=None):
        headers, _ = signed_headers(self.key_of(bucket), self.netloc, method,
                                    path, query, more, sha256(body))
        if body or method in ("PUT", "POST"):
            headers.append(("Content-Length", str(len(body))))
        return Write(op, bucket, keys, method, path, query, headers,
                     [body] if body else [], content)

    # ---- operations on objects

    def put(self):
        bucket, key = self.keys.take(self.rng)
        body = self.content()
        return self.signed("put", bucket, [key], "PUT", path_of(bucket, key),
                           more=self.meta(), body=body, content=sha256(body))

    def put_presigned(self):
        bucket, key = self.keys.take(self.rng)
        path, body = path_of(bucket, key), self.content()
        query = presigned(self.key_of(bucket), self.netloc, "PUT", path)
        return Write("presigned", bucket, [key], "PUT", path, query,
                     [("Host", self.netloc),
                      ("Content-Length", str(len(body)))], [body],
                     sha256(body))

    def put_chunked(self):
        bucket, key = self.keys.take(self.rng)
        path, data = path_of(bucket, key), self.content()
        blocks = [data[n:n + 8192] for n in range(0, len(data), 8192)]
        kind, has_trailer = self.rng.choice(FORMS)
        body = chunked.Body(blocks, kind, trailer=(
            "x-amz-checksum-crc32", chunked.crc32_of(blocks))
            if has_trailer else None)
        headers, parts = chunked.upload(self.key_of(bucket), self.netloc,
                                        path, body, headers=self.meta())
        return Write("chunked", bucket, [key], "PUT", path, "", headers,
                     list(parts), sha256(data))

    def post_form(self):
        bucket, key = self.keys.take(self.rng)
        body, credentials, date = self.content(), self.key_of(bucket), now()
        scope = f"{date[:8]}/{REGION}/s3/aws4_request"
        fields = {"key": key, "x-amz-algorithm": "AWS4-HMAC-SHA256",
                  "x-amz-credential": f"{credentials.access}/{scope}",
                  "x-amz-date": date}
        policy = base64.b64encode(json.dumps({
            "expiration": "2100-01-01T00:00:00Z",
            "conditions": [{"bucket": bucket}, *(
                {k: v} for k, v in fields.items())]}).encode()).decode()
        fields["policy"] = policy
        fields["x-amz-signature"] = mac(
            signing_key(credentials.secret, scope), policy).hex()
        text = "".join(
            '--cut\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
            % pair for pair in fields.items())
        text += ('--cut\r\nContent-Disposition: form-data; name="file"; '
                 'filename="f"\r\nContent-Type: text/plain\r\n\r\n')
        parts = [text.encode(), body, b"\r\n--cut--\r\n"]
        return Write("form", bucket, [key], "POST", path_of(bucket), "", [
            ("Host", self.netloc),
            ("Content-Type", "multipart/form-data; boundary=cut"),
            ("Content-Length", str(sum(map(len, parts))))], parts,
            sha256(body))

    def copy(self):
        bucket, key = self.keys.take(self.rng)
        source = path_of(*self.keys.look(self.rng, self.key_of(bucket)))
        return self.signed("copy", bucket, [key], "PUT", path_of(bucket, key),
                           more=[("x-amz-copy-source", source)])

    def delete(self):
        bucket, key = self.keys.take(self.rng)
        return self.signed("delete", bucket, [key], "DELETE",
                           path_of(bucket, key), content=GONE)

    def delete_many(self):
        bucket, key = self.keys.take(self.rng)
        keys = {key} | {self.keys.take(self.rng, bucket)[1]
                        for _ in range(self.rng.randrange(8))}
        body = ("<Delete>" + "".join(
            f"<Object><Key>{escape(k)}</Key></Object>" for k in sorted(keys))
            + "</Delete>").encode()
        md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
        return self.signed("multi-delete", bucket, sorted(keys), "POST",
                           path_of(bucket), "delete", [("Content-MD5", md5)],
                           body, GONE)

    def tag(self):
        bucket, key = self.keys.take(self.rng)
        return self.signed("tag", bucket, [key], "PUT", path_of(bucket, key),
                           "tagging", body=self.tags())

    def untag(self):
        bucket, key = self.keys.take(self.rng)
        return self.signed("untag", bucket, [key], "DELETE",
                           path_of(bucket, key), "tagging")

    def acl(self):
        bucket, key = self.keys.take(self.rng)
        return self.signed("acl", bucket, [key], "PUT", path_of(bucket, key),
                           "acl", [("x-amz-acl", self.rng.choice(
                               ["private", "public-read"]))])

    # ---- multipart: the client sends these one after the other

    def multipart(self):
        bucket, key = self.keys.take(self.rng)
        return self.signed("multipart", bucket, [key], "POST",
                           path_of(bucket, key), "uploads", self.meta())

    def part(self, first, upload_id, number, body):
        return self.signed("part", first.bucket, first.keys, "PUT",
                           first.path,
                           f"partNumber={number}&uploadId={upload_id}",
                           body=body)

    def complete(self, first, upload_id, etags, content):
        body = ("<CompleteMultipartUpload>" + "".join(
            f"<Part><PartNumber>{n}</PartNumber><ETag>{e}</ETag></Part>"
            for n, e in enumerate(etags, 1))
            + "</CompleteMultipartUpload>").encode()
        return self.signed("complete", first.bucket, first.keys, "POST",
                           first.path, f"uploadId={upload_id}", body=body,
                           content=content)

    # ---- buckets

    def tag_bucket(self):
        bucket = self.keys.some_bucket(self.rng)
        return self.signed("tag bucket", bucket, [""], "PUT",
                           path_of(bucket), "tagging", body=self.tags())

    def create_bucket(self):
        bucket = self.rng.choice(self.keys.passing)
        return self.signed("create bucket", bucket, [""], "PUT",
                           path_of(bucket))

    def delete_bucket(self):
        bucket = self.rng.choice(self.keys.passing)
        return self.signed("delete bucket", bucket, [""], "DELETE",
                           path_of(bucket))

    def passing_object(self):
        """In a bucket that may not be there, or go soon."""
        bucket = self.rng.choice(self.keys.passing)
        key = f"p{self.rng.randrange(3)}"
        if self.rng.random() < 0.6:
            return self.signed("delete", bucket, [key], "DELETE",
                               path_of(bucket, key))
        return self.signed("put", bucket, [key], "PUT", path_of(bucket, key),
                           body=self.content(16))


# how often each, of 1000
OPERATIONS = {
    Maker.put: 330, Maker.put_presigned: 60, Maker.put_chunked: 80,
    Maker.post_form: 40, Maker.copy: 90, Maker.delete: 160,
    Maker.delete_many: 40, Maker.tag: 50, Maker.untag: 20, Maker.acl: 40,
    Maker.multipart: 20, Maker.tag_bucket: 10, Maker.create_bucket: 15,
    Maker.delete_bucket: 15, Maker.passing_object: 30}
