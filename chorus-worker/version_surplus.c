#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "lock.h"
#include "version_append.h"
#include "version_besides.h"
#include "version_surplus.h"


/* ---- is it gone? ---- */


static work_rc_t
surplus_doubt_gone(version_edit_t *v)
{
    failure_set(&v->work->failure, FAILURE_AGAIN, FAILURE_SIDE_MAIN,
                "BadListing", "GET versions on main: none, but there is "
                "something");

    return WORK_FAILED;
}


/* An empty listing, or a bucket that is not there for one gateway of several,
 * is less than S3's own word that there is no such key.  That it says of a
 * delete marker, too, and Ceph 16 does not tell: so the listing must say it
 * twice. */

static work_rc_t
surplus_confirm_gone(version_edit_t *v)
{
    work_t               *work;
    s3_request_t          get;
    version_list_t        again;
    chorus_header_t       range;
    const s3_response_t  *response;

    work = v->work;

    if (v->ours.history.nversions != 0) {
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
        return surplus_doubt_gone(v);
    }

    if (!s3_response_is_gone(response)) {
        return work_fail(work, FAILURE_SIDE_MAIN, "GET object", response);
    }

    if (version_list_read(work, FAILURE_SIDE_MAIN, &again) != WORK_DONE) {
        return WORK_FAILED;
    }

    return again.history.nversions == 0 ? WORK_DONE : surplus_doubt_gone(v);
}


/* ---- one version ---- */


static work_rc_t
surplus_try(work_t *work, chorus_str_t id, bool is_bypass)
{
    s3_request_t          request;
    chorus_header_t       bypass;
    const s3_response_t  *answer;

    bypass = lock_bypass();

    request = work_request(work, FAILURE_SIDE_FOLLOWER, "DELETE",
                           version_query(work, "", id));
    request.headers = &bypass;
    request.nheaders = is_bypass ? 1 : 0;

    if (request.query == NULL) {
        return work_fail_here(work, "out of memory");
    }

    answer = s3_client_call(work->client, S3_LANE_SIDE, &request);

    if (!s3_response_is_success(answer)
        && !s3_response_has_code(answer, "NoSuchVersion")
        && !s3_response_is_gone(answer))
    {
        return work_fail(work, FAILURE_SIDE_FOLLOWER, "DELETE version",
                         answer);
    }

    return WORK_DONE;
}


work_rc_t
version_delete(work_t *work, chorus_str_t id)
{
    return surplus_try(work, id, false);
}


/* MinIO says InvalidRequest. */

static bool
surplus_is_refused(const work_t *work)
{
    return strcmp(work->failure.code, "AccessDenied") == 0
           || strcmp(work->failure.code, "InvalidRequest") == 0;
}


/* Refused: is it because of a lock, which can be taken off?  The refusal is in
 * work->failure. */

static work_rc_t
surplus_delete_locked(work_t *work, chorus_str_t id, bool *is_locked)
{
    bool           is_sealed;
    failure_t      refusal;
    object_t       object;
    object_lock_t  open;

    refusal = work->failure;

    if (version_head(work, FAILURE_SIDE_FOLLOWER, id, &object, &is_sealed)
        != WORK_DONE)
    {
        return WORK_FAILED;
    }

    *is_locked = lock_is_final(&object.lock);

    if (*is_locked || !lock_is_in_force(&object.lock)) {
        work->failure = refusal;
        return WORK_FAILED;
    }

    open = object.lock;
    open.hold = chorus_null_str;

    if (lock_put_version(work, id, &open, &object.lock) == WORK_DONE
        && surplus_try(work, id, true) == WORK_DONE)
    {
        return WORK_DONE;
    }

    /* the user may not take it off */
    *is_locked = surplus_is_refused(work);

    return WORK_FAILED;
}


/* The copy of main's newest, if the follower has had it: a smaller place is in
 * front of it.  0: it does not matter. */

static size_t
surplus_place_of_newest(const version_edit_t *v)
{
    size_t  place;

    if (v->edit.nkept == 0 || v->edit.nkept != v->ours.history.nversions) {
        return 0;
    }

    place = v->edit.places[v->edit.nkept - 1];

    return place == v->theirs.history.nversions ? 0 : place;
}


static work_rc_t
surplus_delete(version_edit_t *v, size_t place)
{
    bool           is_locked;
    work_t        *work;
    chorus_str_t   id;

    work = v->work;
    id = v->theirs.history.versions[place].id;

    if (version_delete(work, id) == WORK_DONE) {
        return WORK_DONE;
    }

    is_locked = false;

    if (!surplus_is_refused(work)) {
        return WORK_FAILED;
    }

    if (surplus_delete_locked(work, id, &is_locked) == WORK_DONE) {
        return WORK_DONE;
    }

    if (!is_locked) {
        return WORK_FAILED;
    }

    work_log(work, LOG_WARN, "the version \"%.*s\" on the follower, which "
             "main does not have any more, is locked and stays: %s",
             chorus_fmt(id), work->failure.reason);

    v->nlocked++;
    v->is_topped = v->is_topped || place < surplus_place_of_newest(v);

    return WORK_DONE;
}


/* ---- all of it ---- */


static int
surplus_order(const void *a, const void *b)
{
    const chorus_str_t  *x = a, *y = b;

    return chorus_str_cmp(*x, *y);
}


/* What was surplus may be what was just appended by now: where ids are kept,
 * and the null version.  That one has moved to the end. */

static bool
surplus_is_made(const version_edit_t *v, chorus_str_t id)
{
    return v->nmade != 0
           && bsearch(&id, v->made, v->nmade, sizeof(chorus_str_t),
                      surplus_order) != NULL;
}


/* Main's newest would not be current behind a surplus that stays. */

static work_rc_t
surplus_move_newest(version_edit_t *v)
{
    chorus_str_t  id;

    id = v->theirs.history.versions[surplus_place_of_newest(v)].id;

    if (version_append_newest(v) != WORK_DONE) {
        return WORK_FAILED;
    }

    return surplus_is_made(v, id) ? WORK_DONE : version_delete(v->work, id);
}


work_rc_t
version_delete_surplus(version_edit_t *v)
{
    size_t        i;
    chorus_str_t  id;

    if (v->edit.nsurplus != 0 && surplus_confirm_gone(v) != WORK_DONE) {
        return WORK_FAILED;
    }

    qsort(v->made, v->nmade, sizeof(chorus_str_t), surplus_order);

    for (i = 0; i < v->edit.nsurplus; i++) {
        id = v->theirs.history.versions[v->edit.surplus[i]].id;

        if (!surplus_is_made(v, id)
            && surplus_delete(v, v->edit.surplus[i]) != WORK_DONE)
        {
            return WORK_FAILED;
        }
    }

    return v->is_topped ? surplus_move_newest(v) : WORK_DONE;
}
