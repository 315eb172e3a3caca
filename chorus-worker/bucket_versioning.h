/*
 * Whether a bucket keeps versions.  The state is asked for once per bucket in a
 * while, not per object; it follows from main to the follower.
 */

#ifndef BUCKET_VERSIONING_H
#define BUCKET_VERSIONING_H

#include "work.h"


typedef enum {
    VERSIONING_OFF = 0,         /* never was on */
    VERSIONING_ENABLED,
    VERSIONING_SUSPENDED,
    VERSIONING_NO_BUCKET
} versioning_t;


/* GET ?versioning, not asked again for what is known since `since_ms` (of
 * clock_ms(); 0: since the usual while). */
work_rc_t versioning_get(work_t *work, failure_side_t side, int64_t since_ms,
    versioning_t *state);

/* What was known of the side's bucket is not true any more. */
void versioning_forget(const work_t *work, failure_side_t side);

/* Makes the follower's state main's, before anything is copied.  *is_kept:
 * false when the follower has no such thing as versions. */
work_rc_t versioning_follow(work_t *work, versioning_t main, bool *is_kept);

/* For the bucket itself: both are asked, and the follower follows.  Warns where
 * it cannot. */
work_rc_t versioning_reconcile(work_t *work);

/*
 * A version with an id of its own, in a bucket whose versioning is suspended by
 * now, can only be written while the follower's is enabled.  All slots that
 * need this share one period, and the last to release ends it.  Whoever holds
 * must release; if that fails the task fails, so that it is done again and
 * finds the state that is not main's.
 */
work_rc_t versioning_hold(work_t *work);
work_rc_t versioning_release(work_t *work);


#endif
