/* The format of the journal: what is cut, flipped or foreign is never taken
 * for a record, and what is whole is found. */

#include "chorus_journal.h"
#include "test.h"

#define SALT     0x1122334455667788u
#define RECORDS  5


static unsigned char  segment[4096];
static size_t         ends[RECORDS];        /* of the records in it */


static size_t
put_record(unsigned char *p, unsigned type, uint64_t id, const char *payload,
    size_t len)
{
    chorus_journal_record_t  record = {
        .type = type, .id = id, .time_ms = 1700000000000 + id,
        .payload = { NULL, len }
    };

    if (len) {
        memcpy(p + CHORUS_JOURNAL_HEAD, payload, len);
    }

    chorus_journal_frame(p, SALT, &record);

    return CHORUS_JOURNAL_HEAD + len;
}


/* Five records; ids are 1..5. */
static size_t
build(void)
{
    size_t  i, len;

    static const struct {
        unsigned     type;
        const char  *payload;
    } rows[RECORDS] = {
        { CHORUS_JOURNAL_INTENT, "the first payload" },
        { CHORUS_JOURNAL_ABORT, "" },
        { CHORUS_JOURNAL_INTENT, "x" },
        { CHORUS_JOURNAL_DONE, "" },
        { CHORUS_JOURNAL_INTENT, "and the last of all" },
    };

    len = 0;

    for (i = 0; i < RECORDS; i++) {
        len += put_record(segment + len, rows[i].type, i + 1,
                          rows[i].payload, strlen(rows[i].payload));
        ends[i] = len;
    }

    return len;
}


typedef struct {
    uint64_t               ids[64];
    size_t                 n;
    size_t                 ncorrupt;
    chorus_journal_read_t  end;
} found_t;


static found_t
read_all(const unsigned char *bytes, size_t len, uint64_t salt)
{
    found_t                   found;
    chorus_journal_read_t     rc;
    chorus_journal_reader_t   reader;
    chorus_journal_record_t   record;

    memset(&found, 0, sizeof(found_t));

    reader = chorus_journal_reader((chorus_str_t) { (const char *) bytes,
                                                    len }, salt);

    for ( ;; ) {
        rc = chorus_journal_next(&reader, &record);

        if (rc == CHORUS_JOURNAL_END || rc == CHORUS_JOURNAL_TORN) {
            found.end = rc;
            return found;
        }

        if (rc == CHORUS_JOURNAL_CORRUPT) {
            found.ncorrupt++;
            continue;
        }

        assert_true(found.n < 64);
        assert_int_equal(record.time_ms, 1700000000000 + record.id);
        found.ids[found.n++] = record.id;
    }
}


static void
what_is_written_is_read(void **state)
{
    size_t   i, len;
    found_t  found;

    (void) state;

    len = build();
    found = read_all(segment, len, SALT);

    assert_int_equal(found.n, RECORDS);
    assert_int_equal(found.ncorrupt, 0);
    assert_int_equal(found.end, CHORUS_JOURNAL_END);

    for (i = 0; i < RECORDS; i++) {
        assert_int_equal(found.ids[i], i + 1);
    }

    found = read_all(NULL, 0, SALT);
    assert_int_equal(found.end, CHORUS_JOURNAL_END);
}


static void
zeros_behind_are_the_end(void **state)
{
    size_t   len;
    found_t  found;

    (void) state;

    len = build();
    memset(segment + len, 0, 1000);
    found = read_all(segment, len + 1000, SALT);

    assert_int_equal(found.n, RECORDS);
    assert_int_equal(found.ncorrupt, 0);
    assert_int_equal(found.end, CHORUS_JOURNAL_END);
}


static void
cut_at_each_byte(void **state)
{
    size_t   cut, len, whole;
    found_t  found;

    (void) state;

    len = build();

    for (cut = 0; cut <= len; cut++) {

        for (whole = 0; whole < RECORDS && ends[whole] <= cut; whole++) {
            /* void */
        }

        found = read_all(segment, cut, SALT);

        assert_int_equal(found.n, whole);
        assert_int_equal(found.ncorrupt, 0);
        assert_int_equal(found.end,
                         cut == (whole ? ends[whole - 1] : 0)
                         ? CHORUS_JOURNAL_END : CHORUS_JOURNAL_TORN);
    }
}


/* The record with the bit is not found, all others are. */
static void
each_bit_flipped(void **state)
{
    size_t   bit, hit, i, k, len;
    found_t  found;

    (void) state;

    len = build();

    for (bit = 0; bit < 8 * len; bit++) {

        for (hit = 0; ends[hit] <= bit / 8; hit++) {
            /* void */
        }

        segment[bit / 8] ^= 1u << bit % 8;
        found = read_all(segment, len, SALT);
        segment[bit / 8] ^= 1u << bit % 8;

        assert_int_equal(found.n, RECORDS - 1);

        for (i = 0, k = 0; i < RECORDS; i++) {
            if (i != hit) {
                assert_int_equal(found.ids[k++], i + 1);
            }
        }

        /* one that is last may look as if it were cut */
        assert_true(found.ncorrupt == 1
                    || (hit == RECORDS - 1
                        && found.end == CHORUS_JOURNAL_TORN));
    }
}


static void
rubbish_between_is_skipped(void **state)
{
    size_t   i, len, first;
    found_t  found;

    (void) state;

    len = build();
    first = ends[0];

    for (i = 1; i < 200; i++) {
        memmove(segment + first + i, segment + first + i - 1, len - first);
        segment[first] = (unsigned char) (i * 37);

        found = read_all(segment, len + i, SALT);

        assert_int_equal(found.n, RECORDS);
        assert_int_equal(found.ncorrupt, 1);
    }
}


/* A key may hold what looks like a record, but not with the salt. */
static void
no_record_of_another_segment(void **state)
{
    size_t         len;
    found_t        found;
    unsigned char  bytes[8192];

    (void) state;

    len = build();
    found = read_all(segment, len, SALT + 1);
    assert_int_equal(found.n, 0);

    found = read_all(segment, len, SALT ^ ((uint64_t) 1 << 40));
    assert_int_equal(found.n, 0);

    /* even where reading goes on behind a bad head, what is inside of a
     * payload counts only with the salt of this segment */

    len = put_record(bytes, CHORUS_JOURNAL_INTENT, 9, (char *) segment, len);
    bytes[0] ^= 1;
    found = read_all(bytes, len, SALT ^ 0xff00000000000000);
    assert_int_equal(found.n, 0);
}


static void
a_length_out_of_bounds(void **state)
{
    size_t   i, len;
    found_t  found;

    static const uint32_t  lens[] = {
        CHORUS_JOURNAL_PAYLOAD_MAX + 1, 0x7fffffff, 0x80000000, 0xffffffff,
        0xffffffe0
    };

    (void) state;

    for (i = 0; i < NROWS(lens); i++) {
        len = build();
        memcpy(segment + ends[1] + 8, &lens[i], 4);
        found = read_all(segment, len, SALT);
        assert_int_equal(found.n, RECORDS - 1);
        assert_int_equal(found.ncorrupt, 1);
    }
}


/* ---- payloads ---- */

static size_t
put_intent(unsigned char *out)
{
    unsigned char                 *p;
    chorus_journal_intent_head_t   head = {
        .facets = 7, .user = chorus_str("alice"), .bucket = chorus_str("bkt"),
        .nfollowers = 2, .nkeys = 3
    };

    p = chorus_journal_put_intent(out, &head);
    assert_int_equal(p - out, chorus_journal_intent_head_len(&head));

    p = chorus_journal_put_str(p, chorus_str("f1"));
    p = chorus_journal_put_str(p, chorus_str("f2"));
    p = chorus_journal_put_str(p, chorus_str("a"));
    p = chorus_journal_put_str(p, chorus_str(""));
    p = chorus_journal_put_str(p, chorus_str("c\0d"));

    return (size_t) (p - out);
}


static void
check_list(chorus_journal_list_t list, size_t n, const chorus_str_t *rows)
{
    size_t        i;
    chorus_str_t  s;

    for (i = 0; i < n; i++) {
        assert_true(chorus_journal_list_next(&list, &s));
        assert_true(chorus_str_eq(s, rows[i]));
    }

    assert_false(chorus_journal_list_next(&list, &s));
}


static void
an_intent_there_and_back(void **state)
{
    size_t                    len;
    unsigned char             bytes[256];
    chorus_journal_intent_t   intent;

    static const chorus_str_t  followers[] = { { "f1", 2 }, { "f2", 2 } };
    static const chorus_str_t  names[] = { { "a", 1 }, { "", 0 },
                                           { "c\0d", 3 } };

    (void) state;

    len = put_intent(bytes);

    assert_true(chorus_journal_intent_parse(
                    (chorus_str_t) { (char *) bytes, len }, &intent));
    assert_int_equal(intent.facets, 7);
    check_str("user", intent.user, "alice");
    check_str("bucket", intent.bucket, "bkt");
    check_list(intent.followers, NROWS(followers), followers);
    check_list(intent.keys, NROWS(names), names);
}


/* Shorter, longer, or with any other number in it: no intent, or one whose
 * strings lie inside. */
static void
intents_that_are_none(void **state)
{
    char                     *copy;
    size_t                    i, len;
    chorus_str_t              s;
    unsigned char             bytes[256];
    chorus_journal_intent_t   intent;

    (void) state;

    len = put_intent(bytes);
    bytes[len] = 0;

    for (i = 0; i <= len + 1; i++) {

        if (i == len) {
            continue;
        }

        /* of its exact size, so that a sanitizer sees what is read */
        copy = malloc(i + 1);
        memcpy(copy, bytes, i);
        assert_false(chorus_journal_intent_parse((chorus_str_t) { copy, i },
                                                 &intent));
        free(copy);
    }

    for (i = 0; i < len; i++) {

        copy = malloc(len);
        memcpy(copy, bytes, len);
        copy[i] ^= (char) 0xff;

        if (chorus_journal_intent_parse((chorus_str_t) { copy, len },
                                        &intent))
        {
            while (chorus_journal_list_next(&intent.keys, &s)) {
                assert_true(s.data >= copy && s.data + s.len <= copy + len);
            }
        }

        free(copy);
    }
}


static void
a_debt_there_and_back(void **state)
{
    size_t                  i, len;
    unsigned char           bytes[64], *p;
    chorus_journal_debt_t   debt;

    (void) state;

    p = chorus_journal_put_str(bytes, chorus_str("a:b:f"));
    p = chorus_journal_put_str(p, chorus_str("journal full"));
    len = (size_t) (p - bytes);

    assert_true(chorus_journal_debt_parse(
                    (chorus_str_t) { (char *) bytes, len }, &debt));
    check_str("replication", debt.replication, "a:b:f");
    check_str("reason", debt.reason, "journal full");

    for (i = 0; i < len; i++) {
        assert_false(chorus_journal_debt_parse(
                         (chorus_str_t) { (char *) bytes, i }, &debt));
    }
}


static void
who_has_it_there_and_back(void **state)
{
    size_t                    i, len;
    unsigned char             bytes[64], *p;
    chorus_journal_closed_t   closed;

    (void) state;

    p = chorus_journal_put_str(bytes, chorus_str("run"));
    p = chorus_journal_put_str(p, chorus_str("generation"));
    len = (size_t) (p - bytes);

    assert_true(chorus_journal_closed_parse(
                    (chorus_str_t) { (char *) bytes, len }, &closed));
    check_str("run", closed.run, "run");
    check_str("generation", closed.generation, "generation");

    /* of a version that did not say: nothing */

    for (i = 0; i < len; i++) {
        assert_false(chorus_journal_closed_parse(
                         (chorus_str_t) { (char *) bytes, i }, &closed));
    }
}


test_main(NULL, NULL,
    test_row(what_is_written_is_read),
    test_row(zeros_behind_are_the_end),
    test_row(cut_at_each_byte),
    test_row(each_bit_flipped),
    test_row(rubbish_between_is_skipped),
    test_row(no_record_of_another_segment),
    test_row(a_length_out_of_bounds),
    test_row(an_intent_there_and_back),
    test_row(intents_that_are_none),
    test_row(a_debt_there_and_back),
    test_row(who_has_it_there_and_back)
)
