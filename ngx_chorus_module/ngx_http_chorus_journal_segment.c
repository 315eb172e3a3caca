/*
 * Segments of the journal: files that one process appends to.
 */

#include "ngx_http_chorus_journal.h"
#include "chorus_redis.h"

#include <sys/file.h>
#include <sys/random.h>


#define NGX_HTTP_CHORUS_SEGMENT_TRIES  8
#define NGX_HTTP_CHORUS_SEGMENT_CARRY  100      /* intents at a time */
/* two strings, a CHORUS_JOURNAL_CLOSED */
#define NGX_HTTP_CHORUS_SEGMENT_WHO    (8 + CHORUS_REDIS_RUN_SIZE             \
                                        + CHORUS_REDIS_GENERATION_SIZE)


static ngx_uint_t ngx_http_chorus_segment_is_worn(
    ngx_http_chorus_segment_t *segment);
static void ngx_http_chorus_segment_remove(
    ngx_http_chorus_segment_t *segment, ngx_uint_t unlinks);
static ngx_uint_t ngx_http_chorus_segment_is_over(
    ngx_http_chorus_segment_t *segment);
static void ngx_http_chorus_segment_carry(ngx_http_chorus_segment_t *segment);
static ngx_int_t ngx_http_chorus_segment_carry_one(
    ngx_http_chorus_intent_t *intent);
static ngx_uint_t ngx_http_chorus_segment_close(
    ngx_http_chorus_segment_t *segment);


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


static ngx_uint_t
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


void
ngx_http_chorus_segments_tidy(ngx_http_chorus_journal_t *journal)
{
    ngx_queue_t                *q;
    ngx_http_chorus_segment_t  *segment;

    /* a process that was told to quit may have uploads of hours, and leaves
     * the rest to the next one; else, when Redis is back, it may have forgotten
     * what it had */

    if (ngx_exiting ? !journal->cmcf->redis_was_well
                    : !ngx_http_chorus_redis_is_ready(journal->cmcf->redis))
    {
        return;
    }

    while (!ngx_queue_empty(&journal->segments)) {
        q = ngx_queue_head(&journal->segments);
        segment = ngx_queue_data(q, ngx_http_chorus_segment_t, queue);

        if (ngx_exiting && segment->refs == 0) {
            ngx_http_chorus_segment_remove(segment,
                                     ngx_http_chorus_segment_close(segment));
            continue;
        }

        if (!ngx_http_chorus_segment_is_over(segment)) {
            break;
        }

        ngx_http_chorus_crash(journal->cmcf, "before-remove");
        ngx_http_chorus_segment_remove(segment, 1);
        ngx_http_chorus_crash(journal->cmcf, "after-remove");
    }

    if (!ngx_queue_empty(&journal->segments)) {
        q = ngx_queue_head(&journal->segments);
        ngx_http_chorus_segment_carry(
                       ngx_queue_data(q, ngx_http_chorus_segment_t, queue));
    }
}


/* Redis has all of it, and that for so long that it would not forget it when
 * it lost its last seconds. */

static ngx_uint_t
ngx_http_chorus_segment_is_over(ngx_http_chorus_segment_t *segment)
{
    ngx_msec_t                  last;
    ngx_http_chorus_journal_t  *journal;

    journal = segment->journal;

    /* one that is not heard of may be one that is being replaced */
    last = ngx_http_chorus_redis_last(journal->cmcf->redis);

    return segment->refs == 0
           && (ngx_msec_int_t) (last - segment->settled)
              >= (ngx_msec_int_t) journal->conf->window;
}


static void
ngx_http_chorus_segment_remove(ngx_http_chorus_segment_t *segment,
    ngx_uint_t unlinks)
{
    u_char                     *path;
    ngx_queue_t                *q;
    ngx_http_chorus_journal_t  *journal;

    journal = segment->journal;

    if (journal->current == segment) {
        journal->current = NULL;
        journal->hints_len = 0;
    }

    if (unlinks) {
        path = ngx_http_chorus_journal_path(journal, segment->name);
        journal->bytes -= ngx_min(segment->size, journal->bytes);

        if (ngx_delete_file(path) == NGX_FILE_ERROR && ngx_errno != NGX_ENOENT)
        {
            ngx_log_error(NGX_LOG_CRIT, journal->log, ngx_errno,
                          "chorus: " ngx_delete_file_n " \"%s\" failed", path);
        }
    }

    /* at the end of the process some may be open */

    while (!ngx_queue_empty(&segment->intents)) {
        q = ngx_queue_head(&segment->intents);
        ngx_queue_remove(q);
        ngx_free(ngx_queue_data(q, ngx_http_chorus_intent_t, queue));
    }

    ngx_queue_remove(&segment->queue);
    ngx_close_file(segment->fd);
    ngx_free(segment);
}


/*
 * A request that takes hours, or a write that is repeated for minutes, must
 * not keep all that came after it: its intent moves to the segment of today.
 * Marks are not moved; they wait for Redis, and then the journal grows.
 */

static void
ngx_http_chorus_segment_carry(ngx_http_chorus_segment_t *segment)
{
    ngx_uint_t                  n;
    ngx_queue_t                *q;
    ngx_http_chorus_journal_t  *journal;

    journal = segment->journal;
    n = 0;

    for (q = ngx_queue_head(&segment->intents);
         q != ngx_queue_sentinel(&segment->intents);
         q = ngx_queue_next(q))
    {
        n++;
    }

    if (segment == journal->current || n == 0 || segment->refs != n
        || ngx_queue_last(&journal->segments) == &segment->queue
        || !ngx_http_chorus_segment_is_worn(segment))
    {
        return;
    }

    for (n = 0; n < NGX_HTTP_CHORUS_SEGMENT_CARRY; n++) {

        if (ngx_queue_empty(&segment->intents)) {
            return;
        }

        q = ngx_queue_head(&segment->intents);

        if (ngx_http_chorus_segment_carry_one(
                         ngx_queue_data(q, ngx_http_chorus_intent_t, queue))
            != NGX_OK)
        {
            return;
        }
    }
}


static ngx_int_t
ngx_http_chorus_segment_carry_one(ngx_http_chorus_intent_t *intent)
{
    u_char                     *bytes;
    ngx_int_t                   rc;
    chorus_journal_record_t     record;
    ngx_http_chorus_segment_t  *to;

    bytes = ngx_alloc(intent->len, intent->segment->journal->log);
    if (bytes == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;
    to = NULL;

    if (pread(intent->segment->fd, bytes, intent->len, intent->offset)
        == (ssize_t) intent->len)
    {
        to = ngx_http_chorus_segment_ready(intent->segment->journal);
    }

    if (to && to != intent->segment) {
        record.type = CHORUS_JOURNAL_INTENT;
        record.id = intent->id;
        record.time_ms = intent->time_ms;
        record.payload.len = intent->len - CHORUS_JOURNAL_HEAD;

        chorus_journal_frame(bytes, to->salt, &record);
        rc = ngx_http_chorus_segment_append(to, bytes, intent->len);
    }

    if (rc == NGX_OK) {
        ngx_queue_remove(&intent->queue);

        /* Redis was told nothing: this is no reason to wait */
        intent->segment->refs--;

        intent->offset = to->size - intent->len;
        intent->segment = to;

        ngx_queue_insert_tail(&to->intents, &intent->queue);
        ngx_http_chorus_segment_hold(to);
    }

    ngx_free(bytes);

    return rc;
}


/*
 * All that is before a segment that is still held is settled; what follows it
 * may not be, whatever its own count says.
 */

void
ngx_http_chorus_segments_leave(ngx_http_chorus_journal_t *journal)
{
    ngx_uint_t                  settled;
    ngx_queue_t                *q;
    ngx_http_chorus_segment_t  *segment;

    settled = 1;

    while (!ngx_queue_empty(&journal->segments)) {
        q = ngx_queue_head(&journal->segments);
        segment = ngx_queue_data(q, ngx_http_chorus_segment_t, queue);

        settled = settled && segment->refs == 0;

        ngx_http_chorus_segment_remove(segment, settled
                         && ngx_http_chorus_segment_close(segment));
    }
}


/* Whether it may go; else the next process keeps it for the rest of its
 * time. */

static ngx_uint_t
ngx_http_chorus_segment_close(ngx_http_chorus_segment_t *segment)
{
    u_char                    bytes[CHORUS_JOURNAL_HEAD
                                    + NGX_HTTP_CHORUS_SEGMENT_WHO], *last;
    chorus_journal_record_t   record;
    chorus_journal_closed_t   closed;

    if (!segment->journal->cmcf->redis_was_well) {
        return 0;
    }

    if (ngx_http_chorus_segment_is_over(segment)) {
        return 1;
    }

    ngx_memzero(&record, sizeof(chorus_journal_record_t));

    record.type = CHORUS_JOURNAL_CLOSED;
    record.id = ngx_http_chorus_journal_now();
    record.time_ms = ngx_http_chorus_journal_now()
                     - (ngx_current_msec - segment->settled);

    ngx_http_chorus_redis_known(segment->journal->cmcf->redis, &closed.run,
                                &closed.generation);

    last = chorus_journal_put_str(bytes + CHORUS_JOURNAL_HEAD, closed.run);
    last = chorus_journal_put_str(last, closed.generation);
    record.payload.len = last - bytes - CHORUS_JOURNAL_HEAD;

    chorus_journal_frame(bytes, segment->salt, &record);

    (void) ngx_http_chorus_segment_append(segment, bytes, last - bytes);

    return 0;
}
