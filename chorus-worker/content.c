/*
 * A small object costs two requests and a third for its ACL.  Of a large one,
 * and of one that failed before, the follower is asked first, while main's GET
 * waits with a full ring.
 */

#include <string.h>

#include "acl.h"
#include "compare.h"
#include "content.h"
#include "filter.h"
#include "multipart.h"
#include "reconcile.h"
#include "tags.h"
#include "transfer.h"
#include "versions.h"


static work_rc_t
content_delete(work_t *work, task_outcome_t *outcome)
{
    s3_request_t          request;
    const s3_response_t  *response;

    /* a key in a bucket that keeps versions by now is not just gone */
    if (versions_rule_out(work, work->task->claimed_ms) != WORK_DONE) {
        return WORK_FAILED;
    }

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
    if (answer == NULL) {
        return WORK_FAILED;
    }

    if (s3_response_has_code(answer, "NoSuchBucket")) {
        if (reconcile_bucket_create(work) == WORK_DONE) {
            work->failure.kind = FAILURE_AGAIN;
        }

    } else if (s3_response_has_code(answer, "InvalidStorageClass")
               && !work->without_storage_class)
    {
        work_log(work, LOG_WARN, "the follower does not have the storage "
                 "class, leaving it out");
        work->without_storage_class = true;
        work->failure.kind = FAILURE_AGAIN;

    } else if (acl_is_to_blame(work, answer)) {
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
    }

    put = work_request(work, FAILURE_SIDE_FOLLOWER, "PUT", NULL);
    put.headers = headers.list;
    put.nheaders = headers.n;

    if (transfer_send(work, source, &md5, &put, "PUT object", &answer)
        != WORK_DONE)
    {
        return content_refused(work, answer);
    }

    work->bytes = object->size;
    work_note_version(work, answer);

    if (content_verify(work, object, answer) != WORK_DONE) {
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


/* A history does not wait for the ACL of one of its versions. */

static work_rc_t
content_finish(work_t *work)
{
    if (acl_finish(work) == WORK_DONE) {
        return WORK_DONE;
    }

    work->is_acl_left = work->version.len != 0
                        && work->failure.kind == FAILURE_SLOW;

    return work->is_acl_left ? WORK_DONE : WORK_FAILED;
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

    } else {
        transfer_fill(work, source);
    }

    if (content_besides(work, &object, &tags) != WORK_DONE) {
        return WORK_FAILED;
    }

    /* a history is taken or not as a whole, and compared before */
    if (work->version.len == 0 && !filter_takes_tags(work, &tags)) {
        *outcome = TASK_EQUAL;
        return WORK_DONE;
    }

    if (work->version.len == 0
        && (object.size > CONTENT_LARGE || work->task->attempts != 0))
    {
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

    rc = object.nparts != 0 ? multipart_copy(work, &object, &tags)
                            : content_put(work, source, &object, &tags);

    return rc == WORK_DONE ? content_finish(work) : rc;
}


/* A version that is gone is no key that is gone. */

static work_rc_t
content_gone(work_t *work, task_outcome_t *outcome)
{
    if (work->version.len == 0) {
        return content_delete(work, outcome);
    }

    failure_set(&work->failure, FAILURE_AGAIN, FAILURE_SIDE_MAIN,
                "NoSuchVersion", "GET object on main: the version is gone");

    return WORK_FAILED;
}


static bool
content_is_versioned(const s3_response_t *source)
{
    chorus_str_t  id;

    id = s3_response_header(source, "x-amz-version-id");

    return id.len != 0 && !chorus_str_eq(id, chorus_str("null"));
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
    source = transfer_open(work, &get);

    if (s3_response_is_gone(source)) {
        return content_gone(work, outcome);
    }

    if (source->status != 200 || !source->has_headers) {
        return work_fail(work, FAILURE_SIDE_MAIN, "GET object", source);
    }

    if (work->version.len == 0 && content_is_versioned(source)
        && versions_rule_out(work, work->task->claimed_ms) != WORK_DONE)
    {
        transfer_close(work);
        return WORK_FAILED;
    }

    rc = content_copy(work, source, outcome);
    transfer_close(work);

    /* the follower keeps versions by now: does main? */
    if (rc == WORK_DONE && work->version.len == 0
        && work->made_version.len != 0
        && !chorus_str_eq(work->made_version, chorus_str("null")))
    {
        return versions_rule_out(work, work->task->claimed_ms);
    }

    return rc;
}


work_rc_t
content_copy_version(work_t *work, chorus_str_t id)
{
    work_rc_t        rc;
    uint64_t         before;
    chorus_mem_t    *mem, own;
    chorus_arena_t  *arena;
    task_outcome_t   outcome;

    arena = chorus_arena_create();
    if (arena == NULL) {
        return work_fail_here(work, "out of memory");
    }

    /* a history may be long: nothing of a copy stays */
    own = chorus_arena_mem(arena);
    mem = work->mem;
    before = work->bytes;

    work->mem = &own;
    work->bytes = 0;
    work->version = id;
    work->made_version = chorus_null_str;
    work->is_acl_left = false;

    rc = content_sync(work, &outcome);

    work->mem = mem;
    work->bytes += before;
    memset(&work->acl, 0, sizeof(work_acl_t));
    work->version = chorus_null_str;
    work->made_version = chorus_str_dup(mem, work->made_version);
    work->seen_etag = chorus_str_dup(mem, work->seen_etag);

    chorus_arena_destroy(arena);

    return rc;
}
