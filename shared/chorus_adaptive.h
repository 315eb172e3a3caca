/*
 * How much to do at once for a storage, learned from how it answers: a little
 * more with each good answer, half as much when it is overloaded, less when
 * answers take longer than they used to.  A function of its samples alone.
 */

#ifndef CHORUS_ADAPTIVE_H
#define CHORUS_ADAPTIVE_H

#include <stdbool.h>
#include <stdint.h>


/* Zeroed, then chorus_adaptive_init(). */
typedef struct {
    double    window;           /* 1 .. ceiling */
    double    ceiling;
    double    usual_us;         /* the least that answers took, lately */
    double    recent_us;        /* what they take now; 0: not known */
    double    since_cut;        /* samples since it shrank */
    bool      is_low;           /* less than half; until it is whole again */
} chorus_adaptive_t;

typedef struct {
    bool      is_overloaded;    /* 429, 500, 502, 503, 504, no answer */
    int64_t   latency_us;       /* to the first byte of an answer to a request
                                 * that is small itself; -1: not to be compared
                                 */
    uint32_t  in_flight;        /* how much was going on */
} chorus_adaptive_sample_t;

typedef enum {
    CHORUS_ADAPTIVE_SAME = 0,
    CHORUS_ADAPTIVE_SHRANK,     /* to less than half of the ceiling */
    CHORUS_ADAPTIVE_RECOVERED   /* is whole again after that */
} chorus_adaptive_change_t;


/* Begins with all of `ceiling`, 1 or more. */
void chorus_adaptive_init(chorus_adaptive_t *adaptive, uint32_t ceiling);

chorus_adaptive_change_t chorus_adaptive_add(chorus_adaptive_t *adaptive,
    const chorus_adaptive_sample_t *sample);

/* 1 .. ceiling */
uint32_t chorus_adaptive_window(const chorus_adaptive_t *adaptive);


#endif
