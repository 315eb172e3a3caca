/*
 * The state of the connection to Redis, between its files:
 *
 *     redis.c            the connection made, lost, made again
 *     redis_event.c      hiredis on nginx's event loop
 *     redis_greeting.c   what makes a connection usable
 *     redis_sentinel.c   who knows where the master is
 *     redis_call.c       calls, replies, and complaints in the log
 */

#ifndef _NGX_HTTP_CHORUS_REDIS_H_INCLUDED_
#define _NGX_HTTP_CHORUS_REDIS_H_INCLUDED_


#include "ngx_http_chorus_module.h"

#include <hiredis/hiredis.h>
#include <hiredis/async.h>

#include "chorus_redis.h"
#include "chorus_redis_tls.h"


#define NGX_HTTP_CHORUS_REDIS_SAID  8


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
    ngx_addr_t                     *met;        /* what ac is connected to */
    struct ssl_st                  *ssl;        /* of ac, whose it is */

    ngx_event_t                     reconnect;
    ngx_event_t                     watchdog;
    ngx_event_t                     look;       /* is it still the same? */

    ngx_addr_t                      master;     /* as a sentinel says */
    ngx_sockaddr_t                  master_sockaddr;
    u_char                          master_name[NGX_SOCKADDR_STRLEN + 1];

    chorus_redis_identity_t         known;      /* that took our marks */
    chorus_redis_identity_t         seen;       /* in this greeting */
    ngx_msec_t                      heard;      /* the last reply of known */

    /* what has been complained of since all was well, as hashes */
    uint32_t                        said[NGX_HTTP_CHORUS_REDIS_SAID];
    ngx_uint_t                      nsaid;
    ngx_msec_t                      said_last;

    unsigned                        has_master:1;
    unsigned                        asks:1;     /* connected to a sentinel */
    unsigned                        answered:1; /* by it: connect at once */
    unsigned                        looking:1;
    unsigned                        writing:1;  /* hiredis is */
    unsigned                        stopped:1;
};


/* redis_greeting.c: sends the next step; READY when there is none left */
void ngx_http_chorus_redis_greet(ngx_http_chorus_redis_t *redis);
/* Asks a Redis that is READY once more who it is. */
void ngx_http_chorus_redis_look(ngx_http_chorus_redis_t *redis);
void ngx_http_chorus_redis_greeted(redisAsyncContext *ac, void *reply,
    void *data);
int ngx_http_chorus_redis_send_login(ngx_http_chorus_redis_t *redis,
    chorus_str_t user, chorus_str_t password);

/* redis_sentinel.c: the steps of a greeting that asks for the master */
ngx_uint_t ngx_http_chorus_redis_wants_sentinel_auth(
    ngx_http_chorus_redis_t *redis);
int ngx_http_chorus_redis_send_sentinel_auth(ngx_http_chorus_redis_t *redis);
int ngx_http_chorus_redis_send_question(ngx_http_chorus_redis_t *redis);
ngx_int_t ngx_http_chorus_redis_take_answer(ngx_http_chorus_redis_t *redis,
    redisReply *reply);

/* redis.c */
void ngx_http_chorus_redis_ready(ngx_http_chorus_redis_t *redis);
void ngx_http_chorus_redis_looked(ngx_http_chorus_redis_t *redis);
/* There is no connection any more: comes back later. */
void ngx_http_chorus_redis_away(ngx_http_chorus_redis_t *redis);

/* redis_event.c: puts the context on nginx's event loop.  NGX_ERROR: there is
 * no free connection, and the context is the caller's. */
ngx_int_t ngx_http_chorus_redis_attach(ngx_http_chorus_redis_t *redis,
    redisAsyncContext *ac);

/* redis_tls.c: does nothing without rediss:// */
/* Before hiredis is given an event: begins the handshake once connected.
 * NGX_ERROR: said why, and the context is gone. */
ngx_int_t ngx_http_chorus_redis_tls_start(ngx_http_chorus_redis_t *redis);
/* Behind it: nginx alerts of errors of OpenSSL that it finds in the queue. */
void ngx_http_chorus_redis_tls_done(ngx_http_chorus_redis_t *redis);
/* As ngx_http_chorus_redis_complain(), with what TLS knows of a connection
 * that hiredis still has. */
void ngx_http_chorus_redis_tls_complain(ngx_http_chorus_redis_t *redis,
    const char *what, const char *otherwise);

/* redis_call.c */
/* Each call and each reply of a connection that is READY. */
void ngx_http_chorus_redis_sent(ngx_http_chorus_redis_t *redis);
void ngx_http_chorus_redis_heard(ngx_http_chorus_redis_t *redis);
/* Logs each kind of failure as an error once until Redis is well again. */
void ngx_http_chorus_redis_complain(ngx_http_chorus_redis_t *redis,
    const char *what, const char *why);
ngx_uint_t ngx_http_chorus_redis_is_error(redisReply *reply,
    const char *prefix);


#endif /* _NGX_HTTP_CHORUS_REDIS_H_INCLUDED_ */
