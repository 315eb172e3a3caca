/*
 * DeleteObjects names its keys in the body, CompleteMultipartUpload its parts,
 * an aws-chunked body without content has its signature and checksum there, a
 * form has everything in front of its file: such bodies are read before the
 * request is forwarded, as far as they must, into memory, bounded, never to
 * disk.  nginx's own reader would spill a body larger than
 * client_body_buffer_size into a file; here it is taken piece by piece
 * instead, as the proxy module does for an unbuffered upload.
 */

#include "ngx_http_chorus_module.h"
#include "chorus_s3_xml.h"


/* 1,000 keys of 1,024 bytes, each byte escaped in five, and the tags */
#define NGX_HTTP_CHORUS_MAX_BODY    (6 * 1024 * 1024)
#define NGX_HTTP_CHORUS_FIRST_BODY  16384


static void ngx_http_chorus_body_handler(ngx_http_request_t *r);
static void ngx_http_chorus_body_event(ngx_http_request_t *r);
static void ngx_http_chorus_body_end(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, ngx_int_t rc);
static ngx_int_t ngx_http_chorus_body_collect(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);
static ngx_int_t ngx_http_chorus_body_reserve(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, size_t size);
static ngx_int_t ngx_http_chorus_body_keys(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);
static ngx_int_t ngx_http_chorus_body_checksum(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);


ngx_int_t
ngx_http_chorus_body_read(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx,
    ngx_http_chorus_body_pt take)
{
    ngx_int_t  rc;

    if (take == ngx_http_chorus_body_whole
        && r->headers_in.content_length_n > NGX_HTTP_CHORUS_MAX_BODY)
    {
        return ngx_http_chorus_refuse_code(r, ctx,
                                           CHORUS_S3_ENTITY_TOO_LARGE, NULL);
    }

    ctx->take_body = take;
    r->request_body_no_buffering = 1;
    ngx_http_chorus_own_end(ctx);

    rc = ngx_http_read_client_request_body(r, ngx_http_chorus_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    ngx_http_finalize_request(r, NGX_DONE);

    return NGX_DONE;
}


static void
ngx_http_chorus_body_handler(ngx_http_request_t *r)
{
    r->read_event_handler = ngx_http_chorus_body_event;

    ngx_http_chorus_body_event(r);
}


static void
ngx_http_chorus_body_event(ngx_http_request_t *r)
{
    ngx_int_t               rc;
    ngx_http_chorus_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_chorus_module);

    for ( ;; ) {

        rc = ngx_http_chorus_body_collect(r, ctx);

        if (rc == NGX_OK) {
            ngx_http_chorus_own_begin(ctx);
            rc = ctx->take_body(r, ctx);
        }

        if (rc == NGX_AGAIN) {
            /* it is the client's turn */
            ngx_http_chorus_own_end(ctx);
        }

        if (rc != NGX_AGAIN) {
            ngx_http_chorus_body_end(r, ctx, rc);
            return;
        }

        rc = ngx_http_read_unbuffered_request_body(r);

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            ngx_http_chorus_body_end(r, ctx, rc);
            return;
        }

        if (rc == NGX_AGAIN && r->request_body->bufs == NULL) {
            return;
        }
    }
}


static void
ngx_http_chorus_body_end(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx,
    ngx_int_t rc)
{
    switch (rc) {

    case NGX_OK:
        r->read_event_handler = ngx_http_block_reading;
        r->write_event_handler = ngx_http_core_run_phases;
        ngx_http_core_run_phases(r);
        break;

    case NGX_DONE:
        /* answered */
        break;

    case NGX_DECLINED:
        (void) ngx_http_chorus_refuse_code(r, ctx, CHORUS_S3_ENTITY_TOO_LARGE,
                                           NULL);
        break;

    case NGX_HTTP_REQUEST_TIME_OUT:
        r->keepalive = 0;
        (void) ngx_http_chorus_refuse_code(r, ctx, CHORUS_S3_REQUEST_TIMEOUT,
                                           NULL);
        break;

    case NGX_ERROR:
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;

        /* fall through */

    default:
        ngx_http_finalize_request(r, rc);
        break;
    }
}


/* Copies what has arrived, so that nginx can use its buffer again. */

static ngx_int_t
ngx_http_chorus_body_collect(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx)
{
    size_t        size;
    ngx_int_t     rc;
    ngx_chain_t  *in;

    rc = ngx_http_chorus_body_reserve(r, ctx, 0);

    for (in = r->request_body->bufs; in && rc == NGX_OK; in = in->next) {

        size = ngx_buf_size(in->buf);

        if (size == 0) {
            continue;
        }

        rc = ngx_http_chorus_body_reserve(r, ctx, size);

        if (rc == NGX_OK) {
            ctx->body->last = ngx_cpymem(ctx->body->last, in->buf->pos, size);
            in->buf->pos = in->buf->last;
        }
    }

    r->request_body->bufs = NULL;

    return rc;
}


/* Room for so many more bytes.  The buffer doubles, so that a body in tiny
 * pieces costs no more than one in large ones. */

static ngx_int_t
ngx_http_chorus_body_reserve(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, size_t size)
{
    size_t      len, room;
    ngx_buf_t  *b;

    len = ctx->body ? ctx->body->last - ctx->body->pos : 0;

    /* a form ends far below that, but for what came at once with its file */

    if (ctx->take_body == ngx_http_chorus_body_whole
        && len + size > NGX_HTTP_CHORUS_MAX_BODY)
    {
        return NGX_DECLINED;
    }

    room = NGX_HTTP_CHORUS_FIRST_BODY;

    if (ctx->body) {
        if (size <= (size_t) (ctx->body->end - ctx->body->last)) {
            return NGX_OK;
        }

        room = ctx->body->end - ctx->body->start;
    }

    while (room < len + size) {
        room *= 2;
    }

    b = ngx_create_temp_buf(r->pool, room);
    if (b == NULL) {
        return NGX_ERROR;
    }

    if (ctx->body) {
        b->last = ngx_cpymem(b->last, ctx->body->pos, len);
        (void) ngx_pfree(r->pool, ctx->body->start);
    }

    b->last_buf = 1;
    ctx->body = b;

    return NGX_OK;
}


/* For a body that is read to its end: gives the whole of it back to the
 * request. */

ngx_int_t
ngx_http_chorus_body_whole(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx)
{
    off_t         len;
    ngx_int_t     rc;
    ngx_chain_t  *cl;

    if (r->reading_body) {
        return NGX_AGAIN;
    }

    cl = ngx_alloc_chain_link(r->pool);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    cl->buf = ctx->body;
    cl->next = NULL;

    len = ctx->body->last - ctx->body->pos;

    r->request_body->bufs = len ? cl : NULL;

    /* whatever framing it came in (HTTP/2 has none), now its length is known
     * and goes to the storage */
    r->headers_in.content_length_n = len;
    r->headers_in.chunked = 0;

    ngx_http_chorus_parts_read(r, ctx);
    rc = ngx_http_chorus_body_keys(r, ctx);

    if (rc == NGX_OK) {
        rc = ngx_http_chorus_body_checksum(r, ctx);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_chorus_access_ready(r, ctx);
    }

    return rc;
}


/* What cannot be understood is not forwarded: main might apply it, and nobody
 * would know to which keys. */

static ngx_int_t
ngx_http_chorus_body_keys(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx)
{
    chorus_mem_t              mem;
    chorus_str_t              text;
    chorus_error_t            error;
    chorus_delete_objects_t   request;

    if (ctx->operation->touch != CHORUS_TOUCH_KEYS_IN_BODY) {
        return NGX_OK;
    }

    text = (chorus_str_t) { (char *) ctx->body->pos,
                            ctx->body->last - ctx->body->pos };
    mem = ngx_http_chorus_mem(r->pool);

    switch (chorus_delete_objects_parse(&mem, text, &request, &error)) {

    case CHORUS_OK:
        ctx->keys = request.keys;
        ctx->nkeys = request.nkeys;
        return NGX_OK;

    case CHORUS_NOMEM:
        return NGX_HTTP_INTERNAL_SERVER_ERROR;

    default:
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "chorus: DeleteObjects: %s", error.text);

        return ngx_http_chorus_refuse_code(r, ctx, CHORUS_S3_MALFORMED_XML,
                                           NULL);
    }
}


/* A checksum that stood behind the body goes before it, now that both are
 * known. */

static ngx_int_t
ngx_http_chorus_body_checksum(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx)
{
    chorus_str_t                  name, value;
    ngx_table_elt_t              *h;
    chorus_checksum_algorithm_t   algorithm;

    value = ngx_http_chorus_upload_checksum(ctx->upload, &algorithm);

    if (value.data == NULL || !ctx->storage->has_checksums) {
        return NGX_OK;
    }

    name = chorus_checksum_header(algorithm);

    h = ngx_list_push(&r->headers_in.headers);
    if (h == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->key = ngx_http_chorus_ngx_str(name);
    h->value = ngx_http_chorus_ngx_str(value);
    h->lowcase_key = h->key.data;
    h->hash = ngx_hash_key(h->key.data, h->key.len);

    /* there is room for one more, see access.c */
    ctx->headers[ctx->nheaders].name = name;
    ctx->headers[ctx->nheaders].value = value;
    ctx->nheaders++;

    return NGX_OK;
}
