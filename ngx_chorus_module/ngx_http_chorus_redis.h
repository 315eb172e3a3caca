/*
 * The state of the connection to Redis, between the file that keeps it
 * (redis.c) and the file that makes it usable (redis_greeting.c).
 */

#ifndef _NGX_HTTP_CHORUS_REDIS_H_INCLUDED_
#define _NGX_HTTP_CHORUS_REDIS_H_INCLUDED_


#include "ngx_http_chorus_module.h"

#include <hiredis/hiredis.h>
#include <hiredis/async.h>


typedef enum {
    NGX_HTTP_CHORUS_REDIS_AWAY = 0,
    NGX_HTTP_CHORUS_REDIS_CONNECTING,
    NGX_HTTP_CHORUS_REDIS_GREETING,
    NGX_HTTP_CHORUS_REDIS_READY
} ngx_http_chorus_redis_state_t;


struct ngx_http_chorus_redis_s {
    ngx_http_chorus_main_conf_t    *cmcf;
    ngx_log_t                      *log;

    ngx_http_chorus_redis_state_t   state;
    ngx_uint_t                      step;       /* of the greeting */
    ngx_uint_t                      addr;       /* tried now */
    ngx_uint_t                      inflight;
    ngx_msec_t                      backoff;

    redisAsyncContext              *ac;         /* NULL when AWAY */
    ngx_connection_t               *c;

    ngx_event_t                     reconnect;
    ngx_event_t                     watchdog;

    unsigned                        complained:1;
    unsigned                        stopped:1;
};


/* redis_greeting.c: sends the next step; READY when there is none left */
void ngx_http_chorus_redis_greet(ngx_http_chorus_redis_t *redis);

/* redis.c */
void ngx_http_chorus_redis_ready(ngx_http_chorus_redis_t *redis);
/* Logs as an error once until Redis is well again. */
void ngx_http_chorus_redis_complain(ngx_http_chorus_redis_t *redis,
    const char *what, const char *why);
ngx_uint_t ngx_http_chorus_redis_is_error(redisReply *reply,
    const char *prefix);


#endif /* _NGX_HTTP_CHORUS_REDIS_H_INCLUDED_ */
