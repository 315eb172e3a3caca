/*
 * Calls of functions of the library in Redis, their replies, and what is said
 * in the log of those that fail.
 */

#include "ngx_http_chorus_redis.h"


#define NGX_HTTP_CHORUS_REDIS_REPLY_MS      10000   /* no reply at all */

/* of a word, as the protocol of Redis has it */
#define NGX_HTTP_CHORUS_REDIS_LEN  (1 + NGX_SIZE_T_LEN + sizeof(CRLF) - 1)


typedef struct {
    ngx_http_chorus_redis_t        *redis;
    ngx_http_chorus_redis_pt        done;
    void                           *data;
} ngx_http_chorus_redis_call_t;


static u_char *ngx_http_chorus_redis_format(ngx_http_chorus_redis_t *redis,
    int argc, const char **argv, const size_t *lens, size_t *len);
static u_char *ngx_http_chorus_redis_put_len(u_char *p, u_char type,
    size_t len);
static void ngx_http_chorus_redis_replied(redisAsyncContext *ac, void *reply,
    void *data);


ngx_int_t
ngx_http_chorus_redis_call(ngx_http_chorus_redis_t *redis, int argc,
    const char **argv, const size_t *lens, ngx_http_chorus_redis_pt done,
    void *data)
{
    int                            rc;
    size_t                         len;
    u_char                        *bytes;
    ngx_http_chorus_redis_call_t  *call;

    if (redis->state != NGX_HTTP_CHORUS_REDIS_READY) {
        return NGX_DECLINED;
    }

    bytes = ngx_http_chorus_redis_format(redis, argc, argv, lens, &len);
    if (bytes == NULL) {
        return NGX_DECLINED;
    }

    call = ngx_alloc(sizeof(ngx_http_chorus_redis_call_t), redis->log);
    if (call == NULL) {
        ngx_free(bytes);
        return NGX_DECLINED;
    }

    call->redis = redis;
    call->done = done;
    call->data = data;

    /* it copies them */
    rc = redisAsyncFormattedCommand(redis->ac, ngx_http_chorus_redis_replied,
                                    call, (char *) bytes, len);
    ngx_free(bytes);

    if (rc != REDIS_OK) {
        ngx_free(call);
        return NGX_DECLINED;
    }

    ngx_http_chorus_redis_sent(redis);

    return NGX_OK;
}


/* As redisAsyncCommandArgv() would, which takes 400 instructions a word. */

static u_char *
ngx_http_chorus_redis_format(ngx_http_chorus_redis_t *redis, int argc,
    const char **argv, const size_t *lens, size_t *len)
{
    int      i;
    size_t   size;
    u_char  *p, *bytes;

    size = NGX_HTTP_CHORUS_REDIS_LEN;

    for (i = 0; i < argc; i++) {
        size += NGX_HTTP_CHORUS_REDIS_LEN + lens[i] + sizeof(CRLF) - 1;
    }

    bytes = ngx_alloc(size, redis->log);
    if (bytes == NULL) {
        return NULL;
    }

    p = ngx_http_chorus_redis_put_len(bytes, '*', argc);

    for (i = 0; i < argc; i++) {
        p = ngx_http_chorus_redis_put_len(p, '$', lens[i]);
        p = ngx_cpymem(p, argv[i], lens[i]);
        *p++ = CR;
        *p++ = LF;
    }

    *len = p - bytes;

    return bytes;
}


static u_char *
ngx_http_chorus_redis_put_len(u_char *p, u_char type, size_t len)
{
    u_char  digits[NGX_SIZE_T_LEN], *last;

    last = digits + sizeof(digits);

    do {
        *--last = (u_char) ('0' + len % 10);
        len /= 10;
    } while (len);

    *p++ = type;
    p = ngx_cpymem(p, last, digits + sizeof(digits) - last);
    *p++ = CR;
    *p++ = LF;

    return p;
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
    u_char      text[NGX_SOCKADDR_STRLEN];
    ngx_str_t   where;
    ngx_uint_t  i, level;
    const char *hint;

    why = why ? why : "unknown error";
    hint = chorus_redis_hint(why);
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

    where.data = text;
    where.len = redis->met ? ngx_sock_ntop(redis->met->sockaddr,
                                           redis->met->socklen, text,
                                           NGX_SOCKADDR_STRLEN, 1)
                           : 0;

    ngx_log_error(level, redis->log, 0,
                  "chorus: Redis: %s: %s (%V%s%s); changed keys wait, and "
                  "requests go on", what, why, &where, hint ? "; " : "",
                  hint ? hint : "");
}
