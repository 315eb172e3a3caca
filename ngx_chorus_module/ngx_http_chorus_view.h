/*
 * What nginx has, as shared/ takes it, and the reverse; nothing is copied.
 * Included by ngx_http_chorus_module.h.
 */

#ifndef _NGX_HTTP_CHORUS_VIEW_H_INCLUDED_
#define _NGX_HTTP_CHORUS_VIEW_H_INCLUDED_

#include <ngx_config.h>
#include <ngx_core.h>

#include "chorus_mem.h"
#include "chorus_str.h"


/* nginx's strings and ours are the same two words under other names */

static ngx_inline chorus_str_t
ngx_http_chorus_view(ngx_str_t *s)
{
    return (chorus_str_t) { (const char *) s->data, s->len };
}


static ngx_inline ngx_str_t
ngx_http_chorus_ngx_str(chorus_str_t s)
{
    ngx_str_t  str;

    str.data = (u_char *) s.data;
    str.len = s.len;

    return str;
}


static ngx_inline void *
ngx_http_chorus_palloc(void *pool, size_t size)
{
    return ngx_palloc(pool, size);
}


static ngx_inline chorus_mem_t
ngx_http_chorus_mem(ngx_pool_t *pool)
{
    return (chorus_mem_t) { ngx_http_chorus_palloc, pool };
}


#endif /* _NGX_HTTP_CHORUS_VIEW_H_INCLUDED_ */
