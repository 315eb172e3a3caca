/*
 * The limits of storages: one call for all of them.
 */

#include "clock.h"
#include "queue_internal.h"
#include "rate.h"

#define QUEUE_RATE_ARGS  4              /* of one thing to ask for */


static bool
queue_read_rate(const redisReply *reply, rate_ask_t *ask)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements >= 3
           && queue_reply_i64(reply->element[0], &ask->limit)
           && queue_reply_i64(reply->element[1], &ask->granted)
           && queue_reply_i64(reply->element[2], &ask->first_us);
}


static bool
queue_read_rates(const redisReply *reply, rate_ask_t *asks, size_t n,
    int64_t *nworkers)
{
    size_t  i;

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || reply->elements != n + 1
        || !queue_reply_i64(reply->element[0], nworkers))
    {
        return false;
    }

    for (i = 0; i < n; i++) {
        if (!queue_read_rate(reply->element[i + 1], &asks[i])) {
            return false;
        }
    }

    return true;
}


bool
queue_rates(queue_t *queue)
{
    bool              is_taken;
    size_t            i, n;
    int64_t           asked_us, nworkers;
    rate_ask_t        asks[RATE_ASKS_MAX];
    redisReply       *reply;
    queue_command_t   command;

    chorus_arena_reset(queue->arena);
    n = rate_asks(asks);

    queue_fcall(queue, &command, "chorus_rates", 3, 1 + n * QUEUE_RATE_ARGS);
    queue_command_text(&command, CHORUS_REDIS_LIMITS);
    queue_command_text(&command, CHORUS_REDIS_RATES);
    queue_command_text(&command, CHORUS_REDIS_RATE_WORKERS);
    queue_command_text(&command, queue->worker_id);

    for (i = 0; i < n; i++) {
        queue_command_add(&command, asks[i].storage);
        queue_command_text(&command, chorus_limit_kinds[asks[i].kind]);
        queue_command_i64(&command, asks[i].configured);
        queue_command_i64(&command, asks[i].wanted);
    }

    asked_us = clock_us();
    reply = queue_command_call(&command, queue->connection.redis);
    is_taken = queue_read_rates(reply, asks, n, &nworkers);

    if (is_taken) {
        rate_answers(asks, n, nworkers, asked_us, clock_us());

    } else {
        queue_connection_error(&queue->connection, reply, "chorus_rates");
    }

    freeReplyObject(reply);

    return is_taken;
}
