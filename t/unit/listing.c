/* Listings of objects and of buckets. */

#include "chorus_listing.h"
#include "test.h"

#define OPEN   "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/" \
               "2006-03-01/\">"
#define CLOSE  "</ListBucketResult>"
#define BYTES  CHORUS_ORDER_BYTES
#define UTF16  CHORUS_ORDER_UTF16
#define NONE   CHORUS_ORDER_NONE
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

        { "an empty bucket", OPEN "<IsTruncated>false</IsTruncated>" CLOSE,
          { NULL }, 0, false, NULL },
        { "the last page", OPEN ENTRY("a", "1", "\"e\"")
          ENTRY("b", "1", "\"e\"") "<IsTruncated>false</IsTruncated>" CLOSE,
          { "a", "b" }, 2, false, NULL },
        { "one that does not say it is the last", OPEN ENTRY("a", "1", "e")
          CLOSE, { "a" }, 1, true, NULL },
        { "an empty one that does not say it", OPEN CLOSE, { NULL }, 0, false,
          NULL },
        { "empty, and not the last", OPEN "<IsTruncated>true</IsTruncated>"
          "<NextMarker>m</NextMarker>" CLOSE, { NULL }, 0, true, NULL },
        { "empty, and nothing to go on from", OPEN
          "<IsTruncated>true</IsTruncated>" CLOSE, { NULL }, 0, true, NULL },
        { "one of several", OPEN "<IsTruncated>true</IsTruncated>"
          ENTRY("a", "1", "\"e\"") CLOSE, { "a" }, 1, true, NULL },
        { "encoded keys", OPEN URL ENTRY("a%2Bb+c%20d%FF", "1", "e") CLOSE,
          { "a+b c d\xff" }, 1, true, NULL },
        { "said behind them", OPEN ENTRY("a%2B", "1", "e") URL CLOSE,
          { "a+" }, 1, true, NULL },
        { "control characters in the markers, as Ceph writes them", OPEN URL
          "<Marker>a&#x01;b</Marker><NextMarker>a&#x01;c</NextMarker>"
          ENTRY("a%01c", "1", "e") CLOSE, { "a\001c" }, 1, true, NULL },
        { "a NextMarker that Ceph does not encode", OPEN URL
          "<NextMarker>100%</NextMarker>" ENTRY("100%25", "1", "e") CLOSE,
          { "100%" }, 1, true, NULL },
        { "control characters in a key", OPEN ENTRY("a&#x01;", "1", "e") CLOSE,
          { NULL }, 0, false, "not encoded" },
        { "as they are", OPEN ENTRY("a%2Bb+c", "1", "e") CLOSE,
          { "a%2Bb+c" }, 1, true, NULL },
        { "references", OPEN ENTRY("&lt;&amp;&#x263A;", "1", "&quot;e&quot;")
          CLOSE, { "<&\xe2\x98\xba" }, 1, true, NULL },
        { "the bucket's own Name and Prefix are no keys", OPEN "<Name>n"
          "</Name><Prefix>p</Prefix><Marker/><Key>x</Key>"
          ENTRY("a", "1", "e") CLOSE, { "a" }, 1, true, NULL },

        { "neither true nor false", OPEN "<IsTruncated>1</IsTruncated>"
          ENTRY("a", "1", "e") CLOSE, { NULL }, 0, false, "neither" },
        { "a blank that is not encoded", OPEN URL ENTRY("a b", "1", "e")
          CLOSE, { NULL }, 0, false, "not encoded right" },
        { "bytes that are not encoded", OPEN URL ENTRY("\xc3\xa9", "1", "e")
          CLOSE, { NULL }, 0, false, "not encoded right" },
        { "a bad escape in the marker", OPEN URL "<NextMarker>%</NextMarker>"
          CLOSE, { NULL }, 0, false, "NextMarker" },
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
                                          &error), CHORUS_OK);
    /* a storage that gives more than it is asked for */
    assert_int_equal(listing.n, 1000);
    assert_true(listing.is_truncated);
    assert_true(chorus_str_eq(listing.entries[999].key,
                              chorus_str("k1000999")));
}


static void
parse_next_marker(void **state)
{
    chorus_error_t    error;
    chorus_listing_t  listing;

    (void) state;

    assert_int_equal(chorus_listing_parse(&mem, chorus_str(OPEN URL
        "<NextMarker>a%2F+b</NextMarker><IsTruncated>true</IsTruncated>"
        CLOSE), &listing, &error), CHORUS_OK);
    assert_true(chorus_str_eq(listing.next, chorus_str("a/ b")));
    assert_int_equal(chorus_listing_parse(&mem, chorus_str(OPEN
        "<NextMarker></NextMarker>" CLOSE), &listing, &error), CHORUS_OK);
    assert_int_equal(listing.next.len, 0);
}


static void
tidy(void **state)
{
    size_t            i, k, n;
    chorus_listed_t   entries[4];
    chorus_listing_t  listing;

    static const struct {
        const char  *name;
        const char  *after;
        const char  *keys[4];
        size_t       n;
        const char  *left[3];
        size_t       last_of[3];    /* which entry it was */
    } rows[] = {
        { "nothing to do", "", { "a", "b" }, 2, { "a", "b" }, { 0, 1 } },
        { "nothing", "z", { NULL }, 0, { NULL }, { 0 } },
        { "the marker once more", "a", { "a", "b" }, 2, { "b" }, { 1 } },
        { "only the marker", "a", { "a" }, 1, { NULL }, { 0 } },
        { "the marker twice", "a", { "a", "a", "b" }, 3, { "b" }, { 2 } },
        { "one key twice", "", { "a", "a", "b" }, 3, { "a", "b" },
          { 1, 2 } },
        { "three times, at the end", "", { "a", "b", "b", "b" }, 4,
          { "a", "b" }, { 0, 3 } },
        { "not side by side", "", { "a", "b", "a" }, 3, { "a", "b", "a" },
          { 0, 1, 2 } },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {

        memset(entries, 0, sizeof(entries));

        for (k = 0; k < rows[i].n; k++) {
            entries[k].key = chorus_str_from(rows[i].keys[k]);
            entries[k].size = k;
        }

        listing = (chorus_listing_t) { .entries = entries, .n = rows[i].n };
        chorus_listing_tidy(&listing, chorus_str_from(rows[i].after));

        for (n = 0; n < 3 && rows[i].left[n] != NULL; n++) {
            if (n == listing.n
                || !chorus_str_eq(entries[n].key,
                                  chorus_str_from(rows[i].left[n]))
                || entries[n].size != rows[i].last_of[n])
            {
                fail_msg("%s: entry %zu", rows[i].name, n);
            }
        }

        if (n != listing.n) {
            fail_msg("%s: %zu left", rows[i].name, listing.n);
        }
    }
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
        chorus_order_t  order;
    } rows[] = {
        { "nothing", "z", { NULL }, 0, BYTES },
        { "ascending", "", { "a", "a!", "b" }, 3, BYTES },
        { "behind the marker", "a", { "a\x01" }, 1, BYTES },
        { "the marker itself", "a", { "a" }, 1, NONE },
        { "before the marker", "b", { "a" }, 1, NONE },
        { "descending", "", { "b", "a" }, 2, NONE },
        { "the same twice", "", { "a", "a" }, 2, NONE },
        { "bytes are unsigned", "", { "z", "\xc3\xa9" }, 2, BYTES },
        { "by UTF-16, where U+10000 is before U+FFFD", "",
          { "\xf0\x90\x80\x80", "\xef\xbf\xbd" }, 2, UTF16 },
        { "by UTF-16, before U+E000", "",
          { "a\xf0\x90\x80\x80", "a\xee\x80\x80", "b" }, 3, UTF16 },
        { "by UTF-16, behind U+D7FF", "",
          { "\xed\x9f\xbf", "\xf0\x90\x80\x80", "\xee\x80\x80" }, 3,
          UTF16 },
        { "by UTF-16, behind the marker", "\xf0\x90\x80\x80",
          { "\xef\xbf\xbd" }, 1, UTF16 },
        { "by bytes, the same two", "",
          { "\xef\xbf\xbd", "\xf0\x90\x80\x80" }, 2, BYTES },
        { "without regard to case", "", { "a", "B" }, 2, NONE },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {

        memset(entries, 0, sizeof(entries));

        for (k = 0; k < rows[i].n; k++) {
            entries[k].key = chorus_str_from(rows[i].keys[k]);
        }

        listing = (chorus_listing_t) { .entries = entries, .n = rows[i].n };

        if (chorus_listing_is_sorted(&listing,
                                     chorus_str_from(rows[i].after))
            != (rows[i].order == BYTES)
            || chorus_listing_order(&listing, chorus_str_from(rows[i].after))
               != rows[i].order)
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
    test_row(parse_next_marker),
    test_row(tidy),
    test_row(sorted_by_bytes),
    test_row(parse_buckets)
)
