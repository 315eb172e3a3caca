/* Digests against published values, and the cache of signing keys. */

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "chorus_crypto.h"
#include "chorus_sigv4.h"
#include "test.h"


static void
check_hex(const char *name, const unsigned char *bytes, size_t len,
    const char *expected)
{
    char  hex[2 * CHORUS_SHA256_LEN];

    chorus_hex(hex, bytes, len);
    check_str(name, (chorus_str_t) { hex, 2 * len }, expected);
}


static void
digest(void **state)
{
    unsigned char  out[CHORUS_SHA256_LEN];

    (void) state;

    assert_true(chorus_sha256(crypto, chorus_str("abc"), out));
    check_hex("FIPS 180", out, sizeof(out),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015"
              "ad");

    assert_true(chorus_sha256(crypto, chorus_null_str, out));
    check_hex("empty", out, sizeof(out), CHORUS_EMPTY_SHA256);
}


static void
authenticate(void **state)
{
    size_t         i;
    unsigned char  out[CHORUS_SHA256_LEN];

    static const struct {
        const char  *name;
        const char  *key;
        const char  *data;
        const char  *expected;
    } rows[] = {
        { "RFC 4231, 2", "Jefe", "what do ya want for nothing?",
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
        { "empty key and data", "", "",
          "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad" },
        { "empty key behind another", NULL, "what do ya want for nothing?",
          "76d9e7194e7dbc3aa00bbe8ffb9f6fcb5a932170f971f948bb2ab61607d2b9d6" },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        assert_true(chorus_hmac_sha256(crypto, chorus_str_from(rows[i].key),
                                       chorus_str_from(rows[i].data), out));
        check_hex(rows[i].name, out, sizeof(out), rows[i].expected);
    }
}


/* Keys that are padded, just fit, and are hashed first; each twice in a row,
 * and behind more keys than are remembered.  OpenSSL's HMAC says what is right. */
static void
authenticate_with_keys_of_any_length(void **state)
{
    size_t          len, n, i;
    char            key[300], data[300];
    unsigned        size;
    chorus_str_t    k, d;
    unsigned char   out[CHORUS_SHA256_LEN], expected[EVP_MAX_MD_SIZE];

    (void) state;

    for (i = 0; i < sizeof(key); i++) {
        key[i] = (char) (i * 7 + 1);
        data[i] = (char) (i * 13 + 5);
    }

    for (n = 0; n < 2 * sizeof(key); n++) {

        /* every other one of 32 bytes, six of them in turn */
        k = n % 2 == 0 ? (chorus_str_t) { key, n / 2 }
                       : (chorus_str_t) { key + n % 12, CHORUS_SHA256_LEN };

        for (i = 0, len = n % 200; i < 2; i++, len += 33) {
            d = (chorus_str_t) { data, len };

            assert_non_null(HMAC(EVP_sha256(), k.data, (int) k.len,
                                 (const unsigned char *) d.data, d.len,
                                 expected, &size));
            assert_true(chorus_hmac_sha256(crypto, k, d, out));
            assert_memory_equal(out, expected, CHORUS_SHA256_LEN);
        }
    }
}


static void
authenticate_with_sha1(void **state)
{
    size_t         i;
    unsigned char  out[CHORUS_SHA1_LEN];

    static const struct {
        const char  *name;
        const char  *key;
        const char  *data;
        const char  *expected;
    } rows[] = {
        { "RFC 2202, 2", "Jefe", "what do ya want for nothing?",
          "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79" },
        { "empty key and data", "", "",
          "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d" },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        assert_true(chorus_hmac_sha1(crypto, chorus_str_from(rows[i].key),
                                     chorus_str_from(rows[i].data), out));
        check_hex(rows[i].name, out, sizeof(out), rows[i].expected);
    }
}


static void
sign_a_key(void **state)
{
    unsigned char  key[CHORUS_SHA256_LEN];
    char           secret[CHORUS_SECRET_MAX_LEN + 1];

    (void) state;

    /* [AWS General Reference, "Deriving the signing key"] */

    assert_true(chorus_sigv4_signing_key(crypto,
        chorus_str("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        chorus_str("20120215"), chorus_str("us-east-1"), chorus_str("iam"),
        key));
    check_hex("iam", key, sizeof(key),
              "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db40"
              "4d");

    memset(secret, 'x', sizeof(secret));
    assert_true(chorus_sigv4_signing_key(crypto,
        (chorus_str_t) { secret, sizeof(secret) - 1 }, chorus_str("20120215"),
        chorus_str("r"), chorus_str("s3"), key));
    assert_false(chorus_sigv4_signing_key(crypto,
        (chorus_str_t) { secret, sizeof(secret) }, chorus_str("20120215"),
        chorus_str("r"), chorus_str("s3"), key));
}


static void
run_md5(void **state)
{
    chorus_digest_t  *a, *b;
    unsigned char     out[CHORUS_MD5_LEN];

    (void) state;

    a = chorus_digest_create(CHORUS_DIGEST_MD5);
    b = chorus_digest_create(CHORUS_DIGEST_MD5);

    assert_true(chorus_digest_begin(a));
    assert_true(chorus_digest_begin(b));
    assert_true(chorus_digest_update(a, chorus_str("ab")));
    assert_true(chorus_digest_update(b, chorus_null_str));
    assert_true(chorus_digest_update(a, chorus_str("c")));
    assert_true(chorus_digest_end(a, out));
    check_hex("abc", out, sizeof(out), "900150983cd24fb0d6963f7d28e17f72");
    assert_true(chorus_digest_end(b, out));
    check_hex("empty", out, sizeof(out), "d41d8cd98f00b204e9800998ecf8427e");

    assert_true(chorus_digest_begin(a));    /* again */
    assert_true(chorus_digest_end(a, out));
    check_hex("again", out, sizeof(out), "d41d8cd98f00b204e9800998ecf8427e");

    chorus_digest_destroy(a);
    chorus_digest_destroy(b);
    chorus_digest_destroy(NULL);
}


static void
decode_base64(void **state)
{
    size_t        i;
    chorus_rc_t   rc;
    chorus_str_t  bytes;

    static const struct {
        const char  *input;
        const char  *expected;          /* NULL: refused */
    } rows[] = {
        { "", "" },
        { "Zg==", "f" },
        { "Zm8=", "fo" },
        { "Zm9v", "foo" },
        { "Zm9vYmFy", "foobar" },
        { "+//+", "\xfb\xff\xfe" },
        { "Zg", NULL },
        { "Zg=", NULL },
        { "Zm8", NULL },
        { "Zh==", NULL },               /* bits behind the byte */
        { "Zm9=", NULL },
        { "Z===", NULL },
        { "====", NULL },
        { "==", NULL },
        { "=m8=", NULL },
        { "Zg==Zg==", NULL },
        { "Zm9v\n", NULL },
        { "Zm 9", NULL },
        { "-__-", NULL },
        { "Zm9\x80", NULL },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        rc = chorus_base64_decode(&mem, chorus_str_from(rows[i].input),
                                  &bytes);
        assert_int_equal(rc, rows[i].expected == NULL ? CHORUS_ERROR
                                                      : CHORUS_OK);
        if (rc == CHORUS_OK) {
            check_str(rows[i].input, bytes, rows[i].expected);
        }
    }
}


static void
encode_base64(void **state)
{
    (void) state;

    check_str("empty", chorus_base64(&mem, "", 0), "");
    check_str("f", chorus_base64(&mem, "f", 1), "Zg==");
    check_str("fo", chorus_base64(&mem, "fo", 2), "Zm8=");
    check_str("foo", chorus_base64(&mem, "foo", 3), "Zm9v");
    check_str("high", chorus_base64(&mem, "\xfb\xff\xfe", 3), "+//+");
}


static void
compare_secrets(void **state)
{
    char  secret[] = "secret";

    (void) state;

    assert_true(chorus_secret_eq(chorus_str("a"), chorus_str("a")));
    assert_false(chorus_secret_eq(chorus_str("a"), chorus_str("b")));
    assert_false(chorus_secret_eq(chorus_str("a"), chorus_str("aa")));
    assert_true(chorus_secret_eq(chorus_null_str, chorus_str("")));

    chorus_secret_wipe(secret, 3);
    assert_memory_equal(secret, "\0\0\0ret", 6);
    chorus_secret_wipe(NULL, 0);
}


static void
cache_keys(void **state)
{
    char                     name[200];
    size_t                   i, found;
    unsigned char            key[CHORUS_SHA256_LEN], out[CHORUS_SHA256_LEN];
    chorus_key_cache_t      *cache;
    chorus_signing_scope_t   scope, other;

    (void) state;

    cache = chorus_key_cache_create();
    assert_non_null(cache);

    scope.access_key = chorus_str("AK");
    scope.secret = chorus_str("secret");
    scope.day = chorus_str("20130524");
    scope.region = chorus_str("r");

    memset(key, 7, sizeof(key));

    assert_false(chorus_key_cache_find(cache, &scope, out));
    chorus_key_cache_store(cache, &scope, key);
    assert_true(chorus_key_cache_find(cache, &scope, out));
    assert_memory_equal(out, key, sizeof(key));

    /* nothing else finds it */

    other = scope;
    other.access_key = chorus_str("AKs");
    other.secret = chorus_str("ecret");
    assert_false(chorus_key_cache_find(cache, &other, out));

    other = scope;
    other.secret = chorus_str("secres");
    assert_false(chorus_key_cache_find(cache, &other, out));

    other = scope;
    other.day = chorus_str("20130525");
    assert_false(chorus_key_cache_find(cache, &other, out));

    other = scope;
    other.region = chorus_str("");
    assert_false(chorus_key_cache_find(cache, &other, out));

    /* bounded, and the newest stays */

    for (i = 0; i < 5000; i++) {
        scope.access_key = (chorus_str_t) {
            name, (size_t) snprintf(name, sizeof(name), "AK%zu", i)
        };
        memcpy(key, &i, sizeof(i));
        chorus_key_cache_store(cache, &scope, key);
        assert_true(chorus_key_cache_find(cache, &scope, out));
        assert_memory_equal(out, key, sizeof(key));
    }

    for (i = 0, found = 0; i < 5000; i++) {
        scope.access_key = (chorus_str_t) {
            name, (size_t) snprintf(name, sizeof(name), "AK%zu", i)
        };

        if (chorus_key_cache_find(cache, &scope, out)) {
            assert_memory_equal(out, &i, sizeof(i));
            found++;
        }
    }

    assert_true(found > 128 && found <= 256);

    /* too long to be kept, and no harm done */

    memset(name, 'x', sizeof(name));
    scope.access_key = (chorus_str_t) { name, sizeof(name) };
    chorus_key_cache_store(cache, &scope, key);
    assert_false(chorus_key_cache_find(cache, &scope, out));

    chorus_key_cache_destroy(cache);
    chorus_key_cache_destroy(NULL);
    chorus_crypto_destroy(NULL);
}


test_main(crypto_setup, crypto_teardown,
    test_row(digest),
    test_row(authenticate),
    test_row(authenticate_with_keys_of_any_length),
    test_row(authenticate_with_sha1),
    test_row(sign_a_key),
    test_row(run_md5),
    test_row(encode_base64),
    test_row(decode_base64),
    test_row(compare_secrets),
    test_row(cache_keys)
)
