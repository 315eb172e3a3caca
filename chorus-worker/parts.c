/*
 * A ranged GET from main (If-Match its ETag, so that all parts are of one
 * object) into an UploadPart.
 */

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checksum.h"
#include "headers.h"
#include "optional.h"
#include "part.h"
#include "parts.h"

#define PARTS_STACK_SIZE  (1024 * 1024)


/* What a helper keeps between parts. */
typedef struct {
    s3_client_t     *client;
    stream_t         stream;
    chorus_arena_t  *arena;
    chorus_mem_t     mem;
} parts_tools_t;

typedef struct {
    pthread_mutex_t  mutex;
    pthread_cond_t   wanted;        /* somebody is in the list, or the end */
    pthread_cond_t   idle;          /* a helper has left */
    parts_t         *list;          /* of those that want help */
    pthread_t       *threads;
    unsigned         nthreads;
    bool             is_closed;
} parts_pool_t;

static parts_pool_t  pool = {
    .mutex = PTHREAD_MUTEX_INITIALIZER,
    .wanted = PTHREAD_COND_INITIALIZER,
    .idle = PTHREAD_COND_INITIALIZER,
};


bool
parts_have_checksums(const parts_t *parts)
{
    return parts->plan->sizes == NULL
           && parts->object->checksum.value.len != 0
           && !optional_is_left_out(&parts->pattern, OPTIONAL_CHECKSUM);
}


/* ---- who takes which part; under the mutex ---- */

static part_t *
parts_take(parts_t *parts, unsigned *number)
{
    part_t  *part;

    while (!parts->has_failed && parts->next < parts->plan->nparts) {
        part = &parts->parts[parts->next++];

        if (!part->is_done && !part->is_taken) {
            part->is_taken = true;
            *number = parts->next;
            return part;
        }
    }

    return NULL;
}


static void
parts_note_failure(parts_t *parts, const work_t *work, bool has_gaps)
{
    if (!parts->has_failed) {
        parts->has_failed = true;
        parts->has_gaps = has_gaps;
        parts->failure = work->failure;
    }
}


/* Until there is nothing left to take; comes with the mutex and goes with
 * it. */

static void
parts_work(parts_t *parts, work_t *work, chorus_arena_t *arena)
{
    bool       has_gaps;
    part_t    *part;
    unsigned   number;
    work_rc_t  rc;

    for ( ;; ) {
        part = parts_take(parts, &number);
        if (part == NULL) {
            return;
        }

        (void) pthread_mutex_unlock(&pool.mutex);

        rc = part_send(parts, work, part, number, &has_gaps);

        (void) pthread_mutex_lock(&pool.mutex);

        part->is_done = rc == WORK_DONE;

        if (rc != WORK_DONE) {
            parts_note_failure(parts, work, has_gaps);
        }

        if (arena != NULL) {
            chorus_arena_reset(arena);
        }
    }
}


/* ---- helpers ---- */

static bool
parts_tools_open(parts_tools_t *tools)
{
    memset(tools, 0, sizeof(parts_tools_t));

    tools->client = s3_client_create();
    tools->arena = chorus_arena_create();

    if (tools->client == NULL || tools->arena == NULL
        || !stream_open(&tools->stream))
    {
        return false;
    }

    tools->mem = chorus_arena_mem(tools->arena);

    return true;
}


static void
parts_tools_close(parts_tools_t *tools)
{
    stream_close(&tools->stream);
    chorus_arena_destroy(tools->arena);

    if (tools->client != NULL) {
        s3_client_destroy(tools->client);
    }
}


static parts_t *
parts_wanting_help(void)
{
    parts_t  *parts;

    for (parts = pool.list; parts != NULL; parts = parts->later) {
        if (!parts->has_failed && parts->next < parts->plan->nparts
            && parts->nhelpers < parts->max_helpers)
        {
            return parts;
        }
    }

    return NULL;
}


static void
parts_help(parts_t *parts, parts_tools_t *tools)
{
    work_t  work;

    work = parts->pattern;
    work.client = tools->client;
    work.stream = &tools->stream;
    work.probe = NULL;
    work.mem = &tools->mem;

    parts->nhelpers++;
    work_watch(&work);
    parts_work(parts, &work, tools->arena);
    s3_client_watch(tools->client, NULL, NULL, NULL);
    /* a part is not to be seen: nothing is doubted */
    (void) s3_client_take_doubts(tools->client);
    parts->nhelpers--;

    (void) pthread_cond_broadcast(&pool.idle);
}


static void *
parts_run(void *data)
{
    parts_t        *parts;
    parts_tools_t   tools;

    (void) data;

    if (!parts_tools_open(&tools)) {
        /* slots do without */
        parts_tools_close(&tools);
        return NULL;
    }

    (void) pthread_mutex_lock(&pool.mutex);

    while (!pool.is_closed) {
        parts = parts_wanting_help();

        if (parts != NULL) {
            parts_help(parts, &tools);
        } else {
            (void) pthread_cond_wait(&pool.wanted, &pool.mutex);
        }
    }

    (void) pthread_mutex_unlock(&pool.mutex);
    parts_tools_close(&tools);

    return NULL;
}


bool
parts_start(unsigned nhelpers)
{
    bool            is_started;
    pthread_attr_t  attr;

    pool.is_closed = false;
    pool.nthreads = 0;
    pool.threads = calloc(nhelpers == 0 ? 1 : nhelpers, sizeof(pthread_t));

    if (pool.threads == NULL || pthread_attr_init(&attr) != 0) {
        return false;
    }

    (void) pthread_attr_setstacksize(&attr, PARTS_STACK_SIZE);
    is_started = true;

    while (is_started && pool.nthreads < nhelpers) {
        is_started = pthread_create(&pool.threads[pool.nthreads], &attr,
                                    parts_run, NULL) == 0;
        pool.nthreads += is_started;
    }

    (void) pthread_attr_destroy(&attr);

    return is_started;
}


void
parts_stop(void)
{
    unsigned  i;

    (void) pthread_mutex_lock(&pool.mutex);
    pool.is_closed = true;
    (void) pthread_cond_broadcast(&pool.wanted);
    (void) pthread_mutex_unlock(&pool.mutex);

    for (i = 0; i < pool.nthreads; i++) {
        (void) pthread_join(pool.threads[i], NULL);
    }

    free(pool.threads);
    pool.threads = NULL;
    pool.nthreads = 0;
}


/* ---- the slot ---- */

bool
parts_create(parts_t *parts, chorus_mem_t *mem)
{
    unsigned  i;
    uint64_t  offset;

    parts->parts = chorus_calloc(mem, parts->plan->nparts * sizeof(part_t));
    if (parts->parts == NULL) {
        return false;
    }

    if (parts->plan->sizes == NULL) {
        return true;
    }

    offset = 0;

    for (i = 0; i < parts->plan->nparts; i++) {
        parts->parts[i].offset = offset;
        parts->parts[i].size = parts->plan->sizes[i];
        offset += parts->plan->sizes[i];
    }

    return true;
}


static void
parts_leave_list(parts_t *parts)
{
    parts_t  **link;

    for (link = &pool.list; *link != NULL; link = &(*link)->later) {
        if (*link == parts) {
            *link = parts->later;
            return;
        }
    }
}


work_rc_t
parts_send(parts_t *parts)
{
    unsigned  i;

    parts->pattern = *parts->work;
    parts->next = 0;
    parts->has_failed = false;
    parts->has_gaps = false;
    parts->max_helpers = parts->is_in_order
                    ? 0 : parts->work->config->worker.part_concurrency - 1;

    for (i = 0; i < parts->plan->nparts; i++) {
        parts->parts[i].is_taken = false;
    }

    (void) pthread_mutex_lock(&pool.mutex);

    parts->later = pool.list;
    pool.list = parts;
    (void) pthread_cond_broadcast(&pool.wanted);

    parts_work(parts, parts->work, NULL);
    parts_leave_list(parts);

    while (parts->nhelpers != 0) {
        (void) pthread_cond_wait(&pool.idle, &pool.mutex);
    }

    (void) pthread_mutex_unlock(&pool.mutex);

    if (parts->has_failed) {
        parts->work->failure = parts->failure;
        return WORK_FAILED;
    }

    return WORK_DONE;
}


chorus_str_t
parts_xml(const parts_t *parts, chorus_mem_t *mem)
{
    unsigned           i;
    const part_t      *part;
    chorus_buf_t       xml;
    object_checksum_t  checksum;

    xml = chorus_buf(mem, 128 + parts->plan->nparts * 160ul);
    chorus_buf_text(&xml, "<CompleteMultipartUpload>");

    for (i = 0; i < parts->plan->nparts; i++) {
        part = &parts->parts[i];

        chorus_buf_text(&xml, "<Part><PartNumber>");
        chorus_buf_u64(&xml, i + 1);
        chorus_buf_text(&xml, "</PartNumber><ETag>&quot;");
        chorus_xml_add(&xml, chorus_str_from(part->etag));
        chorus_buf_text(&xml, "&quot;</ETag>");

        if (parts_have_checksums(parts)) {
            checksum = (object_checksum_t) {
                part->checksum_row, chorus_str_from(part->checksum),
                chorus_null_str
            };
            checksum_xml(&xml, &checksum);
        }

        chorus_buf_text(&xml, "</Part>");
    }

    chorus_buf_text(&xml, "</CompleteMultipartUpload>");

    return chorus_buf_str(&xml);
}
