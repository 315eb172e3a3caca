/*
 * A page: what both listings say up to the point where one of them has to be
 * read on.
 */

#include <string.h>

#include "chorus_policy.h"
#include "chorus_s3_request.h"
#include "clock.h"
#include "scan_work.h"

#define SCAN_GONE_TRIES     5
#define SCAN_PAGE_MS        5000    /* then what was found is told */
#define SCAN_PAGE_BYTES     (512 * 1024)
#define SCAN_TROUBLES_MAX   16      /* then it is waited */
/* Listings are equal: what they do not tell is compared. */
#define SCAN_FACETS_BESIDE  (CHORUS_FACET_TAGS | CHORUS_FACET_ACL)


static bool
scan_needs(const chorus_join_side_t *side)
{
    return side->at == side->n && side->has_more;
}


/* There was a bucket on main a page ago.  That it is none now would end the
 * scan as if all behind were equal. */

static work_rc_t
scan_check_bucket(scan_t *scan, const scan_list_t *ours)
{
    if (!ours->is_absent
        || (ours == &scan->ours && ours->marker_len == 0))
    {
        return WORK_DONE;
    }

    failure_set(&scan->work.failure,
                scan->claim.failures < SCAN_GONE_TRIES ? FAILURE_SOON
                                                       : FAILURE_PARK,
                FAILURE_SIDE_MAIN, "NoSuchBucket",
                "main has no such bucket any more, in the middle of its "
                "listing");

    return WORK_FAILED;
}


/* The storages go on while we compare; not with histories, of which a page
 * takes more memory. */

static work_rc_t
scan_take_page(scan_t *scan, scan_list_t *list, const chorus_join_t *join)
{
    chorus_str_t  last;

    if (scan_list_end(list, &scan->work) != WORK_DONE) {
        return WORK_FAILED;
    }

    last = (chorus_str_t) { list->marker, list->marker_len };

    if ((list == &scan->ours || list == &scan->theirs)
        && list->listing.is_truncated && !list->is_versions
        && (!join->is_bounded || chorus_str_cmp(last, join->to) < 0))
    {
        scan_list_ahead(list, &scan->work);
    }

    return WORK_DONE;
}


work_rc_t
scan_refill(scan_t *scan, scan_list_t *ours, scan_list_t *theirs,
    chorus_join_t *join)
{
    bool     needs_ours, needs_theirs;
    work_t  *work;

    work = &scan->work;
    needs_ours = scan_needs(&join->ours);
    needs_theirs = scan_needs(&join->theirs);

    if (needs_ours) {
        scan_list_begin(ours, work, CHORUS_LISTING_MAX);
    }

    if (needs_theirs) {
        scan_list_begin(theirs, work, CHORUS_LISTING_MAX);
    }

    scan_list_wait(work, needs_ours ? ours : NULL,
                   needs_theirs ? theirs : NULL);

    if ((needs_ours && scan_take_page(scan, ours, join) != WORK_DONE)
        || (needs_theirs && scan_take_page(scan, theirs, join) != WORK_DONE)
        || scan_check_bucket(scan, ours) != WORK_DONE)
    {
        return WORK_FAILED;
    }

    if (needs_ours) {
        chorus_join_page(&join->ours, &ours->listing);
    }

    if (needs_theirs) {
        chorus_join_page(&join->theirs, &theirs->listing);
    }

    return WORK_DONE;
}


/* ---- one key ---- */


static void
scan_mark(queue_scan_told_t *told, chorus_str_t key, unsigned facets)
{
    told->marks[told->nmarks].key = key;
    told->marks[told->nmarks++].facets = facets;
}


uint64_t *
scan_counter(queue_scan_counts_t *counts, queue_scan_differs_t what)
{
    uint64_t  *counters[] = {
        &counts->equal, &counts->different, &counts->missing,
        &counts->surplus, &counts->unchecked, &counts->undecided, NULL
    };

    return counters[what];
}


static void
scan_count(queue_scan_counts_t *counts, queue_scan_differs_t what,
    const chorus_listed_t *ours, const chorus_listed_t *theirs)
{
    uint64_t  *counter;

    counts->ours += ours != NULL;
    counts->theirs += theirs != NULL;
    counts->bytes += ours != NULL ? ours->size : 0;

    counter = scan_counter(counts, what);

    if (counter != NULL) {
        (*counter)++;
    }
}


/* A check only says what differs, others put it into the queue; what only the
 * follower has is never touched unless somebody asked for that. */

static void
scan_mark_found(const scan_t *scan, queue_scan_told_t *told,
    const queue_scan_key_t *found, const chorus_listed_t *ours)
{
    switch (found->what) {

    case QUEUE_SCAN_EQUAL:
        if (scan->claim.level == QUEUE_SCAN_FULL) {
            scan_mark(told, found->key, SCAN_FACETS_BESIDE);
        }
        break;

    case QUEUE_SCAN_UNDECIDED:
        scan_mark(told, found->key,
                  ours != NULL && ours->history != NULL ? CHORUS_FACET_ALL
                                                        : SCAN_FACETS_BESIDE);
        break;

    case QUEUE_SCAN_SURPLUS:
        if (scan->claim.deletes_surplus) {
            scan_mark(told, found->key, CHORUS_FACET_ALL);
        }
        break;

    case QUEUE_SCAN_LEFT_OUT:
        break;

    default:
        scan_mark(told, found->key, CHORUS_FACET_ALL);
    }
}


static work_rc_t
scan_take(scan_t *scan, queue_scan_told_t *told, chorus_join_step_t step,
    const chorus_listed_t *ours, const chorus_listed_t *theirs)
{
    queue_scan_key_t  found;

    if (scan_judge(scan, step, ours, theirs, &found) != WORK_DONE) {
        return WORK_FAILED;
    }

    scan_count(&told->counts, found.what, ours, theirs);

    if (!scan->claim.is_check) {
        scan_mark_found(scan, told, &found, ours);
    }

    if (queue_scan_is_told(found.what)
        && (scan->claim.is_check || found.what == QUEUE_SCAN_SURPLUS))
    {
        told->differences[told->ndifferences++] = found;
        scan->page_bytes += found.key.len + found.evidence.len;
    }

    return WORK_DONE;
}


/* ---- the page ---- */


static bool
scan_told_begin(scan_t *scan, queue_scan_told_t *told)
{
    memset(told, 0, sizeof(queue_scan_told_t));

    scan->page_until_ms = clock_ms() + SCAN_PAGE_MS;
    scan->page_bytes = 0;
    scan->ntroubles = 0;

    /* all of two pages, and the bucket */
    told->marks = chorus_alloc(&scan->mem, QUEUE_SCAN_KEYS_MAX
                                           * sizeof(queue_scan_key_t));
    told->differences = chorus_alloc(&scan->mem, QUEUE_SCAN_KEYS_MAX
                                                 * sizeof(queue_scan_key_t));
    told->from = (chorus_str_t) { scan->cursor, scan->cursor_len };
    told->cursor = told->from;

    return told->marks != NULL && told->differences != NULL;
}


/* The bucket itself: its settings are not listed, and an empty one is to be
 * there, too.  What the follower has and main has not is surplus, as a key is:
 * somebody may have made it for what main will have. */

static void
scan_bucket(scan_t *scan, queue_scan_told_t *told)
{
    bool               is_surplus, is_less;
    queue_scan_key_t  *difference;

    if (scan->cursor_len != 0) {
        return;
    }

    is_surplus = scan->ours.is_absent && !scan->theirs.is_absent;
    is_less = !scan->ours.is_absent && (scan->theirs.is_absent
                                        || scan->lacks_versions);
    told->counts.surplus += is_surplus;

    if (!scan->claim.is_check
        && (!scan->ours.is_absent || scan->claim.deletes_surplus))
    {
        scan_mark(told, chorus_str(""), CHORUS_FACET_ALL);
    }

    if (!is_surplus && !(scan->claim.is_check && is_less)) {
        return;
    }

    difference = &told->differences[told->ndifferences++];
    difference->key = chorus_str("");

    if (is_surplus || scan->theirs.is_absent) {
        difference->what = is_surplus ? QUEUE_SCAN_SURPLUS
                                      : QUEUE_SCAN_MISSING;
        difference->evidence = scan_evidence_bucket(!is_surplus);
        told->counts.missing += !is_surplus;
        return;
    }

    difference->what = QUEUE_SCAN_DIFFERENT;
    difference->evidence = chorus_str("\"differs\":[\"versioning\"],"
                                      "\"main\":{\"versioning\":true},"
                                      "\"follower\":"
                                      "{\"versioning\":false}");
    told->counts.different++;
}


/* One key at least is done, whatever it takes. */

static bool
scan_page_is_over(const scan_t *scan)
{
    return clock_ms() >= scan->page_until_ms
           || scan->page_bytes >= SCAN_PAGE_BYTES
           || scan->ntroubles >= SCAN_TROUBLES_MAX;
}


static work_rc_t
scan_page_join(scan_t *scan, queue_scan_told_t *told)
{
    chorus_join_step_t      step;
    const chorus_listed_t  *ours, *theirs;

    for ( ;; ) {

        step = chorus_join_next(&scan->join, &ours, &theirs);

        if (step == CHORUS_JOIN_NEED_OURS || step == CHORUS_JOIN_NEED_THEIRS)
        {
            return WORK_DONE;
        }

        if (step == CHORUS_JOIN_END) {
            told->is_last = true;
            return WORK_DONE;
        }

        told->cursor = ours != NULL ? ours->key : theirs->key;

        if (chorus_policy_takes_key(scan->work.config,
                                    &scan->claim.task->parts, told->cursor)
            && scan_take(scan, told, step, ours, theirs) != WORK_DONE)
        {
            return WORK_FAILED;
        }

        if (scan_page_is_over(scan)) {
            return WORK_DONE;
        }
    }
}


work_rc_t
scan_page(scan_t *scan, queue_scan_told_t *told)
{
    chorus_arena_reset(scan->arena);

    if (!scan_told_begin(scan, told)) {
        return work_fail_here(&scan->work, "out of memory");
    }

    if (scan_refill(scan, &scan->ours, &scan->theirs, &scan->join)
        != WORK_DONE)
    {
        return WORK_FAILED;
    }

    scan_bucket(scan, told);

    if (scan->ours.is_absent) {
        told->is_last = true;
        return WORK_DONE;
    }

    if (scan_page_join(scan, told) != WORK_DONE) {
        return WORK_FAILED;
    }

    return scan->claim.is_check && told->ndifferences != 0
           ? scan_check_again(scan, told) : WORK_DONE;
}
