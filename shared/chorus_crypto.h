/*
 * Digests over OpenSSL.  A context belongs to one thread; its algorithms are
 * fetched once, because fetching per call costs more than the digest.
 */

#ifndef CHORUS_CRYPTO_H
#define CHORUS_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>

#include "chorus_error.h"
#include "chorus_mem.h"
#include "chorus_str.h"

#define CHORUS_SHA512_LEN  64
#define CHORUS_SHA256_LEN  32
#define CHORUS_SHA1_LEN    20
#define CHORUS_MD5_LEN     16


typedef struct chorus_crypto_s  chorus_crypto_t;

chorus_crypto_t *chorus_crypto_create(void);        /* NULL: OpenSSL failed */
void chorus_crypto_destroy(chorus_crypto_t *crypto);

/* All return false only when OpenSSL fails. */
bool chorus_sha256(chorus_crypto_t *crypto, chorus_str_t data,
    unsigned char out[CHORUS_SHA256_LEN]);
bool chorus_hmac_sha256(chorus_crypto_t *crypto, chorus_str_t key,
    chorus_str_t data, unsigned char out[CHORUS_SHA256_LEN]);
bool chorus_hmac_sha1(chorus_crypto_t *crypto, chorus_str_t key,
    chorus_str_t data, unsigned char out[CHORUS_SHA1_LEN]);

/*
 * A running digest (ETags, Content-MD5, checksums); several may be open at
 * once.  begin() starts it, or starts it anew, without fetching again; end()
 * writes as many bytes as the algorithm has (CHORUS_..._LEN).  create() is
 * NULL when out of memory or when OpenSSL refuses the algorithm (MD5 in a
 * FIPS configuration).
 */
typedef enum {
    CHORUS_DIGEST_MD5,
    CHORUS_DIGEST_SHA1,
    CHORUS_DIGEST_SHA256,
    CHORUS_DIGEST_SHA512
} chorus_digest_algorithm_t;

typedef struct chorus_digest_s  chorus_digest_t;

chorus_digest_t *chorus_digest_create(chorus_digest_algorithm_t algorithm);
bool chorus_digest_begin(chorus_digest_t *digest);
bool chorus_digest_update(chorus_digest_t *digest, chorus_str_t data);
bool chorus_digest_end(chorus_digest_t *digest, unsigned char *out);
void chorus_digest_destroy(chorus_digest_t *digest);    /* NULL is fine */

/* Constant time in the content; lengths are not secret. */
bool chorus_secret_eq(chorus_str_t a, chorus_str_t b);
void chorus_secret_wipe(void *data, size_t len);

/* Standard base64 with padding; null string when out of memory. */
chorus_str_t chorus_base64(chorus_mem_t *mem, const void *bytes, size_t len);

/* The one way back: CHORUS_ERROR for anything that chorus_base64 would not
 * write (blanks, missing padding, bits behind the last byte). */
chorus_rc_t chorus_base64_decode(chorus_mem_t *mem, chorus_str_t text,
    chorus_str_t *bytes);


#endif
