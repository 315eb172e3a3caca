/*
 * Where Redis is: the addresses of redis.url, resolved at start, and with
 * redis+sentinel:// the question for the master.  Sentinels answer with
 * addresses; names would need DNS while requests are served.
 */

#include "ngx_http_chorus_redis.h"


static ngx_int_t ngx_http_chorus_redis_resolve_one(ngx_conf_t *cf,
    chorus_redis_host_t *host, ngx_array_t *addrs, ngx_str_t *why);
static ngx_int_t ngx_http_chorus_redis_set_master(
    ngx_http_chorus_redis_t *redis, redisReply *ip, redisReply *port);


ngx_int_t
ngx_http_chorus_redis_resolve(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf)
{
    size_t                i, n;
    ngx_str_t             why;
    ngx_uint_t            level;
    ngx_array_t           addrs;
    chorus_redis_url_t   *redis;
    chorus_redis_host_t   one, *hosts;

    redis = &cmcf->config->redis;

    one.name = redis->unix_path.len ? redis->unix_path : redis->host;
    one.port = redis->unix_path.len ? 0 : redis->port;

    hosts = redis->nsentinels ? redis->sentinels : &one;
    n = redis->nsentinels ? redis->nsentinels : 1;

    /* of several sentinels one may be gone, name and all */
    level = (n > 1) ? NGX_LOG_WARN : NGX_LOG_EMERG;

    if (ngx_array_init(&addrs, cf->pool, n, sizeof(ngx_addr_t)) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        if (ngx_http_chorus_redis_resolve_one(cf, &hosts[i], &addrs, &why)
            != NGX_OK)
        {
            ngx_log_error(level, cf->log, 0, "\"%V\": redis.url: %V \"%*s\"",
                          &cmcf->path, &why, hosts[i].name.len,
                          hosts[i].name.data);
        }
    }

    if (addrs.nelts == 0 && n > 1) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%V\": redis.url: no sentinel has an address",
                      &cmcf->path);
    }

    cmcf->redis_addrs = addrs.elts;
    cmcf->nredis_addrs = addrs.nelts;

    return addrs.nelts ? NGX_OK : NGX_ERROR;
}


/* A port of 0 stands for the path of a socket. */

static ngx_int_t
ngx_http_chorus_redis_resolve_one(ngx_conf_t *cf, chorus_redis_host_t *host,
    ngx_array_t *addrs, ngx_str_t *why)
{
    u_char      *p;
    ngx_url_t    u;
    ngx_uint_t   i, is_v6;
    ngx_addr_t  *addr;

    ngx_memzero(&u, sizeof(ngx_url_t));
    ngx_str_set(why, "out of memory for");

    u.url.data = ngx_pnalloc(cf->pool, host->name.len
                                       + sizeof("unix:[]:65535"));
    if (u.url.data == NULL) {
        return NGX_ERROR;
    }

    is_v6 = (ngx_strlchr((u_char *) host->name.data,
                         (u_char *) host->name.data + host->name.len, ':')
             != NULL);

    if (host->port == 0) {
        p = ngx_sprintf(u.url.data, "unix:%*s", host->name.len,
                        host->name.data);

    } else {
        p = ngx_sprintf(u.url.data, is_v6 ? "[%*s]:%ui" : "%*s:%ui",
                        host->name.len, host->name.data,
                        (ngx_uint_t) host->port);
    }

    u.url.len = p - u.url.data;
    u.default_port = 6379;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK || u.naddrs == 0) {
        why->data = (u_char *) (u.err ? u.err : "no address for");
        why->len = ngx_strlen(why->data);
        return NGX_ERROR;
    }

    addr = ngx_array_push_n(addrs, u.naddrs);
    if (addr == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(addr, u.addrs, u.naddrs * sizeof(ngx_addr_t));

    for (i = 0; i < u.naddrs; i++) {
        addr[i].name.len = host->name.len;
        addr[i].name.data = (u_char *) host->name.data;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_chorus_redis_wants_sentinel_auth(ngx_http_chorus_redis_t *redis)
{
    return redis->cmcf->config->redis.sentinel_password.len != 0;
}


int
ngx_http_chorus_redis_send_sentinel_auth(ngx_http_chorus_redis_t *redis)
{
    chorus_redis_url_t *url = &redis->cmcf->config->redis;

    return ngx_http_chorus_redis_send_login(redis, url->sentinel_user,
                                            url->sentinel_password);
}


int
ngx_http_chorus_redis_send_question(ngx_http_chorus_redis_t *redis)
{
    chorus_str_t *service = &redis->cmcf->config->redis.service;

    return redisAsyncCommand(redis->ac, ngx_http_chorus_redis_greeted, redis,
                             "SENTINEL get-master-addr-by-name %b",
                             service->data, service->len);
}


/* [address, port], or nil for a name that it does not watch */

ngx_int_t
ngx_http_chorus_redis_take_answer(ngx_http_chorus_redis_t *redis,
    redisReply *reply)
{
    if (reply->type == REDIS_REPLY_NIL) {
        ngx_http_chorus_redis_complain(redis, "sentinel",
                                       "it does not know the service of "
                                       "redis.url");
        return NGX_DONE;
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) {
        return NGX_ERROR;
    }

    if (ngx_http_chorus_redis_set_master(redis, reply->element[0],
                                         reply->element[1])
        != NGX_OK)
    {
        ngx_http_chorus_redis_complain(redis, "sentinel",
                                       "the master has no numeric address; "
                                       "see resolve-hostnames");
        return NGX_DONE;
    }

    redis->answered = 1;

    return NGX_DONE;
}


static ngx_int_t
ngx_http_chorus_redis_set_master(ngx_http_chorus_redis_t *redis,
    redisReply *ip, redisReply *port)
{
    ngx_int_t        n;
    ngx_sockaddr_t  *sa = &redis->master_sockaddr;

    if (ip->type != REDIS_REPLY_STRING || port->type != REDIS_REPLY_STRING) {
        return NGX_ERROR;
    }

    n = ngx_atoi((u_char *) port->str, port->len);
    if (n < 1 || n > 65535) {
        return NGX_ERROR;
    }

    if (ip->len >= sizeof(redis->master_name)) {
        return NGX_ERROR;
    }

    redis->master.name.len = ip->len;
    redis->master.name.data = redis->master_name;
    ngx_cpystrn(redis->master_name, (u_char *) ip->str,
                sizeof(redis->master_name));

    ngx_memzero(sa, sizeof(ngx_sockaddr_t));
    redis->master.sockaddr = &sa->sockaddr;

    sa->sockaddr_in.sin_addr.s_addr = ngx_inet_addr((u_char *) ip->str,
                                                    ip->len);

    if (sa->sockaddr_in.sin_addr.s_addr != INADDR_NONE) {
        sa->sockaddr_in.sin_family = AF_INET;
        sa->sockaddr_in.sin_port = htons((in_port_t) n);
        redis->master.socklen = sizeof(struct sockaddr_in);
        return NGX_OK;
    }

#if (NGX_HAVE_INET6)
    ngx_memzero(sa, sizeof(ngx_sockaddr_t));

    if (ngx_inet6_addr((u_char *) ip->str, ip->len,
                       sa->sockaddr_in6.sin6_addr.s6_addr)
        == NGX_OK)
    {
        sa->sockaddr_in6.sin6_family = AF_INET6;
        sa->sockaddr_in6.sin6_port = htons((in_port_t) n);
        redis->master.socklen = sizeof(struct sockaddr_in6);
        return NGX_OK;
    }
#endif

    return NGX_ERROR;
}
