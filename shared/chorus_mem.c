/* The allocator handle, and an arena on malloc for those without a pool. */

#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "chorus_mem.h"

#define ARENA_BLOCK_BYTES  (16 * 1024)


typedef struct arena_block_s  arena_block_t;

struct arena_block_s {
    arena_block_t              *next;
    size_t                      size;   /* of data */
    size_t                      used;
    alignas(max_align_t) char   data[];
};

struct chorus_arena_s {
    arena_block_t  *blocks;             /* the first one is being filled */
};


void *
chorus_alloc(chorus_mem_t *mem, size_t size)
{
    return mem->alloc(mem->pool, size);
}


void *
chorus_calloc(chorus_mem_t *mem, size_t size)
{
    void  *p;

    p = chorus_alloc(mem, size);

    if (p != NULL) {
        memset(p, 0, size);
    }

    return p;
}


static arena_block_t *
arena_block_create(size_t size)
{
    arena_block_t  *block;

    block = malloc(sizeof(arena_block_t) + size);
    if (block == NULL) {
        return NULL;
    }

    block->next = NULL;
    block->size = size;
    block->used = 0;

    return block;
}


/*
 * A piece that would waste most of a block gets one of its own, put behind
 * the block that is being filled.
 */
static void *
arena_alloc_large(chorus_arena_t *arena, size_t size)
{
    arena_block_t  *block;

    block = arena_block_create(size);
    if (block == NULL) {
        return NULL;
    }

    block->used = size;
    block->next = arena->blocks->next;
    arena->blocks->next = block;

    return block->data;
}


static void *
arena_alloc(void *pool, size_t size)
{
    void            *p;
    arena_block_t   *block;
    chorus_arena_t  *arena = pool;

    if (size > PTRDIFF_MAX - ARENA_BLOCK_BYTES) {
        return NULL;
    }

    size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);

    block = arena->blocks;

    if (size > block->size - block->used) {

        if (size > ARENA_BLOCK_BYTES / 4) {
            return arena_alloc_large(arena, size);
        }

        block = arena_block_create(ARENA_BLOCK_BYTES);
        if (block == NULL) {
            return NULL;
        }

        block->next = arena->blocks;
        arena->blocks = block;
    }

    p = block->data + block->used;
    block->used += size;

    return p;
}


chorus_arena_t *
chorus_arena_create(void)
{
    chorus_arena_t  *arena;

    arena = malloc(sizeof(chorus_arena_t));
    if (arena == NULL) {
        return NULL;
    }

    arena->blocks = arena_block_create(ARENA_BLOCK_BYTES);

    if (arena->blocks == NULL) {
        free(arena);
        return NULL;
    }

    return arena;
}


chorus_mem_t
chorus_arena_mem(chorus_arena_t *arena)
{
    return (chorus_mem_t) { arena_alloc, arena };
}


static void
arena_free_blocks(arena_block_t *block)
{
    arena_block_t  *next;

    for ( /* void */ ; block != NULL; block = next) {
        next = block->next;
        free(block);
    }
}


void
chorus_arena_reset(chorus_arena_t *arena)
{
    arena_free_blocks(arena->blocks->next);

    arena->blocks->next = NULL;
    arena->blocks->used = 0;
}


void
chorus_arena_destroy(chorus_arena_t *arena)
{
    if (arena == NULL) {
        return;
    }

    arena_free_blocks(arena->blocks);
    free(arena);
}
