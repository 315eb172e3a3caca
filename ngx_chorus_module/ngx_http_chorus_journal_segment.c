/*
 * Segments of the journal: files that one process appends to, made, written
 * and held.
 */

#include "ngx_http_chorus_journal.h"

#include <sys/file.h>
#include <sys/random.h>


#define NGX_HTTP_CHORUS_SEGMENT_TRIES  8


uint64_t
ngx_http_chorus_journal_now(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return (uint64_t) tp->sec * 1000 + tp->msec;
}


u_char *
ngx_http_chorus_journal_path(ngx_http_chorus_journal_t *journal,
    const u_char *name)
{
    static u_char  path[NGX_MAX_PATH];

    (void) ngx_snprintf(path, NGX_MAX_PATH, "%V/%s%Z", &journal->dir, name);
    path[NGX_MAX_PATH - 1] = '\0';

    return path;
}


/* The name is new by its random bits, whoever else writes here: a container
 * may have the same process id.  Another process may find the file before it
 * is locked, and remove it as one that nobody holds: then another try. */

ngx_fd_t
ngx_http_chorus_journal_create(ngx_http_chorus_journal_t *journal,
    const char *suffix, u_char *name, uint64_t *salt)
{
    u_char           *path;
    ngx_fd_t          fd;
    ngx_uint_t        i;
    ngx_file_info_t   info;

    for (i = 0; i < NGX_HTTP_CHORUS_SEGMENT_TRIES; i++) {

        if (getrandom(salt, sizeof(uint64_t), 0) != sizeof(uint64_t)) {
            return NGX_INVALID_FILE;
        }

        (void) ngx_snprintf(name, NGX_HTTP_CHORUS_JOURNAL_NAME,
                            "%P-%uL-%016xL.%s%Z", ngx_pid,
                            ngx_http_chorus_journal_now(), *salt, suffix);

        path = ngx_http_chorus_journal_path(journal, name);

        fd = open((char *) path, O_RDWR|O_CREAT|O_EXCL|O_APPEND|O_CLOEXEC,
                  0600);

        if (fd == NGX_INVALID_FILE) {

            if (ngx_errno == NGX_EEXIST) {
                continue;
            }

            return NGX_INVALID_FILE;
        }

        if (flock(fd, LOCK_EX|LOCK_NB) == 0
            && ngx_fd_info(fd, &info) != NGX_FILE_ERROR
            && info.st_nlink == 1)
        {
            return fd;
        }

        ngx_close_file(fd);
    }

    ngx_set_errno(EAGAIN);

    return NGX_INVALID_FILE;
}


ngx_int_t
ngx_http_chorus_journal_salt(const u_char *name, uint64_t *salt)
{
    int            digit;
    const u_char  *p;

    p = (u_char *) strrchr((char *) name, '-');

    if (p == NULL) {
        return NGX_DECLINED;
    }

    *salt = 0;

    for (p++; *p != '.'; p++) {

        digit = chorus_hex_digit((char) *p);

        if (digit < 0) {
            return NGX_DECLINED;
        }

        *salt = *salt << 4 | (unsigned) digit;
    }

    return NGX_OK;
}


ngx_http_chorus_segment_t *
ngx_http_chorus_segment_add(ngx_http_chorus_journal_t *journal, ngx_fd_t fd,
    const u_char *name, uint64_t salt, off_t size)
{
    ngx_http_chorus_segment_t  *segment;

    segment = ngx_calloc(sizeof(ngx_http_chorus_segment_t), journal->log);
    if (segment == NULL) {
        return NULL;
    }

    ngx_queue_init(&segment->intents);

    segment->journal = journal;
    segment->order = ++journal->order;
    segment->salt = salt;
    segment->fd = fd;
    segment->size = size;
    segment->created = ngx_current_msec;
    segment->settled = ngx_current_msec;
    (void) ngx_cpystrn(segment->name, (u_char *) name,
                       NGX_HTTP_CHORUS_JOURNAL_NAME);

    ngx_queue_insert_tail(&journal->segments, &segment->queue);

    return segment;
}


ngx_http_chorus_segment_t *
ngx_http_chorus_segment_ready(ngx_http_chorus_journal_t *journal)
{
    u_char                      name[NGX_HTTP_CHORUS_JOURNAL_NAME];
    uint64_t                    salt;
    ngx_fd_t                    fd;
    ngx_http_chorus_segment_t  *segment;

    segment = journal->current;

    if (segment && !ngx_http_chorus_segment_is_worn(segment)) {
        return segment;
    }

    fd = ngx_http_chorus_journal_create(journal, "seg", name, &salt);

    if (fd == NGX_INVALID_FILE) {
        ngx_http_chorus_journal_fails(journal, ngx_errno,
                                      "a new segment cannot be made");
        return NULL;
    }

    segment = ngx_http_chorus_segment_add(journal, fd, name, salt, 0);

    if (segment == NULL) {
        (void) ngx_delete_file(ngx_http_chorus_journal_path(journal, name));
        ngx_close_file(fd);
        return NULL;
    }

    /* what they are about stands in another segment */
    journal->hints_len = 0;
    journal->current = segment;

    return segment;
}


ngx_uint_t
ngx_http_chorus_segment_is_worn(ngx_http_chorus_segment_t *segment)
{
    return segment->size >= segment->journal->conf->segment_size
           || ngx_current_msec - segment->created
              > NGX_HTTP_CHORUS_JOURNAL_AGE_MS;
}


ngx_int_t
ngx_http_chorus_segment_append(ngx_http_chorus_segment_t *segment,
    u_char *bytes, size_t len)
{
    ssize_t                     n;
    ngx_err_t                   err;
    ngx_http_chorus_journal_t  *journal;

    journal = segment->journal;

    do {
        n = write(segment->fd, bytes, len);
    } while (n == -1 && ngx_errno == NGX_EINTR);

    if (n == (ssize_t) len) {
        segment->size += len;
        segment->dirty = 1;
        journal->bytes += len;
        return NGX_OK;
    }

    err = (n == -1) ? ngx_errno : NGX_ENOSPC;

    /* a part of it must not stand before what is written later */

    if (n > 0 && ftruncate(segment->fd, segment->size) == -1) {
        journal->current = NULL;
    }

    ngx_http_chorus_journal_fails(journal, err, "it cannot be written");

    return NGX_DECLINED;
}


void
ngx_http_chorus_segment_hold(ngx_http_chorus_segment_t *segment)
{
    segment->refs++;
}


void
ngx_http_chorus_segment_release(ngx_http_chorus_segment_t *segment)
{
    segment->refs--;
    segment->settled = ngx_current_msec;
}


ngx_http_chorus_segment_t *
ngx_http_chorus_segment_older(ngx_http_chorus_segment_t *a,
    ngx_http_chorus_segment_t *b)
{
    if (a == NULL || b == NULL) {
        return a ? a : b;
    }

    return a->order < b->order ? a : b;
}


ngx_http_chorus_segment_t *
ngx_http_chorus_journal_oldest(ngx_http_chorus_journal_t *journal)
{
    if (journal == NULL || ngx_queue_empty(&journal->segments)) {
        return NULL;
    }

    return ngx_queue_data(ngx_queue_head(&journal->segments),
                          ngx_http_chorus_segment_t, queue);
}
