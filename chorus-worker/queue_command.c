#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "queue_command.h"


void
queue_command_begin(queue_command_t *command, chorus_mem_t *mem, size_t size)
{
    command->mem = mem;
    command->n = 0;
    command->size = size;
    command->argv = chorus_alloc(mem, size * sizeof(char *));
    command->lengths = chorus_alloc(mem, size * sizeof(size_t));
    command->has_failed = command->argv == NULL || command->lengths == NULL;
}


void
queue_command_add(queue_command_t *command, chorus_str_t arg)
{
    if (command->has_failed || command->n == command->size) {
        command->has_failed = true;
        return;
    }

    command->argv[command->n] = arg.len == 0 ? "" : arg.data;
    command->lengths[command->n++] = arg.len;
}


void
queue_command_text(queue_command_t *command, const char *arg)
{
    queue_command_add(command, chorus_str_from(arg));
}


void
queue_command_i64(queue_command_t *command, int64_t arg)
{
    int           n;
    char          text[32];
    chorus_str_t  copy;

    n = snprintf(text, sizeof(text), "%" PRId64, arg);
    copy = chorus_str_dup(command->mem, (chorus_str_t) { text, (size_t) n });

    if (copy.data == NULL) {
        command->has_failed = true;
        return;
    }

    queue_command_add(command, copy);
}


bool
queue_command_append(queue_command_t *command, redisContext *redis)
{
    return redis != NULL && !command->has_failed && command->n <= INT_MAX
           && redisAppendCommandArgv(redis, (int) command->n, command->argv,
                                     command->lengths) == REDIS_OK;
}


redisReply *
queue_command_call(queue_command_t *command, redisContext *redis)
{
    void  *reply;

    if (!queue_command_append(command, redis)
        || redisGetReply(redis, &reply) != REDIS_OK)
    {
        return NULL;
    }

    return reply;
}


chorus_str_t
queue_reply_str(chorus_mem_t *mem, const redisReply *reply)
{
    int   n;
    char  text[32];

    if (reply->type == REDIS_REPLY_STRING
        || reply->type == REDIS_REPLY_STATUS)
    {
        return chorus_str_dup(mem, (chorus_str_t) { reply->str, reply->len });
    }

    if (reply->type == REDIS_REPLY_INTEGER) {
        n = snprintf(text, sizeof(text), "%lld", reply->integer);
        return chorus_str_dup(mem, (chorus_str_t) { text, (size_t) n });
    }

    return chorus_null_str;
}


bool
queue_reply_i64(const redisReply *reply, int64_t *value)
{
    uint64_t  number;

    if (reply->type == REDIS_REPLY_INTEGER) {
        *value = reply->integer;
        return true;
    }

    if (reply->type != REDIS_REPLY_STRING
        || !chorus_str_to_u64((chorus_str_t) { reply->str, reply->len },
                              &number)
        || number > INT64_MAX)
    {
        return false;
    }

    *value = (int64_t) number;

    return true;
}
