/*
 * A table of a fixed size: there are a handful of storages.  When it is full
 * (names of storages that left the configuration stay), further storages just
 * count as well.
 */

#include <pthread.h>
#include <string.h>

#include "chorus_adaptive.h"
#include "clock.h"
#include "health.h"
#include "log.h"

#define HEALTH_STORAGES       64
#define HEALTH_NAME_SIZE      128
#define HEALTH_PROBE_MIN_MS   500
#define HEALTH_PROBE_MAX_MS   5000
#define HEALTH_SILENT_MS      3000


typedef struct {
    char      name[HEALTH_NAME_SIZE];
    size_t    name_len;
    int64_t   skew;                 /* seconds */
    uint32_t  failures;             /* in a row */
    int64_t   probe_at_ms;          /* of a sick one */
    int64_t   probe_delay_ms;
    uint32_t  in_flight;            /* of a follower */
    uint32_t  main_in_flight;       /* of main */
    int64_t   progress_ms;          /* the last sign of life */

    chorus_adaptive_t  adaptive;
} health_t;

static health_t         health_table[HEALTH_STORAGES];
static size_t           health_n;
static uint32_t         health_slots = 1;
static pthread_mutex_t  health_mutex = PTHREAD_MUTEX_INITIALIZER;


static health_t *
health_find(chorus_str_t storage)
{
    size_t     i;
    health_t  *h;

    for (i = 0; i < health_n; i++) {
        h = &health_table[i];
        if (h->name_len == storage.len
            && memcmp(h->name, storage.data, storage.len) == 0)
        {
            return h;
        }
    }

    if (health_n == HEALTH_STORAGES || storage.len == 0
        || storage.len >= HEALTH_NAME_SIZE)
    {
        return NULL;
    }

    h = &health_table[health_n++];
    memset(h, 0, sizeof(health_t));
    memcpy(h->name, storage.data, storage.len);
    h->name_len = storage.len;
    chorus_adaptive_init(&h->adaptive, health_slots);

    return h;
}


void
health_ceiling(uint32_t slots)
{
    (void) pthread_mutex_lock(&health_mutex);
    health_slots = slots;
    (void) pthread_mutex_unlock(&health_mutex);
}


static void
health_tell(const health_t *h, chorus_adaptive_change_t change,
    bool is_overloaded)
{
    if (change == CHORUS_ADAPTIVE_SHRANK) {
        log_write(LOG_WARN, "storage=%.*s %s, working with %u of %u slots and "
                  "fewer until that is over", (int) h->name_len, h->name,
                  is_overloaded ? "is overloaded" : "became slow",
                  chorus_adaptive_window(&h->adaptive), health_slots);

    } else if (change == CHORUS_ADAPTIVE_RECOVERED) {
        log_write(LOG_INFO, "storage=%.*s keeps up again, working with %u of "
                  "%u slots", (int) h->name_len, h->name,
                  chorus_adaptive_window(&h->adaptive), health_slots);
    }
}


void
health_sample(chorus_str_t storage, bool is_overloaded, int64_t latency_us)
{
    health_t                  *h;
    chorus_adaptive_sample_t   sample;

    (void) pthread_mutex_lock(&health_mutex);

    h = health_find(storage);

    if (h != NULL) {
        sample.is_overloaded = is_overloaded;
        sample.latency_us = latency_us;
        sample.in_flight = h->in_flight + h->main_in_flight;
        health_tell(h, chorus_adaptive_add(&h->adaptive, &sample),
                    is_overloaded);
    }

    (void) pthread_mutex_unlock(&health_mutex);
}


int64_t
health_skew(chorus_str_t storage)
{
    int64_t    skew;
    health_t  *h;

    (void) pthread_mutex_lock(&health_mutex);
    h = health_find(storage);
    skew = h == NULL ? 0 : h->skew;
    (void) pthread_mutex_unlock(&health_mutex);

    return skew;
}


void
health_skew_set(chorus_str_t storage, int64_t seconds)
{
    health_t  *h;

    (void) pthread_mutex_lock(&health_mutex);

    h = health_find(storage);
    if (h != NULL && h->skew != seconds) {
        h->skew = seconds;
        log_write(LOG_WARN, "storage=%.*s its clock differs from ours by "
                  "%lld s, requests are dated accordingly",
                  chorus_fmt(storage), (long long) seconds);
    }

    (void) pthread_mutex_unlock(&health_mutex);
}


static void
health_fell_sick(health_t *h)
{
    int64_t  now;

    now = clock_ms();

    if (h->failures == HEALTH_SICK_AFTER) {
        h->probe_delay_ms = HEALTH_PROBE_MIN_MS;
        log_write(LOG_WARN, "storage=%.*s does not answer, working for it "
                  "with few slots until it does", (int) h->name_len, h->name);

    } else if (now < h->probe_at_ms) {
        /* began before the last failure: says nothing new */
        return;

    } else if (h->probe_delay_ms < HEALTH_PROBE_MAX_MS) {
        h->probe_delay_ms *= 2;
    }

    h->probe_at_ms = now + h->probe_delay_ms / 2
                     + (int64_t) clock_dice((uint64_t) h->probe_delay_ms);
}


void
health_report(chorus_str_t storage, bool has_answered)
{
    health_t  *h;

    (void) pthread_mutex_lock(&health_mutex);

    h = health_find(storage);

    if (h == NULL) {
        /* counts as well */

    } else if (has_answered) {
        if (h->failures >= HEALTH_SICK_AFTER) {
            log_write(LOG_INFO, "storage=%.*s answers again",
                      chorus_fmt(storage));
        }
        h->failures = 0;

    } else if (++h->failures >= HEALTH_SICK_AFTER) {
        health_fell_sick(h);
    }

    (void) pthread_mutex_unlock(&health_mutex);
}


void
health_in_flight(chorus_str_t storage, int change)
{
    health_t  *h;

    (void) pthread_mutex_lock(&health_mutex);

    h = health_find(storage);
    if (h != NULL) {
        if (h->in_flight == 0) {
            h->progress_ms = clock_ms();
        }
        h->in_flight = (uint32_t) ((int64_t) h->in_flight + change);
    }

    (void) pthread_mutex_unlock(&health_mutex);
}


void
health_progress(chorus_str_t storage)
{
    health_t  *h;

    (void) pthread_mutex_lock(&health_mutex);

    h = health_find(storage);
    if (h != NULL) {
        h->progress_ms = clock_ms();
    }

    (void) pthread_mutex_unlock(&health_mutex);
}


static uint32_t
health_left(uint32_t limit, uint32_t in_flight)
{
    return in_flight < limit ? limit - in_flight : 0;
}


health_limits_t
health_limits(unsigned slots, size_t nstorages)
{
    health_limits_t  limits;

    limits.few = slots >= 16 ? slots / 8 : 1;
    limits.most = slots;

    if (nstorages > 2 && slots > 1) {
        limits.most = slots - (slots + 3) / 4;
    }

    return limits;
}


static uint32_t
health_room_of(const health_t *h, const health_limits_t *limits, int64_t now)
{
    uint32_t  window;

    if (h->failures >= HEALTH_SICK_AFTER) {
        return now < h->probe_at_ms
               ? 0 : health_left(limits->few, h->in_flight);
    }

    if (now - h->progress_ms > HEALTH_SILENT_MS && h->in_flight != 0) {
        return health_left(limits->few, h->in_flight);
    }

    window = chorus_adaptive_window(&h->adaptive);

    return health_left(limits->most < window ? limits->most : window,
                       h->in_flight);
}


uint32_t
health_room(chorus_str_t storage, const health_limits_t *limits)
{
    uint32_t   room;
    health_t  *h;

    (void) pthread_mutex_lock(&health_mutex);
    h = health_find(storage);
    room = h == NULL ? HEALTH_ROOM_ANY
                     : health_room_of(h, limits, clock_ms());
    (void) pthread_mutex_unlock(&health_mutex);

    return room;
}


uint32_t
health_room_main(chorus_str_t storage, uint32_t few, uint32_t in_flight)
{
    uint32_t   room;
    health_t  *h;

    (void) pthread_mutex_lock(&health_mutex);

    h = health_find(storage);
    room = HEALTH_ROOM_ANY;

    if (h == NULL) {
        /* no limit */

    } else if (h->failures >= HEALTH_SICK_AFTER) {
        room = clock_ms() < h->probe_at_ms ? 0 : health_left(few, in_flight);

    } else {
        h->main_in_flight = in_flight;
        room = health_left(chorus_adaptive_window(&h->adaptive), in_flight);
    }

    (void) pthread_mutex_unlock(&health_mutex);

    return room;
}


/* Sick, and no probe is due; or silent. */

static bool
health_is_away(const health_t *h, int64_t now)
{
    return h->failures >= HEALTH_SICK_AFTER
           ? now < h->probe_at_ms
           : now - h->progress_ms > HEALTH_SILENT_MS && h->in_flight != 0;
}


size_t
health_excluded(chorus_str_t *names, size_t max)
{
    size_t     i, n;
    int64_t    now;
    health_t  *h;

    n = 0;
    now = clock_ms();

    (void) pthread_mutex_lock(&health_mutex);

    for (i = 0; i < health_n && n < max; i++) {
        h = &health_table[i];
        if (health_is_away(h, now)) {
            names[n++] = (chorus_str_t) { h->name, h->name_len };
        }
    }

    (void) pthread_mutex_unlock(&health_mutex);

    return n;
}


size_t
health_rooms(health_room_t *rooms, size_t max, const health_limits_t *limits,
    uint32_t wanted)
{
    size_t     i, n;
    int64_t    now;
    uint32_t   room;
    health_t  *h;

    n = 0;
    now = clock_ms();

    (void) pthread_mutex_lock(&health_mutex);

    for (i = 0; i < health_n && n < max; i++) {
        h = &health_table[i];
        room = health_room_of(h, limits, now);

        if (room < wanted) {
            rooms[n].storage = (chorus_str_t) { h->name, h->name_len };
            rooms[n++].room = room;
        }
    }

    (void) pthread_mutex_unlock(&health_mutex);

    return n;
}
