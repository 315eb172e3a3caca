/* S3's date formats, on the proleptic Gregorian calendar. */

#include <stdio.h>
#include <string.h>

#include "chorus_time.h"

#define DAY_SECONDS   86400
#define MAX_SECONDS   INT64_C(253402300799)     /* 9999-12-31T23:59:59Z */


typedef struct {
    unsigned  year;
    unsigned  month;            /* 1..12 */
    unsigned  day;              /* 1..31 */
    unsigned  hour;
    unsigned  minute;
    unsigned  second;
} time_fields_t;


static const char  *const time_months[] = {
    "Jan", "Feb", "Mar", "Apr", "May", "Jun",
    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
};

static const char  *const time_weekdays[] = {
    "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"
};


static bool
time_is_leap(unsigned year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}


static unsigned
time_month_days(unsigned year, unsigned month)
{
    static const unsigned char  days[] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };

    return days[month - 1] + (unsigned) (month == 2 && time_is_leap(year));
}


/* Days since 1970-01-01; years begin in March, so that leap days come last. */
static int64_t
time_days(const time_fields_t *t)
{
    int64_t  year, month, leaps;

    year = (int64_t) t->year - (t->month <= 2);
    month = (t->month + 9) % 12;
    leaps = year / 4 - year / 100 + year / 400;

    return year * 365 + leaps + (month * 153 + 2) / 5 + t->day - 1 - 719468;
}


static bool
time_to_seconds(const time_fields_t *t, int64_t *seconds)
{
    if (t->year < 1970 || t->month < 1 || t->month > 12
        || t->day < 1 || t->day > time_month_days(t->year, t->month)
        || t->hour > 23 || t->minute > 59 || t->second > 59)
    {
        return false;
    }

    *seconds = time_days(t) * DAY_SECONDS
               + t->hour * 3600 + t->minute * 60 + t->second;

    return true;
}


static void
time_to_fields(int64_t seconds, time_fields_t *t)
{
    int64_t  days, rest;

    days = seconds / DAY_SECONDS;
    rest = seconds % DAY_SECONDS;

    t->hour = (unsigned) (rest / 3600);
    t->minute = (unsigned) (rest / 60 % 60);
    t->second = (unsigned) (rest % 60);

    /* a first guess that is never too late, then at most a step or two */

    t->year = 1970 + (unsigned) (days / 366);
    t->month = 1;
    t->day = 1;

    for ( /* void */ ; ; t->year++) {
        rest = days - time_days(t);
        if (rest < 365 + (int64_t) time_is_leap(t->year)) {
            break;
        }
    }

    while (rest >= (int64_t) time_month_days(t->year, t->month)) {
        rest -= time_month_days(t->year, t->month);
        t->month++;
    }

    t->day = (unsigned) rest + 1;
}


static void
time_put(char *out, unsigned value, size_t digits)
{
    while (digits-- != 0) {
        out[digits] = (char) ('0' + value % 10);
        value /= 10;
    }
}


void
chorus_time_amz(int64_t seconds, char out[CHORUS_AMZ_DATE_LEN + 1])
{
    time_fields_t  t;

    if (seconds < 0) {
        seconds = 0;
    }

    if (seconds > MAX_SECONDS) {
        seconds = MAX_SECONDS;
    }

    time_to_fields(seconds, &t);

    time_put(out, t.year, 4);
    time_put(out + 4, t.month, 2);
    time_put(out + 6, t.day, 2);
    out[8] = 'T';
    time_put(out + 9, t.hour, 2);
    time_put(out + 11, t.minute, 2);
    time_put(out + 13, t.second, 2);
    out[15] = 'Z';
    out[16] = '\0';
}


void
chorus_time_iso(int64_t seconds, char out[CHORUS_ISO_DATE_LEN + 1])
{
    char    amz[CHORUS_AMZ_DATE_LEN + 1];
    size_t  i, from;

    static const char  form[] = "yyyy-mm-ddThh:mm:ssZ";

    chorus_time_amz(seconds, amz);

    for (i = 0, from = 0; i < CHORUS_ISO_DATE_LEN; i++) {
        out[i] = (form[i] == '-' || form[i] == ':') ? form[i] : amz[from++];
    }

    out[i] = '\0';
}


static bool
time_get(const char *text, size_t digits, unsigned *value)
{
    size_t    i;
    unsigned  digit;

    *value = 0;

    for (i = 0; i < digits; i++) {

        digit = (unsigned) (text[i] - '0');
        if (digit > 9) {
            return false;
        }

        *value = *value * 10 + digit;
    }

    return true;
}


bool
chorus_time_parse_amz(chorus_str_t text, int64_t *seconds)
{
    time_fields_t   t = { 0 };
    const char     *p = text.data;

    return text.len == CHORUS_AMZ_DATE_LEN
           && p[8] == 'T' && p[15] == 'Z'
           && time_get(p, 4, &t.year)
           && time_get(p + 4, 2, &t.month)
           && time_get(p + 6, 2, &t.day)
           && time_get(p + 9, 2, &t.hour)
           && time_get(p + 11, 2, &t.minute)
           && time_get(p + 13, 2, &t.second)
           && time_to_seconds(&t, seconds);
}


/* 1-based; 0 when the name is not in the table. */
static unsigned
time_name(const char *text, const char *const *names, unsigned nnames)
{
    unsigned  i;

    for (i = 0; i < nnames; i++) {
        if (memcmp(text, names[i], 3) == 0) {
            return i + 1;
        }
    }

    return 0;
}


/* GMT, or the zone that some clients write for it (RFC 5322, 3.3) */
static bool
time_zone_is_utc(chorus_str_t zone)
{
    return chorus_str_eq(zone, chorus_str(" GMT"))
           || chorus_str_eq(zone, chorus_str(" +0000"))
           || chorus_str_eq(zone, chorus_str(" -0000"));
}


bool
chorus_time_parse_http(chorus_str_t text, int64_t *seconds)
{
    time_fields_t   t = { 0 };
    const char     *p = text.data;

    if (text.len < sizeof("Fri, 24 May 2013 00:00:00 GMT") - 1
        || time_name(p, time_weekdays, 7) == 0
        || memcmp(p + 3, ", ", 2) != 0
        || p[7] != ' ' || p[11] != ' ' || p[16] != ' '
        || p[19] != ':' || p[22] != ':'
        || !time_zone_is_utc(chorus_str_sub(text, 25)))
    {
        return false;
    }

    t.month = time_name(p + 8, time_months, 12);

    return time_get(p + 5, 2, &t.day)
           && time_get(p + 12, 4, &t.year)
           && time_get(p + 17, 2, &t.hour)
           && time_get(p + 20, 2, &t.minute)
           && time_get(p + 23, 2, &t.second)
           && time_to_seconds(&t, seconds);
}


/* "Z", or ".123Z" */
static bool
time_ends_in_utc(chorus_str_t rest)
{
    uint64_t  n;

    if (rest.len == 0 || rest.data[rest.len - 1] != 'Z') {
        return false;
    }

    rest.len--;

    return rest.len == 0
           || (rest.data[0] == '.' && rest.len <= 10
               && chorus_str_to_u64(chorus_str_sub(rest, 1), &n));
}


bool
chorus_time_parse_iso(chorus_str_t text, int64_t *seconds)
{
    time_fields_t   t = { 0 };
    const char     *p = text.data;

    return text.len >= CHORUS_ISO_DATE_LEN
           && p[4] == '-' && p[7] == '-' && p[10] == 'T'
           && p[13] == ':' && p[16] == ':'
           && time_ends_in_utc(chorus_str_sub(text, 19))
           && time_get(p, 4, &t.year)
           && time_get(p + 5, 2, &t.month)
           && time_get(p + 8, 2, &t.day)
           && time_get(p + 11, 2, &t.hour)
           && time_get(p + 14, 2, &t.minute)
           && time_get(p + 17, 2, &t.second)
           && time_to_seconds(&t, seconds);
}
