/* Units given out ahead: when each may be used, and that none is used twice,
 * too early or too late, however the answer was delayed. */

#include "chorus_pace.h"
#include "test.h"

#define STEP  10000             /* us: about 100 a second */
#define LATE  CHORUS_PACE_LATE_US


static void
units_are_taken_in_their_time(void **state)
{
    int64_t        from, until;
    chorus_pace_t  pace = { .ngrants = 0 };

    (void) state;

    /* asked at 1000, heard at 3000, the first unit 5000 after that */
    chorus_pace_add(&pace, 10, 5000, STEP, 1000, 3000);

    check_int("left", chorus_pace_left(&pace, 3000), 10);
    check_int("one", chorus_pace_take(&pace, 1, 3000, &from, &until), 1);
    check_int("from: if the answer was quick", from, 8000);
    check_int("until: if it was on its way", until, 6000 + LATE);

    check_int("two", chorus_pace_take(&pace, 2, 3000, &from, &until), 2);
    check_int("from: the later one", from, 8000 + 2 * STEP);
    check_int("until: the earlier one", until, 6000 + STEP + LATE);
    check_int("left", chorus_pace_left(&pace, 3000), 7);
    check_int("the rest", chorus_pace_take(&pace, 99, 3000, &from, &until),
              7);
    check_int("none", chorus_pace_take(&pace, 1, 3000, &from, &until), 0);
}


static void
units_that_are_too_late_are_gone(void **state)
{
    int64_t        from, until;
    chorus_pace_t  pace = { .ngrants = 0 };

    (void) state;

    chorus_pace_add(&pace, 3, 0, STEP, 0, 0);
    chorus_pace_add(&pace, 3, 10 * STEP, STEP, 0, 0);

    check_int("all", chorus_pace_left(&pace, LATE), 6);
    check_int("but one", chorus_pace_left(&pace, LATE + 1), 5);
    check_int("but one", chorus_pace_left(&pace, LATE + STEP), 5);
    check_int("the third", chorus_pace_take(&pace, 9, LATE + STEP + 1, &from,
                                            &until), 1);
    check_int("until", until, LATE + 2 * STEP);
    check_int("of the second grant",
              chorus_pace_take(&pace, 9, LATE + 11 * STEP, &from, &until), 2);
    check_int("none", chorus_pace_take(&pace, 9, LATE + 13 * STEP, &from,
                                       &until), 0);
}


static void
of_too_many_grants_the_oldest_are_lost(void **state)
{
    int            i;
    int64_t        from, until;
    chorus_pace_t  pace = { .ngrants = 0 };

    (void) state;

    for (i = 0; i < CHORUS_PACE_GRANTS + 3; i++) {
        chorus_pace_add(&pace, 1, i * STEP, STEP, 0, 0);
    }

    chorus_pace_add(&pace, 0, 0, STEP, 0, 0);
    check_int("left", chorus_pace_left(&pace, 0), CHORUS_PACE_GRANTS);
    check_int("first", chorus_pace_take(&pace, 1, 0, &from, &until), 1);
    check_int("from", from, 3 * STEP);
}


/* Of bytes a unit is a fraction of a microsecond. */

static void
bytes_are_given_out_to_the_last(void **state)
{
    int64_t        n, got, from, until, last;
    chorus_pace_t  pace = { .ngrants = 0 };

    (void) state;

    got = 0;
    last = 0;
    chorus_pace_add(&pace, 40 * 1048576, 0,
                    chorus_pace_step_us(200 * 1048576), 0, 0);

    for ( ;; ) {
        n = chorus_pace_take(&pace, 65536, 0, &from, &until);
        if (n == 0) {
            break;
        }

        assert_true(from >= last);
        last = from;
        got += n;
    }

    check_int("bytes", got, 40 * 1048576);
    assert_in_range(last, 215000, 216001);
}


test_main(NULL, NULL,
    test_row(units_are_taken_in_their_time),
    test_row(units_that_are_too_late_are_gone),
    test_row(of_too_many_grants_the_oldest_are_lost),
    test_row(bytes_are_given_out_to_the_last)
)
