/*
 * A request that is over is counted once: by the class of its operation and
 * the class of its status.  The names of buckets and users are nobody's
 * business here: how many there are is theirs to decide.
 */

#include "ngx_http_chorus_module.h"

#include <time.h>


typedef enum {
    NGX_HTTP_CHORUS_CLASS_UNKNOWN = 0,
    NGX_HTTP_CHORUS_CLASS_GET,
    NGX_HTTP_CHORUS_CLASS_HEAD,
    NGX_HTTP_CHORUS_CLASS_PUT,
    NGX_HTTP_CHORUS_CLASS_POST,
    NGX_HTTP_CHORUS_CLASS_COPY,
    NGX_HTTP_CHORUS_CLASS_DELETE,
    NGX_HTTP_CHORUS_CLASS_PART,
    NGX_HTTP_CHORUS_CLASS_MULTIPART,
    NGX_HTTP_CHORUS_CLASS_LIST,
    NGX_HTTP_CHORUS_CLASS_ATTRIBUTES,
    NGX_HTTP_CHORUS_CLASS_BUCKET,
    NGX_HTTP_CHORUS_CLASS_OPTIONS
} ngx_http_chorus_class_e;

typedef struct {
    const char                   *name;         /* of the operation */
    ngx_http_chorus_class_e       class;
} ngx_http_chorus_class_row_t;


static ngx_uint_t ngx_http_chorus_class_of(
    const chorus_s3_operation_t *operation);
static ngx_uint_t ngx_http_chorus_status_of(ngx_http_request_t *r);
static void ngx_http_chorus_histogram_add(
    ngx_http_chorus_histogram_t *histogram, const uint64_t *steps,
    uint64_t us);
static void ngx_http_chorus_count_main(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, ngx_http_chorus_metrics_t *metrics);


const char *const  ngx_http_chorus_classes[NGX_HTTP_CHORUS_CLASSES] = {
    "unknown", "get", "head", "put", "post", "copy", "delete", "part",
    "multipart", "list", "attributes", "bucket", "options"
};


/* What is not here reads or writes something about an object or a bucket. */

static const ngx_http_chorus_class_row_t  ngx_http_chorus_class_rows[] = {
    { "GetObject", NGX_HTTP_CHORUS_CLASS_GET },
    { "GetObjectTorrent", NGX_HTTP_CHORUS_CLASS_GET },
    { "SelectObjectContent", NGX_HTTP_CHORUS_CLASS_GET },
    { "HeadObject", NGX_HTTP_CHORUS_CLASS_HEAD },
    { "HeadBucket", NGX_HTTP_CHORUS_CLASS_HEAD },
    { "PutObject", NGX_HTTP_CHORUS_CLASS_PUT },
    { "PostObject", NGX_HTTP_CHORUS_CLASS_POST },
    { "CopyObject", NGX_HTTP_CHORUS_CLASS_COPY },
    { "UploadPartCopy", NGX_HTTP_CHORUS_CLASS_COPY },
    { "DeleteObject", NGX_HTTP_CHORUS_CLASS_DELETE },
    { "DeleteObjects", NGX_HTTP_CHORUS_CLASS_DELETE },
    { "UploadPart", NGX_HTTP_CHORUS_CLASS_PART },
    { "CreateMultipartUpload", NGX_HTTP_CHORUS_CLASS_MULTIPART },
    { "CompleteMultipartUpload", NGX_HTTP_CHORUS_CLASS_MULTIPART },
    { "AbortMultipartUpload", NGX_HTTP_CHORUS_CLASS_MULTIPART },
    { "ListParts", NGX_HTTP_CHORUS_CLASS_MULTIPART },
    { "ListMultipartUploads", NGX_HTTP_CHORUS_CLASS_MULTIPART },
    { "ListObjects", NGX_HTTP_CHORUS_CLASS_LIST },
    { "ListObjectsV2", NGX_HTTP_CHORUS_CLASS_LIST },
    { "ListObjectVersions", NGX_HTTP_CHORUS_CLASS_LIST },
    { "ListBuckets", NGX_HTTP_CHORUS_CLASS_LIST },
    { "OptionsObject", NGX_HTTP_CHORUS_CLASS_OPTIONS },
    { "OptionsBucket", NGX_HTTP_CHORUS_CLASS_OPTIONS },
    { "Unknown", NGX_HTTP_CHORUS_CLASS_UNKNOWN },
    { NULL, NGX_HTTP_CHORUS_CLASS_UNKNOWN }
};


const uint64_t  ngx_http_chorus_total_steps[] = {
    1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000,
    2500000, 5000000, 10000000, 30000000, 60000000
};

const uint64_t  ngx_http_chorus_own_steps[] = {
    10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000,
    250000, 1000000
};


static uint64_t
ngx_http_chorus_now_us(void)
{
    struct timespec  now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);

    return (uint64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}


void
ngx_http_chorus_own_begin(ngx_http_chorus_ctx_t *ctx)
{
    if (ctx->own_since == 0) {
        ctx->own_since = ngx_http_chorus_now_us();
    }
}


void
ngx_http_chorus_own_end(ngx_http_chorus_ctx_t *ctx)
{
    if (ctx->own_since) {
        ctx->own_us += ngx_http_chorus_now_us() - ctx->own_since;
        ctx->own_since = 0;
    }
}


void
ngx_http_chorus_count_request(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx)
{
    ngx_time_t                   *now;
    ngx_uint_t                    i;
    ngx_msec_int_t                ms;
    ngx_http_chorus_class_t      *class;
    ngx_http_chorus_metrics_t    *metrics;
    ngx_http_chorus_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);
    metrics = &cmcf->counters->metrics;
    class = &metrics->classes[ngx_http_chorus_class_of(ctx->operation)];

    now = ngx_timeofday();
    ms = (ngx_msec_int_t) ((now->sec - r->start_sec) * 1000
                           + (now->msec - r->start_msec));

    (void) ngx_atomic_fetch_add(&class->requests[ngx_http_chorus_status_of(r)],
                                1);
    (void) ngx_atomic_fetch_add(&class->received, r->request_length);
    (void) ngx_atomic_fetch_add(&class->sent, r->connection->sent);

    ngx_http_chorus_histogram_add(&class->total, ngx_http_chorus_total_steps,
                                  (uint64_t) ngx_max(ms, 0) * 1000);

    ngx_http_chorus_own_end(ctx);
    ngx_http_chorus_histogram_add(&class->own, ngx_http_chorus_own_steps,
                                  ctx->own_us);

    /* the name of a row is one string for all rows that have it */

    for (i = 1; ctx->error && i < CHORUS_S3_NERRORS; i++) {
        if (ngx_strcmp(chorus_s3_error_row(i)->name, ctx->error) == 0) {
            (void) ngx_atomic_fetch_add(&metrics->refusals[i], 1);
            break;
        }
    }

    ngx_http_chorus_count_main(r, ctx, metrics);
}


static ngx_uint_t
ngx_http_chorus_class_of(const chorus_s3_operation_t *operation)
{
    const ngx_http_chorus_class_row_t  *row;

    if (operation == NULL) {
        return NGX_HTTP_CHORUS_CLASS_UNKNOWN;
    }

    for (row = ngx_http_chorus_class_rows; row->name; row++) {
        if (ngx_strcmp(row->name, operation->name) == 0) {
            return row->class;
        }
    }

    return operation->on_key ? NGX_HTTP_CHORUS_CLASS_ATTRIBUTES
                             : NGX_HTTP_CHORUS_CLASS_BUCKET;
}


/* As the access log has it; 0: there was no answer. */

static ngx_uint_t
ngx_http_chorus_status_of(ngx_http_request_t *r)
{
    ngx_uint_t  status;

    status = r->err_status ? r->err_status : r->headers_out.status;

    return status / 100 < NGX_HTTP_CHORUS_STATUSES ? status / 100 : 0;
}


static void
ngx_http_chorus_histogram_add(ngx_http_chorus_histogram_t *histogram,
    const uint64_t *steps, uint64_t us)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_CHORUS_STEPS - 1 && us > steps[i]; i++) {
        /* void */
    }

    (void) ngx_atomic_fetch_add(&histogram->counts[i], 1);
    (void) ngx_atomic_fetch_add(&histogram->sum_us, us);
}


/* For chorus_health.  Any answer is one, be it an error. */

static void
ngx_http_chorus_count_main(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx,
    ngx_http_chorus_metrics_t *metrics)
{
    ngx_uint_t                  i;
    ngx_http_upstream_state_t  *state;

    if (r->upstream_states == NULL || ctx->storage == NULL
        || !ctx->storage->is_main)
    {
        return;
    }

    state = r->upstream_states->elts;

    for (i = 0; i < r->upstream_states->nelts; i++) {

        if (state[i].peer == NULL) {
            continue;
        }

        /* nginx's own word for a main that was not heard of */

        if (state[i].header_time != (ngx_msec_t) -1) {
            metrics->main_good = ngx_current_msec;
            metrics->main_failures = 0;

        } else if (state[i].status >= NGX_HTTP_BAD_GATEWAY) {
            metrics->main_bad = ngx_current_msec;
            (void) ngx_atomic_fetch_add(&metrics->main_failures, 1);
        }
    }
}
