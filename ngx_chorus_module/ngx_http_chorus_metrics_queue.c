/*
 * What Redis knows, for metrics: asked for when somebody wants it and what was
 * told is old, page after page, so that no call is long.  However many ask, at
 * the same time or one after the other, it is asked for once in a while; and
 * nobody waits for a Redis that is slow for longer than the limit.
 */

#include "ngx_http_chorus_module.h"
#include "chorus_library.h"


#define NGX_HTTP_CHORUS_GAUGES_AWAY_MS    1000  /* when Redis told nothing */
#define NGX_HTTP_CHORUS_GAUGES_LIMIT_MS   2000
#define NGX_HTTP_CHORUS_GAUGES_PAGE       "200" /* replications */

#define NGX_HTTP_CHORUS_GAUGES_UP                                             \
    "# HELP chorus_queue_up Whether Redis told in time what follows.\n"       \
    "# TYPE chorus_queue_up gauge\nchorus_queue_up "


/* what is asked for, in this order */
typedef struct {
    const char                   *function;
    const char                   *keys[2];      /* the second may be NULL */
    ngx_uint_t                    is_paged;
    ngx_int_t                   (*take)(ngx_http_chorus_rows_t *rows,
                                        ngx_str_t *page, char *cursor);
} ngx_http_chorus_gauges_step_t;

typedef struct {
    ngx_queue_t                   queue;
    ngx_http_request_t           *request;
    ngx_http_chorus_gauges_pt     done;
} ngx_http_chorus_gauges_wait_t;

struct ngx_http_chorus_gauges_s {
    ngx_http_chorus_main_conf_t  *cmcf;
    ngx_log_t                    *log;
    ngx_queue_t                   waiting;      /* .._gauges_wait_t */
    ngx_event_t                   limit;

    ngx_pool_t                   *pool;         /* of the text; or NULL */
    ngx_str_t                     text;
    ngx_msec_t                    made;
    unsigned                      told:1;       /* by Redis, else it is away */
    unsigned                      asked:1;      /* at least once */

    ngx_pool_t                   *next;         /* of what is being asked for */
    ngx_http_chorus_rows_t       *rows;
    const ngx_http_chorus_gauges_step_t  *step;
    char                          cursor[NGX_HTTP_CHORUS_ROWS_CURSOR];
    unsigned                      calling:1;    /* a reply will come */
};


static void ngx_http_chorus_gauges_left(void *data);
static ngx_int_t ngx_http_chorus_gauges_begin(
    ngx_http_chorus_gauges_t *gauges);
static ngx_int_t ngx_http_chorus_gauges_call(
    ngx_http_chorus_gauges_t *gauges);
static void ngx_http_chorus_gauges_replied(void *data,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text);
static ngx_int_t ngx_http_chorus_gauges_go(ngx_http_chorus_gauges_t *gauges,
    ngx_str_t *text);
static void ngx_http_chorus_gauges_late(ngx_event_t *ev);
static void ngx_http_chorus_gauges_away(ngx_http_chorus_gauges_t *gauges);
static void ngx_http_chorus_gauges_end(ngx_http_chorus_gauges_t *gauges);
static void ngx_http_chorus_gauges_deliver(ngx_http_chorus_gauges_t *gauges);


static const ngx_http_chorus_gauges_step_t  ngx_http_chorus_gauges_steps[] = {

    { "chorus_status", { CHORUS_REDIS_REPLICATIONS, NULL }, 1,
      ngx_http_chorus_rows_status },

    { "chorus_scan_list", { CHORUS_REDIS_REPLICATIONS, NULL }, 1,
      ngx_http_chorus_rows_scans },

    { "chorus_workers", { CHORUS_REDIS_WORKERS, CHORUS_REDIS_WORKERS_ALIVE },
      0, ngx_http_chorus_rows_workers },

    { NULL, { NULL, NULL }, 0, NULL }
};


ngx_int_t
ngx_http_chorus_gauges_init(ngx_http_chorus_main_conf_t *cmcf,
    ngx_cycle_t *cycle)
{
    ngx_http_chorus_gauges_t  *gauges;

    gauges = ngx_pcalloc(cycle->pool, sizeof(ngx_http_chorus_gauges_t));
    if (gauges == NULL) {
        return NGX_ERROR;
    }

    gauges->cmcf = cmcf;
    gauges->log = cycle->log;
    ngx_queue_init(&gauges->waiting);

    gauges->limit.handler = ngx_http_chorus_gauges_late;
    gauges->limit.data = gauges;
    gauges->limit.log = cycle->log;
    gauges->limit.cancelable = 1;

    cmcf->gauges = gauges;

    return NGX_OK;
}


void
ngx_http_chorus_gauges_exit(ngx_http_chorus_main_conf_t *cmcf)
{
    ngx_http_chorus_gauges_t *gauges = cmcf->gauges;

    if (gauges->limit.timer_set) {
        ngx_del_timer(&gauges->limit);
    }

    if (gauges->next) {
        ngx_destroy_pool(gauges->next);
    }

    if (gauges->pool) {
        ngx_destroy_pool(gauges->pool);
    }
}


static ngx_uint_t
ngx_http_chorus_gauges_is_fresh(ngx_http_chorus_gauges_t *gauges,
    ngx_msec_t cache)
{
    if (!gauges->told) {
        cache = ngx_min(cache, NGX_HTTP_CHORUS_GAUGES_AWAY_MS);
    }

    return gauges->asked && ngx_current_msec - gauges->made < cache;
}


ngx_int_t
ngx_http_chorus_gauges_ask(ngx_http_chorus_main_conf_t *cmcf,
    ngx_http_request_t *r, ngx_msec_t cache, ngx_str_t *text,
    ngx_http_chorus_gauges_pt done)
{
    ngx_pool_cleanup_t             *cln;
    ngx_http_chorus_gauges_t       *gauges;
    ngx_http_chorus_gauges_wait_t  *wait;

    gauges = cmcf->gauges;

    if (gauges->next == NULL
        && !ngx_http_chorus_gauges_is_fresh(gauges, cache)
        && ngx_http_chorus_gauges_begin(gauges) != NGX_OK)
    {
        ngx_http_chorus_gauges_away(gauges);
    }

    if (gauges->next == NULL) {
        *text = gauges->text;
        return NGX_OK;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_chorus_gauges_wait_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    wait = cln->data;
    wait->request = r;
    wait->done = done;
    cln->handler = ngx_http_chorus_gauges_left;

    ngx_queue_insert_tail(&gauges->waiting, &wait->queue);

    return NGX_AGAIN;
}


static void
ngx_http_chorus_gauges_left(void *data)
{
    ngx_http_chorus_gauges_wait_t *wait = data;

    if (wait->request) {
        ngx_queue_remove(&wait->queue);
    }
}


static ngx_int_t
ngx_http_chorus_gauges_begin(ngx_http_chorus_gauges_t *gauges)
{
    if (gauges->calling) {
        /* Redis still owes an answer of the last time */
        return NGX_DECLINED;
    }

    gauges->next = ngx_create_pool(4096, gauges->log);
    if (gauges->next == NULL) {
        return NGX_ERROR;
    }

    gauges->rows = ngx_http_chorus_rows_create(gauges->next);
    gauges->step = ngx_http_chorus_gauges_steps;
    (void) ngx_cpystrn((u_char *) gauges->cursor, (u_char *) "0",
                       NGX_HTTP_CHORUS_ROWS_CURSOR);

    if (gauges->rows == NULL || ngx_http_chorus_gauges_call(gauges) != NGX_OK)
    {
        ngx_destroy_pool(gauges->next);
        gauges->next = NULL;
        return NGX_ERROR;
    }

    ngx_add_timer(&gauges->limit, NGX_HTTP_CHORUS_GAUGES_LIMIT_MS);

    return NGX_OK;
}


static ngx_int_t
ngx_http_chorus_gauges_call(ngx_http_chorus_gauges_t *gauges)
{
    int          i, argc;
    size_t       lens[7];
    const char  *argv[7];

    argc = 0;
    argv[argc++] = "FCALL_RO";
    argv[argc++] = gauges->step->function;
    argv[argc++] = gauges->step->keys[1] ? "2" : "1";
    argv[argc++] = gauges->step->keys[0];

    if (gauges->step->keys[1]) {
        argv[argc++] = gauges->step->keys[1];
    }

    if (gauges->step->is_paged) {
        argv[argc++] = gauges->cursor;
        argv[argc++] = NGX_HTTP_CHORUS_GAUGES_PAGE;
    }

    for (i = 0; i < argc; i++) {
        lens[i] = ngx_strlen(argv[i]);
    }

    if (ngx_http_chorus_redis_call(gauges->cmcf->redis, argc, argv, lens,
                                   ngx_http_chorus_gauges_replied, gauges)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    gauges->calling = 1;

    return NGX_OK;
}


static void
ngx_http_chorus_gauges_replied(void *data,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text)
{
    ngx_http_chorus_gauges_t *gauges = data;

    ngx_int_t  rc;

    gauges->calling = 0;

    if (gauges->next == NULL) {
        /* it took too long */
        return;
    }

    rc = result == NGX_HTTP_CHORUS_REDIS_REPLY
         ? ngx_http_chorus_gauges_go(gauges, text) : NGX_ERROR;

    if (rc == NGX_AGAIN) {
        return;
    }

    if (rc == NGX_OK) {
        ngx_http_chorus_gauges_end(gauges);

    } else {
        ngx_http_chorus_gauges_away(gauges);
    }

    ngx_http_chorus_gauges_deliver(gauges);
}


static ngx_int_t
ngx_http_chorus_gauges_go(ngx_http_chorus_gauges_t *gauges, ngx_str_t *text)
{
    if (gauges->step->take(gauges->rows, text, gauges->cursor) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!gauges->step->is_paged || ngx_strcmp(gauges->cursor, "0") == 0) {
        gauges->step++;
    }

    if (gauges->step->function == NULL) {
        return NGX_OK;
    }

    return ngx_http_chorus_gauges_call(gauges) == NGX_OK ? NGX_AGAIN
                                                         : NGX_ERROR;
}


static void
ngx_http_chorus_gauges_late(ngx_event_t *ev)
{
    ngx_http_chorus_gauges_t *gauges = ev->data;

    ngx_http_chorus_gauges_away(gauges);
    ngx_http_chorus_gauges_deliver(gauges);
}


/* What was told last is not told again: somebody may take it for the truth. */

static void
ngx_http_chorus_gauges_away(ngx_http_chorus_gauges_t *gauges)
{
    if (gauges->next) {
        ngx_destroy_pool(gauges->next);
        gauges->next = NULL;
    }

    if (gauges->pool) {
        ngx_destroy_pool(gauges->pool);
        gauges->pool = NULL;
    }

    if (gauges->limit.timer_set) {
        ngx_del_timer(&gauges->limit);
    }

    ngx_str_set(&gauges->text, NGX_HTTP_CHORUS_GAUGES_UP "0\n");
    gauges->made = ngx_current_msec;
    gauges->told = 0;
    gauges->asked = 1;
}


static void
ngx_http_chorus_gauges_end(ngx_http_chorus_gauges_t *gauges)
{
    ngx_http_chorus_text_t  text;

    ngx_memzero(&text, sizeof(ngx_http_chorus_text_t));
    text.pool = gauges->next;

    ngx_http_chorus_text_add(&text, NGX_HTTP_CHORUS_GAUGES_UP "1\n");
    ngx_http_chorus_rows_write(gauges->rows, &text);

    if (text.failed) {
        ngx_http_chorus_gauges_away(gauges);
        return;
    }

    if (gauges->pool) {
        ngx_destroy_pool(gauges->pool);
    }

    if (gauges->limit.timer_set) {
        ngx_del_timer(&gauges->limit);
    }

    gauges->pool = gauges->next;
    gauges->next = NULL;
    gauges->text.data = text.start;
    gauges->text.len = text.last - text.start;
    gauges->made = ngx_current_msec;
    gauges->told = 1;
    gauges->asked = 1;
}


static void
ngx_http_chorus_gauges_deliver(ngx_http_chorus_gauges_t *gauges)
{
    ngx_queue_t                    *q;
    ngx_connection_t               *c;
    ngx_http_request_t             *r;
    ngx_http_chorus_gauges_wait_t  *wait;

    while (!ngx_queue_empty(&gauges->waiting)) {
        q = ngx_queue_head(&gauges->waiting);
        ngx_queue_remove(q);

        wait = ngx_queue_data(q, ngx_http_chorus_gauges_wait_t, queue);
        r = wait->request;
        c = r->connection;
        wait->request = NULL;

        wait->done(r, &gauges->text);
        ngx_http_run_posted_requests(c);
    }
}
