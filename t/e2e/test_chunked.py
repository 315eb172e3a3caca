"""Uploads in aws-chunked encoding: what SDKs send, in all its forms."""

import os

import pytest

import compare
from chunked import (SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER, Body,
                     crc32_of, sha256_of, upload)
from raw import Lost, Raw, Signature, signing_key
from wire import path_of

BLOCK = 64 * 1024
CRC, SHA = "x-amz-checksum-crc32", "x-amz-checksum-sha256"

# name: the kind and the trailer
FORMS = {
    "signed": (SIGNED, None),
    "signed-with-trailer": (SIGNED_TRAILER, (CRC, crc32_of)),
    "signed-with-sha256": (SIGNED_TRAILER, (SHA, sha256_of)),
    "unsigned-with-trailer": (UNSIGNED_TRAILER, (CRC, crc32_of)),
    "unsigned-without-trailer": (UNSIGNED_TRAILER, None),
}
SIZES = {"nothing": [], "a-byte": [1], "a-chunk": [BLOCK],
         "several": [BLOCK] * 5 + [17], "of-many-sizes":
         [8192, 100_000, 8193, 1 << 20, 3]}


def body_of(form, sizes=SIZES["several"], **more):
    kind, trailer = FORMS[form]
    blocks = [os.urandom(n) for n in sizes]
    if trailer:
        trailer = trailer[0], trailer[1](blocks)
    return Body(blocks, kind, **{"trailer": trailer, **more})


def put(stack, bucket, key, body, headers=(), in_frames=False):
    raw = Raw(stack.nginx.url[7:])
    try:
        path = path_of(bucket, key)
        return raw.call("PUT", path, *upload(
            stack.keys["alice"], raw.netloc, path, body, headers=headers,
            in_frames=in_frames))
    finally:
        raw.close()


def test_our_client_signs_chunks_as_aws_documents():
    """Seeds and signatures of AWS's two examples."""
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    scope = "20130524/us-east-1/s3/aws4_request"
    made = Signature("20130524T000000Z", scope,
                     signing_key(secret, scope), "4f232c4386841ef7"
                     "35655705268965c44a0e4690baa4adea153f7db9fa80a0a9", [])
    blocks = [b"a" * 65536, b"a" * 1024]
    stream = b"".join(Body(blocks).parts(made))
    for start in (b"ad80c730a21e5b8d", b"0055627c9e194cb4",
                  b"b6c6ea8a5354eaf1"):
        assert b";chunk-signature=" + start in stream
    assert Body(blocks).encoded_length() == len(stream) == 66824

    made.value = ("106e2a8a18243abcf37539882f36619c"
                  "00e2dfc72633413f02d3b74544bfeb8e")
    stream = b"".join(Body(blocks, SIGNED_TRAILER, (
        "x-amz-checksum-crc32c", "sOO8/Q==")).parts(made))
    assert (b"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732"
            b"e8730629a2e4a59689829ca17fe2e435\r\n\r\n") in stream


@pytest.mark.parametrize("in_frames", [False, True],
                         ids=["length", "transfer-chunks"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_stored_as_its_content(stack, bucket, form, in_frames):
    wire = stack.wire()
    for name, sizes in SIZES.items():
        body = body_of(form, sizes)
        answer = put(stack, bucket, name, body, [
            ("x-amz-meta-size", name), ("content-type", "image/png")],
            in_frames)
        assert answer.status == 200, (name, answer)
        got = wire.get(bucket, name)
        assert got.body == b"".join(body.blocks)
        assert got.headers["x-amz-meta-size"] == name
        assert got.headers["content-type"] == "image/png"
        assert "aws-chunked" not in got.headers.get("content-encoding", "")
    stack.wait_equal(bucket)


# what is wrong: the form, the flaws, and the S3 code if one can be told
FLAWS = {
    "first-chunk-signature": ("signed", {"bad_chunk": 0},
                              "SignatureDoesNotMatch"),
    "last-chunk-signature": ("signed", {"bad_chunk": 5},
                             "SignatureDoesNotMatch"),
    "end-signature": ("signed", {"bad_chunk": 6}, "SignatureDoesNotMatch"),
    "trailer-signature": ("signed-with-trailer", {"bad_trailer": True},
                          "SignatureDoesNotMatch"),
    "signed-checksum": ("signed-with-trailer", {"trailer": (CRC, "AAAAAA==")},
                        "BadDigest"),
    "unsigned-checksum": ("unsigned-with-trailer",
                          {"trailer": (SHA, sha256_of([b"other"]))},
                          "BadDigest"),
    "trailer-not-announced": ("unsigned-with-trailer", {"announced": SHA},
                              None),
    "trailer-missing": ("unsigned-without-trailer", {"announced": CRC}, None),
}


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_flaw_leaves_what_was_there(stack, bucket, flaw):
    form, flaws, code = FLAWS[flaw]
    stack.wire().put(bucket, "k", b"before")
    for in_frames in (False, True):
        answer = put(stack, bucket, "k", body_of(form, **flaws),
                     in_frames=in_frames)
        assert answer.status // 100 == 4, answer
        assert code is None or f"<Code>{code}<".encode() in answer.body
    assert stack.main.wire().get(bucket, "k").body == b"before"
    stack.wait_equal(bucket)


@pytest.mark.parametrize("form", FORMS)
def test_a_client_that_goes_away_stores_nothing(stack, bucket, form):
    raw = Raw(stack.nginx.url[7:], timeout=1)
    path = path_of(bucket, "k")
    with pytest.raises((TimeoutError, Lost, OSError)):
        raw.call("PUT", path, *upload(
            stack.keys["alice"], raw.netloc, path, body_of(form, cut=3)))
    stack.wire().put(bucket, "after", b"x")
    stack.wait_equal(bucket)
    assert set(compare.listing(stack.main, bucket)) == {b"after"}
