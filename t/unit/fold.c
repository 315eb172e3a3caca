/* Histories folded into one entry a key: pages, and against the comparison of
 * whole histories (chorus_history_compare). */

#include <stdio.h>

#include "chorus_fold.h"
#include "chorus_join.h"
#include "test.h"

#define RUNS      30000
#define VERSIONS  8


static chorus_crypto_t  *crypto;


static int
setup(void **state)
{
    (void) state;
    crypto = chorus_crypto_create();

    return crypto == NULL;
}


static int
teardown(void **state)
{
    (void) state;
    chorus_crypto_destroy(crypto);

    return 0;
}


/* A history, newest first: "1x" one byte, ETag x; "1" without an ETag; "D" a
 * delete marker; behind ':' the id, else one that nobody else has. */

static chorus_history_t
history_of(const char *text, const char *key, const char *side)
{
    char                id[32];
    size_t              n;
    chorus_str_t        rest, word, part;
    chorus_version_t   *v;
    chorus_history_t    history;

    history.versions = chorus_calloc(&mem, 32 * sizeof(chorus_version_t));
    assert_non_null(history.versions);
    n = 0;

    for (rest = chorus_str_from(text); rest.len != 0; n++) {
        word = chorus_str_cut(&rest, ' ');
        part = chorus_str_cut(&word, ':');
        v = &history.versions[n];

        v->key = chorus_str_from(key);
        v->is_marker = part.data[0] == 'D';
        v->size = v->is_marker ? 0 : (uint64_t) (part.data[0] - '0');
        v->etag = v->is_marker ? chorus_null_str
                  : chorus_str_dup(&mem, chorus_str_sub(part, 1));

        (void) snprintf(id, sizeof(id), "%s%zu", side, n);
        v->id = chorus_str_dup(&mem, word.len != 0 ? word
                                                   : chorus_str_from(id));
    }

    history.nversions = n;

    return history;
}


static chorus_folded_t
folded_of(const chorus_history_t *history)
{
    size_t           i;
    chorus_folded_t  folded;

    chorus_folded_begin(&folded);

    for (i = 0; i < history->nversions; i++) {
        assert_true(chorus_folded_add(crypto, &folded,
                                      &history->versions[i]));
    }

    return folded;
}


static void
compare_rows(void **state)
{
    size_t            i;
    chorus_folded_t   a, b;
    chorus_history_t  ours, theirs;

    static const struct {
        const char          *name;
        const char          *ours;
        const char          *theirs;
        chorus_folded_rc_t   expected;
    } rows[] = {
        { "equal contents, other ids", "1x 2y D 1x", "1x 2y D 1x",
          CHORUS_FOLDED_EQUAL },
        { "another order", "1x 2y", "2y 1x", CHORUS_FOLDED_DIFFERENT },
        { "another size", "1x", "2x", CHORUS_FOLDED_DIFFERENT },
        { "another ETag", "1x", "1y", CHORUS_FOLDED_DIFFERENT },
        { "another ETag under main's id", "1x:i", "1y:i",
          CHORUS_FOLDED_EQUAL },
        { "another size under main's id", "1x:i", "2x:i",
          CHORUS_FOLDED_DIFFERENT },
        { "one more", "1x", "2y 1x", CHORUS_FOLDED_DIFFERENT },
        { "one less", "2y 1x", "1x", CHORUS_FOLDED_DIFFERENT },
        { "a marker for a version", "D 1x", "1x 1x",
          CHORUS_FOLDED_DIFFERENT },
        { "a marker is no empty version", "D", "0", CHORUS_FOLDED_DIFFERENT },
        { "one marker for two in a row", "D D 1x", "D 1x",
          CHORUS_FOLDED_EQUAL },
        { "two markers for one", "D 1x", "D D 1x", CHORUS_FOLDED_DIFFERENT },
        { "no marker for two in a row", "D D 1x", "1x",
          CHORUS_FOLDED_DIFFERENT },
        { "markers that are not in a row", "D 1x D 1x", "D 1x 1x",
          CHORUS_FOLDED_DIFFERENT },
        { "null on both", "1x:null", "1x:null", CHORUS_FOLDED_EQUAL },
        { "null on both, another ETag", "1x:null", "1y:null",
          CHORUS_FOLDED_DIFFERENT },
        { "main's null has an id there", "1x:null", "1x",
          CHORUS_FOLDED_EQUAL },
        { "null there only", "1x", "1x:null", CHORUS_FOLDED_DIFFERENT },
        { "null there in another place", "1x:null 1x", "1x 1x:null",
          CHORUS_FOLDED_DIFFERENT },
        { "null behind markers in a row", "D D 1x:null", "D 1x:null",
          CHORUS_FOLDED_EQUAL },
        { "no ETag on one side", "1 2y", "1x 2y", CHORUS_FOLDED_UNSURE },
        { "no ETag on both", "1", "1", CHORUS_FOLDED_UNSURE },
        { "no ETag, but main's id", "1:i", "1x:i", CHORUS_FOLDED_EQUAL },
        { "no ETag of a null version", "1:null", "1:null",
          CHORUS_FOLDED_UNSURE },
        { "no ETag, another size", "1", "2x", CHORUS_FOLDED_DIFFERENT },
        { "no ETag, one more", "1", "1x 1x", CHORUS_FOLDED_DIFFERENT },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        ours = history_of(rows[i].ours, "k", "a");
        theirs = history_of(rows[i].theirs, "k", "b");
        a = folded_of(&ours);
        b = folded_of(&theirs);

        if (chorus_folded_compare(&a, &b) != rows[i].expected) {
            fail_msg("%s: %d", rows[i].name, chorus_folded_compare(&a, &b));
        }
    }
}


static unsigned
dice(unsigned *seed, unsigned bound)
{
    *seed = *seed * 1103515245u + 12345u;

    return (*seed >> 16) % bound;
}


static chorus_history_t
random_history(unsigned *seed, const char *side)
{
    char      text[VERSIONS * 4 + 1];
    size_t    i, n, len;

    static const char *const  words[] = { "1x ", "1y ", "D ", "D " };

    n = dice(seed, VERSIONS);
    len = 0;

    for (i = 0; i < n; i++) {
        len += (size_t) snprintf(text + len, sizeof(text) - len, "%s",
                                 words[dice(seed, NROWS(words))]);
    }

    text[len] = '\0';

    return history_of(len == 0 ? "1x" : text, "k", side);
}


/* Other contents are other contents: no listing tells more. */

static chorus_version_verdict_t
look(void *data, const chorus_version_t *ours, const chorus_version_t *theirs)
{
    (void) data;

    return chorus_str_eq(ours->etag, theirs->etag) ? CHORUS_VERSION_SAME
                                                   : CHORUS_VERSION_OTHER;
}


static bool
is_equal(const chorus_history_t *ours, const chorus_history_t *theirs)
{
    chorus_history_edit_t  edit;

    assert_int_equal(chorus_history_compare(&mem, ours, theirs, look, NULL,
                                            &edit), CHORUS_OK);

    return edit.nkept == ours->nversions && edit.nsurplus == 0;
}


/* The end of markers in a row may be cut off in a history: then the newest
 * ones stand for nothing, and are appended.  And of two rows one may have more
 * and another less: only the sum is compared. */

static bool
is_told_apart(const chorus_history_t *ours, const chorus_history_t *theirs)
{
    size_t  i, a, b;

    a = b = 0;

    for (i = 0; i < ours->nversions; i++) {
        a += ours->versions[i].is_marker;
    }

    for (i = 0; i < theirs->nversions; i++) {
        b += theirs->versions[i].is_marker;
    }

    return a != b;
}


static void
compare_random(void **state)
{
    bool              expected, said;
    unsigned          run, seed, n;
    chorus_folded_t   a, b;
    chorus_history_t  ours, theirs;

    (void) state;
    n = 0;

    for (run = 0; run < RUNS; run++) {

        seed = run;
        ours = random_history(&seed, "a");
        theirs = dice(&seed, 2) == 0 ? random_history(&seed, "b") : ours;
        a = folded_of(&ours);
        b = folded_of(&theirs);

        expected = is_equal(&ours, &theirs);
        said = chorus_folded_compare(&a, &b) == CHORUS_FOLDED_EQUAL;
        n += said;

        if (said != expected && !is_told_apart(&ours, &theirs)) {
            fail_msg("seed %u: %d and not %d", run, said, expected);
        }

        chorus_arena_reset(arena);
    }

    assert_true(n > RUNS / 3 && n < RUNS);
}


/* ---- pages ---- */


/* "a b b c": a version of a, two of b, one of c, with ids 0 1 2 ... */

static chorus_version_page_t
page_of(const char *text, bool is_truncated)
{
    char                    id[24];
    size_t                  n;
    chorus_str_t            rest;
    chorus_version_t       *v;
    chorus_version_page_t   page;

    memset(&page, 0, sizeof(chorus_version_page_t));
    page.is_truncated = is_truncated;
    page.history.versions = chorus_calloc(&mem, 32
                                                * sizeof(chorus_version_t));

    for (n = 0, rest = chorus_str_from(text); rest.len != 0; n++) {
        v = &page.history.versions[n];
        v->key = chorus_str_cut(&rest, ' ');
        v->size = 1;
        v->etag = chorus_str("x");
        (void) snprintf(id, sizeof(id), "%zu", n);
        v->id = chorus_str_dup(&mem, chorus_str_from(id));
    }

    page.history.nversions = n;

    return page;
}


/* Page after page of `size` that overlap by one: "a1 b2 c1". */

static chorus_str_t
fold_all(const char *text, size_t size, const char *after)
{
    bool                    is_gone;
    size_t                  i, at;
    chorus_buf_t            buf;
    chorus_fold_t           fold;
    chorus_error_t          error;
    chorus_listing_t        listing;
    chorus_version_page_t   all, page;

    memset(&fold, 0, sizeof(chorus_fold_t));
    fold.crypto = crypto;
    all = page_of(text, false);
    buf = chorus_buf(&mem, 64);

    for (at = 0; ; at += size - 1) {

        page.history.versions = all.history.versions + at;
        page.is_truncated = at + size < all.history.nversions;
        page.history.nversions = page.is_truncated
                                 ? size : all.history.nversions - at;

        if (chorus_fold_page(&mem, &fold, &page, chorus_str_from(after),
                             &listing, &is_gone, &error) != CHORUS_OK)
        {
            return chorus_str_dup(&mem, chorus_str_from(error.text));
        }

        for (i = 0; i < listing.n; i++) {
            chorus_buf_add(&buf, listing.entries[i].key);
            chorus_buf_u64(&buf, listing.entries[i].history->nversions);
            chorus_buf_char(&buf, ' ');
            assert_true(listing.entries[i].size
                        == listing.entries[i].history->bytes);
        }

        assert_true(listing.is_truncated == page.is_truncated);

        if (!page.is_truncated) {
            return chorus_buf_str(&buf);
        }
    }
}


static void
pages(void **state)
{
    size_t        i, size;
    chorus_str_t  said;

    static const struct {
        const char  *name;
        const char  *keys;
        const char  *after;
        const char  *expected;
    } rows[] = {
        { "nothing", "", "", "" },
        { "one of each", "a b c", "", "a1 b1 c1 " },
        { "a long one", "a b b b b b b b b c", "", "a1 b8 c1 " },
        { "only a long one", "b b b b b b", "", "b6 " },
        { "the marker's own are left out", "a a a b b", "a", "b2 " },
        { "only the marker's own", "a a a", "a", "" },
        { "one is the beginning of another", "a a a! a! aa", "",
          "a2 a!2 aa1 " },
        { "not in order", "b a", "", "its keys are not in the order of "
          "their bytes" },
        { "in front of the marker", "a b", "aa", "its keys are not in the "
          "order of their bytes" },
        { "one that comes again", "a b a", "", "its keys are not in the "
          "order of their bytes" },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        for (size = 2; size <= 10; size++) {

            said = fold_all(rows[i].keys, size, rows[i].after);

            if (!chorus_str_eq(said, chorus_str_from(rows[i].expected))) {
                fail_msg("%s, pages of %zu: %.*s", rows[i].name, size,
                         chorus_fmt(said));
            }
        }
    }
}


static chorus_rc_t
fold_two(const char *first, const char *second, bool is_second_truncated,
    bool *is_gone, chorus_error_t *error)
{
    chorus_fold_t           fold;
    chorus_listing_t        listing;
    chorus_version_page_t   page;

    memset(&fold, 0, sizeof(chorus_fold_t));
    fold.crypto = crypto;

    page = page_of(first, true);
    assert_int_equal(chorus_fold_page(&mem, &fold, &page, chorus_str(""),
                                      &listing, is_gone, error), CHORUS_OK);
    assert_int_equal(fold.marker_id_len, 1);
    page = page_of(second, is_second_truncated);

    return chorus_fold_page(&mem, &fold, &page, chorus_str(""), &listing,
                            is_gone, error);
}


static void
pages_that_do_not_fit(void **state)
{
    bool             is_gone;
    chorus_fold_t    fold;
    chorus_error_t   error;
    chorus_listing_t listing;
    chorus_version_page_t  page;

    (void) state;

    /* a1 is the last of the first page, and the second one begins with a0 */
    assert_int_equal(fold_two("a a", "a b", false, &is_gone, &error),
                     CHORUS_ERROR);
    assert_true(is_gone);
    /* Ceph 16: nothing more, when the marker is gone */
    assert_int_equal(fold_two("a a", "", false, &is_gone, &error),
                     CHORUS_ERROR);
    assert_true(is_gone);

    /* it would never end */
    memset(&fold, 0, sizeof(chorus_fold_t));
    fold.crypto = crypto;
    page = page_of("a", true);
    assert_int_equal(chorus_fold_page(&mem, &fold, &page, chorus_str(""),
                                      &listing, &is_gone, &error),
                     CHORUS_ERROR);
    assert_false(is_gone);
}


test_main(setup, teardown,
    test_row(compare_rows),
    test_row(compare_random),
    test_row(pages),
    test_row(pages_that_do_not_fit)
)
