/*
 * The control API: what there is.  Each request needs a bearer token of
 * api.token_file.
 */

#include "ngx_http_chorus_api.h"

#include <jansson.h>


typedef struct {
    ngx_uint_t                    methods;      /* NGX_HTTP_* bits */
    ngx_str_t                     path;         /* "*": a part of its own */
    unsigned                      takes_body:1;
    ngx_http_chorus_api_pt        run;
    const char                   *args;         /* that it knows */
} ngx_http_chorus_api_row_t;


static ngx_int_t ngx_http_chorus_api_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_chorus_api_serve(ngx_http_chorus_api_t *api,
    const ngx_http_chorus_api_row_t *row);
static ngx_int_t ngx_http_chorus_api_other_method(
    ngx_http_chorus_api_t *api, ngx_uint_t methods);
static ngx_int_t ngx_http_chorus_api_index(ngx_http_chorus_api_t *api);
static ngx_uint_t ngx_http_chorus_api_matches(ngx_str_t *uri,
    const ngx_str_t *path, ngx_str_t *parts);


#define NGX_HTTP_CHORUS_API_GET  (NGX_HTTP_GET|NGX_HTTP_HEAD)


static const ngx_http_chorus_api_row_t  ngx_http_chorus_api_rows[] = {

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/status"), 0,
      ngx_http_chorus_status, "cursor" },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/workers"), 0,
      ngx_http_chorus_workers, "" },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/history"), 0,
      ngx_http_chorus_history, "" },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/history/*"), 0,
      ngx_http_chorus_history_of, "" },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/limits"), 0,
      ngx_http_chorus_limits, "" },

    { NGX_HTTP_PUT, ngx_string("/api/v1/limits/*"), 1,
      ngx_http_chorus_limits_change, "" },

    { NGX_HTTP_DELETE, ngx_string("/api/v1/limits/*"), 0,
      ngx_http_chorus_limits_change, "" },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/failed"), 0,
      ngx_http_chorus_failed, "cursor reason replication" },

    { NGX_HTTP_POST, ngx_string("/api/v1/retry"), 0,
      ngx_http_chorus_retry, "cursor reason replication key" },

    { NGX_HTTP_POST, ngx_string("/api/v1/guards/*"), 1,
      ngx_http_chorus_guard_resume, "" },

    { NGX_HTTP_DELETE, ngx_string("/api/v1/queues/*"), 0,
      ngx_http_chorus_guard_forget, "" },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/scans"), 0,
      ngx_http_chorus_scans, "cursor" },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/scans/*"), 0,
      ngx_http_chorus_scans_look, "" },

    { NGX_HTTP_POST, ngx_string("/api/v1/scans/*"), 1,
      ngx_http_chorus_scans_start, "" },

    { NGX_HTTP_DELETE, ngx_string("/api/v1/scans/*"), 0,
      ngx_http_chorus_scans_stop, "" },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/scans/*/differences"), 0,
      ngx_http_chorus_scans_differences, "after" },

    { NGX_HTTP_DELETE, ngx_string("/api/v1/scans/*/differences"), 0,
      ngx_http_chorus_scans_forget, "id until" },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/replications"), 0,
      ngx_http_chorus_api_rules, "user bucket follower state offset count" },

    { NGX_HTTP_POST, ngx_string("/api/v1/replications"), 1,
      ngx_http_chorus_api_set_rule, "" },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/replications/*"), 0,
      ngx_http_chorus_api_rule, "" },

    { NGX_HTTP_PUT, ngx_string("/api/v1/replications/*"), 1,
      ngx_http_chorus_api_set_rule, "" },

    { NGX_HTTP_DELETE, ngx_string("/api/v1/replications/*"), 0,
      ngx_http_chorus_api_delete_rule, "" },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/routes"), 0,
      ngx_http_chorus_api_rules, "user bucket follower state offset count" },

    { NGX_HTTP_POST, ngx_string("/api/v1/routes"), 1,
      ngx_http_chorus_api_set_rule, "" },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/routes/*"), 0,
      ngx_http_chorus_api_rule, "" },

    { NGX_HTTP_PUT, ngx_string("/api/v1/routes/*"), 1,
      ngx_http_chorus_api_set_rule, "" },

    { NGX_HTTP_DELETE, ngx_string("/api/v1/routes/*"), 0,
      ngx_http_chorus_api_delete_rule, "" },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/blocks"), 0,
      ngx_http_chorus_api_rules, "user bucket follower state offset count" },

    { NGX_HTTP_POST, ngx_string("/api/v1/blocks"), 1,
      ngx_http_chorus_api_set_rule, "" },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/blocks/*"), 0,
      ngx_http_chorus_api_rule, "" },

    { NGX_HTTP_PUT, ngx_string("/api/v1/blocks/*"), 1,
      ngx_http_chorus_api_set_rule, "" },

    { NGX_HTTP_DELETE, ngx_string("/api/v1/blocks/*"), 0,
      ngx_http_chorus_api_delete_rule, "" },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/pauses"), 0,
      ngx_http_chorus_api_rules, "user bucket follower state offset count" },

    { NGX_HTTP_POST, ngx_string("/api/v1/pauses"), 1,
      ngx_http_chorus_api_set_rule, "" },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/pauses/*"), 0,
      ngx_http_chorus_api_rule, "" },

    { NGX_HTTP_PUT, ngx_string("/api/v1/pauses/*"), 1,
      ngx_http_chorus_api_set_rule, "" },

    { NGX_HTTP_DELETE, ngx_string("/api/v1/pauses/*"), 0,
      ngx_http_chorus_api_delete_rule, "" },

    { NGX_HTTP_POST, ngx_string("/api/v1/replications/*/pause"), 0,
      ngx_http_chorus_api_pause_rule, "" },

    { NGX_HTTP_POST, ngx_string("/api/v1/replications/*/resume"), 0,
      ngx_http_chorus_api_pause_rule, "" },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/readers"), 0,
      ngx_http_chorus_api_readers, "" },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/resolve"), 0,
      ngx_http_chorus_api_resolve, "user bucket" },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/audit"), 0,
      ngx_http_chorus_api_audit, "offset count kind who" },

    { NGX_HTTP_DELETE, ngx_string("/api/v1/failed"), 0,
      ngx_http_chorus_failed_drop, "cursor reason replication key all" },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/storages"), 0,
      ngx_http_chorus_api_storages, "timeout" },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/users"), 0,
      ngx_http_chorus_api_users, "" },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/buckets"), 0,
      ngx_http_chorus_api_buckets, "storage user after count timeout" },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/explain"), 0,
      ngx_http_chorus_api_explain, "user bucket key timeout" },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1"), 0,
      ngx_http_chorus_api_index, "" },

    { 0, ngx_null_string, 0, NULL, NULL }
};


char *
ngx_http_chorus_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_chorus_srv_conf_t   *cscf;
    ngx_http_chorus_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_chorus_module);

    if (cmcf->config == NULL) {
        return "needs \"chorus_config\" before it";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_chorus_api_handler;

    cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_chorus_module);
    cscf->api = 1;

    if (ngx_http_chorus_api_guard_add(cf, cmcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_chorus_api_tokens(cf, cmcf);
}


static ngx_int_t
ngx_http_chorus_api_handler(ngx_http_request_t *r)
{
    ngx_int_t                         rc;
    ngx_uint_t                        methods;
    ngx_http_chorus_api_t            *api;
    const ngx_http_chorus_api_row_t  *row;

    api = ngx_http_chorus_api_create(r);
    if (api == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    api->who = ngx_http_chorus_api_who(r, api->cmcf);

    rc = ngx_http_chorus_api_guard(api);
    if (rc != NGX_DECLINED) {
        return rc;
    }

    methods = 0;

    for (row = ngx_http_chorus_api_rows; row->run; row++) {

        if (!ngx_http_chorus_api_matches(&r->uri, &row->path, api->parts)) {
            continue;
        }

        if (r->method & row->methods) {
            return ngx_http_chorus_api_serve(api, row);
        }

        methods |= row->methods;
    }

    if (methods) {
        return ngx_http_chorus_api_other_method(api, methods);
    }

    return ngx_http_chorus_api_reject(api, NGX_HTTP_NOT_FOUND, "not_found",
                                      "the API has no such path");
}


static ngx_int_t
ngx_http_chorus_api_serve(ngx_http_chorus_api_t *api,
    const ngx_http_chorus_api_row_t *row)
{
    ngx_int_t      rc;
    const char    *why;
    chorus_str_t   name;

    if (api->who->reads_only
        && !(api->request->method & NGX_HTTP_CHORUS_API_GET))
    {
        return ngx_http_chorus_api_reject(api, NGX_HTTP_FORBIDDEN,
                                          "forbidden",
                                          "this token may only read");
    }

    if (ngx_http_chorus_api_query(api, row->args, &name, &why) != NGX_OK) {
        return ngx_http_chorus_api_bad_arg(api, name, why);
    }

    if (row->takes_body) {
        return ngx_http_chorus_api_read(api, row->run);
    }

    rc = ngx_http_discard_request_body(api->request);

    return rc == NGX_OK ? row->run(api) : rc;
}


/* ---- methods ---- */


static const struct {
    ngx_uint_t   bit;
    const char  *name;
} ngx_http_chorus_api_methods[] = {
    { NGX_HTTP_GET, "GET" },
    { NGX_HTTP_HEAD, "HEAD" },
    { NGX_HTTP_PUT, "PUT" },
    { NGX_HTTP_POST, "POST" },
    { NGX_HTTP_DELETE, "DELETE" },
    { 0, NULL }
};


static ngx_int_t
ngx_http_chorus_api_other_method(ngx_http_chorus_api_t *api,
    ngx_uint_t methods)
{
    u_char      *p, *last;
    ngx_str_t    allow;
    ngx_uint_t   i;

    p = ngx_pnalloc(api->request->pool, 64);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    last = p;

    for (i = 0; ngx_http_chorus_api_methods[i].name; i++) {
        if (methods & ngx_http_chorus_api_methods[i].bit) {
            last = ngx_slprintf(last, p + 64, "%s%s", last == p ? "" : ", ",
                                ngx_http_chorus_api_methods[i].name);
        }
    }

    allow.data = p;
    allow.len = last - p;

    if (ngx_http_chorus_api_header(api, "Allow", &allow) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_chorus_api_reject(api, NGX_HTTP_NOT_ALLOWED,
               "method_not_allowed", "this path has other methods");
}


/* ---- GET /api/v1: what there is ---- */


static json_t *
ngx_http_chorus_api_index_row(const ngx_http_chorus_api_row_t *row)
{
    json_t        *methods, *args;
    ngx_uint_t     i;
    chorus_str_t   rest, word;

    methods = json_array();
    args = json_array();

    for (i = 0; ngx_http_chorus_api_methods[i].name; i++) {
        if (row->methods & ngx_http_chorus_api_methods[i].bit) {
            (void) json_array_append_new(methods,
                       json_string(ngx_http_chorus_api_methods[i].name));
        }
    }

    rest = chorus_str_from(row->args);

    while (rest.data && rest.len) {
        word = chorus_str_cut(&rest, ' ');
        (void) json_array_append_new(args, json_stringn(word.data, word.len));
    }

    return json_pack("{s:s%, s:o, s:o, s:b}", "path",
                     (const char *) row->path.data, row->path.len,
                     "methods", methods, "arguments", args, "takes_body",
                     (int) row->takes_body);
}


static ngx_int_t
ngx_http_chorus_api_index(ngx_http_chorus_api_t *api)
{
    json_t                           *paths;
    chorus_str_t                      name;
    const ngx_http_chorus_api_row_t  *row;

    name.data = (const char *) api->who->name.data;
    name.len = api->who->name.len;
    paths = json_array();

    for (row = ngx_http_chorus_api_rows; row->run; row++) {
        (void) json_array_append_new(paths,
                                     ngx_http_chorus_api_index_row(row));
    }

    return ngx_http_chorus_api_send_json(api, NGX_HTTP_OK,
               json_pack("{s:{s:o, s:s}, s:o}", "token",
                         "name", ngx_http_chorus_api_text(name),
                         "role", api->who->reads_only ? "read" : "admin",
                         "paths", paths));
}


/* Part by part; the URI is decoded, so a part may hold any byte but "/". */

static ngx_uint_t
ngx_http_chorus_api_matches(ngx_str_t *uri, const ngx_str_t *path,
    ngx_str_t *parts)
{
    size_t      i, p;
    ngx_uint_t  n;

    for (i = 0, p = 0, n = 0; p < path->len; p++) {

        if (path->data[p] != '*') {

            if (i == uri->len || uri->data[i++] != path->data[p]) {
                return 0;
            }

            continue;
        }

        parts[n].data = uri->data + i;

        while (i < uri->len && uri->data[i] != '/') {
            i++;
        }

        parts[n].len = uri->data + i - parts[n].data;

        if (parts[n++].len == 0) {
            return 0;
        }
    }

    return i == uri->len;
}
