/*
 * Scans as Redis keeps them.  All calls return false when Redis did not take
 * them.
 */

#ifndef QUEUE_SCAN_H
#define QUEUE_SCAN_H

#include "queue.h"

/* Keys are at most 1024 bytes; a storage that gives longer ones cannot be
 * scanned. */
#define QUEUE_SCAN_KEY_MAX   2048
/* What one page tells: two full pages of listings, one of each side. */
#define QUEUE_SCAN_KEYS_MAX  2048


typedef enum {
    QUEUE_SCAN_NOTHING = 0,
    QUEUE_SCAN_NEW,         /* a replication nobody has decided about */
    QUEUE_SCAN_SHARD,       /* a lease */
    QUEUE_SCAN_SPLIT        /* somebody else's: cut it in two */
} queue_scan_what_t;

/* What is compared; each with what the one before has. */
typedef enum {
    QUEUE_SCAN_QUICK = 0,   /* listings: key, size, ETag */
    QUEUE_SCAN_FULL,        /* what a HEAD, tags and ACL tell */
    QUEUE_SCAN_CONTENT      /* the bytes */
} queue_scan_level_t;

typedef struct {
    queue_scan_what_t   what;
    task_t             *task;       /* its replication and deadline; ours */
    int64_t             id;
    int64_t             shard;
    chorus_str_t        token;
    bool                is_check;
    queue_scan_level_t  level;
    bool                deletes_surplus;
    chorus_str_t        to;
    bool                is_bounded; /* by `to` */
    chorus_str_t        cursor;     /* the last key that is done */
    uint64_t            failures;
} queue_scan_t;

typedef enum {
    QUEUE_SCAN_TAKEN = 0,
    QUEUE_SCAN_WAIT,        /* enough keys wait already: tell it again */
    QUEUE_SCAN_CUT,         /* the shard ends before the page: scan->to */
    QUEUE_SCAN_PAUSED,
    QUEUE_SCAN_LOST         /* the lease, or the scan */
} queue_scan_page_t;

/* In the order of the arguments. */
typedef struct {
    uint64_t  ours;
    uint64_t  theirs;
    uint64_t  equal;
    uint64_t  different;
    uint64_t  missing;
    uint64_t  surplus;
    uint64_t  moving;
    uint64_t  undecided;
    uint64_t  unchecked;    /* a storage did not say */
    uint64_t  bytes;        /* on main */
} queue_scan_counts_t;

/* What is found of a key; DIFFERENT to UNCHECKED are told with evidence. */
typedef enum {
    QUEUE_SCAN_EQUAL = 0,
    QUEUE_SCAN_DIFFERENT,
    QUEUE_SCAN_MISSING,
    QUEUE_SCAN_SURPLUS,
    QUEUE_SCAN_UNCHECKED,
    QUEUE_SCAN_UNDECIDED,   /* only tags would tell whether it is to be there */
    QUEUE_SCAN_LEFT_OUT     /* no filter takes it */
} queue_scan_differs_t;

static inline bool
queue_scan_is_told(queue_scan_differs_t what)
{
    return what >= QUEUE_SCAN_DIFFERENT && what <= QUEUE_SCAN_UNCHECKED;
}


/* Whether a key differs for the moment only. */
typedef enum {
    QUEUE_SCAN_STILL = 0,
    QUEUE_SCAN_MOVING,      /* its sync is due or under way */
    QUEUE_SCAN_OWED         /* it is not due for now */
} queue_scan_motion_t;

typedef struct {
    chorus_str_t           key;
    unsigned               facets;      /* of a mark */
    queue_scan_differs_t   what;        /* of a difference */
    chorus_str_t           evidence;    /* members of a JSON object */
} queue_scan_key_t;

typedef struct {
    queue_scan_counts_t   counts;
    queue_scan_key_t     *marks;        /* of queue_scan_key_t */
    size_t                nmarks;
    queue_scan_key_t     *differences;
    size_t                ndifferences;
    chorus_str_t          from;         /* the cursor before */
    chorus_str_t          cursor;
    bool                  is_last;
} queue_scan_told_t;


/* What there is to do; scan->task is to be freed by the caller, NULL when
 * there is nothing.  `policy`: the version that will be asked about its keys;
 * there is nothing to do under any but the current one. */
bool queue_scan_claim(queue_t *queue, int64_t lease_ms, uint64_t policy,
    const chorus_str_t *excluded, size_t nexcluded, queue_scan_t *scan);

/* One page; taken, the lease has been renewed.  May be told again when the
 * reply got lost. */
bool queue_scan_page(queue_t *queue, queue_scan_t *scan, int64_t lease_ms,
    unsigned bulk_max, const queue_scan_told_t *told,
    queue_scan_page_t *reply);

/* The task is stopped when the lease is not ours any more. */
bool queue_scan_renew(queue_t *queue, queue_scan_t *scan, int64_t lease_ms);

/* Gives the shard back; nobody gets it before the delay is over. */
bool queue_scan_release(queue_t *queue, const queue_scan_t *scan,
    int64_t delay_ms, bool is_failure, const char *reason);
/* Ends the scan for good. */
bool queue_scan_fail(queue_t *queue, const queue_scan_t *scan,
    const char *reason);

bool queue_scan_split(queue_t *queue, const queue_scan_t *scan,
    chorus_str_t at, bool *is_done);

/* motion[i]: of keys[i]. */
bool queue_scan_moving(queue_t *queue, const queue_scan_t *scan,
    const chorus_str_t *keys, size_t n, queue_scan_motion_t *motion);

/* Whether it is for us to look for buckets now, since it is time or since the
 * policy is another one, of which we run this version; and the id of what all
 * replications owe, or "". */
bool queue_scan_discover(queue_t *queue, unsigned interval_seconds,
    uint64_t policy, bool *is_due, char *owed, size_t size);
/* We have looked by the rules of that policy, at all buckets or not. */
bool queue_scan_looked(queue_t *queue, uint64_t policy, bool is_whole);

/* A replication that there is: it gets the scans that it has to have.  Whether
 * it is to be migrated is taken from the current dynamic policy only: `policy`
 * is the version that was asked.
 * *is_covered: it owes nothing any more of what all do. */
bool queue_scan_ensure(queue_t *queue, chorus_str_t replication,
    bool migrates, uint64_t policy, bool *is_covered);

/* A page of the names of all replications, which live in `mem`; *cursor is
 * "0" at the begin and at the end. */
bool queue_scan_names(queue_t *queue, chorus_mem_t *mem, char *cursor,
    size_t size, chorus_str_t **names, size_t *n);

bool queue_scan_paid_all(queue_t *queue, const char *owed);


#endif
