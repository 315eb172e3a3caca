/*
 * Scans that are owed.  Where it is not known any more which keys of a bucket
 * were written, all of the bucket has to be compared: its replication owes a
 * scan.  That is said to Redis, and stands in a file (journal_debt_file.c)
 * until Redis has had it for so long that it would not forget it when it lost
 * its last seconds.
 *
 * While writes go on without intents a debt stays in the file: it was said to
 * Redis, but each further write owes again.  When the journal works again, it
 * is said a last time.
 */

#include "ngx_http_chorus_journal.h"
#include "chorus_library.h"
#include "chorus_redis.h"


#define NGX_HTTP_CHORUS_DEBTS_MAX  4096     /* beyond it: "*" */


static ngx_int_t ngx_http_chorus_owe_at(ngx_http_chorus_debts_t *debts,
    chorus_str_t replication, const char *reason, ngx_msec_t since,
    ngx_uint_t level);
static ngx_http_chorus_debt_t *ngx_http_chorus_debt_find(
    ngx_http_chorus_debts_t *debts, chorus_str_t replication);
static ngx_http_chorus_debt_t *ngx_http_chorus_debt_add(
    ngx_http_chorus_debts_t *debts, chorus_str_t replication,
    const char *reason, ngx_msec_t since);
static void ngx_http_chorus_debt_renew(ngx_http_chorus_debt_t *debt);
static void ngx_http_chorus_debts_expire(ngx_http_chorus_debts_t *debts);
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
    ngx_queue_init(&debts->list);

    cmcf->debts = debts;

    if (cmcf->journal) {
        ngx_http_chorus_debts_open(debts);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_chorus_owe(ngx_http_chorus_debts_t *debts, chorus_str_t replication,
    const char *reason)
{
    return ngx_http_chorus_owe_at(debts, replication, reason,
                                  ngx_current_msec, NGX_LOG_ERR);
}


/* The caller has said it for all of them. */

ngx_int_t
ngx_http_chorus_owe_since(ngx_http_chorus_debts_t *debts,
    chorus_str_t replication, const char *reason, ngx_msec_t since)
{
    return ngx_http_chorus_owe_at(debts, replication, reason, since,
                                  NGX_LOG_INFO);
}


static ngx_int_t
ngx_http_chorus_owe_at(ngx_http_chorus_debts_t *debts,
    chorus_str_t replication, const char *reason, ngx_msec_t since,
    ngx_uint_t level)
{
    ngx_http_chorus_debt_t  *debt;

    debt = ngx_http_chorus_debt_find(debts, replication);

    if (debt) {
        /* one that is being said is older than what is owed now */

        if (debt->said || !ngx_http_chorus_debts_accrue(debts)) {
            ngx_http_chorus_debt_renew(debt);
        }

        ngx_http_chorus_debts_send(debts);
        ngx_http_chorus_marks_resume(debts->cmcf->marks);

        return NGX_OK;
    }

    debt = ngx_http_chorus_debt_add(debts, replication, reason, since);

    if (debt == NULL) {
        return NGX_ERROR;
    }

    ngx_log_error(level, debts->log, 0,
                  "chorus: replication \"%*s\" owes a scan: %s",
                  debt->replication.len, debt->replication.data, reason);

    ngx_http_chorus_debt_store(debt);
    ngx_http_chorus_debts_send(debts);
    ngx_http_chorus_marks_resume(debts->cmcf->marks);

    return NGX_OK;
}


static ngx_http_chorus_debt_t *
ngx_http_chorus_debt_find(ngx_http_chorus_debts_t *debts,
    chorus_str_t replication)
{
    ngx_queue_t             *q;
    ngx_http_chorus_debt_t  *debt;

    for (q = ngx_queue_head(&debts->list);
         q != ngx_queue_sentinel(&debts->list);
         q = ngx_queue_next(q))
    {
        debt = ngx_queue_data(q, ngx_http_chorus_debt_t, queue);

        if (chorus_str_eq(debt->replication, replication)
            || (!debt->told
                && chorus_str_eq(debt->replication,
                                 chorus_str(NGX_HTTP_CHORUS_DEBTS_EVERY))))
        {
            return debt;
        }
    }

    return NULL;
}


static ngx_http_chorus_debt_t *
ngx_http_chorus_debt_add(ngx_http_chorus_debts_t *debts,
    chorus_str_t replication, const char *reason, ngx_msec_t since)
{
    ngx_http_chorus_debt_t  *debt;

    if (debts->n >= NGX_HTTP_CHORUS_DEBTS_MAX) {
        replication = chorus_str(NGX_HTTP_CHORUS_DEBTS_EVERY);
        debt = ngx_http_chorus_debt_find(debts, replication);

        if (debt) {
            ngx_http_chorus_debt_renew(debt);
            return debt;
        }
    }

    debt = ngx_calloc(sizeof(ngx_http_chorus_debt_t) + replication.len,
                      debts->log);
    if (debt == NULL) {
        return NULL;
    }

    ngx_memcpy(debt + 1, replication.data, replication.len);

    debt->debts = debts;
    debt->replication = (chorus_str_t) { (char *) (debt + 1),
                                         replication.len };
    debt->reason = chorus_str_from(reason);
    debt->time_ms = ngx_http_chorus_journal_now()
                    - (ngx_current_msec - since);

    ngx_queue_insert_tail(&debts->list, &debt->queue);
    debts->n++;

    ngx_http_chorus_debt_renew(debt);

    return debt;
}


/* It is to be said to Redis, whatever was said before. */

static void
ngx_http_chorus_debt_renew(ngx_http_chorus_debt_t *debt)
{
    debt->due = 1;
    debt->told = 0;

    if (!debt->counted) {
        debt->counted = 1;
        debt->debts->cmcf->process->debts++;
    }
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
    ngx_queue_t  *q;

    for (q = ngx_queue_head(&debts->list);
         q != ngx_queue_sentinel(&debts->list);
         q = ngx_queue_next(q))
    {
        ngx_http_chorus_debt_renew(ngx_queue_data(q, ngx_http_chorus_debt_t,
                                                  queue));
    }

    ngx_http_chorus_debts_send(debts);
}


void
ngx_http_chorus_debts_tick(ngx_http_chorus_debts_t *debts)
{
    if (debts->fd == NGX_INVALID_FILE && debts->cmcf->journal) {
        ngx_http_chorus_debts_open(debts);
    }

    ngx_http_chorus_debts_expire(debts);
    ngx_http_chorus_debts_send(debts);
}


/* Redis has it, and has had it for so long that it stays.  One that is not
 * heard of may be one that is being replaced. */

static void
ngx_http_chorus_debts_expire(ngx_http_chorus_debts_t *debts)
{
    ngx_uint_t               n;
    ngx_msec_t               window, last;
    ngx_queue_t             *q, *next;
    ngx_http_chorus_debt_t  *debt;

    if ((debts->n == 0 && !debts->unwritten) || ngx_exiting
        || ngx_http_chorus_debts_accrue(debts)
        || !ngx_http_chorus_redis_is_ready(debts->cmcf->redis))
    {
        return;
    }

    window = debts->cmcf->journal ? debts->cmcf->journal->conf->window
                                  : CHORUS_REDIS_WINDOW_MS;
    last = ngx_http_chorus_redis_last(debts->cmcf->redis);
    n = debts->n;

    for (q = ngx_queue_head(&debts->list);
         q != ngx_queue_sentinel(&debts->list);
         q = next)
    {
        next = ngx_queue_next(q);
        debt = ngx_queue_data(q, ngx_http_chorus_debt_t, queue);

        if (debt->told
            && (ngx_msec_int_t) (last - debt->when)
               >= (ngx_msec_int_t) window)
        {
            ngx_http_chorus_debt_free(debt);
        }
    }

    if (debts->n != n || debts->unwritten) {
        ngx_http_chorus_debts_tidy(debts);
    }
}


static void
ngx_http_chorus_debts_send(ngx_http_chorus_debts_t *debts)
{
    ngx_queue_t             *q;
    ngx_http_chorus_debt_t  *debt;

    /* one at a time */

    if (debts->busy) {
        return;
    }

    for (q = ngx_queue_head(&debts->list);
         q != ngx_queue_sentinel(&debts->list);
         q = ngx_queue_next(q))
    {
        debt = ngx_queue_data(q, ngx_http_chorus_debt_t, queue);

        if (debt->due) {

            if (ngx_http_chorus_debt_send(debt) == NGX_OK) {
                debts->busy = 1;
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

    ngx_http_chorus_debts_t  *debts;

    debts = debt->debts;
    debts->busy = 0;
    debt->said = 0;

    if (result != NGX_HTTP_CHORUS_REDIS_REPLY) {
        debt->due = 1;
        return;
    }

    if (!debt->due) {
        debt->told = 1;
        debt->when = ngx_current_msec;

        if (debt->counted && !ngx_http_chorus_debts_accrue(debts)) {
            debt->counted = 0;
            debts->cmcf->process->debts--;
        }
    }

    ngx_http_chorus_debts_send(debts);
}


void
ngx_http_chorus_debts_again(ngx_http_chorus_debts_t *debts)
{
    ngx_queue_t             *q;
    ngx_http_chorus_debt_t  *debt;

    for (q = ngx_queue_head(&debts->list);
         q != ngx_queue_sentinel(&debts->list);
         q = ngx_queue_next(q))
    {
        debt = ngx_queue_data(q, ngx_http_chorus_debt_t, queue);

        if (debt->told || debt->said) {
            ngx_http_chorus_debt_renew(debt);
        }
    }
}


static void
ngx_http_chorus_debt_free(ngx_http_chorus_debt_t *debt)
{
    ngx_http_chorus_debts_t  *debts;

    debts = debt->debts;

    if (debt->counted) {
        debts->cmcf->process->debts--;
    }

    ngx_queue_remove(&debt->queue);
    ngx_free(debt);
    debts->n--;
}


/* Redis hears of one at a time; who ends does not wait for one that is away. */

ngx_uint_t
ngx_http_chorus_debts_are_going(ngx_http_chorus_debts_t *debts)
{
    ngx_queue_t             *q;
    ngx_http_chorus_debt_t  *debt;

    if (ngx_http_chorus_debts_are_kept(debts)) {
        return 0;
    }

    for (q = ngx_queue_head(&debts->list);
         q != ngx_queue_sentinel(&debts->list);
         q = ngx_queue_next(q))
    {
        debt = ngx_queue_data(q, ngx_http_chorus_debt_t, queue);

        if (!debt->told) {
            return !ngx_exiting
                   || ngx_http_chorus_redis_is_ready(debts->cmcf->redis);
        }
    }

    return 0;
}


/* What Redis may still forget stays in the file: said twice is no harm. */

void
ngx_http_chorus_debts_exit(ngx_http_chorus_main_conf_t *cmcf)
{
    ngx_uint_t                untold;
    ngx_queue_t              *q;
    ngx_http_chorus_debt_t   *debt;
    ngx_http_chorus_debts_t  *debts;

    debts = cmcf->debts;

    ngx_http_chorus_debts_close(debts);

    untold = 0;

    while (!ngx_queue_empty(&debts->list)) {
        q = ngx_queue_head(&debts->list);
        debt = ngx_queue_data(q, ngx_http_chorus_debt_t, queue);

        untold += !debt->told;
        ngx_http_chorus_debt_free(debt);
    }

    if (untold && !debts->kept) {
        ngx_log_error(NGX_LOG_ALERT, debts->log, 0,
                      "chorus: this process ends, and Redis does not "
                      "know that %ui replications owe a scan: compare "
                      "main and followers", untold);
    }
}
