/*
 * The two clocks and the dice of the worker.
 */

#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>


/* Milliseconds that never jump and also count while the process or the
 * machine sleeps: leases are measured with it. */
int64_t clock_ms(void);
int64_t clock_us(void);     /* the same clock */

/* Seconds since the epoch, as this machine believes. */
int64_t clock_wall(void);

/* Evenly distributed over 0 .. bound - 1; 0 when bound is 0. */
uint64_t clock_dice(uint64_t bound);


#endif
