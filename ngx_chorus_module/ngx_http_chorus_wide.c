/*
 * A large body is read in large pieces: each piece is a call to read and one
 * to write, and wakes up both ends.  So that memory stays bounded, only a few
 * bodies of a process are read like that at the same time; the others have
 * client_body_buffer_size.
 */

#include "ngx_http_chorus_module.h"


#define NGX_HTTP_CHORUS_WIDE_BYTES  (1024 * 1024)
#define NGX_HTTP_CHORUS_WIDE_MAX    4           /* of a process */
/* a shorter one is over before it pays */
#define NGX_HTTP_CHORUS_WIDE_MIN    (4 * NGX_HTTP_CHORUS_WIDE_BYTES)


static void **ngx_http_chorus_wide_location(ngx_http_request_t *r);
static ngx_uint_t ngx_http_chorus_wide_is(ngx_http_request_t *r,
    ngx_http_chorus_main_conf_t *cmcf);
static void ngx_http_chorus_wide_cleanup(void *data);


ngx_int_t
ngx_http_chorus_wide_begin(ngx_http_request_t *r)
{
    void                         **location;
    ngx_pool_cleanup_t            *cln;
    ngx_http_chorus_main_conf_t   *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);

    if (!ngx_http_chorus_wide_is(r, cmcf)) {
        return NGX_OK;
    }

    location = ngx_http_chorus_wide_location(r);
    cln = ngx_pool_cleanup_add(r->pool, 0);

    if (location == NULL || cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_chorus_wide_cleanup;
    cln->data = cmcf;
    cmcf->nwide++;

    r->loc_conf = location;

    return NGX_OK;
}


/* nginx takes the size from the location: the same one with another size.  It
 * is made once, and stays: of a request that is over and freed, nginx still
 * takes the keepalive_timeout from its location. */

static void **
ngx_http_chorus_wide_location(ngx_http_request_t *r)
{
    void                        **location;
    ngx_pool_t                   *pool;
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_chorus_loc_conf_t   *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_chorus_module);

    if (conf->wide) {
        return conf->wide;
    }

    pool = ngx_cycle->pool;

    clcf = ngx_palloc(pool, sizeof(ngx_http_core_loc_conf_t));
    location = ngx_palloc(pool, ngx_http_max_module * sizeof(void *));

    if (clcf == NULL || location == NULL) {
        return NULL;
    }

    *clcf = *(ngx_http_core_loc_conf_t *)
                     ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    clcf->client_body_buffer_size = NGX_HTTP_CHORUS_WIDE_BYTES;

    ngx_memcpy(location, r->loc_conf, ngx_http_max_module * sizeof(void *));
    location[ngx_http_core_module.ctx_index] = clcf;

    conf->wide = location;

    return location;
}


static ngx_uint_t
ngx_http_chorus_wide_is(ngx_http_request_t *r,
    ngx_http_chorus_main_conf_t *cmcf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    return r == r->main
           && r->http_version < NGX_HTTP_VERSION_20
           && r->request_body == NULL
           && r->headers_in.content_length_n >= NGX_HTTP_CHORUS_WIDE_MIN
           && clcf->client_body_buffer_size < NGX_HTTP_CHORUS_WIDE_BYTES
           && cmcf->nwide < NGX_HTTP_CHORUS_WIDE_MAX;
}


static void
ngx_http_chorus_wide_cleanup(void *data)
{
    ngx_http_chorus_main_conf_t *cmcf = data;

    cmcf->nwide--;
}
