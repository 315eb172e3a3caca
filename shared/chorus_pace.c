#include "chorus_pace.h"

#include <string.h>


static int64_t
pace_round_up(double x)
{
    int64_t  n;

    n = (int64_t) x;

    return (double) n < x ? n + 1 : n;
}


double
chorus_pace_step_us(int64_t limit)
{
    return (1000000.0 + CHORUS_PACE_SLACK_US) / (double) limit;
}


static void
pace_drop_first(chorus_pace_t *pace)
{
    pace->ngrants--;
    memmove(pace->grants, pace->grants + 1,
            pace->ngrants * sizeof(chorus_pace_grant_t));
}


/* The answer may be as old as heard - asked: for its beginning the later, for
 * its end the earlier end counts. */

void
chorus_pace_add(chorus_pace_t *pace, int64_t n, int64_t first_us,
    double step_us, int64_t asked_us, int64_t heard_us)
{
    chorus_pace_grant_t  *grant;

    if (n <= 0) {
        return;
    }

    if (pace->ngrants == CHORUS_PACE_GRANTS) {
        pace_drop_first(pace);
    }

    grant = &pace->grants[pace->ngrants++];
    grant->n = n;
    grant->step_us = step_us;
    grant->from_us = (double) (heard_us + first_us);
    grant->until_us = (double) (asked_us + first_us + CHORUS_PACE_LATE_US);
}


static void
pace_skip(chorus_pace_grant_t *grant, int64_t n)
{
    grant->n -= n;
    grant->from_us += (double) n * grant->step_us;
    grant->until_us += (double) n * grant->step_us;
}


/* how many of the first units are too late */

static int64_t
pace_late(const chorus_pace_grant_t *grant, int64_t now_us)
{
    double  n;

    if ((double) now_us <= grant->until_us) {
        return 0;
    }

    n = ((double) now_us - grant->until_us) / grant->step_us;

    return n < (double) grant->n ? pace_round_up(n) : grant->n;
}


int64_t
chorus_pace_take(chorus_pace_t *pace, int64_t max, int64_t now_us,
    int64_t *from_us, int64_t *until_us)
{
    int64_t               n;
    chorus_pace_grant_t  *grant;

    while (pace->ngrants != 0) {
        grant = &pace->grants[0];
        pace_skip(grant, pace_late(grant, now_us));

        if (grant->n == 0) {
            pace_drop_first(pace);
            continue;
        }

        n = grant->n < max ? grant->n : max;

        /* the last one begins last, the first one ends first */
        *from_us = pace_round_up(grant->from_us
                                 + (double) (n - 1) * grant->step_us);
        *until_us = (int64_t) grant->until_us;
        pace_skip(grant, n);

        return n;
    }

    return 0;
}


int64_t
chorus_pace_left(const chorus_pace_t *pace, int64_t now_us)
{
    size_t   i;
    int64_t  n;

    n = 0;

    for (i = 0; i < pace->ngrants; i++) {
        n += pace->grants[i].n - pace_late(&pace->grants[i], now_us);
    }

    return n;
}
