/*
 * Who sent a request: its credentials verified by shared/chorus_auth.c, its
 * user found, and what authenticated it taken out of its target.
 */

#include "ngx_http_chorus_module.h"


static chorus_str_t ngx_http_chorus_secret_of(void *data,
    chorus_str_t access_key);


void
ngx_http_chorus_verifier(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx,
    chorus_mem_t *mem, chorus_auth_verifier_t *verifier)
{
    ngx_http_chorus_loc_conf_t   *clcf;
    ngx_http_chorus_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_chorus_module);

    *mem = ngx_http_chorus_mem(r->pool);

    verifier->mem = mem;
    verifier->crypto = cmcf->crypto;
    verifier->keys = cmcf->keys;
    verifier->now = ngx_time();
    verifier->region = cmcf->config->region;
    verifier->secret_of = ngx_http_chorus_secret_of;
    verifier->data = cmcf->config;
    verifier->accepts_v2 = clcf->auth_v2;
    verifier->accepts_anonymous = (clcf->anonymous != NULL);
    verifier->v2_bucket = ctx->wire_path.len == ctx->uri.path.len
                          ? chorus_null_str : ctx->uri.bucket;
}


ngx_int_t
ngx_http_chorus_authenticate(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, chorus_s3_refusal_t *refusal)
{
    chorus_rc_t              rc;
    chorus_mem_t             mem;
    chorus_uri_t             wire;
    chorus_auth_verifier_t   verifier;
    chorus_sigv4_request_t   request;

    ngx_http_chorus_verifier(r, ctx, &mem, &verifier);

    wire = ctx->uri;
    wire.path = ctx->wire_path;

    request.method = ngx_http_chorus_view(&r->method_name);
    request.uri = &wire;
    request.headers = ctx->headers;
    request.nheaders = ctx->nheaders;
    request.payload = chorus_null_str;

    rc = chorus_auth_verify(&verifier, &request, &ctx->auth, refusal);

    if (rc == CHORUS_NOMEM) {
        refusal->code = CHORUS_S3_INTERNAL_ERROR;
    }

    if (rc != CHORUS_OK) {
        return NGX_ERROR;
    }

    ctx->content_sha256 = ngx_http_chorus_ngx_str(ctx->auth.payload);

    return ngx_http_chorus_identify(r, ctx, refusal);
}


ngx_int_t
ngx_http_chorus_identify(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx,
    chorus_s3_refusal_t *refusal)
{
    const chorus_user_t          *user;
    const chorus_credential_t    *credential;
    ngx_http_chorus_loc_conf_t   *clcf;
    ngx_http_chorus_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);

    if (ctx->auth.access_key.data == NULL) {

        if (!ngx_http_chorus_anonymous_may(r, ctx)) {
            refusal->code = CHORUS_S3_ACCESS_DENIED;
            return NGX_ERROR;
        }

        clcf = ngx_http_get_module_loc_conf(r, ngx_http_chorus_module);
        ctx->user = clcf->anonymous->name;

        return NGX_OK;
    }

    user = chorus_config_user_of(cmcf->config, ctx->auth.access_key,
                                 &credential);

    if (user == NULL) {
        refusal->code = CHORUS_S3_INVALID_ACCESS_KEY_ID;
        return NGX_ERROR;
    }

    ctx->user = user->name;

    return NGX_OK;
}


ngx_int_t
ngx_http_chorus_signing_key(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx,
    u_char key[CHORUS_SHA256_LEN])
{
    chorus_mem_t            mem;
    chorus_auth_verifier_t  verifier;

    ngx_http_chorus_verifier(r, ctx, &mem, &verifier);

    return chorus_auth_signing_key(&verifier, &ctx->auth, key) ? NGX_OK
                                                               : NGX_ERROR;
}


/* What authenticated the request ends here: the storage sees the target
 * without it. */

ngx_int_t
ngx_http_chorus_target(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx)
{
    chorus_mem_t    mem;
    chorus_str_t    target;
    chorus_error_t  error;

    if (ctx->uri.query.len == 0) {
        return NGX_OK;
    }

    if (r->method == NGX_HTTP_OPTIONS) {
        /* asked in the name of a presigned URL */
        ctx->auth.plus_is_space = 1;
        ctx->auth.kind = chorus_uri_arg(&ctx->uri,
                                        chorus_str("X-Amz-Signature"))
                         ? CHORUS_AUTH_V4_QUERY : CHORUS_AUTH_V2_QUERY;
    }

    mem = ngx_http_chorus_mem(r->pool);

    target = chorus_auth_target(&mem, &ctx->uri, &ctx->auth);

    if (target.data == NULL
        || chorus_uri_parse(&mem, target, &ctx->uri, &error) != CHORUS_OK)
    {
        return NGX_ERROR;
    }

    ctx->target = ngx_http_chorus_ngx_str(target);

    return NGX_OK;
}


static chorus_str_t
ngx_http_chorus_secret_of(void *data, chorus_str_t access_key)
{
    const chorus_credential_t  *credential;

    if (chorus_config_user_of(data, access_key, &credential) == NULL) {
        return chorus_null_str;
    }

    return credential->secret_key;
}
