/*
 * Which storage serves a bucket, which followers it is replicated to, and what
 * of it.
 * A bucket pattern is a name, "*", or "~" and a PCRE2 pattern.
 */

#ifndef CHORUS_POLICY_H
#define CHORUS_POLICY_H

#include <stdbool.h>

#include "chorus_config.h"
#include "chorus_error.h"
#include "chorus_mem.h"
#include "chorus_replication.h"
#include "chorus_s3_xml.h"
#include "chorus_str.h"


/* Compiled once; matching is thread-safe and bounded (match limit), so that a
 * bad pattern cannot hang a request.  Freed by chorus_pattern_free(). */
chorus_rc_t chorus_pattern_compile(chorus_mem_t *mem, chorus_str_t text,
    chorus_pattern_t **pattern, chorus_error_t *error);
/* `in_doubt` is the answer when the limit was hit or memory ran out. */
bool chorus_pattern_match(const chorus_pattern_t *pattern,
    chorus_str_t bucket, bool in_doubt);
chorus_str_t chorus_pattern_text(const chorus_pattern_t *pattern);
/* It stands for one bucket. */
bool chorus_pattern_is_name(const chorus_pattern_t *pattern);
void chorus_pattern_free(chorus_pattern_t *pattern);


/* The first route rule that matches, else main.  The empty bucket (a request
 * to the service) matches only "*". */
chorus_storage_t *chorus_policy_route(const chorus_config_t *config,
    chorus_str_t user, chorus_str_t bucket);

typedef struct {
    chorus_storage_t   *storage;
    chorus_str_t        target;     /* the bucket there; empty: same name */
    bool                is_partial; /* not of all keys, by their prefix */
} chorus_follower_t;

/*
 * Where all rules that match replicate to, each place once, followers in the
 * order in which the storages stand in chorus.json; none for an empty bucket.
 * At most `max` are written to `followers`; *n is how many there are.  Names
 * that are made live in `mem`.  CHORUS_OK or CHORUS_NOMEM.
 */
chorus_rc_t chorus_policy_followers(const chorus_config_t *config,
    chorus_mem_t *mem, chorus_str_t user, chorus_str_t bucket,
    chorus_follower_t *followers, size_t max, size_t *n);


/*
 * Questions about one replication.  The rules for it are those that match
 * its user and bucket and lead to its follower and target; what no rule leads
 * to (a chorus_replicate directive does) is not filtered.
 */

/* One of these rules. */
bool chorus_policy_rule_is_for(const chorus_replication_rule_t *rule,
    const chorus_replication_t *replication);

/* Whether a filter of some rule takes the key, tags apart; the bucket itself
 * (the empty key) is always taken. */
bool chorus_policy_takes_key(const chorus_config_t *config,
    const chorus_replication_t *replication, chorus_str_t key);
/* Of a key that is taken: whether its tags have a say, and what they say. */
bool chorus_policy_asks_tags(const chorus_config_t *config,
    const chorus_replication_t *replication, chorus_str_t key);
bool chorus_policy_takes_tags(const chorus_config_t *config,
    const chorus_replication_t *replication, chorus_str_t key,
    const chorus_tagging_t *tagging);

/* Those of the first rule that names some, else those of the follower. */
unsigned chorus_policy_settings(const chorus_config_t *config,
    const chorus_replication_t *replication);

/* That of the first rule that says something of it, else that of the worker;
 * NULL: deletes are not guarded.  Of `config`. */
const chorus_guard_t *chorus_policy_guard(const chorus_config_t *config,
    const chorus_replication_t *replication);

/* Whether what was there before is copied, too: some rule says so, or none is
 * for it. */
bool chorus_policy_migrates(const chorus_config_t *config,
    const chorus_replication_t *replication);

/* Whether a rule for another bucket, named in it, leads to the same target:
 * its name, else the null string. */
chorus_str_t chorus_policy_rival(const chorus_config_t *config,
    const chorus_replication_t *replication);


#endif
