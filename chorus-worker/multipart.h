/*
 * An object that was uploaded in parts, rebuilt in the same parts, so that
 * the follower's ETag is the same.
 */

#ifndef MULTIPART_H
#define MULTIPART_H

#include "chorus_s3_xml.h"
#include "work.h"


work_rc_t multipart_copy(work_t *work, const object_t *object,
    const chorus_tagging_t *tags);


#endif
