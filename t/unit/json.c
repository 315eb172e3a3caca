/* JSON strings of any bytes. */

#include <jansson.h>

#include "chorus_json.h"
#include "test.h"


static chorus_str_t
written(chorus_str_t s, size_t max)
{
    chorus_buf_t  buf;

    buf = chorus_buf(&mem, 16);
    chorus_json_string(&buf, s, max);

    return chorus_buf_str(&buf);
}


static void
strings(void **state)
{
    size_t  i;

    static const struct {
        const char  *name;
        const char  *input;
        size_t       max;
        const char  *expected;
    } rows[] = {
        { "text", "a/b c", 99, "\"a/b c\"" },
        { "nothing", "", 99, "\"\"" },
        { "quotes and backslashes", "a\"b\\", 99, "\"a\\\"b\\\\\"" },
        { "control characters", "\x01\n\x7f", 99,
          "\"\\u0001\\u000a\\u007f\"" },
        { "two, three and four bytes", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
          99, "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"" },
        { "a byte that begins nothing", "a\x80z", 99,
          "\"a\xef\xbf\xbdz\"" },
        { "a character that is cut", "\xe2\x82", 99,
          "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
        { "longer than needed", "\xc0\xaf", 99,
          "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
        { "a surrogate", "\xed\xa0\x80", 99,
          "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
        { "beyond the last character", "\xf4\x90\x80\x80", 99,
          "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
        { "as long as may be", "abc", 3, "\"abc\"" },
        { "longer", "abcd", 3, "\"abc...\"" },
        { "no character is cut", "ab\xc3\xa9", 3, "\"ab...\"" },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        check_str(rows[i].name,
                  written(chorus_str_from(rows[i].input), rows[i].max),
                  rows[i].expected);
    }
}


/* Whatever the bytes are, a strict reader takes it. */

static void
random_bytes(void **state)
{
    size_t        i, n;
    char          bytes[24];
    json_t       *json;
    unsigned      dice;
    chorus_str_t  text;

    (void) state;

    for (dice = 1; dice < 20000; dice++) {
        for (i = 0, n = dice % sizeof(bytes); i < n; i++) {
            bytes[i] = (char) ((dice * 2654435761u + i * 40503u * dice)
                               >> (i % 3 * 8));
        }

        text = written((chorus_str_t) { bytes, n }, 20);
        json = json_loadb(text.data, text.len,
                          JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_true(json_is_string(json));
        json_decref(json);
    }
}


static void
names(void **state)
{
    chorus_buf_t  buf;

    (void) state;

    buf = chorus_buf(&mem, 1);
    chorus_json_name(&buf, "a");
    chorus_buf_char(&buf, '{');
    chorus_json_name(&buf, "b");
    chorus_buf_char(&buf, '1');
    chorus_json_name(&buf, "c");
    chorus_buf_text(&buf, "2}");
    chorus_json_name(&buf, "d");

    check_str("names", chorus_buf_str(&buf),
              "\"a\":{\"b\":1,\"c\":2},\"d\":");
}


test_main(NULL, NULL,
    test_row(strings),
    test_row(random_bytes),
    test_row(names)
)
