/*
 * What slots write down in Redis, or look up, while they hold a key: layouts
 * of multipart objects, our own uploads, objects that are equal with another
 * ETag.  One connection for all slots, made when it is needed.
 */

#ifndef QUEUE_LEDGER_H
#define QUEUE_LEDGER_H

#include <stdbool.h>

#include "chorus_mem.h"
#include "queue.h"
#include "task.h"


/* Uses the queue's URL and TLS, which outlive it.  Of any thread from then
 * on; the calls wait for each other. */
bool queue_ledger_open(queue_t *queue);
void queue_ledger_close(void);

/* All of these: false when Redis did not answer, or with an error. */

/* "8388608x12,5242880", as proxies have seen the parts behind main's ETag;
 * the null string when they have not. */
bool queue_ledger_layout(chorus_mem_t *mem, chorus_str_t etag,
    chorus_str_t *sizes);

/* An upload has begun; the next who claims the key is told.  *is_ours is false
 * when the key is somebody else's by now, and nothing is written. */
bool queue_ledger_begin(const task_t *task, chorus_str_t record,
    bool *is_ours);
/* It is no more. */
bool queue_ledger_over(const task_t *task, chorus_str_t record);

/* "<main's ETag> <size> <follower's ETag>" of the key, or the null string. */
bool queue_ledger_twin(const task_t *task, chorus_mem_t *mem,
    chorus_str_t *record);
bool queue_ledger_twin_keep(const task_t *task, chorus_str_t record);

/* The delete guard's word on this key, which `rule` of the dynamic policy (or
 * "") replicates: "granted", or another with its reason, see chorus_guard.lua.
 * Also false for what is no text. */
bool queue_ledger_guard(const task_t *task, chorus_str_t rule,
    const chorus_guard_t *guard, chorus_mem_t *mem, chorus_str_t *verdict);


#endif
