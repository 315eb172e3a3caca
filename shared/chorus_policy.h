/*
 * Which storage serves a bucket and which followers it is replicated to.
 * A bucket pattern is a name, "*", or "~" and a PCRE2 pattern.
 */

#ifndef CHORUS_POLICY_H
#define CHORUS_POLICY_H

#include <stdbool.h>

#include "chorus_config.h"
#include "chorus_error.h"
#include "chorus_mem.h"
#include "chorus_str.h"


/* Compiled once; matching is thread-safe and bounded (match limit), so that a
 * bad pattern cannot hang a request.  Freed by chorus_pattern_free(). */
chorus_rc_t chorus_pattern_compile(chorus_mem_t *mem, chorus_str_t text,
    chorus_pattern_t **pattern, chorus_error_t *error);
/* `in_doubt` is the answer when the limit was hit or memory ran out. */
bool chorus_pattern_match(const chorus_pattern_t *pattern,
    chorus_str_t bucket, bool in_doubt);
chorus_str_t chorus_pattern_text(const chorus_pattern_t *pattern);
void chorus_pattern_free(chorus_pattern_t *pattern);


/* The first route rule that matches, else main.  The empty bucket (a request
 * to the service) matches only "*". */
chorus_storage_t *chorus_policy_route(const chorus_config_t *config,
    chorus_str_t user, chorus_str_t bucket);

/* The followers of all rules that match, each once, in the order in which the
 * storages stand in chorus.json; none for an empty bucket.  At most `max` are
 * written to `followers`; returns how many there are. */
size_t chorus_policy_followers(const chorus_config_t *config,
    chorus_str_t user, chorus_str_t bucket, chorus_storage_t **followers,
    size_t max);


#endif
