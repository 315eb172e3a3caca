/*
 * The dynamic policy as this worker runs it, with the configuration that it
 * was read against.  A new one takes its place while slots go on with theirs.
 */

#ifndef LIVE_POLICY_H
#define LIVE_POLICY_H

#include <stdbool.h>

#include "chorus_live.h"


typedef struct live_policy_s  live_policy_t;

/* Reads a document against the current configuration and puts it in place.
 * One that Redis had and has no more (see chorus_policy_restore) is not
 * replaced: *is_older.  On failure the one there stays and `error` says why. */
bool live_policy_take(chorus_str_t document, bool *is_older,
    chorus_error_t *error);

/* The configuration has changed: reads the same document against it, or the
 * one that live_policy_take() could not use with the one before.  On failure
 * the one there stays, with its configuration, and `error` says why. */
bool live_policy_reload(chorus_error_t *error);

/* Around either of them, and what belongs to it: one change at a time. */
void live_policy_lock(void);
void live_policy_unlock(void);

/* Whether Redis has one that we could not use: ours is not in force.  Until
 * another is taken, or Redis has ours again. */
bool live_policy_is_refused(void);
void live_policy_accepted(void);

/* Whether Redis has been asked once: before, filters are not known. */
bool live_policy_is_known(void);
void live_policy_set_known(void);

/* The current one; given back by live_policy_put(). */
live_policy_t *live_policy_get(void);
void live_policy_put(live_policy_t *policy);

const chorus_live_t *live_policy(const live_policy_t *policy);
chorus_str_t live_policy_document(const live_policy_t *policy);
/* chorus.json */
const chorus_config_t *live_policy_file(const live_policy_t *policy);
/* What is in force for that replication. */
const chorus_config_t *live_policy_config(const live_policy_t *policy,
    const chorus_replication_t *replication);

void live_policy_clear(void);


#endif
