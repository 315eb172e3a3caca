/*
 * The Authorization header of Signature Version 4, taken apart: tolerant of
 * blanks behind commas and of any order, as S3 is, and strict in all else.
 */

#include <string.h>

#include "chorus_auth_check.h"

#define MAX_AUTHORIZATION_BYTES  8192
#define MAX_ACCESS_KEY_BYTES     128
#define MAX_REGION_BYTES         64
#define MAX_SIGNED_HEADERS       128

#define MALFORMED  CHORUS_SIGV4_IN_HEADER


static chorus_rc_t
sigv4_refuse(chorus_s3_refusal_t *refusal, chorus_s3_code_t code,
    const char *message)
{
    refusal->code = code;
    refusal->message = chorus_str_from(message);

    return CHORUS_ERROR;
}


static chorus_rc_t
sigv4_malformed(chorus_s3_refusal_t *refusal, const char *message)
{
    return sigv4_refuse(refusal, CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED,
                        message);
}


/* Whether the list that begins with `names` has it in front of the place `end`
 * in it. */
static bool
sigv4_is_before(chorus_str_t names, const char *end, chorus_str_t name)
{
    while (names.data < end) {
        if (chorus_str_eq(chorus_str_cut(&names, ';'), name)) {
            return true;
        }
    }

    return false;
}


/* Each name once: the value of a header is copied for each. */
bool
chorus_sigv4_signed_headers_are_valid(chorus_str_t s)
{
    size_t        n;
    chorus_str_t  all, name, last;

    all = s;
    last = chorus_null_str;
    n = 0;

    do {
        name = chorus_str_cut(&s, ';');

        if (name.len == 0 || ++n > MAX_SIGNED_HEADERS
            || !chorus_str_is_of(name, CHORUS_CHAR_TOKEN))
        {
            return false;
        }

        /* they mostly ascend: then it has not been there */

        if (chorus_str_cmp(name, last) > 0) {
            last = name;

        } else if (sigv4_is_before(all, name.data, name)) {
            return false;
        }

    } while (s.data != NULL);

    return true;
}


/* Takes what stands behind the last '/', because an access key may hold some;
 * the null string when there is no '/'. */
static chorus_str_t
sigv4_cut_last(chorus_str_t *rest)
{
    size_t        at;
    chorus_str_t  tail;

    for (at = rest->len; at != 0 && rest->data[at - 1] != '/'; at--) {
        /* void */
    }

    if (at == 0) {
        return chorus_null_str;
    }

    tail = chorus_str_sub(*rest, at);
    rest->len = at - 1;

    return tail;
}


static bool
sigv4_is_day(chorus_str_t s)
{
    uint64_t  n;

    return s.len == CHORUS_DAY_LEN && chorus_str_to_u64(s, &n);
}


/* access key / day / region / service / "aws4_request" */
chorus_sigv4_fault_t
chorus_sigv4_split_credential(chorus_str_t credential,
    chorus_sigv4_auth_t *auth)
{
    chorus_str_t  rest, terminator;

    rest = credential;
    terminator = sigv4_cut_last(&rest);
    auth->service = sigv4_cut_last(&rest);
    auth->region = sigv4_cut_last(&rest);
    auth->day = sigv4_cut_last(&rest);
    auth->access_key = rest;

    if (auth->day.data == NULL || rest.len == 0
        || rest.len > MAX_ACCESS_KEY_BYTES
        || auth->region.len == 0 || auth->region.len > MAX_REGION_BYTES
        || auth->service.len == 0)
    {
        return CHORUS_SIGV4_BAD_CREDENTIAL;
    }

    if (!sigv4_is_day(auth->day)) {
        return CHORUS_SIGV4_BAD_DAY;
    }

    if (!chorus_str_eq(terminator, chorus_str("aws4_request"))) {
        return CHORUS_SIGV4_BAD_TERMINATOR;
    }

    auth->scope = chorus_str_sub(credential, rest.len + 1);

    return CHORUS_SIGV4_NO_FAULT;
}


static chorus_rc_t
sigv4_parse_credential(chorus_str_t credential, chorus_sigv4_auth_t *auth,
    chorus_s3_refusal_t *refusal)
{
    switch (chorus_sigv4_split_credential(credential, auth)) {

    case CHORUS_SIGV4_BAD_CREDENTIAL:
        return sigv4_malformed(refusal, MALFORMED CHORUS_SIGV4_CREDENTIAL_IS);

    case CHORUS_SIGV4_BAD_DAY:
        return sigv4_malformed(refusal, MALFORMED CHORUS_SIGV4_DAY_IS);

    case CHORUS_SIGV4_BAD_TERMINATOR:
        return sigv4_malformed(refusal, MALFORMED CHORUS_SIGV4_TERMINATOR_IS);

    default:
        return CHORUS_OK;
    }
}


/* The three components in any order, each once. */
static chorus_rc_t
sigv4_parse_components(chorus_str_t rest, chorus_str_t *credential,
    chorus_sigv4_auth_t *auth, chorus_s3_refusal_t *refusal)
{
    chorus_str_t  value, name, *field;

    do {
        value = chorus_str_trim(chorus_str_cut(&rest, ','));
        name = chorus_str_cut(&value, '=');

        if (chorus_str_eq(name, chorus_str("Credential"))) {
            field = credential;

        } else if (chorus_str_eq(name, chorus_str("SignedHeaders"))) {
            field = &auth->signed_headers;

        } else if (chorus_str_eq(name, chorus_str("Signature"))) {
            field = &auth->signature;

        } else {
            return sigv4_malformed(refusal, MALFORMED "it has a component "
                                   "that is none of Credential, "
                                   "SignedHeaders, Signature.");
        }

        if (field->data != NULL || value.len == 0) {
            return sigv4_malformed(refusal, MALFORMED "a component is empty "
                                   "or comes twice.");
        }

        *field = value;

    } while (rest.data != NULL);

    return CHORUS_OK;
}


static chorus_rc_t
sigv4_parse_algorithm(chorus_str_t algorithm, chorus_s3_refusal_t *refusal)
{
    if (chorus_str_eq(algorithm, chorus_str(CHORUS_SIGV4_ALGORITHM))) {
        return CHORUS_OK;
    }

    if (chorus_str_eq(algorithm, chorus_str("AWS4-ECDSA-P256-SHA256"))) {
        return sigv4_refuse(refusal, CHORUS_S3_NOT_IMPLEMENTED,
                            CHORUS_SIGV4A_MESSAGE);
    }

    if (chorus_str_eq(algorithm, chorus_str("AWS"))) {
        return sigv4_refuse(refusal, CHORUS_S3_INVALID_REQUEST,
                            CHORUS_SIGV2_MESSAGE);
    }

    if (chorus_str_starts(algorithm, chorus_str("AWS4-"))) {
        return sigv4_malformed(refusal, MALFORMED "its algorithm is not "
                               "AWS4-HMAC-SHA256.");
    }

    /* the value may be a password: it is not sent back */

    refusal->argument_name = chorus_str("Authorization");

    return sigv4_refuse(refusal, CHORUS_S3_INVALID_ARGUMENT,
                        "Unsupported Authorization Type");
}


chorus_rc_t
chorus_sigv4_parse(chorus_str_t authorization, chorus_sigv4_auth_t *auth,
    chorus_s3_refusal_t *refusal)
{
    chorus_rc_t   rc;
    chorus_str_t  rest, credential;

    memset(auth, 0, sizeof(chorus_sigv4_auth_t));
    memset(refusal, 0, sizeof(chorus_s3_refusal_t));

    rest = chorus_str_trim(authorization);
    credential = chorus_null_str;

    rc = sigv4_parse_algorithm(chorus_str_cut(&rest, ' '), refusal);
    if (rc != CHORUS_OK) {
        return rc;
    }

    if (authorization.len > MAX_AUTHORIZATION_BYTES) {
        return sigv4_malformed(refusal, MALFORMED "it is too long.");
    }

    rc = sigv4_parse_components(rest, &credential, auth, refusal);
    if (rc != CHORUS_OK) {
        return rc;
    }

    if (credential.data == NULL || auth->signed_headers.data == NULL
        || auth->signature.data == NULL)
    {
        return sigv4_malformed(refusal, MALFORMED "Credential, SignedHeaders "
                               "or Signature is missing.");
    }

    if (!chorus_sigv4_signed_headers_are_valid(auth->signed_headers)) {
        return sigv4_malformed(refusal, MALFORMED "SignedHeaders must be "
                               "names in lower case, each once, with ';' "
                               "between them.");
    }

    if (auth->signature.len != CHORUS_SIGNATURE_LEN
        || !chorus_str_is_of(auth->signature, CHORUS_CHAR_LOWER_HEX))
    {
        return sigv4_malformed(refusal, MALFORMED "the Signature must be 64 "
                               "hexadecimal digits in lower case.");
    }

    return sigv4_parse_credential(credential, auth, refusal);
}
