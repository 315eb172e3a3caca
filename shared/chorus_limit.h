/*
 * What all workers together may ask of a storage in a second.
 */

#ifndef CHORUS_LIMIT_H
#define CHORUS_LIMIT_H

#include <stdint.h>

#include <jansson.h>

#include "chorus_error.h"
#include "chorus_str.h"

#define CHORUS_LIMIT_REQUESTS_MAX  1000000
#define CHORUS_LIMIT_BYTES_MIN     16384
#define CHORUS_LIMIT_BYTES_MAX     (1LL << 40)

/* of a change */
#define CHORUS_LIMIT_NONE   0       /* takes the limit away */
#define CHORUS_LIMIT_UNSET  (-1)    /* as chorus.json has it */
#define CHORUS_LIMIT_KEEP   (-2)


typedef enum {
    CHORUS_LIMIT_REQUESTS = 0,
    CHORUS_LIMIT_BYTES,
    CHORUS_NLIMITS
} chorus_limit_t;

/* A second; 0: no limit. */
typedef struct {
    int64_t  of[CHORUS_NLIMITS];
} chorus_limits_t;


/* "requests_per_second" and "bytes_per_second", and NULL. */
extern const char *const  chorus_limit_names[];
/* What the functions in Redis call them: "requests", "bytes". */
extern const char *const  chorus_limit_kinds[];

/* A whole number, or for bytes also a string such as "200MiB" (KiB, MiB, GiB,
 * TiB).  NULL, or what is wrong with it: "must be ...". */
const char *chorus_limit_read(const json_t *value, chorus_limit_t kind,
    int64_t *limit);

/* The body of PUT /api/v1/limits/STORAGE: an object with one or both of the
 * names; null: UNSET, 0: NONE, not there: KEEP. */
chorus_rc_t chorus_limits_change(chorus_str_t text, chorus_limits_t *change,
    chorus_error_t *error);


#endif
