#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ask.h"
#include "ask_answer.h"
#include "clock.h"
#include "live_config.h"
#include "log.h"
#include "queue_ask.h"

#define ASK_THREADS     2
#define ASK_STACK_SIZE  (512 * 1024)
#define ASK_LEASE_MS    8000    /* of a question: then another worker's */
#define ASK_WORK_MS     6000    /* for storages to answer */
#define ASK_SPARE_MS    500     /* to tell it in time */
#define ASK_IDLE_MS     500
#define ASK_STEP_MS     50


typedef struct {
    queue_t         *queue;
    s3_client_t     *client;
    chorus_arena_t  *arena;     /* of one question */
    chorus_mem_t     mem;
    int64_t          until_ms;
} asker_t;


static struct {
    const chorus_redis_url_t  *redis;
    const char                *worker_id;
    pthread_t                  threads[ASK_THREADS];
    unsigned                   n;
    _Atomic bool               is_over;
} asking;


static bool
ask_is_alive(void *data)
{
    const asker_t  *asker = data;

    return !atomic_load(&asking.is_over) && clock_ms() < asker->until_ms;
}


/* Half of the time that is left is another worker's, if this one dies. */

static int64_t
ask_time(uint64_t left_ms)
{
    int64_t  half;

    half = (int64_t) left_ms / 2;

    if (half > ASK_WORK_MS) {
        return ASK_WORK_MS;
    }

    return half > 2 * ASK_SPARE_MS ? half - ASK_SPARE_MS : half / 2;
}


static void
ask_one(asker_t *asker, const queue_ask_t *ask)
{
    char           *answer;
    chorus_str_t    text;
    live_config_t  *live;

    asker->until_ms = clock_ms() + ask_time(ask->left_ms);
    s3_client_watch(asker->client, ask_is_alive, NULL, asker);

    live = live_config_get();
    answer = ask_answer(asker->client, live_config(live), ask->question);
    live_config_put(live);

    s3_client_watch(asker->client, NULL, NULL, NULL);

    if (answer == NULL) {
        log_write(LOG_ERROR, "a question of the API: out of memory");
        return;
    }

    text = chorus_str_from(answer);

    if (text.len > QUEUE_ANSWER_MAX) {
        text = chorus_str("{\"error\":{\"code\":\"too_large\",\"message\":"
                          "\"there is more to tell than an answer has room "
                          "for\"}}");
    }

    if (queue_ready(asker->queue)) {
        (void) queue_ask_answer(asker->queue, ask->id, text);
    }

    free(answer);
}


/* false: nobody asks. */

static bool
ask_next(asker_t *asker)
{
    queue_ask_t  ask;

    chorus_arena_reset(asker->arena);

    if (!queue_ready(asker->queue)
        || !queue_ask_take(asker->queue, &asker->mem, ASK_LEASE_MS, &ask)
        || ask.id.data == NULL)
    {
        return false;
    }

    ask_one(asker, &ask);

    return true;
}


static void
ask_nap(void)
{
    struct timespec  t = { 0, ASK_STEP_MS * 1000000L };

    (void) nanosleep(&t, NULL);
}


/* Each question wakes all; so does work for slots, which is looked past. */

static void
ask_idle(asker_t *asker)
{
    int64_t        until;
    struct pollfd  fd;

    until = clock_ms() + ASK_IDLE_MS;

    do {
        fd = (struct pollfd) { queue_wake_fd(asker->queue), POLLIN, 0 };

        if (fd.fd == -1) {
            ask_nap();

        } else if (poll(&fd, 1, ASK_STEP_MS) > 0) {
            queue_drain_wake(asker->queue);
            return;
        }

    } while (!atomic_load(&asking.is_over) && clock_ms() < until);
}


static void
ask_close(asker_t *asker)
{
    if (asker->client != NULL) {
        s3_client_destroy(asker->client);
    }

    if (asker->queue != NULL) {
        queue_destroy(asker->queue);
    }

    chorus_arena_destroy(asker->arena);
}


static bool
ask_open(asker_t *asker)
{
    chorus_error_t  error;

    memset(asker, 0, sizeof(asker_t));

    asker->queue = queue_create(asking.redis, asking.worker_id, &error);
    asker->client = s3_client_create();
    asker->arena = chorus_arena_create();

    if (asker->queue == NULL || asker->client == NULL
        || asker->arena == NULL)
    {
        return false;
    }

    asker->mem = chorus_arena_mem(asker->arena);

    return true;
}


static void *
ask_run(void *data)
{
    asker_t  asker;

    (void) data;

    if (!ask_open(&asker)) {
        log_write(LOG_ERROR, "the API's questions are left to other workers: "
                  "out of memory");

    } else {
        while (!atomic_load(&asking.is_over)) {
            if (!ask_next(&asker)) {
                ask_idle(&asker);
            }
        }
    }

    ask_close(&asker);

    return NULL;
}


void
ask_threads_start(const chorus_redis_url_t *redis, const char *worker_id)
{
    pthread_attr_t  attr;

    asking.redis = redis;
    asking.worker_id = worker_id;

    if (pthread_attr_init(&attr) != 0) {
        return;
    }

    (void) pthread_attr_setstacksize(&attr, ASK_STACK_SIZE);

    while (asking.n < ASK_THREADS
           && pthread_create(&asking.threads[asking.n], &attr, ask_run, NULL)
              == 0)
    {
        asking.n++;
    }

    if (asking.n == 0) {
        log_write(LOG_ERROR, "the API's questions are left to other workers: "
                  "no thread");
    }

    (void) pthread_attr_destroy(&attr);
}


void
ask_threads_stop(void)
{
    atomic_store(&asking.is_over, true);

    while (asking.n != 0) {
        (void) pthread_join(asking.threads[--asking.n], NULL);
    }
}
