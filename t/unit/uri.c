/* The raw request target. */

#include "chorus_uri.h"
#include "test.h"


static void
parse_targets(void **state)
{
    size_t          i;
    chorus_rc_t     rc;
    chorus_uri_t    uri;
    chorus_error_t  error;

    static const struct {
        const char  *target;
        const char  *bucket;        /* NULL: refused */
        const char  *key;
        const char  *path;
        const char  *query;
    } rows[] = {
        { "/", "", "", "/", "" },
        { "/?x", "", "", "/", "x" },
        { "/b", "b", "", "/b", "" },
        { "/b/", "b", "", "/b/", "" },
        { "/b/k", "b", "k", "/b/k", "" },
        { "/b?acl", "b", "", "/b", "acl" },
        { "/b/k?", "b", "k", "/b/k", "" },
        { "/b/a/../c", "b", "a/../c", "/b/a/../c", "" },
        { "/b//k", "b", "/k", "/b//k", "" },
        { "/b/./k/", "b", "./k/", "/b/./k/", "" },
        { "/b/a%2Fb", "b", "a/b", "/b/a%2Fb", "" },
        { "/b/a+b%2b", "b", "a+b+", "/b/a+b%2b", "" },
        { "/b/%C3%a9 x", "b", "\xc3\xa9 x", "/b/%C3%a9 x", "" },
        { "/b/k?a=1?b=2/c", "b", "k", "/b/k", "a=1?b=2/c" },
        { "/%62/k", "b", "k", "/%62/k", "" },
        { "", NULL, "", "", "" },
        { "b/k", NULL, "", "", "" },
        { "http://h/b/k", NULL, "", "", "" },
        { "*", NULL, "", "", "" },
        { "//", NULL, "", "", "" },
        { "//k", NULL, "", "", "" },
        { "/b/%", NULL, "", "", "" },
        { "/b/%4", NULL, "", "", "" },
        { "/b/%zz", NULL, "", "", "" },
        { "/b/k?a=%", NULL, "", "", "" },
        { "/b/%00", NULL, "", "", "" },
        { "/b%00/k", NULL, "", "", "" },
        { "/a%2Fb/k", NULL, "", "", "" },
        { "/../k", NULL, "", "", "" },
        { "/%2e%2E/k", NULL, "", "", "" },
        { "/./k", NULL, "", "", "" },
        { "/b/k#f", NULL, "", "", "" },
        { "/b/k?a#f", NULL, "", "", "" },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {

        error.text[0] = '\0';
        rc = chorus_uri_parse(&mem, chorus_str_from(rows[i].target), &uri,
                              &error);

        if (rows[i].bucket == NULL) {
            check_int(rows[i].target, rc, CHORUS_ERROR);
            assert_true(error.text[0] != '\0');
            continue;
        }

        check_int(rows[i].target, rc, CHORUS_OK);
        assert_true(chorus_str_eq(uri.bucket,
                                  chorus_str_from(rows[i].bucket)));
        assert_true(chorus_str_eq(uri.key, chorus_str_from(rows[i].key)));
        assert_true(chorus_str_eq(uri.path, chorus_str_from(rows[i].path)));
        assert_true(chorus_str_eq(uri.query, chorus_str_from(rows[i].query)));
    }

    rc = chorus_uri_parse(&mem, (chorus_str_t) { "/b/\0k", 5 }, &uri, &error);
    check_int("raw NUL", rc, CHORUS_ERROR);
}


static void
find_arguments(void **state)
{
    chorus_uri_t               uri;
    const chorus_query_arg_t  *arg;

    (void) state;

    assert_int_equal(chorus_uri_parse(&mem,
        chorus_str("/b?acl&&x=1&x=2&%74agging=&y==z&"), &uri, NULL),
        CHORUS_OK);

    assert_int_equal(uri.nargs, 5);

    arg = chorus_uri_arg(&uri, chorus_str("acl"));
    assert_non_null(arg);
    assert_int_equal(arg->value.len, 0);

    arg = chorus_uri_arg(&uri, chorus_str("x"));
    check_str("the first", arg->value, "1");

    arg = chorus_uri_arg(&uri, chorus_str("tagging"));
    assert_non_null(arg);
    check_str("raw name", arg->name, "%74agging");

    arg = chorus_uri_arg(&uri, chorus_str("y"));
    check_str("second '='", arg->value, "=z");

    assert_null(chorus_uri_arg(&uri, chorus_str("ACL")));
    assert_null(chorus_uri_arg(&uri, chorus_str("ac")));
    assert_null(chorus_uri_arg(&uri, chorus_str("")));
}


/* However many a stranger sends, few are looked at. */
static void
limit_arguments(void **state)
{
    size_t        n;
    chorus_buf_t  buf;
    chorus_uri_t  uri;

    (void) state;

    buf = chorus_buf(&mem, 8192);
    chorus_buf_text(&buf, "/b?a");

    for (n = 1; n < CHORUS_URI_MAX_ARGS; n++) {
        chorus_buf_text(&buf, "&a");
    }

    check_int("the most", chorus_uri_parse(&mem, chorus_buf_str(&buf), &uri,
                                           NULL), CHORUS_OK);
    assert_int_equal(uri.nargs, CHORUS_URI_MAX_ARGS);

    chorus_buf_text(&buf, "&");
    check_int("one more, which is empty",
              chorus_uri_parse(&mem, chorus_buf_str(&buf), &uri, NULL),
              CHORUS_ERROR);
}


static void
encode_and_decode(void **state)
{
    size_t        i;
    chorus_buf_t  buf;
    chorus_str_t  out;

    static const struct {
        const char  *input;
        const char  *encoded;
        const char  *with_slash;
    } rows[] = {
        { "AZaz09-._~", "AZaz09-._~", "AZaz09-._~" },
        { "a/b c", "a%2Fb%20c", "a/b%20c" },
        { "+*'()!$&,:;=@\"", "%2B%2A%27%28%29%21%24%26%2C%3A%3B%3D%40%22",
          "%2B%2A%27%28%29%21%24%26%2C%3A%3B%3D%40%22" },
        { "\xc3\xa9\x7f\x01%", "%C3%A9%7F%01%25", "%C3%A9%7F%01%25" },
        { "", "", "" }
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {

        buf = chorus_buf(&mem, 0);
        chorus_uri_encode(&buf, chorus_str_from(rows[i].input), false);
        check_str(rows[i].input, chorus_buf_str(&buf), rows[i].encoded);

        assert_true(chorus_uri_decode(&mem, chorus_buf_str(&buf), &out));
        check_str(rows[i].encoded, out, rows[i].input);
        assert_true(chorus_uri_eq(chorus_buf_str(&buf), out));

        buf = chorus_buf(&mem, 0);
        chorus_uri_encode(&buf, chorus_str_from(rows[i].input), true);
        check_str(rows[i].input, chorus_buf_str(&buf), rows[i].with_slash);
    }

    assert_false(chorus_uri_decode(&mem, chorus_str("%4"), &out));
    assert_false(chorus_uri_decode(&mem, chorus_str("a%g0"), &out));
    assert_true(chorus_uri_decode(&mem, chorus_str("a+b"), &out));
    check_str("plus", out, "a+b");
    assert_false(chorus_uri_eq(chorus_str("a+b"), chorus_str("a b")));
}


static void
recode(void **state)
{
    size_t        i;
    chorus_buf_t  buf;

    static const struct {
        const char  *input;
        const char  *expected;
    } rows[] = {
        { "/b/k", "/b/k" },
        { "/b/a%2fb%2F/c", "/b/a/b//c" },
        { "/b/%41%7e", "/b/A~" },
        { "/b//../ x(1)", "/b//../%20x%281%29" },
        { "/b/a+b", "/b/a%2Bb" },
        { "/b/%25zz", "/b/%25zz" },
        { "/b/\xc3\xa9", "/b/%C3%A9" },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        buf = chorus_buf(&mem, 0);
        chorus_uri_recode(&buf, chorus_str_from(rows[i].input), true);
        check_str(rows[i].input, chorus_buf_str(&buf), rows[i].expected);
    }
}


static void
filter_arguments(void **state)
{
    size_t        i;
    chorus_uri_t  uri, out;

    static const char  *const names[] = { "x", "Y-z", NULL };

    static const struct {
        const char  *target;
        const char  *expected;
        size_t       nargs;
    } rows[] = {
        { "/b/k", "/b/k", 0 },
        { "/b/k?", "/b/k?", 0 },
        { "/b/k?x", "/b/k", 0 },
        { "/b/k?x=1&x=2&Y-z=", "/b/k", 0 },
        { "/b/k?x=1&a=1", "/b/k?a=1", 1 },
        { "/b/k?a=1&x=1", "/b/k?a=1", 1 },
        { "/b/k?a&x=1&b=%2f&a&Y-z=2&c=", "/b/k?a&b=%2f&a&c=", 4 },
        { "/b/k?%78=1&a", "/b/k?a", 1 },
        { "/b/k?X=1&y-z&xx&=x", "/b/k?X=1&y-z&xx&=x", 4 },
        { "/b/k?a&&b&", "/b/k?a&&b&", 2 },
        { "/b/k?&x&", "/b/k?&", 0 },
        { "/b/a+b?p+q=+a+&x=+", "/b/a+b?p%20q=%20a%20", 1 },
        { "/b/k?a=%2B+", "/b/k?a=%2B%20", 1 },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        assert_int_equal(chorus_uri_parse(&mem,
            chorus_str_from(rows[i].target), &uri, NULL), CHORUS_OK);
        assert_int_equal(chorus_uri_filter(&mem, &uri, names, "%20", &out),
                         CHORUS_OK);
        check_int(rows[i].target, (int64_t) out.nargs,
                  (int64_t) rows[i].nargs);
        check_str(rows[i].target, chorus_uri_target(&mem, &out),
                  rows[i].expected);
        check_int(rows[i].target, chorus_uri_has_plus(&out), false);
        check_str(rows[i].target, chorus_uri_target(&mem, &uri),
                  rows[i].target);
    }
}


static void
resemble(void **state)
{
    size_t  i;

    static const struct {
        const char  *encoded;
        bool         expected;
    } rows[] = {
        { "X-Amz-Date", true },
        { "x-amz-DATE", true },
        { "%58-Amz%2DDate", true },
        { "?X-Amz-Date", true },
        { "%3fX-Amz-Date", true },
        { "+X-Amz-Date", true },
        { "X-Amz-Date%3D1", true },
        { "X-Amz-Date+", true },
        { "X-Amz-Date%00", true },
        { "X-Amz-Dat", false },
        { "X-Amz-Dates", false },
        { "X_Amz_Date", false },
        { "a?X-Amz-Date", false },
        { "", false },
        { "?", false },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        check_int(rows[i].encoded,
                  chorus_uri_resembles(chorus_str_from(rows[i].encoded),
                                       chorus_str("X-Amz-Date")),
                  rows[i].expected);
    }
}


test_main(NULL, NULL,
    test_row(parse_targets),
    test_row(find_arguments),
    test_row(limit_arguments),
    test_row(encode_and_decode),
    test_row(recode),
    test_row(filter_arguments),
    test_row(resemble)
)
