#include <string.h>

#include "chorus_fold.h"
#include "chorus_join.h"
#include "fuzz.h"

#define MAX  1000


/* A page of histories, given out in pages of `size` that overlap by one: how
 * many keys they have, or -1. */

static int
fold_all(chorus_mem_t *mem, chorus_crypto_t *crypto,
    const chorus_version_page_t *all, size_t size, chorus_folded_t *last)
{
    int                     n;
    bool                    is_gone;
    size_t                  i, at;
    chorus_fold_t           fold;
    chorus_error_t          error;
    chorus_listing_t        listing;
    chorus_version_page_t   page;

    memset(&fold, 0, sizeof(chorus_fold_t));
    fold.crypto = crypto;
    n = 0;

    for (at = 0; ; at += size - 1) {

        page.history.versions = all->history.versions + at;
        page.is_truncated = at + size < all->history.nversions;
        page.history.nversions = page.is_truncated
                                 ? size : all->history.nversions - at;

        if (chorus_fold_page(mem, &fold, &page, chorus_str(""), &listing,
                             &is_gone, &error) != CHORUS_OK)
        {
            return -1;
        }

        for (i = 0; i < listing.n; i++) {
            FUZZ_HOLDS(listing.entries[i].history->nversions != 0);
            *last = *listing.entries[i].history;
        }

        n += (int) listing.n;

        if (!page.is_truncated) {
            return n;
        }
    }
}


static void
fuzz_one(chorus_mem_t *mem, chorus_str_t input)
{
    int                     whole, pages;
    chorus_error_t          error;
    chorus_folded_t         a, b;
    chorus_version_page_t   page;

    static chorus_crypto_t  *crypto;

    if (crypto == NULL) {
        crypto = chorus_crypto_create();
    }

    if (chorus_version_page_parse(mem, input, MAX, &page, &error)
        != CHORUS_OK)
    {
        return;
    }

    /* however it is cut, the keys are the same */
    whole = fold_all(mem, crypto, &page, MAX + 1, &a);
    pages = fold_all(mem, crypto, &page, 3, &b);
    FUZZ_HOLDS(whole == pages);

    if (whole > 0) {
        FUZZ_HOLDS(a.nversions == b.nversions);
        FUZZ_HOLDS(chorus_folded_compare(&a, &b) == CHORUS_FOLDED_EQUAL
                   || a.has_unknown);
    }
}
