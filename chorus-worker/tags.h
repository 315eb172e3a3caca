/*
 * Tags of objects and buckets.
 */

#ifndef TAGS_H
#define TAGS_H

#include "chorus_s3_xml.h"
#include "work.h"


/* The tags of what the request names (beside "tagging" in its query); none is
 * no failure.  Lives in work->mem. */
work_rc_t tags_get(work_t *work, failure_side_t side,
    const s3_request_t *subject, chorus_tagging_t *tags);

/* Makes the follower's tags these: PUT, or DELETE when there are none. */
work_rc_t tags_put(work_t *work, const s3_request_t *subject,
    const chorus_tagging_t *tags);

/* In any order. */
bool tags_same(const chorus_tagging_t *a, const chorus_tagging_t *b);


#endif
