/* Settings of buckets: their canonical forms, and policies for another name. */

#include "chorus_bucket_setting.h"
#include "test.h"

#define CORS(rules)  "<CORSConfiguration>" rules "</CORSConfiguration>"
#define RULE(parts)  "<CORSRule>" parts "</CORSRule>"
#define GET          "<AllowedMethod>GET</AllowedMethod>"
#define PUT          "<AllowedMethod>PUT</AllowedMethod>"
#define ANY          "<AllowedOrigin>*</AllowedOrigin>"
#define LC(rules)                                                             \
    "<LifecycleConfiguration>" rules "</LifecycleConfiguration>"
#define POLICY(resource)                                                      \
    "{\"Statement\": {\"Resource\": " resource "}}"


static chorus_str_t
canonical_of(chorus_setting_t setting, const char *body)
{
    chorus_str_t    text;
    chorus_error_t  error;

    if (chorus_bucket_setting_canonical(&mem, setting, chorus_str_from(body),
                                        &text, &error) != CHORUS_OK)
    {
        fail_msg("%s: %s", body, error.text);
    }

    return text;
}


static void
compare(void **state)
{
    size_t        i;
    chorus_str_t  one, two;

    static const struct {
        const char        *name;
        chorus_setting_t   setting;
        const char        *one;
        const char        *two;
        bool               is_equal;
    } rows[] = {
        { "the same", CHORUS_SETTING_CORS, CORS(RULE(GET ANY)),
          CORS(RULE(GET ANY)), true },
        { "a declaration, a namespace, blanks", CHORUS_SETTING_CORS,
          "<?xml version=\"1.0\"?>\n<CORSConfiguration xmlns=\"http://x/\">\n"
          " <CORSRule>\n <AllowedMethod> GET\n</AllowedMethod>" ANY
          "\n</CORSRule></CORSConfiguration>\n",
          CORS(RULE(GET ANY)), true },
        { "a prefix", CHORUS_SETTING_CORS,
          "<s:CORSConfiguration xmlns:s=\"http://x/\"/>", CORS(""), true },
        { "the order in a rule", CHORUS_SETTING_CORS,
          CORS(RULE(ANY PUT GET)), CORS(RULE(GET ANY PUT)), true },
        { "the order of rules", CHORUS_SETTING_CORS,
          CORS(RULE(GET ANY) RULE(PUT ANY)),
          CORS(RULE(PUT ANY) RULE(GET ANY)), false },
        { "empty elements", CHORUS_SETTING_CORS,
          CORS(RULE("<ID/><ExposeHeader> </ExposeHeader>" GET ANY)),
          CORS(RULE(GET ANY)), true },
        { "another method", CHORUS_SETTING_CORS, CORS(RULE(GET ANY)),
          CORS(RULE(PUT ANY)), false },
        { "one more method", CHORUS_SETTING_CORS, CORS(RULE(GET ANY)),
          CORS(RULE(GET PUT ANY)), false },
        { "twice", CHORUS_SETTING_CORS, CORS(RULE(GET GET ANY)),
          CORS(RULE(GET ANY)), false },
        { "text that looks like an element", CHORUS_SETTING_CORS,
          CORS(RULE("<ID>x;AllowedMethod=3:GET</ID>")),
          CORS(RULE("<ID>x</ID>" GET)), false },
        { "references", CHORUS_SETTING_CORS, CORS(RULE("<ID>a&amp;b</ID>")),
          CORS(RULE("<ID>a&#38;b</ID>")), true },

        { "the order of lifecycle rules", CHORUS_SETTING_LIFECYCLE,
          LC("<Rule><ID>a</ID></Rule><Rule><ID>b</ID></Rule>"),
          LC("<Rule><ID>b</ID></Rule><Rule><ID>a</ID></Rule>"), true },
        { "all objects, in three ways", CHORUS_SETTING_LIFECYCLE,
          LC("<Rule><ID>a</ID><Filter><Prefix/></Filter></Rule>"),
          LC("<Rule><Prefix></Prefix><ID>a</ID></Rule>"), true },
        { "another rule", CHORUS_SETTING_LIFECYCLE,
          LC("<Rule><ID>a</ID></Rule>"), LC("<Rule><ID>b</ID></Rule>"),
          false },
        { "the order of redirects", CHORUS_SETTING_WEBSITE,
          "<WebsiteConfiguration><RoutingRules><RoutingRule><A>1</A>"
          "</RoutingRule><RoutingRule><A>2</A></RoutingRule></RoutingRules>"
          "</WebsiteConfiguration>",
          "<WebsiteConfiguration><RoutingRules><RoutingRule><A>2</A>"
          "</RoutingRule><RoutingRule><A>1</A></RoutingRule></RoutingRules>"
          "</WebsiteConfiguration>", false },

        { "blanks and order", CHORUS_SETTING_POLICY,
          "{ \"Version\": \"2012\",\n\"Statement\": [{\"Effect\":\"Allow\", "
          "\"Action\": [\"b\", \"a\"]}]}",
          "{\"Statement\":[{\"Action\":[\"a\",\"b\"],\"Effect\":\"Allow\"}],"
          "\"Version\":\"2012\"}", true },
        { "a list of one", CHORUS_SETTING_POLICY, "{\"A\": [\"x\"]}",
          "{\"A\": \"x\"}", true },
        { "escapes", CHORUS_SETTING_POLICY, "{\"A\": \"\\u0078\\/\"}",
          "{\"A\": \"x/\"}", true },
        { "true and numbers as texts", CHORUS_SETTING_POLICY,
          "{\"A\": true, \"B\": 17}", "{\"A\": \"true\", \"B\": \"17\"}",
          true },
        { "another effect", CHORUS_SETTING_POLICY, "{\"Effect\": \"Allow\"}",
          "{\"Effect\": \"Deny\"}", false },
        { "a list and a text with a comma", CHORUS_SETTING_POLICY,
          "{\"A\": [\"x\", \"y\"]}", "{\"A\": [\"x;1:y\"]}", false },
        { "a name and a value", CHORUS_SETTING_POLICY, "{\"A\": {\"x\": 1}}",
          "{\"A\": [\"x\", 1]}", false },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        one = canonical_of(rows[i].setting, rows[i].one);
        two = canonical_of(rows[i].setting, rows[i].two);

        check_int(rows[i].name, chorus_str_eq(one, two), rows[i].is_equal);
    }
}


static void
refuse(void **state)
{
    size_t          i;
    chorus_str_t    text;
    chorus_error_t  error;

    static const struct {
        chorus_setting_t   setting;
        const char        *body;
        const char        *error;
    } rows[] = {
        { CHORUS_SETTING_CORS, "", "no element found" },
        { CHORUS_SETTING_CORS, "<ListBucketResult/>",
          "the document element is not CORSConfiguration" },
        { CHORUS_SETTING_CORS, "<CORSConfiguration>", "no element found" },
        { CHORUS_SETTING_CORS, "<!DOCTYPE a><CORSConfiguration/>",
          "document type" },
        { CHORUS_SETTING_POLICY, "", "line" },
        { CHORUS_SETTING_POLICY, "<Policy/>", "line 1" },
        { CHORUS_SETTING_POLICY, "[]", "no object" },
        { CHORUS_SETTING_POLICY, "{\"a\": }", "line 1" },
        { CHORUS_SETTING_POLICY,
          "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1"
          "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}", "nested too deeply" },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        check_int(rows[i].body,
                  chorus_bucket_setting_canonical(&mem, rows[i].setting,
                      chorus_str_from(rows[i].body), &text, &error),
                  CHORUS_ERROR);
        check_has(rows[i].body, error.text, rows[i].error);
    }

    /* brackets in a text are none */
    (void) canonical_of(CHORUS_SETTING_POLICY,
                        "{\"a\": \"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"}");
}


static void
rename_bucket(void **state)
{
    size_t          i;
    chorus_str_t    body, text;
    chorus_error_t  error;

    static const struct {
        const char  *body;
        const char  *expected;
    } rows[] = {
        { POLICY("\"arn:aws:s3:::pics\""), POLICY("\"arn:aws:s3:::copy\"") },
        { POLICY("\"arn:aws:s3:::pics/a/*\""),
          POLICY("\"arn:aws:s3:::copy/a/*\"") },
        { POLICY("[\"arn:aws:s3:::pics\", \"arn:aws:s3:::pics/*\"]"),
          POLICY("[\"arn:aws:s3:::copy\", \"arn:aws:s3:::copy/*\"]") },
        { POLICY("\"arn:aws-cn:s3:r:acc:pics/*\""),
          POLICY("\"arn:aws-cn:s3:r:acc:copy/*\"") },
        { "{\"Statement\": [{\"NotResource\": \"arn:aws:s3:::pics\"}]}",
          "{\"Statement\": [{\"NotResource\": \"arn:aws:s3:::copy\"}]}" },

        /* other things */
        { POLICY("\"arn:aws:s3:::pics2/*\""),
          POLICY("\"arn:aws:s3:::pics2/*\"") },
        { POLICY("\"arn:aws:s3:::x/pics\""),
          POLICY("\"arn:aws:s3:::x/pics\"") },
        { POLICY("\"arn:aws:sqs:::pics\""), POLICY("\"arn:aws:sqs:::pics\"") },
        { POLICY("\"arn:aws:s3::pics\""), POLICY("\"arn:aws:s3::pics\"") },
        { POLICY("\"pics\""), POLICY("\"pics\"") },
        { POLICY("[1, {}]"), POLICY("[1, {}]") },
        { "{\"Id\": \"arn:aws:s3:::pics\"}",
          "{\"Id\": \"arn:aws:s3:::pics\"}" },
        { "{\"Statement\": 1}", "{\"Statement\": 1}" },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        assert_int_equal(chorus_bucket_setting_rename(&mem,
                             CHORUS_SETTING_POLICY,
                             chorus_str_from(rows[i].body),
                             chorus_str("pics"), chorus_str("copy"), &text,
                             &error), CHORUS_OK);

        assert_true(chorus_str_eq(
            canonical_of(CHORUS_SETTING_POLICY, text.data),
            canonical_of(CHORUS_SETTING_POLICY, rows[i].expected)));
    }

    /* nothing to do: the same bytes */
    body = chorus_str(POLICY("\"arn:aws:s3:::pics\"") " ");
    assert_int_equal(chorus_bucket_setting_rename(&mem, CHORUS_SETTING_POLICY,
                         body, chorus_str("pics"), chorus_str("pics"), &text,
                         &error), CHORUS_OK);
    assert_ptr_equal(text.data, body.data);

    body = chorus_str(CORS(""));
    assert_int_equal(chorus_bucket_setting_rename(&mem, CHORUS_SETTING_CORS,
                         body, chorus_str("pics"), chorus_str("copy"), &text,
                         &error), CHORUS_OK);
    assert_ptr_equal(text.data, body.data);

    assert_int_equal(chorus_bucket_setting_rename(&mem, CHORUS_SETTING_POLICY,
                         chorus_str("<x/>"), chorus_str("pics"),
                         chorus_str("copy"), &text, &error), CHORUS_ERROR);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test_row(compare),
        test_row(refuse),
        test_row(rename_bucket)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
