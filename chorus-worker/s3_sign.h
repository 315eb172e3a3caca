/*
 * From an s3_request_t to what curl sends: URL and signed header list.
 */

#ifndef S3_SIGN_H
#define S3_SIGN_H

#include <stdbool.h>

#include "chorus_crypto.h"
#include "chorus_sigv4.h"
#include "s3_client.h"


typedef struct {
    chorus_crypto_t     *crypto;
    chorus_key_cache_t  *keys;
    chorus_digest_t     *md5;
} s3_signer_t;

typedef struct {
    chorus_str_t        url;            /* terminated */
    struct curl_slist  *headers;        /* freed by the caller */
} s3_signed_t;


bool s3_signer_open(s3_signer_t *signer);
void s3_signer_close(s3_signer_t *signer);

/* `now` is the time at the storage.  false: out of memory, or a key that no
 * URL can carry (a NUL byte). */
bool s3_sign(s3_signer_t *signer, chorus_mem_t *mem,
    const s3_request_t *request, int64_t now, s3_signed_t *out);


#endif
