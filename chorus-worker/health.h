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

/* Keys being synced to that follower; kept by the dispatcher. */
void health_in_flight(chorus_str_t storage, int change);

/*
 * How many more keys may be worked on for the storage.  A storage that is
 * well has no limit; a sick one gets `few` at a time, and none at all until
 * the time of its next probe, so that its keys do not wander through claim
 * and retry for nothing.
 */
uint32_t health_room(chorus_str_t storage, uint32_t few);

/* The names of sick followers without room.  The views stay valid. */
size_t health_excluded(chorus_str_t *names, size_t max, uint32_t few);


#endif
