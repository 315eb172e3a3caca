/*
 * A bucket that is written to differs all the time, for a moment.  So what a
 * check finds is looked at again: it differs when it does so twice in the
 * same way while its key does not wait for a sync, and is in none.
 */

#include <string.h>

#include "scan_work.h"

#define SCAN_AGAIN_ROUNDS  3
#define SCAN_AGAIN_MS      1000     /* for marks on their way to Redis */


/* Of each difference of the page, in their order. */
typedef struct {
    scan_t              *scan;
    queue_scan_told_t   *told;
    chorus_str_t        *keys;
    queue_scan_key_t    *now;       /* what the last look said; what 0: equal,
                                     * or on neither side */
    bool                *is_equal;  /* on both */
    bool                *was_moving;
    bool                *is_moving;
    size_t               n;
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
    again->is_equal = chorus_alloc(&scan->mem, n);
    again->was_moving = chorus_alloc(&scan->mem, n);
    again->is_moving = chorus_alloc(&scan->mem, n);

    return again->keys != NULL && again->now != NULL
           && again->is_equal != NULL && again->was_moving != NULL
           && again->is_moving != NULL;
}


/* Those that are still open, in the order of their keys. */

static bool
scan_again_moving(scan_again_t *again, bool *is_moving)
{
    size_t  i;

    again->n = again->told->ndifferences;

    for (i = 0; i < again->n; i++) {
        again->keys[i] = again->told->differences[i].key;
    }

    while (!queue_ready(again->scan->queue)
           || !queue_scan_moving(again->scan->queue, &again->scan->claim,
                                 again->keys, again->n, is_moving))
    {
        if (!scan_sleep(again->scan, 200)) {
            return false;
        }
    }

    return true;
}


/* The listings go on in order, and so do the keys that are asked about. */

static bool
scan_again_note(scan_again_t *again, size_t *i, chorus_join_step_t step,
    const chorus_listed_t *ours, const chorus_listed_t *theirs)
{
    chorus_str_t  key;

    key = ours != NULL ? ours->key : theirs->key;

    while (*i < again->n && chorus_str_cmp(again->keys[*i], key) < 0) {
        (*i)++;
    }

    if (*i == again->n || !chorus_str_eq(again->keys[*i], key)) {
        return true;
    }

    again->is_equal[*i] = step == CHORUS_JOIN_EQUAL
                          || step == CHORUS_JOIN_UNSURE;

    return again->is_equal[*i]
           || scan_evidence(again->scan, ours, theirs, &again->now[*i]);
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
        again->now[0].what = on_main ? QUEUE_SCAN_MISSING
                                     : QUEUE_SCAN_SURPLUS;
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
    memset(again->is_equal, 0, again->n);

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

        } else if (!scan_again_note(again, &i, step, ours, theirs)) {
            return work_fail_here(&scan->work, "out of memory");
        }
    }
}


static void
scan_again_uncount(queue_scan_counts_t *counts, const queue_scan_key_t *d)
{
    counts->different -= d->what == QUEUE_SCAN_DIFFERENT;
    counts->missing -= d->what == QUEUE_SCAN_MISSING;
    counts->surplus -= d->what == QUEUE_SCAN_SURPLUS;
}


static void
scan_again_recount(queue_scan_counts_t *counts, const queue_scan_key_t *d)
{
    counts->different += d->what == QUEUE_SCAN_DIFFERENT;
    counts->missing += d->what == QUEUE_SCAN_MISSING;
    counts->surplus += d->what == QUEUE_SCAN_SURPLUS;
}


/* Differences that are certain go to `found`, which has room; those that are
 * open stay. */

static void
scan_again_judge(scan_again_t *again, queue_scan_key_t *found, size_t *nfound)
{
    bool                is_moving;
    size_t              i, nopen;
    queue_scan_key_t   *d, *now;
    queue_scan_told_t  *told;

    told = again->told;
    nopen = 0;

    for (i = 0; i < again->n; i++) {
        d = &told->differences[i];
        now = &again->now[i];
        is_moving = again->was_moving[i] || again->is_moving[i];

        if (now->what == 0) {
            scan_again_uncount(&told->counts, d);
            told->counts.equal += again->is_equal[i];

        } else if (!is_moving && now->what == d->what
                   && chorus_str_eq(now->evidence, d->evidence))
        {
            found[(*nfound)++] = *d;

        } else {
            scan_again_uncount(&told->counts, d);
            scan_again_recount(&told->counts, now);
            told->differences[nopen++] = *now;
        }
    }

    told->ndifferences = nopen;
}


work_rc_t
scan_check_again(scan_t *scan, queue_scan_told_t *told)
{
    size_t             i, nfound;
    unsigned           round;
    scan_again_t       again;
    queue_scan_key_t  *found;

    nfound = 0;
    found = chorus_alloc(&scan->mem, told->ndifferences
                                     * sizeof(queue_scan_key_t));

    if (found == NULL || !scan_again_open(&again, scan, told)) {
        return work_fail_here(&scan->work, "out of memory");
    }

    for (round = 0; round < SCAN_AGAIN_ROUNDS && told->ndifferences != 0;
         round++)
    {
        if (!scan_again_moving(&again, again.was_moving)
            || !scan_sleep(scan, SCAN_AGAIN_MS << round))
        {
            scan->work.failure.kind = FAILURE_STOPPED;
            return WORK_FAILED;
        }

        if (scan_again_look(&again) != WORK_DONE) {
            return WORK_FAILED;
        }

        if (!scan_again_moving(&again, again.is_moving)) {
            scan->work.failure.kind = FAILURE_STOPPED;
            return WORK_FAILED;
        }

        scan_again_judge(&again, found, &nfound);
    }

    for (i = 0; i < told->ndifferences; i++) {
        scan_again_uncount(&told->counts, &told->differences[i]);
        told->counts.moving++;
    }

    told->differences = found;
    told->ndifferences = nfound;

    return WORK_DONE;
}
