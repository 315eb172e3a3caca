/*
 * CLOCK_BOOTTIME rather than CLOCK_MONOTONIC: a laptop that was suspended, or
 * a virtual machine that was frozen, has lost its leases meanwhile.
 */

#include <sys/random.h>
#include <time.h>

#include "clock.h"


int64_t
clock_us(void)
{
    struct timespec  ts;

    if (clock_gettime(CLOCK_BOOTTIME, &ts) != 0) {
        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
    }

    return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


int64_t
clock_ms(void)
{
    return clock_us() / 1000;
}


int64_t
clock_wall(void)
{
    return (int64_t) time(NULL);
}


uint64_t
clock_dice(uint64_t bound)
{
    uint64_t         random;
    struct timespec  ts;

    if (bound == 0) {
        return 0;
    }

    if (getrandom(&random, sizeof(random), GRND_NONBLOCK)
        != (ssize_t) sizeof(random))
    {
        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        random = (uint64_t) ts.tv_nsec * 0x9E3779B97F4A7C15u;
    }

    /* the modulo's bias is of no weight for bounds of a few minutes */
    return random % bound;
}
