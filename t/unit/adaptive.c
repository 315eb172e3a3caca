/* How much is done at once for a storage: a model of one answers, and the
 * window follows.  No clock, no randomness: the same each time. */

#include "chorus_adaptive.h"
#include "test.h"

#define CEILING  32


/* A storage with room for `capacity` requests at once: more wait in line, or
 * are refused where `refuses` says so. */
typedef struct {
    double   base_us;
    double   capacity;
    bool     refuses;
    int      error_every;       /* 0: never; 2: half of all */
} model_t;

typedef struct {
    chorus_adaptive_t  adaptive;
    uint32_t           least;
    uint32_t           most;
    int                shrank;
    int                recovered;
    int                n;
} run_t;


static void
run_begin(run_t *run)
{
    memset(run, 0, sizeof(run_t));
    chorus_adaptive_init(&run->adaptive, CEILING);
}


/* `n` answers while the window is always full */

static void
run_answers(run_t *run, const model_t *model, int n)
{
    uint32_t                  window;
    chorus_adaptive_change_t  change;
    chorus_adaptive_sample_t  sample;

    run->least = CEILING;
    run->most = 0;

    while (n-- > 0) {
        run->n++;
        window = chorus_adaptive_window(&run->adaptive);

        sample.in_flight = window;
        sample.latency_us = (int64_t) (window <= model->capacity
                             ? model->base_us
                             : model->base_us * window / model->capacity);
        sample.is_overloaded = (model->refuses && window > model->capacity)
                               || (model->error_every != 0
                                   && run->n % model->error_every == 0);

        change = chorus_adaptive_add(&run->adaptive, &sample);
        run->shrank += change == CHORUS_ADAPTIVE_SHRANK;
        run->recovered += change == CHORUS_ADAPTIVE_RECOVERED;

        window = chorus_adaptive_window(&run->adaptive);
        assert_in_range(window, 1, CEILING);
        run->least = window < run->least ? window : run->least;
        run->most = window > run->most ? window : run->most;
    }
}


static const model_t  well = { 5000, CEILING, false, 0 };
static const model_t  half_errors = { 5000, CEILING, false, 2 };
static const model_t  dead = { 5000, CEILING, false, 1 };


static void
one_that_is_well_has_all_slots(void **state)
{
    run_t  run;

    (void) state;

    run_begin(&run);
    run_answers(&run, &well, 10000);
    check_int("least", run.least, CEILING);
    check_int("shrank", run.shrank, 0);
}


static void
errors_shrink_quickly_and_health_grows_again(void **state)
{
    run_t  run;

    (void) state;

    run_begin(&run);
    run_answers(&run, &well, 100);
    run_answers(&run, &half_errors, 100);
    check_int("after 100 answers", run.least, 1);
    run_answers(&run, &half_errors, 1000);
    assert_in_range(run.most, 1, 4);
    check_int("said once", run.shrank, 1);
    check_int("not well", run.recovered, 0);

    run_answers(&run, &well, CEILING * CEILING);
    check_int("all slots again", chorus_adaptive_window(&run.adaptive),
              CEILING);
    check_int("said once more", run.recovered, 1);
}


static void
one_that_only_fails_is_asked_one_at_a_time(void **state)
{
    run_t  run;

    (void) state;

    run_begin(&run);
    run_answers(&run, &dead, 70);
    check_int("window", chorus_adaptive_window(&run.adaptive), 1);
    run_answers(&run, &dead, 10000);
    check_int("window", run.most, 1);
}


static void
one_that_refuses_more_than_it_can_gets_about_that(void **state)
{
    run_t    run;
    model_t  model = { 5000, 10, true, 0 };

    (void) state;

    run_begin(&run);
    run_answers(&run, &model, 200);
    run_answers(&run, &model, 5000);
    assert_in_range(run.least, 5, 10);
    assert_in_range(run.most, 10, 11);
}


static void
one_error_of_many_does_not_matter_much(void **state)
{
    run_t    run;
    model_t  model = { 5000, CEILING, false, 1000 };

    (void) state;

    run_begin(&run);
    run_answers(&run, &model, 20000);
    check_int("never less than half", run.least, CEILING / 2);
    check_int("and back each time", run.most, CEILING);
}


/* 32 at once take 100 times as long as one */

static void
one_that_becomes_slow_gets_less_but_never_nothing(void **state)
{
    run_t    run;
    model_t  slow = { 600000, CEILING, false, 0 };

    (void) state;

    run_begin(&run);
    run_answers(&run, &well, 500);
    run_answers(&run, &slow, 300);
    check_int("an eighth", run.least, CEILING / 8);
    check_int("said", run.shrank, 1);

    run_answers(&run, &well, 2000);
    check_int("all slots again", chorus_adaptive_window(&run.adaptive),
              CEILING);
    check_int("said", run.recovered, 1);
}


static void
one_that_stays_slow_is_not_held_back_for_ever(void **state)
{
    run_t    run;
    model_t  slow = { 600000, CEILING, false, 0 };

    (void) state;

    run_begin(&run);
    run_answers(&run, &well, 500);
    run_answers(&run, &slow, 5000);
    check_int("what is usual now", chorus_adaptive_window(&run.adaptive),
              CEILING);
}


static void
what_is_slow_from_the_beginning_is_usual(void **state)
{
    run_t    run;
    model_t  far_away = { 900000, CEILING, false, 0 };

    (void) state;

    run_begin(&run);
    run_answers(&run, &far_away, 3000);
    check_int("window", run.least, CEILING);
}


static void
single_slow_answers_do_not_matter(void **state)
{
    int       i;
    run_t     run;
    model_t   slow = { 2000000, CEILING, false, 0 };

    (void) state;

    run_begin(&run);
    run_answers(&run, &well, 500);

    for (i = 0; i < 20; i++) {
        run_answers(&run, &slow, 1);
        run_answers(&run, &well, 40);
    }

    assert_in_range(chorus_adaptive_window(&run.adaptive), CEILING * 3 / 4,
                    CEILING);
}


static void
answers_without_a_latency_count_as_answers(void **state)
{
    int                       i;
    run_t                     run;
    chorus_adaptive_sample_t  sample = { false, -1, CEILING };

    (void) state;

    run_begin(&run);
    run_answers(&run, &half_errors, 200);

    for (i = 0; i < CEILING * CEILING; i++) {
        (void) chorus_adaptive_add(&run.adaptive, &sample);
    }

    check_int("window", chorus_adaptive_window(&run.adaptive), CEILING);
}


static void
a_window_that_is_not_used_does_not_grow(void **state)
{
    int                       i;
    run_t                     run;
    uint32_t                  window;
    chorus_adaptive_sample_t  sample = { false, 5000, 1 };

    (void) state;

    run_begin(&run);
    run_answers(&run, &(model_t) { 5000, 10, true, 0 }, 300);
    window = chorus_adaptive_window(&run.adaptive);

    for (i = 0; i < 1000; i++) {
        (void) chorus_adaptive_add(&run.adaptive, &sample);
    }

    check_int("window", chorus_adaptive_window(&run.adaptive), window);
}


test_main(NULL, NULL,
    test_row(one_that_is_well_has_all_slots),
    test_row(errors_shrink_quickly_and_health_grows_again),
    test_row(one_that_only_fails_is_asked_one_at_a_time),
    test_row(one_that_refuses_more_than_it_can_gets_about_that),
    test_row(one_error_of_many_does_not_matter_much),
    test_row(one_that_becomes_slow_gets_less_but_never_nothing),
    test_row(one_that_stays_slow_is_not_held_back_for_ever),
    test_row(what_is_slow_from_the_beginning_is_usual),
    test_row(single_slow_answers_do_not_matter),
    test_row(answers_without_a_latency_count_as_answers),
    test_row(a_window_that_is_not_used_does_not_grow)
)
