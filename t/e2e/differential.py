"""Runs operations against one S3 endpoint, and tells how two runs differ.

What may differ is in this file, in ALLOWED_HEADERS, ALLOWED_VALUES, IDS and
EXPLAINED, and only here, each with its reason.
"""

import re
import xml.etree.ElementTree as ElementTree
from collections import Counter

from chunked import Body, upload
from raw import BLOCK, Lost, Raw, presigned, signed_headers
from wire import sha256

# headers that are of one connection or one answer
ALLOWED_HEADERS = {
    "date": "the time of the answer",
    "connection": "of this connection, not of main's (RFC 9110, 7.6.1)",
    "keep-alive": "of this connection",
    "transfer-encoding": "how this connection frames the body, which itself "
                         "is compared",
}

# what is replaced before answers are compared: pattern, replacement, reason;
# both answers must have it, in this form
ALLOWED_VALUES = [
    (r"tx[0-9a-f]{21}-[0-9a-f]{10}-[0-9a-f]+-[a-z]+", "[request id]",
     "x-amz-request-id and RequestId: of one request"),
    (r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "[time]",
     "LastModified, CreationDate, Initiated: the runs are not at one time"),
    (r"\b[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} 202\d \d\d:\d\d:\d\d GMT",
     "[time]", "Last-Modified: the runs are not at one time"),
]

# ids that the server makes: the n-th of one run is the n-th of the other
IDS = [
    ("upload", r"<UploadId>(2~[\w.-]+)</UploadId>"),
    ("version", r"<(?:DeleteMarker)?VersionId>([\w.-]{28,36})</"),
    ("version", r"^x-amz-version-id: ([\w.-]{28,36})$"),
    ("version", r"^x-amz-copy-source-version-id: ([\w.-]{28,36})$"),
    ("token", r"<NextContinuationToken>([^<]+)<"),
]

OWN = ("headers", "body")
INVALID = ("nginx refuses what is no valid URI before it asks Chorus; Ceph "
           "has several answers")

# operations that Chorus or nginx refuses before main is asked: a pattern of
# the name, what differs, and the reason
EXPLAINED = [
    (r"create a bucket with%20space", OWN,
     "Chorus refuses names that no bucket can have"),
    (r"delete a bucket with%20space", ("status", *OWN),
     "Chorus refuses names that no bucket can have; main has no such bucket"),
    (r"post to a key", OWN, "what such a request would change is not known"),
    (r"(put|get|delete) a key with NUL", OWN, INVALID),
    (r"(put|get|delete) a key with (a bare percent|percent, no hex)",
     ("status", *OWN), INVALID),
    (r"Transfer-Encoding: chunked.*", OWN,
     "S3 wants to know the length; Chorus says so itself"),
    (r"list, \+ signed as a plus", ("status", *OWN),
     "whoever signs %2B for a + means a plus, and Chorus tells main so; Ceph "
     "refuses the signature. Signed as the blank that Ceph reads, it passes"),
    (r"put with a Content-MD5 that is none", ("status", "body"),
     "Ceph refuses a client's signature over it as AccessDenied; Chorus signs "
     "without Content-MD5, and then Ceph says what is wrong: InvalidDigest"),
    (r"delete several: (nonsense|no key|an empty key|1001|an entity)"
     r"|delete several, no body", OWN,
     "Chorus must know the keys, and refuses with S3's MalformedXML; Ceph's "
     "answer has the same status and no body"),
    (r"delete several: nothing", ("status", *OWN),
     "AWS's answer, MalformedXML; Ceph deletes nothing, successfully"),
    (r"(in|head after) signed chunks: nothing", ("status", *OWN),
     "AWS takes an upload of nothing in chunks, and so does Chorus; Ceph "
     "refuses its signature"),
    (r"head after signed chunks: (little|much)", ("headers",),
     "Ceph says that the object is encoded in aws-chunked, and it is not"),
    (r"Expect: 100-continue to no bucket", ("interim",),
     "100 is said to whom Chorus has authenticated, before main is asked"),
]


class Run:
    """The list once, on one endpoint."""

    def __init__(self, netloc, keys):
        self.netloc = netloc
        self.keys = keys
        self.raw = Raw(netloc)
        self.ids = {}               # {"upload-1": "2~..."}
        self.counts = Counter()

    def close(self):
        self.raw.close()

    def fill(self, text):
        return re.sub(r"<<(\w+-\w+)>>", lambda m: self.ids[m.group(1)], text)

    def request(self, op):
        """(method, target, headers, body) as they are sent."""
        path, query = self.fill(op.path), self.fill(op.query)
        headers = [(n, self.fill(v)) for n, v in op.headers]
        body = op.body
        if b"<<" in body:
            body = self.fill(body.decode()).encode()
        if op.in_chunks:
            headers, parts = upload(
                self.keys[op.user], self.netloc, path, Body(
                    [body[n:n + BLOCK] for n in range(0, len(body), BLOCK)]),
                query, headers)
            return op.method, path, headers, parts
        if op.is_presigned:
            query = presigned(self.keys[op.user], self.netloc, op.method,
                              path, query, headers)
            headers = [("Host", self.netloc)] + headers
        elif op.is_signed:
            headers, _ = signed_headers(
                self.keys[op.user], self.netloc, op.method, path,
                query if op.signed_query is None else op.signed_query,
                headers, op.payload or sha256(body))
        else:
            headers = [("Host", self.netloc)] + headers
        if op.is_chunked:
            headers.append(("Transfer-Encoding", "chunked"))
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        elif op.has_length and (body or op.method in ("PUT", "POST")):
            headers.append(("Content-Length", str(len(body))))
        return op.method, path + (f"?{query}" if query else ""), headers, body

    def perform(self, op):
        is_used = self.raw.socket is not None
        try:
            reply = self.raw.call(*self.request(op), op.awaits_100)
        except (Lost, ConnectionError):
            if not is_used:
                raise
            # closed while it was idle: every client opens another one
            reply = self.raw.call(*self.request(op), op.awaits_100)
        if op.method == "HEAD":
            self.raw.close()    # Ceph sends a body after that of the service
        self.note_ids(reply)
        return reply

    def note_ids(self, reply):
        text = text_of(reply)
        for kind, pattern in IDS:
            for found in re.finditer(pattern, text, re.M):
                if found.group(1) not in self.ids.values():
                    self.counts[kind] += 1
                    self.ids[f"{kind}-{self.counts[kind]}"] = found.group(1)
                self.ids[f"{kind}-last"] = found.group(1)

    def masked(self, text):
        """Without what may differ."""
        for label, value in self.ids.items():
            if not label.startswith("token"):
                text = text.replace(value, f"[{label}]")
        for pattern, replacement, _ in ALLOWED_VALUES:
            text = re.sub(pattern, replacement, text)
        return text


def text_of(reply):
    """Headers and body; the body as Latin-1, so that no byte is lost."""
    return ("\n".join(f"{n.lower()}: {v}" for n, v in reply.headers)
            + "\n\n" + reply.body.decode("latin-1"))


def tree(element):
    """Of XML what it says: blanks between elements and the order of
    attributes are none of it, nor is the order in which the keys of one
    request were deleted."""
    children = [tree(child) for child in element]
    if element.tag.endswith("DeleteResult"):
        children.sort()
    text = element.text or ""
    return (element.tag, sorted(element.attrib.items()),
            text.strip() if children else text, children)


def meaning(body):
    try:
        return tree(ElementTree.fromstring(body.encode("latin-1")))
    except ElementTree.ParseError:
        return body


def headers_of(run, reply):
    """Names in lower case, in any order, as often as they are there; the
    length of a body that is there is compared with the body."""
    return sorted((n.lower(), run.masked(v)) for n, v in reply.headers
                  if n.lower() not in ALLOWED_HEADERS
                  and not (n.lower() == "content-length" and reply.framing))


def facts(run, reply):
    """{what: value} of an answer, without what may differ."""
    body = run.masked(reply.body.decode("latin-1"))
    return {"status": (reply.status, reply.reason),
            "interim": reply.interim,
            "headers": headers_of(run, reply),
            "body": meaning(body)}


def differing(direct, chorus):
    """{what: text} of how the answers of two (run, reply) differ."""
    a, b = facts(*direct), facts(*chorus)
    found = {}
    for what in a:
        if a[what] == b[what]:
            continue
        if what == "headers":
            theirs, ours = Counter(a[what]), Counter(b[what])
            lines = [f"-{n}: {v}" for n, v in theirs - ours]
            lines += [f"+{n}: {v}" for n, v in ours - theirs]
            found[what] = " ".join(lines)
        else:
            found[what] = f"{str(a[what])[:400]} / {str(b[what])[:400]}"
    return found


def explained(name):
    """What may differ in the answer to this operation."""
    for pattern, what, _ in EXPLAINED:
        if re.fullmatch(pattern, name):
            return set(what)
    return set()


def code_of(reply):
    found = re.search(rb"<Error>.*?<Code>([^<]+)<", reply.body, re.S)
    return found.group(1) if found else None


def one_request_id(reply):
    """The id in the header is the one in the body."""
    ids = reply.all("x-amz-request-id")
    found = re.search(rb"<RequestId>([^<]*)<", reply.body)
    return len(ids) == 1 and (not found
                              or found.group(1).decode() == ids[0])
