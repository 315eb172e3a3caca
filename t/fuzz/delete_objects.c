#include "chorus_s3_xml.h"
#include "fuzz.h"


/* The keys that were read, written as a request again, are read again. */
static void
keys_are_read_again(chorus_mem_t *mem, const chorus_delete_objects_t *request)
{
    size_t                   i;
    chorus_buf_t             body;
    chorus_error_t           error;
    chorus_delete_objects_t  again;

    body = chorus_buf(mem, 256);
    chorus_buf_add(&body, chorus_str("<Delete>"));

    for (i = 0; i < request->nkeys; i++) {
        chorus_buf_add(&body, chorus_str("<Object>"));
        chorus_xml_element(&body, "Key", request->keys[i]);
        chorus_buf_add(&body, chorus_str("</Object>"));
    }

    chorus_buf_add(&body, chorus_str("</Delete>"));

    FUZZ_HOLDS(chorus_delete_objects_parse(mem, chorus_buf_str(&body), &again,
                                           &error)
               == CHORUS_OK);
    FUZZ_HOLDS(again.nkeys == request->nkeys);

    for (i = 0; i < again.nkeys; i++) {
        FUZZ_HOLDS(chorus_str_eq(again.keys[i], request->keys[i]));
    }
}


static void
fuzz_one(chorus_mem_t *mem, chorus_str_t input)
{
    size_t                   i;
    chorus_error_t           error;
    chorus_delete_objects_t  request;

    error.text[0] = '\0';

    if (chorus_delete_objects_parse(mem, input, &request, &error)
        != CHORUS_OK)
    {
        FUZZ_HOLDS(error.text[0] != '\0');
        return;
    }

    FUZZ_HOLDS(request.nkeys >= 1
               && request.nkeys <= CHORUS_DELETE_MAX_KEYS);

    for (i = 0; i < request.nkeys; i++) {
        FUZZ_HOLDS(request.keys[i].len != 0);
    }

    keys_are_read_again(mem, &request);
}
