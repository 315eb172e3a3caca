/*
 * One shard of a scan in the hands of one scanner; for scan*.c only.
 */

#ifndef SCAN_WORK_H
#define SCAN_WORK_H

#include "chorus_join.h"
#include "live_policy.h"
#include "queue_scan.h"
#include "scan_hash.h"
#include "scan_list.h"
#include "work.h"


typedef struct {
    queue_t            *queue;          /* of this scanner only */
    s3_client_t        *client;
    chorus_arena_t     *arena;          /* of one page */
    chorus_mem_t        mem;
    chorus_arena_t     *deep_arena;     /* of one key */
    chorus_mem_t        deep_mem;
    scan_hash_t         hashes[2];

    /* of the page at hand */
    int64_t             page_until_ms;
    size_t              page_bytes;     /* of evidence */
    unsigned            ntroubles;      /* storages that may answer later */

    /* of the shard at hand */
    live_policy_t      *policy;
    queue_scan_t        claim;
    work_t              work;
    int64_t             lease_ms;
    int64_t             renew_at_ms;
    unsigned            bulk_max;

    scan_list_t         ours;
    scan_list_t         theirs;
    chorus_join_t       join;
    char                cursor[QUEUE_SCAN_KEY_MAX];
    size_t              cursor_len;

    bool                lacks_versions; /* main keeps them, and the follower
                                         * does not */

    scan_list_t         again_ours;     /* for a second look */
    scan_list_t         again_theirs;
} scan_t;


/* The scanner is told to end. */
bool scan_is_over(void);

/* Waits; false when the lease was lost or the worker ends. */
bool scan_sleep(scan_t *scan, int64_t ms);

/* Whether objects are compared from here on, or histories; to be ended. */
work_rc_t scan_versions_begin(scan_t *scan);
void scan_versions_end(scan_t *scan);

/* What there is to tell of one page, in scan->mem: what stands on both sides
 * up to where one of them needs its next page, or enough was done. */
work_rc_t scan_page(scan_t *scan, queue_scan_told_t *told);

/* The next page of each side that has used up its own. */
work_rc_t scan_refill(scan_t *scan, scan_list_t *ours, scan_list_t *theirs,
    chorus_join_t *join);

/* What the scan finds of a key, with evidence where it is told; one of `ours`
 * and `theirs` may be NULL.  That a storage does not answer is a finding, too;
 * WORK_FAILED: the scan has to end here. */
work_rc_t scan_judge(scan_t *scan, chorus_join_step_t step,
    const chorus_listed_t *ours, const chorus_listed_t *theirs,
    queue_scan_key_t *found);

/* Where such a finding is counted; NULL: nowhere. */
uint64_t *scan_counter(queue_scan_counts_t *counts,
    queue_scan_differs_t what);

/* Evidence, members of a JSON object; null when out of memory. */
chorus_str_t scan_evidence_listed(chorus_mem_t *mem,
    const chorus_listed_t *ours, const chorus_listed_t *theirs);
chorus_str_t scan_evidence_failure(chorus_mem_t *mem,
    const failure_t *failure);
/* Whether two looks saw the same.  Hashes may change: who gives other bytes
 * each time under one ETag has no good ones. */
bool scan_evidence_same(chorus_str_t a, chorus_str_t b);
/* Of the bucket itself, that is on one side only. */
chorus_str_t scan_evidence_bucket(bool on_main);

/* Looks again at what differs, until it does so twice in the same way while
 * nobody is at work on it.  What does not come to rest is `moving`. */
work_rc_t scan_check_again(scan_t *scan, queue_scan_told_t *told);

/* The scan's shard is somebody else's: a key of main's in the middle of what
 * is left of it.  false: none was found. */
bool scan_split_find(scan_t *scan, chorus_str_t *at);

/* Looks which buckets there are on main, and sees to it that those that a
 * rule covers have their scans.  false when those of one user could not be
 * listed. */
bool scan_discover(scan_t *scan, const char *owed);
/* One that nobody has decided about; nor do we if our configuration does not
 * have all that it takes. */
void scan_decide(scan_t *scan, chorus_str_t replication,
    const chorus_replication_t *parts, bool *is_covered);


#endif
