/*
 * POST /api/v1/guards/R {"accept_deletes":}: a person has looked at what the
 * delete guard has paused, and it goes on.
 * DELETE /api/v1/queues/R: what nobody replicates any more is to be forgotten.
 */

#include <jansson.h>

#include "ngx_http_chorus_api.h"
#include "chorus_library.h"


static ngx_int_t ngx_http_chorus_guard_hash(ngx_http_chorus_api_t *api,
    ngx_str_t *hash);
static ngx_int_t ngx_http_chorus_guard_asked(ngx_http_chorus_api_t *api,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text);
static ngx_int_t ngx_http_chorus_guard_body(ngx_http_chorus_api_t *api,
    ngx_str_t *accepts);
static ngx_int_t ngx_http_chorus_guard_resumed(ngx_http_chorus_api_t *api,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text);


ngx_int_t
ngx_http_chorus_guard_resume(ngx_http_chorus_api_t *api)
{
    ngx_str_t  args[5] = {
        ngx_null_string, ngx_string(CHORUS_REDIS_SCHEDULE),
        ngx_string(CHORUS_REDIS_REPLICATIONS), ngx_null_string,
        api->who->name
    };

    if (ngx_http_chorus_guard_body(api, &args[3]) != NGX_OK) {
        return ngx_http_chorus_api_refuse(api, NGX_HTTP_BAD_REQUEST,
                   "bad_request",
                   "the body is {\"accept_deletes\": true or false}");
    }

    if (ngx_http_chorus_guard_hash(api, &args[0]) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_chorus_api_ask(api, "FCALL", "chorus_guard_resume", 3,
                                   args, 5, ngx_http_chorus_guard_resumed);
}


/* What this nginx itself replicates stays; workers look at their rules, and a
 * mark of another nginx says no, too. */

ngx_int_t
ngx_http_chorus_guard_forget(ngx_http_chorus_api_t *api)
{
    ngx_str_t             args[4] = {
        ngx_null_string, ngx_string(CHORUS_REDIS_SCHEDULE),
        ngx_string(CHORUS_REDIS_REPLICATIONS), api->who->name
    };
    chorus_mem_t          mem;
    chorus_error_t        error;
    chorus_replication_t  parts;

    mem = ngx_http_chorus_mem(api->request->pool);

    if (chorus_replication_parse(&mem, ngx_http_chorus_view(&api->parts[0]),
                                 &parts, &error)
        != CHORUS_OK)
    {
        return ngx_http_chorus_api_refuse(api, NGX_HTTP_BAD_REQUEST,
                                          "bad_request", error.text);
    }

    if (ngx_http_chorus_api_replicates(api, &parts)) {
        return ngx_http_chorus_api_refuse(api, NGX_HTTP_CONFLICT, "conflict",
                   "it is replicated: see chorusctl route show, and delete "
                   "the rule first");
    }

    if (ngx_http_chorus_guard_hash(api, &args[0]) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_chorus_api_ask_audited(api, &api->parts[0], "forget", 3,
                                           args, 4,
                                           ngx_http_chorus_guard_asked);
}


static ngx_int_t
ngx_http_chorus_guard_asked(ngx_http_chorus_api_t *api,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text)
{
    static u_char  asked[] = "{\"asked\":true}\n";

    if (result != NGX_HTTP_CHORUS_REDIS_REPLY) {
        return ngx_http_chorus_api_relay(api, result, text);
    }

    if (text->len == 1 && text->data[0] == '0') {
        return ngx_http_chorus_api_refuse(api, NGX_HTTP_NOT_FOUND,
                   "not_found", "there is no such replication");
    }

    return ngx_http_chorus_api_send(api, NGX_HTTP_OK, asked,
                                    sizeof(asked) - 1);
}


/* "chorus:{R}" */

static ngx_int_t
ngx_http_chorus_guard_hash(ngx_http_chorus_api_t *api, ngx_str_t *hash)
{
    u_char  *p;

    p = ngx_pnalloc(api->request->pool,
                    api->parts[0].len + sizeof("chorus:{}") - 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    hash->data = p;

    p = ngx_cpymem(p, "chorus:{", sizeof("chorus:{") - 1);
    p = ngx_cpymem(p, api->parts[0].data, api->parts[0].len);
    *p++ = '}';

    hash->len = p - hash->data;

    return NGX_OK;
}


/* "1" or "0"; it is to be said, since much depends on it. */

static ngx_int_t
ngx_http_chorus_guard_body(ngx_http_chorus_api_t *api, ngx_str_t *accepts)
{
    int      rc, is_accepted;
    json_t  *body;

    body = json_loadb((char *) api->body.data, api->body.len,
                      JSON_REJECT_DUPLICATES, NULL);

    rc = json_unpack(body, "{s:b !}", "accept_deletes", &is_accepted);
    json_decref(body);

    if (rc != 0) {
        return NGX_ERROR;
    }

    ngx_str_set(accepts, "0");

    if (is_accepted) {
        ngx_str_set(accepts, "1");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_chorus_guard_resumed(ngx_http_chorus_api_t *api,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text)
{
    static u_char  resumed[] = "{\"resumed\":true}\n";

    if (result != NGX_HTTP_CHORUS_REDIS_REPLY) {
        return ngx_http_chorus_api_relay(api, result, text);
    }

    if (text->len == 1 && text->data[0] == '0') {
        return ngx_http_chorus_api_refuse(api, NGX_HTTP_CONFLICT, "conflict",
                   "the delete guard has not paused this replication");
    }

    return ngx_http_chorus_api_send(api, NGX_HTTP_OK, resumed,
                                    sizeof(resumed) - 1);
}
