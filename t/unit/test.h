/* What the unit tests share: cmocka, main(), an arena for each test, OpenSSL for
 * all tests of a program, checks that name the row of the table. */

#ifndef TEST_H
#define TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "chorus_sigv4.h"
#include "chorus_mem.h"
#include "chorus_str.h"

/* not every program has a use for each of these */
#define TEST_HELPER  __attribute__((unused, noinline)) static

#define NROWS(table)  (sizeof(table) / sizeof((table)[0]))


static chorus_arena_t  *arena;
static chorus_mem_t     mem;

/* between crypto_setup() and crypto_teardown() */
static chorus_crypto_t     *crypto;
static chorus_key_cache_t  *keys;


TEST_HELPER int
test_setup(void **state)
{
    (void) state;

    arena = chorus_arena_create();
    mem = chorus_arena_mem(arena);

    return arena == NULL ? -1 : 0;
}


TEST_HELPER int
test_teardown(void **state)
{
    (void) state;

    chorus_arena_destroy(arena);
    arena = NULL;

    return 0;
}


TEST_HELPER int
crypto_setup(void **state)
{
    (void) state;

    crypto = chorus_crypto_create();
    keys = chorus_key_cache_create();

    return crypto == NULL || keys == NULL ? -1 : 0;
}


TEST_HELPER int
crypto_teardown(void **state)
{
    (void) state;

    chorus_key_cache_destroy(keys);
    chorus_crypto_destroy(crypto);

    return 0;
}


/* main() of a program: what is done before and after all of its tests, or NULL,
 * and a test_row() for each */
#define test_main(setup, teardown, ...)                                       \
    int                                                                       \
    main(void)                                                                \
    {                                                                         \
        const struct CMUnitTest  tests[] = { __VA_ARGS__ };                   \
                                                                              \
        return cmocka_run_group_tests(tests, setup, teardown);                \
    }


#define test_row(function)                                                    \
    cmocka_unit_test_setup_teardown(function, test_setup, test_teardown)


/* NULL is the null string */
TEST_HELPER void
check_str(const char *name, chorus_str_t actual, const char *expected)
{
    if (expected == NULL) {
        if (actual.data != NULL) {
            fail_msg("%s: got %zu bytes, expected the null string", name,
                     actual.len);
        }

        return;
    }

    if (actual.data == NULL || !chorus_str_eq(actual,
                                              chorus_str_from(expected)))
    {
        fail_msg("%s: got \"%.*s\", expected \"%s\"", name,
                 actual.data == NULL ? 6 : (int) actual.len,
                 actual.data == NULL ? "(null)" : actual.data, expected);
    }
}


TEST_HELPER void
check_int(const char *name, int64_t actual, int64_t expected)
{
    if (actual != expected) {
        fail_msg("%s: got %lld, expected %lld", name, (long long) actual,
                 (long long) expected);
    }
}


TEST_HELPER void
check_has(const char *name, const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("%s: got \"%s\", expected \"%s\" in it", name, text, part);
    }
}


#endif
