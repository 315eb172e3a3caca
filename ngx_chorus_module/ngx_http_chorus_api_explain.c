/*
 * GET /api/v1/explain?user=U&bucket=B&key=K: where the key is in each queue,
 * what both sides hold now, and why that is so.
 */

#include "ngx_http_chorus_api.h"
#include "ngx_http_chorus_policy.h"
#include "chorus_explain.h"
#include "chorus_library.h"


/* workers are asked for so many followers at most */
#define NGX_HTTP_CHORUS_EXPLAIN_SIDES  15
#define NGX_HTTP_CHORUS_EXPLAIN_KEY    1024     /* S3's longest */


typedef struct {
    ngx_http_chorus_ctx_t        ctx;
    ngx_http_chorus_loc_conf_t   nothing;
    chorus_str_t                 key;
    json_t                      *route;
    json_t                      *followers;
    json_t                      *queues;        /* of chorus_explain */
} ngx_http_chorus_explain_t;


static void ngx_http_chorus_explain_forget(void *data);
static const char *ngx_http_chorus_explain_args(ngx_http_chorus_api_t *api,
    ngx_http_chorus_explain_t *explain);
static ngx_int_t ngx_http_chorus_explain_queues(ngx_http_chorus_api_t *api);
static ngx_int_t ngx_http_chorus_explain_told(ngx_http_chorus_api_t *api,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text);
static json_t *ngx_http_chorus_explain_question(
    ngx_http_chorus_explain_t *explain);
static ngx_int_t ngx_http_chorus_explain_seen(ngx_http_chorus_api_t *api,
    json_t *answer, const char *why);
static json_t *ngx_http_chorus_explain_row(ngx_http_chorus_api_t *api,
    ngx_uint_t i, json_t *source, json_t *there);
static json_t *ngx_http_chorus_explain_sentence(
    const chorus_explain_t *facts, ngx_pool_t *pool);
static json_t *ngx_http_chorus_explain_key(ngx_http_chorus_api_t *api);
static json_t *ngx_http_chorus_explain_why(ngx_http_chorus_api_t *api,
    const json_t *rows);


ngx_int_t
ngx_http_chorus_api_explain(ngx_http_chorus_api_t *api)
{
    const char                 *wrong;
    ngx_pool_cleanup_t         *cln;
    ngx_http_chorus_explain_t  *explain;

    cln = ngx_pool_cleanup_add(api->request->pool,
                               sizeof(ngx_http_chorus_explain_t));
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    explain = cln->data;
    ngx_memzero(explain, sizeof(ngx_http_chorus_explain_t));
    cln->handler = ngx_http_chorus_explain_forget;
    explain->ctx.request = api->request;
    api->data = explain;

    wrong = ngx_http_chorus_explain_args(api, explain);

    if (wrong) {
        return ngx_http_chorus_api_refuse(api, NGX_HTTP_BAD_REQUEST,
                                          "bad_request", wrong);
    }

    /* its rules are looked at again when Redis and a worker have answered */
    ngx_http_chorus_policy_hold(api->cmcf, &explain->ctx);

    ngx_http_chorus_api_locate(api, &explain->ctx, &explain->nothing);
    explain->route = ngx_http_chorus_api_route_of(api, &explain->ctx);
    explain->followers = ngx_http_chorus_api_followers_of(api,
                                                          &explain->ctx);

    return ngx_http_chorus_explain_queues(api);
}


static void
ngx_http_chorus_explain_forget(void *data)
{
    ngx_http_chorus_explain_t *explain = data;

    ngx_http_chorus_policy_release(ngx_http_get_module_main_conf(
                                       explain->ctx.request,
                                       ngx_http_chorus_module),
                                   &explain->ctx);
    json_decref(explain->route);
    json_decref(explain->followers);
    json_decref(explain->queues);
}


/* What S3 could not call a bucket asks a storage for something else. */

static ngx_uint_t
ngx_http_chorus_explain_is_bucket(chorus_str_t name)
{
    size_t  i;

    for (i = 0; i < name.len; i++) {
        if (!chorus_is_alnum(name.data[i]) && name.data[i] != '-'
            && name.data[i] != '.' && name.data[i] != '_')
        {
            return 0;
        }
    }

    return name.len <= 255 && !chorus_str_eq(name, chorus_str("."))
           && !chorus_str_eq(name, chorus_str(".."));
}


/* NULL, or what is wrong. */

static const char *
ngx_http_chorus_explain_args(ngx_http_chorus_api_t *api,
    ngx_http_chorus_explain_t *explain)
{
    ngx_str_t         raw;
    chorus_mem_t      mem;
    chorus_config_t  *config;

    config = api->cmcf->config;
    mem = ngx_http_chorus_mem(api->request->pool);

    if (ngx_http_chorus_api_arg(api, "bucket", &explain->ctx.uri.bucket)
        != NGX_OK
        || !ngx_http_chorus_explain_is_bucket(explain->ctx.uri.bucket))
    {
        return "bucket: is the name of one";
    }

    if (ngx_http_chorus_api_arg(api, "user", &explain->ctx.user) != NGX_OK) {

        if (config->nusers != 1) {
            return "user: there are several, say whose bucket it is";
        }

        explain->ctx.user = config->users[0].name;
    }

    if (chorus_storage_credential(config->main, explain->ctx.user) == NULL) {
        return "user: main has none of that name";
    }

    /* any bytes; without one it is the bucket itself */
    if (ngx_http_arg(api->request, (u_char *) "key", 3, &raw) == NGX_OK
        && (!chorus_uri_decode(&mem, ngx_http_chorus_view(&raw),
                               &explain->key)
            || explain->key.len > NGX_HTTP_CHORUS_EXPLAIN_KEY
            || (explain->key.len
                && memchr(explain->key.data, '\0', explain->key.len))))
    {
        return "key: is percent-encoded, has no NUL and at most 1024 bytes";
    }

    return NULL;
}


/* ---- the queues ---- */


static chorus_str_t
ngx_http_chorus_explain_name(ngx_http_chorus_api_t *api, ngx_uint_t i)
{
    chorus_mem_t                mem;
    chorus_replication_t        parts;
    ngx_http_chorus_explain_t  *explain;

    explain = api->data;
    mem = ngx_http_chorus_mem(api->request->pool);
    parts = ngx_http_chorus_replication(&explain->ctx, i);

    return chorus_replication_name(&mem, &parts);
}


static ngx_int_t
ngx_http_chorus_explain_queues(ngx_http_chorus_api_t *api)
{
    ngx_str_t                   args[2 + NGX_HTTP_CHORUS_EXPLAIN_SIDES];
    ngx_uint_t                  i;
    chorus_str_t                name;
    ngx_http_chorus_explain_t  *explain;

    explain = api->data;

    if (explain->ctx.nfollowers > NGX_HTTP_CHORUS_EXPLAIN_SIDES) {
        explain->ctx.nfollowers = NGX_HTTP_CHORUS_EXPLAIN_SIDES;
    }

    ngx_str_set(&args[0], CHORUS_REDIS_REPLICATIONS);
    args[1] = ngx_http_chorus_ngx_str(explain->key);

    for (i = 0; i < explain->ctx.nfollowers; i++) {
        name = ngx_http_chorus_explain_name(api, i);

        if (name.data == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        args[2 + i] = ngx_http_chorus_ngx_str(name);
    }

    return ngx_http_chorus_api_ask(api, "FCALL_RO", "chorus_explain", 1, args,
                                   2 + i, ngx_http_chorus_explain_told);
}


static ngx_int_t
ngx_http_chorus_explain_told(ngx_http_chorus_api_t *api,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text)
{
    ngx_http_chorus_explain_t  *explain;

    if (result != NGX_HTTP_CHORUS_REDIS_REPLY) {
        return ngx_http_chorus_api_relay(api, result, text);
    }

    explain = api->data;
    explain->queues = json_loadb((char *) text->data, text->len, 0, NULL);

    return ngx_http_chorus_api_question(api,
                                   ngx_http_chorus_explain_question(explain),
                                   ngx_http_chorus_explain_seen);
}


/* ---- both sides ---- */


static json_t *
ngx_http_chorus_explain_side(chorus_str_t storage, chorus_str_t bucket)
{
    return json_pack("{s:o, s:o}", "storage",
                     ngx_http_chorus_api_text(storage), "bucket",
                     ngx_http_chorus_api_text(bucket));
}


static json_t *
ngx_http_chorus_explain_question(ngx_http_chorus_explain_t *explain)
{
    json_t                 *sides;
    ngx_uint_t              i;
    chorus_buf_t            key;
    chorus_mem_t            mem;
    chorus_replication_t    parts;
    ngx_http_chorus_ctx_t  *ctx;

    ctx = &explain->ctx;
    sides = json_array();

    (void) json_array_append_new(sides, ngx_http_chorus_explain_side(
                                     ctx->storage->name, ctx->uri.bucket));

    for (i = 0; i < ctx->nfollowers; i++) {
        parts = ngx_http_chorus_replication(ctx, i);
        (void) json_array_append_new(sides, ngx_http_chorus_explain_side(
                                         parts.follower,
                                         parts.target.len ? parts.target
                                                          : parts.bucket));
    }

    mem = ngx_http_chorus_mem(ctx->request->pool);
    key = chorus_buf(&mem, 3 * explain->key.len + 1);
    chorus_uri_encode(&key, explain->key, false);

    return json_pack("{s:s, s:o, s:o, s:o}", "what", "object", "user",
                     ngx_http_chorus_api_text(ctx->user), "key",
                     ngx_http_chorus_api_text(chorus_buf_str(&key)), "sides",
                     sides);
}


/* What nobody has looked at. */

static json_t *
ngx_http_chorus_explain_unseen(const char *why)
{
    return json_pack("{s:s, s:n, s:s, s:n, s:n, s:n, s:n, s:{}, s:b}",
                     "state", "unknown", "status", "reason", why, "size",
                     "etag", "last_modified", "version_id", "metadata",
                     "metadata_is_whole", 1);
}


static json_t *
ngx_http_chorus_explain_seen_side(json_t *answer, size_t i, const char *why)
{
    json_t  *side;

    side = json_array_get(json_object_get(answer, "sides"), i);

    return side ? json_incref(side) : ngx_http_chorus_explain_unseen(why);
}


static ngx_int_t
ngx_http_chorus_explain_seen(ngx_http_chorus_api_t *api, json_t *answer,
    const char *why)
{
    json_t                     *rows, *source, *error, *sentence;
    ngx_uint_t                  i;
    ngx_http_chorus_explain_t  *explain;

    explain = api->data;
    error = json_object_get(answer, "error");

    if (error) {
        why = json_string_value(json_object_get(error, "message"));
    }

    if (why == NULL) {
        why = "";
    }

    rows = json_array();
    source = ngx_http_chorus_explain_seen_side(answer, 0, why);

    for (i = 0; i < explain->ctx.nfollowers; i++) {
        (void) json_array_append_new(rows, ngx_http_chorus_explain_row(api,
                 i, source, ngx_http_chorus_explain_seen_side(answer, 1 + i,
                                                              why)));
    }

    sentence = ngx_http_chorus_explain_why(api, rows);

    return ngx_http_chorus_api_send_json(api, NGX_HTTP_OK,
               json_pack("{s:o, s:o, s:o, s:O, s:o, s:o, s:o, s:o,"
                         " s:{s:b, s:s}}",
                         "user", ngx_http_chorus_api_text(explain->ctx.user),
                         "bucket",
                         ngx_http_chorus_api_text(explain->ctx.uri.bucket),
                         "key", ngx_http_chorus_explain_key(api), "route",
                         explain->route, "block",
                         ngx_http_chorus_api_block_of(api, &explain->ctx),
                         "source", source, "replications", rows, "why",
                         sentence, "worker", "answered",
                         answer != NULL && error == NULL, "message", why));
}


/* As text, or percent-encoded where it is none. */

static json_t *
ngx_http_chorus_explain_key(ngx_http_chorus_api_t *api)
{
    chorus_buf_t   buf;
    chorus_mem_t   mem;
    chorus_str_t   key;

    key = ((ngx_http_chorus_explain_t *) api->data)->key;

    if (chorus_str_is_text(key)) {
        return ngx_http_chorus_api_text(key);
    }

    mem = ngx_http_chorus_mem(api->request->pool);
    buf = chorus_buf(&mem, 3 * key.len);
    chorus_uri_encode(&buf, key, true);

    return ngx_http_chorus_api_text(chorus_buf_str(&buf));
}


/* ---- one replication ---- */


static chorus_str_t
ngx_http_chorus_explain_text(const json_t *object, const char *name)
{
    return chorus_str_from(json_string_value(json_object_get(object, name)));
}


static uint64_t
ngx_http_chorus_explain_number(const json_t *object, const char *name)
{
    json_int_t  n;

    n = json_integer_value(json_object_get(object, name));

    return n > 0 ? (uint64_t) n : 0;
}


static chorus_side_t
ngx_http_chorus_explain_facts_side(const json_t *side)
{
    return (chorus_side_t) {
        .state = chorus_side_state_of(ngx_http_chorus_explain_text(side,
                                                                  "state")),
        .reason = ngx_http_chorus_explain_text(side, "reason"),
        .size = ngx_http_chorus_explain_number(side, "size"),
        .etag = ngx_http_chorus_explain_text(side, "etag"),
    };
}


static ngx_uint_t
ngx_http_chorus_explain_takes(ngx_http_chorus_explain_t *explain,
    ngx_uint_t i)
{
    chorus_replication_t  parts;

    parts = ngx_http_chorus_replication(&explain->ctx, i);

    return explain->ctx.rules == NULL || explain->key.len == 0
           || chorus_policy_takes_key(explain->ctx.rules, &parts,
                                      explain->key);
}


static chorus_explain_t
ngx_http_chorus_explain_facts(ngx_http_chorus_explain_t *explain,
    ngx_uint_t i, const json_t *source, const json_t *there)
{
    const json_t  *rule, *queue;

    rule = json_array_get(explain->followers, i);
    queue = json_array_get(json_object_get(explain->queues, "replications"),
                           i);

    return (chorus_explain_t) {
        .replication = ngx_http_chorus_explain_text(queue, "replication"),
        .follower = ngx_http_chorus_explain_text(rule, "follower"),
        .is_bucket = explain->key.len == 0,
        .takes_key = ngx_http_chorus_explain_takes(explain, i),
        .is_paused = json_is_true(json_object_get(rule, "paused"))
                     || json_is_true(json_object_get(queue, "paused")),
        .guarded = ngx_http_chorus_explain_text(queue, "guarded"),
        .owes_scan = json_is_true(json_object_get(queue, "owes_scan")),
        .held = ngx_http_chorus_explain_text(queue, "held"),
        .place = chorus_place_of(ngx_http_chorus_explain_text(queue,
                                                              "place")),
        .age_ms = ngx_http_chorus_explain_number(queue, "age_ms"),
        .next_in_ms = ngx_http_chorus_explain_number(queue, "next_in_ms"),
        .attempts = ngx_http_chorus_explain_number(queue, "attempts"),
        .code = ngx_http_chorus_explain_text(queue, "code"),
        .reason = ngx_http_chorus_explain_text(queue, "reason"),
        .main = ngx_http_chorus_explain_facts_side(source),
        .there = ngx_http_chorus_explain_facts_side(there),
    };
}


/* The moment of the follower's copy is that of its last sync. */

static json_t *
ngx_http_chorus_explain_last_sync(const json_t *there)
{
    json_t  *moment;

    moment = json_object_get(there, "last_modified");

    return moment ? json_incref(moment) : json_null();
}


static json_t *
ngx_http_chorus_explain_row(ngx_http_chorus_api_t *api, ngx_uint_t i,
    json_t *source, json_t *there)
{
    json_t                     *row, *queue;
    chorus_explain_t            facts;
    ngx_http_chorus_explain_t  *explain;

    explain = api->data;
    facts = ngx_http_chorus_explain_facts(explain, i, source, there);
    row = json_copy(json_array_get(explain->followers, i));
    queue = json_array_get(json_object_get(explain->queues, "replications"),
                           i);

    (void) json_object_set_new(row, "replication",
                               ngx_http_chorus_api_text(facts.replication));
    (void) json_object_set_new(row, "takes_key",
                               json_boolean(facts.takes_key));
    (void) json_object_set_new(row, "equal", json_boolean(
                                   chorus_explain_is_equal(&facts)));
    (void) json_object_set_new(row, "last_sync",
                               ngx_http_chorus_explain_last_sync(there));
    (void) json_object_set(row, "queue", queue);
    (void) json_object_set_new(row, "why",
                   ngx_http_chorus_explain_sentence(&facts,
                                                    api->request->pool));
    (void) json_object_set_new(row, "there", there);

    return row;
}


static json_t *
ngx_http_chorus_explain_sentence(const chorus_explain_t *facts,
    ngx_pool_t *pool)
{
    chorus_buf_t  buf;
    chorus_mem_t  mem;

    mem = ngx_http_chorus_mem(pool);
    buf = chorus_buf(&mem, 256);
    chorus_explain_write(&buf, facts);

    return ngx_http_chorus_api_text(chorus_buf_str(&buf));
}


/* ---- all of them ---- */


/* One sentence for all; with several followers a sentence each. */

static json_t *
ngx_http_chorus_explain_why(ngx_http_chorus_api_t *api, const json_t *rows)
{
    size_t                      i;
    json_t                     *row;
    chorus_buf_t                buf;
    chorus_mem_t                mem;
    ngx_http_chorus_explain_t  *explain;

    explain = api->data;
    mem = ngx_http_chorus_mem(api->request->pool);
    buf = chorus_buf(&mem, 256);

    json_array_foreach((json_t *) rows, i, row) {

        if (json_array_size(rows) > 1) {
            chorus_buf_text(&buf, i == 0 ? "" : " ");
            chorus_buf_add(&buf, ngx_http_chorus_explain_text(row,
                                                              "follower"));
            chorus_buf_text(&buf, ": ");
        }

        chorus_buf_add(&buf, ngx_http_chorus_explain_text(row, "why"));
    }

    if (json_array_size(rows) == 0 && !explain->ctx.storage->is_main) {
        chorus_buf_text(&buf, "Requests for the bucket go to ");
        chorus_buf_add(&buf, explain->ctx.storage->name);
        chorus_buf_text(&buf, ", and only what main serves is replicated.");

    } else if (json_array_size(rows) == 0) {
        chorus_buf_text(&buf, "No rule replicates this bucket of this user.");
    }

    return ngx_http_chorus_api_text(chorus_buf_str(&buf));
}
