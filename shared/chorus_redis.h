/*
 * What a Redis says of itself: INFO, error replies, and whether it is still
 * the one that took our marks.
 */

#ifndef CHORUS_REDIS_H
#define CHORUS_REDIS_H

#include <stdbool.h>
#include <stdint.h>

#include "chorus_str.h"

#define CHORUS_REDIS_RUN_SIZE         128
#define CHORUS_REDIS_GENERATION_SIZE  65
#define CHORUS_REDIS_GENERATION_LEN   32    /* of a new one */
#define CHORUS_REDIS_WINDOW_MS        10000 /* what a restart may lose */
#define CHORUS_REDIS_ALIVE_MS         7000  /* the same, as signs of life see
                                             * it: one comes every 1 to 2 s */


/* Texts end with NUL; empty: not known.  Times are those of Redis' clock, in
 * ms; 0: none. */
typedef struct {
    char     run[CHORUS_REDIS_RUN_SIZE];            /* process and history */
    char     generation[CHORUS_REDIS_GENERATION_SIZE]; /* chorus:generation */
    int64_t  alive_ms;      /* last sign of life of this run in Redis */
    int64_t  known_ms;      /* that of the run which was asked for */
} chorus_redis_identity_t;

typedef enum {
    CHORUS_REDIS_SAME = 0,      /* or nothing was known before */
    CHORUS_REDIS_LOST_TAIL,     /* restarted or failed over: perhaps */
    CHORUS_REDIS_LOST_MORE,     /* than CHORUS_REDIS_ALIVE_MS: a snapshot or a
                                 * backup, or a replica that was far behind */
    CHORUS_REDIS_LOST_ALL
} chorus_redis_memory_t;


/* The value of a field in the reply to INFO; the null string without. */
chorus_str_t chorus_redis_info(chorus_str_t info, chorus_str_t name);

/* Of INFO server and replication.  False when that is not a master's, then
 * nothing is written. */
bool chorus_redis_take_info(chorus_redis_identity_t *identity,
    chorus_str_t info);
/* The reply of chorus_generation: its name, the last sign of life of this run
 * and of the one that was asked for.  False when the name is too long for a
 * generation, then nothing is written. */
bool chorus_redis_take_generation(chorus_redis_identity_t *identity,
    chorus_str_t generation, int64_t alive_ms, int64_t known_ms);
/* now->known_ms is of known->run. */
chorus_redis_memory_t chorus_redis_compare(
    const chorus_redis_identity_t *known, const chorus_redis_identity_t *now);

/* Hexadecimal digits of CHORUS_REDIS_GENERATION_LEN / 2 random bytes and a
 * NUL. */
void chorus_redis_generation(const unsigned char *bytes,
    char text[CHORUS_REDIS_GENERATION_LEN + 1]);

/* An error reply that a new connection may cure (another master, a login, the
 * library); all others are worth waiting for. */
bool chorus_redis_needs_greeting(chorus_str_t error);

/* What a person may do about the text of an error, to be told
 * behind it; NULL where nothing is known. */
const char *chorus_redis_hint(const char *error);


#endif
