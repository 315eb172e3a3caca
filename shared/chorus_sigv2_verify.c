/*
 * Verification of Signature Version 2.  Its string to sign leaves out most of
 * the query and escapes nothing, so a request that could be read as another
 * one with the same string is refused before it is looked at.
 * [AWS, "Signing and Authenticating REST Requests"]
 */

#include <string.h>

#include "chorus_auth_check.h"
#include "chorus_sigv2.h"

#define MAX_ACCESS_KEY_BYTES  128
#define MAX_EXPIRES           INT64_C(253402300799)     /* the year 9999 */


/* what the signature is made of, besides the request */
typedef struct {
    chorus_str_t  signature;
    chorus_str_t  date;
} sigv2_parts_t;


static chorus_rc_t
sigv2_denied(chorus_auth_check_t *check, const char *message)
{
    return chorus_auth_refuse(check, CHORUS_S3_ACCESS_DENIED, message);
}


/* ---- the Authorization header ---- */


/* "AWS access-key:signature"; an access key of Ceph may have colons */
static chorus_rc_t
sigv2_parse_header(chorus_auth_check_t *check, sigv2_parts_t *parts)
{
    size_t        at;
    chorus_str_t  rest;

    rest = chorus_str_trim(chorus_str_sub(check->authorization, 4));

    for (at = rest.len; at != 0 && rest.data[at - 1] != ':'; at--) {
        /* void */
    }

    if (at < 2 || at - 1 > MAX_ACCESS_KEY_BYTES || at == rest.len) {
        check->refusal->argument_name = chorus_str("Authorization");

        return chorus_auth_refuse(check, CHORUS_S3_INVALID_ARGUMENT,
                                  "AWS authorization header is invalid. "
                                  "Expected AwsAccessKeyId:signature");
    }

    check->auth->access_key = (chorus_str_t) { rest.data, at - 1 };
    parts->signature = chorus_str_sub(rest, at);

    return CHORUS_OK;
}


static chorus_rc_t
sigv2_take_header(chorus_auth_check_t *check, sigv2_parts_t *parts)
{
    int64_t       seconds;
    chorus_rc_t   rc;
    chorus_str_t  value;

    rc = sigv2_parse_header(check, parts);

    if (rc == CHORUS_OK) {
        rc = chorus_auth_date(check, &value, &seconds);
    }

    if (rc != CHORUS_OK) {
        return rc;
    }

    parts->date = value;

    if (chorus_header(check->request->headers, check->request->nheaders,
                      chorus_str("x-amz-date")) != NULL)
    {
        parts->date = chorus_str("");           /* among the x-amz-* */
    }

    return chorus_auth_check_skew(check, seconds);
}


/* ---- the query ---- */


static chorus_rc_t
sigv2_required_arg(chorus_auth_check_t *check, chorus_str_t name,
    chorus_str_t *value)
{
    const chorus_query_arg_t  *arg;

    arg = chorus_uri_arg(check->request->uri, name);

    if (arg == NULL || arg->value.len == 0) {
        return sigv2_denied(check, "Query-string authentication requires the "
                            "Signature, Expires and AWSAccessKeyId "
                            "parameters");
    }

    return chorus_uri_decode(check->verifier->mem, arg->value, value)
           ? CHORUS_OK : CHORUS_NOMEM;
}


static chorus_rc_t
sigv2_take_query(chorus_auth_check_t *check, sigv2_parts_t *parts)
{
    uint64_t     seconds;
    chorus_rc_t  rc;

    rc = sigv2_required_arg(check, chorus_str("AWSAccessKeyId"),
                            &check->auth->access_key);

    if (rc == CHORUS_OK) {
        rc = sigv2_required_arg(check, chorus_str("Signature"),
                                &parts->signature);
    }

    if (rc == CHORUS_OK) {
        rc = sigv2_required_arg(check, chorus_str("Expires"), &parts->date);
    }

    if (rc != CHORUS_OK) {
        return rc;
    }

    if (!chorus_str_to_u64(parts->date, &seconds) || seconds > MAX_EXPIRES) {
        return sigv2_denied(check, "Invalid date (should be seconds since "
                            "epoch)");
    }

    return chorus_auth_check_expiry(check, (int64_t) seconds);
}


/* ---- what Version 2 does not sign ---- */


static bool
sigv2_name_is_plain(chorus_str_t name)
{
    size_t  i;

    for (i = 0; i < name.len; i++) {
        if (!chorus_is_alnum(name.data[i])
            && strchr("-_.", name.data[i]) == NULL)
        {
            return false;
        }
    }

    return name.len != 0;
}


static bool
sigv2_is_credential(const chorus_auth_check_t *check, chorus_str_t name)
{
    return check->auth->kind == CHORUS_AUTH_V2_QUERY
           && (chorus_str_eq(name, chorus_str("AWSAccessKeyId"))
               || chorus_str_eq(name, chorus_str("Signature"))
               || chorus_str_eq(name, chorus_str("Expires")));
}


static bool
sigv2_is_like_header(const chorus_auth_check_t *check, chorus_str_t name)
{
    return check->auth->kind == CHORUS_AUTH_V2_QUERY
           && chorus_str_casestarts(name, chorus_str("x-amz-"));
}


static bool
sigv2_is_repeated(const chorus_auth_check_t *check, size_t at)
{
    size_t               i;
    chorus_str_t         name;
    const chorus_uri_t  *uri = check->request->uri;

    name = uri->args[at].name;

    for (i = 0; i < at; i++) {
        if (chorus_str_caseeq(uri->args[i].name, name)) {
            return true;
        }
    }

    return sigv2_is_like_header(check, name)
           && chorus_header(check->request->headers, check->request->nheaders,
                            name) != NULL;
}


/* A value with a line break, or with "&acl" in it, would make the same string
 * to sign as another request. */
static bool
sigv2_value_is_ambiguous(chorus_str_t value)
{
    size_t        i;
    chorus_str_t  rest, name;

    for (i = 0; i < value.len; i++) {
        if ((unsigned char) value.data[i] < 0x20 || value.data[i] == 0x7f) {
            return true;
        }
    }

    rest = value;
    (void) chorus_str_cut(&rest, '&');

    while (rest.data != NULL) {
        name = chorus_str_cut(&rest, '&');
        name = chorus_str_cut(&name, '=');

        if (chorus_sigv2_signs(name)) {
            return true;
        }
    }

    return false;
}


static chorus_rc_t
sigv2_check_arg(chorus_auth_check_t *check, size_t at)
{
    chorus_str_t               value;
    const chorus_query_arg_t  *arg;

    arg = &check->request->uri->args[at];

    if (!sigv2_name_is_plain(arg->name)) {
        return chorus_auth_refuse(check, CHORUS_S3_INVALID_REQUEST,
                   "The name of a query parameter has characters that "
                   "Signature Version 2 does not protect.");
    }

    if (chorus_sigv2_spares(arg->name)) {
        return CHORUS_OK;
    }

    check->refusal->argument_name = arg->name;

    if (!chorus_sigv2_signs(arg->name)
        && !sigv2_is_credential(check, arg->name)
        && !sigv2_is_like_header(check, arg->name))
    {
        return sigv2_denied(check, "Signature Version 2 does not protect this "
                            "query parameter. Please use AWS4-HMAC-SHA256.");
    }

    if (!chorus_uri_decode(check->verifier->mem, arg->value, &value)) {
        return CHORUS_NOMEM;
    }

    if (sigv2_is_repeated(check, at) || sigv2_value_is_ambiguous(value)) {
        return chorus_auth_refuse(check, CHORUS_S3_INVALID_REQUEST,
                   "A query parameter is repeated, or its value is one that "
                   "Signature Version 2 does not protect.");
    }

    check->refusal->argument_name = chorus_null_str;

    return CHORUS_OK;
}


static chorus_rc_t
sigv2_check_args(chorus_auth_check_t *check)
{
    size_t       i;
    chorus_rc_t  rc;

    for (i = 0; i < check->request->uri->nargs; i++) {

        rc = sigv2_check_arg(check, i);

        if (rc != CHORUS_OK) {
            return rc;
        }
    }

    return CHORUS_OK;
}


/* Each of them is a line of the string to sign. */
static chorus_rc_t
sigv2_check_headers(chorus_auth_check_t *check)
{
    size_t        i;
    chorus_rc_t   rc;
    chorus_str_t  value;

    static const char  *const names[] = {
        "content-md5", "content-type", "date", "host"
    };

    rc = chorus_auth_check_disguises(check);

    for (i = 0; rc == CHORUS_OK && i < sizeof(names) / sizeof(names[0]); i++) {
        rc = chorus_auth_single_header(check, chorus_str_from(names[i]),
                                       &value);
    }

    if (rc == CHORUS_OK) {
        rc = chorus_auth_single_header(check,
                                       chorus_str("x-amz-content-sha256"),
                                       &value);
    }

    return rc != CHORUS_OK ? rc : chorus_auth_take_payload(check, value);
}


/* ---- the signature ---- */


static chorus_rc_t
sigv2_compare(chorus_auth_check_t *check, const sigv2_parts_t *parts,
    chorus_str_t secret, const char *plus, bool *is_equal)
{
    chorus_uri_t                   uri;
    chorus_str_t                   to_sign, signature;
    chorus_sigv4_request_t         request;
    const chorus_auth_verifier_t  *verifier = check->verifier;

    static const char  *const nothing[] = { NULL };

    request = *check->request;
    request.uri = &uri;

    if (chorus_uri_filter(verifier->mem, check->request->uri, nothing, plus,
                          &uri)
        != CHORUS_OK)
    {
        return CHORUS_NOMEM;
    }

    to_sign = chorus_sigv2_string_to_sign(verifier->mem, &request,
                  verifier->v2_bucket, parts->date,
                  check->auth->kind == CHORUS_AUTH_V2_QUERY);
    if (to_sign.data == NULL) {
        return CHORUS_NOMEM;
    }

    signature = chorus_sigv2_signature(verifier->mem, verifier->crypto, secret,
                                       to_sign);
    if (signature.data == NULL) {
        return CHORUS_NOMEM;
    }

    *is_equal = chorus_secret_eq(signature, parts->signature);

    return CHORUS_OK;
}


static chorus_rc_t
sigv2_check_signature(chorus_auth_check_t *check, const sigv2_parts_t *parts)
{
    bool          is_equal;
    chorus_rc_t   rc;
    chorus_str_t  secret;

    rc = chorus_auth_secret(check, &secret);
    if (rc != CHORUS_OK) {
        return rc;
    }

    rc = sigv2_compare(check, parts, secret, "%20", &is_equal);

    if (rc == CHORUS_OK && !is_equal
        && chorus_uri_has_plus(check->request->uri))
    {
        check->auth->plus_is_space = false;
        rc = sigv2_compare(check, parts, secret, "%2B", &is_equal);
    }

    if (rc != CHORUS_OK || is_equal) {
        return rc;
    }

    return chorus_auth_refuse_key(check, CHORUS_S3_SIGNATURE_DOES_NOT_MATCH);
}


chorus_rc_t
chorus_sigv2_verify(chorus_auth_check_t *check)
{
    chorus_rc_t    rc;
    sigv2_parts_t  parts;

    rc = check->auth->kind == CHORUS_AUTH_V2_QUERY
         ? sigv2_take_query(check, &parts) : sigv2_take_header(check, &parts);

    if (rc == CHORUS_OK) {
        rc = sigv2_check_headers(check);
    }

    if (rc == CHORUS_OK) {
        rc = sigv2_check_args(check);
    }

    if (rc == CHORUS_OK) {
        rc = sigv2_check_signature(check, &parts);
    }

    return rc;
}
