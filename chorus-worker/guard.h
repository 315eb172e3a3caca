/*
 * The delete guard: too many deletes on a follower within a time are for a
 * person to decide.  Redis counts, for all workers together (chorus_guard.lua);
 * who is about to delete asks first.
 */

#ifndef GUARD_H
#define GUARD_H

#include "version_edit.h"
#include "work.h"


/* Before the task's key is deleted on the follower.  Without a guard, all that
 * is asked for is granted.  With one, a key that is not there is no delete:
 * *is_there is false.  WORK_FAILED: nothing is to be deleted, the key waits. */
work_rc_t guard_delete(work_t *work, bool *is_there);

/* Before an object without content takes the place of the follower's. */
work_rc_t guard_empty(work_t *work);

/* Before the follower's history is made main's: does it lose something? */
work_rc_t guard_history(version_edit_t *v);


#endif
