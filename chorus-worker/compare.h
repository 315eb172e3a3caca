/*
 * Is the follower's object equal already?
 */

#ifndef COMPARE_H
#define COMPARE_H

#include "chorus_s3_xml.h"
#include "object.h"
#include "work.h"


/* For objects that are worth looking first: *is_equal is true when nothing of
 * the content has to be sent; what differed beside it (headers, tags, ACL) has
 * been put right. */
work_rc_t compare_large(work_t *work, const object_t *object,
    const chorus_tagging_t *tags, task_outcome_t *outcome, bool *is_equal);

/* The system's and the user's metadata, as far as both storages tell it. */
bool compare_same_metadata(const work_t *work, const object_t *ours,
    const object_t *theirs);


#endif
