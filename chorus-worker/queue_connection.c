#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/rand.h>

#include "chorus_crypto.h"
#include "chorus_library.h"
#include "clock.h"
#include "log.h"
#include "queue_connection.h"
#include "queue_dial.h"
#include "queue_tls.h"

#define QUEUE_BACKOFF_MIN_MS     100
#define QUEUE_BACKOFF_MAX_MS     2000
#define QUEUE_LOOK_MS            2000
#define QUEUE_WHERE_SIZE         256


void
queue_connection_close(queue_connection_t *connection)
{
    if (connection->redis != NULL) {
        redisFree(connection->redis);
        connection->redis = NULL;
    }

    if (connection->wake != NULL) {
        redisFree(connection->wake);
        connection->wake = NULL;
    }

    connection->has_library = false;
}


/* As redis.url has it, without the login. */

static void
queue_connection_where(const chorus_redis_url_t *url, char *where, size_t size)
{
    if (url->nsentinels != 0) {
        (void) snprintf(where, size, "service %.*s", chorus_fmt(url->service));

    } else if (url->unix_path.len != 0) {
        (void) snprintf(where, size, "%.*s", chorus_fmt(url->unix_path));

    } else {
        (void) snprintf(where, size, "%.*s:%u", chorus_fmt(url->host),
                        (unsigned) url->port);
    }
}


void
queue_connection_lost(queue_connection_t *connection, const char *why)
{
    char          where[QUEUE_WHERE_SIZE];
    const char   *hint;
    log_level_t   level;

    level = log_once_a_minute(chorus_str("redis away"))
            || !connection->was_lost ? LOG_ERROR : LOG_DEBUG;

    hint = chorus_redis_hint(why);
    queue_connection_where(&connection->url, where, sizeof(where));

    log_write(level, "redis: %s (%s%s%s)", why, where,
              hint != NULL ? "; " : "", hint != NULL ? hint : "");

    queue_connection_close(connection);

    if (!connection->was_lost) {
        connection->delay_ms = QUEUE_BACKOFF_MIN_MS;

    } else if (connection->delay_ms < QUEUE_BACKOFF_MAX_MS) {
        connection->delay_ms *= 2;
    }

    connection->was_lost = true;
    connection->retry_ms = clock_ms() + connection->delay_ms / 2
        + (int64_t) clock_dice((uint64_t) connection->delay_ms / 2 + 1);
}


static redisContext *
queue_connection_open(queue_connection_t *connection)
{
    char           error[QUEUE_ERROR_SIZE];
    redisContext  *redis;

    redis = queue_dial(&connection->url, connection->tls,
                       &connection->sentinel, connection->mem,
                       &connection->seen, error);

    if (redis == NULL) {
        queue_connection_lost(connection, error);
    }

    return redis;
}


static bool
queue_connection_subscribe(queue_connection_t *connection)
{
    char              error[QUEUE_ERROR_SIZE];
    queue_command_t   command;

    connection->wake = queue_connection_open(connection);
    if (connection->wake == NULL) {
        return false;
    }

    queue_command_begin(&command, connection->mem, 2);
    queue_command_text(&command, "SUBSCRIBE");
    queue_command_text(&command, CHORUS_REDIS_WAKE);

    if (queue_dial_tell(connection->wake, &command, error)) {
        return true;
    }

    queue_connection_lost(connection, error);

    return false;
}


/* 0: not there; -1: the connection failed */

static int64_t
queue_connection_library_version(queue_connection_t *connection)
{
    int64_t           version;
    redisReply       *reply;
    queue_command_t   command;

    queue_command_begin(&command, connection->mem, 3);
    queue_command_text(&command, "FCALL");
    queue_command_text(&command, "chorus_version");
    queue_command_text(&command, "0");

    reply = queue_command_call(&command, connection->redis);
    if (reply == NULL) {
        queue_connection_lost(connection, queue_tls_why(connection->redis));
        return -1;
    }

    version = 0;

    if (reply->type == REDIS_REPLY_ERROR
        && strstr(reply->str, "Function not found") == NULL)
    {
        queue_connection_lost(connection, reply->str);
        version = -1;

    } else if (!queue_reply_i64(reply, &version)) {
        version = 0;
    }

    freeReplyObject(reply);

    return version;
}


static bool
queue_connection_load_library(queue_connection_t *connection)
{
    char              error[QUEUE_ERROR_SIZE];
    queue_command_t   command;

    queue_command_begin(&command, connection->mem, 4);
    queue_command_text(&command, "FUNCTION");
    queue_command_text(&command, "LOAD");
    queue_command_text(&command, "REPLACE");
    queue_command_add(&command, (chorus_str_t) { chorus_library_text,
                                                 chorus_library_len });

    if (!queue_dial_tell(connection->redis, &command, error)) {
        queue_connection_lost(connection, error);
        return false;
    }

    log_write(LOG_INFO, "redis: loaded the function library, version %d",
              CHORUS_LIBRARY_VERSION);

    return true;
}


/* Also of one that was good: FUNCTION FLUSH, and an older program that comes
 * by first, would leave functions that take other arguments. */

static bool
queue_connection_check_library(queue_connection_t *connection)
{
    int64_t  version;

    version = queue_connection_library_version(connection);
    if (version < 0) {
        return false;
    }

    if (version > CHORUS_LIBRARY_VERSION && !connection->has_library) {
        log_write(LOG_WARN, "redis: the function library has version %"
                  PRId64 ", this worker was made for %d", version,
                  CHORUS_LIBRARY_VERSION);
    }

    connection->has_library = version >= CHORUS_LIBRARY_VERSION
                              || queue_connection_load_library(connection);

    return connection->has_library;
}


static bool
queue_connection_take_generation(queue_connection_t *connection,
    const redisReply *reply)
{
    redisReply  **part;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3) {
        return false;
    }

    part = reply->element;

    return part[0]->type == REDIS_REPLY_STRING
           && part[1]->type == REDIS_REPLY_INTEGER
           && part[2]->type == REDIS_REPLY_INTEGER
           && chorus_redis_take_generation(&connection->seen,
                            (chorus_str_t) { part[0]->str, part[0]->len },
                            part[1]->integer, part[2]->integer);
}


static bool
queue_connection_read_generation(queue_connection_t *connection)
{
    bool              is_read;
    char              candidate[CHORUS_REDIS_GENERATION_LEN + 1];
    redisReply       *reply;
    unsigned char     bytes[CHORUS_REDIS_GENERATION_LEN / 2];
    queue_command_t   command;

    if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
        queue_connection_lost(connection, "no random bytes");
        return false;
    }

    chorus_redis_generation(bytes, candidate);

    queue_command_begin(&command, connection->mem, 9);
    queue_command_text(&command, "FCALL");
    queue_command_text(&command, "chorus_generation");
    queue_command_text(&command, "3");
    queue_command_text(&command, CHORUS_REDIS_GENERATION);
    queue_command_text(&command, CHORUS_REDIS_OWED);
    queue_command_text(&command, CHORUS_REDIS_ALIVE);
    queue_command_text(&command, candidate);
    queue_command_text(&command, connection->seen.run);
    queue_command_text(&command, connection->known.run);

    reply = queue_command_call(&command, connection->redis);

    is_read = reply != NULL && queue_connection_take_generation(connection,
                                                                reply);

    if (!is_read) {
        queue_connection_error(connection, reply, "chorus_generation");
    }

    freeReplyObject(reply);

    return is_read;
}


/* What a Redis without memory does not know, only a scan finds.  The proxies
 * say it of each replication they know; this says that there may be more. */

static bool
queue_connection_owe(queue_connection_t *connection)
{
    char              error[QUEUE_ERROR_SIZE];
    queue_command_t   command;

    if (!connection->owes_all) {
        return true;
    }

    queue_command_begin(&command, connection->mem, 6);
    queue_command_text(&command, "FCALL");
    queue_command_text(&command, "chorus_owe_all");
    queue_command_text(&command, "1");
    queue_command_text(&command, CHORUS_REDIS_OWED);
    queue_command_text(&command, "forgotten");
    queue_command_text(&command, "0");

    if (!queue_dial_tell(connection->redis, &command, error)) {
        queue_connection_lost(connection, error);
        return false;
    }

    connection->owes_all = false;

    return true;
}


/* Whether this Redis has what we told the one before.  Leases need no care:
 * Redis refuses reports that it has no lease of, and marks their keys. */

static bool
queue_connection_recognize(queue_connection_t *connection)
{
    if (!queue_connection_read_generation(connection)) {
        return false;
    }

    switch (chorus_redis_compare(&connection->known, &connection->seen)) {

    case CHORUS_REDIS_SAME:
        break;

    case CHORUS_REDIS_LOST_TAIL:
        log_write(LOG_WARN, "redis: restarted or failed over, its last "
                  "seconds may be lost; what is running is synced again "
                  "if need be");
        break;

    case CHORUS_REDIS_LOST_MORE:
        log_write(LOG_ERROR, "redis: it came back with an older state; the "
                  "buckets owe a scan");
        connection->owes_all = true;
        break;

    case CHORUS_REDIS_LOST_ALL:
        log_write(LOG_ERROR, "redis: it was emptied; the buckets owe a scan");
        connection->owes_all = true;
        break;
    }

    connection->known = connection->seen;
    connection->look_ms = clock_ms() + QUEUE_LOOK_MS;

    return queue_connection_owe(connection);
}


static bool
queue_connection_look(queue_connection_t *connection)
{
    char  error[QUEUE_ERROR_SIZE];

    if (!queue_dial_look(connection->redis, connection->mem,
                         &connection->seen, error))
    {
        queue_connection_lost(connection, error);
        return false;
    }

    return queue_connection_check_library(connection)
           && queue_connection_recognize(connection);
}


bool
queue_connection_ready(queue_connection_t *connection)
{
    if (connection->has_library && clock_ms() < connection->look_ms) {
        return true;
    }

    if (connection->has_library) {
        return queue_connection_look(connection);
    }

    if (clock_ms() < connection->retry_ms) {
        return false;
    }

    if (connection->redis == NULL) {
        connection->redis = queue_connection_open(connection);
        if (connection->redis == NULL
            || !queue_connection_subscribe(connection))
        {
            return false;
        }
    }

    if (!queue_connection_check_library(connection)
        || !queue_connection_recognize(connection))
    {
        return false;
    }

    if (connection->was_lost) {
        log_write(LOG_INFO, "redis: connected");
    }

    connection->was_lost = false;

    return true;
}


void
queue_connection_error(queue_connection_t *connection,
    const redisReply *reply, const char *call)
{
    if (reply == NULL) {
        /* else that has been told, by a call of the same round */
        if (connection->redis != NULL) {
            queue_connection_lost(connection,
                                  queue_tls_why(connection->redis));
        }
        return;
    }

    if (reply->type != REDIS_REPLY_ERROR) {
        log_write(LOG_ERROR, "redis: %s: unexpected reply", call);
        connection->retry_ms = clock_ms() + QUEUE_BACKOFF_MAX_MS;
        return;
    }

    if (strstr(reply->str, "Function not found") != NULL) {
        /* a Redis that was emptied: load it at once */
        connection->has_library = false;
        connection->retry_ms = 0;
        return;
    }

    if (strncmp(reply->str, "ERR", 3) != 0) {
        /* LOADING, READONLY, MASTERDOWN, NOAUTH, OOM ... */
        queue_connection_lost(connection, reply->str);
        return;
    }

    if (log_once_a_minute(chorus_str_from(call))) {
        log_write(LOG_ERROR, "redis: %s: %s", call, reply->str);
    }
}
