/*
 * Multipart uploads on the follower that will never be completed.
 */

#ifndef LEFTOVERS_H
#define LEFTOVERS_H

#include "work.h"


/* Ends one upload, as well as it can be done in a few seconds; also when the
 * task was stopped.  `upload_id` is encoded for a query. */
void leftovers_abort(work_t *work, chorus_str_t upload_id);

/*
 * Ends all uploads of the task's key.  Whoever began them has lost the lease
 * since: a worker that was killed, or one that was stopped for long and would
 * otherwise complete its upload over newer content when it goes on.
 */
void leftovers_abort_all(work_t *work);


#endif
