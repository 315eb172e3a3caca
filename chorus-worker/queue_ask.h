/*
 * What the API asks workers, in Redis.  Both return false when Redis did not
 * take the call.
 */

#ifndef QUEUE_ASK_H
#define QUEUE_ASK_H

#include "queue.h"

#define QUEUE_ANSWER_MAX  (256 * 1024)      /* bytes; more is refused */


typedef struct {
    chorus_str_t  id;               /* null: nobody asks */
    uint64_t      left_ms;          /* until nobody waits any more */
    chorus_str_t  question;         /* JSON; see ask_answer.h */
} queue_ask_t;


/* The oldest question that nobody is at; strings live in `mem`.  Another
 * worker gets it when it has no answer after lease_ms, or half of its time. */
bool queue_ask_take(queue_t *queue, chorus_mem_t *mem, int64_t lease_ms,
    queue_ask_t *ask);
bool queue_ask_answer(queue_t *queue, chorus_str_t id, chorus_str_t answer);


#endif
