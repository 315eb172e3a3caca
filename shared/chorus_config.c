/* chorus.json into a chorus_config_t: the document, and questions about it. */

#include <string.h>

#include "chorus_config_value.h"
#include "chorus_policy.h"


typedef struct {
    const char   *name;
    chorus_rc_t (*read)(const chorus_config_reader_t *reader,
        const chorus_config_node_t *node, chorus_config_t *config);
} config_section_t;


static chorus_rc_t config_region(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_config_t *config);
static chorus_rc_t config_worker(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_config_t *config);
static chorus_rc_t config_api(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_config_t *config);


static const char  *const root_keys[] = {
    "redis", "region", "storages", "users", "replications", "routes",
    "worker", "api", NULL
};

static const char  *const worker_keys[] = {
    "concurrency", "part_concurrency", "lease_seconds", "max_attempts",
    "retry_max_seconds", "grace_seconds", "recheck_seconds", "limits",
    "scans", "discover_seconds", "bulk_max", "check_mib_per_second", "guard",
    NULL
};

static const unsigned  worker_rechecks[] = { 10, 60, 600 };

static const char  *const api_keys[] = { "token_file", NULL };

/* in the order of reading: each may count on what those before it made */
static const config_section_t  sections[] = {
    { "redis", chorus_config_redis },
    { "storages", chorus_config_storages },
    { "region", config_region },
    { "users", chorus_config_users },
    { "replications", chorus_config_replications },
    { "routes", chorus_config_routes },
    { "worker", config_worker },
    { "api", config_api }
};


/* The region that clients sign for; "*" takes any. */
static chorus_rc_t
config_region(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_config_t *config)
{
    if (node->json == NULL) {
        config->region = config->main->region;
        return CHORUS_OK;
    }

    if (json_is_string(node->json)
        && strcmp(json_string_value(node->json), "*") == 0)
    {
        config->region = chorus_str("*");
        return CHORUS_OK;
    }

    return chorus_config_region(reader, node, &config->region);
}


/* Each later than the one before. */
static chorus_rc_t
config_rechecks(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_worker_config_t *worker)
{
    size_t                i, n;
    unsigned              min;
    chorus_rc_t           rc;
    chorus_config_node_t  element;

    if (node->json == NULL) {
        worker->nrechecks = sizeof(worker_rechecks) / sizeof(unsigned);
        memcpy(worker->recheck_seconds, worker_rechecks,
               sizeof(worker_rechecks));
        return CHORUS_OK;
    }

    rc = chorus_config_list(reader, node);
    if (rc != CHORUS_OK) {
        return rc;
    }

    n = json_array_size(node->json);

    if (n < 1 || n > CHORUS_CONFIG_RECHECKS_MAX) {
        return chorus_config_fail(reader, node, "must have 1 to %d numbers",
                                  CHORUS_CONFIG_RECHECKS_MAX);
    }

    min = 1;

    for (i = 0; i < n; i++) {
        element = chorus_config_element(node, i);

        rc = chorus_config_number(reader, &element, min, 86400,
                                  &worker->recheck_seconds[i]);
        if (rc != CHORUS_OK) {
            return rc;
        }

        min = worker->recheck_seconds[i] + 1;
    }

    worker->nrechecks = n;

    return CHORUS_OK;
}


static chorus_rc_t
config_worker(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_config_t *config)
{
    size_t                   i;
    chorus_rc_t              rc;
    chorus_config_node_t     member;
    chorus_worker_config_t  *worker = &config->worker;

    const struct {
        const char  *name;
        unsigned     min;
        unsigned     max;
        unsigned     default_value;
        unsigned    *value;
    } settings[] = {
        { "concurrency", 1, 1024, 32, &worker->concurrency },
        { "part_concurrency", 1, 64, 4, &worker->part_concurrency },
        { "lease_seconds", 5, 3600, 30, &worker->lease_seconds },
        { "max_attempts", 0, 1000000, 0, &worker->max_attempts },
        { "retry_max_seconds", 1, 86400, 300, &worker->retry_max_seconds },
        { "grace_seconds", 0, 3600, 30, &worker->grace_seconds },
        { "scans", 0, 16, 2, &worker->scans },
        { "discover_seconds", 1, 86400, 60, &worker->discover_seconds },
        { "bulk_max", 1, 1000000, 10000, &worker->bulk_max },
        { "check_mib_per_second", 0, 1000000, 0,
          &worker->check_mib_per_second }
    };

    if (node->json != NULL) {
        rc = chorus_config_object(reader, node, worker_keys);
        if (rc != CHORUS_OK) {
            return rc;
        }
    }

    for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {

        *settings[i].value = settings[i].default_value;
        member = chorus_config_member(node, settings[i].name);

        rc = chorus_config_number(reader, &member, settings[i].min,
                                  settings[i].max, settings[i].value);
        if (rc != CHORUS_OK) {
            return rc;
        }
    }

    member = chorus_config_member(node, "recheck_seconds");
    rc = config_rechecks(reader, &member, worker);

    if (rc == CHORUS_OK) {
        member = chorus_config_member(node, "limits");
        rc = chorus_config_limits(reader, &member, config);
    }

    if (rc == CHORUS_OK) {
        member = chorus_config_member(node, "guard");
        rc = chorus_config_guard(reader, &member, &worker->guard);
    }

    return rc;
}


static chorus_rc_t
config_api(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_config_t *config)
{
    chorus_rc_t           rc;
    chorus_config_node_t  token_file;

    if (node->json == NULL) {
        return CHORUS_OK;
    }

    rc = chorus_config_object(reader, node, api_keys);
    if (rc != CHORUS_OK) {
        return rc;
    }

    token_file = chorus_config_member(node, "token_file");

    return chorus_config_text(reader, &token_file, &config->api_token_file);
}


static chorus_rc_t
config_document(const chorus_config_reader_t *reader,
    const chorus_config_node_t *root, chorus_config_t *config)
{
    size_t                i;
    chorus_rc_t           rc;
    chorus_config_node_t  node;

    rc = chorus_config_object(reader, root, root_keys);

    for (i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {

        if (rc != CHORUS_OK) {
            return rc;
        }

        node = chorus_config_member(root, sections[i].name);
        rc = sections[i].read(reader, &node, config);
    }

    return rc;
}


/* jansson ends its texts with "near '...'", which may quote a secret. */
static chorus_rc_t
config_syntax_error(const json_error_t *json_error, chorus_error_t *error)
{
    int          len;
    const char  *near;

    /* it has no text for most allocations that fail */

    if (json_error->text[0] == '\0'
        || json_error_code(json_error) == json_error_out_of_memory)
    {
        return CHORUS_NOMEM;
    }

    near = strstr(json_error->text, " near ");
    len = near == NULL ? (int) strlen(json_error->text)
                       : (int) (near - json_error->text);

    return chorus_error_set(error, "line %d, column %d: %.*s",
                            json_error->line, json_error->column, len,
                            json_error->text);
}


/* Any string of the document may be a secret. */
static void
config_wipe_json(json_t *json)
{
    size_t       i;
    json_t      *value;
    const char  *name;

    if (json_is_string(json)) {
        chorus_config_wipe((chorus_str_t) {
            json_string_value(json), json_string_length(json)
        });
    }

    json_array_foreach(json, i, value) {
        config_wipe_json(value);
    }

    json_object_foreach(json, name, value) {
        config_wipe_json(value);
    }
}


chorus_rc_t
chorus_config_parse(chorus_mem_t *mem, chorus_str_t text,
    const chorus_config_host_t *host, chorus_config_t *config,
    chorus_error_t *error)
{
    chorus_rc_t             rc;
    json_error_t            json_error;
    chorus_config_node_t    root;
    chorus_config_reader_t  reader;

    memset(config, 0, sizeof(chorus_config_t));

    root = (chorus_config_node_t) {
        json_loadb(text.data == NULL ? "" : text.data, text.len,
                   JSON_REJECT_DUPLICATES, &json_error),
        NULL, NULL, 0
    };

    if (root.json == NULL) {
        return config_syntax_error(&json_error, error);
    }

    reader = (chorus_config_reader_t) { mem, host, error };

    rc = config_document(&reader, &root, config);

    if (rc == CHORUS_OK) {
        rc = chorus_config_digest(&root, config->digest);
    }

    config_wipe_json(root.json);
    json_decref(root.json);

    if (rc != CHORUS_OK) {
        chorus_config_close(config);
    }

    return rc;
}


static void
config_wipe_users(chorus_user_t *users, size_t nusers)
{
    size_t  i, n;

    for (i = 0; i < nusers; i++) {
        for (n = 0; n < users[i].ncredentials; n++) {
            chorus_config_wipe(users[i].credentials[n].secret_key);
        }
    }
}


void
chorus_config_close(chorus_config_t *config)
{
    size_t  i;

    for (i = 0; i < config->nreplications; i++) {
        chorus_pattern_free(config->replications[i].bucket);
    }

    for (i = 0; i < config->nroutes; i++) {
        chorus_pattern_free(config->routes[i].bucket);
    }

    for (i = 0; i < config->nstorages; i++) {
        config_wipe_users(config->storages[i].users,
                          config->storages[i].nusers);
    }

    config_wipe_users(config->users, config->nusers);
    chorus_config_wipe(config->redis.password);
    chorus_config_wipe(config->redis.sentinel_password);

    memset(config, 0, sizeof(chorus_config_t));
}


/* ---- questions ---- */


chorus_storage_t *
chorus_config_storage(const chorus_config_t *config, chorus_str_t name)
{
    size_t  i;

    for (i = 0; i < config->nstorages; i++) {
        if (chorus_str_eq(config->storages[i].name, name)) {
            return &config->storages[i];
        }
    }

    return NULL;
}


const chorus_credential_t *
chorus_storage_credential(const chorus_storage_t *storage, chorus_str_t user)
{
    size_t  i;

    for (i = 0; i < storage->nusers; i++) {
        if (chorus_str_eq(storage->users[i].name, user)) {
            return storage->users[i].credentials;
        }
    }

    return NULL;
}


const chorus_user_t *
chorus_config_user_of(const chorus_config_t *config, chorus_str_t access_key,
    const chorus_credential_t **credential)
{
    size_t                i, n;
    const chorus_user_t  *user;

    for (i = 0; i < config->nusers; i++) {

        user = &config->users[i];

        for (n = 0; n < user->ncredentials; n++) {

            if (chorus_str_eq(user->credentials[n].access_key, access_key)) {
                *credential = &user->credentials[n];
                return user;
            }
        }
    }

    *credential = NULL;

    return NULL;
}
