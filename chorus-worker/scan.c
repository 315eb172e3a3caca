#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "health.h"
#include "scan.h"
#include "scan_work.h"

#define SCAN_STACK_SIZE     (1024 * 1024)
#define SCAN_IDLE_MS        500
#define SCAN_STEP_MS        50
#define SCAN_SLICE_MS       10000   /* then others have their turn */
#define SCAN_WAITS          10      /* for room in bulk, then others ... */
#define SCAN_WAIT_MS        200
#define SCAN_RENEW_MS       500     /* a pause is noticed by it */
#define SCAN_EXCLUDED_MAX   64

static _Atomic bool  scan_over;


bool
scan_is_over(void)
{
    return atomic_load(&scan_over);
}


void
scanners_stop(void)
{
    atomic_store(&scan_over, true);
}


/* Also asked while a request runs: a listing may take longer than a lease. */

static bool
scan_is_alive(void *data)
{
    int64_t   now;
    scan_t   *scan = data;

    if (scan_is_over()) {
        return false;
    }

    now = clock_ms();

    if (scan->claim.what == QUEUE_SCAN_SHARD && now >= scan->renew_at_ms) {
        scan->renew_at_ms = now
            + (queue_ready(scan->queue)
               && queue_scan_renew(scan->queue, &scan->claim, scan->lease_ms)
               ? SCAN_RENEW_MS : SCAN_WAIT_MS);
    }

    return task_is_alive(scan->claim.task);
}


static void
scan_nap(void)
{
    struct timespec  t = { 0, SCAN_STEP_MS * 1000000L };

    (void) nanosleep(&t, NULL);
}


bool
scan_sleep(scan_t *scan, int64_t ms)
{
    int64_t  until;

    until = clock_ms() + ms;

    while (scan_is_alive(scan)) {
        if (clock_ms() >= until) {
            return true;
        }
        scan_nap();
    }

    return false;
}


/* ---- a shard ---- */


static bool
scan_seek(scan_t *scan, chorus_str_t cursor)
{
    scan_list_drop(&scan->ours, scan->client);
    scan_list_drop(&scan->theirs, scan->client);

    if (cursor.len > sizeof(scan->cursor)
        || !scan_list_seek(&scan->ours, cursor)
        || !scan_list_seek(&scan->theirs, cursor))
    {
        return false;
    }

    memmove(scan->cursor, cursor.data, cursor.len);
    scan->cursor_len = cursor.len;

    memset(&scan->join, 0, sizeof(chorus_join_t));
    scan->join.ours.has_more = scan->join.theirs.has_more = true;
    scan->join.to = scan->claim.to;
    scan->join.is_bounded = scan->claim.is_bounded;

    return true;
}


static void
scan_advance(scan_t *scan, chorus_str_t cursor)
{
    /* both lists keep their pages: only the place is noted */
    memmove(scan->cursor, cursor.data, cursor.len);
    scan->cursor_len = cursor.len;
}


/* Until Redis has it; LOST when that cannot be any more. */

static queue_scan_page_t
scan_tell(scan_t *scan, const queue_scan_told_t *told)
{
    unsigned           waits;
    queue_scan_page_t  reply;

    for (waits = 0; waits < SCAN_WAITS; waits += reply == QUEUE_SCAN_WAIT) {

        reply = QUEUE_SCAN_LOST;

        if (queue_ready(scan->queue)
            && queue_scan_page(scan->queue, &scan->claim, scan->lease_ms,
                               scan->bulk_max, told, &reply)
            && reply != QUEUE_SCAN_WAIT)
        {
            scan->renew_at_ms = clock_ms() + SCAN_RENEW_MS;
            if (reply == QUEUE_SCAN_TAKEN) {
                work_log(&scan->work, LOG_DEBUG, "scan: page of shard %" PRId64,
                         scan->claim.shard);
            }
            return reply;
        }

        if (!scan_sleep(scan, SCAN_WAIT_MS)) {
            return QUEUE_SCAN_LOST;
        }
    }

    return QUEUE_SCAN_WAIT;
}


/* Gives the shard back, for others or for later. */

static void
scan_release(scan_t *scan, int64_t delay_ms, bool is_failure,
    const char *reason)
{
    if (queue_ready(scan->queue)) {
        (void) queue_scan_release(scan->queue, &scan->claim, delay_ms,
                                  is_failure, reason);
    }
}


static void
scan_failed(scan_t *scan)
{
    int64_t           delay;
    const failure_t  *failure;

    failure = &scan->work.failure;

    if (failure->kind == FAILURE_STOPPED || scan_is_over()) {
        scan_release(scan, 0, false, "");
        return;
    }

    if (failure->side == FAILURE_SIDE_FOLLOWER) {
        health_report(scan->work.follower->name, !failure->is_transport);
    }

    work_log(&scan->work, LOG_WARN, "scan: %s", failure->reason);

    if (failure->kind == FAILURE_PARK && queue_ready(scan->queue)) {
        (void) queue_scan_fail(scan->queue, &scan->claim, failure->reason);
        return;
    }

    delay = failure_delay_ms(failure, scan->claim.failures,
                             scan->work.config->worker.retry_max_seconds);
    scan_release(scan, delay, true, failure->reason);
}


/* A history that fills pages has no place to go on from: whoever gets the shard
 * would begin it again. */

static bool
scan_is_amid(const scan_t *scan, const queue_scan_told_t *told)
{
    return (scan->ours.fold.is_open || scan->theirs.fold.is_open)
           && chorus_str_eq(told->from, told->cursor);
}


/* Page by page, until the shard is done, lost, or has had its time. */

static void
scan_shard(scan_t *scan)
{
    bool               is_amid;
    int64_t            until;
    queue_scan_told_t  told;

    until = clock_ms() + SCAN_SLICE_MS;

    if (scan_versions_begin(scan) != WORK_DONE) {
        scan_failed(scan);
        return;
    }

    if (!scan_seek(scan, scan->claim.cursor)) {
        scan_release(scan, SCAN_SLICE_MS, true, "a key is too long");
        return;
    }

    for ( ;; ) {

        if (scan_page(scan, &told) != WORK_DONE) {
            scan_failed(scan);
            return;
        }

        switch (scan_tell(scan, &told)) {

        case QUEUE_SCAN_TAKEN:
            break;

        case QUEUE_SCAN_CUT:
            if (!scan_seek(scan, told.from)) {
                return;
            }
            continue;

        case QUEUE_SCAN_WAIT:
            scan_release(scan, SCAN_IDLE_MS, false, "");
            return;

        case QUEUE_SCAN_PAUSED:
        case QUEUE_SCAN_LOST:
            scan_release(scan, 0, false, "");
            return;
        }

        if (told.is_last) {
            return;
        }

        is_amid = scan_is_amid(scan, &told);
        scan_advance(scan, told.cursor);

        if (clock_ms() >= until && !is_amid) {
            scan_release(scan, 0, false, "");
            return;
        }

        scan->join.is_bounded = scan->claim.is_bounded;
        scan->join.to = scan->claim.to;
    }
}


static void
scan_split(scan_t *scan)
{
    bool          is_done;
    chorus_str_t  at;

    if (scan_split_find(scan, &at)
        && queue_ready(scan->queue)
        && queue_scan_split(scan->queue, &scan->claim, at, &is_done)
        && is_done)
    {
        work_log(&scan->work, LOG_DEBUG, "scan: a shard is cut in two");
    }
}


static void
scan_work(scan_t *scan)
{
    memset(&scan->work, 0, sizeof(work_t));
    scan->work.client = scan->client;
    scan->work.mem = &scan->mem;
    scan->work.task = scan->claim.task;
    scan->work.config = live_policy_config(scan->policy,
                                           &scan->claim.task->parts);
    scan->renew_at_ms = scan->claim.task->claimed_ms + SCAN_RENEW_MS;

    if (work_resolve(&scan->work) != WORK_DONE) {
        if (scan->claim.what == QUEUE_SCAN_SHARD) {
            scan_failed(scan);
        }
        return;
    }

    s3_client_watch(scan->client, scan_is_alive, NULL, scan);

    if (scan->claim.what == QUEUE_SCAN_SHARD) {
        scan_shard(scan);
        scan_list_drop(&scan->ours, scan->client);
        scan_list_drop(&scan->theirs, scan->client);
        scan_versions_end(scan);
    } else {
        scan_split(scan);
    }

    s3_client_watch(scan->client, NULL, NULL, NULL);
    (void) s3_client_take_doubts(scan->client);
}


/* ---- the thread ---- */


/* false: there is nothing to do. */

static bool
scan_next(scan_t *scan)
{
    bool          ignored;
    size_t        n;
    chorus_str_t  excluded[SCAN_EXCLUDED_MAX];

    /* a follower that is busy is listed all the same */
    n = health_excluded(excluded, SCAN_EXCLUDED_MAX);

    if (!queue_scan_claim(scan->queue, scan->lease_ms,
                          live_policy(scan->policy)->version, excluded, n,
                          &scan->claim)
        || scan->claim.what == QUEUE_SCAN_NOTHING)
    {
        if (scan->claim.task != NULL) {
            task_free(scan->claim.task);
        }
        return false;
    }

    chorus_arena_reset(scan->arena);

    if (scan->claim.what == QUEUE_SCAN_NEW) {
        scan_decide(scan, scan->claim.task->replication,
                    &scan->claim.task->parts, &ignored);
    } else {
        scan_work(scan);
    }

    task_free(scan->claim.task);

    return true;
}


static bool
scan_look_for_buckets(scan_t *scan, unsigned interval_seconds)
{
    bool      is_due, is_whole;
    char      owed[32];
    uint64_t  policy;

    policy = live_policy(scan->policy)->version;

    if (!queue_scan_discover(scan->queue, interval_seconds, policy, &is_due,
                             owed, sizeof(owed))
        || !is_due)
    {
        return false;
    }

    is_whole = scan_discover(scan, owed);
    (void) queue_scan_looked(scan->queue, policy, is_whole);

    return true;
}


/* One thing; false when there is nothing to do. */

static bool
scan_once(scan_t *scan)
{
    bool                           is_busy;
    const chorus_worker_config_t  *worker;

    /* rules that are not known yet may want a bucket left as it is */
    if (!live_policy_is_known() || !queue_ready(scan->queue)
        || !queue_heal(scan->queue))
    {
        return false;
    }

    scan->policy = live_policy_get();
    worker = &live_policy_file(scan->policy)->worker;
    scan->lease_ms = (int64_t) worker->lease_seconds * 1000;
    scan->bulk_max = worker->bulk_max;
    queue_configure(scan->queue, worker);

    is_busy = scan_next(scan);

    if (!is_busy && !scan_is_over()) {
        is_busy = scan_look_for_buckets(scan, worker->discover_seconds);
    }

    live_policy_put(scan->policy);

    return is_busy;
}


static void
scan_idle(scan_t *scan)
{
    int64_t        until;
    struct pollfd  fd;

    /* at the start it is known in a moment */
    until = clock_ms() + (live_policy_is_known() ? SCAN_IDLE_MS : 0);

    do {
        fd = (struct pollfd) { queue_wake_fd(scan->queue), POLLIN, 0 };

        if (fd.fd == -1) {
            scan_nap();

        } else if (poll(&fd, 1, SCAN_STEP_MS) > 0) {
            (void) queue_drain_wake(scan->queue);
            return;
        }

    } while (!scan_is_over() && clock_ms() < until);
}


static bool
scan_open_lists(scan_t *scan)
{
    return scan_list_open(&scan->ours, FAILURE_SIDE_MAIN, S3_LANE_LIST_OURS)
           && scan_list_open(&scan->theirs, FAILURE_SIDE_FOLLOWER,
                             S3_LANE_LIST_THEIRS)
           && scan_list_open(&scan->again_ours, FAILURE_SIDE_MAIN,
                             S3_LANE_SOURCE)
           && scan_list_open(&scan->again_theirs, FAILURE_SIDE_FOLLOWER,
                             S3_LANE_SINK);
}


static bool
scan_open(scan_t *scan, const scanner_t *scanner)
{
    chorus_error_t  error;

    memset(scan, 0, sizeof(scan_t));

    scan->queue = queue_create(scanner->redis, scanner->worker_id, &error);
    scan->client = s3_client_create();
    scan->arena = chorus_arena_create();
    scan->deep_arena = chorus_arena_create();

    if (scan->queue == NULL || scan->client == NULL || scan->arena == NULL
        || scan->deep_arena == NULL
        || !scan_hash_open(&scan->hashes[0])
        || !scan_hash_open(&scan->hashes[1])
        || !scan_open_lists(scan))
    {
        return false;
    }

    scan->mem = chorus_arena_mem(scan->arena);
    scan->deep_mem = chorus_arena_mem(scan->deep_arena);

    return true;
}


static void
scan_close(scan_t *scan)
{
    scan_list_close(&scan->ours);
    scan_list_close(&scan->theirs);
    scan_list_close(&scan->again_ours);
    scan_list_close(&scan->again_theirs);
    scan_hash_close(&scan->hashes[0]);
    scan_hash_close(&scan->hashes[1]);
    chorus_arena_destroy(scan->deep_arena);
    chorus_arena_destroy(scan->arena);
    s3_client_destroy(scan->client);
    queue_destroy(scan->queue);
    free(scan);
}


static void *
scanner_run(void *data)
{
    scan_t     *scan;
    scanner_t  *scanner = data;

    scan = malloc(sizeof(scan_t));

    if (scan == NULL || !scan_open(scan, scanner)) {
        log_write(LOG_ERROR, "a scanner cannot start: out of memory");
        abort();
    }

    while (!scan_is_over()) {
        if (!scan_once(scan)) {
            scan_idle(scan);
        }
    }

    scan_close(scan);

    return NULL;
}


bool
scanner_start(scanner_t *scanner, const chorus_redis_url_t *redis,
    const char *worker_id)
{
    pthread_attr_t  attr;

    scanner->redis = redis;
    scanner->worker_id = worker_id;

    if (pthread_attr_init(&attr) != 0) {
        return false;
    }

    (void) pthread_attr_setstacksize(&attr, SCAN_STACK_SIZE);
    scanner->is_started = pthread_create(&scanner->thread, &attr,
                                         scanner_run, scanner) == 0;
    (void) pthread_attr_destroy(&attr);

    return scanner->is_started;
}


void
scanner_join(scanner_t *scanner)
{
    if (scanner->is_started) {
        (void) pthread_join(scanner->thread, NULL);
    }
}
