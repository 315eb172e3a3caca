/*
 * What a new connection to Redis needs before it can be used: authenticate,
 * select the database, make sure that the function library is there, and see
 * whether this is the Redis that took our marks.
 */

#include "ngx_http_chorus_redis.h"
#include "chorus_library.h"

#include <openssl/rand.h>


typedef struct {
    ngx_uint_t  (*wanted)(ngx_http_chorus_redis_t *redis);
    int         (*send)(ngx_http_chorus_redis_t *redis);
    /* NGX_OK: on with the next step; NGX_AGAIN: on with the one after it;
     * NGX_DONE: disconnect; NGX_ERROR: complain and disconnect */
    ngx_int_t   (*take)(ngx_http_chorus_redis_t *redis, redisReply *reply);
} ngx_http_chorus_redis_step_t;


static ngx_uint_t ngx_http_chorus_redis_greeted_last(
    ngx_http_chorus_redis_t *redis, redisReply *reply);
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
static int ngx_http_chorus_redis_send_info(ngx_http_chorus_redis_t *redis);
static ngx_int_t ngx_http_chorus_redis_take_info(
    ngx_http_chorus_redis_t *redis, redisReply *reply);
static int ngx_http_chorus_redis_send_generation(
    ngx_http_chorus_redis_t *redis);
static ngx_int_t ngx_http_chorus_redis_take_generation(
    ngx_http_chorus_redis_t *redis, redisReply *reply);


#define NGX_HTTP_CHORUS_REDIS_LOOK  4       /* the step with INFO */


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

    { ngx_http_chorus_redis_always,
      ngx_http_chorus_redis_send_info,
      ngx_http_chorus_redis_take_info },

    { ngx_http_chorus_redis_always,
      ngx_http_chorus_redis_send_generation,
      ngx_http_chorus_redis_take_generation },

    { NULL, NULL, NULL }
};


static ngx_http_chorus_redis_step_t  ngx_http_chorus_sentinel_steps[] = {

    { ngx_http_chorus_redis_wants_sentinel_auth,
      ngx_http_chorus_redis_send_sentinel_auth,
      ngx_http_chorus_redis_take_ok },

    { ngx_http_chorus_redis_always,
      ngx_http_chorus_redis_send_question,
      ngx_http_chorus_redis_take_answer },

    { NULL, NULL, NULL }
};


static ngx_http_chorus_redis_step_t *
ngx_http_chorus_redis_steps_of(ngx_http_chorus_redis_t *redis)
{
    return redis->asks ? ngx_http_chorus_sentinel_steps
                       : ngx_http_chorus_redis_steps;
}


void
ngx_http_chorus_redis_greet(ngx_http_chorus_redis_t *redis)
{
    ngx_http_chorus_redis_step_t  *step;

    for (step = ngx_http_chorus_redis_steps_of(redis) + redis->step;
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

    if (redis->looking) {
        ngx_http_chorus_redis_looked(redis);

    } else {
        ngx_http_chorus_redis_ready(redis);
    }
}


void
ngx_http_chorus_redis_look(ngx_http_chorus_redis_t *redis)
{
    redis->step = NGX_HTTP_CHORUS_REDIS_LOOK;

    ngx_http_chorus_redis_greet(redis);
}


void
ngx_http_chorus_redis_greeted(redisAsyncContext *ac, void *reply, void *data)
{
    ngx_http_chorus_redis_t *redis = data;

    if (reply == NULL) {
        return;
    }

    if (ngx_http_chorus_redis_greeted_last(redis, reply)) {
        redisAsyncFree(ac);
        return;
    }

    if (redis->looking) {
        ngx_http_chorus_redis_heard(redis);
    }

    ngx_http_chorus_redis_greet(redis);
}


static ngx_uint_t
ngx_http_chorus_redis_greeted_last(ngx_http_chorus_redis_t *redis,
    redisReply *reply)
{
    ngx_int_t                      rc;
    ngx_http_chorus_redis_step_t  *step;

    step = ngx_http_chorus_redis_steps_of(redis) + redis->step;
    rc = step->take(redis, reply);

    if (rc == NGX_OK || rc == NGX_AGAIN) {
        redis->step += (rc == NGX_AGAIN) ? 2 : 1;
        return 0;
    }

    if (rc == NGX_ERROR) {
        ngx_http_chorus_redis_complain(redis,
                                       redis->asks ? "sentinel" : "greeting",
                                       reply->type == REDIS_REPLY_ERROR
                                       ? reply->str : "unexpected reply");
    }

    return 1;
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

    return ngx_http_chorus_redis_send_login(redis, url->user, url->password);
}


int
ngx_http_chorus_redis_send_login(ngx_http_chorus_redis_t *redis,
    chorus_str_t user, chorus_str_t password)
{
    if (user.len) {
        return redisAsyncCommand(redis->ac, ngx_http_chorus_redis_greeted,
                                 redis, "AUTH %b %b", user.data, user.len,
                                 password.data, password.len);
    }

    return redisAsyncCommand(redis->ac, ngx_http_chorus_redis_greeted, redis,
                             "AUTH %b", password.data, password.len);
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


static int
ngx_http_chorus_redis_send_info(ngx_http_chorus_redis_t *redis)
{
    return redisAsyncCommand(redis->ac, ngx_http_chorus_redis_greeted, redis,
                             "INFO server replication");
}


/* Also a plain address may lead to a replica: after a failover by hand, or
 * behind a balancer. */

static ngx_int_t
ngx_http_chorus_redis_take_info(ngx_http_chorus_redis_t *redis,
    redisReply *reply)
{
    if (reply->type != REDIS_REPLY_STRING) {
        return NGX_ERROR;
    }

    if (!chorus_redis_take_info(&redis->seen, (chorus_str_t) { reply->str,
                                                               reply->len }))
    {
        ngx_http_chorus_redis_complain(redis, "greeting",
                                       "READONLY, this is not a master");
        return NGX_DONE;
    }

    return NGX_OK;
}


static int
ngx_http_chorus_redis_send_generation(ngx_http_chorus_redis_t *redis)
{
    char    candidate[CHORUS_REDIS_GENERATION_LEN + 1];
    u_char  bytes[CHORUS_REDIS_GENERATION_LEN / 2];

    if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
        return REDIS_ERR;
    }

    chorus_redis_generation(bytes, candidate);

    return redisAsyncCommand(redis->ac, ngx_http_chorus_redis_greeted, redis,
                             "FCALL chorus_generation 3 "
                             CHORUS_REDIS_GENERATION " " CHORUS_REDIS_OWED
                             " " CHORUS_REDIS_ALIVE " %s %s %s", candidate,
                             redis->seen.run, redis->known.run);
}


static ngx_int_t
ngx_http_chorus_redis_take_generation(ngx_http_chorus_redis_t *redis,
    redisReply *reply)
{
    redisReply  **part;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3) {
        return NGX_ERROR;
    }

    part = reply->element;

    if (part[0]->type != REDIS_REPLY_STRING
        || part[1]->type != REDIS_REPLY_INTEGER
        || part[2]->type != REDIS_REPLY_INTEGER)
    {
        return NGX_ERROR;
    }

    return chorus_redis_take_generation(&redis->seen,
                           (chorus_str_t) { part[0]->str, part[0]->len },
                           part[1]->integer, part[2]->integer)
           ? NGX_OK : NGX_ERROR;
}
