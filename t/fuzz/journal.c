#include <string.h>

#include "chorus_journal.h"
#include "fuzz.h"

#define SALT  0x0706050403020100u


static void
fuzz_intent(chorus_str_t payload)
{
    chorus_str_t              s;
    chorus_journal_debt_t     debt;
    chorus_journal_closed_t   closed;
    chorus_journal_intent_t   intent;

    (void) chorus_journal_debt_parse(payload, &debt);
    (void) chorus_journal_closed_parse(payload, &closed);

    if (!chorus_journal_intent_parse(payload, &intent)) {
        return;
    }

    while (chorus_journal_list_next(&intent.followers, &s)
           || chorus_journal_list_next(&intent.keys, &s))
    {
        FUZZ_HOLDS(s.data >= payload.data
                   && s.data + s.len <= payload.data + payload.len);
    }
}


/* What is read lies inside and in order; each record is the one that would be
 * written again. */
static void
fuzz_one(chorus_mem_t *mem, chorus_str_t input)
{
    size_t                    before;
    unsigned char            *frame;
    chorus_journal_read_t     rc;
    chorus_journal_reader_t   reader;
    chorus_journal_record_t   record;

    fuzz_intent(input);

    reader = chorus_journal_reader(input, SALT);

    for ( ;; ) {
        before = reader.offset;
        rc = chorus_journal_next(&reader, &record);

        if (rc == CHORUS_JOURNAL_END || rc == CHORUS_JOURNAL_TORN) {
            return;
        }

        FUZZ_HOLDS(reader.offset > before && reader.offset <= input.len);

        if (rc == CHORUS_JOURNAL_CORRUPT) {
            continue;
        }

        frame = chorus_alloc(mem, CHORUS_JOURNAL_HEAD + record.payload.len);
        FUZZ_HOLDS(frame != NULL);

        if (record.payload.len) {
            memcpy(frame + CHORUS_JOURNAL_HEAD, record.payload.data,
                   record.payload.len);
        }

        chorus_journal_frame(frame, SALT, &record);
        FUZZ_HOLDS(memcmp(frame, input.data + before,
                          reader.offset - before) == 0);

        fuzz_intent(record.payload);
    }
}
