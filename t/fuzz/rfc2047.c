#include "chorus_rfc2047.h"
#include "fuzz.h"


/* A header's value: what is encoded is decoded again, and decoding does not
 * make it longer. */
static void
fuzz_one(chorus_mem_t *mem, chorus_str_t input)
{
    chorus_str_t  decoded, word;

    decoded = chorus_rfc2047_decode(mem, input);
    FUZZ_HOLDS(decoded.len <= input.len);

    word = chorus_rfc2047_encode(mem, input);
    FUZZ_HOLDS(word.data != NULL || input.data == NULL);

    if (word.data != input.data) {
        FUZZ_HOLDS(chorus_str_eq(chorus_rfc2047_decode(mem, word), input));
    }
}
