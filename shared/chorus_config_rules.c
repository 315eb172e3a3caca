/* Replication and route rules, and that their users exist where they lead. */

#include <string.h>

#include "chorus_config_value.h"
#include "chorus_policy.h"


static const char  *const replication_keys[] = {
    "user", "bucket", "to", "filter", "bucket_settings", "migrate", "guard",
    NULL
};

static const char  *const route_keys[] = {
    "user", "bucket", "storage", NULL
};


/* The place of the refusal is the storage, because that is what lacks. */
static chorus_rc_t
rules_require_user(const chorus_config_reader_t *reader,
    const chorus_storage_t *storage, chorus_str_t user)
{
    if (chorus_storage_credential(storage, user) != NULL) {
        return CHORUS_OK;
    }

    return chorus_error_set(reader->error, "storages.%.*s.users: no \"%.*s\"",
                            chorus_fmt(storage->name), chorus_fmt(user));
}


/* A rule for "*" is a rule for each Chorus user. */
chorus_rc_t
chorus_config_require_users(const chorus_config_reader_t *reader,
    const chorus_config_t *config, const chorus_storage_t *storage,
    chorus_str_t user)
{
    size_t       i;
    chorus_rc_t  rc;

    if (!chorus_str_eq(user, chorus_str("*"))) {
        return rules_require_user(reader, storage, user);
    }

    for (i = 0; i < config->nusers; i++) {

        rc = rules_require_user(reader, storage, config->users[i].name);
        if (rc != CHORUS_OK) {
            return rc;
        }
    }

    return CHORUS_OK;
}


chorus_rc_t
chorus_config_rule_user(const chorus_config_reader_t *reader,
    const chorus_config_node_t *rule, chorus_str_t *user)
{
    chorus_rc_t           rc;
    chorus_config_node_t  node;

    node = chorus_config_member(rule, "user");

    rc = chorus_config_text(reader, &node, user);

    if (rc != CHORUS_OK || chorus_str_eq(*user, chorus_str("*"))) {
        return rc;
    }

    return chorus_config_name(reader, &node, user->data, user);
}


chorus_rc_t
chorus_config_rule_bucket(const chorus_config_reader_t *reader,
    const chorus_config_node_t *rule, chorus_pattern_t **pattern)
{
    chorus_rc_t           rc;
    chorus_str_t          text;
    chorus_error_t        error;
    chorus_config_node_t  node;

    node = chorus_config_member(rule, "bucket");

    rc = chorus_config_text(reader, &node, &text);
    if (rc != CHORUS_OK) {
        return rc;
    }

    rc = chorus_pattern_compile(reader->mem, text, pattern, &error);

    if (rc == CHORUS_ERROR) {
        return chorus_config_fail(reader, &node, "%s", error.text);
    }

    return rc;
}


chorus_rc_t
chorus_config_storage_named(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, const chorus_config_t *config,
    chorus_str_t name, chorus_storage_t **storage)
{
    *storage = chorus_config_storage(config, name);

    if (*storage == NULL) {
        return chorus_config_fail(reader, node, "no storage \"%.*s\"",
                                  (int) (name.len < 64 ? name.len : 64),
                                  name.data);
    }

    return CHORUS_OK;
}


/* ---- replications ---- */


static chorus_rc_t
rules_replication(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_config_t *config,
    chorus_replication_rule_t *rule)
{
    chorus_rc_t           rc;
    chorus_config_node_t  filter, settings, migrate, guard;

    rc = chorus_config_object(reader, node, replication_keys);
    if (rc != CHORUS_OK) {
        return rc;
    }

    rc = chorus_config_rule_user(reader, node, &rule->user);
    if (rc != CHORUS_OK) {
        return rc;
    }

    rc = chorus_config_rule_bucket(reader, node, &rule->bucket);
    if (rc != CHORUS_OK) {
        return rc;
    }

    rc = chorus_config_require_users(reader, config, config->main,
                                     rule->user);
    if (rc != CHORUS_OK) {
        return rc;
    }

    filter = chorus_config_member(node, "filter");

    rc = chorus_config_filter(reader, &filter, &rule->filter);
    if (rc != CHORUS_OK) {
        return rc;
    }

    migrate = chorus_config_member(node, "migrate");
    rule->migrates = true;

    rc = chorus_config_bool(reader, &migrate, &rule->migrates);
    if (rc != CHORUS_OK) {
        return rc;
    }

    settings = chorus_config_member(node, "bucket_settings");
    rule->has_settings = settings.json != NULL;

    rc = chorus_config_settings(reader, &settings, &rule->settings);
    if (rc != CHORUS_OK) {
        return rc;
    }

    guard = chorus_config_member(node, "guard");
    rule->has_guard = guard.json != NULL;

    rc = chorus_config_guard(reader, &guard, &rule->guard);
    if (rc != CHORUS_OK) {
        return rc;
    }

    return chorus_config_destinations(reader, node, config, rule);
}


chorus_rc_t
chorus_config_replications(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_config_t *config)
{
    size_t                i, n;
    chorus_rc_t           rc;
    chorus_config_node_t  element;

    if (node->json == NULL) {
        return CHORUS_OK;
    }

    rc = chorus_config_list(reader, node);
    if (rc != CHORUS_OK) {
        return rc;
    }

    n = json_array_size(node->json);

    config->replications = chorus_calloc(reader->mem,
                               (n + 1) * sizeof(chorus_replication_rule_t));
    if (config->replications == NULL) {
        return CHORUS_NOMEM;
    }

    for (i = 0; i < n; i++) {
        config->nreplications = i + 1;
        element = chorus_config_element(node, i);

        rc = rules_replication(reader, &element, config,
                               &config->replications[i]);
        if (rc != CHORUS_OK) {
            return rc;
        }
    }

    return chorus_config_targets(reader, node, config);
}


/* ---- routes ---- */


static chorus_rc_t
rules_route(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_config_t *config,
    chorus_route_rule_t *rule)
{
    chorus_rc_t           rc;
    chorus_str_t          name;
    chorus_config_node_t  storage;

    rc = chorus_config_object(reader, node, route_keys);
    if (rc != CHORUS_OK) {
        return rc;
    }

    rc = chorus_config_rule_user(reader, node, &rule->user);
    if (rc != CHORUS_OK) {
        return rc;
    }

    rc = chorus_config_rule_bucket(reader, node, &rule->bucket);
    if (rc != CHORUS_OK) {
        return rc;
    }

    storage = chorus_config_member(node, "storage");

    rc = chorus_config_text(reader, &storage, &name);
    if (rc != CHORUS_OK) {
        return rc;
    }

    rc = chorus_config_storage_named(reader, &storage, config, name,
                                     &rule->storage);
    if (rc != CHORUS_OK) {
        return rc;
    }

    return chorus_config_require_users(reader, config, rule->storage,
                                       rule->user);
}


chorus_rc_t
chorus_config_routes(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_config_t *config)
{
    size_t                i, n;
    chorus_rc_t           rc;
    chorus_config_node_t  element;

    if (node->json == NULL) {
        return CHORUS_OK;
    }

    rc = chorus_config_list(reader, node);
    if (rc != CHORUS_OK) {
        return rc;
    }

    n = json_array_size(node->json);

    config->routes = chorus_calloc(reader->mem,
                                   (n + 1) * sizeof(chorus_route_rule_t));
    if (config->routes == NULL) {
        return CHORUS_NOMEM;
    }

    for (i = 0; i < n; i++) {
        config->nroutes = i + 1;
        element = chorus_config_element(node, i);

        rc = rules_route(reader, &element, config, &config->routes[i]);
        if (rc != CHORUS_OK) {
            return rc;
        }
    }

    return CHORUS_OK;
}
