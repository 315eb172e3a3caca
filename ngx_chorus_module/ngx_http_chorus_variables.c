/*
 * $chorus_*: what chorus_proxy.conf binds to proxy_pass and proxy_set_header,
 * and what an access log wants to know.  All are cacheable: a value read
 * twice is the same value.
 */

#include "ngx_http_chorus_module.h"


static ngx_int_t ngx_http_chorus_variable_request(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_chorus_variable_content_length(
    ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_chorus_variable_log(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


typedef enum {
    NGX_HTTP_CHORUS_LOG_USER = 0,
    NGX_HTTP_CHORUS_LOG_OPERATION,
    NGX_HTTP_CHORUS_LOG_BUCKET,
    NGX_HTTP_CHORUS_LOG_STORAGE,
    NGX_HTTP_CHORUS_LOG_ERROR,
    NGX_HTTP_CHORUS_LOG_PATH,
    NGX_HTTP_CHORUS_LOG_REQUEST_ID
} ngx_http_chorus_log_variable_t;


static ngx_http_variable_t  ngx_http_chorus_variables[] = {

    /* the request for the storage; empty until it has been authenticated,
     * so that a misplaced proxy_pass fails instead of passing it on */

    { ngx_string("chorus_pass"), NULL, ngx_http_chorus_variable_request,
      offsetof(ngx_http_chorus_ctx_t, pass), 0, 0 },

    { ngx_string("chorus_host"), NULL, ngx_http_chorus_variable_request,
      offsetof(ngx_http_chorus_ctx_t, host), 0, 0 },

    { ngx_string("chorus_tls_name"), NULL, ngx_http_chorus_variable_request,
      offsetof(ngx_http_chorus_ctx_t, tls_name), 0, 0 },

    { ngx_string("chorus_authorization"), NULL,
      ngx_http_chorus_variable_request,
      offsetof(ngx_http_chorus_ctx_t, authorization), 0, 0 },

    { ngx_string("chorus_date"), NULL, ngx_http_chorus_variable_request,
      offsetof(ngx_http_chorus_ctx_t, date), 0, 0 },

    { ngx_string("chorus_content_sha256"), NULL,
      ngx_http_chorus_variable_request,
      offsetof(ngx_http_chorus_ctx_t, content_sha256), 0, 0 },

    { ngx_string("chorus_content_length"), NULL,
      ngx_http_chorus_variable_content_length, 0, NGX_HTTP_VAR_NOCACHEABLE,
      0 },

    /* headers of the client that change with the body */

    { ngx_string("chorus_content_type"), NULL,
      ngx_http_chorus_variable_request,
      offsetof(ngx_http_chorus_ctx_t, content_type), 0, 0 },

    { ngx_string("chorus_content_encoding"), NULL,
      ngx_http_chorus_variable_request,
      offsetof(ngx_http_chorus_ctx_t, content_encoding), 0, 0 },

    { ngx_string("chorus_decoded_content_length"), NULL,
      ngx_http_chorus_variable_request,
      offsetof(ngx_http_chorus_ctx_t, decoded_content_length), 0, 0 },

    { ngx_string("chorus_trailer"), NULL, ngx_http_chorus_variable_request,
      offsetof(ngx_http_chorus_ctx_t, trailer), 0, 0 },

    { ngx_string("chorus_sdk_checksum_algorithm"), NULL,
      ngx_http_chorus_variable_request,
      offsetof(ngx_http_chorus_ctx_t, sdk_checksum_algorithm), 0, 0 },

    /* for logs; "-" when there is nothing to say */

    { ngx_string("chorus_user"), NULL, ngx_http_chorus_variable_log,
      NGX_HTTP_CHORUS_LOG_USER, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("chorus_operation"), NULL, ngx_http_chorus_variable_log,
      NGX_HTTP_CHORUS_LOG_OPERATION, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("chorus_bucket"), NULL, ngx_http_chorus_variable_log,
      NGX_HTTP_CHORUS_LOG_BUCKET, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("chorus_storage"), NULL, ngx_http_chorus_variable_log,
      NGX_HTTP_CHORUS_LOG_STORAGE, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("chorus_error"), NULL, ngx_http_chorus_variable_log,
      NGX_HTTP_CHORUS_LOG_ERROR, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("chorus_path"), NULL, ngx_http_chorus_variable_log,
      NGX_HTTP_CHORUS_LOG_PATH, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("chorus_request_id"), NULL, ngx_http_chorus_variable_log,
      NGX_HTTP_CHORUS_LOG_REQUEST_ID, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_http_chorus_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_chorus_variables; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_chorus_variable_request(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t              *s;
    ngx_http_chorus_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_chorus_module);

    if (ctx == NULL && data == offsetof(ngx_http_chorus_ctx_t, pass)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "chorus: $chorus_pass is empty: \"chorus on\" is "
                      "missing where chorus_proxy.conf is included");
    }

    if (ctx == NULL || !ctx->ready) {
        v->not_found = 1;
        return NGX_OK;
    }

    s = (ngx_str_t *) ((u_char *) ctx + data);

    v->data = s->data;
    v->len = s->len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


/*
 * The length of the body for the storage, as the proxy module itself would
 * send it, but for a form, whose head is another.
 *
 * The proxy module asks for it while it makes the request, and then looks
 * whether it has to read more of the body.  nginx has taken that flag back by
 * then, because the body was begun to be read before (body.c).
 */

static ngx_int_t
ngx_http_chorus_variable_content_length(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    off_t                   len;
    ngx_http_chorus_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_chorus_module);

    len = r->headers_in.content_length_n;

    if (r->headers_in.chunked && r->reading_body) {
        len = -1;
    }

    if (ctx && ctx->ready && ctx->form) {
        len = ctx->content_length;
        r->request_body_no_buffering = r->reading_body;
    }

    if (len < 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = ngx_pnalloc(r->pool, NGX_OFF_T_LEN);
    if (v->data == NULL) {
        return NGX_ERROR;
    }

    v->len = ngx_sprintf(v->data, "%O", len) - v->data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_chorus_variable_log(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    chorus_str_t            s;
    ngx_http_chorus_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_chorus_module);

    if (ctx == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    switch ((ngx_http_chorus_log_variable_t) data) {

    case NGX_HTTP_CHORUS_LOG_USER:
        s = ctx->user;
        break;

    case NGX_HTTP_CHORUS_LOG_OPERATION:
        s = chorus_str_from(ctx->operation ? ctx->operation->name : NULL);
        break;

    case NGX_HTTP_CHORUS_LOG_BUCKET:
        s = ctx->uri.bucket;
        break;

    case NGX_HTTP_CHORUS_LOG_STORAGE:
        s = ctx->storage ? ctx->storage->name : chorus_null_str;
        break;

    case NGX_HTTP_CHORUS_LOG_ERROR:
        s = chorus_str_from(ctx->error);
        break;

    case NGX_HTTP_CHORUS_LOG_PATH:
        s = ctx->uri.path;
        break;

    default: /* NGX_HTTP_CHORUS_LOG_REQUEST_ID */
        s = ctx->request_id;
        break;
    }

    if (s.len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = (u_char *) s.data;
    v->len = s.len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}
