/*
 * The headers of the client, as shared/ takes them.
 */

#include "ngx_http_chorus_module.h"


ngx_int_t
ngx_http_chorus_collect_headers(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx)
{
    size_t            n;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *header;

    n = 0;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        n += part->nelts;
    }

    if (n > NGX_HTTP_CHORUS_MAX_HEADERS) {
        return NGX_DECLINED;
    }

    /* one more: body.c may add a checksum */
    ctx->headers = ngx_palloc(r->pool, (n + 1) * sizeof(chorus_header_t));
    if (ctx->headers == NULL) {
        return NGX_ERROR;
    }

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        header = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (header[i].hash == 0) {
                continue;
            }

            ctx->headers[ctx->nheaders].name =
                                        ngx_http_chorus_view(&header[i].key);
            ctx->headers[ctx->nheaders].value =
                                        ngx_http_chorus_view(&header[i].value);
            ctx->nheaders++;
        }
    }

    return NGX_OK;
}


/* Those of the client that chorus_proxy.conf sets; upload.c may change
 * them. */

void
ngx_http_chorus_client_headers(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx)
{
    ctx->content_type = ngx_http_chorus_ngx_str(
            ngx_http_chorus_header(r, ctx, "content-type"));
    ctx->content_encoding = ngx_http_chorus_ngx_str(
            ngx_http_chorus_header(r, ctx, "content-encoding"));
    ctx->decoded_content_length = ngx_http_chorus_ngx_str(
            ngx_http_chorus_header(r, ctx, "x-amz-decoded-content-length"));
    ctx->trailer = ngx_http_chorus_ngx_str(
            ngx_http_chorus_header(r, ctx, "x-amz-trailer"));
    ctx->sdk_checksum_algorithm = ngx_http_chorus_ngx_str(
            ngx_http_chorus_header(r, ctx, "x-amz-sdk-checksum-algorithm"));
}


chorus_str_t
ngx_http_chorus_header(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx,
    const char *name)
{
    size_t         i, n, len;
    chorus_buf_t   joined;
    chorus_mem_t   mem;
    chorus_str_t   value, wanted;

    wanted = chorus_str_from(name);
    value = chorus_null_str;

    for (i = 0, n = 0, len = 0; i < ctx->nheaders; i++) {
        if (chorus_str_caseeq(ctx->headers[i].name, wanted)) {
            value = ctx->headers[i].value;
            len += value.len + 1;
            n++;
        }
    }

    if (n < 2) {
        return chorus_str_trim(value);
    }

    /* at once: a stranger may repeat a header hundreds of times */

    mem = ngx_http_chorus_mem(r->pool);
    joined = chorus_buf(&mem, len);

    for (i = 0, n = 0; i < ctx->nheaders; i++) {

        if (!chorus_str_caseeq(ctx->headers[i].name, wanted)) {
            continue;
        }

        chorus_buf_text(&joined, n++ ? "," : "");
        chorus_buf_add(&joined, chorus_str_trim(ctx->headers[i].value));
    }

    return chorus_buf_str(&joined);
}
