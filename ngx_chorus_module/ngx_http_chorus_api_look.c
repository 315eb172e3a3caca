/*
 * GET /api/v1/storages, /users and /buckets: what chorus.json has, without its
 * secrets, and what workers find there now.
 */

#include "ngx_http_chorus_api.h"


#define NGX_HTTP_CHORUS_LOOK_PAGE  200          /* buckets */
#define NGX_HTTP_CHORUS_LOOK_MAX   500


static ngx_int_t ngx_http_chorus_look_limits(ngx_http_chorus_api_t *api,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text);
static ngx_int_t ngx_http_chorus_look_health(ngx_http_chorus_api_t *api,
    json_t *answer, const char *why);
static json_t *ngx_http_chorus_look_storage(const chorus_storage_t *storage,
    const json_t *limits, const json_t *health);
static ngx_int_t ngx_http_chorus_look_listed(ngx_http_chorus_api_t *api,
    json_t *answer, const char *why);
static json_t *ngx_http_chorus_look_page(ngx_http_chorus_api_t *api,
    const json_t *names, chorus_str_t *next);


/* ---- storages ---- */


/* First the limits from Redis, then health from a worker. */

ngx_int_t
ngx_http_chorus_api_storages(ngx_http_chorus_api_t *api)
{
    return ngx_http_chorus_limits_ask(api, ngx_http_chorus_look_limits);
}


static void
ngx_http_chorus_look_forget(void *data)
{
    json_decref(data);
}


static ngx_int_t
ngx_http_chorus_look_limits(ngx_http_chorus_api_t *api,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text)
{
    ngx_pool_cleanup_t  *cln;

    if (result != NGX_HTTP_CHORUS_REDIS_REPLY) {
        return ngx_http_chorus_api_relay(api, result, text);
    }

    cln = ngx_pool_cleanup_add(api->request->pool, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    api->data = json_loadb((char *) text->data, text->len, 0, NULL);
    cln->handler = ngx_http_chorus_look_forget;
    cln->data = api->data;

    return ngx_http_chorus_api_question(api,
                                        json_pack("{s:s}", "what", "storages"),
                                        ngx_http_chorus_look_health);
}


/* The row of `rows` where `member` is the name; NULL without. */

static json_t *
ngx_http_chorus_look_row(const json_t *rows, const char *member,
    chorus_str_t name)
{
    size_t   i;
    json_t  *row;

    json_array_foreach((json_t *) rows, i, row) {
        if (chorus_str_eq(name, chorus_str_from(json_string_value(
                                          json_object_get(row, member)))))
        {
            return row;
        }
    }

    return NULL;
}


/* Without a worker all else is told all the same. */

static ngx_int_t
ngx_http_chorus_look_health(ngx_http_chorus_api_t *api, json_t *answer,
    const char *why)
{
    json_t           *rows;
    ngx_uint_t        i;
    chorus_config_t  *config;

    rows = json_array();
    config = api->cmcf->config;

    for (i = 0; i < config->nstorages; i++) {
        (void) json_array_append_new(rows, ngx_http_chorus_look_storage(
                         &config->storages[i],
                         ngx_http_chorus_look_row(json_object_get(api->data,
                                                       "limits"), "storage",
                                                  config->storages[i].name),
                         ngx_http_chorus_look_row(json_object_get(answer,
                                                       "storages"), "name",
                                                  config->storages[i].name)));
    }

    return ngx_http_chorus_api_send_json(api, NGX_HTTP_OK,
               json_pack("{s:o, s:{s:b, s:s}}", "storages", rows, "worker",
                         "answered", why == NULL, "message",
                         why ? why : ""));
}


static json_t *
ngx_http_chorus_look_user_names(const chorus_storage_t *storage)
{
    json_t      *names;
    ngx_uint_t   i;

    names = json_array();

    for (i = 0; i < storage->nusers; i++) {
        (void) json_array_append_new(names, ngx_http_chorus_api_text(
                                                storage->users[i].name));
    }

    return names;
}


static json_t *
ngx_http_chorus_look_member(const json_t *row, const char *name)
{
    json_t  *value;

    value = json_object_get(row, name);

    return value ? json_incref(value) : json_null();
}


static json_t *
ngx_http_chorus_look_storage(const chorus_storage_t *storage,
    const json_t *limits, const json_t *health)
{
    const char  *provider;

    provider = chorus_provider(storage->provider)->name;

    return json_pack("{s:o, s:b, s:o, s:s, s:o, s:o, s:{s:o, s:o},"
                     " s:{s:s, s:o, s:o, s:o}}",
                     "name", ngx_http_chorus_api_text(storage->name),
                     "main", (int) storage->is_main,
                     "endpoint", ngx_http_chorus_api_text(storage->endpoint),
                     "provider", provider,
                     "region", ngx_http_chorus_api_text(storage->region),
                     "users", ngx_http_chorus_look_user_names(storage),
                     "limits", "requests_per_second",
                     ngx_http_chorus_look_member(limits,
                                                 "requests_per_second"),
                     "bytes_per_second",
                     ngx_http_chorus_look_member(limits, "bytes_per_second"),
                     "health", "state",
                     health ? json_string_value(json_object_get(health,
                                                                "state"))
                            : "unknown",
                     "status", ngx_http_chorus_look_member(health, "status"),
                     "latency_ms",
                     ngx_http_chorus_look_member(health, "latency_ms"),
                     "reason",
                     ngx_http_chorus_look_member(health, "reason"));
}


/* ---- users ---- */


ngx_int_t
ngx_http_chorus_api_users(ngx_http_chorus_api_t *api)
{
    json_t           *rows, *storages;
    ngx_uint_t        i, k;
    chorus_config_t  *config;

    rows = json_array();
    config = api->cmcf->config;

    for (i = 0; i < config->nusers; i++) {

        storages = json_array();

        for (k = 0; k < config->nstorages; k++) {
            if (chorus_storage_credential(&config->storages[k],
                                          config->users[i].name))
            {
                (void) json_array_append_new(storages,
                         ngx_http_chorus_api_text(config->storages[k].name));
            }
        }

        (void) json_array_append_new(rows, json_pack("{s:o, s:I, s:o}",
                 "name", ngx_http_chorus_api_text(config->users[i].name),
                 "keys", (json_int_t) config->users[i].ncredentials,
                 "storages", storages));
    }

    return ngx_http_chorus_api_send_json(api, NGX_HTTP_OK,
                                         json_pack("{s:o}", "users", rows));
}


/* ---- buckets ---- */


/* NGX_DECLINED: refused, and `rc` says with what. */

static ngx_int_t
ngx_http_chorus_look_whose(ngx_http_chorus_api_t *api,
    chorus_storage_t **storage, chorus_str_t *user, ngx_int_t *rc)
{
    chorus_str_t  name;

    *storage = api->cmcf->config->main;

    if (ngx_http_chorus_api_arg_or(api, "storage", "", &name) != NGX_OK) {
        *storage = NULL;

    } else if (name.len != 0) {
        *storage = chorus_config_storage(api->cmcf->config, name);
    }

    if (*storage == NULL) {
        *rc = ngx_http_chorus_api_refuse(api, NGX_HTTP_NOT_FOUND,
                  "unknown_storage",
                  "storage: chorus.json has none of that name");
        return NGX_DECLINED;
    }

    if (ngx_http_chorus_api_arg(api, "user", user) != NGX_OK) {
        *rc = ngx_http_chorus_api_refuse(api, NGX_HTTP_BAD_REQUEST,
                  "bad_request", "user: say whose buckets");
        return NGX_DECLINED;
    }

    if (chorus_storage_credential(*storage, *user) == NULL) {
        *rc = ngx_http_chorus_api_refuse(api, NGX_HTTP_NOT_FOUND,
                  "unknown_user", "user: the storage has none of that name");
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_chorus_api_buckets(ngx_http_chorus_api_t *api)
{
    uint64_t           count;
    ngx_int_t          rc;
    chorus_str_t       user;
    chorus_storage_t  *storage;

    if (ngx_http_chorus_look_whose(api, &storage, &user, &rc) != NGX_OK) {
        return rc;
    }

    if (ngx_http_chorus_api_integer(api, "count", 1, NGX_HTTP_CHORUS_LOOK_MAX,
                                    NGX_HTTP_CHORUS_LOOK_PAGE, &count)
        != NGX_OK)
    {
        return ngx_http_chorus_api_refuse(api, NGX_HTTP_BAD_REQUEST,
                   "bad_request", "count: is a number from 1 to 500");
    }

    return ngx_http_chorus_api_question(api,
               json_pack("{s:s, s:o, s:o}", "what", "buckets", "storage",
                         ngx_http_chorus_api_text(storage->name), "user",
                         ngx_http_chorus_api_text(user)),
               ngx_http_chorus_look_listed);
}


static ngx_int_t
ngx_http_chorus_look_listed(ngx_http_chorus_api_t *api, json_t *answer,
    const char *why)
{
    json_t            *error, *page, *names;
    ngx_int_t          rc;
    chorus_str_t       user, next;
    chorus_storage_t  *storage;

    if (answer == NULL) {
        return ngx_http_chorus_api_refuse(api, NGX_HTTP_GATEWAY_TIME_OUT,
                                          "no_answer", why);
    }

    error = json_object_get(answer, "error");

    if (error) {
        return ngx_http_chorus_api_answer_error(api, error);
    }

    if (ngx_http_chorus_look_whose(api, &storage, &user, &rc) != NGX_OK) {
        return rc;
    }

    names = json_object_get(answer, "buckets");
    page = ngx_http_chorus_look_page(api, names, &next);

    return ngx_http_chorus_api_send_json(api, NGX_HTTP_OK,
               json_pack("{s:o, s:o, s:I, s:b, s:o, s:o}", "storage",
                         ngx_http_chorus_api_text(storage->name), "user",
                         ngx_http_chorus_api_text(user), "total",
                         (json_int_t) json_array_size(names), "is_whole",
                         json_is_true(json_object_get(answer, "is_whole")),
                         "next", next.data ? ngx_http_chorus_api_text(next)
                                           : json_null(),
                         "buckets", page));
}


static int
ngx_http_chorus_look_cmp(const void *one, const void *two)
{
    return chorus_str_cmp(*(const chorus_str_t *) one,
                          *(const chorus_str_t *) two);
}


/* Sorted; NULL when out of memory. */

static chorus_str_t *
ngx_http_chorus_look_sort(ngx_http_chorus_api_t *api, const json_t *names,
    size_t n)
{
    size_t         i;
    chorus_str_t  *sorted;

    sorted = ngx_palloc(api->request->pool, (n + 1) * sizeof(chorus_str_t));
    if (sorted == NULL) {
        return NULL;
    }

    for (i = 0; i < n; i++) {
        sorted[i] = chorus_str_from(json_string_value(
                                        json_array_get(names, i)));
    }

    ngx_qsort(sorted, n, sizeof(chorus_str_t), ngx_http_chorus_look_cmp);

    return sorted;
}


/* A bucket, and what the rules say of it as one of main's. */

static json_t *
ngx_http_chorus_look_bucket(ngx_http_chorus_api_t *api, chorus_str_t user,
    chorus_str_t bucket)
{
    json_t                      *route;
    ngx_http_chorus_ctx_t        ctx;
    ngx_http_chorus_loc_conf_t   nothing;

    ngx_memzero(&ctx, sizeof(ngx_http_chorus_ctx_t));
    ctx.user = user;
    ctx.uri.bucket = bucket;

    ngx_http_chorus_api_locate(api, &ctx, &nothing);
    route = ngx_http_chorus_api_route_of(api, &ctx);

    return json_pack("{s:o, s:o, s:o}", "name",
                     ngx_http_chorus_api_text(bucket), "route", route,
                     "replications",
                     ngx_http_chorus_api_followers_of(api, &ctx));
}


/* Those behind ?after=; *next: where the next page begins, or null. */

static json_t *
ngx_http_chorus_look_page(ngx_http_chorus_api_t *api, const json_t *names,
    chorus_str_t *next)
{
    json_t        *page;
    size_t         i, n;
    uint64_t       count;
    chorus_str_t   after, user, *sorted;

    *next = chorus_null_str;
    after = chorus_null_str;
    n = json_array_size(names);
    sorted = ngx_http_chorus_look_sort(api, names, n);

    if (sorted == NULL) {
        return NULL;
    }

    page = json_array();
    (void) ngx_http_chorus_api_arg(api, "after", &after);
    (void) ngx_http_chorus_api_arg(api, "user", &user);
    (void) ngx_http_chorus_api_integer(api, "count", 1,
                                       NGX_HTTP_CHORUS_LOOK_MAX,
                                       NGX_HTTP_CHORUS_LOOK_PAGE, &count);

    for (i = 0; i < n; i++) {

        if (after.data && chorus_str_cmp(sorted[i], after) <= 0) {
            continue;
        }

        if (json_array_size(page) == count) {
            *next = sorted[i - 1];
            break;
        }

        (void) json_array_append_new(page,
                   ngx_http_chorus_look_bucket(api, user, sorted[i]));
    }

    return page;
}
