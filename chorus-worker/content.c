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
#include "guard.h"
#include "lock.h"
#include "multipart.h"
#include "optional.h"
#include "reconcile.h"
#include "self_copy.h"
#include "tags.h"
#include "transfer.h"
#include "twin.h"
#include "upload.h"
#include "version_surplus.h"
#include "versions.h"


static work_rc_t
content_delete(work_t *work, task_outcome_t *outcome)
{
    bool                  is_there;
    s3_request_t          request;
    const s3_response_t  *response;

    /* a key in a bucket that keeps versions by now is not just gone */
    if (versions_rule_out(work, work->task->claimed_ms) != WORK_DONE
        || guard_delete(work, &is_there) != WORK_DONE)
    {
        return WORK_FAILED;
    }

    upload_abandon(work);

    if (!is_there) {
        *outcome = TASK_EQUAL;
        return WORK_DONE;
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


/* Worth asking the follower what it has: content is much, or takes many
 * requests, or would make one more version of what cannot be deleted, or may
 * be there since the last attempt, or looked equal to a scan. */

static bool
content_is_compared(const work_t *work, const object_t *object)
{
    if (work->version.len != 0) {
        return work->copy_source.len != 0;
    }

    return object->size > CONTENT_LARGE || object->nparts != 0
           || lock_is_set(&object->lock) || work->task->attempts != 0
           || (work->task->is_scan
               && (work->task->facets & CHORUS_FACET_CONTENT) == 0);
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

    upload_abandon(work);

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
    work_note_version(work, answer);

    if (content_verify(work, object, answer) != WORK_DONE) {
        return WORK_FAILED;
    }

    if (work->version.len == 0 && content_is_compared(work, object)
        && !chorus_str_eq(s3_response_etag(answer), object->etag))
    {
        twin_keep(work, object, s3_response_etag(answer));
    }

    if (!md5.is_known
        && lock_put_version(work, work->made_version, &object->lock,
                            &(object_lock_t) { 0 }) != WORK_DONE)
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
                        && failure_is_lasting(&work->failure);

    return work->is_acl_left ? WORK_DONE : WORK_FAILED;
}


/* The follower has the content of this version in an older one: it is copied
 * there.  A copy that turned out to have another ETag is taken back. */

static work_rc_t
content_copy_there(work_t *work, const object_t *object,
    const chorus_tagging_t *tags, bool *is_copied)
{
    if (self_copy(work, object, tags, is_copied) != WORK_DONE) {
        return WORK_FAILED;
    }

    if (*is_copied) {
        return lock_put_version(work, work->made_version, &object->lock,
                                &(object_lock_t) { 0 }) == WORK_DONE
               ? content_finish(work) : WORK_FAILED;
    }

    return work->made_version.len == 0 ? WORK_DONE
           : version_delete(work, work->made_version);
}


static work_rc_t
content_compare(work_t *work, const object_t *object,
    const chorus_tagging_t *tags, task_outcome_t *outcome, bool *is_equal)
{
    return work->version.len == 0
           ? compare_large(work, object, tags, outcome, is_equal)
           : content_copy_there(work, object, tags, is_equal);
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

    /* a history is taken or not as a whole, and compared before */
    if (work->version.len == 0 && !filter_takes_tags(work, &tags)) {
        *outcome = TASK_EQUAL;
        return WORK_DONE;
    }

    if (content_is_compared(work, &object)) {
        if (content_compare(work, &object, &tags, outcome, &is_equal)
            != WORK_DONE)
        {
            return WORK_FAILED;
        }

        if (is_equal) {
            return WORK_DONE;
        }
    }

    if (object.size == 0 && work->version.len == 0
        && guard_empty(work) != WORK_DONE)
    {
        return WORK_FAILED;
    }

    *outcome = TASK_SYNCED;
    work->stream->is_held = false;

    rc = object.nparts != 0 ? multipart_copy(work, &object, &tags)
                            : content_put(work, source, &object, &tags);

    if (rc == WORK_DONE && work->is_afresh) {
        twin_forget(work);
    }

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


/* Ceph says NoSuchKey of it. */

static bool
content_is_version_gone(const work_t *work, const s3_response_t *source)
{
    return work->version.len != 0 && s3_response_is(source, 404)
           && s3_response_has_code(source, "NoSuchVersion");
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
    get.headers = &checksum_ask;
    get.nheaders = checksum_is_kept(work) ? 1 : 0;
    source = transfer_open(work, &get);

    if (s3_response_is_gone(source) || content_is_version_gone(work, source)) {
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
content_copy_version(work_t *work, chorus_str_t id, chorus_str_t source)
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

    /* put back below */
    /* cppcheck-suppress autoVariables */
    work->mem = &own;
    work->bytes = 0;
    work->version = id;
    work->copy_source = source;
    work->made_version = chorus_null_str;
    work->is_acl_left = false;

    rc = content_sync(work, &outcome);

    work->mem = mem;
    work->bytes += before;
    memset(&work->acl, 0, sizeof(work_acl_t));
    work->version = chorus_null_str;
    work->copy_source = chorus_null_str;
    work->made_version = chorus_str_dup(mem, work->made_version);
    work->seen_etag = chorus_str_dup(mem, work->seen_etag);

    chorus_arena_destroy(arena);

    return rc;
}
