/*
 * Cyclic redundancy checks: the constants, the portable engine, the choice
 * among the engines.  They are our own because libisal as Debian 12 has it,
 * 2.30, does not know CRC64NVME.
 *
 * All three are reflected: the lowest bit of a value, and of each byte of the
 * data, belongs to the highest power of x.  All begin with ones and end
 * inverted.
 */

#include <endian.h>
#include <pthread.h>
#include <string.h>

#include "chorus_crc_engine.h"


typedef struct {
    unsigned  width;            /* in bits */
    uint64_t  polynomial;       /* without its highest power */
} crc_kind_t;


static const crc_kind_t  crc_kinds[] = {
    [CHORUS_CRC32] = { 32, 0xedb88320 },
    [CHORUS_CRC32C] = { 32, 0x82f63b78 },
    [CHORUS_CRC64NVME] = { 64, 0x9a6c9329ac4bc9b5 },
};

#define CRC_KINDS  (sizeof(crc_kinds) / sizeof(crc_kinds[0]))


/* written once, under crc_once */
static pthread_once_t              crc_once = PTHREAD_ONCE_INIT;
static chorus_crc_constants_t      crc_constants[CRC_KINDS];
static const chorus_crc_engine_t  *crc_engine;


/* The remainder of value * x^n. */
static uint64_t
crc_shift(const crc_kind_t *kind, uint64_t value, unsigned n)
{
    while (n-- != 0) {
        value = (value >> 1) ^ (kind->polynomial & -(value & 1));
    }

    return value;
}


static void
crc_init_slices(const crc_kind_t *kind, uint64_t slices[8][256])
{
    unsigned  byte, i;

    for (byte = 0; byte < 256; byte++) {
        slices[0][byte] = crc_shift(kind, byte, 8);

        for (i = 1; i < 8; i++) {
            slices[i][byte] = crc_shift(kind, slices[i - 1][byte], 8);
        }
    }
}


/*
 * A register holds H(x) * x^64 + L(x), H in its low half.  To move it n bits
 * forward is to multiply it by x^n; of that only the remainder counts, and
 * the remainder of x^(n+64) times H plus that of x^n times L fits a register.
 * The product of two reflected halves comes out one bit too far forward, thus
 * the minus one.
 */
static void
crc_init_multipliers(const crc_kind_t *kind, unsigned nbits,
    uint64_t multipliers[2])
{
    uint64_t  one;

    one = (uint64_t) 1 << (kind->width - 1);

    multipliers[0] = crc_shift(kind, one, nbits + 64 - 1)
                     << (64 - kind->width);
    multipliers[1] = crc_shift(kind, one, nbits - 1) << (64 - kind->width);
}


static void
crc_init(void)
{
    size_t                   i;
    chorus_crc_constants_t  *constants;

    for (i = 0; i < CRC_KINDS; i++) {
        constants = &crc_constants[i];

        crc_init_slices(&crc_kinds[i], constants->slices);
        crc_init_multipliers(&crc_kinds[i], 8 * CHORUS_CRC_STRIDE_LEN,
                             constants->by_stride);
        crc_init_multipliers(&crc_kinds[i], 8 * CHORUS_CRC_FOLDED_LEN,
                             constants->by_register);
    }

    crc_engine = chorus_crc_engines;

    while (!crc_engine->is_supported()) {
        crc_engine++;
    }
}


/* Eight bytes a step, each through the table of its distance to the end. */
static uint64_t
crc_sliced(const chorus_crc_constants_t *constants, uint64_t value,
    const unsigned char *p, size_t len)
{
    uint64_t         word;
    const uint64_t (*slices)[256];

    slices = constants->slices;

    for (/* void */; len >= 8; p += 8, len -= 8) {
        memcpy(&word, p, 8);
        word = le64toh(word) ^ value;

        value = slices[7][word & 0xff]
                ^ slices[6][(word >> 8) & 0xff]
                ^ slices[5][(word >> 16) & 0xff]
                ^ slices[4][(word >> 24) & 0xff]
                ^ slices[3][(word >> 32) & 0xff]
                ^ slices[2][(word >> 40) & 0xff]
                ^ slices[1][(word >> 48) & 0xff]
                ^ slices[0][word >> 56];
    }

    for (/* void */; len != 0; p++, len--) {
        value = (value >> 8) ^ slices[0][(value ^ *p) & 0xff];
    }

    return value;
}


uint64_t
chorus_crc_by(const chorus_crc_engine_t *engine, chorus_crc_t crc,
    uint64_t before, const void *data, size_t len)
{
    size_t                         tail;
    uint64_t                       ones, value;
    unsigned char                  folded[CHORUS_CRC_FOLDED_LEN];
    const unsigned char           *p;
    const chorus_crc_constants_t  *constants;

    (void) pthread_once(&crc_once, crc_init);

    p = data;
    constants = &crc_constants[crc];
    ones = UINT64_MAX >> (64 - crc_kinds[crc].width);
    value = before ^ ones;

    if (engine->fold != NULL && len >= CHORUS_CRC_STRIDE_LEN) {
        engine->fold(constants, value, p, len, folded);

        value = crc_sliced(constants, 0, folded, sizeof(folded));
        tail = len % CHORUS_CRC_FOLDED_LEN;
        p += len - tail;
        len = tail;
    }

    return crc_sliced(constants, value, p, len) ^ ones;
}


uint64_t
chorus_crc(chorus_crc_t crc, uint64_t before, const void *data, size_t len)
{
    (void) pthread_once(&crc_once, crc_init);

    return chorus_crc_by(crc_engine, crc, before, data, len);
}
