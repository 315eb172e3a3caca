/*
 * AWS Signature Version 4 for S3, in stages that a test can look at:
 * canonical path, query, headers -> canonical request -> string to sign ->
 * key -> signature -> Authorization header.  Verification is in chorus_auth.h.
 * [AWS, "Authenticating Requests (AWS Signature Version 4)"]
 */

#ifndef CHORUS_SIGV4_H
#define CHORUS_SIGV4_H

#include <stdbool.h>
#include <stdint.h>

#include "chorus_crypto.h"
#include "chorus_error.h"
#include "chorus_mem.h"
#include "chorus_s3_error.h"
#include "chorus_s3_request.h"
#include "chorus_str.h"
#include "chorus_time.h"
#include "chorus_uri.h"

#define CHORUS_SIGV4_ALGORITHM  "AWS4-HMAC-SHA256"
#define CHORUS_SIGNATURE_LEN    64
#define CHORUS_SECRET_MAX_LEN   256     /* the configuration refuses more */
#define CHORUS_SKEW_SECONDS     900
#define CHORUS_EMPTY_SHA256 \
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define CHORUS_UNSIGNED_PAYLOAD  "UNSIGNED-PAYLOAD"


/* the parsed Authorization header, or what a presigned URL has instead of it:
 * views into it */
typedef struct {
    chorus_str_t  access_key;
    chorus_str_t  day;              /* 20130524 */
    chorus_str_t  region;
    chorus_str_t  service;
    chorus_str_t  scope;            /* day/region/service/aws4_request */
    chorus_str_t  signed_headers;   /* "host;x-amz-date", as sent */
    chorus_str_t  signature;        /* 64 lower-case hex */
} chorus_sigv4_auth_t;


/* what a signing key is derived from; the service is s3 */
typedef struct {
    chorus_str_t  access_key;       /* only names the entry of the cache */
    chorus_str_t  secret;
    chorus_str_t  day;
    chorus_str_t  region;
} chorus_signing_scope_t;

/* Signing keys by (access key, secret, day, region), 256 of them: one table a
 * process or thread. */
typedef struct chorus_key_cache_s  chorus_key_cache_t;

chorus_key_cache_t *chorus_key_cache_create(void);      /* NULL: no memory */
void chorus_key_cache_destroy(chorus_key_cache_t *cache);   /* wipes */

bool chorus_key_cache_find(const chorus_key_cache_t *cache,
    const chorus_signing_scope_t *scope,
    unsigned char key[CHORUS_SHA256_LEN]);
/* The caller has not found it.  Parts that are too long are not stored. */
void chorus_key_cache_store(chorus_key_cache_t *cache,
    const chorus_signing_scope_t *scope,
    const unsigned char key[CHORUS_SHA256_LEN]);


/* ---- stages ---- */

/* Parses "AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=...".
 * Bounded: 8 KiB, 128 signed headers.  On failure `refusal` says what S3
 * would say. */
chorus_rc_t chorus_sigv4_parse(chorus_str_t authorization,
    chorus_sigv4_auth_t *auth, chorus_s3_refusal_t *refusal);

/* Decoded and encoded again, but for its slashes; "/" for an empty path. */
void chorus_sigv4_canonical_path(chorus_buf_t *buf, chorus_str_t raw_path);

/* Names and values decoded, encoded, sorted by name then value. */
chorus_rc_t chorus_sigv4_canonical_query(chorus_mem_t *mem,
    chorus_buf_t *buf, const chorus_uri_t *uri);

/* "name:value\n" for each of `signed_headers` (a;b;c) in that order; values
 * trimmed, inner runs of spaces folded, repeats joined with ','.  A signed
 * header that is not in the request has an empty value. */
void chorus_sigv4_canonical_headers(chorus_buf_t *buf,
    const chorus_header_t *headers, size_t nheaders,
    chorus_str_t signed_headers);

typedef struct {
    chorus_str_t             method;
    const chorus_uri_t      *uri;
    const chorus_header_t   *headers;
    size_t                   nheaders;
    chorus_str_t             payload;       /* the payload line */
} chorus_sigv4_request_t;

chorus_str_t chorus_sigv4_canonical_request(chorus_mem_t *mem,
    const chorus_sigv4_request_t *request, chorus_str_t signed_headers);

chorus_str_t chorus_sigv4_string_to_sign(chorus_mem_t *mem,
    chorus_crypto_t *crypto, chorus_str_t amz_date, chorus_str_t scope,
    chorus_str_t canonical_request);

bool chorus_sigv4_signing_key(chorus_crypto_t *crypto, chorus_str_t secret,
    chorus_str_t day, chorus_str_t region, chorus_str_t service,
    unsigned char key[CHORUS_SHA256_LEN]);

/* Hex, not terminated. */
bool chorus_sigv4_signature(chorus_crypto_t *crypto,
    const unsigned char key[CHORUS_SHA256_LEN], chorus_str_t string_to_sign,
    char signature[CHORUS_SIGNATURE_LEN]);

/* From the request to its signature in one go; what lies between is not kept.
 * false: out of memory, or OpenSSL failed. */
bool chorus_sigv4_request_signature(chorus_mem_t *mem,
    chorus_crypto_t *crypto, const chorus_sigv4_request_t *request,
    chorus_str_t signed_headers, chorus_str_t amz_date, chorus_str_t scope,
    const unsigned char key[CHORUS_SHA256_LEN],
    char signature[CHORUS_SIGNATURE_LEN]);


/* ---- signing ---- */

typedef struct {
    chorus_mem_t         *mem;
    chorus_crypto_t      *crypto;
    chorus_key_cache_t   *keys;             /* may be NULL */
    chorus_str_t          access_key;
    chorus_str_t          secret_key;
    chorus_str_t          region;
} chorus_sigv4_signer_t;

/* The key that signs on that day (the first 8 characters of a date), from the
 * cache or derived; the caller wipes it.  false: OpenSSL failed. */
bool chorus_sigv4_signer_key(const chorus_sigv4_signer_t *signer,
    chorus_str_t day, unsigned char key[CHORUS_SHA256_LEN]);

/*
 * The value of the Authorization header for `request`.  Signed are host and
 * every x-amz-* header among request->headers, in which "host",
 * "x-amz-date" (equal to amz_date) and "x-amz-content-sha256" (equal to the
 * payload) must stand.  Null string when out of memory.
 */
chorus_str_t chorus_sigv4_sign(const chorus_sigv4_signer_t *signer,
    const chorus_sigv4_request_t *request, chorus_str_t amz_date);


#endif
