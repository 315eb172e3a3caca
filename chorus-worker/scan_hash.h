/*
 * A body that is read to be hashed: nothing of it is kept.
 */

#ifndef SCAN_HASH_H
#define SCAN_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chorus_crypto.h"


typedef struct {
    chorus_digest_t  *running;
    unsigned          mib_per_second;   /* of all that is hashed, 0: any */
    uint64_t          received;
    bool              is_paused;
    bool              has_failed;       /* OpenSSL did */
    unsigned char     sha256[CHORUS_SHA256_LEN];
} scan_hash_t;


/* Once, by the scanner. */
bool scan_hash_open(scan_hash_t *hash);
void scan_hash_close(scan_hash_t *hash);

/* For the next body. */
bool scan_hash_begin(scan_hash_t *hash, unsigned mib_per_second);
/* Into sha256. */
bool scan_hash_end(scan_hash_t *hash);

/* Callback of s3_client: `data` is the hash. */
size_t scan_hash_write(void *data, const char *bytes, size_t len);

/* It is paused, and may go on by now; not paused any more. */
bool scan_hash_wakes(scan_hash_t *hash);


#endif
