/*
 * What nginx itself refuses (a request that is not HTTP, a storage that does
 * not answer) leaves as S3 XML, as the refusals of Chorus do.
 *
 * nginx makes such an answer in one place, which leaves its mark: err_status.
 * The header filter here, which is called before those of nginx, replaces the
 * headers of the page, the body filter its bytes.  What a storage answered has
 * no err_status and passes, and so does an error_page of the user that is
 * served by a location without Chorus.
 */

#include "ngx_http_chorus_module.h"


typedef struct {
    ngx_uint_t                   status;        /* nginx's */
    chorus_s3_code_t             code;
} ngx_http_chorus_page_t;


static ngx_int_t ngx_http_chorus_error_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_chorus_error_answer(ngx_http_request_t *r);
static ngx_int_t ngx_http_chorus_error_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_chorus_error_request_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static void ngx_http_chorus_error_finalize(ngx_http_request_t *r,
    ngx_int_t rc);
static ngx_uint_t ngx_http_chorus_error_is_page(ngx_http_request_t *r);
static ngx_int_t ngx_http_chorus_error_replace(ngx_http_request_t *r);
static ngx_int_t ngx_http_chorus_error_page(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, chorus_str_t xml);
static void ngx_http_chorus_error_of(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, chorus_s3_refusal_t *refusal,
    ngx_uint_t *status);
static chorus_s3_code_t ngx_http_chorus_error_code(ngx_http_request_t *r);
static ngx_uint_t ngx_http_chorus_error_is_read(ngx_http_request_t *r);
static chorus_str_t ngx_http_chorus_error_resource(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);


/* A status without a row stays, as InvalidRequest or InternalError. */

static const ngx_http_chorus_page_t  ngx_http_chorus_pages[] = {
    { NGX_HTTP_BAD_REQUEST, CHORUS_S3_BAD_REQUEST },
    { NGX_HTTP_FORBIDDEN, CHORUS_S3_ACCESS_DENIED },
    { NGX_HTTP_NOT_ALLOWED, CHORUS_S3_METHOD_NOT_ALLOWED },
    { NGX_HTTP_REQUEST_TIME_OUT, CHORUS_S3_REQUEST_TIMEOUT },
    { NGX_HTTP_LENGTH_REQUIRED, CHORUS_S3_MISSING_CONTENT_LENGTH },
    { NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, CHORUS_S3_ENTITY_TOO_LARGE },
    { NGX_HTTP_REQUEST_URI_TOO_LARGE, CHORUS_S3_INVALID_URI },
    { NGX_HTTP_TOO_MANY_REQUESTS, CHORUS_S3_SLOW_DOWN },
    { NGX_HTTP_NOT_IMPLEMENTED, CHORUS_S3_NOT_IMPLEMENTED },
    { NGX_HTTP_BAD_GATEWAY, CHORUS_S3_BAD_GATEWAY },
    { NGX_HTTP_SERVICE_UNAVAILABLE, CHORUS_S3_SERVICE_UNAVAILABLE },
    { NGX_HTTP_GATEWAY_TIME_OUT, CHORUS_S3_GATEWAY_TIMEOUT },
    { NGX_HTTP_VERSION_NOT_SUPPORTED, CHORUS_S3_BAD_REQUEST },
    { 0, CHORUS_S3_OK }
};


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;
static ngx_http_request_body_filter_pt   ngx_http_next_request_body_filter;


void
ngx_http_chorus_error_init(void)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_chorus_error_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_chorus_error_body_filter;

    ngx_http_next_request_body_filter = ngx_http_top_request_body_filter;
    ngx_http_top_request_body_filter = ngx_http_chorus_error_request_filter;
}


static ngx_int_t
ngx_http_chorus_error_header_filter(ngx_http_request_t *r)
{
    ngx_int_t               rc;
    ngx_http_chorus_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_chorus_module);
    rc = NGX_OK;

    if (ngx_http_chorus_error_is_page(r)) {
        rc = ngx_http_chorus_error_replace(r);

    } else if (ctx && ctx->ready && r == r->main && r->upstream
               && r->upstream->cleanup)
    {
        rc = ngx_http_chorus_error_answer(r);
    }

    return rc == NGX_OK ? ngx_http_next_header_filter(r) : rc;
}


/*
 * What is not HTTP at all, the proxy module takes for an answer of HTTP/0.9: a
 * success, whose body goes to the client without headers.
 */

static ngx_int_t
ngx_http_chorus_error_answer(ngx_http_request_t *r)
{
    ngx_str_t  *protocol;

    protocol = &r->http_protocol;

    if (r->http_version > NGX_HTTP_VERSION_9 || protocol->len == 0) {
        return NGX_OK;
    }

    /* as the client asked, or it would get no headers either */

    r->http_version = protocol->data[protocol->len - 1] == '0'
                      ? NGX_HTTP_VERSION_10 : NGX_HTTP_VERSION_11;

#if (NGX_HTTP_V2)
    if (r->stream) {
        r->http_version = NGX_HTTP_VERSION_20;
    }
#endif

    return NGX_HTTP_BAD_GATEWAY;
}


static ngx_int_t
ngx_http_chorus_error_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_chain_t            *page;
    ngx_http_chorus_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_chorus_module);

    if (ctx == NULL || !ctx->paged || r != r->main) {

        if (ctx && ctx->ready
            && r->headers_out.status == NGX_HTTP_FORBIDDEN)
        {
            ngx_http_chorus_denied(r, ctx, in);
        }

        return ngx_http_next_body_filter(r, in);
    }

    for ( /* void */ ; in; in = in->next) {
        in->buf->pos = in->buf->last;
        in->buf->file_pos = in->buf->file_last;
    }

    page = ctx->page;
    ctx->page = NULL;

    return ngx_http_next_body_filter(r, page);
}


/*
 * nginx closes the connection to a client whose body does not come, without a
 * word.  The proxy module is about to read that body: hear of it when it gives
 * up, because then the client can still be told.
 */

static ngx_int_t
ngx_http_chorus_error_request_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_http_upstream_t    *u;
    ngx_http_chorus_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_chorus_module);
    u = r->upstream;

    if (ctx && ctx->ready && r == r->main && u && u->finalize_request
        && ctx->timeout == NULL)
    {
        ctx->timeout = u->finalize_request;
        u->finalize_request = ngx_http_chorus_error_finalize;
    }

    return ngx_http_next_request_body_filter(r, in);
}


/* The caller closes the connection of a request that timed out. */

static void
ngx_http_chorus_error_finalize(ngx_http_request_t *r, ngx_int_t rc)
{
    chorus_s3_refusal_t     refusal;
    ngx_http_chorus_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_chorus_module);

    if (ctx == NULL) {
        return;
    }

    ctx->timeout(r, rc);

    if (rc != NGX_HTTP_REQUEST_TIME_OUT || r->header_sent
        || r->connection->error)
    {
        return;
    }

    ngx_memzero(&refusal, sizeof(chorus_s3_refusal_t));
    refusal.code = CHORUS_S3_REQUEST_TIMEOUT;

    r->keepalive = 0;
    (void) ngx_http_chorus_refuse_send(r, ctx, &refusal);
}


/* Whether this answer is a page that nginx made, and none of the user's. */

static ngx_uint_t
ngx_http_chorus_error_is_page(ngx_http_request_t *r)
{
    ngx_http_chorus_loc_conf_t  *clcf;
    ngx_http_chorus_srv_conf_t  *cscf;

    /* 401 is the business of auth_basic, and has a challenge */

    if (r != r->main || r->header_sent
        || r->err_status < NGX_HTTP_BAD_REQUEST
        || r->err_status == NGX_HTTP_UNAUTHORIZED)
    {
        return 0;
    }

    /* a storage that an error_page has sent the request to answers */

    if (r->upstream && r->upstream->cleanup) {
        return 0;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_chorus_module);

    if (clcf->enable) {
        return 1;
    }

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_chorus_module);

    return clcf->outside && cscf->serves;
}


static ngx_int_t
ngx_http_chorus_error_replace(ngx_http_request_t *r)
{
    ngx_uint_t              status;
    chorus_mem_t            mem;
    chorus_str_t            xml, request_id;
    chorus_s3_refusal_t     refusal;
    ngx_http_chorus_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_chorus_module);

    if (ctx == NULL) {
        ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_chorus_ctx_t));
        if (ctx == NULL) {
            return NGX_ERROR;
        }

        ctx->request = r;
        ngx_http_set_ctx(r, ctx, ngx_http_chorus_module);
    }

    ngx_memzero(&refusal, sizeof(chorus_s3_refusal_t));
    ngx_http_chorus_error_of(r, ctx, &refusal, &status);

    mem = ngx_http_chorus_mem(r->pool);
    request_id = ngx_http_chorus_request_id(r);
    ctx->request_id = request_id;
    xml = chorus_s3_error_xml(&mem, &refusal,
                              ngx_http_chorus_error_resource(r, ctx),
                              request_id);

    if (xml.data == NULL
        || ngx_http_chorus_error_page(r, ctx, xml) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ctx->error = chorus_s3_error_row(refusal.code)->name;

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "chorus: nginx answers %ui %s: request id %*s",
                  status, ctx->error, request_id.len, request_id.data);

    ngx_http_chorus_leave_body(r);
    ngx_http_clean_header(r);
    r->err_status = status;

    return ngx_http_chorus_refuse_headers(r, status, xml.len, request_id);
}


static ngx_int_t
ngx_http_chorus_error_page(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx,
    chorus_str_t xml)
{
    ngx_buf_t  *b;

    b = ngx_calloc_buf(r->pool);
    ctx->page = ngx_alloc_chain_link(r->pool);

    if (b == NULL || ctx->page == NULL) {
        return NGX_ERROR;
    }

    b->pos = (u_char *) xml.data;
    b->last = b->pos + xml.len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    ctx->page->buf = b;
    ctx->page->next = NULL;
    ctx->paged = 1;

    return NGX_OK;
}


static void
ngx_http_chorus_error_of(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx,
    chorus_s3_refusal_t *refusal, ngx_uint_t *status)
{
    ngx_http_chorus_main_conf_t  *cmcf;

    if (ctx->refusal.code) {
        cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);
        ngx_http_chorus_count(cmcf, refused);

        /* the body is wrong, and its client may be sending still */
        r->lingering_close = 1;

        *refusal = ctx->refusal;
        *status = chorus_s3_error_row(refusal->code)->status;
        return;
    }

    refusal->code = ngx_http_chorus_error_code(r);
    *status = chorus_s3_error_row(refusal->code)->status;

    if (refusal->code == CHORUS_S3_INVALID_REQUEST
        || refusal->code == CHORUS_S3_INTERNAL_ERROR)
    {
        *status = r->err_status;
    }

    if (ngx_http_chorus_error_is_read(r)) {
        return;
    }

    /* the storage may have done it all the same */

    if (refusal->code == CHORUS_S3_BAD_GATEWAY) {
        refusal->message = chorus_str("The storage gave no valid answer. "
                              "Whether the request took effect is not known.");

    } else if (refusal->code == CHORUS_S3_GATEWAY_TIMEOUT) {
        refusal->message = chorus_str("The storage did not answer in time. "
                              "Whether the request took effect is not known.");
    }
}


static chorus_s3_code_t
ngx_http_chorus_error_code(ngx_http_request_t *r)
{
    const ngx_http_chorus_page_t  *page;

    /* nginx's 494 is a 400 by now; but for the client of any other 400 it
     * does not linger */

    if (r->err_status == NGX_HTTP_BAD_REQUEST && r->lingering_close) {
        return CHORUS_S3_HEADERS_TOO_LARGE;
    }

    /* limit_req, limit_conn */

    if (r->err_status == NGX_HTTP_SERVICE_UNAVAILABLE
        && (r->limit_req_status || r->limit_conn_status))
    {
        return CHORUS_S3_SLOW_DOWN;
    }

    for (page = ngx_http_chorus_pages; page->status; page++) {
        if (page->status == r->err_status) {
            return page->code;
        }
    }

    return r->err_status < NGX_HTTP_INTERNAL_SERVER_ERROR
           ? CHORUS_S3_INVALID_REQUEST : CHORUS_S3_INTERNAL_ERROR;
}


static ngx_uint_t
ngx_http_chorus_error_is_read(ngx_http_request_t *r)
{
    return (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_OPTIONS)) != 0;
}


/* The path alone: a query may be credentials. */

static chorus_str_t
ngx_http_chorus_error_resource(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx)
{
    chorus_str_t  target;

    if (ctx->uri.path.len) {
        return ctx->uri.path;
    }

    if (r->unparsed_uri.len == 0) {
        return chorus_str("");
    }

    target = ngx_http_chorus_view(&r->unparsed_uri);

    return chorus_str_cut(&target, '?');
}
