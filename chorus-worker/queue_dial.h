/*
 * A connection to the Redis that takes writes: the one of the URL, or the one
 * that a sentinel names; logged in, in the right database.
 */

#ifndef QUEUE_DIAL_H
#define QUEUE_DIAL_H

#include <stdbool.h>
#include <stddef.h>

#include <hiredis/hiredis.h>

#include "chorus_config.h"
#include "chorus_redis.h"
#include "chorus_redis_tls.h"
#include "queue_command.h"

#define QUEUE_ERROR_SIZE  256


/* NULL with a text in `error`, of QUEUE_ERROR_SIZE bytes.  With a `tls` (NULL:
 * none) both Redis and sentinels are only met by TLS.  Asks one sentinel,
 * the one of *sentinel, which moves on so that the next call asks another.
 * *seen gets what INFO says. */
redisContext *queue_dial(const chorus_redis_url_t *url,
    chorus_redis_tls_t *tls, size_t *sentinel, chorus_mem_t *mem,
    chorus_redis_identity_t *seen, char *error);

/* Sends a command; false, with the text, when that failed or Redis answered
 * with an error. */
bool queue_dial_tell(redisContext *redis, queue_command_t *command,
    char *error);

/* INFO: false when the other side is not a master. */
bool queue_dial_look(redisContext *redis, chorus_mem_t *mem,
    chorus_redis_identity_t *seen, char *error);


#endif
