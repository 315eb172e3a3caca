#include "bucket_versioning.h"
#include "flight.h"
#include "reconcile.h"
#include "tags.h"


/*
 * 200, or the reason.  The answer is a listing, which every storage knows;
 * unlike HEAD it says in a body what is missing.  It asks for an entry: MinIO
 * lists none of a bucket that is not there, too.
 */

static const s3_response_t *
reconcile_bucket_look(work_t *work)
{
    s3_request_t  request;

    request = work_bucket_request(work, FAILURE_SIDE_MAIN, "GET",
                                  "max-keys=1");

    return s3_client_call(work->client, S3_LANE_SIDE, &request);
}


/* Only AWS asks for the region outside of its first one, and refuses it
 * there. */

static chorus_str_t
reconcile_bucket_location(work_t *work)
{
    chorus_buf_t  buf;

    if (work->follower->provider != CHORUS_PROVIDER_AWS
        || chorus_str_eq(work->follower->region, chorus_str("us-east-1")))
    {
        return chorus_null_str;
    }

    buf = chorus_buf(work->mem, 256);
    chorus_buf_text(&buf, "<CreateBucketConfiguration xmlns=\""
                    "http://s3.amazonaws.com/doc/2006-03-01/\">"
                    "<LocationConstraint>");
    chorus_buf_add(&buf, work->follower->region);
    chorus_buf_text(&buf, "</LocationConstraint>"
                    "</CreateBucketConfiguration>");

    return chorus_buf_str(&buf);
}


static work_rc_t
reconcile_bucket_put(work_t *work)
{
    s3_request_t          put;
    const s3_response_t  *answer;

    put = work_bucket_request(work, FAILURE_SIDE_FOLLOWER, "PUT", NULL);
    put.body = reconcile_bucket_location(work);

    answer = s3_client_call(work->client, S3_LANE_SIDE, &put);

    if (s3_response_is_success(answer)
        || s3_response_has_code(answer, "BucketAlreadyOwnedByYou"))
    {
        return WORK_DONE;
    }

    return work_fail(work, FAILURE_SIDE_FOLLOWER, "PUT bucket", answer);
}


static work_rc_t
reconcile_bucket_tags(work_t *work)
{
    s3_request_t      ours, theirs;
    chorus_tagging_t  tags, old;

    ours = work_bucket_request(work, FAILURE_SIDE_MAIN, "GET", NULL);
    theirs = work_bucket_request(work, FAILURE_SIDE_FOLLOWER, "GET", NULL);

    if (tags_get(work, FAILURE_SIDE_MAIN, &ours, &tags) != WORK_DONE
        || tags_get(work, FAILURE_SIDE_FOLLOWER, &theirs, &old) != WORK_DONE)
    {
        return WORK_FAILED;
    }

    return tags_same(&tags, &old) ? WORK_DONE
                                  : tags_put(work, &theirs, &tags);
}


/* A bucket is worth more than its tags: a storage that has none, or does not
 * let us see them, gets a line in the log. */

static work_rc_t
reconcile_bucket_settings(work_t *work)
{
    if (reconcile_bucket_tags(work) == WORK_DONE) {
        return WORK_DONE;
    }

    if (work->failure.kind != FAILURE_SLOW) {
        return WORK_FAILED;
    }

    work_log(work, LOG_WARN, "the tags of the bucket are not replicated: %s",
             work->failure.reason);

    return WORK_DONE;
}


static work_rc_t
reconcile_bucket_delete(work_t *work, task_outcome_t *outcome)
{
    s3_request_t          request;
    const s3_response_t  *answer;

    request = work_bucket_request(work, FAILURE_SIDE_FOLLOWER, "DELETE",
                                  NULL);
    answer = s3_client_call(work->client, S3_LANE_SIDE, &request);

    if (!s3_response_is_success(answer)
        && !s3_response_has_code(answer, "NoSuchBucket"))
    {
        /* BucketNotEmpty: the deletes of its objects are on the way */
        return work_fail(work, FAILURE_SIDE_FOLLOWER, "DELETE bucket",
                         answer);
    }

    *outcome = TASK_DELETED;

    return WORK_DONE;
}


static work_rc_t
reconcile_bucket_make(work_t *work)
{
    failure_t  before;

    before = work->failure;

    if (reconcile_bucket_put(work) != WORK_DONE) {
        return WORK_FAILED;
    }

    work_log(work, LOG_INFO, "made the bucket on the follower");

    /* an object waits: it does not wait for tags */
    if (reconcile_bucket_tags(work) != WORK_DONE) {
        work_log(work, LOG_WARN, "the tags of the bucket are not "
                 "replicated: %s", work->failure.reason);
    }

    work->failure = before;

    return WORK_DONE;
}


/* A new bucket's first objects find out all at once. */

work_rc_t
reconcile_bucket_create(work_t *work)
{
    work_rc_t     rc;
    chorus_buf_t  what;

    what = chorus_buf(work->mem, 128);
    chorus_buf_add(&what, work->follower->name);
    chorus_buf_char(&what, '/');
    chorus_buf_add(&what, work->target);

    if (!flight_begin(chorus_buf_str(&what), work->task)) {
        return WORK_DONE;
    }

    rc = reconcile_bucket_make(work);
    flight_end(chorus_buf_str(&what));

    return rc;
}


work_rc_t
reconcile_bucket(work_t *work, task_outcome_t *outcome)
{
    const s3_response_t  *response;

    response = reconcile_bucket_look(work);

    if (s3_response_is(response, 404)
        && s3_response_has_code(response, "NoSuchBucket"))
    {
        return reconcile_bucket_delete(work, outcome);
    }

    if (!s3_response_is(response, 200)
        || response->code.data != NULL)
    {
        return work_fail(work, FAILURE_SIDE_MAIN, "GET bucket", response);
    }

    *outcome = TASK_SYNCED;

    if (reconcile_bucket_put(work) != WORK_DONE) {
        return WORK_FAILED;
    }

    /* before what warns: objects are copied by it */
    if (versioning_reconcile(work) != WORK_DONE) {
        return WORK_FAILED;
    }

    return reconcile_bucket_settings(work);
}
