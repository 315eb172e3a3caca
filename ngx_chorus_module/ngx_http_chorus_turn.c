/*
 * Requests that are ready wait for the end of this turn of the event loop,
 * and then go to their storages together.
 *
 * Their intents are one write to the journal.  And what wakes a storage up is
 * the first of several requests: while it works on that, the others reach it
 * for less.
 */

#include "ngx_http_chorus_module.h"


#define NGX_HTTP_CHORUS_TURN_INTENTS  64        /* opened at a time */


struct ngx_http_chorus_turn_s {
    ngx_http_chorus_main_conf_t  *cmcf;
    ngx_event_t                   event;
    ngx_queue_t                   waiting;      /* ctx->turn */
};


static void ngx_http_chorus_turn_handler(ngx_event_t *ev);
static void ngx_http_chorus_turn_open(ngx_http_chorus_turn_t *turn,
    ngx_queue_t *going);
static void ngx_http_chorus_turn_write(ngx_http_chorus_turn_t *turn,
    ngx_http_chorus_ctx_t **ctxs, ngx_uint_t n);
static void ngx_http_chorus_turn_go(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);


ngx_int_t
ngx_http_chorus_turn_init(ngx_http_chorus_main_conf_t *cmcf,
    ngx_cycle_t *cycle)
{
    ngx_http_chorus_turn_t  *turn;

    turn = ngx_pcalloc(cycle->pool, sizeof(ngx_http_chorus_turn_t));
    if (turn == NULL) {
        return NGX_ERROR;
    }

    turn->cmcf = cmcf;
    ngx_queue_init(&turn->waiting);

    turn->event.handler = ngx_http_chorus_turn_handler;
    turn->event.data = turn;
    turn->event.log = cycle->log;

    cmcf->turn = turn;

    return NGX_OK;
}


void
ngx_http_chorus_turn_wait(ngx_http_chorus_turn_t *turn,
    ngx_http_chorus_ctx_t *ctx)
{
    ctx->waits = 1;
    ngx_queue_insert_tail(&turn->waiting, &ctx->turn);

    if (!turn->event.posted) {
        ngx_post_event(&turn->event, &ngx_posted_events);
    }
}


void
ngx_http_chorus_turn_leave(ngx_http_chorus_ctx_t *ctx)
{
    if (ctx->waits) {
        ctx->waits = 0;
        ngx_queue_remove(&ctx->turn);
    }
}


/* A request may end while others go, so each is taken out before it does; one
 * that comes meanwhile waits for the next turn, as its intent is not there. */

static void
ngx_http_chorus_turn_handler(ngx_event_t *ev)
{
    ngx_http_chorus_turn_t *turn = ev->data;

    ngx_queue_t             going;
    ngx_http_chorus_ctx_t  *ctx;

    if (ngx_queue_empty(&turn->waiting)) {
        return;
    }

    ngx_queue_init(&going);
    ngx_queue_add(&going, &turn->waiting);
    ngx_queue_init(&turn->waiting);

    ngx_http_chorus_turn_open(turn, &going);

    while (!ngx_queue_empty(&going)) {
        ctx = ngx_queue_data(ngx_queue_head(&going), ngx_http_chorus_ctx_t,
                             turn);

        ngx_http_chorus_turn_leave(ctx);
        ngx_http_chorus_turn_go(ctx->request, ctx);
    }
}


/* Their intents: no storage has seen any of these requests yet. */

static void
ngx_http_chorus_turn_open(ngx_http_chorus_turn_t *turn, ngx_queue_t *going)
{
    ngx_uint_t              n;
    ngx_queue_t            *q;
    ngx_http_chorus_ctx_t  *ctx, *ctxs[NGX_HTTP_CHORUS_TURN_INTENTS];

    n = 0;

    for (q = ngx_queue_head(going);
         q != ngx_queue_sentinel(going);
         q = ngx_queue_next(q))
    {
        ctx = ngx_queue_data(q, ngx_http_chorus_ctx_t, turn);

        if (ctx->nfollowers == 0) {
            /* it changes nothing that is followed */
            continue;
        }

        ctxs[n++] = ctx;

        if (n == NGX_HTTP_CHORUS_TURN_INTENTS) {
            ngx_http_chorus_turn_write(turn, ctxs, n);
            n = 0;
        }
    }

    ngx_http_chorus_turn_write(turn, ctxs, n);
}


/* The write is time of each of them; that others go before one is not. */

static void
ngx_http_chorus_turn_write(ngx_http_chorus_turn_t *turn,
    ngx_http_chorus_ctx_t **ctxs, ngx_uint_t n)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        ngx_http_chorus_own_begin(ctxs[i]);
    }

    ngx_http_chorus_intents_open(turn->cmcf, ctxs, n);

    for (i = 0; i < n; i++) {
        ngx_http_chorus_own_end(ctxs[i]);
    }
}


static void
ngx_http_chorus_turn_go(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx)
{
    ngx_connection_t  *c;

    c = r->connection;
    ngx_http_set_log_request(c->log, r);

    if (ctx->unsafe) {
        (void) ngx_http_chorus_refuse_code(r, ctx, CHORUS_S3_SLOW_DOWN, NULL);

    } else {
        ctx->ready = 1;
        r->write_event_handler = ngx_http_core_run_phases;
        ngx_http_core_run_phases(r);
    }

    ngx_http_run_posted_requests(c);
}
