/*
 * The file of what is owed: one for each process, its room taken when there
 * still was some.  It says at least what the list says: where there is no room
 * for a name, "*" stands for all, until what is left fits again.
 */

#include "ngx_http_chorus_journal.h"


#define NGX_HTTP_CHORUS_DEBTS_RECORD   1024     /* the longest */
#define NGX_HTTP_CHORUS_DEBTS_RESERVE  128      /* bytes: for "*" */


static size_t ngx_http_chorus_debt_len(ngx_http_chorus_debt_t *debt);
static ngx_int_t ngx_http_chorus_debts_append(ngx_http_chorus_debts_t *debts,
    ngx_http_chorus_debt_t *debt);
static size_t ngx_http_chorus_debts_need(ngx_http_chorus_debts_t *debts);
static void ngx_http_chorus_debts_rewrite(ngx_http_chorus_debts_t *debts);
static u_char *ngx_http_chorus_debt_frame(u_char *p,
    ngx_http_chorus_debt_t *debt, ngx_uint_t every);
static ngx_int_t ngx_http_chorus_debts_write(ngx_http_chorus_debts_t *debts,
    u_char *bytes, size_t len, size_t offset);


/* There may be debts already, which are written then. */

void
ngx_http_chorus_debts_open(ngx_http_chorus_debts_t *debts)
{
    int                         rc;
    ngx_http_chorus_journal_t  *journal;

    journal = debts->cmcf->journal;

    debts->fd = ngx_http_chorus_journal_create(journal, "debts", debts->name,
                                               &debts->salt);
    rc = ngx_errno;

    if (debts->fd != NGX_INVALID_FILE) {

        rc = posix_fallocate(debts->fd, 0, NGX_HTTP_CHORUS_JOURNAL_DEBTS);

        /* pwrite() would append */

        if (rc == 0 && fcntl(debts->fd, F_SETFL, O_RDWR) == 0) {

            if (debts->complained) {
                ngx_log_error(NGX_LOG_NOTICE, debts->log, 0,
                              "chorus: journal \"%V\": what is owed has its "
                              "file now", &journal->dir);
            }

            debts->complained = 0;
            debts->used = 0;
            ngx_http_chorus_debts_rewrite(debts);

            return;
        }

        (void) ngx_delete_file(ngx_http_chorus_journal_path(journal,
                                                            debts->name));
        ngx_close_file(debts->fd);
        debts->fd = NGX_INVALID_FILE;
    }

    if (!debts->complained) {
        debts->complained = 1;
        ngx_log_error(NGX_LOG_ALERT, debts->log, rc,
                      "chorus: journal \"%V\": no file can be made in it; "
                      "what is owed would be lost with this process",
                      &journal->dir);
    }
}


ngx_uint_t
ngx_http_chorus_debts_are_kept(ngx_http_chorus_debts_t *debts)
{
    return debts->fd != NGX_INVALID_FILE && !debts->unwritten;
}


void
ngx_http_chorus_debt_store(ngx_http_chorus_debt_t *debt)
{
    ngx_http_chorus_debts_t  *debts;

    debts = debt->debts;

    if (debts->fd == NGX_INVALID_FILE || debts->every
        || (!debts->unwritten
            && ngx_http_chorus_debts_append(debts, debt) == NGX_OK))
    {
        return;
    }

    /* those that were paid are in the way */
    ngx_http_chorus_debts_rewrite(debts);
}


/* After some were paid, or could not be written. */

void
ngx_http_chorus_debts_tidy(ngx_http_chorus_debts_t *debts)
{
    if (debts->fd != NGX_INVALID_FILE
        && (debts->n == 0 || debts->unwritten
            || (debts->every && ngx_http_chorus_debts_need(debts)
                                <= NGX_HTTP_CHORUS_JOURNAL_DEBTS)))
    {
        ngx_http_chorus_debts_rewrite(debts);
    }
}


void
ngx_http_chorus_debts_close(ngx_http_chorus_debts_t *debts)
{
    if (debts->fd == NGX_INVALID_FILE) {
        return;
    }

    debts->kept = !debts->unwritten;

    if (debts->n == 0) {
        (void) ngx_delete_file(ngx_http_chorus_journal_path(
                                          debts->cmcf->journal, debts->name));
    }

    ngx_close_file(debts->fd);
    debts->fd = NGX_INVALID_FILE;
}


static size_t
ngx_http_chorus_debt_len(ngx_http_chorus_debt_t *debt)
{
    return CHORUS_JOURNAL_HEAD + chorus_journal_str_len(debt->replication)
           + chorus_journal_str_len(debt->reason);
}


/* NGX_DECLINED when there is no room but for "*". */

static ngx_int_t
ngx_http_chorus_debts_append(ngx_http_chorus_debts_t *debts,
    ngx_http_chorus_debt_t *debt)
{
    u_char  bytes[NGX_HTTP_CHORUS_DEBTS_RECORD], *last;
    size_t  len;

    len = ngx_http_chorus_debt_len(debt);

    if (len > sizeof(bytes)
        || debts->used + len + NGX_HTTP_CHORUS_DEBTS_RESERVE
           > NGX_HTTP_CHORUS_JOURNAL_DEBTS)
    {
        return NGX_DECLINED;
    }

    last = ngx_http_chorus_debt_frame(bytes, debt, 0);
    len = last - bytes;

    if (ngx_http_chorus_debts_write(debts, bytes, len, debts->used)
        == NGX_OK)
    {
        debts->used += len;
    }

    return NGX_OK;
}


static size_t
ngx_http_chorus_debts_need(ngx_http_chorus_debts_t *debts)
{
    size_t                   need, len;
    ngx_queue_t             *q;
    ngx_http_chorus_debt_t  *debt;

    need = NGX_HTTP_CHORUS_DEBTS_RESERVE;

    for (q = ngx_queue_head(&debts->list);
         q != ngx_queue_sentinel(&debts->list);
         q = ngx_queue_next(q))
    {
        debt = ngx_queue_data(q, ngx_http_chorus_debt_t, queue);
        len = ngx_http_chorus_debt_len(debt);

        need += (len > NGX_HTTP_CHORUS_DEBTS_RECORD)
                ? NGX_HTTP_CHORUS_JOURNAL_DEBTS : len;
    }

    return need;
}


/* All of it anew, in one write: the file never says less than it did. */

static void
ngx_http_chorus_debts_rewrite(ngx_http_chorus_debts_t *debts)
{
    u_char                   bytes[NGX_HTTP_CHORUS_JOURNAL_DEBTS], *p;
    size_t                   used;
    ngx_queue_t             *q;
    ngx_http_chorus_debt_t  *debt;

    ngx_memzero(bytes, sizeof(bytes));
    p = bytes;

    debts->every = (ngx_http_chorus_debts_need(debts) > sizeof(bytes));

    for (q = ngx_queue_head(&debts->list);
         q != ngx_queue_sentinel(&debts->list);
         q = ngx_queue_next(q))
    {
        debt = ngx_queue_data(q, ngx_http_chorus_debt_t, queue);
        p = ngx_http_chorus_debt_frame(p, debt, debts->every);

        if (debts->every) {
            break;
        }
    }

    used = ngx_max(debts->used, (size_t) (p - bytes));

    if (ngx_http_chorus_debts_write(debts, bytes, used, 0) == NGX_OK) {
        debts->used = p - bytes;
        debts->unwritten = 0;
    }
}


/* `every`: in the place of it and of all others. */

static u_char *
ngx_http_chorus_debt_frame(u_char *p, ngx_http_chorus_debt_t *debt,
    ngx_uint_t every)
{
    u_char                   *last;
    chorus_journal_record_t   record;

    last = chorus_journal_put_str(p + CHORUS_JOURNAL_HEAD,
                                  every
                                  ? chorus_str(NGX_HTTP_CHORUS_DEBTS_EVERY)
                                  : debt->replication);
    last = chorus_journal_put_str(last, debt->reason);

    record.type = CHORUS_JOURNAL_DEBT;
    record.id = 0;
    record.time_ms = debt->time_ms;
    record.payload.len = last - p - CHORUS_JOURNAL_HEAD;

    chorus_journal_frame(p, debt->debts->salt, &record);

    return last;
}


static ngx_int_t
ngx_http_chorus_debts_write(ngx_http_chorus_debts_t *debts, u_char *bytes,
    size_t len, size_t offset)
{
    if (pwrite(debts->fd, bytes, len, offset) == (ssize_t) len) {
        return NGX_OK;
    }

    if (!debts->unwritten) {
        debts->unwritten = 1;
        ngx_log_error(NGX_LOG_ALERT, debts->log, ngx_errno,
                      "chorus: a scan that is owed cannot be noted in "
                      "\"%s\"", debts->name);
    }

    return NGX_DECLINED;
}
