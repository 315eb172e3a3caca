#include "chorus_versions.h"
#include "fuzz.h"

#define MAX  50


static chorus_version_verdict_t
look(void *data, const chorus_version_t *ours, const chorus_version_t *theirs)
{
    (void) data;

    return (ours->size + theirs->size) % 3 == 0 ? CHORUS_VERSION_OTHER
                                                : CHORUS_VERSION_SAME;
}


/* Each of the follower's is kept or surplus, once. */
static void
edit_is_whole(const chorus_history_t *ours, const chorus_history_t *theirs,
    const chorus_history_edit_t *edit)
{
    size_t    i, n;
    unsigned  seen[MAX] = { 0 };

    FUZZ_HOLDS(edit->nkept <= ours->nversions);

    for (i = 0; i < edit->nkept; i++) {
        if (edit->places[i] != theirs->nversions) {
            seen[edit->places[i]]++;
        }
    }

    for (i = 0; i < edit->nsurplus; i++) {
        FUZZ_HOLDS(i == 0 || edit->surplus[i] < edit->surplus[i - 1]);
        seen[edit->surplus[i]]++;
    }

    for (n = 0; n < theirs->nversions; n++) {
        FUZZ_HOLDS(seen[n] == 1);
    }
}


static void
fuzz_one(chorus_mem_t *mem, chorus_str_t input)
{
    size_t                 half;
    chorus_error_t         error;
    chorus_history_t       ours, theirs;
    chorus_version_page_t  page;
    chorus_history_edit_t  edit;

    error.text[0] = '\0';

    if (chorus_version_page_parse(mem, input, MAX, &page, &error)
        != CHORUS_OK)
    {
        FUZZ_HOLDS(error.text[0] != '\0');
        return;
    }

    FUZZ_HOLDS(page.history.nversions <= MAX);

    /* the front of the page against the rest of it, and against all */
    half = page.history.nversions / 2;
    ours = (chorus_history_t) { page.history.versions, half };
    theirs = (chorus_history_t) { page.history.versions + half,
                                  page.history.nversions - half };

    FUZZ_HOLDS(chorus_history_compare(mem, &ours, &theirs, look, NULL, &edit)
               == CHORUS_OK);
    edit_is_whole(&ours, &theirs, &edit);

    FUZZ_HOLDS(chorus_history_compare(mem, &page.history, &theirs, look, NULL,
                                      &edit) == CHORUS_OK);
    edit_is_whole(&page.history, &theirs, &edit);
}
