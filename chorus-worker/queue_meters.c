/*
 * What this worker tells Redis about itself.
 */

#include "meters.h"
#include "queue_internal.h"
#include "queue_meters.h"

#define QUEUE_METERS_ARGS     4         /* of the worker */
#define QUEUE_METERS_STORAGE  4         /* of each storage */


bool
queue_meters(queue_t *queue, bool is_leaving)
{
    bool               is_taken;
    size_t             i, n;
    redisReply        *reply;
    queue_command_t    command;
    meters_storage_t   rows[METERS_STORAGES_MAX];

    chorus_arena_reset(queue->arena);
    n = is_leaving ? 0 : meters_read(rows);

    queue_fcall(queue, &command, "chorus_worker_report", 2,
                QUEUE_METERS_ARGS + n * QUEUE_METERS_STORAGE);
    queue_command_text(&command, CHORUS_REDIS_WORKERS);
    queue_command_text(&command, CHORUS_REDIS_WORKERS_ALIVE);
    queue_command_text(&command, queue->worker_id);
    queue_command_i64(&command, is_leaving ? 1 : 0);
    queue_command_i64(&command, meters_slots());
    queue_command_i64(&command, meters_busy());

    for (i = 0; i < n; i++) {
        queue_command_add(&command, rows[i].storage);
        queue_command_i64(&command, (int64_t) rows[i].requests);
        queue_command_i64(&command, (int64_t) rows[i].errors);
        queue_command_i64(&command, (int64_t) rows[i].throttles);
    }

    reply = queue_command_call(&command, queue->connection.redis);
    is_taken = reply != NULL && reply->type != REDIS_REPLY_ERROR;

    if (!is_taken) {
        queue_connection_error(&queue->connection, reply,
                               "chorus_worker_report");
    }

    freeReplyObject(reply);

    return is_taken;
}


bool
queue_history(queue_t *queue)
{
    bool              is_taken;
    redisReply       *reply;
    queue_command_t   command;

    chorus_arena_reset(queue->arena);

    queue_fcall(queue, &command, "chorus_history_take", 3, 0);
    queue_command_text(&command, CHORUS_REDIS_HISTORY);
    queue_command_text(&command, CHORUS_REDIS_HISTORY_ALL);
    queue_command_text(&command, CHORUS_REDIS_REPLICATIONS);

    reply = queue_command_call(&command, queue->connection.redis);
    is_taken = reply != NULL && reply->type != REDIS_REPLY_ERROR;

    if (!is_taken) {
        queue_connection_error(&queue->connection, reply,
                               "chorus_history_take");
    }

    freeReplyObject(reply);

    return is_taken;
}
