/*
 * One claimed key: who holds which part of it at which time.
 *
 * The dispatcher makes a task from a claim and puts it into the channel; a
 * slot takes it, fills in `result` and gives it back; the dispatcher tells
 * Redis and frees it.  In between only the atomic members are shared.
 */

#ifndef TASK_H
#define TASK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "chorus_config.h"
#include "chorus_replication.h"
#include "chorus_str.h"

#define TASK_CODE_SIZE    65            /* chorus_fail takes 64 bytes */
#define TASK_REASON_SIZE  400


typedef enum {
    TASK_GO = 0,
    TASK_PAUSE,         /* the replication is paused: nothing new is begun */
    TASK_LOST,          /* the lease belongs to somebody else by now */
    TASK_RELEASE        /* the worker ends: give the key back */
} task_stop_t;

typedef enum {
    TASK_SYNCED = 0,
    TASK_DELETED,
    TASK_EQUAL,
    TASK_FAILED,
    TASK_BLOCKED,       /* needs a person */
    TASK_RELEASED
} task_outcome_t;

typedef struct {
    task_outcome_t  outcome;
    uint64_t        bytes;
    int64_t         delay_ms;           /* of FAILED; -1 parks the key */
    bool            is_wide;            /* BLOCKED: not this key alone */
    char            code[TASK_CODE_SIZE];
    char            reason[TASK_REASON_SIZE];
    unsigned        doubts;             /* DOUBT_*, whatever the outcome */
} task_result_t;

typedef struct task_s  task_t;

struct task_s {
    task_t                *next;        /* in a list of the channel */
    chorus_arena_t        *arena;       /* of the strings below */
    chorus_mem_t           mem;

    chorus_str_t           replication; /* R */
    chorus_replication_t   parts;       /* of R; empty when R is malformed */
    chorus_str_t           key;         /* empty: the bucket itself */
    chorus_str_t           token;
    unsigned               facets;
    chorus_str_t           upload;      /* to the follower, that was begun by
                                         * whoever had the key; see upload.h */
    uint64_t               attempts;    /* that failed before this one */
    int64_t                since_ms;    /* clock_ms() of the first change */
    bool                   is_scan;
    uint64_t               policy;      /* its version in Redis after the
                                         * claim, and so after the mark */
    char                   rules[CHORUS_CONFIG_DIGEST + 1];
                                        /* that all had then in chorus.json,
                                         * or "mixed"; "": not known */
    int64_t                claimed_ms;

    _Atomic int64_t        deadline_ms; /* clock_ms() until which it is ours */
    _Atomic int            stop;        /* task_stop_t */
    bool                   is_started;  /* by a slot */

    task_result_t          result;
};


/* NULL when out of memory. */
task_t *task_create(void);
void task_free(task_t *task);

/* Whether the task may still change the follower. */
bool task_is_alive(const task_t *task);
/* Whether it may begin something more: its replication is not paused. */
bool task_may_begin(const task_t *task);


#endif
