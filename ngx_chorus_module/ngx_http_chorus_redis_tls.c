/*
 * TLS to Redis: rediss://.
 *
 * The handshake begins when the connection is there, before hiredis hears of
 * it: only there may it fail without hiredis being in the middle of
 * something.  From then on hiredis drives it with its own events; what it is
 * given to send meanwhile waits until the certificate was verified.
 */

#include "ngx_http_chorus_redis.h"

#include <openssl/err.h>

#if (CHORUS_REDIS_TLS)

#include <hiredis/hiredis_ssl.h>
#include <openssl/ssl.h>


static void ngx_http_chorus_redis_tls_cleanup(void *data);
static chorus_str_t ngx_http_chorus_redis_tls_name(
    ngx_http_chorus_redis_t *redis);
static ngx_uint_t ngx_http_chorus_redis_is_connected(
    ngx_http_chorus_redis_t *redis);


ngx_int_t
ngx_http_chorus_redis_tls_init(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf)
{
    chorus_error_t       error;
    ngx_pool_cleanup_t  *cln;

    if (!cmcf->config->redis.tls) {
        return NGX_OK;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cmcf->redis_tls = chorus_redis_tls_create(&cmcf->config->redis, &error);

    if (cmcf->redis_tls == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "\"%V\": %s", &cmcf->path,
                      error.text);
        return NGX_ERROR;
    }

    cln->handler = ngx_http_chorus_redis_tls_cleanup;
    cln->data = cmcf->redis_tls;

    return NGX_OK;
}


static void
ngx_http_chorus_redis_tls_cleanup(void *data)
{
    chorus_redis_tls_destroy(data);
}


ngx_int_t
ngx_http_chorus_redis_tls_start(ngx_http_chorus_redis_t *redis)
{
    char            why[CHORUS_REDIS_TLS_WHY_SIZE];
    struct ssl_st  *ssl;

    if (redis->cmcf->redis_tls == NULL) {
        return NGX_OK;
    }

    /* what other modules left would be taken for ours */
    ERR_clear_error();

    if (redis->ssl || !ngx_http_chorus_redis_is_connected(redis)) {
        return NGX_OK;
    }

    ssl = chorus_redis_tls_expect(redis->cmcf->redis_tls,
                                  ngx_http_chorus_redis_tls_name(redis));
    if (ssl == NULL) {
        ngx_http_chorus_redis_complain(redis, "TLS", "out of memory");
        redisAsyncFree(redis->ac);
        return NGX_ERROR;
    }

    if (redisInitiateSSL(&redis->ac->c, ssl) == REDIS_OK) {
        redis->ssl = ssl;
        return NGX_OK;
    }

    chorus_redis_tls_why(ssl, redis->ac->c.errstr, why);
    chorus_redis_tls_drop(ssl);

    ngx_http_chorus_redis_complain(redis, "TLS", why);
    redisAsyncFree(redis->ac);

    return NGX_ERROR;
}


/* Not SO_ERROR, which can be read only once: hiredis does that. */

static ngx_uint_t
ngx_http_chorus_redis_is_connected(ngx_http_chorus_redis_t *redis)
{
    socklen_t       len;
    ngx_sockaddr_t  sa;

    len = sizeof(ngx_sockaddr_t);

    return getpeername(redis->c->fd, &sa.sockaddr, &len) == 0;
}


static chorus_str_t
ngx_http_chorus_redis_tls_name(ngx_http_chorus_redis_t *redis)
{
    ngx_str_t           *name = &redis->met->name;
    chorus_redis_url_t  *url = &redis->cmcf->config->redis;

    if (url->tls_name.len && !redis->asks) {
        return url->tls_name;
    }

    return (chorus_str_t) { (char *) name->data, name->len };
}


void
ngx_http_chorus_redis_tls_complain(ngx_http_chorus_redis_t *redis,
    const char *what, const char *otherwise)
{
    char  why[CHORUS_REDIS_TLS_WHY_SIZE];

    if (redis->ssl == NULL) {
        ngx_http_chorus_redis_complain(redis, what, otherwise);
        return;
    }

    chorus_redis_tls_why(redis->ssl, otherwise, why);

    ngx_http_chorus_redis_complain(redis,
                            SSL_is_init_finished(redis->ssl) ? what : "TLS",
                            why);
}

#else

ngx_int_t
ngx_http_chorus_redis_tls_init(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf)
{
    return NGX_OK;
}


ngx_int_t
ngx_http_chorus_redis_tls_start(ngx_http_chorus_redis_t *redis)
{
    return NGX_OK;
}


void
ngx_http_chorus_redis_tls_complain(ngx_http_chorus_redis_t *redis,
    const char *what, const char *otherwise)
{
    ngx_http_chorus_redis_complain(redis, what, otherwise);
}

#endif


void
ngx_http_chorus_redis_tls_done(ngx_http_chorus_redis_t *redis)
{
    if (redis->cmcf->redis_tls) {
        ERR_clear_error();
    }
}
