/* The ways to compute a CRC: for chorus_crc*.c, their tests and the bench. */

#ifndef CHORUS_CRC_ENGINE_H
#define CHORUS_CRC_ENGINE_H

#include <stdbool.h>

#include "chorus_crc.h"

#define CHORUS_CRC_FOLDED_LEN  16       /* one 128-bit register */
#define CHORUS_CRC_STRIDE_LEN  128      /* eight of them, at once */


/* Of one polynomial, all computed from it at the first use. */
typedef struct {
    uint64_t  slices[8][256];   /* of a byte that 0..7 bytes follow */
    uint64_t  by_stride[2];     /* multipliers: forward by a stride */
    uint64_t  by_register[2];   /* and by a register */
} chorus_crc_constants_t;

/*
 * Folds `value` and all whole registers of p, which has at least a stride,
 * into one register that leaves the same remainder.
 */
typedef void (*chorus_crc_fold_pt)(const chorus_crc_constants_t *constants,
    uint64_t value, const unsigned char *p, size_t len,
    unsigned char folded[CHORUS_CRC_FOLDED_LEN]);

typedef struct {
    const char          *name;
    bool               (*is_supported)(void);
    chorus_crc_fold_pt   fold;          /* NULL: with the slices alone */
} chorus_crc_engine_t;


/* The fastest first; the last one is portable and always supported. */
extern const chorus_crc_engine_t  chorus_crc_engines[];
extern const size_t               chorus_crc_nengines;

/* chorus_crc() by an engine that is supported */
uint64_t chorus_crc_by(const chorus_crc_engine_t *engine, chorus_crc_t crc,
    uint64_t before, const void *data, size_t len);


#endif
