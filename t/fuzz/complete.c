#include <stdio.h>
#include <string.h>

#include "chorus_complete.h"
#include "fuzz.h"


/* How many numbers "1-3,7" stands for, which ascend. */
static unsigned
count(chorus_str_t runs)
{
    uint64_t      first, last, before;
    unsigned      n;
    chorus_str_t  run, from;

    n = 0;
    before = 0;

    while (runs.data != NULL) {
        run = chorus_str_cut(&runs, ',');
        from = chorus_str_cut(&run, '-');

        FUZZ_HOLDS(chorus_str_to_u64(from, &first) && first > before);

        if (run.data == NULL) {
            last = first;
        } else {
            FUZZ_HOLDS(chorus_str_to_u64(run, &last) && last > first);
        }

        n += (unsigned) (last - first + 1);
        before = last;
    }

    FUZZ_HOLDS(before <= CHORUS_COMPLETE_PARTS_MAX);

    return n;
}


static void
fuzz_one(chorus_mem_t *mem, chorus_str_t input)
{
    char               tail[16];
    chorus_error_t     error;
    chorus_complete_t  complete;

    error.text[0] = '\0';

    if (chorus_complete_parse(mem, input, &complete, &error) != CHORUS_OK) {
        FUZZ_HOLDS(error.text[0] != '\0');
        return;
    }

    FUZZ_HOLDS(complete.nparts >= 1);
    FUZZ_HOLDS(count(complete.numbers) == complete.nparts);

    (void) snprintf(tail, sizeof(tail), "-%u", complete.nparts);
    FUZZ_HOLDS(strlen(complete.etag) == 32 + strlen(tail));
    FUZZ_HOLDS(strcmp(complete.etag + 32, tail) == 0);
}
