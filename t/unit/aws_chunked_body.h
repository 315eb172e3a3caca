/*
 * What the tests of aws-chunked share: a client that signs and writes bodies,
 * and a server that reads them.
 */

#ifndef AWS_CHUNKED_BODY_H
#define AWS_CHUNKED_BODY_H

#include "chorus_aws_chunked.h"
#include "chorus_sigv4.h"
#include "test.h"

#define DATE    "20130524T000000Z"
#define SCOPE   "20130524/us-east-1/s3/aws4_request"
#define SECRET  "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

#define MAX_CHUNKS  8

#define SIGNED    CHORUS_AWS_CHUNKED_SIGNED
#define TRAILED   CHORUS_AWS_CHUNKED_SIGNED_TRAILER
#define UNSIGNED  CHORUS_AWS_CHUNKED_UNSIGNED_TRAILER

/* the signatures of requests, from which those of the chunks follow */
#define SEED                                                                  \
    "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
#define SEED_TRAILED                                                          \
    "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"


/* a body and what a client says of it */
typedef struct {
    chorus_aws_chunked_options_t  options;
    chorus_buf_t                  wire;
    chorus_str_t                  content;
    size_t                        starts[MAX_CHUNKS + 2];   /* in the wire */
    size_t                        nchunks;                  /* and the last */
    char                          previous[CHORUS_SIGNATURE_LEN];
} body_t;

/* what became of it */
typedef struct {
    chorus_rc_t                   rc;
    chorus_s3_refusal_t           refusal;
    bool                          is_done;
    chorus_buf_t                  content;
    char                          checksum[CHORUS_CHECKSUM_TEXT_MAX_LEN + 1];
    chorus_checksum_algorithm_t   algorithm;
} result_t;


/* "123456789" in one chunk, and its trailer */
#define CRC32  "x-amz-checksum-crc32"
#define NINE   "9\r\n123456789\r\n0\r\n"
#define GOOD   CRC32 ":y/Q5Jg==\r\n"


static unsigned char     key[CHORUS_SHA256_LEN];


/* ---- a client ---- */


TEST_HELPER void
sign(body_t *body, const char *algorithm, chorus_str_t data)
{
    chorus_buf_t   text;
    unsigned char  hash[CHORUS_SHA256_LEN];

    text = chorus_buf(&mem, 512);
    chorus_buf_text(&text, algorithm);
    chorus_buf_text(&text, "\n" DATE "\n" SCOPE "\n");
    chorus_buf_add(&text, (chorus_str_t) { body->previous,
                                           sizeof(body->previous) });
    chorus_buf_char(&text, '\n');

    if (strcmp(algorithm, "AWS4-HMAC-SHA256-PAYLOAD") == 0) {
        chorus_buf_text(&text, CHORUS_EMPTY_SHA256 "\n");
    }

    assert_true(chorus_sha256(crypto, data, hash));
    chorus_buf_hex(&text, hash, sizeof(hash));

    assert_true(chorus_sigv4_signature(crypto, key, chorus_buf_str(&text),
                                       body->previous));
}


TEST_HELPER chorus_str_t
signature(const body_t *body)
{
    return (chorus_str_t) { body->previous, sizeof(body->previous) };
}


TEST_HELPER void
body_begin(body_t *body, chorus_aws_chunked_form_t form)
{
    memset(body, 0, sizeof(body_t));

    body->options.form = form;
    body->wire = chorus_buf(&mem, 1024);

    if (form != UNSIGNED) {
        body->options.date = chorus_str(DATE);
        body->options.scope = chorus_str(SCOPE);
        body->options.signature = form == SIGNED ? chorus_str(SEED)
                                                 : chorus_str(SEED_TRAILED);
        body->options.key = key;
        memcpy(body->previous, body->options.signature.data,
               CHORUS_SIGNATURE_LEN);
    }
}


TEST_HELPER void
body_chunk(body_t *body, chorus_str_t data)
{
    char  size[32];

    body->starts[body->nchunks++] = body->wire.len;

    snprintf(size, sizeof(size), "%zx", data.len);
    chorus_buf_text(&body->wire, size);

    if (body->options.form != UNSIGNED) {
        sign(body, "AWS4-HMAC-SHA256-PAYLOAD", data);
        chorus_buf_text(&body->wire, ";chunk-signature=");
        chorus_buf_add(&body->wire, signature(body));
    }

    chorus_buf_text(&body->wire, "\r\n");

    if (data.len != 0) {
        chorus_buf_add(&body->wire, data);
        chorus_buf_text(&body->wire, "\r\n");
    }
}


/* "name:value" of the trailer, with its signature. */
TEST_HELPER void
body_trailer(body_t *body, chorus_str_t line, const char *end)
{
    chorus_buf_t  text;

    chorus_buf_add(&body->wire, line);
    chorus_buf_text(&body->wire, end);

    if (body->options.form == TRAILED) {
        text = chorus_buf(&mem, 128);
        chorus_buf_add(&text, line);
        chorus_buf_char(&text, '\n');
        sign(body, "AWS4-HMAC-SHA256-TRAILER", chorus_buf_str(&text));

        chorus_buf_text(&body->wire, "x-amz-trailer-signature:");
        chorus_buf_add(&body->wire, signature(body));
        chorus_buf_text(&body->wire, "\r\n");
    }
}


TEST_HELPER chorus_str_t
checksum_line(chorus_checksum_algorithm_t algorithm, chorus_str_t content)
{
    char                text[CHORUS_CHECKSUM_TEXT_MAX_LEN];
    chorus_buf_t        line;
    chorus_checksum_t  *checksum;

    checksum = chorus_checksum_create(algorithm);
    assert_non_null(checksum);
    assert_true(chorus_checksum_update(checksum, content));
    assert_true(chorus_checksum_end(checksum, text));
    chorus_checksum_destroy(checksum);

    line = chorus_buf(&mem, 128);
    chorus_buf_add(&line, chorus_checksum_header(algorithm));
    chorus_buf_char(&line, ':');
    chorus_buf_add(&line, (chorus_str_t) {
        text, chorus_checksum_text_len(algorithm) });

    return chorus_buf_str(&line);
}


TEST_HELPER chorus_str_t
some_content(size_t len)
{
    char    *data;
    size_t   i;

    data = chorus_alloc(&mem, len + 1);

    for (i = 0; i < len; i++) {
        data[i] = (char) (i * 7 + i / 251);
    }

    return (chorus_str_t) { data, len };
}


/* Chunks of `sizes` (ended by 0), and a trailer unless NONE. */
TEST_HELPER void
body_make(body_t *body, chorus_aws_chunked_form_t form, const size_t *sizes,
    chorus_checksum_algorithm_t algorithm)
{
    size_t  i, len;

    body_begin(body, form);

    len = 0;

    for (i = 0; sizes[i] != 0; i++) {
        len += sizes[i];
    }

    body->content = some_content(len);
    body->options.decoded_len = len;
    len = 0;

    for (i = 0; sizes[i] != 0; i++) {
        body_chunk(body, (chorus_str_t) { body->content.data + len,
                                          sizes[i] });
        len += sizes[i];
    }

    body_chunk(body, (chorus_str_t) { "", 0 });

    if (algorithm != CHORUS_CHECKSUM_NONE) {
        body->options.trailer = chorus_checksum_header(algorithm);
        body_trailer(body, checksum_line(algorithm, body->content), "\r\n");
    }

    chorus_buf_text(&body->wire, "\r\n");
}


/* ---- a server ---- */


/* Each piece in memory of its own, so that a step outside is seen. */
TEST_HELPER chorus_rc_t
decode_piece(chorus_aws_chunked_t *chunked, chorus_str_t piece,
    result_t *result)
{
    char         *data;
    size_t        decoded;
    chorus_rc_t   rc;

    data = malloc(piece.len + 1);
    assert_non_null(data);
    memcpy(data, piece.data, piece.len);
    data[piece.len] = '#';

    rc = chorus_aws_chunked_decode(chunked, data, piece.len, &decoded,
                                   &result->refusal);

    assert_true(decoded <= piece.len);
    assert_true(rc == CHORUS_OK || decoded == 0);
    assert_int_equal(data[piece.len], '#');

    chorus_buf_add(&result->content, (chorus_str_t) { data, decoded });
    free(data);

    return rc;
}


TEST_HELPER void
take_checksum(const chorus_aws_chunked_t *chunked, result_t *result)
{
    chorus_str_t  checksum;

    checksum = chorus_aws_chunked_checksum(chunked, &result->algorithm);

    assert_int_equal(checksum.len,
                     chorus_checksum_text_len(result->algorithm));

    if (checksum.len != 0) {
        memcpy(result->checksum, checksum.data, checksum.len);
    }
}


/*
 * The first `first` bytes at once, the rest in pieces of `step`.  What holds
 * of every body is asserted here: the last byte comes when all is verified,
 * and a refusal stays.
 */
TEST_HELPER result_t
decode(const chorus_aws_chunked_options_t *options, chorus_str_t wire,
    size_t first, size_t step)
{
    size_t                 n;
    result_t               result;
    chorus_s3_refusal_t    again;
    chorus_aws_chunked_t  *chunked;

    memset(&result, 0, sizeof(result_t));
    result.content = chorus_buf(&mem, wire.len + 1);

    chunked = chorus_aws_chunked_create(crypto, options, &result.refusal);

    if (chunked == NULL) {
        result.rc = CHORUS_ERROR;
        return result;
    }

    for (n = first; wire.len != 0 && result.rc == CHORUS_OK; n = step) {

        n = n > wire.len ? wire.len : n;
        result.rc = decode_piece(chunked, (chorus_str_t) { wire.data, n },
                                 &result);
        wire.data += n;
        wire.len -= n;
        result.is_done = chorus_aws_chunked_is_done(chunked);

        if (result.rc == CHORUS_OK && options->decoded_len != 0) {
            assert_int_equal(result.content.len >= options->decoded_len,
                             result.is_done);
        }
    }

    if (result.rc == CHORUS_OK) {
        result.rc = chorus_aws_chunked_end(chunked, &result.refusal);
        assert_int_equal(result.rc == CHORUS_OK, result.is_done);
        assert_int_equal(decode_piece(chunked, chorus_str(""), &result),
                         CHORUS_OK);

    } else {
        assert_false(result.is_done);
        assert_int_equal(decode_piece(chunked, chorus_str(""), &result),
                         CHORUS_ERROR);
        assert_int_equal(decode_piece(chunked, chorus_str("0"), &result),
                         CHORUS_ERROR);
        assert_int_equal(chorus_aws_chunked_end(chunked, &again),
                         CHORUS_ERROR);
        assert_int_equal(again.code, result.refusal.code);
    }

    take_checksum(chunked, &result);
    chorus_aws_chunked_destroy(chunked);

    return result;
}


TEST_HELPER result_t
decode_whole(const body_t *body)
{
    return decode(&body->options, chorus_buf_str(&body->wire), SIZE_MAX,
                  SIZE_MAX);
}


TEST_HELPER void
check_accepted(const char *name, const body_t *body, const result_t *result)
{
    if (result->rc != CHORUS_OK) {
        fail_msg("%s: refused with %s", name,
                 chorus_s3_error_row(result->refusal.code)->name);
    }

    if (!chorus_str_eq(chorus_buf_str(&result->content), body->content)) {
        fail_msg("%s: got %zu bytes of content, or others", name,
                 result->content.len);
    }
}


TEST_HELPER void
check_refused(const char *name, const result_t *result,
    chorus_s3_code_t expected)
{
    if (result->rc == CHORUS_OK || result->refusal.code != expected) {
        fail_msg("%s: got %s, expected %s", name,
                 result->rc == CHORUS_OK
                     ? "an upload"
                     : chorus_s3_error_row(result->refusal.code)->name,
                 chorus_s3_error_row(expected)->name);
    }
}


/* A body of each form, small enough to be cut everywhere. */
TEST_HELPER void
small_bodies(body_t bodies[5])
{
    static const size_t  one[] = { 300, 0 };
    static const size_t  many[] = { 5, 1, 200, 94, 0 };

    body_make(&bodies[0], SIGNED, one, CHORUS_CHECKSUM_NONE);
    body_make(&bodies[1], TRAILED, one, CHORUS_CHECKSUM_CRC64NVME);
    body_make(&bodies[2], TRAILED, one, CHORUS_CHECKSUM_NONE);
    body_make(&bodies[3], UNSIGNED, many, CHORUS_CHECKSUM_SHA256);
    body_make(&bodies[4], UNSIGNED, many, CHORUS_CHECKSUM_NONE);
}


/* crypto_setup(), and the key of SECRET */
TEST_HELPER int
key_setup(void **state)
{
    return crypto_setup(state) != 0
           || !chorus_sigv4_signing_key(crypto, chorus_str(SECRET),
                                        chorus_str("20130524"),
                                        chorus_str("us-east-1"),
                                        chorus_str("s3"), key)
           ? -1 : 0;
}


#endif
