/*
 * The way of a request from its headers to its storage: the calls of
 * headers.c, wide.c, turn.c and journal_intent.c.  A part of
 * ngx_http_chorus_module.h, at its end.
 */

#ifndef _NGX_HTTP_CHORUS_TURN_H_INCLUDED_
#define _NGX_HTTP_CHORUS_TURN_H_INCLUDED_


/* headers.c */
/* Fills in ctx->headers; NGX_DECLINED when there are too many. */
ngx_int_t ngx_http_chorus_collect_headers(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);
void ngx_http_chorus_client_headers(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);
/* The value of a header; repeats are joined by ','.  The null string without
 * one, or when out of memory. */
chorus_str_t ngx_http_chorus_header(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, const char *name);

/* wide.c */
/* Before the body of a request is begun to be read. */
ngx_int_t ngx_http_chorus_wide_begin(ngx_http_request_t *r);

/* turn.c */
ngx_int_t ngx_http_chorus_turn_init(ngx_http_chorus_main_conf_t *cmcf,
    ngx_cycle_t *cycle);
/* The phases of a request that has nothing more to wait for go on at the end
 * of this turn of the event loop, behind its intent: the access phase ends
 * with NGX_AGAIN. */
void ngx_http_chorus_turn_wait(ngx_http_chorus_turn_t *turn,
    ngx_http_chorus_ctx_t *ctx);
/* The request is gone. */
void ngx_http_chorus_turn_leave(ngx_http_chorus_ctx_t *ctx);

/* journal_intent.c */
/* Writes what requests are about to do, and sets intent of each, or unsafe:
 * the journal is full, and the request is to be refused.  Neither is set
 * without followers or a journal, nor when a scan is owed instead. */
void ngx_http_chorus_intents_open(ngx_http_chorus_main_conf_t *cmcf,
    ngx_http_chorus_ctx_t **ctxs, ngx_uint_t n);
/* It did not happen; gives up the intent. */
void ngx_http_chorus_intent_abort(ngx_http_chorus_intent_t *intent);
/* It may have happened and is marked; gives up the intent.  is_known: main
 * has said how it ended. */
void ngx_http_chorus_intent_done(ngx_http_chorus_intent_t *intent,
    ngx_uint_t is_known);
void ngx_http_chorus_intent_hold(ngx_http_chorus_intent_t *intent);
void ngx_http_chorus_intent_release(ngx_http_chorus_intent_t *intent);
/* NULL for NULL */
ngx_http_chorus_segment_t *ngx_http_chorus_intent_segment(
    ngx_http_chorus_intent_t *intent);


#endif /* _NGX_HTTP_CHORUS_TURN_H_INCLUDED_ */
