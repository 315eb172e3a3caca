#include <pthread.h>
#include <string.h>
#include <time.h>

#include "flight.h"

#define FLIGHT_MAX        16
#define FLIGHT_WHAT_SIZE  256
#define FLIGHT_WAIT_MS    250           /* then look at the task */


typedef struct {
    char    what[FLIGHT_WHAT_SIZE];
    size_t  len;                        /* 0: free */
} flight_t;

static flight_t         flights[FLIGHT_MAX];
static pthread_mutex_t  flight_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t   flight_ended = PTHREAD_COND_INITIALIZER;


static flight_t *
flight_find(chorus_str_t what)
{
    size_t  i;

    for (i = 0; i < FLIGHT_MAX; i++) {
        if (flights[i].len == what.len
            && memcmp(flights[i].what, what.data, what.len) == 0)
        {
            return &flights[i];
        }
    }

    return NULL;
}


/* Without room in the table it is done more than once, which is no harm. */

static void
flight_add(chorus_str_t what)
{
    flight_t  *flight;

    flight = flight_find(chorus_str(""));

    if (flight != NULL && what.len < FLIGHT_WHAT_SIZE) {
        memcpy(flight->what, what.data, what.len);
        flight->len = what.len;
    }
}


static void
flight_wait(void)
{
    struct timespec  until;

    (void) clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += FLIGHT_WAIT_MS * 1000000l;

    if (until.tv_nsec >= 1000000000l) {
        until.tv_nsec -= 1000000000l;
        until.tv_sec++;
    }

    (void) pthread_cond_timedwait(&flight_ended, &flight_mutex, &until);
}


bool
flight_begin(chorus_str_t what, const task_t *task)
{
    bool  is_ours;

    (void) pthread_mutex_lock(&flight_mutex);

    is_ours = flight_find(what) == NULL;

    if (is_ours) {
        flight_add(what);
    }

    while (!is_ours && flight_find(what) != NULL && task_is_alive(task)) {
        flight_wait();
    }

    (void) pthread_mutex_unlock(&flight_mutex);

    return is_ours;
}


void
flight_end(chorus_str_t what)
{
    flight_t  *flight;

    (void) pthread_mutex_lock(&flight_mutex);

    flight = flight_find(what);
    if (flight != NULL) {
        flight->len = 0;
    }

    (void) pthread_cond_broadcast(&flight_ended);
    (void) pthread_mutex_unlock(&flight_mutex);
}
