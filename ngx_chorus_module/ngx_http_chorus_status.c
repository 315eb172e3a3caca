/*
 * GET /api/v1/workers: what each worker says about itself.
 * GET /api/v1/status: the counters of this proxy, who is alive and runs which
 * policy, and the state of every replication as the function library in Redis
 * tells it.
 */

#include "ngx_http_chorus_api.h"
#include "chorus_library.h"
#include "chorus_release.h"


#define NGX_HTTP_CHORUS_STATUS_HEAD                                           \
    "\"version\":\"" CHORUS_VERSION "\",\"redis\":"

#define NGX_HTTP_CHORUS_STATUS_AWAY                                           \
    "\"error\":{\"code\":\"redis_unavailable\",\"message\":"                    \
    "\"Redis cannot be reached; writes are accepted and changed keys wait "    \
    "in the proxy\",\"field\":null}"


static ngx_str_t ngx_http_chorus_status_cursor(ngx_http_request_t *r);
static ngx_int_t ngx_http_chorus_status_readers(ngx_http_chorus_api_t *api,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text);
static ngx_int_t ngx_http_chorus_status_answer(ngx_http_chorus_api_t *api,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text);


/* Who is alive is asked first. */

ngx_int_t
ngx_http_chorus_status(ngx_http_chorus_api_t *api)
{
    ngx_str_t  args[] = {
        ngx_string(CHORUS_REDIS_POLICY),
        ngx_string(CHORUS_REDIS_POLICY_READERS),
        ngx_string(CHORUS_REDIS_POLICY_ALIVE),
        ngx_string(CHORUS_REDIS_POLICY_OWED)
    };

    return ngx_http_chorus_api_ask(api, "FCALL_RO", "chorus_policy_readers",
                                   4, args, 4, ngx_http_chorus_status_readers);
}


static ngx_int_t
ngx_http_chorus_status_readers(ngx_http_chorus_api_t *api,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text)
{
    ngx_str_t  *readers;
    ngx_str_t   args[] = {
        ngx_string(CHORUS_REDIS_REPLICATIONS),
        ngx_http_chorus_status_cursor(api->request),
        ngx_string("200")                       /* replications a page */
    };

    if (result != NGX_HTTP_CHORUS_REDIS_REPLY || text->len == 0) {
        return ngx_http_chorus_status_answer(api, result, text);
    }

    readers = ngx_palloc(api->request->pool, sizeof(ngx_str_t));
    if (readers == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    readers->len = text->len;
    readers->data = ngx_pstrdup(api->request->pool, text);
    if (readers->data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    api->data = readers;

    return ngx_http_chorus_api_ask(api, "FCALL_RO", "chorus_status", 1, args,
                                   3, ngx_http_chorus_status_answer);
}


ngx_int_t
ngx_http_chorus_workers(ngx_http_chorus_api_t *api)
{
    ngx_str_t  args[] = {
        ngx_string(CHORUS_REDIS_WORKERS),
        ngx_string(CHORUS_REDIS_WORKERS_ALIVE)
    };

    return ngx_http_chorus_api_ask(api, "FCALL_RO", "chorus_workers", 2, args,
                                   2, ngx_http_chorus_api_relay);
}


ngx_int_t
ngx_http_chorus_history(ngx_http_chorus_api_t *api)
{
    ngx_str_t  key = ngx_string(CHORUS_REDIS_HISTORY_ALL);

    return ngx_http_chorus_api_ask(api, "FCALL_RO", "chorus_history_all", 1,
                                   &key, 1, ngx_http_chorus_api_relay);
}


static ngx_str_t
ngx_http_chorus_status_cursor(ngx_http_request_t *r)
{
    ngx_str_t  cursor;

    if (ngx_http_arg(r, (u_char *) "cursor", 6, &cursor) != NGX_OK) {
        ngx_str_set(&cursor, "0");
    }

    return cursor;
}


/* What Redis knows is missing when it is away; what this proxy knows is wanted
 * then most. */

static ngx_int_t
ngx_http_chorus_status_answer(ngx_http_chorus_api_t *api,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text)
{
    u_char      *p, *last, *end;
    size_t       size;
    ngx_str_t   *readers;
    ngx_uint_t   is_told;

    if (result == NGX_HTTP_CHORUS_REDIS_REFUSED
        && chorus_str_starts(ngx_http_chorus_view(text),
                             chorus_str("ERR chorus_status: ")))
    {
        return ngx_http_chorus_api_relay(api, result, text);
    }

    readers = api->data;
    is_told = readers != NULL && result == NGX_HTTP_CHORUS_REDIS_REPLY
              && text->len != 0;

    size = sizeof(NGX_HTTP_CHORUS_STATUS_HEAD)
           + sizeof(NGX_HTTP_CHORUS_STATUS_AWAY) + NGX_HTTP_CHORUS_COUNTERS_LEN
           + sizeof("{\"away\",,\"policy\":,\"proxy\":,\"queue\":}\n")
           + (is_told ? readers->len + text->len : 0);

    p = ngx_pnalloc(api->request->pool, size);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    end = p + size;

    last = ngx_slprintf(p, end, "{" NGX_HTTP_CHORUS_STATUS_HEAD);
    last = is_told
           ? ngx_slprintf(last, end, "\"up\",\"policy\":%V,", readers)
           : ngx_slprintf(last, end, "\"away\","
                          NGX_HTTP_CHORUS_STATUS_AWAY ",");

    last = ngx_slprintf(last, end, "\"proxy\":");
    last = ngx_http_chorus_counters_write(last, end, api->cmcf);

    if (is_told) {
        last = ngx_slprintf(last, end, ",\"queue\":%V", text);
    }

    last = ngx_slprintf(last, end, "}\n");

    return ngx_http_chorus_api_send(api, is_told ? NGX_HTTP_OK
                                    : NGX_HTTP_SERVICE_UNAVAILABLE,
                                    p, last - p);
}
