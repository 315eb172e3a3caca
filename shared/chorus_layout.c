#include <string.h>

#include "chorus_layout.h"

/* S3: 5 TiB */
#define LAYOUT_SIZE_MAX  (5ull << 40)


/* "8388608x12", "5242880" */

static bool
layout_read_run(chorus_str_t run, uint64_t *size, uint64_t *times)
{
    chorus_str_t  first;

    first = chorus_str_cut(&run, 'x');
    *times = 1;

    return chorus_str_to_u64(first, size) && *size <= LAYOUT_SIZE_MAX
           && (run.data == NULL
               || (chorus_str_to_u64(run, times) && *times != 0));
}


bool
chorus_layout_read(chorus_layout_t *layout, chorus_mem_t *mem,
    chorus_str_t text, uint64_t size, unsigned nparts)
{
    unsigned   n, unknown, nunknown;
    uint64_t   part, times, sum;

    memset(layout, 0, sizeof(chorus_layout_t));

    layout->nparts = nparts;
    layout->sizes = chorus_alloc(mem, nparts * sizeof(uint64_t));

    if (layout->sizes == NULL) {
        return false;
    }

    n = 0;
    sum = 0;
    unknown = 0;
    nunknown = 0;

    while (text.data != NULL) {

        if (!layout_read_run(chorus_str_cut(&text, ','), &part, &times)
            || times > nparts - n)
        {
            return false;
        }

        if (part == 0) {
            unknown = n;
            nunknown += (unsigned) times;
        }

        for ( /* void */ ; times != 0; times--) {
            layout->sizes[n++] = part;
            sum += part;
        }
    }

    if (nunknown == 1 && sum < size) {
        layout->sizes[unknown] = size - sum;
        return n == nparts;
    }

    return nunknown == 0 && n == nparts && sum == size;
}


bool
chorus_layout_even(chorus_layout_t *layout, chorus_mem_t *mem, uint64_t size,
    uint64_t part_size)
{
    unsigned  i;

    memset(layout, 0, sizeof(chorus_layout_t));

    layout->nparts = size == 0 || part_size == 0 ? 1
                   : (unsigned) (size / part_size + (size % part_size != 0));
    layout->sizes = chorus_alloc(mem, layout->nparts * sizeof(uint64_t));

    if (layout->sizes == NULL) {
        return false;
    }

    for (i = 0; i < layout->nparts; i++) {
        layout->sizes[i] = size < part_size ? size : part_size;
        size -= layout->sizes[i];
    }

    return true;
}
