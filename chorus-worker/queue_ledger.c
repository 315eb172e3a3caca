#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "queue_dial.h"
#include "queue_internal.h"
#include "queue_ledger.h"

#define QUEUE_LEDGER_TRIES     2        /* an idle connection may be gone */
#define QUEUE_LEDGER_RETRY_MS  1000
#define QUEUE_LEDGER_ARGS      11


typedef struct {
    pthread_mutex_t            mutex;
    const chorus_redis_url_t  *url;
    chorus_redis_tls_t        *tls;
    chorus_arena_t            *arena;       /* of one call */
    chorus_mem_t               mem;
    redisContext              *redis;       /* NULL: closed */
    size_t                     sentinel;
    int64_t                    retry_ms;    /* clock_ms() of the next try */
} queue_ledger_t;

static queue_ledger_t  ledger = { .mutex = PTHREAD_MUTEX_INITIALIZER };


bool
queue_ledger_open(queue_t *queue)
{
    ledger.url = &queue->connection.url;
    ledger.tls = queue->connection.tls;
    ledger.arena = chorus_arena_create();
    ledger.retry_ms = 0;

    if (ledger.arena == NULL) {
        return false;
    }

    ledger.mem = chorus_arena_mem(ledger.arena);

    return true;
}


static void
queue_ledger_hang_up(void)
{
    if (ledger.redis != NULL) {
        redisFree(ledger.redis);
        ledger.redis = NULL;
    }
}


void
queue_ledger_close(void)
{
    queue_ledger_hang_up();
    chorus_arena_destroy(ledger.arena);
    ledger.arena = NULL;
}


static bool
queue_ledger_dial(void)
{
    char                     error[QUEUE_ERROR_SIZE];
    chorus_redis_identity_t  seen;

    if (ledger.redis != NULL) {
        return true;
    }

    if (clock_ms() < ledger.retry_ms) {
        return false;
    }

    memset(&seen, 0, sizeof(seen));
    ledger.redis = queue_dial(ledger.url, ledger.tls, &ledger.sentinel,
                              &ledger.mem, &seen, error);

    if (ledger.redis == NULL) {
        ledger.retry_ms = clock_ms() + QUEUE_LEDGER_RETRY_MS;
        log_write(LOG_DEBUG, "redis: %s", error);
    }

    return ledger.redis != NULL;
}


/* NULL when there is no good reply; else to be freed. */

static redisReply *
queue_ledger_send(const chorus_str_t *words, size_t nwords)
{
    size_t            i;
    redisReply       *reply;
    queue_command_t   command;

    if (!queue_ledger_dial()) {
        return NULL;
    }

    queue_command_begin(&command, &ledger.mem, nwords);

    for (i = 0; i < nwords; i++) {
        queue_command_add(&command, words[i]);
    }

    reply = queue_command_call(&command, ledger.redis);

    if (reply == NULL) {
        queue_ledger_hang_up();
        return NULL;
    }

    if (reply->type == REDIS_REPLY_ERROR) {
        log_write(log_once_a_minute(words[1]) ? LOG_WARN : LOG_DEBUG,
                  "redis: %.*s: %s", chorus_fmt(words[1]), reply->str);
        /* a master that is one no more, a library that is to be loaded */
        queue_ledger_hang_up();
        ledger.retry_ms = clock_ms() + QUEUE_LEDGER_RETRY_MS;
        freeReplyObject(reply);
        return NULL;
    }

    return reply;
}


/* *text: a copy of the reply when it is a string, else the null string. */

static bool
queue_ledger_call(const chorus_str_t *words, size_t nwords,
    chorus_mem_t *mem, chorus_str_t *text, int64_t *number)
{
    unsigned     tries;
    redisReply  *reply;

    (void) pthread_mutex_lock(&ledger.mutex);

    reply = NULL;

    for (tries = 0; reply == NULL && tries < QUEUE_LEDGER_TRIES; tries++) {
        chorus_arena_reset(ledger.arena);
        reply = queue_ledger_send(words, nwords);
    }

    (void) pthread_mutex_unlock(&ledger.mutex);

    if (reply == NULL) {
        return false;
    }

    if (text != NULL) {
        *text = reply->type == REDIS_REPLY_STRING
                ? chorus_str_dup(mem, (chorus_str_t) { reply->str,
                                                       reply->len })
                : chorus_null_str;
    }

    if (number != NULL && !queue_reply_i64(reply, number)) {
        *number = 0;
    }

    freeReplyObject(reply);

    return true;
}


/* A function of the task's replication, whose first argument is the key. */

static bool
queue_ledger_fcall(const task_t *task, const char *name,
    const chorus_str_t *args, size_t nargs, chorus_mem_t *mem,
    chorus_str_t *text, int64_t *number)
{
    bool             is_done;
    size_t           i, n;
    chorus_buf_t     hash;
    chorus_mem_t     scratch_mem;
    chorus_str_t     words[QUEUE_LEDGER_ARGS];
    chorus_arena_t  *scratch;

    scratch = chorus_arena_create();
    if (scratch == NULL) {
        return false;
    }

    scratch_mem = chorus_arena_mem(scratch);
    hash = chorus_buf(&scratch_mem, task->replication.len + 16);
    chorus_buf_text(&hash, "chorus:{");
    chorus_buf_add(&hash, task->replication);
    chorus_buf_char(&hash, '}');

    words[0] = chorus_str("FCALL");
    words[1] = chorus_str_from(name);
    words[2] = chorus_str("1");
    words[3] = chorus_buf_str(&hash);
    words[4] = task->key;
    n = 5;

    for (i = 0; i < nargs; i++) {
        words[n++] = args[i];
    }

    is_done = words[3].data != NULL
              && queue_ledger_call(words, n, mem, text, number);
    chorus_arena_destroy(scratch);

    return is_done;
}


bool
queue_ledger_layout(chorus_mem_t *mem, chorus_str_t etag, chorus_str_t *sizes)
{
    chorus_str_t  words[] = {
        chorus_str("FCALL"), chorus_str("chorus_layout"), chorus_str("1"),
        chorus_str("chorus:layouts"), etag
    };

    return queue_ledger_call(words, 5, mem, sizes, NULL);
}


bool
queue_ledger_begin(const task_t *task, chorus_str_t record, bool *is_ours)
{
    int64_t       begun;
    chorus_str_t  args[] = { task->token, record };

    if (!queue_ledger_fcall(task, "chorus_upload_begin", args, 2, NULL, NULL,
                            &begun))
    {
        return false;
    }

    *is_ours = begun == 1;

    return true;
}


bool
queue_ledger_over(const task_t *task, chorus_str_t record)
{
    return queue_ledger_fcall(task, "chorus_upload_over", &record, 1, NULL,
                              NULL, NULL);
}


bool
queue_ledger_twin(const task_t *task, chorus_mem_t *mem, chorus_str_t *record)
{
    return queue_ledger_fcall(task, "chorus_twin", NULL, 0, mem, record,
                              NULL);
}


bool
queue_ledger_twin_keep(const task_t *task, chorus_str_t record)
{
    return queue_ledger_fcall(task, "chorus_twin_keep", &record, 1, NULL,
                              NULL, NULL);
}


bool
queue_ledger_guard(const task_t *task, chorus_str_t rule,
    const chorus_guard_t *guard, chorus_mem_t *mem, chorus_str_t *verdict)
{
    size_t        i;
    char          numbers[4][24];
    chorus_str_t  args[6] = { task->token, rule };

    const uint64_t  values[] = {
        guard->deletes_percent, guard->deletes, guard->min_deletes,
        (uint64_t) guard->per_seconds * 1000
    };

    for (i = 0; i < 4; i++) {
        (void) snprintf(numbers[i], sizeof(numbers[i]), "%" PRIu64,
                        values[i]);
        args[2 + i] = chorus_str_from(numbers[i]);
    }

    return queue_ledger_fcall(task, "chorus_guard_ask", args, 6, mem, verdict,
                              NULL)
           && verdict->data != NULL;
}
