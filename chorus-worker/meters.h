/*
 * What this worker did, counted since it started: for the metrics that a
 * proxy gives out.  The policy's thread tells Redis once a second.
 */

#ifndef METERS_H
#define METERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chorus_str.h"

/* As many as chorus_worker_report takes; further ones are not counted. */
#define METERS_STORAGES_MAX  64


typedef enum {
    METERS_GOOD = 0,
    METERS_ERROR,       /* no answer, or 5xx */
    METERS_THROTTLE     /* 429, 503: it wants to be asked less */
} meters_outcome_t;

typedef struct {
    chorus_str_t  storage;      /* the view stays valid */
    uint64_t      requests;
    uint64_t      errors;
    uint64_t      throttles;    /* not among the errors */
} meters_storage_t;


/* What a request to a storage came to; status 0 is no answer. */
meters_outcome_t meters_outcome(long status);

void meters_request(chorus_str_t storage, meters_outcome_t outcome);

/* A slot takes a task (1) or has done it (-1). */
void meters_slot(int change);
unsigned meters_busy(void);

/* At the start, for what is told: how many slots there are. */
void meters_set_slots(unsigned slots);
unsigned meters_slots(void);

/* Fills in up to METERS_STORAGES_MAX rows; how many. */
size_t meters_read(meters_storage_t *rows);


#endif
