/*
 * The allocator handle: memory is taken piece by piece and given back all at
 * once by whoever owns the pool (an nginx request pool, a worker's arena).
 */

#ifndef CHORUS_MEM_H
#define CHORUS_MEM_H

#include <stddef.h>


typedef struct {
    void  *(*alloc)(void *pool, size_t size);   /* NULL when out of memory */
    void   *pool;
} chorus_mem_t;


/* Returns NULL when out of memory; aligned for any object. */
void *chorus_alloc(chorus_mem_t *mem, size_t size);
void *chorus_calloc(chorus_mem_t *mem, size_t size);


/* An arena on malloc, for the programs that have no pool of their own. */

typedef struct chorus_arena_s  chorus_arena_t;

chorus_arena_t *chorus_arena_create(void);
chorus_mem_t chorus_arena_mem(chorus_arena_t *arena);
void chorus_arena_reset(chorus_arena_t *arena);     /* keeps one block */
void chorus_arena_destroy(chorus_arena_t *arena);   /* NULL is fine */


#endif
