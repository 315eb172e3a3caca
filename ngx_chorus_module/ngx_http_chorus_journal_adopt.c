/*
 * Segments without an owner: their process is gone, and what it had begun is
 * taken over.  This file finds them; journal_replay.c reads them.
 */

#include "ngx_http_chorus_journal.h"

#include <sys/file.h>


#define NGX_HTTP_CHORUS_ADOPT_LARGEST   (64 * 1024 * 1024)


static void ngx_http_chorus_adopt_unsee(ngx_http_chorus_journal_t *journal);
static ngx_uint_t ngx_http_chorus_adopt_is_ours(
    ngx_http_chorus_journal_t *journal, u_char *name);
static void ngx_http_chorus_adopt_miss(ngx_http_chorus_journal_t *journal);
static ngx_int_t ngx_http_chorus_adopt_take(ngx_http_chorus_adopt_t *adopt,
    u_char *name);
static void ngx_http_chorus_adopt_reject(ngx_http_chorus_adopt_t *adopt,
    u_char *name, ngx_err_t err, const char *why);


ngx_int_t
ngx_http_chorus_adopt_init(ngx_http_chorus_journal_t *journal)
{
    ngx_http_chorus_adopt_t  *adopt;

    adopt = ngx_calloc(sizeof(ngx_http_chorus_adopt_t), journal->log);
    if (adopt == NULL) {
        return NGX_ERROR;
    }

    adopt->journal = journal;

    adopt->event.handler = ngx_http_chorus_replay_handler;
    adopt->event.data = adopt;
    adopt->event.log = journal->log;
    adopt->event.cancelable = 1;

    journal->adopt = adopt;

    return NGX_OK;
}


void
ngx_http_chorus_adopt_exit(ngx_http_chorus_journal_t *journal)
{
    ngx_http_chorus_adopt_t  *adopt;

    adopt = journal->adopt;

    if (adopt->event.timer_set) {
        ngx_del_timer(&adopt->event);
    }

    /* a segment that is half read keeps its reference, and so stays */

    ngx_free(adopt->bytes);
    ngx_free(adopt->endings);
    ngx_free(adopt);
}


void
ngx_http_chorus_adopt_look(ngx_http_chorus_journal_t *journal)
{
    off_t             bytes;
    ngx_uint_t        n;
    u_char           *name, *suffix;
    ngx_dir_t         dir;
    ngx_uint_t        ours;
    ngx_file_info_t   info;

    if (ngx_open_dir(&journal->dir, &dir) == NGX_ERROR) {
        ngx_http_chorus_journal_fails(journal, ngx_errno,
                                      "the folder cannot be read");
        journal->current = NULL;
        return;
    }

    bytes = 0;
    n = 0;

    ngx_http_chorus_adopt_unsee(journal);

    while (ngx_read_dir(&dir) == NGX_OK) {
        name = ngx_de_name(&dir);
        suffix = (u_char *) strrchr((char *) name, '.');

        if (suffix == NULL || (ngx_strcmp(suffix, ".seg") != 0
                               && ngx_strcmp(suffix, ".debts") != 0))
        {
            continue;
        }

        if (suffix[1] == 's'
            && ngx_file_info(ngx_http_chorus_journal_path(journal, name),
                             &info) != NGX_FILE_ERROR)
        {
            bytes += info.st_size;
            n++;
        }

        ours = ngx_http_chorus_adopt_is_ours(journal, name)
               || (suffix[1] == 'd'
                   && !ngx_http_chorus_debts_are_kept(journal->cmcf->debts));

        if (!ours && !journal->adopt->segment && !ngx_exiting) {
            (void) ngx_http_chorus_adopt_take(journal->adopt, name);
        }
    }

    (void) ngx_close_dir(&dir);

    journal->bytes = bytes;
    journal->nsegments = n;

    ngx_http_chorus_adopt_miss(journal);
}


static void
ngx_http_chorus_adopt_unsee(ngx_http_chorus_journal_t *journal)
{
    ngx_queue_t                *q;
    ngx_http_chorus_segment_t  *segment;

    journal->cmcf->debts->seen = 0;

    for (q = ngx_queue_head(&journal->segments);
         q != ngx_queue_sentinel(&journal->segments);
         q = ngx_queue_next(q))
    {
        segment = ngx_queue_data(q, ngx_http_chorus_segment_t, queue);
        segment->seen = 0;
    }
}


static ngx_uint_t
ngx_http_chorus_adopt_is_ours(ngx_http_chorus_journal_t *journal,
    u_char *name)
{
    ngx_queue_t                *q;
    ngx_http_chorus_debts_t    *debts;
    ngx_http_chorus_segment_t  *segment;

    debts = journal->cmcf->debts;

    if (debts->fd != NGX_INVALID_FILE && ngx_strcmp(debts->name, name) == 0) {
        debts->seen = 1;
        return 1;
    }

    for (q = ngx_queue_head(&journal->segments);
         q != ngx_queue_sentinel(&journal->segments);
         q = ngx_queue_next(q))
    {
        segment = ngx_queue_data(q, ngx_http_chorus_segment_t, queue);

        if (ngx_strcmp(segment->name, name) == 0) {
            segment->seen = 1;
            return 1;
        }
    }

    return 0;
}


/* Somebody has removed files of ours, or put another folder in the place of
 * this one: the next process will not find what stands in them. */

static void
ngx_http_chorus_adopt_miss(ngx_http_chorus_journal_t *journal)
{
    ngx_uint_t                  owes;
    ngx_queue_t                *q;
    ngx_http_chorus_debts_t    *debts;
    ngx_http_chorus_segment_t  *segment;

    owes = 0;
    debts = journal->cmcf->debts;

    for (q = ngx_queue_head(&journal->segments);
         q != ngx_queue_sentinel(&journal->segments);
         q = ngx_queue_next(q))
    {
        segment = ngx_queue_data(q, ngx_http_chorus_segment_t, queue);

        if (segment->seen || segment->missed) {
            continue;
        }

        segment->missed = 1;
        owes |= (segment->refs != 0);

        if (journal->current == segment) {
            journal->current = NULL;
            journal->hints_len = 0;
        }

        ngx_log_error(NGX_LOG_ERR, journal->log, 0,
                      "chorus: journal: \"%s\" is gone from its folder "
                      "\"%V\"", segment->name, &journal->dir);
    }

    if (debts->fd != NGX_INVALID_FILE && !debts->seen) {
        ngx_close_file(debts->fd);
        debts->fd = NGX_INVALID_FILE;
        ngx_http_chorus_debts_open(debts);
    }

    if (owes) {
        (void) ngx_http_chorus_owe(debts, chorus_str("*"), "journal removed");
    }
}


static ngx_int_t
ngx_http_chorus_adopt_take(ngx_http_chorus_adopt_t *adopt, u_char *name)
{
    u_char                     *path;
    uint64_t                    salt;
    ngx_fd_t                    fd;
    ngx_int_t                   rc;
    ngx_file_info_t             info;
    ngx_http_chorus_journal_t  *journal;
    ngx_http_chorus_segment_t  *segment;

    journal = adopt->journal;
    path = ngx_http_chorus_journal_path(journal, name);

    fd = open((char *) path, O_RDWR|O_APPEND|O_CLOEXEC|O_NONBLOCK);

    if (fd == NGX_INVALID_FILE) {

        if (ngx_errno != NGX_ENOENT && ngx_errno != NGX_EMFILE
            && ngx_errno != NGX_ENFILE)
        {
            ngx_http_chorus_adopt_reject(adopt, name, ngx_errno,
                                         "cannot be opened");
        }

        return NGX_DECLINED;
    }

    if (flock(fd, LOCK_EX|LOCK_NB) == -1
        || ngx_fd_info(fd, &info) == NGX_FILE_ERROR
        || info.st_nlink == 0)
    {
        ngx_close_file(fd);
        return NGX_DECLINED;
    }

    if (info.st_size == 0) {
        (void) ngx_delete_file(path);
        ngx_close_file(fd);
        return NGX_DECLINED;
    }

    if (!ngx_is_file(&info) || info.st_size > NGX_HTTP_CHORUS_ADOPT_LARGEST
        || ngx_strlen(name) >= NGX_HTTP_CHORUS_JOURNAL_NAME
        || ngx_http_chorus_journal_salt(name, &salt) != NGX_OK)
    {
        ngx_http_chorus_adopt_reject(adopt, name, 0, "is not of a journal");
        ngx_close_file(fd);
        return NGX_DECLINED;
    }

    segment = ngx_http_chorus_segment_add(journal, fd, name, salt,
                                          info.st_size);
    if (segment == NULL) {
        ngx_close_file(fd);
        return NGX_DECLINED;
    }

    segment->adopted = 1;

    rc = ngx_http_chorus_replay(adopt, segment);

    if (rc != NGX_OK) {

        if (rc == NGX_ERROR) {
            ngx_http_chorus_adopt_reject(adopt, name, ngx_errno,
                                         "cannot be read");
        }

        ngx_queue_remove(&segment->queue);
        ngx_free(segment);
        ngx_close_file(fd);
        return NGX_DECLINED;
    }

    ngx_http_chorus_crash(journal->cmcf, "adopting");

    return NGX_OK;
}


/* Kept for whoever looks into it; what it said is not known, so everything
 * is to be compared. */

static void
ngx_http_chorus_adopt_reject(ngx_http_chorus_adopt_t *adopt, u_char *name,
    ngx_err_t err, const char *why)
{
    u_char                      from[NGX_MAX_PATH], to[NGX_MAX_PATH];
    ngx_http_chorus_journal_t  *journal;

    journal = adopt->journal;

    (void) ngx_snprintf(from, NGX_MAX_PATH, "%V/%s%Z", &journal->dir, name);
    (void) ngx_snprintf(to, NGX_MAX_PATH, "%V/%s.bad%Z", &journal->dir, name);

    /* another process may be doing the same */

    if (ngx_rename_file(from, to) == NGX_FILE_ERROR) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, journal->log, err,
                  "chorus: journal: \"%s\" %s; it is \"%s\" now", from, why,
                  to);

    (void) ngx_http_chorus_owe(journal->cmcf->debts, chorus_str("*"),
                               "journal unreadable");
}
