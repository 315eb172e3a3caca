/*
 * The work queue in Redis, as the functions of the library "chorus" give it
 * to a worker.  Used by one thread.  A Redis that is away fails calls and is
 * connected to again; it never ends the worker.
 */

#ifndef QUEUE_H
#define QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chorus_config.h"
#include "health.h"
#include "task.h"

/* What chorus_claim gives at once at most. */
#define QUEUE_CLAIM_MAX  1000


typedef struct queue_s  queue_t;

/* `url` is copied, and the files of its TLS are read.  NULL with `error`. */
queue_t *queue_create(const chorus_redis_url_t *url, const char *worker_id,
    chorus_error_t *error);
void queue_destroy(queue_t *queue);

/* Before the first claim and when the configuration has changed. */
void queue_configure(queue_t *queue, const chorus_worker_config_t *worker);

/* Connects if need be and if the back-off allows, with the library loaded;
 * false: not now. */
bool queue_ready(queue_t *queue);
/* clock_ms() at which queue_ready() is worth another call. */
int64_t queue_retry_ms(const queue_t *queue);

/* Readable when there may be something to claim; -1 while unconnected. */
int queue_wake_fd(const queue_t *queue);
/* True: the dynamic policy has changed. */
bool queue_drain_wake(queue_t *queue);

/* All return false when Redis did not take the call. */

/* After each start of Redis, before a claim: makes whole what that start may
 * have left half.  False: there is more to do, or Redis did not take it; to
 * be called again. */
bool queue_heal(queue_t *queue);

/* A list of at most `max` tasks with their lease, of some followers no more
 * than they have room for. */
bool queue_claim(queue_t *queue, int64_t lease_ms, size_t max,
    const health_room_t *rooms, size_t nrooms, task_t **list);

/* Asks for what rate.h wants to know and hands it the answer. */
bool queue_rates(queue_t *queue);

/* Tasks that are held on get a later deadline, the others are stopped. */
bool queue_renew(queue_t *queue, int64_t lease_ms, task_t **tasks,
    size_t ntasks);

/* Tasks whose replication somebody has paused begin nothing more: asked for at
 * queue_pauses_ms(), which is clock_ms() of the next time, at the latest. */
bool queue_pauses(queue_t *queue, task_t **tasks, size_t ntasks);
int64_t queue_pauses_ms(const queue_t *queue);

/* Tells Redis the results; `tasks` is sorted by the way.  is_told[i] for each
 * task in the new order; those not told are to be told again. */
bool queue_settle(queue_t *queue, task_t **tasks, size_t ntasks,
    bool *is_told);

/* Marks the key of a result that Redis does not want to hear. */
bool queue_suspect(queue_t *queue, const task_t *task);

/* The local deadline of a lease that was asked for at `asked_ms`: before the
 * one in Redis, to leave time for what is on its way to the follower. */
int64_t queue_deadline_ms(int64_t asked_ms, int64_t lease_ms);


#endif
