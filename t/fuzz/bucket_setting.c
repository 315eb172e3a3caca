/* Documents of bucket settings; the first byte says which. */

#include <string.h>

#include "chorus_bucket_setting.h"
#include "fuzz.h"


/* A policy for another name, and back again. */
static void
fuzz_rename(chorus_mem_t *mem, chorus_str_t body, chorus_str_t canonical)
{
    chorus_str_t    there, back, text;
    chorus_error_t  error;

    FUZZ_HOLDS(chorus_bucket_setting_rename(mem, CHORUS_SETTING_POLICY, body,
                   chorus_str("pics"), chorus_str("ZZ"), &there, &error)
               == CHORUS_OK);
    FUZZ_HOLDS(chorus_bucket_setting_rename(mem, CHORUS_SETTING_POLICY,
                   there, chorus_str("ZZ"), chorus_str("pics"), &back, &error)
               == CHORUS_OK);
    FUZZ_HOLDS(chorus_bucket_setting_canonical(mem, CHORUS_SETTING_POLICY,
                   back, &text, &error) == CHORUS_OK);

    /* unless it names ZZ itself, as it is or in escapes */
    FUZZ_HOLDS(chorus_str_eq(text, canonical)
               || memchr(body.data, '\\', body.len) != NULL
               || memmem(body.data, body.len, "ZZ", 2) != NULL);
}


static void
fuzz_one(chorus_mem_t *mem, chorus_str_t input)
{
    chorus_str_t      body, one, two;
    chorus_error_t    error;
    chorus_setting_t  setting;

    if (input.len == 0) {
        return;
    }

    setting = (chorus_setting_t) ((unsigned char) input.data[0]
                                  % CHORUS_NSETTINGS);
    body = chorus_str_sub(input, 1);

    if (chorus_bucket_setting_canonical(mem, setting, body, &one, &error)
        != CHORUS_OK)
    {
        FUZZ_HOLDS(error.text[0] != '\0');
        return;
    }

    FUZZ_HOLDS(chorus_bucket_setting_canonical(mem, setting, body, &two,
                                               &error) == CHORUS_OK);
    FUZZ_HOLDS(chorus_str_eq(one, two) && one.len != 0);

    if (setting == CHORUS_SETTING_POLICY) {
        fuzz_rename(mem, body, one);
    }
}
