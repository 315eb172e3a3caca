/*
 * A bucket that is written to differs all the time, for a moment.  So what a
 * check finds is looked at again: it differs when it does so twice in the
 * same way while its key does not wait for a sync, and is in none.
 */

#include <stdlib.h>
#include <string.h>

#include "scan_work.h"

#define SCAN_AGAIN_ROUNDS  3
#define SCAN_AGAIN_MS      1000     /* for marks on their way to Redis */


/* Of each difference of the page, in their order. */
typedef struct {
    scan_t              *scan;
    queue_scan_told_t   *told;
    chorus_str_t        *keys;
    queue_scan_key_t    *now;       /* what the last look said */
    bool                *is_seen;   /* by it, on one side at least */
    queue_scan_motion_t *before;    /* the look */
    queue_scan_motion_t *after;
    size_t               n;
    unsigned             round;
} scan_again_t;


static bool
scan_again_open(scan_again_t *again, scan_t *scan, queue_scan_told_t *told)
{
    size_t  n;

    n = told->ndifferences;
    again->scan = scan;
    again->told = told;
    again->keys = chorus_alloc(&scan->mem, n * sizeof(chorus_str_t));
    again->now = chorus_alloc(&scan->mem, n * sizeof(queue_scan_key_t));
    again->is_seen = chorus_alloc(&scan->mem, n);
    again->before = chorus_alloc(&scan->mem, n * sizeof(queue_scan_motion_t));
    again->after = chorus_alloc(&scan->mem, n * sizeof(queue_scan_motion_t));

    return again->keys != NULL && again->now != NULL
           && again->is_seen != NULL && again->before != NULL
           && again->after != NULL;
}


/* Those that are still open, in the order of their keys. */

static bool
scan_again_motion(scan_again_t *again, queue_scan_motion_t *motion)
{
    size_t  i;

    again->n = again->told->ndifferences;

    for (i = 0; i < again->n; i++) {
        again->keys[i] = again->told->differences[i].key;
    }

    while (!queue_ready(again->scan->queue)
           || !queue_scan_moving(again->scan->queue, &again->scan->claim,
                                 again->keys, again->n, motion))
    {
        if (!scan_sleep(again->scan, 200)) {
            return false;
        }
    }

    return true;
}


/* The listings go on in order, and so do the keys that are asked about. */

static work_rc_t
scan_again_note(scan_again_t *again, size_t *i, chorus_join_step_t step,
    const chorus_listed_t *ours, const chorus_listed_t *theirs)
{
    chorus_str_t  key;

    key = ours != NULL ? ours->key : theirs->key;

    while (*i < again->n && chorus_str_cmp(again->keys[*i], key) < 0) {
        (*i)++;
    }

    if (*i == again->n || !chorus_str_eq(again->keys[*i], key)) {
        return WORK_DONE;
    }

    again->is_seen[*i] = true;

    return scan_judge(again->scan, step, ours, theirs, &again->now[*i]);
}


static void
scan_again_bucket(scan_again_t *again)
{
    bool  on_main, on_follower;

    on_main = !again->scan->again_ours.is_absent;
    on_follower = !again->scan->again_theirs.is_absent;

    if (again->n != 0 && again->keys[0].len == 0
        && again->scan->lacks_versions)
    {
        again->now[0] = again->told->differences[0];
        return;
    }

    if (again->n != 0 && again->keys[0].len == 0 && on_main != on_follower) {
        again->now[0] = again->told->differences[0];
        again->is_seen[0] = true;
        again->now[0].what = on_main ? QUEUE_SCAN_MISSING
                                     : QUEUE_SCAN_SURPLUS;
        again->now[0].evidence = scan_evidence_bucket(on_main);
    }
}


/* Both sides, from behind the page before to the last key of this one. */

static work_rc_t
scan_again_look(scan_again_t *again)
{
    size_t                  i;
    scan_t                 *scan;
    chorus_join_t           join;
    chorus_join_step_t      step;
    const chorus_listed_t  *ours, *theirs;

    i = 0;
    scan = again->scan;
    memset(&join, 0, sizeof(chorus_join_t));
    memset(again->now, 0, again->n * sizeof(queue_scan_key_t));
    memset(again->is_seen, 0, again->n);

    join.ours.has_more = join.theirs.has_more = true;
    join.is_bounded = true;
    join.to = again->told->cursor;

    (void) scan_list_seek(&scan->again_ours, again->told->from);
    (void) scan_list_seek(&scan->again_theirs, again->told->from);

    for ( ;; ) {

        step = chorus_join_next(&join, &ours, &theirs);

        if (step == CHORUS_JOIN_END) {
            scan_again_bucket(again);
            return WORK_DONE;
        }

        if (step == CHORUS_JOIN_NEED_OURS || step == CHORUS_JOIN_NEED_THEIRS)
        {
            if (scan_refill(scan, &scan->again_ours, &scan->again_theirs,
                            &join) != WORK_DONE)
            {
                return WORK_FAILED;
            }

        } else if (scan_again_note(again, &i, step, ours, theirs)
                   != WORK_DONE)
        {
            return WORK_FAILED;
        }
    }
}


/* It was counted as one thing, and is another. */

static void
scan_again_recount(scan_again_t *again, queue_scan_differs_t was,
    uint64_t *is)
{
    (*scan_counter(&again->told->counts, was))--;

    if (is != NULL) {
        (*is)++;
    }
}


/* It differs twice in the same way while nobody works on it.  What a storage
 * refuses to say is asked for until the last round. */

static bool
scan_again_is_certain(const scan_again_t *again, size_t i)
{
    const queue_scan_key_t  *was, *now;

    was = &again->told->differences[i];
    now = &again->now[i];

    if (again->before[i] != QUEUE_SCAN_STILL
        || again->after[i] != QUEUE_SCAN_STILL || now->what != was->what)
    {
        return false;
    }

    return now->what == QUEUE_SCAN_UNCHECKED
           ? again->round == SCAN_AGAIN_ROUNDS - 1
           : scan_evidence_same(now->evidence, was->evidence);
}


/* Differences that are certain go to `found`, which has room; those that are
 * open stay. */

static void
scan_again_judge(scan_again_t *again, queue_scan_key_t *found, size_t *nfound)
{
    size_t                i, nopen;
    queue_scan_key_t     *now;
    queue_scan_told_t    *told;
    queue_scan_differs_t  was;

    told = again->told;
    nopen = 0;

    for (i = 0; i < again->n; i++) {
        was = told->differences[i].what;
        now = &again->now[i];

        if (!again->is_seen[i]) {
            scan_again_recount(again, was, NULL);   /* gone on both */

        } else if (!queue_scan_is_told(now->what)) {
            scan_again_recount(again, was,
                               scan_counter(&told->counts, now->what));

        } else if (scan_again_is_certain(again, i)) {
            found[(*nfound)++] = *now;

        } else if (again->after[i] == QUEUE_SCAN_OWED) {
            scan_again_recount(again, was, &told->counts.moving);

        } else {
            scan_again_recount(again, was,
                               scan_counter(&told->counts, now->what));
            told->differences[nopen++] = *now;
        }
    }

    told->ndifferences = nopen;
}


/* Those that nobody need wait for: their sync is owed, and not for now. */

static work_rc_t
scan_again_owed(scan_again_t *again)
{
    size_t              i, nopen;
    queue_scan_told_t  *told;

    if (!scan_again_motion(again, again->before)) {
        return WORK_FAILED;
    }

    told = again->told;
    nopen = 0;

    for (i = 0; i < again->n; i++) {
        if (again->before[i] == QUEUE_SCAN_OWED) {
            scan_again_recount(again, told->differences[i].what,
                               &told->counts.moving);
            continue;
        }

        again->keys[nopen] = again->keys[i];
        again->before[nopen] = again->before[i];
        told->differences[nopen++] = told->differences[i];
    }

    told->ndifferences = again->n = nopen;

    return WORK_DONE;
}


static work_rc_t
scan_again_round(scan_again_t *again, queue_scan_key_t *found, size_t *nfound)
{
    if (scan_again_owed(again) != WORK_DONE) {
        return WORK_FAILED;
    }

    if (again->n == 0) {
        return WORK_DONE;
    }

    if (!scan_sleep(again->scan, SCAN_AGAIN_MS << again->round)
        || scan_again_look(again) != WORK_DONE
        || !scan_again_motion(again, again->after))
    {
        return WORK_FAILED;
    }

    scan_again_judge(again, found, nfound);

    return WORK_DONE;
}


static int
scan_again_compare(const void *one, const void *two)
{
    const queue_scan_key_t  *a = one, *b = two;

    return chorus_str_cmp(a->key, b->key);
}


work_rc_t
scan_check_again(scan_t *scan, queue_scan_told_t *told)
{
    size_t             i, nfound;
    scan_again_t       again;
    queue_scan_key_t  *found;

    nfound = 0;
    found = chorus_alloc(&scan->mem, told->ndifferences
                                     * sizeof(queue_scan_key_t));

    if (found == NULL || !scan_again_open(&again, scan, told)) {
        return work_fail_here(&scan->work, "out of memory");
    }

    for (again.round = 0;
         again.round < SCAN_AGAIN_ROUNDS && told->ndifferences != 0;
         again.round++)
    {
        if (scan_again_round(&again, found, &nfound) != WORK_DONE) {
            if (!task_is_alive(scan->claim.task) || scan_is_over()) {
                scan->work.failure.kind = FAILURE_STOPPED;
            }
            return WORK_FAILED;
        }
    }

    for (i = 0; i < told->ndifferences; i++) {
        scan_again_recount(&again, told->differences[i].what,
                           &told->counts.moving);
    }

    qsort(found, nfound, sizeof(queue_scan_key_t), scan_again_compare);
    told->differences = found;
    told->ndifferences = nfound;

    return WORK_DONE;
}
