/* Storages, their users, and the Chorus users. */

#include "chorus_bucket_setting.h"
#include "chorus_config_value.h"


static const char  *const storage_keys[] = {
    "endpoint", "ca_file", "region", "provider", "checksums", "acl",
    "part_numbers", "conditional_put", "version_ids", "object_lock",
    "location", "bucket_settings", "main", "users", NULL
};

typedef chorus_rc_t (*config_user_pt)(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_user_t *user);


/* ---- users ---- */


static chorus_rc_t
config_storage_user(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_user_t *user)
{
    chorus_rc_t  rc;

    rc = chorus_config_name(reader, node, node->name, &user->name);
    if (rc != CHORUS_OK) {
        return rc;
    }

    user->credentials = chorus_calloc(reader->mem,
                                      sizeof(chorus_credential_t));
    if (user->credentials == NULL) {
        return CHORUS_NOMEM;
    }

    user->ncredentials = 1;

    return chorus_config_credential(reader, node, user->credentials);
}


/* a list of credentials */
static chorus_rc_t
config_chorus_user(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_user_t *user)
{
    size_t                i, n;
    chorus_rc_t           rc;
    chorus_config_node_t  element;

    rc = chorus_config_name(reader, node, node->name, &user->name);
    if (rc != CHORUS_OK) {
        return rc;
    }

    rc = chorus_config_list(reader, node);
    if (rc != CHORUS_OK) {
        return rc;
    }

    n = json_array_size(node->json);

    if (n == 0) {
        return chorus_config_fail(reader, node, "is empty");
    }

    user->credentials = chorus_calloc(reader->mem,
                                      n * sizeof(chorus_credential_t));
    if (user->credentials == NULL) {
        return CHORUS_NOMEM;
    }

    for (i = 0; i < n; i++) {
        user->ncredentials = i + 1;
        element = chorus_config_element(node, i);

        rc = chorus_config_credential(reader, &element,
                                      &user->credentials[i]);
        if (rc != CHORUS_OK) {
            return rc;
        }
    }

    return CHORUS_OK;
}


static chorus_rc_t
config_users(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, config_user_pt read_user,
    chorus_user_t **users, size_t *nusers)
{
    json_t                *value;
    const char            *name;
    chorus_rc_t            rc;
    chorus_config_node_t   member;

    rc = chorus_config_map(reader, node);
    if (rc != CHORUS_OK) {
        return rc;
    }

    *users = chorus_calloc(reader->mem, (json_object_size(node->json) + 1)
                                        * sizeof(chorus_user_t));
    if (*users == NULL) {
        return CHORUS_NOMEM;
    }

    json_object_foreach(node->json, name, value) {

        member = (chorus_config_node_t) { value, node, name, 0 };

        rc = read_user(reader, &member, &(*users)[(*nusers)++]);
        if (rc != CHORUS_OK) {
            return rc;
        }
    }

    return CHORUS_OK;
}


static bool
config_has_key_before(const chorus_config_t *config, size_t user,
    size_t credential, chorus_str_t access_key)
{
    size_t                i, n, end;
    const chorus_user_t  *u;

    for (i = 0; i <= user; i++) {

        u = &config->users[i];
        end = (i == user) ? credential : u->ncredentials;

        for (n = 0; n < end; n++) {
            if (chorus_str_eq(u->credentials[n].access_key, access_key)) {
                return true;
            }
        }
    }

    return false;
}


/* An access key must name one user. */
static chorus_rc_t
config_check_access_keys(const chorus_config_reader_t *reader,
    const chorus_config_t *config)
{
    size_t                i, n;
    const chorus_user_t  *user;

    for (i = 0; i < config->nusers; i++) {

        user = &config->users[i];

        for (n = 0; n < user->ncredentials; n++) {

            if (config_has_key_before(config, i, n,
                                      user->credentials[n].access_key))
            {
                return chorus_error_set(reader->error, "users.%.*s: an access "
                                        "key that another credential has",
                                        chorus_fmt(user->name));
            }
        }
    }

    return CHORUS_OK;
}


/* main's own when they are left out. */
chorus_rc_t
chorus_config_users(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_config_t *config)
{
    size_t       i;
    chorus_rc_t  rc;

    if (node->json == NULL) {
        config->users = config->main->users;
        config->nusers = config->main->nusers;

    } else {
        rc = config_users(reader, node, config_chorus_user, &config->users,
                          &config->nusers);
        if (rc != CHORUS_OK) {
            return rc;
        }
    }

    if (config->nusers == 0) {
        return chorus_config_fail(reader, node, "is empty");
    }

    for (i = 0; i < config->nusers; i++) {

        if (chorus_storage_credential(config->main, config->users[i].name)
            == NULL)
        {
            return chorus_error_set(reader->error,
                                    "storages.%.*s.users: no \"%.*s\"",
                                    chorus_fmt(config->main->name),
                                    chorus_fmt(config->users[i].name));
        }
    }

    return config_check_access_keys(reader, config);
}


/* ---- storages ---- */


static chorus_rc_t
config_provider(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_provider_t *provider)
{
    chorus_rc_t   rc;
    chorus_str_t  name;

    if (node->json == NULL) {
        return CHORUS_OK;
    }

    rc = chorus_config_text(reader, node, &name);
    if (rc != CHORUS_OK) {
        return rc;
    }

    if (!chorus_provider_find(name, provider)) {
        return chorus_config_fail(reader, node,
                                  "must be generic, aws, ceph or minio");
    }

    return CHORUS_OK;
}


/* What its provider can, unless it is said here. */
static chorus_rc_t
config_abilities(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_storage_t *storage)
{
    size_t                          i;
    chorus_rc_t                     rc;
    chorus_config_node_t            member;
    const chorus_provider_table_t  *provider;

    provider = chorus_provider(storage->provider);

    const struct {
        const char  *name;
        bool         by_default;
        bool        *value;
    } abilities[] = {
        { "checksums", provider->has_checksums, &storage->has_checksums },
        { "acl", provider->has_acl, &storage->has_acl },
        { "part_numbers", provider->has_part_numbers,
          &storage->has_part_numbers },
        { "conditional_put", provider->has_conditional_put,
          &storage->has_conditional_put },
        { "version_ids", provider->keeps_version_ids,
          &storage->keeps_version_ids },
        { "object_lock", provider->has_object_lock,
          &storage->has_object_lock }
    };

    for (i = 0; i < sizeof(abilities) / sizeof(abilities[0]); i++) {

        *abilities[i].value = abilities[i].by_default;
        member = chorus_config_member(node, abilities[i].name);

        rc = chorus_config_bool(reader, &member, abilities[i].value);
        if (rc != CHORUS_OK) {
            return rc;
        }
    }

    return CHORUS_OK;
}


/*
 * true: the region, as AWS wants it outside of its first one (and refuses it
 * there); a text is what is said.
 */
static chorus_rc_t
config_location(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_storage_t *storage)
{
    bool         is_region;
    chorus_rc_t  rc;

    if (json_is_string(node->json)) {
        return chorus_config_text(reader, node, &storage->location);
    }

    is_region = chorus_provider(storage->provider)->has_location;

    if (node->json != NULL && !json_is_boolean(node->json)) {
        return chorus_config_fail(reader, node,
                                  "must be true, false or a location");
    }

    rc = chorus_config_bool(reader, node, &is_region);

    if (rc == CHORUS_OK && is_region
        && !chorus_str_eq(storage->region, chorus_str(CHORUS_DEFAULT_REGION)))
    {
        storage->location = storage->region;
    }

    return rc;
}


/* Beside an http:// endpoint it would promise what nobody does. */
static chorus_rc_t
config_ca_file(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_storage_t *storage)
{
    if (node->json == NULL) {
        return CHORUS_OK;
    }

    if (!storage->tls) {
        return chorus_config_fail(reader, node,
                                  "needs an https:// endpoint");
    }

    return chorus_config_text(reader, node, &storage->ca_file);
}


static chorus_rc_t
config_storage_members(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_storage_t *storage)
{
    chorus_rc_t           rc;
    chorus_config_node_t  endpoint, ca_file, region, provider, location;
    chorus_config_node_t  settings, is_main;

    endpoint = chorus_config_member(node, "endpoint");
    ca_file = chorus_config_member(node, "ca_file");
    region = chorus_config_member(node, "region");
    provider = chorus_config_member(node, "provider");
    location = chorus_config_member(node, "location");
    settings = chorus_config_member(node, "bucket_settings");
    is_main = chorus_config_member(node, "main");

    rc = chorus_config_endpoint(reader, &endpoint, storage);
    if (rc != CHORUS_OK) {
        return rc;
    }

    rc = config_ca_file(reader, &ca_file, storage);
    if (rc != CHORUS_OK) {
        return rc;
    }

    storage->region = chorus_str(CHORUS_DEFAULT_REGION);

    if (region.json != NULL) {
        rc = chorus_config_region(reader, &region, &storage->region);
        if (rc != CHORUS_OK) {
            return rc;
        }
    }

    rc = config_provider(reader, &provider, &storage->provider);
    if (rc != CHORUS_OK) {
        return rc;
    }

    rc = config_abilities(reader, node, storage);
    if (rc != CHORUS_OK) {
        return rc;
    }

    rc = config_location(reader, &location, storage);
    if (rc != CHORUS_OK) {
        return rc;
    }

    storage->settings = CHORUS_BUCKET_SETTINGS_DEFAULT;

    rc = chorus_config_settings(reader, &settings, &storage->settings);
    if (rc != CHORUS_OK) {
        return rc;
    }

    return chorus_config_bool(reader, &is_main, &storage->is_main);
}


static chorus_rc_t
config_storage(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_storage_t *storage)
{
    chorus_rc_t           rc;
    chorus_config_node_t  users;

    rc = chorus_config_name(reader, node, node->name, &storage->name);
    if (rc != CHORUS_OK) {
        return rc;
    }

    rc = chorus_config_object(reader, node, storage_keys);
    if (rc != CHORUS_OK) {
        return rc;
    }

    rc = config_storage_members(reader, node, storage);
    if (rc != CHORUS_OK) {
        return rc;
    }

    users = chorus_config_member(node, "users");

    rc = config_users(reader, &users, config_storage_user, &storage->users,
                      &storage->nusers);

    if (rc == CHORUS_OK && storage->nusers == 0) {
        return chorus_config_fail(reader, &users, "is empty");
    }

    return rc;
}


static chorus_rc_t
config_find_main(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_config_t *config)
{
    size_t  i;

    for (i = 0; i < config->nstorages; i++) {

        if (!config->storages[i].is_main) {
            continue;
        }

        if (config->main != NULL) {
            return chorus_config_fail(reader, node, "\"%.*s\" and \"%.*s\" "
                                      "are both main",
                                      chorus_fmt(config->main->name),
                                      chorus_fmt(config->storages[i].name));
        }

        config->main = &config->storages[i];
    }

    if (config->main == NULL) {
        return chorus_config_fail(reader, node, "none has \"main\": true");
    }

    return CHORUS_OK;
}


chorus_rc_t
chorus_config_storages(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_config_t *config)
{
    json_t                *value;
    const char            *name;
    chorus_rc_t            rc;
    chorus_config_node_t   member;

    rc = chorus_config_map(reader, node);
    if (rc != CHORUS_OK) {
        return rc;
    }

    config->storages = chorus_calloc(reader->mem,
                                     (json_object_size(node->json) + 1)
                                     * sizeof(chorus_storage_t));
    if (config->storages == NULL) {
        return CHORUS_NOMEM;
    }

    json_object_foreach(node->json, name, value) {

        member = (chorus_config_node_t) { value, node, name, 0 };

        rc = config_storage(reader, &member,
                            &config->storages[config->nstorages++]);
        if (rc != CHORUS_OK) {
            return rc;
        }
    }

    return config_find_main(reader, node, config);
}
