"""HTTP/1.1 on a socket: what is sent and what comes back, to the byte.

For comparisons in which nothing may be tidied up in between: the status line,
every header in its order and as often as it came, the body as it was framed.
Signs with signature V4 whatever the request is.
"""

import datetime
import socket
import urllib.parse
from dataclasses import dataclass, field

from wire import REGION, mac, sha256

UNSIGNED = "UNSIGNED-PAYLOAD"
BLOCK = 64 * 1024


def encode(data):
    return urllib.parse.quote(data, safe="-._~")


def recode(text):
    return encode(urllib.parse.unquote_to_bytes(text))


def canonical_path(path):
    """Decoded and encoded again, never normalised; %2F is a slash."""
    return urllib.parse.quote(urllib.parse.unquote_to_bytes(path),
                              safe="/-._~")


def canonical_query(query):
    """In the order of the names, of which one may begin another."""
    args = [arg.partition("=") for arg in query.split("&") if arg]
    return "&".join(f"{name}={value}" for name, value in sorted(
        (recode(name), recode(value)) for name, _, value in args))


def canonical_headers(headers, names):
    lines = []
    for name in names:
        values = [" ".join(v.split()) for n, v in headers if n.lower() == name]
        lines.append(f"{name}:{','.join(values)}\n")
    return "".join(lines)


def now():
    return datetime.datetime.utcnow().strftime("%Y%m%dT%H%M%SZ")


@dataclass
class Signature:
    """Of one request; the chunks of its body continue from it."""
    date: str
    scope: str
    key: bytes
    value: str
    names: list


def signing_key(secret, scope):
    key = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        key = mac(key, part)
    return key


def sign(key, method, path, query, headers, payload, date,
         must=lambda name: name in ("host", "content-md5")
         or name.startswith("x-amz-")):
    """The signature of a request whose headers are all there."""
    names = sorted({n.lower() for n, _ in headers if must(n.lower())})
    request = "\n".join([
        method, canonical_path(path), canonical_query(query),
        canonical_headers(headers, names), ";".join(names), payload])
    scope = f"{date[:8]}/{REGION}/s3/aws4_request"
    secret = signing_key(key.secret, scope)
    to_sign = "\n".join(["AWS4-HMAC-SHA256", date, scope,
                         sha256(request.encode())])
    return Signature(date, scope, secret, mac(secret, to_sign).hex(), names)


def signed_headers(key, netloc, method, path, query="", headers=(),
                   payload=UNSIGNED):
    """(all headers of the request, its Signature)."""
    date = now()
    full = [("Host", netloc), ("x-amz-date", date),
            ("x-amz-content-sha256", payload), *headers]
    made = sign(key, method, path, query, full, payload, date)
    full.append(("Authorization",
                 f"AWS4-HMAC-SHA256 Credential={key.access}/{made.scope}, "
                 f"SignedHeaders={';'.join(made.names)}, "
                 f"Signature={made.value}"))
    return full, made


def presigned(key, netloc, method, path, query="", headers=(), seconds=600,
              payload=UNSIGNED):
    """The query of a presigned URL; the headers are to be sent with it."""
    date = now()
    full = [("Host", netloc), *headers]
    names = sorted({n.lower() for n, _ in full})
    scope = f"{date[:8]}/{REGION}/s3/aws4_request"
    query = "&".join([query] * bool(query) + [
        "X-Amz-Algorithm=AWS4-HMAC-SHA256",
        f"X-Amz-Credential={encode(f'{key.access}/{scope}')}",
        f"X-Amz-Date={date}", f"X-Amz-Expires={seconds}",
        f"X-Amz-SignedHeaders={encode(';'.join(names))}"])
    made = sign(key, method, path, query, full, payload, date,
                must=lambda name: True)
    return f"{query}&X-Amz-Signature={made.value}"


@dataclass
class Reply:
    status: int
    reason: str
    headers: list           # (name, value) in their order, as they came
    body: bytes
    interim: list = field(default_factory=list)     # 100, before the status
    framing: str = ""       # of the body: "length", "chunked", "close"

    def all(self, name):
        return [v for n, v in self.headers if n.lower() == name]

    def one(self, name):
        """The only value of a header, or None."""
        values = self.all(name)
        assert len(values) < 2, (name, values)
        return values[0] if values else None


class Lost(Exception):
    """The connection ended in the middle of an answer."""


class Raw:
    """One connection, opened when it is needed; not for two threads."""

    def __init__(self, netloc, timeout=60):
        self.netloc = netloc
        self.timeout = timeout
        self.socket = self.reader = None

    def close(self):
        if self.socket:
            self.reader.close()
            self.socket.close()
        self.socket = self.reader = None

    def connect(self):
        if self.socket is None:
            host, _, port = self.netloc.partition(":")
            self.socket = socket.create_connection((host, int(port)),
                                                   self.timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.reader = self.socket.makefile("rb", BLOCK)

    def send_head(self, method, target, headers):
        self.connect()
        lines = [f"{method} {target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())

    def call(self, method, target, headers, body=b"", awaits_100=False):
        """Sends a request as it is; `body` is bytes or parts of them, framed
        already."""
        try:
            self.send_head(method, target, headers)
            first = self.read_status() if awaits_100 else None
            if first is None or first[0] == 100:
                self.send_body(body)
            return self.read_reply(method, first)
        except BaseException:
            self.close()
            raise

    def send_body(self, body):
        for part in [body] if isinstance(body, bytes) else body:
            try:
                self.socket.sendall(part)
            except (BrokenPipeError, ConnectionResetError):
                return          # refused half way: there is an answer to read

    def read_status(self):
        line = self.reader.readline(BLOCK)
        if not line.endswith(b"\r\n"):
            raise Lost(f"status line {line!r}")
        version, status, reason = (line.decode("latin-1").rstrip("\r\n")
                                   + " ").split(" ", 2)
        assert version.startswith("HTTP/1."), line
        return int(status), reason.strip(), self.read_headers()

    def read_headers(self):
        headers = []
        while True:
            line = self.reader.readline(BLOCK)
            if not line.endswith(b"\r\n"):
                raise Lost(f"header {line!r}")
            if line == b"\r\n":
                return headers
            name, _, value = line.decode("latin-1").partition(":")
            headers.append((name, value.strip()))

    def read_reply(self, method, first=None):
        interim = []
        status, reason, headers = first or self.read_status()
        while status < 200:
            interim.append(status)
            status, reason, headers = self.read_status()
        reply = Reply(status, reason, headers, b"", interim)
        if method != "HEAD" and status not in (204, 304):
            self.read_body(reply)
        if "close" in ",".join(reply.all("connection")).lower() \
                or reply.framing == "close":
            self.close()
        return reply

    def read_body(self, reply):
        if "chunked" in reply.all("transfer-encoding"):
            reply.framing = "chunked"
            reply.body = b"".join(self.read_chunks())
        elif reply.all("content-length"):
            reply.framing = "length"
            reply.body = self.read_exactly(int(reply.one("content-length")))
        else:
            reply.framing = "close"
            reply.body = self.reader.read()

    def read_exactly(self, size):
        data = self.reader.read(size)
        if len(data) != size:
            raise Lost(f"{len(data)} of {size} bytes")
        return data

    def read_chunks(self):
        while size := int(self.reader.readline(BLOCK).split(b";")[0], 16):
            yield self.read_exactly(size)
            assert self.read_exactly(2) == b"\r\n"
        self.read_headers()
