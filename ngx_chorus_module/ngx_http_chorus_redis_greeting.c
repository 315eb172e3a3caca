/*
 * What a new connection to Redis needs before it can be used: authenticate,
 * select the database, and make sure that the function library is there.
 */

#include "ngx_http_chorus_redis.h"
#include "chorus_library.h"


typedef struct {
    ngx_uint_t  (*wanted)(ngx_http_chorus_redis_t *redis);
    int         (*send)(ngx_http_chorus_redis_t *redis);
    /* NGX_OK: on with the next step; NGX_AGAIN: on with the one after it;
     * NGX_ERROR: disconnect */
    ngx_int_t   (*take)(ngx_http_chorus_redis_t *redis, redisReply *reply);
} ngx_http_chorus_redis_step_t;


static void ngx_http_chorus_redis_greeted(redisAsyncContext *ac, void *reply,
    void *data);
static ngx_uint_t ngx_http_chorus_redis_wants_auth(
    ngx_http_chorus_redis_t *redis);
static int ngx_http_chorus_redis_send_auth(ngx_http_chorus_redis_t *redis);
static ngx_uint_t ngx_http_chorus_redis_wants_select(
    ngx_http_chorus_redis_t *redis);
static int ngx_http_chorus_redis_send_select(ngx_http_chorus_redis_t *redis);
static ngx_uint_t ngx_http_chorus_redis_always(
    ngx_http_chorus_redis_t *redis);
static int ngx_http_chorus_redis_send_version(ngx_http_chorus_redis_t *redis);
static int ngx_http_chorus_redis_send_load(ngx_http_chorus_redis_t *redis);
static ngx_int_t ngx_http_chorus_redis_take_ok(
    ngx_http_chorus_redis_t *redis, redisReply *reply);
static ngx_int_t ngx_http_chorus_redis_take_version(
    ngx_http_chorus_redis_t *redis, redisReply *reply);


static ngx_http_chorus_redis_step_t  ngx_http_chorus_redis_steps[] = {

    { ngx_http_chorus_redis_wants_auth,
      ngx_http_chorus_redis_send_auth,
      ngx_http_chorus_redis_take_ok },

    { ngx_http_chorus_redis_wants_select,
      ngx_http_chorus_redis_send_select,
      ngx_http_chorus_redis_take_ok },

    { ngx_http_chorus_redis_always,
      ngx_http_chorus_redis_send_version,
      ngx_http_chorus_redis_take_version },

    { ngx_http_chorus_redis_always,
      ngx_http_chorus_redis_send_load,
      ngx_http_chorus_redis_take_ok },

    { NULL, NULL, NULL }
};


void
ngx_http_chorus_redis_greet(ngx_http_chorus_redis_t *redis)
{
    ngx_http_chorus_redis_step_t  *step;

    for (step = &ngx_http_chorus_redis_steps[redis->step];
         step->send;
         step++, redis->step++)
    {
        if (!step->wanted(redis)) {
            continue;
        }

        if (step->send(redis) != REDIS_OK) {
            redisAsyncFree(redis->ac);
        }

        return;
    }

    ngx_http_chorus_redis_ready(redis);
}


static void
ngx_http_chorus_redis_greeted(redisAsyncContext *ac, void *reply, void *data)
{
    ngx_http_chorus_redis_t *redis = data;

    ngx_int_t  rc;

    if (reply == NULL) {
        return;
    }

    rc = ngx_http_chorus_redis_steps[redis->step].take(redis, reply);

    if (rc == NGX_ERROR) {
        ngx_http_chorus_redis_complain(redis, "greeting",
                                       ((redisReply *) reply)->str);
        redisAsyncFree(ac);
        return;
    }

    redis->step += (rc == NGX_AGAIN) ? 2 : 1;

    ngx_http_chorus_redis_greet(redis);
}


static ngx_uint_t
ngx_http_chorus_redis_wants_auth(ngx_http_chorus_redis_t *redis)
{
    return redis->cmcf->config->redis.password.len != 0;
}


static int
ngx_http_chorus_redis_send_auth(ngx_http_chorus_redis_t *redis)
{
    chorus_redis_url_t *url = &redis->cmcf->config->redis;

    if (url->user.len) {
        return redisAsyncCommand(redis->ac, ngx_http_chorus_redis_greeted,
                                 redis, "AUTH %b %b",
                                 url->user.data, url->user.len,
                                 url->password.data, url->password.len);
    }

    return redisAsyncCommand(redis->ac, ngx_http_chorus_redis_greeted, redis,
                             "AUTH %b", url->password.data, url->password.len);
}


static ngx_uint_t
ngx_http_chorus_redis_wants_select(ngx_http_chorus_redis_t *redis)
{
    return redis->cmcf->config->redis.database != 0;
}


static int
ngx_http_chorus_redis_send_select(ngx_http_chorus_redis_t *redis)
{
    return redisAsyncCommand(redis->ac, ngx_http_chorus_redis_greeted, redis,
                             "SELECT %d",
                             (int) redis->cmcf->config->redis.database);
}


static ngx_uint_t
ngx_http_chorus_redis_always(ngx_http_chorus_redis_t *redis)
{
    return 1;
}


static int
ngx_http_chorus_redis_send_version(ngx_http_chorus_redis_t *redis)
{
    return redisAsyncCommand(redis->ac, ngx_http_chorus_redis_greeted, redis,
                             "FCALL_RO chorus_version 0");
}


static int
ngx_http_chorus_redis_send_load(ngx_http_chorus_redis_t *redis)
{
    return redisAsyncCommand(redis->ac, ngx_http_chorus_redis_greeted, redis,
                             "FUNCTION LOAD REPLACE %b", chorus_library_text,
                             chorus_library_len);
}


static ngx_int_t
ngx_http_chorus_redis_take_ok(ngx_http_chorus_redis_t *redis,
    redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR ? NGX_ERROR : NGX_OK;
}


/* A library that is there and not older needs no loading: two proxies of
 * different versions must not replace each other's for ever. */

static ngx_int_t
ngx_http_chorus_redis_take_version(ngx_http_chorus_redis_t *redis,
    redisReply *reply)
{
    if (reply->type == REDIS_REPLY_INTEGER) {
        return reply->integer >= CHORUS_LIBRARY_VERSION ? NGX_AGAIN : NGX_OK;
    }

    return ngx_http_chorus_redis_is_error(reply, "ERR Function not found")
           ? NGX_OK : NGX_ERROR;
}
