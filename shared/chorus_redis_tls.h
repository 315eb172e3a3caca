/*
 * TLS to Redis, for both hosts of hiredis: hiredis brings the handshake to
 * its connections, what it verifies is ours (hiredis does not compare the
 * name of the host).  Reads the files that "redis" of chorus.json names.
 *
 * CHORUS_REDIS_TLS says that this build can; tools/hiredis finds out.  In
 * one that cannot, the loader refuses rediss:// and chorus_redis_tls_create()
 * fails.
 */

#ifndef CHORUS_REDIS_TLS_H
#define CHORUS_REDIS_TLS_H

#include <stdbool.h>

#include "chorus_config.h"
#include "chorus_error.h"

#define CHORUS_REDIS_TLS_WHY_SIZE  256


typedef struct ssl_ctx_st  chorus_redis_tls_t;      /* SSL_CTX of OpenSSL */
struct ssl_st;                                      /* SSL */


/* A context that accepts nothing below TLS 1.2 and no peer whom ca_file, or
 * else the system, does not vouch for.  NULL with `error`: a file that cannot
 * be used. */
chorus_redis_tls_t *chorus_redis_tls_create(const chorus_redis_url_t *url,
    chorus_error_t *error);
void chorus_redis_tls_destroy(chorus_redis_tls_t *tls);     /* may be NULL */

/* A connection to a peer whose certificate must have that name or address,
 * terminated by NUL; for redisInitiateSSL(), which owns it unless it fails.
 * NULL when out of memory. */
struct ssl_st *chorus_redis_tls_expect(chorus_redis_tls_t *tls,
    chorus_str_t name);
void chorus_redis_tls_drop(struct ssl_st *ssl);

/* Why a connection failed, in words: of the verification, of OpenSSL, or
 * `otherwise` (hiredis' words, may be NULL).  `text` has
 * CHORUS_REDIS_TLS_WHY_SIZE bytes.  Empties OpenSSL's queue of errors. */
void chorus_redis_tls_why(struct ssl_st *ssl, const char *otherwise,
    char *text);


#endif
