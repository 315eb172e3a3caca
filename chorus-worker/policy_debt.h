/*
 * What a rule of the dynamic policy owes: each bucket that it is for is to be
 * compared as a whole.  Which buckets there are only main can tell.
 */

#ifndef POLICY_DEBT_H
#define POLICY_DEBT_H

#include "live_policy.h"
#include "queue_policy.h"


/* Makes debts of replications of it.  False: not all of them; to be tried
 * again.  A rule that is gone owes nothing. */
bool policy_debt_pay(queue_t *queue, chorus_mem_t *mem,
    const live_policy_t *policy, const queue_rule_debt_t *debt);


#endif
