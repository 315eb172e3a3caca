#include <stdio.h>

#include <openssl/err.h>

#include "queue_tls.h"

#if (CHORUS_REDIS_TLS)

#include <hiredis/hiredis_ssl.h>


bool
queue_tls_start(redisContext *redis, chorus_redis_tls_t *tls,
    chorus_str_t name)
{
    char            why[CHORUS_REDIS_TLS_WHY_SIZE];
    struct ssl_st  *ssl;

    ssl = chorus_redis_tls_expect(tls, name);
    if (ssl == NULL) {
        (void) snprintf(redis->errstr, sizeof(redis->errstr),
                        "out of memory");
        return false;
    }

    if (redisInitiateSSL(redis, ssl) == REDIS_OK) {
        return true;
    }

    chorus_redis_tls_why(ssl, redis->errstr, why);
    (void) snprintf(redis->errstr, sizeof(redis->errstr), "%.120s", why);
    chorus_redis_tls_drop(ssl);

    return false;
}

#else

bool
queue_tls_start(redisContext *redis, chorus_redis_tls_t *tls,
    chorus_str_t name)
{
    (void) tls;
    (void) name;
    (void) snprintf(redis->errstr, sizeof(redis->errstr),
                    "no TLS in this build");

    return false;
}

#endif


const char *
queue_tls_why(const redisContext *redis)
{
    const char     *reason;
    unsigned long   code;

    code = ERR_peek_last_error();
    reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_reason_error_string(code)
                                              : NULL;
    ERR_clear_error();

    return reason == NULL ? redis->errstr : reason;
}
