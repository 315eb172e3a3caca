/*
 * A version is written with all that belongs to it.  The content of a large
 * one is not sent when some version on the follower has it: main's was a copy
 * then, or the history is written again.
 */

#include "chorus_s3_request.h"
#include "clock.h"
#include "content.h"
#include "object.h"
#include "version_append.h"
#include "version_surplus.h"

/* the follower's newest, among which that content is looked for */
#define VERSION_SOURCES  1000


static bool
version_is_null(chorus_str_t id)
{
    return chorus_str_eq(id, chorus_str(CHORUS_NULL_VERSION));
}


/* Whether the follower's bucket must be enabled for this version although
 * main's is suspended by now. */

static work_rc_t
version_append_prepare(version_edit_t *v, const chorus_version_t *version)
{
    bool  needs;

    needs = v->state == VERSIONING_SUSPENDED && !version_is_null(version->id);

    if (needs == v->is_holding) {
        return WORK_DONE;
    }

    v->is_holding = needs;
    v->has_held = true;

    if (!needs) {
        return versioning_release(v->work);
    }

    if (versioning_hold(v->work) != WORK_DONE) {
        v->is_holding = false;
        return WORK_FAILED;
    }

    return WORK_DONE;
}


static void
version_append_note(version_edit_t *v, const chorus_version_t *version,
    chorus_str_t id)
{
    v->made[v->nmade++] = id;
    v->last = *version;
    v->last.id = id;
}


/* An ordinary version became the null version: the bucket is not in the state
 * that we took it for, and another version may have been replaced. */

static work_rc_t
version_append_check(version_edit_t *v, const chorus_version_t *version)
{
    work_t        *work;
    versioning_t   state;

    work = v->work;
    v->last.id = chorus_null_str;

    if (work->made_version.len != 0 && !version_is_null(work->made_version)) {
        version_append_note(v, version, work->made_version);
        return WORK_DONE;
    }

    if (version_is_null(version->id)) {
        version_append_note(v, version, chorus_str(CHORUS_NULL_VERSION));
        return WORK_DONE;
    }

    /* not every storage says how it calls a version */
    if (versioning_get(work, FAILURE_SIDE_FOLLOWER, clock_ms(), &state)
        != WORK_DONE)
    {
        return WORK_FAILED;
    }

    if (state == VERSIONING_ENABLED && work->made_version.len == 0) {
        /* main's, where ids are kept: it must not be taken for surplus */
        v->made[v->nmade++] = version->id;
        return WORK_DONE;
    }

    failure_set(&work->failure, FAILURE_AGAIN, FAILURE_SIDE_FOLLOWER,
                "NotVersioned", "versioning of the follower's bucket is not "
                "enabled");

    return WORK_FAILED;
}


/* ---- delete markers ---- */


static const s3_response_t *
version_append_mark(version_edit_t *v, const chorus_version_t *version)
{
    work_t        *work;
    s3_request_t   request;

    work = v->work;

    work->version = version->id;
    request = work_request(work, FAILURE_SIDE_FOLLOWER, "DELETE", NULL);
    work->version = chorus_null_str;

    return s3_client_call(work->client, S3_LANE_SIDE, &request);
}


/* Ceph 16 makes no marker behind a marker.  One that is surplus is in the way
 * then, and has to go before, not afterwards. */

static const chorus_version_t *
version_marker_in_the_way(const version_edit_t *v)
{
    const chorus_version_t  *newest;

    if (v->nmade != 0 || v->edit.nsurplus == 0
        || v->edit.surplus[v->edit.nsurplus - 1] != 0)
    {
        return NULL;
    }

    newest = &v->theirs.history.versions[0];

    return newest->is_marker ? newest : NULL;
}


static work_rc_t
version_append_marker(version_edit_t *v, const chorus_version_t *version)
{
    const s3_response_t     *answer;
    const chorus_version_t  *marker;

    answer = version_append_mark(v, version);
    marker = version_marker_in_the_way(v);

    if (s3_response_is_success(answer) && marker != NULL
        && s3_response_header(answer, "x-amz-version-id").len == 0)
    {
        if (version_delete(v->work, marker->id) != WORK_DONE) {
            return WORK_FAILED;
        }

        answer = version_append_mark(v, version);
    }

    if (!s3_response_is_success(answer)) {
        return work_fail(v->work, FAILURE_SIDE_FOLLOWER, "DELETE object",
                         answer);
    }

    if (s3_response_header(answer, "x-amz-version-id").len == 0) {
        /* a marker stands for this one, too */
        return WORK_DONE;
    }

    work_note_version(v->work, answer);

    return version_append_check(v, version);
}


/* ---- versions ---- */


/* Same as content.c has it for keys: below, a PUT costs no more. */

static bool
version_is_worth_a_copy(const chorus_version_t *version)
{
    unsigned char  md5[CHORUS_MD5_LEN];

    return version->size > CONTENT_LARGE
           || !object_etag_is_md5(version->etag, md5);
}


static bool
version_has_content(const chorus_version_t *theirs,
    const chorus_version_t *ours)
{
    return !theirs->is_marker && theirs->size == ours->size
           && theirs->etag.len != 0
           && chorus_str_eq(theirs->etag, ours->etag);
}


/* The follower's version with that content: the one before, in most cases.
 * The null string: there is none. */

static chorus_str_t
version_append_source(const version_edit_t *v, const chorus_version_t *version)
{
    size_t                   i, n;
    const chorus_history_t  *theirs;

    if (!version_is_worth_a_copy(version)) {
        return chorus_null_str;
    }

    if (v->last.id.len != 0 && version_has_content(&v->last, version)) {
        return v->last.id;
    }

    theirs = &v->theirs.history;
    n = theirs->nversions < VERSION_SOURCES ? theirs->nversions
                                            : VERSION_SOURCES;

    for (i = 0; i < n; i++) {
        if (version_has_content(&theirs->versions[i], version)) {
            return theirs->versions[i].id;
        }
    }

    return chorus_null_str;
}


static work_rc_t
version_append(version_edit_t *v, const chorus_version_t *version)
{
    if (version_append_prepare(v, version) != WORK_DONE) {
        return WORK_FAILED;
    }

    if (version->is_marker) {
        return version_append_marker(v, version);
    }

    if (content_copy_version(v->work, version->id,
                             version_append_source(v, version)) != WORK_DONE)
    {
        return WORK_FAILED;
    }

    if (v->work->is_acl_left) {
        v->acl_refused = v->work->failure;
    }

    return version_append_check(v, version);
}


work_rc_t
version_append_all(version_edit_t *v)
{
    size_t                   i;
    const chorus_history_t  *ours;

    ours = &v->ours.history;

    /* and one more, for version_append_newest() */
    v->made = chorus_alloc(v->work->mem, (ours->nversions - v->edit.nkept + 1)
                                         * sizeof(chorus_str_t));
    if (v->made == NULL) {
        return work_fail_here(v->work, "out of memory");
    }

    for (i = v->edit.nkept; i < ours->nversions; i++) {
        if (version_append(v, &ours->versions[ours->nversions - 1 - i])
            != WORK_DONE)
        {
            return WORK_FAILED;
        }
    }

    return WORK_DONE;
}


work_rc_t
version_append_newest(version_edit_t *v)
{
    return version_append(v, &v->ours.history.versions[0]);
}
