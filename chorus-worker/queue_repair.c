/*
 * Once per run of Redis, before anything is claimed from it.  The workers
 * share the work: each call of chorus_heal does a bounded part of what is
 * left, and tells when nothing is.
 *
 * The worker does not ask for a BGREWRITEAOF, which would drop half a
 * transaction from the file for good: its start finds that only the next time
 * and heals it then; a rewrite forks a Redis that has just come up, and takes
 * a right (@admin) that no program needs otherwise.
 */

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "queue_internal.h"

#define QUEUE_REPAIR_LINES  20          /* of the log, a call */


static queue_repair_told_t *
queue_repair_slot(queue_repair_t *repair)
{
    queue_repair_told_t  *told;

    told = &repair->told[repair->next];
    repair->next = (repair->next + 1) % QUEUE_REPAIR_TOLD_MAX;

    free((void *) (uintptr_t) told->replication.data);
    memset(told, 0, sizeof(queue_repair_told_t));

    return told;
}


void
queue_repair_remember(queue_repair_t *repair, const task_t *task)
{
    char                 *copy;
    queue_repair_told_t  *told;

    if (task->result.doubts == 0) {
        return;
    }

    copy = malloc(task->replication.len + task->key.len + 1);
    if (copy == NULL) {
        return;
    }

    memcpy(copy, task->replication.data, task->replication.len);
    if (task->key.len != 0) {
        memcpy(copy + task->replication.len, task->key.data, task->key.len);
    }

    told = queue_repair_slot(repair);
    told->replication = (chorus_str_t) { copy, task->replication.len };
    told->key = (chorus_str_t) { copy + task->replication.len,
                                 task->key.len };
    told->doubts = task->result.doubts;
    told->told_ms = clock_ms();
}


void
queue_repair_clear(queue_repair_t *repair)
{
    size_t  i;

    for (i = 0; i < QUEUE_REPAIR_TOLD_MAX; i++) {
        (void) queue_repair_slot(repair);
    }
}


/* Redis took it and may not have it any more. */

static bool
queue_repair_tell(queue_t *queue, const queue_repair_told_t *told)
{
    bool              is_taken;
    redisReply       *reply;
    queue_command_t   command;

    chorus_arena_reset(queue->arena);

    queue_fcall_replication(queue, &command, "chorus_doubt",
                            told->replication, 3);
    queue_command_text(&command, queue->rechecks);
    queue_command_add(&command, told->key);
    queue_command_i64(&command, told->doubts);

    reply = queue_command_call(&command, queue->connection.redis);
    is_taken = reply != NULL && reply->type == REDIS_REPLY_INTEGER;

    if (!is_taken) {
        queue_connection_error(&queue->connection, reply, "chorus_doubt");
    }

    freeReplyObject(reply);

    return is_taken;
}


static bool
queue_repair_tell_all(queue_t *queue)
{
    size_t                i;
    queue_repair_told_t  *told;

    for (i = 0; i < QUEUE_REPAIR_TOLD_MAX; i++) {
        told = &queue->repair.told[i];

        if (told->replication.data == NULL
            || told->told_ms < queue->repair.alive_ms
                               - CHORUS_REDIS_WINDOW_MS)
        {
            continue;
        }

        if (!queue_repair_tell(queue, told)
            && !queue->connection.has_library)
        {
            return false;
        }
    }

    return true;
}


/* [is it done, [text...]] */

static void
queue_repair_log(const redisReply *found)
{
    size_t  i;
    char    text[512];

    for (i = 0; i < found->elements && i < QUEUE_REPAIR_LINES; i++) {
        (void) log_escape(text, sizeof(text), (chorus_str_t) {
                              found->element[i]->str,
                              found->element[i]->len });
        log_write(LOG_WARN, "redis: healed %s", text);
    }

    if (found->elements > QUEUE_REPAIR_LINES) {
        log_write(LOG_WARN, "redis: healed %zu keys more",
                  found->elements - QUEUE_REPAIR_LINES);
    }
}


static bool
queue_repair_read(const redisReply *reply, int64_t *is_done)
{
    return reply != NULL && reply->type == REDIS_REPLY_ARRAY
           && reply->elements == 2
           && queue_reply_i64(reply->element[0], is_done)
           && reply->element[1]->type == REDIS_REPLY_ARRAY;
}


static void
queue_repair_is_done(queue_repair_t *repair, const char *run)
{
    memcpy(repair->healed, run, CHORUS_REDIS_RUN_SIZE);
    repair->alive_ms = clock_ms();
}


/* One call; a Redis that refuses it is not asked again, since a worker that
 * claims nothing is worse. */

static bool
queue_repair_step(queue_t *queue, const char *run)
{
    int64_t           is_done;
    redisReply       *reply;
    queue_command_t   command;

    chorus_arena_reset(queue->arena);

    queue_fcall(queue, &command, "chorus_heal", 3, 2);
    queue_command_text(&command, CHORUS_REDIS_HEAL);
    queue_command_text(&command, CHORUS_REDIS_SCHEDULE);
    queue_command_text(&command, CHORUS_REDIS_REPLICATIONS);
    queue_command_text(&command, run);
    queue_command_text(&command, queue->rechecks);

    is_done = 0;
    reply = queue_command_call(&command, queue->connection.redis);

    if (queue_repair_read(reply, &is_done)) {
        queue_repair_log(reply->element[1]);

    } else {
        queue_connection_error(&queue->connection, reply, "chorus_heal");
        is_done = reply != NULL && queue->connection.has_library;
    }

    freeReplyObject(reply);

    if (is_done) {
        queue_repair_is_done(&queue->repair, run);
    }

    return is_done;
}


bool
queue_heal(queue_t *queue)
{
    const char      *run;
    queue_repair_t  *repair;

    run = queue->connection.known.run;
    repair = &queue->repair;

    if (strcmp(repair->healed, run) == 0) {
        repair->alive_ms = clock_ms();
        return true;
    }

    /* another Redis than the one that took them */
    if (repair->healed[0] != '\0' && !queue_repair_tell_all(queue)) {
        return false;
    }

    return queue_repair_step(queue, run);
}
