/*
 * "location /photos/" is meant for the bucket, and requests about the bucket
 * itself have no slash behind its name: "PUT /photos" creates it.  nginx
 * would answer them with a redirect to "/photos/", or give them to another
 * location.  So, before locations are looked for, such a URI gets the slash;
 * the raw target, which is what is verified and forwarded, stays as it is.
 * A bucket that the host names is put in front of the URI for the same reason.
 */

#include "ngx_http_chorus_module.h"


static ngx_http_chorus_loc_conf_t *ngx_http_chorus_location_in(
    ngx_http_chorus_srv_conf_t *cscf, chorus_str_t name);
static ngx_http_chorus_bucket_t *ngx_http_chorus_location_find(
    ngx_http_chorus_srv_conf_t *cscf, u_char *name, size_t len);
static ngx_uint_t ngx_http_chorus_location_is_prefix(
    ngx_http_core_loc_conf_t *clcf);


ngx_int_t
ngx_http_chorus_location_add(ngx_conf_t *cf, ngx_http_chorus_loc_conf_t *conf)
{
    ngx_http_chorus_bucket_t    *bucket;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_chorus_srv_conf_t  *cscf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_chorus_module);

    if (!ngx_http_chorus_location_is_prefix(clcf)) {
        return NGX_OK;
    }

    if (clcf->name.len == 1) {
        cscf->root = conf;
        return NGX_OK;
    }

    if (clcf->name.len < 3
        || clcf->name.data[clcf->name.len - 1] != '/'
        || ngx_strlchr(clcf->name.data + 1,
                       clcf->name.data + clcf->name.len - 1, '/') != NULL)
    {
        return NGX_OK;
    }

    if (cscf->buckets.elts == NULL
        && ngx_array_init(&cscf->buckets, cf->pool, 4,
                          sizeof(ngx_http_chorus_bucket_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    bucket = ngx_array_push(&cscf->buckets);
    if (bucket == NULL) {
        return NGX_ERROR;
    }

    bucket->name = clcf->name;
    bucket->conf = conf;

    return NGX_OK;
}


/* "/photos/" or below; "/photos" is a prefix of other buckets, too. */

ngx_uint_t
ngx_http_chorus_location_is_bucket(ngx_conf_t *cf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    return ngx_http_chorus_location_is_prefix(clcf)
           && clcf->name.len > 2
           && clcf->name.data[1] != '/'
           && ngx_strlchr(clcf->name.data + 1,
                          clcf->name.data + clcf->name.len, '/') != NULL;
}


ngx_int_t
ngx_http_chorus_location_handler(ngx_http_request_t *r)
{
    ngx_str_t                  uri, name;
    ngx_http_chorus_bucket_t  *bucket;

    name = ngx_http_chorus_domain_bucket(r);

    /* an internal redirect has a URI of the configuration */

    if (name.len && !r->internal) {
        uri = ngx_http_chorus_domain_uri(r, &name, &r->uri);
        if (uri.data == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        r->uri = uri;
    }

    if (r->uri.len > 1) {
        bucket = ngx_http_chorus_location_find(
                     ngx_http_get_module_srv_conf(r, ngx_http_chorus_module),
                                               r->uri.data + 1,
                                               r->uri.len - 1);
        if (bucket) {
            r->uri = bucket->name;
        }
    }

    return NGX_DECLINED;
}


ngx_http_chorus_loc_conf_t *
ngx_http_chorus_location_of(ngx_http_request_t *r, chorus_str_t name)
{
    return ngx_http_chorus_location_in(
                     ngx_http_get_module_srv_conf(r, ngx_http_chorus_module),
                                       name);
}


ngx_http_chorus_loc_conf_t *
ngx_http_chorus_location_any(ngx_http_request_t *r, chorus_str_t name)
{
    ngx_uint_t                   i;
    ngx_http_chorus_srv_conf_t  *cscf;
    ngx_http_core_srv_conf_t   **servers;
    ngx_http_core_main_conf_t   *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);
    servers = cmcf->servers.elts;

    for (i = 0; i < cmcf->servers.nelts; i++) {
        cscf = servers[i]->ctx->srv_conf[ngx_http_chorus_module.ctx_index];

        if (cscf->serves) {
            return ngx_http_chorus_location_in(cscf, name);
        }
    }

    return NULL;
}


static ngx_http_chorus_loc_conf_t *
ngx_http_chorus_location_in(ngx_http_chorus_srv_conf_t *cscf,
    chorus_str_t name)
{
    ngx_http_chorus_bucket_t  *bucket;

    bucket = ngx_http_chorus_location_find(cscf, (u_char *) name.data,
                                           name.len);

    return bucket ? bucket->conf : cscf->root;
}


static ngx_http_chorus_bucket_t *
ngx_http_chorus_location_find(ngx_http_chorus_srv_conf_t *cscf, u_char *name,
    size_t len)
{
    ngx_uint_t                 i;
    ngx_http_chorus_bucket_t  *bucket;

    bucket = cscf->buckets.elts;

    for (i = 0; i < cscf->buckets.nelts; i++) {

        if (len + 2 == bucket[i].name.len
            && ngx_strncmp(name, bucket[i].name.data + 1, len) == 0)
        {
            return &bucket[i];
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_http_chorus_location_is_prefix(ngx_http_core_loc_conf_t *clcf)
{
#if (NGX_PCRE)
    if (clcf->regex) {
        return 0;
    }
#endif

    return clcf->name.len && clcf->name.data[0] == '/'
           && !clcf->exact_match && !clcf->named;
}
