#include "chorus_listing.h"
#include "fuzz.h"


static void
fuzz_one(chorus_mem_t *mem, chorus_str_t input)
{
    size_t            i;
    chorus_error_t    error;
    chorus_buckets_t  buckets;
    chorus_listing_t  listing;

    if (chorus_listing_parse(mem, input, &listing, &error) == CHORUS_OK) {

        FUZZ_HOLDS(listing.n <= CHORUS_LISTING_MAX);
        FUZZ_HOLDS(!listing.is_truncated || listing.n != 0);

        for (i = 0; i < listing.n; i++) {
            FUZZ_HOLDS(listing.entries[i].key.len != 0);
        }

        (void) chorus_listing_is_sorted(&listing, chorus_str(""));
    }

    if (chorus_buckets_parse(mem, input, &buckets, &error) == CHORUS_OK) {
        FUZZ_HOLDS(buckets.n <= CHORUS_BUCKETS_MAX);
    }
}
