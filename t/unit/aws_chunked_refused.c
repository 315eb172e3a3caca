/*
 * aws-chunked as it is refused: each refusal, every place where a body can be
 * cut off or changed; never is all content given out before.
 */

#include "aws_chunked_body.h"


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
        { "x-amz-checksum-xxhash64", UNSIGNED, CHORUS_S3_INVALID_REQUEST },
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


typedef struct {
    const char        *name;
    chorus_str_t       wire;
    uint64_t           decoded_len;
    const char        *trailer;
    chorus_s3_code_t   expected;
} malformed_t;


static const malformed_t  malformed_sizes[] = {

    { "no size", chorus_str("\r\n"), 9, NULL,
      CHORUS_S3_INCOMPLETE_BODY },
    { "no size where 0 would do", chorus_str("\r\n\r\n"), 0, NULL,
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
};


static const malformed_t  malformed_lines[] = {

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
};


static const malformed_t  malformed_trailers[] = {

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


static void
check_malformed(const malformed_t *rows, size_t n)
{
    size_t    i;
    body_t    body;
    result_t  result;

    for (i = 0; i < n; i++) {
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


static void
malformed_bodies(void **state)
{
    (void) state;

    check_malformed(malformed_sizes, NROWS(malformed_sizes));
    check_malformed(malformed_lines, NROWS(malformed_lines));
    check_malformed(malformed_trailers, NROWS(malformed_trailers));
}


/* Before any content is read, whatever length is declared. */
static void
sizes_of_2_63_are_no_sizes(void **state)
{
    size_t    i;
    body_t    body;
    result_t  result;

    static const char  *rows[] = {
        "8000000000000000\r\n", "ffffffffffffffff\r\n",
        "10000000000000000\r\n"
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        body_begin(&body, UNSIGNED);
        chorus_buf_text(&body.wire, rows[i]);
        body.options.decoded_len = UINT64_MAX;

        result = decode_whole(&body);
        check_refused(rows[i], &result, CHORUS_S3_INCOMPLETE_BODY);
        check_str(rows[i], result.refusal.message,
                  "The request body terminated unexpectedly.");
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


test_main(key_setup, crypto_teardown,
    test_row(announcements),
    test_row(malformed_bodies),
    test_row(sizes_of_2_63_are_no_sizes),
    test_row(malformed_signatures),
    test_row(signed_trailers),
    test_row(chunks_out_of_order),
    test_row(only_the_last_chunk_may_be_small),
    test_row(cut_off_at_every_byte),
    test_row(no_byte_can_be_changed),
    test_row(lines_are_bounded),
    test_row(behind_the_end_in_a_call_of_its_own)
)
