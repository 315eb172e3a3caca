"""A store that keeps checksums, made of one that does not: it remembers those
that came with a PUT, and tells them when asked, as S3 does."""

from fault import FaultServer

INVALID = (400, b"<?xml version='1.0'?><Error><Code>InvalidRequest</Code>"
                b"</Error>", "application/xml")


def checksum_of(lines):
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"x-amz-checksum-crc32":
            return value.strip().decode()
    return None


class ChecksumStore(FaultServer):
    def __init__(self, upstream_port):
        self.checksums = {}         # by target
        self.refuses = False        # all that come with a request
        super().__init__(upstream_port)
        self.inject(head=lambda lines: self.refuses
                    and checksum_of(lines) is not None, answer=INVALID)

    def more_headers(self, method, target, lines, status):
        if method == "PUT" and "?" not in target and status == 200:
            self.checksums[target] = checksum_of(lines)
        value = self.checksums.get(target)
        if method not in ("GET", "HEAD") or value is None \
                or b"x-amz-checksum-mode: ENABLED" not in lines:
            return []
        return [f"x-amz-checksum-crc32: {value}",
                "x-amz-checksum-type: FULL_OBJECT"]
