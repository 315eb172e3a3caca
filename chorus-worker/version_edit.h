/*
 * One edit of the follower's history of the task's key.
 */

#ifndef VERSION_EDIT_H
#define VERSION_EDIT_H

#include "bucket_versioning.h"
#include "work.h"


/* `state` is that of main's bucket.  *has_held: the state of the follower's was
 * changed for it in the meantime. */
work_rc_t version_edit(work_t *work, versioning_t state,
    task_outcome_t *outcome, bool *has_held);


#endif
