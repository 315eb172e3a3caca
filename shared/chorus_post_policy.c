/*
 * The conditions of a policy, checked one by one against the fields of the
 * form.
 */

#include <stdlib.h>
#include <string.h>

#include "chorus_post_document.h"

#define CONTENT_TYPE  "content-type"


typedef struct {
    const chorus_post_check_t     *check;
    const chorus_post_form_t      *form;
    const chorus_post_document_t  *doc;
    chorus_post_grant_t           *grant;
    chorus_s3_refusal_t           *refusal;
    bool                           covers_bucket;
    bool                           covers[CHORUS_POST_MAX_FIELDS];
} policy_t;


/* "Invalid according to Policy: ..." */
static chorus_rc_t
policy_denied(const policy_t *policy, const char *what, chorus_str_t text)
{
    chorus_buf_t  buf;

    buf = chorus_buf(policy->check->verifier->mem, 256);

    chorus_buf_text(&buf, "Invalid according to Policy: ");
    chorus_buf_text(&buf, what);
    chorus_buf_add(&buf, text);

    policy->refusal->code = CHORUS_S3_ACCESS_DENIED;
    policy->refusal->message = chorus_buf_str(&buf);

    return buf.failed ? CHORUS_NOMEM : CHORUS_ERROR;
}


/* The list that a simple condition is short for; NULL: out of memory. */
static json_t *
policy_long_form(const policy_t *policy,
    const chorus_post_condition_t *condition)
{
    json_t        *list;
    chorus_buf_t   name;

    name = chorus_buf(policy->check->verifier->mem, 64);
    chorus_buf_char(&name, '$');
    chorus_buf_add(&name, condition->name);

    list = json_array();

    if (list == NULL || name.failed
        || json_array_append_new(list, json_string("eq")) != 0
        || json_array_append_new(list, json_stringn(name.data, name.len)) != 0
        || json_array_append_new(list,
                                 json_stringn(condition->value.data,
                                              condition->value.len)) != 0)
    {
        json_decref(list);
        return NULL;
    }

    return list;
}


/* As S3 says it: in the spelling of the policy, a simple one as a list. */
static chorus_rc_t
policy_failed(const policy_t *policy,
    const chorus_post_condition_t *condition)
{
    char         *text;
    json_t       *list;
    chorus_rc_t   rc;

    list = condition->is_simple ? policy_long_form(policy, condition)
                                : json_incref(condition->json);
    if (list == NULL) {
        return CHORUS_NOMEM;
    }

    text = json_dumps(list, 0);
    json_decref(list);

    if (text == NULL) {
        return CHORUS_NOMEM;
    }

    rc = policy_denied(policy, "Policy Condition failed: ",
                       chorus_str_from(text));
    free(text);

    return rc;
}


/* The value of a field and that it is covered; the null string without it. */
static chorus_str_t
policy_field(policy_t *policy, chorus_str_t name)
{
    const chorus_post_field_t  *field;

    if (chorus_str_caseeq(name, chorus_str("bucket"))) {
        policy->covers_bucket = true;
        return policy->check->bucket;
    }

    field = chorus_post_field(policy->form, name);
    if (field == NULL) {
        return chorus_null_str;
    }

    policy->covers[field - policy->form->fields] = true;

    return field->value;
}


/* A Content-Type with commas is a list, and each of it must fit. */
static bool
policy_starts_with(const chorus_post_condition_t *condition, chorus_str_t value)
{
    if (!chorus_str_caseeq(condition->name, chorus_str(CONTENT_TYPE))) {
        return chorus_str_starts(value, condition->value);
    }

    do {
        if (!chorus_str_starts(chorus_str_trim(chorus_str_cut(&value, ',')),
                               condition->value))
        {
            return false;
        }
    } while (value.data != NULL);

    return true;
}


static void
policy_narrow_range(chorus_post_grant_t *grant,
    const chorus_post_condition_t *condition)
{
    if (!grant->has_range || condition->min_bytes > grant->min_bytes) {
        grant->min_bytes = condition->min_bytes;
    }

    if (!grant->has_range || condition->max_bytes < grant->max_bytes) {
        grant->max_bytes = condition->max_bytes;
    }

    grant->has_range = true;
}


/* A field that is not there is empty, but not for a simple condition: Ceph,
 * and clients that send ["starts-with", "$Content-Type", ""], mean that. */
static bool
policy_condition_holds(policy_t *policy,
    const chorus_post_condition_t *condition)
{
    chorus_str_t  value;

    switch (condition->op) {

    case CHORUS_POST_NEVER:
        return false;

    case CHORUS_POST_RANGE:
        policy_narrow_range(policy->grant, condition);
        return true;

    case CHORUS_POST_STARTS_WITH:
        value = policy_field(policy, condition->name);
        return policy_starts_with(condition, value);

    default:
        value = policy_field(policy, condition->name);

        if (value.data == NULL) {
            return !condition->is_simple && condition->value.len == 0;
        }

        return chorus_str_eq(value, condition->value);
    }
}


static chorus_rc_t
policy_check_conditions(policy_t *policy)
{
    size_t                   i;
    chorus_rc_t              rc;
    chorus_post_condition_t  condition;

    for (i = 0; i < json_array_size(policy->doc->conditions); i++) {

        rc = chorus_post_document_condition(policy->doc, i, &condition);
        if (rc != CHORUS_OK) {
            return rc;
        }

        if (!policy_condition_holds(policy, &condition)) {
            return policy_failed(policy, &condition);
        }
    }

    return CHORUS_OK;
}


/* The file is at most what follows without its closing boundary. */
static chorus_rc_t
policy_check_range(const policy_t *policy)
{
    uint64_t                    most;
    const chorus_post_form_t   *form = policy->form;
    const chorus_post_grant_t  *grant = policy->grant;

    if (!grant->has_range) {
        return CHORUS_OK;
    }

    most = form->file_start + form->delimiter.len + 2;
    most = policy->check->content_length > most
           ? policy->check->content_length - most : 0;

    if (most >= grant->min_bytes) {
        return CHORUS_OK;
    }

    policy->refusal->code = CHORUS_S3_ENTITY_TOO_SMALL;

    return CHORUS_ERROR;
}


static bool
policy_needs_no_condition(chorus_str_t name)
{
    size_t  i;

    static const char  *const names[] = {
        "x-amz-signature", "policy", "signature", "AWSAccessKeyId", "bucket"
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (chorus_str_caseeq(name, chorus_str_from(names[i]))) {
            return true;
        }
    }

    return chorus_str_casestarts(name, chorus_str("x-ignore-"));
}


/* The bucket is a field, too, even when only the URI has it. */
static chorus_rc_t
policy_check_coverage(const policy_t *policy)
{
    size_t        i;
    chorus_str_t  name;

    if (!policy->covers_bucket) {
        return policy_denied(policy, "Extra input fields: ",
                             chorus_str("bucket"));
    }

    for (i = 0; i < policy->form->nfields; i++) {

        name = policy->form->fields[i].name;

        if (!policy->covers[i] && !policy_needs_no_condition(name)) {
            return policy_denied(policy, "Extra input fields: ", name);
        }
    }

    return CHORUS_OK;
}


static chorus_rc_t
policy_check(policy_t *policy)
{
    chorus_rc_t  rc;

    if (policy->grant->expiration <= policy->check->verifier->now) {
        return policy_denied(policy, "Policy expired.", chorus_null_str);
    }

    rc = policy_check_conditions(policy);

    if (rc == CHORUS_OK) {
        rc = policy_check_range(policy);
    }

    return rc == CHORUS_OK ? policy_check_coverage(policy) : rc;
}


chorus_rc_t
chorus_post_policy_check(const chorus_post_check_t *check,
    const chorus_post_form_t *form, chorus_str_t base64,
    chorus_post_grant_t *grant, chorus_s3_refusal_t *refusal)
{
    policy_t                policy;
    chorus_rc_t             rc;
    chorus_post_document_t  doc;

    rc = chorus_post_document_open(&doc, check->verifier->mem, base64,
                                   refusal);
    if (rc != CHORUS_OK) {
        return rc;
    }

    memset(&policy, 0, sizeof(policy_t));

    policy.check = check;
    policy.form = form;
    policy.doc = &doc;
    policy.grant = grant;
    policy.refusal = refusal;

    grant->has_expiration = true;
    grant->expiration = doc.expiration;

    rc = policy_check(&policy);

    chorus_post_document_close(&doc);

    return rc;
}
