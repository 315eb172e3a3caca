/* Bucket patterns, routes and followers. */

#include "chorus_policy.h"
#include "config_host.h"
#include "test.h"


static void
match_patterns(void **state)
{
    size_t             i;
    chorus_error_t     error;
    chorus_pattern_t  *pattern;

    static const struct {
        const char  *pattern;
        const char  *bucket;
        bool         expected;
    } rows[] = {
        { "*", "b", true },
        { "*", "", true },
        { "b", "b", true },
        { "b", "bb", false },
        { "b", "B", false },
        { "b", "", false },
        { "~^logs-", "logs-1", true },
        { "~^logs-", "x-logs-1", false },
        { "~logs", "x-logs-1", true },
        { "~^(a|b)$", "b", true },
        { "~^(a|b)$", "bc", false },
        { "~^a$", "a\n", false },
        { "~^(?i)LOGS", "logs", true },
        { "~.", "\xc3", true },
        { "~^", "", false },
        { "~^(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!",
          false },
        { "~^((a|a)(a|a))+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!",
          false },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {

        if (chorus_pattern_compile(&mem, chorus_str_from(rows[i].pattern),
                                   &pattern, &error) != CHORUS_OK)
        {
            fail_msg("%s: %s", rows[i].pattern, error.text);
        }

        check_int(rows[i].pattern,
                  chorus_pattern_match(pattern,
                                       chorus_str_from(rows[i].bucket),
                                       false),
                  rows[i].expected);
        check_str(rows[i].pattern, chorus_pattern_text(pattern),
                  rows[i].pattern);

        chorus_pattern_free(pattern);
    }

    chorus_pattern_free(NULL);
}


/* A pattern that does not end in time answers as the caller wants it. */
static void
match_in_doubt(void **state)
{
    chorus_str_t       bucket;
    chorus_error_t     error;
    chorus_pattern_t  *pattern;

    (void) state;

    bucket = chorus_str("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!");

    assert_int_equal(chorus_pattern_compile(&mem,
                         chorus_str("~^((a|a)(a|a))+$"), &pattern, &error),
                     CHORUS_OK);

    assert_false(chorus_pattern_match(pattern, bucket, false));
    assert_true(chorus_pattern_match(pattern, bucket, true));

    chorus_pattern_free(pattern);
}


static void
refuse_patterns(void **state)
{
    size_t             i;
    char               text[1100];
    chorus_error_t     error;
    chorus_pattern_t  *pattern;

    static const struct {
        const char  *pattern;
        const char  *error;
    } rows[] = {
        { "", "empty bucket pattern" },
        { "~", "empty pattern" },
        { "~(", "bad pattern at offset 2: missing closing parenthesis" },
        { "~a**", "bad pattern at offset 3" },
        { "~(*UTF)a", "UTF" },
        { "logs-*", "no wildcard" },
        { "log?", "no wildcard" },
        { "a/b", "not a bucket name" },
        { "a b", "not a bucket name" },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        check_int(rows[i].pattern,
                  chorus_pattern_compile(&mem,
                      chorus_str_from(rows[i].pattern), &pattern, &error),
                  CHORUS_ERROR);
        check_has(rows[i].pattern, error.text, rows[i].error);
        assert_null(pattern);
    }

    memset(text, 'a', sizeof(text));
    assert_int_equal(chorus_pattern_compile(&mem,
                         (chorus_str_t) { text, sizeof(text) }, &pattern,
                         &error), CHORUS_ERROR);
    check_has("long", error.text, "too long");
}


static void
load(chorus_config_t *config)
{
    chorus_error_t        error;
    chorus_config_host_t  host;

    static const char  text[] =
        "{'storages': {"
        "  'main': {'endpoint': 'http://m', 'main': true, 'users': {"
        ALICE("MA") ", " BOB("MB") "}},"
        "  'f1': {'endpoint': 'http://f1', 'users': {"
        ALICE("F1A") ", " BOB("F1B") "}},"
        "  'f2': {'endpoint': 'http://f2', 'users': {" ALICE("F2A") "}},"
        "  'logs': {'endpoint': 'http://l', 'users': {"
        ALICE("LA") ", " BOB("LB") "}}},"
        " 'replications': ["
        "  {'user': 'alice', 'bucket': 'photos', 'to': ['f2', 'f1']},"
        "  {'user': '*', 'bucket': '*', 'to': 'f1'},"
        "  {'user': 'bob', 'bucket': '~^x', 'to': ['logs']}],"
        " 'routes': ["
        "  {'user': 'alice', 'bucket': 'logs-here', 'storage': 'main'},"
        "  {'user': '*', 'bucket': '~^logs-', 'storage': 'logs'},"
        "  {'user': 'bob', 'bucket': '*', 'storage': 'f1'}]}";

    host = test_host(true);

    if (chorus_config_parse(&mem, json_of(&mem, text), &host, config, &error)
        != CHORUS_OK)
    {
        fail_msg("%s", error.text);
    }
}


static void
routes(void **state)
{
    size_t           i;
    chorus_config_t  config;

    static const struct {
        const char  *user;
        const char  *bucket;
        const char  *expected;
    } rows[] = {
        { "alice", "photos", "main" },
        { "alice", "logs-1", "logs" },
        { "alice", "logs-here", "main" },       /* the first rule counts */
        { "bob", "logs-here", "logs" },
        { "bob", "photos", "f1" },
        { "carol", "photos", "main" },
        { "alice", "", "main" },
        { "bob", "", "f1" },
    };

    (void) state;

    load(&config);

    for (i = 0; i < NROWS(rows); i++) {
        check_str(rows[i].bucket,
                  chorus_policy_route(&config, chorus_str_from(rows[i].user),
                                      chorus_str_from(rows[i].bucket))->name,
                  rows[i].expected);
    }

    chorus_config_close(&config);
}


static void
followers(void **state)
{
    size_t             i, k, n;
    chorus_buf_t       names;
    chorus_config_t    config;
    chorus_storage_t  *found[4];

    static const struct {
        const char  *user;
        const char  *bucket;
        const char  *expected;
    } rows[] = {
        { "alice", "photos", "f1 f2 " },
        { "alice", "other", "f1 " },
        { "bob", "photos", "f1 " },
        { "bob", "xyz", "f1 logs " },
        { "carol", "photos", "f1 " },
        { "alice", "", "" },
    };

    (void) state;

    load(&config);

    for (i = 0; i < NROWS(rows); i++) {

        names = chorus_buf(&mem, 0);
        n = chorus_policy_followers(&config, chorus_str_from(rows[i].user),
                                    chorus_str_from(rows[i].bucket), found,
                                    NROWS(found));

        for (k = 0; k < n; k++) {
            chorus_buf_add(&names, found[k]->name);
            chorus_buf_char(&names, ' ');
        }

        check_str(rows[i].bucket, chorus_buf_str(&names), rows[i].expected);

        found[1] = NULL;
        k = chorus_policy_followers(&config, chorus_str_from(rows[i].user),
                                    chorus_str_from(rows[i].bucket), found,
                                    1);
        check_int("counted beyond max", (int64_t) k, (int64_t) n);
        assert_null(found[1]);
    }

    chorus_config_close(&config);
}


test_main(NULL, NULL,
    test_row(match_patterns),
    test_row(match_in_doubt),
    test_row(refuse_patterns),
    test_row(routes),
    test_row(followers)
)
