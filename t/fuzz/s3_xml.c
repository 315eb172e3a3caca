#include "chorus_s3_xml.h"
#include "fuzz.h"


static void
fuzz_one(chorus_mem_t *mem, chorus_str_t input)
{
    size_t                   i;
    chorus_error_t           error;
    chorus_tagging_t         tagging;
    chorus_delete_objects_t  request;

    if (chorus_delete_objects_parse(mem, input, &request, &error)
        == CHORUS_OK)
    {
        FUZZ_HOLDS(request.nkeys >= 1
                   && request.nkeys <= CHORUS_DELETE_MAX_KEYS);

        for (i = 0; i < request.nkeys; i++) {
            FUZZ_HOLDS(request.keys[i].len != 0);
        }
    }

    if (chorus_tagging_parse(mem, input, &tagging, &error) == CHORUS_OK) {
        FUZZ_HOLDS(tagging.ntags <= CHORUS_MAX_TAGS);
        (void) chorus_tagging_xml(mem, &tagging);
        (void) chorus_tagging_header(mem, &tagging);
    }

    (void) chorus_xml_root(mem, input);
    (void) chorus_xml_text(mem, input, "Code");
}
