/*
 * The request signed again: with the user's credentials on the storage, the
 * storage's region and host.  The body is not read: its hash, or
 * UNSIGNED-PAYLOAD, is what the client sent and what has just been verified
 * as signed, so main itself refuses a body that was changed on the way.
 */

#include "ngx_http_chorus_module.h"


static const char  *ngx_http_chorus_replaced[] = {
    "x-amz-date",
    "x-amz-content-sha256",
    "x-amz-security-token",     /* of the client's session with Chorus */
    "x-amz-decoded-content-length",
    "x-amz-trailer",
    "x-amz-sdk-checksum-algorithm",
    NULL
};


static size_t ngx_http_chorus_signed_headers(ngx_http_chorus_ctx_t *ctx,
    chorus_header_t *headers);
static void ngx_http_chorus_add(chorus_header_t *headers, size_t *n,
    const char *name, ngx_str_t *value);
static void ngx_http_chorus_set_host(ngx_http_chorus_ctx_t *ctx);
static ngx_int_t ngx_http_chorus_set_pass(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);


void
ngx_http_chorus_signer(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx,
    chorus_mem_t *mem, chorus_sigv4_signer_t *signer)
{
    const chorus_credential_t    *credential;
    ngx_http_chorus_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);
    credential = chorus_storage_credential(ctx->storage, ctx->user);

    *mem = ngx_http_chorus_mem(r->pool);

    signer->mem = mem;
    signer->crypto = cmcf->crypto;
    signer->keys = cmcf->keys;
    signer->access_key = credential->access_key;
    signer->secret_key = credential->secret_key;
    signer->region = ctx->storage->region;
}


ngx_int_t
ngx_http_chorus_sign(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx)
{
    char                     date[CHORUS_AMZ_DATE_LEN + 1];
    chorus_mem_t             mem;
    chorus_str_t             value;
    chorus_header_t         *headers;
    chorus_sigv4_signer_t    signer;
    chorus_sigv4_request_t   request;

    ngx_http_chorus_signer(r, ctx, &mem, &signer);

    chorus_time_amz(ngx_time(), date);

    value = chorus_str_dup(&mem, (chorus_str_t) { date, CHORUS_AMZ_DATE_LEN });

    /* and six of ours */
    headers = ngx_palloc(r->pool,
                         (ctx->nheaders + 6) * sizeof(chorus_header_t));

    if (value.data == NULL || headers == NULL) {
        return NGX_ERROR;
    }

    ctx->date = ngx_http_chorus_ngx_str(value);

    request.method = ngx_http_chorus_view(&r->method_name);
    request.uri = &ctx->uri;
    request.payload = ngx_http_chorus_view(&ctx->content_sha256);
    request.headers = headers;
    request.nheaders = ngx_http_chorus_signed_headers(ctx, headers);

    value = chorus_sigv4_sign(&signer, &request, value);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    ctx->authorization = ngx_http_chorus_ngx_str(value);

    return NGX_OK;
}


ngx_int_t
ngx_http_chorus_address(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx)
{
    ngx_http_chorus_set_host(ctx);

    return ngx_http_chorus_set_pass(r, ctx);
}


static void
ngx_http_chorus_set_host(ngx_http_chorus_ctx_t *ctx)
{
    u_char  *colon;

    ctx->host = ngx_http_chorus_ngx_str(ctx->storage->host);
    ctx->tls_name = ctx->host;

    /* "[::1]:8443" has colons of its own before the bracket closes */

    colon = ngx_strlchr(ctx->host.data, ctx->host.data + ctx->host.len, ']');
    colon = ngx_strlchr(colon ? colon : ctx->host.data,
                        ctx->host.data + ctx->host.len, ':');
    if (colon) {
        ctx->tls_name.len = colon - ctx->host.data;
    }
}


/* What the storage will see: the client's x-amz-* headers as the proxy module
 * passes them on, and ours.  Returns how many. */

static size_t
ngx_http_chorus_signed_headers(ngx_http_chorus_ctx_t *ctx,
    chorus_header_t *headers)
{
    size_t        i, n;
    ngx_uint_t    k;
    chorus_str_t  name;

    n = 0;

    for (i = 0; i < ctx->nheaders; i++) {
        name = ctx->headers[i].name;

        if (!chorus_str_casestarts(name, chorus_str("x-amz-"))) {
            continue;
        }

        for (k = 0; ngx_http_chorus_replaced[k]; k++) {
            if (chorus_str_caseeq(name,
                            chorus_str_from(ngx_http_chorus_replaced[k])))
            {
                break;
            }
        }

        if (ngx_http_chorus_replaced[k] == NULL) {
            headers[n++] = ctx->headers[i];
        }
    }

    ngx_http_chorus_add(headers, &n, "host", &ctx->host);
    ngx_http_chorus_add(headers, &n, "x-amz-date", &ctx->date);
    ngx_http_chorus_add(headers, &n, "x-amz-content-sha256",
                        &ctx->content_sha256);
    ngx_http_chorus_add(headers, &n, "x-amz-decoded-content-length",
                        &ctx->decoded_content_length);
    ngx_http_chorus_add(headers, &n, "x-amz-trailer", &ctx->trailer);
    ngx_http_chorus_add(headers, &n, "x-amz-sdk-checksum-algorithm",
                        &ctx->sdk_checksum_algorithm);

    return n;
}


/* What chorus_proxy.conf sets to an empty value is not sent. */

static void
ngx_http_chorus_add(chorus_header_t *headers, size_t *n, const char *name,
    ngx_str_t *value)
{
    if (value->len) {
        headers[*n].name = chorus_str_from(name);
        headers[*n].value = ngx_http_chorus_view(value);
        (*n)++;
    }
}


/* "http://main" and the target: proxy_pass finds the upstream of that name and
 * sends the bytes of the target as they are. */

static ngx_int_t
ngx_http_chorus_set_pass(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, sizeof("https://") - 1 + ctx->storage->name.len
                             + ctx->target.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ctx->pass.data = p;

    p = ngx_cpymem(p, "https://", sizeof("https://") - 1);

    if (!ctx->storage->tls) {
        p = ngx_cpymem(ctx->pass.data, "http://", sizeof("http://") - 1);
    }

    p = ngx_cpymem(p, ctx->storage->name.data, ctx->storage->name.len);
    p = ngx_cpymem(p, ctx->target.data, ctx->target.len);

    ctx->pass.len = p - ctx->pass.data;

    return NGX_OK;
}
