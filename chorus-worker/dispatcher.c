/*
 * A task that was claimed is either held (in the channel or in a slot) or
 * finished (its result is not in Redis yet).  Both together never exceed the
 * number of slots, so a Redis that is away bounds what is remembered.
 */

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "dispatcher_internal.h"
#include "live_config.h"
#include "live_policy.h"
#include "log.h"
#include "notify.h"
#include "queue_policy.h"
#include "rate.h"
#include "work.h"

#define DISPATCHER_IDLE_POLL_MS   1000
#define DISPATCHER_REPEAT_MS      200   /* after a call Redis refused */
#define DISPATCHER_POLICY_MS      20    /* until the policy is known */
#define DISPATCHER_ROOMS_MAX      64
/* while there is more to claim than slots */
#define DISPATCHER_GATHER_MS      3     /* for results to come together ... */
#define DISPATCHER_GATHER_SHARE   4     /* ... or one of so many slots */


bool
dispatcher_configure(dispatcher_t *d)
{
    bool                           is_good;
    live_config_t                 *live;
    const chorus_worker_config_t  *worker;

    live = live_config_get();
    worker = &live_config(live)->worker;

    d->limits = health_limits(d->concurrency, live_config(live)->nstorages);
    d->lease_ms = (int64_t) worker->lease_seconds * 1000;
    d->grace_ms = (int64_t) worker->grace_seconds * 1000;
    queue_configure(d->queue, worker);
    is_good = rate_configure(live_config(live));

    if (worker->concurrency != d->concurrency) {
        log_write(LOG_WARN, "worker.concurrency is %u from the next start "
                  "on, now it is %u", worker->concurrency, d->concurrency);
    }

    live_config_put(live);

    return is_good;
}


static bool
dispatcher_open(dispatcher_t *d, const dispatcher_options_t *options)
{
    memset(d, 0, sizeof(dispatcher_t));

    d->options = options;
    d->queue = options->queue;
    d->channel = options->channel;
    d->concurrency = options->concurrency;
    d->is_backlogged = true;
    health_ceiling(d->concurrency);
    d->redis_at_ms = clock_ms();

    d->held = calloc(d->concurrency, sizeof(task_t *));
    d->finished = calloc(d->concurrency, sizeof(task_t *));
    d->is_told = calloc(d->concurrency, sizeof(bool));

    return dispatcher_configure(d) && d->held != NULL && d->finished != NULL
           && d->is_told != NULL;
}


static void
dispatcher_close(dispatcher_t *d)
{
    size_t  i;

    for (i = 0; i < d->nfinished; i++) {
        task_free(d->finished[i]);
    }

    free(d->held);
    free(d->finished);
    free(d->is_told);
}


/* ---- tasks ---- */

static void
dispatcher_hold(dispatcher_t *d, task_t *task)
{
    health_in_flight(task->parts.follower, 1);
    d->held[d->nheld++] = task;
    channel_put(d->channel, task);
}


static void
dispatcher_finish(dispatcher_t *d, task_t *task)
{
    if (d->nfinished == 0) {
        d->gather_until_ms = clock_ms() + DISPATCHER_GATHER_MS;
    }

    d->finished[d->nfinished++] = task;
}


static void
dispatcher_unhold(dispatcher_t *d, task_t *task)
{
    size_t  i;

    for (i = 0; i < d->nheld; i++) {
        if (d->held[i] == task) {
            d->held[i] = d->held[--d->nheld];
            health_in_flight(task->parts.follower, -1);
            return;
        }
    }
}


static void
dispatcher_collect(dispatcher_t *d)
{
    task_t  *task, *next;

    for (task = channel_collect(d->channel); task != NULL; task = next) {
        next = task->next;
        dispatcher_unhold(d, task);
        dispatcher_finish(d, task);

        /* its follower has room again: there may be keys it was denied */
        d->is_backlogged = d->is_backlogged || d->is_limited;
    }
}


/* A call to Redis costs it more than one more key in the call: with a backlog,
 * where a slot that waits for a moment keeps nobody waiting, some results go
 * together, and as many keys are claimed.  Without one, nothing waits. */

static bool
dispatcher_gathers(const dispatcher_t *d)
{
    return d->state == DISPATCHER_RUNS && d->is_backlogged
           && d->nfinished != 0
           && d->nfinished < d->concurrency / DISPATCHER_GATHER_SHARE
           && clock_ms() < d->gather_until_ms;
}


void
dispatcher_withdraw(dispatcher_t *d)
{
    task_t  *task, *next;

    for (task = channel_withdraw(d->channel); task != NULL; task = next) {
        next = task->next;
        task->result.outcome = TASK_RELEASED;
        dispatcher_unhold(d, task);
        dispatcher_finish(d, task);
    }
}


/* ---- Redis ---- */

/* A result that Redis refuses to hear for so long that the lease is over, and
 * the key somebody else's: it is only marked, so that nothing is lost.  What
 * was doubted has been since the lease ran out. */

static bool
dispatcher_is_given_up(const dispatcher_t *d, const task_t *task)
{
    if (clock_ms() <= atomic_load(&task->deadline_ms) + d->lease_ms
        || !queue_ready(d->queue) || !queue_suspect(d->queue, task))
    {
        return false;
    }

    work_log_task(task, LOG_WARN, "Redis refuses the result: the key is to "
                  "be synced again");

    return true;
}


/* A key that failed a moment ago may be due before the next poll. */

static void
dispatcher_expect_retry(dispatcher_t *d, const task_t *task)
{
    int64_t  due_ms;

    if (task->result.outcome != TASK_FAILED) {
        return;
    }

    d->is_left = true;

    if (task->result.delay_ms < 0) {
        return;
    }

    due_ms = clock_ms() + task->result.delay_ms + 1;

    if (due_ms < d->claim_at_ms) {
        d->claim_at_ms = due_ms;
    }
}


static void
dispatcher_flush(dispatcher_t *d)
{
    bool     is_taken;
    size_t   i, n;
    task_t  *task;

    if (d->nfinished == 0 || clock_ms() < d->flush_at_ms
        || dispatcher_gathers(d))
    {
        return;
    }

    is_taken = queue_settle(d->queue, d->finished, d->nfinished, d->is_told);
    n = d->nfinished;
    d->nfinished = 0;

    for (i = 0; i < n; i++) {
        task = d->finished[i];

        if (d->is_told[i] || dispatcher_is_given_up(d, task)) {
            dispatcher_expect_retry(d, task);
            task_free(task);
        } else {
            d->finished[d->nfinished++] = task;
        }
    }

    d->flush_at_ms = is_taken ? 0 : clock_ms() + DISPATCHER_REPEAT_MS;
}


static void
dispatcher_renew(dispatcher_t *d)
{
    int64_t  now;

    now = clock_ms();

    if (d->nheld == 0 || now < d->renew_at_ms) {
        return;
    }

    d->renew_at_ms = now + (queue_renew(d->queue, d->lease_ms, d->held,
                                        d->nheld)
                            ? d->lease_ms / 3 : DISPATCHER_REPEAT_MS);
}


static void
dispatcher_rates(dispatcher_t *d)
{
    if (clock_ms() >= rate_due_ms()) {
        (void) queue_rates(d->queue);
    }
}


/* How many keys may be claimed now: slots that are free, fewer when main does
 * not answer. */

static size_t
dispatcher_room(dispatcher_t *d)
{
    size_t          taken;
    uint32_t        room;
    live_config_t  *live;

    taken = d->nheld + d->nfinished;

    live = live_config_get();
    room = health_room_main(live_config(live)->main->name, d->limits.few,
                            (uint32_t) taken);
    live_config_put(live);

    return d->concurrency - taken < room ? d->concurrency - taken : room;
}


/* Whether the policy that is in force has paused it; false when we do not run
 * that one, or when R is malformed, which somebody is to hear of. */

static bool
dispatcher_knows(const task_t *task, bool *is_paused)
{
    bool            is_current;
    live_policy_t  *policy;

    policy = live_policy_get();

    is_current = live_policy(policy)->version >= task->policy
                 && !live_policy_is_refused();
    *is_paused = chorus_live_pauses(live_policy(policy))
                 && chorus_live_is_paused(live_policy(policy), &task->parts);

    live_policy_put(policy);

    return is_current && task->parts.follower.len != 0;
}


/* What is paused nobody claims, but for a replication that is younger than its
 * pause, before the policy's thread has seen it: we do what that will do.  If
 * there is another policy by then, its sweep may have been there before us. */

static bool
dispatcher_suspends(dispatcher_t *d, const task_t *task)
{
    bool  is_paused;

    if (!dispatcher_knows(task, &is_paused) || !is_paused) {
        return false;
    }

    if (queue_policy_suspend(d->queue, task->replication, true)
        && dispatcher_knows(task, &is_paused) && !is_paused)
    {
        (void) queue_policy_suspend(d->queue, task->replication, false);
    }

    return true;
}


/* To the slots, but for those that are paused, or too many for a sick
 * follower.  Says how many were not paused. */

static size_t
dispatcher_distribute(dispatcher_t *d, task_t *list)
{
    bool     is_paused;
    size_t   n;
    task_t  *task, *before, *next;

    before = NULL;
    is_paused = false;
    n = 0;

    for (task = list; task != NULL; task = next) {
        next = task->next;

        /* keys of one replication come together */
        if (before == NULL
            || !chorus_str_eq(before->replication, task->replication))
        {
            is_paused = dispatcher_suspends(d, task);
        }

        before = task;
        n += !is_paused;

        if (is_paused || health_room(task->parts.follower, &d->limits) == 0) {
            task->result.outcome = TASK_RELEASED;
            dispatcher_finish(d, task);
            d->is_limited = true;

        } else {
            dispatcher_hold(d, task);
        }
    }

    return n;
}


/* is_once: nothing more was to be had.  is_left: because a storage does not
 * answer, which may take longer than anybody waits. */

static void
dispatcher_once_claimed(dispatcher_t *d, bool is_left)
{
    if (!d->options->is_once || d->nheld != 0 || d->nfinished != 0) {
        return;
    }

    d->is_left = d->is_left || is_left;
    d->state = DISPATCHER_ENDED;
}


/* There may be keys of a follower that had no room for them. */

static void
dispatcher_note_limits(dispatcher_t *d, const health_room_t *rooms,
    size_t nrooms)
{
    size_t  i;

    for (i = 0; i < nrooms; i++) {
        d->is_limited = d->is_limited
                        || health_room(rooms[i].storage, &d->limits) == 0;
    }
}


static void
dispatcher_claim(dispatcher_t *d)
{
    size_t         room, n, nrooms;
    task_t        *list;
    int64_t        now;
    health_room_t  rooms[DISPATCHER_ROOMS_MAX];

    now = clock_ms();

    if (d->state != DISPATCHER_RUNS || dispatcher_gathers(d)
        || (!d->is_backlogged && now < d->claim_at_ms))
    {
        return;
    }

    if (!live_policy_is_known()) {
        /* its filters have a say in what is copied */
        d->is_backlogged = false;
        d->claim_at_ms = now + DISPATCHER_POLICY_MS;
        return;
    }

    room = dispatcher_room(d);
    if (room == 0) {
        dispatcher_once_claimed(d, true);
        return;
    }

    if (!queue_heal(d->queue)) {
        d->is_backlogged = true;
        return;
    }

    nrooms = health_rooms(rooms, DISPATCHER_ROOMS_MAX, &d->limits,
                          (uint32_t) room);

    d->is_backlogged = false;

    if (!queue_claim(d->queue, d->lease_ms, room, rooms, nrooms, &list)) {
        d->claim_at_ms = now + DISPATCHER_REPEAT_MS;
        return;
    }

    if (d->nheld == 0) {
        d->renew_at_ms = now + d->lease_ms / 3;
    }

    d->is_limited = false;
    n = dispatcher_distribute(d, list);
    dispatcher_note_limits(d, rooms, nrooms);
    d->claim_at_ms = now + (d->is_limited ? DISPATCHER_REPEAT_MS
                                          : DISPATCHER_IDLE_POLL_MS);
    d->is_backlogged = n >= room || n >= QUEUE_CLAIM_MAX;

    if (n == 0) {
        dispatcher_once_claimed(d, d->is_limited);
    }
}


/* ---- the loop ---- */

static int64_t
dispatcher_claim_time(dispatcher_t *d, int64_t now)
{
    if (dispatcher_gathers(d)) {
        return d->gather_until_ms;
    }

    if (dispatcher_room(d) != 0) {
        return d->is_backlogged ? now : d->claim_at_ms;
    }

    /* all slots are busy, a result will wake us; or main waits for a probe */
    return now + (d->nheld + d->nfinished == d->concurrency
                  ? DISPATCHER_IDLE_POLL_MS : DISPATCHER_REPEAT_MS);
}


static int64_t
dispatcher_earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}


static int
dispatcher_timeout(dispatcher_t *d, bool is_ready)
{
    int64_t  until, now;

    now = clock_ms();
    until = now + DISPATCHER_IDLE_POLL_MS;

    if (d->state != DISPATCHER_RUNS) {
        until = dispatcher_earlier(until, d->state_until_ms);

    } else if (is_ready) {
        until = dispatcher_earlier(until, dispatcher_claim_time(d, now));
    }

    if (!is_ready) {
        until = dispatcher_earlier(until, queue_retry_ms(d->queue));
        return until > now ? (int) (until - now) : 0;
    }

    until = dispatcher_earlier(until, rate_due_ms());

    if (d->nheld != 0) {
        until = dispatcher_earlier(until, d->renew_at_ms);
        until = dispatcher_earlier(until, queue_pauses_ms(d->queue));
    }

    if (d->nfinished != 0) {
        until = dispatcher_earlier(until, dispatcher_gathers(d)
                                          ? d->gather_until_ms
                                          : d->flush_at_ms);
    }

    return until > now ? (int) (until - now) : 0;
}


static void
dispatcher_wait(dispatcher_t *d, bool is_ready)
{
    struct pollfd  fds[4] = {
        { .fd = d->options->signal_fd, .events = POLLIN },
        { .fd = d->channel->eventfd, .events = POLLIN },
        { .fd = queue_wake_fd(d->queue), .events = POLLIN },
        { .fd = is_ready ? rate_fd() : -1, .events = POLLIN },
    };

    if (poll(fds, 4, dispatcher_timeout(d, is_ready)) <= 0) {
        return;
    }

    if (fds[3].revents != 0) {
        rate_drain();
    }

    if (fds[2].revents != 0 && queue_wake_fd(d->queue) != -1) {
        (void) queue_drain_wake(d->queue);
        d->is_backlogged = true;
    }
}


dispatcher_end_t
dispatcher_run(const dispatcher_options_t *options)
{
    bool              is_ready;
    dispatcher_t      d;
    dispatcher_end_t  end;

    if (!dispatcher_open(&d, options)) {
        log_write(LOG_ERROR, "out of memory");
        dispatcher_close(&d);
        return DISPATCHER_STUCK;
    }

    notify_ready();

    while (d.state != DISPATCHER_ENDED) {
        dispatcher_signals(&d);
        dispatcher_collect(&d);

        is_ready = queue_ready(d.queue);
        notify_beat(is_ready);
        dispatcher_once_waits(&d, is_ready);

        if (is_ready) {
            dispatcher_flush(&d);
        }

        if (queue_ready(d.queue)) {
            dispatcher_rates(&d);
        }

        if (queue_ready(d.queue)) {
            dispatcher_renew(&d);
        }

        if (queue_ready(d.queue)) {
            (void) queue_pauses(d.queue, d.held, d.nheld);
        }

        if (queue_ready(d.queue)) {
            dispatcher_claim(&d);
        }

        dispatcher_advance(&d);

        if (d.state != DISPATCHER_ENDED) {
            dispatcher_wait(&d, queue_ready(d.queue));
        }
    }

    end = d.nheld != 0 ? DISPATCHER_STUCK
          : options->is_once && d.is_left ? DISPATCHER_LEFT : DISPATCHER_DONE;
    dispatcher_close(&d);

    return end;
}
