/*
 * Where a bucket is replicated to: a follower, and the name of the bucket
 * there, "follower[:bucket]" in configurations.
 */

#ifndef CHORUS_DESTINATION_H
#define CHORUS_DESTINATION_H

#include <stdbool.h>

#include "chorus_config.h"
#include "chorus_error.h"
#include "chorus_mem.h"
#include "chorus_str.h"


/*
 * Whether `bucket` can stand behind "follower:".  "{bucket}" in it is the
 * name on main; it has to be there unless is_one_bucket, because otherwise
 * many buckets would become one.
 */
chorus_rc_t chorus_destination_check(chorus_str_t bucket, bool is_one_bucket,
    chorus_error_t *error);

/* The name there; the empty string when it is the same.  CHORUS_NOMEM. */
chorus_rc_t chorus_destination_target(chorus_mem_t *mem,
    const chorus_destination_t *destination, chorus_str_t bucket,
    chorus_str_t *target);

/* Whether that is `target` (empty: the same name) for main's `bucket`. */
bool chorus_destination_is(const chorus_destination_t *destination,
    chorus_str_t bucket, chorus_str_t target);


#endif
