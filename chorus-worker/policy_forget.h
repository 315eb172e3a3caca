/*
 * What nobody replicates any more is forgotten when somebody has asked for it
 * and all workers agree.
 */

#ifndef POLICY_FORGET_H
#define POLICY_FORGET_H

#include "live_policy.h"
#include "queue_policy.h"


/* Says of each whether a rule of `policy` or of chorus.json leads there. */
void policy_forget(queue_t *queue, chorus_mem_t *mem,
    const live_policy_t *policy, const queue_news_t *news);


#endif
