/*
 * What the parts of the verification share; for chorus_auth*.c,
 * chorus_sigv*.c and chorus_post_verify.c alone.
 */

#ifndef CHORUS_AUTH_CHECK_H
#define CHORUS_AUTH_CHECK_H

#include "chorus_auth.h"


/* where S3 says that a credential is wrong */
#define CHORUS_SIGV4_IN_HEADER  "The authorization header is malformed; "
#define CHORUS_SIGV4_IN_QUERY   "Error parsing the X-Amz-Credential parameter; "

#define CHORUS_SIGV4_CREDENTIAL_IS                                            \
    "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/"  \
    "SERVICE/aws4_request\"."
#define CHORUS_SIGV4_DAY_IS                                                   \
    "incorrect date format. This date in the credential must be in the "      \
    "format \"yyyyMMdd\"."
#define CHORUS_SIGV4_TERMINATOR_IS                                            \
    "incorrect terminal. This endpoint uses \"aws4_request\"."

#define CHORUS_SIGV2_MESSAGE                                                  \
    "The authorization mechanism you have provided is not supported. Please " \
    "use AWS4-HMAC-SHA256."
#define CHORUS_SIGV4A_MESSAGE                                                 \
    "AWS4-ECDSA-P256-SHA256 (Signature Version 4A) is not implemented. "      \
    "Please use AWS4-HMAC-SHA256."
#define CHORUS_NO_DATE_MESSAGE                                                \
    "AWS authentication requires a valid Date or x-amz-date header"


typedef enum {
    CHORUS_SIGV4_NO_FAULT = 0,
    CHORUS_SIGV4_BAD_CREDENTIAL,
    CHORUS_SIGV4_BAD_DAY,
    CHORUS_SIGV4_BAD_TERMINATOR
} chorus_sigv4_fault_t;

typedef struct {
    const chorus_auth_verifier_t  *verifier;
    chorus_sigv4_request_t        *request;
    chorus_auth_t                 *auth;
    chorus_s3_refusal_t           *refusal;
    chorus_str_t                   authorization;   /* null without */
} chorus_auth_check_t;

typedef chorus_rc_t (*chorus_auth_step_pt)(chorus_auth_check_t *check);


/* CHORUS_ERROR, with a refusal; NULL for the message of the code. */
chorus_rc_t chorus_auth_refuse(chorus_auth_check_t *check,
    chorus_s3_code_t code, const char *message);

/* Goes on until a step is not CHORUS_OK. */
chorus_rc_t chorus_auth_run(chorus_auth_check_t *check,
    const chorus_auth_step_pt *steps, size_t nsteps);

/* The one header of that name, trimmed.  *value is the null string when there
 * is none; two are refused. */
chorus_rc_t chorus_auth_single_header(chorus_auth_check_t *check,
    chorus_str_t name, chorus_str_t *value);

/* x-amz-date, or Date when there is none: either may have either form. */
chorus_rc_t chorus_auth_date(chorus_auth_check_t *check, chorus_str_t *value,
    int64_t *seconds);
chorus_rc_t chorus_auth_check_skew(chorus_auth_check_t *check,
    int64_t seconds);

/* A URL is good for the seconds before `until`. */
chorus_rc_t chorus_auth_check_expiry(chorus_auth_check_t *check,
    int64_t until);

/* Takes `value` as the payload line.  Signed chunks are refused when no V4
 * signature covers it. */
chorus_rc_t chorus_auth_take_payload(chorus_auth_check_t *check,
    chorus_str_t value);

/* "X_Amz_Acl": a header that Ceph reads as x-amz-acl, which it is not. */
bool chorus_auth_is_disguised(chorus_str_t name);
/* Refuses such headers and aliases, for the kinds that do not list signed
 * headers. */
chorus_rc_t chorus_auth_check_disguises(chorus_auth_check_t *check);

/* SIGNATURE_DOES_NOT_MATCH or INVALID_ACCESS_KEY_ID, naming the access key */
chorus_rc_t chorus_auth_refuse_key(chorus_auth_check_t *check,
    chorus_s3_code_t code);

/* The secret of auth->access_key, or a refusal. */
chorus_rc_t chorus_auth_secret(chorus_auth_check_t *check,
    chorus_str_t *secret);


chorus_sigv4_fault_t chorus_sigv4_split_credential(chorus_str_t credential,
    chorus_sigv4_auth_t *auth);
bool chorus_sigv4_signed_headers_are_valid(chorus_str_t names);

chorus_rc_t chorus_sigv4_verify_header(chorus_auth_check_t *check);
chorus_rc_t chorus_sigv4_verify_query(chorus_auth_check_t *check);
chorus_rc_t chorus_sigv2_verify(chorus_auth_check_t *check);

/* Refuses a query that Version 2 does not protect. */
chorus_rc_t chorus_sigv2_check_args(chorus_auth_check_t *check);

/* Steps that both places of V4 credentials have in common. */
chorus_rc_t chorus_sigv4_check_scope(chorus_auth_check_t *check);
chorus_rc_t chorus_sigv4_check_signed_headers(chorus_auth_check_t *check);
chorus_rc_t chorus_sigv4_check_signature(chorus_auth_check_t *check);
bool chorus_sigv4_is_signed(const chorus_sigv4_auth_t *auth,
    chorus_str_t name);

/* From the cache or derived anew, which *is_new says. */
bool chorus_sigv4_key_of(const chorus_auth_verifier_t *verifier,
    const chorus_sigv4_auth_t *auth, chorus_str_t secret, bool *is_new,
    unsigned char key[CHORUS_SHA256_LEN]);
/* Into the cache: for a new one that has proved right. */
void chorus_sigv4_keep_key(const chorus_auth_verifier_t *verifier,
    const chorus_sigv4_auth_t *auth, chorus_str_t secret,
    const unsigned char key[CHORUS_SHA256_LEN]);


#endif
