#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "queue_internal.h"

#define QUEUE_GROUP_ARGS  6             /* of one key, at most */


/* Functions by which results are told. */
typedef enum {
    QUEUE_DONE = 0,
    QUEUE_FAIL,
    QUEUE_BLOCK,
    QUEUE_RELEASE
} queue_settlement_t;

static const char *const  queue_settlements[] = {
    "chorus_done", "chorus_fail", "chorus_block", "chorus_release"
};


static queue_settlement_t
queue_settlement_of(const task_t *task)
{
    switch (task->result.outcome) {

    case TASK_FAILED:
        return QUEUE_FAIL;

    case TASK_BLOCKED:
        return QUEUE_BLOCK;

    case TASK_RELEASED:
        return QUEUE_RELEASE;

    default:
        return QUEUE_DONE;
    }
}


static int
queue_compare_settlements(const void *one, const void *two)
{
    const task_t        *a, *b;
    queue_settlement_t   first, second;

    a = *(task_t *const *) one;
    b = *(task_t *const *) two;
    first = queue_settlement_of(a);
    second = queue_settlement_of(b);

    if (first != second) {
        return first < second ? -1 : 1;
    }

    return chorus_str_cmp(a->replication, b->replication);
}


/* how many from the first on go into one call */

static size_t
queue_group_len(task_t **tasks, size_t ntasks)
{
    size_t  n;

    for (n = 1; n < ntasks; n++) {
        if (queue_compare_settlements(&tasks[0], &tasks[n]) != 0) {
            break;
        }
    }

    return n;
}


static void
queue_settle_args(queue_command_t *command, const task_t *task)
{
    const task_result_t  *result;

    static const char *const  outcomes[] = { "synced", "deleted", "equal" };

    result = &task->result;

    queue_command_add(command, task->key);
    queue_command_add(command, task->token);

    switch (queue_settlement_of(task)) {

    case QUEUE_DONE:
        queue_command_text(command, outcomes[result->outcome]);
        queue_command_i64(command, (int64_t) result->bytes);
        break;

    case QUEUE_FAIL:
        queue_command_i64(command, result->delay_ms);
        queue_command_text(command, result->code);
        queue_command_text(command, result->reason);
        break;

    case QUEUE_BLOCK:
        queue_command_text(command, result->is_wide ? "all" : "key");
        queue_command_text(command, result->code);
        queue_command_text(command, result->reason);
        break;

    case QUEUE_RELEASE:
        break;
    }

    queue_command_i64(command, result->doubts);
}


static bool
queue_settle_append(queue_t *queue, task_t **tasks, size_t ntasks)
{
    size_t              i;
    queue_command_t     command;
    queue_settlement_t  settlement;

    settlement = queue_settlement_of(tasks[0]);

    queue_fcall_replication(queue, &command, queue_settlements[settlement],
                            tasks[0]->replication,
                            3 + ntasks * QUEUE_GROUP_ARGS);
    queue_command_text(&command, queue->rechecks);

    if (settlement == QUEUE_BLOCK) {
        queue_command_i64(&command, queue->probe_ms);
        queue_command_i64(&command, queue->probe_max_ms);
    }

    for (i = 0; i < ntasks; i++) {
        queue_settle_args(&command, tasks[i]);
    }

    return queue_command_append(&command, queue->connection.redis);
}


/* one reply a group, in the order they were sent */

static bool
queue_settle_reply(queue_t *queue, task_t **tasks, size_t ntasks,
    bool *is_told)
{
    bool         is_taken;
    void        *answer;
    size_t       i;
    redisReply  *reply;

    answer = NULL;

    if (queue->connection.redis == NULL) {
        return false;
    }

    if (redisGetReply(queue->connection.redis, &answer) != REDIS_OK) {
        answer = NULL;
    }

    reply = answer;
    is_taken = reply != NULL && reply->type == REDIS_REPLY_ARRAY;

    if (!is_taken) {
        queue_connection_error(&queue->connection, reply,
                               queue_settlements[
                                   queue_settlement_of(tasks[0])]);
    }

    for (i = 0; i < ntasks; i++) {
        is_told[i] = is_taken;
        if (is_taken) {
            queue_repair_remember(&queue->repair, tasks[i]);
        }
    }

    freeReplyObject(reply);

    return is_taken;
}


bool
queue_settle(queue_t *queue, task_t **tasks, size_t ntasks, bool *is_told)
{
    bool    is_taken;
    size_t  i, n;

    chorus_arena_reset(queue->arena);
    memset(is_told, 0, ntasks * sizeof(bool));
    qsort(tasks, ntasks, sizeof(task_t *), queue_compare_settlements);

    for (i = 0; i < ntasks; i += n) {
        n = queue_group_len(tasks + i, ntasks - i);
        if (!queue_settle_append(queue, tasks + i, n)) {
            queue_connection_lost(&queue->connection, "out of memory");
            return false;
        }
    }

    is_taken = true;

    for (i = 0; i < ntasks; i += n) {
        n = queue_group_len(tasks + i, ntasks - i);
        is_taken = queue_settle_reply(queue, tasks + i, n, is_told + i)
                   && is_taken;
    }

    return is_taken;
}


bool
queue_suspect(queue_t *queue, const task_t *task)
{
    bool              is_taken;
    redisReply       *reply;
    queue_command_t   command;

    chorus_arena_reset(queue->arena);

    queue_fcall_replication(queue, &command, "chorus_mark",
                            task->replication, 4);
    queue_command_text(&command, "event");
    queue_command_text(&command, "0");
    queue_command_text(&command, "0");
    queue_command_add(&command, task->key);

    reply = queue_command_call(&command, queue->connection.redis);
    is_taken = reply != NULL && reply->type == REDIS_REPLY_INTEGER;

    if (!is_taken) {
        queue_connection_error(&queue->connection, reply, "chorus_mark");
    }

    freeReplyObject(reply);

    return is_taken;
}
