#include <string.h>

#include "queue_ask.h"
#include "queue_internal.h"


/* { id, ms that are left, question } or nil */

bool
queue_ask_take(queue_t *queue, chorus_mem_t *mem, int64_t lease_ms,
    queue_ask_t *ask)
{
    redisReply       *reply;
    queue_command_t   command;

    memset(ask, 0, sizeof(queue_ask_t));
    chorus_arena_reset(queue->arena);

    queue_fcall(queue, &command, "chorus_ask_take", 1, 1);
    queue_command_text(&command, CHORUS_REDIS_ASKS);
    queue_command_i64(&command, lease_ms);

    reply = queue_call(queue, &command, "chorus_ask_take");

    if (reply != NULL && reply->type == REDIS_REPLY_ARRAY
        && reply->elements == 3)
    {
        ask->id = queue_reply_str(mem, reply->element[0]);
        ask->question = queue_reply_str(mem, reply->element[2]);
        (void) chorus_str_to_u64(queue_reply_str(mem, reply->element[1]),
                                 &ask->left_ms);
    }

    freeReplyObject(reply);

    return reply != NULL;
}


bool
queue_ask_answer(queue_t *queue, chorus_str_t id, chorus_str_t answer)
{
    redisReply       *reply;
    queue_command_t   command;

    chorus_arena_reset(queue->arena);

    queue_fcall(queue, &command, "chorus_ask_answer", 2, 2);
    queue_command_text(&command, CHORUS_REDIS_ASKS);
    queue_command_text(&command, CHORUS_REDIS_ANSWERS);
    queue_command_add(&command, id);
    queue_command_add(&command, answer);

    reply = queue_call(queue, &command, "chorus_ask_answer");
    freeReplyObject(reply);

    return reply != NULL;
}
