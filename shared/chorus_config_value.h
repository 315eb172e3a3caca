/*
 * Typed reads from the JSON of chorus.json.  Every value knows its place, so
 * that a refusal can name it.  Private to chorus_config*.c.
 */

#ifndef CHORUS_CONFIG_VALUE_H
#define CHORUS_CONFIG_VALUE_H

#include <stdbool.h>

#include <jansson.h>

#include "chorus_config.h"

#define CHORUS_CONFIG_NAME_MAX_LEN  64


typedef struct {
    chorus_mem_t                *mem;
    const chorus_config_host_t  *host;
    chorus_error_t              *error;
} chorus_config_reader_t;

typedef struct chorus_config_node_s  chorus_config_node_t;

struct chorus_config_node_s {
    json_t                      *json;      /* NULL: not there; borrowed */
    const chorus_config_node_t  *parent;    /* NULL: the document */
    const char                  *name;      /* NULL: an element of a list */
    size_t                       index;
};


chorus_config_node_t chorus_config_member(const chorus_config_node_t *parent,
    const char *name);
chorus_config_node_t chorus_config_element(const chorus_config_node_t *parent,
    size_t index);

/* Hexadecimal, CHORUS_CONFIG_DIGEST digits and a NUL.  CHORUS_NOMEM
 * or CHORUS_OK. */
chorus_rc_t chorus_config_digest(const chorus_config_node_t *root,
    char *digest);

/* "storages.main.users: ..."; returns CHORUS_ERROR. */
chorus_rc_t chorus_config_fail(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* An object with no member but `known`, a list that a NULL ends. */
chorus_rc_t chorus_config_object(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, const char *const *known);
/* An object whose members have names of the user's choice. */
chorus_rc_t chorus_config_map(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node);
chorus_rc_t chorus_config_list(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node);

/* All copy into reader->mem. */
/* A string that is not empty. */
chorus_rc_t chorus_config_text(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_str_t *text);
/* Of storages and users: [A-Za-z0-9_.-]{1,64}. */
chorus_rc_t chorus_config_name(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, const char *name, chorus_str_t *copy);
/* [A-Za-z0-9_-]{1,64} */
chorus_rc_t chorus_config_region(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_str_t *region);

/* These leave the default that stands there when the member is missing. */
chorus_rc_t chorus_config_bool(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, bool *value);
chorus_rc_t chorus_config_number(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, unsigned min, unsigned max,
    unsigned *value);


/* ---- chorus_config_secret.c ---- */

/* The member `name`, or the content of the file that `name_file` names; the
 * null string when there is neither. */
chorus_rc_t chorus_config_secret(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, const char *name, const char *name_file,
    chorus_str_t *secret);
/* "access_key" with "secret_key" or "secret_key_file". */
chorus_rc_t chorus_config_credential(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_credential_t *credential);
/* A string, or "${env:NAME}" for the value of a variable; *is_inline says
 * that it stands in the file. */
chorus_rc_t chorus_config_expand(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_str_t *text, bool *is_inline);
/* Refuses an inline secret in a file that everyone may read. */
chorus_rc_t chorus_config_inline(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node);
void chorus_config_wipe(chorus_str_t secret);


/* ---- chorus_config_url.c ---- */

typedef struct {
    chorus_str_t  host;         /* "[::1]" keeps its brackets */
    bool          has_port;
    uint16_t      port;
} chorus_config_host_port_t;

/* host[:port], the host may be an address in brackets; borrowed */
bool chorus_config_host_port(chorus_str_t text,
    chorus_config_host_port_t *host);
/* Moves *rest behind "scheme://" when it begins with that. */
bool chorus_config_scheme(chorus_str_t *rest, chorus_str_t scheme);

/* "endpoint": sets endpoint, host and tls of `storage`. */
chorus_rc_t chorus_config_endpoint(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_storage_t *storage);


/* ---- chorus_config_redis.c ---- */

/* "redis": the default when node->json is NULL. */
chorus_rc_t chorus_config_redis(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_config_t *config);


/* ---- chorus_config_redis_url.c ---- */

/* redis.url: all that it says, the rest of `redis` stays. */
chorus_rc_t chorus_config_redis_url(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_redis_url_t *redis);


/* ---- chorus_config_storages.c ---- */

/* "storages", and which of them is main. */
chorus_rc_t chorus_config_storages(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_config_t *config);
/* "users": the Chorus users; main's own when node->json is NULL. */
chorus_rc_t chorus_config_users(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_config_t *config);


/* ---- chorus_config_classes.c ---- */

/* "storage_classes"; `storage` knows whether it is main. */
chorus_rc_t chorus_config_classes(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_storage_t *storage);
/* ---- chorus_config_replication.c ---- */

/* A replication rule whose user and bucket are known: "to", "filter" and
 * "bucket_settings". */
chorus_rc_t chorus_config_destinations(const chorus_config_reader_t *reader,
    const chorus_config_node_t *rule_node, const chorus_config_t *config,
    chorus_replication_rule_t *rule);
chorus_rc_t chorus_config_filter(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_filter_t *filter);
/* A list of names; *settings stays when node->json is NULL. */
chorus_rc_t chorus_config_settings(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, unsigned *settings);
/* Of all rules of `config`: no two buckets become one. */
chorus_rc_t chorus_config_targets(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, const chorus_config_t *config);


/* ---- chorus_config_rules.c ---- */

/* "user" and "bucket" of a rule; the pattern is to be freed. */
chorus_rc_t chorus_config_rule_user(const chorus_config_reader_t *reader,
    const chorus_config_node_t *rule, chorus_str_t *user);
chorus_rc_t chorus_config_rule_bucket(const chorus_config_reader_t *reader,
    const chorus_config_node_t *rule, chorus_pattern_t **pattern);
/* A storage by its name. */
chorus_rc_t chorus_config_storage_named(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, const chorus_config_t *config,
    chorus_str_t name, chorus_storage_t **storage);
/* Whether all whom a rule is for have credentials there. */
chorus_rc_t chorus_config_require_users(const chorus_config_reader_t *reader,
    const chorus_config_t *config, const chorus_storage_t *storage,
    chorus_str_t user);
/* Storages and users of `config` are complete. */
chorus_rc_t chorus_config_replications(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_config_t *config);
chorus_rc_t chorus_config_routes(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_config_t *config);


/* ---- chorus_config_guard.c ---- */

/* "guard": an object, or false, which is what there is without it. */
chorus_rc_t chorus_config_guard(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_guard_t *guard);


/* ---- chorus_config_limits.c ---- */

/* "worker.limits": sets the limits of the storages of `config`. */
chorus_rc_t chorus_config_limits(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, const chorus_config_t *config);


#endif
