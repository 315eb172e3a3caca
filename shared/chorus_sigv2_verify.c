/*
 * Verification of Signature Version 2, in the header and in the query.
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

    seconds = 0;
    value = chorus_null_str;

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

    *value = chorus_null_str;

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


/* ---- headers ---- */


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

    value = chorus_null_str;
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


/* One way to read a request: what a raw '+' stands for, and whether the path
 * of a bucket gets a '/' behind it. */
typedef struct {
    bool  plus_is_space;
    bool  adds_slash;
} sigv2_reading_t;


/* The URI as it is signed. */
static chorus_rc_t
sigv2_read(chorus_auth_check_t *check, const sigv2_reading_t *reading,
    chorus_uri_t *uri)
{
    chorus_buf_t  buf;

    static const char  *const nothing[] = { NULL };

    if (chorus_uri_filter(check->verifier->mem, check->request->uri, nothing,
                          reading->plus_is_space ? "%20" : "%2B", uri)
        != CHORUS_OK)
    {
        return CHORUS_NOMEM;
    }

    if (!reading->adds_slash) {
        return CHORUS_OK;
    }

    buf = chorus_buf(check->verifier->mem, uri->path.len + 1);
    chorus_buf_add(&buf, uri->path);
    chorus_buf_char(&buf, '/');
    uri->path = chorus_buf_str(&buf);

    return buf.failed ? CHORUS_NOMEM : CHORUS_OK;
}


static chorus_rc_t
sigv2_compare(chorus_auth_check_t *check, const sigv2_parts_t *parts,
    chorus_str_t secret, const sigv2_reading_t *reading, bool *is_equal)
{
    chorus_uri_t                   uri;
    chorus_str_t                   to_sign, signature;
    chorus_sigv4_request_t         request;
    const chorus_auth_verifier_t  *verifier = check->verifier;

    request = *check->request;
    request.uri = &uri;

    if (sigv2_read(check, reading, &uri) != CHORUS_OK) {
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


/* "/bucket", in path style: botocore sends that and signs "/bucket/", which
 * is what virtual-host style would have. */
static bool
sigv2_is_bare_bucket(const chorus_auth_check_t *check)
{
    chorus_str_t  path;

    path = check->request->uri->path;

    return check->verifier->v2_bucket.data == NULL && path.len > 1
           && memchr(path.data + 1, '/', path.len - 1) == NULL;
}


static chorus_rc_t
sigv2_compare_readings(chorus_auth_check_t *check, const sigv2_parts_t *parts,
    chorus_str_t secret, bool *is_equal)
{
    size_t       i;
    bool         has_plus, is_bare_bucket;
    chorus_rc_t  rc;

    static const sigv2_reading_t  readings[] = {
        { true, false }, { false, false }, { true, true }, { false, true }
    };

    has_plus = chorus_uri_has_plus(check->request->uri);
    is_bare_bucket = sigv2_is_bare_bucket(check);
    *is_equal = false;

    for (i = 0; i < sizeof(readings) / sizeof(readings[0]); i++) {

        if ((!readings[i].plus_is_space && !has_plus)
            || (readings[i].adds_slash && !is_bare_bucket))
        {
            continue;
        }

        check->auth->plus_is_space = readings[i].plus_is_space;
        rc = sigv2_compare(check, parts, secret, &readings[i], is_equal);

        if (rc != CHORUS_OK || *is_equal) {
            return rc;
        }
    }

    return CHORUS_OK;
}


static chorus_rc_t
sigv2_check_signature(chorus_auth_check_t *check, const sigv2_parts_t *parts)
{
    bool          is_equal;
    chorus_rc_t   rc;
    chorus_str_t  secret;

    is_equal = false;
    rc = chorus_auth_secret(check, &secret);

    if (rc == CHORUS_OK) {
        rc = sigv2_compare_readings(check, parts, secret, &is_equal);
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

    memset(&parts, 0, sizeof(sigv2_parts_t));

    rc = check->auth->kind == CHORUS_AUTH_V2_QUERY
         ? sigv2_take_query(check, &parts) : sigv2_take_header(check, &parts);

    if (rc == CHORUS_OK) {
        rc = sigv2_check_headers(check);
    }

    if (rc == CHORUS_OK) {
        rc = chorus_sigv2_check_args(check);
    }

    if (rc == CHORUS_OK) {
        rc = sigv2_check_signature(check, &parts);
    }

    return rc;
}
