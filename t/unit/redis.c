/* What a Redis says of itself. */

#include "chorus_redis.h"
#include "test.h"

#define INFO(role, run, history)                                              \
    "# Server\r\nredis_version:7.0.15\r\nrun_id:" run "\r\n\r\n"              \
    "# Replication\r\nrole:" role "\r\nmaster_replid:" history "\r\n"         \
    "master_replid2:0000\r\n"


static void
info_fields(void **state)
{
    size_t  i;

    static const struct {
        const char  *info;
        const char  *name;
        const char  *value;         /* NULL: there is none */
    } rows[] = {
        { INFO("master", "abc", "d"), "run_id", "abc" },
        { INFO("master", "abc", "d"), "master_replid", "d" },
        { INFO("master", "abc", "d"), "replid", NULL },
        { INFO("master", "abc", "d"), "run", NULL },
        { INFO("master", "abc", "d"), "# Server", NULL },
        { "run_id:abc", "run_id", "abc" },
        { "run_id:abc\n", "run_id", "abc" },
        { "run_id:", "run_id", "" },
        { "run_id", "run_id", NULL },
        { "a:b:c\r\n", "a", "b:c" },
        { "", "run_id", NULL },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        chorus_str_t  value = chorus_redis_info(
                                  chorus_str_from(rows[i].info),
                                  chorus_str_from(rows[i].name));

        if (rows[i].value == NULL) {
            assert_null(value.data);

        } else {
            assert_non_null(value.data);
            check_str(rows[i].name, value, rows[i].value);
        }
    }
}


/* Only a master is taken, and what is known stays otherwise. */
static void
only_masters(void **state)
{
    size_t                   i;
    char                     run[2 * CHORUS_REDIS_RUN_SIZE];
    chorus_redis_identity_t  identity = { "before", "", 0, 0 };

    static const char  *const others[] = {
        "", INFO("slave", "abc", "d"), INFO("sentinel", "abc", "d"),
        "role:master\r\n", "run_id:abc\r\n",
    };

    (void) state;

    for (i = 0; i < NROWS(others); i++) {
        assert_false(chorus_redis_take_info(&identity,
                                            chorus_str_from(others[i])));
    }

    (void) memset(run, 'r', sizeof(run));
    (void) memcpy(run, "role:master\nrun_id:", 19);
    assert_false(chorus_redis_take_info(&identity,
                                 (chorus_str_t) { run, sizeof(run) }));
    assert_string_equal(identity.run, "before");

    assert_true(chorus_redis_take_info(&identity,
                       chorus_str_from(INFO("master", "abc", "d"))));
    assert_string_equal(identity.run, "abcd");
}


static void
what_may_be_lost(void **state)
{
    size_t  i;

    static const struct {
        chorus_redis_identity_t  known;
        chorus_redis_identity_t  now;
        chorus_redis_memory_t    memory;
    } rows[] = {
        { { "", "", 0, 0 }, { "r", "g", 0, 0 }, CHORUS_REDIS_SAME },
        { { "r", "g", 0, 0 }, { "r", "g", 0, 0 }, CHORUS_REDIS_SAME },
        { { "r", "g", 0, 0 }, { "s", "g", 0, 0 }, CHORUS_REDIS_LOST_TAIL },
        { { "r", "g", 0, 0 }, { "r", "h", 0, 0 }, CHORUS_REDIS_LOST_ALL },
        { { "r", "g", 0, 0 }, { "s", "h", 0, 0 }, CHORUS_REDIS_LOST_ALL },

        /* what the one before wrote of itself: a second ago, 7, more */
        { { "r", "g", 99000, 0 }, { "s", "g", 99500, 98000 },
          CHORUS_REDIS_LOST_TAIL },
        { { "r", "g", 99000, 0 }, { "s", "g", 99500, 92000 },
          CHORUS_REDIS_LOST_TAIL },
        { { "r", "g", 99000, 0 }, { "s", "g", 99500, 91999 },
          CHORUS_REDIS_LOST_MORE },
        { { "r", "g", 99000, 0 }, { "s", "g", 99500, 0 },
          CHORUS_REDIS_LOST_MORE },
        { { "r", "g", 99000, 0 }, { "s", "h", 99500, 0 },
          CHORUS_REDIS_LOST_ALL },
        { { "r", "g", 99000, 0 }, { "r", "g", 99500, 0 },
          CHORUS_REDIS_SAME },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        check_int(rows[i].now.run,
                  chorus_redis_compare(&rows[i].known, &rows[i].now),
                  rows[i].memory);
    }
}


static void
generations(void **state)
{
    char                     text[CHORUS_REDIS_GENERATION_LEN + 1];
    chorus_redis_identity_t  identity = { "", "before", 0, 0 };

    static const unsigned char  bytes[] = {
        0, 1, 15, 16, 255, 0x5a, 7, 8, 9, 10, 11, 12, 13, 14, 15, 128
    };
    static const char  digits[] = "00010f10ff5a0708090a0b0c0d0e0f80";

    (void) state;

    chorus_redis_generation(bytes, text);
    assert_string_equal(text, digits);

    assert_false(chorus_redis_take_generation(&identity, chorus_null_str, 1,
                                              2));
    assert_false(chorus_redis_take_generation(&identity,
        chorus_str("0123456789012345678901234567890123456789"
                   "0123456789012345678901234"), 1, 2));
    assert_string_equal(identity.generation, "before");

    assert_int_equal(identity.alive_ms, 0);

    assert_true(chorus_redis_take_generation(&identity,
                                             chorus_str_from(digits), 1, 2));
    assert_string_equal(identity.generation, digits);
    assert_int_equal(identity.alive_ms, 1);
    assert_int_equal(identity.known_ms, 2);
}


static void
errors(void **state)
{
    size_t  i;

    static const struct {
        const char  *error;
        bool         is_cured;      /* by a new connection */
    } rows[] = {
        { "READONLY You can't write against a read only replica.", true },
        { "MASTERDOWN Link with MASTER is down", true },
        { "CLUSTERDOWN The cluster is down", true },
        { "LOADING Redis is loading the dataset in memory", true },
        { "NOAUTH Authentication required.", true },
        { "ERR Function not found", true },
        { "OOM command not allowed when used memory > 'maxmemory'.", false },
        { "BUSY Redis is busy running a script.", false },
        { "NOPERM this user has no permissions", false },
        { "NOREPLICAS Not enough good replicas to write.", false },
        { "MISCONF Redis is configured to save RDB snapshots", false },
        { "ERR chorus_mark: ARGV[1] source", false },
        { "READONLYISH no", false },
        { "", false },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        check_int(rows[i].error,
                  chorus_redis_needs_greeting(
                      chorus_str_from(rows[i].error)),
                  rows[i].is_cured);
    }
}


static void
hints(void **state)
{
    size_t       i;
    const char  *hint;

    static const struct {
        const char  *error;
        const char  *hint;
    } rows[] = {
        { "cannot connect: Connection refused", "does it run" },
        { "ERR unknown command 'FCALL', with args", "Redis 7" },
        { "NOAUTH Authentication required.", "no password" },
        { "WRONGPASS invalid username-password pair", "another password" },
        { "READONLY You can't write against a replica", "a replica" },
        { "OOM command not allowed", NULL },
        { "", NULL }
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        hint = chorus_redis_hint(rows[i].error);
        check_int(rows[i].error, hint != NULL, rows[i].hint != NULL);

        if (hint != NULL && rows[i].hint != NULL) {
            assert_non_null(strstr(hint, rows[i].hint));
        }
    }
}


test_main(NULL, NULL,
    test_row(info_fields),
    test_row(only_masters),
    test_row(what_may_be_lost),
    test_row(generations),
    test_row(errors),
    test_row(hints)
)
