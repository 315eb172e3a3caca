/* The file of the control API's tokens. */

#include "chorus_token.h"
#include "test.h"

#define T16  "0123456789abcdef"
#define T64  T16 T16 T16 T16


/* Tokens as "role name text" each, up to the first error. */

static chorus_str_t
read_all(const char *text)
{
    size_t          line;
    chorus_buf_t    out;
    chorus_str_t    rest;
    chorus_error_t  error;
    chorus_token_t  token;

    out = chorus_buf(&mem, 256);
    rest = chorus_str_from(text);
    line = 0;

    for ( ;; ) {
        if (chorus_token_next(&rest, &line, &token, &error) != CHORUS_OK) {
            chorus_buf_u64(&out, line);
            chorus_buf_text(&out, ": ");
            chorus_buf_text(&out, error.text);
            break;
        }

        if (token.text.data == NULL) {
            break;
        }

        chorus_buf_text(&out, token.reads_only ? "read " : "admin ");
        chorus_buf_add(&out, token.name);
        chorus_buf_char(&out, ' ');
        chorus_buf_add(&out, token.text);
        chorus_buf_char(&out, ';');
    }

    return chorus_buf_str(&out);
}


static void
lines(void **state)
{
    size_t  i;

    static const struct {
        const char  *name;
        const char  *text;
        const char  *expected;
    } rows[] = {
        { "nothing", "", "" },
        { "comments and blanks", "# a\n \t\n  # b\r\n", "" },
        { "a token", T16, "admin admin " T16 ";" },
        { "blanks around it", " \t" T16 " \r\n", "admin admin " T16 ";" },
        { "roles and names",
          "read " T16 "\nadmin ops " T16 "\nread  me   " T16 "\n",
          "read read " T16 ";admin ops " T16 ";read me " T16 ";" },
        { "the longest", T64 T64 T64 T64 T64 T64 T64 T64,
          "admin admin " T64 T64 T64 T64 T64 T64 T64 T64 ";" },
        { "one too long", T64 T64 T64 T64 T64 T64 T64 T64 "0",
          "1: a token has 16 to 512 characters, this one has 513" },
        { "one too short, in the third line", T16 "\n\n012345678901234\n" T16,
          "admin admin " T16
          ";3: a token has 16 to 512 characters, this one has 15" },
        { "another role", "writer x " T16,
          "1: the role of a token is \"read\" or \"admin\"" },
        { "a long name", "read " T64 "0 " T16,
          "1: the name of a token has at most 64 characters" },
        { "four words", "read a b " T16,
          "1: must be [read|admin] [name] token" },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        check_str(rows[i].name, read_all(rows[i].text), rows[i].expected);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test_row(lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
