/* What the verification of every kind of credentials has in common. */

#include <string.h>

#include "chorus_auth_check.h"


chorus_rc_t
chorus_auth_single_header(chorus_auth_check_t *check, chorus_str_t name,
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

        return chorus_auth_refuse(check, CHORUS_S3_INVALID_REQUEST,
                                  "A header that may be sent only once was "
                                  "repeated.");
    }

    return CHORUS_OK;
}


/* ---- times ---- */


chorus_rc_t
chorus_auth_date(chorus_auth_check_t *check, chorus_str_t *value,
    int64_t *seconds)
{
    chorus_rc_t  rc;

    rc = chorus_auth_single_header(check, chorus_str("x-amz-date"), value);

    if (rc == CHORUS_OK && value->data == NULL) {
        rc = chorus_auth_single_header(check, chorus_str("date"), value);
    }

    if (rc != CHORUS_OK) {
        return rc;
    }

    if (!chorus_time_parse_amz(*value, seconds)
        && !chorus_time_parse_http(*value, seconds))
    {
        return chorus_auth_refuse(check, CHORUS_S3_ACCESS_DENIED,
                                  CHORUS_NO_DATE_MESSAGE);
    }

    return CHORUS_OK;
}


chorus_rc_t
chorus_auth_check_skew(chorus_auth_check_t *check, int64_t seconds)
{
    int64_t  skew;

    skew = seconds - check->verifier->now;

    if (skew > CHORUS_SKEW_SECONDS || skew < -CHORUS_SKEW_SECONDS) {
        return chorus_auth_refuse(check, CHORUS_S3_REQUEST_TIME_TOO_SKEWED,
                                  NULL);
    }

    return CHORUS_OK;
}


static chorus_str_t
auth_iso(chorus_mem_t *mem, int64_t seconds)
{
    char  text[CHORUS_ISO_DATE_LEN + 1];

    chorus_time_iso(seconds, text);

    return chorus_str_dup(mem, chorus_str_from(text));
}


chorus_rc_t
chorus_auth_check_expiry(chorus_auth_check_t *check, int64_t until)
{
    chorus_mem_t         *mem = check->verifier->mem;
    chorus_s3_refusal_t  *refusal = check->refusal;

    if (check->verifier->now < until) {
        return CHORUS_OK;
    }

    refusal->expires = auth_iso(mem, until);
    refusal->server_time = auth_iso(mem, check->verifier->now);

    if (refusal->expires.data == NULL || refusal->server_time.data == NULL) {
        return CHORUS_NOMEM;
    }

    return chorus_auth_refuse(check, CHORUS_S3_REQUEST_EXPIRED, NULL);
}


/* ---- headers in disguise ---- */


/* Whatever the case, and with '_' for '-'. */
static bool
auth_starts_like(chorus_str_t name, chorus_str_t prefix)
{
    size_t  i;

    if (name.len < prefix.len) {
        return false;
    }

    for (i = 0; i < prefix.len; i++) {
        if (prefix.data[i] == '-' ? name.data[i] != '-' && name.data[i] != '_'
                                  : (name.data[i] | 0x20) != prefix.data[i])
        {
            return false;
        }
    }

    return true;
}


bool
chorus_auth_is_disguised(chorus_str_t name)
{
    chorus_str_t  prefix = chorus_str("x-amz-");

    return !chorus_str_casestarts(name, prefix)
           && auth_starts_like(name, prefix);
}


bool
chorus_auth_is_alias(chorus_str_t name)
{
    size_t  i;

    static const char  *const prefixes[] = {
        "x-goog-", "x-dho-", "x-rgw-", "x-object-", "x-container-",
        "x-account-"
    };

    if (name.len == 0 || (name.data[0] | 0x20) != 'x') {
        return false;                           /* as most are */
    }

    for (i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        if (auth_starts_like(name, chorus_str_from(prefixes[i]))) {
            return true;
        }
    }

    return false;
}


chorus_rc_t
chorus_auth_check_disguises(chorus_auth_check_t *check)
{
    size_t        i;
    chorus_str_t  name;

    for (i = 0; i < check->request->nheaders; i++) {

        name = check->request->headers[i].name;

        if (chorus_auth_is_disguised(name) || chorus_auth_is_alias(name)) {
            check->refusal->headers = name;

            return chorus_auth_refuse(check, CHORUS_S3_HEADERS_NOT_SIGNED,
                                      NULL);
        }
    }

    return CHORUS_OK;
}


/* ---- the payload line ---- */


chorus_payload_kind_t
chorus_payload_kind(chorus_str_t payload)
{
    size_t  i;

    static const struct {
        const char             *literal;
        chorus_payload_kind_t   kind;
    } rows[] = {
        { CHORUS_UNSIGNED_PAYLOAD, CHORUS_PAYLOAD_UNSIGNED },
        { "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
          CHORUS_PAYLOAD_CHUNKS_TRAILER },
        { "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", CHORUS_PAYLOAD_SIGNED_CHUNKS },
        { "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
          CHORUS_PAYLOAD_SIGNED_CHUNKS_TRAILER },
        { "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD",
          CHORUS_PAYLOAD_SIGV4A_CHUNKS },
        { "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER",
          CHORUS_PAYLOAD_SIGV4A_CHUNKS }
    };

    if (payload.len == 2 * CHORUS_SHA256_LEN
        && chorus_str_is_of(payload, CHORUS_CHAR_LOWER_HEX))
    {
        return CHORUS_PAYLOAD_DIGEST;
    }

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (chorus_str_eq(payload, chorus_str_from(rows[i].literal))) {
            return rows[i].kind;
        }
    }

    return CHORUS_PAYLOAD_UNKNOWN;
}


static bool
auth_is_v4(const chorus_auth_t *auth)
{
    return auth->kind == CHORUS_AUTH_V4_HEADER
           || auth->kind == CHORUS_AUTH_V4_QUERY;
}


chorus_rc_t
chorus_auth_take_payload(chorus_auth_check_t *check, chorus_str_t value)
{
    chorus_auth_t  *auth = check->auth;

    if (value.data == NULL) {
        value = chorus_str(CHORUS_UNSIGNED_PAYLOAD);
    }

    auth->payload = value;
    auth->payload_kind = chorus_payload_kind(value);
    check->request->payload = value;

    if (auth->payload_kind == CHORUS_PAYLOAD_UNKNOWN) {
        check->refusal->argument_name = chorus_str("x-amz-content-sha256");
        check->refusal->argument_value = value;

        return chorus_auth_refuse(check, CHORUS_S3_INVALID_ARGUMENT,
                   "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, "
                   "STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
                   "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, "
                   "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid "
                   "sha256 value in lower case.");
    }

    if (!auth_is_v4(auth)
        && (auth->payload_kind == CHORUS_PAYLOAD_SIGNED_CHUNKS
            || auth->payload_kind == CHORUS_PAYLOAD_SIGNED_CHUNKS_TRAILER))
    {
        return chorus_auth_refuse(check, CHORUS_S3_INVALID_REQUEST,
                   "Signed chunks need a request that is signed with "
                   "AWS4-HMAC-SHA256.");
    }

    return CHORUS_OK;
}


/* ---- keys ---- */


chorus_rc_t
chorus_auth_refuse_key(chorus_auth_check_t *check, chorus_s3_code_t code)
{
    check->refusal->access_key = check->auth->access_key;

    return chorus_auth_refuse(check, code, NULL);
}


chorus_rc_t
chorus_auth_secret(chorus_auth_check_t *check, chorus_str_t *secret)
{
    *secret = check->verifier->secret_of(check->verifier->data,
                                         check->auth->access_key);

    if (secret->data == NULL) {
        return chorus_auth_refuse_key(check, CHORUS_S3_INVALID_ACCESS_KEY_ID);
    }

    return CHORUS_OK;
}
