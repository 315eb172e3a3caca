/*
 * A small object costs two requests and a third for its ACL.  Of others, see
 * content_is_compared(), the follower is asked first, while main's GET is held.
 */

#include <string.h>

#include "acl.h"
#include "checksum.h"
#include "chorus_s3_request.h"
#include "compare.h"
#include "content.h"
#include "filter.h"
#include "lock.h"
#include "multipart.h"
#include "optional.h"
#include "reconcile.h"
#include "tags.h"
#include "transfer.h"


static work_rc_t
content_delete(work_t *work, task_outcome_t *outcome)
{
    s3_request_t          request;
    const s3_response_t  *response;

    request = work_request(work, FAILURE_SIDE_FOLLOWER, "DELETE", NULL);
    response = s3_client_call(work->client, S3_LANE_SIDE, &request);

    if (!s3_response_is_success(response)
        && !s3_response_is_gone(response))
    {
        return work_fail(work, FAILURE_SIDE_FOLLOWER, "DELETE object",
                         response);
    }

    *outcome = TASK_DELETED;

    return WORK_DONE;
}


work_rc_t
content_refused(work_t *work, const s3_response_t *answer)
{
    bool  is_missing;

    if (answer == NULL) {
        return WORK_FAILED;
    }

    /* first, since the ACL is not lost by that but put afterwards */
    if (acl_is_to_blame(work, answer)) {
        work->failure.kind = FAILURE_AGAIN;
        return WORK_FAILED;
    }

    /* from here on the answer may be gone: its code is in the failure */
    is_missing = strcmp(work->failure.code, "NoSuchBucket") == 0;

    if ((work->sent_along & OPTIONAL_LOCK)
        && strcmp(work->failure.code, "InvalidRequest") == 0)
    {
        lock_ask_follower(work, &is_missing);
    }

    if (is_missing) {
        if (reconcile_bucket_create(work) == WORK_DONE) {
            work->failure.kind = FAILURE_AGAIN;
        }

    } else if (optional_is_to_blame(work)) {
        work->failure.kind = FAILURE_AGAIN;
    }

    return WORK_FAILED;
}


work_rc_t
content_put_tags_left(work_t *work, const headers_t *headers,
    const chorus_tagging_t *tags)
{
    s3_request_t  subject;

    if (!headers->are_tags_left) {
        return WORK_DONE;
    }

    subject = work_request(work, FAILURE_SIDE_FOLLOWER, "PUT", NULL);

    return tags_put(work, &subject, tags);
}


/*
 * What the MD5 of the bytes must be: main's ETag, where that is an MD5.  An
 * ETag that turned out to be none (two readings gave the same other MD5: keys
 * of the storage's own, a gateway that makes up ETags) is not asked again.
 */

static void
content_expect_md5(work_t *work, object_t *object, transfer_md5_t *md5)
{
    md5->is_known = object->is_md5;
    memcpy(md5->md5, object->md5, CHORUS_MD5_LEN);

    if (object->is_md5 && work->has_seen_md5
        && chorus_str_eq(work->seen_etag, object->etag))
    {
        object->is_md5 = false;
        memcpy(md5->md5, work->seen_md5, CHORUS_MD5_LEN);
    }
}


/* The follower's ETag is what it stored. */

static work_rc_t
content_verify(work_t *work, const object_t *object,
    const s3_response_t *answer)
{
    chorus_str_t   etag;
    unsigned char  md5[CHORUS_MD5_LEN];

    etag = s3_response_etag(answer);

    if (object->is_md5 && chorus_str_eq(etag, object->etag)) {
        return WORK_DONE;
    }

    if (object_is_sealed(answer)
        || (object_etag_is_md5(etag, md5)
            && memcmp(md5, work->stream->md5, CHORUS_MD5_LEN) == 0))
    {
        return WORK_DONE;
    }

    failure_set(&work->failure, FAILURE_SOON, FAILURE_SIDE_FOLLOWER,
                "EtagMismatch", "PUT object on follower: its ETag is "
                "\"%.*s\", main's \"%.*s\"", chorus_fmt(etag),
                chorus_fmt(object->etag));

    return WORK_FAILED;
}


static work_rc_t
content_put(work_t *work, const s3_response_t *source, object_t *object,
    const chorus_tagging_t *tags)
{
    headers_t             headers;
    s3_request_t          put;
    transfer_md5_t        md5;
    const s3_response_t  *answer;

    if (headers_of_object(work, &headers, object, tags) != WORK_DONE) {
        return WORK_FAILED;
    }

    content_expect_md5(work, object, &md5);

    if (md5.is_known) {
        /* the follower verifies what it gets */
        headers_add(&headers, "Content-MD5",
                    chorus_base64(work->mem, md5.md5, CHORUS_MD5_LEN));
        lock_add_headers(work, &headers, &object->lock);
    }

    checksum_add(work, &headers, &object->checksum);

    put = work_request(work, FAILURE_SIDE_FOLLOWER, "PUT", NULL);
    put.headers = headers.list;
    put.nheaders = headers.n;

    if (transfer_send(work, source, &md5, &put, "PUT object", &answer)
        != WORK_DONE)
    {
        return content_refused(work, answer);
    }

    work->bytes = object->size;

    if (content_verify(work, object, answer) != WORK_DONE) {
        return WORK_FAILED;
    }

    if (!md5.is_known
        && lock_put(work, &object->lock, &(object_lock_t) { 0 }) != WORK_DONE)
    {
        return WORK_FAILED;
    }

    return content_put_tags_left(work, &headers, tags);
}


static work_rc_t
content_tags(work_t *work, const object_t *object, chorus_tagging_t *tags)
{
    s3_request_t  subject;

    tags->tags = NULL;
    tags->ntags = 0;

    if (object->ntags == 0) {
        return WORK_DONE;
    }

    subject = work_request(work, FAILURE_SIDE_MAIN, "GET", NULL);

    return tags_get(work, FAILURE_SIDE_MAIN, &subject, tags);
}


/* Worth asking the follower what it has: content is much, or takes many
 * requests, or would make one more version of what cannot be deleted, or may
 * be there since the last attempt, or looked equal to a scan. */

static bool
content_is_compared(const work_t *work, const object_t *object)
{
    return object->size > CONTENT_LARGE || object->nparts != 0
           || lock_is_set(&object->lock) || work->task->attempts != 0
           || (work->task->is_scan
               && (work->task->facets & CHORUS_FACET_CONTENT) == 0);
}


/* What the object has beside its bytes and headers. */

static work_rc_t
content_besides(work_t *work, const object_t *object, chorus_tagging_t *tags)
{
    s3_request_t  subject;

    if (content_tags(work, object, tags) != WORK_DONE) {
        return WORK_FAILED;
    }

    subject = work_request(work, FAILURE_SIDE_MAIN, "GET", NULL);

    return acl_read(work, &subject);
}


/* Main has the object; its body is on the way. */

static work_rc_t
content_copy(work_t *work, const s3_response_t *source,
    task_outcome_t *outcome)
{
    bool              is_equal;
    object_t          object;
    work_rc_t         rc;
    chorus_tagging_t  tags;

    if (!object_read(&object, work->mem, source)) {
        failure_set(&work->failure, FAILURE_SLOW, FAILURE_SIDE_MAIN,
                    "BadAnswer", "GET object on main: no ETag or length");
        return WORK_FAILED;
    }

    if (object.nparts != 0) {
        transfer_close(work);

    } else if (content_is_compared(work, &object)) {
        work->stream->is_held = true;

    } else {
        transfer_fill(work, source);
    }

    if (content_besides(work, &object, &tags) != WORK_DONE) {
        return WORK_FAILED;
    }

    if (!filter_takes_tags(work, &tags)) {
        *outcome = TASK_EQUAL;
        return WORK_DONE;
    }

    if (content_is_compared(work, &object)) {
        if (compare_large(work, &object, &tags, outcome, &is_equal)
            != WORK_DONE)
        {
            return WORK_FAILED;
        }

        if (is_equal) {
            return WORK_DONE;
        }
    }

    *outcome = TASK_SYNCED;
    work->stream->is_held = false;

    rc = object.nparts != 0 ? multipart_copy(work, &object, &tags)
                            : content_put(work, source, &object, &tags);

    return rc == WORK_DONE ? acl_finish(work) : rc;
}


work_rc_t
content_sync(work_t *work, task_outcome_t *outcome)
{
    work_rc_t             rc;
    s3_request_t          get;
    const s3_response_t  *source;

    if (!stream_begin(work->stream, work->task)) {
        return work_fail_here(work, "MD5 failed");
    }

    get = work_request(work, FAILURE_SIDE_MAIN, "GET", NULL);
    get.headers = &checksum_ask;
    get.nheaders = checksum_is_kept(work) ? 1 : 0;
    source = transfer_open(work, &get);

    if (s3_response_is_gone(source)) {
        return content_delete(work, outcome);
    }

    if (source->status != 200 || !source->has_headers) {
        return work_fail(work, FAILURE_SIDE_MAIN, "GET object", source);
    }

    rc = content_copy(work, source, outcome);
    transfer_close(work);

    return rc;
}
