/*
 * The canonical id that a storage knows a Chorus user by.  It is what ACLs
 * name; each storage has its own.
 */

#ifndef IDENTITY_H
#define IDENTITY_H

#include "work.h"


/*
 * *id: the user's id on that side, in work->mem; the null string when the
 * user has no credentials there, or the storage does not tell them their id.
 * Asks the storage once (ListBuckets says who asks) and remembers the answer
 * for as long as the worker runs, a refusal for a minute.  WORK_FAILED: the
 * storage could not be asked.
 */
work_rc_t identity_of(work_t *work, failure_side_t side, chorus_str_t user,
    chorus_str_t *id);

/* *user: whose id on main it is, borrowed from the configuration; the null
 * string when no Chorus user has it. */
work_rc_t identity_find(work_t *work, chorus_str_t id, chorus_str_t *user);


#endif
