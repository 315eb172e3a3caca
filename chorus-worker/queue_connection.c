#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "chorus_crypto.h"
#include "chorus_library.h"
#include "clock.h"
#include "log.h"
#include "queue_connection.h"

#define QUEUE_CONNECT_TIMEOUT_S  2
#define QUEUE_COMMAND_TIMEOUT_S  5
#define QUEUE_BACKOFF_MIN_MS     100
#define QUEUE_BACKOFF_MAX_MS     2000
#define QUEUE_HOST_SIZE          256


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


void
queue_connection_lost(queue_connection_t *connection, const char *why)
{
    log_level_t  level;

    level = log_once_a_minute(chorus_str("redis away"))
            || !connection->was_lost ? LOG_ERROR : LOG_DEBUG;

    log_write(level, "redis: %s", why);

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
queue_connection_dial(const chorus_redis_url_t *url)
{
    char            name[QUEUE_HOST_SIZE];
    chorus_str_t    where;
    struct timeval  timeout = { QUEUE_CONNECT_TIMEOUT_S, 0 };

    where = url->unix_path.len != 0 ? url->unix_path : url->host;

    if (where.len >= sizeof(name)) {
        return NULL;
    }

    memcpy(name, where.data, where.len);
    name[where.len] = '\0';

    return url->unix_path.len != 0
           ? redisConnectUnixWithTimeout(name, timeout)
           : redisConnectWithTimeout(name, url->port, timeout);
}


/* AUTH, SELECT and the like: true when Redis said OK */

static bool
queue_connection_tell(queue_connection_t *connection, redisContext *redis,
    queue_command_t *command, char *error, size_t error_size)
{
    bool         is_ok;
    redisReply  *reply;

    (void) connection;

    reply = queue_command_call(command, redis);
    if (reply == NULL) {
        (void) snprintf(error, error_size, "%s", redis->errstr);
        return false;
    }

    is_ok = reply->type != REDIS_REPLY_ERROR;
    if (!is_ok) {
        (void) snprintf(error, error_size, "%s", reply->str);
    }

    freeReplyObject(reply);

    return is_ok;
}


static bool
queue_connection_greet(queue_connection_t *connection, redisContext *redis,
    char *error, size_t error_size)
{
    queue_command_t            command;
    const chorus_redis_url_t  *url;

    url = &connection->url;

    if (url->password.len != 0) {
        queue_command_begin(&command, connection->mem, 3);
        queue_command_text(&command, "AUTH");
        if (url->user.len != 0) {
            queue_command_add(&command, url->user);
        }
        queue_command_add(&command, url->password);

        if (!queue_connection_tell(connection, redis, &command, error,
                                   error_size))
        {
            return false;
        }
    }

    if (url->database != 0) {
        queue_command_begin(&command, connection->mem, 2);
        queue_command_text(&command, "SELECT");
        queue_command_i64(&command, url->database);

        return queue_connection_tell(connection, redis, &command, error,
                                     error_size);
    }

    return true;
}


static redisContext *
queue_connection_open(queue_connection_t *connection)
{
    char            error[256];
    redisContext   *redis;
    struct timeval  timeout = { QUEUE_COMMAND_TIMEOUT_S, 0 };

    redis = queue_connection_dial(&connection->url);

    if (redis == NULL || redis->err != 0) {
        (void) snprintf(error, sizeof(error), "cannot connect: %s",
                        redis == NULL ? "out of memory" : redis->errstr);

    } else if (redisSetTimeout(redis, timeout) == REDIS_OK
               && queue_connection_greet(connection, redis, error,
                                         sizeof(error)))
    {
        (void) redisEnableKeepAlive(redis);
        return redis;
    }

    if (redis != NULL) {
        redisFree(redis);
    }

    queue_connection_lost(connection, error);

    return NULL;
}


static bool
queue_connection_subscribe(queue_connection_t *connection)
{
    char              error[256];
    queue_command_t   command;

    connection->wake = queue_connection_open(connection);
    if (connection->wake == NULL) {
        return false;
    }

    queue_command_begin(&command, connection->mem, 2);
    queue_command_text(&command, "SUBSCRIBE");
    queue_command_text(&command, CHORUS_REDIS_WAKE);

    if (queue_connection_tell(connection, connection->wake, &command, error,
                              sizeof(error)))
    {
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
        queue_connection_lost(connection, connection->redis->errstr);
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
    char              error[256];
    queue_command_t   command;

    queue_command_begin(&command, connection->mem, 4);
    queue_command_text(&command, "FUNCTION");
    queue_command_text(&command, "LOAD");
    queue_command_text(&command, "REPLACE");
    queue_command_add(&command, (chorus_str_t) { chorus_library_text,
                                                 chorus_library_len });

    if (!queue_connection_tell(connection, connection->redis, &command,
                               error, sizeof(error)))
    {
        queue_connection_lost(connection, error);
        return false;
    }

    log_write(LOG_INFO, "redis: loaded the function library, version %d",
              CHORUS_LIBRARY_VERSION);

    return true;
}


static bool
queue_connection_check_library(queue_connection_t *connection)
{
    int64_t  version;

    version = queue_connection_library_version(connection);
    if (version < 0) {
        return false;
    }

    if (version > CHORUS_LIBRARY_VERSION) {
        log_write(LOG_WARN, "redis: the function library has version %"
                  PRId64 ", this worker was made for %d", version,
                  CHORUS_LIBRARY_VERSION);
    }

    connection->has_library = version >= CHORUS_LIBRARY_VERSION
                              || queue_connection_load_library(connection);

    return connection->has_library;
}


bool
queue_connection_ready(queue_connection_t *connection)
{
    if (connection->has_library) {
        return true;
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

    if (!queue_connection_check_library(connection)) {
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
        queue_connection_lost(connection, connection->redis->errstr);
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
