/*
 * What went wrong, and what follows from it: one table for all answers of
 * storages.
 */

#ifndef FAILURE_H
#define FAILURE_H

#include <stdbool.h>
#include <stdint.h>

#include "s3_response.h"
#include "task.h"


typedef enum {
    FAILURE_NONE = 0,
    FAILURE_AGAIN,      /* nothing wrong: begin this key again at once */
    FAILURE_SOON,       /* exponential back-off */
    FAILURE_SLOW,       /* takes hours: retried at the cap */
    FAILURE_BLOCKED,    /* needs a person: parked, and one is probed */
    FAILURE_PARK,       /* will never work: parked with its reason */
    FAILURE_STOPPED     /* lease lost, or the worker ends */
} failure_kind_t;

typedef enum {
    FAILURE_SIDE_WORKER = 0,
    FAILURE_SIDE_MAIN,
    FAILURE_SIDE_FOLLOWER
} failure_side_t;

typedef struct {
    failure_kind_t  kind;
    failure_side_t  side;
    bool            is_transport;   /* the storage as a whole is in trouble */
    bool            is_wide;        /* BLOCKED, and not just this key */
    unsigned        retry_after;    /* seconds, 0: the storage did not say */
    char            code[TASK_CODE_SIZE];
    char            reason[TASK_REASON_SIZE];
} failure_t;


void failure_set(failure_t *failure, failure_kind_t kind,
    failure_side_t side, const char *code, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* `what`: the request in words, "PUT object". */
void failure_from_response(failure_t *failure, failure_side_t side,
    const char *what, const s3_response_t *response);

/* Nothing that passes by itself soon: SLOW or BLOCKED. */
bool failure_is_lasting(const failure_t *failure);

/* Milliseconds until the next attempt: full jitter below a bound that doubles
 * with each attempt up to the cap. */
int64_t failure_delay_ms(const failure_t *failure, uint64_t attempts,
    unsigned cap_seconds);


#endif
