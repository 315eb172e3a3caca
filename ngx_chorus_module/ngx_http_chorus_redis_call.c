/*
 * Calls of functions of the library in Redis, their replies, and what is said
 * in the log of those that fail.
 */

#include "ngx_http_chorus_redis.h"


#define NGX_HTTP_CHORUS_REDIS_REPLY_MS      10000   /* no reply at all */


typedef struct {
    ngx_http_chorus_redis_t        *redis;
    ngx_http_chorus_redis_pt        done;
    void                           *data;
} ngx_http_chorus_redis_call_t;


static void ngx_http_chorus_redis_replied(redisAsyncContext *ac, void *reply,
    void *data);


ngx_int_t
ngx_http_chorus_redis_call(ngx_http_chorus_redis_t *redis, int argc,
    const char **argv, const size_t *lens, ngx_http_chorus_redis_pt done,
    void *data)
{
    ngx_http_chorus_redis_call_t  *call;

    if (redis->state != NGX_HTTP_CHORUS_REDIS_READY) {
        return NGX_DECLINED;
    }

    call = ngx_alloc(sizeof(ngx_http_chorus_redis_call_t), redis->log);
    if (call == NULL) {
        return NGX_DECLINED;
    }

    call->redis = redis;
    call->done = done;
    call->data = data;

    if (redisAsyncCommandArgv(redis->ac, ngx_http_chorus_redis_replied, call,
                              argc, argv, lens)
        != REDIS_OK)
    {
        ngx_free(call);
        return NGX_DECLINED;
    }

    ngx_http_chorus_redis_sent(redis);

    return NGX_OK;
}


void
ngx_http_chorus_redis_sent(ngx_http_chorus_redis_t *redis)
{
    if (redis->inflight++ == 0) {
        ngx_add_timer(&redis->watchdog, NGX_HTTP_CHORUS_REDIS_REPLY_MS);
    }
}


void
ngx_http_chorus_redis_heard(ngx_http_chorus_redis_t *redis)
{
    redis->heard = ngx_current_msec;

    if (redis->inflight) {
        ngx_add_timer(&redis->watchdog, NGX_HTTP_CHORUS_REDIS_REPLY_MS);

    } else if (redis->watchdog.timer_set) {
        ngx_del_timer(&redis->watchdog);
    }
}


static void
ngx_http_chorus_redis_replied(redisAsyncContext *ac, void *reply, void *data)
{
    ngx_http_chorus_redis_call_t *call = data;

    u_char                    digits[NGX_INT64_LEN];
    ngx_str_t                 text;
    redisReply               *r;
    ngx_http_chorus_redis_t  *redis;

    r = reply;
    redis = call->redis;
    redis->inflight--;

    ngx_str_null(&text);

    if (r == NULL) {
        /* hiredis is freeing the context and runs all callbacks in a row:
         * nothing may be sent from here on */
        redis->state = NGX_HTTP_CHORUS_REDIS_AWAY;
        call->done(call->data, NGX_HTTP_CHORUS_REDIS_GONE, &text);
        ngx_free(call);
        return;
    }

    ngx_http_chorus_redis_heard(redis);

    if (r->type == REDIS_REPLY_STRING || r->type == REDIS_REPLY_ERROR) {
        text.data = (u_char *) r->str;
        text.len = r->len;

    } else if (r->type == REDIS_REPLY_INTEGER) {
        text.data = digits;
        text.len = ngx_snprintf(digits, sizeof(digits), "%L",
                                (int64_t) r->integer) - digits;
    }

    if (r->type != REDIS_REPLY_ERROR) {
        call->done(call->data, NGX_HTTP_CHORUS_REDIS_REPLY, &text);
        ngx_free(call);
        return;
    }

    ngx_http_chorus_redis_complain(redis, "refuses a call", r->str);

    call->done(call->data, NGX_HTTP_CHORUS_REDIS_REFUSED, &text);
    ngx_free(call);

    if (chorus_redis_needs_greeting((chorus_str_t) { r->str, r->len })) {
        redisAsyncFree(ac);
    }
}


ngx_uint_t
ngx_http_chorus_redis_is_error(redisReply *reply, const char *prefix)
{
    return reply->type == REDIS_REPLY_ERROR
           && ngx_strncmp(reply->str, prefix, ngx_strlen(prefix)) == 0;
}


/* The kind is the first word: "OOM", "WRONGPASS", "Connection". */

void
ngx_http_chorus_redis_complain(ngx_http_chorus_redis_t *redis,
    const char *what, const char *why)
{
    size_t      len;
    uint32_t    kind;
    ngx_uint_t  i, level;

    why = why ? why : "unknown error";
    len = strcspn(why, " ");

    ngx_crc32_init(kind);
    ngx_crc32_update(&kind, (u_char *) what, ngx_strlen(what));
    ngx_crc32_update(&kind, (u_char *) why, len);
    ngx_crc32_final(kind);

    for (i = 0; i < redis->nsaid && redis->said[i] != kind; i++) {
        /* void */
    }

    level = (i < redis->nsaid) ? NGX_LOG_INFO : NGX_LOG_ERR;

    if (i == redis->nsaid && i < NGX_HTTP_CHORUS_REDIS_SAID) {
        redis->said[redis->nsaid++] = kind;
    }

    redis->said_last = ngx_current_msec;

    ngx_log_error(level, redis->log, 0,
                  "chorus: Redis: %s: %s; changed keys wait, and requests "
                  "go on", what, why);
}
