/*
 * hiredis on nginx's event loop.
 *
 * Rules that keep the two apart: after any call into hiredis the context may
 * be gone, so only our own structure is touched then; hiredis reads at most
 * 16 KiB a call, so its events are level-triggered; the descriptor belongs to
 * hiredis, the nginx connection to ngx_http_chorus_redis_cleanup().
 */

#include <poll.h>

#include "ngx_http_chorus_redis.h"


static void ngx_http_chorus_redis_add_read(void *data);
static void ngx_http_chorus_redis_del_read(void *data);
static void ngx_http_chorus_redis_add_write(void *data);
static void ngx_http_chorus_redis_del_write(void *data);
static void ngx_http_chorus_redis_cleanup(void *data);
static void ngx_http_chorus_redis_read_handler(ngx_event_t *ev);
static void ngx_http_chorus_redis_write_handler(ngx_event_t *ev);


ngx_int_t
ngx_http_chorus_redis_attach(ngx_http_chorus_redis_t *redis,
    redisAsyncContext *ac)
{
    ngx_connection_t  *c;

    c = ngx_get_connection(ac->c.fd, redis->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->data = redis;
    c->pool = NULL;
    c->log = redis->log;
    c->read->log = redis->log;
    c->write->log = redis->log;
    c->read->handler = ngx_http_chorus_redis_read_handler;
    c->write->handler = ngx_http_chorus_redis_write_handler;

    /* nginx calls the read handler of idle connections when it quits */
    c->idle = 1;

    redis->c = c;
    redis->ac = ac;

    ac->ev.data = redis;
    ac->ev.addRead = ngx_http_chorus_redis_add_read;
    ac->ev.delRead = ngx_http_chorus_redis_del_read;
    ac->ev.addWrite = ngx_http_chorus_redis_add_write;
    ac->ev.delWrite = ngx_http_chorus_redis_del_write;
    ac->ev.cleanup = ngx_http_chorus_redis_cleanup;

    return NGX_OK;
}


/* hiredis calls this last, whatever the reason: the one way back to AWAY. */

static void
ngx_http_chorus_redis_cleanup(void *data)
{
    ngx_http_chorus_redis_t *redis = data;

    ngx_connection_t  *c;

    c = redis->c;
    redis->c = NULL;
    redis->ac = NULL;

    if (c) {
        if (c->read->active) {
            ngx_del_event(c->read, NGX_READ_EVENT, 0);
        }

        if (c->write->active) {
            ngx_del_event(c->write, NGX_WRITE_EVENT, 0);
        }

        if (c->read->posted) {
            ngx_delete_posted_event(c->read);
        }

        if (c->write->posted) {
            ngx_delete_posted_event(c->write);
        }

        c->read->closed = 1;
        c->write->closed = 1;
        c->idle = 0;

        ngx_free_connection(c);
        c->fd = (ngx_socket_t) -1;
    }

    ngx_http_chorus_redis_away(redis);
}


static void
ngx_http_chorus_redis_add_read(void *data)
{
    ngx_http_chorus_redis_t  *redis = data;

    if (redis->c && !redis->c->read->active) {
        (void) ngx_add_event(redis->c->read, NGX_READ_EVENT, NGX_LEVEL_EVENT);
    }
}


static void
ngx_http_chorus_redis_del_read(void *data)
{
    ngx_http_chorus_redis_t  *redis = data;

    if (redis->c && redis->c->read->active) {
        (void) ngx_del_event(redis->c->read, NGX_READ_EVENT, 0);
    }
}


/* The socket nearly always takes all at once: written at the end of this turn
 * of the event loop, and only what it does not take is waited for.  While a
 * connection is being made it is the event that tells of it. */

static void
ngx_http_chorus_redis_add_write(void *data)
{
    ngx_http_chorus_redis_t  *redis = data;

    if (redis->c == NULL || redis->c->write->active) {
        return;
    }

    if (redis->state == NGX_HTTP_CHORUS_REDIS_READY && !redis->writing) {
        ngx_post_event(redis->c->write, &ngx_posted_events);
        return;
    }

    (void) ngx_add_event(redis->c->write, NGX_WRITE_EVENT, NGX_LEVEL_EVENT);
}


static void
ngx_http_chorus_redis_del_write(void *data)
{
    ngx_http_chorus_redis_t  *redis = data;

    if (redis->c && redis->c->write->active) {
        (void) ngx_del_event(redis->c->write, NGX_WRITE_EVENT, 0);
    }
}


static void
ngx_http_chorus_redis_read_handler(ngx_event_t *ev)
{
    ngx_connection_t         *c = ev->data;
    ngx_http_chorus_redis_t  *redis = c->data;

    if (c->close) {
        /* nginx quits; what still waits is sent first (mark_leave.c) */
        c->close = 0;

        if (!ngx_http_chorus_marks_are_going(redis->cmcf->marks)) {
            ngx_http_chorus_redis_exit(redis->cmcf);
        }

        return;
    }

    if (redis->ac && ngx_http_chorus_redis_tls_start(redis) == NGX_OK) {
        redisAsyncHandleRead(redis->ac);
        ngx_http_chorus_redis_tls_done(redis);
    }
}


static void
ngx_http_chorus_redis_write_handler(ngx_event_t *ev)
{
    ngx_connection_t         *c = ev->data;
    ngx_http_chorus_redis_t  *redis = c->data;

    if (ev->posted) {
        /* called by ngx_http_chorus_redis_wait() */
        ngx_delete_posted_event(ev);
    }

    if (redis->ac && ngx_http_chorus_redis_tls_start(redis) == NGX_OK) {
        redis->writing = 1;
        redisAsyncHandleWrite(redis->ac);
        redis->writing = 0;
        ngx_http_chorus_redis_tls_done(redis);
    }
}


/* For a process whose event loop has ended. */

ngx_int_t
ngx_http_chorus_redis_wait(ngx_http_chorus_redis_t *redis, ngx_msec_t ms)
{
    int             n;
    ngx_event_t    *wev;
    struct pollfd   p;

    if (redis->state != NGX_HTTP_CHORUS_REDIS_READY) {
        return NGX_ERROR;
    }

    wev = redis->c->write;

    p.fd = redis->c->fd;
    p.events = POLLIN | (wev->active || wev->posted ? POLLOUT : 0);
    p.revents = 0;

    n = poll(&p, 1, (int) ms);

    if (n < 1) {
        /* another signal: the caller knows how much time is left */
        return n == -1 && ngx_errno == NGX_EINTR ? NGX_OK : NGX_ERROR;
    }

    if (p.revents & POLLOUT) {
        ngx_http_chorus_redis_write_handler(redis->c->write);
    }

    if (redis->c && (p.revents & ~POLLOUT)) {
        ngx_http_chorus_redis_read_handler(redis->c->read);
    }

    return redis->c ? NGX_OK : NGX_ERROR;
}
