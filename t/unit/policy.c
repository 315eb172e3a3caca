/* Bucket patterns, routes and followers. */

#include "chorus_bucket_setting.h"
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
        "  {'user': 'alice', 'bucket': 'photos', 'to': ['f2', 'f1'],"
        "   'guard': false},"
        "  {'user': '*', 'bucket': '*', 'to': 'f1'},"
        "  {'user': 'bob', 'bucket': '~^x', 'to': ['logs']},"

        "  {'user': 'alice', 'bucket': 'raw', 'to': 'f1:old',"
        "   'bucket_settings': ['policy'], 'guard': {'deletes': 7}},"
        "  {'user': 'alice', 'bucket': 'raw', 'to': 'f1:old',"
        "   'bucket_settings': ['lifecycle']},"
        "  {'user': 'alice', 'bucket': '~^p-', 'to': ['f2:{bucket}-2', "
        "   'f2', 'f2:x-{bucket}'], 'filter': {'prefix': 'in/'},"
        "   'migrate': false},"
        "  {'user': 'alice', 'bucket': 'p-1', 'to': 'f2', 'filter': "
        "   {'prefix': 'out/', 'tags': {'a': '1', 'b': '2'}}},"
        "  {'user': 'alice', 'bucket': 'p-2', 'to': 'f2', 'filter': "
        "   {'tags': {'a': '1'}}}],"
        " 'worker': {'guard': {'deletes': 3}},"
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
    chorus_follower_t  found[4];

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

        { "alice", "raw", "f1 f1:old " },
        { "bob", "raw", "f1 " },
        { "alice", "p-3", "f1 f2:p-3-2? f2? f2:x-p-3? " },
        { "alice", "p-1", "f1 f2:p-1-2? f2? f2:x-p-1? " },
        { "alice", "p-2", "f1 f2:p-2-2? f2 f2:x-p-2? " },
    };

    (void) state;

    load(&config);

    for (i = 0; i < NROWS(rows); i++) {

        names = chorus_buf(&mem, 0);
        assert_int_equal(chorus_policy_followers(&config, &mem,
                             chorus_str_from(rows[i].user),
                             chorus_str_from(rows[i].bucket), found,
                             NROWS(found), &n), CHORUS_OK);

        for (k = 0; k < n; k++) {
            chorus_buf_add(&names, found[k].storage->name);
            if (found[k].target.len != 0) {
                chorus_buf_char(&names, ':');
                chorus_buf_add(&names, found[k].target);
            }
            chorus_buf_text(&names, found[k].is_partial ? "? " : " ");
        }

        check_str(rows[i].bucket, chorus_buf_str(&names), rows[i].expected);

        found[1].storage = NULL;
        assert_int_equal(chorus_policy_followers(&config, &mem,
                             chorus_str_from(rows[i].user),
                             chorus_str_from(rows[i].bucket), found, 1, &k),
                         CHORUS_OK);
        assert_true(k >= n);
        assert_null(found[1].storage);
    }

    chorus_config_close(&config);
}


/* "alice:raw:f1:old" */
static chorus_replication_t
replication_of(const char *name)
{
    chorus_error_t        error;
    chorus_replication_t  replication;

    assert_int_equal(chorus_replication_parse(&mem, chorus_str_from(name),
                                              &replication, &error),
                     CHORUS_OK);

    return replication;
}


static void
filters(void **state)
{
    size_t                i;
    chorus_tag_t          tags[2];
    chorus_config_t       config;
    chorus_tagging_t      tagging;
    chorus_replication_t  replication;

    static const struct {
        const char  *replication;
        const char  *key;
        const char  *tag_a;     /* NULL: without */
        const char  *tag_b;
        bool         takes_key;
        bool         asks_tags;
        bool         takes_tags;
    } rows[] = {
        /* no filter */
        { "alice:photos:f1", "k", NULL, NULL, true, false, true },
        { "alice:raw:f1:old", "k", NULL, NULL, true, false, true },

        /* no rule: a directive */
        { "alice:photos:logs", "k", NULL, NULL, true, false, true },
        { "alice:p-3:f2:else", "k", NULL, NULL, true, false, true },
        { "bob:p-3:f2", "k", NULL, NULL, true, false, true },

        /* by prefix */
        { "alice:p-3:f2", "in/k", NULL, NULL, true, false, true },
        { "alice:p-3:f2", "in/", NULL, NULL, true, false, true },
        { "alice:p-3:f2", "in", NULL, NULL, false, false, false },
        { "alice:p-3:f2:p-3-2", "in/k", NULL, NULL, true, false, true },
        { "alice:p-3:f2:p-3-2", "k", NULL, NULL, false, false, false },
        { "alice:p-3:f2:x-p-3", "k", NULL, NULL, false, false, false },
        { "alice:p-3:f2", "", NULL, NULL, true, false, false },

        /* two rules: one of them is enough */
        { "alice:p-1:f2", "in/k", NULL, NULL, true, false, true },
        { "alice:p-1:f2", "out/k", NULL, NULL, true, true, false },
        { "alice:p-1:f2", "out/k", "1", NULL, true, true, false },
        { "alice:p-1:f2", "out/k", "1", "3", true, true, false },
        { "alice:p-1:f2", "out/k", "1", "2", true, true, true },
        { "alice:p-1:f2", "k", "1", "2", false, false, false },

        /* by tags alone */
        { "alice:p-2:f2", "k", NULL, "1", true, true, false },
        { "alice:p-2:f2", "k", "1", NULL, true, true, true },
        { "alice:p-2:f2", "in/k", NULL, NULL, true, false, true },
    };

    (void) state;

    load(&config);

    for (i = 0; i < NROWS(rows); i++) {

        replication = replication_of(rows[i].replication);
        tagging = (chorus_tagging_t) { tags, 0 };

        if (rows[i].tag_a != NULL) {
            tags[tagging.ntags++] = (chorus_tag_t) {
                chorus_str("a"), chorus_str_from(rows[i].tag_a) };
        }

        if (rows[i].tag_b != NULL) {
            tags[tagging.ntags++] = (chorus_tag_t) {
                chorus_str("b"), chorus_str_from(rows[i].tag_b) };
        }

        check_int(rows[i].replication,
                  chorus_policy_takes_key(&config, &replication,
                                          chorus_str_from(rows[i].key)),
                  rows[i].takes_key);
        check_int(rows[i].replication,
                  chorus_policy_asks_tags(&config, &replication,
                                          chorus_str_from(rows[i].key)),
                  rows[i].asks_tags);
        check_int(rows[i].replication,
                  chorus_policy_takes_tags(&config, &replication,
                                           chorus_str_from(rows[i].key),
                                           &tagging),
                  rows[i].takes_tags);
    }

    chorus_config_close(&config);
}


static void
settings(void **state)
{
    size_t                i;
    chorus_config_t       config;
    chorus_replication_t  replication;

    static const struct {
        const char  *replication;
        unsigned     expected;
        const char  *rival;
    } rows[] = {
        { "alice:photos:f1", CHORUS_BUCKET_SETTINGS_DEFAULT, NULL },
        { "alice:raw:f1:old", 1u << CHORUS_SETTING_POLICY, NULL },
        { "alice:raw:f1", CHORUS_BUCKET_SETTINGS_DEFAULT, NULL },
        { "alice:raw:gone", 0, NULL },

        /* "raw" is "old" there already, for alice */
        { "alice:old:f1", CHORUS_BUCKET_SETTINGS_DEFAULT, "raw" },
        { "alice:x:f1:old", CHORUS_BUCKET_SETTINGS_DEFAULT, "raw" },
        { "bob:old:f1", CHORUS_BUCKET_SETTINGS_DEFAULT, NULL },
        { "alice:old:f2", CHORUS_BUCKET_SETTINGS_DEFAULT, NULL },
        { "alice:x:f2:p-1", CHORUS_BUCKET_SETTINGS_DEFAULT, "p-1" },
    };

    (void) state;

    load(&config);

    for (i = 0; i < NROWS(rows); i++) {
        replication = replication_of(rows[i].replication);

        check_int(rows[i].replication,
                  chorus_policy_settings(&config, &replication),
                  rows[i].expected);
        check_str(rows[i].replication,
                  chorus_policy_rival(&config, &replication), rows[i].rival);
    }

    chorus_config_close(&config);
}


static void
migrations(void **state)
{
    size_t                i;
    chorus_config_t       config;
    chorus_replication_t  replication;

    static const struct {
        const char  *replication;
        bool         expected;
    } rows[] = {
        { "alice:photos:f1", true },
        { "alice:p-3:f2", false },
        { "alice:p-1:f2", true },       /* of two rules one does */
        { "alice:x:f1:elsewhere", true },   /* no rule: a directive's */
    };

    (void) state;

    load(&config);

    for (i = 0; i < NROWS(rows); i++) {
        replication = replication_of(rows[i].replication);

        check_int(rows[i].replication,
                  chorus_policy_migrates(&config, &replication),
                  rows[i].expected);
    }

    chorus_config_close(&config);
}


static void
guards(void **state)
{
    size_t                 i;
    chorus_config_t        config;
    chorus_replication_t   replication;
    const chorus_guard_t  *guard;

    static const struct {
        const char  *replication;
        unsigned     deletes;       /* 0: no guard */
    } rows[] = {
        { "alice:raw:f1:old", 7 },
        { "alice:photos:f2", 0 },       /* false: not that of the worker */
        { "alice:p-3:f2", 3 },
        { "alice:x:f1:elsewhere", 3 },  /* no rule: a directive's */
    };

    (void) state;

    load(&config);

    for (i = 0; i < NROWS(rows); i++) {
        replication = replication_of(rows[i].replication);
        guard = chorus_policy_guard(&config, &replication);

        check_int(rows[i].replication, guard == NULL ? 0 : guard->deletes,
                  rows[i].deletes);
    }

    chorus_config_close(&config);
}


test_main(NULL, NULL,
    test_row(match_patterns),
    test_row(match_in_doubt),
    test_row(refuse_patterns),
    test_row(routes),
    test_row(followers),
    test_row(filters),
    test_row(settings),
    test_row(migrations),
    test_row(guards)
)
