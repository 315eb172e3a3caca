/*
 * aws-chunked as it is accepted: AWS's own examples, every place where a body
 * can be split, what clients spell otherwise; and no memory for it.
 */

#include <openssl/crypto.h>

#include "aws_chunked_body.h"


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
        [CHORUS_CHECKSUM_MD5] = { "x-amz-checksum-md5",
            "The MD5 you specified did not match the calculated checksum." },
        [CHORUS_CHECKSUM_SHA1] = { "x-amz-checksum-sha1",
            "The SHA1 you specified did not match the calculated checksum." },
        [CHORUS_CHECKSUM_SHA256] = { "x-amz-checksum-sha256",
            "The SHA256 you specified did not match the calculated "
            "checksum." },
        [CHORUS_CHECKSUM_SHA512] = { "x-amz-checksum-sha512",
            "The SHA512 you specified did not match the calculated "
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
        test_row(openssl_is_out_of_memory),
        test_row(no_memory_for_the_decoder)
    };

    /* before OpenSSL has allocated anything */

    if (CRYPTO_set_mem_functions(scarce_malloc, scarce_realloc, scarce_free)
        != 1)
    {
        return 1;
    }

    return cmocka_run_group_tests(tests, key_setup, crypto_teardown);
}
