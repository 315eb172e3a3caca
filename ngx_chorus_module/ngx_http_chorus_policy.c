/*
 * The dynamic policy that this process runs.  A write holds the version it
 * was resolved under until it has ended; when there is another one by then, it
 * concerns the followers of both.
 */

#include "ngx_http_chorus_policy.h"
#include "chorus_destination.h"


static ngx_int_t ngx_http_chorus_policy_upstreams(
    ngx_http_chorus_main_conf_t *cmcf, chorus_live_t *live,
    chorus_error_t *error);
static void ngx_http_chorus_policy_sweep(
    ngx_http_chorus_policies_t *policies);
static ngx_int_t ngx_http_chorus_followers_here(ngx_http_chorus_ctx_t *ctx,
    chorus_mem_t *mem, chorus_follower_t *followers, size_t *n);
static ngx_int_t ngx_http_chorus_policy_join(ngx_http_chorus_ctx_t *ctx,
    chorus_follower_t *followers, size_t n);


ngx_int_t
ngx_http_chorus_policy_init(ngx_http_chorus_main_conf_t *cmcf,
    ngx_cycle_t *cycle)
{
    chorus_error_t               error;
    ngx_http_chorus_policy_t    *policy;
    ngx_http_chorus_policies_t  *policies;

    policies = ngx_pcalloc(cycle->pool, sizeof(ngx_http_chorus_policies_t));
    if (policies == NULL) {
        return NGX_ERROR;
    }

    policies->cmcf = cmcf;
    policies->log = cycle->log;
    policies->written = -1;
    ngx_queue_init(&policies->all);

    policies->reader_len = ngx_snprintf(policies->reader,
                               sizeof(policies->reader), "%*s:%P-%08xD",
                               ngx_min(cycle->hostname.len, 64),
                               cycle->hostname.data, ngx_pid,
                               (uint32_t) ngx_random())
                           - policies->reader;

    policy = ngx_http_chorus_policy_read(policies,
                           chorus_str(NGX_HTTP_CHORUS_POLICY_NONE), &error);
    if (policy == NULL) {
        return NGX_ERROR;
    }

    cmcf->policies = policies;
    ngx_http_chorus_policy_use(policies, policy);
    ngx_http_chorus_policy_load(policies);

    policies->tick.handler = ngx_http_chorus_policy_tick;
    policies->tick.data = policies;
    policies->tick.log = cycle->log;
    policies->tick.cancelable = 1;

    ngx_add_timer(&policies->tick, 1);

    return NGX_OK;
}


/* What requests hold goes with the process. */

void
ngx_http_chorus_policy_exit(ngx_http_chorus_main_conf_t *cmcf)
{
    if (cmcf->policies->tick.timer_set) {
        ngx_del_timer(&cmcf->policies->tick);
    }

    ngx_http_chorus_policy_sweep(cmcf->policies);
}


ngx_http_chorus_policy_t *
ngx_http_chorus_policy_read(ngx_http_chorus_policies_t *policies,
    chorus_str_t text, chorus_error_t *error)
{
    chorus_mem_t               mem;
    chorus_arena_t            *arena;
    ngx_http_chorus_policy_t  *policy;

    (void) chorus_error_set(error, "out of memory");

    arena = chorus_arena_create();
    if (arena == NULL) {
        return NULL;
    }

    mem = chorus_arena_mem(arena);
    policy = chorus_calloc(&mem, sizeof(ngx_http_chorus_policy_t));

    if (policy == NULL) {
        chorus_arena_destroy(arena);
        return NULL;
    }

    policy->arena = arena;
    policy->mem = mem;
    policy->text = chorus_str_dup(&policy->mem, text);

    if (policy->text.data == NULL
        || chorus_live_parse(&policy->mem, policy->text,
                             policies->cmcf->config, &policy->live, error)
           != CHORUS_OK
        || ngx_http_chorus_policy_upstreams(policies->cmcf, &policy->live,
                                            error) != NGX_OK)
    {
        ngx_http_chorus_policy_free(policy);
        return NULL;
    }

    return policy;
}


static ngx_int_t
ngx_http_chorus_policy_upstreams(ngx_http_chorus_main_conf_t *cmcf,
    chorus_live_t *live, chorus_error_t *error)
{
    size_t  i;

    for (i = 0; i < live->config.nroutes; i++) {
        if (ngx_http_chorus_policy_check_route(cmcf,
                                               live->config.routes[i].storage,
                                               error) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_chorus_policy_check_route(ngx_http_chorus_main_conf_t *cmcf,
    chorus_storage_t *storage, chorus_error_t *error)
{
    if (cmcf->routable == NULL
        || cmcf->routable[storage - cmcf->config->storages])
    {
        return NGX_OK;
    }

    (void) chorus_error_set(error, "nginx.conf has no upstream \"%.*s\", so "
                            "nothing can be routed there",
                            chorus_fmt(storage->name));

    return NGX_ERROR;
}


void
ngx_http_chorus_policy_free(ngx_http_chorus_policy_t *policy)
{
    chorus_live_close(&policy->live);
    chorus_arena_destroy(policy->arena);
}


void
ngx_http_chorus_policy_use(ngx_http_chorus_policies_t *policies,
    ngx_http_chorus_policy_t *policy)
{
    ngx_queue_insert_tail(&policies->all, &policy->queue);
    policies->current = policy;

    ngx_http_chorus_policy_sweep(policies);
}


static void
ngx_http_chorus_policy_sweep(ngx_http_chorus_policies_t *policies)
{
    ngx_queue_t               *q, *next;
    ngx_http_chorus_policy_t  *policy;

    for (q = ngx_queue_head(&policies->all);
         q != ngx_queue_sentinel(&policies->all);
         q = next)
    {
        next = ngx_queue_next(q);
        policy = ngx_queue_data(q, ngx_http_chorus_policy_t, queue);

        if (policy->refs == 0 && policy != policies->current) {
            ngx_queue_remove(q);
            ngx_http_chorus_policy_free(policy);
        }
    }
}


uint64_t
ngx_http_chorus_policy_oldest(ngx_http_chorus_policies_t *policies)
{
    uint64_t                   oldest;
    ngx_queue_t               *q;
    ngx_http_chorus_policy_t  *policy;

    oldest = policies->current->live.version;

    for (q = ngx_queue_head(&policies->all);
         q != ngx_queue_sentinel(&policies->all);
         q = ngx_queue_next(q))
    {
        policy = ngx_queue_data(q, ngx_http_chorus_policy_t, queue);
        oldest = ngx_min(oldest, policy->live.version);
    }

    return oldest;
}


const chorus_live_t *
ngx_http_chorus_policy(ngx_http_chorus_main_conf_t *cmcf)
{
    return &cmcf->policies->current->live;
}


/* ---- a request ---- */


void
ngx_http_chorus_policy_hold(ngx_http_chorus_main_conf_t *cmcf,
    ngx_http_chorus_ctx_t *ctx)
{
    ctx->policy = cmcf->policies->current;
    ctx->policy->refs++;
}


void
ngx_http_chorus_policy_release(ngx_http_chorus_main_conf_t *cmcf,
    ngx_http_chorus_ctx_t *ctx)
{
    if (ctx->policy) {
        ctx->policy->refs--;
        ctx->policy = NULL;
        ngx_http_chorus_policy_sweep(cmcf->policies);
    }
}


ngx_int_t
ngx_http_chorus_followers(ngx_http_chorus_main_conf_t *cmcf,
    ngx_http_chorus_ctx_t *ctx, chorus_mem_t *mem,
    chorus_follower_t *followers, size_t *n, const chorus_config_t **rules)
{
    *rules = chorus_live_config(ngx_http_chorus_policy(cmcf), cmcf->config,
                                ctx->user, ctx->uri.bucket);

    if (*rules == cmcf->config && ctx->location->replicate_names) {
        return ngx_http_chorus_followers_here(ctx, mem, followers, n);
    }

    if (chorus_policy_followers(*rules, mem, ctx->user, ctx->uri.bucket,
                                followers, NGX_HTTP_CHORUS_MAX_FOLLOWERS, n)
        != CHORUS_OK)
    {
        return NGX_ERROR;
    }

    *n = ngx_min(*n, NGX_HTTP_CHORUS_MAX_FOLLOWERS);

    return NGX_OK;
}


static ngx_int_t
ngx_http_chorus_followers_here(ngx_http_chorus_ctx_t *ctx, chorus_mem_t *mem,
    chorus_follower_t *followers, size_t *n)
{
    ngx_uint_t                   i;
    ngx_http_chorus_loc_conf_t  *clcf;

    clcf = ctx->location;

    for (i = 0; i < clcf->nfollowers; i++) {

        followers[i].storage = clcf->followers[i].storage;
        followers[i].is_partial = 0;

        if (chorus_destination_target(mem, &clcf->followers[i],
                                      ctx->uri.bucket, &followers[i].target)
            != CHORUS_OK)
        {
            return NGX_ERROR;
        }
    }

    *n = clcf->nfollowers;

    return NGX_OK;
}


/* Main has perhaps applied the write.  Whoever asks for the policy from now
 * on may count on its followers: those are added. */

void
ngx_http_chorus_policy_settle(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx)
{
    size_t                        n;
    int64_t                       under;
    chorus_mem_t                  mem;
    chorus_follower_t             followers[NGX_HTTP_CHORUS_MAX_FOLLOWERS];
    const chorus_config_t        *rules;
    ngx_http_chorus_policies_t   *policies;
    ngx_http_chorus_main_conf_t  *cmcf;

    if (ctx->policy == NULL || ctx->noted) {
        return;
    }

    ctx->noted = 1;
    cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);
    policies = cmcf->policies;
    under = policies->current->live.version;

    if (ctx->policy != policies->current) {
        mem = ngx_http_chorus_mem(r->pool);

        if (ngx_http_chorus_followers(cmcf, ctx, &mem, followers, &n, &rules)
            != NGX_OK
            || ngx_http_chorus_policy_join(ctx, followers, n) != NGX_OK)
        {
            under = ngx_min(under, (int64_t) ctx->policy->live.version);
        }
    }

    if (policies->written < 0 || under < policies->written) {
        policies->written = under;
    }
}


/* NGX_DECLINED: it is not known what would have to be marked. */

static ngx_int_t
ngx_http_chorus_policy_join(ngx_http_chorus_ctx_t *ctx,
    chorus_follower_t *followers, size_t n)
{
    size_t  i, k, old;

    old = ctx->nfollowers;

    for (i = 0; i < n; i++) {

        for (k = 0; k < old; k++) {
            if (ctx->followers[k].storage == followers[i].storage
                && chorus_str_eq(ctx->followers[k].target,
                                 followers[i].target))
            {
                break;
            }
        }

        if (k < old) {
            continue;
        }

        if (ctx->nfollowers == NGX_HTTP_CHORUS_MAX_FOLLOWERS
            || ctx->operation->touch == CHORUS_TOUCH_UNKNOWABLE
            || (ctx->operation->touch == CHORUS_TOUCH_KEYS_IN_BODY
                && ctx->nkeys == 0))
        {
            return NGX_DECLINED;
        }

        /* its filter is the worker's to ask */
        followers[i].is_partial = 0;
        ctx->followers[ctx->nfollowers++] = followers[i];
    }

    return NGX_OK;
}
