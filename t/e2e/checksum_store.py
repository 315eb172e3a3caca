"""A store that keeps checksums, made of one that does not: it remembers those
that came with a PUT or with the parts of an upload, and tells them when asked,
as S3 does.  It also knows ?partNumber, which Ceph 16 does not."""

import base64
import re
import zlib

from fault import FaultServer

INVALID = (400, b"<?xml version='1.0'?><Error><Code>InvalidRequest</Code>"
                b"</Error>", "application/xml")


def header(lines, name):
    for line in lines[1:]:
        found, _, value = line.partition(b":")
        if found.lower() == name:
            return value.strip().decode()
    return None


def checksum_of(lines):
    return header(lines, b"x-amz-checksum-crc32")


def crc32(data):
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def composite(checksums):
    """That of an upload, of those of its parts."""
    return f"{crc32(b''.join(map(base64.b64decode, checksums)))}" \
           f"-{len(checksums)}"


class ChecksumStore(FaultServer):
    def __init__(self, upstream_port):
        self.checksums = {}         # by path
        self.parts = {}             # by path: [(bytes, checksum)]
        self.uploads = {}           # by id: {number: (bytes, checksum)}
        self.begun = []             # algorithm and type of each upload
        self.refuses = False        # all that come with a request
        super().__init__(upstream_port)
        self.inject(head=lambda lines: self.refuses
                    and checksum_of(lines) is not None, answer=INVALID)

    def part_of(self, target):
        """Asked for by ?partNumber: its number and the range of its bytes."""
        path, _, query = target.partition("?")
        number = re.search(r"partNumber=(\d+)", query)
        if not number or "uploadId" in query or path not in self.parts:
            return None
        n = int(number.group(1))
        begin = sum(size for size, _ in self.parts[path][:n - 1])
        return n, begin, begin + self.parts[path][n - 1][0] - 1

    def upstream(self, lines, body):
        method, target, _ = lines[0].decode("latin-1").split(" ", 2)
        part = self.part_of(target)
        if part and method in ("GET", "HEAD"):
            lines = [*lines, b"Range: bytes=%d-%d" % part[1:]]
        return super().upstream(lines, body)

    def note(self, method, target, lines):
        path, _, query = target.partition("?")
        number = re.search(r"partNumber=(\d+)", query)
        upload = re.search(r"uploadId=([^&]+)", query)
        if method == "PUT" and not query:
            self.checksums[path] = checksum_of(lines)
            self.parts.pop(path, None)
        elif method == "PUT" and number and upload:
            self.uploads.setdefault(upload.group(1), {})[
                int(number.group(1))] = (
                    int(header(lines, b"content-length")), checksum_of(lines))
        elif method == "POST" and query.startswith("uploads"):
            self.begun.append((header(lines, b"x-amz-checksum-algorithm"),
                               header(lines, b"x-amz-checksum-type")))
        elif method == "POST" and upload:
            parts = self.uploads.pop(upload.group(1))
            self.parts[path] = [parts[n] for n in sorted(parts)]
            told = [checksum for _, checksum in self.parts[path]]
            self.checksums[path] = None if None in told else composite(told)

    def more_headers(self, method, target, lines, status):
        if status == 200:
            self.note(method, target, lines)
        path, part = target.partition("?")[0], self.part_of(target)
        if method not in ("GET", "HEAD"):
            return []
        more = [f"x-amz-mp-parts-count: {len(self.parts[path])}"] \
            if part else []
        value = self.parts[path][part[0] - 1][1] if part \
            else self.checksums.get(path) if "?" not in target else None
        if value is None or b"x-amz-checksum-mode: ENABLED" not in lines:
            return more
        kind = "COMPOSITE" if path in self.parts else "FULL_OBJECT"
        return more + [f"x-amz-checksum-crc32: {value}",
                       f"x-amz-checksum-type: {kind}"]
