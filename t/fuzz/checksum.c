#include "chorus_crc_engine.h"
#include "fuzz.h"


static void
check_engine(const chorus_crc_engine_t *engine, chorus_crc_t crc,
    chorus_str_t data, size_t at, uint64_t expected)
{
    uint64_t  value;

    value = chorus_crc_by(engine, crc, 0, data.data, at);
    value = chorus_crc_by(engine, crc, value, data.data + at, data.len - at);

    FUZZ_HOLDS(value == expected);
}


/* All engines agree, wherever the data is cut; its first two bytes say where,
 * and for which CRC. */
static void
fuzz_one(chorus_mem_t *mem, chorus_str_t input)
{
    size_t        i, at;
    uint64_t      expected;
    chorus_str_t  data;
    chorus_crc_t  crc;

    (void) mem;

    if (input.len < 2) {
        return;
    }

    data = (chorus_str_t) { input.data + 2, input.len - 2 };
    crc = (chorus_crc_t) ((unsigned char) input.data[0] % 3);
    at = (unsigned char) input.data[1] * 8u + (unsigned char) input.data[0];
    at = at < data.len ? at : data.len;

    expected = chorus_crc_by(&chorus_crc_engines[chorus_crc_nengines - 1],
                             crc, 0, data.data, data.len);

    for (i = 0; i < chorus_crc_nengines; i++) {
        if (chorus_crc_engines[i].is_supported()) {
            check_engine(&chorus_crc_engines[i], crc, data, at, expected);
        }
    }
}
