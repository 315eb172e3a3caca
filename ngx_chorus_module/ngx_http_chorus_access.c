/*
 * Access phase: take the raw request apart, authenticate it, decide which
 * storage serves it and which followers it concerns, and prepare the request
 * that the proxy module sends.
 */

#include "ngx_http_chorus_module.h"


static ngx_http_chorus_ctx_t *ngx_http_chorus_create_ctx(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_chorus_parse(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, chorus_s3_refusal_t *refusal);
static ngx_uint_t ngx_http_chorus_same_bucket(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);
static ngx_uint_t ngx_http_chorus_bucket_is_plain(chorus_str_t bucket);
static ngx_int_t ngx_http_chorus_decide(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);
static void ngx_http_chorus_filter_followers(ngx_http_chorus_ctx_t *ctx);
static const chorus_live_rule_t *ngx_http_chorus_blocked(
    ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx);
static ngx_int_t ngx_http_chorus_refuse_blocked(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, const chorus_live_rule_t *block);
static chorus_storage_t *ngx_http_chorus_route(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, ngx_http_chorus_loc_conf_t *clcf,
    chorus_str_t bucket);
static ngx_uint_t ngx_http_chorus_is_call(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);
static chorus_str_t ngx_http_chorus_copy_source(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);
static ngx_uint_t ngx_http_chorus_copies_across(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);


ngx_int_t
ngx_http_chorus_access_handler(ngx_http_request_t *r)
{
    ngx_http_chorus_ctx_t        *ctx;
    chorus_s3_refusal_t           refusal;
    ngx_http_chorus_loc_conf_t   *clcf;
    ngx_http_chorus_main_conf_t  *cmcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_chorus_module);

    if (!clcf->enable) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_chorus_module);

    if (ctx) {
        /* here again: its body has been read */
        return ctx->ready ? NGX_OK : NGX_DONE;
    }

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);
    ngx_http_chorus_count(cmcf, requests);

    ctx = ngx_http_chorus_create_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->content_handler == NULL) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "chorus: nothing is served here: \"include "
                      "chorus_proxy.conf;\" is missing beside \"chorus on\"");

        return ngx_http_chorus_refuse_code(r, ctx, CHORUS_S3_INTERNAL_ERROR,
                                           NULL);
    }

    ngx_memzero(&refusal, sizeof(chorus_s3_refusal_t));

    if (ngx_http_chorus_parse(r, ctx, &refusal) != NGX_OK) {
        return ngx_http_chorus_refuse(r, ctx, &refusal);
    }

    if (r->method == NGX_HTTP_OPTIONS
        && (r->headers_in.chunked || r->headers_in.content_length_n > 0))
    {
        return ngx_http_chorus_refuse_code(r, ctx, CHORUS_S3_INVALID_REQUEST,
                     "A preflight request has no body.");
    }

    if (ngx_http_chorus_form_is(r, ctx)) {
        return ngx_http_chorus_form_read(r, ctx);
    }

    /* a preflight request of a browser has no credentials, and asks main */

    if (r->method != NGX_HTTP_OPTIONS
        && ngx_http_chorus_authenticate(r, ctx, &refusal) != NGX_OK)
    {
        return ngx_http_chorus_refuse(r, ctx, &refusal);
    }

    if (ngx_http_chorus_target(r, ctx) != NGX_OK) {
        return ngx_http_chorus_refuse_code(r, ctx, CHORUS_S3_INTERNAL_ERROR,
                                           NULL);
    }

    return ngx_http_chorus_access_go(r, ctx);
}


ngx_int_t
ngx_http_chorus_access_go(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx)
{
    const chorus_live_rule_t  *block;

    block = ngx_http_chorus_blocked(r, ctx);

    if (block) {
        return ngx_http_chorus_refuse_blocked(r, ctx, block);
    }

    if (ngx_http_chorus_decide(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* Swift and the administration of a storage: what is done there is done
     * behind the back of Chorus */

    if (chorus_provider_reserves(ctx->storage->provider, ctx->uri.bucket)) {
        return ngx_http_chorus_refuse_code(r, ctx,
                     CHORUS_S3_INVALID_BUCKET_NAME,
                     "The storage has another interface of its own under "
                     "this name.");
    }

    if (ngx_http_chorus_is_call(r, ctx)) {
        return ngx_http_chorus_refuse_code(r, ctx,
                                         CHORUS_S3_METHOD_NOT_ALLOWED, NULL);
    }

    /* CreateSession of AWS's directory buckets: keys of the storage itself,
     * which would lead past Chorus */

    if (chorus_uri_arg(&ctx->uri, chorus_str("session"))) {
        return ngx_http_chorus_refuse_code(r, ctx, CHORUS_S3_NOT_IMPLEMENTED,
                     "Credentials of the storage are not given out.");
    }

    if (ngx_http_chorus_copies_across(r, ctx)) {
        return ngx_http_chorus_refuse_code(r, ctx, CHORUS_S3_NOT_IMPLEMENTED,
                     "Copying between buckets that are routed to different "
                     "storages is not possible. Download and upload instead.");
    }

    if (ctx->form) {
        return ngx_http_chorus_access_ready(r, ctx);
    }

    if (ctx->operation->touch == CHORUS_TOUCH_UNKNOWABLE && ctx->nfollowers) {
        return ngx_http_chorus_refuse_code(r, ctx, CHORUS_S3_NOT_IMPLEMENTED,
                     "This POST is not an operation that Chorus can "
                     "replicate: what it changes is not known.");
    }

    ctx->reads_body = (ctx->operation->touch == CHORUS_TOUCH_KEYS_IN_BODY
                       && ctx->nfollowers)
                      || ngx_http_chorus_parts_is_complete(ctx);

    if (ngx_http_chorus_upload_begin(r, ctx) != NGX_OK) {
        return ngx_http_chorus_refuse(r, ctx, &ctx->refusal);
    }

    if (ctx->reads_body) {
        return ngx_http_chorus_body_read(r, ctx, ngx_http_chorus_body_whole);
    }

    if (ngx_http_chorus_wide_begin(r) != NGX_OK) {
        return ngx_http_chorus_refuse_code(r, ctx, CHORUS_S3_INTERNAL_ERROR,
                                           NULL);
    }

    return ngx_http_chorus_access_ready(r, ctx);
}


ngx_int_t
ngx_http_chorus_access_ready(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx)
{
    ngx_int_t                     rc;
    ngx_http_chorus_main_conf_t  *cmcf;

    if (ngx_http_chorus_address(r, ctx) != NGX_OK) {
        return ngx_http_chorus_refuse_code(r, ctx, CHORUS_S3_INTERNAL_ERROR,
                                           NULL);
    }

    if (r->method == NGX_HTTP_OPTIONS) {
        ctx->ready = 1;
        ngx_http_chorus_own_end(ctx);
        return NGX_OK;
    }

    if (chorus_storage_credential(ctx->storage, ctx->user) == NULL) {

        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "chorus: user \"%*s\" has no credentials on storage "
                      "\"%*s\"", ctx->user.len, ctx->user.data,
                      ctx->storage->name.len, ctx->storage->name.data);

        return ngx_http_chorus_refuse_code(r, ctx, CHORUS_S3_ACCESS_DENIED,
                     "This user has no access to the storage that serves "
                     "this bucket.");
    }

    rc = ctx->form ? ngx_http_chorus_form_sign(r, ctx)
                   : ngx_http_chorus_sign(r, ctx);

    if (rc != NGX_OK) {
        return ngx_http_chorus_refuse_code(r, ctx, CHORUS_S3_INTERNAL_ERROR,
                                           NULL);
    }

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);

    if (ctx->take_body) {
        /* not in the access phase: what has read the body goes on */

        if (ctx->nfollowers) {
            ngx_http_chorus_intents_open(cmcf, &ctx, 1);
        }

        if (ctx->unsafe) {
            return ngx_http_chorus_refuse_code(r, ctx, CHORUS_S3_SLOW_DOWN,
                                               NULL);
        }

        ngx_http_chorus_own_end(ctx);
        ctx->ready = 1;

        return NGX_OK;
    }

    ngx_http_chorus_own_end(ctx);

    rc = ngx_http_chorus_replicated_ask(r, ctx);

    if (rc == NGX_OK) {
        ngx_http_chorus_turn_wait(cmcf->turn, ctx);
        rc = NGX_AGAIN;
    }

    return rc;
}


static ngx_http_chorus_ctx_t *
ngx_http_chorus_create_ctx(ngx_http_request_t *r)
{
    ngx_http_chorus_ctx_t  *ctx;

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_chorus_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    ctx->request = r;
    ngx_http_chorus_own_begin(ctx);
    ngx_http_set_ctx(r, ctx, ngx_http_chorus_module);

    if (ngx_http_chorus_watch(r, ctx) != NGX_OK) {
        return NULL;
    }

    return ctx;
}


static ngx_int_t
ngx_http_chorus_parse(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx,
    chorus_s3_refusal_t *refusal)
{
    ngx_int_t       rc;
    ngx_str_t       bucket;
    chorus_mem_t    mem;
    chorus_rc_t     parsed;
    chorus_error_t  error;

    rc = ngx_http_chorus_collect_headers(r, ctx);

    if (rc != NGX_OK) {
        refusal->code = rc == NGX_DECLINED ? CHORUS_S3_INVALID_REQUEST
                                           : CHORUS_S3_INTERNAL_ERROR;
        return NGX_ERROR;
    }

    bucket = ngx_http_chorus_domain_bucket(r);

    if (!ngx_http_chorus_bucket_is_plain(ngx_http_chorus_view(&bucket))) {
        refusal->code = CHORUS_S3_INVALID_BUCKET_NAME;
        return NGX_ERROR;
    }

    ctx->target = r->unparsed_uri;

    if (bucket.len) {
        ctx->target = ngx_http_chorus_domain_uri(r, &bucket,
                                                 &r->unparsed_uri);
        if (ctx->target.data == NULL) {
            refusal->code = CHORUS_S3_INTERNAL_ERROR;
            return NGX_ERROR;
        }
    }

    mem = ngx_http_chorus_mem(r->pool);

    parsed = chorus_uri_parse(&mem, ngx_http_chorus_view(&ctx->target),
                              &ctx->uri, &error);

    if (parsed == CHORUS_NOMEM) {
        refusal->code = CHORUS_S3_INTERNAL_ERROR;
        return NGX_ERROR;
    }

    if (parsed != CHORUS_OK || !ngx_http_chorus_same_bucket(r, ctx)
        || !ngx_http_chorus_domain_is_signed(r))
    {
        refusal->code = CHORUS_S3_INVALID_URI;
        return NGX_ERROR;
    }

    ctx->wire_path = ctx->uri.path;

    if (bucket.len) {
        ctx->wire_path = chorus_str_sub(ctx->uri.path, 1 + bucket.len);
    }

    if (!ngx_http_chorus_bucket_is_plain(ctx->uri.bucket)) {
        refusal->code = CHORUS_S3_INVALID_BUCKET_NAME;
        return NGX_ERROR;
    }

    ctx->operation = chorus_s3_operation(ngx_http_chorus_view(&r->method_name),
                                         &ctx->uri, ctx->headers,
                                         ctx->nheaders);
    ngx_http_chorus_client_headers(r, ctx);

    return NGX_OK;
}


/*
 * The location was chosen by nginx's normalised URI, the storage sees the raw
 * one: they must name the same bucket, or "/public/../private/key" would be
 * judged by the rules of another bucket.
 */

static ngx_uint_t
ngx_http_chorus_same_bucket(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx)
{
    chorus_str_t  rest, bucket;

    if (ctx->uri.bucket.len == 0 && ctx->uri.key.len != 0) {
        return 0;
    }

    rest = ngx_http_chorus_view(&r->uri);

    if (rest.len == 0 || rest.data[0] != '/') {
        return 0;
    }

    rest = chorus_str_sub(rest, 1);
    bucket = chorus_str_cut(&rest, '/');

    return chorus_str_eq(bucket, ctx->uri.bucket);
}


/* Other characters are another name of a bucket: to Ceph, ":photos" and
 * "tenant:photos" are "photos", and would escape the rules for it. */

static ngx_uint_t
ngx_http_chorus_bucket_is_plain(chorus_str_t bucket)
{
    size_t  i;

    for (i = 0; i < bucket.len; i++) {
        if (!chorus_is_alnum(bucket.data[i])
            && bucket.data[i] != '-' && bucket.data[i] != '.'
            && bucket.data[i] != '_')
        {
            return 0;
        }
    }

    return 1;
}


/* The dynamic policy stands above location directives, and these above
 * chorus.json. */

static ngx_int_t
ngx_http_chorus_decide(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx)
{
    chorus_mem_t                  mem;
    ngx_http_chorus_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);

    ctx->location = ngx_http_get_module_loc_conf(r, ngx_http_chorus_module);
    ctx->storage = ngx_http_chorus_route(r, ctx, ctx->location,
                                         ctx->uri.bucket);

    if (!ctx->storage->is_main
        || ctx->uri.bucket.len == 0
        || ctx->operation->touch == CHORUS_TOUCH_NOTHING)
    {
        return NGX_OK;
    }

    mem = ngx_http_chorus_mem(r->pool);
    ngx_http_chorus_policy_hold(cmcf, ctx);

    if (ngx_http_chorus_followers(cmcf, ctx, &mem, ctx->followers,
                                  &ctx->nfollowers, &ctx->rules)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_chorus_filter_followers(ctx);

    return NGX_OK;
}


/* Those whose filters do not take the key; keys in a body are not known
 * yet. */

static void
ngx_http_chorus_filter_followers(ngx_http_chorus_ctx_t *ctx)
{
    ngx_uint_t            i, n;
    chorus_replication_t  replication;

    if (ctx->operation->touch != CHORUS_TOUCH_OBJECT) {
        return;
    }

    for (i = 0, n = 0; i < ctx->nfollowers; i++) {

        if (ctx->followers[i].is_partial) {
            replication = ngx_http_chorus_replication(ctx, i);

            if (!chorus_policy_takes_key(ctx->rules, &replication,
                                         ctx->uri.key))
            {
                continue;
            }
        }

        ctx->followers[n++] = ctx->followers[i];
    }

    ctx->nfollowers = n;
}


/* A copy reads another bucket, which may be blocked, too. */

static const chorus_live_rule_t *
ngx_http_chorus_blocked(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx)
{
    const chorus_live_t          *live;
    const chorus_live_rule_t     *block;
    ngx_http_chorus_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);
    live = ngx_http_chorus_policy(cmcf);

    if (live->nnames[CHORUS_RULE_BLOCK] == 0) {
        return NULL;
    }

    block = chorus_live_block(live, ctx->user, ctx->uri.bucket);

    if (block && !(block->reads
                   && (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD
                                    |NGX_HTTP_OPTIONS))))
    {
        return block;
    }

    block = chorus_live_block(live, ctx->user,
                              ngx_http_chorus_copy_source(r, ctx));

    return block && !block->reads ? block : NULL;
}


static ngx_int_t
ngx_http_chorus_refuse_blocked(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, const chorus_live_rule_t *block)
{
    chorus_s3_refusal_t  refusal;

    ngx_memzero(&refusal, sizeof(chorus_s3_refusal_t));

    refusal.code = CHORUS_S3_SERVICE_UNAVAILABLE;
    refusal.message = block->reason;
    ctx->blocked = 1;

    return ngx_http_chorus_refuse(r, ctx, &refusal);
}


/* "POST /" with an Action, in the query or the body, is no S3: Ceph has its
 * STS, IAM and SNS there, and hands out credentials of its own. */

static ngx_uint_t
ngx_http_chorus_is_call(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx)
{
    return ctx->uri.bucket.len == 0
           && r->method == NGX_HTTP_POST
           && (ctx->uri.query.len || r->headers_in.chunked
               || r->headers_in.content_length_n > 0);
}


static chorus_storage_t *
ngx_http_chorus_route(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx,
    ngx_http_chorus_loc_conf_t *clcf, chorus_str_t bucket)
{
    chorus_storage_t             *storage;
    ngx_http_chorus_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);

    if (bucket.len
        && chorus_live_route(ngx_http_chorus_policy(cmcf), ctx->user, bucket,
                             &storage))
    {
        return storage;
    }

    if (clcf && clcf->route) {
        return clcf->route;
    }

    if (bucket.len == 0) {
        return cmcf->config->main;
    }

    return chorus_policy_route(cmcf->config, ctx->user, bucket);
}


/* "x-amz-copy-source: [/]bucket/key"; the null string without. */

static chorus_str_t
ngx_http_chorus_copy_source(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx)
{
    chorus_mem_t            mem;
    chorus_str_t            source, bucket, rest;
    const chorus_header_t  *header;

    header = chorus_header(ctx->headers, ctx->nheaders,
                           chorus_str("x-amz-copy-source"));
    if (header == NULL) {
        return chorus_null_str;
    }

    mem = ngx_http_chorus_mem(r->pool);
    source = chorus_str_trim(header->value);

    if (!chorus_uri_decode(&mem, source, &source)) {
        return chorus_null_str;
    }

    if (chorus_str_starts(source, chorus_str("/"))) {
        source = chorus_str_sub(source, 1);
    }

    bucket = chorus_str_cut(&source, '/');

    /* "tenant:photos" is photos to Ceph, whose rules it must not escape */

    for (rest = bucket; rest.data; /* void */ ) {
        bucket = chorus_str_cut(&rest, ':');
    }

    return bucket;
}


/* Its bucket may be served by another storage, which the storage of this
 * request cannot reach. */

static ngx_uint_t
ngx_http_chorus_copies_across(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx)
{
    chorus_str_t  bucket;

    bucket = ngx_http_chorus_copy_source(r, ctx);

    if (bucket.data == NULL || chorus_str_eq(bucket, ctx->uri.bucket)) {
        return 0;
    }

    return ngx_http_chorus_route(r, ctx,
                                 ngx_http_chorus_location_of(r, bucket),
                                 bucket)
           != ctx->storage;
}
