/*
 * GET /api/v1/failed, POST /api/v1/retry and DELETE /api/v1/failed: the keys
 * that are parked, their way back, and their way out.  All is in the query: replication, reason, cursor, and of a
 * change key.  Values are percent-encoded, so that a key may be any bytes.
 */

#include "ngx_http_chorus_api.h"
#include "chorus_library.h"


#define NGX_HTTP_CHORUS_FAILED_PAGE  "500"      /* keys looked at, about */
#define NGX_HTTP_CHORUS_FAILED_ARGS  7          /* two keys, cursor, count,
                                                 * reason, replication, key */


static ngx_int_t ngx_http_chorus_failed_change(ngx_http_chorus_api_t *api,
    const char *function);
static ngx_int_t ngx_http_chorus_failed_arg(ngx_http_chorus_api_t *api,
    const char *name, ngx_str_t *value);
static ngx_int_t ngx_http_chorus_failed_args(ngx_http_chorus_api_t *api,
    ngx_str_t *args, ngx_uint_t *n);


ngx_int_t
ngx_http_chorus_failed(ngx_http_chorus_api_t *api)
{
    ngx_int_t   rc;
    ngx_str_t   args[NGX_HTTP_CHORUS_FAILED_ARGS];
    ngx_uint_t  n;

    ngx_str_set(&args[0], CHORUS_REDIS_REPLICATIONS);
    n = 1;

    rc = ngx_http_chorus_failed_args(api, args, &n);

    return rc == NGX_ERROR ? NGX_HTTP_INTERNAL_SERVER_ERROR
           : ngx_http_chorus_api_ask(api, "FCALL_RO", "chorus_parked", 1,
                                     args, n, ngx_http_chorus_api_relay);
}


ngx_int_t
ngx_http_chorus_retry(ngx_http_chorus_api_t *api)
{
    return ngx_http_chorus_failed_change(api, "retry_parked");
}


/* All of all replications only for who says so. */

ngx_int_t
ngx_http_chorus_failed_drop(ngx_http_chorus_api_t *api)
{
    ngx_str_t  value;

    if (ngx_http_chorus_failed_arg(api, "replication", &value)
        == NGX_DECLINED
        && (ngx_http_chorus_failed_arg(api, "all", &value) != NGX_OK
            || value.len != 4 || ngx_strncmp(value.data, "true", 4) != 0))
    {
        return ngx_http_chorus_api_refuse(api, NGX_HTTP_BAD_REQUEST,
                   "bad_request", "replication: say which one, or all=true");
    }

    return ngx_http_chorus_failed_change(api, "drop_parked");
}


static ngx_int_t
ngx_http_chorus_failed_change(ngx_http_chorus_api_t *api,
    const char *function)
{
    ngx_int_t   rc;
    ngx_str_t   args[NGX_HTTP_CHORUS_FAILED_ARGS], all;
    ngx_uint_t  n;

    ngx_str_set(&args[0], CHORUS_REDIS_SCHEDULE);
    ngx_str_set(&args[1], CHORUS_REDIS_REPLICATIONS);
    n = 2;

    rc = ngx_http_chorus_failed_args(api, args, &n);
    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_str_set(&all, "*");

    if (rc == NGX_OK) {
        all = args[n - 1];
    }

    /* the empty key is the bucket itself */
    switch (ngx_http_chorus_failed_arg(api, "key", &args[n])) {

    case NGX_ERROR:
        return NGX_HTTP_INTERNAL_SERVER_ERROR;

    case NGX_OK:
        if (rc == NGX_DECLINED) {
            return ngx_http_chorus_api_refuse(api, NGX_HTTP_BAD_REQUEST,
                       "bad_request", "replication: a key needs it");
        }

        n++;
        break;
    }

    return ngx_http_chorus_api_ask_audited(api, &all, function, 2, args, n,
                                           ngx_http_chorus_api_relay);
}


/* NGX_DECLINED: it is not in the query. */

static ngx_int_t
ngx_http_chorus_failed_arg(ngx_http_chorus_api_t *api, const char *name,
    ngx_str_t *value)
{
    u_char     *from, *to;
    ngx_str_t   raw;

    if (ngx_http_arg(api->request, (u_char *) name, ngx_strlen(name), &raw)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    value->data = ngx_pnalloc(api->request->pool, raw.len + 1);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    from = raw.data;
    to = value->data;
    ngx_unescape_uri(&to, &from, raw.len, 0);
    value->len = to - value->data;

    return NGX_OK;
}


/* Cursor, count, reason, and the replication if there is one; else
 * NGX_DECLINED. */

static ngx_int_t
ngx_http_chorus_failed_args(ngx_http_chorus_api_t *api, ngx_str_t *args,
    ngx_uint_t *n)
{
    ngx_int_t  rc;

    ngx_str_set(&args[*n], "0");
    if (ngx_http_chorus_failed_arg(api, "cursor", &args[*n]) == NGX_ERROR) {
        return NGX_ERROR;
    }

    ngx_str_set(&args[*n + 1], NGX_HTTP_CHORUS_FAILED_PAGE);

    ngx_str_set(&args[*n + 2], "");
    if (ngx_http_chorus_failed_arg(api, "reason", &args[*n + 2])
        == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    *n += 3;

    rc = ngx_http_chorus_failed_arg(api, "replication", &args[*n]);
    if (rc == NGX_OK) {
        (*n)++;
    }

    return rc;
}
