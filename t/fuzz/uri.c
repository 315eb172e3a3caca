#include "chorus_s3_request.h"
#include "fuzz.h"


/* "METHOD target": taken apart and classified. */
static void
fuzz_one(chorus_mem_t *mem, chorus_str_t input)
{
    chorus_str_t                  method;
    chorus_uri_t                  uri;
    chorus_error_t                error;
    const chorus_s3_operation_t  *operation;

    method = chorus_str_cut(&input, ' ');

    if (chorus_uri_parse(mem, input, &uri, &error) != CHORUS_OK) {
        return;
    }

    operation = chorus_s3_operation(method, &uri, NULL, 0);

    FUZZ_HOLDS(operation != NULL);
    FUZZ_HOLDS(uri.bucket.len != 0 || uri.key.len == 0);
    FUZZ_HOLDS(operation->touch != CHORUS_TOUCH_OBJECT || uri.key.len != 0);
}
