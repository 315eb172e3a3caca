/*
 * What nginx appends to a line of the error log that is about a request, as
 * nginx has it, but without queries.
 */

#include "ngx_http_chorus_module.h"


static u_char *ngx_http_chorus_log_request(ngx_http_request_t *r,
    ngx_http_request_t *sr, u_char *buf, size_t len);
static void ngx_http_chorus_log_cut(ngx_str_t *text);


/* nginx' own, which is the same for all requests */
static ngx_http_log_handler_pt  ngx_http_chorus_log_next;


ngx_int_t
ngx_http_chorus_log_without_query(ngx_http_request_t *r)
{
    ngx_http_chorus_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_chorus_module);

    if (!clcf->enable) {
        return NGX_DECLINED;
    }

    r = r->main;

    if (r->log_handler != ngx_http_chorus_log_request) {
        ngx_http_chorus_log_next = r->log_handler;
        r->log_handler = ngx_http_chorus_log_request;
    }

    return NGX_DECLINED;
}


static u_char *
ngx_http_chorus_log_request(ngx_http_request_t *r, ngx_http_request_t *sr,
    u_char *buf, size_t len)
{
    ngx_str_t             line, uri;
    ngx_http_upstream_t  *u;

    line = r->request_line;
    ngx_http_chorus_log_cut(&r->request_line);

    u = sr->upstream;
    ngx_str_null(&uri);

    if (u) {
        uri = u->uri;
        ngx_http_chorus_log_cut(&u->uri);
    }

    buf = ngx_http_chorus_log_next(r, sr, buf, len);

    r->request_line = line;

    if (u) {
        u->uri = uri;
    }

    return buf;
}


static void
ngx_http_chorus_log_cut(ngx_str_t *text)
{
    u_char  *query;

    if (text->len == 0) {
        return;
    }

    query = ngx_strlchr(text->data, text->data + text->len, '?');

    if (query) {
        text->len = query - text->data;
    }
}
