/* Listings of objects and of buckets. */

#include "chorus_listing.h"
#include "test.h"

#define OPEN   "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/" \
               "2006-03-01/\">"
#define END    "</ListBucketResult>"
#define CLOSE  "<IsTruncated>false</IsTruncated>" END
#define MORE   "<IsTruncated>true</IsTruncated>" END
#define URL    "<EncodingType>url</EncodingType>"
#define ENTRY(key, size, etag)                                               \
    "<Contents><Key>" key "</Key><LastModified>2024-01-31T12:00:00.000Z"     \
    "</LastModified><ETag>" etag "</ETag><Size>" size "</Size><Owner><ID>i"  \
    "</ID></Owner><StorageClass>STANDARD</StorageClass></Contents>"


static void
parse_listing(void **state)
{
    size_t             i, n;
    chorus_rc_t        rc;
    chorus_error_t     error;
    chorus_listing_t   listing;

    static const struct {
        const char  *name;
        const char  *body;
        const char  *keys[3];
        size_t       n;
        bool         is_truncated;
        const char  *error;         /* refused */
    } rows[] = {

        { "an empty bucket", OPEN CLOSE, { NULL }, 0, false, NULL },
        { "the last page", OPEN ENTRY("a", "1", "\"e\"")
          ENTRY("b", "1", "\"e\"") CLOSE, { "a", "b" }, 2, false, NULL },
        { "one of several", OPEN ENTRY("a", "1", "\"e\"") MORE, { "a" }, 1,
          true, NULL },
        { "encoded keys", OPEN URL ENTRY("a%2Bb+c%20d%FF", "1", "e") CLOSE,
          { "a+b c d\xff" }, 1, false, NULL },
        { "said behind them", OPEN ENTRY("a%2B", "1", "e") URL CLOSE,
          { "a+" }, 1, false, NULL },
        { "as they are", OPEN ENTRY("a%2Bb+c", "1", "e") CLOSE,
          { "a%2Bb+c" }, 1, false, NULL },
        { "references", OPEN ENTRY("&lt;&amp;&#x263A;", "1", "&quot;e&quot;")
          CLOSE, { "<&\xe2\x98\xba" }, 1, false, NULL },
        { "the bucket's own Name and Prefix are no keys", OPEN "<Name>n"
          "</Name><Prefix>p</Prefix><Marker/><Key>x</Key>"
          ENTRY("a", "1", "e") CLOSE, { "a" }, 1, false, NULL },

        { "empty", "", { NULL }, 0, false, "line 1" },
        { "cut short", OPEN ENTRY("a", "1", "e"), { NULL }, 0, false,
          "line 1" },
        { "another document", "<Error><Code>c</Code></Error>", { NULL }, 0,
          false, "not ListBucketResult" },
        { "no key", OPEN ENTRY("", "1", "e") CLOSE, { NULL }, 0, false,
          "without a Key" },
        { "no size", OPEN ENTRY("a", "", "e") CLOSE, { NULL }, 0, false,
          "without a Size" },
        { "a negative size", OPEN ENTRY("a", "-1", "e") CLOSE, { NULL }, 0,
          false, "without a Size" },
        { "a size beyond all sizes", OPEN
          ENTRY("a", "99999999999999999999", "e") CLOSE, { NULL }, 0, false,
          "without a Size" },
        { "two keys in one", OPEN "<Contents><Key>a</Key><Key>b</Key><Size>1"
          "</Size></Contents>" CLOSE, { NULL }, 0, false, "twice" },
        { "an element in a key", OPEN "<Contents><Key>a<b/></Key></Contents>"
          CLOSE, { NULL }, 0, false, "inside a text" },
        { "a bad escape", OPEN URL ENTRY("a%2", "1", "e") CLOSE, { NULL }, 0,
          false, "not encoded right" },
        { "truncated without a key to go on from", OPEN MORE, { NULL }, 0,
          false, "not the last" },
        { "perhaps truncated", OPEN ENTRY("a", "1", "e") END, { NULL }, 0,
          false, "without IsTruncated" },
        { "neither the last nor not", OPEN ENTRY("a", "1", "e")
          "<IsTruncated>True</IsTruncated>" END, { NULL }, 0, false,
          "without IsTruncated" },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {

        rc = chorus_listing_parse(&mem, chorus_str_from(rows[i].body),
                                  &listing, &error);

        if (rows[i].error != NULL) {
            if (rc != CHORUS_ERROR || !strstr(error.text, rows[i].error)) {
                fail_msg("%s: %s", rows[i].name,
                         rc == CHORUS_OK ? "taken" : error.text);
            }
            continue;
        }

        if (rc != CHORUS_OK || listing.n != rows[i].n
            || listing.is_truncated != rows[i].is_truncated)
        {
            fail_msg("%s: rc %d, %zu keys", rows[i].name, rc, listing.n);
        }

        for (n = 0; n < listing.n; n++) {
            if (!chorus_str_eq(listing.entries[n].key,
                               chorus_str_from(rows[i].keys[n])))
            {
                fail_msg("%s: key %zu is \"%.*s\"", rows[i].name, n,
                         chorus_fmt(listing.entries[n].key));
            }
        }
    }
}


static void
parse_fields(void **state)
{
    chorus_error_t     error;
    chorus_listing_t   listing;

    (void) state;

    assert_int_equal(chorus_listing_parse(&mem, chorus_str(OPEN
        ENTRY("a", "5497558138880", "\"0123-7\"") ENTRY("b", "0", "")
        ENTRY("c", "3", "plain") CLOSE), &listing, &error), CHORUS_OK);
    assert_int_equal(listing.n, 3);
    assert_true(listing.entries[0].size == 5497558138880);
    assert_true(chorus_str_eq(listing.entries[0].etag,
                              chorus_str("0123-7")));
    assert_true(chorus_str_eq(listing.entries[0].modified,
                              chorus_str("2024-01-31T12:00:00.000Z")));
    assert_int_equal(listing.entries[1].etag.len, 0);
    assert_true(chorus_str_eq(listing.entries[2].etag, chorus_str("plain")));
}


/* A body of `n` objects. */

static chorus_str_t
body_of(size_t n)
{
    size_t        i;
    chorus_buf_t  buf;

    buf = chorus_buf(&mem, n * 100);
    chorus_buf_text(&buf, OPEN);

    for (i = 0; i < n; i++) {
        chorus_buf_text(&buf, "<Contents><Key>k");
        chorus_buf_u64(&buf, 1000000 + i);
        chorus_buf_text(&buf, "</Key><Size>0</Size></Contents>");
    }

    chorus_buf_text(&buf, CLOSE);

    return chorus_buf_str(&buf);
}


static void
parse_at_most_a_page(void **state)
{
    chorus_error_t     error;
    chorus_listing_t   listing;

    (void) state;

    assert_int_equal(chorus_listing_parse(&mem, body_of(1000), &listing,
                                          &error), CHORUS_OK);
    assert_int_equal(listing.n, 1000);
    assert_int_equal(chorus_listing_parse(&mem, body_of(1001), &listing,
                                          &error), CHORUS_ERROR);
    assert_non_null(strstr(error.text, "more than 1000"));
}


static void
sorted_by_bytes(void **state)
{
    size_t            i, k;
    chorus_listed_t   entries[3];
    chorus_listing_t  listing;

    static const struct {
        const char  *name;
        const char  *after;
        const char  *keys[3];
        size_t       n;
        bool         is_sorted;
    } rows[] = {
        { "nothing", "z", { NULL }, 0, true },
        { "ascending", "", { "a", "a!", "b" }, 3, true },
        { "behind the marker", "a", { "a\x01" }, 1, true },
        { "the marker itself", "a", { "a" }, 1, false },
        { "before the marker", "b", { "a" }, 1, false },
        { "descending", "", { "b", "a" }, 2, false },
        { "the same twice", "", { "a", "a" }, 2, false },
        { "bytes are unsigned", "", { "z", "\xc3\xa9" }, 2, true },
        { "by UTF-16, where U+10000 is before U+FFFD", "",
          { "\xf0\x90\x80\x80", "\xef\xbf\xbd" }, 2, false },
        { "by bytes, the same two", "",
          { "\xef\xbf\xbd", "\xf0\x90\x80\x80" }, 2, true },
        { "without regard to case", "", { "a", "B" }, 2, false },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {

        memset(entries, 0, sizeof(entries));

        for (k = 0; k < rows[i].n; k++) {
            entries[k].key = chorus_str_from(rows[i].keys[k]);
        }

        listing = (chorus_listing_t) { entries, rows[i].n, false };

        if (chorus_listing_is_sorted(&listing,
                                     chorus_str_from(rows[i].after))
            != rows[i].is_sorted)
        {
            fail_msg("%s", rows[i].name);
        }
    }
}


static void
parse_buckets(void **state)
{
    chorus_error_t    error;
    chorus_buckets_t  buckets;

    (void) state;

    assert_int_equal(chorus_buckets_parse(&mem, chorus_str(
        "<ListAllMyBucketsResult><Owner><DisplayName>Name</DisplayName>"
        "</Owner><Buckets><Bucket><Name>one</Name><CreationDate>d"
        "</CreationDate></Bucket><Bucket><Name>two</Name></Bucket></Buckets>"
        "</ListAllMyBucketsResult>"), &buckets, &error), CHORUS_OK);
    assert_int_equal(buckets.n, 2);
    assert_true(chorus_str_eq(buckets.names[0], chorus_str("one")));
    assert_true(chorus_str_eq(buckets.names[1], chorus_str("two")));
    assert_null(buckets.token.data);

    assert_int_equal(chorus_buckets_parse(&mem, chorus_str(
        "<ListAllMyBucketsResult><ContinuationToken>t</ContinuationToken>"
        "<Buckets/></ListAllMyBucketsResult>"), &buckets, &error),
        CHORUS_OK);
    assert_int_equal(buckets.n, 0);
    assert_true(chorus_str_eq(buckets.token, chorus_str("t")));

    assert_int_equal(chorus_buckets_parse(&mem, chorus_str(
        "<ListAllMyBucketsResult><Buckets><Bucket><Name></Name></Bucket>"
        "</Buckets></ListAllMyBucketsResult>"), &buckets, &error),
        CHORUS_ERROR);
}


test_main(NULL, NULL,
    test_row(parse_listing),
    test_row(parse_fields),
    test_row(parse_at_most_a_page),
    test_row(sorted_by_bytes),
    test_row(parse_buckets)
)
