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

/* A running MD5 (ETags, Content-MD5); several may be open at once. */
typedef struct chorus_md5_s  chorus_md5_t;

chorus_md5_t *chorus_md5_create(void);
bool chorus_md5_begin(chorus_md5_t *md5);
bool chorus_md5_update(chorus_md5_t *md5, chorus_str_t data);
bool chorus_md5_end(chorus_md5_t *md5, unsigned char out[CHORUS_MD5_LEN]);
void chorus_md5_destroy(chorus_md5_t *md5);

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
