/* The body of PUT /api/v1/limits/STORAGE: what it changes, what is refused. */

#include <stdio.h>

#include "chorus_limit.h"
#include "test.h"

#define KEEP   CHORUS_LIMIT_KEEP
#define UNSET  CHORUS_LIMIT_UNSET
#define NONE   CHORUS_LIMIT_NONE


static const struct {
    const char  *text;
    int64_t      requests;
    int64_t      bytes;
} good[] = {
    { "{\"requests_per_second\": 1}", 1, KEEP },
    { "{\"requests_per_second\": 1000000}", 1000000, KEEP },
    { "{\"bytes_per_second\": 16384}", KEEP, 16384 },
    { "{\"bytes_per_second\": \"16KiB\"}", KEEP, 16384 },
    { "{\"bytes_per_second\": \"10MiB\"}", KEEP, 10485760 },
    { "{\"bytes_per_second\": \"3GiB\"}", KEEP, 3LL << 30 },
    { "{\"bytes_per_second\": \"1TiB\"}", KEEP, 1LL << 40 },
    { "{\"bytes_per_second\": \"65536\"}", KEEP, 65536 },
    { "{\"requests_per_second\": 0, \"bytes_per_second\": null}",
      NONE, UNSET },
    { "{\"requests_per_second\": null, \"bytes_per_second\": 0}",
      UNSET, NONE },
};

static const struct {
    const char  *text;
    const char  *why;
} bad[] = {
    { "", "no JSON object" },
    { "[]", "no JSON object" },
    { "{\"requests_per_second\": 1", "no JSON object" },
    { "{\"requests_per_second\": 1} x", "no JSON object" },
    { "{\"requests_per_second\": 1, \"requests_per_second\": 2}",
      "no JSON object" },
    { "{}", "the body has" },
    { "{\"requests\": 1}", "the body has" },
    { "{\"requests_per_second\": 1, \"x\": 1}", "the body has" },
    { "{\"requests_per_second\": -1}", "requests_per_second: must be" },
    { "{\"requests_per_second\": \"5\"}", "requests_per_second: must be" },
    { "{\"requests_per_second\": 1.5}", "requests_per_second: must be" },
    { "{\"requests_per_second\": true}", "requests_per_second: must be" },
    { "{\"requests_per_second\": 9223372036854775807}", "must be" },
    { "{\"bytes_per_second\": 1}", "bytes_per_second: must be" },
    { "{\"bytes_per_second\": \"1025GiB\"}", "bytes_per_second: must be" },
    { "{\"bytes_per_second\": \"18014398509481985KiB\"}", "must be" },
    { "{\"bytes_per_second\": \"10 MiB\"}", "bytes_per_second: must be" },
    { "{\"bytes_per_second\": \"10mib\"}", "bytes_per_second: must be" },
    { "{\"bytes_per_second\": \"\"}", "bytes_per_second: must be" },
    { "{\"bytes_per_second\": {}}", "bytes_per_second: must be" },
};


static void
changes_that_are_understood(void **state)
{
    size_t           i;
    chorus_error_t   error;
    chorus_limits_t  change;

    (void) state;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (chorus_limits_change(chorus_str_from(good[i].text), &change,
                                 &error) != CHORUS_OK)
        {
            fail_msg("%s: %s", good[i].text, error.text);
        }

        check_int(good[i].text, change.of[CHORUS_LIMIT_REQUESTS],
                  good[i].requests);
        check_int(good[i].text, change.of[CHORUS_LIMIT_BYTES], good[i].bytes);
    }
}


static void
changes_that_are_refused(void **state)
{
    size_t           i;
    chorus_error_t   error;
    chorus_limits_t  change;

    (void) state;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        error.text[0] = '\0';

        if (chorus_limits_change(chorus_str_from(bad[i].text), &change,
                                 &error) == CHORUS_OK
            || strstr(error.text, bad[i].why) == NULL)
        {
            fail_msg("%s: \"%s\"", bad[i].text, error.text);
        }
    }
}


test_main(NULL, NULL,
    test_row(changes_that_are_understood),
    test_row(changes_that_are_refused)
)
