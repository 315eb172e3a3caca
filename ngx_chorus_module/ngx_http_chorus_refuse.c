/*
 * A refusal leaves as S3 XML with an x-amz-request-id.
 */

#include "ngx_http_chorus_module.h"


#define NGX_HTTP_CHORUS_MAX_LOGGED  128


static ngx_table_elt_t *ngx_http_chorus_add_header(ngx_http_request_t *r,
    const char *name, chorus_str_t value);
static chorus_str_t ngx_http_chorus_loggable(ngx_http_request_t *r,
    chorus_str_t text);
static ngx_int_t ngx_http_chorus_send(ngx_http_request_t *r,
    ngx_uint_t status, chorus_str_t body, chorus_str_t request_id);


ngx_int_t
ngx_http_chorus_refuse_code(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx,
    chorus_s3_code_t code, const char *message)
{
    chorus_s3_refusal_t  refusal;

    ngx_memzero(&refusal, sizeof(chorus_s3_refusal_t));

    refusal.code = code;
    refusal.message = chorus_str_from(message);

    return ngx_http_chorus_refuse(r, ctx, &refusal);
}


ngx_int_t
ngx_http_chorus_refuse(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx,
    const chorus_s3_refusal_t *refusal)
{
    ngx_http_finalize_request(r, ngx_http_chorus_refuse_send(r, ctx, refusal));

    return NGX_DONE;
}


ngx_int_t
ngx_http_chorus_refuse_send(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx,
    const chorus_s3_refusal_t *refusal)
{
    ngx_uint_t                    level;
    chorus_str_t                  body, request_id, access_key;
    chorus_mem_t                  mem;
    ngx_http_chorus_main_conf_t  *cmcf;
    const chorus_s3_error_row_t  *row;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);
    ngx_http_chorus_count(cmcf, refused);
    ngx_http_chorus_own_end(ctx);

    row = chorus_s3_error_row(refusal->code);
    ctx->error = row->name;

    request_id = ngx_http_chorus_request_id(r);
    ctx->request_id = request_id;

    access_key = ngx_http_chorus_loggable(r, ctx->auth.access_key);

    level = row->status < 500 || ctx->blocked ? NGX_LOG_INFO : NGX_LOG_ERR;

    ngx_log_error(level, r->connection->log, 0,
                  "chorus: refused %ui %s: path \"%*s\" access key \"%*s\" "
                  "request id %*s",
                  (ngx_uint_t) row->status, row->name,
                  ctx->uri.path.len, ctx->uri.path.data,
                  access_key.len, access_key.data,
                  request_id.len, request_id.data);

    mem = ngx_http_chorus_mem(r->pool);

    body = chorus_s3_error_xml(&mem, refusal, ctx->uri.path, request_id);

    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (refusal->region.len
        && ngx_http_chorus_add_header(r, "x-amz-bucket-region",
                                      refusal->region)
           == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_chorus_leave_body(r);

    return ngx_http_chorus_send(r, row->status, body, request_id);
}


/* What was decoded from a query or a form may have line breaks in it, and
 * would write lines of its own into the log. */

static chorus_str_t
ngx_http_chorus_loggable(ngx_http_request_t *r, chorus_str_t text)
{
    u_char  *p;
    size_t   i;

    text.len = ngx_min(text.len, NGX_HTTP_CHORUS_MAX_LOGGED);

    p = ngx_pnalloc(r->pool, text.len + 1);
    if (p == NULL) {
        return chorus_str("");
    }

    for (i = 0; i < text.len; i++) {
        p[i] = text.data[i];

        if (p[i] <= 0x20 || p[i] >= 0x7f || p[i] == '"') {
            p[i] = '?';
        }
    }

    text.data = (char *) p;

    return text;
}


chorus_str_t
ngx_http_chorus_request_id(ngx_http_request_t *r)
{
    u_char  *id, *p;

    id = ngx_pnalloc(r->pool, 16);
    if (id == NULL) {
        return chorus_str("0000000000000000");
    }

    p = ngx_sprintf(id, "%08XD", (uint32_t) ngx_random());
    ngx_sprintf(p, "%08XD", (uint32_t) ngx_random());

    return (chorus_str_t) { (char *) id, 16 };
}


ngx_int_t
ngx_http_chorus_refuse_headers(ngx_http_request_t *r, ngx_uint_t status,
    size_t len, chorus_str_t request_id)
{
    ngx_table_elt_t  *server;

    r->headers_out.status = status;
    r->headers_out.content_length_n = len;
    ngx_str_set(&r->headers_out.content_type, "application/xml");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    server = ngx_http_chorus_add_header(r, "Server", chorus_str("Chorus"));

    if (server == NULL
        || ngx_http_chorus_add_header(r, "x-amz-request-id", request_id)
           == NULL)
    {
        return NGX_ERROR;
    }

    r->headers_out.server = server;

    return NGX_OK;
}


static ngx_table_elt_t *
ngx_http_chorus_add_header(ngx_http_request_t *r, const char *name,
    chorus_str_t value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NULL;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value = ngx_http_chorus_ngx_str(value);

    return h;
}


/*
 * A client that waits for "100 Continue" must not be told to go on with a
 * body that nobody wants; since it may send it or not, the connection cannot
 * be used again.
 */

void
ngx_http_chorus_leave_body(ngx_http_request_t *r)
{
    if (r->headers_in.expect && !r->request_body) {
        r->expect_tested = 1;
        r->keepalive = 0;
    }
}


static ngx_int_t
ngx_http_chorus_send(ngx_http_request_t *r, ngx_uint_t status,
    chorus_str_t body, chorus_str_t request_id)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_chorus_refuse_headers(r, status, body.len, request_id)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = (u_char *) body.data;
    b->last = b->pos + body.len;
    b->memory = 1;
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}
