/*
 * The document of a policy, read with jansson.  What S3 says of a malformed
 * one is known from its answers, not from its documentation.
 */

#include <string.h>

#include "chorus_post_document.h"


/* "Invalid Policy: ..." */
static chorus_rc_t
document_invalid(const chorus_post_document_t *doc, const char *message)
{
    doc->refusal->code = CHORUS_S3_INVALID_POLICY_DOCUMENT;
    doc->refusal->message = chorus_str_from(message);

    return CHORUS_ERROR;
}


/* "head'text'", the text as it came */
static chorus_rc_t
document_invalid_text(const chorus_post_document_t *doc, const char *head,
    chorus_str_t text)
{
    chorus_buf_t  buf;

    buf = chorus_buf(doc->mem, 128);

    chorus_buf_text(&buf, head);
    chorus_buf_char(&buf, '\'');
    chorus_buf_add(&buf, text);
    chorus_buf_char(&buf, '\'');

    doc->refusal->code = CHORUS_S3_INVALID_POLICY_DOCUMENT;
    doc->refusal->message = chorus_buf_str(&buf);

    return buf.failed ? CHORUS_NOMEM : CHORUS_ERROR;
}


static chorus_str_t
document_string(const json_t *json)
{
    return (chorus_str_t) { json_string_value(json),
                            json_string_length(json) };
}


/* A number of bytes, also as a string.  CHORUS_POST_NEVER for one that is no
 * number, as with S3. */
static chorus_rc_t
document_read_bytes(const chorus_post_document_t *doc, const json_t *json,
    chorus_post_condition_t *condition, uint64_t *bytes)
{
    if (json_is_string(json)) {
        if (!chorus_str_to_u64(document_string(json), bytes)) {
            condition->op = CHORUS_POST_NEVER;
        }

        return CHORUS_OK;
    }

    if (!json_is_integer(json)) {
        return document_invalid(doc, "Invalid Policy: Invalid JSON.");
    }

    if (json_integer_value(json) < 0) {
        return document_invalid(doc, "Invalid Policy: Invalid "
                                "content-length-range: it is negative.");
    }

    *bytes = (uint64_t) json_integer_value(json);

    return CHORUS_OK;
}


static chorus_rc_t
document_read_range(const chorus_post_document_t *doc, const json_t *json,
    chorus_post_condition_t *condition)
{
    chorus_rc_t  rc;

    condition->op = CHORUS_POST_RANGE;

    rc = document_read_bytes(doc, json_array_get(json, 1), condition,
                             &condition->min_bytes);

    return rc != CHORUS_OK
           ? rc
           : document_read_bytes(doc, json_array_get(json, 2), condition,
                                 &condition->max_bytes);
}


/* [operation, "$name", "value"] */
static chorus_rc_t
document_read_list(const chorus_post_document_t *doc, const json_t *json,
    chorus_post_condition_t *condition)
{
    chorus_str_t  op;

    if (!json_is_string(json_array_get(json, 0))) {
        return document_invalid(doc, "Invalid Policy: Invalid Condition: "
                                "missing operation identifier.");
    }

    if (json_array_size(json) != 3) {
        return document_invalid(doc, "Invalid Policy: Invalid Condition: "
                                "wrong number of arguments.");
    }

    op = document_string(json_array_get(json, 0));

    if (chorus_str_caseeq(op, chorus_str("content-length-range"))) {
        return document_read_range(doc, json, condition);
    }

    if (chorus_str_caseeq(op, chorus_str("starts-with"))) {
        condition->op = CHORUS_POST_STARTS_WITH;

    } else if (!chorus_str_caseeq(op, chorus_str("eq"))) {
        return document_invalid_text(doc, "Invalid Policy: Invalid "
                                     "Condition: unknown operation ", op);
    }

    if (!json_is_string(json_array_get(json, 1))
        || !json_is_string(json_array_get(json, 2)))
    {
        return document_invalid(doc, "Invalid Policy: Invalid JSON.");
    }

    condition->name = document_string(json_array_get(json, 1));
    condition->value = document_string(json_array_get(json, 2));

    if (!chorus_str_starts(condition->name, chorus_str("$"))) {
        condition->op = CHORUS_POST_NEVER;
    }

    condition->name = chorus_str_sub(condition->name, 1);

    return CHORUS_OK;
}


static chorus_rc_t
document_read_condition(const chorus_post_document_t *doc, json_t *json,
    chorus_post_condition_t *condition)
{
    void  *member;

    memset(condition, 0, sizeof(chorus_post_condition_t));
    condition->json = json;

    if (json_is_array(json)) {
        return document_read_list(doc, json, condition);
    }

    if (!json_is_object(json)) {
        return document_invalid(doc, "Invalid Policy: Invalid Condition: "
                                "must be a List or Object.");
    }

    if (json_object_size(json) != 1) {
        return document_invalid(doc, "Invalid Policy: Invalid "
                                "Simple-Condition: Simple-Conditions must have "
                                "exactly one property specified.");
    }

    member = json_object_iter(json);

    if (!json_is_string(json_object_iter_value(member))) {
        return document_invalid(doc, "Invalid Policy: Invalid "
                                "Simple-Condition: value must be a string.");
    }

    condition->is_simple = true;
    condition->name = chorus_str_from(json_object_iter_key(member));
    condition->value = document_string(json_object_iter_value(member));

    return CHORUS_OK;
}


static chorus_rc_t
document_read_expiration(chorus_post_document_t *doc, const json_t *json)
{
    if (json == NULL) {
        return document_invalid(doc, "Invalid Policy: Policy missing "
                                "expiration.");
    }

    if (!json_is_string(json)) {
        return document_invalid(doc, "Invalid Policy: Invalid 'expiration' "
                                "value: must be a String.");
    }

    if (!chorus_time_parse_iso(document_string(json), &doc->expiration)) {
        return document_invalid_text(doc, "Invalid Policy: Invalid "
                                     "'expiration' value: ",
                                     document_string(json));
    }

    return CHORUS_OK;
}


static chorus_rc_t
document_read_conditions(chorus_post_document_t *doc, json_t *json)
{
    size_t                   i;
    chorus_rc_t              rc;
    chorus_post_condition_t  condition;

    if (json == NULL) {
        return document_invalid(doc, "Invalid Policy: Policy missing "
                                "conditions.");
    }

    if (!json_is_array(json)) {
        return document_invalid(doc, "Invalid Policy: Invalid 'conditions' "
                                "value: must be a List.");
    }

    if (json_array_size(json) > CHORUS_POST_MAX_CONDITIONS) {
        return document_invalid(doc, "Invalid Policy: too many conditions.");
    }

    for (i = 0; i < json_array_size(json); i++) {

        rc = document_read_condition(doc, json_array_get(json, i),
                                     &condition);
        if (rc != CHORUS_OK) {
            return rc;
        }
    }

    doc->conditions = json;

    return CHORUS_OK;
}


/* Any other member could be a limit that would not be kept. */
static chorus_rc_t
document_read(chorus_post_document_t *doc)
{
    json_t       *root = doc->root;
    json_t       *value;
    const char   *name;
    chorus_rc_t   rc;

    if (!json_is_object(root)) {
        return document_invalid(doc, "Invalid Policy: Invalid JSON.");
    }

    json_object_foreach(root, name, value) {

        if (strcmp(name, "expiration") != 0
            && strcmp(name, "conditions") != 0)
        {
            return document_invalid_text(doc, "Invalid Policy: Unexpected: ",
                                         chorus_str_from(name));
        }
    }

    rc = document_read_expiration(doc, json_object_get(root, "expiration"));

    return rc != CHORUS_OK
           ? rc
           : document_read_conditions(doc,
                                      json_object_get(root, "conditions"));
}


chorus_rc_t
chorus_post_document_condition(const chorus_post_document_t *doc, size_t i,
    chorus_post_condition_t *condition)
{
    return document_read_condition(doc, json_array_get(doc->conditions, i),
                                   condition);
}


chorus_rc_t
chorus_post_document_open(chorus_post_document_t *doc, chorus_mem_t *mem,
    chorus_str_t base64, chorus_s3_refusal_t *refusal)
{
    chorus_rc_t   rc;
    chorus_str_t  text;
    json_error_t  error;

    memset(doc, 0, sizeof(chorus_post_document_t));

    doc->mem = mem;
    doc->refusal = refusal;

    rc = chorus_base64_decode(mem, base64, &text);

    if (rc != CHORUS_OK) {
        return rc == CHORUS_NOMEM
               ? rc : document_invalid(doc, "Invalid Policy: invalid Base64 "
                                       "encoding.");
    }

    doc->root = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES,
                           &error);

    if (doc->root == NULL) {
        return json_error_code(&error) == json_error_out_of_memory
               ? CHORUS_NOMEM
               : document_invalid(doc, "Invalid Policy: Invalid JSON.");
    }

    rc = document_read(doc);

    if (rc != CHORUS_OK) {
        chorus_post_document_close(doc);
    }

    return rc;
}


void
chorus_post_document_close(chorus_post_document_t *doc)
{
    json_decref(doc->root);
    doc->root = NULL;
}
