/*
 * The dynamic policy in Redis, as a worker asks for it.  All return false when
 * Redis did not take the call; strings live in `mem`.
 */

#ifndef QUEUE_POLICY_H
#define QUEUE_POLICY_H

#include "queue.h"


typedef struct {
    chorus_str_t  rule;
    chorus_str_t  id;           /* of the debt; null: nothing is owed */
    uint64_t      age_ms;
    chorus_str_t  reason;
} queue_rule_debt_t;

typedef struct {
    chorus_str_t  replication;
    bool          is_suspended;     /* by the policy */
} queue_suspension_t;

typedef struct {
    uint64_t             cursor;    /* of the next page; 0: it was the last */
    queue_suspension_t  *rows;
    size_t               n;
} queue_suspensions_t;

typedef struct {
    int64_t              made;      /* replications, that there ever were */
    chorus_str_t        *forget;    /* those that somebody wants forgotten */
    size_t               n;
} queue_news_t;


/* What this worker runs. */
typedef struct {
    uint64_t     version;
    const char  *rules;         /* digest of those in its chorus.json */
    const char  *trouble;       /* with the policy in Redis, or "" */
} queue_reader_t;

/* What all should run. */
typedef struct {
    uint64_t  version;
    char      rules[CHORUS_CONFIG_DIGEST + 1];  /* "mixed": not all have the
                                                 * same; "": nobody lives */
} queue_policy_now_t;


/* Tells what is run.  *document is the null string when there is no other. */
bool queue_policy_poll(queue_t *queue, chorus_mem_t *mem,
    const queue_reader_t *reader, chorus_str_t *document);
/* In the memory of the call that came before. */
bool queue_policy_now(queue_t *queue, queue_policy_now_t *now);
bool queue_policy_leave(queue_t *queue);
/* Redis has forgotten it. */
bool queue_policy_restore(queue_t *queue, chorus_str_t document);

/* The debt of a rule, which nobody else gets for so long. */
bool queue_policy_take(queue_t *queue, chorus_mem_t *mem, int64_t lease_ms,
    queue_rule_debt_t *debt);
bool queue_policy_settled(queue_t *queue, const queue_rule_debt_t *debt);
/* The replication owes a scan; and its bucket, when it is known to be on main,
 * is to be copied without waiting for that. */
bool queue_policy_owe(queue_t *queue, chorus_str_t replication,
    const queue_rule_debt_t *debt, bool has_bucket);

/* Which replications the policy has paused, apart from chorus_pause and from
 * what holds a replication of which keys are blocked. */
bool queue_policy_suspended(queue_t *queue, chorus_mem_t *mem, uint64_t cursor,
    queue_suspensions_t *page);
/* What has changed since the last time, and what is to be forgotten. */
bool queue_policy_news(queue_t *queue, chorus_mem_t *mem, queue_news_t *news);
/* Whether a rule leads there, by that version of the policy; *word is 1 when it
 * is forgotten, 0 not yet, -1 it stays. */
bool queue_policy_forget(queue_t *queue, chorus_str_t replication, bool leads,
    uint64_t version, int64_t *word);
bool queue_policy_suspend(queue_t *queue, chorus_str_t replication,
    bool is_suspended);


#endif
