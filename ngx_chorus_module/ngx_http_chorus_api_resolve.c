/*
 * GET /api/v1/resolve?user=U&bucket=B: what this nginx does with requests of
 * that user about that bucket, and who says so: the dynamic policy, a
 * directive of the location, or chorus.json.
 */

#include "ngx_http_chorus_api.h"
#include "ngx_http_chorus_policy.h"


static json_t *ngx_http_chorus_api_follower_of(ngx_http_chorus_api_t *api,
    ngx_http_chorus_ctx_t *ctx, ngx_uint_t i);


ngx_int_t
ngx_http_chorus_api_resolve(ngx_http_chorus_api_t *api)
{
    json_t                      *route;
    ngx_http_chorus_ctx_t        ctx;
    ngx_http_chorus_loc_conf_t   nothing;

    ngx_memzero(&ctx, sizeof(ngx_http_chorus_ctx_t));

    if (ngx_http_chorus_api_arg(api, "user", &ctx.user) != NGX_OK
        || ngx_http_chorus_api_arg(api, "bucket", &ctx.uri.bucket) != NGX_OK)
    {
        return ngx_http_chorus_api_refuse(api, NGX_HTTP_BAD_REQUEST,
                   "bad_request", "say ?user=...&bucket=...");
    }

    ngx_http_chorus_api_locate(api, &ctx, &nothing);
    route = ngx_http_chorus_api_route_of(api, &ctx);

    return ngx_http_chorus_api_send_json(api, NGX_HTTP_OK,
               json_pack("{s:o, s:o, s:I, s:o, s:o, s:o}",
                         "user", ngx_http_chorus_api_text(ctx.user),
                         "bucket", ngx_http_chorus_api_text(ctx.uri.bucket),
                         "version", (json_int_t)
                         ngx_http_chorus_policy(api->cmcf)->version,
                         "route", route, "replications",
                         ngx_http_chorus_api_followers_of(api, &ctx),
                         "block", ngx_http_chorus_api_block_of(api, &ctx)));
}


void
ngx_http_chorus_api_locate(ngx_http_chorus_api_t *api,
    ngx_http_chorus_ctx_t *ctx, ngx_http_chorus_loc_conf_t *nothing)
{
    ngx_memzero(nothing, sizeof(ngx_http_chorus_loc_conf_t));

    ctx->location = ngx_http_chorus_location_any(api->request,
                                                 ctx->uri.bucket);
    if (ctx->location == NULL) {
        ctx->location = nothing;
    }
}


ngx_uint_t
ngx_http_chorus_api_replicates(ngx_http_chorus_api_t *api,
    const chorus_replication_t *replication)
{
    ngx_uint_t                   i;
    chorus_mem_t                 mem;
    chorus_replication_t         r;
    ngx_http_chorus_ctx_t        ctx;
    ngx_http_chorus_loc_conf_t   nothing;

    ngx_memzero(&ctx, sizeof(ngx_http_chorus_ctx_t));

    ctx.user = replication->user;
    ctx.uri.bucket = replication->bucket;
    ctx.storage = api->cmcf->config->main;

    ngx_http_chorus_api_locate(api, &ctx, &nothing);

    mem = ngx_http_chorus_mem(api->request->pool);

    if (ngx_http_chorus_followers(api->cmcf, &ctx, &mem, ctx.followers,
                                  &ctx.nfollowers, &ctx.rules)
        != NGX_OK)
    {
        return 1;
    }

    for (i = 0; i < ctx.nfollowers; i++) {
        r = ngx_http_chorus_replication(&ctx, i);

        if (chorus_str_eq(r.follower, replication->follower)
            && chorus_str_eq(r.target.len ? r.target : r.bucket,
                             replication->target.len ? replication->target
                                                     : replication->bucket))
        {
            return 1;
        }
    }

    return 0;
}


json_t *
ngx_http_chorus_api_text(chorus_str_t text)
{
    return json_stringn(text.data ? text.data : "", text.len);
}


static json_t *
ngx_http_chorus_api_said(chorus_str_t what, const char *from,
    const chorus_live_name_t *name, const char *field)
{
    return json_pack("{s:o, s:s, s:o}", field, ngx_http_chorus_api_text(what),
                     "from", from, "id", name == NULL ? json_null()
                             : ngx_http_chorus_api_text(name->id));
}


json_t *
ngx_http_chorus_api_route_of(ngx_http_chorus_api_t *api,
    ngx_http_chorus_ctx_t *ctx)
{
    const char                *from;
    const chorus_live_name_t  *name;

    name = chorus_live_route(ngx_http_chorus_policy(api->cmcf), ctx->user,
                             ctx->uri.bucket, &ctx->storage);

    if (name) {
        from = "dynamic";

    } else if (ctx->location->route) {
        ctx->storage = ctx->location->route;
        from = "location";

    } else {
        ctx->storage = chorus_policy_route(api->cmcf->config, ctx->user,
                                           ctx->uri.bucket);
        from = "file";
    }

    return ngx_http_chorus_api_said(ctx->storage->name, from, name,
                                    "storage");
}


/* Only what goes to main is replicated. */

json_t *
ngx_http_chorus_api_followers_of(ngx_http_chorus_api_t *api,
    ngx_http_chorus_ctx_t *ctx)
{
    json_t        *list;
    ngx_uint_t     i;
    chorus_mem_t   mem;

    list = json_array();
    mem = ngx_http_chorus_mem(api->request->pool);

    if (list == NULL || !ctx->storage->is_main
        || ngx_http_chorus_followers(api->cmcf, ctx, &mem, ctx->followers,
                                     &ctx->nfollowers, &ctx->rules)
           != NGX_OK)
    {
        return list;
    }

    for (i = 0; i < ctx->nfollowers; i++) {
        (void) json_array_append_new(list,
                           ngx_http_chorus_api_follower_of(api, ctx, i));
    }

    return list;
}


static json_t *
ngx_http_chorus_api_follower_of(ngx_http_chorus_api_t *api,
    ngx_http_chorus_ctx_t *ctx, ngx_uint_t i)
{
    json_t                    *row;
    const char                *from;
    chorus_replication_t       replication;
    const chorus_live_t       *live;
    const chorus_live_name_t  *name;

    live = ngx_http_chorus_policy(api->cmcf);
    replication = ngx_http_chorus_replication(ctx, i);
    name = chorus_live_replication(live, &replication);

    from = name ? "dynamic"
           : ctx->location->replicate_names ? "location" : "file";

    row = ngx_http_chorus_api_said(replication.follower, from, name,
                                   "follower");

    (void) json_object_set_new(row, "target", ngx_http_chorus_api_text(
                                   replication.target.len
                                   ? replication.target
                                   : replication.bucket));
    (void) json_object_set_new(row, "paused", json_boolean(
                           chorus_live_is_paused(live, &replication)));

    return row;
}


json_t *
ngx_http_chorus_api_block_of(ngx_http_chorus_api_t *api,
    ngx_http_chorus_ctx_t *ctx)
{
    const chorus_live_rule_t  *block;

    block = chorus_live_block(ngx_http_chorus_policy(api->cmcf), ctx->user,
                              ctx->uri.bucket);

    return block == NULL ? json_null()
           : json_pack("{s:o, s:b}", "reason",
                       ngx_http_chorus_api_text(block->reason), "reads",
                       (int) block->reads);
}
