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


/* so much goes in one write, if not one of them is larger */
#define NGX_HTTP_CHORUS_INTENTS_BYTES  16384


static ngx_int_t ngx_http_chorus_intents_write(
    ngx_http_chorus_journal_t *journal, ngx_http_chorus_ctx_t **ctxs,
    ngx_uint_t n, size_t len);
static ngx_int_t ngx_http_chorus_intents_frame(u_char *bytes, u_char **last,
    ngx_http_chorus_segment_t *segment, ngx_http_chorus_ctx_t **ctxs,
    ngx_uint_t n);
static void ngx_http_chorus_intents_begin(
    ngx_http_chorus_segment_t *segment, ngx_http_chorus_ctx_t **ctxs,
    ngx_uint_t n);
static size_t ngx_http_chorus_intent_len(ngx_http_chorus_ctx_t *ctx);
static u_char *ngx_http_chorus_intent_frame(u_char *p,
    ngx_http_chorus_intent_t *intent, ngx_http_chorus_ctx_t *ctx);
static u_char *ngx_http_chorus_intent_put(u_char *p,
    ngx_http_chorus_ctx_t *ctx);
static size_t ngx_http_chorus_intent_follower_len(
    chorus_follower_t *follower);
static u_char *ngx_http_chorus_intent_put_follower(u_char *p,
    chorus_follower_t *follower);
static chorus_str_t *ngx_http_chorus_intent_head(ngx_http_chorus_ctx_t *ctx,
    chorus_journal_intent_head_t *head, chorus_str_t *one, ngx_uint_t *n);
static chorus_str_t *ngx_http_chorus_intent_keys(ngx_http_chorus_ctx_t *ctx,
    chorus_str_t *one, ngx_uint_t *n, unsigned *facets);
static void ngx_http_chorus_intent_missing(ngx_http_chorus_ctx_t *ctx,
    ngx_http_chorus_journal_t *journal);
static void ngx_http_chorus_intent_hint(ngx_http_chorus_journal_t *journal,
    ngx_http_chorus_intent_t *intent, chorus_journal_type_t type);


void
ngx_http_chorus_intents_open(ngx_http_chorus_main_conf_t *cmcf,
    ngx_http_chorus_ctx_t **ctxs, ngx_uint_t n)
{
    size_t      len, sum;
    ngx_uint_t  first, next;

    if (cmcf->journal == NULL) {
        return;
    }

    for (first = 0; first < n; first = next) {

        sum = 0;

        for (next = first; next < n; next++) {
            len = ngx_http_chorus_intent_len(ctxs[next]);

            if (next > first && sum + len > NGX_HTTP_CHORUS_INTENTS_BYTES) {
                break;
            }

            sum += len;
        }

        if (ngx_http_chorus_intents_write(cmcf->journal, &ctxs[first],
                                          next - first, sum)
            == NGX_OK)
        {
            continue;
        }

        for ( /* void */ ; first < next; first++) {
            ngx_http_chorus_intent_missing(ctxs[first], cmcf->journal);
        }
    }
}


/* One write: what was to be said of others, and the records.  Nothing of them
 * is there when it fails. */

static ngx_int_t
ngx_http_chorus_intents_write(ngx_http_chorus_journal_t *journal,
    ngx_http_chorus_ctx_t **ctxs, ngx_uint_t n, size_t len)
{
    u_char                     *bytes, *last;
    ngx_int_t                   rc;
    ngx_uint_t                  i;
    ngx_http_chorus_segment_t  *segment;

    if (!ngx_http_chorus_journal_may_write(journal)) {
        return NGX_DECLINED;
    }

    /* one that is too large stands alone */

    if (n == 1 && len > CHORUS_JOURNAL_HEAD + CHORUS_JOURNAL_PAYLOAD_MAX) {
        return NGX_DECLINED;
    }

    segment = ngx_http_chorus_segment_ready(journal);
    if (segment == NULL) {
        return NGX_DECLINED;
    }

    bytes = ngx_alloc(journal->hints_len + len, journal->log);
    if (bytes == NULL) {
        return NGX_DECLINED;
    }

    rc = ngx_http_chorus_intents_frame(bytes, &last, segment, ctxs, n);

    if (rc == NGX_OK) {
        ngx_http_chorus_crash_within(segment, bytes, last - bytes);
        rc = ngx_http_chorus_segment_append(segment, bytes, last - bytes);
        journal->hints_len = 0;
    }

    ngx_free(bytes);

    if (rc == NGX_OK) {
        ngx_http_chorus_intents_begin(segment, ctxs, n);
        return NGX_OK;
    }

    for (i = 0; i < n; i++) {
        ngx_free(ctxs[i]->intent);
        ctxs[i]->intent = NULL;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_chorus_intents_frame(u_char *bytes, u_char **last,
    ngx_http_chorus_segment_t *segment, ngx_http_chorus_ctx_t **ctxs,
    ngx_uint_t n)
{
    u_char                     *p;
    ngx_uint_t                  i;
    ngx_http_chorus_intent_t   *intent;
    ngx_http_chorus_journal_t  *journal;

    journal = segment->journal;
    p = ngx_cpymem(bytes, journal->hints, journal->hints_len);

    for (i = 0; i < n; i++) {

        intent = ngx_calloc(sizeof(ngx_http_chorus_intent_t), journal->log);
        if (intent == NULL) {
            return NGX_ERROR;
        }

        ctxs[i]->intent = intent;

        intent->segment = segment;
        intent->id = ++journal->ids;
        intent->time_ms = ngx_http_chorus_journal_now();
        intent->offset = segment->size + (p - bytes);
        intent->len = ngx_http_chorus_intent_frame(p, intent, ctxs[i]) - p;
        intent->refs = 1;

        p += intent->len;
    }

    *last = p;

    return NGX_OK;
}


/* They are in the file. */

static void
ngx_http_chorus_intents_begin(ngx_http_chorus_segment_t *segment,
    ngx_http_chorus_ctx_t **ctxs, ngx_uint_t n)
{
    ngx_uint_t                  i;
    ngx_http_chorus_journal_t  *journal;

    journal = segment->journal;

    for (i = 0; i < n; i++) {
        ngx_queue_insert_tail(&segment->intents, &ctxs[i]->intent->queue);
        ngx_http_chorus_segment_hold(segment);
    }

    ngx_http_chorus_journal_works(journal);

    (void) ngx_atomic_fetch_add(&journal->cmcf->counters->intents, n);
    ngx_http_chorus_crash(journal->cmcf, "after-intent");
}


/* Of the whole record. */

static size_t
ngx_http_chorus_intent_len(ngx_http_chorus_ctx_t *ctx)
{
    size_t                         len;
    ngx_uint_t                     i, n;
    chorus_str_t                   one, *keys;
    chorus_journal_intent_head_t   head;

    keys = ngx_http_chorus_intent_head(ctx, &head, &one, &n);

    len = CHORUS_JOURNAL_HEAD + chorus_journal_intent_head_len(&head);

    for (i = 0; i < ctx->nfollowers; i++) {
        len += ngx_http_chorus_intent_follower_len(&ctx->followers[i]);
    }

    for (i = 0; i < n; i++) {
        len += chorus_journal_str_len(keys[i]);
    }

    return len;
}


static u_char *
ngx_http_chorus_intent_frame(u_char *p, ngx_http_chorus_intent_t *intent,
    ngx_http_chorus_ctx_t *ctx)
{
    u_char                   *last;
    chorus_journal_record_t   record;

    last = ngx_http_chorus_intent_put(p + CHORUS_JOURNAL_HEAD, ctx);

    record.type = CHORUS_JOURNAL_INTENT;
    record.id = intent->id;
    record.time_ms = intent->time_ms;
    record.payload.len = last - p - CHORUS_JOURNAL_HEAD;

    chorus_journal_frame(p, intent->segment->salt, &record);

    return last;
}


static u_char *
ngx_http_chorus_intent_put(u_char *p, ngx_http_chorus_ctx_t *ctx)
{
    ngx_uint_t                     i, n;
    chorus_str_t                   one, *keys;
    chorus_journal_intent_head_t   head;

    keys = ngx_http_chorus_intent_head(ctx, &head, &one, &n);

    p = chorus_journal_put_intent(p, &head);

    for (i = 0; i < ctx->nfollowers; i++) {
        p = ngx_http_chorus_intent_put_follower(p, &ctx->followers[i]);
    }

    for (i = 0; i < n; i++) {
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


/* Fills in the head, and returns the keys that follow the followers. */

static chorus_str_t *
ngx_http_chorus_intent_head(ngx_http_chorus_ctx_t *ctx,
    chorus_journal_intent_head_t *head, chorus_str_t *one, ngx_uint_t *n)
{
    chorus_str_t  *keys;

    keys = ngx_http_chorus_intent_keys(ctx, one, n, &head->facets);

    head->user = ctx->user;
    head->bucket = ctx->uri.bucket;
    head->nfollowers = ctx->nfollowers;
    head->nkeys = *n;

    return keys;
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

static void
ngx_http_chorus_intent_missing(ngx_http_chorus_ctx_t *ctx,
    ngx_http_chorus_journal_t *journal)
{
    ngx_uint_t             i;
    chorus_mem_t           mem;
    chorus_str_t           name;
    chorus_replication_t   replication;

    ctx->unsafe = journal->conf->rejects;
    mem = ngx_http_chorus_mem(ctx->request->pool);

    for (i = 0; i < ctx->nfollowers && !ctx->unsafe; i++) {
        replication = ngx_http_chorus_replication(ctx, i);

        name = chorus_replication_name(&mem, &replication);

        ctx->unsafe = name.data == NULL
                      || ngx_http_chorus_owe(journal->cmcf->debts, name,
                                             journal->full
                                             ? "journal full"
                                             : "journal not writable")
                         != NGX_OK;
    }
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
