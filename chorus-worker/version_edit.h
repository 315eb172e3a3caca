/*
 * One edit of the follower's history of the task's key.
 */

#ifndef VERSION_EDIT_H
#define VERSION_EDIT_H

#include "bucket_versioning.h"
#include "version_list.h"
#include "work.h"


typedef struct {
    work_t                 *work;
    versioning_t            state;      /* of main's bucket */
    version_list_t          ours;       /* main's */
    version_list_t          theirs;     /* the follower's */
    chorus_history_edit_t   edit;
    unsigned                looks;
    bool                    is_sealed;  /* some of what was looked at */

    /* the follower's bucket is, or was, enabled for this edit */
    bool                    is_holding;
    bool                    has_held;

    chorus_str_t           *made;       /* ids that the follower gave */
    size_t                  nmade;
    chorus_version_t        last;       /* of them, if its id is known */
    failure_t               acl_refused;    /* of what was appended, or NONE */
    size_t                  nlocked;    /* surplus that cannot be deleted */
    bool                    is_topped;  /* one of it would stay current */
} version_edit_t;


/* `state` is that of main's bucket.  *has_held: the state of the follower's was
 * changed for it in the meantime. */
work_rc_t version_edit(work_t *work, versioning_t state,
    task_outcome_t *outcome, bool *has_held);


#endif
