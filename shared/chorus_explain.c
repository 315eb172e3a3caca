#include "chorus_explain.h"

#include <stddef.h>


static const char *const  chorus_places[CHORUS_NPLACES] = {
    "none", "dirty", "bulk", "busy", "retry", "parked", "blocked"
};


chorus_place_t
chorus_place_of(chorus_str_t name)
{
    size_t  i;

    for (i = 0; i < CHORUS_NPLACES; i++) {
        if (chorus_str_eq(name, chorus_str_from(chorus_places[i]))) {
            return (chorus_place_t) i;
        }
    }

    return CHORUS_PLACE_NONE;
}


chorus_side_state_t
chorus_side_state_of(chorus_str_t name)
{
    size_t  i;

    static const struct {
        const char           *name;
        chorus_side_state_t   state;
    } rows[] = {
        { "there", CHORUS_SIDE_THERE },
        { "no_key", CHORUS_SIDE_NO_KEY },
        { "no_bucket", CHORUS_SIDE_NO_BUCKET },
        { "failed", CHORUS_SIDE_FAILED },
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (chorus_str_eq(name, chorus_str_from(rows[i].name))) {
            return rows[i].state;
        }
    }

    return CHORUS_SIDE_UNKNOWN;
}


static bool
chorus_side_is_absent(const chorus_side_t *side)
{
    return side->state == CHORUS_SIDE_NO_KEY
           || side->state == CHORUS_SIDE_NO_BUCKET;
}


static bool
chorus_side_is_known(const chorus_side_t *side)
{
    return side->state == CHORUS_SIDE_THERE || chorus_side_is_absent(side);
}


bool
chorus_explain_is_equal(const chorus_explain_t *e)
{
    if (chorus_side_is_absent(&e->main)) {
        return chorus_side_is_absent(&e->there);
    }

    return e->main.state == CHORUS_SIDE_THERE
           && e->there.state == CHORUS_SIDE_THERE
           && (e->is_bucket
               || (e->main.size == e->there.size
                   && chorus_str_eq(e->main.etag, e->there.etag)));
}


/* ---- pieces ---- */


/* The largest unit that says enough. */

static void
chorus_explain_time(chorus_buf_t *buf, uint64_t ms)
{
    size_t  i;

    static const struct {
        uint64_t     from_ms;
        uint64_t     ms;
        const char  *name;
    } units[] = {
        { 172800000, 86400000, " days" }, { 7200000, 3600000, " hours" },
        { 120000, 60000, " minutes" }, { 1000, 1000, " s" }, { 0, 1, " ms" },
    };

    i = 0;

    while (ms < units[i].from_ms) {
        i++;
    }

    chorus_buf_u64(buf, ms / units[i].ms);
    chorus_buf_text(buf, units[i].name);
}


static void
chorus_explain_failure(chorus_buf_t *buf, const chorus_explain_t *e)
{
    chorus_buf_text(buf, e->code.len != 0 ? " with " : "");
    chorus_buf_add(buf, e->code);

    if (e->reason.len != 0) {
        chorus_buf_text(buf, " (");
        chorus_buf_add(buf, e->reason);
        chorus_buf_char(buf, ')');
    }
}


static void
chorus_explain_side(chorus_buf_t *buf, const char *name,
    const chorus_side_t *side)
{
    chorus_buf_text(buf, name);
    chorus_buf_text(buf, " could not be asked");

    if (side->reason.len != 0) {
        chorus_buf_text(buf, " (");
        chorus_buf_add(buf, side->reason);
        chorus_buf_char(buf, ')');
    }
}


/* ---- what there is: the first half of the sentence ---- */


static void
chorus_explain_difference(chorus_buf_t *buf, const chorus_explain_t *e)
{
    const char  *what;

    what = e->is_bucket ? "the bucket" : "the key";

    if (e->main.state != CHORUS_SIDE_THERE) {
        chorus_buf_text(buf, "The follower still has ");
        chorus_buf_text(buf, what);
        chorus_buf_text(buf, ", which main does not have");

    } else if (e->there.state == CHORUS_SIDE_THERE) {
        chorus_buf_text(buf, "The follower has another content of the key");

    } else if (e->there.state == CHORUS_SIDE_NO_BUCKET && !e->is_bucket) {
        chorus_buf_text(buf, "The follower does not even have the bucket");

    } else {
        chorus_buf_text(buf, "The follower does not have ");
        chorus_buf_text(buf, what);
    }
}


static void
chorus_explain_what(chorus_buf_t *buf, const chorus_explain_t *e)
{
    if (!chorus_side_is_known(&e->main)) {
        chorus_explain_side(buf, "Main", &e->main);

    } else if (!chorus_side_is_known(&e->there)) {
        chorus_explain_side(buf, "The follower", &e->there);

    } else if (!chorus_explain_is_equal(e)) {
        chorus_explain_difference(buf, e);

    } else if (e->main.state == CHORUS_SIDE_THERE) {
        chorus_buf_text(buf, e->is_bucket ? "Both sides have the bucket"
                        : "Both sides have the key, with the same size and "
                          "ETag");
    } else {
        chorus_buf_text(buf, e->is_bucket
                             || (e->main.state == CHORUS_SIDE_NO_BUCKET
                                 && e->there.state == CHORUS_SIDE_NO_BUCKET)
                             ? "Neither side has the bucket"
                             : "Neither side has the key");
    }
}


/* ---- why that is so: the second half ---- */


static void
chorus_explain_waits(chorus_buf_t *buf, const chorus_explain_t *e)
{
    chorus_buf_text(buf, e->place == CHORUS_PLACE_BULK
                         ? "; a scan found it " : "; it changed ");
    chorus_explain_time(buf, e->age_ms);
    chorus_buf_text(buf, " ago and waits");

    if (e->guarded.data != NULL) {
        chorus_buf_text(buf, ", because the delete guard has paused the "
                        "replication: ");
        chorus_buf_add(buf, e->guarded);

    } else if (e->is_paused) {
        chorus_buf_text(buf, ", because the replication is paused");

    } else if (e->held.data != NULL) {
        chorus_buf_text(buf, ", because the replication is held: the "
                        "follower refuses everything with ");
        chorus_buf_add(buf, e->held);

    } else {
        chorus_buf_text(buf, " for a worker");
    }
}


static void
chorus_explain_retries(chorus_buf_t *buf, const chorus_explain_t *e)
{
    chorus_buf_text(buf, "; the last attempt failed");
    chorus_explain_failure(buf, e);
    chorus_buf_text(buf, ", the next one is in ");
    chorus_explain_time(buf, e->next_in_ms);
}


static void
chorus_explain_parked(chorus_buf_t *buf, const chorus_explain_t *e)
{
    chorus_buf_text(buf, "; it is parked: the last of ");
    chorus_buf_u64(buf, e->attempts);
    chorus_buf_text(buf, e->attempts == 1 ? " attempt failed"
                                          : " attempts failed");
    chorus_explain_failure(buf, e);
    chorus_buf_text(buf, e->place == CHORUS_PLACE_BLOCKED
                         ? ", which somebody has to mend; then \"chorusctl "
                           "retry "
                         : "; \"chorusctl retry ");
    chorus_buf_add(buf, e->replication);
    chorus_buf_text(buf, "\" tries it again");
}


/* Nothing is to be done for it, as far as the queue knows. */

static void
chorus_explain_nothing(chorus_buf_t *buf, const chorus_explain_t *e)
{
    if (!chorus_side_is_known(&e->main) || !chorus_side_is_known(&e->there)) {
        chorus_buf_text(buf, "; no change of it waits");
        return;
    }

    if (chorus_explain_is_equal(e)) {
        return;
    }

    if (!e->takes_key) {
        chorus_buf_text(buf, "; the filter of the replication leaves it out");

    } else if (e->owes_scan) {
        chorus_buf_text(buf, "; changes may have got lost, and the scan that is "
                        "owed for them will find it");
    } else {
        chorus_buf_text(buf, "; no change of it is known: it was written "
                        "before the replication or past Chorus, and "
                        "\"chorusctl repair ");
        chorus_buf_add(buf, e->replication);
        chorus_buf_text(buf, "\" makes both equal");
    }
}


void
chorus_explain_write(chorus_buf_t *buf, const chorus_explain_t *e)
{
    chorus_explain_what(buf, e);

    switch (e->place) {

    case CHORUS_PLACE_DIRTY:
    case CHORUS_PLACE_BULK:
        chorus_explain_waits(buf, e);
        break;

    case CHORUS_PLACE_BUSY:
        chorus_buf_text(buf, "; a worker is at it right now");
        break;

    case CHORUS_PLACE_RETRY:
        chorus_explain_retries(buf, e);
        break;

    case CHORUS_PLACE_PARKED:
    case CHORUS_PLACE_BLOCKED:
        chorus_explain_parked(buf, e);
        break;

    case CHORUS_PLACE_NONE:
    case CHORUS_NPLACES:
        chorus_explain_nothing(buf, e);
        break;
    }

    chorus_buf_char(buf, '.');
}
