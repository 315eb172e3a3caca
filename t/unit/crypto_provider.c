/*
 * An operator may have OpenSSL take its SHA-256 from another provider (FIPS, an
 * accelerator): whatever Chorus hashes goes there, and nowhere else.
 */

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#include "test.h"


/* ---- a provider of SHA-256 that counts what is asked of it ---- */

static size_t          other_sums;
static EVP_MD         *other_sha256;    /* who does its work */
static OSSL_PROVIDER  *other_loaded;
static OSSL_PROVIDER  *default_loaded;


static void *
other_new(void *provider)
{
    (void) provider;

    return EVP_MD_CTX_new();
}


static void
other_free(void *ctx)
{
    EVP_MD_CTX_free(ctx);
}


static void *
other_dup(void *ctx)
{
    EVP_MD_CTX  *copy;

    copy = EVP_MD_CTX_new();

    if (EVP_MD_CTX_copy_ex(copy, ctx) != 1) {
        EVP_MD_CTX_free(copy);
        return NULL;
    }

    return copy;
}


static int
other_init(void *ctx, const OSSL_PARAM *params)
{
    (void) params;
    other_sums++;

    return EVP_DigestInit_ex2(ctx, other_sha256, NULL);
}


static int
other_update(void *ctx, const unsigned char *in, size_t len)
{
    return EVP_DigestUpdate(ctx, in, len);
}


static int
other_final(void *ctx, unsigned char *out, size_t *len, size_t size)
{
    (void) size;
    *len = CHORUS_SHA256_LEN;

    return EVP_DigestFinal_ex(ctx, out, NULL);
}


static int
other_get_params(OSSL_PARAM *params)
{
    OSSL_PARAM  *block, *size;

    block = OSSL_PARAM_locate(params, OSSL_DIGEST_PARAM_BLOCK_SIZE);
    size = OSSL_PARAM_locate(params, OSSL_DIGEST_PARAM_SIZE);

    return (block == NULL || OSSL_PARAM_set_size_t(block, 64))
           && (size == NULL || OSSL_PARAM_set_size_t(size, CHORUS_SHA256_LEN));
}


#define OTHER(id, function)  { id, (void (*)(void)) function }

static const OSSL_DISPATCH  other_digest[] = {
    OTHER(OSSL_FUNC_DIGEST_NEWCTX, other_new),
    OTHER(OSSL_FUNC_DIGEST_FREECTX, other_free),
    OTHER(OSSL_FUNC_DIGEST_DUPCTX, other_dup),
    OTHER(OSSL_FUNC_DIGEST_INIT, other_init),
    OTHER(OSSL_FUNC_DIGEST_UPDATE, other_update),
    OTHER(OSSL_FUNC_DIGEST_FINAL, other_final),
    OTHER(OSSL_FUNC_DIGEST_GET_PARAMS, other_get_params),
    { 0, NULL }
};


static const OSSL_ALGORITHM *
other_query(void *provider, int operation, int *no_store)
{
    static const OSSL_ALGORITHM  digests[] = {
        { "SHA2-256:SHA-256:SHA256", "provider=other", other_digest, NULL },
        { NULL, NULL, NULL, NULL }
    };

    (void) provider;
    *no_store = 0;

    return operation == OSSL_OP_DIGEST ? digests : NULL;
}


static int
other_provider(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
    const OSSL_DISPATCH **out, void **provider)
{
    static const OSSL_DISPATCH  functions[] = {
        OTHER(OSSL_FUNC_PROVIDER_QUERY_OPERATION, other_query),
        { 0, NULL }
    };

    (void) handle;
    (void) in;

    *out = functions;
    *provider = &other_sums;

    return 1;
}


/* ---- */


static void
check_digests(chorus_crypto_t *c)
{
    unsigned char  out[CHORUS_SHA256_LEN];
    char           hex[2 * CHORUS_SHA256_LEN];

    assert_true(chorus_sha256(c, chorus_str("abc"), out));
    chorus_hex(hex, out, sizeof(out));
    check_str("FIPS 180", (chorus_str_t) { hex, sizeof(hex) },
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015"
              "ad");

    assert_true(chorus_hmac_sha256(c, chorus_str("Jefe"),
                    chorus_str("what do ya want for nothing?"), out));
    chorus_hex(hex, out, sizeof(out));
    check_str("RFC 4231, 2", (chorus_str_t) { hex, sizeof(hex) },
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec38"
              "43");
}


static void
ask_the_default_provider(void **state)
{
    (void) state;

    check_digests(crypto);
    assert_int_equal(other_sums, 0);
}


static void
ask_the_provider_that_is_configured(void **state)
{
    size_t            sums;
    chorus_crypto_t  *other;

    (void) state;

    assert_int_equal(EVP_set_default_properties(NULL, "?provider=other"), 1);
    other = chorus_crypto_create();
    assert_non_null(other);

    other_sums = 0;
    assert_true(chorus_sha256(other, chorus_null_str,
                              (unsigned char[CHORUS_SHA256_LEN]) { 0 }));
    assert_int_equal(other_sums, 1);

    check_digests(other);
    sums = other_sums;
    assert_true(sums >= 4);

    /* a key that has been seen before, too */
    check_digests(other);
    assert_true(other_sums > sums);

    chorus_crypto_destroy(other);
    assert_int_equal(EVP_set_default_properties(NULL, ""), 1);
}


static void
refuse_to_hash_where_no_provider_may(void **state)
{
    (void) state;

    assert_int_equal(EVP_set_default_properties(NULL, "fips=yes"), 1);
    assert_null(chorus_crypto_create());
    assert_int_equal(EVP_set_default_properties(NULL, ""), 1);
}


static int
provider_setup(void **state)
{
    default_loaded = OSSL_PROVIDER_load(NULL, "default");
    other_sha256 = EVP_MD_fetch(NULL, "SHA256", "provider=default");

    if (crypto_setup(state) != 0 || other_sha256 == NULL
        || OSSL_PROVIDER_add_builtin(NULL, "other", other_provider) != 1)
    {
        return -1;
    }

    other_loaded = OSSL_PROVIDER_load(NULL, "other");

    return other_loaded == NULL ? -1 : 0;
}


static int
provider_teardown(void **state)
{
    (void) crypto_teardown(state);

    EVP_MD_free(other_sha256);
    OSSL_PROVIDER_unload(other_loaded);
    OSSL_PROVIDER_unload(default_loaded);

    return 0;
}


test_main(provider_setup, provider_teardown,
    test_row(ask_the_default_provider),
    test_row(ask_the_provider_that_is_configured),
    test_row(refuse_to_hash_where_no_provider_may)
)
