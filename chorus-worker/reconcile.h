/*
 * "Make key K on follower F equal to key K on main": the worker's one job.
 */

#ifndef RECONCILE_H
#define RECONCILE_H

#include "work.h"


/* Does work->task and fills in its result. */
void reconcile(work_t *work);

/* The parts, each of which sets work->failure when it fails. */

/* The key by its facets, content included. */
work_rc_t reconcile_object(work_t *work, task_outcome_t *outcome);

/* The bucket itself: existence, tags and ACL. */
work_rc_t reconcile_bucket(work_t *work, task_outcome_t *outcome);

/* The follower has no such bucket although main's is there: make it. */
work_rc_t reconcile_bucket_create(work_t *work);


#endif
