"""Browser uploads, as boto3 presigns them: directly to main and through
Chorus, with the same answer and the same object."""

import os

import boto3
import pytest
from botocore.client import Config

import compare
from differential import Run, differing
from raw import Lost, Raw
from stack import DOMAIN
from wire import REGION, path_of

MIB = 1 << 20
BOUNDARY = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"
TAGS = ("<Tagging><TagSet><Tag><Key>colour</Key><Value>r\u00f6t</Value></Tag>"
        "</TagSet></Tagging>")
REDIRECT = "http://example.com/done?a=1"


def presigned(url, key, bucket, name, fields=(), conditions=(),
              version="s3v4", expires=600):
    """The fields of a form; each of `fields` with a condition of its own."""
    client = boto3.client(
        "s3", endpoint_url=url, aws_access_key_id=key.access,
        aws_secret_access_key=key.secret, region_name=REGION,
        config=Config(signature_version=version,
                      s3={"addressing_style": "path"}))
    fields = dict(fields)
    return client.generate_presigned_post(
        bucket, name, fields, [{k: v} for k, v in fields.items()]
        + list(conditions), expires)["fields"]


def form(fields, content, filename="photo.jpg", file_type="image/jpeg"):
    """The body, (head, content, end)."""
    lines = []
    for name, value in fields.items():
        lines += [f"--{BOUNDARY}",
                  f'Content-Disposition: form-data; name="{name}"', "", value]
    name = f'; filename="{filename}"' if filename is not None else ""
    lines += [f"--{BOUNDARY}",
              f'Content-Disposition: form-data; name="file"{name}']
    lines += [f"Content-Type: {file_type}"] if file_type else []
    head = "\r\n".join([*lines, "", ""]).encode()
    return head, content, f"\r\n--{BOUNDARY}--\r\n".encode()


def upload(netloc, path, parts, host=None, more=()):
    raw = Raw(netloc)
    try:
        return raw.call("POST", path, [
            ("Host", host or netloc), ("Content-Type", TYPE), *more,
            ("Content-Length", str(sum(map(len, parts))))], parts)
    finally:
        raw.close()


class Both:
    """The same upload on both ways."""

    def __init__(self, stack, bucket):
        self.stack, self.bucket = stack, bucket
        self.ways = [(stack.main.url, stack.main.keys),
                     (stack.nginx.url, stack.keys)]

    def post(self, name, content, fields=(), conditions=(), change=None,
             version="s3v4", expires=600, **file):
        """[(Run, Reply, what is stored) of each]; `change` edits the signed
        fields."""
        found = []
        for url, keys in self.ways:
            signed = presigned(url, keys["alice"], self.bucket, name, fields,
                               conditions, version, expires)
            if change:
                change(signed)
            netloc = url[7:]
            reply = upload(netloc, path_of(self.bucket),
                           form(signed, content, **file))
            stored = self.stored()
            if url == self.stack.main.url:
                for key in stored:
                    self.stack.main.wire().call("DELETE",
                                                path_of(self.bucket, key))
            found.append((Run(netloc, keys), reply, stored))
        return found

    def stored(self):
        wire = self.stack.main.wire()
        return {key: compare.evidence(wire, self.bucket, key)
                for key in compare.listing(self.stack.main, self.bucket)}


PLAIN = b"plain content\r\n--" + BOUNDARY[:-1].encode() + b"\r\n"

# name: key, content, and what else post() wants
UPLOADS = {
    "plain": ("k", PLAIN, {}),
    "nothing": ("empty", b"", {}),
    "status-200": ("k", PLAIN, {"fields": {"success_action_status": "200"}}),
    "status-201": ("k \u00fc/1", PLAIN,
                   {"fields": {"success_action_status": "201"}}),
    "status-that-is-none": ("k", PLAIN,
                            {"fields": {"success_action_status": "404"}}),
    "redirect": ("k", PLAIN, {"fields":
                              {"success_action_redirect": REDIRECT}}),
    "metadata": ("k", PLAIN, {"fields": {
        "x-amz-meta-colour": "red", "x-amz-meta-Words": "a b  c",
        "x-amz-meta-utf8": "\u65e5\u672c"}}),
    "content-type": ("k", PLAIN, {"fields": {"Content-Type": "text/x-a"}}),
    "type-that-starts-with": ("k", PLAIN, {
        "conditions": [["starts-with", "$Content-Type", "image/"]],
        "change": lambda f: f.update({"Content-Type": "image/png"})}),
    "headers-of-the-object": ("k", PLAIN, {"fields": {
        "Cache-Control": "max-age=5", "Content-Encoding": "br",
        "Content-Disposition": "attachment; filename=\"a b\""}}),
    "tagging": ("k", PLAIN, {"fields": {"tagging": TAGS}}),
    "acl": ("k", PLAIN, {"fields": {"acl": "public-read"}}),
    "range": ("k", PLAIN, {"conditions":
                           [["content-length-range", 10, 2000]]}),
    "range-of-one-size": ("k", PLAIN, {"conditions": [
        ["content-length-range", len(PLAIN), len(PLAIN)]]}),
    "filename": ("dir/${filename}", PLAIN, {"filename": "photo 1.jpg"}),
    "no-filename-and-type": ("k", PLAIN, {"filename": None,
                                          "file_type": None}),
    "odd-key": ("a//b/../\u65e5 +&%2F'(1)~!*=?#;$x", PLAIN, {}),
    "key-with-line-feed": ("a\nb\r\nc", PLAIN, {}),
    "long-key": ("x" * 1000, PLAIN, {}),
    "megabytes": ("film", os.urandom(9 * MIB + 5), {"fields": {
        "x-amz-meta-size": "9"}}),
}


@pytest.mark.parametrize("case", UPLOADS)
def test_an_upload_has_the_same_answer_and_object(stack, bucket, case):
    key, content, more = UPLOADS[case]
    (run, reply, direct), (_, _, chorus) = both = Both(stack, bucket).post(
        key, content, **more)
    assert reply.status // 100 in (2, 3), reply
    assert not differing(*[pair[:2] for pair in both])
    assert len(direct) == 1
    assert direct == chorus
    stack.wait_equal(bucket)


# name: what post() wants, and the S3 code of Chorus
REFUSED = {
    "expired": ({"expires": -5}, "AccessDenied"),
    "wrong-signature": ({"change": lambda f: f.update(
        {"x-amz-signature": "0" * 64})}, "SignatureDoesNotMatch"),
    "unknown-key": ({"change": lambda f: f.update({"x-amz-credential":
                     "NOBODY" + f["x-amz-credential"]
                     [f["x-amz-credential"].index("/"):]})},
                    "InvalidAccessKeyId"),
    "another-key": ({"change": lambda f: f.update({"key": "other"})},
                    "AccessDenied"),
    "extra-field": ({"change": lambda f: f.update({"x-amz-meta-a": "b"})},
                    "AccessDenied"),
    "wrong-start": ({"conditions": [["starts-with", "$Content-Type", "image/"]],
                     "change": lambda f: f.update(
                         {"Content-Type": "text/plain"})}, "AccessDenied"),
    "too-small": ({"conditions": [["content-length-range", 5000, 9000]]},
                  "EntityTooSmall"),
    "too-large": ({"conditions": [["content-length-range", 0, 5]]},
                  "EntityTooLarge"),
    "no-key": ({"change": lambda f: f.pop("key")}, "InvalidArgument"),
    "acl-that-is-none": ({"fields": {"acl": "nonsense"}}, None),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_form_stores_nothing(stack, bucket, case):
    more, code = REFUSED[case]
    (_, direct, a), (_, chorus, b) = Both(stack, bucket).post(
        "k", PLAIN, **more)
    assert direct.status // 100 == chorus.status // 100 == 4, (direct, chorus)
    assert code is None or f"<Code>{code}<".encode() in chorus.body, chorus
    assert not a and not b
    stack.wait_equal(bucket)


@pytest.mark.parametrize("name", ["x-amz-meta-a", "Content-Type",
                                  "success_action_redirect"])
def test_a_field_is_never_a_header_of_its_own(stack, bucket, name):
    """Ceph writes the lines of a value into its answers, as they are."""
    (_, direct, _), (_, chorus, stored) = Both(stack, bucket).post(
        "k", PLAIN, {name: "http://a\r\nX-Injected: b"})
    assert direct.status in (204, 303)
    assert chorus.status == 400
    assert not stored
    stack.wait_equal(bucket)


def test_a_key_with_blanks_around_is_never_another_key(stack, bucket):
    """Ceph drops them: then nobody may have stored under that other name
    without a mark."""
    for key in (" k", "k ", "\tk", "k\n"):
        both = Both(stack, bucket).post(key, PLAIN)
        assert both[1][1].status // 100 == 4, (key, both[1][1])
        assert not both[1][2]
    stack.wait_equal(bucket)


def test_signature_version_2_where_it_is_allowed(stack, bucket_name):
    bucket = bucket_name("v2")
    stack.s3.create_bucket(Bucket=bucket)
    for name, status in ((bucket, 204), (None, 400)):
        if name is None:
            name = bucket_name()
            stack.s3.create_bucket(Bucket=name)
        fields = presigned(stack.nginx.url, stack.keys["alice"], name, "k",
                           version="s3")
        reply = upload(stack.nginx.url[7:], path_of(name), form(fields, PLAIN))
        assert reply.status == status, reply
        stack.wait_equal(name)
    assert set(compare.listing(stack.main, bucket)) == {b"k"}


def test_a_key_beyond_16_bits(stack, bucket):
    """Ceph does not read the two escapes that Python writes for it."""
    (_, direct, _), (_, chorus, stored) = Both(stack, bucket).post(
        "\U0001f600", PLAIN)
    assert (direct.status, chorus.status) == (403, 204)
    assert set(stored) == {"\U0001f600".encode()}
    stack.wait_equal(bucket)


def test_virtual_host_style(stack, bucket):
    fields = presigned(stack.nginx.url, stack.keys["alice"], bucket, "k")
    reply = upload(stack.nginx.url[7:], "/", form(fields, PLAIN),
                   f"{bucket}.{DOMAIN}")
    assert reply.status == 204, reply
    assert compare.listing(stack.main, bucket)[b"k"][0] == len(PLAIN)
    stack.wait_equal(bucket)


def test_a_route_is_followed(stack, bucket_name):
    bucket = bucket_name("routed")
    stack.s3.create_bucket(Bucket=bucket)
    fields = presigned(stack.nginx.url, stack.keys["alice"], bucket, "k")
    reply = upload(stack.nginx.url[7:], path_of(bucket), form(fields, PLAIN))
    assert reply.status == 204, reply
    assert compare.listing(stack.follower, bucket)[b"k"][0] == len(PLAIN)
    assert compare.listing(stack.main, bucket) is None


def test_of_two_uploads_the_last_counts(stack, bucket):
    for content in (b"one", b"two two"):
        fields = presigned(stack.nginx.url, stack.keys["alice"], bucket, "k")
        reply = upload(stack.nginx.url[7:], path_of(bucket),
                       form(fields, content))
        assert reply.status == 204, reply
    stack.wait_equal(bucket)
    assert compare.listing(stack.main, bucket)[b"k"][0] == 7


@pytest.mark.parametrize("cut", ["in-the-fields", "in-the-file",
                                 "in-the-last-boundary"])
def test_a_client_that_goes_away_stores_nothing(stack, bucket, cut):
    fields = presigned(stack.nginx.url, stack.keys["alice"], bucket, "k")
    parts = form(fields, os.urandom(2 * MIB))
    sent = {"in-the-fields": parts[0][:700],
            "in-the-file": parts[0] + parts[1][:MIB],
            "in-the-last-boundary": b"".join(parts)[:-8]}[cut]
    raw = Raw(stack.nginx.url[7:], timeout=1)
    with pytest.raises((TimeoutError, Lost, OSError)):
        raw.call("POST", path_of(bucket), [
            ("Host", raw.netloc), ("Content-Type", TYPE),
            ("Content-Length", str(sum(map(len, parts))))], sent)
    stack.wire().put(bucket, "after", b"x")
    stack.wait_equal(bucket)
    assert set(compare.listing(stack.main, bucket)) == {b"after"}
