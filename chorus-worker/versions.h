/*
 * "Make the version list of key K on follower F equal to main's."
 */

#ifndef VERSIONS_H
#define VERSIONS_H

#include "work.h"


/* What is current, or, in a bucket that keeps versions, the key's history. */
work_rc_t versions_sync(work_t *work, task_outcome_t *outcome);

/* Whether the key is a history for this task. */
work_rc_t versions_are_kept(work_t *work, bool *are_kept);

/* Before and after something is done to what is current: FAILURE_AGAIN when
 * main's bucket, asked since then (clock_ms()), keeps versions. */
work_rc_t versions_rule_out(work_t *work, int64_t since_ms);


#endif
