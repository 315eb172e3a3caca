/*
 * The parts of multipart uploads on their way to Redis, so that a worker can
 * upload the same ones: main's ETag is one of its parts, and not every main
 * tells them.
 *
 * Best effort: a record is told once, not kept in the journal, and dropped
 * when Redis does not take it or too many wait.  The worker compares what
 * comes of it with main's ETag, and finds most layouts without.
 */

#include "ngx_http_chorus_module.h"
#include "chorus_aws_chunked.h"


#define NGX_HTTP_CHORUS_PARTS_BYTES  (1024 * 1024)  /* waiting, in flight */
#define NGX_HTTP_CHORUS_PARTS_WORDS  10
#define NGX_HTTP_CHORUS_PARTS_ID     512            /* of an upload */
#define NGX_HTTP_CHORUS_PARTS_SIZE   (5ull << 40)   /* of an object */


typedef struct {
    ngx_http_chorus_parts_t    *parts;
    ngx_queue_t                 queue;
    size_t                      size;
    int                         argc;
    const char                 *argv[NGX_HTTP_CHORUS_PARTS_WORDS];
    size_t                      lens[NGX_HTTP_CHORUS_PARTS_WORDS];
} ngx_http_chorus_part_t;


struct ngx_http_chorus_parts_s {
    ngx_http_chorus_main_conf_t  *cmcf;
    ngx_log_t                    *log;
    ngx_queue_t                   waiting;      /* oldest first */
    size_t                        bytes;        /* waiting and in flight */
    unsigned                      full:1;
};


typedef void (*ngx_http_chorus_part_pt)(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, chorus_str_t id);


static ngx_uint_t ngx_http_chorus_parts_are_wanted(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);
static chorus_str_t ngx_http_chorus_parts_id(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);
static void ngx_http_chorus_part_uploaded(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, chorus_str_t id);
static void ngx_http_chorus_part_copied(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, chorus_str_t id);
static void ngx_http_chorus_parts_aborted(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, chorus_str_t id);
static off_t ngx_http_chorus_part_length(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);
static uint64_t ngx_http_chorus_part_range(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);
static void ngx_http_chorus_part_tell(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, chorus_str_t id, uint64_t size);
static void ngx_http_chorus_parts_put(ngx_http_chorus_parts_t *parts,
    int argc, chorus_str_t *words);
static void ngx_http_chorus_parts_send(ngx_http_chorus_parts_t *parts);
static void ngx_http_chorus_parts_sent(void *data,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text);
static void ngx_http_chorus_part_free(ngx_http_chorus_part_t *part);


/* what main's success means, by the name of the operation */

static const struct {
    const char                 *name;
    ngx_http_chorus_part_pt     handler;
} ngx_http_chorus_part_operations[] = {
    { "UploadPart", ngx_http_chorus_part_uploaded },
    { "UploadPartCopy", ngx_http_chorus_part_copied },
    { "AbortMultipartUpload", ngx_http_chorus_parts_aborted },
    { NULL, NULL }
};


ngx_int_t
ngx_http_chorus_parts_init(ngx_http_chorus_main_conf_t *cmcf,
    ngx_cycle_t *cycle)
{
    ngx_http_chorus_parts_t  *parts;

    parts = ngx_pcalloc(cycle->pool, sizeof(ngx_http_chorus_parts_t));
    if (parts == NULL) {
        return NGX_ERROR;
    }

    parts->cmcf = cmcf;
    parts->log = cycle->log;
    ngx_queue_init(&parts->waiting);

    cmcf->parts = parts;

    return NGX_OK;
}


void
ngx_http_chorus_parts_exit(ngx_http_chorus_main_conf_t *cmcf)
{
    ngx_queue_t             *q;
    ngx_http_chorus_part_t  *part;

    while (!ngx_queue_empty(&cmcf->parts->waiting)) {
        q = ngx_queue_head(&cmcf->parts->waiting);
        part = ngx_queue_data(q, ngx_http_chorus_part_t, queue);

        ngx_queue_remove(q);
        ngx_http_chorus_part_free(part);
    }
}


/* Before the client hears of it, so that a part is told before what makes an
 * object of it, whatever process that comes to. */

void
ngx_http_chorus_parts_answered(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx)
{
    ngx_uint_t    i;
    chorus_str_t  id;

    if (r->upstream == NULL || r->upstream->headers_in.status_n / 100 != 2) {
        return;
    }

    for (i = 0; ngx_http_chorus_part_operations[i].name; i++) {

        if (ngx_strcmp(ngx_http_chorus_part_operations[i].name,
                       ctx->operation->name)
            != 0)
        {
            continue;
        }

        id = ngx_http_chorus_parts_id(r, ctx);

        if (id.len && ngx_http_chorus_parts_are_wanted(r, ctx)) {
            ngx_http_chorus_part_operations[i].handler(r, ctx, id);
        }

        return;
    }
}


/* A part marks nothing and so has no followers: do others of its bucket? */

static ngx_uint_t
ngx_http_chorus_parts_are_wanted(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx)
{
    size_t                        n;
    chorus_mem_t                  mem;
    chorus_follower_t             followers[NGX_HTTP_CHORUS_MAX_FOLLOWERS];
    const chorus_config_t        *rules;
    ngx_http_chorus_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);

    if (!ctx->storage->is_main) {
        return 0;
    }

    mem = ngx_http_chorus_mem(r->pool);

    return ngx_http_chorus_followers(cmcf, ctx, &mem, followers, &n, &rules)
           == NGX_OK
           && n != 0;
}


/* The null string when it is none that can be told. */

static chorus_str_t
ngx_http_chorus_parts_id(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx)
{
    chorus_mem_t               mem;
    chorus_str_t               id;
    const chorus_query_arg_t  *arg;

    mem = ngx_http_chorus_mem(r->pool);
    arg = chorus_uri_arg(&ctx->uri, chorus_str("uploadId"));

    return arg && chorus_uri_decode(&mem, arg->value, &id)
           && id.len <= NGX_HTTP_CHORUS_PARTS_ID ? id : chorus_null_str;
}


static void
ngx_http_chorus_part_uploaded(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, chorus_str_t id)
{
    off_t  length;

    length = ngx_http_chorus_part_length(r, ctx);

    if (length >= 0) {
        ngx_http_chorus_part_tell(r, ctx, id, length);
    }
}


/* The content, without the frames it may have come in. */

static off_t
ngx_http_chorus_part_length(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx)
{
    uint64_t      length;
    chorus_str_t  text;

    if (chorus_aws_chunked_form(ctx->auth.payload) == CHORUS_AWS_CHUNKED_NONE)
    {
        return r->headers_in.content_length_n;
    }

    text = ngx_http_chorus_header(r, ctx, "x-amz-decoded-content-length");

    return chorus_str_to_u64(text, &length) ? (off_t) length : -1;
}


/* Without a range it is as long as its source, which is not known here: 0. */

static void
ngx_http_chorus_part_copied(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx,
    chorus_str_t id)
{
    ngx_http_chorus_part_tell(r, ctx, id, ngx_http_chorus_part_range(r, ctx));
}


/* "bytes=0-4": 5 */

static uint64_t
ngx_http_chorus_part_range(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx)
{
    uint64_t      first, last;
    chorus_str_t  rest, word;

    rest = ngx_http_chorus_header(r, ctx, "x-amz-copy-source-range");

    if (!chorus_str_starts(rest, chorus_str("bytes="))) {
        return 0;
    }

    rest = chorus_str_sub(rest, sizeof("bytes=") - 1);
    word = chorus_str_cut(&rest, '-');

    if (!chorus_str_to_u64(word, &first) || !chorus_str_to_u64(rest, &last)
        || last < first || last == UINT64_MAX)
    {
        return 0;
    }

    return last - first + 1;
}


static void
ngx_http_chorus_part_tell(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx,
    chorus_str_t id, uint64_t size)
{
    u_char                        text[NGX_INT64_LEN];
    uint64_t                      number;
    const chorus_query_arg_t     *arg;
    ngx_http_chorus_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);
    arg = chorus_uri_arg(&ctx->uri, chorus_str("partNumber"));

    if (arg == NULL || !chorus_str_to_u64(arg->value, &number)
        || number == 0 || number > CHORUS_COMPLETE_PARTS_MAX
        || size > NGX_HTTP_CHORUS_PARTS_SIZE)
    {
        return;
    }

    chorus_str_t  words[] = {
        chorus_str("FCALL"), chorus_str("chorus_part"), chorus_str("1"),
        chorus_str("chorus:uploads"), id, arg->value,
        { (char *) text, ngx_sprintf(text, "%uL", size) - text }
    };

    ngx_http_chorus_parts_put(cmcf->parts, 7, words);
}


static void
ngx_http_chorus_parts_aborted(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, chorus_str_t id)
{
    ngx_http_chorus_main_conf_t  *cmcf;

    chorus_str_t  words[] = {
        chorus_str("FCALL"), chorus_str("chorus_part_abort"), chorus_str("1"),
        chorus_str("chorus:uploads"), id
    };

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);

    ngx_http_chorus_parts_put(cmcf->parts, 5, words);
}


ngx_uint_t
ngx_http_chorus_parts_is_complete(ngx_http_chorus_ctx_t *ctx)
{
    return ctx->nfollowers
           && ngx_strcmp(ctx->operation->name, "CompleteMultipartUpload") == 0;
}


/* A body that cannot be understood is main's to refuse. */

void
ngx_http_chorus_parts_read(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx)
{
    chorus_mem_t        mem;
    chorus_str_t        body;
    chorus_error_t      error;
    chorus_complete_t  *complete;

    if (!ngx_http_chorus_parts_is_complete(ctx)) {
        return;
    }

    mem = ngx_http_chorus_mem(r->pool);
    body = (chorus_str_t) { (char *) ctx->body->pos,
                            ctx->body->last - ctx->body->pos };

    complete = ngx_palloc(r->pool, sizeof(chorus_complete_t));

    if (complete
        && chorus_complete_parse(&mem, body, complete, &error) == CHORUS_OK)
    {
        ctx->complete = complete;
    }
}


/* It may have happened: `is_over` when main has said so, and the client will
 * not try again. */

void
ngx_http_chorus_parts_completed(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, ngx_uint_t is_over)
{
    chorus_str_t                  id;
    ngx_http_chorus_main_conf_t  *cmcf;

    if (ctx->complete == NULL) {
        return;
    }

    id = ngx_http_chorus_parts_id(r, ctx);

    if (id.len == 0) {
        return;
    }

    chorus_str_t  words[] = {
        chorus_str("FCALL"), chorus_str("chorus_part_complete"),
        chorus_str("2"), chorus_str("chorus:uploads"),
        chorus_str("chorus:layouts"), id,
        chorus_str_from(ctx->complete->etag), ctx->complete->numbers,
        is_over ? chorus_str("1") : chorus_str("0")
    };

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);

    ngx_http_chorus_parts_put(cmcf->parts, 9, words);
}


static void
ngx_http_chorus_parts_put(ngx_http_chorus_parts_t *parts, int argc,
    chorus_str_t *words)
{
    int                      i;
    size_t                   size;
    u_char                  *p;
    ngx_http_chorus_part_t  *part;

    size = sizeof(ngx_http_chorus_part_t);

    for (i = 0; i < argc; i++) {
        size += words[i].len;
    }

    if (parts->bytes + size > NGX_HTTP_CHORUS_PARTS_BYTES) {

        if (!parts->full) {
            parts->full = 1;
            ngx_log_error(NGX_LOG_WARN, parts->log, 0,
                          "chorus: Redis is away: the parts of uploads are "
                          "not remembered, followers may get other ETags");
        }

        return;
    }

    part = ngx_alloc(size, parts->log);
    if (part == NULL) {
        return;
    }

    p = (u_char *) (part + 1);

    for (i = 0; i < argc; i++) {
        part->argv[i] = (const char *) p;
        part->lens[i] = words[i].len;
        p = ngx_cpymem(p, words[i].data, words[i].len);
    }

    part->parts = parts;
    part->argc = argc;
    part->size = size;
    parts->bytes += size;

    ngx_queue_insert_tail(&parts->waiting, &part->queue);
    ngx_http_chorus_parts_send(parts);
}


void
ngx_http_chorus_parts_resume(ngx_http_chorus_parts_t *parts)
{
    parts->full = 0;
    ngx_http_chorus_parts_send(parts);
}


static void
ngx_http_chorus_parts_send(ngx_http_chorus_parts_t *parts)
{
    ngx_queue_t             *q;
    ngx_http_chorus_part_t  *part;

    while (!ngx_queue_empty(&parts->waiting)) {
        q = ngx_queue_head(&parts->waiting);
        part = ngx_queue_data(q, ngx_http_chorus_part_t, queue);

        if (ngx_http_chorus_redis_call(parts->cmcf->redis, part->argc,
                                       part->argv, part->lens,
                                       ngx_http_chorus_parts_sent, part)
            != NGX_OK)
        {
            return;
        }

        ngx_queue_remove(q);
    }
}


static void
ngx_http_chorus_parts_sent(void *data, ngx_http_chorus_redis_result_t result,
    ngx_str_t *text)
{
    ngx_http_chorus_part_free(data);
}


static void
ngx_http_chorus_part_free(ngx_http_chorus_part_t *part)
{
    part->parts->bytes -= part->size;
    ngx_free(part);
}
