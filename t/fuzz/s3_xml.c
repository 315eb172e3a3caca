#include "chorus_s3_xml.h"
#include "fuzz.h"


static void
fuzz_one(chorus_mem_t *mem, chorus_str_t input)
{
    chorus_str_t      again;
    chorus_error_t    error;
    chorus_tagging_t  tagging;

    if (chorus_tagging_parse(mem, input, &tagging, &error) == CHORUS_OK) {
        FUZZ_HOLDS(tagging.ntags <= CHORUS_MAX_TAGS);
        (void) chorus_tagging_header(mem, &tagging);

        again = chorus_tagging_xml(mem, &tagging);
        FUZZ_HOLDS(chorus_tagging_parse(mem, again, &tagging, &error)
                   == CHORUS_OK);
        FUZZ_HOLDS(chorus_str_eq(chorus_tagging_xml(mem, &tagging), again));
    }

    (void) chorus_xml_root(mem, input);
    (void) chorus_xml_text(mem, input, "Code");
}
