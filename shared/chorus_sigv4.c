/*
 * Signature Version 4: canonical form, string to sign, key, signature, and
 * the Authorization header of a request of our own.
 * [AWS, "Create a signed AWS API request"; S3: "Signature Calculations"]
 */

#include <stdlib.h>
#include <string.h>

#include "chorus_sigv4.h"

/* what most requests need; longer ones take memory */
#define CANONICAL_BYTES  1024
#define TO_SIGN_BYTES    192


/* ---- canonical request ---- */


void
chorus_sigv4_canonical_path(chorus_buf_t *buf, chorus_str_t raw_path)
{
    if (raw_path.len == 0) {
        chorus_buf_char(buf, '/');
        return;
    }

    chorus_uri_recode(buf, raw_path, true);
}


static int
sigv4_arg_cmp(const void *one, const void *two)
{
    int                        rc;
    const chorus_query_arg_t  *a = one;
    const chorus_query_arg_t  *b = two;

    rc = chorus_str_cmp(a->name, b->name);

    return rc != 0 ? rc : chorus_str_cmp(a->value, b->value);
}


/* `scratch` has room for whatever `s` becomes, so that views into it hold. */
static chorus_str_t
sigv4_recode(chorus_buf_t *scratch, chorus_str_t s)
{
    size_t  start;

    start = scratch->len;
    chorus_uri_recode(scratch, s, false);

    return (chorus_str_t) { scratch->data + start, scratch->len - start };
}


chorus_rc_t
chorus_sigv4_canonical_query(chorus_mem_t *mem, chorus_buf_t *buf,
    const chorus_uri_t *uri)
{
    size_t               i;
    chorus_buf_t         scratch;
    chorus_query_arg_t  *args;

    if (uri->nargs == 0) {
        return CHORUS_OK;
    }

    args = chorus_alloc(mem, uri->nargs * sizeof(chorus_query_arg_t));
    scratch = chorus_buf(mem, uri->query.len * 3);

    if (args == NULL || scratch.failed) {
        return CHORUS_NOMEM;
    }

    for (i = 0; i < uri->nargs; i++) {
        args[i].name = sigv4_recode(&scratch, uri->args[i].name);
        args[i].value = sigv4_recode(&scratch, uri->args[i].value);
    }

    qsort(args, uri->nargs, sizeof(chorus_query_arg_t), sigv4_arg_cmp);

    for (i = 0; i < uri->nargs; i++) {
        if (i != 0) {
            chorus_buf_char(buf, '&');
        }

        chorus_buf_add(buf, args[i].name);
        chorus_buf_char(buf, '=');
        chorus_buf_add(buf, args[i].value);
    }

    return buf->failed ? CHORUS_NOMEM : CHORUS_OK;
}


/* Trimmed, and each inner run of spaces as one. */
static void
sigv4_add_value(chorus_buf_t *buf, chorus_str_t value)
{
    chorus_str_t  word;

    value = chorus_str_trim(value);

    while (value.len != 0) {
        word = chorus_str_cut(&value, ' ');
        chorus_buf_add(buf, word);

        if (value.len != 0 && word.len != 0) {
            chorus_buf_char(buf, ' ');
        }
    }
}


void
chorus_sigv4_canonical_headers(chorus_buf_t *buf,
    const chorus_header_t *headers, size_t nheaders,
    chorus_str_t signed_headers)
{
    bool          is_first;
    size_t        i;
    chorus_str_t  name;

    while (signed_headers.len != 0) {

        name = chorus_str_cut(&signed_headers, ';');
        is_first = true;

        chorus_buf_add(buf, name);
        chorus_buf_char(buf, ':');

        for (i = 0; i < nheaders; i++) {

            if (!chorus_str_caseeq(headers[i].name, name)) {
                continue;
            }

            if (!is_first) {
                chorus_buf_char(buf, ',');
            }

            sigv4_add_value(buf, headers[i].value);
            is_first = false;
        }

        chorus_buf_char(buf, '\n');
    }
}


/* The null string when out of memory. */
static chorus_str_t
sigv4_canonical_request(chorus_buf_t *buf,
    const chorus_sigv4_request_t *request, chorus_str_t signed_headers)
{
    chorus_buf_add(buf, request->method);
    chorus_buf_char(buf, '\n');

    chorus_sigv4_canonical_path(buf, request->uri->path);
    chorus_buf_char(buf, '\n');

    if (chorus_sigv4_canonical_query(buf->mem, buf, request->uri)
        != CHORUS_OK)
    {
        return chorus_null_str;
    }

    chorus_buf_char(buf, '\n');

    chorus_sigv4_canonical_headers(buf, request->headers, request->nheaders,
                                   signed_headers);
    chorus_buf_char(buf, '\n');

    chorus_buf_add(buf, signed_headers);
    chorus_buf_char(buf, '\n');
    chorus_buf_add(buf, request->payload);

    return chorus_buf_str(buf);
}


chorus_str_t
chorus_sigv4_canonical_request(chorus_mem_t *mem,
    const chorus_sigv4_request_t *request, chorus_str_t signed_headers)
{
    chorus_buf_t  buf;

    buf = chorus_buf(mem, CANONICAL_BYTES);

    return sigv4_canonical_request(&buf, request, signed_headers);
}


/* ---- string to sign, key, signature ---- */


/* `digest` is that of the canonical request. */
static chorus_str_t
sigv4_string_to_sign(chorus_buf_t *buf, chorus_str_t amz_date,
    chorus_str_t scope, const unsigned char digest[CHORUS_SHA256_LEN])
{
    chorus_buf_text(buf, CHORUS_SIGV4_ALGORITHM "\n");
    chorus_buf_add(buf, amz_date);
    chorus_buf_char(buf, '\n');
    chorus_buf_add(buf, scope);
    chorus_buf_char(buf, '\n');
    chorus_buf_hex(buf, digest, CHORUS_SHA256_LEN);

    return chorus_buf_str(buf);
}


chorus_str_t
chorus_sigv4_string_to_sign(chorus_mem_t *mem, chorus_crypto_t *crypto,
    chorus_str_t amz_date, chorus_str_t scope, chorus_str_t canonical_request)
{
    chorus_buf_t   buf;
    unsigned char  digest[CHORUS_SHA256_LEN];

    if (!chorus_sha256(crypto, canonical_request, digest)) {
        return chorus_null_str;
    }

    buf = chorus_buf(mem, TO_SIGN_BYTES);

    return sigv4_string_to_sign(&buf, amz_date, scope, digest);
}


static bool
sigv4_chain(chorus_crypto_t *crypto, unsigned char key[CHORUS_SHA256_LEN],
    chorus_str_t data)
{
    unsigned char  out[CHORUS_SHA256_LEN];

    if (!chorus_hmac_sha256(crypto,
            (chorus_str_t) { (const char *) key, CHORUS_SHA256_LEN },
            data, out))
    {
        return false;
    }

    memcpy(key, out, CHORUS_SHA256_LEN);
    chorus_secret_wipe(out, sizeof(out));

    return true;
}


bool
chorus_sigv4_signing_key(chorus_crypto_t *crypto, chorus_str_t secret,
    chorus_str_t day, chorus_str_t region, chorus_str_t service,
    unsigned char key[CHORUS_SHA256_LEN])
{
    bool    ok;
    char    first[4 + CHORUS_SECRET_MAX_LEN];

    if (secret.len > CHORUS_SECRET_MAX_LEN) {
        return false;
    }

    memcpy(first, "AWS4", 4);

    if (secret.len != 0) {
        memcpy(first + 4, secret.data, secret.len);
    }

    ok = chorus_hmac_sha256(crypto, (chorus_str_t) { first, 4 + secret.len },
                            day, key)
         && sigv4_chain(crypto, key, region)
         && sigv4_chain(crypto, key, service)
         && sigv4_chain(crypto, key, chorus_str("aws4_request"));

    chorus_secret_wipe(first, sizeof(first));

    return ok;
}


bool
chorus_sigv4_signature(chorus_crypto_t *crypto,
    const unsigned char key[CHORUS_SHA256_LEN], chorus_str_t string_to_sign,
    char signature[CHORUS_SIGNATURE_LEN])
{
    unsigned char  mac[CHORUS_SHA256_LEN];

    if (!chorus_hmac_sha256(crypto,
            (chorus_str_t) { (const char *) key, CHORUS_SHA256_LEN },
            string_to_sign, mac))
    {
        return false;
    }

    chorus_hex(signature, mac, sizeof(mac));

    return true;
}


bool
chorus_sigv4_request_signature(chorus_mem_t *mem, chorus_crypto_t *crypto,
    const chorus_sigv4_request_t *request, chorus_str_t signed_headers,
    chorus_str_t amz_date, chorus_str_t scope,
    const unsigned char key[CHORUS_SHA256_LEN],
    char signature[CHORUS_SIGNATURE_LEN])
{
    char           space[CANONICAL_BYTES];
    chorus_buf_t   buf;
    chorus_str_t   canonical, to_sign;
    unsigned char  digest[CHORUS_SHA256_LEN];

    buf = chorus_buf_in(mem, space, sizeof(space));

    canonical = sigv4_canonical_request(&buf, request, signed_headers);

    if (canonical.data == NULL || !chorus_sha256(crypto, canonical, digest)) {
        return false;
    }

    buf = chorus_buf_in(mem, space, sizeof(space));

    to_sign = sigv4_string_to_sign(&buf, amz_date, scope, digest);

    return to_sign.data != NULL
           && chorus_sigv4_signature(crypto, key, to_sign, signature);
}


/* ---- signing ---- */


/* In lower case; the null string when out of memory. */
static chorus_str_t
sigv4_lower(chorus_mem_t *mem, chorus_str_t s)
{
    char    *data;
    size_t   i;

    if (chorus_str_is_of(s, CHORUS_CHAR_TOKEN)) {
        return s;                               /* it is */
    }

    data = chorus_alloc(mem, s.len);
    if (data == NULL) {
        return chorus_null_str;
    }

    for (i = 0; i < s.len; i++) {
        data[i] = s.data[i];

        if (data[i] >= 'A' && data[i] <= 'Z') {
            data[i] = (char) (data[i] | 0x20);
        }
    }

    return (chorus_str_t) { data, s.len };
}


/* Where it belongs, unless it is there. */
static void
sigv4_add_name(chorus_str_t *names, size_t *n, chorus_str_t name)
{
    int     rc;
    size_t  at;

    for (at = *n; at != 0; at--) {

        rc = chorus_str_cmp(names[at - 1], name);

        if (rc == 0) {
            return;
        }

        if (rc < 0) {
            break;
        }
    }

    memmove(names + at + 1, names + at, (*n - at) * sizeof(chorus_str_t));
    names[at] = name;
    (*n)++;
}


/* "host;x-amz-...": sorted, each name once. */
static chorus_str_t
sigv4_signed_headers(chorus_mem_t *mem, const chorus_sigv4_request_t *request)
{
    size_t         i, n;
    chorus_buf_t   buf;
    chorus_str_t   name, *names;

    names = chorus_alloc(mem, (request->nheaders + 1) * sizeof(chorus_str_t));
    if (names == NULL) {
        return chorus_null_str;
    }

    names[0] = chorus_str("host");
    n = 1;

    for (i = 0; i < request->nheaders; i++) {

        if (!chorus_str_casestarts(request->headers[i].name,
                                   chorus_str("x-amz-")))
        {
            continue;
        }

        name = sigv4_lower(mem, request->headers[i].name);
        if (name.data == NULL) {
            return chorus_null_str;
        }

        sigv4_add_name(names, &n, name);
    }

    buf = chorus_buf(mem, 256);

    for (i = 0; i < n; i++) {

        if (i != 0) {
            chorus_buf_char(&buf, ';');
        }

        chorus_buf_add(&buf, names[i]);
    }

    return chorus_buf_str(&buf);
}


static chorus_str_t
sigv4_scope(chorus_mem_t *mem, chorus_str_t day, chorus_str_t region)
{
    chorus_buf_t  buf;

    buf = chorus_buf(mem, 64);

    chorus_buf_add(&buf, day);
    chorus_buf_char(&buf, '/');
    chorus_buf_add(&buf, region);
    chorus_buf_text(&buf, "/s3/aws4_request");

    return chorus_buf_str(&buf);
}


bool
chorus_sigv4_signer_key(const chorus_sigv4_signer_t *signer, chorus_str_t day,
    unsigned char key[CHORUS_SHA256_LEN])
{
    chorus_signing_scope_t  scope;

    scope.access_key = signer->access_key;
    scope.secret = signer->secret_key;
    scope.day = day;
    scope.region = signer->region;

    if (signer->keys != NULL
        && chorus_key_cache_find(signer->keys, &scope, key))
    {
        return true;
    }

    if (!chorus_sigv4_signing_key(signer->crypto, scope.secret, scope.day,
                                  scope.region, chorus_str("s3"), key))
    {
        return false;
    }

    if (signer->keys != NULL) {
        chorus_key_cache_store(signer->keys, &scope, key);
    }

    return true;
}


static chorus_str_t
sigv4_authorization(const chorus_sigv4_signer_t *signer, chorus_str_t scope,
    chorus_str_t signed_headers, chorus_str_t signature)
{
    chorus_buf_t  buf;

    buf = chorus_buf(signer->mem, 384);

    chorus_buf_text(&buf, CHORUS_SIGV4_ALGORITHM " Credential=");
    chorus_buf_add(&buf, signer->access_key);
    chorus_buf_char(&buf, '/');
    chorus_buf_add(&buf, scope);
    chorus_buf_text(&buf, ", SignedHeaders=");
    chorus_buf_add(&buf, signed_headers);
    chorus_buf_text(&buf, ", Signature=");
    chorus_buf_add(&buf, signature);

    return chorus_buf_str(&buf);
}


chorus_str_t
chorus_sigv4_sign(const chorus_sigv4_signer_t *signer,
    const chorus_sigv4_request_t *request, chorus_str_t amz_date)
{
    bool           ok;
    char           hex[CHORUS_SIGNATURE_LEN];
    chorus_str_t   day, scope, signed_headers;
    unsigned char  key[CHORUS_SHA256_LEN];

    if (amz_date.len != CHORUS_AMZ_DATE_LEN) {
        return chorus_null_str;
    }

    day = (chorus_str_t) { amz_date.data, CHORUS_DAY_LEN };
    scope = sigv4_scope(signer->mem, day, signer->region);
    signed_headers = sigv4_signed_headers(signer->mem, request);

    if (scope.data == NULL || signed_headers.data == NULL) {
        return chorus_null_str;
    }

    ok = chorus_sigv4_signer_key(signer, day, key)
         && chorus_sigv4_request_signature(signer->mem, signer->crypto,
                                           request, signed_headers, amz_date,
                                           scope, key, hex);

    chorus_secret_wipe(key, sizeof(key));

    if (!ok) {
        return chorus_null_str;
    }

    return sigv4_authorization(signer, scope, signed_headers,
                               (chorus_str_t) { hex, sizeof(hex) });
}
