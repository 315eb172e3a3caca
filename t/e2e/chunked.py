"""Bodies in aws-chunked encoding, in all forms, as streams.

    signed chunk    hex(len) ";chunk-signature=" 64hex CRLF data CRLF
    signed end      "0;chunk-signature=" 64hex CRLF [trailers] CRLF
    unsigned        hex(len) CRLF data CRLF ... "0" CRLF [trailers] CRLF

A body is a list of blocks, one chunk each.  The same block many times is
hashed once, so that a stream of any length costs nothing but its signatures.
"""

import base64
import hashlib
import zlib
from dataclasses import dataclass

from raw import signed_headers
from wire import mac, sha256

SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = SIGNED + "-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
NOTHING = sha256(b"")


def crc32_of(blocks):
    value = 0
    for block in blocks:
        value = zlib.crc32(block, value)
    return base64.b64encode(value.to_bytes(4, "big")).decode()


def sha256_of(blocks):
    digest = hashlib.sha256()
    for block in blocks:
        digest.update(block)
    return base64.b64encode(digest.digest()).decode()


@dataclass
class Body:
    blocks: list
    kind: str = SIGNED
    trailer: tuple = None       # (name, value), as it is sent
    announced: str = None       # in x-amz-trailer, instead of its name
    bad_chunk: int = None       # the signature of this one is wrong
    bad_trailer: bool = False   # the signature of the trailer is
    cut: int = None             # the stream ends after so many chunks

    def __post_init__(self):
        self.length = sum(map(len, self.blocks))
        self.is_signed = self.kind != UNSIGNED_TRAILER

    def encoded_length(self):
        mark = 81 if self.is_signed else 0      # ";chunk-signature=..."
        sizes = [len(b) for b in self.blocks]
        total = sum(len(f"{n:x}") + mark + n + 4 for n in sizes)
        return total + 1 + mark + 2 + len(self.trailer_lines("0" * 64)) + 2

    def trailer_lines(self, signature):
        if not self.trailer:
            return b""
        lines = "%s:%s\r\n" % self.trailer
        if self.is_signed:
            lines += f"x-amz-trailer-signature:{signature}\r\n"
        return lines.encode()

    def headers(self):
        more = [("content-encoding", "aws-chunked"),
                ("x-amz-decoded-content-length", str(self.length))]
        if self.trailer or self.announced:
            more.append(("x-amz-trailer", self.announced or self.trailer[0]))
        return more

    def parts(self, made):
        """The stream, as the request's Signature makes it continue."""
        hashes = {}
        previous = made.value
        for number, block in enumerate([*self.blocks, b""]):
            if number == self.cut:
                return
            size = f"{len(block):x}"
            if self.is_signed:
                digest = hashes.get(id(block))
                if digest is None:
                    digest = hashes[id(block)] = sha256(block)
                previous = mac(made.key, "\n".join([
                    "AWS4-HMAC-SHA256-PAYLOAD", made.date, made.scope,
                    previous, NOTHING, digest])).hex()
                if number == self.bad_chunk:
                    previous = "0" * 64
                size += f";chunk-signature={previous}"
            yield size.encode() + b"\r\n"
            if block:
                yield block
                yield b"\r\n"
        yield self.trailer_lines(self.trailer_signature(made, previous))
        yield b"\r\n"

    def trailer_signature(self, made, previous):
        if not self.trailer or not self.is_signed or self.bad_trailer:
            return "1" * 64
        return mac(made.key, "\n".join([
            "AWS4-HMAC-SHA256-TRAILER", made.date, made.scope, previous,
            sha256(("%s:%s\n" % self.trailer).encode())])).hex()


def framed(parts):
    """The same within Transfer-Encoding: chunked; its chunks are others."""
    for part in parts:
        if part:
            yield b"%x\r\n%s\r\n" % (len(part), part)
    yield b"0\r\n\r\n"


def upload(key, netloc, path, body, query="", headers=(), in_frames=False):
    """(headers, parts of the body) of a PUT."""
    sent, made = signed_headers(key, netloc, "PUT", path, query,
                                [*body.headers(), *headers], body.kind)
    if in_frames:
        return ([*sent, ("Transfer-Encoding", "chunked")],
                framed(body.parts(made)))
    return ([*sent, ("Content-Length", str(body.encoded_length()))],
            body.parts(made))
