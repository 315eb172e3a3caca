/*
 * What changes something goes to a storage once.
 *
 * nginx sends a request again when its connection breaks, to the same storage
 * over a new connection or to the next one: PUT and DELETE are idempotent.
 * They are, each for itself.  But a storage that is slow may apply the first
 * try after the second has been answered and another client has written
 * something newer: then the older content stands, on the storage and on all
 * followers.  So once bytes of a change have gone out, the client hears of
 * the failure (502 or 504), and it is the client that tries again, who knows
 * what has been written since.
 *
 * A connection that a storage has closed while it was idle is no reason to
 * fail: a change looks at a kept connection before it takes it, and makes a
 * new one when there is anything to read on it.  What is left is a close that
 * is on its way at this moment: keepalive_timeout is below the storage's own.
 *
 * And what a storage sends behind the answer to a HEAD never becomes the
 * answer to somebody else's request: Ceph 16 answers HEAD ?acl and HEAD
 * ?uploads with a body, which HTTP forbids and nginx does not wait for.  Such
 * a connection is not kept.
 */

#include "ngx_http_chorus_module.h"


typedef struct {
    void                               *data;       /* of those below */
    ngx_event_get_peer_pt               get;
    ngx_event_free_peer_pt              free;
    ngx_http_upstream_t                *upstream;
#if (NGX_HTTP_SSL)
    ngx_event_set_peer_session_pt       set_session;
    ngx_event_save_peer_session_pt      save_session;
#endif
} ngx_http_chorus_peer_t;


static ngx_int_t ngx_http_chorus_peer_init(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *uscf);
static ngx_uint_t ngx_http_chorus_peer_is_odd_head(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);
static ngx_int_t ngx_http_chorus_peer_answer_counts(ngx_http_request_t *r);
static ngx_int_t ngx_http_chorus_peer_get(ngx_peer_connection_t *pc,
    void *data);
static void ngx_http_chorus_peer_close(ngx_connection_t *c);
static void ngx_http_chorus_peer_free(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state);
static void ngx_http_chorus_peer_free_head(ngx_peer_connection_t *pc,
    void *data, ngx_uint_t state);
#if (NGX_HTTP_SSL)
static ngx_int_t ngx_http_chorus_peer_set_session(ngx_peer_connection_t *pc,
    void *data);
static void ngx_http_chorus_peer_save_session(ngx_peer_connection_t *pc,
    void *data);
#endif


/* After the upstream module has set them up: ours stands before whatever
 * balances them and keeps their connections. */

void
ngx_http_chorus_peers_init(ngx_conf_t *cf)
{
    ngx_uint_t                       i;
    ngx_http_upstream_srv_conf_t   **uscfp;
    ngx_http_chorus_srv_conf_t      *cscf;
    ngx_http_upstream_main_conf_t   *umcf;

    umcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_upstream_module);
    uscfp = umcf->upstreams.elts;

    for (i = 0; i < umcf->upstreams.nelts; i++) {

        /* one that a proxy_pass has made is none of ours */

        if (uscfp[i]->srv_conf == NULL || uscfp[i]->peer.init == NULL) {
            continue;
        }

        cscf = ngx_http_conf_upstream_srv_conf(uscfp[i],
                                               ngx_http_chorus_module);

        cscf->peer_init = uscfp[i]->peer.init;
        uscfp[i]->peer.init = ngx_http_chorus_peer_init;
    }
}


static ngx_int_t
ngx_http_chorus_peer_init(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *uscf)
{
    ngx_int_t                    rc;
    ngx_uint_t                   reads;
    ngx_http_upstream_t         *u;
    ngx_http_chorus_ctx_t       *ctx;
    ngx_http_chorus_peer_t      *peer;
    ngx_http_chorus_srv_conf_t  *cscf;

    cscf = ngx_http_conf_upstream_srv_conf(uscf, ngx_http_chorus_module);

    rc = cscf->peer_init(r, uscf);
    ctx = ngx_http_get_module_ctx(r, ngx_http_chorus_module);
    reads = r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_OPTIONS);

    if (rc != NGX_OK || ctx == NULL
        || (reads && !ngx_http_chorus_peer_is_odd_head(r, ctx)))
    {
        return rc;
    }

    peer = ngx_palloc(r->pool, sizeof(ngx_http_chorus_peer_t));
    if (peer == NULL) {
        return NGX_ERROR;
    }

    u = r->upstream;

    peer->data = u->peer.data;
    peer->get = u->peer.get;
    peer->free = u->peer.free;

    u->peer.data = peer;
    peer->upstream = u;
    u->peer.get = ngx_http_chorus_peer_get;
    u->peer.free = reads ? ngx_http_chorus_peer_free_head
                         : ngx_http_chorus_peer_free;

#if (NGX_HTTP_SSL)
    peer->set_session = u->peer.set_session;
    peer->save_session = u->peer.save_session;
    u->peer.set_session = ngx_http_chorus_peer_set_session;
    u->peer.save_session = ngx_http_chorus_peer_save_session;
#endif

    return reads ? NGX_OK : ngx_http_chorus_peer_answer_counts(r);
}


/* Asks for more than an object or a bucket: storages know that as a GET.  An
 * unknown argument may select anything. */

static ngx_uint_t
ngx_http_chorus_peer_is_odd_head(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx)
{
    size_t                     i, j;
    const chorus_query_arg_t  *arg;

    static const char  *plain[] = {
        "versionId", "partNumber", "AWSAccessKeyId", "Signature", "Expires",
        "x-id"
    };

    if (r->method != NGX_HTTP_HEAD) {
        return 0;
    }

    for (i = 0; i < ctx->uri.nargs; i++) {

        arg = &ctx->uri.args[i];

        if (chorus_str_casestarts(arg->name, chorus_str("X-Amz-"))
            || chorus_str_starts(arg->name, chorus_str("response-")))
        {
            continue;
        }

        for (j = 0; j < sizeof(plain) / sizeof(plain[0]); j++) {
            if (chorus_uri_eq(arg->name, chorus_str_from(plain[j]))) {
                break;
            }
        }

        if (j == sizeof(plain) / sizeof(plain[0])) {
            return 1;
        }
    }

    return 0;
}


/* Whatever proxy_next_upstream says of answers: one that has come is the
 * client's. */

static ngx_int_t
ngx_http_chorus_peer_answer_counts(ngx_http_request_t *r)
{
    ngx_uint_t                 others;
    ngx_http_upstream_t       *u;
    ngx_http_upstream_conf_t  *conf;

    u = r->upstream;
    others = NGX_HTTP_UPSTREAM_FT_STATUS|NGX_HTTP_UPSTREAM_FT_INVALID_HEADER;

    if ((u->conf->next_upstream & others) == 0) {
        return NGX_OK;
    }

    conf = ngx_palloc(r->pool, sizeof(ngx_http_upstream_conf_t));
    if (conf == NULL) {
        return NGX_ERROR;
    }

    *conf = *u->conf;
    conf->next_upstream &= ~others;
    u->conf = conf;

    return NGX_OK;
}


static ngx_int_t
ngx_http_chorus_peer_get(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_chorus_peer_t *peer = data;

    u_char             byte;
    ssize_t            n;
    ngx_int_t          rc;
    ngx_connection_t  *c;

    rc = peer->get(pc, peer->data);

    if (rc != NGX_DONE || !pc->cached || pc->connection == NULL) {
        return rc;
    }

    c = pc->connection;

    do {
        n = recv(c->fd, &byte, 1, MSG_PEEK);
    } while (n == -1 && ngx_socket_errno == NGX_EINTR);

    if (n == -1 && ngx_socket_errno == NGX_EAGAIN) {
        return NGX_DONE;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, pc->log, 0,
                   "chorus: connection %p was closed by the storage", c);

    ngx_http_chorus_peer_close(c);

    pc->connection = NULL;
    pc->cached = 0;

    /* a new one, to the same peer */
    return NGX_OK;
}


static void
ngx_http_chorus_peer_close(ngx_connection_t *c)
{
#if (NGX_HTTP_SSL)

    if (c->ssl) {
        c->ssl->no_wait_shutdown = 1;
        c->ssl->no_send_shutdown = 1;
        (void) ngx_ssl_shutdown(c);
    }

#endif

    ngx_destroy_pool(c->pool);
    ngx_close_connection(c);
}


/* Comes before nginx decides whether there is another try. */

static void
ngx_http_chorus_peer_free(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state)
{
    ngx_http_chorus_peer_t *peer = data;

    ngx_uint_t  is_sent;

    is_sent = (pc->connection && pc->connection->sent);

    peer->free(pc, peer->data, state);

    if (is_sent) {
        pc->tries = 0;
        pc->cached = 0;
    }
}


static void
ngx_http_chorus_peer_free_head(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state)
{
    ngx_http_chorus_peer_t *peer = data;

    peer->upstream->keepalive = 0;
    peer->free(pc, peer->data, state);
}


#if (NGX_HTTP_SSL)

static ngx_int_t
ngx_http_chorus_peer_set_session(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_chorus_peer_t *peer = data;

    return peer->set_session(pc, peer->data);
}


static void
ngx_http_chorus_peer_save_session(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_chorus_peer_t *peer = data;

    peer->save_session(pc, peer->data);
}

#endif
