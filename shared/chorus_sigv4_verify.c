/*
 * Verification of the Authorization header, step by step in the order in
 * which S3 refuses.  [S3-specific: "Authenticating Requests: Using the
 * Authorization Header"; Amazon S3 API Reference, "Error responses"]
 */

#include <string.h>

#include "chorus_sigv4.h"


#define MALFORMED  "The authorization header is malformed; "


typedef struct {
    const chorus_sigv4_verifier_t  *verifier;
    chorus_sigv4_request_t         *request;
    chorus_sigv4_auth_t            *auth;
    chorus_s3_refusal_t            *refusal;
    char                            date[CHORUS_AMZ_DATE_LEN + 1];
} sigv4_check_t;

typedef chorus_rc_t (*sigv4_step_pt)(sigv4_check_t *check);


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


/* The one header of that name, trimmed.  *value is the null string when there
 * is none; two are refused. */
static chorus_rc_t
sigv4_single_header(const sigv4_check_t *check, chorus_str_t name,
    chorus_str_t *value)
{
    size_t                  behind;
    const chorus_header_t  *headers, *header;

    *value = chorus_null_str;

    headers = check->request->headers;

    header = chorus_header(headers, check->request->nheaders, name);
    if (header == NULL) {
        return CHORUS_OK;
    }

    *value = chorus_str_trim(header->value);

    if (value->data == NULL) {
        *value = chorus_str("");
    }

    behind = (size_t) (header - headers) + 1;

    if (chorus_header(headers + behind, check->request->nheaders - behind,
                      name) != NULL)
    {
        check->refusal->argument_name = name;

        return sigv4_refuse(check->refusal, CHORUS_S3_INVALID_REQUEST,
                            "A header that may be sent only once was "
                            "repeated.");
    }

    return CHORUS_OK;
}


static bool
sigv4_has_query_credentials(const chorus_uri_t *uri)
{
    return chorus_uri_arg(uri, chorus_str("X-Amz-Signature")) != NULL
           || chorus_uri_arg(uri, chorus_str("X-Amz-Credential")) != NULL
           || chorus_uri_arg(uri, chorus_str("X-Amz-Algorithm")) != NULL
           || (chorus_uri_arg(uri, chorus_str("Signature")) != NULL
               && chorus_uri_arg(uri, chorus_str("AWSAccessKeyId")) != NULL);
}


static chorus_rc_t
sigv4_check_authorization(sigv4_check_t *check)
{
    bool          has_query_credentials;
    chorus_rc_t   rc;
    chorus_str_t  value;

    rc = sigv4_single_header(check, chorus_str("authorization"), &value);
    if (rc != CHORUS_OK) {
        return rc;
    }

    has_query_credentials = sigv4_has_query_credentials(check->request->uri);

    if (value.data != NULL && has_query_credentials) {
        check->refusal->argument_name = chorus_str("Authorization");

        return sigv4_refuse(check->refusal, CHORUS_S3_INVALID_ARGUMENT,
                   "Only one auth mechanism allowed; only the X-Amz-Algorithm "
                   "query parameter, Signature query string parameter or the "
                   "Authorization header should be specified");
    }

    if (has_query_credentials) {
        return sigv4_refuse(check->refusal, CHORUS_S3_NOT_IMPLEMENTED,
                   "Presigned URLs are not supported by this version of "
                   "Chorus. Please sign with the Authorization header.");
    }

    if (value.data == NULL) {
        return sigv4_refuse(check->refusal, CHORUS_S3_ACCESS_DENIED, NULL);
    }

    return chorus_sigv4_parse(value, check->auth, check->refusal);
}


/* x-amz-date goes before Date; either may have either form, as with S3. */
static chorus_rc_t
sigv4_check_date(sigv4_check_t *check)
{
    int64_t       seconds, skew;
    chorus_rc_t   rc;
    chorus_str_t  value;

    rc = sigv4_single_header(check, chorus_str("x-amz-date"), &value);

    if (rc == CHORUS_OK && value.data == NULL) {
        rc = sigv4_single_header(check, chorus_str("date"), &value);
    }

    if (rc != CHORUS_OK) {
        return rc;
    }

    if (!chorus_time_parse_amz(value, &seconds)
        && !chorus_time_parse_http(value, &seconds))
    {
        return sigv4_refuse(check->refusal, CHORUS_S3_ACCESS_DENIED,
                            "AWS authentication requires a valid Date or "
                            "x-amz-date header");
    }

    chorus_time_amz(seconds, check->date);

    skew = seconds - check->verifier->now;

    if (skew > CHORUS_SKEW_SECONDS || skew < -CHORUS_SKEW_SECONDS) {
        return sigv4_refuse(check->refusal,
                            CHORUS_S3_REQUEST_TIME_TOO_SKEWED, NULL);
    }

    return CHORUS_OK;
}


static chorus_rc_t
sigv4_check_region(sigv4_check_t *check)
{
    chorus_buf_t         buf;
    chorus_s3_refusal_t  *refusal = check->refusal;

    if (chorus_str_eq(check->verifier->region, chorus_str("*"))
        || chorus_str_eq(check->verifier->region, check->auth->region))
    {
        return CHORUS_OK;
    }

    buf = chorus_buf(check->verifier->mem, 128);

    chorus_buf_text(&buf, MALFORMED "the region '");
    chorus_buf_add(&buf, check->auth->region);
    chorus_buf_text(&buf, "' is wrong; expecting '");
    chorus_buf_add(&buf, check->verifier->region);
    chorus_buf_char(&buf, '\'');

    refusal->code = CHORUS_S3_WRONG_REGION;
    refusal->message = chorus_buf_str(&buf);
    refusal->region = check->verifier->region;

    return buf.failed ? CHORUS_NOMEM : CHORUS_ERROR;
}


static chorus_rc_t
sigv4_check_scope(sigv4_check_t *check)
{
    chorus_str_t  day;

    day = (chorus_str_t) { check->date, CHORUS_DAY_LEN };

    if (!chorus_str_eq(check->auth->day, day)) {
        return sigv4_malformed(check->refusal, MALFORMED "Invalid credential "
                               "date. This date is not the same as "
                               "X-Amz-Date.");
    }

    if (!chorus_str_eq(check->auth->service, chorus_str("s3"))) {
        return sigv4_malformed(check->refusal, MALFORMED "incorrect service. "
                               "This endpoint belongs to \"s3\".");
    }

    return sigv4_check_region(check);
}


static bool
sigv4_is_signed(const chorus_sigv4_auth_t *auth, chorus_str_t name)
{
    chorus_str_t  rest;

    for (rest = auth->signed_headers; rest.len != 0; /* void */) {
        if (chorus_str_caseeq(chorus_str_cut(&rest, ';'), name)) {
            return true;
        }
    }

    return false;
}


static void
sigv4_list_unsigned(chorus_buf_t *list, chorus_str_t name)
{
    if (list->len != 0) {
        chorus_buf_text(list, ", ");
    }

    chorus_buf_add(list, name);
}


/*
 * Ceph, for one, reads "X_Amz_Acl" as x-amz-acl, although it is another
 * header in the signature: such a name counts as x-amz-*, and as never signed.
 */
static bool
sigv4_is_disguised(chorus_str_t name)
{
    size_t        i;
    chorus_str_t  prefix = chorus_str("x-amz-");

    if (name.len < prefix.len || chorus_str_casestarts(name, prefix)) {
        return false;
    }

    for (i = 0; i < prefix.len; i++) {
        if (prefix.data[i] == '-' ? strchr("-_", name.data[i]) == NULL
                                  : (name.data[i] | 0x20) != prefix.data[i])
        {
            return false;
        }
    }

    return true;
}


/* host, and every x-amz-* header of the request. */
static chorus_rc_t
sigv4_check_signed_headers(sigv4_check_t *check)
{
    size_t         i;
    chorus_buf_t   list;
    chorus_str_t   name;

    list.mem = NULL;

    for (i = 0; i <= check->request->nheaders; i++) {

        name = i == 0 ? chorus_str("host")
                      : check->request->headers[i - 1].name;

        if (!sigv4_is_disguised(name)
            && ((i != 0 && !chorus_str_casestarts(name, chorus_str("x-amz-")))
                || sigv4_is_signed(check->auth, name)))
        {
            continue;
        }

        if (list.mem == NULL) {
            list = chorus_buf(check->verifier->mem, 128);
        }

        sigv4_list_unsigned(&list, name);
    }

    if (list.mem == NULL) {
        return CHORUS_OK;
    }

    check->refusal->code = CHORUS_S3_HEADERS_NOT_SIGNED;
    check->refusal->headers = chorus_buf_str(&list);

    return list.failed ? CHORUS_NOMEM : CHORUS_ERROR;
}


static bool
sigv4_is_streaming(chorus_str_t payload)
{
    size_t  i;

    static const char  *const literals[] = {
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD",
        "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER"
    };

    for (i = 0; i < sizeof(literals) / sizeof(literals[0]); i++) {
        if (chorus_str_eq(payload, chorus_str_from(literals[i]))) {
            return true;
        }
    }

    return false;
}


static chorus_rc_t
sigv4_check_payload(sigv4_check_t *check)
{
    chorus_rc_t   rc;
    chorus_str_t  name, value;

    name = chorus_str("x-amz-content-sha256");

    rc = sigv4_single_header(check, name, &value);
    if (rc != CHORUS_OK) {
        return rc;
    }

    if (value.data == NULL) {
        return sigv4_refuse(check->refusal, CHORUS_S3_INVALID_REQUEST,
                            "Missing required header for this request: "
                            "x-amz-content-sha256");
    }

    check->request->payload = value;

    if (chorus_str_eq(value, chorus_str(CHORUS_UNSIGNED_PAYLOAD))
        || (value.len == 2 * CHORUS_SHA256_LEN && chorus_is_lower_hex(value))
        || sigv4_is_streaming(value))
    {
        return CHORUS_OK;
    }

    check->refusal->argument_name = name;
    check->refusal->argument_value = value;

    return sigv4_refuse(check->refusal, CHORUS_S3_INVALID_ARGUMENT,
                        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, "
                        "STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
                        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, "
                        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a "
                        "valid sha256 value in lower case.");
}


static chorus_rc_t
sigv4_string_to_sign(sigv4_check_t *check, chorus_str_t *to_sign)
{
    chorus_str_t                    canonical;
    const chorus_sigv4_verifier_t  *verifier = check->verifier;

    canonical = chorus_sigv4_canonical_request(verifier->mem, check->request,
                                               check->auth->signed_headers);
    if (canonical.data == NULL) {
        return CHORUS_NOMEM;
    }

    *to_sign = chorus_sigv4_string_to_sign(verifier->mem, verifier->crypto,
                   (chorus_str_t) { check->date, CHORUS_AMZ_DATE_LEN },
                   check->auth->scope, canonical);

    return to_sign->data == NULL ? CHORUS_NOMEM : CHORUS_OK;
}


/* A key that was derived for this request is kept only when it proved
 * right. */
static chorus_rc_t
sigv4_compare(sigv4_check_t *check, chorus_str_t secret, chorus_str_t to_sign,
    bool *is_equal)
{
    bool                     is_cached, ok;
    char                     hex[CHORUS_SIGNATURE_LEN];
    unsigned char            key[CHORUS_SHA256_LEN];
    chorus_key_cache_t      *keys = check->verifier->keys;
    chorus_signing_scope_t   scope;

    scope.access_key = check->auth->access_key;
    scope.secret = secret;
    scope.day = check->auth->day;
    scope.region = check->auth->region;

    is_cached = (keys != NULL && chorus_key_cache_find(keys, &scope, key));

    ok = (is_cached
          || chorus_sigv4_signing_key(check->verifier->crypto, secret,
                                      scope.day, scope.region,
                                      check->auth->service, key))
         && chorus_sigv4_signature(check->verifier->crypto, key, to_sign, hex);

    *is_equal = ok
                && chorus_secret_eq(check->auth->signature,
                                    (chorus_str_t) { hex, sizeof(hex) });

    if (*is_equal && !is_cached && keys != NULL) {
        chorus_key_cache_store(keys, &scope, key);
    }

    chorus_secret_wipe(key, sizeof(key));
    chorus_secret_wipe(hex, sizeof(hex));

    return ok ? CHORUS_OK : CHORUS_NOMEM;
}


static chorus_rc_t
sigv4_check_signature(sigv4_check_t *check)
{
    bool          is_equal;
    chorus_rc_t   rc;
    chorus_str_t  secret, to_sign;

    secret = check->verifier->secret_of(check->verifier->data,
                                        check->auth->access_key);

    if (secret.data == NULL) {
        check->refusal->access_key = check->auth->access_key;

        return sigv4_refuse(check->refusal, CHORUS_S3_INVALID_ACCESS_KEY_ID,
                            NULL);
    }

    rc = sigv4_string_to_sign(check, &to_sign);
    if (rc != CHORUS_OK) {
        return rc;
    }

    rc = sigv4_compare(check, secret, to_sign, &is_equal);
    if (rc != CHORUS_OK) {
        return rc;
    }

    if (!is_equal) {
        check->refusal->access_key = check->auth->access_key;

        return sigv4_refuse(check->refusal,
                            CHORUS_S3_SIGNATURE_DOES_NOT_MATCH, NULL);
    }

    return CHORUS_OK;
}


/* Behind the signature, so that a stranger learns nothing here. */
static chorus_rc_t
sigv4_check_streaming(sigv4_check_t *check)
{
    if (!sigv4_is_streaming(check->request->payload)) {
        return CHORUS_OK;
    }

    return sigv4_refuse(check->refusal, CHORUS_S3_NOT_IMPLEMENTED,
               "Uploads in aws-chunked encoding (x-amz-content-sha256: "
               "STREAMING-...) are not supported by this version of Chorus. "
               "Please set request_checksum_calculation=when_required and "
               "disable chunked encoding in the client, so that it sends "
               "UNSIGNED-PAYLOAD or a SHA-256 digest.");
}


static const sigv4_step_pt  sigv4_steps[] = {
    sigv4_check_authorization,
    sigv4_check_date,
    sigv4_check_scope,
    sigv4_check_signed_headers,
    sigv4_check_payload,
    sigv4_check_signature,
    sigv4_check_streaming
};


chorus_rc_t
chorus_sigv4_verify(const chorus_sigv4_verifier_t *verifier,
    chorus_sigv4_request_t *request, chorus_sigv4_auth_t *auth,
    chorus_s3_refusal_t *refusal)
{
    size_t         i;
    chorus_rc_t    rc;
    sigv4_check_t  check;

    memset(auth, 0, sizeof(chorus_sigv4_auth_t));
    memset(refusal, 0, sizeof(chorus_s3_refusal_t));

    check.verifier = verifier;
    check.request = request;
    check.auth = auth;
    check.refusal = refusal;

    for (i = 0; i < sizeof(sigv4_steps) / sizeof(sigv4_steps[0]); i++) {

        rc = sigv4_steps[i](&check);

        if (rc != CHORUS_OK) {
            return rc;
        }
    }

    return CHORUS_OK;
}
