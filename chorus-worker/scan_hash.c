#include <pthread.h>
#include <string.h>

#include "clock.h"
#include "s3_client.h"
#include "scan_hash.h"

/* What may be made good after a wait: more than s3_client_step() takes. */
#define SCAN_HASH_LATE_US  400000


/* When the next byte may be taken, of clock_us(): of all scanners. */
static int64_t          scan_hash_next_us;
static pthread_mutex_t  scan_hash_mutex = PTHREAD_MUTEX_INITIALIZER;


bool
scan_hash_open(scan_hash_t *hash)
{
    memset(hash, 0, sizeof(scan_hash_t));
    hash->running = chorus_digest_create(CHORUS_DIGEST_SHA256);

    return hash->running != NULL;
}


void
scan_hash_close(scan_hash_t *hash)
{
    chorus_digest_destroy(hash->running);
}


bool
scan_hash_begin(scan_hash_t *hash, unsigned mib_per_second)
{
    hash->mib_per_second = mib_per_second;
    hash->received = 0;
    hash->is_paused = false;
    hash->has_failed = !chorus_digest_begin(hash->running);

    return !hash->has_failed;
}


bool
scan_hash_end(scan_hash_t *hash)
{
    return !hash->has_failed && chorus_digest_end(hash->running,
                                                  hash->sha256);
}


static bool
scan_hash_may_take(const scan_hash_t *hash, size_t len)
{
    bool     is_time;
    int64_t  now_us;

    if (hash->mib_per_second == 0) {
        return true;
    }

    now_us = clock_us();

    (void) pthread_mutex_lock(&scan_hash_mutex);

    is_time = scan_hash_next_us <= now_us;

    if (is_time) {
        if (scan_hash_next_us < now_us - SCAN_HASH_LATE_US) {
            scan_hash_next_us = now_us - SCAN_HASH_LATE_US;
        }

        scan_hash_next_us += (int64_t) (len * 1000000
                                        / hash->mib_per_second
                                        / (1024 * 1024));
    }

    (void) pthread_mutex_unlock(&scan_hash_mutex);

    return is_time;
}


size_t
scan_hash_write(void *data, const char *bytes, size_t len)
{
    scan_hash_t  *hash = data;

    if (!scan_hash_may_take(hash, len)) {
        hash->is_paused = true;
        return S3_PAUSE;
    }

    if (!chorus_digest_update(hash->running, (chorus_str_t) { bytes, len })) {
        hash->has_failed = true;
        return S3_ABORT;
    }

    hash->received += len;

    return len;
}


bool
scan_hash_wakes(scan_hash_t *hash)
{
    bool  is_time;

    if (!hash->is_paused) {
        return false;
    }

    (void) pthread_mutex_lock(&scan_hash_mutex);
    is_time = scan_hash_next_us <= clock_us();
    (void) pthread_mutex_unlock(&scan_hash_mutex);

    hash->is_paused = !is_time;

    return is_time;
}
