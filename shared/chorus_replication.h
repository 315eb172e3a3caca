/*
 * The name of one replication in Redis: "user:bucket:follower[:target]",
 * each part percent-encoded outside [A-Za-z0-9._-].
 */

#ifndef CHORUS_REPLICATION_H
#define CHORUS_REPLICATION_H

#include "chorus_error.h"
#include "chorus_mem.h"
#include "chorus_str.h"


typedef struct {
    chorus_str_t  user;
    chorus_str_t  bucket;
    chorus_str_t  follower;
    chorus_str_t  target;       /* bucket on the follower; empty: the same */
} chorus_replication_t;


/* Null string when out of memory. */
chorus_str_t chorus_replication_name(chorus_mem_t *mem,
    const chorus_replication_t *replication);

chorus_rc_t chorus_replication_parse(chorus_mem_t *mem, chorus_str_t name,
    chorus_replication_t *replication, chorus_error_t *error);


#endif
