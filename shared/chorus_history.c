/*
 * By which edit a follower's history becomes main's.
 *
 * Both lists are walked from the oldest version on; each of the follower's is
 * the next of main's or surplus.  That keeps the most: what follows a version
 * that the follower lacks has to be appended behind it in any case.
 */

#include <stdlib.h>
#include <string.h>

#include "chorus_versions.h"


typedef enum {
    HISTORY_BY_ID = 0,      /* the follower's ids are main's */
    HISTORY_BY_CONTENT,
    HISTORY_LOOKING         /* by content; content in `twins` is looked at */
} history_mode_t;

typedef struct {
    const chorus_history_t  *ours;
    const chorus_history_t  *theirs;
    chorus_version_look_pt   look;
    void                    *data;
    history_mode_t           mode;
    uint64_t                *twins;     /* sorted */
    size_t                   ntwins;
    chorus_history_edit_t   *edit;
} history_walk_t;


/* The i-th oldest. */
static const chorus_version_t *
history_at(const chorus_history_t *history, size_t i)
{
    return &history->versions[history->nversions - 1 - i];
}


static uint64_t
history_hash(const chorus_version_t *version)
{
    size_t    i;
    uint64_t  hash;

    hash = 14695981039346656037ull ^ version->size;     /* FNV-1a */

    for (i = 0; i < version->etag.len; i++) {
        hash = (hash ^ (unsigned char) version->etag.data[i])
               * 1099511628211ull;
    }

    return hash;
}


static int
history_order(const void *a, const void *b)
{
    const uint64_t  *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}


static bool
history_is_twin(const history_walk_t *walk, const chorus_version_t *version)
{
    uint64_t  hash;

    if (walk->ntwins == 0) {
        return false;
    }

    hash = history_hash(version);

    return bsearch(&hash, walk->twins, walk->ntwins, sizeof(uint64_t),
                   history_order) != NULL;
}


/* A time without a fraction may be a whole second's: AWS tells no more. */
static bool
history_is_older(const chorus_version_t *copy,
    const chorus_version_t *original)
{
    int64_t  latest;

    latest = copy->modified_ms % 1000 == 0 ? copy->modified_ms + 999
                                           : copy->modified_ms;

    return latest < original->modified_ms;
}


static bool
history_is_null(const chorus_version_t *version)
{
    return chorus_str_eq(version->id, chorus_str(CHORUS_NULL_VERSION));
}


static chorus_version_verdict_t
history_same(const history_walk_t *walk, const chorus_version_t *ours,
    const chorus_version_t *theirs)
{
    bool  is_doubtful;

    if (ours->is_marker != theirs->is_marker || ours->size != theirs->size) {
        return CHORUS_VERSION_OTHER;
    }

    if (walk->mode == HISTORY_BY_ID) {

        if (!chorus_str_eq(ours->id, theirs->id)) {
            return CHORUS_VERSION_OTHER;
        }

        /* only this one may be another by now */
        if (!history_is_null(ours)) {
            return CHORUS_VERSION_SAME;
        }
    }

    /* the next null version would replace it */
    if (history_is_null(theirs) && !history_is_null(ours)) {
        return CHORUS_VERSION_OTHER;
    }

    if (ours->is_marker) {
        return CHORUS_VERSION_SAME;
    }

    is_doubtful = !chorus_str_eq(ours->etag, theirs->etag)
                  || history_is_older(theirs, ours)
                  || history_is_twin(walk, ours);

    return is_doubtful ? walk->look(walk->data, ours, theirs)
                       : CHORUS_VERSION_SAME;
}


/* Ceph 16 makes no delete marker behind another one: where main has several
 * in a row, one of the follower's may stand for them. */
static bool
history_is_repeated_marker(const chorus_history_t *history, size_t i)
{
    return i != 0 && i < history->nversions
           && history_at(history, i)->is_marker
           && history_at(history, i - 1)->is_marker;
}


/* The next of the follower's: finds its place in main's history. */
static chorus_version_verdict_t
history_place(history_walk_t *walk, const chorus_version_t *theirs)
{
    size_t                    i, next;
    chorus_version_verdict_t  verdict;
    chorus_history_edit_t    *edit = walk->edit;

    next = edit->nkept;

    while (!theirs->is_marker && history_is_repeated_marker(walk->ours, next)) {
        next++;
    }

    if (next == walk->ours->nversions) {
        return CHORUS_VERSION_OTHER;
    }

    verdict = history_same(walk, history_at(walk->ours, next), theirs);

    if (verdict == CHORUS_VERSION_SAME) {
        for (i = edit->nkept; i < next; i++) {
            edit->places[i] = walk->theirs->nversions;
        }

        edit->places[next] = (size_t) (theirs - walk->theirs->versions);
        edit->nkept = next + 1;
    }

    return verdict;
}


static chorus_rc_t
history_walk(history_walk_t *walk, history_mode_t mode)
{
    size_t                    i;
    const chorus_version_t   *theirs;
    chorus_version_verdict_t  verdict;

    walk->mode = mode;
    walk->edit->nkept = 0;
    walk->edit->nsurplus = 0;

    for (i = 0; i < walk->theirs->nversions; i++) {

        theirs = history_at(walk->theirs, i);
        verdict = history_place(walk, theirs);

        if (verdict == CHORUS_VERSION_FAILED) {
            return CHORUS_ERROR;
        }

        if (verdict == CHORUS_VERSION_OTHER) {
            walk->edit->surplus[walk->edit->nsurplus++] =
                (size_t) (theirs - walk->theirs->versions);
        }
    }

    return CHORUS_OK;
}


/* Which of equal contents has to go is more than a listing tells. */
static bool
history_find_twins(history_walk_t *walk)
{
    bool                    is_kept_too;
    size_t                  i;
    const chorus_version_t  *version;
    chorus_history_edit_t   *edit = walk->edit;

    for (i = 0; i < edit->nsurplus; i++) {

        version = &walk->theirs->versions[edit->surplus[i]];

        if (!version->is_marker) {
            walk->twins[walk->ntwins++] = history_hash(version);
        }
    }

    qsort(walk->twins, walk->ntwins, sizeof(uint64_t), history_order);

    is_kept_too = false;

    for (i = 0; i < edit->nkept && !is_kept_too; i++) {
        version = history_at(walk->ours, i);
        is_kept_too = !version->is_marker && history_is_twin(walk, version);
    }

    return is_kept_too;
}


static chorus_rc_t
history_compare_content(history_walk_t *walk)
{
    chorus_rc_t  rc;

    rc = history_walk(walk, HISTORY_BY_CONTENT);

    if (rc == CHORUS_OK && history_find_twins(walk)) {
        rc = history_walk(walk, HISTORY_LOOKING);
    }

    return rc;
}


static chorus_rc_t
history_compare(history_walk_t *walk)
{
    size_t       nkept;
    chorus_rc_t  rc;

    rc = history_walk(walk, HISTORY_BY_ID);
    nkept = walk->edit->nkept;

    if (rc != CHORUS_OK || walk->edit->nsurplus == 0
        || nkept == walk->ours->nversions)
    {
        return rc;
    }

    rc = history_compare_content(walk);

    /* ids are worth more, where they say as much */
    return rc == CHORUS_OK && nkept != 0 && nkept >= walk->edit->nkept
           ? history_walk(walk, HISTORY_BY_ID) : rc;
}


chorus_rc_t
chorus_history_compare(chorus_mem_t *mem, const chorus_history_t *ours,
    const chorus_history_t *theirs, chorus_version_look_pt look, void *data,
    chorus_history_edit_t *edit)
{
    history_walk_t  walk;

    memset(edit, 0, sizeof(chorus_history_edit_t));
    memset(&walk, 0, sizeof(history_walk_t));

    edit->places = chorus_alloc(mem, (ours->nversions + 1) * sizeof(size_t));
    edit->surplus = chorus_alloc(mem, (theirs->nversions + 1)
                                      * sizeof(size_t));
    walk.twins = chorus_alloc(mem, (theirs->nversions + 1)
                                   * sizeof(uint64_t));

    if (edit->places == NULL || edit->surplus == NULL || walk.twins == NULL) {
        return CHORUS_NOMEM;
    }

    walk.ours = ours;
    walk.theirs = theirs;
    walk.look = look;
    walk.data = data;
    walk.edit = edit;

    return history_compare(&walk);
}
