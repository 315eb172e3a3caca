/*
 * The control API: who may use it, and what there is.  Each request needs the
 * bearer token of api.token_file.
 */

#include "ngx_http_chorus_api.h"


typedef struct {
    ngx_uint_t                    methods;      /* NGX_HTTP_* bits */
    ngx_str_t                     path;         /* "*": a part of its own */
    unsigned                      takes_body:1;
    ngx_http_chorus_api_pt        run;
} ngx_http_chorus_api_row_t;


static char *ngx_http_chorus_api_token(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf);
static ngx_int_t ngx_http_chorus_api_handler(ngx_http_request_t *r);
static ngx_uint_t ngx_http_chorus_api_allowed(ngx_http_request_t *r,
    ngx_http_chorus_main_conf_t *cmcf);
static ngx_uint_t ngx_http_chorus_api_matches(ngx_str_t *uri,
    const ngx_str_t *path, ngx_str_t *parts);


#define NGX_HTTP_CHORUS_API_GET  (NGX_HTTP_GET|NGX_HTTP_HEAD)


static const ngx_http_chorus_api_row_t  ngx_http_chorus_api_rows[] = {

    { NGX_HTTP_CHORUS_API_GET, ngx_string("/api/v1/status"), 0,
      ngx_http_chorus_status },

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

    return ngx_http_chorus_api_token(cf, cmcf);
}


static char *
ngx_http_chorus_api_token(ngx_conf_t *cf, ngx_http_chorus_main_conf_t *cmcf)
{
    ssize_t          n;
    u_char           buf[513];
    ngx_fd_t         fd;
    ngx_str_t        path;
    chorus_str_t     token;
    ngx_file_info_t  info;

    if (cmcf->api_token.len) {
        return NGX_CONF_OK;
    }

    if (cmcf->config->api_token_file.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"chorus_api\" needs a token: add "
                           "\"api\": {\"token_file\": \"...\"} to \"%V\"",
                           &cmcf->path);
        return NGX_CONF_ERROR;
    }

    /* configuration strings of ours end with a NUL that is not counted */
    path = ngx_http_chorus_ngx_str(cmcf->config->api_token_file);

    fd = ngx_open_file(path.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "api.token_file: " ngx_open_file_n " \"%V\" failed",
                           &path);
        return NGX_CONF_ERROR;
    }

    if (ngx_fd_info(fd, &info) == NGX_FILE_ERROR
        || (info.st_mode & (S_IROTH|S_IWOTH)))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "api.token_file \"%V\": everyone may read or "
                           "write this file; run: chmod o-rwx %V",
                           &path, &path);
        ngx_close_file(fd);
        return NGX_CONF_ERROR;
    }

    n = ngx_read_fd(fd, buf, sizeof(buf));
    ngx_close_file(fd);

    token = (chorus_str_t) { (char *) buf, n > 0 ? (size_t) n : 0 };

    while (token.len && (token.data[token.len - 1] == '\n'
                         || token.data[token.len - 1] == '\r'))
    {
        token.len--;
    }

    if (token.len < 16 || token.len > 512) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "api.token_file \"%V\": a token has 16 to 512 "
                           "characters, this one has %uz", &path, token.len);
        return NGX_CONF_ERROR;
    }

    cmcf->api_token.data = ngx_pnalloc(cf->pool, token.len);
    if (cmcf->api_token.data == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memcpy(cmcf->api_token.data, token.data, token.len);
    cmcf->api_token.len = token.len;

    ngx_explicit_memzero(buf, sizeof(buf));

    return NGX_CONF_OK;
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

    if (!ngx_http_chorus_api_allowed(r, api->cmcf)) {
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


static ngx_uint_t
ngx_http_chorus_api_allowed(ngx_http_request_t *r,
    ngx_http_chorus_main_conf_t *cmcf)
{
    chorus_str_t  value;

    if (r->headers_in.authorization == NULL) {
        return 0;
    }

    value = ngx_http_chorus_view(&r->headers_in.authorization->value);

    if (!chorus_str_casestarts(value, chorus_str("Bearer "))) {
        return 0;
    }

    value = chorus_str_trim(chorus_str_sub(value, sizeof("Bearer ") - 1));

    return chorus_secret_eq(value, ngx_http_chorus_view(&cmcf->api_token));
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
