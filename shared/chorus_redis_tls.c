#include <stddef.h>
#include <stdio.h>

#include "chorus_redis_tls.h"

#if (CHORUS_REDIS_TLS)

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>


/* OpenSSL's own would ask at the terminal. */
static int
tls_no_passphrase(char *buf, int size, int rwflag, void *data)
{
    (void) buf;
    (void) size;
    (void) rwflag;
    (void) data;

    return 0;
}


static chorus_rc_t
tls_fail(chorus_error_t *error, const char *what, const char *path)
{
    const char     *reason;
    unsigned long   code;

    code = ERR_peek_last_error();
    reason = ERR_reason_error_string(code);

    (void) chorus_error_set(error, "redis.%s: %.250s%s%s", what, path,
                            path[0] == '\0' ? "" : ": ",
                            reason == NULL ? "cannot be used" : reason);
    ERR_clear_error();

    return CHORUS_ERROR;
}


static chorus_rc_t
tls_trust(SSL_CTX *tls, const chorus_redis_url_t *url, chorus_error_t *error)
{
    if (url->ca_file.len == 0) {
        return SSL_CTX_set_default_verify_paths(tls) == 1
               ? CHORUS_OK : tls_fail(error, "ca_file", "the system's");
    }

    return SSL_CTX_load_verify_locations(tls, url->ca_file.data, NULL) == 1
           ? CHORUS_OK : tls_fail(error, "ca_file", url->ca_file.data);
}


static chorus_rc_t
tls_show(SSL_CTX *tls, const chorus_redis_url_t *url, chorus_error_t *error)
{
    if (url->cert_file.len == 0) {
        return CHORUS_OK;
    }

    if (SSL_CTX_use_certificate_chain_file(tls, url->cert_file.data) != 1) {
        return tls_fail(error, "cert_file", url->cert_file.data);
    }

    SSL_CTX_set_default_passwd_cb(tls, tls_no_passphrase);

    /* also compares it with the certificate */

    if (SSL_CTX_use_PrivateKey_file(tls, url->key_file.data,
                                    SSL_FILETYPE_PEM)
        != 1)
    {
        return tls_fail(error, "key_file", url->key_file.data);
    }

    return CHORUS_OK;
}


chorus_redis_tls_t *
chorus_redis_tls_create(const chorus_redis_url_t *url, chorus_error_t *error)
{
    SSL_CTX  *tls;

    ERR_clear_error();

    tls = SSL_CTX_new(TLS_client_method());

    if (tls == NULL
        || SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) != 1)
    {
        (void) tls_fail(error, "url", "");
        SSL_CTX_free(tls);
        return NULL;
    }

    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);

#ifdef SSL_OP_IGNORE_UNEXPECTED_EOF
    /* replies say how long they are; a Redis that was killed is an EOF */
    (void) SSL_CTX_set_options(tls, SSL_OP_IGNORE_UNEXPECTED_EOF);
#endif

    if (tls_trust(tls, url, error) != CHORUS_OK
        || tls_show(tls, url, error) != CHORUS_OK)
    {
        SSL_CTX_free(tls);
        return NULL;
    }

    return tls;
}


void
chorus_redis_tls_destroy(chorus_redis_tls_t *tls)
{
    SSL_CTX_free(tls);
}


SSL *
chorus_redis_tls_expect(chorus_redis_tls_t *tls, chorus_str_t name)
{
    SSL                *ssl;
    X509_VERIFY_PARAM  *expected;

    ssl = SSL_new(tls);
    if (ssl == NULL) {
        ERR_clear_error();
        return NULL;
    }

    expected = SSL_get0_param(ssl);

    if (X509_VERIFY_PARAM_set1_ip_asc(expected, name.data) == 1) {
        return ssl;
    }

    X509_VERIFY_PARAM_set_hostflags(expected,
                                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);

    if (name.len != 0
        && X509_VERIFY_PARAM_set1_host(expected, name.data, name.len) == 1
        && SSL_set_tlsext_host_name(ssl, name.data) == 1)
    {
        ERR_clear_error();
        return ssl;
    }

    SSL_free(ssl);
    ERR_clear_error();

    return NULL;
}


void
chorus_redis_tls_drop(SSL *ssl)
{
    SSL_free(ssl);
}


void
chorus_redis_tls_why(SSL *ssl, const char *otherwise, char *text)
{
    long            verified;
    const char     *reason;
    unsigned long   code;

    verified = SSL_get_verify_result(ssl);
    code = ERR_peek_error();
    reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_reason_error_string(code)
                                              : NULL;
    otherwise = otherwise == NULL ? "unknown error" : otherwise;

    if (verified != X509_V_OK) {
        (void) snprintf(text, CHORUS_REDIS_TLS_WHY_SIZE,
                        "certificate not trusted: %s",
                        X509_verify_cert_error_string(verified));

    } else if (reason != NULL
               && ERR_GET_REASON(code) == SSL_R_WRONG_VERSION_NUMBER)
    {
        (void) snprintf(text, CHORUS_REDIS_TLS_WHY_SIZE,
                        "that port does not speak TLS");

    } else if (reason != NULL) {
        (void) snprintf(text, CHORUS_REDIS_TLS_WHY_SIZE, "%s", reason);

    } else if (!SSL_is_init_finished(ssl)) {
        (void) snprintf(text, CHORUS_REDIS_TLS_WHY_SIZE,
                        "no TLS handshake: %s; does that port speak TLS?",
                        otherwise);

    } else {
        (void) snprintf(text, CHORUS_REDIS_TLS_WHY_SIZE, "%s", otherwise);
    }

    ERR_clear_error();
}

#else

chorus_redis_tls_t *
chorus_redis_tls_create(const chorus_redis_url_t *url, chorus_error_t *error)
{
    (void) url;
    (void) chorus_error_set(error, "redis.url: no TLS in this build");

    return NULL;
}


void
chorus_redis_tls_destroy(chorus_redis_tls_t *tls)
{
    (void) tls;
}

#endif
