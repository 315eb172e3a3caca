/*
 * Scanners: threads that compare the listings of main and follower, and put
 * what differs into the queue.  Each has a connection to Redis of its own.
 */

#ifndef SCAN_H
#define SCAN_H

#include <pthread.h>
#include <stdbool.h>

#include "chorus_config.h"


typedef struct {
    pthread_t                   thread;
    const chorus_redis_url_t   *redis;      /* while it is started */
    const char                 *worker_id;
    bool                        is_started;
} scanner_t;


bool scanner_start(scanner_t *scanner, const chorus_redis_url_t *redis,
    const char *worker_id);
void scanner_join(scanner_t *scanner);

/* All scanners give back what they have and end. */
void scanners_stop(void);


#endif
