/* The checksums of S3 uploads, and every engine behind the CRCs. */

#include "chorus_checksum.h"
#include "chorus_crc_engine.h"
#include "test.h"

#define SHORT_LEN   1100        /* several strides, and all that may remain */
#define LONG_LEN    300000
#define ALIGNMENTS  16


static const struct {
    const char    *name;
    chorus_crc_t   crc;
    unsigned       width;
    uint64_t       polynomial;
} crcs[] = {
    { "crc32", CHORUS_CRC32, 32, 0xedb88320 },
    { "crc32c", CHORUS_CRC32C, 32, 0x82f63b78 },
    { "crc64nvme", CHORUS_CRC64NVME, 64, 0x9a6c9329ac4bc9b5 },
};

static unsigned char  bytes[LONG_LEN];
static uint64_t       expected[NROWS(crcs)][LONG_LEN + 1];  /* of prefixes */
static uint64_t       seed = 88172645463325252;


/* xorshift64: the same splits in every run */
static size_t
pick(size_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;

    return (size_t) (seed % below);
}


/* By the definition: long division, a bit at a time. */
static void
divide(size_t row)
{
    int       bit;
    size_t    i;
    uint64_t  ones, value;

    ones = UINT64_MAX >> (64 - crcs[row].width);
    value = ones;
    expected[row][0] = 0;

    for (i = 0; i < LONG_LEN; i++) {
        value ^= bytes[i];

        for (bit = 0; bit < 8; bit++) {
            value = (value & 1) ? (value >> 1) ^ crcs[row].polynomial
                                : value >> 1;
        }

        expected[row][i + 1] = value ^ ones;
    }
}


static int
setup(void **state)
{
    size_t  i;

    (void) state;

    for (i = 0; i < LONG_LEN; i++) {
        bytes[i] = (unsigned char) pick(256);
    }

    for (i = 0; i < NROWS(crcs); i++) {
        divide(i);
    }

    return 0;
}


static void
check_crc(const chorus_crc_engine_t *engine, size_t row, size_t len,
    uint64_t actual)
{
    if (actual != expected[row][len]) {
        fail_msg("%s by %s of %zu bytes: got %016llx, expected %016llx",
                 crcs[row].name, engine->name, len,
                 (unsigned long long) actual,
                 (unsigned long long) expected[row][len]);
    }
}


/* Over pieces of random size, at most `max` each. */
static uint64_t
crc_in_pieces(const chorus_crc_engine_t *engine, chorus_crc_t crc,
    const unsigned char *p, size_t len, size_t max)
{
    size_t    n;
    uint64_t  value;

    for (value = 0; len != 0; p += n, len -= n) {
        n = pick(max + 1);
        n = n < len ? n : len;
        value = chorus_crc_by(engine, crc, value, p, n);
    }

    return value;
}


/* The data ends where its memory ends: ASan sees a read too far. */
static void
check_lengths(const chorus_crc_engine_t *engine, size_t row, size_t alignment)
{
    size_t          len;
    unsigned char  *block, *p;

    for (len = 0; len <= SHORT_LEN; len++) {
        block = malloc(alignment + len);
        assert_non_null(block);

        p = block + alignment;
        memcpy(p, bytes, len);

        check_crc(engine, row, len,
                  chorus_crc_by(engine, crcs[row].crc, 0, p, len));
        check_crc(engine, row, len,
                  crc_in_pieces(engine, crcs[row].crc, p, len, len / 2 + 1));

        free(block);
    }
}


static void
every_engine_agrees_with_long_division_at_every_length(void **state)
{
    size_t                      engine, row, alignment;
    const chorus_crc_engine_t  *tested;

    (void) state;

    for (engine = 0; engine < chorus_crc_nengines; engine++) {
        tested = &chorus_crc_engines[engine];

        if (!tested->is_supported()) {
            print_message("this CPU has no %s\n", tested->name);
            continue;
        }

        for (row = 0; row < NROWS(crcs); row++) {
            for (alignment = 1; alignment <= ALIGNMENTS; alignment++) {
                check_lengths(tested, row, alignment);
            }
        }
    }
}


static void
every_engine_carries_its_state_over_pieces(void **state)
{
    size_t                      engine, row, i;
    uint64_t                    value;
    const chorus_crc_engine_t  *tested;

    static const size_t  max[] = { 1, 7, 127, 129, 1023, 65537 };

    (void) state;

    for (engine = 0; engine < chorus_crc_nengines; engine++) {
        tested = &chorus_crc_engines[engine];

        for (row = 0; tested->is_supported() && row < NROWS(crcs); row++) {
            for (i = 0; i < NROWS(max); i++) {
                value = crc_in_pieces(tested, crcs[row].crc, bytes, LONG_LEN,
                                      max[i]);
                check_crc(tested, row, LONG_LEN, value);
            }
        }
    }
}


/* What one engine began another may end. */
static void
the_engine_is_no_part_of_the_value(void **state)
{
    size_t                      row;
    uint64_t                    value;
    const chorus_crc_engine_t  *portable;

    (void) state;

    portable = &chorus_crc_engines[chorus_crc_nengines - 1];
    assert_true(portable->is_supported());
    assert_null(portable->fold);

    for (row = 0; row < NROWS(crcs); row++) {
        value = chorus_crc(crcs[row].crc, 0, bytes, 1001);
        value = chorus_crc_by(portable, crcs[row].crc, value, bytes + 1001,
                              998);
        value = chorus_crc(crcs[row].crc, value, bytes + 1999, 2001);

        check_crc(portable, row, 4000, value);
    }
}


/* In pieces, the last of them the null string. */
static chorus_str_t
checksum_of(chorus_checksum_algorithm_t algorithm, chorus_str_t data,
    size_t piece)
{
    size_t              len, n;
    static char         text[CHORUS_CHECKSUM_TEXT_MAX_LEN + 1];
    chorus_checksum_t  *checksum;

    len = chorus_checksum_text_len(algorithm);
    memset(text, '.', sizeof(text));

    checksum = chorus_checksum_create(algorithm);
    assert_non_null(checksum);

    while (data.len != 0) {
        n = piece < data.len ? piece : data.len;
        assert_true(chorus_checksum_update(checksum,
                                           (chorus_str_t) { data.data, n }));
        data = chorus_str_sub(data, n);
    }

    assert_true(chorus_checksum_update(checksum, chorus_null_str));
    assert_true(chorus_checksum_end(checksum, text));
    chorus_checksum_destroy(checksum);

    assert_in_range(len, 1, CHORUS_CHECKSUM_TEXT_MAX_LEN);
    assert_int_equal(text[len], '.');

    return (chorus_str_t) { text, len };
}


static void
known_values(void **state)
{
    size_t        i, piece;
    chorus_str_t  data;

    static char  a[66560];

    static const struct {
        const char                   *name;
        chorus_checksum_algorithm_t   algorithm;
        const char                   *input;
        const char                   *expected;
    } rows[] = {
        { "crc32 of nothing", CHORUS_CHECKSUM_CRC32, "", "AAAAAA==" },
        { "crc32", CHORUS_CHECKSUM_CRC32, "123456789", "y/Q5Jg==" },
        { "crc32 of many", CHORUS_CHECKSUM_CRC32, a, "sK4Y7A==" },
        { "crc32c of nothing", CHORUS_CHECKSUM_CRC32C, "", "AAAAAA==" },
        { "crc32c", CHORUS_CHECKSUM_CRC32C, "123456789", "4waSgw==" },
        { "crc32c of many", CHORUS_CHECKSUM_CRC32C, a, "sOO8/Q==" },
        { "crc64nvme of nothing", CHORUS_CHECKSUM_CRC64NVME, "",
          "AAAAAAAAAAA=" },
        { "crc64nvme", CHORUS_CHECKSUM_CRC64NVME, "123456789",
          "rosUhgp5mIg=" },
        { "md5 of nothing", CHORUS_CHECKSUM_MD5, "",
          "1B2M2Y8AsgTpgAmY7PhCfg==" },
        { "md5", CHORUS_CHECKSUM_MD5, "abc", "kAFQmDzST7DWlj99KOF/cg==" },
        { "sha1 of nothing", CHORUS_CHECKSUM_SHA1, "",
          "2jmj7l5rSw0yVb/vlWAYkK/YBwk=" },
        { "sha1", CHORUS_CHECKSUM_SHA1, "abc",
          "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=" },
        { "sha256 of nothing", CHORUS_CHECKSUM_SHA256, "",
          "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" },
        { "sha256", CHORUS_CHECKSUM_SHA256, "abc",
          "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=" },
        { "sha512 of nothing", CHORUS_CHECKSUM_SHA512, "",
          "z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwv"
          "Y7kxvUdBeoGlODJ6+SfaPg==" },
        { "sha512", CHORUS_CHECKSUM_SHA512, "abc",
          "3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/uu9"
          "RU1EI2Q86A4qmslPpUyknw==" },
    };

    (void) state;

    memset(a, 'a', sizeof(a));

    for (i = 0; i < NROWS(rows); i++) {
        data = rows[i].input == a ? (chorus_str_t) { a, sizeof(a) }
                                  : chorus_str_from(rows[i].input);

        for (piece = 1; piece < 100000; piece = piece * 7 + 1) {
            check_str(rows[i].name,
                      checksum_of(rows[i].algorithm, data, piece),
                      rows[i].expected);
        }
    }
}


static void
names_of_headers(void **state)
{
    size_t  i;

    static const struct {
        const char                   *name;
        chorus_checksum_algorithm_t   expected;
    } rows[] = {
        { "x-amz-checksum-crc32", CHORUS_CHECKSUM_CRC32 },
        { "x-amz-checksum-crc32c", CHORUS_CHECKSUM_CRC32C },
        { "x-amz-checksum-crc64nvme", CHORUS_CHECKSUM_CRC64NVME },
        { "x-amz-checksum-md5", CHORUS_CHECKSUM_MD5 },
        { "x-amz-checksum-sha1", CHORUS_CHECKSUM_SHA1 },
        { "x-amz-checksum-sha256", CHORUS_CHECKSUM_SHA256 },
        { "x-amz-checksum-sha512", CHORUS_CHECKSUM_SHA512 },
        { "X-Amz-Checksum-Crc64NVME", CHORUS_CHECKSUM_CRC64NVME },
        { "x-amz-checksum-type", CHORUS_CHECKSUM_NONE },
        { "x-amz-checksum-mode", CHORUS_CHECKSUM_NONE },
        { "x-amz-checksum-algorithm", CHORUS_CHECKSUM_NONE },
        { "x-amz-checksum-crc32d", CHORUS_CHECKSUM_NONE },
        { "x-amz-checksum-crc3", CHORUS_CHECKSUM_NONE },
        { "x-amz-checksum-", CHORUS_CHECKSUM_NONE },
        { "crc32", CHORUS_CHECKSUM_NONE },
        { "", CHORUS_CHECKSUM_NONE },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        check_int(rows[i].name,
                  chorus_checksum_of_header(chorus_str_from(rows[i].name)),
                  rows[i].expected);
    }

    for (i = 0; rows[i].expected == i + 1; i++) {
        check_str(rows[i].name, chorus_checksum_header(rows[i].expected),
                  rows[i].name);
    }

    assert_int_equal(i, CHORUS_CHECKSUM_SHA512);
}


static void
none_is_no_algorithm(void **state)
{
    (void) state;

    check_str("header", chorus_checksum_header(CHORUS_CHECKSUM_NONE), NULL);
    check_int("length", chorus_checksum_text_len(CHORUS_CHECKSUM_NONE), 0);
    assert_null(chorus_checksum_create(CHORUS_CHECKSUM_NONE));
    assert_int_equal(chorus_checksum_of_header(chorus_null_str),
                     CHORUS_CHECKSUM_NONE);
    chorus_checksum_destroy(NULL);
}


test_main(setup, NULL,
    test_row(every_engine_agrees_with_long_division_at_every_length),
    test_row(every_engine_carries_its_state_over_pieces),
    test_row(the_engine_is_no_part_of_the_value),
    test_row(known_values),
    test_row(names_of_headers),
    test_row(none_is_no_algorithm)
)
