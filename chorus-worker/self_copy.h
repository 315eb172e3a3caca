/*
 * The follower's object copied onto itself: other headers, the same bytes,
 * and none of them on the network.
 */

#ifndef SELF_COPY_H
#define SELF_COPY_H

#include "chorus_s3_xml.h"
#include "work.h"


/* Size and ETag are equal already; of work->copy_source, where that is set.
 * *is_copied: they still are, and headers and tags are main's now; else the
 * content has to be sent, and work->made_version is what was made in vain. */
work_rc_t self_copy(work_t *work, const object_t *object,
    const chorus_tagging_t *tags, bool *is_copied);


#endif
