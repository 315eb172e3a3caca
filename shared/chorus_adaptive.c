#include "chorus_adaptive.h"

#define ADAPTIVE_CUT         0.5    /* of the window, when overloaded */
#define ADAPTIVE_SLOW_CUT    0.8    /* and when it became slow */
/* slowness alone never takes more: it may be that of the way, or of us */
#define ADAPTIVE_SLOW_LEAST  8      /* part of the ceiling */
#define ADAPTIVE_LOW         0.5    /* of the ceiling: worth a line in the log */
#define ADAPTIVE_WHOLE       0.95
#define ADAPTIVE_RECENT      16     /* samples, about */
#define ADAPTIVE_USUAL       256    /* in which the usual may double, about */
/* recent / usual, and what does not matter however fast it used to be */
#define ADAPTIVE_HOLD        2
#define ADAPTIVE_HOLD_US     50000
#define ADAPTIVE_SLOW        4
#define ADAPTIVE_SLOW_US     200000


void
chorus_adaptive_init(chorus_adaptive_t *adaptive, uint32_t ceiling)
{
    adaptive->ceiling = ceiling;
    adaptive->window = ceiling;
    adaptive->usual_us = 0;
    adaptive->recent_us = 0;
    adaptive->since_cut = ceiling;
    adaptive->is_low = false;
}


/* One sample says little: averages are compared.  Of these the usual one goes
 * down at once and up slowly. */

static void
adaptive_learn(chorus_adaptive_t *adaptive, int64_t latency_us)
{
    double  us, more;

    if (latency_us < 0) {
        return;
    }

    us = (double) latency_us + 1;

    if (adaptive->recent_us == 0) {
        adaptive->recent_us = us;
        adaptive->usual_us = us;
    }

    adaptive->recent_us += (us - adaptive->recent_us) / ADAPTIVE_RECENT;

    more = adaptive->recent_us - adaptive->usual_us;
    adaptive->usual_us += more < 0 ? more
                          : (more < adaptive->usual_us ? more
                             : adaptive->usual_us) / ADAPTIVE_USUAL;
}


/* What was begun before the last cut says nothing about the new window. */

static void
adaptive_cut(chorus_adaptive_t *adaptive, double factor, double least)
{
    if (adaptive->since_cut < adaptive->window) {
        return;
    }

    adaptive->since_cut = 0;

    if (adaptive->window * factor > least) {
        adaptive->window *= factor;

    } else if (adaptive->window > least) {
        adaptive->window = least;
    }
}


/* Only as far as it is used: the rest has not been tried. */

static void
adaptive_grow(chorus_adaptive_t *adaptive, uint32_t in_flight)
{
    if ((double) in_flight * 2 < adaptive->window) {
        return;
    }

    adaptive->window += 1 / adaptive->window;

    if (adaptive->window > adaptive->ceiling) {
        adaptive->window = adaptive->ceiling;
    }
}


static chorus_adaptive_change_t
adaptive_change(chorus_adaptive_t *adaptive)
{
    if (!adaptive->is_low
        && adaptive->window < adaptive->ceiling * ADAPTIVE_LOW)
    {
        adaptive->is_low = true;
        return CHORUS_ADAPTIVE_SHRANK;
    }

    if (adaptive->is_low
        && adaptive->window >= adaptive->ceiling * ADAPTIVE_WHOLE)
    {
        adaptive->is_low = false;
        return CHORUS_ADAPTIVE_RECOVERED;
    }

    return CHORUS_ADAPTIVE_SAME;
}


chorus_adaptive_change_t
chorus_adaptive_add(chorus_adaptive_t *adaptive,
    const chorus_adaptive_sample_t *sample)
{
    double  recent, usual, least;

    adaptive->since_cut += 1;

    if (sample->is_overloaded) {
        adaptive_cut(adaptive, ADAPTIVE_CUT, 1);
        return adaptive_change(adaptive);
    }

    adaptive_learn(adaptive, sample->latency_us);

    recent = adaptive->recent_us;
    usual = adaptive->usual_us;
    least = adaptive->ceiling / ADAPTIVE_SLOW_LEAST;

    if (recent > usual * ADAPTIVE_SLOW + ADAPTIVE_SLOW_US) {
        adaptive_cut(adaptive, ADAPTIVE_SLOW_CUT, least > 1 ? least : 1);

    } else if (recent <= usual * ADAPTIVE_HOLD + ADAPTIVE_HOLD_US
               || adaptive->window < least)
    {
        adaptive_grow(adaptive, sample->in_flight);
    }

    return adaptive_change(adaptive);
}


uint32_t
chorus_adaptive_window(const chorus_adaptive_t *adaptive)
{
    return (uint32_t) adaptive->window;
}
