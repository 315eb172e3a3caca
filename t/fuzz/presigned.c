/*
 * Any request: a first line "METHOD target", then lines "Name: value".  It is
 * verified as it stands, which must fail, for nobody knows the secret.  Then
 * it is signed, as Version 4 and as Version 2, and one byte of it is changed:
 * whatever still verifies must mean the same.
 */

#include <string.h>

#include "chorus_auth.h"
#include "chorus_sigv2.h"
#include "fuzz.h"

#define NOW         1369353600          /* 20130524T000000Z */
#define SECRET      "nobody knows it"
#define NHEADERS    16
#define V4_ARGS                                                               \
    "X-Amz-Algorithm=AWS4-HMAC-SHA256"                                        \
    "&X-Amz-Credential=AK/20130524/eu/s3/aws4_request"                        \
    "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=60"                           \
    "&X-Amz-SignedHeaders=host"
#define V2_ARGS     "AWSAccessKeyId=AK&Expires=1369353660"


typedef struct {
    chorus_str_t     method;
    chorus_str_t     target;
    chorus_header_t  headers[NHEADERS];
    size_t           nheaders;
} fuzz_request_t;

typedef struct {
    chorus_str_t  name;
    chorus_str_t  value;
} fuzz_pair_t;


static chorus_crypto_t     *crypto;
static chorus_key_cache_t  *keys;


static chorus_str_t
fuzz_secret_of(void *data, chorus_str_t access_key)
{
    (void) data;

    /* Version 2 does not sign the access key: it is what picks the secret */

    return chorus_str_eq(access_key, chorus_str("AK")) ? chorus_str(SECRET)
                                                       : chorus_null_str;
}


static chorus_rc_t
fuzz_verify(chorus_mem_t *mem, const fuzz_request_t *r, chorus_str_t target,
    chorus_auth_t *auth, chorus_uri_t *uri)
{
    chorus_rc_t             rc;
    chorus_s3_refusal_t     refusal;
    chorus_sigv4_request_t  request;
    chorus_auth_verifier_t  verifier = {
        mem, crypto, keys, NOW, chorus_str("*"), fuzz_secret_of, NULL,
        true, false, chorus_null_str
    };

    if (chorus_uri_parse(mem, target, uri, NULL) != CHORUS_OK) {
        return CHORUS_ERROR;
    }

    request.method = r->method;
    request.uri = uri;
    request.headers = r->headers;
    request.nheaders = r->nheaders;
    request.payload = chorus_null_str;

    rc = chorus_auth_verify(&verifier, &request, auth, &refusal);

    FUZZ_HOLDS((rc == CHORUS_OK) == (refusal.code == CHORUS_S3_OK));
    FUZZ_HOLDS(rc != CHORUS_NOMEM);

    return rc;
}


static void
fuzz_parse(chorus_str_t input, fuzz_request_t *r)
{
    chorus_str_t  line;

    memset(r, 0, sizeof(fuzz_request_t));

    line = chorus_str_cut(&input, '\n');
    r->method = chorus_str_cut(&line, ' ');
    r->target = line;

    while (input.data != NULL && r->nheaders < NHEADERS) {
        line = chorus_str_cut(&input, '\n');
        r->headers[r->nheaders].name = chorus_str_cut(&line, ':');
        r->headers[r->nheaders++].value = line;
    }
}


/* ---- a reference that is as simple as can be ---- */


static int
ref_digit(char c)
{
    const char  *digits = "00112233445566778899aAbBcCdDeEfF";

    return (int) (strchr(digits, c) - digits) / 2;
}


/* Each byte as %XX, but a '/' of a path as itself. */
static chorus_str_t
ref_plain(chorus_mem_t *mem, chorus_str_t s, bool is_path, bool plus_is_space)
{
    size_t         i;
    chorus_buf_t   buf;
    unsigned char  byte;

    buf = chorus_buf(mem, s.len * 3 + 1);

    for (i = 0; i < s.len; i++) {

        byte = (unsigned char) s.data[i];

        if (is_path && byte == '/') {
            chorus_buf_char(&buf, '/');
            continue;
        }

        if (byte == '%') {
            byte = (unsigned char) (ref_digit(s.data[i + 1]) * 16
                                    + ref_digit(s.data[i + 2]));
            i += 2;

        } else if (byte == '+' && !is_path && plus_is_space) {
            byte = ' ';
        }

        chorus_buf_char(&buf, '%');
        chorus_buf_hex(&buf, &byte, 1);
    }

    return chorus_buf_str(&buf);
}


static int
ref_cmp(const void *one, const void *two)
{
    int                 rc;
    const fuzz_pair_t  *a = one;
    const fuzz_pair_t  *b = two;

    rc = chorus_str_cmp(a->name, b->name);

    return rc != 0 ? rc : chorus_str_cmp(a->value, b->value);
}


/* What a request asks for, in one form: its path and its arguments, sorted;
 * without the signature, and without what Version 2 need not sign. */
static chorus_str_t
ref_meaning(chorus_mem_t *mem, const chorus_uri_t *uri,
    const chorus_auth_t *auth)
{
    bool          is_v4;
    size_t        i, n;
    chorus_buf_t  buf;
    fuzz_pair_t  *pairs;

    is_v4 = auth->kind == CHORUS_AUTH_V4_QUERY;
    pairs = chorus_alloc(mem, (uri->nargs + 1) * sizeof(fuzz_pair_t));
    buf = chorus_buf(mem, 256);

    chorus_buf_add(&buf, is_v4 ? ref_plain(mem, uri->path, true, false)
                               : uri->path);

    for (i = 0, n = 0; i < uri->nargs; i++) {

        if (chorus_str_eq(uri->args[i].name,
                          is_v4 ? chorus_str("X-Amz-Signature")
                                : chorus_str("Signature"))
            || (!is_v4 && chorus_sigv2_spares(uri->args[i].name)))
        {
            continue;
        }

        pairs[n].name = ref_plain(mem, uri->args[i].name, false,
                                  auth->plus_is_space);
        pairs[n++].value = ref_plain(mem, uri->args[i].value, false,
                                     auth->plus_is_space);
    }

    qsort(pairs, n, sizeof(fuzz_pair_t), ref_cmp);

    for (i = 0; i < n; i++) {
        chorus_buf_char(&buf, '&');
        chorus_buf_add(&buf, pairs[i].name);
        chorus_buf_char(&buf, '=');
        chorus_buf_add(&buf, pairs[i].value);
    }

    return chorus_buf_str(&buf);
}


/* ---- sign, change, verify ---- */


static chorus_str_t
fuzz_signature_v4(chorus_mem_t *mem, const chorus_sigv4_request_t *request)
{
    char           hex[CHORUS_SIGNATURE_LEN];
    chorus_str_t   to_sign;
    unsigned char  key[CHORUS_SHA256_LEN];

    to_sign = chorus_sigv4_string_to_sign(mem, crypto,
        chorus_str("20130524T000000Z"), chorus_str("20130524/eu/s3/"
        "aws4_request"),
        chorus_sigv4_canonical_request(mem, request, chorus_str("host")));

    (void) chorus_sigv4_signing_key(crypto, chorus_str(SECRET),
        chorus_str("20130524"), chorus_str("eu"), chorus_str("s3"), key);
    (void) chorus_sigv4_signature(crypto, key, to_sign, hex);

    return chorus_str_dup(mem, (chorus_str_t) { hex, sizeof(hex) });
}


/* The target with credentials, or the null string. */
static chorus_str_t
fuzz_sign(chorus_mem_t *mem, const fuzz_request_t *r, bool is_v4)
{
    chorus_buf_t            buf;
    chorus_uri_t            uri;
    chorus_str_t            signature;
    chorus_sigv4_request_t  request;

    buf = chorus_buf(mem, 512);
    chorus_buf_add(&buf, r->target);
    chorus_buf_char(&buf, memchr(r->target.data, '?', r->target.len) == NULL
                          ? '?' : '&');
    chorus_buf_text(&buf, is_v4 ? V4_ARGS : V2_ARGS);

    if (chorus_uri_parse(mem, chorus_buf_str(&buf), &uri, NULL)
        != CHORUS_OK)
    {
        return chorus_null_str;
    }

    request.method = r->method;
    request.uri = &uri;
    request.headers = r->headers;
    request.nheaders = r->nheaders;
    request.payload = chorus_str(CHORUS_UNSIGNED_PAYLOAD);

    if (is_v4) {
        signature = fuzz_signature_v4(mem, &request);

    } else {
        signature = chorus_sigv2_signature(mem, crypto, chorus_str(SECRET),
            chorus_sigv2_string_to_sign(mem, &request, chorus_null_str,
                                        chorus_str("1369353660"), true));
    }

    chorus_buf_text(&buf, is_v4 ? "&X-Amz-Signature=" : "&Signature=");
    chorus_uri_encode(&buf, signature, false);

    return chorus_buf_str(&buf);
}


static void
fuzz_change(chorus_mem_t *mem, const fuzz_request_t *r, chorus_str_t target,
    size_t at, char byte)
{
    char           *copy;
    chorus_uri_t    uri, other;
    chorus_str_t    meaning;
    chorus_auth_t   auth, changed;

    if (fuzz_verify(mem, r, target, &auth, &uri) != CHORUS_OK) {
        return;
    }

    FUZZ_HOLDS(chorus_auth_target(mem, &uri, &auth).data != NULL);
    meaning = ref_meaning(mem, &uri, &auth);

    copy = chorus_alloc(mem, target.len);
    memcpy(copy, target.data, target.len);
    copy[at % target.len] = byte;

    if (fuzz_verify(mem, r, (chorus_str_t) { copy, target.len }, &changed,
                    &other)
        == CHORUS_OK)
    {
        FUZZ_HOLDS(changed.kind == auth.kind);
        FUZZ_HOLDS(chorus_str_eq(meaning, ref_meaning(mem, &other,
                                                      &changed)));
    }
}


static void
fuzz_one(chorus_mem_t *mem, chorus_str_t input)
{
    size_t          at, i;
    chorus_uri_t    uri;
    chorus_str_t    target;
    chorus_auth_t   auth;
    fuzz_request_t  r;

    if (crypto == NULL) {
        crypto = chorus_crypto_create();
        keys = chorus_key_cache_create();
    }

    if (input.len < 4) {
        return;
    }

    at = (size_t) (unsigned char) input.data[0] * 256
         + (unsigned char) input.data[1];

    fuzz_parse(chorus_str_sub(input, 3), &r);
    FUZZ_HOLDS(fuzz_verify(mem, &r, r.target, &auth, &uri) != CHORUS_OK);

    if (r.target.len == 0) {
        return;
    }

    for (i = 0; i < 2; i++) {
        target = fuzz_sign(mem, &r, i == 0);

        if (target.data != NULL) {
            fuzz_change(mem, &r, target, at, input.data[2]);
        }
    }
}
