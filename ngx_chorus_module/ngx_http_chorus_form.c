/*
 * Browser uploads: a POST on a bucket whose credentials, key and all are
 * fields of a form, in front of the file.
 *
 * That part of the body is read first, bounded.  Main gets a form of our own
 * with the same fields and a policy signed with the user's credentials there;
 * the file follows as it comes from the client.  So the length of the whole is
 * known, main itself holds the file to the policy, and the answer, with its
 * redirect or document, is main's.
 */

#include "ngx_http_chorus_module.h"
#include "chorus_post_form.h"
#include "chorus_post_policy.h"


struct ngx_http_chorus_form_s {
    chorus_mem_t               mem;
    chorus_post_form_t         form;
    chorus_post_grant_t        grant;
};


static ngx_int_t ngx_http_chorus_form_take(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);
static ngx_int_t ngx_http_chorus_form_verify(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);
static ngx_int_t ngx_http_chorus_form_identify(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);
static ngx_uint_t ngx_http_chorus_form_is_harmless(chorus_post_form_t *form);
static ngx_int_t ngx_http_chorus_form_refuse(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, chorus_rc_t rc);
static ngx_chain_t *ngx_http_chorus_form_link(ngx_http_request_t *r,
    u_char *pos, size_t size, ngx_chain_t *next);


/* Read by a form's user agent or by nginx; any other x-amz-* header might mean
 * something to main, and no policy speaks of it. */

static const char  *ngx_http_chorus_form_headers[] = {
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-user-agent",
    NULL
};


ngx_uint_t
ngx_http_chorus_form_is(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx)
{
    return ctx->operation->touch == CHORUS_TOUCH_UNKNOWABLE
           && ctx->uri.bucket.len && ctx->uri.key.len == 0
           && ctx->uri.query.len == 0
           && ngx_strcmp(ctx->operation->name, "PostObject") == 0
           && r->headers_in.authorization == NULL;
}


ngx_int_t
ngx_http_chorus_form_read(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx)
{
    size_t                   i;
    chorus_rc_t              rc;
    ngx_http_chorus_form_t  *form;

    for (i = 0; i < ctx->nheaders; i++) {

        if (!ngx_http_chorus_amz_listed(r, ngx_http_chorus_form_headers,
                                        ctx->headers[i].name))
        {
            ctx->refusal.headers = ctx->headers[i].name;
            ctx->refusal.code = CHORUS_S3_HEADERS_NOT_SIGNED;

            return ngx_http_chorus_refuse(r, ctx, &ctx->refusal);
        }
    }

    if (r->headers_in.chunked || r->headers_in.content_length_n < 0) {
        return ngx_http_chorus_refuse_code(r, ctx,
                                      CHORUS_S3_MISSING_CONTENT_LENGTH, NULL);
    }

    form = ngx_pcalloc(r->pool, sizeof(ngx_http_chorus_form_t));
    if (form == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    form->mem = ngx_http_chorus_mem(r->pool);
    ctx->form = form;

    rc = chorus_post_form_begin(&form->form, &form->mem,
                                ngx_http_chorus_view(&ctx->content_type),
                                &ctx->refusal);
    if (rc != CHORUS_OK) {
        return ngx_http_chorus_form_refuse(r, ctx, rc);
    }

    return ngx_http_chorus_body_read(r, ctx, ngx_http_chorus_form_take);
}


/* More of the body has come: does the file begin? */

static ngx_int_t
ngx_http_chorus_form_take(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx)
{
    chorus_rc_t          rc;
    chorus_str_t         body;
    chorus_post_form_t  *form;

    form = &ctx->form->form;

    body = (chorus_str_t) { (char *) ctx->body->pos,
                            ctx->body->last - ctx->body->pos };

    rc = chorus_post_form_read(form, body, !r->reading_body);

    if (rc != CHORUS_OK) {
        return ngx_http_chorus_form_refuse(r, ctx, rc);
    }

    if (!form->is_complete) {
        return NGX_AGAIN;
    }

    return ngx_http_chorus_form_verify(r, ctx);
}


static ngx_int_t
ngx_http_chorus_form_refuse(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx,
    chorus_rc_t rc)
{
    if (rc == CHORUS_NOMEM) {
        ctx->refusal.code = CHORUS_S3_INTERNAL_ERROR;
    }

    r->keepalive = 0;

    return ngx_http_chorus_refuse(r, ctx, &ctx->refusal);
}


static ngx_int_t
ngx_http_chorus_form_verify(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx)
{
    ngx_int_t                rc;
    chorus_rc_t              verified;
    chorus_mem_t             mem;
    chorus_post_check_t      check;
    chorus_auth_verifier_t   verifier;
    ngx_http_chorus_form_t  *form;

    form = ctx->form;

    ngx_http_chorus_verifier(r, ctx, &mem, &verifier);

    check.verifier = &verifier;
    check.bucket = ctx->uri.bucket;
    check.content_length = r->headers_in.content_length_n;
    check.accepts_v2 = verifier.accepts_v2;
    check.accepts_anonymous = verifier.accepts_anonymous;

    verified = chorus_post_verify(&check, &form->form, &form->grant,
                                  &ctx->refusal);

    if (verified != CHORUS_OK) {
        return ngx_http_chorus_form_refuse(r, ctx, verified);
    }

    ctx->auth.access_key = form->grant.access_key;

    rc = ngx_http_chorus_form_identify(r, ctx);

    if (rc != NGX_OK) {
        return rc;
    }

    ctx->keys = &form->form.key;
    ctx->nkeys = 1;

    return ngx_http_chorus_access_go(r, ctx);
}


static ngx_int_t
ngx_http_chorus_form_identify(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx)
{
    if (ctx->auth.access_key.data == NULL
        && !ngx_http_chorus_form_is_harmless(&ctx->form->form))
    {
        ctx->refusal.code = CHORUS_S3_ACCESS_DENIED;
        return ngx_http_chorus_form_refuse(r, ctx, CHORUS_ERROR);
    }

    if (ngx_http_chorus_identify(r, ctx, &ctx->refusal) != NGX_OK) {
        return ngx_http_chorus_form_refuse(r, ctx, CHORUS_ERROR);
    }

    return NGX_OK;
}


/* Of a form that nobody has signed: no ACL, nor what binds the object. */

static ngx_uint_t
ngx_http_chorus_form_is_harmless(chorus_post_form_t *form)
{
    size_t        i;
    chorus_str_t  name;

    for (i = 0; i < form->nfields; i++) {

        name = form->fields[i].name;

        if (chorus_str_caseeq(name, chorus_str("acl"))
            || (ngx_http_chorus_is_amz(name)
                && !chorus_str_casestarts(name, chorus_str("x-amz-meta-"))))
        {
            return 0;
        }
    }

    return 1;
}


ngx_int_t
ngx_http_chorus_form_sign(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx)
{
    off_t                    len;
    u_char                  *file;
    chorus_mem_t             mem;
    chorus_str_t             head, type;
    ngx_chain_t             *bufs;
    chorus_post_form_t      *form;
    chorus_sigv4_signer_t    signer;

    form = &ctx->form->form;

    ngx_http_chorus_signer(r, ctx, &mem, &signer);

    type = chorus_post_content_type(&mem, form);
    head = chorus_post_sign(&signer, form, &ctx->form->grant, ctx->uri.bucket,
                            ngx_time());

    if (type.data == NULL || head.data == NULL) {
        return NGX_ERROR;
    }

    /* the form that came, but for what begins with its file, makes place for
     * ours */

    file = ctx->body->pos + form->file_start;
    len = r->headers_in.content_length_n - form->file_start + head.len;

    bufs = ngx_http_chorus_form_link(r, file, ctx->body->last - file, NULL);

    if (bufs) {
        bufs = ngx_http_chorus_form_link(r, (u_char *) head.data, head.len,
                                         bufs);
    }

    if (bufs == NULL) {
        return NGX_ERROR;
    }

    ctx->content_type = ngx_http_chorus_ngx_str(type);
    ctx->content_length = len;
    r->request_body->bufs = bufs;

    ngx_str_null(&ctx->content_sha256);
    ngx_str_null(&ctx->decoded_content_length);
    ngx_str_null(&ctx->trailer);
    ngx_str_null(&ctx->sdk_checksum_algorithm);

    return NGX_OK;
}


/* Also for nothing at all, which is then a buffer that only flushes. */

static ngx_chain_t *
ngx_http_chorus_form_link(ngx_http_request_t *r, u_char *pos, size_t size,
    ngx_chain_t *next)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    b = ngx_calloc_buf(r->pool);
    cl = ngx_alloc_chain_link(r->pool);

    if (b == NULL || cl == NULL) {
        return NULL;
    }

    if (size) {
        b->pos = pos;
        b->last = pos + size;
        b->start = pos;
        b->end = b->last;
        b->temporary = 1;
    }

    b->flush = 1;
    b->last_buf = (next == NULL && !r->reading_body);

    cl->buf = b;
    cl->next = next;

    return cl;
}
