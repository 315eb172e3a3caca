/* The decoder of aws-chunked: a state for each part of the body. */

#include <stdlib.h>
#include <string.h>

#include "chorus_aws_chunked_state.h"


/* the bytes of one call: content moves to the front as it is found */
typedef struct {
    char    *data;
    size_t   len;
    size_t   read;
    size_t   written;
} chunk_bytes_t;


chorus_aws_chunked_form_t
chorus_aws_chunked_form(chorus_str_t payload)
{
    size_t  i;

    static const chorus_str_t  forms[] = {
        [CHORUS_AWS_CHUNKED_SIGNED] =
            chorus_str("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
        [CHORUS_AWS_CHUNKED_SIGNED_TRAILER] =
            chorus_str("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"),
        [CHORUS_AWS_CHUNKED_UNSIGNED_TRAILER] =
            chorus_str(CHORUS_AWS_CHUNKED_UNSIGNED)
    };

    for (i = CHORUS_AWS_CHUNKED_SIGNED; i < sizeof(forms) / sizeof(forms[0]);
         i++)
    {
        if (chorus_str_eq(payload, forms[i])) {
            return (chorus_aws_chunked_form_t) i;
        }
    }

    return CHORUS_AWS_CHUNKED_NONE;
}


/* ---- lines and data ---- */


static chorus_rc_t
chunk_line_malformed(chorus_aws_chunked_t *chunked)
{
    return chunked->state == CHORUS_CHUNK_TRAILERS
           ? chorus_aws_chunked_bad_trailer(chunked)
           : chorus_aws_chunked_malformed(chunked);
}


/*
 * One more byte of a line.  Lines end with CRLF, nothing else does, and there
 * is no other CR or LF in them; but minio-go ends a trailer as it is hashed,
 * "name:value\n", and sends the CRLF behind that.
 */
static bool
chunk_line_takes(const chorus_aws_chunked_t *chunked, char c)
{
    char  before;

    before = chunked->line_len == 0 ? '\0'
                                    : chunked->line[chunked->line_len - 1];

    if (before == '\r') {
        return c == '\n';
    }

    if (before == '\n') {
        return c == '\r';
    }

    return c != '\n'
           || (chunked->state == CHORUS_CHUNK_TRAILERS
               && chunked->line_len != 0);
}


/* The line without its end; the null string while there is none. */
static chorus_str_t
chunk_line(chorus_aws_chunked_t *chunked, char c)
{
    size_t  len;

    len = chunked->line_len;
    chunked->line[chunked->line_len++] = c;

    if (c != '\n' || len == 0 || chunked->line[len - 1] != '\r') {
        return chorus_null_str;
    }

    len--;

    if (len != 0 && chunked->line[len - 1] == '\n') {
        len--;
    }

    chunked->line_len = 0;

    return (chorus_str_t) { chunked->line, len };
}


static chorus_rc_t
chunk_read_line(chorus_aws_chunked_t *chunked, chunk_bytes_t *bytes)
{
    char          c;
    chorus_str_t  line;

    while (bytes->read < bytes->len) {

        c = bytes->data[bytes->read++];

        if (chunked->line_len == CHORUS_AWS_CHUNKED_LINE_MAX_LEN
            || !chunk_line_takes(chunked, c))
        {
            return chunk_line_malformed(chunked);
        }

        line = chunk_line(chunked, c);

        if (line.data != NULL) {
            return chunked->state == CHORUS_CHUNK_TRAILERS
                   ? chorus_aws_chunked_trailer(chunked, line)
                   : chorus_aws_chunked_header(chunked, line);
        }
    }

    return CHORUS_OK;
}


static chorus_rc_t
chunk_read_data(chorus_aws_chunked_t *chunked, chunk_bytes_t *bytes)
{
    size_t        n;
    chorus_str_t  piece;

    n = bytes->len - bytes->read;
    if (n > chunked->left) {
        n = (size_t) chunked->left;
    }

    piece.data = bytes->data + bytes->read;
    piece.len = n;

    if ((chorus_aws_chunked_is_signed(chunked)
         && !chorus_digest_update(chunked->digest, piece))
        || (chunked->checksum != NULL
            && !chorus_checksum_update(chunked->checksum, piece)))
    {
        return chorus_aws_chunked_broken(chunked);
    }

    chunked->left -= n;
    bytes->read += n;

    if (chunked->left == 0) {
        chunked->state = CHORUS_CHUNK_DATA_CR;

        if (chunked->missing == 0) {
            chunked->last = piece.data[--n];
            chunked->has_last = true;
        }
    }

    if (bytes->data + bytes->written != piece.data) {
        memmove(bytes->data + bytes->written, piece.data, n);
    }

    bytes->written += n;

    return CHORUS_OK;
}


/* The CRLF behind the data, and with it the end of the chunk. */
static chorus_rc_t
chunk_read_data_end(chorus_aws_chunked_t *chunked, chunk_bytes_t *bytes)
{
    char  c;

    c = bytes->data[bytes->read++];

    if (chunked->state == CHORUS_CHUNK_DATA_CR) {
        chunked->state = CHORUS_CHUNK_DATA_LF;
        return c == '\r' ? CHORUS_OK : chorus_aws_chunked_malformed(chunked);
    }

    if (c != '\n') {
        return chorus_aws_chunked_malformed(chunked);
    }

    chunked->state = CHORUS_CHUNK_HEADER;

    return chorus_aws_chunked_verify_data(chunked);
}


static chorus_rc_t
chunk_read(chorus_aws_chunked_t *chunked, chunk_bytes_t *bytes)
{
    switch (chunked->state) {

    case CHORUS_CHUNK_HEADER:
    case CHORUS_CHUNK_TRAILERS:
        return chunk_read_line(chunked, bytes);

    case CHORUS_CHUNK_DATA:
        return chunk_read_data(chunked, bytes);

    case CHORUS_CHUNK_DATA_CR:
    case CHORUS_CHUNK_DATA_LF:
        return chunk_read_data_end(chunked, bytes);

    case CHORUS_CHUNK_DONE:
        return chorus_aws_chunked_fail(chunked, CHORUS_S3_INVALID_REQUEST,
            chorus_str("The request body goes on behind its end."));

    case CHORUS_CHUNK_FAILED:
        break;
    }

    return CHORUS_ERROR;
}


chorus_rc_t
chorus_aws_chunked_decode(chorus_aws_chunked_t *chunked, char *data,
    size_t len, size_t *decoded, chorus_s3_refusal_t *refusal)
{
    chunk_bytes_t  bytes = { data, len, 0, 0 };

    *decoded = 0;

    while (bytes.read < len || chunked->state == CHORUS_CHUNK_FAILED) {

        if (chunk_read(chunked, &bytes) != CHORUS_OK) {
            *refusal = chunked->refusal;
            return CHORUS_ERROR;
        }
    }

    if (chunked->state == CHORUS_CHUNK_DONE && chunked->has_last) {

        /* there is room: the line that ended the body was read just now */

        data[bytes.written++] = chunked->last;
        chunked->has_last = false;
    }

    *decoded = bytes.written;

    return CHORUS_OK;
}


chorus_rc_t
chorus_aws_chunked_end(const chorus_aws_chunked_t *chunked,
    chorus_s3_refusal_t *refusal)
{
    if (chunked->state == CHORUS_CHUNK_DONE) {
        return CHORUS_OK;
    }

    *refusal = chunked->refusal;

    if (chunked->state != CHORUS_CHUNK_FAILED) {
        refusal->code = CHORUS_S3_INCOMPLETE_BODY;
    }

    return CHORUS_ERROR;
}


bool
chorus_aws_chunked_is_done(const chorus_aws_chunked_t *chunked)
{
    return chunked->state == CHORUS_CHUNK_DONE;
}


chorus_str_t
chorus_aws_chunked_checksum(const chorus_aws_chunked_t *chunked,
    chorus_checksum_algorithm_t *algorithm)
{
    if (chunked->state != CHORUS_CHUNK_DONE || !chunked->has_trailer) {
        *algorithm = CHORUS_CHECKSUM_NONE;
        return chorus_null_str;
    }

    *algorithm = chunked->algorithm;

    return (chorus_str_t) { chunked->value,
                            chorus_checksum_text_len(chunked->algorithm) };
}


/* ---- create, destroy ---- */


/* At most one name, and that of a checksum. */
static bool
chunk_parse_announced(const chorus_aws_chunked_options_t *options,
    chorus_checksum_algorithm_t *algorithm)
{
    chorus_str_t  name;

    name = chorus_str_trim(options->trailer);

    if (name.len == 0) {
        return true;
    }

    *algorithm = chorus_checksum_of_header(name);

    return *algorithm != CHORUS_CHECKSUM_NONE
           && options->form != CHORUS_AWS_CHUNKED_SIGNED;
}


/* Which refusal `options` alone are worth. */
static chorus_s3_refusal_t
chunk_check_options(const chorus_aws_chunked_options_t *options,
    chorus_checksum_algorithm_t *algorithm)
{
    chorus_s3_refusal_t  refusal;

    memset(&refusal, 0, sizeof(chorus_s3_refusal_t));
    *algorithm = CHORUS_CHECKSUM_NONE;

    if (options->form == CHORUS_AWS_CHUNKED_NONE) {
        refusal.code = CHORUS_S3_INTERNAL_ERROR;

    } else if (!chunk_parse_announced(options, algorithm)) {
        refusal.code = CHORUS_S3_INVALID_REQUEST;
        refusal.message = chorus_str("The value specified in the "
                                     "x-amz-trailer header is not supported");

    } else if (options->form != CHORUS_AWS_CHUNKED_UNSIGNED_TRAILER
               && !chorus_aws_chunked_is_signature(options->signature))
    {
        refusal.code = CHORUS_S3_SIGNATURE_DOES_NOT_MATCH;
    }

    return refusal;
}


static chorus_aws_chunked_t *
chunk_create(chorus_crypto_t *crypto,
    const chorus_aws_chunked_options_t *options)
{
    size_t                 size;
    chorus_aws_chunked_t  *chunked;

    size = sizeof(chorus_aws_chunked_t);

    if (options->form != CHORUS_AWS_CHUNKED_UNSIGNED_TRAILER) {
        size += chorus_aws_chunked_string_to_sign_len(options);
    }

    chunked = calloc(1, size);
    if (chunked == NULL) {
        return NULL;
    }

    chunked->crypto = crypto;
    chunked->form = options->form;
    chunked->missing = options->decoded_len;

    if (chorus_aws_chunked_is_signed(chunked)) {
        chorus_aws_chunked_sign_as(chunked, options);
    }

    return chunked;
}


chorus_aws_chunked_t *
chorus_aws_chunked_create(chorus_crypto_t *crypto,
    const chorus_aws_chunked_options_t *options, chorus_s3_refusal_t *refusal)
{
    chorus_aws_chunked_t         *chunked;
    chorus_checksum_algorithm_t   algorithm;

    *refusal = chunk_check_options(options, &algorithm);

    if (refusal->code != CHORUS_S3_OK) {
        return NULL;
    }

    chunked = chunk_create(crypto, options);
    if (chunked == NULL) {
        refusal->code = CHORUS_S3_INTERNAL_ERROR;
        return NULL;
    }

    if (chorus_aws_chunked_is_signed(chunked)) {
        chunked->digest = chorus_digest_create(CHORUS_DIGEST_SHA256);
    }

    if (algorithm != CHORUS_CHECKSUM_NONE) {
        chunked->algorithm = algorithm;
        chunked->checksum = chorus_checksum_create(algorithm);
    }

    if ((chorus_aws_chunked_is_signed(chunked) && chunked->digest == NULL)
        || (algorithm != CHORUS_CHECKSUM_NONE && chunked->checksum == NULL))
    {
        chorus_aws_chunked_destroy(chunked);
        refusal->code = CHORUS_S3_INTERNAL_ERROR;
        return NULL;
    }

    return chunked;
}


void
chorus_aws_chunked_destroy(chorus_aws_chunked_t *chunked)
{
    if (chunked == NULL) {
        return;
    }

    chorus_digest_destroy(chunked->digest);
    chorus_checksum_destroy(chunked->checksum);
    chorus_secret_wipe(chunked, sizeof(chorus_aws_chunked_t));
    free(chunked);
}
