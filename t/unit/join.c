/* The merge join of two listings: rows of tables, and random ones against
 * what a plain look at each key says. */

#include "chorus_join.h"
#include "test.h"

#define KEYS   40           /* of a random listing, at most */
#define RUNS   20000


/* A side of a test: all its keys in order, given out a page at a time. */

typedef struct {
    chorus_listed_t  entries[KEYS];
    size_t           n;
    size_t           given;
} listing_t;


/* "k=5e": key k, 5 bytes, ETag e; "k=5": without an ETag */

static listing_t
listing_of(const char *text)
{
    chorus_str_t  rest, word, value;
    listing_t     l;

    memset(&l, 0, sizeof(listing_t));
    rest = chorus_str_from(text);

    while (rest.len != 0) {
        word = chorus_str_cut(&rest, ' ');
        value = word;
        l.entries[l.n].key = chorus_str_cut(&value, '=');
        l.entries[l.n].size = (uint64_t) (value.data[0] - '0');
        l.entries[l.n++].etag = chorus_str_sub(value, 1);
    }

    return l;
}


static void
page_next(chorus_join_side_t *side, listing_t *l, size_t size)
{
    chorus_listing_t  page;

    page.entries = l->entries + l->given;
    page.n = l->n - l->given < size ? l->n - l->given : size;
    l->given += page.n;
    page.is_truncated = l->given < l->n;

    chorus_join_page(side, &page);
}


/* What the join says of two listings in pages of these sizes:
 * "=a !b +c -d ?e", equal, different, missing, surplus, unsure. */

static chorus_str_t
join_all(listing_t *ours, listing_t *theirs, size_t our_page,
    size_t their_page, const char *to)
{
    chorus_buf_t            buf;
    chorus_join_t           join;
    chorus_join_step_t      step;
    const chorus_listed_t  *a, *b;

    static const char  signs[] = "=!?+-";

    memset(&join, 0, sizeof(chorus_join_t));
    join.is_bounded = to != NULL;
    join.to = chorus_str_from(to);
    join.ours.has_more = join.theirs.has_more = true;
    buf = chorus_buf(&mem, 256);

    for ( ;; ) {

        step = chorus_join_next(&join, &a, &b);

        if (step == CHORUS_JOIN_END) {
            return chorus_buf_str(&buf);
        }

        if (step == CHORUS_JOIN_NEED_OURS) {
            page_next(&join.ours, ours, our_page);

        } else if (step == CHORUS_JOIN_NEED_THEIRS) {
            page_next(&join.theirs, theirs, their_page);

        } else {
            if (buf.len != 0) {
                chorus_buf_char(&buf, ' ');
            }
            chorus_buf_char(&buf, signs[step]);
            chorus_buf_add(&buf, a != NULL ? a->key : b->key);
            assert_true((a == NULL) == (step == CHORUS_JOIN_SURPLUS));
            assert_true((b == NULL) == (step == CHORUS_JOIN_MISSING));
        }
    }
}


static void
join_rows(void **state)
{
    size_t        i, ours_page, theirs_page;
    listing_t     ours, theirs;
    chorus_str_t  said;

    static const struct {
        const char  *name;
        const char  *ours;
        const char  *theirs;
        const char  *to;
        const char  *expected;
    } rows[] = {
        { "nothing", "", "", NULL, "" },
        { "equal", "a=1x b=2y", "a=1x b=2y", NULL, "=a =b" },
        { "another size", "a=1x", "a=2x", NULL, "!a" },
        { "another ETag", "a=1x", "a=1y", NULL, "!a" },
        { "multipart on one side", "a=1x-2", "a=1x", NULL, "!a" },
        { "no ETag on one side", "a=1", "a=1x", NULL, "?a" },
        { "no ETag on both", "a=1", "a=1", NULL, "?a" },
        { "no ETag, another size", "a=1", "a=2x", NULL, "!a" },
        { "an empty follower", "a=1x b=1x c=1x", "", NULL, "+a +b +c" },
        { "an empty main", "", "a=1x b=1x", NULL, "-a -b" },
        { "in turns", "a=1x c=1x e=1x", "b=1x d=1x", NULL,
          "+a -b +c -d +e" },
        { "one is the beginning of another", "a=1x aa=1x", "a!=1x aa=1x",
          NULL, "+a -a! =aa" },
        { "up to a key", "a=1x b=1x c=1x", "a=1x c=1x", "b", "=a +b" },
        { "up to a key that is not there", "a=1x d=1x", "a=1x c=1x", "b",
          "=a" },
        { "all is behind the bound", "c=1x", "d=1x", "b", "" },
        { "bytes beyond ASCII come last", "z=1x \xc3\xa9=1x", "z=1x", NULL,
          "=z +\xc3\xa9" },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        for (ours_page = 1; ours_page <= 4; ours_page++) {
            for (theirs_page = 1; theirs_page <= 4; theirs_page++) {

                ours = listing_of(rows[i].ours);
                theirs = listing_of(rows[i].theirs);
                said = join_all(&ours, &theirs, ours_page, theirs_page,
                                rows[i].to);

                if (!chorus_str_eq(said, chorus_str_from(rows[i].expected)))
                {
                    fail_msg("%s, pages of %zu and %zu: %.*s", rows[i].name,
                             ours_page, theirs_page, chorus_fmt(said));
                }
            }
        }
    }
}


/* Main that has more pages has not said yet that it has no such key. */

static void
no_surplus_before_main_is_read(void **state)
{
    chorus_join_t           join;
    const chorus_listed_t  *a, *b;

    static const chorus_listed_t  theirs[] = { { .key = { "b", 1 } } };

    (void) state;

    memset(&join, 0, sizeof(chorus_join_t));
    join.theirs.entries = theirs;
    join.theirs.n = 1;
    join.ours.has_more = true;

    assert_int_equal(chorus_join_next(&join, &a, &b), CHORUS_JOIN_NEED_OURS);
    join.ours.has_more = false;
    assert_int_equal(chorus_join_next(&join, &a, &b), CHORUS_JOIN_SURPLUS);
}


static unsigned
dice(unsigned *seed, unsigned bound)
{
    *seed = *seed * 1103515245u + 12345u;

    return (*seed >> 16) % bound;
}


static listing_t
random_listing(unsigned *seed, const char (*names)[3])
{
    size_t     i;
    listing_t  l;

    static const char *const  etags[] = { "", "x", "y", "x-2" };

    memset(&l, 0, sizeof(listing_t));

    for (i = 0; i < KEYS; i++) {
        if (dice(seed, 3) != 0) {
            l.entries[l.n].key = chorus_str_from(names[i]);
            l.entries[l.n].size = dice(seed, 2);
            l.entries[l.n++].etag = chorus_str_from(etags[dice(seed, 4)]);
        }
    }

    return l;
}


static const chorus_listed_t *
find(const listing_t *l, chorus_str_t key)
{
    size_t  i;

    for (i = 0; i < l->n; i++) {
        if (chorus_str_eq(l->entries[i].key, key)) {
            return &l->entries[i];
        }
    }

    return NULL;
}


static chorus_str_t
reference(const listing_t *ours, const listing_t *theirs,
    const char (*names)[3], const char *to)
{
    char                    sign;
    size_t                  i;
    chorus_buf_t            buf;
    const chorus_listed_t  *a, *b;

    buf = chorus_buf(&mem, 256);

    for (i = 0; i < KEYS; i++) {

        a = find(ours, chorus_str_from(names[i]));
        b = find(theirs, chorus_str_from(names[i]));

        if ((a == NULL && b == NULL)
            || (to != NULL && strcmp(names[i], to) > 0))
        {
            continue;
        }

        sign = a == NULL ? '-' : b == NULL ? '+' : a->size != b->size ? '!'
               : a->etag.len == 0 || b->etag.len == 0 ? '?'
               : chorus_str_eq(a->etag, b->etag) ? '=' : '!';

        if (buf.len != 0) {
            chorus_buf_char(&buf, ' ');
        }
        chorus_buf_char(&buf, sign);
        chorus_buf_text(&buf, names[i]);
    }

    return chorus_buf_str(&buf);
}


static void
join_random(void **state)
{
    char          names[KEYS][3];
    size_t        i;
    unsigned      run, seed;
    listing_t     ours, theirs;
    const char   *to;
    chorus_str_t  expected, said;

    (void) state;

    for (i = 0; i < KEYS; i++) {
        names[i][0] = (char) ('a' + i / 10);
        names[i][1] = (char) ('0' + i % 10);
        names[i][2] = '\0';
    }

    for (run = 0; run < RUNS; run++) {

        seed = run;
        ours = random_listing(&seed, names);
        theirs = random_listing(&seed, names);
        to = dice(&seed, 2) == 0 ? NULL : names[dice(&seed, KEYS)];

        expected = reference(&ours, &theirs, names, to);
        said = join_all(&ours, &theirs, 1 + dice(&seed, KEYS),
                        1 + dice(&seed, KEYS), to);

        if (!chorus_str_eq(expected, said)) {
            fail_msg("seed %u: %.*s\nand not\n%.*s", run, chorus_fmt(said),
                     chorus_fmt(expected));
        }

        chorus_arena_reset(arena);
    }
}


test_main(NULL, NULL,
    test_row(join_rows),
    test_row(no_surplus_before_main_is_read),
    test_row(join_random)
)
