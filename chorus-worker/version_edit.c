/*
 * The histories are listed, the edit computed (chorus_versions.h), what is
 * missing appended oldest first, and only then the surplus deleted by id, so
 * that what is current on main is never missing for long on the follower.
 *
 * The surplus is deleted oldest first, too: then none of it ever becomes
 * current in the meantime.
 */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bucket_versioning.h"
#include "chorus_s3_request.h"
#include "clock.h"
#include "compare.h"
#include "content.h"
#include "version_besides.h"
#include "version_edit.h"
#include "version_list.h"

/* HEADs on both sides where listings leave a doubt; then order decides */
#define VERSIONS_LOOKS     100
/* versions whose tags are compared, newest first */
#define VERSIONS_TAGS      100
/* a task younger than this is one event's */
#define VERSIONS_FRESH_MS  1000


typedef struct {
    work_t                 *work;
    versioning_t            state;      /* main's */
    version_list_t          ours;
    version_list_t          theirs;
    chorus_history_edit_t   edit;
    unsigned                looks;
    bool                    is_sealed;  /* some of what was looked at */
    bool                    is_holding;
    bool                    has_held;
    chorus_str_t           *made;       /* ids that the follower gave */
    size_t                  nmade;
} versions_t;


static bool
versions_is_null(chorus_str_t id)
{
    return chorus_str_eq(id, chorus_str(CHORUS_NULL_VERSION));
}


/* ---- doubts ---- */


static work_rc_t
versions_head(work_t *work, failure_side_t side, chorus_str_t id,
    object_t *object, bool *is_sealed)
{
    s3_request_t          head;
    const s3_response_t  *response;

    head = work_request(work, side, "HEAD", version_query(work, "", id));
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


/* ETags that say nothing about the content (uploads with other parts,
 * encryption) are as good as equal ones: we have put it there. */

static chorus_version_verdict_t
versions_look(void *data, const chorus_version_t *ours,
    const chorus_version_t *theirs)
{
    bool            is_sealed, are_sealed, is_content;
    object_t        a, b;
    versions_t     *v = data;
    unsigned char   md5[CHORUS_MD5_LEN];

    if (v->looks++ >= VERSIONS_LOOKS) {
        return v->is_sealed || chorus_str_eq(ours->etag, theirs->etag)
               || !object_etag_is_md5(ours->etag, md5)
               ? CHORUS_VERSION_SAME : CHORUS_VERSION_OTHER;
    }

    if (versions_head(v->work, FAILURE_SIDE_MAIN, ours->id, &a, &is_sealed)
        != WORK_DONE
        || versions_head(v->work, FAILURE_SIDE_FOLLOWER, theirs->id, &b,
                         &are_sealed) != WORK_DONE)
    {
        return CHORUS_VERSION_FAILED;
    }

    v->is_sealed = v->is_sealed || is_sealed || are_sealed;

    is_content = a.size == b.size
                 && (chorus_str_eq(a.etag, b.etag) || is_sealed || are_sealed
                     || a.nparts != 0);

    return is_content && compare_same_metadata(v->work, &a, &b)
           ? CHORUS_VERSION_SAME : CHORUS_VERSION_OTHER;
}


/* ---- one version ---- */


static work_rc_t
versions_delete(versions_t *v, chorus_str_t id)
{
    s3_request_t          request;
    const s3_response_t  *answer;

    request = work_request(v->work, FAILURE_SIDE_FOLLOWER, "DELETE",
                           version_query(v->work, "", id));

    if (request.query == NULL) {
        return work_fail_here(v->work, "out of memory");
    }

    answer = s3_client_call(v->work->client, S3_LANE_SIDE, &request);

    if (!s3_response_is_success(answer)
        && !s3_response_has_code(answer, "NoSuchVersion")
        && !s3_response_is_gone(answer))
    {
        return work_fail(v->work, FAILURE_SIDE_FOLLOWER, "DELETE version",
                         answer);
    }

    return WORK_DONE;
}


/* ---- appending ---- */


/* Whether the follower's bucket must be enabled for this version although
 * main's is suspended by now. */

static work_rc_t
versions_prepare(versions_t *v, const chorus_version_t *version)
{
    bool  needs;

    needs = v->state == VERSIONING_SUSPENDED
            && !versions_is_null(version->id);

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


/* An ordinary version became the null version: the bucket is not in the state
 * that we took it for, and another version may have been replaced. */

static work_rc_t
versions_check_made(versions_t *v, const chorus_version_t *version)
{
    work_t        *work;
    versioning_t   state;

    work = v->work;

    if (work->made_version.len != 0 && !versions_is_null(work->made_version)) {
        v->made[v->nmade++] = work->made_version;
        return WORK_DONE;
    }

    if (versions_is_null(version->id)) {
        v->made[v->nmade++] = chorus_str(CHORUS_NULL_VERSION);
        return WORK_DONE;
    }

    /* not every storage says how it calls a version */
    if (versioning_get(work, FAILURE_SIDE_FOLLOWER, clock_ms(), &state)
        != WORK_DONE)
    {
        return WORK_FAILED;
    }

    if (state == VERSIONING_ENABLED && work->made_version.len == 0) {
        return WORK_DONE;
    }

    failure_set(&work->failure, FAILURE_AGAIN, FAILURE_SIDE_FOLLOWER,
                "NotVersioned", "versioning of the follower's bucket is not "
                "enabled");

    return WORK_FAILED;
}


static const s3_response_t *
versions_mark(versions_t *v, const chorus_version_t *version)
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
versions_marker_in_the_way(const versions_t *v)
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
versions_append_marker(versions_t *v, const chorus_version_t *version)
{
    const s3_response_t     *answer;
    const chorus_version_t  *marker;

    answer = versions_mark(v, version);
    marker = versions_marker_in_the_way(v);

    if (s3_response_is_success(answer) && marker != NULL
        && s3_response_header(answer, "x-amz-version-id").len == 0)
    {
        if (versions_delete(v, marker->id) != WORK_DONE) {
            return WORK_FAILED;
        }

        answer = versions_mark(v, version);
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

    return versions_check_made(v, version);
}


static work_rc_t
versions_append(versions_t *v, const chorus_version_t *version)
{
    if (versions_prepare(v, version) != WORK_DONE) {
        return WORK_FAILED;
    }

    if (version->is_marker) {
        return versions_append_marker(v, version);
    }

    return content_copy_version(v->work, version->id) == WORK_DONE
           ? versions_check_made(v, version) : WORK_FAILED;
}


static work_rc_t
versions_append_all(versions_t *v)
{
    size_t                   i;
    const chorus_history_t  *ours;

    ours = &v->ours.history;

    v->made = chorus_alloc(v->work->mem, (ours->nversions - v->edit.nkept + 1)
                                         * sizeof(chorus_str_t));
    if (v->made == NULL) {
        return work_fail_here(v->work, "out of memory");
    }

    for (i = v->edit.nkept; i < ours->nversions; i++) {
        if (versions_append(v, &ours->versions[ours->nversions - 1 - i])
            != WORK_DONE)
        {
            return WORK_FAILED;
        }
    }

    return WORK_DONE;
}


/* ---- deleting ---- */


static work_rc_t
versions_doubt_gone(versions_t *v)
{
    failure_set(&v->work->failure, FAILURE_AGAIN, FAILURE_SIDE_MAIN,
                "BadListing", "GET versions on main: none, but there is "
                "something");

    return WORK_FAILED;
}


/* An empty listing is less than S3's own word that there is no such key.  That
 * it says of a delete marker, too, and Ceph 16 does not tell: so the listing
 * must say it twice. */

static work_rc_t
versions_confirm_gone(versions_t *v)
{
    work_t               *work;
    s3_request_t          get;
    version_list_t        again;
    chorus_header_t       range;
    const s3_response_t  *response;

    work = v->work;

    if (v->ours.history.nversions != 0 || v->ours.is_no_bucket) {
        return WORK_DONE;
    }

    range = (chorus_header_t) { chorus_str("Range"),
                                chorus_str("bytes=0-0") };

    get = work_request(work, FAILURE_SIDE_MAIN, "GET", NULL);
    get.headers = &range;
    get.nheaders = 1;

    response = s3_client_call(work->client, S3_LANE_SIDE, &get);

    if (s3_response_is_success(response) || s3_response_is(response, 416)
        || s3_response_header(response, "x-amz-delete-marker").len != 0)
    {
        return versions_doubt_gone(v);
    }

    if (!s3_response_is_gone(response)) {
        return work_fail(work, FAILURE_SIDE_MAIN, "GET object", response);
    }

    if (version_list_read(work, FAILURE_SIDE_MAIN, &again) != WORK_DONE) {
        return WORK_FAILED;
    }

    return again.history.nversions == 0 ? WORK_DONE : versions_doubt_gone(v);
}


static int
versions_order(const void *a, const void *b)
{
    const chorus_str_t  *x = a, *y = b;

    return chorus_str_cmp(*x, *y);
}


/* What was surplus may be what was just appended by now: where ids are kept,
 * and the null version.  That one has moved to the end. */

static bool
versions_is_made(const versions_t *v, chorus_str_t id)
{
    return v->nmade != 0
           && bsearch(&id, v->made, v->nmade, sizeof(chorus_str_t),
                      versions_order) != NULL;
}


static work_rc_t
versions_delete_surplus(versions_t *v)
{
    size_t        i;
    chorus_str_t  id;

    if (v->edit.nsurplus != 0 && versions_confirm_gone(v) != WORK_DONE) {
        return WORK_FAILED;
    }

    qsort(v->made, v->nmade, sizeof(chorus_str_t), versions_order);

    for (i = 0; i < v->edit.nsurplus; i++) {
        id = v->theirs.history.versions[v->edit.surplus[i]].id;

        if (!versions_is_made(v, id)
            && versions_delete(v, id) != WORK_DONE)
        {
            return WORK_FAILED;
        }
    }

    return WORK_DONE;
}


/* ---- tags and ACL ---- */


/* A version never changes, but its tags do; a mark does not say of which.  A
 * write that has just happened is not taken for a change of older tags. */

static bool
versions_may_have_tags_changed(const versions_t *v)
{
    const task_t  *task;

    task = v->work->task;

    if ((task->facets & CHORUS_FACET_TAGS) == 0) {
        return false;
    }

    return task->facets != CHORUS_FACET_ALL || task->attempts != 0
           || (v->edit.nkept == v->ours.history.nversions
               && v->edit.nsurplus == 0)
           || clock_ms() - task->since_ms > VERSIONS_FRESH_MS;
}


static work_rc_t
versions_tags(versions_t *v, bool *is_changed)
{
    size_t                   i, place;
    unsigned                 n;
    const chorus_version_t  *ours;
    const chorus_history_t  *theirs;

    if (!versions_may_have_tags_changed(v)) {
        return WORK_DONE;
    }

    theirs = &v->theirs.history;

    for (i = v->edit.nkept, n = 0; i != 0 && n < VERSIONS_TAGS; i--) {

        ours = &v->ours.history.versions[v->ours.history.nversions - i];
        place = v->edit.places[i - 1];

        if (ours->is_marker || place == theirs->nversions) {
            continue;
        }

        n++;

        if (version_make_tags_equal(v->work, ours->id,
                                    theirs->versions[place].id, is_changed)
            != WORK_DONE)
        {
            return WORK_FAILED;
        }
    }

    return WORK_DONE;
}


/* Of what is current; when it was just appended it came with its ACL. */

static work_rc_t
versions_acl(versions_t *v, bool *is_changed)
{
    bool                     is_kept;
    chorus_str_t             there;
    const chorus_version_t  *newest;

    newest = v->ours.history.versions;
    is_kept = v->edit.nkept == v->ours.history.nversions;

    if (v->ours.history.nversions == 0 || newest->is_marker
        || !(is_kept ? (v->work->task->facets & CHORUS_FACET_ACL) != 0
                     : v->work->is_acl_left))
    {
        return WORK_DONE;
    }

    there = is_kept
            ? v->theirs.history.versions[v->edit.places[v->edit.nkept - 1]].id
            : v->work->made_version;

    return version_make_acl_equal(v->work, newest->id, there, is_changed);
}


/* ---- the whole ---- */


/* The follower's is read first: what main gets in the meantime is appended,
 * and never taken for surplus. */

static work_rc_t
versions_read(versions_t *v)
{
    return version_list_read(v->work, FAILURE_SIDE_FOLLOWER, &v->theirs)
           == WORK_DONE
           ? version_list_read(v->work, FAILURE_SIDE_MAIN, &v->ours)
           : WORK_FAILED;
}


static work_rc_t
versions_compare(versions_t *v)
{
    switch (chorus_history_compare(v->work->mem, &v->ours.history,
                                   &v->theirs.history, versions_look, v,
                                   &v->edit))
    {
    case CHORUS_OK:
        return WORK_DONE;

    case CHORUS_NOMEM:
        return work_fail_here(v->work, "out of memory");

    default:
        return WORK_FAILED;
    }
}


static void
versions_tell(const versions_t *v, bool is_changed, task_outcome_t *outcome)
{
    size_t  nmissing;

    nmissing = v->ours.history.nversions - v->edit.nkept;

    work_log(v->work, LOG_DEBUG, "versions=%zu kept=%zu appended=%zu "
             "deleted=%zu looked=%u", v->ours.history.nversions,
             v->edit.nkept, nmissing, v->edit.nsurplus, v->looks);

    *outcome = nmissing != 0 || is_changed ? TASK_SYNCED
               : v->edit.nsurplus != 0 ? TASK_DELETED : TASK_EQUAL;
}


static work_rc_t
versions_edit(versions_t *v, task_outcome_t *outcome)
{
    bool       is_changed, is_taken;
    work_rc_t  rc;

    if (versions_read(v) != WORK_DONE
        || version_is_taken(v->work, &v->ours.history, &is_taken)
           != WORK_DONE)
    {
        return WORK_FAILED;
    }

    if (!is_taken) {
        *outcome = TASK_EQUAL;
        return WORK_DONE;
    }

    if (versions_compare(v) != WORK_DONE) {
        return WORK_FAILED;
    }

    is_changed = false;

    rc = versions_append_all(v);

    if (rc == WORK_DONE) {
        rc = versions_delete_surplus(v);
    }

    if (rc == WORK_DONE) {
        rc = versions_tags(v, &is_changed);
    }

    if (rc == WORK_DONE) {
        rc = versions_acl(v, &is_changed);
    }

    versions_tell(v, is_changed, outcome);

    return rc;
}


work_rc_t
version_edit(work_t *work, versioning_t state, task_outcome_t *outcome,
    bool *has_held)
{
    work_rc_t   rc;
    failure_t   failure;
    versions_t  v;

    memset(&v, 0, sizeof(versions_t));
    v.work = work;
    v.state = state;

    rc = versions_edit(&v, outcome);
    version_list_done(work);
    *has_held = v.has_held;

    if (v.is_holding) {
        failure = work->failure;

        if (versioning_release(work) != WORK_DONE) {
            rc = WORK_FAILED;

        } else {
            work->failure = failure;
        }
    }

    return rc;
}
