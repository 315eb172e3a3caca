/*
 * A version never changes, but its tags, its ACL and its lock do.  A mark does
 * not say of which version, and no listing tells: what may have changed is
 * compared, newest first.
 */

#include <string.h>

#include "acl.h"
#include "chorus_s3_request.h"
#include "filter.h"
#include "lock.h"
#include "tags.h"
#include "version_besides.h"

/* where that may be what the mark is about */
#define VERSION_BESIDES       1000
/* where there was a write: other changes become one mark with it, the likelier
 * the longer it waits */
#define VERSION_AT_ONCE_MS    10
#define VERSION_BESIDES_SOON  10
#define VERSION_SOON_MS       1000
#define VERSION_BESIDES_LATE  100


typedef work_rc_t (*version_besides_pt)(work_t *work, chorus_str_t ours,
    chorus_str_t theirs, bool *is_changed);


/* A version that went in the meantime. */

static work_rc_t
version_failed(work_t *work)
{
    if (strcmp(work->failure.code, "NoSuchKey") == 0
        || strcmp(work->failure.code, "NoSuchVersion") == 0)
    {
        work->failure.kind = FAILURE_AGAIN;
    }

    return WORK_FAILED;
}


static s3_request_t
version_subject(work_t *work, failure_side_t side, chorus_str_t id)
{
    const char  *query;

    query = version_query(work, "", id);

    /* never what is current instead */
    return work_request(work, side, "GET",
                        query == NULL ? "versionId=out-of-memory" : query);
}


work_rc_t
version_head(work_t *work, failure_side_t side, chorus_str_t id,
    object_t *object, bool *is_sealed)
{
    s3_request_t          head;
    const s3_response_t  *response;

    head = version_subject(work, side, id);
    head.method = "HEAD";
    response = s3_client_call(work->client, S3_LANE_SIDE, &head);

    if (s3_response_is(response, 404)) {
        failure_set(&work->failure, FAILURE_AGAIN, side, "NoSuchVersion",
                    "HEAD object: the version is gone");
        return WORK_FAILED;
    }

    if (!s3_response_is(response, 200)) {
        return work_fail(work, side, "HEAD object", response);
    }

    if (!object_read(object, work->mem, response)) {
        failure_set(&work->failure, FAILURE_SLOW, side, "BadAnswer",
                    "HEAD object: no ETag or length");
        return WORK_FAILED;
    }

    *is_sealed = object_is_sealed(response);

    return WORK_DONE;
}


/* ---- one version: main's, and its copy ---- */


static work_rc_t
version_make_tags_equal(work_t *work, chorus_str_t ours, chorus_str_t theirs,
    bool *is_changed)
{
    s3_request_t      here, there;
    chorus_tagging_t  tags, old;

    here = version_subject(work, FAILURE_SIDE_MAIN, ours);
    there = version_subject(work, FAILURE_SIDE_FOLLOWER, theirs);

    if (tags_get(work, FAILURE_SIDE_MAIN, &here, &tags) != WORK_DONE
        || tags_get(work, FAILURE_SIDE_FOLLOWER, &there, &old) != WORK_DONE)
    {
        return version_failed(work);
    }

    if (tags_same(&tags, &old)) {
        return WORK_DONE;
    }

    *is_changed = true;

    return tags_put(work, &there, &tags) == WORK_DONE ? WORK_DONE
                                                      : version_failed(work);
}


static work_rc_t
version_make_acl_equal(work_t *work, chorus_str_t ours, chorus_str_t theirs,
    bool *is_changed)
{
    bool          is_put;
    s3_request_t  here, there;

    here = version_subject(work, FAILURE_SIDE_MAIN, ours);
    there = version_subject(work, FAILURE_SIDE_FOLLOWER, theirs);

    if (acl_read(work, &here) != WORK_DONE
        || acl_make_equal(work, &there, &is_put) != WORK_DONE)
    {
        return version_failed(work);
    }

    *is_changed = *is_changed || is_put;

    return WORK_DONE;
}


/* Not all storages tell the number of tags in the answer to a HEAD. */

static bool
version_tells_tags(const chorus_storage_t *storage)
{
    return storage->provider == CHORUS_PROVIDER_CEPH
           || storage->provider == CHORUS_PROVIDER_MINIO;
}


/* The lock, and the tags where there are some. */

static work_rc_t
version_make_heads_equal(work_t *work, chorus_str_t ours, chorus_str_t theirs,
    bool *is_changed)
{
    bool       is_sealed;
    object_t   here, there;
    failure_t  first;

    memset(&here, 0, sizeof(object_t));
    memset(&there, 0, sizeof(object_t));

    if (version_head(work, FAILURE_SIDE_MAIN, ours, &here, &is_sealed)
        != WORK_DONE
        || version_head(work, FAILURE_SIDE_FOLLOWER, theirs, &there,
                        &is_sealed) != WORK_DONE)
    {
        return WORK_FAILED;
    }

    memset(&first, 0, sizeof(failure_t));

    if (work->follower->has_object_lock
        && !lock_same(&here.lock, &there.lock))
    {
        *is_changed = true;

        if (lock_put_version(work, theirs, &here.lock, &there.lock)
            != WORK_DONE)
        {
            work_keep_first(work, version_failed(work), &first);
        }
    }

    if (here.ntags != 0 || there.ntags != 0
        || !version_tells_tags(work->main)
        || !version_tells_tags(work->follower))
    {
        work_keep_first(work, version_make_tags_equal(work, ours, theirs,
                                                      is_changed),
                        &first);
    }

    return work_fail_first(work, &first);
}


/* ---- all that may have changed ---- */


/* How many of the newest.  A write that was taken up at once is not taken for
 * a change of older versions, but for what was current before it. */

static size_t
version_besides_max(const version_edit_t *v)
{
    bool           is_same;
    int64_t        waited_ms;
    const task_t  *task;

    task = v->work->task;
    waited_ms = task->claimed_ms - task->since_ms;
    is_same = v->edit.nkept == v->ours.history.nversions
              && v->edit.nsurplus == v->nlocked;

    if (is_same || task->facets != CHORUS_FACET_ALL || task->attempts != 0) {
        return VERSION_BESIDES;
    }

    return waited_ms <= VERSION_AT_ONCE_MS ? 1
           : waited_ms <= VERSION_SOON_MS ? VERSION_BESIDES_SOON
           : VERSION_BESIDES_LATE;
}


/* Nothing of one version stays in memory. */

static work_rc_t
version_make_equal(work_t *work, chorus_arena_t *arena,
    version_besides_pt make_equal, chorus_str_t ours, chorus_str_t theirs,
    bool *is_changed)
{
    work_rc_t      rc;
    chorus_mem_t  *mem, own;

    mem = work->mem;
    own = chorus_arena_mem(arena);
    /* put back below */
    /* cppcheck-suppress autoVariables */
    work->mem = &own;

    rc = make_equal(work, ours, theirs, is_changed);

    work->mem = mem;
    memset(&work->acl, 0, sizeof(work_acl_t));
    chorus_arena_reset(arena);

    return rc;
}


static work_rc_t
version_make_all_equal(version_edit_t *v, chorus_arena_t *arena,
    version_besides_pt make_equal, size_t max, bool *is_changed)
{
    size_t                   i, n, place;
    const chorus_version_t  *ours;
    const chorus_history_t  *theirs;

    theirs = &v->theirs.history;

    for (i = v->edit.nkept, n = 0; i != 0 && n < max; i--) {

        ours = &v->ours.history.versions[v->ours.history.nversions - i];
        place = v->edit.places[i - 1];

        if (ours->is_marker || place == theirs->nversions) {
            continue;
        }

        n++;

        if (version_make_equal(v->work, arena, make_equal, ours->id,
                               theirs->versions[place].id, is_changed)
            != WORK_DONE)
        {
            return WORK_FAILED;
        }
    }

    if (i != 0 && max == VERSION_BESIDES) {
        work_log(v->work, LOG_WARN, "tags, ACL and lock of the oldest %zu "
                 "versions are not compared", i);
    }

    return WORK_DONE;
}


static work_rc_t
version_besides_in(version_edit_t *v, chorus_arena_t *arena, size_t max,
    bool *is_changed)
{
    unsigned   facets;
    work_rc_t  rc;
    failure_t  first;

    /* what looks equal in a listing may have another lock */
    facets = v->work->task->is_scan ? CHORUS_FACET_ALL
                                    : v->work->task->facets;
    memset(&first, 0, sizeof(failure_t));

    if (facets & CHORUS_FACET_ACL) {
        rc = version_make_all_equal(v, arena, version_make_acl_equal, max,
                                    is_changed);
        work_keep_first(v->work, rc, &first);
    }

    if (facets & CHORUS_FACET_CONTENT) {
        rc = version_make_all_equal(v, arena, version_make_heads_equal, max,
                                    is_changed);
        work_keep_first(v->work, rc, &first);

    } else if (facets & CHORUS_FACET_TAGS) {
        rc = version_make_all_equal(v, arena, version_make_tags_equal, max,
                                    is_changed);
        work_keep_first(v->work, rc, &first);
    }

    return work_fail_first(v->work, &first);
}


work_rc_t
version_besides(version_edit_t *v, bool *is_changed)
{
    size_t           max;
    work_rc_t        rc;
    chorus_arena_t  *arena;

    /* main's newest has a new place then, and came with everything */
    if (v->is_topped || v->edit.nkept == 0) {
        return WORK_DONE;
    }

    max = version_besides_max(v);

    arena = chorus_arena_create();
    if (arena == NULL) {
        return work_fail_here(v->work, "out of memory");
    }

    rc = version_besides_in(v, arena, max, is_changed);
    chorus_arena_destroy(arena);

    return rc;
}


work_rc_t
version_is_taken(work_t *work, const chorus_history_t *ours, bool *is_taken)
{
    size_t            i;
    s3_request_t      subject;
    chorus_tagging_t  tags;

    *is_taken = true;

    if (!filter_asks_tags(work)) {
        return WORK_DONE;
    }

    for (i = 0; i < ours->nversions && ours->versions[i].is_marker; i++) {
        /* void */
    }

    if (i == ours->nversions) {
        return WORK_DONE;
    }

    subject = version_subject(work, FAILURE_SIDE_MAIN, ours->versions[i].id);

    if (tags_get(work, FAILURE_SIDE_MAIN, &subject, &tags) != WORK_DONE) {
        return version_failed(work);
    }

    *is_taken = filter_takes_tags(work, &tags);

    return WORK_DONE;
}
