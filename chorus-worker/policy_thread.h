/*
 * The thread that follows the dynamic policy: asks Redis for it, holds the
 * replications that it pauses, and makes debts of replications of what its
 * rules owe.  It has a connection of its own, so that neither slots nor the
 * dispatcher wait for it.
 */

#ifndef POLICY_THREAD_H
#define POLICY_THREAD_H

#include <stdbool.h>

#include "queue.h"


/* The queue is the thread's until it has stopped. */
bool policy_thread_start(queue_t *queue);
void policy_thread_stop(void);


#endif
