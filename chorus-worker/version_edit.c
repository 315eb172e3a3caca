/*
 * The histories are listed, the edit computed (chorus_versions.h), what is
 * missing appended oldest first, and only then the surplus deleted by id, so
 * that what is current on main is never missing for long on the follower.
 *
 * The surplus is deleted oldest first, too: then none of it ever becomes
 * current in the meantime.
 */

#include <inttypes.h>
#include <string.h>

#include "compare.h"
#include "guard.h"
#include "version_append.h"
#include "version_besides.h"
#include "version_edit.h"
#include "version_surplus.h"

/* HEADs on both sides where listings leave a doubt; then order decides */
#define VERSIONS_LOOKS    100
/* by which clocks of storages may differ */
#define VERSIONS_SKEW_MS  60000


static bool
versions_have_etag(const chorus_history_t *history, chorus_str_t etag)
{
    size_t  i;

    for (i = 0; i < history->nversions; i++) {
        if (chorus_str_eq(history->versions[i].etag, etag)) {
            return true;
        }
    }

    return false;
}


/* Other ETags that say nothing about the content (uploads with other parts,
 * encryption) may be a copy's: we have put it there.  They are not when one of
 * them is another version's, or the copy would be older than its original. */

static bool
versions_may_be_copy(const version_edit_t *v, const chorus_version_t *ours,
    const chorus_version_t *theirs)
{
    if (theirs->modified_ms + VERSIONS_SKEW_MS < ours->modified_ms) {
        return false;
    }

    return v->ours.history.nversions > VERSION_LIST_SHORT
           || v->theirs.history.nversions > VERSION_LIST_SHORT
           || (!versions_have_etag(&v->ours.history, theirs->etag)
               && !versions_have_etag(&v->theirs.history, ours->etag));
}


static bool
versions_same_content(const version_edit_t *v, const chorus_version_t *ours,
    const chorus_version_t *theirs, bool is_sealed)
{
    unsigned char  md5[CHORUS_MD5_LEN];

    if (chorus_str_eq(ours->etag, theirs->etag)) {
        return true;
    }

    return (is_sealed || (!object_etag_is_md5(ours->etag, md5)
                          && !object_etag_is_md5(theirs->etag, md5)))
           && versions_may_be_copy(v, ours, theirs);
}


/* Of the same size by the listings. */

static chorus_version_verdict_t
versions_look(void *data, const chorus_version_t *ours,
    const chorus_version_t *theirs)
{
    bool             is_sealed, are_sealed;
    object_t         a, b;
    version_edit_t  *v = data;

    if (v->looks++ >= VERSIONS_LOOKS) {
        return versions_same_content(v, ours, theirs, v->is_sealed)
               ? CHORUS_VERSION_SAME : CHORUS_VERSION_OTHER;
    }

    if (version_head(v->work, FAILURE_SIDE_MAIN, ours->id, &a, &is_sealed)
        != WORK_DONE
        || version_head(v->work, FAILURE_SIDE_FOLLOWER, theirs->id, &b,
                        &are_sealed) != WORK_DONE)
    {
        return CHORUS_VERSION_FAILED;
    }

    is_sealed = is_sealed || are_sealed;
    v->is_sealed = v->is_sealed || is_sealed;

    return versions_same_content(v, ours, theirs, is_sealed)
           && compare_same_metadata(v->work, &a, &b)
           ? CHORUS_VERSION_SAME : CHORUS_VERSION_OTHER;
}


/* The follower's is read first: what main gets in the meantime is appended,
 * and never taken for surplus. */

static work_rc_t
versions_read(version_edit_t *v)
{
    return version_list_read(v->work, FAILURE_SIDE_FOLLOWER, &v->theirs)
           == WORK_DONE
           ? version_list_read(v->work, FAILURE_SIDE_MAIN, &v->ours)
           : WORK_FAILED;
}


static work_rc_t
versions_compare(version_edit_t *v)
{
    switch (chorus_history_compare(v->work->mem, &v->ours.history,
                                   &v->theirs.history, versions_look, v,
                                   &v->edit))
    {
    case CHORUS_OK:
        return WORK_DONE;

    case CHORUS_NOMEM:
        return work_fail_here(v->work, "out of memory");

    default:
        return WORK_FAILED;
    }
}


static void
versions_tell(const version_edit_t *v, bool is_changed,
    task_outcome_t *outcome)
{
    size_t  nmissing, ndeleted;

    nmissing = v->ours.history.nversions - v->edit.nkept;
    ndeleted = v->edit.nsurplus - v->nlocked;

    work_log(v->work, LOG_DEBUG, "versions=%zu kept=%zu appended=%zu "
             "deleted=%zu looked=%u", v->ours.history.nversions,
             v->edit.nkept, nmissing, ndeleted, v->looks);

    *outcome = nmissing != 0 || is_changed ? TASK_SYNCED
               : ndeleted != 0 ? TASK_DELETED : TASK_EQUAL;
}


/* Versions were not to wait for an ACL that was refused: now it is told, and
 * the next attempt looks at all of them. */

static work_rc_t
versions_finish(version_edit_t *v, bool *is_changed)
{
    if (guard_history(v) != WORK_DONE
        || version_append_all(v) != WORK_DONE
        || version_delete_surplus(v) != WORK_DONE
        || version_besides(v, is_changed) != WORK_DONE)
    {
        return WORK_FAILED;
    }

    if (v->acl_refused.kind != FAILURE_NONE) {
        v->work->failure = v->acl_refused;
        return WORK_FAILED;
    }

    return WORK_DONE;
}


static work_rc_t
versions_edit(version_edit_t *v, task_outcome_t *outcome)
{
    bool       is_changed, is_taken;
    work_rc_t  rc;

    if (versions_read(v) != WORK_DONE
        || version_is_taken(v->work, &v->ours.history, &is_taken)
           != WORK_DONE)
    {
        return WORK_FAILED;
    }

    if (!is_taken) {
        *outcome = TASK_EQUAL;
        return WORK_DONE;
    }

    if (versions_compare(v) != WORK_DONE) {
        return WORK_FAILED;
    }

    is_changed = false;
    rc = versions_finish(v, &is_changed);
    versions_tell(v, is_changed, outcome);

    return rc;
}


work_rc_t
version_edit(work_t *work, versioning_t state, task_outcome_t *outcome,
    bool *has_held)
{
    work_rc_t       rc;
    failure_t       failure;
    version_edit_t  v;

    memset(&v, 0, sizeof(version_edit_t));
    v.work = work;
    v.state = state;

    rc = versions_edit(&v, outcome);
    version_list_done(work);
    *has_held = v.has_held;

    if (v.is_holding) {
        failure = work->failure;
        work_watch_undo(work);

        if (versioning_release(work) != WORK_DONE) {
            rc = WORK_FAILED;

        } else {
            work->failure = failure;
        }

        work_watch(work);
    }

    return rc;
}
