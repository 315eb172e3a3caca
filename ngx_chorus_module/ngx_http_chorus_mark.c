/*
 * Marks on their way to Redis.  A mark waits here, once per (replication,
 * key) however often the key is written, until Redis has acknowledged it; a
 * batch whose outcome is unknown waits again, since marking twice is
 * harmless.  The memory for waiting marks has a ceiling; beyond it a mark is
 * counted as lost and logged, and its replication owes a scan.
 *
 * With a journal each mark holds the segment that its intents stand in, so
 * that another process can take over what this one did not bring to Redis.
 */

#include "ngx_http_chorus_mark.h"
#include "chorus_library.h"


#define NGX_HTTP_CHORUS_MARKS_BYTES    (64 * 1024 * 1024)
#define NGX_HTTP_CHORUS_BATCH_KEYS     128
#define NGX_HTTP_CHORUS_BATCH_LOOK     512      /* marks looked at for one */
#define NGX_HTTP_CHORUS_BATCHES        8        /* in flight at once */
#define NGX_HTTP_CHORUS_BATCH_GATHER   32       /* marks that do not wait */
#define NGX_HTTP_CHORUS_BATCH_FIXED    7        /* words before the keys */

#define NGX_HTTP_CHORUS_RETRY_MS       1000     /* after an error reply */


typedef struct {
    ngx_http_chorus_marks_t  *marks;
    ngx_queue_t               link;     /* of those in flight */
    ngx_queue_t               queue;    /* of ngx_http_chorus_mark_t */
    ngx_uint_t                n;
} ngx_http_chorus_batch_t;


static void ngx_http_chorus_marks_post(ngx_http_chorus_marks_t *marks);
static ngx_http_chorus_mark_t *ngx_http_chorus_mark_create(
    ngx_http_chorus_marks_t *marks, chorus_str_t replication,
    chorus_str_t key);
static void ngx_http_chorus_mark_lose(ngx_http_chorus_marks_t *marks,
    chorus_str_t replication, ngx_http_chorus_mark_t *mark);
static void ngx_http_chorus_mark_cover(ngx_http_chorus_marks_t *marks,
    ngx_http_chorus_mark_t *mark, ngx_http_chorus_segment_t *segment);
static void ngx_http_chorus_mark_wait(ngx_http_chorus_marks_t *marks,
    ngx_http_chorus_mark_t *mark, ngx_uint_t first);
static void ngx_http_chorus_marks_tell(ngx_http_chorus_marks_t *marks);
static ngx_uint_t ngx_http_chorus_marks_gather(
    ngx_http_chorus_marks_t *marks);
static ngx_uint_t ngx_http_chorus_mark_is_of(ngx_http_chorus_mark_t *mark,
    ngx_http_chorus_mark_t *other);
static ngx_http_chorus_batch_t *ngx_http_chorus_batch_take(
    ngx_http_chorus_marks_t *marks);
static ngx_int_t ngx_http_chorus_batch_send(ngx_http_chorus_batch_t *batch);
static void ngx_http_chorus_batch_done(void *data,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text);
static void ngx_http_chorus_batch_return(ngx_http_chorus_batch_t *batch);


ngx_int_t
ngx_http_chorus_marks_init(ngx_http_chorus_main_conf_t *cmcf,
    ngx_cycle_t *cycle)
{
    ngx_http_chorus_marks_t  *marks;

    marks = ngx_pcalloc(cycle->pool, sizeof(ngx_http_chorus_marks_t));
    if (marks == NULL) {
        return NGX_ERROR;
    }

    marks->cmcf = cmcf;
    marks->log = cycle->log;

    ngx_queue_init(&marks->waiting);
    ngx_queue_init(&marks->batches);
    ngx_rbtree_init(&marks->tree, &marks->sentinel,
                    ngx_str_rbtree_insert_value);

    marks->send.handler = ngx_http_chorus_marks_send_handler;
    marks->send.data = marks;
    marks->send.log = cycle->log;

    marks->retry.handler = ngx_http_chorus_marks_send_handler;
    marks->retry.data = marks;
    marks->retry.log = cycle->log;
    marks->retry.cancelable = 1;

    marks->hold.handler = ngx_http_chorus_marks_hold_handler;
    marks->hold.data = marks;
    marks->hold.log = cycle->log;

    cmcf->marks = marks;

    return NGX_OK;
}


void
ngx_http_chorus_mark(ngx_http_chorus_marks_t *marks,
    chorus_str_t replication, chorus_str_t key, unsigned facets,
    ngx_msec_t since, ngx_http_chorus_segment_t *segment)
{
    ngx_str_node_t          *node;
    ngx_http_chorus_mark_t  *mark, *old;

    mark = ngx_http_chorus_mark_create(marks, replication, key);

    if (mark == NULL) {
        ngx_http_chorus_mark_lose(marks, replication, NULL);
        return;
    }

    mark->facets = facets;
    mark->since = since;
    ngx_http_chorus_count(marks->cmcf, marked);

    node = ngx_str_rbtree_lookup(&marks->tree, &mark->node.str,
                                 mark->node.node.key);
    if (node) {
        old = (ngx_http_chorus_mark_t *) node;
        old->facets |= facets;

        if ((ngx_msec_int_t) (since - old->since) < 0) {
            old->since = since;
        }

        ngx_http_chorus_mark_cover(marks, old, segment);
        ngx_http_chorus_count(marks->cmcf, acknowledged);
        ngx_http_chorus_mark_free(marks, mark);

    } else if (marks->bytes > NGX_HTTP_CHORUS_MARKS_BYTES) {
        ngx_http_chorus_mark_lose(marks, replication, mark);

    } else {
        ngx_http_chorus_mark_cover(marks, mark, segment);
        ngx_http_chorus_mark_wait(marks, mark, 0);

        /* before the client has its answer: who asks then is told of it */
        ngx_http_chorus_marks_tell(marks);
    }

    ngx_http_chorus_marks_post(marks);
}


static void
ngx_http_chorus_mark_lose(ngx_http_chorus_marks_t *marks,
    chorus_str_t replication, ngx_http_chorus_mark_t *mark)
{
    (void) ngx_http_chorus_owe(marks->cmcf->debts, replication,
                               "too many marks waited for Redis");
    ngx_http_chorus_count(marks->cmcf, lost);

    if (!marks->full) {
        marks->full = 1;
        ngx_log_error(NGX_LOG_ALERT, marks->log, 0,
                      "chorus: Redis is away and %uz bytes of changed keys "
                      "are waiting; changes of further keys are not "
                      "replicated until it is back", marks->bytes);
    }

    if (mark) {
        ngx_http_chorus_count(marks->cmcf, acknowledged);
        ngx_http_chorus_mark_free(marks, mark);
    }
}


/* The oldest of all segments that its intents stand in: nothing newer goes
 * before that one. */

static void
ngx_http_chorus_mark_cover(ngx_http_chorus_marks_t *marks,
    ngx_http_chorus_mark_t *mark, ngx_http_chorus_segment_t *segment)
{
    ngx_http_chorus_segment_t  *older;

    older = ngx_http_chorus_segment_older(mark->segment, segment);

    if (older == mark->segment) {
        return;
    }

    ngx_http_chorus_segment_hold(older);

    if (mark->segment) {
        ngx_http_chorus_segment_release(mark->segment);

    } else {
        marks->nbare--;
    }

    mark->segment = older;
}


ngx_uint_t
ngx_http_chorus_marks_is_busy(ngx_http_chorus_marks_t *marks)
{
    return marks->bytes > NGX_HTTP_CHORUS_MARKS_BYTES / 2;
}


void
ngx_http_chorus_marks_resume(ngx_http_chorus_marks_t *marks)
{
    ngx_http_chorus_marks_post(marks);
}


ngx_uint_t
ngx_http_chorus_marks_waiting(ngx_http_chorus_marks_t *marks)
{
    return marks->nwaiting + marks->nbatches;
}


ngx_uint_t
ngx_http_chorus_marks_are_going(ngx_http_chorus_marks_t *marks)
{
    return ngx_http_chorus_marks_waiting(marks)
           || ngx_http_chorus_debts_are_going(marks->cmcf->debts);
}


/* One send for all marks of this turn of the event loop. */

static void
ngx_http_chorus_marks_post(ngx_http_chorus_marks_t *marks)
{
    if (!marks->send.posted) {
        ngx_post_event(&marks->send, &ngx_posted_events);
    }

    if (!marks->hold.timer_set && ngx_http_chorus_marks_are_going(marks)) {
        ngx_add_timer(&marks->hold, NGX_HTTP_CHORUS_HOLD_MS);
    }
}


static ngx_http_chorus_mark_t *
ngx_http_chorus_mark_create(ngx_http_chorus_marks_t *marks,
    chorus_str_t replication, chorus_str_t key)
{
    u_char                  *p;
    size_t                   name_len, size;
    ngx_http_chorus_mark_t  *mark;

    name_len = sizeof("chorus:{}") - 1 + replication.len;
    size = sizeof(ngx_http_chorus_mark_t) + name_len + key.len;

    mark = ngx_alloc(size, marks->log);
    if (mark == NULL) {
        return NULL;
    }

    p = (u_char *) (mark + 1);

    mark->node.str.data = p;
    mark->node.str.len = name_len + key.len;
    mark->name_len = name_len;
    mark->segment = NULL;
    marks->nbare++;

    p = ngx_cpymem(p, "chorus:{", sizeof("chorus:{") - 1);
    p = ngx_cpymem(p, replication.data, replication.len);
    *p++ = '}';
    ngx_memcpy(p, key.data, key.len);

    mark->node.node.key = ngx_crc32_short(mark->node.str.data,
                                          mark->node.str.len);
    marks->bytes += size;

    return mark;
}


void
ngx_http_chorus_mark_free(ngx_http_chorus_marks_t *marks,
    ngx_http_chorus_mark_t *mark)
{
    marks->bytes -= sizeof(ngx_http_chorus_mark_t) + mark->node.str.len;

    if (marks->bytes < NGX_HTTP_CHORUS_MARKS_BYTES / 2) {
        marks->full = 0;
    }

    if (mark->segment == NULL) {
        marks->nbare--;

    } else if (marks->cmcf->journal) {
        ngx_http_chorus_segment_release(mark->segment);
    }

    ngx_free(mark);
}


static void
ngx_http_chorus_mark_wait(ngx_http_chorus_marks_t *marks,
    ngx_http_chorus_mark_t *mark, ngx_uint_t first)
{
    ngx_rbtree_insert(&marks->tree, &mark->node.node);

    if (first) {
        ngx_queue_insert_head(&marks->waiting, &mark->queue);

    } else {
        ngx_queue_insert_tail(&marks->waiting, &mark->queue);
    }

    marks->nwaiting++;
}


/* What waits is what Redis has not acknowledged.  The oldest of those that are
 * in flight is not looked for: they come back soon, one way or the other. */

static void
ngx_http_chorus_marks_tell(ngx_http_chorus_marks_t *marks)
{
    ngx_queue_t                *q;
    ngx_http_chorus_mark_t     *mark;
    ngx_http_chorus_process_t  *process;

    process = marks->cmcf->process;
    process->oldest = ngx_current_msec;

    if (marks->nwaiting) {
        q = ngx_queue_head(&marks->waiting);
        mark = ngx_queue_data(q, ngx_http_chorus_mark_t, queue);
        process->oldest = mark->since;
    }

    process->waiting = marks->nwaiting + marks->nsent;
}


void
ngx_http_chorus_marks_send_handler(ngx_event_t *ev)
{
    ngx_http_chorus_marks_t  *marks = ev->data;

    ngx_http_chorus_batch_t  *batch;

    while (!marks->retry.timer_set
           && marks->nbatches < NGX_HTTP_CHORUS_BATCHES
           && !ngx_queue_empty(&marks->waiting)
           && !ngx_http_chorus_marks_gather(marks)
           && ngx_http_chorus_redis_is_ready(marks->cmcf->redis))
    {
        batch = ngx_http_chorus_batch_take(marks);
        if (batch == NULL) {
            ngx_add_timer(&marks->retry, NGX_HTTP_CHORUS_RETRY_MS);
            break;
        }

        marks->nbatches++;
        marks->nsent += batch->n;
        ngx_queue_insert_tail(&marks->batches, &batch->link);

        if (ngx_http_chorus_batch_send(batch) != NGX_OK) {
            marks->nbatches--;
            ngx_queue_remove(&batch->link);
            ngx_http_chorus_batch_return(batch);
            break;
        }
    }

    ngx_http_chorus_marks_tell(marks);
}


/* Few marks of a replication that has a call in flight go with the next call,
 * after its reply: a call costs more than the marks in it, here and in Redis.
 * What no journal has is better off in Redis' socket than here, and a process
 * that ends has no time for that. */

static ngx_uint_t
ngx_http_chorus_marks_gather(ngx_http_chorus_marks_t *marks)
{
    ngx_queue_t              *q;
    ngx_http_chorus_mark_t   *first;
    ngx_http_chorus_batch_t  *batch;

    if (marks->nbare || marks->nwaiting >= NGX_HTTP_CHORUS_BATCH_GATHER
        || ngx_exiting || ngx_terminate)
    {
        return 0;
    }

    first = ngx_queue_data(ngx_queue_head(&marks->waiting),
                           ngx_http_chorus_mark_t, queue);

    for (q = ngx_queue_head(&marks->batches);
         q != ngx_queue_sentinel(&marks->batches);
         q = ngx_queue_next(q))
    {
        batch = ngx_queue_data(q, ngx_http_chorus_batch_t, link);

        if (ngx_http_chorus_mark_is_of(ngx_queue_data(
                                           ngx_queue_head(&batch->queue),
                                           ngx_http_chorus_mark_t, queue),
                                       first))
        {
            return 1;
        }
    }

    return 0;
}


/* Of the same replication. */

static ngx_uint_t
ngx_http_chorus_mark_is_of(ngx_http_chorus_mark_t *mark,
    ngx_http_chorus_mark_t *other)
{
    return mark->name_len == other->name_len
           && ngx_memcmp(mark->node.str.data, other->node.str.data,
                         other->name_len) == 0;
}


/* The oldest mark and others of the same replication: one call is about one
 * replication. */

static ngx_http_chorus_batch_t *
ngx_http_chorus_batch_take(ngx_http_chorus_marks_t *marks)
{
    ngx_uint_t                looked;
    ngx_queue_t              *q, *next;
    ngx_http_chorus_mark_t   *mark, *first;
    ngx_http_chorus_batch_t  *batch;

    batch = ngx_calloc(sizeof(ngx_http_chorus_batch_t), marks->log);
    if (batch == NULL) {
        return NULL;
    }

    batch->marks = marks;
    ngx_queue_init(&batch->queue);

    q = ngx_queue_head(&marks->waiting);
    first = ngx_queue_data(q, ngx_http_chorus_mark_t, queue);
    looked = 0;

    for ( /* void */ ;
         q != ngx_queue_sentinel(&marks->waiting)
         && batch->n < NGX_HTTP_CHORUS_BATCH_KEYS
         && looked < NGX_HTTP_CHORUS_BATCH_LOOK;
         q = next)
    {
        next = ngx_queue_next(q);
        looked++;

        mark = ngx_queue_data(q, ngx_http_chorus_mark_t, queue);

        if (!ngx_http_chorus_mark_is_of(mark, first)) {
            continue;
        }

        ngx_queue_remove(q);
        ngx_rbtree_delete(&marks->tree, &mark->node.node);
        marks->nwaiting--;

        ngx_queue_insert_tail(&batch->queue, q);
        batch->n++;
    }

    return batch;
}


static ngx_int_t
ngx_http_chorus_batch_send(ngx_http_chorus_batch_t *batch)
{
    int                      argc;
    u_char                   numbers[NGX_HTTP_CHORUS_BATCH_KEYS]
                                    [NGX_INT64_LEN + NGX_INT32_LEN];
    size_t                   lens[NGX_HTTP_CHORUS_BATCH_FIXED
                                  + 3 * NGX_HTTP_CHORUS_BATCH_KEYS];
    const char              *argv[NGX_HTTP_CHORUS_BATCH_FIXED
                                  + 3 * NGX_HTTP_CHORUS_BATCH_KEYS];
    u_char                  *p, *last;
    ngx_uint_t               i;
    ngx_queue_t             *q;
    ngx_http_chorus_mark_t  *mark;

    static const char  *words[] = {
        "FCALL", "chorus_mark", "3", NULL, CHORUS_REDIS_SCHEDULE,
        CHORUS_REDIS_REPLICATIONS, "event"
    };

    mark = ngx_queue_data(ngx_queue_head(&batch->queue),
                          ngx_http_chorus_mark_t, queue);

    for (argc = 0; argc < NGX_HTTP_CHORUS_BATCH_FIXED; argc++) {

        if (words[argc]) {
            argv[argc] = words[argc];
            lens[argc] = ngx_strlen(words[argc]);

        } else {
            argv[argc] = (const char *) mark->node.str.data;
            lens[argc] = mark->name_len;
        }
    }

    i = 0;

    for (q = ngx_queue_head(&batch->queue);
         q != ngx_queue_sentinel(&batch->queue);
         q = ngx_queue_next(q))
    {
        mark = ngx_queue_data(q, ngx_http_chorus_mark_t, queue);

        p = numbers[i++];
        last = ngx_sprintf(p, "%M", ngx_current_msec - mark->since);
        argv[argc] = (const char *) p;
        lens[argc++] = last - p;

        p = last;
        last = ngx_sprintf(p, "%ui", (ngx_uint_t) mark->facets);
        argv[argc] = (const char *) p;
        lens[argc++] = last - p;

        argv[argc] = (const char *) mark->node.str.data + mark->name_len;
        lens[argc++] = mark->node.str.len - mark->name_len;
    }

    ngx_http_chorus_crash(batch->marks->cmcf, "before-batch");

    return ngx_http_chorus_redis_call(batch->marks->cmcf->redis, argc, argv,
                                      lens, ngx_http_chorus_batch_done, batch);
}


static void
ngx_http_chorus_batch_done(void *data, ngx_http_chorus_redis_result_t result,
    ngx_str_t *text)
{
    ngx_http_chorus_batch_t *batch = data;

    ngx_queue_t              *q;
    ngx_http_chorus_mark_t   *mark;
    ngx_http_chorus_marks_t  *marks;

    marks = batch->marks;
    marks->nbatches--;
    ngx_queue_remove(&batch->link);

    if (result != NGX_HTTP_CHORUS_REDIS_REPLY) {

        ngx_http_chorus_batch_return(batch);
        ngx_http_chorus_marks_tell(marks);

        if (result == NGX_HTTP_CHORUS_REDIS_REFUSED
            && !marks->retry.timer_set)
        {
            ngx_add_timer(&marks->retry, NGX_HTTP_CHORUS_RETRY_MS);
        }

        return;
    }

    ngx_http_chorus_crash(marks->cmcf, "before-acknowledged");

    (void) ngx_atomic_fetch_add(&marks->cmcf->counters->acknowledged,
                                batch->n);
    marks->nsent -= batch->n;

    while (!ngx_queue_empty(&batch->queue)) {
        q = ngx_queue_head(&batch->queue);
        ngx_queue_remove(q);

        mark = ngx_queue_data(q, ngx_http_chorus_mark_t, queue);
        ngx_http_chorus_recent_add(marks->cmcf->recent, &mark->node.str,
                                   mark->name_len, mark->facets,
                                   mark->since);
        ngx_http_chorus_mark_free(marks, mark);
    }

    ngx_free(batch);
    ngx_http_chorus_marks_tell(marks);

    if (marks->nwaiting) {
        ngx_http_chorus_marks_post(marks);
    }
}


/* Back to the front of the queue, in their order; a mark of the same key that
 * has come meanwhile takes over the age. */

static void
ngx_http_chorus_batch_return(ngx_http_chorus_batch_t *batch)
{
    ngx_queue_t              *q;
    ngx_str_node_t           *node;
    ngx_http_chorus_mark_t   *mark, *newer;
    ngx_http_chorus_marks_t  *marks;

    marks = batch->marks;
    marks->nsent -= batch->n;

    while (!ngx_queue_empty(&batch->queue)) {
        q = ngx_queue_last(&batch->queue);
        ngx_queue_remove(q);

        mark = ngx_queue_data(q, ngx_http_chorus_mark_t, queue);
        node = ngx_str_rbtree_lookup(&marks->tree, &mark->node.str,
                                     mark->node.node.key);

        if (node == NULL) {
            ngx_http_chorus_mark_wait(marks, mark, 1);
            continue;
        }

        newer = (ngx_http_chorus_mark_t *) node;
        newer->since = mark->since;
        newer->facets |= mark->facets;
        ngx_http_chorus_mark_cover(marks, newer, mark->segment);

        ngx_http_chorus_count(marks->cmcf, acknowledged);
        ngx_http_chorus_mark_free(marks, mark);
    }

    ngx_free(batch);
}
