/* The parts that an object is uploaded in, as Redis has them or by a size. */

#include "chorus_layout.h"
#include "test.h"


static void
plans_are_read(void **state)
{
    size_t     i;
    bool       is_good;
    chorus_layout_t  plan;
    unsigned   n;

    static const struct {
        const char  *name;
        const char  *text;
        uint64_t     size;
        unsigned     nparts;
        uint64_t     sizes[5];      /* none: refused */
    } rows[] = {

        { "one part", "5", 5, 1, { 5 } },
        { "equal parts", "8x3,2", 26, 4, { 8, 8, 8, 2 } },
        { "unequal parts", "5,7,5x2", 22, 4, { 5, 7, 5, 5 } },
        { "an unknown size", "5,0,5", 17, 3, { 5, 7, 5 } },
        { "the only one is unknown", "0", 7, 1, { 7 } },
        { "5 TiB", "5497558138880", 5497558138880, 1, { 5497558138880 } },

        { "nothing", "", 5, 1, { 0 } },
        { "other bytes", "5", 6, 1, { 0 } },
        { "fewer bytes", "5,5", 9, 2, { 0 } },
        { "fewer parts", "5x2", 10, 3, { 0 } },
        { "more parts", "5x3", 15, 2, { 0 } },
        { "far more parts", "5x18446744073709551615", 15, 3, { 0 } },
        { "two unknown sizes", "5,0x2", 17, 3, { 0 } },
        { "an unknown size of nothing", "5,0,5", 10, 3, { 0 } },
        { "no times", "5x0", 5, 1, { 0 } },
        { "times that are none", "5x", 5, 1, { 0 } },
        { "no number", "five", 5, 1, { 0 } },
        { "a comma too many", "5,", 5, 1, { 0 } },
        { "a size beyond S3", "5497558138881", 5497558138881, 1, { 0 } },
        { "an overflow", "99999999999999999999", 5, 1, { 0 } },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        is_good = chorus_layout_read(&plan, &mem, chorus_str_from(rows[i].text),
                            rows[i].size, rows[i].nparts);

        check_int(rows[i].name, is_good, rows[i].sizes[0] != 0);

        for (n = 0; is_good && n < rows[i].nparts; n++) {
            check_int(rows[i].name, (int64_t) plan.sizes[n],
                      (int64_t) rows[i].sizes[n]);
        }
    }
}


static void
ten_thousand_parts(void **state)
{
    chorus_layout_t  plan;

    (void) state;

    assert_true(chorus_layout_read(&plan, &mem,
                    chorus_str("549755813x9999,5497558130001"),
                    549755813ull * 9999 + 5497558130001ull, 10000));
    check_int("the last", (int64_t) plan.sizes[9999], 5497558130001);
}


static void
parts_of_one_size(void **state)
{
    size_t  i;
    chorus_layout_t  plan;

    static const struct {
        const char  *name;
        uint64_t     size, part_size;
        unsigned     nparts;
        uint64_t     last;
    } rows[] = {
        { "an even number", 16, 8, 2, 8 },
        { "a rest", 17, 8, 3, 1 },
        { "less than one", 5, 8, 1, 5 },
        { "nothing", 0, 0, 1, 0 },
        { "5 TiB", 5497558138880, 549755814, 10000, 549754694 },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        assert_true(chorus_layout_even(&plan, &mem, rows[i].size,
                                       rows[i].part_size));
        check_int(rows[i].name, plan.nparts, rows[i].nparts);
        check_int(rows[i].name, (int64_t) plan.sizes[plan.nparts - 1],
                  (int64_t) rows[i].last);
    }
}


test_main(NULL, NULL,
    test_row(plans_are_read),
    test_row(ten_thousand_parts),
    test_row(parts_of_one_size)
)
