/*
 * Is the follower's object equal already?
 */

#ifndef COMPARE_H
#define COMPARE_H

#include "chorus_s3_xml.h"
#include "object.h"
#include "work.h"

/* What differs beside the content. */
#define COMPARE_METADATA  1u
#define COMPARE_CLASS     2u    /* of storage */
#define COMPARE_CHECKSUM  4u


/* For objects that are worth looking first: *is_equal is true when nothing of
 * the content has to be sent; what differed beside it (headers, tags, ACL) has
 * been put right. */
work_rc_t compare_large(work_t *work, const object_t *object,
    const chorus_tagging_t *tags, task_outcome_t *outcome, bool *is_equal);

/* COMPARE_*: of what only a new write of the object can change. */
unsigned compare_headers(const work_t *work, const object_t *ours,
    const object_t *theirs);

/* The system's and the user's metadata, as far as both storages tell it. */
bool compare_same_metadata(const work_t *work, const object_t *ours,
    const object_t *theirs);


#endif
