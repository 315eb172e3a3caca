#include "chorus_s3_request.h"
#include "chorus_sigv4.h"
#include "fuzz.h"


/* "METHOD target": taken apart, classified, and canonicalised twice: the
 * canonical form of a canonical form is itself. */
static void
fuzz_one(chorus_mem_t *mem, chorus_str_t input)
{
    chorus_buf_t                  once, twice;
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

    once = chorus_buf(mem, 64);
    twice = chorus_buf(mem, 64);
    chorus_sigv4_canonical_path(&once, uri.path);
    chorus_sigv4_canonical_path(&twice, chorus_buf_str(&once));

    FUZZ_HOLDS(chorus_str_eq(chorus_buf_str(&once), chorus_buf_str(&twice)));
    FUZZ_HOLDS(chorus_sigv4_canonical_query(mem, &once, &uri) == CHORUS_OK);
}
