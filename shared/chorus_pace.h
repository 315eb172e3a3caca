/*
 * Units (requests, bytes) that may be used, each at a moment of its own: what
 * is left of those that were given out ahead.  Times are microseconds of the
 * caller's clock.
 */

#ifndef CHORUS_PACE_H
#define CHORUS_PACE_H

#include <stddef.h>
#include <stdint.h>

#define CHORUS_PACE_GRANTS   16
/* chorus_rates: a unit arrives at most so late, and is given out so far ahead */
#define CHORUS_PACE_SLACK_US  80000
/* how late one may be used: the rest is for its way */
#define CHORUS_PACE_LATE_US   50000
#define CHORUS_PACE_AHEAD_US  200000


/* Unit i may be used from `from_us` + i * `step_us` until `until_us` + i *
 * `step_us`. */
typedef struct {
    double   from_us;
    double   until_us;
    double   step_us;
    int64_t  n;
} chorus_pace_grant_t;

typedef struct {
    chorus_pace_grant_t  grants[CHORUS_PACE_GRANTS];
    size_t               ngrants;
} chorus_pace_t;


/* What lies between two units of a limit a second: a little more than
 * 1 / limit, so that none too many falls into a second when some are late. */
double chorus_pace_step_us(int64_t limit);

/* Units that Redis gave: the first one `first_us` after the moment in which it
 * answered, which lies between `asked_us` and `heard_us`.  When there are too
 * many grants, the oldest are lost. */
void chorus_pace_add(chorus_pace_t *pace, int64_t n, int64_t first_us,
    double step_us, int64_t asked_us, int64_t heard_us);

/* Takes up to `max` units that are next to each other and not too late:
 * how many, and from when until when all of them may be used.  0: none. */
int64_t chorus_pace_take(chorus_pace_t *pace, int64_t max, int64_t now_us,
    int64_t *from_us, int64_t *until_us);

/* Units that may still be used. */
int64_t chorus_pace_left(const chorus_pace_t *pace, int64_t now_us);


#endif
