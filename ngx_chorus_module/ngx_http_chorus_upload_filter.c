/*
 * The body of an upload as it streams through: decoded and verified, in
 * constant memory.
 *
 * nginx hands the body to a chain of filters, buffer by buffer, before it
 * sends any of it on.  Buffers are decoded in place.  The last byte of the
 * content is held back until all has been verified, so a body that turns out
 * bad is cut short of the length that main has been promised, and main commits
 * nothing.
 */

#include "ngx_http_chorus_upload.h"


static ngx_int_t ngx_http_chorus_upload_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static void ngx_http_chorus_upload_hook(ngx_http_request_t *r,
    ngx_http_chorus_upload_t *upload);
static ngx_int_t ngx_http_chorus_upload_create_request(ngx_http_request_t *r);
static ngx_int_t ngx_http_chorus_upload_pass(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, ngx_buf_t *b, ngx_chain_t ***last);
static ngx_int_t ngx_http_chorus_upload_take(ngx_http_chorus_ctx_t *ctx,
    ngx_buf_t *b);
static ngx_int_t ngx_http_chorus_upload_finish(ngx_http_chorus_ctx_t *ctx);
static ngx_int_t ngx_http_chorus_upload_emit(ngx_http_request_t *r,
    ngx_http_chorus_upload_t *upload, ngx_chain_t *cl, ngx_chain_t ***last);
static ngx_int_t ngx_http_chorus_upload_emit_text(ngx_http_request_t *r,
    ngx_http_chorus_upload_t *upload, const char *text, size_t len,
    ngx_chain_t ***last);
static ngx_int_t ngx_http_chorus_upload_emit_end(ngx_http_request_t *r,
    ngx_http_chorus_upload_t *upload, ngx_chain_t ***last);
static ngx_int_t ngx_http_chorus_upload_emit_trailer(ngx_http_request_t *r,
    ngx_http_chorus_upload_t *upload, ngx_chain_t ***last);
static ngx_chain_t *ngx_http_chorus_upload_buf(ngx_http_request_t *r,
    ngx_http_chorus_upload_t *upload);


static ngx_http_request_body_filter_pt  ngx_http_next_request_body_filter;


void
ngx_http_chorus_upload_init(void)
{
    ngx_http_next_request_body_filter = ngx_http_top_request_body_filter;
    ngx_http_top_request_body_filter = ngx_http_chorus_upload_filter;
}


static ngx_int_t
ngx_http_chorus_upload_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_int_t                  rc;
    ngx_chain_t               *out, **last;
    ngx_http_chorus_ctx_t     *ctx;
    ngx_http_chorus_upload_t  *upload;

    ctx = ngx_http_get_module_ctx(r, ngx_http_chorus_module);

    if (ctx == NULL || ctx->upload == NULL) {
        return ngx_http_next_request_body_filter(r, in);
    }

    upload = ctx->upload;

    if (upload->decoder) {
        ngx_http_chorus_upload_hook(r, upload);
    }

    out = NULL;
    last = &out;
    ngx_http_chorus_own_begin(ctx);

    for ( /* void */ ; in; in = in->next) {

        rc = ngx_http_chorus_upload_pass(r, ctx, in->buf, &last);

        if (rc != NGX_OK) {
            /* what follows of the body must not be read as a request */
            r->keepalive = 0;
            r->lingering_close = 1;
            ngx_http_chorus_own_end(ctx);

            return rc;
        }
    }

    ngx_http_chorus_own_end(ctx);

    rc = ngx_http_next_request_body_filter(r, out);

    ngx_chain_update_chains(r->pool, &upload->free, &upload->busy, &out,
                         (ngx_buf_tag_t) &ngx_http_chorus_upload_init);

    return rc;
}


/*
 * The proxy module asks the request how long its body is and how it is
 * framed; nginx itself reads the body by the same fields.  So they tell of
 * the decoded body just while the head for the storage is being made, and for
 * good when all has been read.  (The first call of a body filter comes before
 * the head is made, with the upstream in place.)
 */

static void
ngx_http_chorus_upload_hook(ngx_http_request_t *r,
    ngx_http_chorus_upload_t *upload)
{
    if (upload->create_request == NULL && r->upstream
        && r->upstream->create_request)
    {
        upload->create_request = r->upstream->create_request;
        r->upstream->create_request = ngx_http_chorus_upload_create_request;
    }
}


static ngx_int_t
ngx_http_chorus_upload_create_request(ngx_http_request_t *r)
{
    off_t                      length;
    ngx_int_t                  rc;
    ngx_uint_t                 is_chunked;
    ngx_http_chorus_ctx_t     *ctx;
    ngx_http_chorus_upload_t  *upload;

    ctx = ngx_http_get_module_ctx(r, ngx_http_chorus_module);

    if (ctx == NULL || ctx->upload == NULL) {
        return NGX_ERROR;
    }

    upload = ctx->upload;

    length = r->headers_in.content_length_n;
    is_chunked = r->headers_in.chunked;

    r->headers_in.content_length_n = upload->length;
    r->headers_in.chunked = 0;

    rc = upload->create_request(r);

    r->headers_in.content_length_n = length;
    r->headers_in.chunked = is_chunked;

    return rc;
}


static ngx_int_t
ngx_http_chorus_upload_pass(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx,
    ngx_buf_t *b, ngx_chain_t ***last)
{
    ngx_int_t     rc;
    ngx_uint_t    is_last;
    ngx_chain_t  *cl;

    is_last = b->last_buf;

    rc = ngx_http_chorus_upload_take(ctx, b);

    if (rc == NGX_OK && is_last) {
        rc = ngx_http_chorus_upload_finish(ctx);
    }

    if (rc == NGX_OK && b->pos != b->last) {

        cl = ngx_alloc_chain_link(r->pool);
        if (cl == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        b->last_buf = 0;
        cl->buf = b;
        cl->next = NULL;

        rc = ngx_http_chorus_upload_emit(r, ctx->upload, cl, last);
    }

    if (rc == NGX_OK && is_last) {
        rc = ngx_http_chorus_upload_emit_end(r, ctx->upload, last);
    }

    return rc;
}


/* Leaves in b what may be passed on. */

static ngx_int_t
ngx_http_chorus_upload_take(ngx_http_chorus_ctx_t *ctx, ngx_buf_t *b)
{
    size_t                     size;
    ngx_http_chorus_upload_t  *upload;

    upload = ctx->upload;
    size = b->last - b->pos;

    if (upload->decoder) {

        if (chorus_aws_chunked_decode(upload->decoder, (char *) b->pos, size,
                                      &size, &ctx->refusal)
            != CHORUS_OK)
        {
            return chorus_s3_error_row(ctx->refusal.code)->status;
        }

        b->last = b->pos + size;
    }

    if (upload->checksum
        && !chorus_checksum_update(upload->checksum,
                              (chorus_str_t) { (char *) b->pos, size }))
    {
        return ngx_http_chorus_upload_refuse(ctx, CHORUS_S3_INTERNAL_ERROR,
                                             NULL);
    }

    if (size == 0 || upload->left < 0) {
        return NGX_OK;
    }

    upload->left -= size;

    if (upload->left == 0) {
        upload->held = *--b->last;
        upload->is_held = 1;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_chorus_upload_finish(ngx_http_chorus_ctx_t *ctx)
{
    ngx_http_chorus_upload_t  *upload;

    upload = ctx->upload;

    if (upload->decoder
        && chorus_aws_chunked_end(upload->decoder, &ctx->refusal) != CHORUS_OK)
    {
        return chorus_s3_error_row(ctx->refusal.code)->status;
    }

    return upload->checksum ? ngx_http_chorus_upload_compare(ctx, upload)
                            : NGX_OK;
}


/*
 * Puts the content of cl->buf at the end of the chain, with the text of the
 * frames in it when the content is framed again.  A part that stands before
 * such a text gets a buffer of our own: the buffer of nginx is always the last
 * one, because its memory is taken back as soon as it has been sent.
 *
 * A buffer starts where its content does: a request of which nothing could be
 * sent, and that goes to another connection, goes back to there.
 */

static ngx_int_t
ngx_http_chorus_upload_emit(ngx_http_request_t *r,
    ngx_http_chorus_upload_t *upload, ngx_chain_t *cl, ngx_chain_t ***last)
{
    char           text[CHORUS_AWS_CHUNKED_TEXT_MAX_LEN];
    size_t         n, size, text_len;
    ngx_buf_t     *b;
    ngx_chain_t   *part;

    b = cl->buf;

    while (upload->encodes) {

        size = b->last - b->pos;
        text_len = chorus_aws_chunked_encoder_step(&upload->encoder, size,
                                                   text, &n);
        if (n == 0
            || (text_len
                && ngx_http_chorus_upload_emit_text(r, upload, text, text_len,
                                                    last)
                   != NGX_OK))
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (n == size) {
            break;
        }

        part = ngx_http_chorus_upload_buf(r, upload);
        if (part == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        part->buf->start = b->pos;
        part->buf->pos = b->pos;
        part->buf->last = b->pos + n;

        b->pos = part->buf->last;
        b->start = b->pos;

        **last = part;
        *last = &part->next;
    }

    **last = cl;
    *last = &cl->next;

    return NGX_OK;
}


static ngx_int_t
ngx_http_chorus_upload_emit_text(ngx_http_request_t *r,
    ngx_http_chorus_upload_t *upload, const char *text, size_t len,
    ngx_chain_t ***last)
{
    ngx_chain_t  *cl;

    cl = ngx_http_chorus_upload_buf(r, upload);
    if (cl == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cl->buf->last = ngx_cpymem(cl->buf->last, text, len);

    **last = cl;
    *last = &cl->next;

    return NGX_OK;
}


/* The byte that was held, what goes behind the content, and the mark of the
 * end. */

static ngx_int_t
ngx_http_chorus_upload_emit_end(ngx_http_request_t *r,
    ngx_http_chorus_upload_t *upload, ngx_chain_t ***last)
{
    ngx_chain_t  *cl;

    if (upload->is_held) {

        cl = ngx_http_chorus_upload_buf(r, upload);
        if (cl == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        *cl->buf->last++ = upload->held;

        if (ngx_http_chorus_upload_emit(r, upload, cl, last) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (upload->encodes
        && ngx_http_chorus_upload_emit_trailer(r, upload, last) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cl = ngx_alloc_chain_link(r->pool);
    if (cl == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cl->next = NULL;
    cl->buf = ngx_calloc_buf(r->pool);
    if (cl->buf == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cl->buf->last_buf = 1;

    **last = cl;
    *last = &cl->next;

    if (upload->decoder) {
        r->headers_in.content_length_n = upload->length;
        r->headers_in.chunked = 0;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_chorus_upload_emit_trailer(ngx_http_request_t *r,
    ngx_http_chorus_upload_t *upload, ngx_chain_t ***last)
{
    char                          text[CHORUS_AWS_CHUNKED_END_MAX_LEN];
    size_t                        len;
    chorus_str_t                  checksum;
    chorus_checksum_algorithm_t   algorithm;

    checksum = chorus_aws_chunked_checksum(upload->decoder, &algorithm);
    len = chorus_aws_chunked_encoder_end(&upload->encoder, algorithm,
                                         checksum, text);
    if (len == 0) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_chorus_upload_emit_text(r, upload, text, len, last);
}


/* A buffer of our own with memory for a text.  Its end stays with it, even
 * when it stands for a part of another buffer: the memory is before that. */

static ngx_chain_t *
ngx_http_chorus_upload_buf(ngx_http_request_t *r,
    ngx_http_chorus_upload_t *upload)
{
    u_char       *end;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    cl = ngx_chain_get_free_buf(r->pool, &upload->free);
    if (cl == NULL) {
        return NULL;
    }

    b = cl->buf;
    end = b->end;

    if (end == NULL) {
        end = ngx_pnalloc(r->pool, CHORUS_AWS_CHUNKED_END_MAX_LEN);
        if (end == NULL) {
            return NULL;
        }

        end += CHORUS_AWS_CHUNKED_END_MAX_LEN;
    }

    ngx_memzero(b, sizeof(ngx_buf_t));

    b->start = end - CHORUS_AWS_CHUNKED_END_MAX_LEN;
    b->pos = b->start;
    b->last = b->start;
    b->end = end;
    b->temporary = 1;
    b->flush = r->request_body_no_buffering;
    b->tag = (ngx_buf_tag_t) &ngx_http_chorus_upload_init;

    return cl;
}
