/*
 * Answers what the API asks: what is on a storage.  Two threads, so that a
 * storage that is silent does not keep all others waiting; each has a
 * connection to Redis of its own.
 */

#ifndef ASK_H
#define ASK_H

#include <stdbool.h>

#include "chorus_config.h"


/* Both arguments outlive the threads. */
void ask_threads_start(const chorus_redis_url_t *redis,
    const char *worker_id);
/* Returns when they have ended, within a second. */
void ask_threads_stop(void);


#endif
