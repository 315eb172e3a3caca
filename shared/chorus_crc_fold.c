/*
 * CRC by carry-less multiplication: each register of data is moved onto the
 * register a stride further on, until one register is left.
 *
 * Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ
 * Instruction", Intel, 2009.  The functions ask the compiler for the
 * instructions they need, so that no file needs special flags; the caller has
 * to ask the CPU.
 */

#include "chorus_crc_engine.h"


#if defined(__x86_64__)

#include <immintrin.h>

#define FOLD_128  __attribute__((target("pclmul")))
#define FOLD_256  __attribute__((target("avx2,pclmul,vpclmulqdq")))

#define FOLD_REGISTERS  (CHORUS_CRC_STRIDE_LEN / CHORUS_CRC_FOLDED_LEN)


FOLD_128 static inline __m128i
fold_load(const void *p)
{
    return _mm_loadu_si128(p);
}


FOLD_128 static inline __m128i
fold_onto(__m128i next, __m128i from, __m128i multipliers)
{
    __m128i  high, low;

    high = _mm_clmulepi64_si128(from, multipliers, 0x00);
    low = _mm_clmulepi64_si128(from, multipliers, 0x11);

    return _mm_xor_si128(next, _mm_xor_si128(high, low));
}


/* The registers of a stride, and what follows it, into one. */
FOLD_128 static void
fold_last(const chorus_crc_constants_t *constants,
    const __m128i stride[FOLD_REGISTERS], const unsigned char *p, size_t len,
    unsigned char folded[CHORUS_CRC_FOLDED_LEN])
{
    size_t   i;
    __m128i  last, multipliers;

    multipliers = fold_load(constants->by_register);
    last = stride[0];

    for (i = 1; i < FOLD_REGISTERS; i++) {
        last = fold_onto(stride[i], last, multipliers);
    }

    while (len >= CHORUS_CRC_FOLDED_LEN) {
        last = fold_onto(fold_load(p), last, multipliers);
        p += CHORUS_CRC_FOLDED_LEN;
        len -= CHORUS_CRC_FOLDED_LEN;
    }

    _mm_storeu_si128((void *) folded, last);
}


/* The loops over the registers are unrolled, to keep them registers. */

FOLD_128 static void
fold_by_128(const chorus_crc_constants_t *constants, uint64_t value,
    const unsigned char *p, size_t len,
    unsigned char folded[CHORUS_CRC_FOLDED_LEN])
{
    size_t   i;
    __m128i  multipliers, stride[FOLD_REGISTERS];

    multipliers = fold_load(constants->by_stride);

#pragma GCC unroll 8
    for (i = 0; i < FOLD_REGISTERS; i++) {
        stride[i] = fold_load(p + 16 * i);
    }

    stride[0] = _mm_xor_si128(stride[0],
                              _mm_cvtsi64_si128((long long) value));

    p += CHORUS_CRC_STRIDE_LEN;
    len -= CHORUS_CRC_STRIDE_LEN;

    while (len >= CHORUS_CRC_STRIDE_LEN) {

#pragma GCC unroll 8
        for (i = 0; i < FOLD_REGISTERS; i++) {
            stride[i] = fold_onto(fold_load(p + 16 * i), stride[i],
                                  multipliers);
        }

        p += CHORUS_CRC_STRIDE_LEN;
        len -= CHORUS_CRC_STRIDE_LEN;
    }

    fold_last(constants, stride, p, len, folded);
}


FOLD_256 static inline __m256i
fold_pair_load(const void *p)
{
    return _mm256_loadu_si256(p);
}


FOLD_256 static inline __m256i
fold_pair_onto(__m256i next, __m256i from, __m256i multipliers)
{
    __m256i  high, low;

    high = _mm256_clmulepi64_epi128(from, multipliers, 0x00);
    low = _mm256_clmulepi64_epi128(from, multipliers, 0x11);

    return _mm256_xor_si256(next, _mm256_xor_si256(high, low));
}


/* The same stride, two registers in one. */
FOLD_256 static void
fold_by_256(const chorus_crc_constants_t *constants, uint64_t value,
    const unsigned char *p, size_t len,
    unsigned char folded[CHORUS_CRC_FOLDED_LEN])
{
    size_t   i;
    __m128i  stride[FOLD_REGISTERS];
    __m256i  multipliers, pairs[FOLD_REGISTERS / 2];

    multipliers = _mm256_broadcastsi128_si256(
                      fold_load(constants->by_stride));

#pragma GCC unroll 4
    for (i = 0; i < FOLD_REGISTERS / 2; i++) {
        pairs[i] = fold_pair_load(p + 32 * i);
    }

    pairs[0] = _mm256_xor_si256(pairs[0],
                                _mm256_set_epi64x(0, 0, 0,
                                                  (long long) value));

    p += CHORUS_CRC_STRIDE_LEN;
    len -= CHORUS_CRC_STRIDE_LEN;

    while (len >= CHORUS_CRC_STRIDE_LEN) {

#pragma GCC unroll 4
        for (i = 0; i < FOLD_REGISTERS / 2; i++) {
            pairs[i] = fold_pair_onto(fold_pair_load(p + 32 * i), pairs[i],
                                      multipliers);
        }

        p += CHORUS_CRC_STRIDE_LEN;
        len -= CHORUS_CRC_STRIDE_LEN;
    }

#pragma GCC unroll 4
    for (i = 0; i < FOLD_REGISTERS / 2; i++) {
        _mm256_storeu_si256((void *) &stride[2 * i], pairs[i]);
    }

    /* what runs next uses the lower halves alone, and is slow while there is
     * something in the upper ones; not every compiler sees to it here */

    _mm256_zeroupper();

    fold_last(constants, stride, p, len, folded);
}


static bool
fold_has_128(void)
{
    return __builtin_cpu_supports("pclmul");
}


static bool
fold_has_256(void)
{
    return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("avx2")
           && __builtin_cpu_supports("vpclmulqdq");
}

#endif


static bool
fold_has_tables(void)
{
    return true;
}


const chorus_crc_engine_t  chorus_crc_engines[] = {
#if defined(__x86_64__)
    { "VPCLMULQDQ", fold_has_256, fold_by_256 },
    { "PCLMULQDQ", fold_has_128, fold_by_128 },
#endif
    { "tables", fold_has_tables, NULL },
};

const size_t  chorus_crc_nengines = sizeof(chorus_crc_engines)
                                    / sizeof(chorus_crc_engines[0]);
