/*
 * Presigned URLs: Signature Version 4 with its credentials in the query.
 * [S3: "Authenticating Requests: Using Query Parameters (AWS Signature
 * Version 4)"]
 */

#include <string.h>

#include "chorus_auth_check.h"

#define MAX_EXPIRES_SECONDS  604800     /* seven days */
#define MAX_PARAMETER_BYTES  8192


static chorus_rc_t
sigv4_bad_query(chorus_auth_check_t *check, const char *message)
{
    return chorus_auth_refuse(check, CHORUS_S3_AUTHORIZATION_QUERY_PARAMETERS,
                              message);
}


/* The one argument of that name, decoded; *value is the null string when there
 * is none; two are refused. */
static chorus_rc_t
sigv4_single_arg(chorus_auth_check_t *check, chorus_str_t name,
    chorus_str_t *value)
{
    size_t               i;
    const chorus_uri_t  *uri = check->request->uri;

    *value = chorus_null_str;

    for (i = 0; i < uri->nargs; i++) {

        if (!chorus_str_eq(uri->args[i].name, name)) {
            continue;
        }

        if (value->data != NULL) {
            return sigv4_bad_query(check, "A query parameter for "
                                   "authentication may be sent only once.");
        }

        if (uri->args[i].value.len > MAX_PARAMETER_BYTES) {
            return sigv4_bad_query(check, "A query parameter for "
                                   "authentication is too long.");
        }

        if (!chorus_uri_decode(check->verifier->mem, uri->args[i].value,
                               value))
        {
            return CHORUS_NOMEM;        /* the escapes have been checked */
        }

        if (value->data == NULL) {
            *value = chorus_str("");
        }
    }

    return CHORUS_OK;
}


static chorus_rc_t
sigv4_required_arg(chorus_auth_check_t *check, chorus_str_t name,
    chorus_str_t *value)
{
    chorus_rc_t  rc;

    rc = sigv4_single_arg(check, name, value);

    if (rc == CHORUS_OK && value->len == 0) {
        return sigv4_bad_query(check, NULL);
    }

    return rc;
}


static chorus_rc_t
sigv4_take_algorithm(chorus_auth_check_t *check)
{
    chorus_rc_t   rc;
    chorus_str_t  value;

    rc = sigv4_required_arg(check, chorus_str("X-Amz-Algorithm"), &value);
    if (rc != CHORUS_OK) {
        return rc;
    }

    if (chorus_str_eq(value, chorus_str("AWS4-ECDSA-P256-SHA256"))) {
        return chorus_auth_refuse(check, CHORUS_S3_NOT_IMPLEMENTED,
                                  CHORUS_SIGV4A_MESSAGE);
    }

    if (!chorus_str_eq(value, chorus_str(CHORUS_SIGV4_ALGORITHM))) {
        return sigv4_bad_query(check, "X-Amz-Algorithm only supports "
                               "\"AWS4-HMAC-SHA256\"");
    }

    return CHORUS_OK;
}


static chorus_rc_t
sigv4_take_credential(chorus_auth_check_t *check)
{
    chorus_rc_t           rc;
    chorus_str_t          value;
    chorus_sigv4_fault_t  fault;

    rc = sigv4_required_arg(check, chorus_str("X-Amz-Credential"), &value);
    if (rc != CHORUS_OK) {
        return rc;
    }

    fault = chorus_sigv4_split_credential(value, &check->auth->v4);

    switch (fault) {

    case CHORUS_SIGV4_BAD_CREDENTIAL:
        return sigv4_bad_query(check, CHORUS_SIGV4_IN_QUERY
                                      CHORUS_SIGV4_CREDENTIAL_IS);

    case CHORUS_SIGV4_BAD_DAY:
        return sigv4_bad_query(check, CHORUS_SIGV4_IN_QUERY
                                      CHORUS_SIGV4_DAY_IS);

    case CHORUS_SIGV4_BAD_TERMINATOR:
        return sigv4_bad_query(check, CHORUS_SIGV4_IN_QUERY
                                      CHORUS_SIGV4_TERMINATOR_IS);

    default:
        check->auth->access_key = check->auth->v4.access_key;
        return CHORUS_OK;
    }
}


static chorus_rc_t
sigv4_take_signature(chorus_auth_check_t *check)
{
    chorus_rc_t           rc;
    chorus_sigv4_auth_t  *v4 = &check->auth->v4;

    rc = sigv4_required_arg(check, chorus_str("X-Amz-SignedHeaders"),
                            &v4->signed_headers);

    if (rc == CHORUS_OK) {
        rc = sigv4_required_arg(check, chorus_str("X-Amz-Signature"),
                                &v4->signature);
    }

    if (rc != CHORUS_OK) {
        return rc;
    }

    if (!chorus_sigv4_signed_headers_are_valid(v4->signed_headers)) {
        return sigv4_bad_query(check, "X-Amz-SignedHeaders must be names in "
                               "lower case, each once, with ';' between "
                               "them.");
    }

    if (v4->signature.len != CHORUS_SIGNATURE_LEN
        || !chorus_str_is_of(v4->signature, CHORUS_CHAR_LOWER_HEX))
    {
        return sigv4_bad_query(check, "X-Amz-Signature must be 64 hexadecimal "
                               "digits in lower case.");
    }

    return CHORUS_OK;
}


static chorus_rc_t
sigv4_parse_expires(chorus_auth_check_t *check, chorus_str_t text,
    uint64_t *seconds)
{
    if (chorus_str_starts(text, chorus_str("-"))
        && chorus_str_to_u64(chorus_str_sub(text, 1), seconds))
    {
        return sigv4_bad_query(check, "X-Amz-Expires must be non-negative");
    }

    if (!chorus_str_to_u64(text, seconds)) {
        return sigv4_bad_query(check, "X-Amz-Expires should be a number");
    }

    if (*seconds == 0) {
        return sigv4_bad_query(check, "X-Amz-Expires must be at least 1 "
                               "second");
    }

    if (*seconds > MAX_EXPIRES_SECONDS) {
        return sigv4_bad_query(check, "X-Amz-Expires must be less than a week "
                   "(in seconds); that is, the given X-Amz-Expires must be "
                   "less than 604800 seconds");
    }

    return CHORUS_OK;
}


static chorus_rc_t
sigv4_take_times(chorus_auth_check_t *check)
{
    int64_t       seconds;
    uint64_t      lifetime;
    chorus_rc_t   rc;
    chorus_str_t  date, expires;

    expires = chorus_null_str;

    rc = sigv4_required_arg(check, chorus_str("X-Amz-Date"), &date);

    if (rc == CHORUS_OK) {
        rc = sigv4_required_arg(check, chorus_str("X-Amz-Expires"), &expires);
    }

    if (rc != CHORUS_OK) {
        return rc;
    }

    if (!chorus_time_parse_amz(date, &seconds)) {
        return sigv4_bad_query(check, "X-Amz-Date must be in the ISO8601 Long "
                               "Format \"yyyyMMdd'T'HHmmss'Z'\"");
    }

    rc = sigv4_parse_expires(check, expires, &lifetime);
    if (rc != CHORUS_OK) {
        return rc;
    }

    chorus_time_amz(seconds, check->auth->date);

    if (seconds - check->verifier->now > CHORUS_SKEW_SECONDS) {
        return chorus_auth_refuse(check, CHORUS_S3_ACCESS_DENIED,
                                  "Request is not valid yet");
    }

    check->refusal->amz_expires = expires;

    rc = chorus_auth_check_expiry(check, seconds + (int64_t) lifetime);

    if (rc == CHORUS_OK) {
        check->refusal->amz_expires = chorus_null_str;
    }

    return rc;
}


/* An unsigned header says nothing that counts: it is a digest or
 * UNSIGNED-PAYLOAD, or has been refused as not signed. */
static chorus_rc_t
sigv4_take_query_payload(chorus_auth_check_t *check)
{
    bool          is_signed;
    chorus_rc_t   rc;
    chorus_str_t  header, name, value;

    value = chorus_null_str;

    name = chorus_str("x-amz-content-sha256");

    rc = chorus_auth_single_header(check, name, &header);

    if (rc == CHORUS_OK) {
        rc = sigv4_single_arg(check, chorus_str("X-Amz-Content-Sha256"),
                              &value);
    }

    if (rc != CHORUS_OK) {
        return rc;
    }

    is_signed = header.data != NULL
                && chorus_sigv4_is_signed(&check->auth->v4, name);

    if (is_signed && value.data != NULL && !chorus_str_eq(header, value)) {
        return sigv4_bad_query(check, "X-Amz-Content-Sha256 and the header "
                               "x-amz-content-sha256 differ.");
    }

    if (is_signed) {
        value = header;
    }

    return chorus_auth_take_payload(check, value);
}


chorus_rc_t
chorus_sigv4_verify_query(chorus_auth_check_t *check)
{
    static const chorus_auth_step_pt  steps[] = {
        sigv4_take_algorithm,
        sigv4_take_credential,
        sigv4_take_signature,
        sigv4_take_times,
        chorus_sigv4_check_scope,
        chorus_sigv4_check_signed_headers,
        sigv4_take_query_payload,
        chorus_sigv4_check_signature
    };

    return chorus_auth_run(check, steps, sizeof(steps) / sizeof(steps[0]));
}
