/*
 * The checksums that S3 clients send with an upload, in x-amz-checksum-...
 * headers or trailers: which there are, and one computed as the bytes pass.
 */

#ifndef CHORUS_CHECKSUM_H
#define CHORUS_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>

#include "chorus_str.h"

/* the longest text, SHA-512's; there is no NUL behind it */
#define CHORUS_CHECKSUM_TEXT_MAX_LEN  88


typedef enum {
    CHORUS_CHECKSUM_NONE = 0,
    CHORUS_CHECKSUM_CRC32,
    CHORUS_CHECKSUM_CRC32C,
    CHORUS_CHECKSUM_CRC64NVME,
    CHORUS_CHECKSUM_MD5,
    CHORUS_CHECKSUM_SHA1,
    CHORUS_CHECKSUM_SHA256,
    CHORUS_CHECKSUM_SHA512
} chorus_checksum_algorithm_t;


/*
 * "x-amz-checksum-crc32c", in any case; NONE for every other name, also for
 * x-amz-checksum-type, -mode and -algorithm, which only speak of checksums.
 */
chorus_checksum_algorithm_t chorus_checksum_of_header(chorus_str_t name);

/* The lower-case name of the header; the null string for NONE. */
chorus_str_t chorus_checksum_header(chorus_checksum_algorithm_t algorithm);

/* How many characters the base64 text of a checksum has; 0 for NONE. */
size_t chorus_checksum_text_len(chorus_checksum_algorithm_t algorithm);


/*
 * A running checksum, of one thread at a time.  create() returns NULL when
 * out of memory, when OpenSSL refuses the algorithm, and for NONE; update()
 * and end() return false only when OpenSSL fails.
 */
typedef struct chorus_checksum_s  chorus_checksum_t;

chorus_checksum_t *chorus_checksum_create(
    chorus_checksum_algorithm_t algorithm);
bool chorus_checksum_update(chorus_checksum_t *checksum, chorus_str_t data);

/*
 * Writes chorus_checksum_text_len() characters: the base64 of the value, its
 * highest byte first.  Only destroy() may follow.
 */
bool chorus_checksum_end(chorus_checksum_t *checksum,
    char text[CHORUS_CHECKSUM_TEXT_MAX_LEN]);

void chorus_checksum_destroy(chorus_checksum_t *checksum);  /* NULL is fine */


#endif
