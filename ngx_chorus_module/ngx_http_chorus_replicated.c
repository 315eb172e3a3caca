/*
 * chorus_replication_status: an answer to GET or HEAD of an object says
 * whether followers have it.  Redis is asked before main is, and for a moment
 * only: when it does not tell in time, the answer is without.
 */

#include <jansson.h>

#include "ngx_http_chorus_module.h"
#include "chorus_library.h"


#define NGX_HTTP_CHORUS_REPLICATED_MS    50
#define NGX_HTTP_CHORUS_REPLICATED_LATE  50     /* ms that a mark may take */
#define NGX_HTTP_CHORUS_REPLICATED_ASKED 256    /* on their way at once */
#define NGX_HTTP_CHORUS_REPLICATED_ARGS  (5 + NGX_HTTP_CHORUS_MAX_FOLLOWERS)


/* Redis may answer when the request is gone. */

typedef struct {
    ngx_http_chorus_main_conf_t       *cmcf;
    ngx_http_request_t                *request;     /* NULL: waits no more */
    unsigned                           is_late:1;
} ngx_http_chorus_replicated_wait_t;

struct ngx_http_chorus_replicated_s {
    ngx_event_t                         limit;
    ngx_http_chorus_replicated_wait_t  *wait;       /* NULL: not any more */
    const char                         *status;     /* NULL: not known */
    int64_t                             lag_ms;
};


static ngx_uint_t ngx_http_chorus_replicated_is_slow(ngx_http_request_t *r);
static ngx_uint_t ngx_http_chorus_replicated_concerns(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);
static ngx_uint_t ngx_http_chorus_replicated_names(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, chorus_str_t *names);
static ngx_int_t ngx_http_chorus_replicated_call(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, const chorus_str_t *names, ngx_uint_t n);
static void ngx_http_chorus_replicated_left(void *data);
static void ngx_http_chorus_replicated_late(ngx_event_t *ev);
static void ngx_http_chorus_replicated_replied(void *data,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text);
static void ngx_http_chorus_replicated_take(
    ngx_http_chorus_replicated_t *told, ngx_str_t *text);
static void ngx_http_chorus_replicated_behind(ngx_http_request_t *r,
    ngx_http_chorus_replicated_t *told);
static void ngx_http_chorus_replicated_go(ngx_http_request_t *r);
static ngx_int_t ngx_http_chorus_replicated_filter(ngx_http_request_t *r);
static void ngx_http_chorus_replicated_hide(ngx_http_request_t *r,
    const char *name);
static ngx_int_t ngx_http_chorus_replicated_add(ngx_http_request_t *r,
    const char *name, const char *value);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


void
ngx_http_chorus_replicated_init(void)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_chorus_replicated_filter;
}


ngx_int_t
ngx_http_chorus_replicated_ask(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx)
{
    ngx_uint_t           n;
    chorus_str_t         names[NGX_HTTP_CHORUS_MAX_FOLLOWERS];
    ngx_pool_cleanup_t  *cln;

    if (!ngx_http_chorus_replicated_concerns(r, ctx)) {
        return NGX_OK;
    }

    n = ngx_http_chorus_replicated_names(r, ctx, names);
    if (n == 0) {
        return NGX_OK;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_chorus_replicated_t));
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(cln->data, sizeof(ngx_http_chorus_replicated_t));
    ctx->replicated = cln->data;
    ctx->replicated->limit.handler = ngx_http_chorus_replicated_late;
    ctx->replicated->limit.data = r;
    ctx->replicated->limit.log = r->connection->log;
    cln->handler = ngx_http_chorus_replicated_left;

    if (ngx_http_chorus_replicated_is_slow(r)
        || ngx_http_chorus_replicated_call(r, ctx, names, n) != NGX_OK)
    {
        return NGX_OK;
    }

    ngx_add_timer(&ctx->replicated->limit, NGX_HTTP_CHORUS_REPLICATED_MS);

    return NGX_AGAIN;
}


/* A Redis that owes an answer gets no further question: the marks are behind
 * them on the same connection. */

static ngx_uint_t
ngx_http_chorus_replicated_is_slow(ngx_http_request_t *r)
{
    ngx_http_chorus_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);

    return cmcf->replicated_late != 0
           || cmcf->replicated_asked >= NGX_HTTP_CHORUS_REPLICATED_ASKED;
}


/* A version of its own is not what queues know of. */

static ngx_uint_t
ngx_http_chorus_replicated_concerns(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx)
{
    ngx_http_chorus_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_chorus_module);

    return clcf->replication_status
           && ctx->storage->is_main
           && r == r->main
           && ctx->uri.key.len != 0
           && (ngx_strcmp(ctx->operation->name, "GetObject") == 0
               || ngx_strcmp(ctx->operation->name, "HeadObject") == 0)
           && chorus_uri_arg(&ctx->uri, chorus_str("versionId")) == NULL;
}


/* A read has no followers of its own: those that a write would have. */

static ngx_uint_t
ngx_http_chorus_replicated_names(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, chorus_str_t *names)
{
    ngx_uint_t                    i, n;
    chorus_mem_t                  mem;
    chorus_replication_t          parts;
    ngx_http_chorus_ctx_t        *write;
    ngx_http_chorus_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);
    mem = ngx_http_chorus_mem(r->pool);

    write = ngx_pcalloc(r->pool, sizeof(ngx_http_chorus_ctx_t));
    if (write == NULL) {
        return 0;
    }

    write->user = ctx->user;
    write->uri = ctx->uri;
    write->storage = ctx->storage;
    write->location = ctx->location;

    if (ngx_http_chorus_followers(cmcf, write, &mem, write->followers,
                                  &write->nfollowers, &write->rules)
        != NGX_OK)
    {
        return 0;
    }

    for (i = 0, n = 0; i < write->nfollowers; i++) {
        parts = ngx_http_chorus_replication(write, i);

        if (write->followers[i].is_partial
            && !chorus_policy_takes_key(write->rules, &parts, ctx->uri.key))
        {
            continue;
        }

        names[n] = chorus_replication_name(&mem, &parts);
        n += names[n].data != NULL;
    }

    return n;
}


static ngx_int_t
ngx_http_chorus_replicated_call(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, const chorus_str_t *names, ngx_uint_t n)
{
    size_t                              lens[NGX_HTTP_CHORUS_REPLICATED_ARGS];
    ngx_uint_t                          i;
    const char                         *argv[NGX_HTTP_CHORUS_REPLICATED_ARGS];
    ngx_http_chorus_main_conf_t        *cmcf;
    ngx_http_chorus_replicated_wait_t  *wait;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);

    wait = ngx_alloc(sizeof(ngx_http_chorus_replicated_wait_t),
                     r->connection->log);
    if (wait == NULL) {
        return NGX_ERROR;
    }

    argv[0] = "FCALL_RO";
    argv[1] = "chorus_explain";
    argv[2] = "1";
    argv[3] = CHORUS_REDIS_REPLICATIONS;

    for (i = 0; i < 4; i++) {
        lens[i] = ngx_strlen(argv[i]);
    }

    argv[4] = ctx->uri.key.data;
    lens[4] = ctx->uri.key.len;

    for (i = 0; i < n; i++) {
        argv[5 + i] = names[i].data;
        lens[5 + i] = names[i].len;
    }

    wait->cmcf = cmcf;
    wait->request = r;
    wait->is_late = 0;

    if (ngx_http_chorus_redis_call(cmcf->redis, 5 + (int) n, argv, lens,
                                   ngx_http_chorus_replicated_replied, wait)
        != NGX_OK)
    {
        ngx_free(wait);
        return NGX_DECLINED;
    }

    ctx->replicated->wait = wait;
    cmcf->replicated_asked++;

    return NGX_OK;
}


static void
ngx_http_chorus_replicated_left(void *data)
{
    ngx_http_chorus_replicated_t *told = data;

    if (told->limit.timer_set) {
        ngx_del_timer(&told->limit);
    }

    if (told->wait) {
        told->wait->request = NULL;
        told->wait = NULL;
    }
}


static void
ngx_http_chorus_replicated_late(ngx_event_t *ev)
{
    ngx_http_request_t     *r = ev->data;
    ngx_http_chorus_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_chorus_module);

    if (ctx->replicated->wait) {
        ctx->replicated->wait->is_late = 1;
        ctx->replicated->wait->cmcf->replicated_late++;
    }

    ngx_http_chorus_replicated_left(ctx->replicated);
    ngx_http_chorus_replicated_go(r);
}


static void
ngx_http_chorus_replicated_replied(void *data,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text)
{
    ngx_http_chorus_replicated_wait_t *wait = data;

    ngx_http_request_t     *r;
    ngx_http_chorus_ctx_t  *ctx;

    r = wait->request;
    wait->cmcf->replicated_asked--;
    wait->cmcf->replicated_late -= wait->is_late;
    ngx_free(wait);

    if (r == NULL) {
        return;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_chorus_module);
    ctx->replicated->wait = NULL;
    ngx_http_chorus_replicated_left(ctx->replicated);

    if (result == NGX_HTTP_CHORUS_REDIS_REPLY) {
        ngx_http_chorus_replicated_take(ctx->replicated, text);
        ngx_http_chorus_replicated_behind(r, ctx->replicated);
    }

    ngx_http_chorus_replicated_go(r);
}


/* Of several followers the worst. */

static void
ngx_http_chorus_replicated_take(ngx_http_chorus_replicated_t *told,
    ngx_str_t *text)
{
    size_t       i;
    json_t      *root, *row;
    const char  *place;

    root = json_loadb((char *) text->data, text->len, 0, NULL);

    json_array_foreach(json_object_get(root, "replications"), i, row) {
        place = json_string_value(json_object_get(row, "place"));

        if (place == NULL) {
            continue;
        }

        told->lag_ms = ngx_max(told->lag_ms, json_integer_value(
                                         json_object_get(row, "age_ms")));

        if (ngx_strcmp(place, "parked") == 0
            || ngx_strcmp(place, "blocked") == 0)
        {
            told->status = "FAILED";

        } else if (told->status != NULL
                   && ngx_strcmp(told->status, "FAILED") == 0)
        {
            continue;

        } else if (ngx_strcmp(place, "none") != 0
                   || !json_is_true(json_object_get(row, "known"))
                   || json_is_true(json_object_get(row, "owes_scan")))
        {
            told->status = "PENDING";

        } else if (told->status == NULL) {
            told->status = "COMPLETED";
        }
    }

    json_decref(root);
}


/* What Redis has not taken for so long, being full, say, or just back, may be
 * a change of this key. */

static void
ngx_http_chorus_replicated_behind(ngx_http_request_t *r,
    ngx_http_chorus_replicated_t *told)
{
    ngx_http_chorus_process_t     sum;
    ngx_http_chorus_main_conf_t  *cmcf;

    if (told->status == NULL || ngx_strcmp(told->status, "COMPLETED") != 0) {
        return;
    }

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);
    sum = ngx_http_chorus_processes_sum(cmcf->counters);

    if (sum.debts
        || (sum.waiting && sum.oldest > NGX_HTTP_CHORUS_REPLICATED_LATE))
    {
        told->status = "PENDING";
        told->lag_ms = sum.waiting ? (int64_t) sum.oldest : 0;
    }
}


static void
ngx_http_chorus_replicated_go(ngx_http_request_t *r)
{
    ngx_connection_t       *c;
    ngx_http_chorus_ctx_t  *ctx;

    c = r->connection;
    ctx = ngx_http_get_module_ctx(r, ngx_http_chorus_module);

    ngx_http_set_log_request(c->log, r);

    ctx->ready = 1;
    r->write_event_handler = ngx_http_core_run_phases;

    ngx_http_core_run_phases(r);
    ngx_http_run_posted_requests(c);
}


/* ---- the answer ---- */


static ngx_int_t
ngx_http_chorus_replicated_filter(ngx_http_request_t *r)
{
    u_char                         lag[NGX_INT64_LEN + 8];
    ngx_http_chorus_ctx_t         *ctx;
    ngx_http_chorus_replicated_t  *told;

    ctx = ngx_http_get_module_ctx(r, ngx_http_chorus_module);

    if (ctx == NULL || ctx->replicated == NULL || r != r->main) {
        return ngx_http_next_header_filter(r);
    }

    told = ctx->replicated;
    ngx_http_chorus_replicated_hide(r, "x-amz-replication-status");

    if (told->status == NULL
        || (r->headers_out.status >= NGX_HTTP_SPECIAL_RESPONSE
            && r->headers_out.status != NGX_HTTP_NOT_MODIFIED))
    {
        return ngx_http_next_header_filter(r);
    }

    *ngx_snprintf(lag, sizeof(lag) - 1, "%L.%03L", told->lag_ms / 1000,
                  told->lag_ms % 1000) = '\0';

    if (ngx_http_chorus_replicated_add(r, "x-amz-replication-status",
                                       told->status)
        != NGX_OK
        || ngx_http_chorus_replicated_add(r, "x-chorus-lag",
                                          (const char *) lag)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_next_header_filter(r);
}


/* What main may say of replications of its own. */

static void
ngx_http_chorus_replicated_hide(ngx_http_request_t *r, const char *name)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = ngx_strlen(name);

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == len
                && ngx_strncasecmp(h[i].key.data, (u_char *) name, len) == 0)
            {
                h[i].hash = 0;
            }
        }
    }
}


static ngx_int_t
ngx_http_chorus_replicated_add(ngx_http_request_t *r, const char *name,
    const char *value)
{
    u_char           *p;
    size_t            len;
    ngx_table_elt_t  *h;

    len = ngx_strlen(value);

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, value, len);

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value.data = p;
    h->value.len = len;

    return NGX_OK;
}
