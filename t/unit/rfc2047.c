/* User metadata beyond ASCII, as storages answer it. */

#include "chorus_rfc2047.h"
#include "test.h"


static void
decode(void **state)
{
    size_t  i;

    static const struct {
        const char  *name;
        const char  *value;
        const char  *expected;
    } rows[] = {
        { "nothing", "", "" },
        { "ASCII", "a=b?c", "a=b?c" },
        { "bytes", "gr\xc3\xbc", "gr\xc3\xbc" },
        { "quoted, as MinIO has it", "=?UTF-8?q?gr=C3=BC=C3=9Fe?=",
          "gr\xc3\xbc\xc3\x9f" "e" },
        { "base64, as AWS has it", "=?UTF-8?B?Z3LDvMOfZQ==?=",
          "gr\xc3\xbc\xc3\x9f" "e" },
        { "a blank is an underscore", "=?utf-8?Q?a_=C3=BC_b?=",
          "a \xc3\xbc b" },
        { "two words", "=?UTF-8?Q?a?= =?UTF-8?Q?b?=", "ab" },
        { "a word within text", "x =?UTF-8?Q?=C3=BC?= y", "x \xc3\xbc y" },
        { "of another character set", "=?ISO-8859-1?Q?=FC?=",
          "=?ISO-8859-1?Q?=FC?=" },
        { "of another encoding", "=?UTF-8?X?a?=", "=?UTF-8?X?a?=" },
        { "cut", "=?UTF-8?Q?a", "=?UTF-8?Q?a" },
        { "cut at its end", "=?UTF-8?Q?a?", "=?UTF-8?Q?a?" },
        { "a cut byte", "=?UTF-8?Q?=C?=", "=?UTF-8?Q?=C?=" },
        { "no hex", "=?UTF-8?Q?=XY?=", "=?UTF-8?Q?=XY?=" },
        { "no base64", "=?UTF-8?B?!?=", "=?UTF-8?B?!?=" },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        check_str(rows[i].name,
                  chorus_rfc2047_decode(&mem, chorus_str_from(rows[i].value)),
                  rows[i].expected);
    }
}


static void
encode(void **state)
{
    size_t  i;

    static const struct {
        const char  *name;
        const char  *value;
        const char  *expected;
    } rows[] = {
        { "nothing", "", "" },
        { "ASCII", "a \"b\"", "a \"b\"" },
        { "UTF-8", "gr\xc3\xbc\xc3\x9f" "e", "=?UTF-8?B?Z3LDvMOfZQ==?=" },
        { "other bytes", "gr\xfc", "gr\xfc" },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        chorus_str_t  value = chorus_str_from(rows[i].value);
        chorus_str_t  word = chorus_rfc2047_encode(&mem, value);

        check_str(rows[i].name, word, rows[i].expected);
        check_str(rows[i].name, chorus_rfc2047_decode(&mem, word),
                  rows[i].value);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test_row(decode),
        test_row(encode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
