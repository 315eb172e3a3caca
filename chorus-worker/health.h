/*
 * What experience says about storages, by name: whether they answer, how far
 * their clock is from ours.  It outlives a change of the configuration.
 */

#ifndef HEALTH_H
#define HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "chorus_str.h"

/* Failures in a row on the way to a storage until it counts as sick. */
#define HEALTH_SICK_AFTER  5

/* No limit. */
#define HEALTH_ROOM_ANY  UINT32_MAX


/* Seconds to add to our clock to get the storage's. */
int64_t health_skew(chorus_str_t storage);
void health_skew_set(chorus_str_t storage, int64_t seconds);

/* A slot's report at the end of a task: the storage gave an answer of its
 * own, or it could not be reached, timed out or answered 5xx. */
void health_report(chorus_str_t storage, bool has_answered);

/* How much may be done at once for a storage that is well: at the start. */
void health_ceiling(uint32_t slots);

/* An answer to one request, or none: shrinks or grows what is done at once. */
void health_sample(chorus_str_t storage, bool is_overloaded,
    int64_t latency_us);

/* Keys being synced to that follower; kept by the dispatcher. */
void health_in_flight(chorus_str_t storage, int change);

/* The storage took or gave something just now. */
void health_progress(chorus_str_t storage);

typedef struct {
    uint32_t  few;      /* slots for a sick storage */
    uint32_t  most;     /* slots for any one follower */
} health_limits_t;

/* Of a worker with so many slots; of several followers none may take all. */
health_limits_t health_limits(unsigned slots, size_t nstorages);

/*
 * How many more keys may be worked on for the follower.  One that is well has
 * `most` of the slots, so that it cannot take all of them down when it falls
 * silent, and fewer while it is overloaded or slow (chorus_adaptive.h).  One
 * that is silent while it has more than a few gets no more.  A
 * sick one gets `few` at a time, and none at all until the time of its next
 * probe, so that its keys do not wander through claim and retry for nothing.
 */
uint32_t health_room(chorus_str_t storage, const health_limits_t *limits);

/* The same for main, on which all keys depend: it may have all slots. */
uint32_t health_room_main(chorus_str_t storage, uint32_t few,
    uint32_t in_flight);

typedef struct {
    chorus_str_t  storage;
    uint32_t      room;
} health_room_t;

/* Of followers that have room for fewer than `wanted`.  The views stay
 * valid. */
size_t health_rooms(health_room_t *rooms, size_t max,
    const health_limits_t *limits, uint32_t wanted);

/* The names of those that are sick or silent, however busy others are.  The
 * views stay valid. */
size_t health_excluded(chorus_str_t *names, size_t max);


#endif
