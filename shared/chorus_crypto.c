/*
 * Digests over OpenSSL 3.
 *
 * SHA-256 is worth a way of its own: a request takes two digests and two HMACs
 * of few bytes, and what EVP does around each (contexts that are allocated,
 * copied, wiped and freed) costs a third of the hashing.  Where EVP would take
 * the SHA-256 of OpenSSL's default provider, that is called directly.  These
 * functions (SHA256_Update and its like) are in all of OpenSSL 3, but marked
 * as deprecated, because they know no providers.  So where the configuration
 * of OpenSSL names another provider (FIPS, an accelerator), EVP is asked for
 * all, as it is for all other digests.
 */

#define OPENSSL_SUPPRESS_DEPRECATED

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/sha.h>

#include "chorus_crypto.h"


#define CRYPTO_HMACS  4         /* two are at work in a proxy: a client's key,
                                 * and ours for main */


/* HMAC-SHA256 of one key (RFC 2104), with what it hashes first: half of the
 * work of a short message. */
typedef struct {
    bool            is_keyed;
    unsigned char   key[CHORUS_SHA256_LEN];
    SHA256_CTX      inner;          /* of the key and 0x36 */
    SHA256_CTX      outer;          /* of the key and 0x5c */
} crypto_hmac_t;

struct chorus_crypto_s {
    bool            is_direct;      /* SHA-256 without EVP */
    crypto_hmac_t   hmacs[CRYPTO_HMACS];
    size_t          next;           /* of these, to get another key */

    EVP_MD         *sha256;
    EVP_MD_CTX     *digest;
    EVP_MAC_CTX    *hmac_sha256;
    EVP_MAC_CTX    *hmac_sha1;      /* of Signature Version 2 */
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
    const char       *provider;
    chorus_crypto_t  *crypto;

    crypto = calloc(1, sizeof(chorus_crypto_t));
    if (crypto == NULL) {
        return NULL;
    }

    crypto->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    crypto->digest = EVP_MD_CTX_new();
    crypto->hmac_sha256 = crypto_hmac_create(sha256);
    crypto->hmac_sha1 = crypto_hmac_create(sha1);

    if (crypto->sha256 == NULL || crypto->digest == NULL
        || crypto->hmac_sha256 == NULL || crypto->hmac_sha1 == NULL)
    {
        chorus_crypto_destroy(crypto);
        return NULL;
    }

    provider = OSSL_PROVIDER_get0_name(EVP_MD_get0_provider(crypto->sha256));
    crypto->is_direct = (strcmp(provider, "default") == 0);

    return crypto;
}


void
chorus_crypto_destroy(chorus_crypto_t *crypto)
{
    if (crypto == NULL) {
        return;
    }

    EVP_MAC_CTX_free(crypto->hmac_sha256);
    EVP_MAC_CTX_free(crypto->hmac_sha1);
    EVP_MD_CTX_free(crypto->digest);
    EVP_MD_free(crypto->sha256);
    chorus_secret_wipe(crypto, sizeof(chorus_crypto_t));
    free(crypto);
}


/* OpenSSL wipes the data but leaves the digest in `sum`, and that may be a key.
 * So few words are gone sooner than OPENSSL_cleanse() is called. */
static void
crypto_forget(SHA256_CTX *sum)
{
    size_t              i;
    volatile SHA_LONG  *word = sum->h;

    for (i = 0; i < sizeof(sum->h) / sizeof(sum->h[0]); i++) {
        word[i] = 0;
    }
}


/* What `sum` has begun with, and `data`. */
static bool
crypto_sha256_end(SHA256_CTX *sum, const void *data, size_t len,
    unsigned char out[CHORUS_SHA256_LEN])
{
    bool  ok;

    ok = SHA256_Update(sum, data, len) == 1 && SHA256_Final(out, sum) == 1;

    crypto_forget(sum);

    return ok;
}


bool
chorus_sha256(chorus_crypto_t *crypto, chorus_str_t data,
    unsigned char out[CHORUS_SHA256_LEN])
{
    SHA256_CTX  sum;

    if (crypto->is_direct) {
        return SHA256_Init(&sum) == 1
               && crypto_sha256_end(&sum, data.data, data.len, out);
    }

    return EVP_DigestInit_ex2(crypto->digest, crypto->sha256, NULL) == 1
           && EVP_DigestUpdate(crypto->digest, data.data, data.len) == 1
           && EVP_DigestFinal_ex(crypto->digest, out, NULL) == 1;
}


/* ---- HMAC ---- */


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


static bool
crypto_hmac_begin(SHA256_CTX *sum, const unsigned char *key,
    unsigned char with)
{
    bool            ok;
    size_t          i;
    unsigned char   block[SHA256_CBLOCK];

    for (i = 0; i < SHA256_CBLOCK; i++) {
        block[i] = key[i] ^ with;
    }

    ok = SHA256_Init(sum) == 1
         && SHA256_Update(sum, block, SHA256_CBLOCK) == 1;

    chorus_secret_wipe(block, sizeof(block));

    return ok;
}


static bool
crypto_hmac_set_key(chorus_crypto_t *crypto, crypto_hmac_t *hmac,
    chorus_str_t key)
{
    bool           ok;
    unsigned char  block[SHA256_CBLOCK] = { 0 };

    ok = true;

    if (key.len > SHA256_CBLOCK) {
        ok = chorus_sha256(crypto, key, block);

    } else if (key.len != 0) {
        memcpy(block, key.data, key.len);
    }

    ok = ok && crypto_hmac_begin(&hmac->inner, block, 0x36)
         && crypto_hmac_begin(&hmac->outer, block, 0x5c);

    chorus_secret_wipe(block, sizeof(block));

    return ok;
}


static bool
crypto_hmac_end(const crypto_hmac_t *hmac, chorus_str_t data,
    unsigned char out[CHORUS_SHA256_LEN])
{
    bool        ok;
    SHA256_CTX  sum;

    sum = hmac->inner;
    ok = crypto_sha256_end(&sum, data.data, data.len, out);

    sum = hmac->outer;

    return ok && crypto_sha256_end(&sum, out, CHORUS_SHA256_LEN, out);
}


/* That of the key; NULL when OpenSSL fails. */
static const crypto_hmac_t *
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

    memcpy(hmac->key, key.data, CHORUS_SHA256_LEN);
    hmac->is_keyed = crypto_hmac_set_key(crypto, hmac, key);

    return hmac->is_keyed ? hmac : NULL;
}


bool
chorus_hmac_sha256(chorus_crypto_t *crypto, chorus_str_t key,
    chorus_str_t data, unsigned char out[CHORUS_SHA256_LEN])
{
    bool                  ok;
    crypto_hmac_t         once;
    const crypto_hmac_t  *hmac;

    if (!crypto->is_direct) {
        return crypto_hmac(crypto->hmac_sha256, key, data, out,
                           CHORUS_SHA256_LEN);
    }

    /* signing keys, and those on the way to one, have that length */

    if (key.len == CHORUS_SHA256_LEN) {
        hmac = crypto_hmac_of(crypto, key);
        return hmac != NULL && crypto_hmac_end(hmac, data, out);
    }

    ok = crypto_hmac_set_key(crypto, &once, key)
         && crypto_hmac_end(&once, data, out);

    chorus_secret_wipe(&once, sizeof(once));

    return ok;
}


bool
chorus_hmac_sha1(chorus_crypto_t *crypto, chorus_str_t key,
    chorus_str_t data, unsigned char out[CHORUS_SHA1_LEN])
{
    return crypto_hmac(crypto->hmac_sha1, key, data, out, CHORUS_SHA1_LEN);
}


/* ---- running digests ---- */


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
