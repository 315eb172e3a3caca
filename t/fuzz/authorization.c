#include <string.h>

#include "chorus_sigv4.h"
#include "fuzz.h"


static void
fuzz_one(chorus_mem_t *mem, chorus_str_t input)
{
    chorus_sigv4_auth_t  auth;
    chorus_s3_refusal_t  refusal;

    (void) mem;
    memset(&refusal, 0, sizeof(refusal));

    if (chorus_sigv4_parse(input, &auth, &refusal) == CHORUS_OK) {
        FUZZ_HOLDS(auth.signature.len == CHORUS_SIGNATURE_LEN);
        FUZZ_HOLDS(auth.day.len == CHORUS_DAY_LEN);
        FUZZ_HOLDS(auth.access_key.len != 0);

    } else {
        FUZZ_HOLDS(refusal.code != CHORUS_S3_OK);
    }
}
