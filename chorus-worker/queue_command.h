/*
 * Arguments of one Redis command, binary safe, and its replies.
 */

#ifndef QUEUE_COMMAND_H
#define QUEUE_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hiredis/hiredis.h>

#include "chorus_mem.h"
#include "chorus_str.h"


typedef struct {
    chorus_mem_t  *mem;
    const char   **argv;
    size_t        *lengths;
    size_t         n;
    size_t         size;
    bool           has_failed;      /* out of memory */
} queue_command_t;


void queue_command_begin(queue_command_t *command, chorus_mem_t *mem,
    size_t size);
void queue_command_add(queue_command_t *command, chorus_str_t arg);
void queue_command_text(queue_command_t *command, const char *arg);
void queue_command_i64(queue_command_t *command, int64_t arg);

/* Into the output buffer.  `redis` may be NULL: a connection that the call
 * before this one has lost; false, as with all other failures. */
bool queue_command_append(queue_command_t *command, redisContext *redis);

/* Sends and waits; NULL when the connection failed.  To be freed. */
redisReply *queue_command_call(queue_command_t *command,
    redisContext *redis);

/* Replies as the functions of the library give them: numbers may come as
 * integers or as text. */
chorus_str_t queue_reply_str(chorus_mem_t *mem, const redisReply *reply);
bool queue_reply_i64(const redisReply *reply, int64_t *value);


#endif
