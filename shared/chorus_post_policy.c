/*
 * The document of a policy: read with jansson, its conditions checked one by
 * one against the fields of the form.  What S3 says of a wrong one is known
 * from its answers, not from its documentation.
 */

#include <string.h>

#include <jansson.h>

#include "chorus_post_policy.h"

#define CONTENT_TYPE  "content-type"


typedef enum {
    CONDITION_EQ = 0,
    CONDITION_STARTS_WITH,
    CONDITION_RANGE,                /* of the size of the file */
    CONDITION_NEVER                 /* well formed, but never met */
} condition_op_t;

typedef struct {
    condition_op_t  op;
    chorus_str_t    name;           /* without the '$' */
    chorus_str_t    value;
    bool            is_simple;      /* {"name": "value"} */
    uint64_t        min_bytes;
    uint64_t        max_bytes;
} condition_t;

typedef struct {
    const chorus_post_check_t  *check;
    const chorus_post_form_t   *form;
    chorus_post_grant_t        *grant;
    chorus_s3_refusal_t        *refusal;
    json_t                     *conditions;     /* borrowed from the root */
    bool                        covers_bucket;
    bool                        covers[CHORUS_POST_MAX_FIELDS];
} policy_t;


/* "Invalid Policy: ..." */
static chorus_rc_t
policy_invalid(const policy_t *policy, const char *message)
{
    policy->refusal->code = CHORUS_S3_INVALID_POLICY_DOCUMENT;
    policy->refusal->message = chorus_str_from(message);

    return CHORUS_ERROR;
}


/* "head'text'", the text as it came */
static chorus_rc_t
policy_invalid_text(const policy_t *policy, const char *head,
    chorus_str_t text)
{
    chorus_buf_t  buf;

    buf = chorus_buf(policy->check->verifier->mem, 128);

    chorus_buf_text(&buf, head);
    chorus_buf_char(&buf, '\'');
    chorus_buf_add(&buf, text);
    chorus_buf_char(&buf, '\'');

    policy->refusal->code = CHORUS_S3_INVALID_POLICY_DOCUMENT;
    policy->refusal->message = chorus_buf_str(&buf);

    return buf.failed ? CHORUS_NOMEM : CHORUS_ERROR;
}


static chorus_str_t
policy_string(const json_t *json)
{
    return (chorus_str_t) { json_string_value(json),
                            json_string_length(json) };
}


/* ---- reading ---- */


/* A number of bytes, also as a string.  CONDITION_NEVER for one that is no
 * number, as with S3. */
static chorus_rc_t
policy_read_bytes(const policy_t *policy, const json_t *json,
    condition_t *condition, uint64_t *bytes)
{
    if (json_is_string(json)) {
        if (!chorus_str_to_u64(policy_string(json), bytes)) {
            condition->op = CONDITION_NEVER;
        }

        return CHORUS_OK;
    }

    if (!json_is_integer(json)) {
        return policy_invalid(policy, "Invalid Policy: Invalid JSON.");
    }

    if (json_integer_value(json) < 0) {
        return policy_invalid(policy, "Invalid Policy: Invalid "
                              "content-length-range: it is negative.");
    }

    *bytes = (uint64_t) json_integer_value(json);

    return CHORUS_OK;
}


static chorus_rc_t
policy_read_range(const policy_t *policy, const json_t *json,
    condition_t *condition)
{
    chorus_rc_t  rc;

    condition->op = CONDITION_RANGE;

    rc = policy_read_bytes(policy, json_array_get(json, 1), condition,
                           &condition->min_bytes);

    return rc != CHORUS_OK
           ? rc
           : policy_read_bytes(policy, json_array_get(json, 2), condition,
                               &condition->max_bytes);
}


/* [operation, "$name", "value"] */
static chorus_rc_t
policy_read_list(const policy_t *policy, const json_t *json,
    condition_t *condition)
{
    chorus_str_t  op;

    if (!json_is_string(json_array_get(json, 0))) {
        return policy_invalid(policy, "Invalid Policy: Invalid Condition: "
                              "missing operation identifier.");
    }

    if (json_array_size(json) != 3) {
        return policy_invalid(policy, "Invalid Policy: Invalid Condition: "
                              "wrong number of arguments.");
    }

    op = policy_string(json_array_get(json, 0));

    if (chorus_str_caseeq(op, chorus_str("content-length-range"))) {
        return policy_read_range(policy, json, condition);
    }

    if (chorus_str_caseeq(op, chorus_str("starts-with"))) {
        condition->op = CONDITION_STARTS_WITH;

    } else if (!chorus_str_caseeq(op, chorus_str("eq"))) {
        return policy_invalid_text(policy, "Invalid Policy: Invalid "
                                   "Condition: unknown operation ", op);
    }

    if (!json_is_string(json_array_get(json, 1))
        || !json_is_string(json_array_get(json, 2)))
    {
        return policy_invalid(policy, "Invalid Policy: Invalid JSON.");
    }

    condition->name = policy_string(json_array_get(json, 1));
    condition->value = policy_string(json_array_get(json, 2));

    if (!chorus_str_starts(condition->name, chorus_str("$"))) {
        condition->op = CONDITION_NEVER;
    }

    condition->name = chorus_str_sub(condition->name, 1);

    return CHORUS_OK;
}


static chorus_rc_t
policy_read_condition(const policy_t *policy, json_t *json,
    condition_t *condition)
{
    void  *member;

    memset(condition, 0, sizeof(condition_t));

    if (json_is_array(json)) {
        return policy_read_list(policy, json, condition);
    }

    if (!json_is_object(json)) {
        return policy_invalid(policy, "Invalid Policy: Invalid Condition: "
                              "must be a List or Object.");
    }

    if (json_object_size(json) != 1) {
        return policy_invalid(policy, "Invalid Policy: Invalid "
                              "Simple-Condition: Simple-Conditions must have "
                              "exactly one property specified.");
    }

    member = json_object_iter(json);

    if (!json_is_string(json_object_iter_value(member))) {
        return policy_invalid(policy, "Invalid Policy: Invalid "
                              "Simple-Condition: value must be a string.");
    }

    condition->is_simple = true;
    condition->name = chorus_str_from(json_object_iter_key(member));
    condition->value = policy_string(json_object_iter_value(member));

    return CHORUS_OK;
}


static chorus_rc_t
policy_read_expiration(const policy_t *policy, const json_t *json)
{
    if (json == NULL) {
        return policy_invalid(policy, "Invalid Policy: Policy missing "
                              "expiration.");
    }

    if (!json_is_string(json)) {
        return policy_invalid(policy, "Invalid Policy: Invalid 'expiration' "
                              "value: must be a String.");
    }

    if (!chorus_time_parse_iso(policy_string(json),
                               &policy->grant->expiration))
    {
        return policy_invalid_text(policy, "Invalid Policy: Invalid "
                                   "'expiration' value: ",
                                   policy_string(json));
    }

    policy->grant->has_expiration = true;

    return CHORUS_OK;
}


static chorus_rc_t
policy_read_conditions(policy_t *policy, json_t *json)
{
    size_t       i;
    chorus_rc_t  rc;
    condition_t  condition;

    if (json == NULL) {
        return policy_invalid(policy, "Invalid Policy: Policy missing "
                              "conditions.");
    }

    if (!json_is_array(json)) {
        return policy_invalid(policy, "Invalid Policy: Invalid 'conditions' "
                              "value: must be a List.");
    }

    if (json_array_size(json) > CHORUS_POST_MAX_CONDITIONS) {
        return policy_invalid(policy, "Invalid Policy: too many conditions.");
    }

    for (i = 0; i < json_array_size(json); i++) {

        rc = policy_read_condition(policy, json_array_get(json, i),
                                   &condition);
        if (rc != CHORUS_OK) {
            return rc;
        }
    }

    policy->conditions = json;

    return CHORUS_OK;
}


/* Any other member could be a limit that would not be kept. */
static chorus_rc_t
policy_read(policy_t *policy, json_t *root)
{
    const char   *name;
    json_t       *value;
    chorus_rc_t   rc;

    if (!json_is_object(root)) {
        return policy_invalid(policy, "Invalid Policy: Invalid JSON.");
    }

    json_object_foreach(root, name, value) {

        if (strcmp(name, "expiration") != 0
            && strcmp(name, "conditions") != 0)
        {
            return policy_invalid_text(policy, "Invalid Policy: Unexpected: ",
                                       chorus_str_from(name));
        }
    }

    rc = policy_read_expiration(policy, json_object_get(root, "expiration"));

    return rc != CHORUS_OK
           ? rc
           : policy_read_conditions(policy,
                                    json_object_get(root, "conditions"));
}


/* ---- checking ---- */


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
policy_long_form(const policy_t *policy, const condition_t *condition)
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
policy_failed(const policy_t *policy, json_t *json,
    const condition_t *condition)
{
    char         *text;
    json_t       *list;
    chorus_rc_t   rc;

    list = condition->is_simple ? policy_long_form(policy, condition)
                                : json_incref(json);
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
policy_starts_with(const condition_t *condition, chorus_str_t value)
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
policy_narrow_range(chorus_post_grant_t *grant, const condition_t *condition)
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
policy_condition_holds(policy_t *policy, const condition_t *condition)
{
    chorus_str_t  value;

    switch (condition->op) {

    case CONDITION_NEVER:
        return false;

    case CONDITION_RANGE:
        policy_narrow_range(policy->grant, condition);
        return true;

    case CONDITION_STARTS_WITH:
        value = policy_field(policy, condition->name);
        return policy_starts_with(condition, value);

    default:
        value = policy_field(policy, condition->name);
        return (value.data != NULL || !condition->is_simple)
               && chorus_str_eq(value, condition->value);
    }
}


static chorus_rc_t
policy_check_conditions(policy_t *policy)
{
    size_t       i;
    json_t      *json;
    chorus_rc_t  rc;
    condition_t  condition;

    for (i = 0; i < json_array_size(policy->conditions); i++) {

        json = json_array_get(policy->conditions, i);

        rc = policy_read_condition(policy, json, &condition);
        if (rc != CHORUS_OK) {
            return rc;
        }

        if (!policy_condition_holds(policy, &condition)) {
            return policy_failed(policy, json, &condition);
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
    json_t        *root;
    policy_t       policy;
    chorus_rc_t    rc;
    chorus_str_t   text;
    json_error_t   error;

    memset(&policy, 0, sizeof(policy_t));

    policy.check = check;
    policy.form = form;
    policy.grant = grant;
    policy.refusal = refusal;

    rc = chorus_base64_decode(check->verifier->mem, base64, &text);

    if (rc != CHORUS_OK) {
        return rc == CHORUS_NOMEM
               ? rc : policy_invalid(&policy, "Invalid Policy: invalid "
                                     "Base64 encoding.");
    }

    root = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, &error);

    if (root == NULL) {
        return json_error_code(&error) == json_error_out_of_memory
               ? CHORUS_NOMEM
               : policy_invalid(&policy, "Invalid Policy: Invalid JSON.");
    }

    rc = policy_read(&policy, root);

    if (rc == CHORUS_OK) {
        rc = policy_check(&policy);
    }

    json_decref(root);

    return rc;
}
