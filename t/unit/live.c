/* The dynamic policy: documents, rules of the API, what is said of a bucket. */

#include "chorus_live.h"
#include "config_host.h"
#include "test.h"

#define FILE_TEXT  "{" STORAGES ", 'replications': [{'user': 'alice', "       \
                   "'bucket': 'b', 'to': ['follower']}]}"

#define RECORD(id, kind, since, paused, rule)                                 \
    "{'id': '" id "', 'kind': '" kind "', 'since': " since ", 'version': 9, " \
    "'paused': " paused ", 'migrate': false, 'rule': \"" rule "\"}"

#define DOCUMENT(rules)  "{'version': 9, 'origin': 1, 'rules': [" rules "]}"

/* JSON in JSON: its quotes stay quotes of C */
#define Q  "\\'"


static chorus_config_t  file;


static int
live_setup(void **state)
{
    chorus_error_t        error;
    chorus_config_host_t  host;

    if (test_setup(state) != 0) {
        return -1;
    }

    host = test_host(true);

    return chorus_config_parse(&mem, json_of(&mem, FILE_TEXT), &host, &file,
                               &error) == CHORUS_OK ? 0 : -1;
}


static int
live_teardown(void **state)
{
    chorus_config_close(&file);

    return test_teardown(state);
}


static const char  good[] = DOCUMENT(
    RECORD("all", "replication", "3", "false", "{" Q "user" Q ":" Q "*" Q ","
           Q "bucket" Q ":" Q "~^p-" Q "," Q "to" Q ":" Q "follower:{bucket}-x"
           Q "}") ","
    RECORD("one", "replication", "5", "true", "{" Q "user" Q ":" Q "alice" Q
           "," Q "bucket" Q ":" Q "p-1" Q "," Q "to" Q ":" Q "follower" Q "}")
    ","
    RECORD("r", "route", "6", "false", "{" Q "user" Q ":" Q "*" Q "," Q
           "bucket" Q ":" Q "away" Q "," Q "storage" Q ":" Q "follower" Q "}")
    ","
    RECORD("b", "block", "7", "false", "{" Q "user" Q ":" Q "alice" Q "," Q
           "bucket" Q ":" Q "shut" Q "," Q "reason" Q ":" Q "why" Q "}") ","
    RECORD("h", "pause", "8", "false", "{" Q "user" Q ":" Q "*" Q "," Q
           "bucket" Q ":" Q "~^h" Q "," Q "to" Q ":" Q "follower" Q "}"));


static void
a_document_is_read(void **state)
{
    chorus_live_t   live;
    chorus_error_t  error;

    (void) state;

    if (chorus_live_parse(&mem, json_of(&mem, good), &file, &live, &error)
        != CHORUS_OK)
    {
        fail_msg("%s", error.text);
    }

    assert_int_equal(live.version, 9);
    assert_int_equal(live.origin, 1);
    assert_int_equal(live.config.nreplications, 2);
    assert_int_equal(live.config.nroutes, 1);
    assert_int_equal(live.nnames[CHORUS_RULE_REPLICATION], 2);
    assert_int_equal(live.names[CHORUS_RULE_REPLICATION][1].since, 5);
    assert_true(live.names[CHORUS_RULE_REPLICATION][1].paused);
    check_str("reason", live.blocks[0].reason, "why");

    /* and that of the file is as it was */
    assert_int_equal(file.nreplications, 1);

    chorus_live_close(&live);
}


static void
a_bucket_is_looked_up(void **state)
{
    size_t                     i;
    chorus_live_t              live;
    chorus_str_t               user, bucket;
    chorus_error_t             error;
    chorus_storage_t          *storage;
    const chorus_live_name_t  *name;

    static const struct {
        const char  *user;
        const char  *bucket;
        bool         is_dynamic;
        const char  *route;
        bool         is_blocked;
    } rows[] = {
        { "alice", "p-1", true, NULL, false },
        { "bob", "p-2", true, NULL, false },
        { "alice", "b", false, NULL, false },
        { "bob", "away", false, "r", false },
        { "alice", "shut", false, NULL, true },
        { "bob", "shut", false, NULL, false },
        { "alice", "", false, NULL, false },
        { "", "p-1", true, NULL, false },
    };

    (void) state;

    assert_int_equal(chorus_live_parse(&mem, json_of(&mem, good), &file,
                                       &live, &error), CHORUS_OK);

    for (i = 0; i < NROWS(rows); i++) {
        user = chorus_str_from(rows[i].user);
        bucket = chorus_str_from(rows[i].bucket);

        check_int(rows[i].bucket,
                  chorus_live_config(&live, &file, user, bucket)
                  == &live.config, rows[i].is_dynamic);

        name = chorus_live_route(&live, user, bucket, &storage);
        check_int(rows[i].bucket, name != NULL, rows[i].route != NULL);

        if (name != NULL) {
            check_str(rows[i].bucket, name->id, rows[i].route);
            check_str(rows[i].bucket, storage->name, "follower");
        }

        check_int(rows[i].bucket,
                  chorus_live_block(&live, user, bucket) != NULL,
                  rows[i].is_blocked);
    }

    chorus_live_close(&live);
}


static void
what_is_paused(void **state)
{
    size_t                i;
    chorus_live_t         live;
    chorus_error_t        error;
    chorus_replication_t  replication;

    static const struct {
        const char  *replication;
        bool         expected;
    } rows[] = {
        { "alice:p-1:follower", true },             /* its one rule is */
        { "bob:p-1:follower", false },              /* no rule */
        { "alice:p-1:follower:p-1-x", false },      /* another rule */
        { "alice:h1:follower", true },              /* a pause */
        { "bob:h1:follower:else", true },
        { "bob:h1:other", false },
        { "alice:b:follower", false },
    };

    (void) state;

    assert_int_equal(chorus_live_parse(&mem, json_of(&mem, good), &file,
                                       &live, &error), CHORUS_OK);

    for (i = 0; i < NROWS(rows); i++) {
        assert_int_equal(chorus_replication_parse(&mem,
                             chorus_str_from(rows[i].replication),
                             &replication, &error), CHORUS_OK);
        check_int(rows[i].replication,
                  chorus_live_is_paused(&live, &replication),
                  rows[i].expected);
    }

    chorus_live_close(&live);
}


static void
a_malformed_document_is_refused(void **state)
{
    size_t          i;
    chorus_live_t   live;
    chorus_error_t  error;

    static const char  *const rows[] = {
        "", "null", "[]", "{}", "{'version': 1}", "{'version': 1, 'origin': 1",
        "{'version': -1, 'origin': 1, 'rules': []}",
        "{'version': 1.5, 'origin': 1, 'rules': []}",
        "{'version': '1', 'origin': 1, 'rules': []}",
        "{'version': 1, 'origin': 1, 'rules': {}}",
        "{'version': 1, 'version': 2, 'origin': 1, 'rules': []}",
        "{'version': 1, 'origin': 1, 'rules': [], 'more': 1}",
        DOCUMENT("1"), DOCUMENT("{}"), DOCUMENT("[]"),
        DOCUMENT(RECORD("a", "rule", "1", "false", "{}")),
        DOCUMENT(RECORD("a", "route", "1", "false", "{}")),
        DOCUMENT(RECORD("a", "route", "1", "false", "[]")),
        DOCUMENT(RECORD("a", "route", "1", "false", "nonsense")),
        DOCUMENT(RECORD("a", "route", "1", "1", "{}")),
        DOCUMENT(RECORD("a", "route", "1", "false, 'migrate': 7", "{}")),
        DOCUMENT(RECORD("a", "route", "'1'", "false", "{}")),
        DOCUMENT(RECORD("a", "replication", "1", "false", "{" Q "user" Q ":"
                 Q "alice" Q "," Q "bucket" Q ":" Q "~(" Q "," Q "to" Q ":" Q
                 "follower" Q "}")),
        DOCUMENT(RECORD("a", "block", "1", "false", "{" Q "user" Q ":" Q "*" Q
                 "," Q "bucket" Q ":" Q "b" Q "," Q "x" Q ":1}")),
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        error.text[0] = '\0';
        check_int(rows[i], chorus_live_parse(&mem, json_of(&mem, rows[i]),
                                             &file, &live, &error),
                  CHORUS_ERROR);
        assert_true(error.text[0] != '\0');
    }
}


static void
the_same_rule_has_the_same_text(void **state)
{
    chorus_rule_t   a, b;
    chorus_error_t  error;

    (void) state;

    assert_int_equal(chorus_rule_read(&mem, CHORUS_RULE_REPLICATION,
        json_of(&mem, "{'user': 'alice', 'bucket': 'x', 'to': 'follower', "
                "'migrate': true, 'id': 'n'}"), &file, &a, &error),
        CHORUS_OK);
    assert_int_equal(chorus_rule_read(&mem, CHORUS_RULE_REPLICATION,
        json_of(&mem, " {'to':'follower','bucket':'x','user':'alice'}"),
        &file, &b, &error), CHORUS_OK);

    check_str("id", a.id, "n");
    assert_true(a.migrate && !b.migrate);
    assert_null(b.id.data);
    assert_true(chorus_str_eq(a.text, b.text));
    check_str("text", a.text,
              "{\"bucket\":\"x\",\"to\":\"follower\",\"user\":\"alice\"}");
}


static void
rules_of_the_api_are_refused(void **state)
{
    size_t          i;
    chorus_rule_t   rule;
    chorus_error_t  error;

    static const struct {
        chorus_rule_kind_t   kind;
        const char          *body;
    } rows[] = {
        { CHORUS_RULE_ROUTE, "{'user': 'alice', 'bucket': 'b', "
                             "'storage': 'follower', 'migrate': true}" },
        { CHORUS_RULE_ROUTE, "{'user': 'alice', 'bucket': 'b', "
                             "'storage': 'follower', 'id': 'a/b'}" },
        { CHORUS_RULE_ROUTE, "{'user': 'alice', 'bucket': 'b', "
                             "'storage': 'follower', 'id': ''}" },
        { CHORUS_RULE_ROUTE, "{'user': 'alice', 'bucket': 'b', "
                             "'storage': 'follower', 'id': 7}" },
        { CHORUS_RULE_PAUSE, "{'user': '*', 'bucket': 'b', 'to': 'x'}" },
        { CHORUS_RULE_BLOCK, "{'user': '*', 'bucket': 'b', 'reads': 1}" },
        { CHORUS_RULE_BLOCK, "{'user': '*'}" },
        { CHORUS_RULE_BLOCK, "7" },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        check_int(rows[i].body,
                  chorus_rule_read(&mem, rows[i].kind,
                                   json_of(&mem, rows[i].body), &file, &rule,
                                   &error), CHORUS_ERROR);
    }
}


#define live_row(f)                                                           \
    cmocka_unit_test_setup_teardown(f, live_setup, live_teardown)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        live_row(a_document_is_read),
        live_row(a_bucket_is_looked_up),
        live_row(what_is_paused),
        live_row(a_malformed_document_is_refused),
        live_row(the_same_rule_has_the_same_text),
        live_row(rules_of_the_api_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
