/* The two date formats of S3. */

#include <time.h>

#include "chorus_time.h"
#include "test.h"


static void
parse_amz_dates(void **state)
{
    bool     ok;
    size_t   i;
    int64_t  seconds;

    static const struct {
        const char  *input;
        int64_t      expected;      /* -1: refused */
    } rows[] = {
        { "20130524T000000Z", 1369353600 },
        { "19700101T000000Z", 0 },
        { "20000229T235959Z", 951868799 },
        { "20240229T120000Z", 1709208000 },
        { "99991231T235959Z", INT64_C(253402300799) },
        { "20130229T000000Z", -1 },         /* no leap year */
        { "21000229T000000Z", -1 },
        { "20131301T000000Z", -1 },
        { "20130001T000000Z", -1 },
        { "20130100T000000Z", -1 },
        { "20130431T000000Z", -1 },
        { "20130524T240000Z", -1 },
        { "20130524T006000Z", -1 },
        { "20130524T000060Z", -1 },
        { "19691231T235959Z", -1 },
        { "20130524T000000", -1 },
        { "20130524T000000z", -1 },
        { "20130524 000000Z", -1 },
        { "2013052 T000000Z", -1 },
        { "20130524T000000ZZ", -1 },
        { "", -1 }
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        seconds = -1;
        ok = chorus_time_parse_amz(chorus_str_from(rows[i].input), &seconds);
        check_int(rows[i].input, ok, rows[i].expected != -1);
        check_int(rows[i].input, seconds, rows[i].expected);
    }
}


static void
parse_http_dates(void **state)
{
    bool     ok;
    size_t   i;
    int64_t  seconds;

    static const struct {
        const char  *input;
        int64_t      expected;
    } rows[] = {
        { "Fri, 24 May 2013 00:00:00 GMT", 1369353600 },
        { "Fri, 24 May 2013 00:00:00 +0000", 1369353600 },
        { "Fri, 24 May 2013 00:00:00 -0000", 1369353600 },
        { "Sat, 29 Feb 2020 23:59:59 GMT", 1583020799 },
        { "Fri, 24 May 2013 00:00:00 +0100", -1 },
        { "Fri, 24 May 2013 00:00:00 UTC", -1 },
        { "Fri, 24 May 2013 00:00:00 GMT ", -1 },
        { "Fri, 24 may 2013 00:00:00 GMT", -1 },
        { "Foo, 24 May 2013 00:00:00 GMT", -1 },
        { "Fri, 31 Feb 2013 00:00:00 GMT", -1 },
        { "Fri, 24 May 2013 25:00:00 GMT", -1 },
        { "Fri 24 May 2013 00:00:00 GMT ", -1 },
        { "Fri, 4 May 2013 00:00:00 GMT", -1 },
        { "Friday, 24-May-13 00:00:00 GMT", -1 },
        { "", -1 }
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        seconds = -1;
        ok = chorus_time_parse_http(chorus_str_from(rows[i].input), &seconds);
        check_int(rows[i].input, ok, rows[i].expected != -1);
        check_int(rows[i].input, seconds, rows[i].expected);
    }
}


static void
parse_iso_dates(void **state)
{
    bool     ok;
    size_t   i;
    int64_t  seconds;

    static const struct {
        const char  *input;
        int64_t      expected;
    } rows[] = {
        { "2013-05-24T00:00:00Z", 1369353600 },
        { "2013-05-24T00:00:00.000Z", 1369353600 },
        { "2013-05-24T00:00:01.999999999Z", 1369353601 },
        { "2013-05-24T00:00:00.Z", -1 },
        { "2013-05-24T00:00:00.0000000000Z", -1 },
        { "2013-05-24T00:00:00,000Z", -1 },
        { "2013-05-24T00:00:00.-1Z", -1 },
        { "2013-05-24T00:00:00", -1 },
        { "2013-05-24T00:00:00.000", -1 },
        { "2013-05-24T00:00:00z", -1 },
        { "2013-05-24T00:00:00+00:00", -1 },
        { "2013-05-24T00:00:00Z ", -1 },
        { "2013-05-24 00:00:00Z", -1 },
        { "2013-05-24T00:00Z", -1 },
        { "2013-02-29T00:00:00Z", -1 },
        { "2013-05-24T24:00:00Z", -1 },
        { "20130524T000000Z", -1 },
        { "", -1 }
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        seconds = -1;
        ok = chorus_time_parse_iso(chorus_str_from(rows[i].input), &seconds);
        check_int(rows[i].input, ok, rows[i].expected != -1);
        check_int(rows[i].input, seconds, rows[i].expected);
    }
}


static void
write_amz_dates(void **state)
{
    size_t     i;
    int64_t    seconds, back;
    time_t     t;
    char       text[CHORUS_AMZ_DATE_LEN + 1], expected[32];
    struct tm  tm;

    (void) state;

    /* against the C library, over 400 years and every kind of month end */

    for (i = 0, seconds = 0; i < 200000; i++, seconds += 63113 + i % 7) {
        t = (time_t) seconds;
        gmtime_r(&t, &tm);
        (void) strftime(expected, sizeof(expected), "%Y%m%dT%H%M%SZ", &tm);

        chorus_time_amz(seconds, text);
        assert_string_equal(text, expected);

        assert_true(chorus_time_parse_amz(chorus_str_from(text), &back));
        assert_true(back == seconds);
    }

    chorus_time_amz(-1, text);
    assert_string_equal(text, "19700101T000000Z");

    chorus_time_amz(INT64_MAX, text);
    assert_string_equal(text, "99991231T235959Z");
}


static void
write_iso_dates(void **state)
{
    size_t  i;
    char    text[CHORUS_ISO_DATE_LEN + 1];

    static const struct {
        int64_t      seconds;
        const char  *expected;
    } rows[] = {
        { 1369353600, "2013-05-24T00:00:00Z" },
        { 951868799, "2000-02-29T23:59:59Z" },
        { -1, "1970-01-01T00:00:00Z" },
        { INT64_MAX, "9999-12-31T23:59:59Z" },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        chorus_time_iso(rows[i].seconds, text);
        assert_string_equal(text, rows[i].expected);
    }
}


test_main(NULL, NULL,
    test_row(parse_amz_dates),
    test_row(parse_http_dates),
    test_row(parse_iso_dates),
    test_row(write_amz_dates),
    test_row(write_iso_dates)
)
