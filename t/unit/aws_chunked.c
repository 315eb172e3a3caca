/*
 * aws-chunked: AWS's own examples, every place where a body can be split or
 * cut off, every refusal, and what the encoder writes.
 */

#include <openssl/crypto.h>

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


static chorus_crypto_t  *crypto;
static unsigned char     key[CHORUS_SHA256_LEN];


/* ---- a client ---- */


static void
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


static chorus_str_t
signature(const body_t *body)
{
    return (chorus_str_t) { body->previous, sizeof(body->previous) };
}


static void
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


static void
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
static void
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


static chorus_str_t
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


static chorus_str_t
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
static void
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
static chorus_rc_t
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


static void
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
static result_t
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

    } else {
        assert_false(result.is_done);
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


static result_t
decode_whole(const body_t *body)
{
    return decode(&body->options, chorus_buf_str(&body->wire), SIZE_MAX,
                  SIZE_MAX);
}


static void
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


static void
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


/* ---- what is accepted ---- */


static void
the_form_is_the_payload_line(void **state)
{
    size_t  i;

    static const struct {
        const char                 *payload;
        chorus_aws_chunked_form_t   expected;
    } rows[] = {
        { "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", SIGNED },
        { "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", TRAILED },
        { "STREAMING-UNSIGNED-PAYLOAD-TRAILER", UNSIGNED },
        { "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", 0 },
        { "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER", 0 },
        { "STREAMING-AWS4-HMAC-SHA256-PAYLOA", 0 },
        { "streaming-unsigned-payload-trailer", 0 },
        { "UNSIGNED-PAYLOAD", 0 },
        { CHORUS_EMPTY_SHA256, 0 },
        { "", 0 },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        check_int(rows[i].payload,
                  chorus_aws_chunked_form(chorus_str_from(rows[i].payload)),
                  rows[i].expected);
    }

    assert_int_equal(chorus_aws_chunked_form(chorus_null_str), 0);
}


/* The text of an example, with its content of 66560 times "a". */
static void
example(body_t *body, chorus_aws_chunked_form_t form, const char *signatures[],
    const char *end)
{
    char  *data;

    body_begin(body, form);

    data = chorus_alloc(&mem, 66560);
    memset(data, 'a', 66560);
    body->content = (chorus_str_t) { data, 66560 };
    body->options.decoded_len = 66560;

    chorus_buf_text(&body->wire, "10000;chunk-signature=");
    chorus_buf_text(&body->wire, signatures[0]);
    chorus_buf_text(&body->wire, "\r\n");
    chorus_buf_add(&body->wire, (chorus_str_t) { data, 65536 });
    chorus_buf_text(&body->wire, "\r\n400;chunk-signature=");
    chorus_buf_text(&body->wire, signatures[1]);
    chorus_buf_text(&body->wire, "\r\n");
    chorus_buf_add(&body->wire, (chorus_str_t) { data, 1024 });
    chorus_buf_text(&body->wire, "\r\n0;chunk-signature=");
    chorus_buf_text(&body->wire, signatures[2]);
    chorus_buf_text(&body->wire, "\r\n");
    chorus_buf_text(&body->wire, end);
}


static void
published_examples(void **state)
{
    body_t    body;
    result_t  result;

    static const char  *chunks[] = {
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"
    };
    static const char  *trailed[] = {
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"
    };

    (void) state;

    example(&body, SIGNED, chunks, "\r\n");
    result = decode_whole(&body);
    check_accepted("chunks", &body, &result);
    check_int("chunks", result.algorithm, CHORUS_CHECKSUM_NONE);

    example(&body, TRAILED, trailed, "x-amz-checksum-crc32c:sOO8/Q==\r\n"
            "x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a"
            "2e4a59689829ca17fe2e435\r\n\r\n");
    body.options.trailer = chorus_str("x-amz-checksum-crc32c");
    result = decode_whole(&body);
    check_accepted("trailer", &body, &result);
    check_int("trailer", result.algorithm, CHORUS_CHECKSUM_CRC32C);
    assert_string_equal(result.checksum, "sOO8/Q==");
}


/* A body of each form, small enough to be cut everywhere. */
static void
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


static void
where_a_body_is_split_does_not_matter(void **state)
{
    size_t        i, first, step;
    body_t        bodies[5];
    result_t      result;
    chorus_str_t  wire;

    (void) state;

    small_bodies(bodies);

    for (i = 0; i < NROWS(bodies); i++) {
        wire = chorus_buf_str(&bodies[i].wire);

        for (first = 0; first <= wire.len; first++) {
            result = decode(&bodies[i].options, wire, first, SIZE_MAX);
            check_accepted("two pieces", &bodies[i], &result);
        }

        for (step = 1; step < 100; step++) {
            result = decode(&bodies[i].options, wire, step, step);
            check_accepted("pieces", &bodies[i], &result);
        }
    }
}


static void
every_checksum(void **state)
{
    int                    i;
    size_t                 form;
    body_t                 body;
    result_t               result;
    const char            *name;

    static const size_t    sizes[] = { 9000, 70, 0 };
    static const struct {
        const char  *name;
        const char  *message;
    } rows[] = {
        [CHORUS_CHECKSUM_CRC32] = { "x-amz-checksum-crc32",
            "The CRC32 you specified did not match the calculated checksum." },
        [CHORUS_CHECKSUM_CRC32C] = { "x-amz-checksum-crc32c",
            "The CRC32C you specified did not match the calculated "
            "checksum." },
        [CHORUS_CHECKSUM_CRC64NVME] = { "x-amz-checksum-crc64nvme",
            "The CRC64NVME you specified did not match the calculated "
            "checksum." },
        [CHORUS_CHECKSUM_SHA1] = { "x-amz-checksum-sha1",
            "The SHA1 you specified did not match the calculated checksum." },
        [CHORUS_CHECKSUM_SHA256] = { "x-amz-checksum-sha256",
            "The SHA256 you specified did not match the calculated "
            "checksum." },
    };

    (void) state;

    for (i = 1; i < (int) NROWS(rows); i++) {
        for (form = TRAILED; form <= UNSIGNED; form++) {

            name = rows[i].name;
            body_make(&body, form, sizes, i);
            result = decode_whole(&body);
            check_accepted(name, &body, &result);
            check_int(name, result.algorithm, i);
            check_str(name, body.options.trailer, name);
            check_has(name, checksum_line(i, body.content).data,
                      result.checksum);

            /* of other content, and rightly signed */

            body_begin(&body, form);
            body.options.trailer = chorus_str_from(name);
            body.options.decoded_len = 1;
            body_chunk(&body, chorus_str("a"));
            body_chunk(&body, chorus_str(""));
            body_trailer(&body, checksum_line(i, chorus_str("b")), "\r\n");
            chorus_buf_text(&body.wire, "\r\n");

            result = decode_whole(&body);
            check_refused(name, &result, CHORUS_S3_BAD_DIGEST);
            check_str(name, result.refusal.message, rows[i].message);
            check_int(name, result.content.len, 0);
        }
    }
}


static void
content_of_length_zero(void **state)
{
    size_t    form;
    body_t    body;
    result_t  result;

    static const size_t  none[] = { 0 };

    (void) state;

    for (form = SIGNED; form <= UNSIGNED; form++) {
        body_make(&body, form, none, CHORUS_CHECKSUM_NONE);
        result = decode_whole(&body);
        check_accepted("no trailer", &body, &result);

        result = decode(&body.options, chorus_null_str, 0, 1);
        check_refused("nothing", &result, CHORUS_S3_INCOMPLETE_BODY);
    }

    for (form = TRAILED; form <= UNSIGNED; form++) {
        body_make(&body, form, none, CHORUS_CHECKSUM_CRC64NVME);
        result = decode_whole(&body);
        check_accepted("trailer", &body, &result);
        assert_string_equal(result.checksum, "AAAAAAAAAAA=");
    }
}


/* What clients write otherwise, and AWS takes. */
static void
other_spellings(void **state)
{
    size_t    i;
    body_t    body;
    result_t  result;

    static const struct {
        const char  *name;
        const char  *wire;
        const char  *trailer;
    } rows[] = {
        { "in one chunk",
          "9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\r\n\r\n",
          "x-amz-checksum-crc32" },
        { "LF and CRLF behind the trailer, as minio-go",
          "9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\n\r\n\r\n",
          "x-amz-checksum-crc32" },
        { "spaces in the trailer",
          "9\r\n123456789\r\n0\r\nx-amz-checksum-crc32 : y/Q5Jg==\t\r\n\r\n",
          "x-amz-checksum-crc32" },
        { "upper case in the trailer",
          "9\r\n123456789\r\n0\r\nX-Amz-Checksum-CRC32:y/Q5Jg==\r\n\r\n",
          "x-amz-checksum-crc32" },
        { "upper case in x-amz-trailer",
          "9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\r\n\r\n",
          " X-Amz-Checksum-CRC32" },
        { "leading zeros, and more than one in the last size",
          "0000000000000000000000009\r\n123456789\r\n000\r\n\r\n", NULL },
        { "an empty x-amz-trailer", "9\r\n123456789\r\n0\r\n\r\n", "" },
        { "small chunks, unsigned",
          "1\r\n1\r\n1\r\n2\r\n7\r\n3456789\r\n0\r\n\r\n", NULL },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        body_begin(&body, UNSIGNED);
        chorus_buf_text(&body.wire, rows[i].wire);
        body.content = chorus_str("123456789");
        body.options.decoded_len = 9;
        body.options.trailer = chorus_str_from(rows[i].trailer);

        result = decode_whole(&body);
        check_accepted(rows[i].name, &body, &result);
        result = decode(&body.options, chorus_buf_str(&body.wire), 1, 1);
        check_accepted(rows[i].name, &body, &result);
    }

    /* minio-go, signed; digits of a size in upper case */

    body_make(&body, TRAILED, (const size_t[]) { 10, 0 },
              CHORUS_CHECKSUM_NONE);
    assert_int_equal(body.wire.data[0], 'a');
    body.wire.data[0] = 'A';
    body.wire.len -= 2;
    body.options.trailer = chorus_str("x-amz-checksum-sha1");
    body_trailer(&body, checksum_line(CHORUS_CHECKSUM_SHA1, body.content),
                 "\n\r\n");
    chorus_buf_text(&body.wire, "\r\n");
    result = decode_whole(&body);
    check_accepted("minio-go", &body, &result);
}


static void
the_signature_of_no_trailer_counts(void **state)
{
    body_t    body;
    result_t  result;

    (void) state;

    body_begin(&body, TRAILED);
    body_chunk(&body, chorus_str(""));
    sign(&body, "AWS4-HMAC-SHA256-TRAILER", chorus_str(""));
    chorus_buf_text(&body.wire, "x-amz-trailer-signature:");
    chorus_buf_add(&body.wire, signature(&body));
    chorus_buf_text(&body.wire, "\r\n\r\n");

    result = decode_whole(&body);
    check_accepted("right", &body, &result);

    body.wire.data[body.wire.len - 5] ^= 1;
    result = decode_whole(&body);
    check_refused("wrong", &result, CHORUS_S3_SIGNATURE_DOES_NOT_MATCH);
}


/* ---- what is refused ---- */


static void
announcements(void **state)
{
    size_t    i;
    body_t    body;
    result_t  result;

    static const struct {
        const char                 *trailer;
        chorus_aws_chunked_form_t   form;
        chorus_s3_code_t            expected;
    } rows[] = {
        { "x-amz-checksum-md5", UNSIGNED, CHORUS_S3_INVALID_REQUEST },
        { "x-amz-checksum-crc32,x-amz-checksum-sha1", UNSIGNED,
          CHORUS_S3_INVALID_REQUEST },
        { "x-amz-checksum-crc32,x-amz-checksum-crc32", TRAILED,
          CHORUS_S3_INVALID_REQUEST },
        { "x-amz-checksum-crc32,", TRAILED, CHORUS_S3_INVALID_REQUEST },
        { "x-amz-meta-a", UNSIGNED, CHORUS_S3_INVALID_REQUEST },
        { "x-amz-trailer-signature", TRAILED, CHORUS_S3_INVALID_REQUEST },
        { "x-amz-checksum-crc32", SIGNED, CHORUS_S3_INVALID_REQUEST },
        { "x-amz-checksum-crc32", CHORUS_AWS_CHUNKED_NONE,
          CHORUS_S3_INTERNAL_ERROR },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        body_begin(&body, rows[i].form == SIGNED ? SIGNED : TRAILED);
        body.options.form = rows[i].form;
        body.options.trailer = chorus_str_from(rows[i].trailer);
        result = decode_whole(&body);
        check_refused(rows[i].trailer, &result, rows[i].expected);
    }

    body_begin(&body, SIGNED);
    body.options.signature = chorus_str("4f232c");
    result = decode_whole(&body);
    check_refused("a short seed", &result,
                  CHORUS_S3_SIGNATURE_DOES_NOT_MATCH);

    chorus_aws_chunked_destroy(NULL);
}


#define CRC32  "x-amz-checksum-crc32"
#define NINE   "9\r\n123456789\r\n0\r\n"
#define GOOD   CRC32 ":y/Q5Jg==\r\n"

static void
malformed_bodies(void **state)
{
    size_t    i;
    body_t    body;
    result_t  result;

    static const struct {
        const char        *name;
        chorus_str_t       wire;
        uint64_t           decoded_len;
        const char        *trailer;
        chorus_s3_code_t   expected;
    } rows[] = {

        /* sizes */

        { "no size", chorus_str("\r\n"), 9, NULL,
          CHORUS_S3_INCOMPLETE_BODY },
        { "no hex", chorus_str("g\r\n"), 9, NULL, CHORUS_S3_INCOMPLETE_BODY },
        { "0x", chorus_str("0x9\r\n123456789\r\n0\r\n\r\n"), 9, NULL,
          CHORUS_S3_INCOMPLETE_BODY },
        { "a sign", chorus_str("+9\r\n"), 9, NULL,
          CHORUS_S3_INCOMPLETE_BODY },
        { "negative", chorus_str("-9\r\n"), 9, NULL,
          CHORUS_S3_INCOMPLETE_BODY },
        { "a space before", chorus_str(" 9\r\n"), 9, NULL,
          CHORUS_S3_INCOMPLETE_BODY },
        { "a space behind", chorus_str("9 \r\n"), 9, NULL,
          CHORUS_S3_INCOMPLETE_BODY },
        { "a NUL", chorus_str("9\0\r\n"), 9, NULL,
          CHORUS_S3_INCOMPLETE_BODY },
        { "2^63", chorus_str("8000000000000000\r\n"), UINT64_MAX, NULL,
          CHORUS_S3_INCOMPLETE_BODY },
        { "2^64 - 1", chorus_str("ffffffffffffffff\r\n"), UINT64_MAX, NULL,
          CHORUS_S3_INCOMPLETE_BODY },
        { "2^64 + 9", chorus_str("10000000000000009\r\n123456789\r\n"), 9,
          NULL, CHORUS_S3_INCOMPLETE_BODY },
        { "2^63 and content of that length",
          chorus_str("8000000000000000\r\n1"), UINT64_C(1) << 63, NULL,
          CHORUS_S3_INCOMPLETE_BODY },
        { "an extension", chorus_str("9;a=b\r\n123456789\r\n0\r\n\r\n"), 9,
          NULL, CHORUS_S3_INCOMPLETE_BODY },
        { "an empty extension", chorus_str("9;\r\n123456789\r\n0\r\n\r\n"), 9,
          NULL, CHORUS_S3_INCOMPLETE_BODY },
        { "a signature in the unsigned form",
          chorus_str("9;chunk-signature=" SEED "\r\n"), 9, NULL,
          CHORUS_S3_INCOMPLETE_BODY },

        /* declared lengths */

        { "0 declared", chorus_str(NINE "\r\n"), 0, NULL,
          CHORUS_S3_INCOMPLETE_BODY },
        { "one too small", chorus_str(NINE "\r\n"), 8, NULL,
          CHORUS_S3_INCOMPLETE_BODY },
        { "one too large", chorus_str(NINE "\r\n"), 10, NULL,
          CHORUS_S3_INCOMPLETE_BODY },
        { "too large in the second chunk",
          chorus_str("8\r\n12345678\r\n2\r\n12\r\n0\r\n\r\n"), 9, NULL,
          CHORUS_S3_INCOMPLETE_BODY },

        /* ends of lines */

        { "LF alone behind a size", chorus_str("9\n123456789\r\n0\r\n\r\n"),
          9, NULL, CHORUS_S3_INCOMPLETE_BODY },
        { "CR alone behind a size", chorus_str("9\r123456789\r\n0\r\n\r\n"),
          9, NULL, CHORUS_S3_INCOMPLETE_BODY },
        { "CR CR LF", chorus_str("9\r\r\n123456789\r\n0\r\n\r\n"), 9, NULL,
          CHORUS_S3_INCOMPLETE_BODY },
        { "LF CR LF behind a size",
          chorus_str("9\n\r\n123456789\r\n0\r\n\r\n"), 9, NULL,
          CHORUS_S3_INCOMPLETE_BODY },
        { "LF alone behind data", chorus_str("9\r\n123456789\n0\r\n\r\n"), 9,
          NULL, CHORUS_S3_INCOMPLETE_BODY },
        { "CR alone behind data", chorus_str("9\r\n123456789\r0\r\n\r\n"), 9,
          NULL, CHORUS_S3_INCOMPLETE_BODY },
        { "data longer than its size",
          chorus_str("8\r\n123456789\r\n0\r\n\r\n"), 9, NULL,
          CHORUS_S3_INCOMPLETE_BODY },
        { "data shorter than its size",
          chorus_str("a\r\n123456789\r\n0\r\n\r\n"), 10, NULL,
          CHORUS_S3_INCOMPLETE_BODY },
        { "LF alone at the end", chorus_str(NINE "\n"), 9, NULL,
          CHORUS_S3_INVALID_REQUEST },
        { "CR alone at the end", chorus_str(NINE "\r\r"), 9, NULL,
          CHORUS_S3_INVALID_REQUEST },
        { "no CRLF at the end", chorus_str(NINE), 9, NULL,
          CHORUS_S3_INCOMPLETE_BODY },
        { "half a CRLF at the end", chorus_str(NINE "\r"), 9, NULL,
          CHORUS_S3_INCOMPLETE_BODY },

        /* behind the end */

        { "a byte behind the end", chorus_str(NINE "\r\n\n"), 9, NULL,
          CHORUS_S3_INVALID_REQUEST },
        { "a chunk behind the end", chorus_str(NINE "\r\n" NINE "\r\n"), 9,
          NULL, CHORUS_S3_INVALID_REQUEST },
        { "a second last chunk", chorus_str(NINE "0\r\n\r\n"), 9, NULL,
          CHORUS_S3_INVALID_REQUEST },

        /* trailers */

        { "no trailer though announced", chorus_str(NINE "\r\n"), 9, CRC32,
          CHORUS_S3_INVALID_REQUEST },
        { "a trailer though none announced",
          chorus_str(NINE GOOD "\r\n"), 9, NULL,
          CHORUS_S3_INVALID_REQUEST },
        { "another trailer than announced",
          chorus_str(NINE "x-amz-checksum-crc32c:4waSgw==\r\n\r\n"), 9, CRC32,
          CHORUS_S3_INVALID_REQUEST },
        { "one more trailer", chorus_str(NINE GOOD "x-a:b\r\n\r\n"), 9, CRC32,
          CHORUS_S3_INVALID_REQUEST },
        { "the trailer twice", chorus_str(NINE GOOD GOOD "\r\n"), 9, CRC32,
          CHORUS_S3_INVALID_REQUEST },
        { "a signature of the trailer in the unsigned form",
          chorus_str(NINE GOOD "x-amz-trailer-signature:" SEED "\r\n\r\n"), 9,
          CRC32, CHORUS_S3_INVALID_REQUEST },
        { "an unknown trailer", chorus_str(NINE "x-a:b\r\n\r\n"), 9, CRC32,
          CHORUS_S3_INVALID_REQUEST },
        { "no name", chorus_str(NINE ":y/Q5Jg==\r\n\r\n"), 9, CRC32,
          CHORUS_S3_INVALID_REQUEST },
        { "no colon", chorus_str(NINE CRC32 "\r\n\r\n"), 9, CRC32,
          CHORUS_S3_INVALID_REQUEST },
        { "no value", chorus_str(NINE CRC32 ":\r\n\r\n"), 9, CRC32,
          CHORUS_S3_INVALID_REQUEST },
        { "a short value", chorus_str(NINE CRC32 ":y/Q5Jg=\r\n\r\n"), 9,
          CRC32, CHORUS_S3_INVALID_REQUEST },
        { "a long value", chorus_str(NINE CRC32 ":y/Q5Jg===\r\n\r\n"), 9,
          CRC32, CHORUS_S3_INVALID_REQUEST },
        { "no padding", chorus_str(NINE CRC32 ":y/Q5Jgaa\r\n\r\n"), 9, CRC32,
          CHORUS_S3_INVALID_REQUEST },
        { "no base64", chorus_str(NINE CRC32 ":y_Q5Jg==\r\n\r\n"), 9, CRC32,
          CHORUS_S3_INVALID_REQUEST },
        { "another value", chorus_str(NINE CRC32 ":z/Q5Jg==\r\n\r\n"), 9,
          CRC32, CHORUS_S3_BAD_DIGEST },
        { "bits that do not count", chorus_str(NINE CRC32 ":y/Q5Jh==\r\n\r\n"),
          9, CRC32, CHORUS_S3_BAD_DIGEST },
        { "LF in a trailer",
          chorus_str(NINE CRC32 ":\ny/Q5Jg==\r\n\r\n"), 9, CRC32,
          CHORUS_S3_INVALID_REQUEST },
        { "LF alone behind a trailer",
          chorus_str(NINE CRC32 ":y/Q5Jg==\n\n"), 9, CRC32,
          CHORUS_S3_INVALID_REQUEST },
        { "LF before a trailer", chorus_str(NINE "\n" GOOD "\r\n"), 9, CRC32,
          CHORUS_S3_INVALID_REQUEST },
        { "CR in a trailer", chorus_str(NINE CRC32 ":y/Q5\rJg==\r\n\r\n"), 9,
          CRC32, CHORUS_S3_INVALID_REQUEST },
        { "NUL in a trailer", chorus_str(NINE CRC32 ":y/Q5Jg==\0\r\n\r\n"), 9,
          CRC32, CHORUS_S3_INVALID_REQUEST },
        { "CRLF before the trailer", chorus_str(NINE "\r\n" GOOD "\r\n"), 9,
          CRC32, CHORUS_S3_INVALID_REQUEST },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        body_begin(&body, UNSIGNED);
        chorus_buf_add(&body.wire, rows[i].wire);
        body.options.decoded_len = rows[i].decoded_len;
        body.options.trailer = chorus_str_from(rows[i].trailer);

        result = decode_whole(&body);
        check_refused(rows[i].name, &result, rows[i].expected);

        result = decode(&body.options, chorus_buf_str(&body.wire), 1, 1);
        check_refused(rows[i].name, &result, rows[i].expected);
    }
}


/* In the signed forms. */
static void
malformed_signatures(void **state)
{
    size_t    i;
    body_t    body;
    result_t  result;

    static const struct {
        const char                 *name;
        chorus_aws_chunked_form_t   form;
        const char                 *wire;
        chorus_s3_code_t            expected;
    } rows[] = {
        { "no signature", SIGNED, "1\r\na\r\n0\r\n\r\n",
          CHORUS_S3_INCOMPLETE_BODY },
        { "an empty signature", SIGNED, "1;chunk-signature=\r\n",
          CHORUS_S3_INCOMPLETE_BODY },
        { "63 digits", SIGNED, "1;chunk-signature="
          "f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9\r\n",
          CHORUS_S3_INCOMPLETE_BODY },
        { "65 digits", SIGNED, "1;chunk-signature=0" SEED "\r\n",
          CHORUS_S3_INCOMPLETE_BODY },
        { "upper case", SIGNED, "1;chunk-signature="
          "4F232C4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
          "\r\n", CHORUS_S3_INCOMPLETE_BODY },
        { "another extension", SIGNED, "1;a=b;chunk-signature=" SEED "\r\n",
          CHORUS_S3_INCOMPLETE_BODY },
        { "an extension behind", SIGNED, "1;chunk-signature=" SEED ";a\r\n",
          CHORUS_S3_INCOMPLETE_BODY },
        { "another name", SIGNED, "1;chunk_signature=" SEED "\r\n",
          CHORUS_S3_INCOMPLETE_BODY },
        { "the seed again", SIGNED, "1;chunk-signature=" SEED "\r\na\r\n",
          CHORUS_S3_SIGNATURE_DOES_NOT_MATCH },
        { "the seed for the last chunk", TRAILED,
          "0;chunk-signature=" SEED_TRAILED "\r\n",
          CHORUS_S3_SIGNATURE_DOES_NOT_MATCH },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        body_begin(&body, rows[i].form);
        chorus_buf_text(&body.wire, rows[i].wire);
        body.options.decoded_len = 1;
        result = decode_whole(&body);
        check_refused(rows[i].name, &result, rows[i].expected);
    }
}


static void
signed_trailers(void **state)
{
    size_t    i, start;
    body_t    body;
    result_t  result;

    static const struct {
        const char        *name;
        const char        *signature;       /* instead of the right one */
        chorus_s3_code_t   expected;
    } rows[] = {
        { "none", "", CHORUS_S3_INVALID_REQUEST },
        { "another", "x-amz-trailer-signature:" SEED "\r\n",
          CHORUS_S3_SIGNATURE_DOES_NOT_MATCH },
        { "short", "x-amz-trailer-signature:4f\r\n",
          CHORUS_S3_INVALID_REQUEST },
        { "of a chunk", "chunk-signature=" SEED "\r\n",
          CHORUS_S3_INVALID_REQUEST },
        { "twice", "x-amz-trailer-signature:" SEED "\r\n"
          "x-amz-trailer-signature:" SEED "\r\n",
          CHORUS_S3_INVALID_REQUEST },
        { "something behind it", "x-amz-trailer-signature:" SEED "\r\na:b\r\n",
          CHORUS_S3_INVALID_REQUEST },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        body_make(&body, TRAILED, (const size_t[]) { 10, 0 },
                  CHORUS_CHECKSUM_CRC32);

        start = body.wire.len - 2 - strlen("x-amz-trailer-signature:" "\r\n")
                - CHORUS_SIGNATURE_LEN;
        body.wire.len = start;
        chorus_buf_text(&body.wire, rows[i].signature);
        chorus_buf_text(&body.wire, "\r\n");

        result = decode_whole(&body);
        check_refused(rows[i].name, &result, rows[i].expected);
    }

    /* a wrong signature says more than a wrong checksum behind it */

    body_make(&body, TRAILED, (const size_t[]) { 10, 0 },
              CHORUS_CHECKSUM_CRC32);
    start = body.wire.len - 2 - strlen("x-amz-trailer-signature:" "\r\n")
            - CHORUS_SIGNATURE_LEN;
    body.wire.data[start - 8] ^= 1;
    result = decode_whole(&body);
    check_refused("another checksum under the signature", &result,
                  CHORUS_S3_SIGNATURE_DOES_NOT_MATCH);
}


/* The wire of `from`, its chunks in the order of `order` (ended by -1). */
static result_t
decode_in_order(const body_t *from, const int *order)
{
    int     i;
    body_t  body;

    body = *from;
    body.wire = chorus_buf(&mem, from->wire.len);

    for (i = 0; order[i] >= 0; i++) {
        chorus_buf_add(&body.wire, (chorus_str_t) {
            from->wire.data + from->starts[order[i]],
            (order[i] + 1u == from->nchunks ? from->wire.len
                                            : from->starts[order[i] + 1])
            - from->starts[order[i]] });
    }

    return decode_whole(&body);
}


static void
chunks_out_of_order(void **state)
{
    size_t    i;
    body_t    body;
    result_t  result;

    static const size_t  sizes[] = { 8192, 8192, 8192, 0 };
    static const struct {
        const char        *name;
        int                order[6];
        chorus_s3_code_t   expected;
    } rows[] = {
        { "in order", { 0, 1, 2, 3, -1 }, CHORUS_S3_OK },
        { "swapped", { 1, 0, 2, 3, -1 }, CHORUS_S3_SIGNATURE_DOES_NOT_MATCH },
        { "the last two swapped", { 0, 2, 1, 3, -1 },
          CHORUS_S3_SIGNATURE_DOES_NOT_MATCH },
        { "replayed", { 0, 0, 1, 3, -1 },
          CHORUS_S3_SIGNATURE_DOES_NOT_MATCH },
        { "replayed and one too many", { 0, 1, 2, 2, 3, -1 },
          CHORUS_S3_INCOMPLETE_BODY },
        { "left out", { 0, 2, 3, -1 }, CHORUS_S3_SIGNATURE_DOES_NOT_MATCH },
        { "the last left out", { 0, 1, 3, -1 },
          CHORUS_S3_SIGNATURE_DOES_NOT_MATCH },
        { "no end", { 0, 1, 2, -1 }, CHORUS_S3_INCOMPLETE_BODY },
    };

    (void) state;

    body_make(&body, SIGNED, sizes, CHORUS_CHECKSUM_NONE);

    for (i = 0; i < NROWS(rows); i++) {
        result = decode_in_order(&body, rows[i].order);

        if (rows[i].expected == CHORUS_S3_OK) {
            check_accepted(rows[i].name, &body, &result);

        } else {
            check_refused(rows[i].name, &result, rows[i].expected);
        }
    }
}


static void
only_the_last_chunk_may_be_small(void **state)
{
    size_t    i, form;
    body_t    body;
    result_t  result;

    static const struct {
        const char  *name;
        size_t       sizes[4];
        bool         is_fine;
    } rows[] = {
        { "8192 and one", { 8192, 1, 0 }, true },
        { "8193 and 8191", { 8193, 8191, 0 }, true },
        { "8191 in the middle", { 8192, 8191, 8192, 0 }, false },
        { "8191 at first", { 8191, 1, 0 }, false },
        { "two small ones", { 8192, 1, 1, 0 }, false },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        for (form = SIGNED; form <= UNSIGNED; form++) {

            body_make(&body, form, rows[i].sizes, CHORUS_CHECKSUM_NONE);
            result = decode_whole(&body);

            if (rows[i].is_fine || form == UNSIGNED) {
                check_accepted(rows[i].name, &body, &result);

            } else {
                check_refused(rows[i].name, &result,
                              CHORUS_S3_INVALID_CHUNK_SIZE);
            }
        }
    }
}


static void
cut_off_at_every_byte(void **state)
{
    size_t    i, len;
    body_t    bodies[5];
    result_t  result;

    (void) state;

    small_bodies(bodies);

    for (i = 0; i < NROWS(bodies); i++) {
        for (len = 0; len < bodies[i].wire.len; len++) {
            result = decode(&bodies[i].options,
                            (chorus_str_t) { bodies[i].wire.data, len },
                            SIZE_MAX, SIZE_MAX);
            check_refused("cut off", &result, CHORUS_S3_INCOMPLETE_BODY);
            assert_true(result.content.len < bodies[i].content.len);
        }
    }
}


/* Whatever is signed or checked, and what is between. */
static void
no_byte_can_be_changed(void **state)
{
    int       bit;
    size_t    i, at;
    body_t    bodies[5];
    result_t  result;

    (void) state;

    small_bodies(bodies);

    for (i = 0; i < 4; i++) {
        for (at = 0; at < bodies[i].wire.len; at++) {
            for (bit = 0; bit < 8; bit++) {

                if (bit == 5) {
                    continue;       /* upper case is fine in some places */
                }

                bodies[i].wire.data[at] ^= (char) (1 << bit);
                result = decode_whole(&bodies[i]);
                assert_int_equal(result.rc, CHORUS_ERROR);
                bodies[i].wire.data[at] ^= (char) (1 << bit);
            }
        }
    }
}


static void
lines_are_bounded(void **state)
{
    size_t    i;
    body_t    body;
    char      line[CHORUS_AWS_CHUNKED_LINE_MAX_LEN + 1];
    result_t  result;

    (void) state;

    memset(line, '0', sizeof(line));
    line[sizeof(line) - 1] = '\0';

    for (i = 0; i < 2; i++) {
        body_begin(&body, UNSIGNED);
        body.content = chorus_str("1");
        body.options.decoded_len = 1;
        chorus_buf_text(&body.wire, line + 4 - i);
        chorus_buf_text(&body.wire, "01\r\n1\r\n0\r\n\r\n");

        result = decode_whole(&body);

        if (i == 0) {
            check_accepted("1024", &body, &result);

        } else {
            check_refused("1025", &result, CHORUS_S3_INCOMPLETE_BODY);
        }
    }

    memset(line, ' ', sizeof(line) - 1);

    for (i = 0; i < 2; i++) {
        body_begin(&body, UNSIGNED);
        body.content = chorus_str("123456789");
        body.options.decoded_len = 9;
        body.options.trailer = chorus_str(CRC32);
        chorus_buf_text(&body.wire, NINE CRC32 ":");
        chorus_buf_text(&body.wire, line + 32 - 1 - i);
        chorus_buf_text(&body.wire, "y/Q5Jg==\r\n\r\n");

        result = decode_whole(&body);

        if (i == 0) {
            check_accepted("1024 in a trailer", &body, &result);

        } else {
            check_refused("1025 in a trailer", &result,
                          CHORUS_S3_INVALID_REQUEST);
        }
    }
}


static void
behind_the_end_in_a_call_of_its_own(void **state)
{
    body_t    body;
    result_t  result;

    (void) state;

    body_make(&body, SIGNED, (const size_t[]) { 10, 0 },
              CHORUS_CHECKSUM_NONE);
    chorus_buf_text(&body.wire, "x");

    result = decode(&body.options, chorus_buf_str(&body.wire),
                    body.wire.len - 1, 1);
    check_refused("a byte more", &result, CHORUS_S3_INVALID_REQUEST);
}


/* ---- the encoder ---- */


/* Content in pieces of `step`; empties `wire` first. */
static void
encode(chorus_buf_t *wire, chorus_str_t content,
    chorus_checksum_algorithm_t algorithm, size_t step)
{
    char                           text[CHORUS_AWS_CHUNKED_END_MAX_LEN];
    size_t                         n, len, take;
    chorus_str_t                   line, rest;
    chorus_aws_chunked_encoder_t   encoder;

    wire->len = 0;
    rest = content;
    chorus_aws_chunked_encoder_begin(&encoder, content.len);

    while (rest.len != 0) {

        n = rest.len < step ? rest.len : step;
        len = chorus_aws_chunked_encoder_step(&encoder, n, text, &take);

        assert_true(len <= CHORUS_AWS_CHUNKED_TEXT_MAX_LEN);
        assert_true(take > 0 && take <= n);

        chorus_buf_add(wire, (chorus_str_t) { text, len });
        chorus_buf_add(wire, (chorus_str_t) { rest.data, take });
        rest = chorus_str_sub(rest, take);
    }

    line = chorus_null_str;

    if (algorithm != CHORUS_CHECKSUM_NONE) {
        line = checksum_line(algorithm, content);
        (void) chorus_str_cut(&line, ':');
    }

    len = chorus_aws_chunked_encoder_end(&encoder, algorithm, line, text);

    assert_true(len > 0 && len <= sizeof(text));
    chorus_buf_add(wire, (chorus_str_t) { text, len });
}


static void
what_is_encoded_is_decoded(void **state)
{
    int       algorithm;
    size_t    i, j;
    body_t    body;
    result_t  result;

    static const size_t  lengths[] = {
        0, 1, 9, 10, 15, 16, 17, 255, 256, 4095, 4096, 65535, 65536, 65537,
        131071, 131072, 131073, 200000
    };
    static const size_t  steps[] = { 7, 4096, 65535, 65536, SIZE_MAX };

    (void) state;

    for (i = 0; i < NROWS(lengths); i++) {
        for (algorithm = 0; algorithm <= CHORUS_CHECKSUM_SHA256;
             algorithm++)
        {
            for (j = 0; j < NROWS(steps); j++) {

                body_begin(&body, UNSIGNED);
                body.content = some_content(lengths[i]);
                body.options.decoded_len = lengths[i];
                body.options.trailer = chorus_checksum_header(algorithm);

                encode(&body.wire, body.content, algorithm, steps[j]);
                check_int("length", (int64_t) body.wire.len,
                          (int64_t) chorus_aws_chunked_encoded_len(lengths[i],
                                                                   algorithm));

                result = decode_whole(&body);
                check_accepted("encoded", &body, &result);
            }

            chorus_arena_reset(arena);
        }
    }
}


static void
encoded_text(void **state)
{
    char                           text[CHORUS_AWS_CHUNKED_END_MAX_LEN];
    size_t                         len, take;
    chorus_buf_t                   wire;
    chorus_aws_chunked_encoder_t   encoder;

    (void) state;

    wire = chorus_buf(&mem, 128);

    encode(&wire, chorus_str("123456789"), CHORUS_CHECKSUM_CRC32, 4);
    check_str("trailer", chorus_buf_str(&wire), NINE GOOD "\r\n");
    encode(&wire, chorus_null_str, CHORUS_CHECKSUM_NONE, 4);
    check_str("nothing", chorus_buf_str(&wire), "0\r\n\r\n");

    /* 2^63 - 1: 2^47 - 1 chunks of 64 KiB, and one that lacks a byte */

    assert_true(chorus_aws_chunked_encoded_len(INT64_MAX, 0)
                == ((UINT64_C(1) << 47) - 1) * 65545 + 65535 + 8 + 5);

    /* misused */

    chorus_aws_chunked_encoder_begin(&encoder, 2);
    len = chorus_aws_chunked_encoder_step(&encoder, 0, text, &take);
    assert_int_equal(len + take, 0);
    len = chorus_aws_chunked_encoder_step(&encoder, 1, text, &take);
    assert_int_equal(len, 3);
    assert_int_equal(take, 1);
    len = chorus_aws_chunked_encoder_end(&encoder, 0, chorus_null_str, text);
    assert_int_equal(len, 0);
    len = chorus_aws_chunked_encoder_step(&encoder, 5, text, &take);
    assert_int_equal(len, 0);
    assert_int_equal(take, 1);
    len = chorus_aws_chunked_encoder_step(&encoder, 4, text, &take);
    assert_int_equal(len + take, 0);
    len = chorus_aws_chunked_encoder_end(&encoder, CHORUS_CHECKSUM_CRC32,
                                         chorus_str("y/Q5Jg="), text);
    assert_int_equal(len, 0);
}


/* ---- out of memory ---- */


static size_t  scarce_left = SIZE_MAX;
static bool    scarce_has_failed;


static bool
scarce_is_out(void)
{
    if (scarce_left == SIZE_MAX) {
        return false;
    }

    if (scarce_left == 0) {
        scarce_has_failed = true;
        return true;
    }

    scarce_left--;

    return false;
}


static void *
scarce_malloc(size_t size, const char *file, int line)
{
    (void) file;
    (void) line;

    return scarce_is_out() ? NULL : malloc(size);
}


static void *
scarce_realloc(void *old, size_t size, const char *file, int line)
{
    (void) file;
    (void) line;

    return scarce_is_out() ? NULL : realloc(old, size);
}


static void
scarce_free(void *old, const char *file, int line)
{
    (void) file;
    (void) line;

    free(old);
}


/* The n-th allocation inside OpenSSL fails, for every n; then none. */
static void
openssl_is_out_of_memory(void **state)
{
    size_t    n;
    body_t    body;
    result_t  result;

    (void) state;

    body_make(&body, TRAILED, (const size_t[]) { 8192, 10, 0 },
              CHORUS_CHECKSUM_SHA256);

    for (n = 0; n < 1000; n++) {

        scarce_left = n;
        scarce_has_failed = false;
        result = decode_whole(&body);
        scarce_left = SIZE_MAX;

        if (result.rc != CHORUS_OK) {
            assert_true(scarce_has_failed);
            check_refused("scarce", &result, CHORUS_S3_INTERNAL_ERROR);
        }

        if (!scarce_has_failed) {
            break;
        }

        result = decode_whole(&body);
        check_accepted("asked again", &body, &result);
    }

    check_accepted("enough", &body, &result);
    assert_in_range(n, 2, 999);
}


/* Under ASan a size that cannot be is otherwise an error of the program. */
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}


static void
no_memory_for_the_decoder(void **state)
{
    body_t    body;
    result_t  result;

    (void) state;

    body_begin(&body, SIGNED);
    body.options.scope.len = SIZE_MAX / 4;
    result = decode_whole(&body);
    check_refused("a scope without end", &result, CHORUS_S3_INTERNAL_ERROR);
}


static int
crypto_setup(void **state)
{
    (void) state;

    crypto = chorus_crypto_create();

    return crypto == NULL
           || !chorus_sigv4_signing_key(crypto, chorus_str(SECRET),
                                        chorus_str("20130524"),
                                        chorus_str("us-east-1"),
                                        chorus_str("s3"), key)
           ? -1 : 0;
}


static int
crypto_teardown(void **state)
{
    (void) state;

    chorus_crypto_destroy(crypto);

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test_row(the_form_is_the_payload_line),
        test_row(published_examples),
        test_row(where_a_body_is_split_does_not_matter),
        test_row(every_checksum),
        test_row(content_of_length_zero),
        test_row(other_spellings),
        test_row(the_signature_of_no_trailer_counts),
        test_row(announcements),
        test_row(malformed_bodies),
        test_row(malformed_signatures),
        test_row(signed_trailers),
        test_row(chunks_out_of_order),
        test_row(only_the_last_chunk_may_be_small),
        test_row(cut_off_at_every_byte),
        test_row(no_byte_can_be_changed),
        test_row(lines_are_bounded),
        test_row(behind_the_end_in_a_call_of_its_own),
        test_row(what_is_encoded_is_decoded),
        test_row(encoded_text),
        test_row(openssl_is_out_of_memory),
        test_row(no_memory_for_the_decoder),
    };

    /* before OpenSSL has allocated anything */

    if (CRYPTO_set_mem_functions(scarce_malloc, scarce_realloc, scarce_free)
        != 1)
    {
        return 1;
    }

    return cmocka_run_group_tests(tests, crypto_setup, crypto_teardown);
}
