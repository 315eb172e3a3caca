/*
 * The end of a request: did main perhaps apply the write?  Then every key it touches is
 * marked for every follower.
 *
 * "Perhaps" is the word: main answered 4xx means that it did not happen;
 * anything else (2xx, 3xx, 5xx, no answer, the client gone) may have.  A mark
 * too many costs a comparison, a mark too few costs the follower its truth.
 *
 * That is known when the proxy module is done with main.  The log phase comes
 * later, after a lingering close perhaps by seconds: it settles what has not
 * been settled by then (main did not answer).  This file is the place where
 * the outcome of a request is known, and so its intent in the journal ends
 * here.
 */

#include "ngx_http_chorus_module.h"


static ngx_int_t ngx_http_chorus_header_filter(ngx_http_request_t *r);
static void ngx_http_chorus_finalize(ngx_http_request_t *r, ngx_int_t rc);
static void ngx_http_chorus_watch_cleanup(void *data);
static ngx_uint_t ngx_http_chorus_may_have_happened(ngx_http_request_t *r);
static ngx_uint_t ngx_http_chorus_may_still_happen(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);
static void ngx_http_chorus_settle(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);
static void ngx_http_chorus_settle_followers(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);
static void ngx_http_chorus_mark_touched(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, ngx_uint_t i, chorus_str_t replication);
static ngx_uint_t ngx_http_chorus_takes(ngx_http_chorus_ctx_t *ctx,
    ngx_uint_t i, chorus_str_t key);
static void ngx_http_chorus_mark_key(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, chorus_str_t replication, chorus_str_t key,
    unsigned facets);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


void
ngx_http_chorus_settle_init(void)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_chorus_header_filter;
}


/* Main has begun to answer: the end is heard of before the proxy module hears
 * of it. */

static ngx_int_t
ngx_http_chorus_header_filter(ngx_http_request_t *r)
{
    ngx_http_upstream_t    *u;
    ngx_http_chorus_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_chorus_module);
    u = r->upstream;

    if (ctx && r->reading_body) {
        /* main has answered early: what is left of the body ends this
         * connection, and the client is to know */
        r->keepalive = 0;
    }

    /* also when it has no follower yet: it may have some by then */

    if (ctx && ctx->ready && ctx->policy && u && ctx->finalize == NULL
        && u->finalize_request)
    {
        ctx->finalize = u->finalize_request;
        u->finalize_request = ngx_http_chorus_finalize;
    }

    if (ctx && ctx->ready) {
        ngx_http_chorus_parts_answered(r, ctx);
    }

    return ngx_http_next_header_filter(r);
}


static void
ngx_http_chorus_finalize(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_http_chorus_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_chorus_module);

    if (ctx) {
        ctx->cut = (rc != NGX_OK);
        ngx_http_chorus_settle(r, ctx);
        ctx->finalize(r, rc);
    }
}


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


/* The entry also lets the log handler find ctx: an internal redirect (such
 * as error_page) clears the contexts of modules but not the cleanups. */

static void
ngx_http_chorus_watch_cleanup(void *data)
{
    ngx_http_chorus_ctx_t *ctx = data;

    ngx_http_chorus_turn_leave(ctx);

    if (ctx->policy) {
        ngx_http_chorus_policy_release(ngx_http_get_module_main_conf(
                                    ctx->request, ngx_http_chorus_module),
                                       ctx);
    }
}


ngx_int_t
ngx_http_chorus_log_handler(ngx_http_request_t *r)
{
    ngx_uint_t              is_counted;
    ngx_pool_cleanup_t     *cln;
    ngx_http_chorus_ctx_t  *ctx;

    is_counted = 0;

    for (cln = r->pool->cleanup; cln; cln = cln->next) {

        if (cln->handler != ngx_http_chorus_watch_cleanup) {
            continue;
        }

        ctx = cln->data;
        ngx_http_chorus_settle(r, ctx);

        if (!is_counted) {
            is_counted = 1;
            ngx_http_chorus_count_request(r, ctx);
        }

        if (ctx->intent) {
            /* it came to nothing */
            ngx_http_chorus_intent_abort(ctx->intent);
            ctx->intent = NULL;
        }
    }

    return NGX_OK;
}


static void
ngx_http_chorus_settle(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx)
{
    ngx_http_chorus_main_conf_t  *cmcf;

    if (ctx->settled || !ctx->ready
        || !ngx_http_chorus_may_have_happened(r))
    {
        return;
    }

    ngx_http_chorus_policy_settle(r, ctx);

    if (ctx->nfollowers == 0) {
        return;
    }

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);

    ctx->settled = 1;
    ngx_http_chorus_own_begin(ctx);

    ngx_http_chorus_crash(cmcf, "after-answer");
    ngx_http_chorus_parts_completed(r, ctx, r->headers_out.status == NGX_HTTP_OK
                              && !ngx_http_chorus_may_still_happen(r, ctx));
    ngx_http_chorus_settle_followers(r, ctx);
    ngx_http_chorus_crash(cmcf, "after-mark");

    if (ctx->intent) {
        ngx_http_chorus_intent_done(ctx->intent,
                                    !ngx_http_chorus_may_still_happen(r, ctx));
        ctx->intent = NULL;
    }

    ngx_http_chorus_own_end(ctx);
}


static void
ngx_http_chorus_settle_followers(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx)
{
    ngx_uint_t                    i;
    chorus_mem_t                  mem;
    chorus_str_t                  name;
    chorus_replication_t          replication;
    ngx_http_chorus_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);
    mem = ngx_http_chorus_mem(r->pool);

    for (i = 0; i < ctx->nfollowers; i++) {
        replication = ngx_http_chorus_replication(ctx, i);

        name = chorus_replication_name(&mem, &replication);

        if (name.data == NULL) {
            ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                          "chorus: out of memory, a write is not marked");
            (void) ngx_http_chorus_owe(cmcf->debts, chorus_str("*"),
                                       "out of memory");
            return;
        }

        ngx_http_chorus_mark_touched(r, ctx, i, name);
    }
}


chorus_replication_t
ngx_http_chorus_replication(ngx_http_chorus_ctx_t *ctx, ngx_uint_t i)
{
    return (chorus_replication_t) {
        ctx->user, ctx->uri.bucket, ctx->followers[i].storage->name,
        ctx->followers[i].target
    };
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


/* Main got the request, or some of it, and has not said how it ended. */

static ngx_uint_t
ngx_http_chorus_may_still_happen(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx)
{
    ngx_uint_t                  i;
    ngx_http_upstream_state_t  *state;

    if (ctx->cut) {
        return 1;
    }

    state = r->upstream_states->elts;

    for (i = 0; i < r->upstream_states->nelts; i++) {

        if (state[i].peer && state[i].bytes_sent
            && (state[i].status == 0 || state[i].status >= 500))
        {
            return 1;
        }
    }

    return 0;
}


static void
ngx_http_chorus_mark_touched(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, ngx_uint_t follower, chorus_str_t replication)
{
    size_t  i;

    switch (ctx->operation->touch) {

    case CHORUS_TOUCH_NOTHING:
        break;

    case CHORUS_TOUCH_OBJECT:
        ngx_http_chorus_mark_key(r, ctx, replication, ctx->uri.key,
                                 ctx->operation->facets);
        break;

    case CHORUS_TOUCH_KEYS_IN_BODY:
    case CHORUS_TOUCH_UNKNOWABLE:

        /* a form has told its key; without one it was refused */

        for (i = 0; i < ctx->nkeys; i++) {
            if (ngx_http_chorus_takes(ctx, follower, ctx->keys[i])) {
                ngx_http_chorus_mark_key(r, ctx, replication, ctx->keys[i],
                                         CHORUS_FACET_ALL);
            }
        }

        break;

    case CHORUS_TOUCH_BUCKET:
        ngx_http_chorus_mark_key(r, ctx, replication, chorus_str(""),
                                 CHORUS_FACET_ALL);
        break;
    }
}


/* The key of a URI was looked at before (access.c). */

static ngx_uint_t
ngx_http_chorus_takes(ngx_http_chorus_ctx_t *ctx, ngx_uint_t i,
    chorus_str_t key)
{
    chorus_replication_t  replication;

    if (!ctx->followers[i].is_partial) {
        return 1;
    }

    replication = ngx_http_chorus_replication(ctx, i);

    return chorus_policy_takes_key(ctx->rules, &replication, key);
}


static void
ngx_http_chorus_mark_key(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx,
    chorus_str_t replication, chorus_str_t key, unsigned facets)
{
    ngx_http_chorus_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);

    ngx_http_chorus_mark(cmcf->marks, replication, key, facets,
                         ngx_current_msec,
                         ngx_http_chorus_intent_segment(ctx->intent));

    if (ngx_http_chorus_may_still_happen(r, ctx)) {
        ngx_http_chorus_repeat(cmcf->repeats, replication, key, facets,
                               ctx->intent);
    }
}
