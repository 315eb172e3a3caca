/*
 * The dynamic policy: rules that people set at run time.  It comes from Redis
 * as one document (chorus_policy_poll of the library), is read against
 * chorus.json, and stands above that and above directives of locations.
 */

#ifndef CHORUS_LIVE_H
#define CHORUS_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "chorus_policy.h"


#define CHORUS_LIVE_MAX       (4 * 1024 * 1024)     /* bytes of a document */
#define CHORUS_LIVE_RULE_MAX  8192                  /* of one rule */
#define CHORUS_LIVE_ID_MAX    64


typedef enum {
    CHORUS_RULE_REPLICATION = 0,
    CHORUS_RULE_ROUTE,
    CHORUS_RULE_BLOCK,
    CHORUS_RULE_PAUSE,
    CHORUS_RULE_NKINDS
} chorus_rule_kind_t;

typedef struct {
    chorus_str_t        id;
    uint64_t            since;      /* the version that first said so */
    bool                paused;
    bool                migrates;   /* all that is there is copied, too */
} chorus_live_name_t;

typedef struct {
    chorus_str_t        user;       /* a name or "*" */
    chorus_pattern_t   *bucket;
    chorus_str_t        reason;     /* why a block; may be empty */
    bool                reads;      /* that a block lets through */
    chorus_str_t        follower;   /* that a pause is for; empty: all */
} chorus_live_rule_t;

typedef struct {
    uint64_t            version;    /* 0: nobody has ever set anything */
    uint64_t            origin;     /* version of the first change */

    /* chorus.json with `replications` and `routes` of the policy instead of
     * its own: what chorus_policy.h says of it is said of the policy */
    chorus_config_t     config;

    /* by kind, as many as there are rules */
    chorus_live_name_t *names[CHORUS_RULE_NKINDS];
    size_t              nnames[CHORUS_RULE_NKINDS];

    chorus_live_rule_t *blocks;     /* of chorus_live_rule_t */
    chorus_live_rule_t *pauses;
} chorus_live_t;


/* "replication", ...; as they are called in Redis */
const char *chorus_rule_kind_name(chorus_rule_kind_t kind);

/* All lives in `mem`, compiled patterns excepted, which chorus_live_close()
 * frees; `file` outlives it.  Of a document that is malformed, or does not go
 * with `file`, nothing is left behind and `error` says why. */
chorus_rc_t chorus_live_parse(chorus_mem_t *mem, chorus_str_t document,
    const chorus_config_t *file, chorus_live_t *live, chorus_error_t *error);
void chorus_live_close(chorus_live_t *live);

/* What the API was given: a rule as it may be kept. */
typedef struct {
    chorus_str_t        id;         /* "id"; the null string without one */
    bool                migrate;    /* "migrate", of replications */
    chorus_str_t        text;       /* all else, the same for the same rule */
} chorus_rule_t;

chorus_rc_t chorus_rule_read(chorus_mem_t *mem, chorus_rule_kind_t kind,
    chorus_str_t body, const chorus_config_t *file, chorus_rule_t *rule,
    chorus_error_t *error);


/* Answers about one bucket; NULL: the policy says nothing of it. */

/* Whose replications it has: `file`, or &live->config. */
const chorus_config_t *chorus_live_config(const chorus_live_t *live,
    const chorus_config_t *file, chorus_str_t user, chorus_str_t bucket);
/* The first replication rule for it that leads there, of all or none. */
const chorus_live_name_t *chorus_live_replication(const chorus_live_t *live,
    const chorus_replication_t *replication);
const chorus_live_name_t *chorus_live_route(const chorus_live_t *live,
    chorus_str_t user, chorus_str_t bucket, chorus_storage_t **storage);
const chorus_live_rule_t *chorus_live_block(const chorus_live_t *live,
    chorus_str_t user, chorus_str_t bucket);
/* Anything at all. */
bool chorus_live_pauses(const chorus_live_t *live);
/* A pause is for it, or each rule that leads there is paused. */
bool chorus_live_is_paused(const chorus_live_t *live,
    const chorus_replication_t *replication);


#endif
