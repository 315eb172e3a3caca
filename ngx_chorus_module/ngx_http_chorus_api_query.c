/*
 * The query of a request to the control API.  What is mistyped in it must not
 * be looked past: it may be what keeps a DELETE to a few.
 */

#include "ngx_http_chorus_api.h"


#define NGX_HTTP_CHORUS_QUERY_DIGITS  20


static ngx_uint_t ngx_http_chorus_query_has(const char *names,
    chorus_str_t name);
static ngx_uint_t ngx_http_chorus_query_is_number(chorus_str_t text);
static const char *ngx_http_chorus_query_wrong(ngx_http_chorus_api_t *api,
    const char *names, chorus_str_t name, chorus_str_t pair);


static const char  ngx_http_chorus_query_numbers[] =
    "cursor offset count id until timeout";


ngx_int_t
ngx_http_chorus_api_query(ngx_http_chorus_api_t *api, const char *names,
    chorus_str_t *name, const char **why)
{
    chorus_str_t  rest, pair, value, before;

    rest = ngx_http_chorus_view(&api->request->args);

    while (rest.data && rest.len) {
        pair = chorus_str_cut(&rest, '&');

        if (pair.len == 0) {
            continue;
        }

        value = pair;
        *name = chorus_str_cut(&value, '=');
        *why = ngx_http_chorus_query_wrong(api, names, *name, value);

        if (*why != NULL) {
            return NGX_ERROR;
        }

        before = ngx_http_chorus_view(&api->request->args);
        before.len = pair.data - before.data;

        while (before.data && before.len) {
            value = chorus_str_cut(&before, '&');

            if (chorus_str_eq(chorus_str_cut(&value, '='), *name)) {
                *why = ": is there twice";
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


/* `value` is the null string without a "=".  An empty key is the bucket. */

static const char *
ngx_http_chorus_query_wrong(ngx_http_chorus_api_t *api, const char *names,
    chorus_str_t name, chorus_str_t value)
{
    chorus_mem_t  mem;
    chorus_str_t  decoded;

    mem = ngx_http_chorus_mem(api->request->pool);

    if (!ngx_http_chorus_query_has(names, name)) {
        return ": no such argument here";
    }

    if (value.data == NULL
        || (value.len == 0 && !chorus_str_eq(name, chorus_str("key"))))
    {
        return ": has no value";
    }

    if (ngx_http_chorus_query_has(ngx_http_chorus_query_numbers, name)
        && !ngx_http_chorus_query_is_number(value))
    {
        return ": is a whole number";
    }

    return chorus_uri_decode(&mem, value, &decoded)
           ? NULL : ": is percent-encoded, and this is not";
}


/* Whether `names`, with spaces in between, has it. */

static ngx_uint_t
ngx_http_chorus_query_has(const char *names, chorus_str_t name)
{
    chorus_str_t  rest, word;

    rest = chorus_str_from(names);

    while (rest.data) {
        word = chorus_str_cut(&rest, ' ');

        if (word.len && chorus_str_eq(word, name)) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_chorus_query_is_number(chorus_str_t text)
{
    uint64_t  n;

    return text.len <= NGX_HTTP_CHORUS_QUERY_DIGITS
           && chorus_str_to_u64(text, &n);
}


/* ---- one argument ---- */


ngx_int_t
ngx_http_chorus_api_arg(ngx_http_chorus_api_t *api, const char *name,
    chorus_str_t *value)
{
    ngx_str_t     raw;
    chorus_mem_t  mem;

    if (ngx_http_arg(api->request, (u_char *) name, ngx_strlen(name), &raw)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    mem = ngx_http_chorus_mem(api->request->pool);

    return chorus_uri_decode(&mem, ngx_http_chorus_view(&raw), value)
           && value->len != 0 && chorus_str_is_text(*value)
           ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_chorus_api_arg_or(ngx_http_chorus_api_t *api, const char *name,
    const char *otherwise, chorus_str_t *value)
{
    ngx_str_t  raw;

    *value = chorus_str_from(otherwise);

    return ngx_http_arg(api->request, (u_char *) name, ngx_strlen(name), &raw)
           == NGX_OK ? ngx_http_chorus_api_arg(api, name, value) : NGX_OK;
}


ngx_int_t
ngx_http_chorus_api_integer(ngx_http_chorus_api_t *api, const char *name,
    uint64_t min, uint64_t max, uint64_t otherwise, uint64_t *value)
{
    ngx_str_t  raw;

    *value = otherwise;

    if (ngx_http_arg(api->request, (u_char *) name, ngx_strlen(name), &raw)
        != NGX_OK)
    {
        return NGX_OK;
    }

    return chorus_str_to_u64(ngx_http_chorus_view(&raw), value)
           && *value >= min && *value <= max ? NGX_OK : NGX_ERROR;
}
