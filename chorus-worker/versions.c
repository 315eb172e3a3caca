/*
 * Whether a key is a history, and that the follower's becomes main's.
 */

#include "bucket_versioning.h"
#include "content.h"
#include "version_edit.h"
#include "versions.h"

/* over a history in a bucket whose state changes meanwhile */
#define VERSIONS_PASSES  4


/* While the state of the follower's bucket changes to and fro, by us and by
 * other workers, its answers are not the last word: look again. */

static work_rc_t
versions_sync_history(work_t *work, versioning_t state,
    task_outcome_t *outcome)
{
    bool            has_held;
    unsigned        passes;
    task_outcome_t  last;

    for (passes = 1; passes <= VERSIONS_PASSES; passes++) {

        if (version_edit(work, state, &last, &has_held) != WORK_DONE) {
            return WORK_FAILED;
        }

        *outcome = passes == 1 || last != TASK_EQUAL ? last : *outcome;

        if (!has_held) {
            return WORK_DONE;
        }
    }

    failure_set(&work->failure, FAILURE_SOON, FAILURE_SIDE_FOLLOWER,
                "NotVersioned", "versioning of the follower's bucket keeps "
                "changing");

    return WORK_FAILED;
}


/* Main's bucket is gone: what its follower had of versions has to go. */

static work_rc_t
versions_of_follower(work_t *work, bool *are_kept)
{
    versioning_t  state;

    if (versioning_get(work, FAILURE_SIDE_FOLLOWER, 0, &state) != WORK_DONE) {
        return WORK_FAILED;
    }

    *are_kept = state == VERSIONING_ENABLED || state == VERSIONING_SUSPENDED;

    return WORK_DONE;
}


static work_rc_t
versions_find(work_t *work, versioning_t *state, bool *are_kept)
{
    *are_kept = false;

    if (work->without_versions) {
        return WORK_DONE;
    }

    if (versioning_get(work, FAILURE_SIDE_MAIN, 0, state) != WORK_DONE) {
        return WORK_FAILED;
    }

    if (*state == VERSIONING_NO_BUCKET) {
        return versions_of_follower(work, are_kept);
    }

    *are_kept = *state != VERSIONING_OFF;

    return WORK_DONE;
}


work_rc_t
versions_are_kept(work_t *work, bool *are_kept)
{
    versioning_t  state;

    return versions_find(work, &state, are_kept);
}


work_rc_t
versions_rule_out(work_t *work, int64_t since_ms)
{
    versioning_t  state;

    if (work->without_versions) {
        return WORK_DONE;
    }

    if (versioning_get(work, FAILURE_SIDE_MAIN, since_ms, &state)
        != WORK_DONE)
    {
        return WORK_FAILED;
    }

    if (state == VERSIONING_OFF || state == VERSIONING_NO_BUCKET) {
        return WORK_DONE;
    }

    failure_set(&work->failure, FAILURE_AGAIN, FAILURE_SIDE_MAIN, "Versioned",
                "main keeps versions by now");

    return WORK_FAILED;
}


work_rc_t
versions_sync(work_t *work, task_outcome_t *outcome)
{
    bool          are_kept;
    versioning_t  state;

    if (versions_find(work, &state, &are_kept) != WORK_DONE) {
        return WORK_FAILED;
    }

    if (!are_kept) {
        return content_sync(work, outcome);
    }

    if (state != VERSIONING_NO_BUCKET
        && versioning_follow(work, state, &are_kept) != WORK_DONE)
    {
        return WORK_FAILED;
    }

    if (!are_kept) {
        if (log_once_a_minute(work->target)) {
            work_log(work, LOG_WARN, "the follower keeps no versions: it gets "
                     "what is current");
        }
        work->without_versions = true;
        return content_sync(work, outcome);
    }

    return versions_sync_history(work, state, outcome);
}
