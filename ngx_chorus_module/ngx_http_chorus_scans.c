/*
 * /api/v1/scans: what scans there are, what they found; to begin and to end
 * one.  Each is a call of a function in Redis; workers do the rest.
 */

#include <jansson.h>

#include "ngx_http_chorus_api.h"
#include "chorus_library.h"


#define NGX_HTTP_CHORUS_SCANS_COUNT   "200"     /* replications a page */
#define NGX_HTTP_CHORUS_SCANS_KEYS    "1000"    /* differences a page */


static ngx_str_t ngx_http_chorus_scans_number(ngx_http_request_t *r,
    const char *name);
static ngx_int_t ngx_http_chorus_scans_hash(ngx_http_chorus_api_t *api,
    ngx_str_t *hash);
static ngx_str_t ngx_http_chorus_scans_flag(int is_set);
static ngx_int_t ngx_http_chorus_scans_body(ngx_http_chorus_api_t *api,
    ngx_str_t *args);
static ngx_int_t ngx_http_chorus_scans_started(ngx_http_chorus_api_t *api,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text);
static ngx_int_t ngx_http_chorus_scans_stopped(ngx_http_chorus_api_t *api,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text);
static ngx_int_t ngx_http_chorus_scans_forgotten(ngx_http_chorus_api_t *api,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text);


static ngx_str_t  ngx_http_chorus_scans_replications =
    ngx_string(CHORUS_REDIS_REPLICATIONS);
static ngx_str_t  ngx_http_chorus_scans_schedule =
    ngx_string(CHORUS_REDIS_SCHEDULE);


/* GET /api/v1/scans?cursor= */

ngx_int_t
ngx_http_chorus_scans(ngx_http_chorus_api_t *api)
{
    ngx_str_t  args[3];

    args[0] = ngx_http_chorus_scans_replications;
    args[1] = ngx_http_chorus_scans_number(api->request, "cursor");
    ngx_str_set(&args[2], NGX_HTTP_CHORUS_SCANS_COUNT);

    return ngx_http_chorus_api_ask(api, "FCALL_RO", "chorus_scan_list", 1,
                                   args, 3, ngx_http_chorus_api_relay);
}


/* GET /api/v1/scans/R */

ngx_int_t
ngx_http_chorus_scans_look(ngx_http_chorus_api_t *api)
{
    ngx_str_t  hash;

    if (ngx_http_chorus_scans_hash(api, &hash) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_chorus_api_ask(api, "FCALL_RO", "chorus_scan_look", 1,
                                   &hash, 1, ngx_http_chorus_api_relay);
}


/* GET /api/v1/history/R */

ngx_int_t
ngx_http_chorus_history_of(ngx_http_chorus_api_t *api)
{
    ngx_str_t  hash;

    if (ngx_http_chorus_scans_hash(api, &hash) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_chorus_api_ask(api, "FCALL_RO", "chorus_history_of", 1,
                                   &hash, 1, ngx_http_chorus_api_relay);
}


/* GET /api/v1/scans/R/differences?after= */

ngx_int_t
ngx_http_chorus_scans_differences(ngx_http_chorus_api_t *api)
{
    uint64_t   after;
    ngx_str_t  args[3];

    if (ngx_http_chorus_api_integer(api, "after", 0, INT64_MAX, 0,
                                    &after) != NGX_OK)
    {
        return ngx_http_chorus_api_bad_arg(api, chorus_str("after"),
                                           ": is a whole number");
    }

    if (ngx_http_chorus_scans_hash(api, &args[0]) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    args[1] = ngx_http_chorus_scans_number(api->request, "after");
    ngx_str_set(&args[2], NGX_HTTP_CHORUS_SCANS_KEYS);

    return ngx_http_chorus_api_ask(api, "FCALL_RO",
                                   "chorus_scan_differences", 1, args, 3,
                                   ngx_http_chorus_api_relay);
}


/* DELETE /api/v1/scans/R/differences?id=&until=: a reader has those up to this
 * number. */

ngx_int_t
ngx_http_chorus_scans_forget(ngx_http_chorus_api_t *api)
{
    ngx_str_t  args[5];

    if (ngx_http_chorus_scans_hash(api, &args[0]) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    args[1] = ngx_http_chorus_scans_schedule;
    args[2] = ngx_http_chorus_scans_replications;
    args[3] = ngx_http_chorus_scans_number(api->request, "id");
    args[4] = ngx_http_chorus_scans_number(api->request, "until");

    return ngx_http_chorus_api_ask(api, "FCALL", "chorus_scan_reported", 3,
                                   args, 5, ngx_http_chorus_scans_forgotten);
}


/* POST /api/v1/scans/R {"kind":, "level":, "delete_surplus":, "report":} */

ngx_int_t
ngx_http_chorus_scans_start(ngx_http_chorus_api_t *api)
{
    ngx_str_t  args[7];

    if (ngx_http_chorus_scans_hash(api, &args[0]) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    args[1] = ngx_http_chorus_scans_schedule;
    args[2] = ngx_http_chorus_scans_replications;

    if (ngx_http_chorus_scans_body(api, &args[3]) != NGX_OK) {
        return ngx_http_chorus_api_refuse(api, NGX_HTTP_BAD_REQUEST,
                   "bad_request", "the body is {\"kind\": \"migrate\", "
                   "\"check\" or \"repair\", \"level\": \"quick\", "
                   "\"full\" or \"content\", \"delete_surplus\": true or "
                   "false, \"report\": true or false}; surplus is deleted by "
                   "a repair only, and reported is a check only");
    }

    return ngx_http_chorus_api_ask_audited(api, &api->parts[0], "scan_start",
                                           3, args, 7,
                                           ngx_http_chorus_scans_started);
}


/* DELETE /api/v1/scans/R */

ngx_int_t
ngx_http_chorus_scans_stop(ngx_http_chorus_api_t *api)
{
    ngx_str_t  args[3];

    if (ngx_http_chorus_scans_hash(api, &args[0]) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    args[1] = ngx_http_chorus_scans_schedule;
    args[2] = ngx_http_chorus_scans_replications;

    return ngx_http_chorus_api_ask_audited(api, &api->parts[0], "scan_stop",
                                           3, args, 3,
                                           ngx_http_chorus_scans_stopped);
}


/* "0" when it is not there. */

static ngx_str_t
ngx_http_chorus_scans_number(ngx_http_request_t *r, const char *name)
{
    ngx_str_t  value;

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &value) != NGX_OK)
    {
        ngx_str_set(&value, "0");
    }

    return value;
}


/* "chorus:{R}" of the first part of the path; the function looks whether R is
 * one. */

static ngx_int_t
ngx_http_chorus_scans_hash(ngx_http_chorus_api_t *api, ngx_str_t *hash)
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


static ngx_str_t
ngx_http_chorus_scans_flag(int is_set)
{
    static ngx_str_t  flags[] = { ngx_string("0"), ngx_string("1") };

    return flags[is_set != 0];
}


/* Kind, level, surplus and report.  The words are looked at by the
 * function. */

static ngx_int_t
ngx_http_chorus_scans_body(ngx_http_chorus_api_t *api, ngx_str_t *args)
{
    int           rc, is_surplus, is_report;
    json_t       *body;
    u_char       *p;
    const char   *kind, *level;

    body = json_loadb((char *) api->body.data, api->body.len,
                      JSON_REJECT_DUPLICATES, NULL);
    level = "quick";
    is_surplus = 0;
    is_report = 0;

    rc = json_unpack(body, "{s:s, s?s, s?b, s?b !}", "kind", &kind, "level",
                     &level, "delete_surplus", &is_surplus, "report",
                     &is_report);

    if (rc != 0
        || (strcmp(kind, "repair") != 0 && is_surplus)
        || (strcmp(kind, "check") != 0 && is_report))
    {
        json_decref(body);
        return NGX_ERROR;
    }

    args[0].len = ngx_strlen(kind);
    args[1].len = ngx_strlen(level);

    p = ngx_pnalloc(api->request->pool, args[0].len + args[1].len + 1);

    if (p != NULL) {
        args[0].data = p;
        args[1].data = ngx_cpymem(p, kind, args[0].len);
        (void) ngx_cpymem(args[1].data, level, args[1].len);
        args[2] = ngx_http_chorus_scans_flag(is_surplus);
        args[3] = ngx_http_chorus_scans_flag(is_report);
    }

    json_decref(body);

    return p == NULL ? NGX_ERROR : NGX_OK;
}


/* The id, or 0: one runs, or -1: of what? */

static ngx_int_t
ngx_http_chorus_scans_started(ngx_http_chorus_api_t *api,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text)
{
    u_char  *p, *last;
    size_t   size;

    if (result != NGX_HTTP_CHORUS_REDIS_REPLY) {
        return ngx_http_chorus_api_relay(api, result, text);
    }

    if (text->len == 1 && text->data[0] == '0') {
        return ngx_http_chorus_api_refuse(api, NGX_HTTP_CONFLICT, "conflict",
                   "a scan of this replication runs already");
    }

    if (text->len && text->data[0] == '-') {
        return ngx_http_chorus_api_refuse(api, NGX_HTTP_NOT_FOUND,
                   "not_found", "there is no such replication yet: it needs "
                   "a rule, and a worker that has found the bucket, which takes "
                   "some seconds");
    }

    size = sizeof("{\"id\":}\n") + text->len;

    p = ngx_pnalloc(api->request->pool, size);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    last = ngx_snprintf(p, size, "{\"id\":%V}\n", text);

    return ngx_http_chorus_api_send(api, NGX_HTTP_OK, p, last - p);
}


static ngx_int_t
ngx_http_chorus_scans_stopped(ngx_http_chorus_api_t *api,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text)
{
    static u_char  stopped[] = "{\"stopped\":true}\n";

    if (result != NGX_HTTP_CHORUS_REDIS_REPLY) {
        return ngx_http_chorus_api_relay(api, result, text);
    }

    if (text->len == 1 && text->data[0] == '0') {
        return ngx_http_chorus_api_refuse(api, NGX_HTTP_CONFLICT, "conflict",
                   "no scan of this replication runs");
    }

    return ngx_http_chorus_api_send(api, NGX_HTTP_OK, stopped,
                                    sizeof(stopped) - 1);
}


static ngx_int_t
ngx_http_chorus_scans_forgotten(ngx_http_chorus_api_t *api,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text)
{
    static u_char  forgotten[] = "{\"forgotten\":true}\n";

    if (result != NGX_HTTP_CHORUS_REDIS_REPLY) {
        return ngx_http_chorus_api_relay(api, result, text);
    }

    if (text->len == 1 && text->data[0] == '0') {
        return ngx_http_chorus_api_refuse(api, NGX_HTTP_CONFLICT, "conflict",
                   "that is not the last scan of this replication");
    }

    return ngx_http_chorus_api_send(api, NGX_HTTP_OK, forgotten,
                                    sizeof(forgotten) - 1);
}
