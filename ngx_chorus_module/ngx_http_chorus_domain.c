/*
 * chorus_domain: virtual-host style.  "photos.s3.example.com" with the path
 * "/key" is "/photos/key".  Locations, operations, policies and storages know
 * only the path; the signature is over what the client sent.
 */

#include "ngx_http_chorus_module.h"


#define NGX_HTTP_CHORUS_MAX_DOMAIN  253


static char *ngx_http_chorus_domain_check(ngx_str_t *name);
static ngx_uint_t ngx_http_chorus_domain_is_host(ngx_str_t *name);
static ngx_uint_t ngx_http_chorus_domain_is_known(ngx_array_t *domains,
    ngx_str_t *name);
static char *ngx_http_chorus_domain_insert(ngx_array_t *domains,
    ngx_str_t *name);


char *
ngx_http_chorus_domain(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_chorus_srv_conf_t *cscf = conf;

    char        *err;
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (cscf->domains) {
        return "is duplicate";
    }

    cscf->domains = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                     sizeof(ngx_str_t));
    if (cscf->domains == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        ngx_strlow(value[i].data, value[i].data, value[i].len);

        err = ngx_http_chorus_domain_check(&value[i]);

        if (err == NULL && ngx_http_chorus_domain_is_known(cscf->domains,
                                                           &value[i]))
        {
            err = "is named twice";
        }

        if (err) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "chorus_domain \"%V\" %s",
                               &value[i], err);
            return NGX_CONF_ERROR;
        }

        if (ngx_http_chorus_domain_insert(cscf->domains, &value[i])
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* Returns what is wrong with it, or NULL. */

static char *
ngx_http_chorus_domain_check(ngx_str_t *name)
{
    u_char  *last;

    last = name->data + name->len;

    if (ngx_strlchr(name->data, last, '*')) {
        return "has a wildcard: give the name behind the bucket, "
               "\"s3.example.com\"";
    }

    if (ngx_strlchr(name->data, last, ':')) {
        return "has a port: give the name alone, any port is served";
    }

    if (!ngx_http_chorus_domain_is_host(name)) {
        return "is not the name of a host";
    }

    return NULL;
}


/* Letters, digits, '-' and '.'; no label is empty, or begins or ends with
 * '-'; the last one is not a number, for there are no buckets of an address. */

static ngx_uint_t
ngx_http_chorus_domain_is_host(ngx_str_t *name)
{
    u_char      c, before;
    size_t      i;
    ngx_uint_t  digits;

    before = '.';
    digits = 1;

    for (i = 0; i < name->len; i++) {
        c = name->data[i];

        if (c == '.') {
            if (before == '.' || before == '-') {
                return 0;
            }

            digits = 1;

        } else if (c == '-') {
            if (before == '.') {
                return 0;
            }

            digits = 0;

        } else if (c >= 'a' && c <= 'z') {
            digits = 0;

        } else if (c < '0' || c > '9') {
            return 0;
        }

        before = c;
    }

    return name->len <= NGX_HTTP_CHORUS_MAX_DOMAIN
           && before != '.' && before != '-' && !digits;
}


static ngx_uint_t
ngx_http_chorus_domain_is_known(ngx_array_t *domains, ngx_str_t *name)
{
    ngx_str_t   *known;
    ngx_uint_t   i;

    known = domains->elts;

    for (i = 0; i < domains->nelts; i++) {
        if (known[i].len == name->len
            && ngx_strncmp(known[i].data, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* Keeps the longest in front: "eu.s3.example.com" is not the bucket "eu" of
 * "s3.example.com". */

static char *
ngx_http_chorus_domain_insert(ngx_array_t *domains, ngx_str_t *name)
{
    ngx_str_t   *domain;
    ngx_uint_t   i;

    if (ngx_array_push(domains) == NULL) {
        return NGX_CONF_ERROR;
    }

    domain = domains->elts;

    for (i = domains->nelts - 1; i && domain[i - 1].len < name->len; i--) {
        domain[i] = domain[i - 1];
    }

    domain[i] = *name;

    return NGX_CONF_OK;
}


ngx_str_t
ngx_http_chorus_domain_bucket(ngx_http_request_t *r)
{
    u_char                      *tail;
    ngx_str_t                   *domain, *host, bucket;
    ngx_uint_t                   i;
    ngx_http_chorus_srv_conf_t  *cscf;

    ngx_str_null(&bucket);

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_chorus_module);

    if (cscf->domains == NULL) {
        return bucket;
    }

    /* without a port, in lower case, without a dot at its end */
    host = &r->headers_in.server;

    domain = cscf->domains->elts;

    for (i = 0; i < cscf->domains->nelts; i++) {

        if (host->len < domain[i].len) {
            continue;
        }

        tail = host->data + host->len - domain[i].len;

        if (ngx_strncmp(tail, domain[i].data, domain[i].len) != 0) {
            continue;
        }

        if (tail == host->data) {
            return bucket;
        }

        if (tail[-1] == '.') {
            bucket.data = host->data;
            bucket.len = tail - 1 - host->data;
            return bucket;
        }
    }

    return bucket;
}


ngx_uint_t
ngx_http_chorus_domain_is_signed(ngx_http_request_t *r)
{
    size_t      len;
    u_char     *rest, *last;
    ngx_str_t  *host;

    if (r->headers_in.host == NULL || r->headers_in.server.len == 0) {
        return 1;
    }

    host = &r->headers_in.host->value;
    len = r->headers_in.server.len;

    if (host->len < len
        || ngx_strncasecmp(host->data, r->headers_in.server.data, len) != 0)
    {
        return 0;
    }

    rest = host->data + len;
    last = host->data + host->len;

    if (rest < last && *rest == '.') {
        rest++;
    }

    return rest == last || *rest == ':';
}


ngx_str_t
ngx_http_chorus_domain_uri(ngx_http_request_t *r, ngx_str_t *bucket,
    ngx_str_t *uri)
{
    u_char     *p;
    ngx_str_t   joined;

    joined.len = 1 + bucket->len + uri->len;
    joined.data = ngx_pnalloc(r->pool, joined.len);

    if (joined.data) {
        p = joined.data;
        *p++ = '/';
        p = ngx_cpymem(p, bucket->data, bucket->len);
        ngx_memcpy(p, uri->data, uri->len);
    }

    return joined;
}
