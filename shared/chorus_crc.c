/* Cyclic redundancy checks, bit by bit. */

#include "chorus_crc.h"


static const struct {
    uint64_t  polynomial;       /* reflected, without its highest power */
    uint64_t  ones;             /* as wide as the value */
} crc_kinds[] = {
    [CHORUS_CRC32] = { 0xedb88320, 0xffffffff },
    [CHORUS_CRC32C] = { 0x82f63b78, 0xffffffff },
    [CHORUS_CRC64NVME] = { 0x9a6c9329ac4bc9b5, 0xffffffffffffffff },
};


uint64_t
chorus_crc(chorus_crc_t crc, uint64_t before, const void *data, size_t len)
{
    int                   bit;
    uint64_t              value;
    const unsigned char  *p, *end;

    value = before ^ crc_kinds[crc].ones;
    p = data;

    for (end = p + len; p < end; p++) {
        value ^= *p;

        for (bit = 0; bit < 8; bit++) {
            value = (value >> 1)
                    ^ (crc_kinds[crc].polynomial & -(value & 1));
        }
    }

    return value ^ crc_kinds[crc].ones;
}
