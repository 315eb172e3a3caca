/*
 * Whose form it is: the fields of the signature, which is over the text of the
 * policy.  [Amazon S3 API Reference, "Calculating a Signature"]
 */

#include <string.h>

#include "chorus_auth_check.h"
#include "chorus_post_policy.h"


typedef struct {
    const chorus_post_check_t  *check;
    const chorus_post_form_t   *form;
    chorus_s3_refusal_t        *refusal;
    chorus_str_t                policy;
    chorus_str_t                credential;     /* of version 4 */
    chorus_sigv4_auth_t         v4;             /* its parts */
    chorus_str_t                access_key;
    chorus_str_t                signature;
} post_check_t;


static chorus_rc_t
post_refuse(const post_check_t *c, chorus_s3_code_t code, const char *name,
    chorus_str_t value, const char *message)
{
    c->refusal->code = code;
    c->refusal->message = chorus_str_from(message);
    c->refusal->argument_name = chorus_str_from(name);
    c->refusal->argument_value = value;

    return CHORUS_ERROR;
}


static bool
post_has(const chorus_post_form_t *form, const char *name)
{
    return chorus_post_field(form, chorus_str_from(name)) != NULL;
}


/* *value is that of the field, which must be there. */
static chorus_rc_t
post_require(const post_check_t *c, const char *name, chorus_str_t *value)
{
    chorus_buf_t                buf;
    const chorus_post_field_t  *field;

    field = chorus_post_field(c->form, chorus_str_from(name));

    if (field != NULL) {
        *value = field->value;
        return CHORUS_OK;
    }

    buf = chorus_buf(c->check->verifier->mem, 160);

    chorus_buf_text(&buf, "Bucket POST must contain a field named '");
    chorus_buf_text(&buf, name);
    chorus_buf_text(&buf, "'.  If it is specified, please check the order of "
                    "the fields.");

    (void) post_refuse(c, CHORUS_S3_INVALID_ARGUMENT, name, chorus_str(""),
                       NULL);
    c->refusal->message = chorus_buf_str(&buf);

    return buf.failed ? CHORUS_NOMEM : CHORUS_ERROR;
}


/* ---- version 4 ---- */


static chorus_rc_t
post_check_region(const post_check_t *c)
{
    chorus_buf_t  buf;
    chorus_str_t  ours = c->check->verifier->region;

    if (chorus_str_eq(ours, chorus_str("*"))
        || chorus_str_eq(ours, c->v4.region))
    {
        return CHORUS_OK;
    }

    buf = chorus_buf(c->check->verifier->mem, 128);

    chorus_buf_text(&buf, "the region '");
    chorus_buf_add(&buf, c->v4.region);
    chorus_buf_text(&buf, "' is wrong; expecting '");
    chorus_buf_add(&buf, ours);
    chorus_buf_char(&buf, '\'');

    (void) post_refuse(c, CHORUS_S3_INVALID_ARGUMENT, "X-Amz-Credential",
                       c->credential, NULL);
    c->refusal->message = chorus_buf_str(&buf);
    c->refusal->region = ours;

    return buf.failed ? CHORUS_NOMEM : CHORUS_ERROR;
}


static chorus_rc_t
post_parse_credential(post_check_t *c)
{
    if (chorus_sigv4_split_credential(c->credential, &c->v4)
        != CHORUS_SIGV4_NO_FAULT
        || !chorus_str_eq(c->v4.service, chorus_str("s3")))
    {
        return post_refuse(c, CHORUS_S3_INVALID_ARGUMENT, "X-Amz-Credential",
                           c->credential, CHORUS_SIGV4_CREDENTIAL_IS);
    }

    c->access_key = c->v4.access_key;

    return post_check_region(c);
}


static chorus_rc_t
post_check_date(const post_check_t *c, chorus_str_t date)
{
    int64_t  seconds;

    if (!chorus_time_parse_amz(date, &seconds)) {
        return post_refuse(c, CHORUS_S3_INVALID_ARGUMENT, "X-Amz-Date", date,
                           "X-Amz-Date must be formated via ISO8601 Long "
                           "format");
    }

    date.len = CHORUS_DAY_LEN;

    if (!chorus_str_eq(date, c->v4.day)) {
        return post_refuse(c, CHORUS_S3_INVALID_ARGUMENT, "X-Amz-Credential",
                           c->credential, "Invalid credential date. This "
                           "date is not the same as X-Amz-Date.");
    }

    return CHORUS_OK;
}


static chorus_rc_t
post_read_v4(post_check_t *c)
{
    chorus_rc_t   rc;
    chorus_str_t  algorithm, date;

    date = chorus_null_str;

    rc = post_require(c, "X-Amz-Algorithm", &algorithm);

    if (rc == CHORUS_OK) {
        rc = post_require(c, "X-Amz-Credential", &c->credential);
    }

    if (rc == CHORUS_OK) {
        rc = post_require(c, "X-Amz-Signature", &c->signature);
    }

    if (rc == CHORUS_OK) {
        rc = post_require(c, "X-Amz-Date", &date);
    }

    if (rc == CHORUS_OK) {
        rc = post_require(c, "Policy", &c->policy);
    }

    if (rc != CHORUS_OK) {
        return rc;
    }

    if (!chorus_str_eq(algorithm, chorus_str(CHORUS_SIGV4_ALGORITHM))) {
        return post_refuse(c,
                           chorus_str_starts(algorithm,
                                             chorus_str("AWS4-ECDSA"))
                           ? CHORUS_S3_NOT_IMPLEMENTED
                           : CHORUS_S3_INVALID_ARGUMENT,
                           "X-Amz-Algorithm", algorithm,
                           "X-Amz-Algorithm only supports "
                           "\"AWS4-HMAC-SHA256\"");
    }

    rc = post_parse_credential(c);

    return rc == CHORUS_OK ? post_check_date(c, date) : rc;
}


static chorus_rc_t
post_compare_v4(const post_check_t *c, chorus_str_t secret, bool *is_equal)
{
    bool                           ok, is_new;
    char                           hex[CHORUS_SIGNATURE_LEN];
    unsigned char                  key[CHORUS_SHA256_LEN];
    const chorus_auth_verifier_t  *verifier = c->check->verifier;

    ok = chorus_sigv4_key_of(verifier, &c->v4, secret, &is_new, key)
         && chorus_sigv4_signature(verifier->crypto, key, c->policy, hex);

    *is_equal = ok
                && chorus_secret_eq(c->signature,
                                    (chorus_str_t) { hex, sizeof(hex) });

    if (*is_equal && is_new) {
        chorus_sigv4_keep_key(verifier, &c->v4, secret, key);
    }

    chorus_secret_wipe(key, sizeof(key));
    chorus_secret_wipe(hex, sizeof(hex));

    return ok ? CHORUS_OK : CHORUS_NOMEM;
}


/* ---- version 2 ---- */


static chorus_rc_t
post_read_v2(post_check_t *c)
{
    chorus_rc_t  rc;

    if (!c->check->accepts_v2) {
        return post_refuse(c, CHORUS_S3_INVALID_REQUEST, NULL,
                           chorus_null_str, "The authorization mechanism you "
                           "have provided is not supported. Please use "
                           "AWS4-HMAC-SHA256.");
    }

    rc = post_require(c, "AWSAccessKeyId", &c->access_key);

    if (rc == CHORUS_OK) {
        rc = post_require(c, "Signature", &c->signature);
    }

    return rc == CHORUS_OK ? post_require(c, "Policy", &c->policy) : rc;
}


static chorus_rc_t
post_compare_v2(const post_check_t *c, chorus_str_t secret, bool *is_equal)
{
    chorus_str_t                    base64;
    unsigned char                   mac[CHORUS_SHA1_LEN];
    const chorus_auth_verifier_t  *verifier = c->check->verifier;

    if (!chorus_hmac_sha1(verifier->crypto, secret, c->policy, mac)) {
        return CHORUS_NOMEM;
    }

    base64 = chorus_base64(verifier->mem, mac, sizeof(mac));
    chorus_secret_wipe(mac, sizeof(mac));

    if (base64.data == NULL) {
        return CHORUS_NOMEM;
    }

    *is_equal = chorus_secret_eq(c->signature, base64);
    chorus_secret_wipe((char *) base64.data, base64.len);

    return CHORUS_OK;
}


/* ---- both ---- */


static chorus_rc_t
post_check_signature(const post_check_t *c)
{
    bool          is_equal;
    chorus_rc_t   rc;
    chorus_str_t  secret;

    secret = c->check->verifier->secret_of(c->check->verifier->data,
                                           c->access_key);

    if (secret.data == NULL) {
        c->refusal->code = CHORUS_S3_INVALID_ACCESS_KEY_ID;
        c->refusal->access_key = c->access_key;

        return CHORUS_ERROR;
    }

    rc = c->credential.data != NULL ? post_compare_v4(c, secret, &is_equal)
                                    : post_compare_v2(c, secret, &is_equal);

    if (rc == CHORUS_OK && !is_equal) {
        c->refusal->code = CHORUS_S3_SIGNATURE_DOES_NOT_MATCH;
        c->refusal->access_key = c->access_key;

        return CHORUS_ERROR;
    }

    return rc;
}


static chorus_rc_t
post_check_bucket(const post_check_t *c)
{
    const chorus_post_field_t  *field;

    field = chorus_post_field(c->form, chorus_str("bucket"));

    if (field == NULL || chorus_str_eq(field->value, c->check->bucket)) {
        return CHORUS_OK;
    }

    return post_refuse(c, CHORUS_S3_ACCESS_DENIED, "bucket", field->value,
                       "The form names another bucket than the request.");
}


bool
chorus_post_is_signature_field(chorus_str_t name)
{
    size_t  i;

    static const char  *const names[] = {
        "policy", "x-amz-algorithm", "x-amz-credential", "x-amz-date",
        "x-amz-signature", "x-amz-security-token", "AWSAccessKeyId",
        "signature"
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (chorus_str_caseeq(name, chorus_str_from(names[i]))) {
            return true;
        }
    }

    return false;
}


/* Without credentials: a form that shows a policy is not one of nobody. */
static chorus_rc_t
post_check_anonymous(const post_check_t *c)
{
    size_t  i;

    for (i = 0; c->check->accepts_anonymous && i < c->form->nfields; i++) {
        if (chorus_post_is_signature_field(c->form->fields[i].name)) {
            break;
        }
    }

    if (c->check->accepts_anonymous && i == c->form->nfields) {
        return CHORUS_OK;
    }

    return post_refuse(c, CHORUS_S3_ACCESS_DENIED, NULL, chorus_null_str,
                       NULL);
}


chorus_rc_t
chorus_post_verify(const chorus_post_check_t *check,
    const chorus_post_form_t *form, chorus_post_grant_t *grant,
    chorus_s3_refusal_t *refusal)
{
    bool          has_v2, has_v4;
    chorus_rc_t   rc;
    post_check_t  c;

    memset(grant, 0, sizeof(chorus_post_grant_t));
    memset(refusal, 0, sizeof(chorus_s3_refusal_t));
    memset(&c, 0, sizeof(post_check_t));

    c.check = check;
    c.form = form;
    c.refusal = refusal;

    rc = post_check_bucket(&c);
    if (rc != CHORUS_OK) {
        return rc;
    }

    has_v4 = post_has(form, "x-amz-algorithm")
             || post_has(form, "x-amz-credential")
             || post_has(form, "x-amz-signature");
    has_v2 = post_has(form, "AWSAccessKeyId") || post_has(form, "signature");

    if (!has_v4 && !has_v2) {
        return post_check_anonymous(&c);
    }

    if (has_v4 && has_v2) {
        return post_refuse(&c, CHORUS_S3_INVALID_ARGUMENT, NULL,
                           chorus_null_str, "Only one auth mechanism allowed; "
                           "the form has fields of two.");
    }

    rc = has_v4 ? post_read_v4(&c) : post_read_v2(&c);

    if (rc == CHORUS_OK) {
        rc = post_check_signature(&c);
    }

    if (rc != CHORUS_OK) {
        return rc;
    }

    grant->access_key = c.access_key;

    return chorus_post_policy_check(check, form, c.policy, grant, refusal);
}
