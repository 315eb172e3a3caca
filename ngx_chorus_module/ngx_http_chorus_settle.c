/*
 * Log phase: did main perhaps apply the write?  Then every key it touches is
 * marked for every follower.
 *
 * "Perhaps" is the word: main answered 4xx means that it did not happen;
 * anything else (2xx, 3xx, 5xx, no answer, the client gone) may have.  A mark
 * too many costs a comparison, a mark too few costs the follower its truth.
 *
 * This is where the outcome of a request is known, and so the place where a
 * journal of intents would be settled.
 */

#include "ngx_http_chorus_module.h"
#include "chorus_replication.h"


static void ngx_http_chorus_watch_cleanup(void *data);
static ngx_uint_t ngx_http_chorus_may_have_happened(ngx_http_request_t *r);
static void ngx_http_chorus_settle(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);
static void ngx_http_chorus_mark_touched(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, chorus_str_t replication);


ngx_int_t
ngx_http_chorus_watch(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_chorus_watch_cleanup;
    cln->data = ctx;

    return NGX_OK;
}


/* The entry only lets the log handler find ctx: an internal redirect (such
 * as error_page) clears the contexts of modules but not the cleanups. */

static void
ngx_http_chorus_watch_cleanup(void *data)
{
}


ngx_int_t
ngx_http_chorus_log_handler(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t  *cln;

    for (cln = r->pool->cleanup; cln; cln = cln->next) {

        if (cln->handler == ngx_http_chorus_watch_cleanup) {
            ngx_http_chorus_settle(r, cln->data);
        }
    }

    return NGX_OK;
}


static void
ngx_http_chorus_settle(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx)
{
    ngx_uint_t            i;
    chorus_mem_t          mem;
    chorus_str_t          name;
    chorus_replication_t  replication;

    if (!ctx->ready
        || ctx->nfollowers == 0
        || !ngx_http_chorus_may_have_happened(r))
    {
        return;
    }

    mem = ngx_http_chorus_mem(r->pool);

    for (i = 0; i < ctx->nfollowers; i++) {
        replication.user = ctx->user;
        replication.bucket = ctx->uri.bucket;
        replication.follower = ctx->followers[i]->name;
        replication.target = chorus_null_str;

        name = chorus_replication_name(&mem, &replication);

        if (name.data == NULL) {
            ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                          "chorus: out of memory, a write is not marked");
            return;
        }

        ngx_http_chorus_mark_touched(r, ctx, name);
    }
}


static ngx_uint_t
ngx_http_chorus_may_have_happened(ngx_http_request_t *r)
{
    ngx_uint_t                  i;
    ngx_http_upstream_state_t  *state;

    if (r->upstream_states == NULL) {
        return 0;
    }

    state = r->upstream_states->elts;

    for (i = 0; i < r->upstream_states->nelts; i++) {

        if (state[i].peer == NULL) {
            continue;
        }

        if (state[i].status < 400 || state[i].status >= 500) {
            return 1;
        }
    }

    return 0;
}


static void
ngx_http_chorus_mark_touched(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, chorus_str_t replication)
{
    size_t                        i;
    ngx_http_chorus_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);

    switch (ctx->operation->touch) {

    case CHORUS_TOUCH_NOTHING:
        break;

    case CHORUS_TOUCH_OBJECT:
        ngx_http_chorus_mark(cmcf->marks, replication, ctx->uri.key,
                             ctx->operation->facets);
        break;

    case CHORUS_TOUCH_KEYS_IN_BODY:
        for (i = 0; i < ctx->nkeys; i++) {
            ngx_http_chorus_mark(cmcf->marks, replication, ctx->keys[i],
                                 CHORUS_FACET_ALL);
        }

        break;

    case CHORUS_TOUCH_BUCKET:
        ngx_http_chorus_mark(cmcf->marks, replication, chorus_str(""),
                             CHORUS_FACET_ALL);
        break;
    }
}
