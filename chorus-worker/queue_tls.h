/*
 * TLS on a connection of queue_dial.c.
 */

#ifndef QUEUE_TLS_H
#define QUEUE_TLS_H

#include <stdbool.h>

#include <hiredis/hiredis.h>

#include "chorus_redis_tls.h"
#include "chorus_str.h"


/* Shakes hands, within the timeout of `redis`, with a peer whose certificate
 * has that name, terminated by NUL.  false: it is redis->errstr why, nothing
 * was sent, and `redis` is only good for redisFree(). */
bool queue_tls_start(redisContext *redis, chorus_redis_tls_t *tls,
    chorus_str_t name);

/* Why a call failed: OpenSSL knows better than hiredis if it was TLS that
 * did.  Good until the next call. */
const char *queue_tls_why(const redisContext *redis);


#endif
