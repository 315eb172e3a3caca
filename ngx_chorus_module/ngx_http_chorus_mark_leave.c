/*
 * What a process that ends does with marks and debts that Redis has not heard
 * of: told to quit it stays for them, at SIGTERM for half a second, and what
 * it takes along it says.
 */

#include "ngx_http_chorus_mark.h"


#define NGX_HTTP_CHORUS_REMIND_MS  60000
#define NGX_HTTP_CHORUS_LEAVE_MS   3000     /* to the next process */
#define NGX_HTTP_CHORUS_FLUSH_MS   500      /* nginx kills after 1 s */


static ngx_uint_t ngx_http_chorus_marks_may_leave(
    ngx_http_chorus_marks_t *marks);


/*
 * An nginx process that is told to quit leaves when no timer is left that
 * matters: this one matters while keys wait, for hours if it must be.  After
 * a reload that harms nobody, since new processes serve the requests.  With a
 * journal it need not be: the next process finds them there.
 */

void
ngx_http_chorus_marks_hold_handler(ngx_event_t *ev)
{
    ngx_http_chorus_marks_t *marks = ev->data;

    if (!ngx_http_chorus_marks_are_going(marks)) {

        /* what a request that ends later marks has its own time */
        marks->quitting = 0;

        if (ngx_exiting) {
            ngx_http_chorus_redis_exit(marks->cmcf);
        }

        return;
    }

    if (ngx_http_chorus_marks_waiting(marks)
        && ngx_http_chorus_marks_may_leave(marks))
    {
        ngx_log_error(NGX_LOG_NOTICE, marks->log, 0,
                      "chorus: Redis is away: %ui changed keys stay in the "
                      "journal for the next process", marks->nwaiting);

        ngx_http_chorus_redis_exit(marks->cmcf);
        return;
    }

    if (ngx_exiting
        && ngx_current_msec - marks->reminded > NGX_HTTP_CHORUS_REMIND_MS)
    {
        if (marks->reminded) {
            ngx_log_error(NGX_LOG_WARN, marks->log, 0,
                          "chorus: this process stays because %ui changed "
                          "keys wait for Redis; SIGTERM ends it and loses "
                          "them", marks->nwaiting);
        }

        marks->reminded = ngx_current_msec;
    }

    ngx_add_timer(ev, NGX_HTTP_CHORUS_HOLD_MS);
}


static ngx_uint_t
ngx_http_chorus_marks_may_leave(ngx_http_chorus_marks_t *marks)
{
    if (!ngx_exiting || marks->cmcf->journal == NULL || marks->nbare) {
        return 0;
    }

    if (marks->quitting == 0) {
        marks->quitting = ngx_current_msec ? ngx_current_msec : 1;
    }

    return ngx_current_msec - marks->quitting >= NGX_HTTP_CHORUS_LEAVE_MS;
}


/* With SIGTERM there is no event loop any more, and little time: what stands
 * nowhere else is brought to a Redis that is there. */

void
ngx_http_chorus_marks_flush(ngx_http_chorus_main_conf_t *cmcf)
{
    ngx_msec_t                deadline, left;
    ngx_http_chorus_marks_t  *marks;

    marks = cmcf->marks;

    ngx_time_update();
    deadline = ngx_current_msec + NGX_HTTP_CHORUS_FLUSH_MS;

    while (marks->nbare || ngx_http_chorus_debts_are_going(cmcf->debts)) {

        ngx_http_chorus_marks_send_handler(&marks->send);

        ngx_time_update();
        left = deadline - ngx_current_msec;

        if ((ngx_msec_int_t) left <= 0
            || ngx_http_chorus_redis_wait(cmcf->redis, left) != NGX_OK)
        {
            return;
        }
    }
}


void
ngx_http_chorus_marks_exit(ngx_http_chorus_main_conf_t *cmcf)
{
    ngx_uint_t                n;
    ngx_queue_t              *q;
    ngx_http_chorus_mark_t   *mark;
    ngx_http_chorus_marks_t  *marks;

    marks = cmcf->marks;

    n = marks->nbare;

    while (!ngx_queue_empty(&marks->waiting)) {
        q = ngx_queue_head(&marks->waiting);
        mark = ngx_queue_data(q, ngx_http_chorus_mark_t, queue);

        ngx_queue_remove(q);
        ngx_http_chorus_mark_free(marks, mark);
    }

    if (n) {
        (void) ngx_atomic_fetch_add(&cmcf->counters->lost, n);

        ngx_log_error(NGX_LOG_ALERT, marks->log, 0,
                      "chorus: this process ends with %ui changed keys that "
                      "Redis did not take: write them again, or compare main "
                      "and followers", n);
    }
}
