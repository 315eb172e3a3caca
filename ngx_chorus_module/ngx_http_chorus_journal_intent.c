/*
 * The intent of one request: written before main can see the request, and
 * open until it is known that nothing came of it, or until Redis has its
 * marks.
 *
 * What is written later about it (ABORT, DONE) only spares work to the
 * process that adopts the segment: without it, one more key is compared.  So
 * it may go with the next write.
 */

#include "ngx_http_chorus_journal.h"


static ngx_int_t ngx_http_chorus_intent_write(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, ngx_http_chorus_journal_t *journal);
static ngx_int_t ngx_http_chorus_intent_frame(ngx_http_chorus_ctx_t *ctx,
    ngx_http_chorus_segment_t *segment, ngx_http_chorus_intent_t *intent);
static u_char *ngx_http_chorus_intent_put(u_char *p,
    ngx_http_chorus_ctx_t *ctx, chorus_journal_intent_head_t *head,
    chorus_str_t *keys);
static size_t ngx_http_chorus_intent_follower_len(
    chorus_follower_t *follower);
static u_char *ngx_http_chorus_intent_put_follower(u_char *p,
    chorus_follower_t *follower);
static chorus_str_t *ngx_http_chorus_intent_keys(ngx_http_chorus_ctx_t *ctx,
    chorus_str_t *one, ngx_uint_t *n, unsigned *facets);
static ngx_int_t ngx_http_chorus_intent_missing(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, ngx_http_chorus_journal_t *journal);
static void ngx_http_chorus_intent_hint(ngx_http_chorus_journal_t *journal,
    ngx_http_chorus_intent_t *intent, chorus_journal_type_t type);


ngx_int_t
ngx_http_chorus_intent_open(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx)
{
    ngx_http_chorus_journal_t    *journal;
    ngx_http_chorus_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);
    journal = cmcf->journal;

    if (journal == NULL || ctx->nfollowers == 0 || ctx->intent) {
        return NGX_OK;
    }

    if (ngx_http_chorus_intent_write(r, ctx, journal) != NGX_OK) {
        return ngx_http_chorus_intent_missing(r, ctx, journal);
    }

    ngx_http_chorus_count(cmcf, intents);
    ngx_http_chorus_crash(cmcf, "after-intent");

    return NGX_OK;
}


static ngx_int_t
ngx_http_chorus_intent_write(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, ngx_http_chorus_journal_t *journal)
{
    ngx_http_chorus_intent_t   *intent;
    ngx_http_chorus_segment_t  *segment;

    if (!ngx_http_chorus_journal_may_write(journal)) {
        return NGX_DECLINED;
    }

    segment = ngx_http_chorus_segment_ready(journal);
    if (segment == NULL) {
        return NGX_DECLINED;
    }

    intent = ngx_calloc(sizeof(ngx_http_chorus_intent_t), journal->log);
    if (intent == NULL) {
        return NGX_DECLINED;
    }

    intent->id = ++journal->ids;
    intent->time_ms = ngx_http_chorus_journal_now();

    if (ngx_http_chorus_intent_frame(ctx, segment, intent) != NGX_OK) {
        ngx_free(intent);
        return NGX_DECLINED;
    }

    intent->segment = segment;
    intent->offset = segment->size - intent->len;
    intent->refs = 1;

    ngx_queue_insert_tail(&segment->intents, &intent->queue);
    ngx_http_chorus_segment_hold(segment);

    ctx->intent = intent;
    ngx_http_chorus_journal_works(journal);

    return NGX_OK;
}


/* One write: what was to be said of others, and the record. */

static ngx_int_t
ngx_http_chorus_intent_frame(ngx_http_chorus_ctx_t *ctx,
    ngx_http_chorus_segment_t *segment, ngx_http_chorus_intent_t *intent)
{
    size_t                         len;
    u_char                        *bytes, *p;
    ngx_int_t                      rc;
    ngx_uint_t                     i, n;
    chorus_str_t                   one, *keys;
    chorus_journal_record_t        record;
    ngx_http_chorus_journal_t     *journal;
    chorus_journal_intent_head_t   head;

    journal = segment->journal;

    keys = ngx_http_chorus_intent_keys(ctx, &one, &n, &head.facets);

    head.user = ctx->user;
    head.bucket = ctx->uri.bucket;
    head.nfollowers = ctx->nfollowers;
    head.nkeys = n;

    len = chorus_journal_intent_head_len(&head);

    for (i = 0; i < ctx->nfollowers; i++) {
        len += ngx_http_chorus_intent_follower_len(&ctx->followers[i]);
    }

    for (i = 0; i < n; i++) {
        len += chorus_journal_str_len(keys[i]);
    }

    if (len > CHORUS_JOURNAL_PAYLOAD_MAX) {
        return NGX_DECLINED;
    }

    intent->len = CHORUS_JOURNAL_HEAD + len;

    bytes = ngx_alloc(journal->hints_len + intent->len, journal->log);
    if (bytes == NULL) {
        return NGX_DECLINED;
    }

    p = ngx_cpymem(bytes, journal->hints, journal->hints_len);
    (void) ngx_http_chorus_intent_put(p + CHORUS_JOURNAL_HEAD, ctx, &head,
                                      keys);

    record.type = CHORUS_JOURNAL_INTENT;
    record.id = intent->id;
    record.time_ms = intent->time_ms;
    record.payload.len = len;

    chorus_journal_frame(p, segment->salt, &record);

    rc = ngx_http_chorus_segment_append(segment, bytes,
                                        journal->hints_len + intent->len);
    ngx_free(bytes);
    journal->hints_len = 0;

    return rc;
}


static u_char *
ngx_http_chorus_intent_put(u_char *p, ngx_http_chorus_ctx_t *ctx,
    chorus_journal_intent_head_t *head, chorus_str_t *keys)
{
    ngx_uint_t  i;

    p = chorus_journal_put_intent(p, head);

    for (i = 0; i < ctx->nfollowers; i++) {
        p = ngx_http_chorus_intent_put_follower(p, &ctx->followers[i]);
    }

    for (i = 0; i < head->nkeys; i++) {
        p = chorus_journal_put_str(p, keys[i]);
    }

    return p;
}


/* "follower[:target]", as in configurations: a name has no colon. */

static size_t
ngx_http_chorus_intent_follower_len(chorus_follower_t *follower)
{
    size_t  len;

    len = chorus_journal_str_len(follower->storage->name);

    return follower->target.len ? len + 1 + follower->target.len : len;
}


static u_char *
ngx_http_chorus_intent_put_follower(u_char *p, chorus_follower_t *follower)
{
    chorus_str_t  name;

    name = follower->storage->name;

    if (follower->target.len == 0) {
        return chorus_journal_put_str(p, name);
    }

    p = chorus_journal_put_len(p, name.len + 1 + follower->target.len);
    p = ngx_cpymem(p, name.data, name.len);
    *p++ = ':';

    return ngx_cpymem(p, follower->target.data, follower->target.len);
}


/* The same keys as settle.c will mark. */

static chorus_str_t *
ngx_http_chorus_intent_keys(ngx_http_chorus_ctx_t *ctx, chorus_str_t *one,
    ngx_uint_t *n, unsigned *facets)
{
    *n = 1;
    *facets = CHORUS_FACET_ALL;

    switch (ctx->operation->touch) {

    case CHORUS_TOUCH_OBJECT:
        *one = ctx->uri.key;
        *facets = ctx->operation->facets;
        return one;

    case CHORUS_TOUCH_KEYS_IN_BODY:
    case CHORUS_TOUCH_UNKNOWABLE:
        *n = ctx->nkeys;
        return ctx->keys;

    default:
        *one = chorus_str("");
        return one;
    }
}


/* It could not be written.  Should this process die before the marks are in
 * Redis, nobody would know of the write: so its replications owe a scan. */

static ngx_int_t
ngx_http_chorus_intent_missing(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, ngx_http_chorus_journal_t *journal)
{
    ngx_uint_t             i;
    chorus_mem_t           mem;
    chorus_str_t           name;
    chorus_replication_t   replication;

    if (journal->conf->rejects) {
        return NGX_DECLINED;
    }

    mem = ngx_http_chorus_mem(r->pool);

    for (i = 0; i < ctx->nfollowers; i++) {
        replication = ngx_http_chorus_replication(ctx, i);

        name = chorus_replication_name(&mem, &replication);

        if (name.data == NULL
            || ngx_http_chorus_owe(journal->cmcf->debts, name,
                                   journal->full ? "journal full"
                                                 : "journal not writable")
               != NGX_OK)
        {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


void
ngx_http_chorus_intent_abort(ngx_http_chorus_intent_t *intent)
{
    ngx_http_chorus_journal_t *journal = intent->segment->journal;

    ngx_http_chorus_crash(journal->cmcf, "before-abort");
    ngx_http_chorus_count(journal->cmcf, aborted);
    ngx_http_chorus_intent_hint(journal, intent, CHORUS_JOURNAL_ABORT);
    ngx_http_chorus_intent_release(intent);
}


void
ngx_http_chorus_intent_done(ngx_http_chorus_intent_t *intent,
    ngx_uint_t is_known)
{
    ngx_http_chorus_journal_t *journal = intent->segment->journal;

    ngx_http_chorus_count(journal->cmcf, settled);

    if (is_known) {
        ngx_http_chorus_intent_hint(journal, intent, CHORUS_JOURNAL_DONE);
    }

    ngx_http_chorus_intent_release(intent);
}


void
ngx_http_chorus_intent_hold(ngx_http_chorus_intent_t *intent)
{
    intent->refs++;
}


void
ngx_http_chorus_intent_release(ngx_http_chorus_intent_t *intent)
{
    if (--intent->refs) {
        return;
    }

    ngx_queue_remove(&intent->queue);
    ngx_http_chorus_segment_release(intent->segment);
    ngx_free(intent);
}


ngx_http_chorus_segment_t *
ngx_http_chorus_intent_segment(ngx_http_chorus_intent_t *intent)
{
    return intent ? intent->segment : NULL;
}


/* Said of an intent in a segment that is full already, it would not be found
 * there: not said. */

static void
ngx_http_chorus_intent_hint(ngx_http_chorus_journal_t *journal,
    ngx_http_chorus_intent_t *intent, chorus_journal_type_t type)
{
    chorus_journal_record_t  record;

    if (intent->segment != journal->current
        || journal->hints_len + CHORUS_JOURNAL_HEAD
           > NGX_HTTP_CHORUS_JOURNAL_HINTS)
    {
        return;
    }

    ngx_memzero(&record, sizeof(chorus_journal_record_t));

    record.type = type;
    record.id = intent->id;
    record.time_ms = ngx_http_chorus_journal_now();

    chorus_journal_frame(journal->hints + journal->hints_len,
                         intent->segment->salt, &record);
    journal->hints_len += CHORUS_JOURNAL_HEAD;

    if (!journal->flush.posted) {
        ngx_post_event(&journal->flush, &ngx_posted_events);
    }
}
