#include "acl.h"
#include "compare.h"
#include "headers.h"
#include "tags.h"

/* S3 copies no more at once */
#define COMPARE_COPY_MAX  (5ull * 1024 * 1024 * 1024)


/* A HEAD has no body, so its 404 only says "not equal", never "deleted"; so
 * does the 403 of a follower that may be written but not read. */

static work_rc_t
compare_head(work_t *work, object_t *object, bool *is_there)
{
    s3_request_t          head;
    const s3_response_t  *response;

    head = work_request(work, FAILURE_SIDE_FOLLOWER, "HEAD", NULL);
    response = s3_client_call(work->client, S3_LANE_SIDE, &head);

    *is_there = false;

    if (s3_response_is(response, 404) || s3_response_is(response, 403)) {
        return WORK_DONE;
    }

    if (!s3_response_is(response, 200)) {
        return work_fail(work, FAILURE_SIDE_FOLLOWER, "HEAD object",
                         response);
    }

    *is_there = object_read(object, work->mem, response);

    return WORK_DONE;
}


static chorus_str_t
compare_copy_source(work_t *work)
{
    chorus_buf_t  buf;

    buf = chorus_buf(work->mem, work->task->key.len + 128);
    chorus_buf_char(&buf, '/');
    chorus_uri_encode(&buf, work->target, false);
    chorus_buf_char(&buf, '/');
    chorus_uri_encode(&buf, work->task->key, true);

    return chorus_buf_str(&buf);
}


/*
 * The same content with other headers is a copy of the follower's object onto
 * itself.  A copy may change a multipart ETag, and a storage may refuse it:
 * anything but the right ETag falls back to sending the content.
 */

static work_rc_t
compare_copy_headers(work_t *work, const object_t *object,
    const chorus_tagging_t *tags, bool *is_copied)
{
    headers_t             headers;
    chorus_str_t          etag;
    s3_request_t          copy;
    const s3_response_t  *answer;

    if (headers_of_object(work, &headers, object, tags) != WORK_DONE) {
        return WORK_FAILED;
    }

    headers_add(&headers, "x-amz-copy-source", compare_copy_source(work));
    headers_add(&headers, "x-amz-copy-source-if-match", object->etag);
    headers_add(&headers, "x-amz-metadata-directive", chorus_str("REPLACE"));
    headers_add(&headers, "x-amz-tagging-directive", chorus_str("REPLACE"));

    copy = work_request(work, FAILURE_SIDE_FOLLOWER, "PUT", NULL);
    copy.headers = headers.list;
    copy.nheaders = headers.n;

    answer = s3_client_call(work->client, S3_LANE_SIDE, &copy);

    if (!s3_response_is_success(answer)) {
        return WORK_DONE;
    }

    etag = chorus_xml_text(work->mem, chorus_buf_str(&answer->body), "ETag");
    if (etag.len > 2 && etag.data[0] == '"') {
        etag = (chorus_str_t) { etag.data + 1, etag.len - 2 };
    }

    *is_copied = chorus_str_eq(etag, object->etag);

    return WORK_DONE;
}


static work_rc_t
compare_fix_tags(work_t *work, const chorus_tagging_t *tags,
    task_outcome_t *outcome)
{
    s3_request_t      subject;
    chorus_tagging_t  theirs;

    subject = work_request(work, FAILURE_SIDE_FOLLOWER, "GET", NULL);

    if (tags_get(work, FAILURE_SIDE_FOLLOWER, &subject, &theirs)
        != WORK_DONE)
    {
        return WORK_FAILED;
    }

    if (tags_same(tags, &theirs)) {
        return WORK_DONE;
    }

    *outcome = TASK_SYNCED;

    return tags_put(work, &subject, tags);
}


static work_rc_t
compare_fix_acl(work_t *work, task_outcome_t *outcome)
{
    bool          is_changed;
    s3_request_t  subject;

    subject = work_request(work, FAILURE_SIDE_FOLLOWER, "GET", NULL);

    if (acl_make_equal(work, &subject, &is_changed) != WORK_DONE) {
        return WORK_FAILED;
    }

    if (is_changed) {
        *outcome = TASK_SYNCED;
    }

    return WORK_DONE;
}


/* The content is equal, and so are the headers by now. */

static work_rc_t
compare_fix_rest(work_t *work, const object_t *theirs,
    const chorus_tagging_t *tags, bool is_copied, task_outcome_t *outcome)
{
    if ((tags->ntags != 0 || theirs->ntags != 0)
        && compare_fix_tags(work, tags, outcome) != WORK_DONE)
    {
        return WORK_FAILED;
    }

    return is_copied ? acl_finish(work) : compare_fix_acl(work, outcome);
}


work_rc_t
compare_large(work_t *work, const object_t *object,
    const chorus_tagging_t *tags, task_outcome_t *outcome, bool *is_equal)
{
    bool      is_there, is_copied;
    object_t  theirs;

    *is_equal = false;

    if (compare_head(work, &theirs, &is_there) != WORK_DONE) {
        return WORK_FAILED;
    }

    if (!is_there || !object_same_content(object, &theirs)) {
        return WORK_DONE;
    }

    *outcome = TASK_EQUAL;
    *is_equal = object_same_headers(object, &theirs);
    is_copied = !*is_equal;

    if (is_copied && object->nparts == 0 && object->size < COMPARE_COPY_MAX)
    {
        *outcome = TASK_SYNCED;
        if (compare_copy_headers(work, object, tags, is_equal) != WORK_DONE) {
            return WORK_FAILED;
        }
    }

    return !*is_equal ? WORK_DONE
                      : compare_fix_rest(work, &theirs, tags, is_copied,
                                         outcome);
}
