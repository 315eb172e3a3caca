/*
 * Versions at the end of the follower's history.
 */

#ifndef VERSION_APPEND_H
#define VERSION_APPEND_H

#include "version_edit.h"


/* What the follower lacks, oldest first; their ids there go to v->made. */
work_rc_t version_append_all(version_edit_t *v);

/* Main's newest once more, behind all that the follower has. */
work_rc_t version_append_newest(version_edit_t *v);


#endif
