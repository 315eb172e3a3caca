/* What the encoder of aws-chunked writes, and the decoder reads. */

#include "aws_chunked_body.h"


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
        for (algorithm = 0; algorithm <= CHORUS_CHECKSUM_SHA512;
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


test_main(key_setup, crypto_teardown,
    test_row(what_is_encoded_is_decoded),
    test_row(encoded_text)
)
