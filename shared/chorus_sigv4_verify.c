/*
 * Verification of Signature Version 4, step by step in the order in which S3
 * refuses; the steps here are those of the Authorization header and those
 * that presigned URLs have as well.  [S3: "Authenticating Requests: Using the
 * Authorization Header"; Amazon S3 API Reference, "Error responses"]
 */

#include <string.h>

#include "chorus_auth_check.h"


static chorus_rc_t
sigv4_take_authorization(chorus_auth_check_t *check)
{
    chorus_rc_t  rc;

    rc = chorus_sigv4_parse(check->authorization, &check->auth->v4,
                            check->refusal);

    check->auth->access_key = check->auth->v4.access_key;

    return rc;
}


static chorus_rc_t
sigv4_take_date(chorus_auth_check_t *check)
{
    int64_t       seconds;
    chorus_rc_t   rc;
    chorus_str_t  value;

    rc = chorus_auth_date(check, &value, &seconds);
    if (rc != CHORUS_OK) {
        return rc;
    }

    /* the form in which it is kept has a length of its own */

    if (value.len == CHORUS_AMZ_DATE_LEN) {
        memcpy(check->auth->date, value.data, CHORUS_AMZ_DATE_LEN);

    } else {
        chorus_time_amz(seconds, check->auth->date);
    }

    return chorus_auth_check_skew(check, seconds);
}


static chorus_rc_t
sigv4_take_payload(chorus_auth_check_t *check)
{
    chorus_rc_t   rc;
    chorus_str_t  value;

    rc = chorus_auth_single_header(check, chorus_str("x-amz-content-sha256"),
                                   &value);
    if (rc != CHORUS_OK) {
        return rc;
    }

    if (value.data == NULL) {
        return chorus_auth_refuse(check, CHORUS_S3_INVALID_REQUEST,
                                  "Missing required header for this request: "
                                  "x-amz-content-sha256");
    }

    return chorus_auth_take_payload(check, value);
}


/* ---- the scope ---- */


/* Where the credential stands decides how S3 calls it. */
static chorus_rc_t
sigv4_refuse_scope(chorus_auth_check_t *check, chorus_s3_code_t code,
    const chorus_str_t *parts, size_t nparts)
{
    bool          in_query;
    size_t        i;
    chorus_buf_t  buf;

    in_query = (check->auth->kind == CHORUS_AUTH_V4_QUERY);
    buf = chorus_buf(check->verifier->mem, 192);

    chorus_buf_text(&buf, in_query ? CHORUS_SIGV4_IN_QUERY
                                   : CHORUS_SIGV4_IN_HEADER);

    for (i = 0; i < nparts; i++) {
        chorus_buf_add(&buf, parts[i]);
    }

    check->refusal->code = in_query ? CHORUS_S3_AUTHORIZATION_QUERY_PARAMETERS
                                    : code;
    check->refusal->message = chorus_buf_str(&buf);

    return buf.failed ? CHORUS_NOMEM : CHORUS_ERROR;
}


static chorus_rc_t
sigv4_check_region(chorus_auth_check_t *check)
{
    chorus_str_t  theirs, ours;
    chorus_str_t  parts[5];

    theirs = check->auth->v4.region;
    ours = check->verifier->region;

    if (chorus_str_eq(ours, chorus_str("*")) || chorus_str_eq(ours, theirs)) {
        return CHORUS_OK;
    }

    parts[0] = chorus_str("the region '");
    parts[1] = theirs;
    parts[2] = chorus_str("' is wrong; expecting '");
    parts[3] = ours;
    parts[4] = chorus_str("'");

    check->refusal->region = ours;

    return sigv4_refuse_scope(check, CHORUS_S3_WRONG_REGION, parts, 5);
}


chorus_rc_t
chorus_sigv4_check_scope(chorus_auth_check_t *check)
{
    chorus_str_t                day, message;
    const chorus_sigv4_auth_t  *v4 = &check->auth->v4;

    day = (chorus_str_t) { check->auth->date, CHORUS_DAY_LEN };

    if (!chorus_str_eq(v4->day, day)) {
        message = chorus_str("Invalid credential date. This date is not the "
                             "same as X-Amz-Date.");

        return sigv4_refuse_scope(check,
                                  CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED,
                                  &message, 1);
    }

    if (!chorus_str_eq(v4->service, chorus_str("s3"))) {
        message = chorus_str("incorrect service. This endpoint belongs to "
                             "\"s3\".");

        return sigv4_refuse_scope(check,
                                  CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED,
                                  &message, 1);
    }

    return sigv4_check_region(check);
}


/* ---- the signed headers ---- */


/* A header called "a;b" is not signed because a and b are. */
static bool
sigv4_is_first(chorus_str_t names, chorus_str_t name)
{
    return chorus_str_casestarts(names, name)
           && (names.len == name.len || names.data[name.len] == ';')
           && memchr(name.data, ';', name.len) == NULL;
}


bool
chorus_sigv4_is_signed(const chorus_sigv4_auth_t *auth, chorus_str_t name)
{
    chorus_str_t  rest;

    for (rest = auth->signed_headers; rest.len != 0; /* void */) {
        if (sigv4_is_first(rest, name)) {
            return true;
        }

        (void) chorus_str_cut(&rest, ';');
    }

    return false;
}


/* A URL is often made before anybody knows the body: a header that says of it
 * no more than the URL does may be unsigned. */
static bool
sigv4_may_be_unsigned(const chorus_auth_check_t *check,
    const chorus_header_t *header)
{
    chorus_payload_kind_t  kind;

    if (!chorus_str_casestarts(header->name, chorus_str("x-amz-"))) {
        return !chorus_auth_is_alias(header->name);
    }

    if (check->auth->kind != CHORUS_AUTH_V4_QUERY
        || !chorus_str_caseeq(header->name,
                              chorus_str("x-amz-content-sha256")))
    {
        return false;
    }

    kind = chorus_payload_kind(chorus_str_trim(header->value));

    return kind == CHORUS_PAYLOAD_UNSIGNED || kind == CHORUS_PAYLOAD_DIGEST;
}


static bool
sigv4_is_covered(const chorus_auth_check_t *check,
    const chorus_header_t *header)
{
    return !chorus_auth_is_disguised(header->name)
           && (sigv4_may_be_unsigned(check, header)
               || chorus_sigv4_is_signed(&check->auth->v4, header->name));
}


/* host, and every x-amz-* header of the request */
chorus_rc_t
chorus_sigv4_check_signed_headers(chorus_auth_check_t *check)
{
    size_t                         i;
    chorus_buf_t                   list;
    const chorus_sigv4_request_t  *request = check->request;

    list = chorus_buf(check->verifier->mem, 128);

    if (!chorus_sigv4_is_signed(&check->auth->v4, chorus_str("host"))) {
        chorus_buf_text(&list, "host");
    }

    for (i = 0; i < request->nheaders; i++) {

        if (sigv4_is_covered(check, &request->headers[i])) {
            continue;
        }

        if (list.len != 0) {
            chorus_buf_text(&list, ", ");
        }

        chorus_buf_add(&list, request->headers[i].name);
    }

    if (list.failed) {
        return CHORUS_NOMEM;
    }

    if (list.len == 0) {
        return CHORUS_OK;
    }

    check->refusal->headers = chorus_buf_str(&list);

    return chorus_auth_refuse(check, CHORUS_S3_HEADERS_NOT_SIGNED, NULL);
}


/* ---- the signature ---- */


bool
chorus_sigv4_key_of(const chorus_auth_verifier_t *verifier,
    const chorus_sigv4_auth_t *auth, chorus_str_t secret, bool *is_new,
    unsigned char key[CHORUS_SHA256_LEN])
{
    chorus_signing_scope_t  scope;

    scope.access_key = auth->access_key;
    scope.secret = secret;
    scope.day = auth->day;
    scope.region = auth->region;

    *is_new = false;

    if (verifier->keys != NULL
        && chorus_key_cache_find(verifier->keys, &scope, key))
    {
        return true;
    }

    *is_new = true;

    return chorus_sigv4_signing_key(verifier->crypto, secret, scope.day,
                                    scope.region, auth->service, key);
}


/* The right signature, if `plus` is what a raw '+' in the query stands for. */
static chorus_rc_t
sigv4_expected(chorus_auth_check_t *check, const unsigned char *key,
    const char *plus, char signature[CHORUS_SIGNATURE_LEN])
{
    chorus_uri_t                   uri;
    chorus_sigv4_request_t         request;
    const chorus_sigv4_auth_t     *v4 = &check->auth->v4;
    const chorus_auth_verifier_t  *verifier = check->verifier;

    static const char  *const itself[] = { "X-Amz-Signature", NULL };
    static const char  *const nothing[] = { NULL };

    request = *check->request;
    request.uri = &uri;

    if (chorus_uri_filter(verifier->mem, check->request->uri,
                          check->auth->kind == CHORUS_AUTH_V4_QUERY
                              ? itself : nothing,
                          plus, &uri)
        != CHORUS_OK)
    {
        return CHORUS_NOMEM;
    }

    return chorus_sigv4_request_signature(verifier->mem, verifier->crypto,
               &request, v4->signed_headers,
               (chorus_str_t) { check->auth->date, CHORUS_AMZ_DATE_LEN },
               v4->scope, key, signature)
           ? CHORUS_OK : CHORUS_NOMEM;
}


static chorus_rc_t
sigv4_compare(chorus_auth_check_t *check, const unsigned char *key,
    bool plus_is_space, bool *is_equal)
{
    char         hex[CHORUS_SIGNATURE_LEN];
    chorus_rc_t  rc;

    rc = sigv4_expected(check, key, plus_is_space ? "%20" : "%2B", hex);

    *is_equal = rc == CHORUS_OK
                && chorus_secret_eq(check->auth->v4.signature,
                                    (chorus_str_t) { hex, sizeof(hex) });

    chorus_secret_wipe(hex, sizeof(hex));

    return rc;
}


/* S3, Ceph and MinIO read a raw '+' as a space, and sign it as one; there are
 * clients that sign it as the plus that they mean. */
static chorus_rc_t
sigv4_compare_readings(chorus_auth_check_t *check, const unsigned char *key,
    bool *is_equal)
{
    chorus_rc_t  rc;

    check->auth->plus_is_space = true;

    rc = sigv4_compare(check, key, true, is_equal);

    if (rc != CHORUS_OK || *is_equal
        || !chorus_uri_has_plus(check->request->uri))
    {
        return rc;
    }

    check->auth->plus_is_space = false;

    return sigv4_compare(check, key, false, is_equal);
}


void
chorus_sigv4_keep_key(const chorus_auth_verifier_t *verifier,
    const chorus_sigv4_auth_t *auth, chorus_str_t secret,
    const unsigned char key[CHORUS_SHA256_LEN])
{
    chorus_signing_scope_t  scope;

    scope.access_key = auth->access_key;
    scope.secret = secret;
    scope.day = auth->day;
    scope.region = auth->region;

    if (verifier->keys != NULL) {
        chorus_key_cache_store(verifier->keys, &scope, key);
    }
}


chorus_rc_t
chorus_sigv4_check_signature(chorus_auth_check_t *check)
{
    bool           is_equal, is_new;
    chorus_rc_t    rc;
    chorus_str_t   secret;
    unsigned char  key[CHORUS_SHA256_LEN];

    rc = chorus_auth_secret(check, &secret);
    if (rc != CHORUS_OK) {
        return rc;
    }

    is_equal = false;

    if (!chorus_sigv4_key_of(check->verifier, &check->auth->v4, secret,
                             &is_new, key))
    {
        rc = CHORUS_NOMEM;

    } else {
        rc = sigv4_compare_readings(check, key, &is_equal);
    }

    if (is_equal && is_new) {
        chorus_sigv4_keep_key(check->verifier, &check->auth->v4, secret,
                              key);
    }

    chorus_secret_wipe(key, sizeof(key));

    if (rc != CHORUS_OK || is_equal) {
        return rc;
    }

    return chorus_auth_refuse_key(check, CHORUS_S3_SIGNATURE_DOES_NOT_MATCH);
}


chorus_rc_t
chorus_sigv4_verify_header(chorus_auth_check_t *check)
{
    static const chorus_auth_step_pt  steps[] = {
        sigv4_take_authorization,
        sigv4_take_date,
        chorus_sigv4_check_scope,
        chorus_sigv4_check_signed_headers,
        sigv4_take_payload,
        chorus_sigv4_check_signature
    };

    return chorus_auth_run(check, steps, sizeof(steps) / sizeof(steps[0]));
}
