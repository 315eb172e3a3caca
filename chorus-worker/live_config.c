/*
 * References are counted under one mutex: it is taken twice a task, which is
 * nothing beside a request to a storage.
 */

#include <pthread.h>
#include <stdlib.h>

#include "live_config.h"
#include "log.h"


struct live_config_s {
    chorus_arena_t   *arena;
    chorus_mem_t      mem;
    chorus_config_t   config;
    unsigned          references;
};

static live_config_t    *live_config_current;
static pthread_mutex_t   live_config_mutex = PTHREAD_MUTEX_INITIALIZER;


static void
live_config_free(live_config_t *live)
{
    chorus_arena_destroy(live->arena);
    free(live);
}


static live_config_t *
live_config_read(const char *path, chorus_error_t *error)
{
    live_config_t  *live;

    live = calloc(1, sizeof(live_config_t));
    if (live == NULL) {
        (void) chorus_error_set(error, "out of memory");
        return NULL;
    }

    live->arena = chorus_arena_create();
    if (live->arena == NULL) {
        (void) chorus_error_set(error, "out of memory");
        free(live);
        return NULL;
    }

    live->mem = chorus_arena_mem(live->arena);
    live->references = 1;

    if (chorus_config_load(&live->mem, path, &live->config, error)
        != CHORUS_OK)
    {
        live_config_free(live);
        return NULL;
    }

    return live;
}


static void
live_config_replace(live_config_t *live)
{
    live_config_t  *old;

    (void) pthread_mutex_lock(&live_config_mutex);
    old = live_config_current;
    live_config_current = live;
    (void) pthread_mutex_unlock(&live_config_mutex);

    if (old != NULL) {
        live_config_put(old);
    }
}


bool
live_config_load(const char *path, chorus_error_t *error)
{
    live_config_t  *live;

    live = live_config_read(path, error);
    if (live == NULL) {
        return false;
    }

    live_config_replace(live);

    return true;
}


void
live_config_restore(live_config_t *live)
{
    live_config_replace(live);
}


live_config_t *
live_config_get(void)
{
    live_config_t  *live;

    (void) pthread_mutex_lock(&live_config_mutex);
    live = live_config_current;
    live->references++;
    (void) pthread_mutex_unlock(&live_config_mutex);

    return live;
}


void
live_config_put(live_config_t *live)
{
    bool  last;

    (void) pthread_mutex_lock(&live_config_mutex);
    last = --live->references == 0;
    (void) pthread_mutex_unlock(&live_config_mutex);

    if (last) {
        chorus_config_close(&live->config);
        live_config_free(live);
    }
}


const chorus_config_t *
live_config(const live_config_t *live)
{
    return &live->config;
}


void
live_config_clear(void)
{
    live_config_replace(NULL);
}
