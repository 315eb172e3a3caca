/*
 * The dispatcher's state; for dispatcher*.c only.
 */

#ifndef DISPATCHER_INTERNAL_H
#define DISPATCHER_INTERNAL_H

#include "dispatcher.h"
#include "health.h"


typedef enum {
    DISPATCHER_RUNS = 0,
    DISPATCHER_DRAINS,          /* no claims any more, slots finish */
    DISPATCHER_ABORTS,          /* slots give back what they have */
    DISPATCHER_ENDED
} dispatcher_state_t;

typedef struct {
    const dispatcher_options_t  *options;
    queue_t                     *queue;
    channel_t                   *channel;
    dispatcher_state_t           state;
    int64_t                      state_until_ms;
    unsigned                     concurrency;
    health_limits_t              limits;    /* slots per follower */
    int64_t                      lease_ms;
    int64_t                      grace_ms;

    task_t                     **held;
    size_t                       nheld;
    task_t                     **finished;
    size_t                       nfinished;
    bool                        *is_told;

    bool                         is_backlogged; /* claim as slots get free */
    bool                         is_limited;    /* some follower has no room */
    bool                         is_left;       /* is_once: not all is done */
    int64_t                      redis_at_ms;   /* it last answered */
    int64_t                      claim_at_ms;
    int64_t                      renew_at_ms;
    int64_t                      flush_at_ms;
    int64_t                      gather_until_ms;
} dispatcher_t;


/* What the configuration says, at the start and when it has changed. */
bool dispatcher_configure(dispatcher_t *d);

/* Takes back the tasks that no slot has begun yet. */
void dispatcher_withdraw(dispatcher_t *d);

void dispatcher_signals(dispatcher_t *d);

/* One step towards the end, once it was told to end. */
void dispatcher_advance(dispatcher_t *d);

/* is_once: a Redis that is away does not hold up who waits for the end. */
void dispatcher_once_waits(dispatcher_t *d, bool is_ready);


#endif
