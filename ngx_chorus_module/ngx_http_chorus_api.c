/*
 * The control API: what there is.  Each request needs a bearer token of
 * api.token_file.
 */

#include "ngx_http_chorus_api.h"


typedef struct {
    ngx_uint_t                    methods;      /* NGX_HTTP_* bits */
    ngx_str_t                     path;         /* "*": a part of its own */
    unsigned                      takes_body:1;
    ngx_http_chorus_api_pt        run;
} ngx_http_chorus_api_row_t;


static ngx_int_t ngx_http_chorus_api_handler(ngx_http_request_t *r);
static ngx_uint_t ngx_http_chorus_api_matches(ngx_str_t *uri,
    const ngx_str_t *path, ngx_str_t *parts);


#define NGX_HTTP_CHORUS_API_GET  (NGX_HTTP_GET|NGX_HTTP_HEAD)


static const ngx_http_chorus_api_row_t  ngx_http_chorus_api_rows[] = {

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/status"), 0,
      ngx_http_chorus_status },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/workers"), 0,
      ngx_http_chorus_workers },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/limits"), 0,
      ngx_http_chorus_limits },

    { NGX_HTTP_PUT, ngx_string("/api/v1/limits/*"), 1,
      ngx_http_chorus_limits_change },

    { NGX_HTTP_DELETE, ngx_string("/api/v1/limits/*"), 0,
      ngx_http_chorus_limits_change },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/failed"), 0,
      ngx_http_chorus_failed },
    { NGX_HTTP_POST, ngx_string("/api/v1/retry"), 0,
      ngx_http_chorus_retry },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/scans"), 0,
      ngx_http_chorus_scans },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/scans/*"), 0,
      ngx_http_chorus_scans_look },

    { NGX_HTTP_POST, ngx_string("/api/v1/scans/*"), 1,
      ngx_http_chorus_scans_start },

    { NGX_HTTP_DELETE, ngx_string("/api/v1/scans/*"), 0,
      ngx_http_chorus_scans_stop },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/scans/*/differences"), 0,
      ngx_http_chorus_scans_differences },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/replications"), 0,
      ngx_http_chorus_api_rules },

    { NGX_HTTP_POST, ngx_string("/api/v1/replications"), 1,
      ngx_http_chorus_api_set_rule },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/replications/*"), 0,
      ngx_http_chorus_api_rule },

    { NGX_HTTP_PUT, ngx_string("/api/v1/replications/*"), 1,
      ngx_http_chorus_api_set_rule },

    { NGX_HTTP_DELETE, ngx_string("/api/v1/replications/*"), 0,
      ngx_http_chorus_api_delete_rule },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/routes"), 0,
      ngx_http_chorus_api_rules },

    { NGX_HTTP_POST, ngx_string("/api/v1/routes"), 1,
      ngx_http_chorus_api_set_rule },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/routes/*"), 0,
      ngx_http_chorus_api_rule },

    { NGX_HTTP_PUT, ngx_string("/api/v1/routes/*"), 1,
      ngx_http_chorus_api_set_rule },

    { NGX_HTTP_DELETE, ngx_string("/api/v1/routes/*"), 0,
      ngx_http_chorus_api_delete_rule },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/blocks"), 0,
      ngx_http_chorus_api_rules },

    { NGX_HTTP_POST, ngx_string("/api/v1/blocks"), 1,
      ngx_http_chorus_api_set_rule },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/blocks/*"), 0,
      ngx_http_chorus_api_rule },

    { NGX_HTTP_PUT, ngx_string("/api/v1/blocks/*"), 1,
      ngx_http_chorus_api_set_rule },

    { NGX_HTTP_DELETE, ngx_string("/api/v1/blocks/*"), 0,
      ngx_http_chorus_api_delete_rule },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/pauses"), 0,
      ngx_http_chorus_api_rules },

    { NGX_HTTP_POST, ngx_string("/api/v1/pauses"), 1,
      ngx_http_chorus_api_set_rule },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/pauses/*"), 0,
      ngx_http_chorus_api_rule },

    { NGX_HTTP_PUT, ngx_string("/api/v1/pauses/*"), 1,
      ngx_http_chorus_api_set_rule },

    { NGX_HTTP_DELETE, ngx_string("/api/v1/pauses/*"), 0,
      ngx_http_chorus_api_delete_rule },

    { NGX_HTTP_POST, ngx_string("/api/v1/replications/*/pause"), 0,
      ngx_http_chorus_api_pause_rule },

    { NGX_HTTP_POST, ngx_string("/api/v1/replications/*/resume"), 0,
      ngx_http_chorus_api_pause_rule },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/readers"), 0,
      ngx_http_chorus_api_readers },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/resolve"), 0,
      ngx_http_chorus_api_resolve },

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/audit"), 0,
      ngx_http_chorus_api_audit },

    { 0, ngx_null_string, 0, NULL }
};


char *
ngx_http_chorus_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_chorus_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_chorus_module);

    if (cmcf->config == NULL) {
        return "needs \"chorus_config\" before it";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_chorus_api_handler;

    return ngx_http_chorus_api_tokens(cf, cmcf);
}


static ngx_int_t
ngx_http_chorus_api_handler(ngx_http_request_t *r)
{
    ngx_int_t                         rc;
    ngx_uint_t                        is_there;
    ngx_http_chorus_api_t            *api;
    const ngx_http_chorus_api_row_t  *row;

    api = ngx_http_chorus_api_create(r);
    if (api == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    api->who = ngx_http_chorus_api_who(r, api->cmcf);

    if (api->who == NULL) {
        return ngx_http_chorus_api_reject(api, NGX_HTTP_UNAUTHORIZED,
                      "unauthorized",
                      "send the token of api.token_file as "
                      "'Authorization: Bearer ...'");
    }

    is_there = 0;

    for (row = ngx_http_chorus_api_rows; row->run; row++) {

        if (!ngx_http_chorus_api_matches(&r->uri, &row->path, api->parts)) {
            continue;
        }

        is_there = 1;

        if (!(r->method & row->methods)) {
            continue;
        }

        if (api->who->reads_only
            && !(r->method & NGX_HTTP_CHORUS_API_GET))
        {
            return ngx_http_chorus_api_reject(api, NGX_HTTP_FORBIDDEN,
                       "forbidden", "this token may only read");
        }

        if (row->takes_body) {
            return ngx_http_chorus_api_read(api, row->run);
        }

        rc = ngx_http_discard_request_body(r);

        return rc == NGX_OK ? row->run(api) : rc;
    }

    if (is_there) {
        return ngx_http_chorus_api_reject(api, NGX_HTTP_NOT_ALLOWED,
                   "method_not_allowed", "this path has other methods");
    }

    return ngx_http_chorus_api_reject(api, NGX_HTTP_NOT_FOUND, "not_found",
                                      "the API has no such path");
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
