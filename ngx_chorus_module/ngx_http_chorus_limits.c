/*
 * /api/v1/limits: what all workers together may ask of each storage.  What
 * chorus.json says is known here, what is set at run time is in Redis; workers
 * ask for it several times a second.
 */

#include "ngx_http_chorus_api.h"
#include "chorus_library.h"
#include "chorus_limit.h"


/* of one storage: its name and a number for each kind of limit */
#define NGX_HTTP_CHORUS_LIMITS_ARGS  (1 + CHORUS_NLIMITS)


static ngx_int_t ngx_http_chorus_limits_send(ngx_http_chorus_api_t *api,
    const chorus_storage_t *storage, const chorus_limits_t *change);
static ngx_int_t ngx_http_chorus_limits_storage(ngx_http_chorus_api_t *api,
    ngx_str_t *args, const chorus_storage_t *storage);
static ngx_int_t ngx_http_chorus_limits_number(ngx_http_chorus_api_t *api,
    ngx_str_t *arg, int64_t n);


ngx_int_t
ngx_http_chorus_limits(ngx_http_chorus_api_t *api)
{
    return ngx_http_chorus_limits_ask(api, ngx_http_chorus_api_relay);
}


ngx_int_t
ngx_http_chorus_limits_ask(ngx_http_chorus_api_t *api,
    ngx_http_chorus_api_reply_pt reply)
{
    ngx_str_t        *args;
    ngx_uint_t        i, n;
    chorus_config_t  *config;

    config = api->cmcf->config;
    n = 1 + config->nstorages * NGX_HTTP_CHORUS_LIMITS_ARGS;

    args = ngx_palloc(api->request->pool, n * sizeof(ngx_str_t));
    if (args == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_str_set(&args[0], CHORUS_REDIS_LIMITS);

    for (i = 0; i < config->nstorages; i++) {
        if (ngx_http_chorus_limits_storage(api,
                          &args[1 + i * NGX_HTTP_CHORUS_LIMITS_ARGS],
                          &config->storages[i])
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    return ngx_http_chorus_api_ask(api, "FCALL_RO", "chorus_limits", 1, args,
                                   n, reply);
}


/* PUT sets what its body names, DELETE has none and goes back to chorus.json */

ngx_int_t
ngx_http_chorus_limits_change(ngx_http_chorus_api_t *api)
{
    chorus_error_t           error;
    chorus_limits_t          change;
    const chorus_storage_t  *storage;

    storage = chorus_config_storage(api->cmcf->config,
                                    ngx_http_chorus_view(&api->parts[0]));
    if (storage == NULL) {
        return ngx_http_chorus_api_refuse(api, NGX_HTTP_NOT_FOUND,
                   "unknown_storage", "chorus.json has no such storage");
    }

    if (api->request->method == NGX_HTTP_DELETE) {
        change.of[CHORUS_LIMIT_REQUESTS] = CHORUS_LIMIT_UNSET;
        change.of[CHORUS_LIMIT_BYTES] = CHORUS_LIMIT_UNSET;

    } else if (chorus_limits_change(ngx_http_chorus_view(&api->body), &change,
                                    &error)
               != CHORUS_OK)
    {
        return ngx_http_chorus_api_refuse(api, NGX_HTTP_BAD_REQUEST,
                                          "bad_request", error.text);
    }

    return ngx_http_chorus_limits_send(api, storage, &change);
}


static ngx_int_t
ngx_http_chorus_limits_send(ngx_http_chorus_api_t *api,
    const chorus_storage_t *storage, const chorus_limits_t *change)
{
    ngx_int_t   rc;
    ngx_str_t   args[1 + NGX_HTTP_CHORUS_LIMITS_ARGS + 2 * CHORUS_NLIMITS];
    ngx_uint_t  i, n;

    ngx_str_set(&args[0], CHORUS_REDIS_LIMITS);
    rc = ngx_http_chorus_limits_storage(api, &args[1], storage);
    n = 1 + NGX_HTTP_CHORUS_LIMITS_ARGS;

    for (i = 0; i < CHORUS_NLIMITS && rc == NGX_OK; i++) {

        if (change->of[i] == CHORUS_LIMIT_KEEP) {
            continue;
        }

        args[n] = ngx_http_chorus_ngx_str(
                                    chorus_str_from(chorus_limit_kinds[i]));
        rc = ngx_http_chorus_limits_number(api, &args[n + 1], change->of[i]);
        n += 2;
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_log_error(NGX_LOG_NOTICE, api->request->connection->log, 0,
                  "chorus: limits of storage \"%*s\" changed: requests %L, "
                  "bytes %L a second (0: none, -1: those of chorus.json, -2: "
                  "as they were)", storage->name.len, storage->name.data,
                  change->of[CHORUS_LIMIT_REQUESTS],
                  change->of[CHORUS_LIMIT_BYTES]);

    return ngx_http_chorus_api_ask_audited(api, &args[1], "limits_set", 1,
                                           args, n,
                                           ngx_http_chorus_api_relay);
}


static ngx_int_t
ngx_http_chorus_limits_storage(ngx_http_chorus_api_t *api, ngx_str_t *args,
    const chorus_storage_t *storage)
{
    ngx_uint_t  i;

    args[0] = ngx_http_chorus_ngx_str(storage->name);

    for (i = 0; i < CHORUS_NLIMITS; i++) {
        if (ngx_http_chorus_limits_number(api, &args[1 + i],
                                          storage->limits.of[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_chorus_limits_number(ngx_http_chorus_api_t *api, ngx_str_t *arg,
    int64_t n)
{
    arg->data = ngx_pnalloc(api->request->pool, NGX_INT64_LEN);
    if (arg->data == NULL) {
        return NGX_ERROR;
    }

    arg->len = ngx_snprintf(arg->data, NGX_INT64_LEN, "%L", n) - arg->data;

    return NGX_OK;
}
