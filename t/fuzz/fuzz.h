/*
 * A fuzz target is one file with fuzz_one(): it gets any bytes and must not
 * crash, leak, hang, or break its own promises.  `make fuzz` builds and runs
 * each for SECONDS under ASan and UBSan.
 */

#ifndef FUZZ_H
#define FUZZ_H

#include <stdint.h>
#include <stdlib.h>

#include "chorus_mem.h"
#include "chorus_str.h"


static void fuzz_one(chorus_mem_t *mem, chorus_str_t input);

/* a promise that does not depend on the input */
#define FUZZ_HOLDS(fact)  do { if (!(fact)) { abort(); } } while (0)


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    chorus_mem_t     mem;
    chorus_arena_t  *arena;

    arena = chorus_arena_create();
    mem = chorus_arena_mem(arena);

    fuzz_one(&mem, (chorus_str_t) { (const char *) data, size });

    chorus_arena_destroy(arena);

    return 0;
}


#endif
