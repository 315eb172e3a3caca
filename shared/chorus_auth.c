/*
 * Which credentials a request has, and who verifies them; what all kinds of
 * credentials have in common.
 */

#include <string.h>

#include "chorus_auth_check.h"


/* the arguments that make a presigned URL, and are not forwarded; any of the
 * first six says that the query holds credentials */
static const char  *const auth_v4_args[] = {
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
    "X-Amz-Security-Token",
    "X-Amz-Content-Sha256",
    NULL
};

#define AUTH_V4_CREDENTIALS  6

/* likewise, the first two */
static const char  *const auth_v2_args[] = {
    "AWSAccessKeyId",
    "Signature",
    "Expires",
    "x-amz-security-token",
    NULL
};

#define AUTH_V2_CREDENTIALS  2

static const char  *const auth_no_args[] = { NULL };


chorus_rc_t
chorus_auth_refuse(chorus_auth_check_t *check, chorus_s3_code_t code,
    const char *message)
{
    check->refusal->code = code;
    check->refusal->message = chorus_str_from(message);

    return CHORUS_ERROR;
}


chorus_rc_t
chorus_auth_run(chorus_auth_check_t *check, const chorus_auth_step_pt *steps,
    size_t nsteps)
{
    size_t       i;
    chorus_rc_t  rc;

    for (i = 0; i < nsteps; i++) {

        rc = steps[i](check);

        if (rc != CHORUS_OK) {
            return rc;
        }
    }

    return CHORUS_OK;
}


/* ---- where the credentials are ---- */


static bool
auth_has_arg_of(const chorus_uri_t *uri, const char *const *names, size_t n)
{
    size_t  i;

    if (uri->nargs == 0) {
        return false;
    }

    for (i = 0; i < n; i++) {
        if (chorus_uri_arg(uri, chorus_str_from(names[i])) != NULL) {
            return true;
        }
    }

    return false;
}


/* "Signature" and "Expires" in another case are words like any other. */
static bool
auth_may_be_read_as(chorus_str_t raw, const char *plain)
{
    chorus_str_t  name;

    name = chorus_str_from(plain);

    if (chorus_str_eq(raw, name)) {
        return false;                           /* it is that one */
    }

    return chorus_uri_resembles(raw, name)
           && (!chorus_str_caseeq(raw, name)
               || memchr(plain, '-', name.len) != NULL
               || chorus_str_starts(name, chorus_str("AWS")));
}


/* Ceph, for one, reads "x-amz-expires" as X-Amz-Expires. */
static bool
auth_has_odd_arg(const chorus_uri_t *uri, bool is_v2)
{
    size_t        i, k;
    chorus_str_t  name;

    for (i = 0; i < uri->nargs; i++) {

        name = uri->args[i].name;

        if (is_v2 && chorus_str_eq(name, chorus_str("x-amz-security-token"))) {
            continue;
        }

        for (k = 0; auth_v4_args[k] != NULL; k++) {
            if (auth_may_be_read_as(name, auth_v4_args[k])) {
                return true;
            }
        }

        for (k = 0; k < 3; k++) {
            if (auth_may_be_read_as(name, auth_v2_args[k])) {
                return true;
            }
        }
    }

    return false;
}


static chorus_rc_t
auth_find_credentials(chorus_auth_check_t *check)
{
    bool                 is_v4, is_v2;
    chorus_rc_t          rc;
    const chorus_uri_t  *uri = check->request->uri;

    rc = chorus_auth_single_header(check, chorus_str("authorization"),
                                   &check->authorization);
    if (rc != CHORUS_OK) {
        return rc;
    }

    is_v4 = auth_has_arg_of(uri, auth_v4_args, AUTH_V4_CREDENTIALS);
    is_v2 = auth_has_arg_of(uri, auth_v2_args, AUTH_V2_CREDENTIALS);

    if ((check->authorization.data != NULL) + is_v4 + is_v2 > 1) {
        check->refusal->argument_name = chorus_str("Authorization");

        return chorus_auth_refuse(check, CHORUS_S3_INVALID_ARGUMENT,
                   "Only one auth mechanism allowed; only the X-Amz-Algorithm "
                   "query parameter, Signature query string parameter or the "
                   "Authorization header should be specified");
    }

    if (auth_has_odd_arg(uri, is_v2)) {
        return chorus_auth_refuse(check,
                   CHORUS_S3_AUTHORIZATION_QUERY_PARAMETERS,
                   "The name of a query parameter for authentication must be "
                   "written in its exact case and without percent-encoding.");
    }

    if (is_v4) {
        check->auth->kind = CHORUS_AUTH_V4_QUERY;

    } else if (is_v2) {
        check->auth->kind = CHORUS_AUTH_V2_QUERY;

    } else if (check->authorization.data != NULL) {
        check->auth->kind = chorus_str_starts(check->authorization,
                                              chorus_str("AWS "))
                            ? CHORUS_AUTH_V2_HEADER : CHORUS_AUTH_V4_HEADER;
    }

    return CHORUS_OK;
}


static chorus_rc_t
auth_verify_anonymous(chorus_auth_check_t *check)
{
    chorus_rc_t   rc;
    chorus_str_t  value;

    value = chorus_null_str;

    if (!check->verifier->accepts_anonymous) {
        return chorus_auth_refuse(check, CHORUS_S3_ACCESS_DENIED, NULL);
    }

    rc = chorus_auth_check_disguises(check);

    if (rc == CHORUS_OK) {
        rc = chorus_auth_single_header(check,
                                       chorus_str("x-amz-content-sha256"),
                                       &value);
    }

    return rc != CHORUS_OK ? rc : chorus_auth_take_payload(check, value);
}


static chorus_rc_t
auth_verify_kind(chorus_auth_check_t *check)
{
    switch (check->auth->kind) {

    case CHORUS_AUTH_V4_HEADER:
        return chorus_sigv4_verify_header(check);

    case CHORUS_AUTH_V4_QUERY:
        return chorus_sigv4_verify_query(check);

    case CHORUS_AUTH_V2_HEADER:
    case CHORUS_AUTH_V2_QUERY:
        if (!check->verifier->accepts_v2) {
            return chorus_auth_refuse(check, CHORUS_S3_INVALID_REQUEST,
                                      CHORUS_SIGV2_MESSAGE);
        }

        return chorus_sigv2_verify(check);

    default:
        return auth_verify_anonymous(check);
    }
}


/* Behind the signature, so that a stranger learns nothing here. */
static chorus_rc_t
auth_check_chunks(chorus_auth_check_t *check)
{
    if (check->auth->payload_kind == CHORUS_PAYLOAD_SIGV4A_CHUNKS) {
        return chorus_auth_refuse(check, CHORUS_S3_NOT_IMPLEMENTED,
                                  CHORUS_SIGV4A_MESSAGE);
    }

    return CHORUS_OK;
}


chorus_rc_t
chorus_auth_verify(const chorus_auth_verifier_t *verifier,
    chorus_sigv4_request_t *request, chorus_auth_t *auth,
    chorus_s3_refusal_t *refusal)
{
    chorus_auth_check_t  check;

    static const chorus_auth_step_pt  steps[] = {
        auth_find_credentials,
        auth_verify_kind,
        auth_check_chunks
    };

    memset(auth, 0, sizeof(chorus_auth_t));
    memset(refusal, 0, sizeof(chorus_s3_refusal_t));

    auth->plus_is_space = true;

    check.verifier = verifier;
    check.request = request;
    check.auth = auth;
    check.refusal = refusal;
    check.authorization = chorus_null_str;

    return chorus_auth_run(&check, steps, sizeof(steps) / sizeof(steps[0]));
}


bool
chorus_auth_signing_key(const chorus_auth_verifier_t *verifier,
    const chorus_auth_t *auth, unsigned char key[CHORUS_SHA256_LEN])
{
    bool          is_new;
    chorus_str_t  secret;

    if (auth->kind != CHORUS_AUTH_V4_HEADER
        && auth->kind != CHORUS_AUTH_V4_QUERY)
    {
        return false;
    }

    secret = verifier->secret_of(verifier->data, auth->access_key);

    return secret.data != NULL
           && chorus_sigv4_key_of(verifier, &auth->v4, secret, &is_new, key);
}


chorus_str_t
chorus_auth_target(chorus_mem_t *mem, const chorus_uri_t *uri,
    const chorus_auth_t *auth)
{
    chorus_uri_t        rest;
    const char *const  *without;

    without = auth->kind == CHORUS_AUTH_V4_QUERY ? auth_v4_args
              : auth->kind == CHORUS_AUTH_V2_QUERY ? auth_v2_args
              : auth_no_args;

    if (chorus_uri_filter(mem, uri, without,
                          auth->plus_is_space ? "%20" : "%2B", &rest)
        != CHORUS_OK)
    {
        return chorus_null_str;
    }

    return chorus_uri_target(mem, &rest);
}
