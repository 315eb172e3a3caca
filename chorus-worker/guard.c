/*
 * One grant covers a task: what counts is keys, not requests.
 */

#include "chorus_policy.h"
#include "guard.h"
#include "live_policy.h"
#include "queue_ledger.h"


typedef enum {
    GUARD_NOTHING = 0,          /* the follower has no such key */
    GUARD_EMPTY,                /* one without content */
    GUARD_CONTENT
} guard_find_t;


/* ---- the grant ---- */


/* The id of the rule of the dynamic policy that leads there, or "". */

static chorus_str_t
guard_rule(work_t *work)
{
    chorus_str_t               id;
    live_policy_t             *policy;
    const chorus_live_name_t  *name;

    policy = live_policy_get();
    name = chorus_live_replication(live_policy(policy), &work->task->parts);
    id = name == NULL ? chorus_str("") : chorus_str_dup(work->mem, name->id);
    live_policy_put(policy);

    return id.data == NULL ? chorus_str("") : id;
}


/* Given back, and not tried: it waits where it did. */

static work_rc_t
guard_refused(work_t *work, chorus_str_t verdict)
{
    chorus_str_t  reason;

    reason = verdict;

    if (chorus_str_eq(chorus_str_cut(&reason, ' '), chorus_str("tripped"))) {
        work_log(work, LOG_ERROR, "the delete guard has paused this "
                 "replication: %.*s; the follower keeps what it has until "
                 "somebody says: chorusctl resume R (main has been mended) or "
                 "chorusctl resume R --accept-deletes",
                 chorus_fmt(reason));
    }

    failure_set(&work->failure, FAILURE_STOPPED, FAILURE_SIDE_WORKER,
                "Guarded", "a delete on the follower: %.*s",
                chorus_fmt(verdict));

    return WORK_FAILED;
}


static work_rc_t
guard_ask(work_t *work, const chorus_guard_t *guard)
{
    chorus_str_t  verdict;

    if (work->is_granted) {
        return WORK_DONE;
    }

    if (!queue_ledger_guard(work->task, guard_rule(work), guard, work->mem,
                            &verdict))
    {
        return work_fail_here(work, "Redis cannot be asked whether a delete "
                              "is one too many");
    }

    work->is_granted = chorus_str_eq(verdict, chorus_str("granted"));

    return work->is_granted ? WORK_DONE : guard_refused(work, verdict);
}


static const chorus_guard_t *
guard_of(const work_t *work)
{
    return chorus_policy_guard(work->config, &work->task->parts);
}


/* ---- what there is to lose ---- */


/* A GET, since only its answer says in a body that there is no such key. */

static work_rc_t
guard_look(work_t *work, guard_find_t *found)
{
    s3_request_t          get;
    chorus_header_t       range;
    const s3_response_t  *response;

    range = (chorus_header_t) { chorus_str("Range"),
                                chorus_str("bytes=0-0") };

    get = work_request(work, FAILURE_SIDE_FOLLOWER, "GET", NULL);
    get.headers = &range;
    get.nheaders = 1;

    response = s3_client_call(work->client, S3_LANE_SIDE, &get);

    if (s3_response_is_gone(response)) {
        *found = GUARD_NOTHING;

    } else if (s3_response_is(response, 416)) {
        *found = GUARD_EMPTY;

    } else if (s3_response_is_success(response)) {
        *found = response->body.len == 0 ? GUARD_EMPTY : GUARD_CONTENT;

    } else {
        return work_fail(work, FAILURE_SIDE_FOLLOWER, "GET object", response);
    }

    return WORK_DONE;
}


work_rc_t
guard_delete(work_t *work, bool *is_there)
{
    guard_find_t           found = GUARD_CONTENT;
    const chorus_guard_t  *guard;

    guard = guard_of(work);
    *is_there = true;

    if (guard == NULL) {
        return WORK_DONE;
    }

    if (guard_look(work, &found) != WORK_DONE) {
        return WORK_FAILED;
    }

    *is_there = found != GUARD_NOTHING;

    return *is_there ? guard_ask(work, guard) : WORK_DONE;
}


work_rc_t
guard_empty(work_t *work)
{
    guard_find_t           found = GUARD_CONTENT;
    const chorus_guard_t  *guard;

    guard = guard_of(work);

    if (guard == NULL) {
        return WORK_DONE;
    }

    if (guard_look(work, &found) != WORK_DONE) {
        return WORK_FAILED;
    }

    return found == GUARD_CONTENT ? guard_ask(work, guard) : WORK_DONE;
}


/* ---- histories ---- */


static bool
guard_has_null(const chorus_history_t *history)
{
    size_t  i;

    for (i = 0; i < history->nversions; i++) {
        if (chorus_str_eq(history->versions[i].id,
                          chorus_str(CHORUS_NULL_VERSION)))
        {
            return true;
        }
    }

    return false;
}


/* A version that has content, and is not main's null version of before: that
 * is overwritten, which nobody guards. */

static bool
guard_loses_version(const version_edit_t *v)
{
    bool                     has_null;
    size_t                   i;
    const chorus_version_t  *version;

    has_null = guard_has_null(&v->ours.history);

    for (i = 0; i < v->edit.nsurplus; i++) {
        version = &v->theirs.history.versions[v->edit.surplus[i]];

        if (!version->is_marker
            && !(has_null && chorus_str_eq(version->id,
                                           chorus_str(CHORUS_NULL_VERSION))))
        {
            return true;
        }
    }

    return false;
}


/* What is current on the follower is to be a delete marker, or empty. */

static bool
guard_loses_current(const version_edit_t *v)
{
    const chorus_version_t  *ours, *theirs;

    if (v->theirs.history.nversions == 0) {
        return false;
    }

    theirs = &v->theirs.history.versions[0];

    if (theirs->is_marker || v->ours.history.nversions == 0) {
        return !theirs->is_marker;
    }

    ours = &v->ours.history.versions[0];

    return ours->is_marker || (ours->size == 0 && theirs->size != 0);
}


work_rc_t
guard_history(version_edit_t *v)
{
    const chorus_guard_t  *guard;

    guard = guard_of(v->work);

    return guard != NULL && (guard_loses_current(v) || guard_loses_version(v))
           ? guard_ask(v->work, guard) : WORK_DONE;
}
