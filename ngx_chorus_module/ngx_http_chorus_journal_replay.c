/*
 * A segment read again: every write in it that is not known to have come to
 * nothing is marked; how it ended nobody can tell, so it is marked again
 * later, too.
 *
 * One segment at a time is in memory, and so many of its records are handled
 * in one turn of the event loop.  Segments without an owner are read so, and
 * those of our own that we had taken over when Redis has forgotten what it
 * had acknowledged.
 */

#include "ngx_http_chorus_journal.h"
#include "chorus_replication.h"


#define NGX_HTTP_CHORUS_REPLAY_RECORDS   1000    /* a turn */
#define NGX_HTTP_CHORUS_REPLAY_PAUSE_MS  100     /* while too many marks wait */
#define NGX_HTTP_CHORUS_REPLAY_LOGGED    8       /* bad places of a file */
#define NGX_HTTP_CHORUS_REPLAY_MEET_MS   5000    /* for Redis to be met */


static void ngx_http_chorus_replay_survey(ngx_http_chorus_adopt_t *adopt);
static ngx_uint_t ngx_http_chorus_replay_is_ours(
    ngx_http_chorus_adopt_t *adopt, chorus_journal_record_t *record);
static ngx_uint_t ngx_http_chorus_replay_waits(ngx_http_chorus_adopt_t *adopt,
    chorus_journal_record_t *record);
static void ngx_http_chorus_replay_bad(ngx_http_chorus_adopt_t *adopt,
    size_t offset);
static int ngx_libc_cdecl ngx_http_chorus_replay_order(const void *one,
    const void *two);
static void ngx_http_chorus_replay_record(ngx_http_chorus_adopt_t *adopt,
    ngx_pool_t *pool, chorus_journal_record_t *record);
static void ngx_http_chorus_replay_intent(ngx_http_chorus_adopt_t *adopt,
    ngx_pool_t *pool, chorus_journal_record_t *record, ngx_uint_t is_done);
static ngx_http_chorus_intent_t *ngx_http_chorus_replay_hold(
    ngx_http_chorus_adopt_t *adopt, chorus_journal_record_t *record);
static void ngx_http_chorus_replay_end(ngx_http_chorus_adopt_t *adopt);


/* NGX_AGAIN: later. */

ngx_int_t
ngx_http_chorus_replay(ngx_http_chorus_adopt_t *adopt,
    ngx_http_chorus_segment_t *segment)
{
    ssize_t  n;
    size_t   len;

    adopt->bytes = ngx_alloc(segment->size + 1, adopt->journal->log);
    if (adopt->bytes == NULL) {
        return NGX_ERROR;
    }

    for (len = 0; len < (size_t) segment->size; len += n) {

        n = pread(segment->fd, adopt->bytes + len, segment->size - len, len);

        if (n <= 0) {
            ngx_free(adopt->bytes);
            adopt->bytes = NULL;
            return NGX_ERROR;
        }
    }

    adopt->segment = segment;
    adopt->is_again = segment->again;
    adopt->is_closed = 0;
    adopt->waits = 0;
    adopt->marked = 0;
    adopt->nbad = 0;

    adopt->reader = chorus_journal_reader(
                            (chorus_str_t) { (char *) adopt->bytes, len },
                            segment->salt);

    ngx_http_chorus_replay_survey(adopt);

    if (adopt->waits && !adopt->is_again && adopt->nbad == 0) {
        ngx_free(adopt->bytes);
        ngx_free(adopt->endings);
        adopt->bytes = NULL;
        adopt->endings = NULL;
        adopt->segment = NULL;

        return NGX_AGAIN;
    }

    segment->again = 0;
    ngx_http_chorus_segment_hold(segment);

    adopt->reader.offset = 0;

    if (!adopt->event.timer_set) {
        ngx_add_timer(&adopt->event, 1);
    }

    return NGX_OK;
}


/* Once through it: what is known of its writes, and what is bad. */

static void
ngx_http_chorus_replay_survey(ngx_http_chorus_adopt_t *adopt)
{
    size_t                     n;
    uint64_t                   now;
    ngx_uint_t                 is_dated;
    chorus_journal_read_t      rc;
    chorus_journal_record_t    record;
    ngx_http_chorus_ending_t  *endings;

    is_dated = 0;
    n = adopt->reader.bytes.len / CHORUS_JOURNAL_HEAD + 1;

    /* without memory for them, a few keys more are compared */
    endings = ngx_alloc(n * sizeof(ngx_http_chorus_ending_t),
                        adopt->journal->log);
    adopt->endings = endings;
    adopt->nendings = 0;

    for ( ;; ) {
        rc = chorus_journal_next(&adopt->reader, &record);

        if (rc == CHORUS_JOURNAL_END || rc == CHORUS_JOURNAL_TORN) {
            break;
        }

        if (rc == CHORUS_JOURNAL_CORRUPT) {
            ngx_http_chorus_replay_bad(adopt, adopt->reader.bad);
            continue;
        }

        if (!is_dated && adopt->segment->adopted) {
            now = ngx_http_chorus_journal_now();
            adopt->segment->created = ngx_current_msec
                - (ngx_msec_t) (now > record.time_ms ? now - record.time_ms
                                                     : 0);
        }

        is_dated = 1;

        adopt->is_closed = (record.type == CHORUS_JOURNAL_CLOSED
                            && ngx_http_chorus_replay_is_ours(adopt,
                                                              &record));
        adopt->waits = ngx_http_chorus_replay_waits(adopt, &record);

        if (adopt->is_closed) {
            /* for the rest of the window; all of it when the clock was set
             * back */
            now = ngx_max(ngx_http_chorus_journal_now(), record.time_ms);
            adopt->segment->settled = ngx_current_msec
                - (ngx_msec_t) ngx_min(adopt->journal->conf->window,
                                       now - record.time_ms);
        }

        if (endings && (record.type == CHORUS_JOURNAL_ABORT
                        || record.type == CHORUS_JOURNAL_DONE))
        {
            endings[adopt->nendings].id = record.id;
            endings[adopt->nendings++].type = record.type;
        }
    }

    if (endings) {
        ngx_qsort(endings, adopt->nendings, sizeof(ngx_http_chorus_ending_t),
                  ngx_http_chorus_replay_order);
    }
}


/* The Redis that has what stands here is the one we know, and was never
 * another one since: if it forgets from now on, we shall notice. */

static ngx_uint_t
ngx_http_chorus_replay_is_ours(ngx_http_chorus_adopt_t *adopt,
    chorus_journal_record_t *record)
{
    chorus_str_t             run, generation;
    chorus_journal_closed_t  closed;

    if (!chorus_journal_closed_parse(record->payload, &closed)) {
        return 0;
    }

    ngx_http_chorus_redis_known(adopt->journal->cmcf->redis, &run,
                                &generation);

    return run.len && generation.len && chorus_str_eq(run, closed.run)
           && chorus_str_eq(generation, closed.generation);
}


/* A process that has just begun will soon know whether this is the Redis that
 * has all of it. */

static ngx_uint_t
ngx_http_chorus_replay_waits(ngx_http_chorus_adopt_t *adopt,
    chorus_journal_record_t *record)
{
    chorus_str_t  run, generation;

    ngx_http_chorus_redis_known(adopt->journal->cmcf->redis, &run,
                                &generation);

    return record->type == CHORUS_JOURNAL_CLOSED && run.len == 0
           && ngx_current_msec - adopt->journal->started
              < NGX_HTTP_CHORUS_REPLAY_MEET_MS;
}


static void
ngx_http_chorus_replay_bad(ngx_http_chorus_adopt_t *adopt, size_t offset)
{
    if (adopt->nbad++ < NGX_HTTP_CHORUS_REPLAY_LOGGED) {
        ngx_log_error(NGX_LOG_WARN, adopt->journal->log, 0,
                      "chorus: journal: \"%V/%s\" is corrupt at %uz; all "
                      "replications owe a scan", &adopt->journal->dir,
                      adopt->segment->name, offset);
    }
}


static int ngx_libc_cdecl
ngx_http_chorus_replay_order(const void *one, const void *two)
{
    const ngx_http_chorus_ending_t *a = one, *b = two;

    return a->id < b->id ? -1 : a->id > b->id;
}


void
ngx_http_chorus_replay_handler(ngx_event_t *ev)
{
    ngx_http_chorus_adopt_t *adopt = ev->data;

    ngx_uint_t                i;
    ngx_pool_t               *pool;
    chorus_journal_read_t     rc;
    chorus_journal_record_t   record;

    if (adopt->segment == NULL) {
        return;
    }

    if (ngx_http_chorus_marks_is_busy(adopt->journal->cmcf->marks)) {
        ngx_add_timer(ev, NGX_HTTP_CHORUS_REPLAY_PAUSE_MS);
        return;
    }

    pool = ngx_create_pool(4096, adopt->journal->log);
    if (pool == NULL) {
        ngx_add_timer(ev, NGX_HTTP_CHORUS_REPLAY_PAUSE_MS);
        return;
    }

    rc = CHORUS_JOURNAL_RECORD;

    for (i = 0; i < NGX_HTTP_CHORUS_REPLAY_RECORDS; i++) {

        rc = chorus_journal_next(&adopt->reader, &record);

        if (rc == CHORUS_JOURNAL_END || rc == CHORUS_JOURNAL_TORN) {
            break;
        }

        if (rc == CHORUS_JOURNAL_RECORD) {
            ngx_http_chorus_replay_record(adopt, pool, &record);
        }
    }

    ngx_destroy_pool(pool);

    if (i == NGX_HTTP_CHORUS_REPLAY_RECORDS) {
        ngx_add_timer(ev, 1);
        return;
    }

    ngx_http_chorus_replay_end(adopt);
}


static void
ngx_http_chorus_replay_record(ngx_http_chorus_adopt_t *adopt,
    ngx_pool_t *pool, chorus_journal_record_t *record)
{
    chorus_journal_debt_t      debt;
    ngx_http_chorus_ending_t   key, *ending;

    if (record->type == CHORUS_JOURNAL_DEBT) {

        if (!adopt->is_again
            && chorus_journal_debt_parse(record->payload, &debt))
        {
            (void) ngx_http_chorus_owe(adopt->journal->cmcf->debts,
                                       debt.replication, "of a process that "
                                       "has ended");
        }

        return;
    }

    if (record->type != CHORUS_JOURNAL_INTENT
        || (adopt->is_closed && !adopt->is_again && adopt->nbad == 0))
    {
        return;
    }

    key.id = record->id;
    ending = NULL;

    if (adopt->nendings) {
        ending = bsearch(&key, adopt->endings, adopt->nendings,
                         sizeof(ngx_http_chorus_ending_t),
                         ngx_http_chorus_replay_order);
    }

    if (ending && ending->type == CHORUS_JOURNAL_ABORT) {
        return;
    }

    ngx_http_chorus_replay_intent(adopt, pool, record, ending != NULL);
}


static void
ngx_http_chorus_replay_intent(ngx_http_chorus_adopt_t *adopt,
    ngx_pool_t *pool, chorus_journal_record_t *record, ngx_uint_t is_done)
{
    uint64_t                      now;
    ngx_msec_t                    since;
    chorus_mem_t                  mem;
    chorus_str_t                  name, key;
    chorus_replication_t          replication;
    chorus_journal_list_t         keys;
    chorus_journal_intent_t       intent;
    ngx_http_chorus_intent_t     *open;
    ngx_http_chorus_main_conf_t  *cmcf;

    cmcf = adopt->journal->cmcf;

    if (!chorus_journal_intent_parse(record->payload, &intent)) {
        /* written by another version */
        (void) ngx_http_chorus_owe(cmcf->debts, chorus_str("*"),
                                   "journal unreadable");
        return;
    }

    mem = ngx_http_chorus_mem(pool);

    now = ngx_http_chorus_journal_now();
    since = ngx_current_msec
            - (ngx_msec_t) (now > record->time_ms ? now - record->time_ms
                                                  : 0);

    open = NULL;

    if (!is_done && !adopt->is_again) {
        open = ngx_http_chorus_replay_hold(adopt, record);
    }

    replication.user = intent.user;
    replication.bucket = intent.bucket;

    while (chorus_journal_list_next(&intent.followers, &replication.target)) {
        replication.follower = chorus_str_cut(&replication.target, ':');

        name = chorus_replication_name(&mem, &replication);

        if (name.data == NULL) {
            (void) ngx_http_chorus_owe(cmcf->debts, chorus_str("*"),
                                       "out of memory");
            continue;
        }

        if (adopt->nbad) {
            (void) ngx_http_chorus_owe(cmcf->debts, name, "journal corrupt");
        }

        keys = intent.keys;

        while (chorus_journal_list_next(&keys, &key)) {
            ngx_http_chorus_mark(cmcf->marks, name, key, intent.facets, since,
                                 adopt->segment);

            if (open) {
                ngx_http_chorus_repeat(cmcf->repeats, name, key,
                                       intent.facets, open);
            }
        }
    }

    adopt->marked++;

    if (!adopt->is_again) {
        ngx_http_chorus_count(cmcf, adopted);
    }

    if (open) {
        ngx_http_chorus_count(cmcf, settled);
        ngx_http_chorus_intent_release(open);
    }
}


/* It is open as one of our own, until it has been repeated. */

static ngx_http_chorus_intent_t *
ngx_http_chorus_replay_hold(ngx_http_chorus_adopt_t *adopt,
    chorus_journal_record_t *record)
{
    ngx_http_chorus_intent_t  *intent;

    intent = ngx_calloc(sizeof(ngx_http_chorus_intent_t),
                        adopt->journal->log);
    if (intent == NULL) {
        return NULL;
    }

    intent->segment = adopt->segment;
    intent->id = ++adopt->journal->ids;
    intent->time_ms = record->time_ms;
    intent->len = CHORUS_JOURNAL_HEAD + record->payload.len;
    intent->offset = adopt->reader.offset - intent->len;
    intent->refs = 1;

    ngx_queue_insert_tail(&adopt->segment->intents, &intent->queue);
    ngx_http_chorus_segment_hold(adopt->segment);

    return intent;
}


static void
ngx_http_chorus_replay_end(ngx_http_chorus_adopt_t *adopt)
{
    ngx_msec_t                  settled;
    ngx_queue_t                *q;
    ngx_http_chorus_journal_t  *journal;
    ngx_http_chorus_segment_t  *segment;

    journal = adopt->journal;
    segment = adopt->segment;

    /* what is bad may have named a bucket that nothing else names */

    if (adopt->nbad && !adopt->is_again) {
        (void) ngx_http_chorus_owe(journal->cmcf->debts, chorus_str("*"),
                                   "journal corrupt");
    }

    if (adopt->marked) {
        ngx_log_error(NGX_LOG_NOTICE, journal->log, 0,
                      "chorus: journal: \"%s\" %s: %ui writes are marked",
                      segment->name, adopt->is_again ? "was read again"
                                                     : "is adopted",
                      adopt->marked);
    }

    ngx_free(adopt->bytes);
    ngx_free(adopt->endings);

    adopt->bytes = NULL;
    adopt->endings = NULL;
    adopt->segment = NULL;

    settled = segment->settled;
    ngx_http_chorus_segment_release(segment);

    if (adopt->marked == 0) {
        /* nothing new was learnt */
        segment->settled = settled;
    }

    if (segment->adopted && adopt->marked == 0 && !adopt->is_closed) {
        segment->settled = ngx_current_msec - journal->conf->window;
    }

    for (q = ngx_queue_head(&journal->segments);
         q != ngx_queue_sentinel(&journal->segments);
         q = ngx_queue_next(q))
    {
        segment = ngx_queue_data(q, ngx_http_chorus_segment_t, queue);

        if (segment->again
            && ngx_http_chorus_replay(adopt, segment) == NGX_OK)
        {
            return;
        }
    }

    ngx_http_chorus_adopt_look(journal);
}


/* Redis may have forgotten what it acknowledged last. */

void
ngx_http_chorus_journal_again(ngx_http_chorus_journal_t *journal)
{
    ngx_queue_t                *q;
    ngx_http_chorus_adopt_t    *adopt;
    ngx_http_chorus_segment_t  *segment;

    if (journal == NULL) {
        return;
    }

    adopt = journal->adopt;

    for (q = ngx_queue_head(&journal->segments);
         q != ngx_queue_sentinel(&journal->segments);
         q = ngx_queue_next(q))
    {
        segment = ngx_queue_data(q, ngx_http_chorus_segment_t, queue);

        /* what we have said to it ourselves, recent.c says again */

        if (!segment->adopted) {
            continue;
        }

        segment->again = 1;

        if (adopt->segment == NULL) {
            (void) ngx_http_chorus_replay(adopt, segment);
        }
    }
}
