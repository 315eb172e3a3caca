/* Bucket patterns and the rules of chorus.json. */

#define PCRE2_CODE_UNIT_WIDTH 8

#include <string.h>

#include <pcre2.h>

#include "chorus_policy.h"

/* a bucket name has at most 255 bytes; an honest pattern needs few steps */
#define PATTERN_MATCH_LIMIT  20000
#define PATTERN_DEPTH_LIMIT  1000
#define PATTERN_HEAP_KIB     1024
#define PATTERN_MAX_BYTES    1024


struct chorus_pattern_s {
    chorus_str_t          text;
    bool                  is_any;           /* "*" */
    pcre2_code           *code;             /* NULL: a name or "*" */
    pcre2_match_context  *limits;
};


static chorus_rc_t
pattern_compile_regex(chorus_pattern_t *pattern, chorus_error_t *error)
{
    int            code;
    PCRE2_UCHAR    message[128];
    PCRE2_SIZE     offset;
    chorus_str_t   regex;

    regex = chorus_str_sub(pattern->text, 1);

    if (regex.len == 0) {
        return chorus_error_set(error, "an empty pattern behind '~'");
    }

    pattern->code = pcre2_compile((PCRE2_SPTR) regex.data, regex.len,
                                  PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_UTF,
                                  &code, &offset, NULL);

    if (pattern->code == NULL) {

        if (code == PCRE2_ERROR_NOMEMORY || code == PCRE2_ERROR_HEAP_FAILED) {
            return CHORUS_NOMEM;
        }

        (void) pcre2_get_error_message(code, message, sizeof(message));

        return chorus_error_set(error, "bad pattern at offset %zu: %s",
                                (size_t) offset + 1, (char *) message);
    }

    pattern->limits = pcre2_match_context_create(NULL);

    if (pattern->limits == NULL) {
        return CHORUS_NOMEM;
    }

    (void) pcre2_set_match_limit(pattern->limits, PATTERN_MATCH_LIMIT);
    (void) pcre2_set_depth_limit(pattern->limits, PATTERN_DEPTH_LIMIT);
    (void) pcre2_set_heap_limit(pattern->limits, PATTERN_HEAP_KIB);

    return CHORUS_OK;
}


/* A name with a wildcard in it would be a rule that never matches. */
static chorus_rc_t
pattern_check_name(chorus_str_t name, chorus_error_t *error)
{
    size_t  i;

    for (i = 0; i < name.len; i++) {

        if (name.data[i] == '*' || name.data[i] == '?') {
            return chorus_error_set(error, "a bucket name holds no wildcard; "
                                    "write a pattern such as \"~^logs-\"");
        }

        if (name.data[i] == '/' || (unsigned char) name.data[i] <= ' ') {
            return chorus_error_set(error, "not a bucket name");
        }
    }

    return CHORUS_OK;
}


static chorus_rc_t
pattern_init(chorus_pattern_t *pattern, chorus_error_t *error)
{
    if (chorus_str_eq(pattern->text, chorus_str("*"))) {
        pattern->is_any = true;
        return CHORUS_OK;
    }

    if (chorus_str_starts(pattern->text, chorus_str("~"))) {
        return pattern_compile_regex(pattern, error);
    }

    return pattern_check_name(pattern->text, error);
}


chorus_rc_t
chorus_pattern_compile(chorus_mem_t *mem, chorus_str_t text,
    chorus_pattern_t **pattern, chorus_error_t *error)
{
    chorus_rc_t        rc;
    chorus_pattern_t  *made;

    *pattern = NULL;

    if (text.len == 0) {
        return chorus_error_set(error, "an empty bucket pattern");
    }

    if (text.len > PATTERN_MAX_BYTES) {
        return chorus_error_set(error, "a bucket pattern is too long");
    }

    made = chorus_calloc(mem, sizeof(chorus_pattern_t));
    if (made == NULL) {
        return CHORUS_NOMEM;
    }

    made->text = chorus_str_dup(mem, text);
    if (made->text.data == NULL) {
        return CHORUS_NOMEM;
    }

    rc = pattern_init(made, error);

    if (rc != CHORUS_OK) {
        chorus_pattern_free(made);
        return rc;
    }

    *pattern = made;

    return CHORUS_OK;
}


void
chorus_pattern_free(chorus_pattern_t *pattern)
{
    if (pattern == NULL) {
        return;
    }

    pcre2_match_context_free(pattern->limits);
    pcre2_code_free(pattern->code);

    pattern->limits = NULL;
    pattern->code = NULL;
}


chorus_str_t
chorus_pattern_text(const chorus_pattern_t *pattern)
{
    return pattern->text;
}


bool
chorus_pattern_is_name(const chorus_pattern_t *pattern)
{
    return pattern->code == NULL && !pattern->is_any;
}


static bool
pattern_match_regex(const chorus_pattern_t *pattern, chorus_str_t bucket,
    bool in_doubt)
{
    int                rc;
    pcre2_match_data  *data;

    data = pcre2_match_data_create(1, NULL);
    if (data == NULL) {
        return in_doubt;
    }

    rc = pcre2_match(pattern->code, (PCRE2_SPTR) bucket.data, bucket.len, 0,
                     0, data, pattern->limits);

    pcre2_match_data_free(data);

    return rc >= 0 || (rc != PCRE2_ERROR_NOMATCH && in_doubt);
}


bool
chorus_pattern_match(const chorus_pattern_t *pattern, chorus_str_t bucket,
    bool in_doubt)
{
    if (pattern->is_any) {
        return true;
    }

    if (bucket.len == 0) {
        return false;                       /* the service, not a bucket */
    }

    if (pattern->code == NULL) {
        return chorus_str_eq(pattern->text, bucket);
    }

    return pattern_match_regex(pattern, bucket, in_doubt);
}


static bool
policy_user_matches(chorus_str_t rule, chorus_str_t user)
{
    return chorus_str_eq(rule, chorus_str("*")) || chorus_str_eq(rule, user);
}


chorus_storage_t *
chorus_policy_route(const chorus_config_t *config, chorus_str_t user,
    chorus_str_t bucket)
{
    size_t                      i;
    const chorus_route_rule_t  *rule;

    for (i = 0; i < config->nroutes; i++) {

        rule = &config->routes[i];

        if (policy_user_matches(rule->user, user)
            && chorus_pattern_match(rule->bucket, bucket, false))
        {
            return rule->storage;
        }
    }

    return config->main;
}
