/*
 * What a Redis needs that has been started: half transitions made whole, and
 * doubts told again that it may have forgotten.
 */

#ifndef QUEUE_REPAIR_H
#define QUEUE_REPAIR_H

#include <stddef.h>
#include <stdint.h>

#include "chorus_redis.h"
#include "task.h"

#define QUEUE_REPAIR_TOLD_MAX  1024


typedef struct {
    chorus_str_t  replication;      /* with the key behind it, malloc'd */
    chorus_str_t  key;
    unsigned      doubts;           /* DOUBT_* */
    int64_t       told_ms;          /* clock_ms() */
} queue_repair_told_t;

typedef struct {
    char                  healed[CHORUS_REDIS_RUN_SIZE];  /* its run */
    int64_t               alive_ms; /* clock_ms() when it was last seen */
    queue_repair_told_t   told[QUEUE_REPAIR_TOLD_MAX];    /* a ring */
    size_t                next;
} queue_repair_t;


/* A result that Redis took: what it doubts is kept for as long as a Redis
 * that restarts may have lost it. */
void queue_repair_remember(queue_repair_t *repair, const task_t *task);
void queue_repair_clear(queue_repair_t *repair);


#endif
