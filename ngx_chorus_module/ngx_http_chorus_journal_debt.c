/*
 * Scans that are owed.  Where it is not known any more which keys of a bucket
 * were written, all of the bucket has to be compared: its replication owes a
 * scan.  That is said to Redis, and until Redis has it, it stands in a file
 * whose room was taken when there still was some.
 *
 * While writes go on without intents a debt stays in the file: it was said to
 * Redis, but each further write owes again.  When the journal works again, it
 * is said a last time.
 */

#include "ngx_http_chorus_journal.h"
#include "chorus_library.h"


#define NGX_HTTP_CHORUS_DEBTS_MAX      64
#define NGX_HTTP_CHORUS_DEBTS_EVERY    "*"
#define NGX_HTTP_CHORUS_DEBTS_RESERVE  128  /* bytes: for "*" */


typedef struct {
    ngx_http_chorus_debts_t      *debts;
    chorus_str_t                  replication;  /* NULL data: free */
    chorus_str_t                  reason;
    uint64_t                      time_ms;
    unsigned                      due:1;        /* to be said to Redis */
    unsigned                      said:1;       /* and no reply yet */
} ngx_http_chorus_debt_t;


struct ngx_http_chorus_debts_s {
    ngx_http_chorus_main_conf_t  *cmcf;
    ngx_log_t                    *log;
    ngx_http_chorus_debt_t        list[NGX_HTTP_CHORUS_DEBTS_MAX];
    ngx_uint_t                    n;

    ngx_fd_t                      fd;           /* or invalid */
    u_char                        name[NGX_HTTP_CHORUS_JOURNAL_NAME];
    uint64_t                      salt;
    size_t                        used;
    unsigned                      complained:1;
};


static void ngx_http_chorus_debts_open(ngx_http_chorus_debts_t *debts);
static ngx_http_chorus_debt_t *ngx_http_chorus_debt_add(
    ngx_http_chorus_debts_t *debts, chorus_str_t replication,
    const char *reason);
static ngx_int_t ngx_http_chorus_debt_store(ngx_http_chorus_debt_t *debt);
static ngx_int_t ngx_http_chorus_debts_compact(
    ngx_http_chorus_debts_t *debts);
static void ngx_http_chorus_debts_send(ngx_http_chorus_debts_t *debts);
static ngx_int_t ngx_http_chorus_debt_send(ngx_http_chorus_debt_t *debt);
static void ngx_http_chorus_debt_done(void *data,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text);
static ngx_uint_t ngx_http_chorus_debts_accrue(
    ngx_http_chorus_debts_t *debts);
static void ngx_http_chorus_debt_free(ngx_http_chorus_debt_t *debt);


ngx_int_t
ngx_http_chorus_debts_init(ngx_http_chorus_main_conf_t *cmcf,
    ngx_cycle_t *cycle)
{
    ngx_http_chorus_debts_t  *debts;

    debts = ngx_pcalloc(cycle->pool, sizeof(ngx_http_chorus_debts_t));
    if (debts == NULL) {
        return NGX_ERROR;
    }

    debts->cmcf = cmcf;
    debts->log = cycle->log;
    debts->fd = NGX_INVALID_FILE;

    cmcf->debts = debts;

    if (cmcf->journal) {
        ngx_http_chorus_debts_open(debts);
    }

    return NGX_OK;
}


static void
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
            debts->complained = 0;
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


ngx_int_t
ngx_http_chorus_owe(ngx_http_chorus_debts_t *debts, chorus_str_t replication,
    const char *reason)
{
    ngx_uint_t               i;
    ngx_http_chorus_debt_t  *debt;

    for (i = 0; i < debts->n; i++) {
        debt = &debts->list[i];

        if (chorus_str_eq(debt->replication, replication)
            || chorus_str_eq(debt->replication,
                             chorus_str(NGX_HTTP_CHORUS_DEBTS_EVERY)))
        {
            /* one that is being said is older than what is owed now */

            if (debt->said || !ngx_http_chorus_debts_accrue(debts)) {
                debt->due = 1;
            }

            ngx_http_chorus_debts_send(debts);

            return NGX_OK;
        }
    }

    debt = ngx_http_chorus_debt_add(debts, replication, reason);

    if (debt == NULL) {
        return NGX_ERROR;
    }

    ngx_log_error(NGX_LOG_ERR, debts->log, 0,
                  "chorus: replication \"%*s\" owes a scan: %s",
                  debt->replication.len, debt->replication.data, reason);

    if (ngx_http_chorus_debt_store(debt) != NGX_OK
        && ngx_http_chorus_debts_compact(debts) != NGX_OK
        && !chorus_str_eq(replication,
                          chorus_str(NGX_HTTP_CHORUS_DEBTS_EVERY)))
    {
        /* there is always room for this one */
        return ngx_http_chorus_owe(debts,
                         chorus_str(NGX_HTTP_CHORUS_DEBTS_EVERY), reason);
    }

    ngx_http_chorus_debts_send(debts);

    return NGX_OK;
}


static ngx_http_chorus_debt_t *
ngx_http_chorus_debt_add(ngx_http_chorus_debts_t *debts,
    chorus_str_t replication, const char *reason)
{
    u_char                  *p;
    ngx_http_chorus_debt_t  *debt;

    if (debts->n == NGX_HTTP_CHORUS_DEBTS_MAX - 1) {
        replication = chorus_str(NGX_HTTP_CHORUS_DEBTS_EVERY);
    }

    p = ngx_alloc(replication.len + 1, debts->log);
    if (p == NULL) {
        return NULL;
    }

    ngx_memcpy(p, replication.data, replication.len);

    debt = &debts->list[debts->n++];

    debt->debts = debts;
    debt->replication = (chorus_str_t) { (char *) p, replication.len };
    debt->reason = chorus_str_from(reason);
    debt->time_ms = ngx_http_chorus_journal_now();
    debt->due = 1;
    debt->said = 0;

    debts->cmcf->process->debts = debts->n;

    return debt;
}


static ngx_int_t
ngx_http_chorus_debt_store(ngx_http_chorus_debt_t *debt)
{
    u_char                   bytes[1024], *p;
    size_t                   len, room;
    chorus_journal_record_t  record;
    ngx_http_chorus_debts_t  *debts;

    debts = debt->debts;

    if (debts->cmcf->journal == NULL) {
        return NGX_OK;
    }

    if (debts->fd == NGX_INVALID_FILE) {
        return NGX_OK;
    }

    len = CHORUS_JOURNAL_HEAD + chorus_journal_str_len(debt->replication)
          + chorus_journal_str_len(debt->reason);

    room = NGX_HTTP_CHORUS_JOURNAL_DEBTS - debts->used;

    if (len > sizeof(bytes)
        || (len + NGX_HTTP_CHORUS_DEBTS_RESERVE > room
            && debt->replication.len > 1))
    {
        return NGX_DECLINED;
    }

    p = chorus_journal_put_str(bytes + CHORUS_JOURNAL_HEAD,
                               debt->replication);
    (void) chorus_journal_put_str(p, debt->reason);

    record.type = CHORUS_JOURNAL_DEBT;
    record.id = 0;
    record.time_ms = debt->time_ms;
    record.payload.len = len - CHORUS_JOURNAL_HEAD;

    chorus_journal_frame(bytes, debts->salt, &record);

    if (len > room
        || pwrite(debts->fd, bytes, len, debts->used) != (ssize_t) len)
    {
        ngx_log_error(NGX_LOG_ALERT, debts->log, ngx_errno,
                      "chorus: a scan that is owed cannot be noted in "
                      "\"%s\"", debts->name);
        return NGX_OK;
    }

    debts->used += len;

    return NGX_OK;
}


ngx_uint_t
ngx_http_chorus_debts_are_kept(ngx_http_chorus_debts_t *debts)
{
    return debts->fd != NGX_INVALID_FILE;
}


/* Again from the beginning, without those that were paid.  Whatever stood
 * behind is overwritten with zeros. */

static ngx_int_t
ngx_http_chorus_debts_compact(ngx_http_chorus_debts_t *debts)
{
    u_char      zeros[NGX_HTTP_CHORUS_JOURNAL_DEBTS];
    size_t      used;
    ngx_int_t   rc;
    ngx_uint_t  i;

    used = debts->used;
    debts->used = 0;
    rc = NGX_OK;

    for (i = 0; i < debts->n && rc == NGX_OK; i++) {
        rc = ngx_http_chorus_debt_store(&debts->list[i]);
    }

    if (rc == NGX_OK && debts->used < used) {
        ngx_memzero(zeros, used - debts->used);

        if (pwrite(debts->fd, zeros, used - debts->used, debts->used)
            != (ssize_t) (used - debts->used))
        {
            debts->used = used;
        }
    }

    return rc;
}


/* More is owed with each request. */

static ngx_uint_t
ngx_http_chorus_debts_accrue(ngx_http_chorus_debts_t *debts)
{
    ngx_http_chorus_journal_t  *journal;

    journal = debts->cmcf->journal;

    return journal && (journal->full || journal->failing);
}


void
ngx_http_chorus_debts_settle(ngx_http_chorus_debts_t *debts)
{
    ngx_uint_t  i;

    for (i = 0; i < debts->n; i++) {
        debts->list[i].due = 1;
    }

    ngx_http_chorus_debts_send(debts);
}


void
ngx_http_chorus_debts_tick(ngx_http_chorus_debts_t *debts)
{
    if (debts->fd == NGX_INVALID_FILE && debts->cmcf->journal) {
        ngx_http_chorus_debts_open(debts);
    }

    ngx_http_chorus_debts_send(debts);
}


static void
ngx_http_chorus_debts_send(ngx_http_chorus_debts_t *debts)
{
    ngx_uint_t               i;
    ngx_http_chorus_debt_t  *debt;

    /* one at a time: its place in the list is not to change meanwhile */

    for (i = 0; i < debts->n; i++) {
        if (debts->list[i].said) {
            return;
        }
    }

    for (i = 0; i < debts->n; i++) {
        debt = &debts->list[i];

        if (debt->due) {

            if (ngx_http_chorus_debt_send(debt) == NGX_OK) {
                debt->due = 0;
                debt->said = 1;
            }

            return;
        }
    }
}


static ngx_int_t
ngx_http_chorus_debt_send(ngx_http_chorus_debt_t *debt)
{
    int          argc;
    u_char       name[1024], age[NGX_INT64_LEN], *last;
    uint64_t     now;
    ngx_uint_t   every;
    size_t       lens[8];
    const char  *argv[8];

    every = chorus_str_eq(debt->replication,
                          chorus_str(NGX_HTTP_CHORUS_DEBTS_EVERY));
    now = ngx_http_chorus_journal_now();
    now = now > debt->time_ms ? now - debt->time_ms : 0;

    last = ngx_snprintf(name, sizeof(name), "chorus:{%*s}",
                        debt->replication.len, debt->replication.data);

    argc = 0;

#define ngx_http_chorus_debt_word(p, n)                                       \
    argv[argc] = (const char *) (p); lens[argc++] = (n)

    ngx_http_chorus_debt_word("FCALL", 5);

    if (every) {
        ngx_http_chorus_debt_word("chorus_owe_all", 14);
        ngx_http_chorus_debt_word("1", 1);
        ngx_http_chorus_debt_word(CHORUS_REDIS_OWED,
                                  sizeof(CHORUS_REDIS_OWED) - 1);

    } else {
        ngx_http_chorus_debt_word("chorus_owe", 10);
        ngx_http_chorus_debt_word("3", 1);
        ngx_http_chorus_debt_word(name, last - name);
        ngx_http_chorus_debt_word(CHORUS_REDIS_SCHEDULE,
                                  sizeof(CHORUS_REDIS_SCHEDULE) - 1);
        ngx_http_chorus_debt_word(CHORUS_REDIS_REPLICATIONS,
                                  sizeof(CHORUS_REDIS_REPLICATIONS) - 1);
    }

    ngx_http_chorus_debt_word(debt->reason.data, debt->reason.len);

    last = ngx_sprintf(age, "%uL", now);
    ngx_http_chorus_debt_word(age, last - age);

    return ngx_http_chorus_redis_call(debt->debts->cmcf->redis, argc, argv,
                                      lens, ngx_http_chorus_debt_done, debt);
}


static void
ngx_http_chorus_debt_done(void *data, ngx_http_chorus_redis_result_t result,
    ngx_str_t *text)
{
    ngx_http_chorus_debt_t *debt = data;

    u_char                    zeros[NGX_HTTP_CHORUS_JOURNAL_DEBTS];
    ngx_http_chorus_debts_t  *debts;

    debts = debt->debts;
    debt->said = 0;

    if (result != NGX_HTTP_CHORUS_REDIS_REPLY) {
        debt->due = 1;
        return;
    }

    if (!debt->due && !ngx_http_chorus_debts_accrue(debts)) {
        ngx_http_chorus_debt_free(debt);
    }

    if (debts->n == 0 && debts->used) {
        ngx_memzero(zeros, debts->used);

        if (pwrite(debts->fd, zeros, debts->used, 0)
            == (ssize_t) debts->used)
        {
            debts->used = 0;
        }
    }

    ngx_http_chorus_debts_send(debts);
}


static void
ngx_http_chorus_debt_free(ngx_http_chorus_debt_t *debt)
{
    ngx_http_chorus_debts_t  *debts;

    debts = debt->debts;

    ngx_free((char *) debt->replication.data);

    /* nothing is in flight now */
    *debt = debts->list[--debts->n];
    debts->cmcf->process->debts = debts->n;
}


void
ngx_http_chorus_debts_exit(ngx_http_chorus_main_conf_t *cmcf)
{
    ngx_uint_t                n;
    ngx_http_chorus_debts_t  *debts;

    debts = cmcf->debts;
    n = debts->n;

    while (debts->n) {
        ngx_http_chorus_debt_free(&debts->list[debts->n - 1]);
    }

    if (debts->fd == NGX_INVALID_FILE) {

        if (n) {
            ngx_log_error(NGX_LOG_ALERT, debts->log, 0,
                          "chorus: this process ends, and Redis does not "
                          "know that %ui replications owe a scan: compare "
                          "main and followers", n);
        }

        return;
    }

    if (n == 0) {
        (void) ngx_delete_file(ngx_http_chorus_journal_path(cmcf->journal,
                                                            debts->name));
    }

    ngx_close_file(debts->fd);
}
