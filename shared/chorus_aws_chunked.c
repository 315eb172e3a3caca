/* The decoder of aws-chunked: a state for each part of the body. */

#include <stdlib.h>
#include <string.h>

#include "chorus_aws_chunked.h"
#include "chorus_sigv4.h"

#define CHUNK_PAYLOAD    "AWS4-HMAC-SHA256-PAYLOAD\n"
#define CHUNK_TRAILER    "AWS4-HMAC-SHA256-TRAILER\n"
#define CHUNK_SIGNATURE  ";chunk-signature="

/* what stands behind date and scope: the signature before, and two hashes */
#define CHUNK_TAIL_MAX_LEN  (3 * (CHORUS_SIGNATURE_LEN + 1))


typedef enum {
    CHUNK_HEADER = 0,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_TRAILERS,
    CHUNK_DONE,
    CHUNK_FAILED
} chunk_state_t;

struct chorus_aws_chunked_s {
    chorus_crypto_t              *crypto;
    chorus_aws_chunked_form_t     form;
    chunk_state_t                 state;
    chorus_s3_refusal_t           refusal;      /* when failed */

    uint64_t                      left;         /* of the chunk's data */
    uint64_t                      missing;      /* in no chunk so far */
    bool                          is_small;     /* the chunk before was */

    bool                          has_last;
    char                          last;         /* byte of the content */

    chorus_checksum_algorithm_t   algorithm;    /* that is announced */
    chorus_checksum_t            *checksum;
    chorus_digest_t              *digest;       /* of the chunk, if signed */

    bool                          has_trailer;
    bool                          has_signature;    /* of the trailer */
    size_t                        ntrailers;
    size_t                        trailers_len;
    char                          value[CHORUS_CHECKSUM_TEXT_MAX_LEN];

    unsigned char                 key[CHORUS_SHA256_LEN];
    char                          signature[CHORUS_SIGNATURE_LEN];
    char                          previous[CHORUS_SIGNATURE_LEN];

    size_t                        line_len;
    char                          line[CHORUS_AWS_CHUNKED_LINE_MAX_LEN];

    size_t                        head_len;     /* up to the scope's LF */
    char                          string_to_sign[];
};

/* the bytes of one call: content moves to the front as it is found */
typedef struct {
    char    *data;
    size_t   len;
    size_t   read;
    size_t   written;
} chunk_bytes_t;


#define CHUNK_MALFORMED  chorus_str("The request body terminated unexpectedly")

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
    [CHORUS_CHECKSUM_SHA1] = CHUNK_MESSAGES("SHA1", "sha1"),
    [CHORUS_CHECKSUM_SHA256] = CHUNK_MESSAGES("SHA256", "sha256"),
};


/* The null string: the message of the code. */
static chorus_rc_t
chunk_fail(chorus_aws_chunked_t *chunked, chorus_s3_code_t code,
    chorus_str_t message)
{
    chunked->state = CHUNK_FAILED;
    chunked->refusal.code = code;
    chunked->refusal.message = message;

    return CHORUS_ERROR;
}


static chorus_rc_t
chunk_malformed(chorus_aws_chunked_t *chunked)
{
    return chunk_fail(chunked, CHORUS_S3_INCOMPLETE_BODY, CHUNK_MALFORMED);
}


static chorus_rc_t
chunk_bad_trailer(chorus_aws_chunked_t *chunked)
{
    return chunk_fail(chunked, CHORUS_S3_INVALID_REQUEST,
        chorus_str("The request contained trailing data that was not "
                   "well-formed or did not conform to our published schema."));
}


static chorus_rc_t
chunk_bad_checksum(chorus_aws_chunked_t *chunked)
{
    return chunk_fail(chunked, CHORUS_S3_INVALID_REQUEST,
                      chunk_messages[chunked->algorithm].invalid);
}


static chorus_rc_t
chunk_broken(chorus_aws_chunked_t *chunked)
{
    return chunk_fail(chunked, CHORUS_S3_INTERNAL_ERROR, chorus_null_str);
}


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


/* ---- signatures ---- */


static bool
chunk_is_signed(const chorus_aws_chunked_t *chunked)
{
    return chunked->form != CHORUS_AWS_CHUNKED_UNSIGNED_TRAILER;
}


static bool
chunk_is_signature(chorus_str_t s)
{
    return s.len == CHORUS_SIGNATURE_LEN && chorus_is_lower_hex(s);
}


static char *
chunk_add(char *out, const void *data, size_t len)
{
    memcpy(out, data, len);

    return out + len;
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

    if (chunked->state != CHUNK_TRAILERS) {
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
        return chunk_broken(chunked);
    }

    if (!chorus_secret_eq(
            (chorus_str_t) { expected, CHORUS_SIGNATURE_LEN },
            (chorus_str_t) { chunked->signature, CHORUS_SIGNATURE_LEN }))
    {
        chorus_secret_wipe(expected, sizeof(expected));

        return chunk_fail(chunked, CHORUS_S3_SIGNATURE_DOES_NOT_MATCH,
                          chorus_null_str);
    }

    memcpy(chunked->previous, expected, CHORUS_SIGNATURE_LEN);

    return CHORUS_OK;
}


/* All data of the chunk is there. */
static chorus_rc_t
chunk_verify_data(chorus_aws_chunked_t *chunked)
{
    unsigned char  hash[CHORUS_SHA256_LEN];

    if (!chunk_is_signed(chunked)) {
        return CHORUS_OK;
    }

    if (!chorus_digest_end(chunked->digest, hash)) {
        return chunk_broken(chunked);
    }

    return chunk_verify(chunked, chorus_str(CHUNK_PAYLOAD), hash);
}


/* The canonical form of the trailers, of which there is at most one. */
static chorus_rc_t
chunk_verify_trailer(chorus_aws_chunked_t *chunked)
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
        return chunk_broken(chunked);
    }

    return chunk_verify(chunked, chorus_str(CHUNK_TRAILER), hash);
}


/* ---- chunk headers ---- */


/* Cuts the hex digits off `line`; leading zeros are as in HTTP. */
static bool
chunk_parse_size(chorus_str_t *line, uint64_t *size)
{
    int     digit;
    size_t  i;

    *size = 0;

    for (i = 0; i < line->len; i++) {

        digit = chorus_hex_digit(line->data[i]);
        if (digit < 0) {
            break;
        }

        if (*size >= UINT64_C(1) << 59) {       /* 2^63 and above */
            return false;
        }

        *size = *size << 4 | (uint64_t) digit;
    }

    *line = chorus_str_sub(*line, i);

    return i != 0;
}


/* What stands behind the size. */
static bool
chunk_parse_extension(chorus_aws_chunked_t *chunked, chorus_str_t extension)
{
    if (!chunk_is_signed(chunked)) {
        return extension.len == 0;
    }

    if (!chorus_str_starts(extension, chorus_str(CHUNK_SIGNATURE))) {
        return false;
    }

    extension = chorus_str_sub(extension, strlen(CHUNK_SIGNATURE));

    if (!chunk_is_signature(extension)) {
        return false;
    }

    memcpy(chunked->signature, extension.data, CHORUS_SIGNATURE_LEN);

    return true;
}


/* The chunk of size 0: the content is over. */
static chorus_rc_t
chunk_last(chorus_aws_chunked_t *chunked)
{
    if (chunk_verify_data(chunked) != CHORUS_OK) {
        return CHORUS_ERROR;
    }

    if (chunked->missing != 0) {
        return chunk_fail(chunked, CHORUS_S3_INCOMPLETE_BODY,
                          chorus_null_str);
    }

    chunked->state = CHUNK_TRAILERS;

    return CHORUS_OK;
}


static chorus_rc_t
chunk_header(chorus_aws_chunked_t *chunked, chorus_str_t line)
{
    uint64_t  size;

    if (!chunk_parse_size(&line, &size)
        || !chunk_parse_extension(chunked, line))
    {
        return chunk_malformed(chunked);
    }

    if (chunk_is_signed(chunked) && !chorus_digest_begin(chunked->digest)) {
        return chunk_broken(chunked);
    }

    if (size == 0) {
        return chunk_last(chunked);
    }

    if (chunked->is_small && chunk_is_signed(chunked)) {
        return chunk_fail(chunked, CHORUS_S3_INVALID_CHUNK_SIZE,
                          chorus_null_str);
    }

    if (size > chunked->missing) {
        return chunk_fail(chunked, CHORUS_S3_INCOMPLETE_BODY,
                          chorus_null_str);
    }

    chunked->is_small = size < CHORUS_AWS_CHUNKED_MIN_CHUNK;
    chunked->missing -= size;
    chunked->left = size;
    chunked->state = CHUNK_DATA;

    return CHORUS_OK;
}


/* ---- trailers ---- */


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


static chorus_rc_t
chunk_verify_checksum(chorus_aws_chunked_t *chunked)
{
    char    text[CHORUS_CHECKSUM_TEXT_MAX_LEN];
    size_t  len;

    len = chorus_checksum_text_len(chunked->algorithm);

    if (!chorus_checksum_end(chunked->checksum, text)) {
        return chunk_broken(chunked);
    }

    if (!chunk_is_base64_like(chunked->value, text, len)) {
        return chunk_bad_checksum(chunked);
    }

    if (memcmp(chunked->value, text, len) != 0) {
        return chunk_fail(chunked, CHORUS_S3_BAD_DIGEST,
                          chunk_messages[chunked->algorithm].differs);
    }

    return CHORUS_OK;
}


/* The empty line: all is there, or it is missing. */
static chorus_rc_t
chunk_finish(chorus_aws_chunked_t *chunked)
{
    bool  has_any;

    has_any = chunked->has_trailer || chunked->has_signature;

    if (chunked->has_trailer != (chunked->algorithm != CHORUS_CHECKSUM_NONE)) {
        return chunk_bad_trailer(chunked);
    }

    if (has_any && chunk_is_signed(chunked)) {

        if (!chunked->has_signature) {
            return chunk_bad_trailer(chunked);
        }

        if (chunk_verify_trailer(chunked) != CHORUS_OK) {
            return CHORUS_ERROR;
        }
    }

    if (chunked->has_trailer && chunk_verify_checksum(chunked) != CHORUS_OK) {
        return CHORUS_ERROR;
    }

    chunked->state = CHUNK_DONE;

    return CHORUS_OK;
}


/* Views into the line are gone with it: what counts is copied. */
static chorus_rc_t
chunk_trailer(chorus_aws_chunked_t *chunked, chorus_str_t line)
{
    chorus_str_t  name;

    if (line.len == 0) {
        return chunk_finish(chunked);
    }

    /* nothing is behind the signature of the trailers */

    if (chunked->has_signature
        || ++chunked->ntrailers > CHORUS_AWS_CHUNKED_TRAILER_LINES)
    {
        return chunk_bad_trailer(chunked);
    }

    name = chorus_str_trim(chorus_str_cut(&line, ':'));
    line = chorus_str_trim(line);

    if (chunked->form == CHORUS_AWS_CHUNKED_SIGNED_TRAILER
        && chorus_str_caseeq(name, chorus_str("x-amz-trailer-signature"))
        && chunk_is_signature(line))
    {
        memcpy(chunked->signature, line.data, line.len);
        chunked->has_signature = true;

        return CHORUS_OK;
    }

    if (chunked->algorithm == CHORUS_CHECKSUM_NONE || chunked->has_trailer
        || chorus_checksum_of_header(name) != chunked->algorithm)
    {
        return chunk_bad_trailer(chunked);
    }

    if (line.len != chorus_checksum_text_len(chunked->algorithm)) {
        return chunk_bad_checksum(chunked);
    }

    memcpy(chunked->value, line.data, line.len);
    chunked->has_trailer = true;

    return CHORUS_OK;
}


/* ---- lines and data ---- */


static chorus_rc_t
chunk_line_malformed(chorus_aws_chunked_t *chunked)
{
    return chunked->state == CHUNK_TRAILERS ? chunk_bad_trailer(chunked)
                                            : chunk_malformed(chunked);
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

    if (c == '\n') {
        return chunked->state == CHUNK_TRAILERS && chunked->line_len != 0;
    }

    return c != '\0';
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

        if (chunked->state == CHUNK_TRAILERS
            && ++chunked->trailers_len > CHORUS_AWS_CHUNKED_TRAILER_MAX_LEN)
        {
            return chunk_bad_trailer(chunked);
        }

        if (chunked->line_len == CHORUS_AWS_CHUNKED_LINE_MAX_LEN
            || !chunk_line_takes(chunked, c))
        {
            return chunk_line_malformed(chunked);
        }

        line = chunk_line(chunked, c);

        if (line.data != NULL) {
            return chunked->state == CHUNK_TRAILERS
                   ? chunk_trailer(chunked, line)
                   : chunk_header(chunked, line);
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

    if ((chunk_is_signed(chunked)
         && !chorus_digest_update(chunked->digest, piece))
        || (chunked->checksum != NULL
            && !chorus_checksum_update(chunked->checksum, piece)))
    {
        return chunk_broken(chunked);
    }

    chunked->left -= n;
    bytes->read += n;

    if (chunked->left == 0) {
        chunked->state = CHUNK_DATA_CR;

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

    if (chunked->state == CHUNK_DATA_CR) {
        chunked->state = CHUNK_DATA_LF;
        return c == '\r' ? CHORUS_OK : chunk_malformed(chunked);
    }

    if (c != '\n') {
        return chunk_malformed(chunked);
    }

    chunked->state = CHUNK_HEADER;

    return chunk_verify_data(chunked);
}


static chorus_rc_t
chunk_read(chorus_aws_chunked_t *chunked, chunk_bytes_t *bytes)
{
    switch (chunked->state) {

    case CHUNK_HEADER:
    case CHUNK_TRAILERS:
        return chunk_read_line(chunked, bytes);

    case CHUNK_DATA:
        return chunk_read_data(chunked, bytes);

    case CHUNK_DATA_CR:
    case CHUNK_DATA_LF:
        return chunk_read_data_end(chunked, bytes);

    case CHUNK_DONE:
        return chunk_fail(chunked, CHORUS_S3_INVALID_REQUEST,
            chorus_str("The request body goes on behind its end."));

    case CHUNK_FAILED:
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

    while (bytes.read < len || chunked->state == CHUNK_FAILED) {

        if (chunk_read(chunked, &bytes) != CHORUS_OK) {
            *refusal = chunked->refusal;
            return CHORUS_ERROR;
        }
    }

    if (chunked->state == CHUNK_DONE && chunked->has_last) {

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
    if (chunked->state == CHUNK_DONE) {
        return CHORUS_OK;
    }

    *refusal = chunked->refusal;

    if (chunked->state != CHUNK_FAILED) {
        refusal->code = CHORUS_S3_INCOMPLETE_BODY;
    }

    return CHORUS_ERROR;
}


bool
chorus_aws_chunked_is_done(const chorus_aws_chunked_t *chunked)
{
    return chunked->state == CHUNK_DONE;
}


chorus_str_t
chorus_aws_chunked_checksum(const chorus_aws_chunked_t *chunked,
    chorus_checksum_algorithm_t *algorithm)
{
    if (chunked->state != CHUNK_DONE || !chunked->has_trailer) {
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

    *algorithm = CHORUS_CHECKSUM_NONE;
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

    if (options->form == CHORUS_AWS_CHUNKED_NONE) {
        refusal.code = CHORUS_S3_INTERNAL_ERROR;

    } else if (!chunk_parse_announced(options, algorithm)) {
        refusal.code = CHORUS_S3_INVALID_REQUEST;
        refusal.message = chorus_str("The value specified in the "
                                     "x-amz-trailer header is not supported");

    } else if (options->form != CHORUS_AWS_CHUNKED_UNSIGNED_TRAILER
               && !chunk_is_signature(options->signature))
    {
        refusal.code = CHORUS_S3_SIGNATURE_DOES_NOT_MATCH;
    }

    return refusal;
}


/* What every string to sign begins with. */
static void
chunk_copy_signed(chorus_aws_chunked_t *chunked,
    const chorus_aws_chunked_options_t *options)
{
    char  *out;

    out = chunk_add(chunked->string_to_sign, CHUNK_PAYLOAD,
                    strlen(CHUNK_PAYLOAD));
    out = chunk_add(out, options->date.data, options->date.len);
    *out++ = '\n';
    out = chunk_add(out, options->scope.data, options->scope.len);
    *out++ = '\n';

    chunked->head_len = (size_t) (out - chunked->string_to_sign);

    memcpy(chunked->previous, options->signature.data, CHORUS_SIGNATURE_LEN);
    memcpy(chunked->key, options->key, CHORUS_SHA256_LEN);
}


static chorus_aws_chunked_t *
chunk_create(chorus_crypto_t *crypto,
    const chorus_aws_chunked_options_t *options)
{
    size_t                 tail;
    chorus_aws_chunked_t  *chunked;

    tail = options->form == CHORUS_AWS_CHUNKED_UNSIGNED_TRAILER
           ? 0
           : strlen(CHUNK_PAYLOAD) + options->date.len + 1
             + options->scope.len + 1 + CHUNK_TAIL_MAX_LEN;

    chunked = calloc(1, sizeof(chorus_aws_chunked_t) + tail);
    if (chunked == NULL) {
        return NULL;
    }

    chunked->crypto = crypto;
    chunked->form = options->form;
    chunked->missing = options->decoded_len;

    if (tail != 0) {
        chunk_copy_signed(chunked, options);
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

    if (chunk_is_signed(chunked)) {
        chunked->digest = chorus_digest_create(CHORUS_DIGEST_SHA256);
    }

    if (algorithm != CHORUS_CHECKSUM_NONE) {
        chunked->algorithm = algorithm;
        chunked->checksum = chorus_checksum_create(algorithm);
    }

    if ((chunk_is_signed(chunked) && chunked->digest == NULL)
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
