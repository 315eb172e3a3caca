/*
 * The journal: the start and end of a process, and whether it can be written.
 */

#include "ngx_http_chorus_journal.h"


static void ngx_http_chorus_journal_tick_handler(ngx_event_t *ev);
static void ngx_http_chorus_journal_flush_handler(ngx_event_t *ev);
static void ngx_http_chorus_journal_probe(ngx_http_chorus_journal_t *journal);
static void ngx_http_chorus_journal_tell(ngx_http_chorus_journal_t *journal);


ngx_int_t
ngx_http_chorus_journal_init(ngx_http_chorus_main_conf_t *cmcf,
    ngx_cycle_t *cycle)
{
    ngx_http_chorus_journal_t  *journal;

    if (cmcf->journal_conf == NULL) {
        return NGX_OK;
    }

    journal = ngx_pcalloc(cycle->pool, sizeof(ngx_http_chorus_journal_t));
    if (journal == NULL) {
        return NGX_ERROR;
    }

    journal->cmcf = cmcf;
    journal->conf = cmcf->journal_conf;
    journal->log = cycle->log;
    journal->dir = cmcf->journal_conf->path->name;

    ngx_queue_init(&journal->segments);

    journal->tick.handler = ngx_http_chorus_journal_tick_handler;
    journal->tick.data = journal;
    journal->tick.log = cycle->log;
    journal->tick.cancelable = 1;

    journal->flush.handler = ngx_http_chorus_journal_flush_handler;
    journal->flush.data = journal;
    journal->flush.log = cycle->log;

    cmcf->journal = journal;

    if (ngx_http_chorus_adopt_init(journal) != NGX_OK) {
        return NGX_ERROR;
    }

    if (cmcf->journal_sync
        && ngx_http_chorus_sync_init(journal, cmcf->journal_sync) != NGX_OK)
    {
        return NGX_ERROR;
    }

    journal->started = ngx_current_msec;
    ngx_add_timer(&journal->tick, 1);

    return NGX_OK;
}


/* Before the marks are given up: what they hold is not settled. */

void
ngx_http_chorus_journal_exit(ngx_http_chorus_main_conf_t *cmcf)
{
    ngx_http_chorus_journal_t *journal = cmcf->journal;

    if (journal == NULL) {
        return;
    }

    ngx_http_chorus_journal_flush_handler(&journal->flush);
    ngx_http_chorus_sync_exit(journal);
    ngx_http_chorus_adopt_exit(journal);
    ngx_http_chorus_segments_leave(journal);

    cmcf->journal = NULL;
}


static void
ngx_http_chorus_journal_tick_handler(ngx_event_t *ev)
{
    ngx_http_chorus_journal_t *journal = ev->data;

    ngx_http_chorus_segments_tidy(journal);
    ngx_http_chorus_adopt_look(journal);
    ngx_http_chorus_journal_probe(journal);
    ngx_http_chorus_debts_tick(journal->cmcf->debts);
    ngx_http_chorus_journal_tell(journal);

    ngx_add_timer(ev, NGX_HTTP_CHORUS_JOURNAL_TICK_MS);
}


/* How old what this process holds is. */

static void
ngx_http_chorus_journal_tell(ngx_http_chorus_journal_t *journal)
{
    ngx_msec_t                  oldest;
    ngx_queue_t                *q;
    ngx_http_chorus_segment_t  *segment;

    oldest = 0;

    for (q = ngx_queue_head(&journal->segments);
         q != ngx_queue_sentinel(&journal->segments);
         q = ngx_queue_next(q))
    {
        segment = ngx_queue_data(q, ngx_http_chorus_segment_t, queue);

        /* 0 is none; those of another process came later */
        if (segment->refs
            && (oldest == 0
                || (ngx_msec_int_t) (segment->created - oldest) < 0))
        {
            oldest = segment->created ? segment->created : 1;
        }
    }

    journal->cmcf->process->unsettled = oldest;
}


static void
ngx_http_chorus_journal_flush_handler(ngx_event_t *ev)
{
    ngx_http_chorus_journal_t *journal = ev->data;

    if (journal->hints_len && journal->current && !journal->failing) {
        (void) ngx_http_chorus_segment_append(journal->current,
                                              journal->hints,
                                              journal->hints_len);
    }

    journal->hints_len = 0;
}


void
ngx_http_chorus_journal_sum(ngx_http_chorus_journal_t *journal, off_t *bytes,
    ngx_uint_t *segments)
{
    *bytes = journal ? journal->bytes : 0;
    *segments = journal ? journal->nsegments : 0;
}


off_t
ngx_http_chorus_journal_max(ngx_http_chorus_journal_t *journal)
{
    return journal->conf->max_size;
}


ngx_uint_t
ngx_http_chorus_journal_rejects(ngx_http_chorus_journal_t *journal)
{
    return journal->conf->rejects;
}


const char *
ngx_http_chorus_journal_state(ngx_http_chorus_journal_t *journal)
{
    return journal->failing ? "failing" : journal->full ? "full" : "good";
}


/* When writes have stopped, they do not tell that there is room again. */

static void
ngx_http_chorus_journal_probe(ngx_http_chorus_journal_t *journal)
{
    u_char                      bytes[CHORUS_JOURNAL_HEAD];
    chorus_journal_record_t     record;
    ngx_http_chorus_segment_t  *segment;

    if ((!journal->full && !journal->failing)
        || !ngx_http_chorus_journal_may_write(journal))
    {
        return;
    }

    segment = ngx_http_chorus_segment_ready(journal);
    if (segment == NULL) {
        return;
    }

    ngx_memzero(&record, sizeof(chorus_journal_record_t));

    record.type = CHORUS_JOURNAL_DONE;
    chorus_journal_frame(bytes, segment->salt, &record);

    if (ngx_http_chorus_segment_append(segment, bytes, CHORUS_JOURNAL_HEAD)
        == NGX_OK)
    {
        ngx_http_chorus_journal_works(journal);
    }
}


ngx_uint_t
ngx_http_chorus_journal_may_write(ngx_http_chorus_journal_t *journal)
{
    off_t  limit;

    limit = journal->conf->max_size;

    if (journal->full) {
        /* not on and off with each request */
        limit -= limit / 8;
    }

    if (journal->bytes >= limit) {

        if (!journal->full) {
            journal->full = 1;
            ngx_log_error(NGX_LOG_ERR, journal->log, 0,
                          "chorus: journal \"%V\" has reached its max_size; %s",
                          &journal->dir, journal->conf->rejects
                          ? "writes are refused"
                          : "writes go on, and their buckets owe a scan");
        }

        return 0;
    }

    return !journal->failing
           || (ngx_msec_int_t) (ngx_current_msec - journal->retry) >= 0;
}


void
ngx_http_chorus_journal_fails(ngx_http_chorus_journal_t *journal,
    ngx_err_t err, const char *what)
{
    journal->retry = ngx_current_msec + NGX_HTTP_CHORUS_JOURNAL_TICK_MS;

    if (journal->failing) {
        return;
    }

    journal->failing = 1;

    ngx_log_error(NGX_LOG_CRIT, journal->log, err,
                  "chorus: journal \"%V\": %s; %s", &journal->dir, what,
                  journal->conf->rejects
                  ? "writes are refused"
                  : "writes go on, and their buckets owe a scan");
}


void
ngx_http_chorus_journal_works(ngx_http_chorus_journal_t *journal)
{
    if (!journal->failing && !journal->full) {
        return;
    }

    journal->failing = 0;
    journal->full = 0;

    ngx_log_error(NGX_LOG_NOTICE, journal->log, 0,
                  "chorus: journal \"%V\" has room again", &journal->dir);

    ngx_http_chorus_debts_settle(journal->cmcf->debts);
}


#if (CHORUS_CRASH_POINTS)

/* For tests: the process dies here when the file says so, once. */

void
ngx_http_chorus_crash(ngx_http_chorus_main_conf_t *cmcf, const char *name)
{
    u_char  path[NGX_MAX_PATH];

    if (cmcf->journal_conf == NULL) {
        return;
    }

    (void) ngx_snprintf(path, NGX_MAX_PATH, "%V/crash-%s%Z",
                        &cmcf->journal_conf->path->name, name);

    if (ngx_delete_file(path) == 0) {
        (void) kill(ngx_getpid(), SIGKILL);
    }
}


/* The same in the middle of a write. */

void
ngx_http_chorus_crash_within(ngx_http_chorus_segment_t *segment,
    const u_char *bytes, size_t len)
{
    const u_char  name[] = "crash-within-intent";

    if (access((char *) ngx_http_chorus_journal_path(segment->journal, name),
               F_OK)
        == 0)
    {
        (void) !write(segment->fd, bytes, len / 2);
    }

    ngx_http_chorus_crash(segment->journal->cmcf, "within-intent");
}

#endif
