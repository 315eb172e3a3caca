#include <stdio.h>
#include <string.h>

#include "log.h"
#include "queue_dial.h"
#include "queue_tls.h"

#define DIAL_CONNECT_TIMEOUT_S  2
#define DIAL_SENTINEL_TIMEOUT_S 2
#define DIAL_COMMAND_TIMEOUT_S  5


static void
dial_error(char *error, const char *what, const char *why)
{
    (void) snprintf(error, QUEUE_ERROR_SIZE, "%s%s", what, why);
}


/* `expected` is whom TLS is to meet there, if there is TLS; names end with
 * NUL: the loader and queue_create() copy them so. */

static bool
dial_prepare(redisContext *redis, chorus_redis_tls_t *tls,
    chorus_str_t expected, int limit_s)
{
    struct timeval  connect = { DIAL_CONNECT_TIMEOUT_S, 0 };
    struct timeval  command = { limit_s, 0 };

    if (redis->err != 0
        || (tls != NULL && (redisSetTimeout(redis, connect) != REDIS_OK
                            || !queue_tls_start(redis, tls, expected)))
        || redisSetTimeout(redis, command) != REDIS_OK)
    {
        return false;
    }

    (void) redisEnableKeepAlive(redis);

    return true;
}


static redisContext *
dial_host(const chorus_redis_host_t *host, bool is_unix,
    chorus_redis_tls_t *tls, chorus_str_t expected, int limit_s,
    const char *what, char *error)
{
    redisContext    *redis;
    struct timeval   connect = { DIAL_CONNECT_TIMEOUT_S, 0 };

    redis = is_unix ? redisConnectUnixWithTimeout(host->name.data, connect)
                    : redisConnectWithTimeout(host->name.data, host->port,
                                              connect);

    if (redis == NULL) {
        dial_error(error, what, "out of memory");
        return NULL;
    }

    if (dial_prepare(redis, tls, expected, limit_s)) {
        return redis;
    }

    dial_error(error, what, redis->errstr);
    redisFree(redis);

    return NULL;
}


bool
queue_dial_tell(redisContext *redis, queue_command_t *command, char *error)
{
    bool         is_ok;
    redisReply  *reply;

    reply = queue_command_call(command, redis);
    if (reply == NULL) {
        dial_error(error, "", queue_tls_why(redis));
        return false;
    }

    is_ok = reply->type != REDIS_REPLY_ERROR;
    if (!is_ok) {
        dial_error(error, "", reply->str);
    }

    freeReplyObject(reply);

    return is_ok;
}


static bool
dial_login(redisContext *redis, chorus_mem_t *mem, chorus_str_t user,
    chorus_str_t password, char *error)
{
    queue_command_t  command;

    if (password.len == 0) {
        return true;
    }

    queue_command_begin(&command, mem, 3);
    queue_command_text(&command, "AUTH");
    if (user.len != 0) {
        queue_command_add(&command, user);
    }
    queue_command_add(&command, password);

    return queue_dial_tell(redis, &command, error);
}


/* [address, port], or nil for a name that it does not watch */

static bool
dial_read_master(const redisReply *reply, chorus_mem_t *mem,
    chorus_redis_host_t *master, char *error)
{
    int64_t  port;

    if (reply->type == REDIS_REPLY_NIL) {
        dial_error(error, "sentinel: ", "it does not know the service of "
                   "redis.url");
        return false;
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2
        || !queue_reply_i64(reply->element[1], &port)
        || port < 1 || port > 65535)
    {
        dial_error(error, "sentinel: ", reply->type == REDIS_REPLY_ERROR
                                        ? reply->str : "unexpected reply");
        return false;
    }

    master->name = queue_reply_str(mem, reply->element[0]);
    master->port = (uint16_t) port;

    if (master->name.data == NULL) {
        dial_error(error, "sentinel: ", "unexpected reply");
        return false;
    }

    return true;
}


static bool
dial_ask(const chorus_redis_url_t *url, chorus_redis_tls_t *tls,
    size_t sentinel, chorus_mem_t *mem, chorus_redis_host_t *master,
    char *error)
{
    bool                        is_known;
    redisReply                 *reply;
    redisContext               *redis;
    queue_command_t             command;
    const chorus_redis_host_t  *host;

    host = &url->sentinels[sentinel % url->nsentinels];

    redis = dial_host(host, false, tls, host->name, DIAL_SENTINEL_TIMEOUT_S,
                      "sentinel: ", error);
    if (redis == NULL) {
        return false;
    }

    is_known = dial_login(redis, mem, url->sentinel_user,
                          url->sentinel_password, error);

    if (is_known) {
        queue_command_begin(&command, mem, 3);
        queue_command_text(&command, "SENTINEL");
        queue_command_text(&command, "get-master-addr-by-name");
        queue_command_add(&command, url->service);

        reply = queue_command_call(&command, redis);

        if (reply == NULL) {
            dial_error(error, "sentinel: ", queue_tls_why(redis));
            is_known = false;

        } else {
            is_known = dial_read_master(reply, mem, master, error);
        }

        freeReplyObject(reply);
    }

    redisFree(redis);

    return is_known;
}


/* Debian's default.  One that is loading says so, too.  Once is enough; only
 * the one thread that speaks to Redis comes here. */

static void
dial_warn_of_snapshots(chorus_str_t info)
{
    static bool  is_told;

    if (!is_told
        && chorus_str_eq(chorus_redis_info(info, chorus_str("loading")),
                         chorus_str("0"))
        && chorus_str_eq(chorus_redis_info(info, chorus_str("aof_enabled")),
                         chorus_str("0")))
    {
        is_told = true;
        log_write(LOG_WARN, "redis: it has no append-only file: when it "
                  "restarts it forgets changes that no scan is owed for; "
                  "set appendonly yes");
    }
}


bool
queue_dial_look(redisContext *redis, chorus_mem_t *mem,
    chorus_redis_identity_t *seen, char *error)
{
    bool              is_master;
    redisReply       *reply;
    queue_command_t   command;

    queue_command_begin(&command, mem, 4);
    queue_command_text(&command, "INFO");
    queue_command_text(&command, "server");
    queue_command_text(&command, "replication");
    queue_command_text(&command, "persistence");

    reply = queue_command_call(&command, redis);
    if (reply == NULL) {
        dial_error(error, "", queue_tls_why(redis));
        return false;
    }

    is_master = reply->type == REDIS_REPLY_STRING
                && chorus_redis_take_info(seen,
                           (chorus_str_t) { reply->str, reply->len });

    if (is_master) {
        dial_warn_of_snapshots((chorus_str_t) { reply->str, reply->len });
    }

    if (!is_master) {
        dial_error(error, "", reply->type == REDIS_REPLY_ERROR
                              ? reply->str
                              : "READONLY, this is not a master");
    }

    freeReplyObject(reply);

    return is_master;
}


static bool
dial_greet(const chorus_redis_url_t *url, redisContext *redis,
    chorus_mem_t *mem, chorus_redis_identity_t *seen, char *error)
{
    queue_command_t  command;

    if (!dial_login(redis, mem, url->user, url->password, error)) {
        return false;
    }

    if (url->database != 0) {
        queue_command_begin(&command, mem, 2);
        queue_command_text(&command, "SELECT");
        queue_command_i64(&command, url->database);

        if (!queue_dial_tell(redis, &command, error)) {
            return false;
        }
    }

    return queue_dial_look(redis, mem, seen, error);
}


redisContext *
queue_dial(const chorus_redis_url_t *url, chorus_redis_tls_t *tls,
    size_t *sentinel, chorus_mem_t *mem, chorus_redis_identity_t *seen,
    char *error)
{
    bool                  is_unix;
    chorus_str_t          expected;
    redisContext         *redis;
    chorus_redis_host_t   host;

    is_unix = url->unix_path.len != 0;
    host.name = is_unix ? url->unix_path : url->host;
    host.port = url->port;

    if (url->nsentinels != 0
        && !dial_ask(url, tls, (*sentinel)++, mem, &host, error))
    {
        return NULL;
    }

    expected = url->tls_name.len != 0 ? url->tls_name : host.name;

    redis = dial_host(&host, is_unix, tls, expected, DIAL_COMMAND_TIMEOUT_S,
                      "cannot connect: ", error);

    if (redis != NULL && !dial_greet(url, redis, mem, seen, error)) {
        redisFree(redis);
        return NULL;
    }

    return redis;
}
