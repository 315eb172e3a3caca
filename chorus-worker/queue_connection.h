/*
 * Two connections to Redis: one for commands, one that waits for the channel
 * chorus:wake.  Either of them failing closes both.
 */

#ifndef QUEUE_CONNECTION_H
#define QUEUE_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include <hiredis/hiredis.h>

#include "chorus_config.h"
#include "chorus_redis.h"
#include "chorus_redis_tls.h"
#include "queue_command.h"


typedef struct {
    chorus_redis_url_t        url;          /* strings live as long as we */
    chorus_redis_tls_t       *tls;          /* NULL: none; not ours */
    chorus_mem_t             *mem;          /* of one call */
    redisContext             *redis;        /* NULL: closed */
    redisContext             *wake;
    bool                      has_library;
    bool                      was_lost;
    int64_t                   retry_ms;     /* clock_ms() of the next try */
    int64_t                   delay_ms;
    int64_t                   look_ms;      /* and of the next look */
    size_t                    sentinel;     /* asked next */
    chorus_redis_identity_t   known;        /* that gave us our leases */
    chorus_redis_identity_t   seen;
    bool                      owes_all;     /* Redis is to be told */
} queue_connection_t;


/* Opens what is closed, when the back-off allows it, and loads the library.
 * Now and then looks whether Redis is still the one that it was. */
bool queue_connection_ready(queue_connection_t *connection);
void queue_connection_close(queue_connection_t *connection);

/* Closes, says why in the log, and sets the time of the next try. */
void queue_connection_lost(queue_connection_t *connection, const char *why);

/* A reply that is an error, or NULL: does what it asks for (loads the library
 * next time, connects again, just logs).  Does not free it. */
void queue_connection_error(queue_connection_t *connection,
    const redisReply *reply, const char *call);


#endif
