/*
 * All versions of the task's key on one side.
 */

#ifndef VERSION_LIST_H
#define VERSION_LIST_H

#include "chorus_versions.h"
#include "work.h"

/* About 150 bytes each, on both sides. */
#define VERSION_LIST_MAX    100000
/* Of longer lists there is one at a time in this process. */
#define VERSION_LIST_SHORT  5000


typedef struct {
    chorus_history_t  history;      /* newest first; keys are not kept */
    size_t            size;         /* room in it */
    bool              is_paged;     /* it took more than one request */
} version_list_t;


/* Complete, or WORK_FAILED.  A bucket that is not there has none. */
work_rc_t version_list_read(work_t *work, failure_side_t side,
    version_list_t *list);

/* Some slot may hold long lists from version_list_read() on, until this. */
void version_list_done(work_t *work);

/* An encoded "versionId=..." for a query, with `before` in front. */
const char *version_query(work_t *work, const char *before, chorus_str_t id);


#endif
