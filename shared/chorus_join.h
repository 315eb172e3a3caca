/*
 * Two sorted listings, main's and a follower's, walked side by side: what is
 * on both, what on one only.  Holds no more than a page of each.
 */

#ifndef CHORUS_JOIN_H
#define CHORUS_JOIN_H

#include <stdbool.h>
#include <stddef.h>

#include "chorus_listing.h"
#include "chorus_str.h"


/* One side: what is left of its page. */
typedef struct {
    const chorus_listed_t  *entries;
    size_t                  n;
    size_t                  at;         /* the next one */
    bool                    has_more;   /* pages behind this one */
} chorus_join_side_t;

typedef struct {
    chorus_join_side_t  ours;           /* main */
    chorus_join_side_t  theirs;         /* the follower */
    chorus_str_t        to;             /* the last key that is looked at */
    bool                is_bounded;     /* by `to` */
} chorus_join_t;

typedef enum {
    CHORUS_JOIN_EQUAL = 0,  /* by all that listings say */
    CHORUS_JOIN_DIFFERENT,
    CHORUS_JOIN_UNSURE,     /* as long, and one has no ETag in its listing */
    CHORUS_JOIN_MISSING,    /* only main has it */
    CHORUS_JOIN_SURPLUS,    /* only the follower has it */
    CHORUS_JOIN_NEED_OURS,  /* main's next page */
    CHORUS_JOIN_NEED_THEIRS,
    CHORUS_JOIN_END
} chorus_join_step_t;


/*
 * The next key.  *ours and *theirs are the entries of the two sides, NULL
 * where there is none; they live as long as the pages do.  NEED_*: put in the
 * next page of that side and call again; the other's stays as it is.  That
 * main has no key is only said when its page goes beyond the key.
 */
chorus_join_step_t chorus_join_next(chorus_join_t *join,
    const chorus_listed_t **ours, const chorus_listed_t **theirs);

void chorus_join_page(chorus_join_side_t *side,
    const chorus_listing_t *listing);

/* EQUAL, DIFFERENT or UNSURE, of one key: by size and ETag, as
 * object_same_content() of the worker. */
chorus_join_step_t chorus_listed_compare(const chorus_listed_t *a,
    const chorus_listed_t *b);


#endif
