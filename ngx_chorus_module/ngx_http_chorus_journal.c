/*
 * The journal: directives, the start and end of a process, and whether it can
 * be written.
 */

#include "ngx_http_chorus_journal.h"


#define NGX_HTTP_CHORUS_JOURNAL_MAX      (64 * 1024 * 1024)
#define NGX_HTTP_CHORUS_JOURNAL_SEGMENT  (1024 * 1024)
#define NGX_HTTP_CHORUS_JOURNAL_LARGEST  (16 * 1024 * 1024)
#define NGX_HTTP_CHORUS_JOURNAL_WINDOW   10000


static char *ngx_http_chorus_journal_argument(ngx_conf_t *cf,
    ngx_http_chorus_journal_conf_t *conf, ngx_str_t *argument);
static char *ngx_http_chorus_journal_sizes(ngx_conf_t *cf,
    ngx_http_chorus_journal_conf_t *conf);
static void ngx_http_chorus_journal_tick_handler(ngx_event_t *ev);
static void ngx_http_chorus_journal_flush_handler(ngx_event_t *ev);
static void ngx_http_chorus_journal_probe(ngx_http_chorus_journal_t *journal);


char *
ngx_http_chorus_journal_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_chorus_main_conf_t *cmcf = conf;

    ngx_str_t                       *value;
    ngx_uint_t                       i;
    ngx_http_chorus_journal_conf_t  *journal;

    if (cmcf->journal_conf) {
        return "is duplicate";
    }

    journal = ngx_pcalloc(cf->pool, sizeof(ngx_http_chorus_journal_conf_t));
    if (journal == NULL) {
        return NGX_CONF_ERROR;
    }

    cmcf->journal_conf = journal;

    journal->max_size = NGX_HTTP_CHORUS_JOURNAL_MAX;
    journal->segment_size = NGX_HTTP_CHORUS_JOURNAL_SEGMENT;
    journal->window = NGX_HTTP_CHORUS_JOURNAL_WINDOW;

    journal->path = ngx_pcalloc(cf->pool, sizeof(ngx_path_t));
    if (journal->path == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;
    journal->path->name = value[1];

    if (ngx_conf_full_name(cf->cycle, &journal->path->name, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    while (journal->path->name.len > 1
           && journal->path->name.data[journal->path->name.len - 1] == '/')
    {
        journal->path->name.data[--journal->path->name.len] = '\0';
    }

    journal->path->conf_file = cf->conf_file->file.name.data;
    journal->path->line = cf->conf_file->line;
    journal->path->data = journal;

    for (i = 2; i < cf->args->nelts; i++) {
        if (ngx_http_chorus_journal_argument(cf, journal, &value[i])
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return ngx_http_chorus_journal_sizes(cf, journal);
}


static char *
ngx_http_chorus_journal_argument(ngx_conf_t *cf,
    ngx_http_chorus_journal_conf_t *conf, ngx_str_t *argument)
{
    chorus_str_t  name, rest;
    ngx_str_t     value;

    rest = ngx_http_chorus_view(argument);
    name = chorus_str_cut(&rest, '=');
    value = ngx_http_chorus_ngx_str(rest);

    if (value.len == 0) {
        goto invalid;
    }

    if (chorus_str_eq(name, chorus_str("max_size"))) {
        conf->max_size = ngx_parse_offset(&value);

        if (conf->max_size == (off_t) NGX_ERROR) {
            goto invalid;
        }

    } else if (chorus_str_eq(name, chorus_str("segment_size"))) {
        conf->segment_size = ngx_parse_offset(&value);

        if (conf->segment_size == (off_t) NGX_ERROR) {
            goto invalid;
        }

    } else if (chorus_str_eq(name, chorus_str("window"))) {
        conf->window = ngx_parse_time(&value, 0);

        if (conf->window == (ngx_msec_t) NGX_ERROR) {
            goto invalid;
        }

    } else if (chorus_str_eq(name, chorus_str("on_full"))) {

        if (chorus_str_eq(rest, chorus_str("reject"))) {
            conf->rejects = 1;

        } else if (!chorus_str_eq(rest, chorus_str("scan"))) {
            goto invalid;
        }

    } else {
        goto invalid;
    }

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                       argument);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_chorus_journal_sizes(ngx_conf_t *cf,
    ngx_http_chorus_journal_conf_t *conf)
{
    if (conf->segment_size < (off_t) ngx_pagesize
        || conf->segment_size > NGX_HTTP_CHORUS_JOURNAL_LARGEST)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "segment_size must be from %uz bytes to 16m",
                           ngx_pagesize);
        return NGX_CONF_ERROR;
    }

    if (conf->max_size < 2 * conf->segment_size) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "max_size must be at least twice segment_size, "
                           "%O bytes", 2 * conf->segment_size);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* nginx makes the folder and gives it to the user of its processes, as it
 * does with those for temporary files, but does not say when it cannot be
 * used. */

ngx_int_t
ngx_http_chorus_journal_check(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf)
{
    ngx_str_t        *name;
    ngx_path_t       *path;
    ngx_file_info_t   info;

    if (cmcf->journal_conf == NULL) {

        if (cmcf->journal_sync) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"chorus_journal_sync\" needs \"chorus_journal\"");
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    path = cmcf->journal_conf->path;
    name = &path->name;

    if (ngx_file_info(name->data, &info) == NGX_FILE_ERROR) {

        if (ngx_errno != NGX_ENOENT) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, ngx_errno,
                          "chorus_journal: " ngx_file_info_n " \"%V\" failed",
                          name);
            return NGX_ERROR;
        }

    } else if (!ngx_is_dir(&info)) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "chorus_journal: \"%V\" is not a folder", name);
        return NGX_ERROR;

    } else if (access((char *) name->data, R_OK|W_OK|X_OK) == -1) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, ngx_errno,
                      "chorus_journal: the folder \"%V\" cannot be written",
                      name);
        return NGX_ERROR;
    }

    return ngx_add_path(cf, &cmcf->journal_conf->path);
}


char *
ngx_http_chorus_journal_sync_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_chorus_main_conf_t *cmcf = conf;

    ngx_str_t   *value;
    ngx_msec_t   interval;

    if (cmcf->journal_sync_is_set) {
        return "is duplicate";
    }

    cmcf->journal_sync_is_set = 1;
    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    interval = ngx_parse_time(&value[1], 0);

    if (interval == (ngx_msec_t) NGX_ERROR || interval == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is neither \"off\" nor a time above 0",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    cmcf->journal_sync = interval;

    return NGX_CONF_OK;
}


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
    journal->started = ngx_http_chorus_journal_now();

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

    ngx_add_timer(ev, NGX_HTTP_CHORUS_JOURNAL_TICK_MS);
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

#endif
