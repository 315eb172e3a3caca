/*
 * The parts of a multipart object, as proxies write them down in Redis.
 */

#ifndef CHORUS_LAYOUT_H
#define CHORUS_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "chorus_mem.h"
#include "chorus_str.h"


typedef struct {
    unsigned   nparts;
    uint64_t  *sizes;           /* nparts of them; NULL: not known */
} chorus_layout_t;


/* "8388608x12,5242880" as Redis has it.  A 0 stands for one part of a size
 * that nobody saw: the rest of the object.  False when it is not that object
 * of `size` bytes and `nparts` parts, or out of memory. */
bool chorus_layout_read(chorus_layout_t *layout, chorus_mem_t *mem,
    chorus_str_t text, uint64_t size, unsigned nparts);

/* As many parts of one size as it takes, the last one with what is left. */
bool chorus_layout_even(chorus_layout_t *layout, chorus_mem_t *mem,
    uint64_t size, uint64_t part_size);


#endif
