#include "acl.h"
#include "bucket_settings.h"
#include "bucket_versioning.h"
#include "chorus_s3_xml.h"
#include "flight.h"
#include "reconcile.h"
#include "tags.h"

/* attempts, half a minute at least */
#define RECONCILE_BUCKET_WAITS  7


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


static bool
reconcile_bucket_is_gone(const s3_response_t *response)
{
    return s3_response_is(response, 404)
           && s3_response_has_code(response, "NoSuchBucket");
}


static chorus_str_t
reconcile_bucket_location(work_t *work)
{
    chorus_buf_t  buf;

    if (work->follower->location.len == 0) {
        return chorus_null_str;
    }

    buf = chorus_buf(work->mem, 256);
    chorus_buf_text(&buf, "<CreateBucketConfiguration xmlns=\""
                    CHORUS_S3_NAMESPACE "\">");
    chorus_xml_element(&buf, "LocationConstraint", work->follower->location);
    chorus_buf_text(&buf, "</CreateBucketConfiguration>");

    return chorus_buf_str(&buf);
}


/* A bucket has object lock from its beginning or, with most storages, never.
 * Main that does not tell is no reason to be without a copy. */

static work_rc_t
reconcile_bucket_lock(work_t *work, bool *is_locked)
{
    if (bucket_settings_lock(work, is_locked) == WORK_DONE) {
        return WORK_DONE;
    }

    if (!failure_is_lasting(&work->failure)) {
        return WORK_FAILED;
    }

    work_log(work, LOG_WARN, "the bucket is made without object lock: %s",
             work->failure.reason);

    return WORK_DONE;
}


/* A bucket that is there is left alone: a second PUT would take its ACL away
 * (AWS), or is refused because of it (RGW 16). */

static work_rc_t
reconcile_bucket_put(work_t *work)
{
    bool                  is_locked;
    s3_request_t          put;
    const s3_response_t  *answer;

    static const chorus_header_t  lock = {
        { "x-amz-bucket-object-lock-enabled", 32 }, { "true", 4 }
    };

    if (acl_owns_bucket(work)) {
        return WORK_DONE;
    }

    if (reconcile_bucket_lock(work, &is_locked) != WORK_DONE) {
        return WORK_FAILED;
    }

    put = work_bucket_request(work, FAILURE_SIDE_FOLLOWER, "PUT", NULL);
    put.body = reconcile_bucket_location(work);
    put.headers = &lock;
    put.nheaders = is_locked ? 1 : 0;

    answer = s3_client_call(work->client, S3_LANE_SIDE, &put);

    if (s3_response_is_success(answer)
        || s3_response_has_code(answer, "BucketAlreadyOwnedByYou"))
    {
        return WORK_DONE;
    }

    if (is_locked && s3_response_is(answer, 501)) {
        work_log(work, LOG_WARN, "the follower has no object lock, its "
                 "bucket is made without");
        put.nheaders = 0;
        answer = s3_client_call(work->client, S3_LANE_SIDE, &put);
    }

    return s3_response_is_success(answer)
           ? WORK_DONE
           : work_fail(work, FAILURE_SIDE_FOLLOWER, "PUT bucket", answer);
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


static work_rc_t
reconcile_bucket_acl(work_t *work)
{
    bool          is_changed;
    s3_request_t  ours, theirs;

    ours = work_bucket_request(work, FAILURE_SIDE_MAIN, "GET", NULL);
    theirs = work_bucket_request(work, FAILURE_SIDE_FOLLOWER, "GET", NULL);

    return acl_read(work, &ours) == WORK_DONE
           ? acl_make_equal(work, &theirs, &is_changed) : WORK_FAILED;
}


static const struct {
    const char  *name;
    work_rc_t  (*make_equal)(work_t *work);
} reconcile_bucket_parts[] = {
    { "tags", reconcile_bucket_tags },
    { "ACL", reconcile_bucket_acl },
};


/* A bucket is worth more than its settings: a storage that does not have
 * them, or does not let us see them, gets a line in the log. */

static work_rc_t
reconcile_bucket_settings(work_t *work, bool is_wanted_by_an_object)
{
    size_t  i;

    for (i = 0; i < sizeof(reconcile_bucket_parts)
                    / sizeof(reconcile_bucket_parts[0]); i++)
    {
        if (reconcile_bucket_parts[i].make_equal(work) == WORK_DONE) {
            continue;
        }

        if (!failure_is_lasting(&work->failure) && !is_wanted_by_an_object) {
            return WORK_FAILED;
        }

        work_log(work, LOG_WARN, "the bucket is replicated without its %s: "
                 "%s", reconcile_bucket_parts[i].name, work->failure.reason);
    }

    return WORK_DONE;
}


/* What is in it, though main's bucket is gone: a key, or a version of one. */

static chorus_str_t
reconcile_bucket_content(work_t *work)
{
    s3_request_t          request;
    const s3_response_t  *response;

    request = work_bucket_request(work, FAILURE_SIDE_FOLLOWER, "GET",
                                  "max-keys=1&versions=");
    response = s3_client_call(work->client, S3_LANE_SIDE, &request);

    return s3_response_is(response, 200)
           ? chorus_xml_text(work->mem, chorus_buf_str(&response->body),
                             "Key")
           : chorus_null_str;
}


/*
 * The deletes of its objects are on the way; when they are not, what is in it
 * is not from main, and Chorus does not delete it.  That cannot be told from
 * a long queue, so it is asked for ever, but rarely.
 */

static work_rc_t
reconcile_bucket_not_empty(work_t *work)
{
    char          text[LOG_KEY_SIZE];
    chorus_str_t  key;

    work->failure.kind = FAILURE_SOON;

    if (work->task->attempts < RECONCILE_BUCKET_WAITS) {
        return WORK_FAILED;
    }

    key = reconcile_bucket_content(work);

    if (key.len == 0) {
        return WORK_FAILED;
    }

    (void) log_escape(text, sizeof(text), key);

    failure_set(&work->failure, FAILURE_SLOW, FAILURE_SIDE_FOLLOWER,
                "BucketNotEmpty", "main's bucket is gone, but the follower's "
                "holds keys that Chorus has no reason to delete, such as "
                "\"%.100s\": delete them there", text);

    return WORK_FAILED;
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
        (void) work_fail(work, FAILURE_SIDE_FOLLOWER, "DELETE bucket",
                         answer);

        return s3_response_has_code(answer, "BucketNotEmpty")
               ? reconcile_bucket_not_empty(work) : WORK_FAILED;
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
    (void) reconcile_bucket_settings(work, true);

    if (bucket_settings(work) != WORK_DONE) {
        work_log(work, LOG_WARN, "the settings of the bucket are not "
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

    if (reconcile_bucket_is_gone(response)) {
        return reconcile_bucket_delete(work, outcome);
    }

    if (!s3_response_is(response, 200)
        || response->code.data != NULL)
    {
        return work_fail(work, FAILURE_SIDE_MAIN, "GET bucket", response);
    }

    *outcome = TASK_SYNCED;

    /* versions before the settings: objects are copied by it */
    if (reconcile_bucket_put(work) != WORK_DONE
        || versioning_reconcile(work) != WORK_DONE
        || reconcile_bucket_settings(work, false) != WORK_DONE)
    {
        return WORK_FAILED;
    }

    return bucket_settings(work);
}
