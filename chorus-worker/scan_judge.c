/*
 * What a scan finds of one key: by its listings, and as far as its level asks
 * for more, by asking both sides for it.
 */

#include <string.h>

#include "chorus_policy.h"
#include "chorus_s3_request.h"
#include "filter.h"
#include "scan_deep.h"
#include "scan_work.h"
#include "tags.h"
#include "twin.h"


static queue_scan_differs_t
scan_judge_step(chorus_join_step_t step)
{
    switch (step) {

    case CHORUS_JOIN_EQUAL:
        return QUEUE_SCAN_EQUAL;

    case CHORUS_JOIN_DIFFERENT:
        return QUEUE_SCAN_DIFFERENT;

    case CHORUS_JOIN_MISSING:
        return QUEUE_SCAN_MISSING;

    case CHORUS_JOIN_SURPLUS:
        return QUEUE_SCAN_SURPLUS;

    default:
        return QUEUE_SCAN_UNDECIDED;
    }
}


/* ETags that are known to differ by nature. */

static bool
scan_judge_is_twin(scan_t *scan, const chorus_listed_t *ours,
    const chorus_listed_t *theirs)
{
    object_t  a, b;

    memset(&a, 0, sizeof(object_t));
    memset(&b, 0, sizeof(object_t));
    a.size = ours->size;
    a.etag = ours->etag;
    b.size = theirs->size;
    b.etag = theirs->etag;

    return twin_is_known(&scan->work, &a, &b);
}


/* What a check compares, this does; what others compare beside listings, slots
 * do, many at a time.  Only contents nobody else compares. */

static queue_scan_level_t
scan_judge_level(const scan_t *scan)
{
    return scan->claim.is_check || scan->claim.level == QUEUE_SCAN_CONTENT
           ? scan->claim.level : QUEUE_SCAN_QUICK;
}


/* Objects, and no histories: they are what their current version is. */

static bool
scan_judge_is_plain(const chorus_listed_t *ours, const chorus_listed_t *theirs)
{
    return ours != NULL && theirs != NULL
           && ours->history == NULL && theirs->history == NULL;
}


/* Whether listings leave it open at this level. */

static bool
scan_judge_is_open(const scan_t *scan, queue_scan_differs_t what,
    const chorus_listed_t *ours, const chorus_listed_t *theirs)
{
    switch (what) {

    case QUEUE_SCAN_UNDECIDED:
        return scan_judge_level(scan) != QUEUE_SCAN_QUICK
               || (scan->claim.is_check && scan_judge_is_plain(ours, theirs));

    case QUEUE_SCAN_EQUAL:
        return scan_judge_level(scan) != QUEUE_SCAN_QUICK;

    case QUEUE_SCAN_DIFFERENT:
        return scan_judge_level(scan) == QUEUE_SCAN_CONTENT
               && scan_judge_is_plain(ours, theirs)
               && ours->size == theirs->size;

    default:
        return false;
    }
}


/* What the filters ask main for.  false: no filter takes it. */

static work_rc_t
scan_judge_filter(scan_t *scan, bool *is_taken)
{
    s3_request_t      subject;
    chorus_tagging_t  tags;

    *is_taken = true;

    if (!filter_asks_tags(&scan->work)) {
        return WORK_DONE;
    }

    subject = work_request(&scan->work, FAILURE_SIDE_MAIN, "GET", NULL);

    if (tags_get(&scan->work, FAILURE_SIDE_MAIN, &subject, &tags)
        != WORK_DONE)
    {
        return WORK_FAILED;
    }

    *is_taken = filter_takes_tags(&scan->work, &tags);

    return WORK_DONE;
}


/* So that a repair is no repair of what ETags say, and the next look at the
 * listings knows. */

static void
scan_judge_note(scan_t *scan, const scan_deep_t *deep)
{
    bool  is_same_etag;

    if (scan->claim.is_check || !deep->ours.is_hashed) {
        return;
    }

    is_same_etag = object_same_content(&deep->ours.object,
                                       &deep->theirs.object);

    if (is_same_etag && (deep->differs & SCAN_DEEP_CONTENT)) {
        twin_mark_rotten(&scan->work, &deep->ours.object);

    } else if (!is_same_etag && !(deep->differs & SCAN_DEEP_CONTENT)) {
        twin_keep(&scan->work, &deep->ours.object, deep->theirs.object.etag);
    }
}


static work_rc_t
scan_judge_deep(scan_t *scan, bool is_plain, queue_scan_key_t *found)
{
    scan_deep_t  deep;

    if (scan_deep(&scan->work, scan_judge_level(scan), scan->hashes, &deep)
        != WORK_DONE)
    {
        return WORK_FAILED;
    }

    if (deep.differs == 0 || (!deep.ours.is_there && !deep.theirs.is_there))
    {
        /* the rest of two histories stays as it was */
        found->what = is_plain ? QUEUE_SCAN_EQUAL : found->what;

    } else {
        found->what = QUEUE_SCAN_DIFFERENT;
        found->evidence = scan_deep_evidence(&scan->work, &deep);
    }

    if (deep.ours.is_there && deep.theirs.is_there) {
        scan_judge_note(scan, &deep);
    }

    return WORK_DONE;
}


static work_rc_t
scan_judge_key(scan_t *scan, chorus_join_step_t step,
    const chorus_listed_t *ours, const chorus_listed_t *theirs,
    queue_scan_key_t *found)
{
    bool  is_taken;

    found->what = scan_judge_step(step);

    if (ours != NULL && scan_judge_level(scan) != QUEUE_SCAN_QUICK) {
        if (scan_judge_filter(scan, &is_taken) != WORK_DONE) {
            return WORK_FAILED;
        }

        if (!is_taken) {
            found->what = QUEUE_SCAN_LEFT_OUT;
            return WORK_DONE;
        }

    } else if (found->what == QUEUE_SCAN_MISSING && scan->claim.is_check
               && filter_asks_tags(&scan->work))
    {
        found->what = QUEUE_SCAN_UNDECIDED;
        return WORK_DONE;
    }

    if (found->what == QUEUE_SCAN_DIFFERENT
        && scan_judge_is_plain(ours, theirs) && ours->size == theirs->size
        && scan_judge_is_twin(scan, ours, theirs))
    {
        found->what = QUEUE_SCAN_EQUAL;
    }

    if (scan_judge_is_open(scan, found->what, ours, theirs)) {
        return scan_judge_deep(scan, scan_judge_is_plain(ours, theirs),
                               found);
    }

    if (found->what != QUEUE_SCAN_EQUAL) {
        found->evidence = scan_evidence_listed(&scan->deep_mem, ours, theirs);
    }

    return WORK_DONE;
}


static work_rc_t
scan_judge_end(scan_t *scan, work_rc_t rc, queue_scan_key_t *found)
{
    const failure_t  *failure;

    failure = &scan->work.failure;

    if (rc != WORK_DONE) {
        if (failure->kind == FAILURE_STOPPED || scan_is_over()
            || !task_is_alive(scan->claim.task))
        {
            scan->work.failure.kind = FAILURE_STOPPED;
            return WORK_FAILED;
        }

        found->what = QUEUE_SCAN_UNCHECKED;
        found->evidence = scan_evidence_failure(&scan->deep_mem, failure);
        scan->ntroubles += !failure_is_lasting(failure);
    }

    if (!queue_scan_is_told(found->what)) {
        found->evidence = chorus_null_str;
        return WORK_DONE;
    }

    found->evidence = chorus_str_dup(&scan->mem, found->evidence);

    return found->evidence.data != NULL ? WORK_DONE
           : work_fail_here(&scan->work, "out of memory");
}


work_rc_t
scan_judge(scan_t *scan, chorus_join_step_t step,
    const chorus_listed_t *ours, const chorus_listed_t *theirs,
    queue_scan_key_t *found)
{
    work_rc_t     rc;
    chorus_str_t  key;

    memset(found, 0, sizeof(queue_scan_key_t));

    found->key = chorus_str_dup(&scan->mem, ours != NULL ? ours->key
                                                         : theirs->key);
    if (found->key.data == NULL) {
        return work_fail_here(&scan->work, "out of memory");
    }

    /* a page is a thousand keys: nothing of one stays */
    chorus_arena_reset(scan->deep_arena);
    key = scan->claim.task->key;
    scan->claim.task->key = found->key;
    scan->work.mem = &scan->deep_mem;

    rc = scan_judge_key(scan, step, ours, theirs, found);
    rc = scan_judge_end(scan, rc, found);

    scan->work.mem = &scan->mem;
    scan->claim.task->key = key;

    return rc;
}
