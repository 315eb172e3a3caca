/* Who guesses tokens is slowed down, who has one is not. */

#include "chorus_throttle.h"
#include "test.h"

#define HERE   chorus_str("here")
#define THERE  chorus_str("there")
#define NONE   CHORUS_THROTTLE_NONE


static chorus_throttle_t  throttle;


/* The line of HERE is full at 1000. */

static void
fill(void)
{
    int  i;

    memset(&throttle, 0, sizeof(throttle));

    for (i = 0; chorus_throttle(&throttle, HERE, NONE, 1000)
                != CHORUS_THROTTLE_FULL; i++)
    {
        assert_true(i < 100);
    }
}


static void
a_few_failures_are_free_then_each_waits_for_the_last(void **state)
{
    int  i;

    (void) state;
    memset(&throttle, 0, sizeof(throttle));

    for (i = 0; i < CHORUS_THROTTLE_FREE; i++) {
        check_int("free", chorus_throttle(&throttle, HERE, NONE, 1000), 0);
    }

    check_int("first", chorus_throttle(&throttle, HERE, NONE, 1000), 50);
    check_int("second", chorus_throttle(&throttle, HERE, NONE, 1000), 100);
    check_int("later", chorus_throttle(&throttle, HERE, NONE, 1080), 70);
    check_int("one after the other",
              chorus_throttle(&throttle, HERE, NONE, 5000), 50);
    check_int("others", chorus_throttle(&throttle, THERE, NONE, 1000), 0);
}


static void
no_more_than_so_many_a_second(void **state)
{
    int      n;
    int64_t  now;

    (void) state;
    fill();

    for (n = 0, now = 1000; now < 11000; now++) {
        n += chorus_throttle(&throttle, HERE, NONE, now)
             != CHORUS_THROTTLE_FULL;
    }

    assert_in_range(n, 190, 201);
}


static void
no_answer_is_held_back_for_longer_than_the_line(void **state)
{
    int      i;
    int64_t  ms, most;

    (void) state;
    memset(&throttle, 0, sizeof(throttle));

    for (i = 0, most = 0; i < 1000; i++) {
        ms = chorus_throttle(&throttle, HERE, NONE, 1000);
        most = ms > most ? ms : most;
    }

    check_int("longest", most, CHORUS_THROTTLE_LINE_MS);
}


static void
a_good_one_that_is_known_here_passes_through_a_full_line(void **state)
{
    (void) state;

    memset(&throttle, 0, sizeof(throttle));
    check_int("at first", chorus_throttle(&throttle, HERE, 63, 999), 0);

    while (chorus_throttle(&throttle, HERE, NONE, 1000)
           != CHORUS_THROTTLE_FULL) { /* void */ }

    check_int("known", chorus_throttle(&throttle, HERE, 63, 1000), 0);
    check_int("guessed", chorus_throttle(&throttle, HERE, 0, 1000),
              CHORUS_THROTTLE_FULL);
    check_int("elsewhere", chorus_throttle(&throttle, THERE, 0, 1000), 0);
    check_int("when there is room",
              chorus_throttle(&throttle, HERE, 0, 1100), 0);

    chorus_throttle_renumber(&throttle);
    fill();
    check_int("of others", chorus_throttle(&throttle, HERE, 63, 1000),
              CHORUS_THROTTLE_FULL);
}


static void
all_is_forgiven_in_time(void **state)
{
    (void) state;

    fill();
    check_int("not yet", chorus_throttle(&throttle, HERE, NONE, 61000), 50);
    check_int("then", chorus_throttle(&throttle, HERE, NONE, 121001), 0);
}


static void
memory_is_bounded_and_who_was_quiet_longest_goes(void **state)
{
    char      name[16];
    unsigned  i;

    (void) state;
    fill();

    for (i = 0; i < CHORUS_THROTTLE_ENTRIES - 1; i++) {
        (void) snprintf(name, sizeof(name), "%u", i);
        (void) chorus_throttle(&throttle, chorus_str_from(name), NONE,
                               1001 + i);
    }

    check_int("all have room", chorus_throttle(&throttle, HERE, NONE, 1001),
              CHORUS_THROTTLE_FULL);
    (void) chorus_throttle(&throttle, HERE, NONE, 9000);
    (void) chorus_throttle(&throttle, chorus_str("one more"), NONE, 9001);
    check_int("one that came again stays",
              throttle.entries[0].failures > CHORUS_THROTTLE_FREE, 1);
}


static void
long_addresses_are_cut_and_short_ones_are_others(void **state)
{
    int  i;

    (void) state;
    memset(&throttle, 0, sizeof(throttle));

    for (i = 0; i <= CHORUS_THROTTLE_FREE; i++) {
        (void) chorus_throttle(&throttle, chorus_str("0123456789abcdefXX"),
                               NONE, 1000);
    }

    check_int("the same", chorus_throttle(&throttle,
              chorus_str("0123456789abcdefYY"), NONE, 1000), 100);
    check_int("another", chorus_throttle(&throttle, chorus_str("0123"), NONE,
              1000), 0);
}


test_main(NULL, NULL,
          test_row(a_few_failures_are_free_then_each_waits_for_the_last),
          test_row(no_more_than_so_many_a_second),
          test_row(no_answer_is_held_back_for_longer_than_the_line),
          test_row(a_good_one_that_is_known_here_passes_through_a_full_line),
          test_row(all_is_forgiven_in_time),
          test_row(memory_is_bounded_and_who_was_quiet_longest_goes),
          test_row(long_addresses_are_cut_and_short_ones_are_others))
