/*
 * The follower's object copied onto itself: other headers, the same bytes,
 * and none of them on the network.
 */

#ifndef SELF_COPY_H
#define SELF_COPY_H

#include "chorus_s3_xml.h"
#include "work.h"


/* Size and ETag are equal already.  *is_copied: they still are, and the
 * headers are main's now; else the content has to be sent. */
work_rc_t self_copy(work_t *work, const object_t *object,
    const chorus_tagging_t *tags, bool *is_copied);


#endif
