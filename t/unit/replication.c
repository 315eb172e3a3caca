/* The name of a replication in Redis, there and back. */

#include "chorus_replication.h"
#include "test.h"


static void
names_there_and_back(void **state)
{
    size_t                i;
    chorus_str_t          name;
    chorus_error_t        error;
    chorus_replication_t  back;

    static const struct {
        const char  *expected;
        const char  *user;
        const char  *bucket;
        const char  *follower;
        const char  *target;
    } rows[] = {
        { "alice:photos:follower", "alice", "photos", "follower", NULL },
        { "alice:photos:follower:copy", "alice", "photos", "follower",
          "copy" },
        { "a.b_c-D:x%3Ay%2F%25:f", "a.b_c-D", "x:y/%", "f", NULL },
        { "u:%7Bb%7D%7E%20:f:%C3%A9", "u", "{b}~ ", "f", "\xc3\xa9" },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {

        chorus_replication_t  replication = {
            chorus_str_from(rows[i].user), chorus_str_from(rows[i].bucket),
            chorus_str_from(rows[i].follower), chorus_str_from(rows[i].target)
        };

        name = chorus_replication_name(&mem, &replication);
        check_str(rows[i].expected, name, rows[i].expected);

        assert_int_equal(chorus_replication_parse(&mem, name, &back, &error),
                         CHORUS_OK);
        assert_true(chorus_str_eq(back.user, replication.user));
        assert_true(chorus_str_eq(back.bucket, replication.bucket));
        assert_true(chorus_str_eq(back.follower, replication.follower));
        assert_true(chorus_str_eq(back.target, replication.target));
    }
}


static void
refuse_other_spellings(void **state)
{
    size_t                i;
    chorus_error_t        error;
    chorus_replication_t  back;

    static const struct {
        const char  *name;
        const char  *error;
    } rows[] = {
        { "", "empty part" },
        { "a", "empty part" },
        { "a:b", "empty part" },
        { "a:b:", "empty part" },
        { ":b:c", "empty part" },
        { "a::c", "empty part" },
        { "a:b:c:", "empty part" },
        { "a:b:c:d:e", "too many parts" },
        { "a:b%:c", "broken escape" },
        { "a:b%4:c", "broken escape" },
        { "a:b%zz:c", "broken escape" },
        { "a:b%3a:c", "one spelling" },
        { "a:%62:c", "one spelling" },
        { "a:b c:d", "one spelling" },
        { "a:b~:d", "one spelling" },
        { "a:b{:d", "one spelling" },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        check_int(rows[i].name,
                  chorus_replication_parse(&mem,
                      chorus_str_from(rows[i].name), &back, &error),
                  CHORUS_ERROR);
        check_has(rows[i].name, error.text, rows[i].error);
    }
}


test_main(NULL, NULL,
    test_row(names_there_and_back),
    test_row(refuse_other_spellings)
)
