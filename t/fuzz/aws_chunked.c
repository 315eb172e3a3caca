/*
 * aws-chunked against a reference that has the whole body in memory and
 * shares nothing with the decoder but the digests.
 *
 * Input: form, trailer, split, and length, a byte each; then the body, in
 * which "~" stands for 8192 bytes of data, "@" for the right signature and
 * "#" for the right checksum: no mutation would hit upon those.
 */

#include <stdio.h>
#include <string.h>

#include "chorus_aws_chunked.h"
#include "chorus_sigv4.h"
#include "fuzz.h"

#define DATE   "20130524T000000Z"
#define SCOPE  "20130524/us-east-1/s3/aws4_request"
#define SEED                                                                  \
    "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"

#define MAX_EXPANDED  (256 * 1024)


typedef struct {
    chorus_aws_chunked_form_t     form;
    chorus_checksum_algorithm_t   algorithm;
    bool                          any_length;   /* for the first walk */
    uint64_t                      decoded_len;
    char                          previous[65];

    char                         *body;         /* "@@@..." is filled in */
    size_t                        len;
    size_t                        at;
    chorus_buf_t                  content;
    char                          checksum[64];
} reference_t;


static const unsigned char   key[CHORUS_SHA256_LEN] = "a key for all";
static chorus_crypto_t      *crypto;


/* ---- the reference ---- */


static void
right_signature(reference_t *r, const char *algorithm, const char *empty,
    chorus_str_t data, char out[65])
{
    int            n;
    char           text[512], hex[65];
    unsigned char  hash[CHORUS_SHA256_LEN];

    FUZZ_HOLDS(chorus_sha256(crypto, data, hash));
    chorus_hex(hex, hash, sizeof(hash));

    n = snprintf(text, sizeof(text), "%s\n" DATE "\n" SCOPE "\n%.64s\n%s%.64s",
                 algorithm, r->previous, empty, hex);
    FUZZ_HOLDS(chorus_sigv4_signature(crypto, key,
                                      (chorus_str_t) { text, (size_t) n },
                                      out));
    out[64] = '\0';
}


/* A signature, or its placeholder: that becomes one, which is wrong until
 * the right one is known. */
static bool
take_signature(char *text, size_t len, bool *is_open)
{
    size_t  i;

    if (len != 64) {
        return false;
    }

    for (i = 0; i < 64 && text[i] == '@'; i++) {
        /* void */
    }

    *is_open = i == 64;

    if (*is_open) {
        memset(text, '0', 64);
    }

    return strspn(text, "0123456789abcdef") >= 64;
}


static bool
is_right(char *text, const char *right, size_t len, bool is_open)
{
    if (is_open) {
        memcpy(text, right, len);
    }

    return memcmp(text, right, len) == 0;
}


/* One line: its length, and in *next where it ended.  -1: the body ends in
 * it; -2: it is no line. */
static int
reference_line(reference_t *r, bool is_trailer, size_t *next)
{
    size_t       n, left;
    const char  *p;

    p = r->body + r->at;
    left = r->len - r->at;

    for (n = 0; n < left && p[n] != '\r' && p[n] != '\n'; n++) {
        /* void */
    }

    *next = n + 2;

    if (is_trailer && n > 0 && n < left && p[n] == '\n') {
        *next = n + 3;
        if (*next <= left && memcmp(p + n, "\n\r\n", 3) != 0) {
            return -2;
        }

        if (n + 2 == left && p[n + 1] != '\r') {
            return -2;
        }

    } else if (n < left && p[n] != '\r') {
        return -2;

    } else if (n + 1 < left && p[n + 1] != '\n') {
        return -2;
    }

    if (*next > left) {
        return left > CHORUS_AWS_CHUNKED_LINE_MAX_LEN ? -2 : -1;
    }

    if (*next > CHORUS_AWS_CHUNKED_LINE_MAX_LEN) {
        return -2;
    }

    *next += r->at;

    return (int) n;
}


/* What the trailers say, by name. */
typedef struct {
    char  *sum;
    char  *signature;
    bool   is_open;         /* the signature was a placeholder */
} trailers_t;


/* "name:value": false when it may not stand there. */
static bool
reference_trailer(const reference_t *r, trailers_t *t, char *line, size_t len)
{
    bool          is_sum, may_be_signed;
    char         *colon;
    chorus_str_t  name, value;

    colon = memchr(line, ':', len);
    if (colon == NULL || t->signature != NULL) {
        return false;
    }

    name.data = line;
    name.len = (size_t) (colon - line);
    value.data = colon + 1;
    value.len = len - name.len - 1;
    name = chorus_str_trim(name);
    value = chorus_str_trim(value);

    is_sum = r->algorithm != CHORUS_CHECKSUM_NONE && t->sum == NULL
             && chorus_str_caseeq(name, chorus_checksum_header(r->algorithm));
    may_be_signed = r->form == CHORUS_AWS_CHUNKED_SIGNED_TRAILER
                    && chorus_str_caseeq(name,
                           chorus_str("x-amz-trailer-signature"));

    if (is_sum && value.len == chorus_checksum_text_len(r->algorithm)) {
        t->sum = line + (value.data - line);
        return true;
    }

    if (may_be_signed) {
        t->signature = line + (value.data - line);
        return take_signature(t->signature, value.len, &t->is_open);
    }

    return false;
}


/* The right checksum, and that in the place of its placeholder. */
static void
reference_sum(reference_t *r, trailers_t *t, char right[64])
{
    chorus_checksum_t  *checksum;

    checksum = chorus_checksum_create(r->algorithm);
    FUZZ_HOLDS(chorus_checksum_update(checksum, chorus_buf_str(&r->content)));
    FUZZ_HOLDS(chorus_checksum_end(checksum, right));
    chorus_checksum_destroy(checksum);

    (void) is_right(t->sum, right, chorus_checksum_text_len(r->algorithm),
                    memcmp(t->sum, "########", 8) == 0);
}


/* All values have one "=" at their end, or two. */
static bool
is_base64(const char *text, const char *like, size_t len)
{
    size_t  n;

    n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                     "0123456789+/");

    return n == strcspn(like, "=") && memcmp(text + n, "==", len - n) == 0;
}


static chorus_s3_code_t
reference_end(reference_t *r, trailers_t *t)
{
    int           n;
    char          canonical[128], right[65], sum[64] = "";
    size_t        len;
    chorus_str_t  name;

    len = chorus_checksum_text_len(r->algorithm);
    n = 0;

    if ((t->sum != NULL) != (len != 0)
        || (t->sum != NULL && t->signature == NULL
            && r->form == CHORUS_AWS_CHUNKED_SIGNED_TRAILER))
    {
        return CHORUS_S3_INVALID_REQUEST;
    }

    if (t->sum != NULL) {
        reference_sum(r, t, sum);
        name = chorus_checksum_header(r->algorithm);
        n = snprintf(canonical, sizeof(canonical), "%.*s:%.*s\n",
                     chorus_fmt(name), (int) len, t->sum);
    }

    if (t->signature != NULL) {
        right_signature(r, "AWS4-HMAC-SHA256-TRAILER", "",
                        (chorus_str_t) { canonical, (size_t) n }, right);

        if (!is_right(t->signature, right, 64, t->is_open)) {
            return CHORUS_S3_SIGNATURE_DOES_NOT_MATCH;
        }
    }

    if (t->sum != NULL && !is_base64(t->sum, sum, len)) {
        return CHORUS_S3_INVALID_REQUEST;
    }

    memcpy(r->checksum, sum, len);

    return t->sum != NULL && memcmp(t->sum, sum, len) != 0
           ? CHORUS_S3_BAD_DIGEST : CHORUS_S3_OK;
}


static chorus_s3_code_t
reference_trailers(reference_t *r)
{
    int               n;
    char             *line;
    size_t            next;
    trailers_t        trailers;
    chorus_s3_code_t  code;

    memset(&trailers, 0, sizeof(trailers_t));

    for ( ;; ) {

        n = reference_line(r, true, &next);
        if (n < 0) {
            return n == -1 ? CHORUS_S3_INCOMPLETE_BODY
                           : CHORUS_S3_INVALID_REQUEST;
        }

        line = r->body + r->at;
        r->at = next;

        if (n == 0) {
            code = reference_end(r, &trailers);

            return code == CHORUS_S3_OK && r->at != r->len
                   ? CHORUS_S3_INVALID_REQUEST : code;
        }

        if (!reference_trailer(r, &trailers, line, (size_t) n)) {
            return CHORUS_S3_INVALID_REQUEST;
        }
    }
}


/* "1f" or "1f;chunk-signature=...": false for anything else. */
static bool
reference_header(reference_t *r, char *line, size_t len, uint64_t *size,
    char **signature, bool *is_open)
{
    size_t  i, digits;
    bool    has_overflow;

    *size = 0;
    has_overflow = false;

    for (digits = 0; digits < len; digits++) {

        i = (size_t) chorus_hex_digit(line[digits]);
        if (i > 15) {
            break;
        }

        has_overflow = has_overflow || *size > (uint64_t) INT64_MAX / 16;
        *size = *size * 16 + i;
    }

    if (digits == 0 || has_overflow) {
        return false;
    }

    if (r->form == CHORUS_AWS_CHUNKED_UNSIGNED_TRAILER) {
        return digits == len;
    }

    *signature = line + digits + strlen(";chunk-signature=");

    return len - digits == strlen(";chunk-signature=") + 64
           && memcmp(line + digits, ";chunk-signature=", 17) == 0
           && take_signature(*signature, 64, is_open);
}


static chorus_s3_code_t
reference_body(reference_t *r)
{
    int        n;
    bool       is_open;
    char      *line, *signature, right[65];
    size_t     next, start, take;
    uint64_t   size, before;

    before = UINT64_MAX;
    is_open = false;
    signature = NULL;

    for ( ;; ) {

        n = reference_line(r, false, &next);
        line = r->body + r->at;

        if (n < 0 || !reference_header(r, line, (size_t) n, &size, &signature,
                                       &is_open))
        {
            return CHORUS_S3_INCOMPLETE_BODY;
        }

        if (size != 0 && before < 8192 && signature != NULL) {
            return CHORUS_S3_INVALID_CHUNK_SIZE;
        }

        if (size != 0 && !r->any_length
            && size > r->decoded_len - r->content.len)
        {
            return CHORUS_S3_INCOMPLETE_BODY;
        }

        start = next;
        take = r->len - start < size ? r->len - start : (size_t) size;
        chorus_buf_add(&r->content, (chorus_str_t) { r->body + start, take });
        r->at = start + take;

        if (size != 0) {
            if (r->len - r->at < 2 || memcmp(r->body + r->at, "\r\n", 2) != 0)
            {
                return CHORUS_S3_INCOMPLETE_BODY;
            }

            r->at += 2;
        }

        if (signature != NULL) {
            right_signature(r, "AWS4-HMAC-SHA256-PAYLOAD",
                            CHORUS_EMPTY_SHA256 "\n",
                            (chorus_str_t) { r->body + start, take }, right);

            if (!is_right(signature, right, 64, is_open)) {
                return CHORUS_S3_SIGNATURE_DOES_NOT_MATCH;
            }

            memcpy(r->previous, right, 65);
        }

        if (size == 0) {
            return !r->any_length && r->content.len != r->decoded_len
                   ? CHORUS_S3_INCOMPLETE_BODY : reference_trailers(r);
        }

        before = size;
    }
}


static chorus_s3_code_t
reference_decode(chorus_mem_t *mem, reference_t *r)
{
    r->at = 0;
    r->content = chorus_buf(mem, 1024);
    memcpy(r->previous, SEED, 65);

    return reference_body(r);
}


/* ---- the decoder ---- */


/* In pieces, each in memory of its own. */
static chorus_s3_code_t
decode(chorus_aws_chunked_t *chunked, chorus_str_t body, unsigned split,
    uint64_t decoded_len, chorus_buf_t *content)
{
    char                 *piece;
    size_t                n, decoded;
    chorus_rc_t           rc;
    chorus_s3_refusal_t   refusal;

    while (body.len != 0) {

        split = split * 1103515245 + 12345;
        n = split % 3 == 0 ? split % 7 : split >> 8;
        n = n > body.len ? body.len : n;

        piece = malloc(n + 1);
        memcpy(piece, body.data, n);
        body = chorus_str_sub(body, n);

        rc = chorus_aws_chunked_decode(chunked, piece, n, &decoded, &refusal);

        FUZZ_HOLDS(decoded <= n);
        FUZZ_HOLDS(rc == CHORUS_OK || decoded == 0);
        chorus_buf_add(content, (chorus_str_t) { piece, decoded });
        free(piece);

        if (rc != CHORUS_OK) {
            FUZZ_HOLDS(!chorus_aws_chunked_is_done(chunked));
            return refusal.code;
        }

        FUZZ_HOLDS(decoded_len == 0
                   || (content->len >= decoded_len)
                      == chorus_aws_chunked_is_done(chunked));
    }

    return chorus_aws_chunked_end(chunked, &refusal) == CHORUS_OK
           ? CHORUS_S3_OK : refusal.code;
}


static void
decode_and_compare(chorus_mem_t *mem, reference_t *r,
    chorus_s3_code_t expected, unsigned split)
{
    chorus_buf_t                  content;
    chorus_str_t                  found, sum;
    chorus_s3_code_t              code;
    chorus_s3_refusal_t           refusal;
    chorus_aws_chunked_t         *chunked;
    chorus_checksum_algorithm_t   algorithm;
    chorus_aws_chunked_options_t  options = {
        r->form, r->decoded_len, chorus_checksum_header(r->algorithm),
        chorus_str(DATE), chorus_str(SCOPE), chorus_str(SEED), key
    };

    chunked = chorus_aws_chunked_create(crypto, &options, &refusal);
    FUZZ_HOLDS(chunked != NULL);

    content = chorus_buf(mem, 1024);
    code = decode(chunked, (chorus_str_t) { r->body, r->len }, split,
                  r->decoded_len, &content);
    FUZZ_HOLDS(code == expected);

    found = chorus_buf_str(&content);

    if (code == CHORUS_S3_OK) {
        FUZZ_HOLDS(chorus_str_eq(found, chorus_buf_str(&r->content)));
        sum = chorus_aws_chunked_checksum(chunked, &algorithm);
        FUZZ_HOLDS(algorithm == r->algorithm);
        FUZZ_HOLDS(chorus_str_eq(sum, (chorus_str_t) {
            r->checksum, chorus_checksum_text_len(r->algorithm) }));

    } else {
        FUZZ_HOLDS(chorus_str_starts(chorus_buf_str(&r->content), found));
    }

    chorus_aws_chunked_destroy(chunked);
}


/* What was taken, written again by the encoder, is read as the same. */
static void
encode_and_compare(chorus_mem_t *mem, const reference_t *from)
{
    char                           text[CHORUS_AWS_CHUNKED_END_MAX_LEN];
    size_t                         len, take;
    reference_t                    r;
    chorus_buf_t                   wire;
    chorus_str_t                   rest;
    chorus_aws_chunked_encoder_t   encoder;

    wire = chorus_buf(mem, from->content.len + 256);
    rest = chorus_buf_str(&from->content);
    chorus_aws_chunked_encoder_begin(&encoder, rest.len);

    while (rest.len != 0) {
        len = chorus_aws_chunked_encoder_step(&encoder, rest.len, text, &take);
        chorus_buf_add(&wire, (chorus_str_t) { text, len });
        chorus_buf_add(&wire, (chorus_str_t) { rest.data, take });
        rest = chorus_str_sub(rest, take);
    }

    len = chorus_aws_chunked_encoder_end(&encoder, from->algorithm,
              (chorus_str_t) { from->checksum,
                               chorus_checksum_text_len(from->algorithm) },
              text);
    chorus_buf_add(&wire, (chorus_str_t) { text, len });

    r = *from;
    r.form = CHORUS_AWS_CHUNKED_UNSIGNED_TRAILER;
    r.body = wire.data;
    r.len = wire.len;

    FUZZ_HOLDS(wire.len == chorus_aws_chunked_encoded_len(from->content.len,
                                                          from->algorithm));
    FUZZ_HOLDS(reference_decode(mem, &r) == CHORUS_S3_OK);
    FUZZ_HOLDS(chorus_str_eq(chorus_buf_str(&r.content),
                             chorus_buf_str(&from->content)));
}


static void
expand(chorus_mem_t *mem, reference_t *r, chorus_str_t input)
{
    size_t        i;
    chorus_buf_t  body;
    static char   data[8192], mark[64], sum[CHORUS_CHECKSUM_TEXT_MAX_LEN];

    body = chorus_buf(mem, input.len + 1);

    for (i = 0; i < input.len && body.len < MAX_EXPANDED; i++) {

        switch (input.data[i]) {

        case '~':
            memset(data, 'z', sizeof(data));
            chorus_buf_add(&body, (chorus_str_t) { data, sizeof(data) });
            break;

        case '@':
            memset(mark, '@', sizeof(mark));
            chorus_buf_add(&body, (chorus_str_t) { mark, sizeof(mark) });
            break;

        case '#':
            memset(sum, '#', sizeof(sum));
            chorus_buf_add(&body, (chorus_str_t) {
                sum, chorus_checksum_text_len(r->algorithm) });
            break;

        default:
            chorus_buf_char(&body, input.data[i]);
        }
    }

    r->len = body.len;
    chorus_buf_char(&body, '\0');               /* for strspn() */
    r->body = body.data;
}


static void
fuzz_one(chorus_mem_t *mem, chorus_str_t input)
{
    unsigned          length, split;
    reference_t       r;
    chorus_s3_code_t  expected;

    if (input.len < 4) {
        return;
    }

    if (crypto == NULL) {
        crypto = chorus_crypto_create();
    }

    memset(&r, 0, sizeof(reference_t));
    r.form = (unsigned char) input.data[0] % 3 + CHORUS_AWS_CHUNKED_SIGNED;
    r.algorithm = r.form == CHORUS_AWS_CHUNKED_SIGNED
                  ? CHORUS_CHECKSUM_NONE
                  : (unsigned char) input.data[1]
                    % (CHORUS_CHECKSUM_SHA512 + 1);
    split = (unsigned char) input.data[2];
    length = (unsigned char) input.data[3];

    /* "=": as much as there is */

    if (length == '=') {
        expand(mem, &r, chorus_str_sub(input, 4));
        r.any_length = true;
        (void) reference_decode(mem, &r);
        r.decoded_len = r.content.len;
        r.any_length = false;

    } else {
        r.decoded_len = length;
    }

    expand(mem, &r, chorus_str_sub(input, 4));
    expected = reference_decode(mem, &r);
    decode_and_compare(mem, &r, expected, split);

    if (expected == CHORUS_S3_OK) {
        encode_and_compare(mem, &r);
    }
}
