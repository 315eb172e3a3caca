/*
 * Who sends wrong tokens to the control API waits for the refusal, and longer
 * with each; all processes of nginx know it.  Only a timer waits.  Beside it,
 * whether the API listens where others could read the tokens.
 */

#include "ngx_http_chorus_api.h"
#include "chorus_throttle.h"


/* the throttle, and what nginx' allocator needs for itself */
#define NGX_HTTP_CHORUS_GUARD_SIZE  (128 * 1024)


typedef struct {
    ngx_event_t             timer;
    ngx_http_chorus_api_t  *api;
} ngx_http_chorus_guard_wait_t;


static ngx_int_t ngx_http_chorus_guard_init(ngx_shm_zone_t *zone,
    void *data);
static chorus_str_t ngx_http_chorus_guard_address(ngx_connection_t *c,
    u_char *address);
static ngx_int_t ngx_http_chorus_guard_refuse_later(
    ngx_http_chorus_api_t *api, ngx_msec_t ms);
static void ngx_http_chorus_guard_refuse(ngx_event_t *ev);
static ngx_int_t ngx_http_chorus_guard_is_public(struct sockaddr *sockaddr);


/* ---- the zone ---- */


ngx_int_t
ngx_http_chorus_api_guard_add(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf)
{
    ngx_str_t  name = ngx_string("chorus api failures");

    if (cmcf->api_zone) {
        return NGX_OK;
    }

    cmcf->api_zone = ngx_shared_memory_add(cf, &name,
                                           NGX_HTTP_CHORUS_GUARD_SIZE,
                                           &ngx_http_chorus_module);
    if (cmcf->api_zone == NULL) {
        return NGX_ERROR;
    }

    cmcf->api_zone->init = ngx_http_chorus_guard_init;

    return NGX_OK;
}


/* Failures outlive a reload; which token has which number may not. */

static ngx_int_t
ngx_http_chorus_guard_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t  *pool;

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (data) {
        zone->data = data;
        ngx_shmtx_lock(&pool->mutex);
        chorus_throttle_renumber(data);
        ngx_shmtx_unlock(&pool->mutex);

        return NGX_OK;
    }

    zone->data = ngx_slab_calloc(pool, sizeof(chorus_throttle_t));

    return zone->data ? NGX_OK : NGX_ERROR;
}


/* ---- one request ---- */


ngx_int_t
ngx_http_chorus_api_guard(ngx_http_chorus_api_t *api)
{
    int                           which;
    u_char                        address[CHORUS_THROTTLE_ADDRESS];
    int64_t                       ms;
    ngx_shm_zone_t               *zone;
    ngx_slab_pool_t              *pool;
    ngx_http_chorus_api_token_t  *tokens;

    zone = api->cmcf->api_zone;
    pool = (ngx_slab_pool_t *) zone->shm.addr;
    tokens = api->cmcf->api_tokens->elts;
    which = api->who ? (int) (api->who - tokens) : CHORUS_THROTTLE_NONE;

    ngx_shmtx_lock(&pool->mutex);
    ms = chorus_throttle(zone->data,
                         ngx_http_chorus_guard_address(
                             api->request->connection, address),
                         which, (int64_t) ngx_current_msec + 1);
    ngx_shmtx_unlock(&pool->mutex);

    if (ms == CHORUS_THROTTLE_FULL) {
        ngx_str_t  after = ngx_string("2");

        (void) ngx_http_chorus_api_header(api, "Retry-After", &after);

        return ngx_http_chorus_api_reject(api, NGX_HTTP_TOO_MANY_REQUESTS,
                   "too_many_failures", "too many wrong tokens came from "
                   "this address; try again later");
    }

    if (api->who) {
        return NGX_DECLINED;
    }

    return ms == 0 ? ngx_http_chorus_api_unauthorized(api)
                   : ngx_http_chorus_guard_refuse_later(api, (ngx_msec_t) ms);
}


/* Whoever has one address of IPv6 has all that begin with the same 64 bits;
 * all that come through a unix socket are one. */

static chorus_str_t
ngx_http_chorus_guard_address(ngx_connection_t *c, u_char *address)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    ngx_memzero(address, CHORUS_THROTTLE_ADDRESS);

    switch (c->sockaddr->sa_family) {

    case AF_INET:
        address[0] = '4';
        sin = (struct sockaddr_in *) c->sockaddr;
        ngx_memcpy(address + 1, &sin->sin_addr, 4);
        break;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        address[0] = '6';
        sin6 = (struct sockaddr_in6 *) c->sockaddr;
        ngx_memcpy(address + 1, &sin6->sin6_addr, 8);
        break;
#endif

    default:
        address[0] = 'u';
        break;
    }

    return (chorus_str_t) { (char *) address, CHORUS_THROTTLE_ADDRESS };
}


static void
ngx_http_chorus_guard_cleanup(void *data)
{
    ngx_http_chorus_guard_wait_t *wait = data;

    if (wait->timer.timer_set) {
        ngx_del_timer(&wait->timer);
    }
}


/* The timer holds the request. */

static ngx_int_t
ngx_http_chorus_guard_refuse_later(ngx_http_chorus_api_t *api, ngx_msec_t ms)
{
    ngx_int_t                      rc;
    ngx_pool_cleanup_t            *cln;
    ngx_http_chorus_guard_wait_t  *wait;

    rc = ngx_http_discard_request_body(api->request);
    if (rc != NGX_OK) {
        return rc;
    }

    cln = ngx_pool_cleanup_add(api->request->pool,
                               sizeof(ngx_http_chorus_guard_wait_t));
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    wait = cln->data;
    ngx_memzero(wait, sizeof(ngx_http_chorus_guard_wait_t));

    wait->api = api;
    wait->timer.handler = ngx_http_chorus_guard_refuse;
    wait->timer.data = wait;
    wait->timer.log = api->request->connection->log;
    cln->handler = ngx_http_chorus_guard_cleanup;

    api->request->main->count++;
    ngx_add_timer(&wait->timer, ms);

    return NGX_DONE;
}


static void
ngx_http_chorus_guard_refuse(ngx_event_t *ev)
{
    ngx_connection_t              *c;
    ngx_http_request_t            *r;
    ngx_http_chorus_guard_wait_t  *wait;

    wait = ev->data;
    r = wait->api->request;
    c = r->connection;

    ngx_http_finalize_request(r, ngx_http_chorus_api_unauthorized(wait->api));
    ngx_http_run_posted_requests(c);
}


/* ---- where it listens ---- */


void
ngx_http_chorus_api_guard_check(ngx_conf_t *cf)
{
    ngx_uint_t                    i, k, n;
    ngx_http_conf_port_t         *port;
    ngx_http_conf_addr_t         *addr;
    ngx_http_core_srv_conf_t    **servers;
    ngx_http_core_main_conf_t    *mcf;
    ngx_http_chorus_srv_conf_t   *cscf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    port = mcf->ports ? mcf->ports->elts : NULL;

    for (i = 0; port && i < mcf->ports->nelts; i++) {
        addr = port[i].addrs.elts;

        for (k = 0; k < port[i].addrs.nelts; k++) {
            servers = addr[k].servers.elts;

            for (n = 0; n < addr[k].servers.nelts; n++) {
                cscf = servers[n]->ctx->srv_conf[
                                         ngx_http_chorus_module.ctx_index];

                if (cscf->api && !addr[k].opt.ssl
                    && ngx_http_chorus_guard_is_public(addr[k].opt.sockaddr))
                {
                    ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                                       "\"chorus_api\" listens on \"%V\" "
                                       "without TLS: tokens can be read on "
                                       "their way",
                                       &addr[k].opt.addr_text);
                }
            }
        }
    }
}


static ngx_int_t
ngx_http_chorus_guard_is_public(struct sockaddr *sockaddr)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    switch (sockaddr->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sockaddr;
        return (ntohl(sin->sin_addr.s_addr) >> 24) != 127;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sockaddr;
        return !IN6_IS_ADDR_LOOPBACK(&sin6->sin6_addr);
#endif

    default:
        return 0;
    }
}
