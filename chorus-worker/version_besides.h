/*
 * What a version has besides its content, and what is asked of it.
 */

#ifndef VERSION_BESIDES_H
#define VERSION_BESIDES_H

#include "chorus_versions.h"
#include "work.h"


/* The version of that id on main, and its copy, the null string: what is
 * current, on the follower.  *is_changed is set when the copy had others. */
work_rc_t version_make_tags_equal(work_t *work, chorus_str_t ours,
    chorus_str_t theirs, bool *is_changed);
work_rc_t version_make_acl_equal(work_t *work, chorus_str_t ours,
    chorus_str_t theirs, bool *is_changed);

/* Whether a filter takes main's history: as a whole, by the tags of its newest
 * version that is no delete marker.  One without is taken, as what is gone. */
work_rc_t version_is_taken(work_t *work, const chorus_history_t *ours,
    bool *is_taken);


#endif
