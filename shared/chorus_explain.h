/*
 * Why a key is or is not on a follower, in one sentence for a person.
 */

#ifndef CHORUS_EXPLAIN_H
#define CHORUS_EXPLAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "chorus_str.h"


typedef enum {
    CHORUS_SIDE_UNKNOWN = 0,    /* nobody has looked */
    CHORUS_SIDE_THERE,
    CHORUS_SIDE_NO_KEY,
    CHORUS_SIDE_NO_BUCKET,
    CHORUS_SIDE_FAILED          /* the storage did not tell */
} chorus_side_state_t;

typedef struct {
    chorus_side_state_t  state;
    chorus_str_t         reason;        /* FAILED, UNKNOWN: why; may be empty */
    uint64_t             size;          /* THERE */
    chorus_str_t         etag;
} chorus_side_t;

typedef enum {
    CHORUS_PLACE_NONE = 0,      /* the queue has nothing to do for it */
    CHORUS_PLACE_DIRTY,
    CHORUS_PLACE_BULK,
    CHORUS_PLACE_BUSY,
    CHORUS_PLACE_RETRY,
    CHORUS_PLACE_PARKED,
    CHORUS_PLACE_BLOCKED,
    CHORUS_NPLACES
} chorus_place_t;

/* One replication of the key, as it is now.  Texts are UTF-8. */
typedef struct {
    chorus_str_t     replication;       /* its name in Redis */
    chorus_str_t     follower;
    bool             is_bucket;         /* the key is empty */
    bool             takes_key;         /* no filter keeps it out */
    bool             is_paused;
    chorus_str_t     guarded;           /* why; null unless the delete guard
                                         * has paused it */
    bool             owes_scan;
    chorus_str_t     held;              /* code; null unless it is held */
    chorus_place_t   place;
    uint64_t         age_ms;            /* since it changed; not of NONE */
    uint64_t         next_in_ms;        /* RETRY */
    uint64_t         attempts;          /* that failed */
    chorus_str_t     code;              /* of the last one, may be empty */
    chorus_str_t     reason;
    chorus_side_t    main;
    chorus_side_t    there;
} chorus_explain_t;


/* "dirty", "parked", as chorus_explain of the library says it; NONE for
 * anything else. */
chorus_place_t chorus_place_of(chorus_str_t name);
/* "there", "no_key", as workers say it; UNKNOWN for anything else. */
chorus_side_state_t chorus_side_state_of(chorus_str_t name);

/* Both are there with one size and ETag, or neither has it. */
bool chorus_explain_is_equal(const chorus_explain_t *e);

/* Appends the sentence; sets buf->failed when out of memory. */
void chorus_explain_write(chorus_buf_t *buf, const chorus_explain_t *e);


#endif
