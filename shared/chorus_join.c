/* The merge join of two listings. */

#include "chorus_fold.h"
#include "chorus_join.h"


void
chorus_join_page(chorus_join_side_t *side, const chorus_listing_t *listing)
{
    side->entries = listing->entries;
    side->n = listing->n;
    side->at = 0;
    side->has_more = listing->is_truncated;
}


static chorus_join_step_t
join_histories(const chorus_folded_t *ours, const chorus_folded_t *theirs)
{
    switch (chorus_folded_compare(ours, theirs)) {

    case CHORUS_FOLDED_EQUAL:
        return CHORUS_JOIN_EQUAL;

    case CHORUS_FOLDED_UNSURE:
        return CHORUS_JOIN_UNSURE;

    default:
        return CHORUS_JOIN_DIFFERENT;
    }
}


/* Ceph 16 lists an object whose tags were deleted without its ETag. */
chorus_join_step_t
chorus_listed_compare(const chorus_listed_t *a, const chorus_listed_t *b)
{
    if (a->history != NULL && b->history != NULL) {
        return join_histories(a->history, b->history);
    }

    if (a->size != b->size) {
        return CHORUS_JOIN_DIFFERENT;
    }

    if (a->etag.len == 0 || b->etag.len == 0) {
        return CHORUS_JOIN_UNSURE;
    }

    return chorus_str_eq(a->etag, b->etag) ? CHORUS_JOIN_EQUAL
                                           : CHORUS_JOIN_DIFFERENT;
}


/* NULL when the page is used up, or stands behind the bound. */
static const chorus_listed_t *
join_head(const chorus_join_t *join, const chorus_join_side_t *side)
{
    const chorus_listed_t  *entry;

    if (side->at == side->n) {
        return NULL;
    }

    entry = &side->entries[side->at];

    return join->is_bounded && chorus_str_cmp(entry->key, join->to) > 0
           ? NULL : entry;
}


static chorus_join_step_t
join_both(chorus_join_t *join, const chorus_listed_t **ours,
    const chorus_listed_t **theirs)
{
    int  order;

    order = chorus_str_cmp((*ours)->key, (*theirs)->key);

    if (order < 0) {
        *theirs = NULL;
        join->ours.at++;
        return CHORUS_JOIN_MISSING;
    }

    if (order > 0) {
        *ours = NULL;
        join->theirs.at++;
        return CHORUS_JOIN_SURPLUS;
    }

    join->ours.at++;
    join->theirs.at++;

    return chorus_listed_compare(*ours, *theirs);
}


/* Used up, and not because of the bound. */
static bool
join_needs(const chorus_join_side_t *side)
{
    return side->at == side->n && side->has_more;
}


chorus_join_step_t
chorus_join_next(chorus_join_t *join, const chorus_listed_t **ours,
    const chorus_listed_t **theirs)
{
    if (join_needs(&join->ours)) {
        return CHORUS_JOIN_NEED_OURS;
    }

    if (join_needs(&join->theirs)) {
        return CHORUS_JOIN_NEED_THEIRS;
    }

    *ours = join_head(join, &join->ours);
    *theirs = join_head(join, &join->theirs);

    if (*ours != NULL && *theirs != NULL) {
        return join_both(join, ours, theirs);
    }

    if (*ours != NULL) {
        join->ours.at++;
        return CHORUS_JOIN_MISSING;
    }

    if (*theirs != NULL) {
        join->theirs.at++;
        return CHORUS_JOIN_SURPLUS;
    }

    return CHORUS_JOIN_END;
}
