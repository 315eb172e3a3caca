#include "chorus_throttle.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>


/* That of the address, else a free one, else the one that was not used for the
 * longest time. */

static chorus_throttle_entry_t *
chorus_throttle_find(chorus_throttle_t *throttle,
    const unsigned char *address)
{
    size_t                    i;
    chorus_throttle_entry_t  *entry, *oldest;

    oldest = &throttle->entries[0];

    for (i = 0; i < CHORUS_THROTTLE_ENTRIES; i++) {
        entry = &throttle->entries[i];

        if (entry->used_ms != 0
            && memcmp(entry->address, address, CHORUS_THROTTLE_ADDRESS) == 0)
        {
            return entry;
        }

        if (entry->used_ms < oldest->used_ms) {
            oldest = entry;
        }
    }

    memset(oldest, 0, sizeof(chorus_throttle_entry_t));
    memcpy(oldest->address, address, CHORUS_THROTTLE_ADDRESS);

    return oldest;
}


static int64_t
chorus_throttle_failed(chorus_throttle_entry_t *entry, int64_t now_ms)
{
    entry->failures++;
    entry->failed_ms = now_ms;

    if (entry->failures <= CHORUS_THROTTLE_FREE) {
        return 0;
    }

    if (entry->due_ms < now_ms) {
        entry->due_ms = now_ms;
    }

    entry->due_ms += CHORUS_THROTTLE_STEP_MS;

    return entry->due_ms - now_ms;
}


int64_t
chorus_throttle(chorus_throttle_t *throttle, chorus_str_t address, int which,
    int64_t now_ms)
{
    bool                      is_full;
    unsigned char             padded[CHORUS_THROTTLE_ADDRESS];
    chorus_throttle_entry_t  *entry;

    memset(padded, 0, sizeof(padded));
    memcpy(padded, address.data, address.len < sizeof(padded)
                                 ? address.len : sizeof(padded));

    entry = chorus_throttle_find(throttle, padded);
    entry->used_ms = now_ms;

    if (now_ms - entry->failed_ms > CHORUS_THROTTLE_LIFE_MS) {
        entry->failures = 0;
    }

    is_full = entry->failures > CHORUS_THROTTLE_FREE
              && entry->due_ms - now_ms
                 > CHORUS_THROTTLE_LINE_MS - CHORUS_THROTTLE_STEP_MS;

    if (which == CHORUS_THROTTLE_NONE) {
        return is_full ? CHORUS_THROTTLE_FULL
                       : chorus_throttle_failed(entry, now_ms);
    }

    if (is_full && (entry->known & ((uint64_t) 1 << which)) == 0) {
        return CHORUS_THROTTLE_FULL;
    }

    entry->known |= (uint64_t) 1 << which;

    return 0;
}


void
chorus_throttle_renumber(chorus_throttle_t *throttle)
{
    size_t  i;

    for (i = 0; i < CHORUS_THROTTLE_ENTRIES; i++) {
        throttle->entries[i].known = 0;
    }
}
