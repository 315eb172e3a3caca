/*
 * Who sent a request, and whether it is the request that was signed: Signature
 * Version 4 in the Authorization header or in the query (a presigned URL),
 * Version 2 in either place, or nobody.
 */

#ifndef CHORUS_AUTH_H
#define CHORUS_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "chorus_sigv4.h"


typedef enum {
    CHORUS_AUTH_ANONYMOUS = 0,
    CHORUS_AUTH_V4_HEADER,
    CHORUS_AUTH_V4_QUERY,
    CHORUS_AUTH_V2_HEADER,
    CHORUS_AUTH_V2_QUERY
} chorus_auth_kind_t;

/* What x-amz-content-sha256 says about the body. */
typedef enum {
    CHORUS_PAYLOAD_UNKNOWN = 0,         /* refused by chorus_auth_verify */
    CHORUS_PAYLOAD_UNSIGNED,            /* UNSIGNED-PAYLOAD */
    CHORUS_PAYLOAD_DIGEST,              /* 64 lower-case hex */
    CHORUS_PAYLOAD_CHUNKS_TRAILER,      /* STREAMING-UNSIGNED-PAYLOAD-TRAILER */
    CHORUS_PAYLOAD_SIGNED_CHUNKS,       /* STREAMING-AWS4-HMAC-SHA256-PAYLOAD */
    CHORUS_PAYLOAD_SIGNED_CHUNKS_TRAILER,           /* ...-PAYLOAD-TRAILER */
    CHORUS_PAYLOAD_SIGV4A_CHUNKS        /* STREAMING-AWS4-ECDSA-...: 501 */
} chorus_payload_kind_t;

typedef struct {
    chorus_auth_kind_t     kind;
    chorus_str_t           access_key;  /* null string when anonymous */
    chorus_str_t           payload;     /* the payload line, verified */
    chorus_payload_kind_t  payload_kind;

    /* how a raw '+' of the query was read by who signed it: as a space, which
     * is also how storages read it, or as a plus */
    bool                   plus_is_space;

    /* of the V4 kinds alone; chunk signatures need the date, v4.scope and
     * v4.signature (their seed) */
    char                   date[CHORUS_AMZ_DATE_LEN + 1];
    chorus_sigv4_auth_t    v4;
} chorus_auth_t;


/* `secret_of` returns the secret of an access key, or the null string. */
typedef chorus_str_t (*chorus_secret_of_pt)(void *data,
    chorus_str_t access_key);

typedef struct {
    chorus_mem_t          *mem;
    chorus_crypto_t       *crypto;
    chorus_key_cache_t    *keys;            /* may be NULL */
    int64_t                now;             /* seconds */
    chorus_str_t           region;          /* ours; "*" accepts any */
    chorus_secret_of_pt    secret_of;
    void                  *data;

    bool                   accepts_v2;
    bool                   accepts_anonymous;
    /* the bucket that a virtual-host style request names in its Host, which
     * Version 2 signs in front of the path; null string in path style */
    chorus_str_t           v2_bucket;
} chorus_auth_verifier_t;


/*
 * Verifies a request, whatever credentials it has.  `request->uri` holds the
 * path and query of the wire; `request->payload` is filled in.  CHORUS_OK:
 * `auth` names who signed, or is of the kind ANONYMOUS.  CHORUS_ERROR:
 * `refusal` is what the client gets (views live in `mem` or in the request);
 * auth->access_key is what it claimed to be.  CHORUS_NOMEM: out of memory, or
 * OpenSSL failed; no refusal is given.
 *
 * All kinds are refused for: a repeated Authorization, credentials in more
 * than one place, an authentication argument that a storage might read in
 * spite of the case or the escapes of its name, a payload line that is no hex
 * digest nor a known literal; and at last, when all else is right, SigV4A
 * chunks (NOT_IMPLEMENTED).
 *
 * Version 4, in this order: malformed, no date, skew of 15 minutes (in a URL:
 * not valid yet, expired), scope date other than the date, service other than
 * s3, wrong region, host or an x-amz-* header not signed, the payload line, an
 * unknown access key, a signature that does not match (constant time).  The
 * payload line of a URL is that of X-Amz-Content-Sha256 in its query, or of
 * the header when it is signed, or else UNSIGNED-PAYLOAD.
 *
 * Version 2 does not sign all arguments of a query: one that is neither
 * signed nor known to change nothing but the shape of an answer is refused
 * with ACCESS_DENIED.  x-amz-* arguments of a URL in lower case are signed like
 * headers.  What has the same string to sign as another request (a repeated
 * argument, a line break or "&acl" in a value) is INVALID_REQUEST.
 *
 * Signed chunks need a Version 4 signature to begin with: without one they
 * are INVALID_REQUEST.
 */
chorus_rc_t chorus_auth_verify(const chorus_auth_verifier_t *verifier,
    chorus_sigv4_request_t *request, chorus_auth_t *auth,
    chorus_s3_refusal_t *refusal);

/* The key that signed a verified V4 request and signs its chunks; the caller
 * wipes it.  false for other kinds, an access key that is gone, or when
 * OpenSSL fails. */
bool chorus_auth_signing_key(const chorus_auth_verifier_t *verifier,
    const chorus_auth_t *auth, unsigned char key[CHORUS_SHA256_LEN]);

/*
 * The target to forward for a verified request: without the arguments that
 * authenticated it (of V4 the eight X-Amz-* ones, of V2 AWSAccessKeyId,
 * Signature, Expires and x-amz-security-token), and with each raw '+' of the
 * query escaped in the way in which it was signed ("%20" or "%2B"), so that
 * no storage can read it in the other way.  All other bytes stay, their order
 * as well.  Null string when out of memory.
 */
chorus_str_t chorus_auth_target(chorus_mem_t *mem, const chorus_uri_t *uri,
    const chorus_auth_t *auth);

chorus_payload_kind_t chorus_payload_kind(chorus_str_t payload);

/* Whether a storage might keep the header as if it were an x-amz-* one: Ceph
 * stores "X-Rgw-Meta-A" and "X-Goog-Meta-A" as x-amz-meta-a.  [Ceph,
 * rgw_common.cc: meta_prefixes] */
bool chorus_auth_is_alias(chorus_str_t name);


#endif
