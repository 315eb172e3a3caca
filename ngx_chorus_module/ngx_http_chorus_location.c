/*
 * "location /photos/" is meant for the bucket, and requests about the bucket
 * itself have no slash behind its name: "PUT /photos" creates it.  nginx
 * would answer them with a redirect to "/photos/", or give them to another
 * location.  So, before locations are looked for, such a URI gets the slash;
 * the raw target, which is what is verified and forwarded, stays as it is.
 */

#include "ngx_http_chorus_module.h"


ngx_int_t
ngx_http_chorus_location_add(ngx_conf_t *cf)
{
    ngx_str_t                   *bucket;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_chorus_srv_conf_t  *cscf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_chorus_module);

    if (clcf->name.len < 3
        || clcf->name.data[0] != '/'
        || clcf->name.data[clcf->name.len - 1] != '/'
        || ngx_strlchr(clcf->name.data + 1,
                       clcf->name.data + clcf->name.len - 1, '/') != NULL
        || clcf->exact_match || clcf->named
#if (NGX_PCRE)
        || clcf->regex
#endif
       )
    {
        return NGX_OK;
    }

    if (cscf->buckets.elts == NULL
        && ngx_array_init(&cscf->buckets, cf->pool, 4, sizeof(ngx_str_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    bucket = ngx_array_push(&cscf->buckets);
    if (bucket == NULL) {
        return NGX_ERROR;
    }

    *bucket = clcf->name;       /* "/photos/" */

    return NGX_OK;
}


ngx_int_t
ngx_http_chorus_location_handler(ngx_http_request_t *r)
{
    ngx_str_t                   *bucket;
    ngx_uint_t                   i;
    ngx_http_chorus_srv_conf_t  *cscf;

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_chorus_module);

    bucket = cscf->buckets.elts;

    for (i = 0; i < cscf->buckets.nelts; i++) {

        if (r->uri.len + 1 == bucket[i].len
            && ngx_strncmp(r->uri.data, bucket[i].data, r->uri.len) == 0)
        {
            r->uri = bucket[i];
            break;
        }
    }

    return NGX_DECLINED;
}
