"""S3 requests byte by byte: signed here, sent by http.client.

For what boto3 does not let through: keys that a URL library would normalise,
requests that are wrong in one point, and all headers as they came.
"""

import datetime
import hashlib
import hmac
import http.client
import re
import urllib.parse
from dataclasses import dataclass, field

REGION = "us-east-1"


def quote(text):
    if isinstance(text, str):
        text = text.encode()
    return urllib.parse.quote(text, safe="-._~/")


def path_of(bucket, key=None):
    return f"/{bucket}" if key is None else f"/{bucket}/{quote(key)}"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def canonical_query(query):
    # by name first: "a" comes before "a-b", and "a=" does not
    args = sorted((a if "=" in a else a + "=").split("=", 1)
                  for a in query.split("&") if a)
    return "&".join(f"{name}={value}" for name, value in args)


@dataclass
class Answer:
    status: int
    headers: dict           # names in lower case
    body: bytes

    @property
    def code(self):
        """The S3 error code in the body, or None."""
        found = re.search(rb"<Error>.*?<Code>([^<]+)</Code>", self.body, re.S)
        return found.group(1).decode() if found else None


@dataclass
class Flaws:
    """What is to be wrong with a request; by default nothing."""
    access_key: str = None
    secret_key: str = None
    region: str = None
    service: str = "s3"
    skew_seconds: int = 0
    unsigned: dict = field(default_factory=dict)    # headers added afterwards
    authorization: str = None       # instead of the right one; "" for none
    payload_hash: str = None        # instead of that of the body
    unsign_host: bool = False


class Wire:
    """One connection to an S3 endpoint, for one user; not for two threads."""

    def __init__(self, url, access_key, secret_key, timeout=30):
        self.netloc = urllib.parse.urlsplit(url).netloc
        self.access_key = access_key
        self.secret_key = secret_key
        self.timeout = timeout
        self.connection = None
        self.is_fresh = True
        self.reconnects = 0

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def signed(self, method, path, query="", body=b"", headers=None,
               flaws=Flaws()):
        """All headers of the request, with its signature."""
        now = (datetime.datetime.utcnow()
               + datetime.timedelta(seconds=flaws.skew_seconds))
        date = now.strftime("%Y%m%dT%H%M%SZ")
        payload = flaws.payload_hash or sha256(body)
        sent = {"host": self.netloc, "x-amz-date": date,
                "x-amz-content-sha256": payload}
        sent.update({k.lower(): v for k, v in (headers or {}).items()})

        names = sorted(n for n in sent
                       if n.startswith("x-amz-") or n == "content-md5"
                       or (n == "host" and not flaws.unsign_host))
        lines = "".join(f"{n}:{' '.join(sent[n].split())}\n" for n in names)
        request = "\n".join([method, path, canonical_query(query), lines,
                             ";".join(names), payload])

        region = flaws.region or REGION
        scope = f"{date[:8]}/{region}/{flaws.service}/aws4_request"
        to_sign = "\n".join(["AWS4-HMAC-SHA256", date, scope,
                             sha256(request.encode())])
        key = ("AWS4" + (flaws.secret_key or self.secret_key)).encode()
        for part in scope.split("/"):
            key = mac(key, part)

        sent["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential="
            f"{flaws.access_key or self.access_key}/{scope}, "
            f"SignedHeaders={';'.join(names)}, "
            f"Signature={mac(key, to_sign).hex()}")
        sent.update(flaws.unsigned)

        if flaws.authorization is not None:
            sent["authorization"] = flaws.authorization
            if not flaws.authorization:
                for name in ("authorization", "x-amz-date",
                             "x-amz-content-sha256"):
                    del sent[name]
        return sent

    def open(self, method, path, query="", body=b"", headers=None,
             flaws=Flaws(), sent_body=None):
        """Sends it and returns http.client's response, body not yet read."""
        headers = self.signed(method, path, query, body, headers, flaws)
        body = body if sent_body is None else sent_body
        target = path + (f"?{query}" if query else "")

        # an idle connection may have been closed by the other side: every
        # HTTP client then opens another one, and so does this one
        while True:
            if self.connection is None:
                self.connection = http.client.HTTPConnection(
                    self.netloc, timeout=self.timeout)
                self.is_fresh = True
            try:
                self.send(method, target, headers, body)
                response = self.connection.getresponse()
                self.is_fresh = False
                return response
            except (ConnectionError, http.client.BadStatusLine):
                self.close()
                if self.is_fresh:
                    raise
                self.reconnects += 1
            except BaseException:
                self.close()
                raise

    def send(self, method, target, headers, body):
        c = self.connection
        c.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            # a str would have to be Latin-1
            c.putheader(name, value.encode())
        if body or method in ("PUT", "POST"):
            c.putheader("content-length", str(len(body)))
        c.endheaders(body or None)

    def call(self, *args, **kwargs):
        response = self.open(*args, **kwargs)
        try:
            body = response.read()
        except BaseException:
            self.close()
            raise
        if response.will_close:
            self.close()
        return Answer(response.status,
                      {k.lower(): v for k, v in response.getheaders()}, body)

    def put(self, bucket, key, body=b"", headers=None):
        return self.call("PUT", path_of(bucket, key), body=body,
                         headers=headers)

    def get(self, bucket, key, headers=None):
        return self.call("GET", path_of(bucket, key), headers=headers)

    def delete(self, bucket, key):
        return self.call("DELETE", path_of(bucket, key))
