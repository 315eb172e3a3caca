/* Why a key is or is not on a follower, as people are told. */

#include "chorus_explain.h"
#include "test.h"

#define GOOD    { CHORUS_SIDE_THERE, { NULL, 0 }, 5, { "e", 1 } }
#define OTHER   { CHORUS_SIDE_THERE, { NULL, 0 }, 5, { "f", 1 } }
#define NO_KEY  { .state = CHORUS_SIDE_NO_KEY }
#define NO_BUCKET  { .state = CHORUS_SIDE_NO_BUCKET }
#define SILENT  { .state = CHORUS_SIDE_FAILED,                                \
                  .reason = { "no answer in time", 17 } }


typedef struct {
    const char        *name;
    chorus_explain_t   e;
    const char        *sentence;
} row_t;

static const row_t  rows[] = {

    { "equal", { .takes_key = true, .main = GOOD, .there = GOOD },
      "Both sides have the key, with the same size and ETag." },

    { "equal, and changed again",
      { .takes_key = true, .main = GOOD, .there = GOOD,
        .place = CHORUS_PLACE_DIRTY, .age_ms = 12 },
      "Both sides have the key, with the same size and ETag; it changed 12 ms "
      "ago and waits for a worker." },

    { "nowhere", { .takes_key = true, .main = NO_KEY, .there = NO_BUCKET },
      "Neither side has the key." },

    { "not there yet",
      { .takes_key = true, .main = GOOD, .there = NO_KEY,
        .place = CHORUS_PLACE_DIRTY, .age_ms = 61000 },
      "The follower does not have the key; it changed 61 s ago and waits for "
      "a worker." },

    { "found by a scan",
      { .takes_key = true, .main = GOOD, .there = OTHER,
        .place = CHORUS_PLACE_BULK, .age_ms = 180000 },
      "The follower has another content of the key; a scan found it 3 minutes "
      "ago and waits for a worker." },

    { "paused",
      { .takes_key = true, .main = NO_KEY, .there = GOOD, .is_paused = true,
        .place = CHORUS_PLACE_DIRTY, .age_ms = 7200000 },
      "The follower still has the key, which main does not have; it changed 2 "
      "hours ago and waits, because the replication is paused." },

    { "paused by the delete guard",
      { .takes_key = true, .main = NO_KEY, .there = GOOD, .is_paused = true,
        .guarded = { "2 deletes", 9 }, .place = CHORUS_PLACE_DIRTY,
        .age_ms = 7200000 },
      "The follower still has the key, which main does not have; it changed 2 "
      "hours ago and waits, because the delete guard has paused the "
      "replication: 2 deletes." },

    { "held",
      { .takes_key = true, .main = GOOD, .there = NO_BUCKET,
        .held = { "AccessDenied", 12 }, .place = CHORUS_PLACE_DIRTY,
        .age_ms = 172800000 },
      "The follower does not even have the bucket; it changed 2 days ago and "
      "waits, because the replication is held: the follower refuses "
      "everything with AccessDenied." },

    { "busy",
      { .takes_key = true, .main = GOOD, .there = NO_KEY,
        .place = CHORUS_PLACE_BUSY },
      "The follower does not have the key; a worker is at it right now." },

    { "retried",
      { .takes_key = true, .main = GOOD, .there = SILENT,
        .place = CHORUS_PLACE_RETRY, .next_in_ms = 900, .attempts = 2,
        .code = { "503", 3 }, .reason = { "SlowDown", 8 } },
      "The follower could not be asked (no answer in time); the last attempt "
      "failed with 503 (SlowDown), the next one is in 900 ms." },

    { "parked",
      { .takes_key = true, .main = GOOD, .there = NO_KEY,
        .place = CHORUS_PLACE_PARKED, .attempts = 1,
        .code = { "EntityTooLarge", 14 }, .replication = { "a:b:f", 5 } },
      "The follower does not have the key; it is parked: the last of 1 "
      "attempt failed with EntityTooLarge; \"chorusctl retry a:b:f\" tries it "
      "again." },

    { "blocked",
      { .takes_key = true, .main = GOOD, .there = NO_KEY,
        .place = CHORUS_PLACE_BLOCKED, .attempts = 3,
        .code = { "AccessDenied", 12 }, .reason = { "PUT", 3 },
        .replication = { "a:b:f", 5 } },
      "The follower does not have the key; it is parked: the last of 3 "
      "attempts failed with AccessDenied (PUT), which somebody has to mend; "
      "then \"chorusctl retry a:b:f\" tries it again." },

    { "nobody knows of it",
      { .takes_key = true, .main = GOOD, .there = NO_KEY,
        .replication = { "a:b:f", 5 } },
      "The follower does not have the key; no change of it is known: it was "
      "written before the replication or past Chorus, and \"chorusctl repair "
      "a:b:f\" makes both equal." },

    { "a scan is owed",
      { .takes_key = true, .main = GOOD, .there = NO_KEY, .owes_scan = true },
      "The follower does not have the key; changes may have got lost, and "
      "the scan that is owed for them will find it." },

    { "filtered", { .main = GOOD, .there = NO_KEY },
      "The follower does not have the key; the filter of the replication "
      "leaves it out." },

    { "main does not tell",
      { .takes_key = true, .main = SILENT, .there = GOOD },
      "Main could not be asked (no answer in time); no change of it waits." },

    { "nobody has looked", { .takes_key = true },
      "Main could not be asked; no change of it waits." },

    { "no bucket at all",
      { .takes_key = true, .main = NO_BUCKET, .there = NO_BUCKET },
      "Neither side has the bucket." },

    { "a bucket on the follower alone",
      { .takes_key = true, .main = NO_BUCKET, .there = NO_KEY },
      "Neither side has the key." },

    { "the bucket itself",
      { .takes_key = true, .is_bucket = true, .main = GOOD,
        .there = NO_BUCKET, .owes_scan = true },
      "The follower does not have the bucket; changes may have got lost, "
      "and the scan that is owed for them will find it." },

    { "the bucket is on both sides",
      { .takes_key = true, .is_bucket = true, .main = GOOD, .there = OTHER },
      "Both sides have the bucket." },
};


static void
each_state_has_its_sentence(void **state)
{
    size_t        i;
    chorus_buf_t  buf;

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        buf = chorus_buf(&mem, 16);
        chorus_explain_write(&buf, &rows[i].e);
        check_str(rows[i].name, chorus_buf_str(&buf), rows[i].sentence);
    }
}


static void
names_of_places_and_sides(void **state)
{
    (void) state;

    check_int("dirty", chorus_place_of(chorus_str("dirty")),
              CHORUS_PLACE_DIRTY);
    check_int("blocked", chorus_place_of(chorus_str("blocked")),
              CHORUS_PLACE_BLOCKED);
    check_int("another", chorus_place_of(chorus_str("elsewhere")),
              CHORUS_PLACE_NONE);
    check_int("no place", chorus_place_of(chorus_null_str),
              CHORUS_PLACE_NONE);

    check_int("there", chorus_side_state_of(chorus_str("there")),
              CHORUS_SIDE_THERE);
    check_int("no bucket", chorus_side_state_of(chorus_str("no_bucket")),
              CHORUS_SIDE_NO_BUCKET);
    check_int("another", chorus_side_state_of(chorus_str("new")),
              CHORUS_SIDE_UNKNOWN);
}


static void
equal_is_what_is_seen_to_be_equal(void **state)
{
    chorus_explain_t  e = { .main = GOOD, .there = GOOD };

    (void) state;

    assert_true(chorus_explain_is_equal(&e));
    e.there.size++;
    assert_false(chorus_explain_is_equal(&e));
    e.there = (chorus_side_t) NO_KEY;
    assert_false(chorus_explain_is_equal(&e));
    e.main = (chorus_side_t) NO_BUCKET;
    assert_true(chorus_explain_is_equal(&e));
    e.main = (chorus_side_t) SILENT;
    assert_false(chorus_explain_is_equal(&e));
    e.there = (chorus_side_t) SILENT;
    assert_false(chorus_explain_is_equal(&e));
}


test_main(NULL, NULL,
          test_row(each_state_has_its_sentence),
          test_row(names_of_places_and_sides),
          test_row(equal_is_what_is_seen_to_be_equal))
