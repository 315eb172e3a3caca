/*
 * Objects that are equal although their ETags differ: content that a storage
 * encrypts with keys of its own, a multipart object whose parts nobody knows.
 * What was copied is written down as main's ETag and the follower's; as long
 * as both sides still have them, nothing has changed.
 */

#ifndef TWIN_H
#define TWIN_H

#include "work.h"


/* The follower's content of that ETag was made of main's object. */
void twin_keep(work_t *work, const object_t *object, chorus_str_t etag);

/* Whether it was, and both are of one size. */
bool twin_is_known(work_t *work, const object_t *ours,
    const object_t *theirs);


/*
 * The other way: a scan has read both, and they differ although size and ETag
 * say that they are equal.  Noted so that a sync copies the object all the
 * same, until it has.
 */
void twin_mark_rotten(work_t *work, const object_t *object);
bool twin_is_rotten(work_t *work, const object_t *object);
void twin_forget(work_t *work);


#endif
