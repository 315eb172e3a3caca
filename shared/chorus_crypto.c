/* Digests over OpenSSL 3, fetched once for each context. */

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "chorus_crypto.h"


#define CRYPTO_HMACS  4         /* two are at work in a proxy: a client's key,
                                 * and ours for main */


/* HMAC-SHA256 of one key.  What a key is made to at first is half of the work
 * of a short message. */
typedef struct {
    EVP_MAC_CTX    *ctx;
    bool            is_keyed;
    unsigned char   key[CHORUS_SHA256_LEN];
} crypto_hmac_t;

struct chorus_crypto_s {
    EVP_MD         *sha256;
    EVP_MD_CTX     *digest;
    crypto_hmac_t   hmacs[CRYPTO_HMACS];
    size_t          next;           /* of these, to get another key */
    EVP_MAC_CTX    *hmac_sha1;      /* of Signature Version 2, a new key each
                                     * time */
};

struct chorus_digest_s {
    EVP_MD       *md;
    EVP_MD_CTX   *ctx;
};


static const char  *digest_names[] = {
    [CHORUS_DIGEST_MD5] = "MD5",
    [CHORUS_DIGEST_SHA1] = "SHA1",
    [CHORUS_DIGEST_SHA256] = "SHA256",
    [CHORUS_DIGEST_SHA512] = "SHA512",
};


static EVP_MAC_CTX *
crypto_hmac_create(char *digest)
{
    EVP_MAC      *mac;
    OSSL_PARAM    params[2];
    EVP_MAC_CTX  *ctx;

    mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (mac == NULL) {
        return NULL;
    }

    ctx = EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac);                          /* the context holds it */

    if (ctx == NULL) {
        return NULL;
    }

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
                                                 digest, 0);
    params[1] = OSSL_PARAM_construct_end();

    if (EVP_MAC_CTX_set_params(ctx, params) != 1) {
        EVP_MAC_CTX_free(ctx);
        return NULL;
    }

    return ctx;
}


chorus_crypto_t *
chorus_crypto_create(void)
{
    char              sha1[] = "SHA1", sha256[] = "SHA256";
    size_t            i;
    chorus_crypto_t  *crypto;

    crypto = calloc(1, sizeof(chorus_crypto_t));
    if (crypto == NULL) {
        return NULL;
    }

    crypto->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    crypto->digest = EVP_MD_CTX_new();
    crypto->hmac_sha1 = crypto_hmac_create(sha1);

    for (i = 0; i < CRYPTO_HMACS; i++) {
        crypto->hmacs[i].ctx = crypto_hmac_create(sha256);

        if (crypto->hmacs[i].ctx == NULL) {
            chorus_crypto_destroy(crypto);
            return NULL;
        }
    }

    if (crypto->sha256 == NULL || crypto->digest == NULL
        || crypto->hmac_sha1 == NULL)
    {
        chorus_crypto_destroy(crypto);
        return NULL;
    }

    return crypto;
}


void
chorus_crypto_destroy(chorus_crypto_t *crypto)
{
    size_t  i;

    if (crypto == NULL) {
        return;
    }

    for (i = 0; i < CRYPTO_HMACS; i++) {
        EVP_MAC_CTX_free(crypto->hmacs[i].ctx);
        chorus_secret_wipe(crypto->hmacs[i].key, CHORUS_SHA256_LEN);
    }

    EVP_MAC_CTX_free(crypto->hmac_sha1);
    EVP_MD_CTX_free(crypto->digest);
    EVP_MD_free(crypto->sha256);
    free(crypto);
}


bool
chorus_sha256(chorus_crypto_t *crypto, chorus_str_t data,
    unsigned char out[CHORUS_SHA256_LEN])
{
    return EVP_DigestInit_ex2(crypto->digest, crypto->sha256, NULL) == 1
           && EVP_DigestUpdate(crypto->digest, data.data, data.len) == 1
           && EVP_DigestFinal_ex(crypto->digest, out, NULL) == 1;
}


static bool
crypto_hmac(EVP_MAC_CTX *hmac, chorus_str_t key, chorus_str_t data,
    unsigned char *out, size_t size)
{
    size_t                len;
    const unsigned char  *key_bytes, *bytes;

    /* a NULL key would mean the key of the call before */

    key_bytes = (const unsigned char *) (key.len == 0 ? "" : key.data);
    bytes = (const unsigned char *) data.data;

    return EVP_MAC_init(hmac, key_bytes, key.len, NULL) == 1
           && EVP_MAC_update(hmac, bytes, data.len) == 1
           && EVP_MAC_final(hmac, out, &len, size) == 1;
}


/* That of the key, or the next one to get it. */

static crypto_hmac_t *
crypto_hmac_of(chorus_crypto_t *crypto, chorus_str_t key)
{
    size_t          i;
    crypto_hmac_t  *hmac;

    for (i = 0; i < CRYPTO_HMACS; i++) {
        hmac = &crypto->hmacs[i];

        if (hmac->is_keyed
            && memcmp(hmac->key, key.data, CHORUS_SHA256_LEN) == 0)
        {
            return hmac;
        }
    }

    hmac = &crypto->hmacs[crypto->next];
    crypto->next = (crypto->next + 1) % CRYPTO_HMACS;
    hmac->is_keyed = false;

    return hmac;
}


bool
chorus_hmac_sha256(chorus_crypto_t *crypto, chorus_str_t key,
    chorus_str_t data, unsigned char out[CHORUS_SHA256_LEN])
{
    size_t          len;
    crypto_hmac_t  *hmac;

    /* of the length that signing keys have */

    if (key.len != CHORUS_SHA256_LEN) {
        crypto->hmacs[0].is_keyed = false;
        return crypto_hmac(crypto->hmacs[0].ctx, key, data, out,
                           CHORUS_SHA256_LEN);
    }

    hmac = crypto_hmac_of(crypto, key);

    if (!hmac->is_keyed) {
        memcpy(hmac->key, key.data, CHORUS_SHA256_LEN);
        hmac->is_keyed = crypto_hmac(hmac->ctx, key, data, out,
                                     CHORUS_SHA256_LEN);
        return hmac->is_keyed;
    }

    /* without a key: the one it has */

    return EVP_MAC_init(hmac->ctx, NULL, 0, NULL) == 1
           && EVP_MAC_update(hmac->ctx, (const unsigned char *) data.data,
                             data.len) == 1
           && EVP_MAC_final(hmac->ctx, out, &len, CHORUS_SHA256_LEN) == 1;
}


bool
chorus_hmac_sha1(chorus_crypto_t *crypto, chorus_str_t key,
    chorus_str_t data, unsigned char out[CHORUS_SHA1_LEN])
{
    return crypto_hmac(crypto->hmac_sha1, key, data, out, CHORUS_SHA1_LEN);
}


chorus_digest_t *
chorus_digest_create(chorus_digest_algorithm_t algorithm)
{
    chorus_digest_t  *digest;

    digest = calloc(1, sizeof(chorus_digest_t));
    if (digest == NULL) {
        return NULL;
    }

    digest->md = EVP_MD_fetch(NULL, digest_names[algorithm], NULL);
    digest->ctx = EVP_MD_CTX_new();

    if (digest->md == NULL || digest->ctx == NULL) {
        chorus_digest_destroy(digest);
        return NULL;
    }

    return digest;
}


bool
chorus_digest_begin(chorus_digest_t *digest)
{
    return EVP_DigestInit_ex2(digest->ctx, digest->md, NULL) == 1;
}


bool
chorus_digest_update(chorus_digest_t *digest, chorus_str_t data)
{
    return EVP_DigestUpdate(digest->ctx, data.data, data.len) == 1;
}


bool
chorus_digest_end(chorus_digest_t *digest, unsigned char *out)
{
    return EVP_DigestFinal_ex(digest->ctx, out, NULL) == 1;
}


void
chorus_digest_destroy(chorus_digest_t *digest)
{
    if (digest == NULL) {
        return;
    }

    EVP_MD_CTX_free(digest->ctx);
    EVP_MD_free(digest->md);
    free(digest);
}


bool
chorus_secret_eq(chorus_str_t a, chorus_str_t b)
{
    return a.len == b.len
           && (a.len == 0 || CRYPTO_memcmp(a.data, b.data, a.len) == 0);
}


void
chorus_secret_wipe(void *data, size_t len)
{
    if (len != 0) {
        OPENSSL_cleanse(data, len);
    }
}


chorus_str_t
chorus_base64(chorus_mem_t *mem, const void *bytes, size_t len)
{
    char    *out;
    size_t   size;

    if (len > INT_MAX / 4 * 3 - 3) {
        return chorus_null_str;
    }

    size = (len + 2) / 3 * 4;

    out = chorus_alloc(mem, size + 1);
    if (out == NULL) {
        return chorus_null_str;
    }

    if (len != 0) {
        (void) EVP_EncodeBlock((unsigned char *) out, bytes, (int) len);
    }

    return (chorus_str_t) { out, size };
}


/* 0..63; -1 when c is none of the alphabet. */
static int
crypto_base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }

    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }

    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }

    return c == '+' ? 62 : c == '/' ? 63 : -1;
}


chorus_rc_t
chorus_base64_decode(chorus_mem_t *mem, chorus_str_t text,
    chorus_str_t *bytes)
{
    int       digit;
    char     *out;
    size_t    i, len;
    uint32_t  bits;

    if (text.len % 4 != 0) {
        return CHORUS_ERROR;
    }

    for (i = 0; i < 2 && text.len != 0 && text.data[text.len - 1] == '='; i++)
    {
        text.len--;
    }

    out = chorus_alloc(mem, text.len / 4 * 3 + 4);
    if (out == NULL) {
        return CHORUS_NOMEM;
    }

    bits = 0;
    len = 0;

    for (i = 0; i < text.len; i++) {

        digit = crypto_base64_digit(text.data[i]);
        if (digit < 0) {
            return CHORUS_ERROR;
        }

        bits = bits << 6 | (uint32_t) digit;

        if (i % 4 != 0) {
            out[len++] = (char) (bits >> (6 - i % 4 * 2) & 0xff);
        }
    }

    /* what is left of a last, broken group of four digits must be zero */

    if ((text.len % 4 == 2 && (bits & 0x0f) != 0)
        || (text.len % 4 == 3 && (bits & 0x03) != 0)
        || text.len % 4 == 1)
    {
        return CHORUS_ERROR;
    }

    *bytes = (chorus_str_t) { out, len };

    return CHORUS_OK;
}
