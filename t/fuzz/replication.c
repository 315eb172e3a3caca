#include "chorus_replication.h"
#include "fuzz.h"


/* What parses is spelled in one way only. */
static void
fuzz_one(chorus_mem_t *mem, chorus_str_t input)
{
    chorus_error_t        error;
    chorus_replication_t  replication;

    if (chorus_replication_parse(mem, input, &replication, &error)
        == CHORUS_OK)
    {
        FUZZ_HOLDS(chorus_str_eq(chorus_replication_name(mem, &replication),
                                 input));
    }
}
