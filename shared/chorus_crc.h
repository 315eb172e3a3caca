/* Cyclic redundancy checks at the speed of memory. */

#ifndef CHORUS_CRC_H
#define CHORUS_CRC_H

#include <stddef.h>
#include <stdint.h>


typedef enum {
    CHORUS_CRC32,               /* IEEE 802.3, as zlib's crc32() */
    CHORUS_CRC32C,              /* Castagnoli, RFC 3720 */
    CHORUS_CRC64NVME            /* NVM Express, 64 bits */
} chorus_crc_t;


/*
 * The value of everything before, followed by data; begin with 0, which is
 * also the value of nothing (data may then be NULL).  Any thread may call it.
 */
uint64_t chorus_crc(chorus_crc_t crc, uint64_t before, const void *data,
    size_t len);


#endif
