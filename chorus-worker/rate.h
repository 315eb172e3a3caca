/*
 * What this worker may ask of a storage: units (requests, bytes) that Redis
 * gives out to all workers ahead of their time, and who in this process waits
 * for the next ones, in order.
 */

#ifndef RATE_H
#define RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chorus_config.h"

#define RATE_NEVER  INT64_MAX


/* A place in the line; zeroed before its first use.  Its owner is one thread,
 * `wake` is called by others. */
typedef struct rate_wait_s  rate_wait_t;

struct rate_wait_s {
    void          (*wake)(void *data);
    void           *data;
    rate_wait_t    *next;
    void           *rate;       /* waits there, or has got units of it */
    bool            is_queued;
    bool            in_front;   /* goes on before others begin */
    int64_t         wanted;
    int64_t         granted;
    int64_t         from_us;
    int64_t         until_us;
    int64_t         at_us;      /* when to ask again, of clock_us() */
};

/* One thing to ask Redis for, and its answer. */
typedef struct {
    chorus_str_t    storage;    /* stays valid */
    chorus_limit_t  kind;
    int64_t         configured;
    int64_t         wanted;
    int64_t         limit;      /* the answer: what holds now, 0: none, */
    int64_t         granted;    /* units, */
    int64_t         first_us;   /* and how far off the first of them is */
} rate_ask_t;


/* At the start and when the configuration has changed; of the dispatcher.
 * False: out of memory or descriptors. */
bool rate_configure(const chorus_config_t *config);
/* Readable when somebody began to wait, until it is drained. */
int rate_fd(void);
void rate_drain(void);

/* How many of `wanted` units may be used now, all of them without a limit;
 * 0: none yet, ask again with the same `wait` at rate_next_us(), which may come
 * earlier when woken.  Units that are not used at once are for nobody. */
int64_t rate_take(rate_wait_t *wait, chorus_str_t storage,
    chorus_limit_t kind, int64_t wanted);
/* When to ask again, of clock_us(). */
int64_t rate_next_us(const rate_wait_t *wait);
/* Leaves the line. */
void rate_leave(rate_wait_t *wait);

/* How much an answer of the storage has, about: what is taken before asking
 * for one whose length is not known yet.  0 without a limit. */
int64_t rate_guess(chorus_str_t storage);
/* The receive buffer of a connection to it; 0: the system's. */
int64_t rate_window(chorus_str_t storage);
void rate_learn(chorus_str_t storage, int64_t bytes);

/* For the dispatcher: clock_ms() of the next call of rate_asks(). */
int64_t rate_due_ms(void);
/* What to ask Redis for; `asks` has room for RATE_ASKS_MAX. */
#define RATE_ASKS_MAX  128
size_t rate_asks(rate_ask_t *asks);
/* With the answers filled in.  `nworkers`: those that ask, we too. */
void rate_answers(const rate_ask_t *asks, size_t n, int64_t nworkers,
    int64_t asked_us, int64_t heard_us);


#endif
