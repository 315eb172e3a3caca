/* The encoder of aws-chunked: unsigned chunks and a trailing checksum. */

#include <string.h>

#include "chorus_aws_chunked.h"


/* The lower-case hex digits of `value` without leading zeros. */
static size_t
encode_hex(char *out, uint64_t value)
{
    size_t    i, n;
    uint64_t  rest;

    n = 1;

    for (rest = value >> 4; rest != 0; rest >>= 4) {
        n++;
    }

    for (i = n; i > 0; i--) {
        out[i - 1] = "0123456789abcdef"[value & 0xf];
        value >>= 4;
    }

    return n;
}


static uint64_t
encode_chunk_len(uint64_t len)
{
    char  digits[16];

    return encode_hex(digits, len) + 2 + len + 2;
}


static char *
encode_add(char *out, chorus_str_t s)
{
    memcpy(out, s.data, s.len);

    return out + s.len;
}


uint64_t
chorus_aws_chunked_encoded_len(uint64_t decoded_len,
    chorus_checksum_algorithm_t trailer)
{
    uint64_t  len, rest;

    len = decoded_len / CHORUS_AWS_CHUNKED_FRAME
          * encode_chunk_len(CHORUS_AWS_CHUNKED_FRAME);

    rest = decoded_len % CHORUS_AWS_CHUNKED_FRAME;

    if (rest != 0) {
        len += encode_chunk_len(rest);
    }

    len += strlen("0\r\n" "\r\n");

    if (trailer != CHORUS_CHECKSUM_NONE) {
        len += chorus_checksum_header(trailer).len + strlen(":" "\r\n")
               + chorus_checksum_text_len(trailer);
    }

    return len;
}


void
chorus_aws_chunked_encoder_begin(chorus_aws_chunked_encoder_t *encoder,
    uint64_t decoded_len)
{
    encoder->left = decoded_len;
    encoder->frame_left = 0;
    encoder->is_begun = false;
}


size_t
chorus_aws_chunked_encoder_step(chorus_aws_chunked_encoder_t *encoder,
    size_t available, char text[CHORUS_AWS_CHUNKED_TEXT_MAX_LEN],
    size_t *take)
{
    char  *out;

    out = text;
    *take = 0;

    if (available == 0 || encoder->left == 0) {
        return 0;
    }

    if (encoder->frame_left == 0) {

        encoder->frame_left = encoder->left < CHORUS_AWS_CHUNKED_FRAME
                              ? encoder->left : CHORUS_AWS_CHUNKED_FRAME;

        if (encoder->is_begun) {
            out = encode_add(out, chorus_str("\r\n"));
        }

        out += encode_hex(out, encoder->frame_left);
        out = encode_add(out, chorus_str("\r\n"));

        encoder->is_begun = true;
    }

    *take = available < encoder->frame_left ? available
                                            : (size_t) encoder->frame_left;
    encoder->frame_left -= *take;
    encoder->left -= *take;

    return (size_t) (out - text);
}


size_t
chorus_aws_chunked_encoder_end(const chorus_aws_chunked_encoder_t *encoder,
    chorus_checksum_algorithm_t algorithm, chorus_str_t checksum,
    char text[CHORUS_AWS_CHUNKED_END_MAX_LEN])
{
    char  *out;

    if (encoder->left != 0
        || checksum.len != chorus_checksum_text_len(algorithm))
    {
        return 0;
    }

    out = text;

    if (encoder->is_begun) {
        out = encode_add(out, chorus_str("\r\n"));
    }

    out = encode_add(out, chorus_str("0\r\n"));

    if (algorithm != CHORUS_CHECKSUM_NONE) {
        out = encode_add(out, chorus_checksum_header(algorithm));
        out = encode_add(out, chorus_str(":"));
        out = encode_add(out, checksum);
        out = encode_add(out, chorus_str("\r\n"));
    }

    out = encode_add(out, chorus_str("\r\n"));

    return (size_t) (out - text);
}
