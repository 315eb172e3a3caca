#include <string.h>

#include "acl.h"
#include "acl_absent.h"
#include "chorus_s3_xml.h"
#include "identity.h"


/* [Amazon S3 API Reference, "Error responses"] */

static bool
acl_is_absent_answer(const s3_response_t *answer)
{
    return s3_response_has_code(answer, "AccessControlListNotSupported")
           || s3_response_has_code(answer, "NotImplemented")
           || s3_response_has_code(answer, "MethodNotAllowed")
           || (answer->code.data == NULL
               && (s3_response_is(answer, 501)
                   || s3_response_is(answer, 405)));
}


static bool
acl_has_no_subject(const s3_response_t *answer)
{
    return s3_response_is_gone(answer)
           || s3_response_has_code(answer, "NoSuchVersion");
}


static void
acl_note_absent(work_t *work, failure_side_t side)
{
    if (side == FAILURE_SIDE_MAIN) {
        acl_absent_note(work->main->name, work->bucket);

    } else {
        acl_absent_note(work->follower->name, work->target);
    }

    work->acl.is_known = false;
}


/* GET ?acl; *is_there is false when that side has no ACLs. */

static work_rc_t
acl_get(work_t *work, failure_side_t side, const s3_request_t *subject,
    chorus_acl_t *acl, bool *is_there)
{
    s3_request_t          request;
    chorus_error_t        error;
    const s3_response_t  *response;

    request = *subject;
    request.method = "GET";
    request.query = work_sub_resource(work, "acl", subject);

    response = s3_client_call(work->client, S3_LANE_SIDE, &request);

    *is_there = !acl_is_absent_answer(response);

    if (!*is_there) {
        acl_note_absent(work, side);
        return WORK_DONE;
    }

    if (!s3_response_is_success(response)) {
        (void) work_fail(work, side, "GET acl", response);

        if (acl_has_no_subject(response)) {
            work->failure.kind = FAILURE_AGAIN;
        }

        return WORK_FAILED;
    }

    if (chorus_acl_parse(work->mem, chorus_buf_str(&response->body), acl,
                         &error) != CHORUS_OK)
    {
        failure_set(&work->failure, FAILURE_SLOW, side, "BadAcl",
                    "GET acl: %.300s", error.text);
        return WORK_FAILED;
    }

    return WORK_DONE;
}


work_rc_t
acl_read(work_t *work, const s3_request_t *subject)
{
    work_acl_t  *acl;

    acl = &work->acl;
    memset(acl, 0, sizeof(work_acl_t));

    if (!work->main->has_acl || !work->follower->has_acl
        || acl_absent(work->main->name, work->bucket)
        || acl_absent(work->follower->name, work->target))
    {
        return WORK_DONE;
    }

    if (acl_get(work, FAILURE_SIDE_MAIN, subject, &acl->ours,
                &acl->is_known) != WORK_DONE)
    {
        acl->is_known = false;

        if (!failure_is_lasting(&work->failure)) {
            return WORK_FAILED;
        }

        acl->refused = work->failure;
        return WORK_DONE;
    }

    if (acl->is_known) {
        acl->canned = chorus_acl_canned(&acl->ours);
    }

    return WORK_DONE;
}


static bool
acl_is_default(const work_acl_t *acl)
{
    return chorus_str_eq(acl->canned, chorus_str("private"));
}


static bool
acl_is_in_header(const work_t *work)
{
    return work->acl.is_known && work->acl.canned.data != NULL
           && !acl_is_default(&work->acl) && !work->is_acl_apart;
}


void
acl_add_header(work_t *work, headers_t *headers)
{
    if (acl_is_in_header(work)) {
        headers_add(headers, "x-amz-acl", work->acl.canned);
    }
}


/*
 * AWS denies content with a public ACL where public access is blocked; others
 * do not know the name.  Then content goes first, and the answer to PUT ?acl
 * tells.
 */

bool
acl_is_to_blame(work_t *work, const s3_response_t *answer)
{
    bool  is_absent;

    if (!acl_is_in_header(work)) {
        return false;
    }

    is_absent = acl_is_absent_answer(answer);

    /* what was sent along with it may as well be what is not implemented */
    if (is_absent && work->sent_along == 0) {
        acl_note_absent(work, FAILURE_SIDE_FOLLOWER);
        return true;
    }

    if (is_absent
        || s3_response_has_code(answer, "AccessDenied")
        || s3_response_has_code(answer, "InvalidArgument")
        || s3_response_has_code(answer, "InvalidRequest"))
    {
        work->is_acl_apart = true;
        return true;
    }

    return false;
}


/* ---- grantees ---- */


/* The id there of a user of main; the null string: nobody there. */

static work_rc_t
acl_map_user(work_t *work, chorus_str_t id, chorus_str_t *mapped)
{
    chorus_str_t  user;

    *mapped = chorus_null_str;

    if (identity_find(work, id, &user) != WORK_DONE) {
        return WORK_FAILED;
    }

    return user.data == NULL
           ? WORK_DONE
           : identity_of(work, FAILURE_SIDE_FOLLOWER, user, mapped);
}


/* A group has one name everywhere, but not everywhere a meaning. */

static bool
acl_has_group(const work_t *work, chorus_str_t uri)
{
    return work->follower->provider != CHORUS_PROVIDER_CEPH
           || !chorus_str_eq(uri, chorus_str(CHORUS_ACL_LOG_DELIVERY));
}


static work_rc_t
acl_map_grant(work_t *work, const chorus_acl_grant_t *grant,
    chorus_str_t owner, chorus_str_t *mapped)
{
    *mapped = chorus_null_str;

    switch (grant->kind) {

    case CHORUS_ACL_USER:
        if (!chorus_str_eq(grant->id, work->acl.ours.owner)) {
            return acl_map_user(work, grant->id, mapped);
        }
        *mapped = owner;
        break;

    case CHORUS_ACL_GROUP:
        if (acl_has_group(work, grant->id)) {
            *mapped = grant->id;
        }
        break;

    case CHORUS_ACL_EMAIL:
    case CHORUS_ACL_NOBODY:
        break;
    }

    return WORK_DONE;
}


static void
acl_warn(work_t *work, size_t nlost, chorus_str_t first)
{
    char  grantee[256];

    if (nlost != 0) {
        (void) log_escape(grantee, sizeof(grantee), first);
        work_log(work, LOG_WARN, "the follower does not know %zu of the "
                 "grantees of main's ACL, they are left out; the first is "
                 "\"%s\"", nlost, grantee);
    }
}


/* Main's grants as the follower is to have them, with the follower's ids. */

static work_rc_t
acl_map(work_t *work, chorus_str_t owner, chorus_acl_t *acl)
{
    size_t                     i, nlost;
    chorus_str_t               mapped, first;
    const chorus_acl_t        *ours;
    const chorus_acl_grant_t  *grant;

    ours = &work->acl.ours;
    acl->owner = owner;
    acl->ngrants = 0;
    acl->grants = chorus_alloc(work->mem, (ours->ngrants + 1)
                                          * sizeof(chorus_acl_grant_t));
    if (acl->grants == NULL) {
        return work_fail_here(work, "out of memory");
    }

    nlost = 0;
    first = chorus_null_str;

    for (i = 0; i < ours->ngrants; i++) {
        grant = &ours->grants[i];

        if (acl_map_grant(work, grant, owner, &mapped) != WORK_DONE) {
            return WORK_FAILED;
        }

        if (mapped.data == NULL) {
            first = nlost++ == 0 ? grant->id : first;
            continue;
        }

        acl->grants[acl->ngrants] = *grant;
        acl->grants[acl->ngrants++].id = mapped;
    }

    acl_warn(work, nlost, first);
    chorus_acl_sort(acl);

    return WORK_DONE;
}


/* ---- the follower ---- */


static work_rc_t
acl_put(work_t *work, const s3_request_t *subject, const chorus_acl_t *acl)
{
    s3_request_t          request;
    const s3_response_t  *response;

    request = *subject;
    request.method = "PUT";
    request.query = work_sub_resource(work, "acl", subject);
    request.body = chorus_acl_xml(work->mem, acl);

    if (request.body.data == NULL) {
        return work_fail_here(work, "out of memory");
    }

    response = s3_client_call(work->client, S3_LANE_SIDE, &request);

    if (s3_response_is_success(response)) {
        return WORK_DONE;
    }

    if (acl_is_absent_answer(response)) {
        acl_note_absent(work, FAILURE_SIDE_FOLLOWER);
        return WORK_DONE;
    }

    (void) work_fail(work, FAILURE_SIDE_FOLLOWER, "PUT acl", response);

    if (acl_has_no_subject(response)) {
        work->failure.kind = FAILURE_AGAIN;
    }

    return WORK_FAILED;
}


work_rc_t
acl_compare(work_t *work, const s3_request_t *subject, acl_pair_t *pair)
{
    bool  is_there;

    memset(pair, 0, sizeof(acl_pair_t));

    if (work->acl.refused.kind != FAILURE_NONE) {
        work->failure = work->acl.refused;
        return WORK_FAILED;
    }

    if (!work->acl.is_known) {
        return WORK_DONE;
    }

    if (acl_get(work, FAILURE_SIDE_FOLLOWER, subject, &pair->theirs,
                &is_there) != WORK_DONE)
    {
        return WORK_FAILED;
    }

    if (!is_there) {
        return WORK_DONE;
    }

    if (acl_map(work, pair->theirs.owner, &pair->wanted) != WORK_DONE) {
        return WORK_FAILED;
    }

    pair->is_known = true;
    pair->is_same = chorus_acl_same(&pair->wanted, &pair->theirs);

    return WORK_DONE;
}


work_rc_t
acl_make_equal(work_t *work, const s3_request_t *subject, bool *is_changed)
{
    acl_pair_t  pair;

    *is_changed = false;

    if (acl_compare(work, subject, &pair) != WORK_DONE) {
        return WORK_FAILED;
    }

    if (!pair.is_known || pair.is_same) {
        return WORK_DONE;
    }

    *is_changed = true;

    return acl_put(work, subject, &pair.wanted);
}


work_rc_t
acl_finish(work_t *work)
{
    bool          is_changed;
    s3_request_t  subject;

    if (work->acl.is_known
        && (acl_is_default(&work->acl) || acl_is_in_header(work)))
    {
        return WORK_DONE;
    }

    subject = work_request(work, FAILURE_SIDE_FOLLOWER, "GET", NULL);

    return acl_make_equal(work, &subject, &is_changed);
}


bool
acl_owns_bucket(work_t *work)
{
    bool          is_there;
    chorus_str_t  id;
    chorus_acl_t  acl;
    s3_request_t  subject;

    if (!work->follower->has_acl
        || acl_absent(work->follower->name, work->target))
    {
        return false;
    }

    subject = work_bucket_request(work, FAILURE_SIDE_FOLLOWER, "GET", NULL);

    return acl_get(work, FAILURE_SIDE_FOLLOWER, &subject, &acl, &is_there)
           == WORK_DONE
           && is_there
           && identity_of(work, FAILURE_SIDE_FOLLOWER,
                          work->task->parts.user, &id) == WORK_DONE
           && id.len != 0 && chorus_str_eq(id, acl.owner);
}
