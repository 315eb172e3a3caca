/* String views, buffers and the arena. */

#include "test.h"

#define DIGITS  "0123456789"
#define LOWER   "abcdefghijklmnopqrstuvwxyz"
#define UPPER   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


static void
compare_strings(void **state)
{
    size_t  i;

    static const struct {
        const char  *name;
        const char  *a;
        const char  *b;
        int          cmp;
        bool         caseeq;
        bool         starts;        /* a with b */
        bool         casestarts;
    } rows[] = {
        { "equal", "key", "key", 0, true, true, true },
        { "case", "Key", "kEy", -1, true, false, true },
        { "shorter first", "ke", "key", -1, false, false, false },
        { "longer last", "keys", "key", 1, false, true, true },
        { "high bytes are unsigned", "\xff", "a", 1, false, false, false },
        { "not only letters differ", "a[", "a{", -1, false, false, false },
        { "long and equal", "x-amz-content-sha256", "x-amz-content-sha256", 0,
          true, true, true },
        { "long, in another case", "X-Amz-Content-Sha256",
          "x-amz-content-sha256", -1, true, false, true },
        { "long, in another case at the end", "x-amz-content-SHA256",
          "x-amz-content-sha256", -1, true, false, true },
        { "long, another beginning", "y-amz-content-sha256",
          "x-amz-content-sha256", 1, false, false, false },
        { "long, another end", "x-amz-content-sha257",
          "x-amz-content-sha256", 1, false, false, false },
        { "eight bytes of another", "x-amz-ac", "x-amz-acl", -1, false, false,
          false },
        { "empty", "", "", 0, true, true, true },
        { "null", NULL, "", 0, true, true, true },
        { "empty prefix", "a", NULL, 1, false, true, true },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        chorus_str_t  a = chorus_str_from(rows[i].a);
        chorus_str_t  b = chorus_str_from(rows[i].b);
        int           cmp = chorus_str_cmp(a, b);

        check_int(rows[i].name, (cmp > 0) - (cmp < 0), rows[i].cmp);
        check_int(rows[i].name, chorus_str_eq(a, b), rows[i].cmp == 0);
        check_int(rows[i].name, chorus_str_caseeq(a, b), rows[i].caseeq);
        check_int(rows[i].name, chorus_str_starts(a, b), rows[i].starts);
        check_int(rows[i].name, chorus_str_casestarts(a, b),
                  rows[i].casestarts);
    }
}


static void
trim_strings(void **state)
{
    size_t  i;

    static const struct {
        const char  *input;
        const char  *expected;
    } rows[] = {
        { "a", "a" }, { "  a b\t ", "a b" }, { " \t ", "" }, { "", "" },
        { "\na\n", "\na\n" }
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        check_str(rows[i].input,
                  chorus_str_trim(chorus_str_from(rows[i].input)),
                  rows[i].expected);
    }
}


static void
cut_strings(void **state)
{
    chorus_str_t  rest;

    (void) state;

    rest = chorus_str("a,,b,");

    check_str("first", chorus_str_cut(&rest, ','), "a");
    check_str("empty", chorus_str_cut(&rest, ','), "");
    check_str("last", chorus_str_cut(&rest, ','), "b");
    check_str("rest is empty", rest, "");
    check_str("end", chorus_str_cut(&rest, ','), "");
    check_str("rest is null", rest, NULL);
    check_str("of null", chorus_str_cut(&rest, ','), NULL);

    check_str("sub", chorus_str_sub(chorus_str("abc"), 1), "bc");
    check_str("sub behind", chorus_str_sub(chorus_str("abc"), 9), "");
    check_str("sub of null", chorus_str_sub(chorus_null_str, 2), NULL);
}


static void
copy_strings(void **state)
{
    chorus_str_t  copy;

    (void) state;

    copy = chorus_str_dup(&mem, (chorus_str_t) { "abcdef", 3 });
    check_str("copy", copy, "abc");
    check_int("terminated", copy.data[3], 0);

    copy = chorus_str_dup(&mem, chorus_null_str);
    check_str("copy of null", copy, "");
}


static void
read_numbers(void **state)
{
    size_t    i;
    uint64_t  n;

    static const struct {
        const char  *input;
        bool         ok;
        uint64_t     expected;
    } rows[] = {
        { "0", true, 0 },
        { "007", true, 7 },
        { "18446744073709551615", true, UINT64_MAX },
        { "18446744073709551616", false, 0 },
        { "99999999999999999999", false, 0 },
        { "", false, 0 }, { "-1", false, 0 }, { "+1", false, 0 },
        { " 1", false, 0 }, { "1 ", false, 0 }, { "0x1", false, 0 },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        n = 0;
        check_int(rows[i].input,
                  chorus_str_to_u64(chorus_str_from(rows[i].input), &n),
                  rows[i].ok);
        assert_true(n == rows[i].expected);
    }
}


static void
grow_a_buffer(void **state)
{
    size_t        i;
    chorus_buf_t  buf;

    (void) state;

    buf = chorus_buf(&mem, 0);
    check_str("empty, not null", chorus_buf_str(&buf), "");

    for (i = 0; i < 10000; i++) {
        chorus_buf_char(&buf, (char) ('a' + i % 26));
    }

    assert_int_equal(buf.len, 10000);
    assert_int_equal(buf.data[9999], 'a' + 9999 % 26);

    buf = chorus_buf(&mem, 4);
    chorus_buf_text(&buf, "n=");
    chorus_buf_u64(&buf, UINT64_MAX);
    chorus_buf_u64(&buf, 0);
    chorus_buf_text(&buf, NULL);
    chorus_buf_add(&buf, chorus_null_str);
    chorus_buf_hex(&buf, "\x00\xaf", 2);
    check_str("pieces", chorus_buf_str(&buf),
              "n=18446744073709551615" "0" "00af");
}


static void
read_hex(void **state)
{
    int  c, expected;

    (void) state;

    for (c = 0; c < 256; c++) {

        expected = -1;

        if (c != 0 && strchr("0123456789abcdef", c) != NULL) {
            expected = (int) (strchr("0123456789abcdef", c)
                              - "0123456789abcdef");
        } else if (c >= 'A' && c <= 'F') {
            expected = c - 'A' + 10;
        }

        assert_int_equal(chorus_hex_digit((char) c), expected);
    }
}


static void
write_hex(void **state)
{
    int             c;
    char            hex[2];
    unsigned char   byte;

    (void) state;

    for (c = 0; c < 256; c++) {
        byte = (unsigned char) c;
        chorus_hex(hex, &byte, 1);

        assert_true(chorus_str_is_of((chorus_str_t) { hex, 2 },
                                     CHORUS_CHAR_LOWER_HEX));
        assert_int_equal(chorus_hex_digit(hex[0]) * 16
                         + chorus_hex_digit(hex[1]), c);
    }
}


/* the characters of each kind, against the lists of the RFCs */
static void
tell_kinds_of_characters(void **state)
{
    int       c;
    size_t    i;
    bool      expected;

    static const struct {
        unsigned     kind;
        const char  *characters;
    } rows[] = {
        { CHORUS_CHAR_ALNUM, DIGITS LOWER UPPER },
        { CHORUS_CHAR_LOWER_HEX, DIGITS "abcdef" },
        { CHORUS_CHAR_UNRESERVED, DIGITS LOWER UPPER "-._~" },
        { CHORUS_CHAR_TOKEN, DIGITS LOWER "!#$%&'*+-.^_`|~" }
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        for (c = 0; c < 256; c++) {
            expected = c != 0 && strchr(rows[i].characters, c) != NULL;

            if (chorus_char_is((char) c, rows[i].kind) != expected) {
                fail_msg("kind %u, character %d", rows[i].kind, c);
            }
        }

        assert_true(chorus_str_is_of(chorus_null_str, rows[i].kind));
        assert_true(chorus_str_is_of(chorus_str_from(rows[i].characters),
                                     rows[i].kind));
        assert_false(chorus_str_is_of(chorus_str("00/"), rows[i].kind));
        assert_false(chorus_str_is_of(chorus_str(" 00"), rows[i].kind));
    }
}


static void
take_from_an_arena(void **state)
{
    char    *p;
    size_t   i, size;

    (void) state;

    for (i = 0; i < 2000; i++) {
        size = i * 7 % 9000;
        p = chorus_alloc(&mem, size);
        assert_non_null(p);
        assert_int_equal((uintptr_t) p % _Alignof(max_align_t), 0);
        memset(p, 0xa5, size);
    }

    assert_null(chorus_alloc(&mem, SIZE_MAX));
    assert_null(chorus_alloc(&mem, SIZE_MAX - 100));

    chorus_arena_reset(arena);

    p = chorus_calloc(&mem, 100);

    for (i = 0; i < 100; i++) {
        assert_int_equal(p[i], 0);
    }

    chorus_arena_destroy(NULL);
}


static void
tell_text(void **state)
{
    size_t  i;

    static const struct {
        const char    *name;
        chorus_str_t   input;
        bool           expected;
    } rows[] = {
        { "empty", { "", 0 }, true },
        { "none", { NULL, 0 }, true },
        { "of every length",
          { "a\x01\x7f\xc2\x80\xe0\xa0\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
            16 }, true },
        { "NUL", { "a\0", 2 }, false },
        { "a tail alone", { "\x80", 1 }, false },
        { "cut", { "\xe2\x98\x83", 2 }, false },
        { "no tail", { "\xc3(", 2 }, false },
        { "overlong, 2", { "\xc1\xbf", 2 }, false },
        { "overlong, 3", { "\xe0\x9f\xbf", 3 }, false },
        { "overlong, 4", { "\xf0\x8f\xbf\xbf", 4 }, false },
        { "surrogate", { "\xed\xbf\xbf", 3 }, false },
        { "over U+10FFFF", { "\xf4\x90\x80\x80", 4 }, false },
        { "5 bytes", { "\xf8\x88\x80\x80\x80", 5 }, false },
        { "no lead", { "\xff", 1 }, false },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        check_int(rows[i].name, chorus_str_is_text(rows[i].input),
                  rows[i].expected);
    }
}


test_main(NULL, NULL,
    test_row(tell_text),
    test_row(compare_strings),
    test_row(trim_strings),
    test_row(cut_strings),
    test_row(copy_strings),
    test_row(read_numbers),
    test_row(grow_a_buffer),
    test_row(read_hex),
    test_row(write_hex),
    test_row(tell_kinds_of_characters),
    test_row(take_from_an_arena)
)
