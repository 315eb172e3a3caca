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

        for (i = 0; i < listing.n; i++) {
            FUZZ_HOLDS(listing.entries[i].key.len != 0);
        }

        FUZZ_HOLDS(chorus_listing_is_sorted(&listing, chorus_str(""))
                   == (chorus_listing_order(&listing, chorus_str(""))
                       == CHORUS_ORDER_BYTES));

        i = listing.n;
        chorus_listing_tidy(&listing, i == 0 ? chorus_str("k")
                                             : listing.entries[0].key);
        FUZZ_HOLDS(listing.n <= i);
        FUZZ_HOLDS(i == 0 || listing.n < i);

        for (i = 1; i < listing.n; i++) {
            FUZZ_HOLDS(!chorus_str_eq(listing.entries[i].key,
                                      listing.entries[i - 1].key));
        }
    }

    if (chorus_buckets_parse(mem, input, &buckets, &error) == CHORUS_OK) {
        FUZZ_HOLDS(buckets.n <= CHORUS_BUCKETS_MAX);
    }
}
