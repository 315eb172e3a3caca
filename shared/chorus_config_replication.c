/* What a replication rule says: where to, of which objects, with which
 * settings of the bucket. */

#include <string.h>

#include "chorus_bucket_setting.h"
#include "chorus_config_value.h"
#include "chorus_destination.h"
#include "chorus_policy.h"

/* [Amazon S3 API Reference, "PutObjectTagging"] */
#define FILTER_MAX_TAGS    10
#define FILTER_MAX_PREFIX  1024


static const char  *const filter_keys[] = { "prefix", "tags", NULL };


/* ---- to ---- */


/* A rule with a name is for one bucket. */
static bool
replication_is_one_bucket(const chorus_replication_rule_t *rule)
{
    return chorus_pattern_is_name(rule->bucket);
}


/* "follower" or "follower:bucket" */
static chorus_rc_t
replication_destination(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, const chorus_config_t *config,
    const chorus_replication_rule_t *rule, chorus_destination_t *to)
{
    chorus_rc_t     rc;
    chorus_str_t    text, name;
    chorus_error_t  error;

    rc = chorus_config_text(reader, node, &text);
    if (rc != CHORUS_OK) {
        return rc;
    }

    to->bucket = text;
    name = chorus_str_cut(&to->bucket, ':');

    rc = chorus_config_storage_named(reader, node, config, name,
                                     &to->storage);
    if (rc != CHORUS_OK) {
        return rc;
    }

    if (to->storage->is_main) {
        return chorus_config_fail(reader, node, "\"%.*s\" is the main "
                                  "storage", chorus_fmt(name));
    }

    if (to->bucket.data == NULL) {
        return CHORUS_OK;
    }

    if (to->bucket.len == 0) {
        return chorus_config_fail(reader, node, "no bucket behind ':'");
    }

    if (chorus_destination_check(to->bucket, replication_is_one_bucket(rule),
                                 &error) != CHORUS_OK)
    {
        return chorus_config_fail(reader, node, "%s", error.text);
    }

    return CHORUS_OK;
}


static chorus_rc_t
replication_add(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, const chorus_config_t *config,
    chorus_replication_rule_t *rule)
{
    size_t                 i;
    chorus_rc_t            rc;
    chorus_destination_t  *to;

    to = &rule->to[rule->nto];

    rc = replication_destination(reader, node, config, rule, to);
    if (rc != CHORUS_OK) {
        return rc;
    }

    for (i = 0; i < rule->nto; i++) {
        if (rule->to[i].storage == to->storage
            && chorus_str_eq(rule->to[i].bucket, to->bucket))
        {
            return chorus_config_fail(reader, node, "\"%.*s\" comes twice",
                                      chorus_fmt(to->storage->name));
        }
    }

    rule->nto++;

    return chorus_config_require_users(reader, config, to->storage,
                                       rule->user);
}


/* one, or a list */
chorus_rc_t
chorus_config_destinations(const chorus_config_reader_t *reader,
    const chorus_config_node_t *rule_node, const chorus_config_t *config,
    chorus_replication_rule_t *rule)
{
    size_t                i, n;
    chorus_rc_t           rc;
    chorus_config_node_t  node, element;

    node = chorus_config_member(rule_node, "to");

    if (node.json == NULL) {
        return chorus_config_fail(reader, &node, "missing");
    }

    n = json_is_array(node.json) ? json_array_size(node.json) : 1;

    if (n == 0) {
        return chorus_config_fail(reader, &node, "is empty");
    }

    rule->to = chorus_calloc(reader->mem, n * sizeof(chorus_destination_t));
    if (rule->to == NULL) {
        return CHORUS_NOMEM;
    }

    if (!json_is_array(node.json)) {
        return replication_add(reader, &node, config, rule);
    }

    for (i = 0; i < n; i++) {
        element = chorus_config_element(&node, i);

        rc = replication_add(reader, &element, config, rule);
        if (rc != CHORUS_OK) {
            return rc;
        }
    }

    return CHORUS_OK;
}


/* ---- two buckets into one ---- */


static bool
replication_shares_user(const chorus_replication_rule_t *a,
    const chorus_replication_rule_t *b)
{
    return chorus_str_eq(a->user, b->user)
           || chorus_str_eq(a->user, chorus_str("*"))
           || chorus_str_eq(b->user, chorus_str("*"));
}


/* Of two rules that name their buckets. */
static chorus_rc_t
replication_compare(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, const chorus_replication_rule_t *a,
    const chorus_replication_rule_t *b)
{
    size_t        i, k;
    chorus_rc_t   rc;
    chorus_str_t  target;

    for (i = 0; i < a->nto; i++) {

        rc = chorus_destination_target(reader->mem, &a->to[i],
                                       chorus_pattern_text(a->bucket),
                                       &target);
        if (rc != CHORUS_OK) {
            return rc;
        }

        if (target.len == 0) {
            target = chorus_pattern_text(a->bucket);
        }

        for (k = 0; k < b->nto; k++) {

            if (a->to[i].storage == b->to[k].storage
                && chorus_destination_is(&b->to[k],
                                         chorus_pattern_text(b->bucket),
                                         target))
            {
                return chorus_config_fail(reader, node, "\"%.*s\" and "
                           "\"%.*s\" would both become \"%.*s\" on \"%.*s\"",
                           chorus_fmt(chorus_pattern_text(b->bucket)),
                           chorus_fmt(chorus_pattern_text(a->bucket)),
                           chorus_fmt(target),
                           chorus_fmt(a->to[i].storage->name));
            }
        }
    }

    return CHORUS_OK;
}


chorus_rc_t
chorus_config_targets(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, const chorus_config_t *config)
{
    size_t                            i, k;
    chorus_rc_t                       rc;
    chorus_config_node_t              element;
    const chorus_replication_rule_t  *a, *b;

    for (i = 0; i < config->nreplications; i++) {

        a = &config->replications[i];
        element = chorus_config_element(node, i);

        for (k = 0; k < i && replication_is_one_bucket(a); k++) {

            b = &config->replications[k];

            if (!replication_is_one_bucket(b)
                || !replication_shares_user(a, b)
                || chorus_str_eq(chorus_pattern_text(a->bucket),
                                 chorus_pattern_text(b->bucket)))
            {
                continue;
            }

            rc = replication_compare(reader, &element, a, b);
            if (rc != CHORUS_OK) {
                return rc;
            }
        }
    }

    return CHORUS_OK;
}


/* ---- filter ---- */


static chorus_rc_t
replication_tags(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_filter_t *filter)
{
    size_t                 n;
    json_t                *value;
    const char            *name;
    chorus_tag_t          *tag;
    chorus_rc_t            rc;
    chorus_config_node_t   member;

    rc = chorus_config_map(reader, node);
    if (rc != CHORUS_OK) {
        return rc;
    }

    n = json_object_size(node->json);

    if (n == 0 || n > FILTER_MAX_TAGS) {
        return chorus_config_fail(reader, node, "must be 1 to %d tags",
                                  FILTER_MAX_TAGS);
    }

    filter->tags = chorus_calloc(reader->mem, n * sizeof(chorus_tag_t));
    if (filter->tags == NULL) {
        return CHORUS_NOMEM;
    }

    json_object_foreach(node->json, name, value) {

        member = (chorus_config_node_t) { value, node, name, 0 };
        tag = &filter->tags[filter->ntags++];

        if (!json_is_string(value) || name[0] == '\0') {
            return chorus_config_fail(reader, &member,
                                      "a tag has a name and a text");
        }

        tag->key = chorus_str_dup(reader->mem, chorus_str_from(name));
        tag->value = chorus_str_dup(reader->mem, (chorus_str_t) {
            json_string_value(value), json_string_length(value)
        });

        if (tag->key.data == NULL || tag->value.data == NULL) {
            return CHORUS_NOMEM;
        }
    }

    return CHORUS_OK;
}


chorus_rc_t
chorus_config_filter(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_filter_t *filter)
{
    chorus_rc_t           rc;
    chorus_config_node_t  prefix, tags;

    if (node->json == NULL) {
        return CHORUS_OK;
    }

    rc = chorus_config_object(reader, node, filter_keys);
    if (rc != CHORUS_OK) {
        return rc;
    }

    prefix = chorus_config_member(node, "prefix");
    tags = chorus_config_member(node, "tags");

    if (prefix.json == NULL && tags.json == NULL) {
        return chorus_config_fail(reader, node, "is empty");
    }

    if (prefix.json != NULL) {
        rc = chorus_config_text(reader, &prefix, &filter->prefix);

        if (rc == CHORUS_OK && filter->prefix.len > FILTER_MAX_PREFIX) {
            return chorus_config_fail(reader, &prefix, "is longer than a key");
        }
    }

    if (rc == CHORUS_OK && tags.json != NULL) {
        rc = replication_tags(reader, &tags, filter);
    }

    return rc;
}


/* ---- bucket_settings ---- */


chorus_rc_t
chorus_config_settings(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, unsigned *settings)
{
    size_t                i;
    chorus_rc_t           rc;
    chorus_str_t          name;
    chorus_setting_t      setting;
    chorus_config_node_t  element;

    if (node->json == NULL) {
        return CHORUS_OK;
    }

    rc = chorus_config_list(reader, node);
    if (rc != CHORUS_OK) {
        return rc;
    }

    *settings = 0;

    for (i = 0; i < json_array_size(node->json); i++) {

        element = chorus_config_element(node, i);

        rc = chorus_config_text(reader, &element, &name);
        if (rc != CHORUS_OK) {
            return rc;
        }

        if (!chorus_bucket_setting_find(name, &setting)) {
            return chorus_config_fail(reader, &element, "must be cors, "
                                      "website, lifecycle, policy, encryption "
                                      "or object_lock");
        }

        *settings |= 1u << setting;
    }

    return CHORUS_OK;
}
