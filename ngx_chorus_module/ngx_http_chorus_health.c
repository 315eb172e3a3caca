/*
 * chorus_health: for load balancers and for whoever starts what is dead.
 *
 * "chorus_health;" says that this process serves.  "chorus_health ready;" says
 * whether requests should come here: it knows its rules, a write would be
 * accepted, and main can be reached.  A Redis that is away is no reason to send
 * them elsewhere.  Nobody needs a token, and nothing is told that would need
 * one.
 */

#include "ngx_http_chorus_policy.h"


#define NGX_HTTP_CHORUS_HEALTH_LATELY_MS  10000
#define NGX_HTTP_CHORUS_HEALTH_PROBE_MS   1000
#define NGX_HTTP_CHORUS_HEALTH_FAILURES   5     /* of requests, in a row */


typedef enum {
    NGX_HTTP_CHORUS_MAIN_REACHED = 0,
    NGX_HTTP_CHORUS_MAIN_SILENT,
    NGX_HTTP_CHORUS_MAIN_UNKNOWN                /* try it */
} ngx_http_chorus_main_e;

/* A connection to main that is tried; of the request's pool. */
typedef struct {
    ngx_http_request_t           *request;
    ngx_http_upstream_srv_conf_t *upstream;
    ngx_uint_t                    n;            /* address that is tried */
    ngx_peer_connection_t         peer;
    ngx_event_t                   limit;
} ngx_http_chorus_probe_t;


static ngx_int_t ngx_http_chorus_health_handler(ngx_http_request_t *r);
static ngx_http_chorus_main_e ngx_http_chorus_health_main(
    ngx_http_chorus_metrics_t *metrics);
static ngx_int_t ngx_http_chorus_health_ready(ngx_http_request_t *r,
    ngx_http_chorus_main_e main);
static ngx_int_t ngx_http_chorus_health_send(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *body);
static ngx_int_t ngx_http_chorus_probe(ngx_http_request_t *r);
static ngx_addr_t *ngx_http_chorus_probe_addr(
    ngx_http_upstream_srv_conf_t *upstream, ngx_uint_t n);
static ngx_int_t ngx_http_chorus_probe_next(ngx_http_chorus_probe_t *probe);
static void ngx_http_chorus_probe_handler(ngx_event_t *ev);
static void ngx_http_chorus_probe_late(ngx_event_t *ev);
static void ngx_http_chorus_probe_end(ngx_http_chorus_probe_t *probe,
    ngx_http_chorus_main_e main);
static void ngx_http_chorus_probe_close(void *data);


char *
ngx_http_chorus_health(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_chorus_loc_conf_t *lcf = conf;

    ngx_str_t                    *value;
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_chorus_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_chorus_module);

    if (cmcf->config == NULL) {
        return "needs \"chorus_config\" before it";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2) {
        if (ngx_strcmp(value[1].data, "ready") != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" is not \"ready\"", &value[1]);
            return NGX_CONF_ERROR;
        }

        lcf->tests_ready = 1;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_chorus_health_handler;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_chorus_health_handler(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_str_t                     good = ngx_string("{\"status\":\"ok\"}\n");
    ngx_http_chorus_main_e        main;
    ngx_http_chorus_loc_conf_t   *lcf;
    ngx_http_chorus_main_conf_t  *cmcf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_chorus_module);

    if (!lcf->tests_ready) {
        return ngx_http_chorus_health_send(r, NGX_HTTP_OK, &good);
    }

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);
    main = ngx_http_chorus_health_main(&cmcf->counters->metrics);

    return main == NGX_HTTP_CHORUS_MAIN_UNKNOWN
           ? ngx_http_chorus_probe(r)
           : ngx_http_chorus_health_ready(r, main);
}


/* As the requests of clients tell.  Who is told that main is silent sends no
 * more of them: after a while it is tried again. */

static ngx_http_chorus_main_e
ngx_http_chorus_health_main(ngx_http_chorus_metrics_t *metrics)
{
    ngx_msec_int_t  good, bad;

    good = (ngx_msec_int_t) (ngx_current_msec - metrics->main_good);
    bad = (ngx_msec_int_t) (ngx_current_msec - metrics->main_bad);

    if (metrics->main_failures >= NGX_HTTP_CHORUS_HEALTH_FAILURES
        && bad < NGX_HTTP_CHORUS_HEALTH_LATELY_MS)
    {
        return NGX_HTTP_CHORUS_MAIN_SILENT;
    }

    return metrics->main_good && good < NGX_HTTP_CHORUS_HEALTH_LATELY_MS
           && metrics->main_failures == 0
           ? NGX_HTTP_CHORUS_MAIN_REACHED : NGX_HTTP_CHORUS_MAIN_UNKNOWN;
}


static ngx_int_t
ngx_http_chorus_health_ready(ngx_http_request_t *r,
    ngx_http_chorus_main_e main)
{
    u_char                       *p;
    ngx_str_t                     body;
    ngx_uint_t                    knows, is_up, is_good, accepts, is_ready;
    const char                   *journal;
    ngx_http_chorus_policies_t   *policies;
    ngx_http_chorus_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);
    policies = cmcf->policies;

    /* what Redis said, or a copy of it; where there is none, and no Redis, the
     * rules of files are run */
    knows = !ngx_http_chorus_policy_waits(policies);
    is_up = ngx_http_chorus_redis_is_ready(cmcf->redis);

    journal = cmcf->journal ? ngx_http_chorus_journal_state(cmcf->journal)
                            : "off";
    is_good = cmcf->journal == NULL || ngx_strcmp(journal, "good") == 0;
    accepts = is_good || !ngx_http_chorus_journal_rejects(cmcf->journal);

    is_ready = knows && accepts && main == NGX_HTTP_CHORUS_MAIN_REACHED;

    p = ngx_pnalloc(r->pool, NGX_HTTP_CHORUS_COUNTERS_LEN);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body.data = p;
    body.len = ngx_snprintf(p, NGX_HTTP_CHORUS_COUNTERS_LEN,
                            "{\"status\":\"%s\",\"policy\":\"%s\","
                            "\"journal\":\"%s\",\"redis\":\"%s\","
                            "\"main\":\"%s\"}\n",
                            !is_ready ? "not_ready"
                            : is_up && is_good ? "ready" : "degraded",
                            knows ? "loaded" : "waiting", journal,
                            is_up ? "up" : "away",
                            main == NGX_HTTP_CHORUS_MAIN_REACHED ? "reached"
                                                                 : "silent")
               - p;

    return ngx_http_chorus_health_send(r, is_ready ? NGX_HTTP_OK
                                       : NGX_HTTP_SERVICE_UNAVAILABLE, &body);
}


static ngx_int_t
ngx_http_chorus_health_send(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *body)
{
    ngx_int_t         rc;
    ngx_buf_t        *b;
    ngx_chain_t       out;
    ngx_table_elt_t  *h;

    b = ngx_create_temp_buf(r->pool, body->len);
    h = ngx_list_push(&r->headers_out.headers);

    if (b == NULL || h == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));
    h->hash = 1;
    ngx_str_set(&h->key, "Cache-Control");
    ngx_str_set(&h->value, "no-store");

    b->last = ngx_cpymem(b->last, body->data, body->len);
    b->last_buf = 1;

    r->disable_not_modified = 1;
    r->headers_out.status = status;
    r->headers_out.content_length_n = body->len;
    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


/* ---- a connection to main ---- */


static ngx_int_t
ngx_http_chorus_probe(ngx_http_request_t *r)
{
    chorus_str_t                  name;
    ngx_pool_cleanup_t           *cln;
    ngx_http_chorus_probe_t      *probe;
    ngx_http_chorus_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);
    name = cmcf->config->main->name;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_chorus_probe_t));
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    probe = cln->data;
    ngx_memzero(probe, sizeof(ngx_http_chorus_probe_t));

    probe->request = r;
    probe->upstream = ngx_http_chorus_upstream(
                    ngx_http_get_module_main_conf(r, ngx_http_upstream_module),
                    name);
    probe->limit.handler = ngx_http_chorus_probe_late;
    probe->limit.data = probe;
    probe->limit.log = r->connection->log;
    cln->handler = ngx_http_chorus_probe_close;

    if (ngx_http_chorus_probe_next(probe) != NGX_OK) {
        return ngx_http_chorus_health_ready(r, NGX_HTTP_CHORUS_MAIN_SILENT);
    }

    ngx_add_timer(&probe->limit, NGX_HTTP_CHORUS_HEALTH_PROBE_MS);
    r->main->count++;

    return NGX_DONE;
}


static ngx_addr_t *
ngx_http_chorus_probe_addr(ngx_http_upstream_srv_conf_t *upstream,
    ngx_uint_t n)
{
    ngx_uint_t                   i;
    ngx_http_upstream_server_t  *server;

    if (upstream == NULL || upstream->servers == NULL) {
        return NULL;
    }

    server = upstream->servers->elts;

    for (i = 0; i < upstream->servers->nelts; i++) {

        if (server[i].down) {
            continue;
        }

        if (n < server[i].naddrs) {
            return &server[i].addrs[n];
        }

        n -= server[i].naddrs;
    }

    return NULL;
}


/* NGX_DECLINED: there is no further address. */

static ngx_int_t
ngx_http_chorus_probe_next(ngx_http_chorus_probe_t *probe)
{
    ngx_int_t          rc;
    ngx_addr_t        *addr;
    ngx_connection_t  *c;

    for ( ;; ) {
        addr = ngx_http_chorus_probe_addr(probe->upstream, probe->n++);
        if (addr == NULL) {
            return NGX_DECLINED;
        }

        ngx_memzero(&probe->peer, sizeof(ngx_peer_connection_t));
        probe->peer.sockaddr = addr->sockaddr;
        probe->peer.socklen = addr->socklen;
        probe->peer.name = &addr->name;
        probe->peer.get = ngx_event_get_peer;
        probe->peer.log = probe->request->connection->log;
        probe->peer.log_error = NGX_ERROR_IGNORE_ECONNRESET;

        rc = ngx_event_connect_peer(&probe->peer);
        c = probe->peer.connection;

        if (rc == NGX_OK || rc == NGX_AGAIN) {
            break;
        }

        if (c) {
            ngx_close_connection(c);
            probe->peer.connection = NULL;
        }
    }

    c->data = probe;
    c->log = probe->peer.log;
    c->read->handler = ngx_http_chorus_probe_handler;
    c->write->handler = ngx_http_chorus_probe_handler;

    if (rc == NGX_OK) {
        /* at once, as a unix socket is */
        ngx_post_event(c->write, &ngx_posted_events);
    }

    return NGX_OK;
}


static void
ngx_http_chorus_probe_handler(ngx_event_t *ev)
{
    int                       err;
    socklen_t                 len;
    ngx_connection_t         *c;
    ngx_http_chorus_probe_t  *probe;

    c = ev->data;
    probe = c->data;
    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_errno;
    }

    ngx_close_connection(c);
    probe->peer.connection = NULL;

    if (err == 0) {
        ngx_http_chorus_probe_end(probe, NGX_HTTP_CHORUS_MAIN_REACHED);

    } else if (ngx_http_chorus_probe_next(probe) != NGX_OK) {
        ngx_http_chorus_probe_end(probe, NGX_HTTP_CHORUS_MAIN_SILENT);
    }
}


static void
ngx_http_chorus_probe_late(ngx_event_t *ev)
{
    ngx_http_chorus_probe_end(ev->data, NGX_HTTP_CHORUS_MAIN_SILENT);
}


static void
ngx_http_chorus_probe_end(ngx_http_chorus_probe_t *probe,
    ngx_http_chorus_main_e main)
{
    ngx_connection_t             *c;
    ngx_http_request_t           *r;
    ngx_http_chorus_metrics_t    *metrics;
    ngx_http_chorus_main_conf_t  *cmcf;

    r = probe->request;
    c = r->connection;
    ngx_http_chorus_probe_close(probe);

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);
    metrics = &cmcf->counters->metrics;

    if (main == NGX_HTTP_CHORUS_MAIN_REACHED) {
        metrics->main_good = ngx_current_msec;
        metrics->main_failures = 0;
    }

    ngx_http_finalize_request(r, ngx_http_chorus_health_ready(r, main));
    ngx_http_run_posted_requests(c);
}


static void
ngx_http_chorus_probe_close(void *data)
{
    ngx_http_chorus_probe_t *probe = data;

    if (probe->limit.timer_set) {
        ngx_del_timer(&probe->limit);
    }

    if (probe->peer.connection) {
        ngx_close_connection(probe->peer.connection);
        probe->peer.connection = NULL;
    }
}
