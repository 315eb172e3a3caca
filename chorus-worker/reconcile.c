#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "acl.h"
#include "chorus_s3_request.h"
#include "clock.h"
#include "filter.h"
#include "health.h"
#include "reconcile.h"
#include "tags.h"
#include "upload.h"
#include "versions.h"

/* A key that keeps changing under us is given back between two tries.  Others
 * need as many as there are things that a follower may refuse one by one. */
#define RECONCILE_TRIES  6


static work_rc_t
reconcile_tags(work_t *work)
{
    s3_request_t      ours, theirs;
    chorus_tagging_t  tags;

    ours = work_request(work, FAILURE_SIDE_MAIN, "GET", NULL);
    theirs = work_request(work, FAILURE_SIDE_FOLLOWER, "GET", NULL);

    return tags_get(work, FAILURE_SIDE_MAIN, &ours, &tags) == WORK_DONE
           ? tags_put(work, &theirs, &tags) : WORK_FAILED;
}


static work_rc_t
reconcile_acl(work_t *work, task_outcome_t *outcome)
{
    bool          is_changed;
    s3_request_t  ours, theirs;

    ours = work_request(work, FAILURE_SIDE_MAIN, "GET", NULL);
    theirs = work_request(work, FAILURE_SIDE_FOLLOWER, "GET", NULL);

    if (acl_read(work, &ours) != WORK_DONE
        || acl_make_equal(work, &theirs, &is_changed) != WORK_DONE)
    {
        return WORK_FAILED;
    }

    *outcome = is_changed ? TASK_SYNCED : TASK_EQUAL;

    return WORK_DONE;
}


/*
 * Only tags or the ACL changed.  That the content is the same was settled when
 * it was last synced; if either side has no such object, or the follower's is
 * not there yet, everything is looked at.
 */

static work_rc_t
reconcile_besides(work_t *work, task_outcome_t *outcome)
{
    bool      has_tags;
    unsigned  facets;

    facets = work->task->facets;
    has_tags = (facets & CHORUS_FACET_TAGS) != 0;

    if ((!has_tags || reconcile_tags(work) == WORK_DONE)
        && (!(facets & CHORUS_FACET_ACL)
            || reconcile_acl(work, outcome) == WORK_DONE))
    {
        if (has_tags) {
            *outcome = TASK_SYNCED;
        }

        return WORK_DONE;
    }

    if (strcmp(work->failure.code, "NoSuchKey") == 0
        || strcmp(work->failure.code, "NoSuchBucket") == 0)
    {
        return versions_sync(work, outcome);
    }

    return WORK_FAILED;
}


work_rc_t
reconcile_object(work_t *work, task_outcome_t *outcome)
{
    bool      is_narrow, are_kept;
    unsigned  facets;

    if (!filter_takes_key(work)) {
        *outcome = TASK_EQUAL;
        return WORK_DONE;
    }

    if (versions_are_kept(work, &are_kept) != WORK_DONE) {
        return WORK_FAILED;
    }

    /* new tags may let in what has not been copied before */
    facets = filter_asks_tags(work) ? CHORUS_FACET_ALL : work->task->facets;

    /* Tags and ACL of which version?  And a scan knows no more than that the
     * contents are equal. */
    is_narrow = !are_kept && !work->task->is_scan
                && (facets & CHORUS_FACET_CONTENT) == 0
                && (facets & (CHORUS_FACET_TAGS | CHORUS_FACET_ACL)) != 0;

    return is_narrow ? reconcile_besides(work, outcome)
                     : versions_sync(work, outcome);
}


static work_rc_t
reconcile_once(work_t *work, task_outcome_t *outcome)
{
    return work->task->key.len == 0 ? reconcile_bucket(work, outcome)
                                    : reconcile_object(work, outcome);
}


static work_rc_t
reconcile_tries(work_t *work, task_outcome_t *outcome)
{
    unsigned  tries;

    for (tries = 1; reconcile_once(work, outcome) != WORK_DONE; tries++) {

        if (work->failure.kind != FAILURE_AGAIN) {
            return WORK_FAILED;
        }

        if (tries == RECONCILE_TRIES) {
            work->failure.kind = FAILURE_SOON;
            return WORK_FAILED;
        }

        work_log(work, LOG_DEBUG, "again: %s", work->failure.reason);
    }

    /* the key is equal, and what was begun before is not needed */
    upload_abandon(work);

    return WORK_DONE;
}


/* What the task says about the health of both storages. */

static void
reconcile_report(const work_t *work, work_rc_t rc)
{
    bool              is_trouble;
    const failure_t  *failure;

    failure = &work->failure;

    if (rc == WORK_DONE) {
        health_report(work->main->name, true);
        health_report(work->follower->name, true);
        return;
    }

    if (failure->kind == FAILURE_STOPPED) {
        return;
    }

    is_trouble = failure->is_transport;

    if (failure->side == FAILURE_SIDE_MAIN) {
        health_report(work->main->name, !is_trouble);

    } else if (failure->side == FAILURE_SIDE_FOLLOWER) {
        health_report(work->main->name, true);
        health_report(work->follower->name, !is_trouble);
    }
}


static void
reconcile_result(work_t *work, int64_t delay_ms)
{
    task_result_t    *result;
    const failure_t  *failure;

    failure = &work->failure;
    result = &work->task->result;

    result->outcome = failure->kind == FAILURE_BLOCKED ? TASK_BLOCKED
                                                       : TASK_FAILED;
    result->is_wide = failure->is_wide;
    result->delay_ms = delay_ms;
    memcpy(result->code, failure->code, sizeof(result->code));
    memcpy(result->reason, failure->reason, sizeof(result->reason));
}


/* -1: it is given up until somebody asks for it. */

static int64_t
reconcile_delay_ms(const work_t *work)
{
    uint64_t                       attempts;
    const chorus_worker_config_t  *worker;

    attempts = work->task->attempts;
    worker = &work->config->worker;

    if (work->failure.kind == FAILURE_PARK
        || (worker->max_attempts != 0 && attempts + 1 >= worker->max_attempts))
    {
        return -1;
    }

    return failure_delay_ms(&work->failure, attempts,
                            worker->retry_max_seconds);
}


static void
reconcile_failed(work_t *work)
{
    int64_t           delay;
    log_level_t       level;
    const failure_t  *failure;

    failure = &work->failure;

    if (failure->kind == FAILURE_STOPPED) {
        work->task->result.outcome = TASK_RELEASED;
        work_log(work, LOG_INFO, "given back: %s", failure->reason);
        return;
    }

    delay = reconcile_delay_ms(work);
    reconcile_result(work, delay);

    level = failure->kind == FAILURE_SOON && delay >= 0 ? LOG_INFO : LOG_WARN;

    if (failure->kind == FAILURE_BLOCKED) {
        work_log(work, level, "blocked code=%s: %s", failure->code,
                 failure->reason);

    } else if (delay < 0) {
        work_log(work, level, "parked code=%s: %s", failure->code,
                 failure->reason);

    } else {
        work_log(work, level, "failed code=%s retry_in_ms=%" PRId64 ": %s",
                 failure->code, delay, failure->reason);
    }
}


static void
reconcile_succeeded(work_t *work, task_outcome_t outcome)
{
    int64_t         now;
    task_result_t  *result;

    static const char *const  names[] = { "synced", "deleted", "equal" };

    result = &work->task->result;
    result->outcome = outcome;
    result->bytes = work->bytes;

    now = clock_ms();

    work_log(work, LOG_DEBUG, "%s bytes=%" PRIu64 " took_ms=%" PRId64
             " lag_ms=%" PRId64, names[outcome], work->bytes,
             now - work->task->claimed_ms, now - work->task->since_ms);
}


/* What the filters of an older policy, or of an older chorus.json, leave out
 * may be what was marked under the current one. */

static work_rc_t
reconcile_check_policy(work_t *work)
{
    const char  *why;

    if (!work->is_filtered) {
        return WORK_DONE;
    }

    if (work->policy < work->task->policy) {
        why = "a filter leaves it out, of a policy that is not the current "
              "one";

    } else if (work->task->rules[0] != '\0'
               && strcmp(work->task->rules, work->rules) != 0)
    {
        why = "a filter leaves it out, and not all proxies and workers have "
              "the same rules in their chorus.json; see /api/v1/readers";

    } else {
        return WORK_DONE;
    }

    failure_set(&work->failure, FAILURE_SOON, FAILURE_SIDE_WORKER,
                "PolicyPending", "%s", why);

    return WORK_FAILED;
}


/* Not in the configuration (any more): told once a minute. */

static void
reconcile_unresolved(work_t *work)
{
    const failure_t  *failure;

    failure = &work->failure;

    if (work->follower == NULL) {
        health_report(work->task->parts.follower, false);
    }

    reconcile_result(work, 0);

    work_log(work, log_once_a_minute(work->task->replication)
                   ? LOG_WARN : LOG_DEBUG,
             "blocked code=%s: %s", failure->code, failure->reason);
}


void
reconcile(work_t *work)
{
    work_rc_t       rc;
    task_outcome_t  outcome;

    if (work_resolve(work) != WORK_DONE) {
        reconcile_unresolved(work);
        return;
    }

    work_watch(work);
    outcome = TASK_SYNCED;
    rc = reconcile_tries(work, &outcome);
    s3_client_watch(work->client, NULL, NULL, NULL);

    reconcile_report(work, rc);

    if (rc == WORK_DONE && reconcile_check_policy(work) == WORK_DONE) {
        reconcile_succeeded(work, outcome);

    } else {
        reconcile_failed(work);
    }
}
