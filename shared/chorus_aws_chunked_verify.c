/*
 * What aws-chunked promises: the signature of each chunk over the one before
 * it, that of the trailers, and the checksum of the content.
 */

#include <string.h>

#include "chorus_aws_chunked_state.h"


/* the first line of a string to sign; the two are of one length */
#define CHUNK_PAYLOAD  "AWS4-HMAC-SHA256-PAYLOAD\n"
#define CHUNK_TRAILER  "AWS4-HMAC-SHA256-TRAILER\n"

/* what stands behind date and scope: the signature before, and two hashes */
#define CHUNK_TAIL_MAX_LEN  (3 * (CHORUS_SIGNATURE_LEN + 1))


/* what S3 says about the checksum in a trailer */
typedef struct {
    chorus_str_t  invalid;
    chorus_str_t  differs;
} chunk_messages_t;

#define CHUNK_MESSAGES(name, header)                                          \
    { chorus_str("Value for x-amz-checksum-" header                           \
                 " trailing header is invalid."),                             \
      chorus_str("The " name " you specified did not match the calculated "   \
                 "checksum.") }

static const chunk_messages_t  chunk_messages[] = {
    [CHORUS_CHECKSUM_CRC32] = CHUNK_MESSAGES("CRC32", "crc32"),
    [CHORUS_CHECKSUM_CRC32C] = CHUNK_MESSAGES("CRC32C", "crc32c"),
    [CHORUS_CHECKSUM_CRC64NVME] = CHUNK_MESSAGES("CRC64NVME", "crc64nvme"),
    [CHORUS_CHECKSUM_MD5] = CHUNK_MESSAGES("MD5", "md5"),
    [CHORUS_CHECKSUM_SHA1] = CHUNK_MESSAGES("SHA1", "sha1"),
    [CHORUS_CHECKSUM_SHA256] = CHUNK_MESSAGES("SHA256", "sha256"),
    [CHORUS_CHECKSUM_SHA512] = CHUNK_MESSAGES("SHA512", "sha512"),
};


chorus_rc_t
chorus_aws_chunked_fail(chorus_aws_chunked_t *chunked, chorus_s3_code_t code,
    chorus_str_t message)
{
    chunked->state = CHORUS_CHUNK_FAILED;
    chunked->refusal.code = code;
    chunked->refusal.message = message;

    return CHORUS_ERROR;
}


chorus_rc_t
chorus_aws_chunked_malformed(chorus_aws_chunked_t *chunked)
{
    return chorus_aws_chunked_fail(chunked, CHORUS_S3_INCOMPLETE_BODY,
        chorus_str("The request body terminated unexpectedly."));
}


chorus_rc_t
chorus_aws_chunked_bad_trailer(chorus_aws_chunked_t *chunked)
{
    return chorus_aws_chunked_fail(chunked, CHORUS_S3_INVALID_REQUEST,
        chorus_str("The request contained trailing data that was not "
                   "well-formed or did not conform to our published schema."));
}


chorus_rc_t
chorus_aws_chunked_bad_checksum(chorus_aws_chunked_t *chunked)
{
    return chorus_aws_chunked_fail(chunked, CHORUS_S3_INVALID_REQUEST,
                                   chunk_messages[chunked->algorithm].invalid);
}


chorus_rc_t
chorus_aws_chunked_broken(chorus_aws_chunked_t *chunked)
{
    return chorus_aws_chunked_fail(chunked, CHORUS_S3_INTERNAL_ERROR,
                                   chorus_null_str);
}


/* ---- signatures ---- */


bool
chorus_aws_chunked_is_signed(const chorus_aws_chunked_t *chunked)
{
    return chunked->form != CHORUS_AWS_CHUNKED_UNSIGNED_TRAILER;
}


bool
chorus_aws_chunked_is_signature(chorus_str_t s)
{
    return s.len == CHORUS_SIGNATURE_LEN
           && chorus_str_is_of(s, CHORUS_CHAR_LOWER_HEX);
}


static char *
chunk_add(char *out, const void *data, size_t len)
{
    memcpy(out, data, len);

    return out + len;
}


size_t
chorus_aws_chunked_string_to_sign_len(
    const chorus_aws_chunked_options_t *options)
{
    return strlen(CHUNK_PAYLOAD) + options->date.len + 1 + options->scope.len
           + 1 + CHUNK_TAIL_MAX_LEN;
}


void
chorus_aws_chunked_sign_as(chorus_aws_chunked_t *chunked,
    const chorus_aws_chunked_options_t *options)
{
    char  *out;

    out = chunked->string_to_sign;
    out = chunk_add(out, CHUNK_PAYLOAD, strlen(CHUNK_PAYLOAD));
    out = chunk_add(out, options->date.data, options->date.len);
    *out++ = '\n';
    out = chunk_add(out, options->scope.data, options->scope.len);
    *out++ = '\n';

    chunked->head_len = (size_t) (out - chunked->string_to_sign);

    memcpy(chunked->previous, options->signature.data, CHORUS_SIGNATURE_LEN);
    memcpy(chunked->key, options->key, CHORUS_SHA256_LEN);
}


/* `signature` against the one of `algorithm` over the hash. */
static chorus_rc_t
chunk_verify(chorus_aws_chunked_t *chunked, chorus_str_t algorithm,
    const unsigned char hash[CHORUS_SHA256_LEN])
{
    char          *out;
    char           expected[CHORUS_SIGNATURE_LEN];
    chorus_str_t   text;

    (void) chunk_add(chunked->string_to_sign, algorithm.data, algorithm.len);

    out = chunked->string_to_sign + chunked->head_len;
    out = chunk_add(out, chunked->previous, CHORUS_SIGNATURE_LEN);
    *out++ = '\n';

    if (chunked->state != CHORUS_CHUNK_TRAILERS) {
        out = chunk_add(out, CHORUS_EMPTY_SHA256 "\n",
                        CHORUS_SIGNATURE_LEN + 1);
    }

    chorus_hex(out, hash, CHORUS_SHA256_LEN);
    out += CHORUS_SIGNATURE_LEN;

    text.data = chunked->string_to_sign;
    text.len = (size_t) (out - chunked->string_to_sign);

    if (!chorus_sigv4_signature(chunked->crypto, chunked->key, text,
                                expected))
    {
        return chorus_aws_chunked_broken(chunked);
    }

    if (!chorus_secret_eq(
            (chorus_str_t) { expected, CHORUS_SIGNATURE_LEN },
            (chorus_str_t) { chunked->signature, CHORUS_SIGNATURE_LEN }))
    {
        chorus_secret_wipe(expected, sizeof(expected));

        return chorus_aws_chunked_fail(chunked,
            CHORUS_S3_SIGNATURE_DOES_NOT_MATCH, chorus_null_str);
    }

    memcpy(chunked->previous, expected, CHORUS_SIGNATURE_LEN);

    return CHORUS_OK;
}


chorus_rc_t
chorus_aws_chunked_verify_data(chorus_aws_chunked_t *chunked)
{
    unsigned char  hash[CHORUS_SHA256_LEN];

    if (!chorus_aws_chunked_is_signed(chunked)) {
        return CHORUS_OK;
    }

    if (!chorus_digest_end(chunked->digest, hash)) {
        return chorus_aws_chunked_broken(chunked);
    }

    return chunk_verify(chunked, chorus_str(CHUNK_PAYLOAD), hash);
}


/* The canonical form of the trailers, of which there is at most one. */
chorus_rc_t
chorus_aws_chunked_verify_trailer(chorus_aws_chunked_t *chunked)
{
    char           *out;
    char            text[CHORUS_AWS_CHUNKED_END_MAX_LEN];
    chorus_str_t    name;
    unsigned char   hash[CHORUS_SHA256_LEN];

    out = text;

    if (chunked->has_trailer) {
        name = chorus_checksum_header(chunked->algorithm);
        out = chunk_add(out, name.data, name.len);
        *out++ = ':';
        out = chunk_add(out, chunked->value,
                        chorus_checksum_text_len(chunked->algorithm));
        *out++ = '\n';
    }

    if (!chorus_sha256(chunked->crypto,
                       (chorus_str_t) { text, (size_t) (out - text) }, hash))
    {
        return chorus_aws_chunked_broken(chunked);
    }

    return chunk_verify(chunked, chorus_str(CHUNK_TRAILER), hash);
}


/* ---- checksum ---- */


/* Whether `value` is base64 as `text`, of the same length, is. */
static bool
chunk_is_base64_like(const char *value, const char *text, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {

        if (text[i] == '=' ? value[i] != '='
                           : !chorus_is_alnum(value[i]) && value[i] != '+'
                             && value[i] != '/')
        {
            return false;
        }
    }

    return true;
}


chorus_rc_t
chorus_aws_chunked_verify_checksum(chorus_aws_chunked_t *chunked)
{
    char    text[CHORUS_CHECKSUM_TEXT_MAX_LEN];
    size_t  len;

    len = chorus_checksum_text_len(chunked->algorithm);

    if (!chorus_checksum_end(chunked->checksum, text)) {
        return chorus_aws_chunked_broken(chunked);
    }

    if (!chunk_is_base64_like(chunked->value, text, len)) {
        return chorus_aws_chunked_bad_checksum(chunked);
    }

    if (memcmp(chunked->value, text, len) != 0) {
        return chorus_aws_chunked_fail(chunked, CHORUS_S3_BAD_DIGEST,
            chunk_messages[chunked->algorithm].differs);
    }

    return CHORUS_OK;
}
