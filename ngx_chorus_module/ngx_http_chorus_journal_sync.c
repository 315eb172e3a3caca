/*
 * fdatasync in a thread of its own, for all that was written since the last:
 * a request never waits for the disk.  The thread knows descriptors (copies,
 * which it closes) and nothing of nginx.
 */

#include "ngx_http_chorus_journal.h"

#include <pthread.h>


#define NGX_HTTP_CHORUS_SYNC_FILES  64      /* a turn */


struct ngx_http_chorus_sync_s {
    ngx_http_chorus_journal_t  *journal;
    ngx_event_t                 timer;
    ngx_msec_t                  interval;
    uint64_t                    order;      /* of the newest segment seen */
    pthread_t                   thread;
    unsigned                    complained:1;

    /* under the lock */
    pthread_mutex_t             lock;
    pthread_cond_t              wake;
    int                         files[NGX_HTTP_CHORUS_SYNC_FILES];
    ngx_uint_t                  nfiles;
    int                         error;      /* errno of the last that failed */
    int                         stops;
};


static void *ngx_http_chorus_sync_run(void *data);
static int ngx_http_chorus_sync_one(int fd);
static void ngx_http_chorus_sync_handler(ngx_event_t *ev);
static void ngx_http_chorus_sync_give(ngx_http_chorus_sync_t *sync);


ngx_int_t
ngx_http_chorus_sync_init(ngx_http_chorus_journal_t *journal,
    ngx_msec_t interval)
{
    int                      err;
    sigset_t                 all, before;
    ngx_http_chorus_sync_t  *sync;

    sync = ngx_calloc(sizeof(ngx_http_chorus_sync_t), journal->log);
    if (sync == NULL) {
        return NGX_ERROR;
    }

    sync->journal = journal;
    sync->interval = interval;

    sync->timer.handler = ngx_http_chorus_sync_handler;
    sync->timer.data = sync;
    sync->timer.log = journal->log;
    sync->timer.cancelable = 1;

    (void) pthread_mutex_init(&sync->lock, NULL);
    (void) pthread_cond_init(&sync->wake, NULL);

    /* signals are for nginx's own thread */

    (void) sigfillset(&all);
    (void) pthread_sigmask(SIG_SETMASK, &all, &before);
    err = pthread_create(&sync->thread, NULL, ngx_http_chorus_sync_run, sync);
    (void) pthread_sigmask(SIG_SETMASK, &before, NULL);

    if (err) {
        ngx_log_error(NGX_LOG_EMERG, journal->log, err,
                      "chorus: pthread_create() failed");
        ngx_free(sync);
        return NGX_ERROR;
    }

    journal->sync = sync;
    ngx_add_timer(&sync->timer, interval);

    return NGX_OK;
}


void
ngx_http_chorus_sync_exit(ngx_http_chorus_journal_t *journal)
{
    ngx_http_chorus_sync_t  *sync;

    sync = journal->sync;

    if (sync == NULL) {
        return;
    }

    if (sync->timer.timer_set) {
        ngx_del_timer(&sync->timer);
    }

    ngx_http_chorus_sync_give(sync);

    (void) pthread_mutex_lock(&sync->lock);
    sync->stops = 1;
    (void) pthread_cond_signal(&sync->wake);
    (void) pthread_mutex_unlock(&sync->lock);

    (void) pthread_join(sync->thread, NULL);
    (void) pthread_cond_destroy(&sync->wake);
    (void) pthread_mutex_destroy(&sync->lock);

    ngx_free(sync);
    journal->sync = NULL;
}


static void *
ngx_http_chorus_sync_run(void *data)
{
    ngx_http_chorus_sync_t *sync = data;

    int  fd, err;

    (void) pthread_mutex_lock(&sync->lock);

    for ( ;; ) {

        if (sync->nfiles == 0) {

            if (sync->stops) {
                break;
            }

            (void) pthread_cond_wait(&sync->wake, &sync->lock);
            continue;
        }

        fd = sync->files[--sync->nfiles];
        (void) pthread_mutex_unlock(&sync->lock);

        err = ngx_http_chorus_sync_one(fd);
        (void) close(fd);

        (void) pthread_mutex_lock(&sync->lock);

        if (err) {
            sync->error = err;
        }
    }

    (void) pthread_mutex_unlock(&sync->lock);

    return NULL;
}


/* A folder has names in it, which are no data. */

static int
ngx_http_chorus_sync_one(int fd)
{
    int          rc;
    struct stat  info;

    if (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) {
        rc = fsync(fd);

    } else {
        rc = fdatasync(fd);
    }

    return rc == -1 ? errno : 0;
}


static void
ngx_http_chorus_sync_handler(ngx_event_t *ev)
{
    ngx_http_chorus_sync_t *sync = ev->data;

    ngx_http_chorus_sync_give(sync);
    ngx_add_timer(ev, sync->interval);
}


/* What does not fit is given next time. */

static void
ngx_http_chorus_sync_give(ngx_http_chorus_sync_t *sync)
{
    int                         fd, err;
    ngx_queue_t                *q;
    ngx_http_chorus_segment_t  *segment;

    (void) pthread_mutex_lock(&sync->lock);

    if (sync->order != sync->journal->order
        && sync->nfiles < NGX_HTTP_CHORUS_SYNC_FILES)
    {
        fd = open((char *) sync->journal->dir.data,
                  O_RDONLY|O_DIRECTORY|O_CLOEXEC);

        if (fd != -1) {
            sync->files[sync->nfiles++] = fd;
            sync->order = sync->journal->order;
        }
    }

    for (q = ngx_queue_head(&sync->journal->segments);
         q != ngx_queue_sentinel(&sync->journal->segments);
         q = ngx_queue_next(q))
    {
        segment = ngx_queue_data(q, ngx_http_chorus_segment_t, queue);

        if (!segment->dirty || sync->nfiles == NGX_HTTP_CHORUS_SYNC_FILES) {
            continue;
        }

        fd = fcntl(segment->fd, F_DUPFD_CLOEXEC, 0);

        if (fd != -1) {
            sync->files[sync->nfiles++] = fd;
            segment->dirty = 0;
        }
    }

    err = sync->error;
    sync->error = 0;

    (void) pthread_cond_signal(&sync->wake);
    (void) pthread_mutex_unlock(&sync->lock);

    if (err && !sync->complained) {
        ngx_log_error(NGX_LOG_CRIT, sync->journal->log, err,
                      "chorus: journal \"%V\": fdatasync() failed",
                      &sync->journal->dir);
    }

    sync->complained = (err != 0);
}
