/*
 * The end of segments: they go strictly in their order, when Redis has had for
 * long enough what they say, and what would keep them is carried over.
 */

#include "ngx_http_chorus_journal.h"
#include "chorus_redis.h"


#define NGX_HTTP_CHORUS_SEGMENT_CARRY  100      /* intents at a time */
/* two strings, a CHORUS_JOURNAL_CLOSED */
#define NGX_HTTP_CHORUS_SEGMENT_WHO    (8 + CHORUS_REDIS_RUN_SIZE             \
                                        + CHORUS_REDIS_GENERATION_SIZE)


static void ngx_http_chorus_segment_remove(
    ngx_http_chorus_segment_t *segment, ngx_uint_t unlinks);
static ngx_uint_t ngx_http_chorus_segment_is_over(
    ngx_http_chorus_segment_t *segment);
static void ngx_http_chorus_segment_carry(ngx_http_chorus_segment_t *segment);
static ngx_int_t ngx_http_chorus_segment_carry_one(
    ngx_http_chorus_intent_t *intent);
static ngx_uint_t ngx_http_chorus_segment_close(
    ngx_http_chorus_segment_t *segment);


void
ngx_http_chorus_segments_tidy(ngx_http_chorus_journal_t *journal)
{
    ngx_queue_t                *q;
    ngx_http_chorus_segment_t  *segment;

    /* a process that was told to quit may have uploads of hours, and leaves
     * the rest to the next one; else, when Redis is back, it may have forgotten
     * what it had */

    if (ngx_exiting ? !journal->cmcf->redis_was_well
                    : !ngx_http_chorus_redis_is_ready(journal->cmcf->redis))
    {
        return;
    }

    while (!ngx_queue_empty(&journal->segments)) {
        q = ngx_queue_head(&journal->segments);
        segment = ngx_queue_data(q, ngx_http_chorus_segment_t, queue);

        if (ngx_exiting && segment->refs == 0) {
            ngx_http_chorus_segment_remove(segment,
                                     ngx_http_chorus_segment_close(segment));
            continue;
        }

        if (!ngx_http_chorus_segment_is_over(segment)) {
            break;
        }

        ngx_http_chorus_crash(journal->cmcf, "before-remove");
        ngx_http_chorus_segment_remove(segment, 1);
        ngx_http_chorus_crash(journal->cmcf, "after-remove");
    }

    if (!ngx_queue_empty(&journal->segments)) {
        q = ngx_queue_head(&journal->segments);
        ngx_http_chorus_segment_carry(
                       ngx_queue_data(q, ngx_http_chorus_segment_t, queue));
    }
}


/* Redis has all of it, and that for so long that it would not forget it when
 * it lost its last seconds. */

static ngx_uint_t
ngx_http_chorus_segment_is_over(ngx_http_chorus_segment_t *segment)
{
    ngx_msec_t                  last;
    ngx_http_chorus_journal_t  *journal;

    journal = segment->journal;

    /* one that is not heard of may be one that is being replaced */
    last = ngx_http_chorus_redis_last(journal->cmcf->redis);

    return segment->refs == 0
           && (ngx_msec_int_t) (last - segment->settled)
              >= (ngx_msec_int_t) journal->conf->window;
}


static void
ngx_http_chorus_segment_remove(ngx_http_chorus_segment_t *segment,
    ngx_uint_t unlinks)
{
    u_char                     *path;
    ngx_queue_t                *q;
    ngx_http_chorus_journal_t  *journal;

    journal = segment->journal;

    if (journal->current == segment) {
        journal->current = NULL;
        journal->hints_len = 0;
    }

    if (unlinks) {
        path = ngx_http_chorus_journal_path(journal, segment->name);
        journal->bytes -= ngx_min(segment->size, journal->bytes);

        if (ngx_delete_file(path) == NGX_FILE_ERROR && ngx_errno != NGX_ENOENT)
        {
            ngx_log_error(NGX_LOG_CRIT, journal->log, ngx_errno,
                          "chorus: " ngx_delete_file_n " \"%s\" failed", path);
        }
    }

    /* at the end of the process some may be open */

    while (!ngx_queue_empty(&segment->intents)) {
        q = ngx_queue_head(&segment->intents);
        ngx_queue_remove(q);
        ngx_free(ngx_queue_data(q, ngx_http_chorus_intent_t, queue));
    }

    ngx_queue_remove(&segment->queue);
    ngx_close_file(segment->fd);
    ngx_free(segment);
}


/*
 * A request that takes hours, or a write that is repeated for minutes, must
 * not keep all that came after it: its intent moves to the segment of today.
 * Marks are not moved; they wait for Redis, and then the journal grows.
 */

static void
ngx_http_chorus_segment_carry(ngx_http_chorus_segment_t *segment)
{
    ngx_uint_t                  n;
    ngx_queue_t                *q;
    ngx_http_chorus_journal_t  *journal;

    journal = segment->journal;
    n = 0;

    for (q = ngx_queue_head(&segment->intents);
         q != ngx_queue_sentinel(&segment->intents);
         q = ngx_queue_next(q))
    {
        n++;
    }

    if (segment == journal->current || n == 0 || segment->refs != n
        || ngx_queue_last(&journal->segments) == &segment->queue
        || !ngx_http_chorus_segment_is_worn(segment))
    {
        return;
    }

    for (n = 0; n < NGX_HTTP_CHORUS_SEGMENT_CARRY; n++) {

        if (ngx_queue_empty(&segment->intents)) {
            return;
        }

        q = ngx_queue_head(&segment->intents);

        if (ngx_http_chorus_segment_carry_one(
                         ngx_queue_data(q, ngx_http_chorus_intent_t, queue))
            != NGX_OK)
        {
            return;
        }
    }
}


static ngx_int_t
ngx_http_chorus_segment_carry_one(ngx_http_chorus_intent_t *intent)
{
    u_char                     *bytes;
    ngx_int_t                   rc;
    chorus_journal_record_t     record;
    ngx_http_chorus_segment_t  *to;

    bytes = ngx_alloc(intent->len, intent->segment->journal->log);
    if (bytes == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;
    to = NULL;

    if (pread(intent->segment->fd, bytes, intent->len, intent->offset)
        == (ssize_t) intent->len)
    {
        to = ngx_http_chorus_segment_ready(intent->segment->journal);
    }

    if (to && to != intent->segment) {
        record.type = CHORUS_JOURNAL_INTENT;
        record.id = intent->id;
        record.time_ms = intent->time_ms;
        record.payload.len = intent->len - CHORUS_JOURNAL_HEAD;

        chorus_journal_frame(bytes, to->salt, &record);
        rc = ngx_http_chorus_segment_append(to, bytes, intent->len);
    }

    if (rc == NGX_OK) {
        ngx_queue_remove(&intent->queue);

        /* Redis was told nothing: this is no reason to wait */
        intent->segment->refs--;

        intent->offset = to->size - intent->len;
        intent->segment = to;

        ngx_queue_insert_tail(&to->intents, &intent->queue);
        ngx_http_chorus_segment_hold(to);
    }

    ngx_free(bytes);

    return rc;
}


/*
 * All that is before a segment that is still held is settled; what follows it
 * may not be, whatever its own count says.
 */

void
ngx_http_chorus_segments_leave(ngx_http_chorus_journal_t *journal)
{
    ngx_uint_t                  settled;
    ngx_queue_t                *q;
    ngx_http_chorus_segment_t  *segment;

    settled = 1;

    while (!ngx_queue_empty(&journal->segments)) {
        q = ngx_queue_head(&journal->segments);
        segment = ngx_queue_data(q, ngx_http_chorus_segment_t, queue);

        settled = settled && segment->refs == 0;

        ngx_http_chorus_segment_remove(segment, settled
                         && ngx_http_chorus_segment_close(segment));
    }
}


/* Whether it may go; else the next process keeps it for the rest of its
 * time. */

static ngx_uint_t
ngx_http_chorus_segment_close(ngx_http_chorus_segment_t *segment)
{
    u_char                    bytes[CHORUS_JOURNAL_HEAD
                                    + NGX_HTTP_CHORUS_SEGMENT_WHO], *last;
    chorus_journal_record_t   record;
    chorus_journal_closed_t   closed;

    if (!segment->journal->cmcf->redis_was_well) {
        return 0;
    }

    if (ngx_http_chorus_segment_is_over(segment)) {
        return 1;
    }

    ngx_memzero(&record, sizeof(chorus_journal_record_t));

    record.type = CHORUS_JOURNAL_CLOSED;
    record.id = ngx_http_chorus_journal_now();
    record.time_ms = ngx_http_chorus_journal_now()
                     - (ngx_current_msec - segment->settled);

    ngx_http_chorus_redis_known(segment->journal->cmcf->redis, &closed.run,
                                &closed.generation);

    last = chorus_journal_put_str(bytes + CHORUS_JOURNAL_HEAD, closed.run);
    last = chorus_journal_put_str(last, closed.generation);
    record.payload.len = last - bytes - CHORUS_JOURNAL_HEAD;

    chorus_journal_frame(bytes, segment->salt, &record);

    (void) ngx_http_chorus_segment_append(segment, bytes, last - bytes);

    return 0;
}
