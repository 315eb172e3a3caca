/*
 * Whether a scan compares histories.  It does where main keeps versions, and
 * the follower can, too: there a key whose current versions are equal may lack
 * all others.
 */

#include "bucket_versioning.h"
#include "scan_work.h"


static void
scan_versions_set(scan_t *scan, bool are_kept)
{
    scan_list_mode(&scan->ours, are_kept);
    scan_list_mode(&scan->theirs, are_kept);
    scan_list_mode(&scan->again_ours, are_kept);
    scan_list_mode(&scan->again_theirs, are_kept);
}


/* A check changes nothing: it only says what the follower is not. */

static work_rc_t
scan_versions_follow(scan_t *scan, versioning_t state, bool *are_kept)
{
    if (scan->claim.is_check) {
        scan->lacks_versions = true;
        *are_kept = false;
        return WORK_DONE;
    }

    return versioning_follow(&scan->work, state, are_kept);
}


work_rc_t
scan_versions_begin(scan_t *scan)
{
    bool          are_kept;
    versioning_t  state, has;

    scan->lacks_versions = false;
    scan_versions_set(scan, false);

    if (versioning_get(&scan->work, FAILURE_SIDE_MAIN, 0, &state)
        != WORK_DONE)
    {
        return WORK_FAILED;
    }

    if (state != VERSIONING_ENABLED && state != VERSIONING_SUSPENDED) {
        return WORK_DONE;
    }

    if (versioning_get(&scan->work, FAILURE_SIDE_FOLLOWER, 0, &has)
        != WORK_DONE)
    {
        return WORK_FAILED;
    }

    are_kept = true;

    if (has == VERSIONING_OFF
        && scan_versions_follow(scan, state, &are_kept) != WORK_DONE)
    {
        return WORK_FAILED;
    }

    scan_versions_set(scan, are_kept);

    return WORK_DONE;
}


void
scan_versions_end(scan_t *scan)
{
    scan_versions_set(scan, false);
}
