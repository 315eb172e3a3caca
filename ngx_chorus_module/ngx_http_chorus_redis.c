/*
 * The connection to Redis: made, lost, made again.
 *
 *     AWAY --timer--> CONNECTING --> GREETING --> READY
 *      ^                  |             |           |
 *      +------------------+-------------+-----------+   (one teardown path)
 *
 * With sentinels every other connection is to one of them: it is asked for
 * the master in place of a greeting, and the way goes on at once.  A READY
 * Redis is looked at once a second, so that one that was emptied, or that
 * hangs, is noticed without traffic.
 *
 * Addresses were resolved when the configuration was read, because hiredis
 * would block in DNS.
 */

#include "ngx_http_chorus_redis.h"


#define NGX_HTTP_CHORUS_REDIS_CONNECT_MS    5000    /* until READY */
#define NGX_HTTP_CHORUS_REDIS_LOOK_MS       1000
#define NGX_HTTP_CHORUS_REDIS_WELL_MS       5000    /* without complaint */
#define NGX_HTTP_CHORUS_REDIS_BACKOFF_MIN   50
#define NGX_HTTP_CHORUS_REDIS_BACKOFF_MAX   2000


static void ngx_http_chorus_redis_connect(ngx_http_chorus_redis_t *redis);
static redisAsyncContext *ngx_http_chorus_redis_open(
    ngx_http_chorus_redis_t *redis);
static ngx_addr_t *ngx_http_chorus_redis_where(
    ngx_http_chorus_redis_t *redis);
static void ngx_http_chorus_redis_connected(const redisAsyncContext *ac,
    int status);
static void ngx_http_chorus_redis_recognize(ngx_http_chorus_redis_t *redis);
static void ngx_http_chorus_redis_look_handler(ngx_event_t *ev);
static void ngx_http_chorus_redis_disconnected(const redisAsyncContext *ac,
    int status);
static void ngx_http_chorus_redis_reconnect_handler(ngx_event_t *ev);
static void ngx_http_chorus_redis_watchdog_handler(ngx_event_t *ev);


ngx_int_t
ngx_http_chorus_redis_init(ngx_http_chorus_main_conf_t *cmcf,
    ngx_cycle_t *cycle)
{
    ngx_http_chorus_redis_t  *redis;

    redis = ngx_pcalloc(cycle->pool, sizeof(ngx_http_chorus_redis_t));
    if (redis == NULL) {
        return NGX_ERROR;
    }

    redis->cmcf = cmcf;
    redis->log = cycle->log;
    redis->backoff = NGX_HTTP_CHORUS_REDIS_BACKOFF_MIN;

    redis->reconnect.handler = ngx_http_chorus_redis_reconnect_handler;
    redis->reconnect.data = redis;
    redis->reconnect.log = cycle->log;
    redis->reconnect.cancelable = 1;

    redis->watchdog.handler = ngx_http_chorus_redis_watchdog_handler;
    redis->watchdog.data = redis;
    redis->watchdog.log = cycle->log;
    redis->watchdog.cancelable = 1;

    redis->look.handler = ngx_http_chorus_redis_look_handler;
    redis->look.data = redis;
    redis->look.log = cycle->log;
    redis->look.cancelable = 1;

    cmcf->redis = redis;

    ngx_add_timer(&redis->reconnect, 1);

    return NGX_OK;
}


/* For good: of an exiting process that has nothing left to say. */

void
ngx_http_chorus_redis_exit(ngx_http_chorus_main_conf_t *cmcf)
{
    ngx_http_chorus_redis_t *redis = cmcf->redis;

    if (redis == NULL) {
        return;
    }

    redis->stopped = 1;

    if (redis->ac) {
        redis->cmcf->redis_was_well =
                              (redis->state == NGX_HTTP_CHORUS_REDIS_READY);
    }

    if (redis->reconnect.timer_set) {
        ngx_del_timer(&redis->reconnect);
    }

    if (redis->ac) {
        redisAsyncFree(redis->ac);
    }
}


ngx_uint_t
ngx_http_chorus_redis_is_ready(ngx_http_chorus_redis_t *redis)
{
    /* a request that ended after the connection of an exiting process had
     * been closed needs it once more */

    if (redis->stopped && ngx_exiting && redis->ac == NULL
        && !ngx_terminate)
    {
        redis->stopped = 0;
        ngx_add_timer(&redis->reconnect, 1);
    }

    return redis->state == NGX_HTTP_CHORUS_REDIS_READY;
}


void
ngx_http_chorus_redis_known(ngx_http_chorus_redis_t *redis, chorus_str_t *run,
    chorus_str_t *generation)
{
    *run = chorus_str_from(redis->known.run);
    *generation = chorus_str_from(redis->known.generation);
}


ngx_msec_t
ngx_http_chorus_redis_last(ngx_http_chorus_redis_t *redis)
{
    return redis->heard;
}


static void
ngx_http_chorus_redis_connect(ngx_http_chorus_redis_t *redis)
{
    redisAsyncContext  *ac;

    ac = ngx_http_chorus_redis_open(redis);

    if (ac == NULL) {
        ngx_http_chorus_redis_complain(redis, "connect", "out of memory");
        ngx_http_chorus_redis_away(redis);
        return;
    }

    if (ac->err || ngx_http_chorus_redis_attach(redis, ac) != NGX_OK) {
        ngx_http_chorus_redis_complain(redis, "connect",
                             ac->err ? ac->errstr : "no free connection");
        redisAsyncFree(ac);
        ngx_http_chorus_redis_away(redis);
        return;
    }

    redis->state = NGX_HTTP_CHORUS_REDIS_CONNECTING;
    redis->ssl = NULL;

    ngx_add_timer(&redis->watchdog, NGX_HTTP_CHORUS_REDIS_CONNECT_MS);

    redisAsyncSetDisconnectCallback(ac, ngx_http_chorus_redis_disconnected);

    /* asks for the write event; may fail at once and free the context */
    redisAsyncSetConnectCallback(ac, ngx_http_chorus_redis_connected);
}


static redisAsyncContext *
ngx_http_chorus_redis_open(ngx_http_chorus_redis_t *redis)
{
    char                ip[NGX_SOCKADDR_STRLEN + 1];
    size_t              len;
    ngx_addr_t         *addr;
    struct sockaddr_un *un;

    addr = ngx_http_chorus_redis_where(redis);
    redis->met = addr;

    if (addr->sockaddr->sa_family == AF_UNIX) {
        un = (struct sockaddr_un *) addr->sockaddr;
        return redisAsyncConnectUnix(un->sun_path);
    }

    len = ngx_sock_ntop(addr->sockaddr, addr->socklen, (u_char *) ip,
                        NGX_SOCKADDR_STRLEN, 0);
    ip[len] = '\0';

    if (len > 2 && ip[0] == '[') {
        ip[len - 1] = '\0';
        return redisAsyncConnect(ip + 1, ngx_inet_get_port(addr->sockaddr));
    }

    return redisAsyncConnect(ip, ngx_inet_get_port(addr->sockaddr));
}


static ngx_addr_t *
ngx_http_chorus_redis_where(ngx_http_chorus_redis_t *redis)
{
    ngx_http_chorus_main_conf_t *cmcf = redis->cmcf;

    if (redis->has_master) {
        redis->asks = 0;
        return &redis->master;
    }

    redis->asks = (cmcf->config->redis.nsentinels != 0);

    return &cmcf->redis_addrs[redis->addr++ % cmcf->nredis_addrs];
}


static void
ngx_http_chorus_redis_connected(const redisAsyncContext *ac, int status)
{
    ngx_http_chorus_redis_t  *redis = ac->ev.data;

    if (status != REDIS_OK) {
        ngx_http_chorus_redis_complain(redis, "connect", ac->errstr);
        return;
    }

    redis->state = NGX_HTTP_CHORUS_REDIS_GREETING;
    redis->step = 0;

    ngx_http_chorus_redis_greet(redis);
}


void
ngx_http_chorus_redis_ready(ngx_http_chorus_redis_t *redis)
{
    ngx_del_timer(&redis->watchdog);

    redis->state = NGX_HTTP_CHORUS_REDIS_READY;
    redis->backoff = NGX_HTTP_CHORUS_REDIS_BACKOFF_MIN;

    ngx_log_error(NGX_LOG_NOTICE, redis->log, 0, "chorus: Redis is ready");

    ngx_http_chorus_redis_recognize(redis);
    ngx_add_timer(&redis->look, NGX_HTTP_CHORUS_REDIS_LOOK_MS);

    ngx_http_chorus_policy_resume(redis->cmcf->policies);
    ngx_http_chorus_parts_resume(redis->cmcf->parts);
    ngx_http_chorus_marks_resume(redis->cmcf->marks);
}


/* Compares whom we met with whom we knew, and knows him from now on. */

static void
ngx_http_chorus_redis_recognize(ngx_http_chorus_redis_t *redis)
{
    ngx_msec_t             since;
    chorus_redis_memory_t  memory;

    memory = chorus_redis_compare(&redis->known, &redis->seen);
    since = redis->heard - ngx_http_chorus_recent_window(redis->cmcf);

    redis->known = redis->seen;
    redis->heard = ngx_current_msec;

    if (memory != CHORUS_REDIS_SAME) {
        ngx_http_chorus_debts_again(redis->cmcf->debts);
        ngx_http_chorus_recent_forgotten(redis->cmcf->recent, since, memory);
    }

    ngx_http_chorus_debts_tick(redis->cmcf->debts);
}


static void
ngx_http_chorus_redis_look_handler(ngx_event_t *ev)
{
    ngx_http_chorus_redis_t *redis = ev->data;

    if (redis->state != NGX_HTTP_CHORUS_REDIS_READY) {
        return;
    }

    redis->looking = 1;

    ngx_http_chorus_redis_sent(redis);
    ngx_http_chorus_redis_look(redis);
}


void
ngx_http_chorus_redis_looked(ngx_http_chorus_redis_t *redis)
{
    redis->looking = 0;
    redis->inflight--;

    ngx_http_chorus_redis_heard(redis);

    if (redis->nsaid && ngx_current_msec - redis->said_last
                        > NGX_HTTP_CHORUS_REDIS_WELL_MS)
    {
        redis->nsaid = 0;
    }

    ngx_http_chorus_redis_recognize(redis);
    ngx_add_timer(&redis->look, NGX_HTTP_CHORUS_REDIS_LOOK_MS);
}


static void
ngx_http_chorus_redis_disconnected(const redisAsyncContext *ac, int status)
{
    ngx_http_chorus_redis_t  *redis = ac->ev.data;

    if (status != REDIS_OK) {
        ngx_http_chorus_redis_tls_complain(redis, "connection lost",
                                           ac->errstr);
    }
}


void
ngx_http_chorus_redis_away(ngx_http_chorus_redis_t *redis)
{
    ngx_msec_t  delay;

    redis->state = NGX_HTTP_CHORUS_REDIS_AWAY;

    if (redis->watchdog.timer_set) {
        ngx_del_timer(&redis->watchdog);
    }

    if (redis->look.timer_set) {
        ngx_del_timer(&redis->look);
    }

    if (redis->looking) {
        redis->looking = 0;
        redis->inflight--;
    }

    redis->has_master = redis->answered;
    redis->answered = 0;

    if (redis->stopped || redis->reconnect.timer_set) {
        return;
    }

    if (redis->has_master) {
        ngx_add_timer(&redis->reconnect, 1);
        return;
    }

    /* jitter: many workers must not come back at the same moment */

    delay = redis->backoff / 2 + ngx_random() % (redis->backoff / 2 + 1);
    redis->backoff = ngx_min(redis->backoff * 2,
                             NGX_HTTP_CHORUS_REDIS_BACKOFF_MAX);

    ngx_add_timer(&redis->reconnect, delay);
}


static void
ngx_http_chorus_redis_reconnect_handler(ngx_event_t *ev)
{
    ngx_http_chorus_redis_t  *redis = ev->data;

    if (redis->ac || redis->stopped) {
        return;
    }

    /* an exiting process comes back only for keys that wait */

    if (ngx_exiting
        && ngx_http_chorus_marks_waiting(redis->cmcf->marks) == 0)
    {
        redis->stopped = 1;
        return;
    }

    ngx_http_chorus_count(redis->cmcf, reconnects);
    ngx_http_chorus_redis_connect(redis);
}


static void
ngx_http_chorus_redis_watchdog_handler(ngx_event_t *ev)
{
    ngx_http_chorus_redis_t  *redis = ev->data;

    if (redis->ac == NULL) {
        return;
    }

    ngx_http_chorus_redis_tls_complain(redis, "no answer",
                                   redis->state == NGX_HTTP_CHORUS_REDIS_READY
                                   ? "a call timed out"
                                   : "connecting timed out");

    redisAsyncFree(redis->ac);
}
