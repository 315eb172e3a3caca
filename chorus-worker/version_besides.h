/*
 * What a version has besides its content, and what is asked of it.
 */

#ifndef VERSION_BESIDES_H
#define VERSION_BESIDES_H

#include "object.h"
#include "version_edit.h"


/* HEAD; a version that is gone by now fails with AGAIN. */
work_rc_t version_head(work_t *work, failure_side_t side, chorus_str_t id,
    object_t *object, bool *is_sealed);

/*
 * Makes tags, ACL and lock of what the follower had already main's; what was
 * appended came with its own.  Of the newest 1,000 versions where such a change
 * may be what the task is about, of fewer where there was a write.  *is_changed
 * is set when one of them differed.
 */
work_rc_t version_besides(version_edit_t *v, bool *is_changed);

/* Whether a filter takes main's history: as a whole, by the tags of its newest
 * version that is no delete marker.  One without is taken, as what is gone. */
work_rc_t version_is_taken(work_t *work, const chorus_history_t *ours,
    bool *is_taken);


#endif
