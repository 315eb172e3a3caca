/*
 * The policy of a browser upload: the document that the owner of a key signed,
 * checked against the form that came with it; and the same form signed anew
 * for main.  [Amazon S3 API Reference, "POST Policy", "Authenticating Requests:
 * Browser-Based Uploads Using POST (AWS Signature Version 4)"]
 */

#ifndef CHORUS_POST_POLICY_H
#define CHORUS_POST_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "chorus_post_form.h"
#include "chorus_auth.h"

#define CHORUS_POST_MAX_CONDITIONS  256
#define CHORUS_POST_SIGN_SECONDS    3600    /* how long main's policy holds */


/* What a policy grants besides what the form shows. */
typedef struct {
    chorus_str_t  access_key;       /* who signed; the null string: no one */
    bool          has_expiration;
    int64_t       expiration;       /* seconds since the epoch */
    bool          has_range;        /* of the size of the file, in bytes */
    uint64_t      min_bytes;
    uint64_t      max_bytes;
} chorus_post_grant_t;

typedef struct {
    const chorus_auth_verifier_t  *verifier;
    chorus_str_t                    bucket;         /* of the URI */
    uint64_t                        content_length; /* of the request */
    bool                            accepts_v2;
    bool                            accepts_anonymous;
} chorus_post_check_t;


/*
 * Verifies a complete form.  CHORUS_OK: `grant` says who it is from; its
 * access_key is the null string when the form has no credentials and
 * accepts_anonymous holds.  CHORUS_ERROR: `refusal` is what the client gets
 * (views live in the form or in verifier->mem).  CHORUS_NOMEM: out of memory,
 * or OpenSSL failed.
 *
 * Refused, in this order: another bucket in the form, a field of the signature
 * missing, a scope that is not of today's rules (as for requests, but without
 * the 15 minutes), an unknown access key, a signature that does not match
 * (constant time), a policy that is no policy, an expired one, each condition
 * in its order, a file too small for content-length-range as far as the length
 * of the request shows it, and fields that no condition covers.  That a file
 * is too large only main can tell: fields that count for nothing may follow.
 */
chorus_rc_t chorus_post_verify(const chorus_post_check_t *check,
    const chorus_post_form_t *form, chorus_post_grant_t *grant,
    chorus_s3_refusal_t *refusal);

/*
 * The form for main up to the content of its file: all fields but those of the
 * client's signature, `bucket` and x-ignore-*, signed with main's credential.
 * Whoever sends it puts behind it what the client sent from form->file_start
 * on.  `now` in seconds.  Null string when out of memory.
 */
chorus_str_t chorus_post_sign(const chorus_sigv4_signer_t *signer,
    const chorus_post_form_t *form, const chorus_post_grant_t *grant,
    chorus_str_t bucket, int64_t now);

/* The Content-Type that goes with it; null string when out of memory. */
chorus_str_t chorus_post_content_type(chorus_mem_t *mem,
    const chorus_post_form_t *form);


/* ---- stages ---- */

/* Decodes and checks the document, whose signature holds; fills in `grant`
 * but for its access_key. */
chorus_rc_t chorus_post_policy_check(const chorus_post_check_t *check,
    const chorus_post_form_t *form, chorus_str_t base64,
    chorus_post_grant_t *grant, chorus_s3_refusal_t *refusal);

/* Fields of the signature: never conditions of ours, never sent on. */
bool chorus_post_is_signature_field(chorus_str_t name);


#endif
