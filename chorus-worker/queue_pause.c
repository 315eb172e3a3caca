/*
 * Whether somebody has paused what we work on: asked of Redis now and then
 * while there is something, and at once when Redis says that there may be.
 */

#include "clock.h"
#include "queue_internal.h"

#define QUEUE_PAUSE_MS  500


int64_t
queue_pauses_ms(const queue_t *queue)
{
    return queue->pauses_ms;
}


/* Of the same replication as one before it? */

static size_t
queue_pause_first(task_t **tasks, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (chorus_str_eq(tasks[i]->replication, tasks[n]->replication)) {
            return i;
        }
    }

    return n;
}


/* What has lost its lease, or is given back, stays so. */

static void
queue_pause_task(task_t *task)
{
    int  go;

    go = TASK_GO;
    (void) atomic_compare_exchange_strong(&task->stop, &go, TASK_PAUSE);
}


/* One row for each replication, in the order in which they come first. */

static void
queue_read_pauses(const redisReply *reply, task_t **tasks, size_t ntasks)
{
    size_t   i, j, row;
    int64_t  is_paused;

    for (i = 0, row = 0; i < ntasks && row < reply->elements; i++) {

        if (queue_pause_first(tasks, i) != i) {
            continue;
        }

        if (!queue_reply_i64(reply->element[row++], &is_paused)
            || is_paused == 0)
        {
            continue;
        }

        for (j = i; j < ntasks; j++) {
            if (chorus_str_eq(tasks[j]->replication, tasks[i]->replication)) {
                queue_pause_task(tasks[j]);
            }
        }
    }
}


bool
queue_pauses(queue_t *queue, task_t **tasks, size_t ntasks)
{
    bool              is_taken;
    size_t            i;
    int64_t           now;
    redisReply       *reply;
    queue_command_t   command;

    now = clock_ms();

    if (ntasks == 0 || now < queue->pauses_ms) {
        return true;
    }

    queue->pauses_ms = now + QUEUE_PAUSE_MS;
    chorus_arena_reset(queue->arena);
    queue_fcall(queue, &command, "chorus_paused", 0, ntasks);

    for (i = 0; i < ntasks; i++) {
        if (queue_pause_first(tasks, i) == i) {
            queue_command_add(&command, tasks[i]->replication);
        }
    }

    reply = queue_command_call(&command, queue->connection.redis);
    is_taken = reply != NULL && reply->type == REDIS_REPLY_ARRAY;

    if (is_taken) {
        queue_read_pauses(reply, tasks, ntasks);

    } else {
        queue_connection_error(&queue->connection, reply, "chorus_paused");
    }

    freeReplyObject(reply);

    return is_taken;
}
