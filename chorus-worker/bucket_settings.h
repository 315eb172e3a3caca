/*
 * The settings of a bucket that chorus.json switches on for the replication:
 * CORS, website, lifecycle, policy, encryption, object lock.
 */

#ifndef BUCKET_SETTINGS_H
#define BUCKET_SETTINGS_H

#include "work.h"


/* Makes the follower's settings those of main.  What a storage does not have
 * is a line in the log; of what fails, the first is in work->failure, and the
 * others have been tried nevertheless. */
work_rc_t bucket_settings(work_t *work);

/* Whether main's bucket was made for object lock; false when that is all one,
 * because the follower cannot have it.  WORK_FAILED: main did not say. */
work_rc_t bucket_settings_lock(work_t *work, bool *is_locked);


#endif
