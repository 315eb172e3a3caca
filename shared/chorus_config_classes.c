/* "storage_classes" of a follower: what it calls main's. */

#include "chorus_config_value.h"

/* S3's own that an answer does not name */
#define STANDARD  "STANDARD"


/* "*" stands for those that are not named. */

static chorus_rc_t
config_class(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_class_rule_t *rule)
{
    chorus_rc_t   rc;
    chorus_str_t  text;

    rc = chorus_config_text(reader, node, &text);
    if (rc != CHORUS_OK) {
        return rc;
    }

    rc = chorus_config_name(reader, node, text.data, &rule->to);
    if (rc != CHORUS_OK) {
        return rc;
    }

    if (chorus_str_eq(chorus_str_from(node->name), chorus_str("*"))) {
        rule->from = chorus_str("*");
        return CHORUS_OK;
    }

    return chorus_config_name(reader, node, node->name, &rule->from);
}


chorus_rc_t
chorus_config_classes(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_storage_t *storage)
{
    json_t                *value;
    const char            *name;
    chorus_rc_t            rc;
    chorus_config_node_t   member;

    if (node->json == NULL) {
        return CHORUS_OK;
    }

    if (storage->is_main) {
        return chorus_config_fail(reader, node, "main has its own classes");
    }

    rc = chorus_config_map(reader, node);
    if (rc != CHORUS_OK) {
        return rc;
    }

    storage->classes = chorus_calloc(reader->mem,
                                     (json_object_size(node->json) + 1)
                                     * sizeof(chorus_class_rule_t));
    if (storage->classes == NULL) {
        return CHORUS_NOMEM;
    }

    json_object_foreach(node->json, name, value) {

        member = (chorus_config_node_t) { value, node, name, 0 };

        rc = config_class(reader, &member,
                          &storage->classes[storage->nclasses++]);
        if (rc != CHORUS_OK) {
            return rc;
        }
    }

    return CHORUS_OK;
}


chorus_str_t
chorus_storage_class(const chorus_storage_t *storage, chorus_str_t class)
{
    size_t        i;
    chorus_str_t  named, others;

    named = class.len == 0 ? chorus_str(STANDARD) : class;
    others = class;

    for (i = 0; i < storage->nclasses; i++) {

        if (chorus_str_eq(storage->classes[i].from, named)) {
            return storage->classes[i].to;
        }

        if (chorus_str_eq(storage->classes[i].from, chorus_str("*"))) {
            others = storage->classes[i].to;
        }
    }

    return others;
}
