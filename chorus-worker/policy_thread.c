#include <poll.h>
#include <pthread.h>
#include <string.h>

#include "clock.h"
#include "live_policy.h"
#include "log.h"
#include "policy_debt.h"
#include "policy_forget.h"
#include "policy_thread.h"
#include "queue_meters.h"
#include "queue_policy.h"

#define POLICY_POLL_MS   1000
#define POLICY_FIRST_MS  50             /* until Redis has told it once */
#define POLICY_TELL_MS   1000           /* that we live, at the latest */
#define POLICY_SLICE_MS  100            /* to see that we are to end */
#define POLICY_SWEEP_MS  30000          /* in any case */
#define POLICY_LEASE_MS  10000          /* for what a rule owes */


static struct {
    pthread_t        thread;
    pthread_mutex_t  mutex;
    bool             is_stopped;

    queue_t         *queue;
    chorus_arena_t  *arena;             /* of one turn */
    chorus_mem_t     mem;
    chorus_error_t   trouble;           /* with the policy in Redis */
    uint64_t         swept;             /* version whose pauses are set, and
                                         * which we say that we run ... */
    int64_t          swept_made;        /* ... for so many replications */
    int64_t          sweep_ms;          /* of the next time, at the latest */
    int64_t          told_ms;           /* when Redis last heard of us */
} policy = {
    .mutex = PTHREAD_MUTEX_INITIALIZER,
};


static uint64_t
policy_version(void)
{
    uint64_t        version;
    live_policy_t  *current;

    current = live_policy_get();
    version = live_policy(current)->version;
    live_policy_put(current);

    return version;
}


/* Redis has an older one than we: it gets ours. */

static void
policy_restore(void)
{
    live_policy_t  *current;

    current = live_policy_get();
    log_write(LOG_WARN, "redis: has lost version %llu of the policy and gets "
              "it back", (unsigned long long) live_policy(current)->version);
    (void) queue_policy_restore(policy.queue, live_policy_document(current));
    policy.sweep_ms = 0;
    live_policy_put(current);
}


static void
policy_take(chorus_str_t document)
{
    bool            is_older, is_taken;
    chorus_error_t  error;

    live_policy_lock();
    is_taken = live_policy_take(document, &is_older, &error);
    live_policy_unlock();

    if (!is_taken) {

        if (strcmp(error.text, policy.trouble.text) != 0) {
            log_write(LOG_ERROR, "the policy in Redis cannot be used: %s; "
                      "going on with version %llu", error.text,
                      (unsigned long long) policy_version());
            policy.trouble = error;
        }

        return;
    }

    policy.trouble.text[0] = '\0';

    if (is_older) {
        policy_restore();
        return;
    }

    log_write(LOG_INFO, "policy version %llu",
              (unsigned long long) policy_version());
}


static bool
policy_ask(chorus_str_t *document)
{
    bool             is_told;
    live_policy_t   *current;
    queue_reader_t   reader;

    current = live_policy_get();
    reader.version = policy.swept;
    reader.rules = live_policy_file(current)->digest;
    reader.trouble = policy.trouble.text;

    is_told = queue_policy_poll(policy.queue, &policy.mem, &reader, document);
    policy.told_ms = clock_ms();
    live_policy_put(current);

    return is_told;
}


/* ---- what is paused ---- */


static bool
policy_suspend_one(const chorus_live_t *live, const queue_suspension_t *row)
{
    bool                  is_paused;
    chorus_error_t        error;
    chorus_replication_t  parts;

    if (chorus_replication_parse(&policy.mem, row->replication, &parts,
                                 &error) != CHORUS_OK)
    {
        return true;
    }

    is_paused = chorus_live_is_paused(live, &parts);

    return is_paused == row->is_suspended
           || queue_policy_suspend(policy.queue, row->replication, is_paused);
}


/* Who is not heard of for five seconds is waited for by nobody. */

static bool
policy_stay(void)
{
    chorus_str_t  ignored;

    return clock_ms() < policy.told_ms + POLICY_TELL_MS
           || policy_ask(&ignored);
}


static bool
policy_suspend_all(const chorus_live_t *live)
{
    size_t               i;
    queue_suspensions_t  page;

    page.cursor = 0;

    do {
        if (!queue_policy_suspended(policy.queue, &policy.mem, page.cursor,
                                    &page))
        {
            return false;
        }

        for (i = 0; i < page.n; i++) {
            if (!policy_stay() || !policy_suspend_one(live, &page.rows[i])) {
                return false;
            }
        }

    } while (page.cursor != 0);

    return true;
}


/* With each version, and as long as it pauses something when replications are
 * new.  Now and then for those that a worker has suspended which ran an older
 * version, and ended.  Who cannot use the policy does not. */

static void
policy_sweep(void)
{
    bool                  is_new;
    queue_news_t          news;
    live_policy_t        *current;
    const chorus_live_t  *live;

    if (policy.trouble.text[0] != '\0'
        || !queue_policy_news(policy.queue, &policy.mem, &news))
    {
        return;
    }

    current = live_policy_get();
    live = live_policy(current);

    is_new = chorus_live_pauses(live) && news.made != policy.swept_made;

    if ((policy.swept != live->version || clock_ms() >= policy.sweep_ms
         || is_new)
        && policy_suspend_all(live))
    {
        policy.swept = live->version;
        policy.swept_made = news.made;
        policy.sweep_ms = clock_ms() + POLICY_SWEEP_MS;
    }

    policy_forget(policy.queue, &policy.mem, current, &news);
    live_policy_put(current);
}


/* What somebody has paused is paused before we say that we run it: he may wait
 * for that.  So Redis is asked a second time when there is a new one. */

static bool
policy_poll(void)
{
    int           i;
    chorus_str_t  document;

    for (i = 0; i < 2; i++) {

        if (!policy_ask(&document)) {
            return false;
        }

        if (document.data == NULL) {
            policy.trouble.text[0] = '\0';
            live_policy_accepted();
            break;
        }

        policy_take(document);
        policy_sweep();
    }

    live_policy_set_known();

    return true;
}


/* ---- what is owed ---- */


static void
policy_pay(void)
{
    live_policy_t      *current;
    queue_rule_debt_t   debt;

    if (policy.trouble.text[0] != '\0'
        || !queue_policy_take(policy.queue, &policy.mem, POLICY_LEASE_MS,
                              &debt)
        || debt.id.data == NULL)
    {
        return;
    }

    /* its rule may be younger than what we know, and who cannot use that would
     * pay for what it said before */
    if (!policy_poll() || policy.trouble.text[0] != '\0') {
        return;
    }

    current = live_policy_get();

    /* else the lease runs out, and it is tried again */
    if (policy_debt_pay(policy.queue, &policy.mem, current, &debt)) {
        (void) queue_policy_settled(policy.queue, &debt);
    }

    live_policy_put(current);
}


/* ---- the thread ---- */


static bool
policy_is_stopped(void)
{
    bool  is_stopped;

    (void) pthread_mutex_lock(&policy.mutex);
    is_stopped = policy.is_stopped;
    (void) pthread_mutex_unlock(&policy.mutex);

    return is_stopped;
}


/* Until it is time to ask again, or Redis says that there is a new one.  What
 * else it says is for others, but Redis minds who does not read. */

static bool
policy_wait(int64_t ms)
{
    int64_t        until, now;
    struct pollfd  fd;

    until = clock_ms() + ms;

    while (!policy_is_stopped() && (now = clock_ms()) < until) {
        fd = (struct pollfd) { queue_wake_fd(policy.queue), POLLIN, 0 };

        if (poll(&fd, 1, until - now < POLICY_SLICE_MS
                         ? (int) (until - now) : POLICY_SLICE_MS) > 0
            && queue_drain_wake(policy.queue))
        {
            break;
        }
    }

    return !policy_is_stopped();
}


static void *
policy_run(void *data)
{
    (void) data;

    do {
        chorus_arena_reset(policy.arena);

        if (queue_ready(policy.queue) && policy_poll()) {
            policy_sweep();
            policy_pay();
            (void) queue_meters(policy.queue, false);
            (void) queue_history(policy.queue);
        }

    } while (policy_wait(live_policy_is_known() ? POLICY_POLL_MS
                                                : POLICY_FIRST_MS));

    if (queue_ready(policy.queue)) {
        (void) queue_policy_leave(policy.queue);
        (void) queue_meters(policy.queue, true);
    }

    return NULL;
}


bool
policy_thread_start(queue_t *queue)
{
    policy.queue = queue;
    policy.arena = chorus_arena_create();

    if (policy.arena == NULL) {
        return false;
    }

    policy.mem = chorus_arena_mem(policy.arena);

    if (pthread_create(&policy.thread, NULL, policy_run, NULL) == 0) {
        return true;
    }

    chorus_arena_destroy(policy.arena);

    return false;
}


void
policy_thread_stop(void)
{
    (void) pthread_mutex_lock(&policy.mutex);
    policy.is_stopped = true;
    (void) pthread_mutex_unlock(&policy.mutex);

    (void) pthread_join(policy.thread, NULL);
    chorus_arena_destroy(policy.arena);
}
