#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "meters.h"

#define METERS_NAME_SIZE  128


typedef struct {
    char              name[METERS_NAME_SIZE];
    meters_storage_t  counts;           /* its storage is `name` */
} meters_row_t;

static meters_row_t     meters_table[METERS_STORAGES_MAX];
static size_t           meters_n;
static atomic_int       meters_in_slots;
static atomic_uint      meters_nslots;
static pthread_mutex_t  meters_mutex = PTHREAD_MUTEX_INITIALIZER;


static meters_storage_t *
meters_find(chorus_str_t storage)
{
    size_t             i;
    meters_row_t      *row;
    meters_storage_t  *counts;

    for (i = 0; i < meters_n; i++) {
        counts = &meters_table[i].counts;

        if (counts->storage.len == storage.len
            && memcmp(counts->storage.data, storage.data, storage.len) == 0)
        {
            return counts;
        }
    }

    if (meters_n == METERS_STORAGES_MAX || storage.len == 0
        || storage.len > METERS_NAME_SIZE)
    {
        return NULL;
    }

    row = &meters_table[meters_n++];
    memcpy(row->name, storage.data, storage.len);
    row->counts.storage = (chorus_str_t) { row->name, storage.len };

    return &row->counts;
}


meters_outcome_t
meters_outcome(long status)
{
    if (status == 429 || status == 503) {
        return METERS_THROTTLE;
    }

    return status == 0 || status >= 500 ? METERS_ERROR : METERS_GOOD;
}


void
meters_request(chorus_str_t storage, meters_outcome_t outcome)
{
    meters_storage_t  *counts;

    (void) pthread_mutex_lock(&meters_mutex);

    counts = meters_find(storage);

    if (counts != NULL) {
        counts->requests++;
        counts->errors += outcome == METERS_ERROR;
        counts->throttles += outcome == METERS_THROTTLE;
    }

    (void) pthread_mutex_unlock(&meters_mutex);
}


void
meters_slot(int change)
{
    atomic_fetch_add(&meters_in_slots, change);
}


unsigned
meters_busy(void)
{
    return (unsigned) atomic_load(&meters_in_slots);
}


void
meters_set_slots(unsigned slots)
{
    atomic_store(&meters_nslots, slots);
}


unsigned
meters_slots(void)
{
    return atomic_load(&meters_nslots);
}


size_t
meters_read(meters_storage_t *rows)
{
    size_t  i, n;

    (void) pthread_mutex_lock(&meters_mutex);

    n = meters_n;

    for (i = 0; i < n; i++) {
        rows[i] = meters_table[i].counts;
    }

    (void) pthread_mutex_unlock(&meters_mutex);

    return n;
}
