/*
 * A page: what both listings say up to the point where one of them has to be
 * read on.
 */

#include <stdio.h>
#include <string.h>

#include "chorus_policy.h"
#include "chorus_s3_request.h"
#include "scan_work.h"

#define SCAN_EVIDENCE_SIZE  200
#define SCAN_GONE_TRIES     5
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


work_rc_t
scan_refill(scan_t *scan, scan_list_t *ours, scan_list_t *theirs,
    chorus_join_t *join)
{
    bool      needs_ours, needs_theirs;
    work_t   *work;

    work = &scan->work;
    needs_ours = scan_needs(&join->ours);
    needs_theirs = scan_needs(&join->theirs);

    if (needs_ours) {
        scan_list_begin(ours, work, CHORUS_LISTING_MAX);
    }

    if (needs_theirs) {
        scan_list_begin(theirs, work, CHORUS_LISTING_MAX);
    }

    scan_list_wait(work, ours, theirs);

    if (scan_list_end(ours, work) != WORK_DONE
        || scan_list_end(theirs, work) != WORK_DONE
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


static int
scan_side_text(char *out, size_t size, const char *name,
    const chorus_listed_t *entry)
{
    if (entry == NULL) {
        return snprintf(out, size, "%s: none", name);
    }

    if (entry->history != NULL) {
        return snprintf(out, size, "%s: %llu versions, %llu of them delete "
                        "markers, %llu bytes, newest ETag %.*s", name,
                        (unsigned long long) entry->history->nversions,
                        (unsigned long long) entry->history->nmarkers,
                        (unsigned long long) entry->size,
                        (int) entry->etag.len, entry->etag.data);
    }

    return snprintf(out, size, "%s: %llu bytes, ETag %.*s", name,
                    (unsigned long long) entry->size,
                    (int) (entry->etag.len < 48 ? entry->etag.len : 48),
                    entry->etag.data);
}


bool
scan_evidence(scan_t *scan, const chorus_listed_t *ours,
    const chorus_listed_t *theirs, queue_scan_key_t *difference)
{
    char          a[SCAN_EVIDENCE_SIZE], b[SCAN_EVIDENCE_SIZE];
    char          text[2 * SCAN_EVIDENCE_SIZE + 8];
    chorus_str_t  key;

    (void) scan_side_text(a, sizeof(a), "main", ours);
    (void) scan_side_text(b, sizeof(b), "follower", theirs);
    (void) snprintf(text, sizeof(text), "%s; %s", a, b);

    key = ours != NULL ? ours->key : theirs->key;
    difference->key = chorus_str_dup(&scan->mem, key);
    difference->evidence = chorus_str_dup(&scan->mem, chorus_str_from(text));
    difference->what = ours == NULL ? QUEUE_SCAN_SURPLUS
                       : theirs == NULL ? QUEUE_SCAN_MISSING
                                        : QUEUE_SCAN_DIFFERENT;

    return difference->key.data != NULL && difference->evidence.data != NULL;
}


/* ---- one key ---- */


static void
scan_mark(queue_scan_told_t *told, chorus_str_t key, unsigned facets)
{
    told->marks[told->nmarks].key = key;
    told->marks[told->nmarks++].facets = facets;
}


static void
scan_count(queue_scan_counts_t *counts, chorus_join_step_t step,
    const chorus_listed_t *ours, const chorus_listed_t *theirs)
{
    counts->ours += ours != NULL;
    counts->theirs += theirs != NULL;
    counts->bytes += ours != NULL ? ours->size : 0;
    counts->equal += step == CHORUS_JOIN_EQUAL;
    counts->different += step == CHORUS_JOIN_DIFFERENT;
    counts->undecided += step == CHORUS_JOIN_UNSURE;
    counts->missing += step == CHORUS_JOIN_MISSING;
    counts->surplus += step == CHORUS_JOIN_SURPLUS;
}


/* What listings do not tell apart: an ETag that is not listed. */

static chorus_join_step_t
scan_ask(scan_t *scan, chorus_str_t key)
{
    size_t                i;
    work_t               *work;
    object_t              objects[2];
    s3_request_t          head;
    const s3_response_t  *response;

    static const failure_side_t  sides[] = { FAILURE_SIDE_MAIN,
                                             FAILURE_SIDE_FOLLOWER };

    work = &scan->work;

    for (i = 0; i < 2; i++) {
        head = work_bucket_request(work, sides[i], "HEAD", NULL);
        head.key = key;
        response = s3_client_call(work->client, S3_LANE_SIDE, &head);

        if (!s3_response_is(response, 200)
            || !object_read(&objects[i], &scan->mem, response))
        {
            return CHORUS_JOIN_UNSURE;
        }
    }

    return object_same_content(&objects[0], &objects[1])
           ? CHORUS_JOIN_EQUAL : CHORUS_JOIN_DIFFERENT;
}


/* A check only says what differs, others put it into the queue; what only the
 * follower has is never touched unless somebody asked for that. */

static bool
scan_take(scan_t *scan, queue_scan_told_t *told, chorus_join_step_t step,
    const chorus_listed_t *ours, const chorus_listed_t *theirs)
{
    bool                 is_check, is_surplus;
    chorus_str_t         key;
    const queue_scan_t  *claim;

    claim = &scan->claim;
    is_check = claim->is_check;
    is_surplus = step == CHORUS_JOIN_SURPLUS;
    key = ours != NULL ? ours->key : theirs->key;

    if (step == CHORUS_JOIN_MISSING && is_check
        && chorus_policy_asks_tags(scan->work.config,
                                   &claim->task->parts, key))
    {
        step = CHORUS_JOIN_UNSURE;      /* perhaps no filter takes it */

    } else if (step == CHORUS_JOIN_UNSURE && is_check
               && ours->history == NULL)
    {
        step = scan_ask(scan, key);
    }

    scan_count(&told->counts, step, ours, theirs);

    if (!is_check) {
        if ((step == CHORUS_JOIN_UNSURE && ours->history == NULL)
            || (step == CHORUS_JOIN_EQUAL && claim->is_full))
        {
            scan_mark(told, key, SCAN_FACETS_BESIDE);

        } else if (step != CHORUS_JOIN_EQUAL
                   && (!is_surplus || claim->deletes_surplus))
        {
            scan_mark(told, key, CHORUS_FACET_ALL);
        }
    }

    if (step == CHORUS_JOIN_EQUAL || step == CHORUS_JOIN_UNSURE
        || (!is_check && !is_surplus))
    {
        return true;
    }

    return scan_evidence(scan, ours, theirs,
                         &told->differences[told->ndifferences++]);
}


/* ---- the page ---- */


static bool
scan_told_begin(scan_t *scan, queue_scan_told_t *told)
{
    memset(told, 0, sizeof(queue_scan_told_t));

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
 * there, too.  Main's that is gone takes the follower's with it, but only the
 * task that asks main itself says so. */

static void
scan_bucket(scan_t *scan, queue_scan_told_t *told)
{
    queue_scan_key_t  *difference;

    if (scan->cursor_len != 0) {
        return;
    }

    told->counts.surplus += scan->ours.is_absent && !scan->theirs.is_absent;

    if (!scan->claim.is_check) {
        scan_mark(told, chorus_str(""), CHORUS_FACET_ALL);
        return;
    }

    if (scan->ours.is_absent == scan->theirs.is_absent
        && !scan->lacks_versions)
    {
        return;
    }

    difference = &told->differences[told->ndifferences++];
    difference->key = chorus_str("");

    if (scan->lacks_versions) {
        difference->what = QUEUE_SCAN_DIFFERENT;
        difference->evidence = chorus_str("main: keeps versions; follower: "
                                          "keeps none");
        told->counts.different++;
        return;
    }

    difference->what = scan->ours.is_absent ? QUEUE_SCAN_SURPLUS
                                            : QUEUE_SCAN_MISSING;
    difference->evidence = scan->ours.is_absent
        ? chorus_str("main: no bucket; follower: a bucket")
        : chorus_str("main: a bucket; follower: no bucket");
    told->counts.missing += scan->theirs.is_absent;
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
            && !scan_take(scan, told, step, ours, theirs))
        {
            return work_fail_here(&scan->work, "out of memory");
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
