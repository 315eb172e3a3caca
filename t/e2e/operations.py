"""What the differential test does, in this order, on an empty storage.

Each operation is one request.  <<name>> in its texts is what an operation
before it was answered: <<upload-1>> the first upload id of this run,
<<version-2>> the second version id, in the order in which they were first
seen, so that the same list works wherever it is run.
"""

import base64
import hashlib
from dataclasses import dataclass

from raw import encode
from wire import sha256

BUCKET = "diff-for-all-a"       # replicated, as the stack is configured
SECOND = "diff-second"
VERSIONED = "diff-versioned"
LOCKED = "diff-locked"
LISTED = "diff-listed"          # filled by the test, only read here
BUCKETS = [BUCKET, SECOND, VERSIONED, LOCKED]

ODD = [" ", " b", "+", "+b", "%", "ü/日本", "😀", "\n", "\x01", "&<>", "'\"",
       "//", "/../x", "\u2028", "=", "?#", "*()!~", "\\", "\x7f"]
LISTED_KEYS = ([f"p/{n:04d}" for n in range(2450)] + [f"odd{x}" for x in ODD]
               + ["x" * n for n in range(1, 32)])

PART = bytes(range(256)) * (5 << 12)        # 5 MiB, the least of a part
TEXT = b"The quick brown fox jumps over the lazy dog. " * 20
XML = {"content-type": "application/xml"}
FUTURE = "Sat, 01 Jan 2050 00:00:00 GMT"
PAST = "Tue, 01 Jan 2013 00:00:00 GMT"
ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"


@dataclass
class Operation:
    name: str
    method: str
    path: str               # as it is sent
    query: str = ""         # as it is sent
    headers: tuple = ()     # (name, value), repeated ones too
    body: bytes = b""
    user: str = "alice"
    signed_query: str = None    # instead of the query, where signers differ
    payload: str = None     # instead of the body's SHA256
    is_signed: bool = True
    is_presigned: bool = False      # in the query
    in_chunks: bool = False         # aws-chunked, each chunk signed
    awaits_100: bool = False
    is_chunked: bool = False        # Transfer-Encoding, no length
    has_length: bool = True


def op(name, method, path, query="", headers=(), body=b"", **more):
    if isinstance(headers, dict):
        headers = headers.items()
    if isinstance(body, str):
        body = body.encode()
    return Operation(name, method, path, query, tuple(headers), body, **more)


def md5(body):
    body = body.encode() if isinstance(body, str) else body
    return base64.b64encode(hashlib.md5(body).digest()).decode()


def etag(body):
    return f'"{hashlib.md5(body).hexdigest()}"'


def at(key, bucket=BUCKET):
    return f"/{bucket}/" + "/".join(encode(p) for p in key.split("/"))


# ---- buckets

CORS = ("<CORSConfiguration><CORSRule><AllowedOrigin>http://a.example"
        "</AllowedOrigin><AllowedMethod>GET</AllowedMethod><AllowedMethod>PUT"
        "</AllowedMethod><AllowedHeader>*</AllowedHeader><ExposeHeader>ETag"
        "</ExposeHeader><MaxAgeSeconds>600</MaxAgeSeconds></CORSRule>"
        "</CORSConfiguration>")
LIFECYCLE = ("<LifecycleConfiguration><Rule><ID>old</ID><Filter><Prefix>old/"
             "</Prefix></Filter><Status>Enabled</Status><Expiration><Days>30"
             "</Days></Expiration></Rule></LifecycleConfiguration>")
POLICY = ('{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":'
          '"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::%s/secret*"}]}'
          % SECOND)
WEBSITE = ("<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix>"
           "</IndexDocument></WebsiteConfiguration>")
TAGS = ("<Tagging><TagSet><Tag><Key>colour</Key><Value>red &amp; blue</Value>"
        "</Tag><Tag><Key>empty</Key><Value></Value></Tag></TagSet></Tagging>")
ENCRYPTION = ("<ServerSideEncryptionConfiguration><Rule><ApplyServerSide"
              "EncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></Apply"
              "ServerSideEncryptionByDefault></Rule></ServerSideEncryption"
              "Configuration>")
PAYMENT = ("<RequestPaymentConfiguration><Payer>%s</Payer>"
           "</RequestPaymentConfiguration>")
PUBLIC_BLOCK = ("<PublicAccessBlockConfiguration><BlockPublicAcls>true"
                "</BlockPublicAcls></PublicAccessBlockConfiguration>")
LOGGING = ("<BucketLoggingStatus xmlns='http://doc.s3.amazonaws.com/2006-03-"
           "01'/>")
VERSIONING = ("<VersioningConfiguration><Status>%s</Status>"
              "</VersioningConfiguration>")

# of a bucket: what is put there, if anything
SETTINGS = {
    "cors": CORS, "lifecycle": LIFECYCLE, "policy": POLICY,
    "website": WEBSITE, "tagging": TAGS, "encryption": ENCRYPTION,
    "requestPayment": PAYMENT % "Requester", "logging": LOGGING,
    "publicAccessBlock": PUBLIC_BLOCK, "notification":
    "<NotificationConfiguration/>", "replication":
    "<ReplicationConfiguration/>", "accelerate":
    "<AccelerateConfiguration><Status>Enabled</Status>"
    "</AccelerateConfiguration>", "ownershipControls": "<OwnershipControls/>",
}
READ_ONLY = ["location", "versioning", "acl", "object-lock", "policyStatus",
             "uploads", "versions", "inventory", "analytics", "metrics",
             "intelligent-tiering", "foo", "foo=bar&x", "torrent"]


def buckets():
    yield op("list no buckets", "GET", "/")
    yield op("head a bucket that is not there", "HEAD", f"/{BUCKET}")
    yield op("list a bucket that is not there", "GET", f"/{BUCKET}")
    yield op("create a bucket", "PUT", f"/{BUCKET}")
    yield op("create it again", "PUT", f"/{BUCKET}")
    yield op("create it as somebody else", "PUT", f"/{BUCKET}", user="bob")
    yield op("create one in the region, with a slash at the end", "PUT",
             f"/{SECOND}/", body="<CreateBucketConfiguration><Location"
             "Constraint>us-east-1</LocationConstraint>"
             "</CreateBucketConfiguration>")
    yield op("create one elsewhere", "PUT", "/diff-elsewhere",
             body="<CreateBucketConfiguration><LocationConstraint>mars-1"
             "</LocationConstraint></CreateBucketConfiguration>")
    yield op("create one with a body that is no XML", "PUT", "/diff-nonsense",
             body="<Create")
    yield op("create one for versions, canned ACL", "PUT", f"/{VERSIONED}",
             headers={"x-amz-acl": "public-read"})
    yield op("create one with object lock", "PUT", f"/{LOCKED}", headers={
        "x-amz-bucket-object-lock-enabled": "true"})
    for name in ("ab", "x" * 64, "Upper-Case", "under_score", "192.168.5.4",
                 "-dash", "dots..dots", "with%20space", "xn--a"):
        yield op(f"create a bucket {name}", "PUT", f"/{name}")
        yield op(f"delete a bucket {name}", "DELETE", f"/{name}")
    yield op("list buckets", "GET", "/")
    yield op("list buckets with a query", "GET", "/", "max-buckets=1&foo")
    yield op("head the service", "HEAD", "/")
    yield op("head a bucket", "HEAD", f"/{BUCKET}")
    yield op("head a bucket with a slash", "HEAD", f"/{BUCKET}/")
    yield op("head a bucket of another user", "HEAD", f"/{BUCKET}",
             user="bob")
    yield op("put to the service", "PUT", "/")
    yield op("delete the service", "DELETE", "/")
    yield op("post to the service", "POST", "/")
    yield op("a method that is none", "PATCH", f"/{BUCKET}")
    yield op("a method that is none, on a key", "FROB", at("k"))


def settings():
    # Ceph takes DELETE ?encryption for the deletion of the bucket itself
    yield op("an object, so that the bucket stays", "PUT", at("k", SECOND),
             body=b"x")
    for name, body in SETTINGS.items():
        yield op(f"get {name} before", "GET", f"/{SECOND}", name)
        yield op(f"put {name}", "PUT", f"/{SECOND}", name,
                 {"content-md5": md5(body)}, body)
        yield op(f"get {name}", "GET", f"/{SECOND}", name)
        yield op(f"put {name} that is nonsense", "PUT", f"/{SECOND}", name,
                 body="<nonsense>")
        yield op(f"delete {name}", "DELETE", f"/{SECOND}", name)
        yield op(f"get {name} after", "GET", f"/{SECOND}", name)
    for name in READ_ONLY:
        yield op(f"get ?{name}", "GET", f"/{SECOND}", name)
    yield op("put ?foo", "PUT", f"/{SECOND}", "foo", body="<Foo/>")
    yield op("delete ?foo of nothing", "DELETE", "/diff-nothing", "foo")
    yield op("post ?foo", "POST", f"/{SECOND}", "foo", body="<Foo/>")
    yield op("cors with a Content-MD5 that is none", "PUT", f"/{SECOND}",
             "cors", {"content-md5": "what"}, CORS)
    yield op("settings of nobody's bucket", "GET", "/diff-nothing", "cors")
    yield op("settings of another user's", "GET", f"/{SECOND}", "policy",
             user="bob")


# ---- objects

HEADERS = [
    ("content-type", "text/plain; charset=utf-8"),
    ("cache-control", "max-age=60, private"),
    ("content-disposition", 'attachment; filename="a b.txt"'),
    ("content-encoding", "identity"), ("content-language", "de-CH"),
    ("expires", "Wed, 21 Oct 2065 07:28:00 GMT"),
    ("x-amz-meta-colour", "red"), ("x-amz-meta-blanks", "a  b   c"),
    ("x-amz-meta-empty", ""), ("X-Amz-Meta-UPPER", "Mixed Case"),
    ("x-amz-meta-long", "x" * 1500), ("x-amz-meta-utf8", "ü 日本"),
    ("x-amz-meta-under_score", "1"), ("x-amz-tagging", "a=1&b%20c=%26%3D&e="),
    ("x-amz-storage-class", "STANDARD"), ("x-amz-acl", "public-read"),
]
PUTS = {
    "no bytes": ({}, b""), "one byte": ({}, b"x"),
    "a MiB": ({}, bytes(1 << 20)),
    "the right Content-MD5": ({"content-md5": md5(TEXT)}, TEXT),
    "a wrong Content-MD5": ({"content-md5": md5("other")}, TEXT),
    "a Content-MD5 that is none": ({"content-md5": "###"}, TEXT),
    "a storage class that is none": ({"x-amz-storage-class": "ICE"}, TEXT),
    "an ACL that is none": ({"x-amz-acl": "everybody"}, TEXT),
    "tags that are wrong": ({"x-amz-tagging": "a=" + "1" * 300}, TEXT),
    "too many tags": ({"x-amz-tagging": "&".join(
        f"k{n}=v" for n in range(11))}, TEXT),
    "encryption without a key": (
        {"x-amz-server-side-encryption": "aws:kms"}, TEXT),
    "encryption with a client's key": ({
        "x-amz-server-side-encryption-customer-algorithm": "AES256",
        "x-amz-server-side-encryption-customer-key":
            base64.b64encode(b"k" * 32).decode(),
        "x-amz-server-side-encryption-customer-key-md5": md5(b"k" * 32)},
        TEXT),
    "a redirect": ({"x-amz-website-redirect-location": "/other"}, TEXT),
    "an unknown x-amz header": ({"x-amz-future-thing": "1"}, TEXT),
    "checksum header": ({"x-amz-checksum-crc32": "AAAAAA=="}, b""),
    "grants": ({"x-amz-grant-read": f'uri="{ALL_USERS}"',
                "x-amz-grant-full-control": 'id="alice"'}, TEXT),
    "grants to nobody known": ({"x-amz-grant-read": 'id="nobody"'}, TEXT),
    "If-None-Match *, not there": ({"if-none-match": "*"}, TEXT),
    "8 KiB of metadata": ({f"x-amz-meta-{n}": "v" * 1000
                           for n in range(8)}, TEXT),
    "a Transfer-Encoding in Content-Encoding": (
        {"content-encoding": "gzip"}, b"not really gzip"),
}


def objects():
    yield op("put with every header", "PUT", at("full"), headers=HEADERS,
             body=TEXT)
    yield op("put with a header twice", "PUT", at("twice"), headers=[
        ("x-amz-meta-a", "one"), ("x-amz-meta-b", "two"),
        ("X-Amz-Meta-A", "three")], body=TEXT)
    for name, (headers, body) in PUTS.items():
        key = at(f"put/{name}")
        yield op(f"put with {name}", "PUT", key, headers=headers, body=body)
        yield op(f"head after {name}", "HEAD", key)
    yield op("get what has a client's key, without it", "GET",
             at("put/encryption with a client's key"))
    yield op("put, body not hashed", "PUT", at("unsigned"), body=TEXT,
             payload="UNSIGNED-PAYLOAD")
    yield op("put, a hash that lies", "PUT", at("lie"), body=TEXT,
             payload=sha256(b"other"))
    yield op("get of the lie", "GET", at("lie"))
    yield op("put to no bucket", "PUT", at("k", "diff-nothing"), body=TEXT)
    yield op("put to another user's bucket", "PUT", at("k"), body=TEXT,
             user="bob")
    yield op("put with If-None-Match *, there", "PUT", at("full"), body=b"n",
             headers={"if-none-match": "*"})
    yield op("put with If-Match, another", "PUT", at("full"), body=b"n",
             headers={"if-match": etag(b"other")})
    yield op("put with If-Match, the same", "PUT", at("full"), body=TEXT,
             headers=[*HEADERS, ("if-match", etag(TEXT))])
    yield op("post to a key", "POST", at("full"), body=b"x")
    yield op("put a key and a query that is none", "PUT", at("odd-query"),
             "foo=bar&baz", body=TEXT)
    yield op("put x-id as SDKs do", "PUT", at("x-id"), "x-id=PutObject",
             body=TEXT)


READS = {
    "": ("", {}),
    "the first bytes": ("", {"range": "bytes=0-9"}),
    "the middle": ("", {"range": "bytes=100-199"}),
    "one byte": ("", {"range": "bytes=5-5"}),
    "the rest": ("", {"range": "bytes=890-"}),
    "the last bytes": ("", {"range": "bytes=-7"}),
    "more than the end": ("", {"range": "bytes=890-99999"}),
    "more last bytes than there are": ("", {"range": "bytes=-99999"}),
    "nothing at the end": ("", {"range": "bytes=-0"}),
    "beyond the end": ("", {"range": "bytes=9999-"}),
    "exactly the end": ("", {"range": "bytes=900-"}),
    "a range backwards": ("", {"range": "bytes=9-5"}),
    "two ranges": ("", {"range": "bytes=0-1,4-5"}),
    "a range of no unit": ("", {"range": "0-9"}),
    "a range of another unit": ("", {"range": "lines=0-9"}),
    "a range of nonsense": ("", {"range": "bytes=a-b"}),
    "If-Match": ("", {"if-match": etag(TEXT)}),
    "If-Match without quotes": ("", {"if-match": etag(TEXT).strip('"')}),
    "If-Match another": ("", {"if-match": '"00"'}),
    "If-Match *": ("", {"if-match": "*"}),
    "If-None-Match": ("", {"if-none-match": etag(TEXT)}),
    "If-None-Match another": ("", {"if-none-match": '"00"'}),
    "If-None-Match *": ("", {"if-none-match": "*"}),
    "If-Modified-Since past": ("", {"if-modified-since": PAST}),
    "If-Modified-Since future": ("", {"if-modified-since": FUTURE}),
    "If-Modified-Since nonsense": ("", {"if-modified-since": "yesterday"}),
    "If-Unmodified-Since past": ("", {"if-unmodified-since": PAST}),
    "If-Unmodified-Since future": ("", {"if-unmodified-since": FUTURE}),
    "two conditions": ("", {"if-match": etag(TEXT),
                            "if-unmodified-since": PAST}),
    "a range and If-Match another": ("", {"range": "bytes=0-9",
                                          "if-match": '"00"'}),
    "a range and If-Range": ("", {"range": "bytes=0-9",
                                  "if-range": etag(TEXT)}),
    "a range and If-Range another": ("", {"range": "bytes=0-9",
                                          "if-range": '"00"'}),
    "other headers asked for": (
        "response-content-type=a%2Fb&response-cache-control=no-cache"
        "&response-content-disposition=inline%3B%20filename%3D%22x%20y%22"
        "&response-content-encoding=br&response-content-language=fr"
        "&response-expires=Thu%2C%2001%20Jan%202060%2000%3A00%3A00%20GMT", {}),
    "partNumber=1": ("partNumber=1", {}),
    "partNumber=2": ("partNumber=2", {}),
    "versionId=null": ("versionId=null", {}),
    "versionId of nothing": ("versionId=nothing", {}),
    "?foo": ("foo", {}),
    "?acl": ("acl", {}), "?tagging": ("tagging", {}),
    "?retention": ("retention", {}), "?legal-hold": ("legal-hold", {}),
    "?torrent": ("torrent", {}), "?attributes": ("attributes", {
        "x-amz-object-attributes": "ETag,ObjectSize"}),
    "?uploadId of nothing": ("uploadId=nothing", {}),
    "Accept-Encoding": ("", {"accept-encoding": "gzip, br"}),
    "checksum mode": ("", {"x-amz-checksum-mode": "ENABLED"}),
}


def reads():
    for name, (query, headers) in READS.items():
        for method in ("GET", "HEAD"):
            yield op(f"{method} {name}", method, at("full"), query, headers)
    yield op("get no key", "GET", at("nobody"))
    yield op("head no key", "HEAD", at("nobody"))
    yield op("get in no bucket", "GET", at("k", "diff-nothing"))
    yield op("get as another user", "GET", at("unsigned"), user="bob")
    yield op("get what is public as another user", "GET", at("full"),
             user="bob")
    yield op("get no bytes", "GET", at("put/no bytes"))
    yield op("range of no bytes", "GET", at("put/no bytes"), headers={
        "range": "bytes=0-0"})
    yield op("get a MiB", "GET", at("put/a MiB"))
    yield op("get with a body", "GET", at("full"), body=b"what for")
    yield op("select", "POST", at("full"), "select&select-type=2", XML,
             "<SelectObjectContentRequest><Expression>select * from s3object"
             "</Expression><ExpressionType>SQL</ExpressionType>"
             "</SelectObjectContentRequest>")
    yield op("restore", "POST", at("full"), "restore", XML,
             "<RestoreRequest><Days>1</Days></RestoreRequest>")
    yield op("tags of an object", "PUT", at("unsigned"), "tagging", XML, TAGS)
    yield op("its tags", "GET", at("unsigned"), "tagging")
    yield op("tags of no object", "PUT", at("nobody"), "tagging", XML, TAGS)
    yield op("tags that are nonsense", "PUT", at("unsigned"), "tagging", XML,
             "<Tagging>")
    yield op("no tags any more", "DELETE", at("unsigned"), "tagging")
    yield op("its tags after that", "GET", at("unsigned"), "tagging")


# ---- names

NAMES = [
    "with space", " blanks around ", "trailing ", "plus+plus", "100%", "%2F",
    "//", "/leading", "a//b", "a/./b", "a/../b", ".", "..", "./", "../x/..",
    "x/", "ünï", "日本語", "😀🏴", "e\u0301", "\u2028\ufeff", "\U0010fffd",
    "k" * 1024, "ü" * 512, "'", '"', "?", "#", "&", "&amp;", ";", "=", "a=b",
    "(", ")", "(a)", "*", "~", "!", "$(x)", "`x`", "[x]", "{x}", "<x>", "|",
    "\\", "^", "@", ":", ",", "\t", "\n", "\r\n", "\x01", "\x1f", "\x7f",
    "acl", "uploads", "?acl", "index.html", "null", "a?versionId=1",
]
REFUSED = {"1025 bytes": "k" * 1025, "1026 bytes of UTF-8": "ü" * 513}
WRITTEN = {     # the same keys, as other clients write them
    "left as it is": "a!b*c(d)'e", "escaped without need": "%61%2e%7E",
    "small letters": "%c3%bc%2f", "others left as they are": "a=b,c:d@e;f&g$h",
    "a slash escaped": "a%2Fb%2F%2Fc", "no UTF-8": "%FF%FE", "NUL": "a%00b",
    "dots escaped": "%2e%2e/%2E", "a bare percent": "a%", "percent, no hex":
    "a%zz", "a backslash": "a\\b", "a plus": "a+b",
}


def names():
    for name in NAMES:
        path = at(f"n/{name}")
        if len(name) > 500:
            path = at(name)
        yield op(f"put {ascii(name)[:30]}", "PUT", path, body=name.encode())
        yield op(f"get {ascii(name)[:30]}", "GET", path)
    for name, key in REFUSED.items():
        yield op(f"put {name}", "PUT", at(key), body=b"x")
    for name, sent in WRITTEN.items():
        path = f"/{BUCKET}/w/{sent}"
        yield op(f"put a key with {name}", "PUT", path, body=sent.encode())
        yield op(f"get a key with {name}", "GET", path)
        yield op(f"delete a key with {name}", "DELETE", path)
    yield op("list those names", "GET", f"/{BUCKET}", "prefix=n%2F")
    yield op("list those names encoded", "GET", f"/{BUCKET}",
             "prefix=n%2F&encoding-type=url")
